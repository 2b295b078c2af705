"""Words that name what sounds, or what it does: asked of a tagger where there is one."""

from __future__ import annotations

from reward.recognise.sources import SOURCES

VERBS = {
    "barks": "dog", "barking": "dog", "meow": "cat", "meows": "cat", "meowing": "cat", "quack": "duck",
    "quacks": "duck", "quacking": "duck", "moo": "cow", "moos": "cow", "chirping": "bird", "tweets": "bird",
    "caws": "crow", "cawing": "crow", "oink": "pig", "oinks": "pig", "neighs": "horse", "growls": "dog",
    "growling": "dog", "howls": "wolf", "crows": "crow", "laughs": "laughter", "laughing": "laughter",
    "coughs": "cough", "coughing": "cough", "clapping": "applause", "knocking": "door", "ringing": "bell",
    "footsteps": "footstep", "singing": "singer", "sings": "singer", "dripping": "water", "raining": "rain",
}  # fmt: skip
"""What does so."""
PLURALS = {"leaf": "leaves", "goose": "geese", "sheep": "sheep", "glass": "glasses", "bus": "buses"}
_MORE = {
    "airplane": "plane,aeroplane,aircraft", "applause": "clap,claps,applauding", "bee": "wasp", "bell": "chime,chimes",
    "bird": "birds,birdsong,chirp,chirps,songbird", "cat": "kitten,purring", "child": "kid,kids,children,boy,girl",
    "cow": "mooing,cattle", "crying": "cries,sobbing,weeping", "dog": "bark,puppy,barked", "duck": "quacked",
    "explosion": "blast", "gunshot": "gunfire", "hen": "chicken,clucking", "laughter": "laugh,giggle,giggling,chuckle",
    "man": "male,man's,men", "motorcycle": "motorbike", "music": "song", "ocean": "surf", "saxophone": "sax",
    "scream": "screaming,screams", "singer": "vocals", "sneeze": "sneezing", "snore": "snoring",
    "synthesizer": "synth,synths", "telephone": "phone,ringtone", "whistle": "whistling,whistles",
    "woman": "female,woman's,women", "firework": "firecracker", "river": "stream", "drum": "drums",
}  # fmt: skip
_AMBIGUOUS = frozenset({"train", "trains", "speech", "speechs", "ringing", "knocking"})
"""Of pulses, or of what a recogniser of its own hears; "ringing" is what any tone does."""


def plural(noun: str) -> str:
    """Of an English noun."""
    return PLURALS.get(noun, f"{noun}s")


SOURCE_OF: dict[str, str] = {}
for _key in SOURCES:
    SOURCE_OF |= dict.fromkeys((_key, plural(_key), *_MORE.get(_key, _key).split(",")), _key)
SOURCE_OF |= {verb: key for verb, key in VERBS.items() if key in SOURCES}
for _word in _AMBIGUOUS:
    SOURCE_OF.pop(_word, None)
