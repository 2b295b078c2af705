"""Words and phrases that mean something about sound, as a table from word tuples to meanings."""

from reward.parse.lexicon import changes, grammar, places, rooms, sounds, voices
from reward.parse.lexicon.table import MEANINGS

__all__ = ["MEANINGS", "changes", "grammar", "places", "rooms", "sounds", "voices"]
