"""From a waveform to measurements, each with its unit, its error, and None where it does not apply."""

from reward.measure.cache import measure_uri
from reward.measure.clip import measure
from reward.measure.facts import Balance, Contour, Event, Measurement, Rhythm

__all__ = ["Balance", "Contour", "Event", "Measurement", "Rhythm", "measure", "measure_uri"]
