"""Data sets that people have: read in the layouts they come in, checked, mixed, shown."""
