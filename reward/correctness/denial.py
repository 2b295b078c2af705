"""Words after which an answer does not mean what it names."""

from __future__ import annotations

import re

ELSEWHERE = (
    r"used to|no longer|formerly|former|previously|originally|initially|at first|first (?:guess|thought|impression)"
    r"|thought|expected|assumed|supposed(?:ly)?|seeming(?:ly)?|so-called|fake|pretend\w*|imitat\w*|mimic\w*|resembl\w*"
    r"|(?:could|might|may|must|should|would) have been|(?:is|are|was|were) like|^like"
)
"""Words after which something was so, or is so for somebody, or only looks so."""
DENIALS = re.compile(
    rf"\b(?:{ELSEWHERE}|before\W*$)\b|"
    r"\b(?:no|not|never|neither|nor|none|nothing|without|except|excluding|besides|cannot|unlikely|hardly|barely|scarcely"
    r"|rather|instead|than|wrong|incorrect|mistaken|impossible|doubt\w*|far from|fail\w*|lack\w*|absen\w+|missing"
    r"|rul(?:e|es|ed|ing) out|exclud\w+|eliminat\w+|reject\w*|discard\w*|den(?:y|ies|ied)|refut\w+|opposite|contrary"
    r"|unlike|apart from|aside from|other|anything but|all but|but|however|although|though|least|unless|whether|if"
    r"|or|either|non|almost|nearly|pseudo|distractor|actually|wait|sorry|correction|untrue|disagree\w*|avoid\w*"
    r"|(?:is|are|was|were|do|does|did|ca|wo|would|could|should|has|have|had|must|might|need|ai)n'?t)\b|[不没非无]",
    re.IGNORECASE,
)
"""An answer that names one thing and holds one of these outside it may mean the contrary: it names nothing."""
QUESTION = re.compile(r"\?[\s\"'*_`)\]]*$")
"""An answer that asks back answers nothing."""
GUESS = re.compile(
    r"^[^.,;:!?(-]{0,60}?\b(?:maybe|perhaps|possibly|(?:might|may|could)(?: (?:well|also|possibly|just))? be"
    r"|not sure|unsure|uncertain)\b|\b(?:maybe|perhaps|possibly|not sure)\W*$",
    re.IGNORECASE,
)
"""Neither does one that only holds something possible; what comes after a first clause explains it."""
RETRACTIONS = re.compile(
    r"^\W*no\b|\bno,|\b(?:actually|wait|sorry|correction|scratch|wrong|incorrect|instead|second thoughts?|or|hmm"
    r"|oops|ruled? out|mistake|change|changed|i meant?|rather|false|untrue"
    r"|unlikely|eliminated|impossible)\b|^\W*[?]|^\W*and\b",
    re.IGNORECASE,
)
"""What takes back an answer before it; a plain "not" does not: "B, the dog does not bark twice"."""
