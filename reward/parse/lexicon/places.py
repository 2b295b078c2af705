"""Which sound, which stretch, which side, and which end of a change is spoken of."""

from __future__ import annotations

from reward.parse.lexicon.table import add
from reward.parse.meanings import Edge, EdgeWord, Ordinal, Place, Spot
from reward.statements import BEGINNING, ENDING, Span

_CLIP = "clip|segment|recording|excerpt|sample"
_ONE = "one|note|tone|beep|sound"
_SIDE = "side|channel|speaker|ear"
_EVENT = "tone|beep|burst|note|sound|knock|hit|click|bark|chirp|event"

add({
    Ordinal(1): (
        f"first,first's,1st,former,opening,initial,{_EVENT} one|1,{_CLIP}|audio a|1|one,first|1st {_CLIP}|one|audio,"
        f"first audio|sound {_CLIP},the opening|initial {_ONE}"
    ),
    Ordinal(2): (
        f"second,second's,2nd,latter,{_EVENT} two|2,{_CLIP}|audio b|2|two,second|2nd {_CLIP}|one|audio,"
        f"second audio|sound {_CLIP}"
    ),
    Ordinal(3): f"third,3rd,{_EVENT} three|3,{_CLIP}|audio c|3|three,third|3rd {_CLIP}|one|audio",
    Ordinal(4): f"fourth,4th,{_EVENT} four|4,{_CLIP}|audio d|4|four,fourth|4th {_CLIP}|one|audio",
    Ordinal(5): "fifth,5th",
    Ordinal(6): "sixth,6th",
    Ordinal(-1): f"last,final,the closing {_ONE}",
    EdgeWord(Edge.START): (
        "kicks|comes|sets in,enters,enter,appears,arrives,occurs|happens|lands|triggers|struck|tapped|rung at,from,"
        "starts,start,starting,started,begins,begin,beginning,began,initially,at first,opens"
    ),
    EdgeWord(Edge.END): (
        "cuts|cut off|out,stops,stop,stopping,stopped,ends,end,ending,ended,dies|die|died after|at|by,"
        "is|was over|done|finished by|at|after,is|was gone,finishes,finish,finishing,reaches,reach,reaching,up to,"
        "down to,until,finally"
    ),
    EdgeWord(Edge.LOW): "between,ranges,ranging,range from,ranges from,ranging from,vary from,varies from,varying from",
    Spot(BEGINNING): (
        "at|in|near|towards|toward the beginning|start|opening|outset,the beginning|start|opening|outset,"
        "first|opening|initial third|part|section,the first|opening|initial third|part|section"
    ),
    Spot(ENDING): (
        "at|near|towards|toward|by the end|close,the end|ending|close,last|final|closing third|part|section,"
        "the last|final|closing third|part|section,last|final second|moments of the clip|recording|audio,"
        "the last|final moment|moments"
    ),
    Spot(Span(0.0, 0.5, True)): "first half",
    Spot(Span(0.0, 0.5)): "first half second,first half a second",
    Spot(Span(0.0, 1.0)): "first second of the clip|recording|audio",
    Spot(Span(0.5, 1.0, True)): "second|last|latter half",
    Place("middle"): (
        "is|are|sits|stays|comes|heard|placed|panned in|from|to the middle|center|centre,centered,centred,"
        "equally loud on both,equal in both channels,same in both ears|channels|speakers,"
        "mono track|recording|audio|signal|file,is|in mono,monaural,"
        "no|without stereo information|separation|image|spread|width,no|without any stereo information|separation"
    ),
    Place("rightward"): (
        "moves|pans|drifts|shifts to the right,moves|pans|drifts|shifts right,left to right,the left to the right"
    ),
    Place("leftward"): (
        "moves|pans|drifts|shifts to the left,moves|pans|drifts|shifts left,right to left,the right to the left"
    ),
})  # fmt: skip

for _where, _other in (("left", "right"), ("right", "left")):
    add({
        Place(_where): (
            f"on|from the {_where},on|from|in the {_where} {_SIDE},{_where} {_SIDE} is|was louder|stronger,"
            f"panned {_where},panned to|hard the|{_where} {_where},panned to {_where},louder on|in the {_where},"
            f"hard {_where},louder on the {_where},{_where} is louder|stronger,{_where} {_SIDE} is louder|stronger,"
            f"{_other} {_SIDE} is quieter|softer|weaker|silent|fainter,only in|on|from the {_where} {_SIDE}"
        ),
    })  # fmt: skip
