"""The mesh of one machine: the same processes that a cluster runs, started, watched and stopped by one supervisor."""
