"""How a station stands, in a few lines: what `grader order show` prints."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from grader.cli.drawing import BAD, duration, percent
from grader.cli.page import STATES, board_text, fault_lines, lots_text, missed_counts, rate_text
from grader.cli.words import Language, said_by_devices, say, say_findings
from grader.domain.snapshot import Snapshot


def how_it_stands(snapshot: Snapshot, lang: Language) -> Standing:
    """State, lots, speed, what fruit became, and what is wrong."""
    return Standing(snapshot, lang)


class Standing:
    """Draws itself as wide as the window is."""

    def __init__(self, snapshot: Snapshot, lang: Language) -> None:
        self._snapshot, self._lang = snapshot, lang

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        snapshot, lang = self._snapshot, self._lang
        symbol, style = STATES[snapshot.state]
        state = f"{symbol} {say(lang, snapshot.state.value)}  {duration(snapshot.elapsed_s)}"
        reason = f"  {snapshot.reason}" if snapshot.reason and snapshot.fault is None else ""
        yield Text(f"{state}{reason}", style=style)
        yield from fault_lines(snapshot, lang, options.max_width)
        for said in (*say_findings(lang, snapshot.findings), *said_by_devices(snapshot.findings)):
            yield Text(f"! {said}", style=BAD)
        facts = Table.grid(padding=(0, 2, 0, 0))
        facts.add_column(style="dim", no_wrap=True)
        facts.add_column(overflow="fold")
        for name, fact in self._facts():
            facts.add_row(say(lang, name), fact)
        yield facts

    def _facts(self) -> Iterator[tuple[str, Text]]:
        snapshot, lang = self._snapshot, self._lang
        fruit = sum(lane.fruit for lane in snapshot.lanes)
        yield "lots", Text(lots_text(snapshot, lang) or snapshot.lot)
        yield "sheet", Text(snapshot.sheet)
        yield (
            "show_speed",
            Text(f"{say(lang, 'cups_per_s', value=f'{snapshot.cups_per_s:.1f}')}, {rate_text(snapshot, lang)}"),
        )
        yield "fruit", Text(f"{fruit:,}  ({say(lang, 'show_kept')}: {snapshot.journal_rows:,})")
        grades = snapshot.grades.items()
        yield "grade", Text("  ".join(f"{grade or '-'} {percent(count, fruit)}" for grade, count in grades))
        yield "outlet", Text("  ".join(f"{outlet}: {count:,}" for outlet, count in sorted(snapshot.outlets.items())))
        yield "show_gates", Text("  ").join(missed_counts(snapshot, lang))
        yield "show_board", board_text(snapshot, lang)
