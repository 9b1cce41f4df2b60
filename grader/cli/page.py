"""The terminal page that shows the running line.

`render` draws one snapshot and knows no terminal: it fits 80 x 24 and grows with the window. What matters most gets
its room first; what has none is counted ("... 3 more"), never cut off unseen. Colour always comes with a symbol or a
number.

    header          state, speed; the lots, if there are several
    fault           what happened and what to do, while the station is faulted
    lanes   | grades
            | outlets
    latency | watch          what is not as it should be
    footer          board and journal; what a device said; what can be done
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.layout import Layout
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from grader.cli.drawing import (
    BAD,
    GOOD,
    HISTOGRAM_HEAD,
    WARNING,
    Bar,
    Line,
    Rows,
    duration,
    histogram,
    largest_first,
    marked,
    percent,
    percentiles,
    wrapped,
)
from grader.cli.words import LANGUAGE_NAMES, Language, other_language, said_by_devices, say, say_findings, say_flag
from grader.domain.lots import NO_LOT
from grader.domain.snapshot import STAGES, FaultKind, FindingKind, LotOnBelt, Snapshot, State

STATES = {
    State.STARTING: ("~", WARNING),
    State.RUNNING: ("✓", GOOD),
    State.DRAINING: ("~", WARNING),
    State.STOPPED: ("-", "bold"),
    State.FAULTED: ("✗", BAD),
}
_BORDERS, _COUNTER_ROWS, _MOST_LOT_LINES = 2, 2, 2
_MATTER_MOST = ("frame_to_command", "step", "map", "commit", "answer", "frame_to_step", "wait")
"""The stages, by what is looked at first."""
_HISTOGRAM_FROM = 50
"""Cells of the latency panel from which on there is room for it."""


def render(snapshot: Snapshot, lang: Language, *, keys: bool = False, notice: Text | None = None) -> RenderableType:
    """The whole page for one snapshot. keys: whether keys are read. notice: about a key, in the place of what can be
    done."""
    return _Page(snapshot, lang, keys, notice)


def fault_lines(snapshot: Snapshot, lang: Language, cells: int, remedy: str = "") -> list[Text]:
    """What happened, in the words of who found it too, and what to do, step by step; empty without a fault.

    remedy: the last step, where it is not the usual one.
    """
    if snapshot.fault is None:
        return []
    last = remedy or say(lang, "reset_by_order" if snapshot.can_reset else "restart")
    steps = (say(lang, f"remedy_{snapshot.fault}"), last)
    said = snapshot.fault is not FaultKind.EMERGENCY_STOP  # nothing could be said more plainly
    return [
        *wrapped(f"✗ {say(lang, f'fault_{snapshot.fault}')}", cells, BAD),
        *(wrapped(say(lang, "message", text=snapshot.reason), cells, "dim") if said and snapshot.reason else []),
        *(line for number, step in enumerate(steps, start=1) for line in wrapped(f"{number}. {step}", cells, "bold")),
    ]


def lots_text(snapshot: Snapshot, lang: Language) -> str:
    """The lots on the belt, whose they are, and in how many lanes they wait for a gap."""
    lanes = len(snapshot.lanes)
    return "   ".join(text for lot in snapshot.lots for text in _lot_texts(lot, lanes, lang))


def board_text(snapshot: Snapshot, lang: Language) -> Text:
    """The gate board and what it says of the plant."""
    board = snapshot.board
    if board is None:
        return Text(f"✗ {say(lang, 'board_lost')}", style=BAD)
    if board.emergency_stop:
        return Text(f"✗ {say(lang, 'emergency_stop')}", style=BAD)
    if not board.belt_running:
        return Text(f"! {say(lang, 'belt_stopped')}", style=WARNING)
    said = say(lang, "board_good", pending=board.pending, open=board.gates_open)
    return Text(f"✓ {said}", style=GOOD)


def missed_counts(snapshot: Snapshot, lang: Language) -> list[Text]:
    """What became of gate commands that did not open their gate, and frames without a place."""
    return [
        marked(f"{say(lang, name)} {count:,}", trouble=count > 0)
        for name in ("late", "refused", "void", "frames_dropped")
        for count in [getattr(snapshot, name)]
    ]


def rate_text(snapshot: Snapshot, lang: Language) -> str:
    """Fruit per second over all lanes."""
    return say(lang, "fruit_per_s", value=f"{sum(lane.fruit_per_s for lane in snapshot.lanes):.1f}")


class _Wish(NamedTuple):
    """A panel that wants so many rows inside it, and the least of them. draw: with the rows that it got."""

    rows: int
    least: int
    draw: Callable[[int], RenderableType]
    comes_first: bool = False
    """With its least, before the panels over it."""


class _Page:
    """Draws itself when the window's size is known."""

    def __init__(self, snapshot: Snapshot, lang: Language, keys: bool, notice: Text | None) -> None:
        self._snapshot, self._lang, self._keys, self._notice = snapshot, lang, keys, notice

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width, height = options.max_width, options.height or options.size.height
        above = [*self._header(width), *self._fault(width)]
        below = self._footer()
        body = max(height - sum(rows for rows, _ in above) - len(below), 1)
        columns = Layout(name="body")
        columns.split_row(_column(self._left(), body), _column(self._right(width // 2 - 4), body))
        page = Layout()
        page.split_column(
            *(Layout(part, size=rows) for rows, part in above), columns, *(Layout(line, size=1) for line in below)
        )
        yield page

    def _header(self, width: int) -> list[tuple[int, RenderableType]]:
        snapshot, lang = self._snapshot, self._lang
        symbol, style = STATES[snapshot.state]
        left = Text()
        left.append(f" {symbol} {say(lang, snapshot.state.value)} ", style=f"{style} reverse")
        several = len(snapshot.lots) > 1 or any(lot.lanes_waiting for lot in snapshot.lots)
        if not several:
            grower = snapshot.lots[0].grower if snapshot.lots else ""
            left.append(f" {say(lang, 'lot')} {_lot_name(snapshot.lot, grower, lang)}")
        left.append(f"  {say(lang, 'sheet')} {snapshot.sheet}")
        figures = (
            say(lang, "cups_per_s", value=f"{snapshot.cups_per_s:.1f}"),
            rate_text(snapshot, lang),
            duration(snapshot.elapsed_s),
        )
        lines: list[tuple[int, RenderableType]] = [(1, Line(left, Text("  ".join(figures), style="bold")))]
        if several:
            said = wrapped(f" {say(lang, 'lots')}   {lots_text(snapshot, lang)}", width, "bold", indent=" ")
            lines.append((min(len(said), _MOST_LOT_LINES), Rows(said, lang)))
        return lines

    def _fault(self, width: int) -> list[tuple[int, RenderableType]]:
        snapshot, lang = self._snapshot, self._lang
        by_key = say(lang, "reset_by_key") if self._keys and snapshot.can_reset else ""
        lines = fault_lines(snapshot, lang, width - 4, by_key)
        if snapshot.state is not State.FAULTED or not lines:
            return []
        title = Text(say(lang, "fault", since=duration(snapshot.faulted_s)), style=BAD)
        return [(len(lines) + _BORDERS, Panel(Rows(lines, lang), title=title, title_align="left", border_style=BAD))]

    def _footer(self) -> list[Line]:
        snapshot, lang = self._snapshot, self._lang
        devices = Line(board_text(snapshot, lang), _journal_text(snapshot, lang))
        symbol, style = STATES[snapshot.state]
        said = said_by_devices(snapshot.findings)
        if snapshot.reason and snapshot.fault is None:
            said, mark = [snapshot.reason, *said], symbol
        else:
            mark, style = "!", WARNING
        keys = Text(f"L: {LANGUAGE_NAMES[other_language(lang)]}" if self._keys else "", style="dim")
        to_do = self._notice or Text(say(lang, f"to_do_{snapshot.state.value}"))
        return [
            devices,
            *([Line(Text(f"{mark} {'; '.join(said)}", style=style))] if said else []),
            Line(to_do, keys),
        ]

    def _left(self) -> list[_Wish]:
        snapshot, lang = self._snapshot, self._lang
        lanes = max(len(snapshot.lanes), 1)
        return [
            _Wish(lanes, min(lanes, 3), lambda rows: _panel("lanes", _lanes(snapshot, lang), lang)),
            _Wish(
                len(STAGES) + 1,
                0 if snapshot.state is State.FAULTED else 2,
                lambda rows: _panel("latency", _Latencies(snapshot, lang, rows - 1), lang),
            ),
        ]

    def _right(self, cells: int) -> list[_Wish]:
        snapshot, lang = self._snapshot, self._lang
        found = _found(snapshot, lang, cells)
        flags = sum(count > 0 for count in snapshot.flags.values()) or 1
        return [
            _Wish(max(len(snapshot.grades), 1), 2, lambda rows: _panel("grades", _grades(snapshot, lang), lang)),
            _Wish(
                max(-(-len(snapshot.outlets) // 2), 1),
                2,
                lambda rows: _panel("outlets", _outlets(snapshot, lang), lang),
            ),
            _Wish(
                len(found) + _COUNTER_ROWS + flags,
                len(found) + _COUNTER_ROWS + (1 if found else 2),
                lambda rows: _panel("watch", _watch(snapshot, lang, found, rows), lang),
                comes_first=True,
            ),
        ]


def _column(wishes: Sequence[_Wish], height: int) -> Layout:
    column = Layout()
    parts = [
        Layout(wish.draw(rows), size=rows + _BORDERS)
        for wish, rows in zip(wishes, _shared(wishes, height), strict=True)
        if rows
    ]
    column.split_column(*(parts or [Layout(Text(""))]))
    return column


def _shared(wishes: Sequence[_Wish], height: int) -> list[int]:
    """Rows inside each panel, 0 for one that has no room: first everyone's least, then what is wanted, from above."""
    got = [0] * len(wishes)

    def give(index: int, rows: int) -> None:
        frame = 0 if got[index] else _BORDERS
        more = min(rows - got[index], height - sum(got) - _BORDERS * sum(map(bool, got)) - frame)
        got[index] += max(more, 0)

    for index in sorted(range(len(wishes)), key=lambda index: not wishes[index].comes_first):
        give(index, wishes[index].least)
    for index, wish in enumerate(wishes):
        give(index, wish.rows)
    last = max((index for index, rows in enumerate(got) if rows), default=0)
    give(last, height)
    return got


def _panel(title: str, content: RenderableType, lang: Language) -> Panel:
    return Panel(content, title=Text(say(lang, title)), title_align="left", border_style="dim")


def _lot_name(name: str, grower: str, lang: Language) -> str:
    if name == NO_LOT:
        return say(lang, "no_lot")
    return say(lang, "lot_of", lot=name, grower=grower) if grower else name


def _lot_texts(lot: LotOnBelt, lanes: int, lang: Language) -> Iterator[str]:
    name = _lot_name(lot.name, lot.grower, lang)
    if lot.lanes_waiting:
        yield say(lang, "lot_waits", lot=name, lanes=lot.lanes_waiting, all=lanes)
    if lot.lanes:
        yield say(lang, "lot_on_belt", lot=name, lanes=lot.lanes, all=lanes)
    elif not lot.lanes_waiting:
        yield say(lang, "lot_leaves", lot=name)


def _lanes(snapshot: Snapshot, lang: Language) -> Rows:
    # A full bar is a fruit in every cup: what the lane could do at the speed the belt has now.
    count_cells = max((len(f"{lane.fruit:,}") for lane in snapshot.lanes), default=0)
    return Rows(
        [
            Bar(
                str(lane.lane),
                lane.fruit_per_s / snapshot.cups_per_s if snapshot.cups_per_s > 0 else 0.0,
                f"{lane.fruit_per_s:4.1f}/s {lane.occupancy:4.0%} {lane.fruit:>{count_cells},}",
            )
            for lane in snapshot.lanes
        ],
        lang,
    )


def _grades(snapshot: Snapshot, lang: Language) -> Rows:
    fruit = sum(snapshot.grades.values())
    count_cells = len(f"{max(snapshot.grades.values(), default=0):,}")
    rows: list[Bar | Text] = [
        Bar(grade, count / fruit if fruit else 0.0, f"{percent(count, fruit):>6} {count:>{count_cells},}", GOOD)
        for grade, count in snapshot.grades.items()
    ]
    return Rows(rows or [Text(say(lang, "no_fruit"), style="dim")], lang)


def _outlets(snapshot: Snapshot, lang: Language) -> Rows:
    fruit = sum(snapshot.outlets.values())
    rows: list[Bar | Text] = [
        Bar(str(outlet), count / fruit if fruit else 0.0, f"{count:,}")
        for outlet, count in sorted(snapshot.outlets.items())
    ]
    return Rows(rows or [Text(say(lang, "no_fruit"), style="dim")], lang, columns=2)


def _found(snapshot: Snapshot, lang: Language, cells: int) -> list[Text]:
    """Lines for what is not as it should be. Lots that wait are told in the header."""
    findings = [finding for finding in snapshot.findings if finding.kind is not FindingKind.LOT_WAITS]
    return [line for said in say_findings(lang, findings) for line in wrapped(f"! {said}", cells, BAD)]


def _watch(snapshot: Snapshot, lang: Language, found: Sequence[Text], rows: int) -> RenderableType:
    flagged = [
        Text(f"! {count:,} {say_flag(lang, name)}", style=WARNING)
        for name, count in largest_first(snapshot.flags)
        if count
    ]
    found_rows = min(len(found), rows)
    parts = [
        (found_rows, Rows(found, lang)),
        (min(_COUNTER_ROWS, rows - found_rows), Rows(missed_counts(snapshot, lang), lang, columns=2)),
        (rows - found_rows - _COUNTER_ROWS, Rows(flagged or [marked(say(lang, "no_flags"), trouble=False)], lang)),
    ]
    watch = Layout()
    watch.split_column(*(Layout(part, size=size) for size, part in parts if size > 0))
    return watch


class _Latencies:
    """At most so many stages with their percentiles, and where there is room the histogram that they come from."""

    def __init__(self, snapshot: Snapshot, lang: Language, most: int) -> None:
        self._latency, self._lang, self._most = snapshot.latency, lang, most

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        shown = [stage for stage in STAGES if stage in _MATTER_MOST[: self._most]]
        more = say(self._lang, "more", n=len(STAGES) - len(shown)) if len(shown) < len(STAGES) else ""
        wide = options.max_width >= _HISTOGRAM_FROM
        table = Table.grid(padding=(0, 0, 0, 1), expand=True)
        table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
        if wide:
            table.add_column(no_wrap=True, min_width=len(HISTOGRAM_HEAD), style="cyan")
        for _ in range(4):
            table.add_column(justify="right", no_wrap=True, min_width=4)
        worst = say(self._lang, "worst")
        table.add_row(more, *([HISTOGRAM_HEAD] if wide else []), "p50", "p99", "p99.9", worst, style="dim")
        for stage in shown:
            found = self._latency.get(stage)
            bars = [histogram(found.counts if found else ())] if wide else []
            table.add_row(say(self._lang, stage), *bars, *(percentiles(found) if found else ("-",) * 4))
        yield table


def _journal_text(snapshot: Snapshot, lang: Language) -> Text:
    if snapshot.journal.trouble:
        return Text(f"! {say(lang, 'journal_behind', fruit=f'{snapshot.journal.fruit_waiting:,}')}", style=BAD)
    return Text(say(lang, "journal", rows=f"{snapshot.journal_rows:,}"))
