"""Small pieces of the page: escaped text, figures for people, tables, tiles."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from importlib.resources import files


def esc(text: object) -> str:
    """Text as HTML, safe in elements and in quoted attributes."""
    return escape(str(text), quote=True)


def document(title: str, body: str) -> str:
    """A whole page with the report's style. No script, no network: it may be opened anywhere."""
    css = files("earwitness.jobs.report").joinpath("page.css").read_text(encoding="utf-8")
    policy = "default-src 'none'; style-src 'unsafe-inline'; media-src data:; img-src data:"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{esc(title)} · Earwitness</title><style>{css}</style></head>"
        f"<body><main>{body}</main></body></html>\n"
    )


def percent(share: float | None) -> str:
    """A share in percent."""
    return "–" if share is None else f"{share * 100:.1f} %"


def points(difference: float) -> str:
    """A difference of shares in percentage points, with its sign."""
    return f"{difference * 100:+.1f}".replace("-", "−")


def number(value: float | None, digits: int = 3) -> str:
    """A figure with `digits` significant digits."""
    return "–" if value is None else f"{value:.{digits}g}"


def seconds(value: float | None) -> str:
    """A duration."""
    if value is None:
        return "–"
    if value < 90:
        return f"{value:.0f} s"
    if value < 5400:
        return f"{value / 60:.1f} min"
    return f"{value / 3600:.1f} h"


def tile(label: str, value: str, note: str, lead: bool = False) -> str:
    """One headline figure. `value` is HTML, label and note are text."""
    return (
        f'<div class="card tile{" lead" if lead else ""}"><div class="label">{esc(label)}</div>'
        f'<div class="value">{value}</div><div class="note">{esc(note)}</div></div>'
    )


def table(head: Sequence[str], rows: Sequence[Sequence[str]], right_from: int) -> str:
    """A table; cells are HTML. Columns from `right_from` on are figures and stand right."""

    def line(cells: Sequence[str], tag: str) -> str:
        return "".join(f"<{tag}{' class=n' if i >= right_from else ''}>{c}</{tag}>" for i, c in enumerate(cells))

    body = "".join(f"<tr>{line(row, 'td')}</tr>" for row in rows)
    return f'<div class="card scroll"><table><tr>{line([esc(h) for h in head], "th")}</tr>{body}</table></div>'
