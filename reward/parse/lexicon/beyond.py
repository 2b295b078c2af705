"""What a waveform's measurements do not decide: who or what sounds, what is said, and words without a scale."""

from __future__ import annotations

from reward.parse.lexicon.sources import VERBS, plural
from reward.recognise.sources import a

_NOUNS = (
    "dog,cat,bird,crow,cow,pig,horse,duck,goose,hen,rooster,sheep,goat,frog,owl,lion,wolf,cricket,bee,fly,mosquito,"
    "insect,snake,monkey,elephant,whale,dolphin,seagull,animal,"
    "piano,guitar,violin,cello,viola,bass,flute,clarinet,oboe,bassoon,trumpet,trombone,tuba,horn,saxophone,sax,organ,"
    "harp,banjo,ukulele,mandolin,accordion,harmonica,xylophone,marimba,vibraphone,glockenspiel,cymbal,tambourine,"
    "synthesizer,synth,sitar,bagpipe,timpani,gong,"
    "engine,car,train,truck,motorcycle,plane,airplane,aeroplane,helicopter,boat,ship,siren,alarm,bell,doorbell,clock,"
    "telephone,phone,keyboard,typewriter,printer,vacuum,blender,drill,saw,hammer,chainsaw,lawnmower,machine,motor,fan,"
    "door,window,glass,footstep,stair,gun,gunshot,explosion,firework,whip,coin,key,zipper,paper,scissors,kettle,fire,"
    "water,rain,thunder,wind,wave,river,stream,waterfall,ocean,sea,storm,leaf,"
    "applause,laugh,laughter,cough,sneeze,sigh,whistle,snore,cry,scream,baby,crowd,audience,choir,singer,"
    "microphone,radio,television,vinyl,turntable"
)
_WORDS = frozenset({"says", "said", "saying", "word", "words", "sentence", "sentences", "lyrics", "language", "spoken"})
_VOICES = frozenset({
    "male", "female", "man", "woman", "man's", "woman's", "child", "boy", "girl", "accent", "accented", "angry",
    "happy", "sad", "calm", "emotional", "emotion", "excited", "nervous", "cheerful", "adult", "elderly", "young",
})  # fmt: skip
_UNSCALED = frozenset({
    "metallic", "harsh", "smooth", "airy", "clear", "clearer", "direct", "natural", "crunchy", "gritty", "ethereal",
    "punchy", "resonant", "thin", "distorted", "distortion", "mechanical", "percussive", "near", "nearby", "far",
    "close", "closer", "distant", "farther", "away", "dynamic", "expressive", "wooden", "hollow", "plucked", "bowed",
    "struck", "synthetic", "electronic", "acoustic", "front", "behind", "crackling", "scratchy", "raspy", "breathy",
    "nasal", "husky", "sweet", "tense", "energetic", "aggressive", "gentle", "sudden", "attack", "texture",
})  # fmt: skip
"""Words for how something sounds for which no family has a measure."""

BEYOND: dict[str, str] = {word: f"no measure for {word}" for word in _UNSCALED}
"""Why a statement with a word has no verdict."""
for _noun in _NOUNS.split(","):
    BEYOND[_noun] = BEYOND[plural(_noun)] = f"needs to know what {a(_noun)} sounds like"
BEYOND |= {verb: BEYOND[noun] for verb, noun in VERBS.items()}
BEYOND |= dict.fromkeys(_WORDS, "needs to know what is said")
BEYOND |= dict.fromkeys(_VOICES, "needs to know whose voice it is")
