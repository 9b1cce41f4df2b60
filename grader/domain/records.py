"""From arrays of measurements to the records that are kept: rounding happens here, once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from grader.domain.decisions import FruitRecord
from grader.domain.fruit import QUANTITIES, FruitMeasurements, Values


def rounded(measurements: FruitMeasurements) -> FruitMeasurements:
    """The same fruit with every quantity rounded to its decimals in `QUANTITIES`; what is not finite becomes NaN.

    Whoever grades should grade these numbers: then a sheet applied to the journal later decides as the
    line did (blush is what the sheet of then called so), and a reason never says "65.00 > 65". Rounding twice changes
    nothing.
    """
    values: dict[str, Any] = {
        name: _rounded(column, QUANTITIES[name].decimals) for name, column in measurements.quantities()
    }
    return replace(measurements, **values)


def records_from(
    measurements: FruitMeasurements,
    *,
    lots: Sequence[str],
    grades: Sequence[str],
    sizes: Sequence[str],
    outlets: Sequence[int],
    reasons: Sequence[Sequence[str]],
) -> list[FruitRecord]:
    """One record per fruit, in the order given; each sequence has an entry per fruit, else ValueError."""
    kept = rounded(measurements)
    columns = [_plain(column) for _, column in kept.quantities()]
    return [
        FruitRecord(
            lane=lane,
            cup=cup,
            lot=lot,
            values=dict(zip(QUANTITIES, values, strict=True)),
            grade=grade,
            size=size,
            outlet=int(outlet),
            reasons=tuple(why),
            flags=flags,
        )
        # A loop over fruit, because a record is an object per fruit: 3 us each.
        for lane, cup, flags, lot, grade, size, outlet, why, *values in zip(
            kept.lane.tolist(),
            kept.cup.tolist(),
            kept.flags.tolist(),
            lots,
            grades,
            sizes,
            outlets,
            reasons,
            *columns,
            strict=True,
        )
    ]


def _rounded(values: Values, decimals: int) -> Values:
    # round() gives the double nearest to the decimal fraction, which is what the printed text reads back as.
    # Adding 0.0 turns -0.0 into 0.0: a table never shows "-0.00".
    with np.errstate(over="ignore", invalid="ignore"):
        result = np.round(values, decimals) + 0.0
    return np.where(np.isfinite(result), result, np.nan)


def _plain(values: Values) -> list[float | None]:
    # Plain Python numbers, which a database and a codec take; None where there is none.
    plain = values.astype(object)
    plain[np.isnan(values)] = None
    return list(plain)
