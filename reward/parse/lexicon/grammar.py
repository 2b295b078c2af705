"""Nouns that say what is spoken of, and the small words that turn, doubt or part what is said."""

from __future__ import annotations

from reward.parse.lexicon.table import add
from reward.parse.meanings import Counts, Limit, Topic, Word
from reward.statements import Counted, Quantity

_ONCE = "thought|believed|assumed|figured"
_BARELY = "just|slightly|barely|marginally"
_OVER, _UNDER = "over|above|past", "under|below"

add({
    Topic(Quantity.PITCH): "pitch,pitches,frequency,frequencies,fundamental,f0,pitched",
    Topic(Quantity.CENTROID): (
        "centroid,spectral centroid|brightness,brightness,spectral center|centre,most|bulk|much of the|its energy,"
        "energy is concentrated|centered|centred|focused|strongest,energy concentrated|centered|centred|focused"
    ),
    Topic(Quantity.LEVEL): "level,levels,loudness,volume,amplitude,intensity",
    Topic(Quantity.DURATION): (
        "goes|going on for,rings|ringing|continues|holds|held|runs|plays|played|sounds|rang for,"
        "rings|ringing|rang out for,lasts,lasting,lasted,duration,durations,length,lengths,long,last about,last for,"
        "last around,last roughly,sustains,sustained,sustained|held|ringing for,spans,spanning"
    ),
    Topic(Quantity.CLIP): "clip,recording,audio,file,excerpt",
    Topic(Quantity.GAP): "gap,gaps,interval,intervals,spacing,spacings,spaced,apart,every",
    Topic(Quantity.PAUSE): "pause,pauses,silence,silences,silent,break",
    Topic(Quantity.TEMPO): "tempo,pace,speed,rate",
    Topic(Quantity.ONSET): "onset,onsets",
    Topic(Quantity.BANDWIDTH): "bandwidth,spectral spread|width",
    Topic(Quantity.HARMONICITY): "harmonics|harmonic to noise ratio,hnr,harmonicity",
    Topic(Quantity.PEAK): "peak,peaks,peaking,peak level|amplitude|levels",
    Word.EVENT: (
        "bark,barks,meow,meows,quack,quacks,ding,dings,thud,thuds,thump,thumps,boom,booms,pop,pops,honk,honks,clang,"
        "clangs,chime,chimes,cough,coughs,sneeze,sneezes,squeak,squeaks,clap,instances,occurrences,beep,beeps,tone,"
        "tones,sound,sounds,event,events,burst,bursts,note,notes,blip,blips,chirp,chirps,ping,pings,bang,bangs,bleep,"
        "bleeps"
    ),
    Word.PULSES: (
        "pulse,pulses,series,succession,click,clicks,beat,beats,tick,ticks,tap,taps,knock,knocks,hit,hits,drum hits,"
        "pulse train,train,rhythm,strokes,stroke,strike,strikes,blows,pluck,plucks,clunk,clunks,clack,clacks,snap,"
        "snaps,slam,slams,toll,tolls,whack,whacks,timing,drum,drums,kick,kicks,snare,snares,hat,hats,hi hat|hats,"
        "kick|snare|bass drum,drum beat|beats,claps,clap"
    ),
    Word.NEGATION: (
        "not,never,isn't,doesn't,don't,aren't,wasn't,weren't,cannot,can't,didn't,neither,nor,without,no,rather than,"
        "instead of,unlike,hardly,far from,anything but,by no means,fails|fail to,no longer,lacks,lack,nothing,none,"
        "absence of"
    ),
    Word.UNCERTAIN: (
        "might,maybe,perhaps,possibly,may,could,would,should,probably,presumably,likely,conceivably,probable,"
        "plausible,expect,expected,expects,in case,supposing,is|it's|be possible,unless,hypothetically,assume,"
        "assuming,assumed,let's say,if,unsure,unclear,uncertain,not sure|certain,"
        f"hard|difficult|impossible to say|tell,can't|cannot tell|say,i guess,i suppose,suppose,i {_ONCE},"
        f"i|i'd first|initially|originally|had|mistakenly {_ONCE}|said|counted|estimated|heard,i said,i mistook,"
        f"it first|initially sounded|seemed|appeared,at first i {_ONCE}|heard,"
        "at first it|there seemed|sounded|appeared,my first guess|impression|estimate|count"
    ),
    Word.TAKEN_BACK: (
        "no wait,wait no,or rather,i mean,make that,scratch that,that was a mistake,that's|that is wrong,"
        "that was wrong,i was wrong,that can't be right,that's not right"
    ),
    Word.BECOMES: "gets,get,getting,got,becomes,become,becoming,became,turns,turning,grows ever,ever",
    Word.CLAUSE: (
        "so,but,while,whereas,therefore,thus,hence,then,because,since,although,though,which,meaning,however,yet"
    ),
    Word.OR: "or",
    Word.THAN: "than",
    Word.UNEQUAL: "within",
    Limit(above=True, strict=True): "above,over,more than",
    Limit(above=True, strict=False): "at least,no fewer|less than",
    Limit(above=False, strict=True): "below,under,less than,fewer than",
    Limit(above=False, strict=False): "at most,no more than",
    Word.SINGLE: "single,lone,solitary",
    Word.MORE: "more",
    Word.FEWER: "fewer",
    Word.MANY: "multiple,several,many,numerous,a lot of,lots of,plenty of",
    Counts(Counted.SYLLABLES): "syllable,syllables",
    Counts(Counted.REPEATS): (
        "pattern,patterns,phrase,phrases,motif,motifs,figure,figures,sequence,sequences,riff,cycle,cycles,repetition,"
        "repetitions,group,groups"
    ),
    Counts(Counted.EVENTS, 1): "struck|hit|plucked|tapped|played|rung|sounded|heard once,only|just|exactly once",
    Counts(Counted.PAUSES, 0): (
        "without a|any break|interruption,back to back,no gaps|breaks|interruptions,without gaps|breaks|interruptions"
    ),
    Word.SPEECH: "speech,speaker,talker,voice,speaks,speak,speaking,talks,talk,talking,utterance,spoken,speaking rate",
    Word.TOGETHER: "at once,together,simultaneously,at the same time,in parallel",
    Word.FILLER: (
        "in the end,from start to finish,from beginning to end,from the beginning to the end,to|until the end,"
        "harder to,even if|though,a shorter|longer time,lower|higher quality|velocity,deep bass,each|every|water drop,"
        "i'd|would say|put|call|describe|estimate|place|judge|locate"
    ),
})  # fmt: skip

for _near in (_BARELY, "a little|bit|touch|tad|hair"):
    add({
        Limit(above=True, strict=True, near=True): f"{_near} {_OVER},{_near} more than",
        Limit(above=False, strict=True, near=True): f"{_near} {_UNDER},{_near} less|shy|short than|of",
    })  # fmt: skip
