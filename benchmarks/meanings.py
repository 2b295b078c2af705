"""Whether what is read of labelled traces means what the label says: the right value, part and relation.

    python benchmarks/meanings.py TRACES.jsonl [--wrong] [--json]
    python benchmarks/meanings.py tests/unit/reward/wordings.tsv [--wrong] [--json]

A trace a line: `question`, `answer`, `reasoning`, `labels`, each label with `quote`, `start`, `class`, `family` and
`meaning`. Meanings of four forms are compared, others are left out:

    pitch: second>first        count(first)=4        value(second) duration=1.2 s        not is(first) bright

Of the claims that are read where a label stands, in a form that the label has too, the share that says something else
is printed, by form. The traces are not part of this project.

The second form reads sentences of our own, written as models write, each with what it says: `mended` or `unseen` when
the rules were made, a kind, `pair` for two joined clips, the sentence, its statements as `reward.describe` puts them.
A sentence is read right (these and no others), in part, not, or wrong (something else is read).
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parent.parent)  # else reward.py beside this file would hide the package

from earwitness.wire.trajectory.v1 import trajectory_pb2  # noqa: E402
from reward.claims import extract_claims  # noqa: E402
from reward.describe import describe  # noqa: E402
from reward.parse.claim import Claim  # noqa: E402
from reward.statements import Comparison, Count, Not, Quantity, Relation, Statement, Timbre, Value  # noqa: E402

NEAR = 0.01
"""Values are the same up to this share: they are copied."""
_COMPARES = re.compile(r"(?P<what>[a-z ]+)(?:\(\w+\))?: (?P<part>\w+)(?P<sign>[<>=])(?P<other>\w+)")
_COUNTS = re.compile(r"count(?:\((?P<part>\w+)\))?=(?P<number>\d+)")
_VALUES = re.compile(r"value(?:\((?P<part>\w+)\))? (?P<what>[a-z ]+)=(?P<number>[\d.]+) ?(?P<unit>\w*)")
_IS = re.compile(r"(?P<denied>not )?is(?:\((?P<part>\w+)\))? (?P<what>\w+)")
_PARTS = {"first": 1, "second": 2, "third": 3, "fourth": 4, "last": -1}
_QUANTITIES = {
    "pitch": Quantity.PITCH, "loudness": Quantity.LEVEL, "duration": Quantity.DURATION, "tempo": Quantity.TEMPO,
    "count": Quantity.NUMBER, "density": Quantity.DENSITY, "brightness": Quantity.CENTROID,
    "reverberation": Quantity.DECAY, "onset": Quantity.ONSET, "offset": Quantity.OFFSET, "pause": Quantity.PAUSE,
    "gap": Quantity.GAP, "clip duration": Quantity.CLIP,
}  # fmt: skip
_SIGNS = {">": Relation.MORE, "<": Relation.LESS, "=": Relation.SAME}
_HEARD_AS = {"muffled": "dull", "dark": "dull", "crisp": "bright", "sharp": "bright", "deep": "low", "quiet": "soft"}
"""Words of labels and the quality that they are read as."""
_POLES = {"dull": "bright", "dry": "reverberant", "soft": "loud", "low": "high", "clean": "noisy", "short": "long"}
"""Of a scale one end is said as the lack of the other."""
_SECONDS = frozenset({Quantity.DURATION, Quantity.CLIP})
"""How long a sound is and how long the clip is: of a clip of one sound the same."""

VERDICTS = ("right", "in part", "not", "wrong")
PAIR = "Two clips are joined by a short silence. Which of the two clips is brighter?"
"""The question of a wording about two clips."""


@dataclass(frozen=True)
class Meaning:
    """What a label or a claim says, in the form that both can be compared in."""

    form: str
    what: str
    part: int | None
    said: float | str
    """A number, a relation, or whether a quality is there."""


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("traces", type=Path, help="JSON lines, or wordings as a table")
    options.add_argument("--wrong", action="store_true", help="name what is read wrongly")
    options.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = options.parse_args()
    if arguments.traces.suffix == ".tsv":
        _print_wordings(wordings(arguments.traces), arguments.wrong, arguments.json)
        return
    tally: Counter[tuple[str, bool]] = Counter()
    for line in arguments.traces.read_text(encoding="utf-8").splitlines():
        for claim, claimed, label in compared(json.loads(line)):
            right = means_the_same(claimed, label)
            tally[claimed.form, right] += 1
            if arguments.wrong and not right:
                print(f"{claim.text!r}: read {claimed}, labelled {label}", file=sys.stderr)
    result = {
        form: {"compared": tally[form, True] + tally[form, False], "wrong": tally[form, False]} for form, _ in tally
    }
    if arguments.json:
        print(json.dumps(result))
        return
    for form, row in sorted(result.items()):
        print(f"{form:12} {row['compared']:4} compared, {row['wrong']:3} wrong")
    whole = [sum(row[name] for row in result.values()) for name in ("wrong", "compared")]
    print(f"{'all':12} {whole[1]:4} compared, {whole[0]:3} wrong ({whole[0] / max(whole[1], 1):.1%})")


@dataclass(frozen=True)
class Wording:
    """A sentence of ours, and how it is read."""

    of: str
    kind: str
    sentence: str
    read: list[str]
    verdict: str
    """One of VERDICTS."""


def wordings(path: Path) -> list[Wording]:
    """The sentences of a table, read."""
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        of, kind, clips, sentence, said = line.split("\t")
        prompt = trajectory_pb2.Prompt(question=PAIR if clips == "pair" else "")
        claims = extract_claims(sentence.replace("\\n", "\n"), prompt)
        read = [describe(claim.statement) for claim in claims if not claim.uncertain]
        wanted = [statement for statement in said.split(" | ") if statement]
        missed = [statement for statement in wanted if statement not in read]
        verdict = "in part" if 0 < len(missed) < len(wanted) else "not" if missed else "right"
        found.append(Wording(of, kind, sentence, read, "wrong" if set(read) - set(wanted) else verdict))
    return found


def _print_wordings(read: list[Wording], wrong: bool, as_json: bool) -> None:
    tally = Counter((wording.of, wording.kind, wording.verdict) for wording in read)
    kinds = sorted({(wording.of, wording.kind) for wording in read})
    table = {f"{of} {kind}": {verdict: tally[of, kind, verdict] for verdict in VERDICTS} for of, kind in kinds}
    for of in sorted({wording.of for wording in read}):
        table[of] = {verdict: sum(tally[of, kind, verdict] for o, kind in kinds if o == of) for verdict in VERDICTS}
    if wrong:
        for wording in read:
            if wording.verdict == "wrong":
                print(f"{wording.sentence!r}: read {wording.read}", file=sys.stderr)
    if as_json:
        print(json.dumps(table))
        return
    print(f"{'':18} {'  '.join(VERDICTS)}")
    for name, row in table.items():
        print(f"{name:18} {'  '.join(f'{row[verdict]:{len(verdict)}}' for verdict in VERDICTS)}")


def compared(trace: dict) -> list[tuple[Claim, Meaning, Meaning]]:
    """Certain claims with their meaning, and that of a label of the same form over the same words: the nearest one."""
    text, found, place = trace["reasoning"], [], 0
    prompt = trajectory_pb2.Prompt(question=trace["question"], answer=trace["answer"])
    for claim in extract_claims(text, prompt):
        start = text.find(claim.text, place)
        start = text.find(claim.text) if start < 0 else start
        place = max(place, start)
        claimed = meaning_of(claim.statement)
        if start < 0 or claim.uncertain or claimed is None:
            continue
        over = [label for label in trace["labels"] if _touches(label, start, start + len(claim.text))]
        meanings = [meaning for label in over if (meaning := labelled(label)) is not None]
        alike = [m for m in meanings if (m.form, _kind(m.what)) == (claimed.form, _kind(claimed.what))]
        if alike:
            found.append((claim, claimed, max(alike, key=lambda label: means_the_same(claimed, label))))
    return found


def meaning_of(statement: Statement) -> Meaning | None:
    """The meaning of a claim; None if it is of no form that labels have."""
    denied = isinstance(statement, Not)
    inner = statement.statement if isinstance(statement, Not) else statement
    match inner:
        case Timbre(what, part) if part is None or isinstance(part, int):
            return _quality(what, part, denied)
        case Comparison(quantity, part, other, relation) if isinstance(part, int) and not denied:
            turned = part == 2 and other == 1
            return Meaning("comparison", quantity, 1 if turned else part, relation.reverse if turned else relation)
        case Count(value, _, part) if not denied and (part is None or isinstance(part, int)):
            return Meaning("count", "count", part, float(value))
        case Value(quantity, part, value) if part is None or isinstance(part, int):
            return Meaning("value", quantity, part, value)
    return None


def labelled(label: dict) -> Meaning | None:
    """The meaning of a label; None if it is none of a claim, or of another form."""
    said = label["meaning"]
    if label["class"] != "claim":
        return None
    if match := _COMPARES.fullmatch(said):
        part, other = _part(match["part"]), _part(match["other"])
        relation = _SIGNS[match["sign"]]
        if match["what"] not in _QUANTITIES or part is None or other is None:
            return None
        turned = (part, other) == (2, 1)
        return Meaning(
            "comparison", _QUANTITIES[match["what"]], 1 if turned else part, relation.reverse if turned else relation
        )
    if match := _COUNTS.fullmatch(said):
        return Meaning("count", "count", _part(match["part"]), float(match["number"]))
    if (match := _VALUES.fullmatch(said)) and match["what"] in _QUANTITIES:
        return Meaning("value", _QUANTITIES[match["what"]], _part(match["part"]), float(match["number"]))
    if match := _IS.fullmatch(said):
        what = _HEARD_AS.get(match["what"], match["what"])
        return _quality(what, _part(match["part"]), bool(match["denied"]))
    return None


def _quality(what: str, part: int | None, denied: bool) -> Meaning:
    return Meaning("quality", _POLES.get(what, what), part, str(denied is (what in _POLES)))


def means_the_same(one: Meaning, other: Meaning) -> bool:
    """True if both say the same of the same part; a part that only one of them names is no difference."""
    if one.part != other.part and None not in (one.part, other.part):
        return False
    if isinstance(one.said, float) and isinstance(other.said, float):
        return abs(one.said - other.said) <= NEAR * max(abs(one.said), abs(other.said))
    return one.said == other.said


def _touches(label: dict, start: int, end: int) -> bool:
    return label["start"] < end and start < label["start"] + len(label["quote"])


def _kind(what: str) -> str:
    return Quantity.DURATION if what in _SECONDS else what


def _part(name: str | None) -> int | None:
    if name is None:
        return None
    return int(name) if name.isdigit() else _PARTS.get(name)


if __name__ == "__main__":
    main()
