"""Many processes as one trainer: groups, agreement, what they measured together."""
