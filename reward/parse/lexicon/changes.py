"""Verbs of change and words of comparison."""

from __future__ import annotations

from reward.parse.lexicon.table import add
from reward.parse.meanings import Compares, Moves, PaceWord, Recurs
from reward.statements import Quantity, Relation

MORE, LESS, SAME = Relation.MORE, Relation.LESS, Relation.SAME
_BE = "is|are|was|were|be|stays|stay|stayed|staying|remains|remain|remained|keeps|keep|kept|holds|hold|held"
_STAY = "stays|stay|stayed|staying|remains|remain|remained|keeps|keep|kept|holds|hold|held"
_GO = (
    "go|goes|going|went|move|moves|moving|moved|glide|glides|gliding|sweep|sweeps|sweeping|slide|"
    "slides|sliding|bend|bends|bending"
)
_MOVE = "change|vary|waver|fluctuate|move|budge"
_NOUNS = "pitched|pitch|frequency|note|tone"
_VOLUME = "volume|loudness|amplitude|level"
_FORCE = "prominent|powerful|forceful|energetic|intense|intensity|force|punch|power|volume"
_BRIGHT, _DULL = "bright|crisp|tinny|luminous|brilliant|shrill|piercing", "muffled|dull|dark|warm|mellow|muted"
_SAME = "same|equal|identical|similar"
_HISS = "noise|hiss|static|interference"
_LEVELS = "level|levels|floor"
_OVERTONES = "harmonics|overtones|partials"
_LACKS = "lacks|lack|lacking the,doesn't|don't|didn't have the same,does|do|did not have the same"
"""Of a quality of the other: "the second lacks the richness of the first"."""

add({
    Moves(Quantity.PITCH, MORE): (
        f"rises,rise,rising,rose,climbs,climb,climbing,climbed,ascends,ascend,ascending,{_GO} up|upward|upwards|higher,"
        "upward glide|sweep|slide"
    ),
    Moves(Quantity.PITCH, LESS): (
        "falls,fall,falling,fell,drops,drop,dropping,dropped,descends,descend,descending,sinks,sinking,declines,"
        f"declining,{_GO} down|downward|downwards|lower,downward glide|sweep|slide,comes|come|coming back|right down,"
        "back down"
    ),
    Moves(Quantity.PITCH, SAME): (
        f"{_BE} level|flat,{_BE} at the same pitch,{_BE} on the same pitch,level|flat tone|pitch|note,"
        "constant|steady|stable|unchanging pitch|frequency,monotone"
    ),
    Moves(None, SAME): (
        f"{_STAY} steady|constant|stable|unchanged|fixed|same,{_STAY} the same,"
        f"{_BE} steady|constant|stable|unchanged|unchanging,{_BE} the same throughout,does not change,do not change,"
        "doesn't change,don't change,no change,stays|stay|remains put,never changes|varies|wavers|fluctuates|moves,"
        f"doesn't|don't|didn't {_MOVE},does|do|did not {_MOVE}"
    ),
    Moves(Quantity.LEVEL, LESS): (
        "tapers|trails|tails|dies off,dwindles,dwindling,ebbs,fades,fade,fading,faded,fades|fading|fade out|away,"
        "dies away|out|down,decrescendo,diminuendo,decays,decaying"
    ),
    Moves(Quantity.TEMPO, MORE): (
        "pace|tempo|rhythm picks|pick up,gains|gain|gathers|gather speed|pace,speeds|speed|speeding|sped up,"
        "accelerates,accelerate,accelerating,quickens,quicken,quickening,faster and faster,faster,"
        "picks|pick|picking up speed,accelerando,rushes"
    ),
    Moves(Quantity.CENTROID, MORE): "brightens,brightening",
    Moves(Quantity.CENTROID, LESS): "darkens,darkening",
    Moves(None, MORE): "increases,increase,increasing,increased,grows,grow,growing,grew",
    Moves(None, LESS): "decreases,decrease,decreasing,decreased,diminishes,diminishing",
    Moves(Quantity.LEVEL, MORE): "swells,swell,swelling,crescendo,fades|fading|fade in",
    Moves(Quantity.TEMPO, LESS): (
        "slows|slow|slowing|slowed down,slows,slowing,slower and slower,slower,decelerates,decelerate,decelerating,"
        "ritardando,loses speed"
    ),
    Moves(Quantity.TEMPO, SAME): (
        f"steady|constant|even|unchanging tempo|pace|speed|rate,{_STAY} steady time,"
        f"{_STAY} the|a same|steady tempo|pace|speed|rate"
    ),
    # Of gaps: shrinking gaps are a faster train.
    Moves(Quantity.GAP, LESS): (
        "shrinks,shrink,shrinking,shrank,narrows,narrow,narrowing,tightens,tightening,closer and closer,"
        "closer together,shortens,shorten,shortening"
    ),
    Moves(Quantity.GAP, MORE): (
        "widens,widen,widening,lengthens,lengthen,lengthening,stretches,stretch,stretching,further|farther apart,"
        "expand,expands,expanding"
    ),
    Compares(Quantity.PITCH, MORE): f"higher,higher in pitch,higher {_NOUNS}",
    Compares(Quantity.PITCH, LESS): f"lower,deeper,lower|deeper in pitch,lower|deeper {_NOUNS}",
    Compares(Quantity.LEVEL, MORE): (
        f"louder,stronger,higher|greater|more {_VOLUME},more {_FORCE},stands|stand out more,hits|strikes harder,harder,"
        "twice as loud,greater,larger,bigger"
    ),
    Compares(Quantity.LEVEL, LESS): (
        f"quieter,softer,weaker,fainter,lower|less {_VOLUME},less {_FORCE},gentler,half as loud,smaller"
    ),
    Compares(Quantity.DURATION, MORE): "longer,lasts|last longer,twice as long,more time,longer in duration|length",
    Compares(Quantity.DURATION, LESS): "shorter,briefer,half as long,less time,shorter in duration|length",
    Compares(Quantity.CENTROID, MORE): f"brighter,crisper,tinnier,more {_BRIGHT},less {_DULL}",
    Compares(Quantity.CENTROID, LESS): f"duller,darker,warmer,mellower,more {_DULL},less {_BRIGHT}",
    Compares(Quantity.PITCH, MORE, True): "highest",
    Compares(Quantity.PITCH, LESS, True): "lowest,deepest",
    Compares(Quantity.LEVEL, MORE, True): "loudest,strongest",
    Compares(Quantity.LEVEL, LESS, True): "quietest,softest,weakest,faintest",
    Compares(Quantity.DURATION, MORE, True): "longest",
    Compares(Quantity.DURATION, LESS, True): "shortest,briefest",
    Compares(Quantity.PITCH, SAME): f"{_SAME} pitch|frequency|pitches|frequencies,{_SAME} in pitch",
    Compares(Quantity.LEVEL, SAME): (
        f"equally loud,{_SAME} in loudness|volume|level,{_SAME} level|levels|loudness|volume|volumes,as loud as"
    ),
    Compares(Quantity.TEMPO, MORE): (
        "twice as fast,quicker,quicker tempo|pace|rhythm|beat|speed,faster tempo|pace|rhythm|beat|speed,"
        "at a faster tempo|pace|speed"
    ),
    Compares(Quantity.TEMPO, LESS): (
        "half as fast,slower than,slower tempo|pace|rhythm|beat|speed,at a slower tempo|pace|speed"
    ),
    Compares(Quantity.HARMONICITY, LESS): (
        f"noisier,hissier,less clean,higher {_HISS} {_LEVELS},lower signal to noise,more {_HISS},"
        f"more background {_HISS}"
    ),
    Compares(Quantity.HARMONICITY, MORE): (
        f"cleaner,less noisy,lower {_HISS} {_LEVELS},higher signal to noise,less {_HISS},less background {_HISS}"
    ),
    Compares(Quantity.TEMPO, SAME): (
        "similar tempo|tempos|pace|speed,the same tempo|pace|speed,same tempo|pace|speed,equally fast|slow"
    ),
    Compares(Quantity.DURATION, SAME): (
        f"equally long,{_SAME} in length|duration,{_SAME} length|lengths|duration|durations,as long as"
    ),
    Compares(Quantity.NUMBER, MORE): "a higher|greater number,higher count",
    Compares(Quantity.NUMBER, LESS): "a lower|smaller number,lower count",
    Compares(Quantity.PARTIAL, MORE): (
        f"richer,fuller,more {_OVERTONES},more harmonic overtones|content|richness,more complex,more rich"
    ),
    Compares(Quantity.PARTIAL, LESS): f"purer,simpler,thinner,fewer {_OVERTONES},less complex|rich,more pure",
    Compares(Quantity.DENSITY, MORE): (
        "packed more tightly|closely|densely,more tightly|closely packed|spaced,denser,busier,"
        "more dense|densely|crowded|packed,higher|greater density"
    ),
    Compares(Quantity.DENSITY, LESS): "sparser,more sparse|spaced,less dense|crowded|busy,lower density",
    PaceWord(True): "thick and fast,fast,quick,quickly,rapid,rapidly,swift,brisk,upbeat,fast paced,medium fast",
    PaceWord(False): "slow,slowly,sluggish,leisurely",
    Recurs(True): (
        "repeats,repeat,repeated,repeating,recurs,recur,recurring,pattern|phrase|melody|rhythm|beat|sequence|it loops,"
        "looping,repetitive,repeats|repeat itself,is|are repeated,"
        "pattern|figure|motif|phrase|riff|sequence|theme comes back|again,"
        "pattern|figure|motif|phrase|riff|theme returns"
    ),
    Recurs(False): "is|are played|heard|sounded,is to be heard,comes back|again,plays,occurs,comes",
})  # fmt: skip

for _of, _noun in (
    (Quantity.PARTIAL, "richness|fullness|complexity"),
    (Quantity.CENTROID, "brightness|brilliance|crispness|sparkle"),
    (Quantity.LEVEL, "volume|loudness|power|punch|intensity"),
):
    add({Compares(_of, LESS): ",".join(f"{lacks} {_noun}" for lacks in _LACKS.split(","))})
    if _of is not Quantity.LEVEL:
        add({Compares(_of, MORE): f"more|greater {_noun}", Compares(_of, LESS): f"less {_noun}"})
