"""What people read of a calibration."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np

from grader.app.calibrating import BlushFound
from grader.cli.words import Language, say
from grader.domain.colour import USUAL_BLUSH_TO_DEG

_MOST_NAMED = 5


def blush_in_words(found: BlushFound, lang: Language) -> Iterator[str]:
    """Where blush ends, how sure that is, what to write into a sheet, and the fruit that are farthest off."""
    fit, said = found.fit, np.array(list(found.marked.values()))
    usual = {"usual_deg": f"{USUAL_BLUSH_TO_DEG:g}", "usual": f"{100 * fit.rmse_usual:.1f}"}
    yield say(lang, "blush_ends", deg=f"{fit.to_deg:g}", se=f"{fit.to_deg_se:.1f}", fruit=len(said))
    yield say(lang, "blush_off", rmse=f"{100 * fit.rmse:.1f}", **usual)
    if fit.rmse >= fit.rmse_usual:
        yield say(lang, "blush_as_usual", **usual)
    else:
        yield say(lang, "blush_into_sheet")
        if found.variety:
            name = json.dumps(found.variety, ensure_ascii=False).replace("\x7f", "\\u007f")  # TOML takes it so
            yield "    [blush.varieties]"
            yield f"    {name} = {fit.to_deg:g}"
        else:
            yield "    [blush]"
            yield f"    to_deg = {fit.to_deg:g}"
    places, off = list(found.marked), fit.measured - said
    yield say(lang, "blush_farthest")
    for index in np.argsort(-np.abs(off), kind="stable")[:_MOST_NAMED].tolist():
        lane, cup = places[index]
        shares = {"marked": f"{100 * said[index]:.0f}", "measured": f"{100 * fit.measured[index]:.0f}"}
        yield say(lang, "blush_fruit", lane=lane, cup=cup, **shares)
