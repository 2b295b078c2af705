"""Counts of events, pauses, notes, partials, syllables and repetitions."""

from __future__ import annotations

from reward import tolerances as t
from reward.checks.finding import Finding, events_in_words, no_such_part, parts
from reward.checks.sections import onsets_in
from reward.claims.facts import Count, Counted, Span
from reward.measure import Event, Measurement
from reward.measure.facts import Repetition


def check_count(claim: Count, measurement: Measurement) -> Finding:
    """Checks a count; where what is counted has no sharp border, every count within it holds."""
    match claim.of:
        case Counted.EVENTS:
            return _events(claim, measurement)
        case Counted.PAUSES:
            sure = sum(pause >= t.PAUSE_SECONDS[1] for pause in measurement.pauses)
            most = sum(pause >= t.PAUSE_SECONDS[0] for pause in measurement.pauses)
            return Finding(
                sure <= claim.value <= most, f"{sure} pauses" if sure == most else f"{sure} to {most} pauses"
            )
        case Counted.SYLLABLES:
            if measurement.syllables is None:
                return Finding(None, "too few syllables to count")
            found = measurement.syllables
            within = abs(found.count - claim.value) <= max(1.0, t.SYLLABLES * claim.value)
            undercounted = (
                found.rate > t.UNDERCOUNTED[0] and found.count < claim.value < t.UNDERCOUNTED[1] * found.count
            )
            return Finding(True if within else None if undercounted else False, f"{found.count} syllables")
        case Counted.REPEATS | Counted.GROUP:
            return _repeats(claim, measurement)
    events = parts(measurement, claim.part)
    if not events:
        return no_such_part(measurement)
    if claim.of is Counted.NOTES:
        return Finding(
            any(_notes(e) == claim.value for e in events), ", ".join(f"{_notes(e)} at once" for e in events[:6])
        )
    known = [event.partials for event in events if event.partials]
    if not known:
        return Finding(None, "no partials to count")
    ranges = [tuple(sum(level >= -least for level in levels) for least in t.PARTIAL_DB) for levels in known]
    holds = any(few <= claim.value <= many for few, many in ranges)
    return Finding(holds, ", ".join(f"{few} to {many} partials" for few, many in ranges[:3]))


def _notes(event: Event) -> int:
    return len(event.notes) or int(event.pitch is not None)


def _events(claim: Count, measurement: Measurement) -> Finding:
    if isinstance(claim.part, Span):
        counts = onsets_in(measurement, claim.part, t.BOUND_SECONDS)
        return Finding(claim.value in counts, events_in_words(max(counts)))
    count = len(measurement.events)
    if count == 1 and measurement.events[0].notes:  # "three tones" may be those of a chord
        notes = len(measurement.events[0].notes)
        return Finding(claim.value in (1, notes), f"1 event of {notes} notes")
    return Finding(claim.value == count, events_in_words(count))


def _repeats(claim: Count, measurement: Measurement) -> Finding:
    found = measurement.repetition
    if len(measurement.events) < 2 or found is True:
        return Finding(None, "no repetition can be told")
    if not isinstance(found, Repetition):
        return Finding(False, "nothing repeats")
    if claim.of is Counted.GROUP:
        return Finding(claim.value == found.events, f"{events_in_words(found.events)} in a pattern")
    words = f"{found.times} times, every {found.seconds:.2f} s"
    if found.events == 1 and claim.value != found.times:
        return Finding(claim.value == found.times - 1, words)
    # "repeats three times" may leave out the first.
    return Finding(claim.value in (found.times, found.times - 1), words)
