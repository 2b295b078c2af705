"""Updates on a fixed set of data: supervised and preference tuning."""
