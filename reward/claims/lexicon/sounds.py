"""Waveforms, partials, qualities, chords, and the evenness of a rhythm."""

from __future__ import annotations

from reward.claims.facts import Counted, Quantity
from reward.claims.lexicon.table import add
from reward.claims.meanings import Counts, Evenness, Sounds, Topic

_PARTIALS = "harmonic|harmonics|partial|partials|overtone|overtones"

add(Topic(Quantity.PARTIAL), "harmonic,harmonics,partial,partials,overtone,overtones")
add(
    Sounds("sine"),
    "sine,sinusoid,sinusoidal,pure tone,pure sine,pure sinusoid,single|one|lone partial|harmonic,"
    "only|just one|a partial|harmonic,only|just a single partial|harmonic,only the fundamental,"
    "just the fundamental,no|without overtones,no|without harmonics,"
    f"no|without higher|upper|further {_PARTIALS},no|without other|audible {_PARTIALS}",
)
# Qualities, on the scales of reward.tolerances.
add(Sounds("bright"), "bright,brilliant,piercing,shrill")
add(Sounds("dull"), "dull,dark,muffled,mellow")
add(Sounds("high"), "high pitched,high in pitch,high register,high tone|note|pitch")
add(Sounds("low"), "low pitched,low in pitch,low register,low tone|note|pitch,deep tone|note|pitch")
add(Sounds("square"), "square,square wave,square like")
add(Sounds("sawtooth"), "sawtooth,saw tooth,saw like,sawtooth wave,saw wave")
add(Sounds("triangle"), "triangle wave,triangle,triangular")
add(Sounds("noise"), "noise,white noise,hiss,hissing,noise burst,noise bursts")
add(
    Sounds("unpitched"),
    "no|without clear|definite|distinct|steady|discernible|stable|audible pitch,"
    "no|without a clear|definite|distinct pitch,no|without pitch,no|without any pitch,"
    "no|without any clear pitch,unpitched,aperiodic,no|without tonal|harmonic structure",
)
add(Sounds("pitched"), "clear|definite|distinct|strong pitch,tonal,periodic")
add(
    Sounds("odd"),
    f"only|just|mainly|mostly odd {_PARTIALS},odd {_PARTIALS} only|alone,only|just the odd {_PARTIALS},"
    f"no|missing|without even {_PARTIALS},even {_PARTIALS} missing|absent,"
    f"even {_PARTIALS} are missing|absent,only odd numbered {_PARTIALS}",
)
add(
    Sounds("all"),
    f"all {_PARTIALS},all the|its|of {_PARTIALS},every {_PARTIALS},both odd|even and odd|even,"
    f"odd and even {_PARTIALS},even and odd {_PARTIALS},full|complete set|series of {_PARTIALS},"
    f"full|complete harmonic series,full|rich|complete {_PARTIALS} series",
)

add(
    Evenness(True, False),
    "regular,regularly,evenly spaced,evenly,isochronous,steady rhythm|beat,steady|even spacing,"
    "equally spaced,uniformly spaced,metronomic",
)
add(Evenness(False, False), "irregular,irregularly,uneven,unevenly,erratic,erratically,unevenly spaced,unsteady")
add(Evenness(True, True), "even,uniform,equal,consistent,constant")
add(Evenness(False, True), "vary,varies,varying,varied,unequal,random,randomly,inconsistent,different")

add(Sounds("rich"), f"rich in {_PARTIALS},many|strong|numerous {_PARTIALS},rich overtones,rich spectrum")
add(Sounds("soft"), "soft,softly,quiet,quietly,faint,faintly")
add(Sounds("loud"), "loud,loudly")
add(Sounds("noisy"), "noisy,noise like,noiselike,hissy")
add(Sounds("clean"), "clean,noise free,free of|from noise")
add(Sounds("broad"), "broadband,wideband,wide band,broad band")
add(Sounds("narrow"), "narrowband,narrow band")
_AT_ONCE = "at once|together|simultaneously"
add(
    Sounds("chord"),
    f"chord,chords,polyphonic,several|multiple|many notes|tones|pitches {_AT_ONCE},harmony of several notes",
)
add(Counts(Counted.NOTES, 3), "triad")
add(Counts(Counted.NOTES, 2), "dyad")
_SILENT = "silent"
add(
    Sounds("silent"),
    "is|are|was|were|goes|falls|becomes|stays|remains silent,completely|entirely|totally silent,"
    "is|are|was|were completely|entirely|totally silent,complete|total|dead|only silence,there is silence|nothing,"
    "nothing is heard|audible,nothing can be heard",
)
