"""From counts to what the fruit took up."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


def absorbance(counts: NDArray[Any], white: NDArray[Any], dark: NDArray[Any]) -> Values:
    """log10((white - dark) / (counts - dark)), channel by channel.

    counts: (n, channels) raw counts; white, dark: (channels,) or (n, channels). Returns (n, channels) float64; NaN
    where the sample or the reference is not above dark, or a count is no number.
    """
    dark = np.asarray(dark, np.float64)
    signal, reference = counts - dark, white - dark
    lit = (signal > 0) & (reference > 0)  # False for NaN
    return np.asarray(np.log10(np.where(lit, reference, np.nan) / np.where(lit, signal, np.nan)))


def standard_normal_variate(spectra: Values) -> Values:
    """Each spectrum less its own mean, in units of its own spread: takes out path length and the level of scatter.

    spectra: (n, channels). A row with a NaN, or without any spread, is NaN throughout.
    Barnes, Dhanoa, Lister: Applied Spectroscopy 43 (1989) 772.
    """
    centred = spectra - spectra.mean(axis=1, keepdims=True)
    spread = centred.std(axis=1, keepdims=True)
    return np.asarray(centred / np.where(spread > 0, spread, np.nan))
