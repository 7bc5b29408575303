"""Vowels and consonants: formants and noise bands, in Hz, of an adult male voice.

Source of the vowels' formants: G. E. Peterson and H. L. Barney, "Control methods used in a study
of the vowels", JASA 24(2), 1952. Consonants were set by ear around the same values.
"""

from dataclasses import dataclass
from typing import Dict, Optional, Tuple

Formants = Tuple[float, float, float, float, float]

BANDWIDTHS: Formants = (70.0, 90.0, 120.0, 200.0, 300.0)

VOWELS: Dict[str, Formants] = {
    "a": (730, 1090, 2440, 3400, 4500),
    "e": (530, 1840, 2480, 3500, 4500),
    "i": (290, 2250, 3000, 3600, 4500),
    "o": (500, 900, 2400, 3300, 4500),
    "u": (320, 800, 2240, 3300, 4500),
    "ae": (660, 1600, 2410, 3500, 4500),
    "er": (490, 1350, 2400, 3400, 4500),
}


@dataclass(frozen=True)
class Consonant:
    """A consonant before a vowel.

    Attributes:
        seconds: Duration.
        voicing: Loudness of the voice during the consonant, from 0 to 1.
        noise: Loudness of its noise, from 0 to 1.
        band: Lowest and highest frequency of the noise in Hz.
        formants: Formants from which the vowel's are approached; None for the vowel's own.
        stop: Whether the mouth is closed before the consonant.
    """

    seconds: float
    voicing: float
    noise: float = 0.0
    band: Tuple[float, float] = (1000.0, 8000.0)
    formants: Optional[Formants] = None
    stop: bool = False


CONSONANTS: Dict[str, Consonant] = {
    "s": Consonant(0.12, 0.0, 0.9, (5000, 13000)),
    "sh": Consonant(0.12, 0.0, 0.8, (2200, 9000)),
    "f": Consonant(0.09, 0.0, 0.3, (1500, 12000)),
    "h": Consonant(0.08, 0.1, 0.25, (500, 7000)),
    "t": Consonant(0.03, 0.0, 1.0, (3000, 11000), (400, 1800, 2600, 3500, 4500), stop=True),
    "k": Consonant(0.04, 0.0, 0.8, (1400, 6000), (350, 1900, 2300, 3500, 4500), stop=True),
    "p": Consonant(0.03, 0.0, 0.5, (400, 4000), (350, 900, 2200, 3400, 4500), stop=True),
    "d": Consonant(0.035, 0.35, 0.4, (2500, 8000), (350, 1700, 2600, 3500, 4500)),
    "b": Consonant(0.035, 0.4, 0.25, (300, 2000), (300, 900, 2200, 3400, 4500)),
    "z": Consonant(0.08, 0.3, 0.5, (5000, 12000), (300, 1600, 2600, 3500, 4500)),
    "m": Consonant(0.08, 0.45, formants=(250, 1000, 2200, 3300, 4500)),
    "n": Consonant(0.07, 0.45, formants=(250, 1450, 2300, 3300, 4500)),
    "l": Consonant(0.06, 0.7, formants=(360, 1100, 2700, 3400, 4500)),
    "w": Consonant(0.07, 0.6, formants=(300, 650, 2200, 3300, 4500)),
    "y": Consonant(0.07, 0.7, formants=(280, 2200, 2900, 3500, 4500)),
}
