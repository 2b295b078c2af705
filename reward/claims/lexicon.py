"""Words and phrases that mean something about sound, as a table from word tuples to meanings."""

from __future__ import annotations

from reward.claims.facts import Quantity, Relation
from reward.claims.meanings import (
    Compares,
    Edge,
    EdgeWord,
    Evenness,
    Meaning,
    Moves,
    Ordinal,
    Place,
    Sounds,
    Topic,
    Word,
)

MORE, LESS, SAME = Relation.MORE, Relation.LESS, Relation.SAME


MEANINGS: dict[tuple[str, ...], Meaning] = {}
"""Longest match wins."""


def _add(meaning: Meaning, phrases: str) -> None:
    """Adds comma-separated phrases; `a|b c` stands for "a c" and "b c"."""
    for phrase in phrases.split(","):
        forms: list[tuple[str, ...]] = [()]
        for word in phrase.split():
            forms = [(*form, option) for form in forms for option in word.split("|")]
        for form in forms:
            MEANINGS[form] = meaning


_BE = "is|are|was|were|be|stays|stay|stayed|staying|remains|remain|remained|keeps|keep|kept|holds|hold|held"
_STAY = "stays|stay|stayed|staying|remains|remain|remained|keeps|keep|kept|holds|hold|held"
_GO = (
    "go|goes|going|went|move|moves|moving|moved|glide|glides|gliding|sweep|sweeps|sweeping|slide|"
    "slides|sliding|bend|bends|bending"
)
_PARTIALS = "harmonic|harmonics|partial|partials|overtone|overtones"

for _number, _words in enumerate(
    ("first,1st,former,opening,initial", "second,2nd,latter", "third,3rd", "fourth,4th", "fifth,5th", "sixth,6th"),
    start=1,
):
    _add(Ordinal(_number), _words)
_add(Ordinal(-1), "last,final")
_add(Ordinal(1), "tone|beep|burst|note|sound one|1")
_add(Ordinal(2), "tone|beep|burst|note|sound two|2")

_add(Topic(Quantity.PITCH), "pitch,pitches,frequency,frequencies,fundamental,f0,pitched")
_add(Topic(Quantity.CENTROID), "centroid,spectral centroid|brightness,brightness,spectral center|centre")
_add(Topic(Quantity.LEVEL), "level,levels,loudness,volume,amplitude,intensity")
_add(
    Topic(Quantity.DURATION),
    "lasts,lasting,lasted,duration,durations,length,lengths,long,last about,last for,last around,"
    "last roughly,sustains,sustained",
)
_add(Topic(Quantity.CLIP), "clip,recording,audio,file,excerpt")
_add(Topic(Quantity.GAP), "gap,gaps,interval,intervals,spacing,spacings,spaced,apart,every")
_add(Topic(Quantity.PAUSE), "pause,pauses,silence,silences,silent")
_add(Topic(Quantity.TEMPO), "tempo,pace,speed,rate")
_add(Topic(Quantity.ONSET), "onset,onsets")
_add(EdgeWord(Edge.START), "from,starts,start,starting,started,begins,begin,beginning,began,initially,at first,opens")
_add(
    EdgeWord(Edge.END),
    "ends,end,ending,ended,finishes,finish,finishing,reaches,reach,reaching,up to,down to,until,finally",
)
_add(
    EdgeWord(Edge.LOW), "between,ranges,ranging,range from,ranges from,ranging from,vary from,varies from,varying from"
)

_add(
    Moves(Quantity.PITCH, MORE),
    "rises,rise,rising,rose,climbs,climb,climbing,climbed,ascends,ascend,ascending,"
    f"{_GO} up|upward|upwards|higher,upward glide|sweep|slide",
)
_add(
    Moves(Quantity.PITCH, LESS),
    "falls,fall,falling,fell,drops,drop,dropping,dropped,descends,descend,descending,sinks,sinking,"
    f"declines,declining,{_GO} down|downward|downwards|lower,downward glide|sweep|slide",
)
_add(
    Moves(Quantity.PITCH, SAME),
    f"{_BE} level|flat,{_BE} at the same pitch,{_BE} on the same pitch,level|flat tone|pitch|note,"
    "constant|steady|stable|unchanging pitch|frequency,monotone",
)
_add(
    Moves(None, SAME),
    f"{_STAY} steady|constant|stable|unchanged|fixed|same,{_STAY} the same,"
    f"{_BE} steady|constant|stable|unchanged|unchanging,{_BE} the same throughout,does not change,"
    "do not change,doesn't change,don't change,no change",
)
_add(Moves(None, MORE), "increases,increase,increasing,increased,grows,grow,growing,grew")
_add(Moves(None, LESS), "decreases,decrease,decreasing,decreased,diminishes,diminishing")
_add(Moves(Quantity.LEVEL, MORE), "swells,swelling,crescendo,fades|fading|fade in")
_add(
    Moves(Quantity.LEVEL, LESS),
    "fades,fade,fading,faded,fades|fading|fade out|away,dies away|out|down,decrescendo,diminuendo,decays,decaying",
)
_add(
    Moves(Quantity.TEMPO, MORE),
    "speeds|speed|speeding|sped up,accelerates,accelerate,accelerating,quickens,quicken,quickening,"
    "faster and faster,faster,picks|pick up speed,accelerando,rushes",
)
_add(
    Moves(Quantity.TEMPO, LESS),
    "slows|slow|slowing|slowed down,slows,slowing,slower and slower,slower,decelerates,decelerate,"
    "decelerating,ritardando,loses speed",
)
_add(
    Moves(Quantity.TEMPO, SAME),
    f"steady|constant|even|unchanging tempo|pace|speed|rate,{_STAY} steady time,"
    f"{_STAY} the|a same|steady tempo|pace|speed|rate",
)
# Of gaps: shrinking gaps are a faster train.
_add(
    Moves(Quantity.GAP, LESS),
    "shrinks,shrink,shrinking,shrank,narrows,narrow,narrowing,tightens,tightening,closer and closer,"
    "closer together,shortens,shorten,shortening",
)
_add(
    Moves(Quantity.GAP, MORE),
    "widens,widen,widening,lengthens,lengthen,lengthening,stretches,stretch,stretching,"
    "further|farther apart,expand,expands,expanding",
)

_add(Compares(Quantity.PITCH, MORE), "higher")
_add(Compares(Quantity.PITCH, LESS), "lower,deeper")
_add(Compares(Quantity.LEVEL, MORE), "louder,stronger")
_add(Compares(Quantity.LEVEL, LESS), "quieter,softer,weaker,fainter")
_add(Compares(Quantity.DURATION, MORE), "longer")
_add(Compares(Quantity.DURATION, LESS), "shorter,briefer")
_add(Compares(Quantity.CENTROID, MORE), "brighter")
_add(Compares(Quantity.CENTROID, LESS), "duller,darker")
_add(Compares(Quantity.PITCH, MORE, True), "highest")
_add(Compares(Quantity.PITCH, LESS, True), "lowest,deepest")
_add(Compares(Quantity.LEVEL, MORE, True), "loudest,strongest")
_add(Compares(Quantity.LEVEL, LESS, True), "quietest,softest,weakest,faintest")
_add(Compares(Quantity.DURATION, MORE, True), "longest")
_add(Compares(Quantity.DURATION, LESS, True), "shortest,briefest")
_add(Compares(Quantity.PITCH, SAME), "same|equal|identical pitch|frequency|pitches")
_add(Compares(Quantity.LEVEL, SAME), "equally loud,same|equal|identical level|loudness|volume,as loud as")
_add(Compares(Quantity.DURATION, SAME), "equally long,same|equal|identical length|duration,as long as")

_add(
    Sounds("sine"),
    "sine,sinusoid,sinusoidal,pure tone,pure sine,pure sinusoid,single|one|lone partial|harmonic,"
    "only|just one|a partial|harmonic,only|just a single partial|harmonic,only the fundamental,"
    "just the fundamental,no|without overtones,no|without harmonics,"
    f"no|without higher|upper|further {_PARTIALS},no|without other|audible {_PARTIALS}",
)
# Qualities, on the scales of reward.tolerances.
_add(Sounds("bright"), "bright,brilliant,piercing,shrill")
_add(Sounds("dull"), "dull,dark,muffled,mellow")
_add(Sounds("high"), "high pitched,high in pitch,high register,high tone|note|pitch")
_add(Sounds("low"), "low pitched,low in pitch,low register,low tone|note|pitch,deep tone|note|pitch")
_SIDE = "side|channel|speaker|ear"
for _where in ("left", "right"):
    _add(
        Place(_where),
        f"on|from the {_where},on|from|in the {_where} {_SIDE},{_where} {_SIDE} is|was louder|stronger,panned {_where},"
        f"panned to|hard the|{_where} {_where},panned to {_where},louder on|in the {_where},hard {_where}",
    )
_add(Place("middle"), "in the middle|center|centre,centered,centred,equally loud on both,equal in both channels")
_add(Place("rightward"), "left to right,the left to the right")
_add(Place("leftward"), "right to left,the right to the left")
_add(Sounds("square"), "square,square wave,square like")
_add(Sounds("sawtooth"), "sawtooth,saw tooth,saw like,sawtooth wave,saw wave")
_add(Sounds("triangle"), "triangle wave,triangle,triangular")
_add(Sounds("noise"), "noise,white noise,hiss,hissing,noise burst,noise bursts")
_add(
    Sounds("unpitched"),
    "no|without clear|definite|distinct|steady|discernible|stable|audible pitch,"
    "no|without a clear|definite|distinct pitch,no|without pitch,no|without any pitch,"
    "no|without any clear pitch,unpitched,aperiodic,no|without tonal|harmonic structure",
)
_add(Sounds("pitched"), "clear|definite|distinct|strong pitch,tonal,periodic")
_add(
    Sounds("odd"),
    f"only|just|mainly|mostly odd {_PARTIALS},odd {_PARTIALS} only|alone,only|just the odd {_PARTIALS},"
    f"no|missing|without even {_PARTIALS},even {_PARTIALS} missing|absent,"
    f"even {_PARTIALS} are missing|absent,only odd numbered {_PARTIALS}",
)
_add(
    Sounds("all"),
    f"all {_PARTIALS},all the|its|of {_PARTIALS},every {_PARTIALS},both odd|even and odd|even,"
    f"odd and even {_PARTIALS},even and odd {_PARTIALS},full|complete set|series of {_PARTIALS},"
    f"full|complete harmonic series,full|rich|complete {_PARTIALS} series",
)

_add(
    Evenness(True, False),
    "regular,regularly,evenly spaced,evenly,isochronous,steady rhythm|beat,steady|even spacing,"
    "equally spaced,uniformly spaced,metronomic",
)
_add(Evenness(False, False), "irregular,irregularly,uneven,unevenly,erratic,erratically,unevenly spaced,unsteady")
_add(Evenness(True, True), "even,uniform,equal,consistent,constant")
_add(Evenness(False, True), "vary,varies,varying,varied,unequal,random,randomly,inconsistent,different")

_add(
    Word.EVENT,
    "beep,beeps,tone,tones,sound,sounds,event,events,burst,bursts,note,notes,blip,blips,chirp,chirps,ping,"
    "pings,bang,bangs,bleep,bleeps",
)
_add(
    Word.PULSES,
    "pulse,pulses,click,clicks,beat,beats,tick,ticks,tap,taps,knock,knocks,hit,hits,drum hits,pulse train,"
    "train,rhythm,strokes,stroke,timing,pattern",
)
_add(
    Word.NEGATION,
    "not,never,isn't,doesn't,don't,aren't,wasn't,weren't,cannot,can't,didn't,neither,nor,without,no,"
    "rather than,instead of,unlike,hardly",
)
_add(
    Word.UNCERTAIN,
    "might,maybe,perhaps,possibly,may,could,probably,presumably,likely,if,unsure,unclear whether,i guess,"
    "i think it could",
)
_add(Word.BECOMES, "gets,get,getting,got,becomes,become,becoming,became,turns,turning,grows ever,ever")
_add(
    Word.CLAUSE,
    "so,but,while,whereas,therefore,thus,hence,then,because,since,although,though,which,meaning,however,yet",
)
_add(Word.OR, "or")
_add(Word.THAN, "than")
_add(
    Word.UNEQUAL,
    "above,below,over,under,at least,at most,more than,less than,within",
)
_add(Word.SINGLE, "single,lone,solitary")

UNITS: dict[str, tuple[str, float]] = {
    "hz": ("Hz", 1.0), "hertz": ("Hz", 1.0), "khz": ("Hz", 1000.0), "kilohertz": ("Hz", 1000.0),
    "db": ("dB", 1.0), "dbfs": ("dB", 1.0), "decibel": ("dB", 1.0), "decibels": ("dB", 1.0),
    "s": ("s", 1.0), "sec": ("s", 1.0), "secs": ("s", 1.0), "second": ("s", 1.0), "seconds": ("s", 1.0),
    "ms": ("s", 0.001), "msec": ("s", 0.001), "millisecond": ("s", 0.001), "milliseconds": ("s", 0.001),
    "lufs": ("LUFS", 1.0), "lkfs": ("LUFS", 1.0),
    "bpm": ("bpm", 1.0), "semitone": ("st", 1.0), "semitones": ("st", 1.0), "octave": ("st", 12.0),
    "octaves": ("st", 12.0), "percent": ("%", 1.0),
}  # fmt: skip
"""Unit and factor by word."""

APPROXIMATIONS = frozenset(
    [
        "about",
        "around",
        "near",
        "nearly",
        "roughly",
        "approximately",
        "some",
        "almost",
        "close",
        "circa",
        "ca",
        "approx",
        "exactly",
        "just",
        "only",
    ]
)
"""Words between a keyword and its number that do not change what it means."""

BACKGROUND = frozenset(
    [
        "background",
        "room",
        "some",
        "faint",
        "slight",
        "quiet",
        "low",
        "soft",
        "light",
        "underlying",
        "ambient",
        "with",
        "in",
        "of",
        "over",
        "any",
        "little",
        "weak",
    ]
)
"""Before "noise": the noise under the sound, not the sound."""

NOT_A_COUNTED_ADJECTIVE = frozenset(
    [
        "the",
        "a",
        "an",
        "of",
        "and",
        "or",
        "is",
        "are",
        "was",
        "were",
        "in",
        "at",
        "to",
        "for",
        "than",
        "from",
        "that",
        "this",
        "it",
        "by",
        "with",
        "on",
        "times",
    ]
)
"""Words that may not stand between a count and what is counted."""
