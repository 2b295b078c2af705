"""Claims of a reasoning, checked against the clip while the reasoning comes."""
