"""report.html: one page that needs nothing else. Every text that comes from a model or a manifest is escaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from earwitness import metrics
from earwitness.jobs.report.cards import clips_section
from earwitness.jobs.report.figures import PASS_AT, Evaluation
from earwitness.jobs.report.html import document, esc, number, percent, points, seconds, table, tile
from earwitness.jobs.report.svg import line_chart
from earwitness.series import StepsByPhase, curve

CONTROL_NOTES = {
    "without_audio": "one second of silence instead",
    "shuffled_audio": "each question with another's clip",
    "decisive_removed": "clips without what decides",
}
"""What is heard in a control."""


def render(
    report: Mapping[str, Any],
    steps: StepsByPhase,
    evaluations: Sequence[Evaluation],
    cold_start: Evaluation | None,
    final: Evaluation | None,
) -> str:
    """The page, from what report.json holds, the curves and the samples."""
    job = report["job"]
    body = "".join(
        [
            f"<header><h1>{esc(job['name'])}</h1><p>{esc(job['job_id'])} · report of the whole run</p></header>",
            _headline(report),
            _evaluations(report, evaluations),
            _headroom(report),
            _without_sound(report),
            _thinking(report),
            _rounds(report),
            _stages(report),
            _kinds(report),
            _unread(report),
            clips_section(cold_start, final),
            _confusion(cold_start, final),
            _curves(steps),
            _time(report),
            _ledger(report),
            _provenance(report["provenance"]),
            _config(report),
        ]
    )
    return document(job["name"], body)


def _headline(report: Mapping[str, Any]) -> str:
    accuracy = report["accuracy"]
    interval = accuracy["interval"]["gain"]
    gain = "" if accuracy["gain"] is None else f"{points(accuracy['gain'])} points"
    spread = f"95 % interval {points(interval[0])} to {points(interval[1])}" if interval else "only one evaluation"
    thinking = " <small>→</small> ".join(number(report["think_tokens"][w]) for w in ("cold_start", "final"))
    tiles = [
        tile("Accuracy gained", gain or "–", spread, lead=True),
        _before_after("Accuracy", accuracy["cold_start"], accuracy["final"], f"{accuracy['n']} held-out clips"),
        *_by_reinforcement(accuracy),
        *_controls(accuracy),
        _before_after("Supported claims", **report["supported_share"], note="of those the waveform decides"),
        _before_after("Coverage", **report["coverage"], note="of what is said of the sound has a verdict"),
        _before_after("Guesses from the words", **report["surrogate_share"], note="share of reasoning traces"),
        _before_after("Against their own reasoning", **report["incoherent_share"], note="answers it does not come to"),
        _before_after("Denials of hearing", **report["denial_share"], note="in the reasoning or the answer"),
        tile("Think tokens", thinking, "mean length of the reasoning"),
        tile("Log-prob gap", number(report["logprob_gap"], 2), "mean |rollout − trainer|, per token"),
        tile(
            "Time", seconds(report["seconds"]["total"]), "installation included" if report["seconds"]["install"] else ""
        ),
    ]
    return f'<section class="tiles">{"".join(tiles)}</section>'


def _controls(accuracy: Mapping[str, Any]) -> list[str]:
    """Accuracy where the sound cannot tell; without audio always, for its absence tells too."""
    chance = "" if accuracy["chance"] is None else f"; chance {percent(accuracy['chance'])}"
    return [
        tile(f"Accuracy {control.replace('_', ' ')}", percent(accuracy[f"final_{control}"]), note + chance)
        for control, note in CONTROL_NOTES.items()
        if control == "without_audio" or accuracy[f"final_{control}"] is not None
    ]


def _by_reinforcement(accuracy: Mapping[str, Any]) -> list[str]:
    gain, interval = accuracy["rl_gain"], accuracy["interval"]["rl_gain"]
    if gain is None or interval is None:
        return []
    spread = f"95 % interval {points(interval[0])} to {points(interval[1])}"
    return [tile("Of that by RL", f"{points(gain)} points", spread)]


def _before_after(label: str, cold_start: float | None, final: float | None, note: str) -> str:
    before = "" if cold_start is None else f"{percent(cold_start).removesuffix(' %')} <small>→</small> "
    value = before + percent(final)
    return tile(label, value, note)


def _evaluations(report: Mapping[str, Any], evaluations: Sequence[Evaluation]) -> str:
    if not evaluations:
        return ""
    accuracy = report["accuracy"]
    rows = []
    named = {"cold_start": evaluations[0].name if len(evaluations) > 1 else "", "final": evaluations[-1].name}
    intervals = {named[key]: accuracy["interval"][key] for key in named}
    bars = [(e.name, e.accuracy(), intervals.get(e.name)) for e in evaluations]
    for control in CONTROL_NOTES:
        bars.append((control.replace("_", " "), accuracy[f"final_{control}"], accuracy["interval"][f"final_{control}"]))
    for name, value, interval in bars:
        if value is None:
            continue
        width = f'<i style="width:{value * 100:.1f}%"></i>'
        shown = f"{percent(value)}"
        if interval:
            low, high = interval
            width += f'<b style="left:{low * 100:.1f}%;width:{(high - low) * 100:.1f}%"></b>'
            shown += f' <span class="quiet">{low * 100:.0f}–{high * 100:.0f}</span>'
        rows.append(f'<span>{esc(name)}</span><span class="bar">{width}</span><span class="n">{shown}</span>')
    note = "Held-out clips, sampled as the recipe samples. The dark bar is the 95 % Wilson interval."
    return f'<h2>Accuracy</h2><p>{note}</p><div class="card bars">{"".join(rows)}</div>'


def _headroom(report: Mapping[str, Any]) -> str:
    before = {f"{name}, on its prompts": found for name, found in report["headroom"].items()}
    rows = {**before, **report["pass_at"]}
    counts = [k for k in map(str, PASS_AT) if any(k in found for found in rows.values())]
    if counts in ([], ["1"]) and not report["greedy"]:
        return ""
    cells = [
        [esc(name), *(percent(of.get(k)) for k in counts), percent(report["greedy"].get(name))]
        for name, of in rows.items()
    ]
    note = "The chance that one of so many samples is right: what there is to learn. Greedy: each token the likeliest."
    listed = table(["", *(f"pass@{k}" for k in counts), "Greedy"], cells, right_from=1)
    return f"<h2>Headroom</h2><p>{note}</p>{listed}"


def _without_sound(report: Mapping[str, Any]) -> str:
    rows = [
        [
            esc(of["evaluation"]),
            esc(of["control"].replace("_", " ")),
            percent(of["accuracy"]),
            percent(of["unanswered"]),
        ]
        for of in report["controls"]
    ]
    if not rows:
        return ""
    note = "What an evaluation gains here too it has not gained by hearing. A blind guess is always one of the choices."
    listed = table(["Evaluation", "Control", "Right", "None of the choices"], rows, right_from=2)
    return f"<h2>Where the sound cannot tell</h2><p>{note}</p>{listed}"


def _thinking(report: Mapping[str, Any]) -> str:
    curves: dict[str, list[tuple[float, float]]] = {}
    for point in report["thinking"]:
        if point["accuracy"] is not None:
            curves.setdefault(point["evaluation"], []).append((point["budget"], 100 * point["accuracy"]))
    measured = [*report["thinking"], *report["extended"]]
    if not measured:
        return ""
    rows = [
        [
            esc(p["evaluation"]),
            "goes on once" if p["budget"] is None else str(p["budget"]),
            number(p["think_tokens"]),
            percent(p["accuracy"]),
        ]
        for p in measured
    ]
    note = "The think block is closed after so many tokens, and the answer has to come. It rises where thinking helps."
    chart = line_chart(list(curves.items()), "% right over think tokens")
    listed = table(["Evaluation", "Budget", "Think tokens", "Right"], rows, right_from=1)
    return f'<h2>What thinking is worth</h2><p>{note}</p><div class="card">{chart}</div>{listed}'


def _rounds(report: Mapping[str, Any]) -> str:
    names = list(dict.fromkeys(name for of in report["rounds"] for name in of if name != "round"))
    if not names:
        return ""
    found = [[of["round"], *(of.get(name) for name in names)] for of in report["rounds"]]
    rows = [[str(cell) if isinstance(cell, int) else percent(cell) for cell in row] for row in found]
    note = (
        "What each round sampled, kept and selected, and the accuracy at its end. A round without evaluations was not "
        "gone through: the one before it had not helped."
    )
    return f"<h2>Rounds</h2><p>{note}</p>{table(['Round', *map(esc, names)], rows, right_from=0)}"


def _stages(report: Mapping[str, Any]) -> str:
    rows = [
        [str(of["stage"] + 1), esc(of["type"]), esc(name), str(value) if isinstance(value, int) else percent(value)]
        for of in report["stages"]
        for name, value in of.items()
        if name not in ("stage", "type")
    ]
    if not rows:
        return ""
    return f"<h2>What stages sampled and kept</h2>{table(['Stage', 'Type', 'What', 'Number'], rows, right_from=3)}"


def _kinds(report: Mapping[str, Any]) -> str:
    kinds = report["kinds"]
    if not kinds:
        return ""
    rows = []
    for kind, of in kinds.items():
        change = None if None in (of["cold_start"], of["final"]) else of["final"] - of["cold_start"]
        arrow = "" if change is None else f'<span class="{"up" if change >= 0 else "down"}">{points(change)}</span>'
        cells = [percent(of["cold_start"]), percent(of["final"]), arrow, percent(of["final_without_audio"])]
        cells.append(percent(of["coverage"]))
        rows.append([esc(kind.replace("_", " ")), str(of["n"]), *cells])
    head = ["Kind", "Clips", "Cold start", "Final", "Change", "Without audio", "Coverage"]
    return f"<h2>By kind of question</h2>{table(head, rows, right_from=1)}"


def _unread(report: Mapping[str, Any]) -> str:
    """Why statements about the sound have no verdict."""
    if not report["unread"]:
        return ""
    share = percent(report["coverage"]["final"])
    note = f"{share} of what the final policy says of the sound has a verdict. What was not read, by why:"
    rows = [[esc(why), str(count)] for why, count in report["unread"].items()]
    return f"<h2>Not read</h2><p>{note}</p>{table(['Why', 'Statements'], rows, right_from=1)}"


def _confusion(cold_start: Evaluation | None, final: Evaluation | None) -> str:
    if final is None:
        return ""
    before = cold_start.confusion() if cold_start else {}
    cards = []
    for kind, rows in sorted(final.confusion().items()):
        sides = [("cold start", before[kind])] if kind in before else []
        inner = "".join(
            f'<div><p class="who">{name}</p>{_heat(side)}</div>' for name, side in [*sides, ("final", rows)]
        )
        cards.append(f'<div class="card"><h3>{esc(kind.replace("_", " "))}</h3><div class="pair">{inner}</div></div>')
    note = "Rows: the right answer. Columns: the answer given. A good listener fills the diagonal."
    return f'<h2>What is taken for what</h2><p>{note}</p><div class="grid2">{"".join(cards)}</div>'


MOST_COLUMNS = 8
"""Of a confusion table; rarer answers are summed up as `other`."""


def _heat(rows: Mapping[str, Mapping[str, int]]) -> str:
    given: dict[str, int] = {}
    for counts in rows.values():
        for answer, n in counts.items():
            given[answer] = given.get(answer, 0) + n
    right = sorted(rows)
    others = sorted((a for a in given if a not in rows), key=lambda a: -given[a])
    columns = (right + others)[:MOST_COLUMNS]
    rest = set(given) - set(columns)
    head = "".join(f"<th>{esc(c)[:40]}</th>" for c in columns) + ("<th>other</th>" if rest else "")
    lines = []
    for row in right:
        total = sum(rows[row].values()) or 1
        cells = "".join(_cell(rows[row].get(c, 0), total, c == row) for c in columns)
        if rest:
            cells += _cell(sum(rows[row].get(c, 0) for c in rest), total, False)
        lines.append(f"<tr><th>{esc(row)[:40]}</th>{cells}</tr>")
    return f'<table class="heat"><tr><th></th>{head}</tr>{"".join(lines)}</table>'


def _cell(n: int, total: int, diagonal: bool) -> str:
    colour = "var(--good)" if diagonal else "var(--bad)"
    back = f"color-mix(in srgb, {colour} {round(55 * n / total)}%, transparent)"
    return f'<td class="{"right" if diagonal else ""}" style="background:{back}">{n or ""}</td>'


def _curves(steps: StepsByPhase) -> str:
    sections = []
    for (index, stage, _), of in steps.items():
        there = metrics.charts({name for step in of.values() for name in step})
        charts = [(title, [(m.label, curve(of, m.name)) for m in drawn]) for title, drawn in there.items()]
        drawn = [(title, line_chart(series)) for title, series in charts]
        cards = "".join(f'<div class="card"><h3>{title}</h3>{chart}</div>' for title, chart in drawn if chart)
        if cards:
            sections.append(
                f'<h2>Stage {index + 1}: {esc(stage)}</h2><p>Over updates.</p><div class="grid2">{cards}</div>'
            )
    return "".join(sections)


def _time(report: Mapping[str, Any]) -> str:
    spent = {part: s for part, s in report["seconds"].items() if part != "total" and s}
    longest = max(spent.values(), default=1.0)
    rows = "".join(
        f'<span>{esc(part)}</span><span class="bar"><i style="width:{100 * s / longest:.1f}%"></i></span>'
        f'<span class="n">{seconds(s)}</span>'
        for part, s in spent.items()
    )
    note = f"{seconds(report['seconds']['total'])} in all; what is missing here is data, model and this report."
    return f'<h2>Where the time went</h2><p>{note}</p><div class="card bars">{rows}</div>'


def _ledger(report: Mapping[str, Any]) -> str:
    rows = [[esc(run), esc(what), str(n)] for run, counts in report["ledger"].items() for what, n in counts.items()]
    note = "Every ordinal of every pass was used once, or dropped for a reason."
    return f"<h2>Ledger</h2><p>{note}</p>{table(['Run', 'Outcome', 'Groups'], rows, right_from=2)}" if rows else ""


def _provenance(found: Mapping[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items())
    machine = found["machine"]
    rows = [
        ["commit", esc(found["commit"] or "unknown")],
        ["versions", esc(versions)],
        [
            "machine of the jobs service",
            esc(f"{machine['processor']}, {machine['cores']} cores; GPUs: {machine['gpus']}"),
        ],
        *([f"data {esc(name)}", f"SHA-256 {esc(of or 'unknown')}"] for name, of in found["data"].items()),
    ]
    note = "With the recipe below, enough to run it again: <code>earwitness reproduce FOLDER</code>."
    return f"<h2>Made with</h2><p>{note}</p>{table(['', ''], rows, right_from=2)}"


def _config(report: Mapping[str, Any]) -> str:
    text = esc(yaml.safe_dump(report["config"], sort_keys=False, allow_unicode=True))
    return f"<h2>Recipe</h2><details><summary>as it ran</summary><pre>{text}</pre></details>"
