"""How far a claim may be from the measurement, and why. Relative unless a unit is given."""

from __future__ import annotations

SEMITONE = 12.0
"""Semitones in an octave."""

PITCH = 0.06
"""A semitone: whoever says "about 440 Hz" names the right note. Trained ears do better, the measurement too (2 %)."""
PITCH_STEP_SEMITONES = 0.5
"""Two tones closer than this count as equal: untrained ears tell 0.3 %, but 2 % is the error of the measurement."""
GLIDE_STEP_SEMITONES = 1.0
"""A tone whose ends lie closer than this is level: slow glides below a semitone are heard as steady."""
LEVEL_DB = 4.0
"""Absolute levels: RMS and peak of a sine differ by 3 dB and a trace does not say which, plus 1 dB of error."""
LEVEL_DIFFERENCE_DB = 2.0
"""Level differences: twice the just noticeable difference of 1 dB, as two levels are compared."""
LEVEL_STEP_DB = 1.0
"""Just noticeable difference of level."""
FADE_STEP_DB = 3.0
"""A sound whose last quarter is within this of its first neither swells nor fades: tones with body ripple by 2 dB."""
DURATION = 0.2
"""Durations: twice Weber's fraction for time (10 %)."""
DURATION_SECONDS = 0.04
"""Least tolerance of a duration, seconds: soft edges leave that open."""
DURATION_STEP = 0.1
"""Weber's fraction for time: lengths closer than this are equal."""
GAP = 0.15
"""Gaps between onsets are heard more exactly than lengths; traces round them to 0.01-0.05 s."""
GAP_SECONDS = 0.025
"""Least tolerance of a gap, seconds: two onsets of 10 ms error, and rounding."""
CLIP_SECONDS = 0.1
"""Least tolerance of the length of the clip, seconds."""
ONSET_SECONDS = 0.1
"""Where a sound begins: what "at 0.5 s" says."""
TEMPO = 0.08
"""Tempo: the just noticeable difference is 5 to 8 %."""
TEMPO_STEP_OCTAVES = 0.15
"""A train whose last gap is within 11 % of its first keeps its pace: just above the just noticeable difference."""
STRAIGHT = 0.5
"""A change of tempo is one if the gaps scatter by less than this share of it: random gaps have a slope too."""
REGULAR_VARIATION = 0.10
"""Gaps that vary by less (standard deviation over mean) are regular: jitter is heard from 3 to 10 %."""
ODD_ONLY = 0.1
"""Largest share of even partials in what overtones there are for "only odd harmonics"; a sawtooth has 0.64."""
ALL_PARTIALS = 0.2
"""Least share of even partials for "all harmonics"."""
OVERTONES = 0.01
"""Overtone energy (-20 dB) from which harmonics besides the fundamental are heard."""
BORDER = 0.3
"""Around a step, this share of it on either side is open: there both "more" and "the same" are right."""
LOUDNESS_LU = 2.0
"""Integrated loudness: twice the just noticeable difference; filters and gates of meters differ by less."""
CENTROID = 0.25
"""Spectral centroid: meters differ in window and weighting; the just noticeable difference is 5 to 15 %."""
CENTROID_STEP_OCTAVES = 0.2
"""Two sounds whose centroids differ by less than 15 % are equally bright."""
SYLLABLES = 0.25
"""Speaking rate: twice the error of the measurement, and counts of syllables differ between listeners."""
UNDERCOUNTED = (4.5, 1.6)
"""From so many measured syllables a second on, vowels run together: up to so many times as many may be there."""
BRIGHT_HZ = (1_500.0, 2_200.0)
"""Scale of brightness: bright from the second on, dull up to the first, in between neither can be told."""
HIGH_HZ = (250.0, 500.0)
"""Scale of pitch: low up to the first (B3), high from the second on (B4, above most speech), in between neither."""
SIDE_DB = 3.0
"""A sound is on a side if that channel is louder by this much: it is heard off the middle from about 2 dB on."""
MOVE_DB = 6.0
"""A sound moves if the balance between its first and last third changes by this much."""
LOUD_DBFS = (-38.0, -24.0)
"""Scale of loudness: soft up to the first, loud from the second on. Recordings of speech lie between, near -30 dBFS."""
FAST_BPM = (90.0, 140.0)
"""Scale of tempo: slow up to the first (andante and slower), fast from the second on (allegro vivace)."""
FAST_SYLLABLES = (3.3, 5.0)
"""Scale of speaking rate, syllables a second: conversation lies between 4 and 5; slow reading near 3."""
CLEAR = (0.5, 0.85)
"""Scale of noisiness, as the share that repeats after a period: noisy up to 0 dB of signal over noise, clean from
7.5 dB on, where the noise is hardly masked any more."""
BROAD_HZ = (400.0, 1_500.0)
"""Scale of bandwidth: narrow up to the first (a critical band and a half around 1 kHz), broad from the second on."""
RICH = (0.02, 0.15)
"""Scale of overtones, energy over the fundamental: rich from -8 dB on, not rich up to -17 dB."""
PARTIAL = 0.04
"""Frequency of a partial: below half the distance of neighbours up to the 12th."""
PARTIAL_DB = (20.0, 36.0)
"""Partials down to the first count in any case, below the second in none: masking by the strongest ends in between."""
HARMONICITY_DB = 6.0
"""Harmonics-to-noise ratio: estimators differ by window and method by 3 dB, claims round to 5."""
RANGE_SEMITONES = 1.5
"""Pitch range: a semitone at one end, half of one at the other."""
PAUSE_SECONDS = (0.1, 0.25)
"""Silence from the second on is a pause, below the first none: stops within speech last up to 0.1 s, and phoneticians
count pauses from 0.2 to 0.25 s on."""
BOUND_SECONDS = 0.06
"""A time that parts two stretches ("after 1.2 s") is meant to a tenth of a second."""
FEWEST_FOR_REPETITION = 3
"""Fewer events say nothing of whether something repeats."""
