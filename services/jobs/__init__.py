"""The jobs service: takes recipes, runs them one at a time, and tells how they go."""
