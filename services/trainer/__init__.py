"""The trainer service: rank 0 answers gRPC on threads of its own, the main thread of every rank runs the phases."""
