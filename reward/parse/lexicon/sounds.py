"""Waveforms, partials, qualities, chords, and the evenness of a rhythm."""

from __future__ import annotations

from reward.parse.lexicon.table import add
from reward.parse.meanings import Attributive, Counts, Evenness, Sounds, Topic
from reward.statements import Counted, Quantity

_PARTIALS = "harmonic|harmonics|partial|partials|overtone|overtones"
_HIGHS = "treble|highs|brilliance|sparkle|shimmer|sheen"
_UP, _DOWN = "high frequencies|frequency|end", "low frequencies|frequency|end"
_WAVERS = "wobble|wobbles|wobbling|wavers|wavering|warbles|warbling|warbly|wobbly|vibrato|tremulous"
_NOISES = "noise|hiss|static"

add({
    Topic(Quantity.PARTIAL): "harmonic,harmonics,partial,partials,overtone,overtones",
    Sounds("sine"): (
        "simple tone,sine,sinusoid,sinusoidal,pure tone,pure sine,pure sinusoid,single|one|lone partial|harmonic,"
        "only|just one|a partial|harmonic,only|just a single partial|harmonic,only the fundamental,"
        f"just the fundamental,no|without overtones,no|without harmonics,no|without higher|upper|further {_PARTIALS},"
        f"no|without other|audible {_PARTIALS}"
    ),
    # Qualities, on the scales that their families state.
    Sounds("bright"): (
        f"rich in {_UP},dominated by {_UP},emphasis on {_UP},emphasis on the {_UP},brighter side|end,bright side,"
        "treble rich,bright,sharp,shimmering,shimmery,brilliant,piercing,shrill,crisp,tinny,luminous,sparkling,"
        "brittle,treble heavy,presence|energy|content in the higher|high|upper end|range|frequencies,"
        f"strong|prominent|emphasized high frequencies|treble,high frequency content|energy|quality,a lot of {_HIGHS},"
        f"lots|plenty of {_HIGHS},much|strong {_HIGHS},rich in highs|treble,dominated by the highs|treble,"
        "emphasis on highs|treble,emphasis on the highs|treble"
    ),
    Sounds("dull"): (
        f"rich in {_DOWN},dominated by {_DOWN},emphasis on {_DOWN},emphasis on the {_DOWN},lacks {_UP},lacks the {_UP},"
        f"no {_UP},bass heavy,bottom heavy,darker|duller side|end,dark side,highs are rolled|cut|missing|muted,"
        "highs rolled off,energy|content is|lies|sits in the low|lower|bass end|range|frequencies|register,"
        "under a blanket,dull,dark,muffled,mellow,woolly,warm tone|sound|timbre|voice|quality|note,"
        "is|sounds|feels|and|very warm,muted,darkness,dullness,warmth,bass heavy,boomy,"
        f"lacks|lack high|higher frequencies,no|few|little high frequencies|treble,lacks|no|little|missing {_HIGHS},"
        f"lack of {_HIGHS},rich in lows|bass,dominated by the lows|bass,emphasis on lows|bass,"
        "emphasis on the lows|bass"
    ),
    Sounds("short"): "is|are|was|were|very|quite|relatively short|brief|abrupt,staccato,clipped",
    Sounds("long"): (
        "sustained|held for a|several,is|are|was|were|very|quite|relatively long,a long time,for a while,sustained,"
        "prolonged,long held,drawn out,lingering"
    ),
    Attributive("rich"): "rich",
    Attributive("dull"): "warm",
    Attributive("low"): "low",
    Attributive("high"): "high",
    Attributive("short"): "short,brief,abrupt",
    Sounds("high"): (
        "high pitched,high in pitch,high register|range,high pitch|frequency,higher|upper register|range,"
        "in the high|higher|upper end|octave,soprano range"
    ),
    Sounds("low"): (
        "low pitched,low in pitch,low register|range,low pitch|frequency,deep,lower register|range,"
        "in the low|lower|bass end|octave,bass range|register"
    ),
    Sounds("square"): "square,square wave,square like",
    Sounds("sawtooth"): "sawtooth,saw tooth,saw like,sawtooth wave,saw wave",
    Sounds("triangle"): "triangle wave,triangle,triangular",
    Sounds("noise"): "noise,white noise,hiss,hissing,noise burst,noise bursts",
    Sounds("unpitched"): (
        "no|without clear|definite|distinct|steady|discernible|stable|audible pitch,"
        "no|without a clear|definite|distinct pitch,no|without pitch,no|without any pitch,no|without any clear pitch,"
        "unpitched,aperiodic,no|without tonal|harmonic structure"
    ),
    Sounds("pitched"): (
        "clear|definite|distinct|strong|audible|recognizable|identifiable pitch,well defined pitch,tonal,periodic,"
        "clearly|definitely|distinctly|strongly|plainly pitched,is|are pitched,"
        "pitched sound|sounds|tone|tones|note|notes,pitch is well|clearly defined,"
        "pitch is clear|distinct|definite|audible"
    ),
    Sounds("odd"): (
        f"only|just|mainly|mostly odd {_PARTIALS},odd {_PARTIALS} only|alone,{_PARTIALS} are odd,"
        f"{_PARTIALS} are all odd,{_PARTIALS} are odd only,{_PARTIALS} are only odd,only|just the odd {_PARTIALS},"
        f"no|missing|without even {_PARTIALS},even {_PARTIALS} missing|absent,even {_PARTIALS} are missing|absent,"
        f"only odd numbered {_PARTIALS}"
    ),
    Sounds("all"): (
        f"all {_PARTIALS},all the|its|of {_PARTIALS},every {_PARTIALS},both odd|even and odd|even,"
        f"odd and even {_PARTIALS},even and odd {_PARTIALS},full|complete set|series of {_PARTIALS},"
        f"full|complete harmonic series,full|rich|complete {_PARTIALS} series"
    ),
    Evenness(True, False): (
        "regular,regularly,evenly spaced,evenly,isochronous,steady rhythm|beat,steady|even spacing,equally spaced,"
        "uniformly spaced,metronomic,rhythmic,rhythmically,clockwork"
    ),
    Evenness(False, False): "irregular,irregularly,uneven,unevenly,erratic,erratically,unevenly spaced,unsteady",
    Evenness(True, True): (
        "even,uniform,equal,consistent,constant,steady,all the same,all equal|alike|identical,stable,"
        "no|without|little variation,not much variation,no|without any|much variation"
    ),
    Evenness(False, True, Quantity.PITCH): f"{_WAVERS},pitch|frequency modulation|wobble|wobbling,modulates in pitch",
    Evenness(False, True, Quantity.LEVEL): "tremolo,amplitude modulation,pulsates in volume|loudness",
    Evenness(False, True): (
        "fluctuates,fluctuating,fluctuate,unstable,variation,variations,variable,changes a lot,vary,varies,varying,"
        "varied,unequal,random,randomly,inconsistent,different"
    ),
    Sounds("rich"): (
        "rich tone|timbre|harmonics|sound|quality|texture,full rich sound,rich and full|resonant|complex,"
        "complex timbre,rich harmonic structure|content|spectrum|texture,harmonically|spectrally rich,"
        f"rich in {_PARTIALS},rich resonant|full|warm|complex|deep,rich overtones|spectrum,"
        f"multiple|complex|many|strong|numerous {_PARTIALS},multiple|complex|many|strong|numerous harmonic content,"
        f"a lot of {_PARTIALS},a lot of harmonic content,lots|plenty of {_PARTIALS},lots|plenty of harmonic content"
    ),
    Sounds("soft"): "barely|hardly|scarcely audible,low volume,soft,softly,quiet,quietly,faint,faintly",
    Sounds("loud"): "high volume,loud,loudly,loud noise|noises",
    Sounds("noisy"): (
        "with|is|has some noise|hiss|static,audible noise|hiss|static,audible noise floor,noise floor,noisy,"
        "noise like,noiselike,hissy,staticky,high frequency hiss|noise|static,"
        "constant|persistent|steady|audible background noise|hiss|static|hum,hiss|static in the background"
    ),
    Sounds("clean"): "clean,noise free,without|no|minimal distortion,without|no any distortion",
    Sounds("broad"): "broadband,wideband,wide band,broad band",
    Sounds("narrow"): "narrowband,narrow band",
    Sounds("chord"): "chord,chords,polyphonic,simultaneous|concurrent notes|tones|pitches,harmony of several notes",
    Counts(Counted.NOTES, 3): "triad",
    Counts(Counted.NOTES, 2): "dyad",
    Sounds("silent"): (
        "is|are|was|were|goes|falls|becomes|stays|remains silent,completely|entirely|totally silent,"
        "is|are|was|were completely|entirely|totally silent,complete|total|dead|only silence,there is silence|nothing,"
        "nothing is heard|audible,nothing can be heard"
    ),
})  # fmt: skip

for _noise in (_NOISES, f"background {_NOISES}"):
    add({
        Sounds("noisy"): (
            f"a lot|lots of {_noise},significant|heavy|strong|considerable|noticeable|prominent|obvious {_noise},"
            f"much {_noise},full of {_noise}"
        ),
        Sounds("clean"): (
            f"minimal|little|no|without {_noise},hardly|barely|scarcely any {_noise},"
            f"very little {_noise},no|without any {_noise},free of|from {_noise},"
            f"no|without noticeable|audible|obvious|significant|discernible {_noise}"
        ),
    })  # fmt: skip

for _at_once in ("at once", "together", "simultaneously", "at the same time"):
    add({
        Sounds("chord"): (
            f"several|multiple|many notes|tones|pitches {_at_once},several|multiple|many pitches are|sound {_at_once},"
            f"several|multiple|many pitches sounding {_at_once},"
            f"several|multiple|many pitches are heard|present|sounding {_at_once}"
        ),
    })  # fmt: skip
