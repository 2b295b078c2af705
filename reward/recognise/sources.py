"""What can be said to sound, each with the names that the classes of AudioSet have for it.

The names are those of the column `display_name` of AudioSet's class_labels_indices.csv (Google, CC BY 4.0).
"""

from __future__ import annotations

from typing import NamedTuple


class Source(NamedTuple):
    """Something that sounds."""

    words: str
    """For people: "a dog"."""
    names: tuple[str, ...]
    """Classes of a tagger that are this, or a kind of it."""


_TABLE = """
dog: Dog; Bark; Yip; Howl; Bow-wow; Growling; Whimper (dog)
cat: Cat; Purr; Meow; Caterwaul
bird: Bird; Bird vocalization, bird call, bird song; Chirp, tweet; Squawk; Pigeon, dove; Coo; Crow; Caw; Owl; Hoot
crow: Crow; Caw
cow: Cattle, bovinae; Moo
pig: Pig; Oink
horse: Horse; Clip-clop; Neigh, whinny
duck: Duck; Quack
goose: Goose; Honk
hen: Chicken, rooster; Cluck
rooster: Chicken, rooster; Crowing, cock-a-doodle-doo
sheep: Sheep; Bleat
goat: Goat; Bleat
frog: Frog; Croak
owl: Owl; Hoot
lion: Roaring cats (lions, tigers); Roar
wolf: Canidae, dogs, wolves; Howl
cricket: Cricket
insect: Insect; Cricket; Mosquito; Fly, housefly; Buzz; Bee, wasp, etc.
bee: Bee, wasp, etc.; Buzz
mosquito: Mosquito; Buzz
whale: Whale vocalization
piano: Piano; Electric piano
guitar: Guitar; Electric guitar; Bass guitar; Acoustic guitar; Steel guitar, slide guitar; Strum
violin: Violin, fiddle
cello: Cello
flute: Flute
clarinet: Clarinet
trumpet: Trumpet
trombone: Trombone
horn: French horn; Vehicle horn, car horn, honking; Air horn, truck horn; Foghorn; Train horn
saxophone: Saxophone
organ: Organ; Electronic organ; Hammond organ
harp: Harp
banjo: Banjo
ukulele: Ukulele
mandolin: Mandolin
accordion: Accordion
harmonica: Harmonica
xylophone: Marimba, xylophone
marimba: Marimba, xylophone
vibraphone: Vibraphone
glockenspiel: Glockenspiel
cymbal: Cymbal; Hi-hat
drum: Drum; Drum kit; Drum machine; Snare drum; Rimshot; Drum roll; Bass drum; Timpani; Tabla
tambourine: Tambourine
synthesizer: Synthesizer; Sampler
sitar: Sitar
bagpipe: Bagpipes
gong: Gong
engine: Engine; Light engine (high frequency); Medium engine (mid frequency); Heavy engine (low frequency); Idling
car: Car; Vehicle; Car passing by; Race car, auto racing; Vehicle horn, car horn, honking; Car alarm
train: Train; Rail transport; Train whistle; Train horn; Railroad car, train wagon
truck: Truck
motorcycle: Motorcycle
airplane: Aircraft; Fixed-wing aircraft, airplane; Jet engine; Aircraft engine; Propeller, airscrew
helicopter: Helicopter
siren: Siren; Civil defense siren; Police car (siren); Ambulance (siren); Fire engine, fire truck (siren)
alarm: Alarm; Alarm clock; Smoke detector, smoke alarm; Fire alarm; Siren; Car alarm; Buzzer
bell: Bell; Church bell; Jingle bell; Bicycle bell; Tubular bells; Doorbell; Ding-dong; Cowbell
doorbell: Doorbell; Ding-dong
clock: Clock; Tick; Tick-tock; Alarm clock
telephone: Telephone; Telephone bell ringing; Ringtone; Telephone dialing, DTMF
typewriter: Typewriter; Typing
blender: Blender
drill: Drill
hammer: Hammer; Jackhammer
chainsaw: Chainsaw
lawnmower: Lawn mower
door: Door; Knock; Slam; Sliding door; Doorbell; Squeak
footstep: Walk, footsteps
gunshot: Gunshot, gunfire; Machine gun; Fusillade; Artillery fire
explosion: Explosion; Boom
firework: Fireworks; Firecracker
water: Water; Pour; Drip; Splash, splatter; Stream; Rain; Ocean; Waves, surf; Waterfall; Water tap, faucet
rain: Rain; Raindrop; Rain on surface
thunder: Thunder; Thunderstorm
wind: Wind; Wind noise (microphone); Rustling leaves
river: Stream; Gurgling; Water
waterfall: Waterfall
ocean: Ocean; Waves, surf
fire: Fire; Crackle
applause: Applause; Clapping
laughter: Laughter; Baby laughter; Giggle; Snicker; Belly laugh; Chuckle, chortle
cough: Cough
sneeze: Sneeze
snore: Snoring
crying: Crying, sobbing; Baby cry, infant cry; Whimper
scream: Screaming; Yell; Shout
whistle: Whistling; Whistle; Steam whistle; Train whistle
crowd: Crowd; Cheering; Hubbub, speech noise, speech babble
choir: Choir; Chant
singer: Singing; Male singing; Female singing; Child singing; Choir; Chant; Vocal music; Rapping
music: Music
man: Male speech, man speaking; Male singing
woman: Female speech, woman speaking; Female singing
child: Child speech, kid speaking; Child singing; Children shouting; Children playing
speech: Speech; Male speech, man speaking; Female speech, woman speaking; Child speech, kid speaking; Conversation
"""
_NO_ARTICLE = frozenset(
    {"water", "rain", "thunder", "wind", "fire", "applause", "laughter", "crying", "music", "sheep", "speech"}
)


def a(noun: str) -> str:
    """The noun with its article."""
    if noun in _NO_ARTICLE:
        return noun
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"


SOURCES: dict[str, Source] = {}
for _line in _TABLE.strip().splitlines():
    _key, _, _names = _line.partition(": ")
    SOURCES[_key] = Source(a(_key), (*_names.split("; "), _key))
