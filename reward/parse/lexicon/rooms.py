"""Reverberation: what a room adds to a sound."""

from __future__ import annotations

from reward.parse.lexicon.table import add
from reward.parse.meanings import Compares, Sounds, Topic
from reward.statements import Quantity, Relation

_WET = "reverb|reverberation|echo|echoes|reverberance"
_MUCH = "much|significant|noticeable|obvious|audible|clear|strong|heavy|added|artificial|discernible|real"
_SPACE = "spatial|room|ambient"
_ROOM = "room|hall|space|chamber|cathedral|church|cave|auditorium|environment"

add({
    Sounds("reverberant"): (
        "long|longer|lingering|noticeable|audible|reverberant tail,tail after,room sound|ambience|reflections,"
        f"reflections,spacious,{_ROOM} like,long|lengthy|noticeable|audible reverb|reverberation|echo tail,reverb,"
        "reverberation,reverberations,reverberant,reverberates,echo,echoes,echoing,echoey,echoed,reverby,"
        f"large|big|huge|vast|spacious|larger|bigger {_ROOM},sense of space|spaciousness,"
        "bounce|bounces|bouncing around,bouncing off,bounces off,bounce off,reverberating,"
        "sound|it|voice|note|tone lingers,lingering sound|sounds,hollow quality|sound,cavernous,"
        "in|into a hall|cathedral|church|cave|stairwell|tunnel|auditorium"
    ),
    Sounds("dry"): (
        f"no|without tail|ambience,no|without any tail|ambience,dry,anechoic,no|without|minimal {_WET},"
        f"no|without any {_WET},no|without {_MUCH} {_WET},no|without any {_MUCH} {_WET},little|hardly|barely {_WET},"
        f"very|too little {_WET},little|no to no {_WET},free of|from {_WET},lacks|lack {_WET},lacks|lack any {_WET},"
        f"lack of {_WET},no|without {_SPACE} effects|effect|ambience|reflections,"
        f"without any {_SPACE} effects|effect|ambience|reflections,dead room,room sounds|is|feels dead,"
        f"small|smaller room|space,without|not much of an echo,close miked,acoustically dead,without|not much {_WET}"
    ),
    Compares(Quantity.DECAY, Relation.MORE): (
        f"more {_WET},more reverberant|echoey,wetter,roomier,longer reverb|reverberation|echo"
    ),
    Compares(Quantity.DECAY, Relation.LESS): (
        f"less {_WET},less reverberant|echoey,drier,dryer,shorter reverb|reverberation"
    ),
    Topic(Quantity.DECAY): (
        "reverberation|reverb|decay time,rt60,reverberation|reverb time of,reverb|reverberation|echo tail|tails"
    ),
})  # fmt: skip
