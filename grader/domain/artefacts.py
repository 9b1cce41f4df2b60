"""What calibration leaves behind: frozen records of numbers, and the checks that make each of them whole.

A record holds text, numbers, tuples of them, and arrays; `UNITS` names the unit of every field that its own name does
not. `grader.storage.artefacts` keeps such records in files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


def _must(true: bool, what: str) -> None:
    if not true:
        raise ValueError(what)


@dataclass(frozen=True, slots=True, kw_only=True)
class SugarModel:
    """Soluble solids from a spectrum: absorbance, standard normal variate, then a dot product.

    What it was made from
        name, version, fruit, training_sha256: which data, told from any other. n_fruit in n_groups (lots).
        ssc_range_brix, temperature_range_c: of the calibration fruit, lowest and highest; None: not recorded.
        preprocessing: the steps in order, in words; `derivative` and all that follows it lie within `coefficients`.
        components: of the partial least squares fit.
    The instrument
        wavelengths_nm: (n,) every channel of a scan, rising. Channels first_channel up to, not including, stop_channel
        are used: m of them.
        white_counts, dark_counts: (n,) references taken at calibration, for a recording that has none of its own.
        saturation_counts: a used channel at or above it is saturated. least_signal_counts: a scan whose used channels
        have a lower median above dark is too dark.
    The prediction, of x = the m used channels after the standard normal variate
        ssc = intercept_brix + x @ coefficients.
        standard_error_brix: of one fruit of a lot never seen, at the centre of the calibration set.
        leverage = 1 / n_fruit + sum(((x - centre) @ score_weights) ** 2).
    Unlike the calibration set
        loadings: (m, a) orthonormal principal components of the calibration spectra about `centre`, score_variance (a,)
        along them; residual_sd (m,) what they leave of each channel. Hotelling's T2 above t2_limit, or a squared
        distance Q from their plane, in units of residual_sd, above q_limit, is unlike.
    """

    UNITS: ClassVar[Mapping[str, str]] = MappingProxyType(
        {
            "coefficients": "Brix per unit of standard normal variate",
            "centre": "standard normal variate",
            "score_weights": "square root of leverage per unit of standard normal variate",
            "loadings": "1",
            "score_variance": "squared standard normal variate",
            "residual_sd": "standard normal variate",
            "t2_limit": "1",
            "q_limit": "1",
        }
    )

    name: str
    version: str
    fruit: str
    training_sha256: str
    n_fruit: int
    n_groups: int
    ssc_range_brix: tuple[float, float]
    temperature_range_c: tuple[float, float] | None
    preprocessing: tuple[str, ...]
    components: int

    wavelengths_nm: Values
    first_channel: int
    stop_channel: int
    white_counts: Values
    dark_counts: Values
    saturation_counts: float
    least_signal_counts: float

    intercept_brix: float
    coefficients: Values
    standard_error_brix: float
    centre: Values
    score_weights: Values

    loadings: Values
    score_variance: Values
    residual_sd: Values
    t2_limit: float
    q_limit: float

    def __post_init__(self) -> None:
        n, m = len(self.wavelengths_nm), self.stop_channel - self.first_channel
        _must(self.wavelengths_nm.ndim == 1 and n >= 2, "wavelengths_nm has to name two channels at least")
        _must(bool(np.all(np.diff(self.wavelengths_nm) > 0)), "wavelengths_nm does not rise")
        _must(self.first_channel >= 0 and m >= 2 and self.stop_channel <= n, "the used channels lie outside the scan")
        _must(self.loadings.ndim == 2 and self.score_weights.ndim == 2, "loadings and score_weights are tables")
        shapes = {
            "white_counts": (n,),
            "dark_counts": (n,),
            "coefficients": (m,),
            "centre": (m,),
            "score_weights": (m, self.components),
            "loadings": (m, self.loadings.shape[1]),
            "score_variance": (self.loadings.shape[1],),
            "residual_sd": (m,),
        }
        for field, shape in shapes.items():
            _must(getattr(self, field).shape == shape, f"{field} has shape {getattr(self, field).shape}, not {shape}")
        for each in fields(self):
            value = getattr(self, each.name)
            if isinstance(value, np.ndarray | float):
                _must(bool(np.all(np.isfinite(value))), f"{each.name} is not finite")
        for field in ("n_fruit", "n_groups", "components", "standard_error_brix", "t2_limit", "q_limit"):
            _must(getattr(self, field) > 0, f"{field} has to be above 0")
        for field in ("score_variance", "residual_sd"):
            _must(bool(np.all(getattr(self, field) > 0)), f"{field} has to be above 0")
        used = slice(self.first_channel, self.stop_channel)
        _must(bool(np.all(self.white_counts[used] > self.dark_counts[used])), "white_counts is not above dark_counts")
