"""Source: what sounds, by a tagger of sounds that the person names."""

from __future__ import annotations

import functools

from reward.families.base import Family, Finding, Quality
from reward.families.recognised import told_of
from reward.families.speech import SPEECH
from reward.measure import Measurement
from reward.recognise.sources import SOURCES
from reward.statements import Part

LEAST_SECONDS = 1.0
"""Of a shorter stretch it is not contradicted: that is what a tagger hears at a time."""


def _sounds(key: str, part: Part, measurement: Measurement) -> Finding:
    return told_of(key, f"have {SOURCES[key].words}", part, measurement, 0.0, LEAST_SECONDS)


FAMILY = Family(
    "source",
    qualities={
        key: Quality(source.words, of_part=functools.partial(_sounds, key))
        for key, source in SOURCES.items()
        if key != SPEECH
    },
)
