"""Words that decide how a sentence is read, and are no claim themselves."""

from __future__ import annotations

from reward.statements import Quantity

BREAKS = frozenset({",", "and", "(", ")", ":"})
"""The words of a claim begin after these."""
UNDER = frozenset({"background", "noise", "hiss", "hum", "room", "recording", "environment", "floor"})
"""After "soft" or "noisy": of what is under the sound, not of the sound."""
MODALS = frozenset({"would", "could", "should", "might", "may"})
CERTAIN_AGAIN = frozenset({"but", "however", "because", "since"})
"""After "maybe a flute, but ..." the clip is spoken of without doubt."""
IF = frozenset({"if", "unless", "assume", "assuming", "suppose", "let's", "hypothetically", "assumed"})
"""What follows is not said of the clip; no "because" ends that."""
RELATIVE = frozenset({"that", "which"})
"""Before a modal: "no echo that might hide it" is sure of the echo."""
CONCLUDES = frozenset({"so", "therefore", "thus", "hence"})
"""Before "should be louder": a conclusion, not a doubt."""
GOES_ON = frozenset({"it", "its", "it's", "this", "that", "that's"})
FASTER = frozenset({"faster", "slower"})
"""Of one of two clips a comparison, of all that is heard a change."""
UNSURE = frozenset({"sure", "certain", "unsure"})
"""A sentence that ends so doubts what it said last."""
NOT_A_PACE = frozenset({"decay", "attack", "fade", "onset", "glide", "sweep", "rise", "release", "vibrato"})
"""After "fast": how one sound goes, not how the sounds follow each other."""
OF_SOUNDS = frozenset({"soft", "loud", "noisy", "clean"})
OF_LEVEL = frozenset({"greater", "larger", "bigger", "smaller"})
"""Compare levels where a level is spoken of, else anything."""
OF_CLIPS = frozenset({Quantity.PITCH, Quantity.LEVEL, Quantity.CENTROID, Quantity.TEMPO})
"""What a change from one clip to the other compares."""
NOT_OF_SOUNDS = frozenset({
    "volume", "level", "noise", "quality", "energy", "end", "background", "range", "amplitude", "velocity", "fidelity",
    "pass", "hum",
})  # fmt: skip
"""After "low" or "high": of something else than pitch."""
DEGREES = frozenset({
    "pronounced", "noticeable", "prominent", "significant", "obvious", "audible", "apparent", "evident", "distinct",
    "natural", "room", "background", "of",
})  # fmt: skip
"""Between "more" and what there is more of."""
ATTACKS = frozenset({"attack", "attacks", "pluck", "strum", "transient", "transients", "strike", "release"})
OF_TWO = frozenset({"different", "equal"})
"""Of two sounds, not of the course of one."""
ROWS = frozenset({
    "melody", "phrase", "succession", "sequence", "series", "scale", "arpeggio", "passage", "run", "pattern", "rhythm",
    "ticking", "beat", "drumming", "tapping",
})  # fmt: skip
"""Nouns for sounds in a row."""
SINGULAR = frozenset({"this", "its", "always", "perhaps", "guess", "glass", "process", "analysis", "was", "has"})
"""Words in s that are no plural."""
ENDS_NOUN = frozenset({"and", "or", "is", "are", "was", "of", "with", "to", "than", "as", "the", "in", "at"})
NOT_SOUNDS = frozenset({
    "parts", "clips", "segments", "sections", "options", "choices", "answers", "questions", "letters", "steps", "times",
    "things", "ways", "types", "kinds", "issues", "points", "reasons", "words", "sentences", "people", "speakers",
    "voices", "instruments", "factors", "elements", "minutes", "hours", "days", "years", "audios", "files",
    "recordings", "halves", "categories", "cases", "possibilities", "examples", "values", "numbers", "digits", "songs",
    "measures", "bars", "meters", "metres", "feet", "cues", "samples", "excerpts", "stimuli", "channels", "characters",
    "layers", "qualities", "characteristics", "aspects", "details", "features", "differences", "phrases", "items",
    "tracks", "variations", "changes", "effects", "signals", "sources", "degrees", "frames", "walls", "surfaces",
    "reflections", "lines", "strings", "keys", "octaves", "thirds", "quarters", "others", "this", "pieces", "minds",
})  # fmt: skip
"""Plurals that count no sounds."""
