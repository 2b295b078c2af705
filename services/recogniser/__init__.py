"""The recogniser: what models hear in a clip, for the reward workers of the mesh."""
