"""Scales, chords and pitches.

A pitch is a MIDI number (69 is A4, 440 Hz). A degree counts the steps of a scale from 0. A chord is
named by the degree of its root.
"""

from typing import Dict, List, Tuple, TypeVar

import numpy as np

Scale = Tuple[int, ...]
Pitch = TypeVar("Pitch", float, np.ndarray)

MAJOR: Scale = (0, 2, 4, 5, 7, 9, 11)
MINOR: Scale = (0, 2, 3, 5, 7, 8, 10)
DORIAN: Scale = (0, 2, 3, 5, 7, 9, 10)
MIXOLYDIAN: Scale = (0, 2, 4, 5, 7, 9, 10)

#: Common four-bar chord progressions in each scale.
PROGRESSIONS: Dict[Scale, Tuple[Tuple[int, int, int, int], ...]] = {
    MAJOR: (
        (0, 4, 5, 3),
        (5, 3, 0, 4),
        (0, 5, 3, 4),
        (1, 4, 0, 5),
        (0, 3, 5, 4),
        (0, 2, 3, 4),
        (3, 0, 4, 5),
    ),
    MINOR: (
        (0, 5, 2, 6),
        (0, 3, 4, 0),
        (0, 6, 5, 4),
        (0, 3, 6, 2),
        (0, 5, 3, 4),
        (5, 6, 0, 0),
    ),
    DORIAN: ((0, 3, 0, 3), (0, 2, 3, 0), (0, 6, 3, 0)),
    MIXOLYDIAN: ((0, 6, 3, 0), (0, 3, 6, 3), (0, 4, 6, 3)),
}


def frequency_of(pitch: Pitch) -> Pitch:
    """Frequency in Hz of a MIDI pitch, in equal temperament.

    >>> frequency_of(81)
    880.0
    """
    return 440.0 * 2.0 ** ((pitch - 69) / 12)


def semitones_of(scale: Scale, degree: int) -> int:
    """Semitones from the tonic to a degree of the scale, which may be octaves away.

    >>> semitones_of(MAJOR, 9)
    16
    """
    octave, step = divmod(degree, len(scale))
    return 12 * octave + scale[step]


def chord_semitones(scale: Scale, root: int, seventh: bool = False) -> List[int]:
    """Semitones from the tonic to each tone of the chord on a degree.

    >>> chord_semitones(MINOR, 0)
    [0, 3, 7]
    """
    degrees = (0, 2, 4, 6) if seventh else (0, 2, 4)
    return [semitones_of(scale, root + degree) for degree in degrees]


def lowest_from(pitch: int, bottom: int) -> int:
    """Move a pitch by octaves into the octave that begins at `bottom`.

    >>> lowest_from(60, bottom=40)
    48
    """
    return bottom + (pitch - bottom) % 12
