"""Words and phrases that mean something about sound, as a table from word tuples to meanings."""

from reward.claims.lexicon import changes, grammar, places, rooms, sounds
from reward.claims.lexicon.table import MEANINGS

__all__ = ["MEANINGS", "changes", "grammar", "places", "rooms", "sounds"]
