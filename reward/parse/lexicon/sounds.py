"""Waveforms, partials, qualities, chords, and the evenness of a rhythm."""

from __future__ import annotations

from reward.parse.lexicon.table import add
from reward.parse.meanings import Attributive, Counts, Evenness, Sounds, Topic
from reward.statements import Counted, Quantity

_PARTIALS = "harmonic|harmonics|partial|partials|overtone|overtones"

add(Topic(Quantity.PARTIAL), "harmonic,harmonics,partial,partials,overtone,overtones")
add(
    Sounds("sine"),
    "simple tone,sine,sinusoid,sinusoidal,pure tone,pure sine,pure sinusoid,single|one|lone partial|harmonic,"
    "only|just one|a partial|harmonic,only|just a single partial|harmonic,only the fundamental,"
    "just the fundamental,no|without overtones,no|without harmonics,"
    f"no|without higher|upper|further {_PARTIALS},no|without other|audible {_PARTIALS}",
)
# Qualities, on the scales that their families state.
_HIGHS = "treble|highs|brilliance|sparkle|shimmer|sheen"
for _many in ("a lot of", "lots of", "plenty of", "much", "strong"):
    add(Sounds("bright"), f"{_many} {_HIGHS}")
for _little in ("lacks", "lack of", "no", "little", "missing"):
    add(Sounds("dull"), f"{_little} {_HIGHS}")
_UP, _DOWN = "high frequencies|frequency|end", "low frequencies|frequency|end"
for _where, _range in (("bright", "highs|treble"), ("dull", "lows|bass")):
    add(Sounds(_where), f"rich in {_range},dominated by|by the {_range},emphasis on {_range},emphasis on the {_range}")
add(Sounds("bright"), f"rich in {_UP},dominated by {_UP},emphasis on {_UP},emphasis on the {_UP}")
add(Sounds("dull"), f"rich in {_DOWN},dominated by {_DOWN},emphasis on {_DOWN},emphasis on the {_DOWN}")
add(Sounds("dull"), f"lacks {_UP},lacks the {_UP},no {_UP},bass heavy,bottom heavy")
add(Sounds("bright"), "brighter side|end,bright side,treble rich")
add(
    Sounds("dull"),
    "darker|duller side|end,dark side,highs are rolled|cut|missing|muted,highs rolled off,"
    "energy|content is|lies|sits in the low|lower|bass end|range|frequencies|register,under a blanket",
)
add(
    Sounds("bright"),
    "bright,sharp,shimmering,shimmery,brilliant,piercing,shrill,crisp,tinny,luminous,sparkling,brittle,treble heavy,"
    "presence|energy|content in the higher|high|upper end|range|frequencies,"
    "strong|prominent|emphasized high frequencies|treble",
)
add(
    Sounds("dull"),
    "dull,dark,muffled,mellow,woolly,warm tone|sound|timbre|voice|quality|note,is|sounds|feels|and|very warm,"
    "muted,darkness,dullness,warmth,bass heavy,boomy,"
    "lacks|lack high|higher frequencies,no|few|little high frequencies|treble",
)
add(
    Sounds("short"),
    "is|are|was|were|very|quite|relatively short|brief|abrupt,staccato,clipped",
)
add(Sounds("long"), "sustained|held for a|several,is|are|was|were|very|quite|relatively long")
add(Attributive("rich"), "rich")
add(Attributive("dull"), "warm")
add(Attributive("low"), "low")
add(Attributive("high"), "high")
add(Attributive("short"), "short,brief,abrupt")
add(Sounds("long"), "a long time,for a while,sustained,prolonged,long held,drawn out,lingering")
add(
    Sounds("high"),
    "high pitched,high in pitch,high register|range,high pitch|frequency,higher|upper register|range,"
    "in the high|higher|upper end|octave,soprano range",
)
add(
    Sounds("low"),
    "low pitched,low in pitch,low register|range,low pitch|frequency,deep,lower register|range,"
    "in the low|lower|bass end|octave,bass range|register",
)
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
add(
    Sounds("pitched"),
    "clear|definite|distinct|strong|audible|recognizable|identifiable pitch,well defined pitch,tonal,periodic,"
    "clearly|definitely|distinctly|strongly|plainly pitched,is|are pitched,pitched sound|sounds|tone|tones|note|notes,"
    "pitch is well|clearly defined,pitch is clear|distinct|definite|audible",
)
add(
    Sounds("odd"),
    f"only|just|mainly|mostly odd {_PARTIALS},odd {_PARTIALS} only|alone,{_PARTIALS} are odd,"
    f"{_PARTIALS} are all odd,{_PARTIALS} are odd only,"
    f"{_PARTIALS} are only odd,only|just the odd {_PARTIALS},"
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
add(Evenness(True, True), "even,uniform,equal,consistent,constant,steady,all the same,all equal|alike|identical")
add(Evenness(True, False), "rhythmic,rhythmically,clockwork")
_WAVERS = "wobble|wobbles|wobbling|wavers|wavering|warbles|warbling|warbly|wobbly|vibrato|tremulous"
add(Evenness(False, True, Quantity.PITCH), f"{_WAVERS},pitch|frequency modulation|wobble|wobbling,modulates in pitch")
add(Evenness(False, True, Quantity.LEVEL), "tremolo,amplitude modulation,pulsates in volume|loudness")
add(Evenness(False, True), "fluctuates,fluctuating,fluctuate,unstable,variation,variations,variable,changes a lot")
add(Evenness(True, True), "stable,no|without|little variation,not much variation,no|without any|much variation")
add(Evenness(False, True), "vary,varies,varying,varied,unequal,random,randomly,inconsistent,different")

for _many in ("multiple", "complex", "many", "strong", "numerous", "a lot of", "lots of", "plenty of"):
    add(Sounds("rich"), f"{_many} {_PARTIALS},{_many} harmonic content")
add(
    Sounds("rich"),
    "rich tone|timbre|harmonics|sound|quality|texture,full rich sound,rich and full|resonant|complex,complex timbre,"
    f"rich harmonic structure|content|spectrum|texture,harmonically|spectrally rich,rich in {_PARTIALS},"
    "rich resonant|full|warm|complex|deep,rich overtones|spectrum",
)
add(Sounds("soft"), "barely|hardly|scarcely audible,low volume,soft,softly,quiet,quietly,faint,faintly")
add(Sounds("loud"), "high volume,loud,loudly,loud noise|noises")
_NOISES = "noise|hiss|static"
add(
    Sounds("noisy"),
    "with|is|has some noise|hiss|static,audible noise|hiss|static,audible noise floor,noise floor,"
    "noisy,noise like,noiselike,hissy,staticky",
)
add(Sounds("noisy"), "high frequency hiss|noise|static")
add(Sounds("bright"), "high frequency content|energy|quality")
add(Sounds("clean"), "clean,noise free,without|no|minimal distortion,without|no any distortion")
add(
    Sounds("noisy"),
    "constant|persistent|steady|audible background noise|hiss|static|hum,hiss|static in the background",
)
for _noise in (_NOISES, f"background {_NOISES}"):
    add(
        Sounds("noisy"),
        f"a lot|lots of {_noise},significant|heavy|strong|considerable|noticeable|prominent|obvious {_noise},"
        f"much {_noise},full of {_noise}",
    )
    add(
        Sounds("clean"),
        f"minimal|little|no|without {_noise},hardly|barely|scarcely any {_noise},"
        f"very little {_noise},no|without any {_noise},free of|from {_noise},"
        f"no|without noticeable|audible|obvious|significant|discernible {_noise}",
    )
add(Sounds("broad"), "broadband,wideband,wide band,broad band")
add(Sounds("narrow"), "narrowband,narrow band")
add(Sounds("chord"), "chord,chords,polyphonic,simultaneous|concurrent notes|tones|pitches,harmony of several notes")
for _at_once in ("at once", "together", "simultaneously", "at the same time"):
    add(
        Sounds("chord"),
        f"several|multiple|many notes|tones|pitches {_at_once},"
        f"several|multiple|many pitches are|sound|sounding {_at_once},"
        f"several|multiple|many pitches are heard|present|sounding {_at_once}",
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
