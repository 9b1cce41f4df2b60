"""A spectrometer that looks into fruit: what 16-bit counts it would show, and why they are hard to read.

Light goes through the flesh and is taken up band by band (Beer-Lambert, decadic):

    absorbance = scatter(nm) + path(nm) * (water + sugar + other dry matter + chlorophyll) + anthocyanin of the skin
    counts     = dark + lamp(nm) * 10 ** -absorbance + noise

Sugar is a small part of it: one degree Brix changes a channel by a few thousandths, while path, scatter, the
temperature of the water and the pigments change it by tenths. Bands are placed where the literature has them (water
970, 840 and 745 nm, its band moving to shorter waves when warm; C-H of sugar near 910 nm; chlorophyll 675 nm); their
strengths are chosen so that the line's difficulty is that of published ones, not measured.

Every scan is a function of (level, seed, key), never of the order of calls. The seed is the day: how the lamp ages, how
the wavelengths creep. The unit itself, its lamp and its pixels, is one and the same for every seed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hardware.sim.draws import keyed
from hardware.sim.levels import Level

FULL_SCALE_COUNTS = 65535.0
_FIRST_NM, _STEP_NM, _CHANNELS = 600.0, 2.5, 201

# Bands as (centre nm, SD nm, decadic absorbance per cm): of pure water, of one degree Brix, of a share of 0.01 of other
# dry matter (starch, acids, fibre), and of one unit of pigment.
_WATER = ((967.0, 22.0, 0.185), (1005.0, 32.0, 0.055), (838.0, 18.0, 0.012), (745.0, 14.0, 0.011))
_SUGAR = ((911.0, 17.0, 0.00120), (984.0, 34.0, 0.00080), (838.0, 22.0, 0.00015), (752.0, 15.0, 0.00012))
_OTHER_DRY_MATTER = ((924.0, 20.0, 0.00080), (990.0, 40.0, 0.00050), (760.0, 18.0, 0.00008))
_CHLOROPHYLL = ((675.0, 13.0, 0.10), (645.0, 22.0, 0.03))
_ANTHOCYANIN = ((545.0, 42.0, 1.2),)  # a layer of skin: absorbance, not per cm

_PATH_CM, _PATH_DIAMETER_MM, _PATH_POWER = 5.0, 75.0, 0.8  # diffuse path through a fruit; grows slower than the fruit
_SCATTER, _SCATTER_POWER = 0.35, 1.0  # loss by scatter at 850 nm, falling with wavelength
_DRY_MATTER_SHARE = 0.03  # of the flesh, beside soluble solids
_WATER_SHIFT_NM_PER_C, _WATER_GAIN_PER_C = -0.08, 0.0015  # the water bands when warm, against 20 °C

# Spread from fruit to fruit, as multiples of `Level.spectral_noise` (0.002 at `static` and `changing`).
_PATH_SPREAD, _PATH_TILT_SPREAD, _SCATTER_SPREAD, _SCATTER_POWER_SPREAD = 50.0, 25.0, 50.0, 100.0
_DRY_MATTER_SPREAD = 3.0  # 0.006 of the flesh
_SPOT_SPREAD_BRIX = 100.0  # the beam sees one part of the fruit, the reference juice is all of it: SD 0.2 Brix

_DARK_COUNTS, _DARK_PATTERN_COUNTS = 900.0, 25.0
_WHITE_SHARE = 0.72  # of full scale, the reference tile at its brightest channel
_OPENING = 1.7  # scans of fruit are exposed this much longer than those of the tile
_REFERENCE_EXPOSURES = 16  # a reference is the mean of so many: its noise would be in every fruit of the lane
_UNIT = 20_11  # what makes this unit's pixels its own

Spectrum = NDArray[np.float64]


class SimulatedSpectrometer:
    """One spectrometer on one day. seed: the day."""

    def __init__(self, level: Level, seed: int) -> None:
        self._level, self._seed = level, seed
        self._nm: Spectrum = _FIRST_NM + _STEP_NM * np.arange(_CHANNELS, dtype=np.float64)
        unit = np.random.default_rng(_UNIT)
        self._dark_pattern = _DARK_PATTERN_COUNTS * unit.standard_normal(_CHANNELS)
        lamp = _lamp_and_detector(self._nm) * (1.0 + 0.01 * unit.standard_normal(_CHANNELS))
        self._white_counts = _WHITE_SHARE * FULL_SCALE_COUNTS * lamp / lamp.max()
        day = keyed(seed, "spectrometer day")
        self._lamp_rate, self._tilt_rate, self._nm_rate, self._dark_rate = (
            level.instrument_drift_per_hour * day.standard_normal(4)
        )

    @property
    def wavelengths_nm(self) -> tuple[float, ...]:
        """One per channel, rising: 600 to 1100 nm in steps of 2.5."""
        return tuple(self._nm.tolist())

    def scan(
        self,
        *,
        key: tuple[int, ...],
        ssc_brix: float,
        diameter_mm: float,
        chlorophyll: float,
        anthocyanin: float,
        fruit_temp_c: float,
        hours: float,
    ) -> NDArray[np.float32]:
        """(n,) float32 raw counts of one fruit, whole numbers from 0 to 65535, where the detector saturates.

        key: numbers from 0 up that name this scan (lane and cup, say): they alone draw its noise and its flesh.
        ssc_brix: of the whole fruit's juice. chlorophyll, anthocyanin: 0 (none) to about 1 (a green, a dark red fruit).
        fruit_temp_c: of the pulp. hours: since the start of the day, when the instrument did not yet drift.
        """
        draw = keyed(self._seed, "spectrum", *key)
        path, tilt, scatter, power, dry_matter, spot = self._level.spectral_noise * draw.standard_normal(6)
        nm = self._nm + _STEP_NM * self._nm_rate * hours
        path_cm = (
            _PATH_CM
            * (diameter_mm / _PATH_DIAMETER_MM) ** _PATH_POWER
            * np.exp(_PATH_SPREAD * path)
            * (1.0 + _PATH_TILT_SPREAD * tilt * (nm - 850.0) / 250.0)
        )
        ssc_seen = ssc_brix + _SPOT_SPREAD_BRIX * spot
        dry_share = _DRY_MATTER_SHARE + _DRY_MATTER_SPREAD * dry_matter
        water_share = 1.0 - 0.01 * ssc_seen - dry_share  # sugar and other dry matter take the place of water
        warmer_c = fruit_temp_c - 20.0
        flesh = (
            water_share * (1.0 + _WATER_GAIN_PER_C * warmer_c) * _bands(nm - _WATER_SHIFT_NM_PER_C * warmer_c, _WATER)
            + ssc_seen * _bands(nm, _SUGAR)
            + 100.0 * dry_share * _bands(nm, _OTHER_DRY_MATTER)
            + chlorophyll * _bands(nm, _CHLOROPHYLL)
        )
        loss = (_SCATTER + _SCATTER_SPREAD * scatter) * (nm / 850.0) ** -(
            _SCATTER_POWER + _SCATTER_POWER_SPREAD * power
        )
        absorbance = loss + path_cm * flesh + anthocyanin * _bands(nm, _ANTHOCYANIN)
        return self._read(_OPENING * 10.0**-absorbance, hours, draw)

    def white(self, *, hours: float = 0.0) -> NDArray[np.float32]:
        """(n,) float32 counts of the reference tile, the mean of 16 exposures."""
        return self._read(
            np.ones(_CHANNELS), hours, keyed(self._seed, "white reference", _second(hours)), _REFERENCE_EXPOSURES
        )

    def dark(self, *, hours: float = 0.0) -> NDArray[np.float32]:
        """(n,) float32 counts with the shutter closed, the mean of 16 exposures."""
        return self._read(
            np.zeros(_CHANNELS), hours, keyed(self._seed, "dark reference", _second(hours)), _REFERENCE_EXPOSURES
        )

    def _read(
        self, transmitted: Spectrum, hours: float, draw: np.random.Generator, exposures: int = 1
    ) -> NDArray[np.float32]:
        """What the detector shows for a share of the tile's light: lamp, dark current, noise, 16 bits."""
        tilt = self._tilt_rate * hours * (self._nm - 850.0) / 250.0
        lamp = self._white_counts * (1.0 + self._lamp_rate * hours) * (1.0 + tilt)
        dark = (_DARK_COUNTS + self._dark_pattern) * (1.0 + self._dark_rate * hours)
        noise_counts = self._level.spectral_noise * FULL_SCALE_COUNTS / exposures**0.5
        noise = noise_counts * draw.standard_normal(_CHANNELS)
        counts = np.rint(dark + lamp * transmitted + noise)
        return np.asarray(np.clip(counts, 0.0, FULL_SCALE_COUNTS), np.float32)


def _second(hours: float) -> int:
    """References taken within one second are one and the same."""
    return round(hours * 3600.0)


def _bands(nm: Spectrum, bands: tuple[tuple[float, float, float], ...]) -> Spectrum:
    """Sum of Gaussian bands (centre, SD, height)."""
    centre, sd, height = np.array(bands).T[:, :, None]
    return np.asarray((height * np.exp(-0.5 * ((nm - centre) / sd) ** 2)).sum(axis=0))


def _lamp_and_detector(nm: Spectrum) -> Spectrum:
    """A halogen lamp (Planck, 2900 K, by photons) on a silicon detector that fades towards 1100 nm."""
    planck = nm**-4.0 / np.expm1(1.4388e7 / (nm * 2900.0))
    silicon = 1.0 / (1.0 + np.exp((nm - 1030.0) / 28.0))
    return np.asarray(planck * (0.04 + 0.96 * silicon))
