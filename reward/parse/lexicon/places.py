"""Which sound, which stretch, which side, and which end of a change is spoken of."""

from __future__ import annotations

from reward.parse.lexicon.table import add
from reward.parse.meanings import Edge, EdgeWord, Ordinal, Place, Spot
from reward.statements import BEGINNING, ENDING, Span

for _number, _words in enumerate(
    (
        "first,first's,1st,former,opening,initial",
        "second,second's,2nd,latter",
        "third,3rd",
        "fourth,4th",
        "fifth,5th",
        "sixth,6th",
    ),
    start=1,
):
    add(Ordinal(_number), _words)
add(Ordinal(-1), "last,final")
for _number, _figures in enumerate(("one|1", "two|2", "three|3", "four|4"), start=1):
    add(Ordinal(_number), f"tone|beep|burst|note|sound|knock|hit|click|bark|chirp|event {_figures}")
_CLIP = "clip|segment|recording|excerpt|sample"
add(Ordinal(1), f"{_CLIP}|audio a|1|one,first|1st {_CLIP}|one|audio,first audio|sound {_CLIP}")
add(Ordinal(2), f"{_CLIP}|audio b|2|two,second|2nd {_CLIP}|one|audio,second audio|sound {_CLIP}")
add(Ordinal(3), f"{_CLIP}|audio c|3|three,third|3rd {_CLIP}|one|audio")
add(Ordinal(4), f"{_CLIP}|audio d|4|four,fourth|4th {_CLIP}|one|audio")
add(
    EdgeWord(Edge.START),
    "kicks|comes|sets in,enters,enter,appears,arrives,occurs|happens|lands|triggers|struck|tapped|rung at",
)
add(
    EdgeWord(Edge.START),
    "from,starts,start,starting,started,begins,begin,beginning,began,initially,at first,opens",
)
add(
    EdgeWord(Edge.END),
    "cuts|cut off|out,stops,stop,stopping,stopped,ends,end,ending,ended,"
    "dies|die|died after|at|by,is|was over|done|finished by|at|after,is|was gone,"
    "finishes,finish,finishing,reaches,reach,reaching,up to,down to,until,finally",
)
add(EdgeWord(Edge.LOW), "between,ranges,ranging,range from,ranges from,ranging from,vary from,varies from,varying from")

add(Spot(BEGINNING), "at|in|near|towards|toward the beginning|start|opening|outset,the beginning|start|opening|outset")
add(Spot(ENDING), "at|near|towards|toward|by the end|close,the end|ending|close")
add(Spot(BEGINNING), "first|opening|initial third|part|section,the first|opening|initial third|part|section")
add(Spot(ENDING), "last|final|closing third|part|section,the last|final|closing third|part|section")
_ONE = "one|note|tone|beep|sound"
add(Ordinal(1), f"the opening|initial {_ONE}")
add(Ordinal(-1), f"the closing {_ONE}")
add(Spot(ENDING), "last|final second|moments of the clip|recording|audio,the last|final moment|moments")
add(Spot(Span(0.0, 0.5, True)), "first half")
add(Spot(Span(0.0, 0.5)), "first half second,first half a second")
add(Spot(Span(0.0, 1.0)), "first second of the clip|recording|audio")
add(Spot(Span(0.5, 1.0, True)), "second|last|latter half")
_SIDE = "side|channel|speaker|ear"
for _where in ("left", "right"):
    add(
        Place(_where),
        f"on|from the {_where},on|from|in the {_where} {_SIDE},{_where} {_SIDE} is|was louder|stronger,panned {_where},"
        f"panned to|hard the|{_where} {_where},panned to {_where},louder on|in the {_where},hard {_where}",
    )
add(
    Place("middle"),
    "is|are|sits|stays|comes|heard|placed|panned in|from|to the middle|center|centre,"
    "centered,centred,equally loud on both,equal in both channels,same in both ears|channels|speakers,"
    "mono track|recording|audio|signal|file,is|in mono,"
    "monaural,no|without stereo information|separation|image|spread|width,no|without any stereo information|separation",
)
add(
    Place("rightward"),
    "moves|pans|drifts|shifts to the right,moves|pans|drifts|shifts right,left to right,the left to the right",
)
add(
    Place("leftward"),
    "moves|pans|drifts|shifts to the left,moves|pans|drifts|shifts left,right to left,the right to the left",
)

_OPPOSITE = {"left": "right", "right": "left"}
for _where, _other in _OPPOSITE.items():
    add(
        Place(_where),
        f"louder on the {_where},{_where} is louder|stronger,{_where} {_SIDE} is louder|stronger,"
        f"{_other} {_SIDE} is quieter|softer|weaker|silent|fainter,only in|on|from the {_where} {_SIDE}",
    )
