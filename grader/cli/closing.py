"""What is printed when the books are closed: what each lot became, what was missed, how long things took."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from grader.cli.drawing import duration, largest_first, marked, natural, percent, percentiles, table
from grader.cli.words import Language, say, say_flag
from grader.domain.lots import NO_LOT
from grader.domain.snapshot import STAGES
from grader.storage.summary import LotSummary, Summary


def closing_report(summary: Summary, lang: Language) -> RenderableType:
    """Packout by grade and size, of every lot by itself if there are several; outlets, flags, latency of them all."""
    flags = table(say(lang, "flag"), say(lang, "fruit"), say(lang, "share"), texts=1)
    for name, fruit in largest_first(summary.flags):
        flags.add_row(say_flag(lang, name), f"{fruit:,}", percent(fruit, summary.fruit))
    latency = table(say(lang, "stage"), "p50", "p99", "p99.9", say(lang, "worst"), say(lang, "timed"), texts=1)
    for stage in STAGES:
        if stage in summary.latency:
            latency.add_row(say(lang, stage), *percentiles(summary.latency[stage]), f"{summary.latency[stage].n:,}")
    tables = (_outlets(summary.outlets, summary.fruit, lang), flags, latency)
    return Group(
        *_heading(summary, lang),
        *(part for lot in _of_lots(summary, lang) for part in ("", lot)),
        *(part for each in tables if each.row_count for part in ("", each)),
    )


def _heading(summary: Summary, lang: Language) -> Iterator[Text]:
    if len(summary.lots) > 1:
        yield Text(say(lang, "lots_closed", n=len(summary.lots)), style="bold")
    else:
        growers = [lot.grower for lot in summary.by_lot]
        yield Text(say(lang, "lot_closed", lot=_named("".join(summary.lots), *growers, lang=lang)), style="bold")
    yield Text(
        say(
            lang,
            "fruit_in_time",
            fruit=f"{summary.fruit:,}",
            duration=duration(summary.duration_s),
            rate=f"{summary.fruit_per_s:.1f}",
        )
    )
    missed = summary.late + summary.refused + summary.void + summary.unknown + summary.frames_dropped
    yield marked(
        say(
            lang,
            "gates_missed",
            late=f"{summary.late:,}",
            refused=f"{summary.refused:,}",
            void=f"{summary.void:,}",
            unknown=f"{summary.unknown:,}",
            dropped=f"{summary.frames_dropped:,}",
        ),
        trouble=bool(missed),
    )


def _of_lots(summary: Summary, lang: Language) -> Iterator[RenderableType]:
    """Shares are of the lot's own fruit: that is what its grower is paid by."""
    if len(summary.by_lot) < 2:
        packout = _packout(summary.packout, summary.fruit, lang)
        if packout.row_count:
            yield packout
        return
    for lot in summary.by_lot:
        yield Group(
            Text(_title(lot, summary.fruit, lang), style="bold"),
            _packout(lot.packout, lot.fruit, lang),
            Text(_by_outlet(lot, lang)),
        )


def _title(lot: LotSummary, fruit: int, lang: Language) -> str:
    name = _named(lot.name, lot.grower, lang=lang)
    return say(lang, "lot_title", lot=name, fruit=f"{lot.fruit:,}", share=percent(lot.fruit, fruit))


def _named(name: str, grower: str = "", *, lang: Language) -> str:
    name = say(lang, "no_lot") if name == NO_LOT else name or "-"
    return say(lang, "lot_of", lot=name, grower=grower) if grower else name


def _by_outlet(lot: LotSummary, lang: Language) -> str:
    by_outlet = (f"{outlet}: {lot.outlets[outlet]:,}" for outlet in sorted(lot.outlets, key=natural))
    return f"{say(lang, 'by_outlet')} {'  '.join(by_outlet)}"


def _packout(packout: Mapping[str, Mapping[str, int]], fruit: int, lang: Language) -> Table:
    rows = table(say(lang, "grade"), say(lang, "size"), say(lang, "fruit"), say(lang, "share"), texts=2)
    for grade, of_grade in largest_first({grade: sum(sizes.values()) for grade, sizes in packout.items()}):
        rows.add_row(grade or "-", say(lang, "all_sizes"), f"{of_grade:,}", percent(of_grade, fruit), style="bold")
        sizes = packout[grade]
        for size in sorted(sizes, key=natural):
            rows.add_row("", size or "-", f"{sizes[size]:,}", percent(sizes[size], fruit))
    return rows


def _outlets(outlets: Mapping[str, int], fruit: int, lang: Language) -> Table:
    rows = table(say(lang, "outlet"), say(lang, "fruit"), say(lang, "share"), texts=1)
    for outlet in sorted(outlets, key=natural):
        name = f"0 ({say(lang, 'default')})" if outlet == "0" else outlet
        rows.add_row(name, f"{outlets[outlet]:,}", percent(outlets[outlet], fruit))
    return rows
