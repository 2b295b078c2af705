"""Words that decide how a sentence is read, and are no claim themselves."""

from __future__ import annotations

BREAKS = frozenset({",", "and", "(", ")", ":"})
"""The words of a claim begin after these."""
UNDER = frozenset({"background", "noise", "hiss", "hum", "room", "recording", "environment", "floor"})
"""After "soft" or "noisy": of what is under the sound, not of the sound."""
MODALS = frozenset({"would", "could", "should", "might", "may"})
CERTAIN_AGAIN = frozenset({"but", "however"})
"""After "maybe a flute, but ..." the clip is spoken of without doubt."""
GOES_ON = frozenset({"it", "its", "it's", "this", "that", "that's"})
FASTER = frozenset({"faster", "slower"})
"""Of one of two clips a comparison, of all that is heard a change."""
UNSURE = frozenset({"sure", "certain", "unsure"})
"""A sentence that ends so doubts what it said last."""
NOT_A_PACE = frozenset({"decay", "attack", "fade", "onset", "glide", "sweep", "rise", "release", "vibrato"})
"""After "fast": how one sound goes, not how the sounds follow each other."""
OF_SOUNDS = {"soft", "loud", "noisy", "clean"}
