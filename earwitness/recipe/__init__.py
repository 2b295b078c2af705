"""A recipe: what a job trains, on what, how it is rewarded, stage by stage."""
