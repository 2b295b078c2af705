"""Trackers: a job's events as TensorBoard, Weights & Biases and MLflow keep them."""

from earwitness.jobs.track.tracking import Tracking

__all__ = ["Tracking"]
