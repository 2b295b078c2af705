"""The life of a job: its record and states, its stages one after another, what it leaves behind."""
