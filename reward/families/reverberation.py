"""Reverberation: the room around the sounds, dry or echoing."""

from __future__ import annotations

from reward.families.base import Compared, Family, Finding, Number, Quality, Scene, on_scale, share_of
from reward.families.said import Said
from reward.measure import Measurement
from reward.statements import Part, Quantity

ROOM = (0.3, 0.5)
"""Scale of the reverberation time, seconds: studios and furnished rooms have up to 0.3 (ITU-R BS.1116 asks listening
rooms for 0.2 to 0.4), stairs, halls and churches from 0.5 to several."""
TIME = 0.25
"""Of a reverberation time: the measurement's error of 20 % and the least difference that is heard, 5 %."""
SAID = Said(0.1, 10.0, usual=(0.6, 1.2))
"""Reverberation times that models say."""
UNTOLD = "no tail that tells the room"


def _known(scene: Scene) -> list[float] | None:
    """The time; none of dry sounds; None where it is not told."""
    room = scene.measurement.reverberation
    if room.seconds is not None:
        return [room.seconds]
    return [] if room.fastest is not None and room.fastest <= ROOM[0] else None


def _refuted(_: float, claimed: float, measurement: Measurement) -> bool:
    """Of dry sounds any short time may be meant, and no long one."""
    return measurement.reverberation.seconds is not None or claimed >= ROOM[1]


def _room(reverberant: bool, words: str, other: str) -> Quality:
    def check(part: Part, measurement: Measurement) -> Finding:
        room = measurement.reverberation
        if room.seconds is not None:
            return Finding(on_scale(room.seconds, ROOM, reverberant), f"{room.seconds:.1f} s for a fall by 60 dB")
        if room.fastest is not None and room.fastest <= ROOM[0]:
            return Finding(not reverberant, f"sounds that fall as if by 60 dB in {room.fastest:.1f} s")
        return Finding(None, UNTOLD)

    return Quality(words, of_part=check, others=(other,))


FAMILY = Family(
    "reverberation",
    numbers={Quantity.DECAY: Number(_known, share_of(TIME), none="dry", refuted=_refuted, said=SAID)},
    compared={Quantity.DECAY: Compared(("more reverberant", "drier", "as reverberant"))},
    qualities={"reverberant": _room(True, "reverberant", "dry"), "dry": _room(False, "dry", "reverberant")},
)
