"""What holds for every test."""

from hypothesis import settings

# No outcome depends on how fast the machine is.
settings.register_profile("earwitness", deadline=None)
settings.load_profile("earwitness")
