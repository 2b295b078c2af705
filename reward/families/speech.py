"""Speech: whether somebody speaks, by a recogniser of voice activity."""

from __future__ import annotations

from reward.families.base import Family, Finding, Quality
from reward.families.recognised import told_of
from reward.measure import Measurement
from reward.statements import Part

MOST = 0.5
"""Of a stretch in which somebody is said to speak, so much is speech: there are pauses between words."""
LEAST_SECONDS = 0.6
"""Of a shorter stretch it is not contradicted: the network wants to hear a word or two."""
SPEECH = "speech"


def _speech(part: Part, measurement: Measurement) -> Finding:
    return told_of(SPEECH, "are speech", part, measurement, MOST, LEAST_SECONDS)


FAMILY = Family("speech", qualities={SPEECH: Quality("speech", of_part=_speech)})
