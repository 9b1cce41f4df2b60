"""What people read about one fruit: its values, its class, and why it is no better."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from rich.table import Table
from rich.text import Text

from grader.app.explaining import Explained
from grader.cli.words import Language, say, say_flag
from grader.domain.decisions import DEFAULT_OUTLET, FruitRecord
from grader.domain.flags import flag_names
from grader.domain.fruit import QUANTITIES
from grader.vision.skin_map.picture import spot_letter


def fruit_in_words(record: FruitRecord, lang: Language) -> Iterator[Text | Table]:
    """Line by line. A value that was not measured is a dash."""
    where = (
        say(lang, "default") if record.outlet == DEFAULT_OUTLET else say(lang, "outlet_of", numbers=str(record.outlet))
    )
    graded = " ".join(part for part in (record.grade, record.size) if part) or say(lang, "explain_no_class")
    yield Text(say(lang, "explain_fruit", lane=record.lane, cup=record.cup, graded=graded, outlet=where), style="bold")
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True, style="dim")
    for name, quantity in QUANTITIES.items():
        value = record.values.get(name)
        shown = "-" if value is None else f"{value:.{quantity.decimals}f}"
        called = {"en": quantity.english, "zh": quantity.chinese}[lang]
        table.add_row(called, shown, "" if quantity.unit == "1" else quantity.unit)
    yield table
    for reason in record.reasons:
        yield Text(f"· {reason}")
    for name in filter(None, flag_names(record.flags).split("+")):
        yield Text(f"! {say_flag(lang, name)}", style="yellow")


def spots_in_words(found: Explained, lang: Language) -> Iterator[Text]:
    """A line for each, the largest first, by the letter that it has in the picture."""
    spots, ends = found.spots, found.ends
    if spots is None or found.skin_map is None:
        return
    for index in range(len(spots.area_mm2)):
        line = say(
            lang,
            "explain_spot",
            letter=spot_letter(index),
            area=f"{spots.area_mm2[index]:.0f}",
            length=f"{spots.length_mm[index]:.0f}",
            darker=f"{100 * spots.missing[index]:.0f}",
        )
        if ends is not None and ends.known:
            away_mm = found.skin_map.radius_mm * float(np.arccos(np.clip(spots.place[index] @ ends.stem, -1.0, 1.0)))
            line += say(lang, "explain_spot_away", away=f"{away_mm:.0f}")
        yield Text(line)
