"""Whether somebody speaks."""

from __future__ import annotations

from reward.parse.lexicon.table import add
from reward.parse.meanings import Sounds, Word

_WHO = "someone|somebody"
_SAYS = "speaks|talks|speaking|talking"

add({
    Word.NEGATION: "nobody,no one",
    Sounds("speech"): (
        f"{_WHO} {_SAYS},{_WHO} is speaking|talking,a|one person {_SAYS},a|one person is speaking|talking,"
        "people speak|talk|speaking|talking,people are speaking|talking,there is|are speech|talking,"
        "is|are some speech|talking,there is|are human speech,contains|has|hear speech|talking,"
        "contains|has|hear human speech,speech is|can be heard,speech is|can be clearly heard,"
        "speech is present|audible"
    ),
})  # fmt: skip
