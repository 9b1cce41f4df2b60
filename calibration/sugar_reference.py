"""Reference fruit for the sugar model: scanned, then pressed; and how to get some from the simulated line."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grader.domain.artefacts import Values
from hardware.sim.levels import CHANGING, Level
from hardware.sim.spectrometer import SimulatedSpectrometer

Lots = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceFruit:
    """Fruit that were scanned and then pressed. counts, white, dark: (n, channels) raw counts; ssc_brix (n,);
    lots (n,) whole numbers; fruit_temp_c (n,), None: not taken; wavelengths_nm (channels,)."""

    fruit: str
    wavelengths_nm: Values
    counts: Values
    white: Values
    dark: Values
    ssc_brix: Values
    lots: Lots
    fruit_temp_c: Values | None = None

    def rows(self, pick: Any) -> ReferenceFruit:
        """The same record with the picked fruit only: a mask, indices or a slice."""
        arrays = ("counts", "white", "dark", "ssc_brix", "lots")
        temperature_c = None if self.fruit_temp_c is None else self.fruit_temp_c[pick]
        return replace(self, fruit_temp_c=temperature_c, **{name: getattr(self, name)[pick] for name in arrays})

    def sha256(self) -> str:
        """Names these very numbers."""
        parts = (self.wavelengths_nm, self.counts, self.white, self.dark, self.ssc_brix, self.lots)
        digest = hashlib.sha256(self.fruit.encode())
        for part in (*parts, np.array([]) if self.fruit_temp_c is None else self.fruit_temp_c):
            digest.update(repr(part.shape).encode() + np.ascontiguousarray(part).tobytes())
        return digest.hexdigest()


def simulated_reference_fruit(n: int, seed: int, level: Level = CHANGING, *, fruit_per_lot: int = 40) -> ReferenceFruit:
    """Fruit of the simulated line: each lot another day of the instrument, another store's temperature, another mean.

    A lot's references are taken at a time of the day, its fruit in the hour after. What the level disturbs is spread
    evenly over its whole range, not as it occurs: a model has to know the ends. Deterministic by its arguments.
    """
    draw = np.random.default_rng(seed)
    rows: list[tuple[Any, ...]] = []
    nm: tuple[float, ...] = ()
    for lot in range(-(-n // fruit_per_lot)):
        device = SimulatedSpectrometer(level, seed=1_000_003 * seed + lot)
        nm, start_h = device.wavelengths_nm, draw.uniform(0.0, 8.0)
        white, dark = device.white(hours=start_h), device.dark(hours=start_h)
        span_c = level.fruit_temp_span_c
        store_c, lot_brix = draw.uniform(-span_c, span_c), draw.normal(13.0, 1.2)
        for fruit in range(min(fruit_per_lot, n - lot * fruit_per_lot)):  # one scan each, as the device gives them
            ssc_brix = float(np.clip(draw.normal(lot_brix, 1.2), 7.0, 19.0))
            temperature_c = level.fruit_temp_mean_c + float(np.clip(store_c + draw.normal(0.0, 1.5), -span_c, span_c))
            counts = device.scan(
                key=(lot, fruit),
                ssc_brix=ssc_brix,
                diameter_mm=draw.uniform(50.0, 92.0),
                chlorophyll=draw.uniform(0.0, 1.0),
                anthocyanin=draw.uniform(0.0, 1.0),
                fruit_temp_c=temperature_c,
                hours=start_h + draw.uniform(0.0, 1.0),
            )
            rows.append((counts, white, dark, ssc_brix, temperature_c, lot))
    counts_, white_, dark_, ssc_, temperature_, lots_ = (np.array(column) for column in zip(*rows, strict=True))
    return ReferenceFruit(
        fruit="apple",
        wavelengths_nm=np.array(nm),
        counts=counts_.astype(np.float64),
        white=white_.astype(np.float64),
        dark=dark_.astype(np.float64),
        ssc_brix=ssc_,
        lots=lots_.astype(np.int64),
        fruit_temp_c=temperature_,
    )
