"""Text of others as a terminal may be shown it: nothing in it moves the cursor or turns writing around."""

from __future__ import annotations

import re

_STEERING = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor, erasing
    r"|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?"  # OSC, DCS, SOS, PM, APC: titles, links, the clipboard
    r"|\x1b[ -/]*[0-~]?"  # other escape sequences
    r"|\x9b[0-?]*[ -/]*[@-~]"  # CSI in one character
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f]"  # control characters, all but tab and new line
    r"|[\u202a-\u202e\u2066-\u2069]"  # bidirectional overrides and isolates
)


def clean(text: str) -> str:
    """The text without what steers a terminal; new lines and tabs stay, bytes that are no text are shown."""
    return _STEERING.sub("", text).encode("utf-8", "backslashreplace").decode()
