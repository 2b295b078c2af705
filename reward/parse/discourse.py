"""What a clause does in a trace: it says what is heard in this clip, or it speaks of something else.

A model that thinks aloud restates the task, recalls what sounds are like in general and explains its method. Only what
it says it hears is a claim. A sentence is cut into clauses; each is judged by the words that such clauses are made of,
else it goes on as the one before did, until its subject is the clip again.
"""

from __future__ import annotations

from itertools import pairwise

from reward.parse.words import Item

_JOINTS = frozenset({
    ",", "(", ")", ":", "but", "however", "although", "though", "so", "which", "because", "since", "while", "whereas",
    "therefore", "meaning", "and",
})  # fmt: skip
"""A clause may begin here."""
_TURNS = frozenset({",", "but", "however", "though", "although", "so", "therefore"})
"""Of these the second kind ends what was said of other things, the comma only before a subject that is the clip's."""

_TASK = frozenset({
    "user", "user's", "question", "question's", "questions", "choice", "choices", "answers", "problem", "problem's",
    "instruction", "instructions", "task", "threshold", "thresholds", "criterion", "criteria", "cutoff", "option",
    "options", "whether", "asks", "asked", "asking", "determine", "classify", "decide", "respond", "prompt", "wants",
    "specified", "scenario", "dataset", "quiz", "puzzle", "explanation", "explanations",
    "condition", "definition", "mentioned", "mentions", "reply", "specifies", "transcript", "transcription",
    "instructed", "requirement", "answer", "we're", "statement", "enter",
})  # fmt: skip
_WORLD = frozenset({
    "otherwise", "common", "usually", "typically", "typical", "often", "generally", "normally", "sometimes", "commonly",
    "refers", "refer", "relates", "corresponds", "correspond", "known", "humans", "recall", "remember",
    "theory", "equals", "tends", "tend", "depends", "example", "instance", "considered", "characteristic", "associated",
    "describes", "songs", "genres", "people", "standard", "imagine", "suppose", "hypothetical",
    "hypothetically", "midi", "tuned",
})  # fmt: skip
_METHOD = frozenset({
    "let", "let's", "timer", "metronome", "multiply", "multiplied", "divide", "divided", "compare", "comparing",
    "recheck", "replay", "calculate", "verify",
})  # fmt: skip
_OTHER = _TASK | _WORLD | _METHOD
_TASK_OR_WORLD = _TASK | _WORLD
_ORDINALS = frozenset({"first", "second"})
_ASIDES = (
    "figure out,need to,is when,one that,for example,in music,in general,can be,can vary,can have,can sound,"
    "can also,can go,can last,in many,in some,such as,which one,which clip,which of,which segment,which part,"
    "which sound,which audio,which recording,going to,the key,going for,each measure,many cases,some cases,"
    "e g,whole note,half note,quarter note,quarter notes,eighth note,eighth notes,concert pitch,"
    "is defined,are defined,as defined,defined as,defined by,defined in,"
    "happens when,usually happens,human hearing,anything above,anything over,anything below,"
    "anything under,anything faster,"
    "anything slower,anything higher,anything lower,human ear,the human,they want,they mean,they said,they say,"
    "they ask,they're asking,they need,they gave,they provided,they think,they might,they expect,"
    "ears are,ear is,is measured,are measured,measured in,"
    "they're looking,they refer,they've given,they just,they're testing"
)
_PAIRS = frozenset(tuple(pair.split()) for pair in _ASIDES.split(","))
"""Two words that clauses of the task, of the world and of the method are made of."""
_MEANS = frozenset({"means", "mean", "indicates", "indicate", "implies", "imply", "suggests", "suggest", "involves"})
"""Of a general subject: "a slower tempo means fewer beats"; after "which" or "this" a conclusion about the clip."""
_CONCLUDES = frozenset({"which", "this", "that", "meaning", "no", "", "would", "might", "could"})
_THIS = frozenset({"the", "this", "that", "its", "these", "there's"})
_HEARING = frozenset({"heard", "made", "discerned", "counted", "distinguished", "perceived", "noticed", "i", "we"})
"""With "can": what can be heard is heard here, what can be loud is loud elsewhere."""
_POINTING = frozenset({
    "this", "it", "it's", "here", "there", "there's", "both", "these", "its", "i", "i'm", "that's", "the", "my", "in",
})  # fmt: skip
"""First words of a clause that is about the clip again."""
_MAKES = frozenset({"make", "produce", "create", "have", "emit", "contain"})
"""After a bare plural at the beginning: "dogs make short, loud sounds" is true of all dogs."""
_OPENERS = frozenset({"so", "and", "but", "wait", ",", "hmm", "okay", "while", "also", "now", "well", "oh"})
_FRAMES = frozenset({"in", "at"})
_ELSEWHERE = frozenset({
    "recordings", "rooms", "spaces", "distances", "instruments", "songs", "genres", "environments", "situations",
    "stereo",
})  # fmt: skip
"""After "in" or "at" at the beginning: what is so there is so in general."""
_KINDS = frozenset({"sounds", "notes", "tones", "recordings", "voices", "tempos", "frequencies", "pitches", "values"})
_ARE = frozenset({"are", "have", "sound", "tend", "can", "would", "need", "require", "usually", "often", "typically"})
_NAMED = (["middle", "c"], ["concert", "pitch"], ["concert", "a"])
_TEMPI = frozenset({"allegro", "andante", "adagio", "presto", "largo", "moderato", "vivace"})
_EXTREMES = frozenset({"lowest", "highest", "typical", "average", "usual", "open", "range"})
_ARISE = frozenset({"arise", "arises", "occur", "occurs", "happen", "happens", "appear", "appears"})
_ANY = frozenset({"sound", "note", "tone", "source", "room", "signal", "instrument", "voice", "string", "speaker"})
"""After "when a": of all such."""
_DO = frozenset({"makes", "causes", "adds", "means", "affects", "gives", "refers", "increases", "lengthens", "can"})
"""After "reverb": what it does in general."""
_TERMS = frozenset({
    "echo", "reverb", "reverberation", "pitch", "loudness", "velocity", "density", "timbre", "tempo", "brightness",
    "volume", "distortion", "clarity", "texture", "attack", "decay",
})  # fmt: skip
_DEFINING = frozenset({"a", "an", "the", "about", "how", "when", "what", "measured", "basically", "related", "defined"})
_HERE = frozenset({"heard", "here", "there", "audible", "present", "playing", "ringing", "in", "at", "on", "then"})
"""After "a bell is": it is of this clip."""
_THINGS = frozenset({"something", "anything", "nothing", "everything"})
_DETERMINERS = frozenset({
    "the", "these", "those", "its", "both", "this", "that", "it", "there", "i", "we", "his", "her", "their", "here",
    "all", "some", "several", "two", "three", "four", "five",
})  # fmt: skip
GENERAL_REACH = 20
"""Tokens in which a general statement says what such things do."""
SHORT_CLAUSE = 5
"""Words of a clause that only sets the frame of the next: "typically," "in music,"."""


def foreign(tokens: list[Item]) -> list[tuple[int, int]]:
    """The stretches of a sentence, in characters, that do not say what is heard in the clip."""
    stretches: list[tuple[int, int]] = []
    begin, count, away, length = 0, len(tokens), _begins_generally(tokens), 0
    method = False
    while begin < count:
        joint = tokens[begin].word if begin or tokens[0].word in _JOINTS else ""
        end = begin + 1
        while end < count and tokens[end].word not in _JOINTS:
            end += 1
        clause = [token.word for token in tokens[begin + (joint != "") : end]]
        if clause:
            if clause[0] == "according" and not _TASK.isdisjoint(clause):
                stretches = [(0, begin)]  # "there are two sounds, according to the prompt"
            if _speaks_of_others(clause, joint):
                method = not away and _METHOD.isdisjoint(clause) is False and _TASK_OR_WORLD.isdisjoint(clause)
                away = True
            elif away and method and clause[0] in _DETERMINERS | _ORDINALS:
                away = False
            elif away and begin and length > SHORT_CLAUSE:
                away = not _returns(joint, clause[0])
            length = len(clause)
        if away:
            if stretches and stretches[-1][1] == begin:
                stretches[-1] = (stretches[-1][0], end)
            else:
                stretches.append((begin, end))
        begin = end
    return [(tokens[first].start, tokens[last - 1].end) for first, last in stretches]


def _speaks_of_others(clause: list[str], joint: str) -> bool:
    if not _OTHER.isdisjoint(clause):
        return True
    before = joint
    for word in clause:
        if word in _MEANS:
            # "Which suggests" and "the echo indicates" say what follows in this clip.
            return before not in _CONCLUDES and clause[0] not in _THIS
        if (before, word) in _PAIRS and not (before == "can" and not _HEARING.isdisjoint(clause)):
            return True
        before = word
    return False


def _returns(joint: str, first: str) -> bool:
    """True if a clause that begins so speaks of the clip again after one that did not."""
    if joint in _TURNS and joint != ",":
        return joint != "so" or first in ("this", "the")  # "near the source it is direct, so it has less echo"
    return first in _POINTING and joint in (",", "and", ")", ":", "because", "since")


def _defines(words: list[str]) -> bool:
    """True for "a dry sound has ..." and "a whisper is soft": of all such sounds; "a bell is heard" and "a dog is
    barking" are of this clip."""
    for index, (word, after) in enumerate(pairwise(words[:5])):
        if index and word in ("is", "has"):
            return after not in _HERE and (after in _THINGS or not after.endswith(("ed", "ing")))
    return False


def _begins_generally(tokens: list[Item]) -> bool:
    """True for "crows make ..." and "dull sounds have ...": a bare plural and what such things do."""
    words = [token.word for token in tokens[:GENERAL_REACH]]
    if words[:3] == ["a", "lot", "of"] or words[:2] == ["lots", "of"]:
        return True
    while words and words[0] in _OPENERS:
        words = words[1:]
    if words[:1] in (["a"], ["an"]) and "can" in words[1:5] and _HEARING.isdisjoint(words[:8]):
        return True  # "a soprano can reach ..."
    if words[:1] in (["a"], ["an"]) and words[2:3] == ["range"] and words[1].endswith("'s"):
        return True  # "a flute's range ..."
    if words[:1] in (["a"], ["an"]):
        return _defines(words)
    if words[:1] and words[0] in _FRAMES and (words[1:2] in (["a"], ["an"]) or not _ELSEWHERE.isdisjoint(words[1:4])):
        return True  # "in a small room, ...", "at close distances, ..."
    if words[1:2] and words[1] in _KINDS and words[0] not in _DETERMINERS and words[2:3] and words[2] in _ARE:
        return True  # "low notes are ..."
    if words[:1] and words[0] in _TERMS and words[1:2] == ["is"] and words[2:3] and words[2] in _DEFINING:
        return True  # "echo is a ..."
    if (words[:1] and words[0] in _TERMS and words[1:2] and words[1] in _DO) or words[:2] in _NAMED:
        return True  # "reverb makes sounds longer", "middle C is ..."
    if words[1:2] and words[1] in _ARISE and words[2:3] == ["when"]:
        return True  # "echoes arise when ..."
    if words[:1] and words[0] in _TEMPI and words[1:2] == ["is"]:
        return True
    if words[:1] == ["the"] and words[1:2] and words[1] in _EXTREMES and ["of", "a"] in (words[2:4], words[3:5]):
        return True  # "the lowest note of a cello is ..."
    if words[:1] == ["when"] and words[1:2] in (["a"], ["an"]) and not _ANY.isdisjoint(words[2:4]):
        return True  # "when a sound is far away, ..."
    if words[1:3] == ["is", "the"] and words[0] not in _DETERMINERS:
        return True  # "reverberation is the sound that stays"
    bare = words[:1] and words[0] not in _DETERMINERS and any(w.endswith("s") and len(w) > 3 for w in words[:2])
    makes = any(word in _MAKES and then != "up" for word, then in pairwise([*words[1:], ""]))
    return bool(bare) and makes
