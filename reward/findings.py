"""What a person sees of a recording: its measurements, and a trace's claims with their verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from earwitness.coverage import coverage
from earwitness.printable import clean
from earwitness.wire.trajectory.v1 import trajectory_pb2
from reward.families import NUMBERS
from reward.grounding import Grounding, check_claims
from reward.measure import Measurement, measure
from reward.measure.facts import Repetition, Samples
from reward.measure.stereo import measure_balance
from reward.recognise.heard import Listening
from reward.several import said_of
from reward.statements import Quantity
from reward.surrogate import denial_phrase, surrogate_phrase

_VERDICTS = {
    trajectory_pb2.VERDICT_SUPPORTED: Text("supported", "green"),
    trajectory_pb2.VERDICT_CONTRADICTED: Text("contradicted", "red"),
    trajectory_pb2.VERDICT_NOT_CHECKABLE: Text("not checkable", "yellow"),
}


def print_findings(clips: Sequence[tuple[bytes, Samples]], reasoning: str, plot: str | None, console: Console) -> None:
    """Measures clips, each a file's bytes and its mono mix; prints, and draws each with what is said of it to the PNG
    `plot`, of several to `plot` with their numbers behind its name."""
    measured = [_measured(data, samples) for data, samples in clips]
    prompt = trajectory_pb2.Prompt(clips=[trajectory_pb2.PlacedClip()] * (len(clips) if len(clips) > 1 else 0))
    grounding = check_claims(reasoning, prompt, measured)
    for number, measurement in enumerate(measured, start=1):
        console.print(_events_table(measurement, f" in clip {number}" if len(clips) > 1 else ""))
        console.print(_summary(measurement))
    if reasoning.strip():
        console.print(_claims_table(grounding))
        if grounding.unread:
            console.print(_unread_table(grounding))
        denial, phrase = denial_phrase(reasoning), surrogate_phrase(reasoning)
        if denial:
            console.print(f"denies hearing: {denial!r}", style="red", markup=False)
        elif phrase:
            console.print(f"guesses from words: {phrase!r}", style="red", markup=False)
    if plot:
        from reward.plot import draw  # matplotlib takes a second to load and most calls draw nothing

        for number, ((_, samples), measurement) in enumerate(zip(clips, measured, strict=True), start=1):
            path = plot if len(clips) == 1 else str(Path(plot).with_stem(f"{Path(plot).stem}-{number}"))
            draw(path, samples, measurement, _of_clip(grounding, number, len(clips)))
            console.print(f"wrote {path}", markup=False)


def _of_clip(grounding: Grounding, number: int, clips: int) -> Grounding:
    """The claims that are about one of the clips."""
    pairs = [
        (claim._replace(statement=statement), message)
        for claim, message in zip(grounding.distinct, grounding.claims, strict=True)
        if (statement := said_of(claim.statement, number, clips)) is not None
    ]
    return replace(grounding, distinct=[claim for claim, _ in pairs], claims=[message for _, message in pairs])


def _measured(data: bytes, samples: Samples) -> Measurement:
    return replace(measure(samples, measure_balance(data)), heard=Listening(lambda: samples))


def _events_table(measurement: Measurement, where: str) -> Table:
    table = Table("event", "from", "to", "level", "pitch", "sound", title=f"What was measured{where}")
    for number, event in enumerate(measurement.events, start=1):
        pitch = "none"
        if event.notes:
            pitch = ", ".join(f"{note:.0f}" for note in event.notes) + " Hz"
        elif event.pitch is not None and event.pitch_start is not None and event.pitch_end is not None:
            ends = f"{event.pitch_start:.0f} to {NUMBERS[Quantity.PITCH].show(event.pitch_end)}"
            glides = abs(event.pitch_end / event.pitch_start - 1) > 0.06
            pitch = ends if glides else NUMBERS[Quantity.PITCH].show(event.pitch)
        table.add_row(
            str(number),
            NUMBERS[Quantity.ONSET].show(event.start),
            NUMBERS[Quantity.ONSET].show(event.end),
            NUMBERS[Quantity.LEVEL].show(event.level),
            pitch,
            "chord" if event.notes else event.wave,
        )
    return table


def _summary(measurement: Measurement) -> str:
    parts = [f"background {measurement.background:.0f} dBFS"]
    if measurement.loudness is not None:
        parts.append(NUMBERS[Quantity.LOUDNESS].show(measurement.loudness))
    if measurement.balance is not None:
        parts.append(f"right over left {measurement.balance.whole:+.1f} dB")
    if measurement.syllables is not None:
        parts.append(f"{NUMBERS[Quantity.SYLLABLES].show(measurement.syllables.rate)} if it is speech")
    if measurement.rhythm is not None:
        gaps = measurement.rhythm.gaps
        parts.append(f"gaps {min(gaps):.2f} to {max(gaps):.2f} s, vary by {measurement.rhythm.variation:.0%}")
    if isinstance(measurement.repetition, Repetition):
        parts.append(f"a pattern repeats {measurement.repetition.times} times")
    if measurement.reverberation.seconds is not None:
        parts.append(f"tails fall by 60 dB in {NUMBERS[Quantity.DECAY].show(measurement.reverberation.seconds)}")
    return ", ".join(parts)


def _claims_table(grounding: Grounding) -> Table:
    table = Table("claim", "about", "verdict", "by chance", "claimed", "measured", title="What is claimed")
    for claim in grounding.claims:
        chance = f"{claim.chance:.0%}"
        table.add_row(
            Text(clean(claim.text)), claim.kind, _VERDICTS[claim.verdict], chance, claim.claimed, claim.measured
        )
    checkable = grounding.supported + grounding.contradicted
    table.caption = (
        f"{grounding.supported} of {checkable} checkable claims supported; beyond chance {grounding.earned:.2f}"
        if checkable
        else "nothing to check"
    )
    return table


def _unread_table(grounding: Grounding) -> Table:
    table = Table("words", "why no verdict", title="What was not read")
    for unread in grounding.unread:
        table.add_row(Text(clean(unread.text)), Text(clean(unread.why)))
    share = coverage(grounding.claims, len(grounding.unread))
    table.caption = f"{share:.0%} of what is said of the sound has a verdict" if share is not None else None
    return table
