"""Values: what a number speaks of, and whether it holds."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from reward.families.base import Finding, Number, Portion, Scene, no_such_part, parts
from reward.families.guessing import chance_of, fitted
from reward.families.said import MOST, WRONG
from reward.families.stretches import section
from reward.measure import Measurement
from reward.statements import Span, Value

SPREAD = 2.0
"""Most of what sounds lies within so many tolerances of what is said of all of it."""
FEW = 0.1
"""At most this share of what sounds may be as claimed where the claim is contradicted."""


def check_value(claim: Value, number: Number, measurement: Measurement) -> Finding:
    """Checks a value of a part, of a stretch, or of what sounds most."""
    events = parts(measurement, claim.part)
    if claim.part is not None and not events and number.of_events:
        return no_such_part(measurement)
    scene = Scene(claim.part, events, measurement)
    if number.pieces is not None and not isinstance(claim.part, int):
        pieces = [piece for piece in number.pieces(scene) if len(piece.values)]
        return _check_most(claim, number, scene, pieces)
    found = number.found(scene)
    if found is None:
        return Finding(None, "cannot be measured here")
    if not found:
        refuted = number.refuted is None or number.refuted(math.nan, claim.value, measurement)
        return Finding(False if refuted else None, number.none)
    near = min(found, key=lambda value: abs(value - claim.value))
    words = ", ".join(number.show(value) for value in sorted(set(found))[:6])
    open_to = [*found, *(number.perhaps(scene) if number.perhaps else ())]
    if abs(near - claim.value) <= fitted(claim, found, number, measurement.duration):
        finding = Finding(True, words, near)
    else:
        finding = _outside(claim, number, measurement, open_to, Finding(None, words, near))
    return replace(finding, chance=chance_of(claim, number, measurement, found, open_to))


def _check_most(claim: Value, number: Number, scene: Scene, pieces: list[Portion]) -> Finding:
    """Checks what is said of a stretch or of all that sounds: it must hold for most of that."""
    assert number.pieces is not None
    whole = _of_stretch(claim, number, scene.measurement)
    open_to = number.perhaps(scene) if number.perhaps else []
    if not pieces and whole is None:
        wide = WRONG * number.tolerance(claim.value)
        open_ = any(abs(value - claim.value) <= wide for value in open_to)
        return Finding(None if open_ else False, number.none)
    together = [piece for piece in pieces if piece.at_once]
    middles = [whole] if whole is not None else [] if together else [_middle(pieces)]
    most = max((piece.values for piece in together), key=len, default=middles)
    tolerance = fitted(claim, middles or most, number, scene.measurement.duration)
    shown = {value for p in pieces for value in (p.values if p.at_once else [float(np.median(p.values))])}
    words = ", ".join(number.show(value) for value in sorted(shown | set(middles))[:6])
    near = min((*middles, *(v for p in pieces for v in p.values)), key=lambda value: abs(value - claim.value))
    if middles:
        holds = abs(middles[0] - claim.value) <= tolerance and (
            whole is not None or _share(pieces, claim.value, SPREAD * number.tolerance(claim.value)) >= MOST
        )
    else:
        holds = _share(pieces, claim.value, tolerance) >= MOST
    open_to = [*middles, *open_to]
    chance = chance_of(claim, number, scene.measurement, middles or most, [*open_to, *shown])
    if holds:
        return Finding(True, words, near, chance)
    wide = WRONG * number.tolerance(claim.value)
    shares = [_share([piece], claim.value, wide) for piece in pieces]
    if max(shares, default=0.0) >= MOST or _share(pieces, claim.value, wide) >= FEW:
        return Finding(None, f"{words}; of which sound is not said", near, chance)
    return _outside(claim, number, scene.measurement, open_to, Finding(None, words, near, chance))


def _outside(claim: Value, number: Number, measurement: Measurement, open_to: list[float], unsure: Finding) -> Finding:
    """`unsure`, or that the claim is contradicted, if it is far enough from all that it may mean."""
    wide = WRONG * number.tolerance(claim.value)
    if any(abs(value - claim.value) <= wide for value in open_to):
        return unsure
    assert unsure.matched is not None
    if number.refuted is not None and not number.refuted(unsure.matched, claim.value, measurement):
        return unsure
    return Finding(False, unsure.measured, unsure.matched, unsure.chance)


def _of_stretch(claim: Value, number: Number, measurement: Measurement) -> float | None:
    if isinstance(claim.part, Span) and number.of_stretch is not None:
        return number.of_stretch(section(measurement, claim.part))
    return None


def _middle(pieces: list[Portion]) -> float:
    """The median of what sounds."""
    values = np.concatenate([np.asarray(piece.values, dtype=float) for piece in pieces])
    weights = np.concatenate([np.full(len(piece.values), piece.weight / len(piece.values)) for piece in pieces])
    order = np.argsort(values)
    reached = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(reached, reached[-1] / 2)])


def _share(pieces: list[Portion], claimed: float, width: float) -> float:
    """How much of what sounds is within `width` of `claimed`."""
    total = sum(piece.weight for piece in pieces)
    held = 0.0
    for piece in pieces:
        near = [abs(value - claimed) <= width for value in piece.values]
        held += piece.weight * (any(near) if piece.at_once else sum(near) / len(near))
    return held / total if total > 0 else 0.0
