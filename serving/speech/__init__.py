"""Speech out: an answer as sound, clause by clause."""
