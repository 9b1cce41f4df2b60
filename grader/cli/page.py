"""The terminal page that shows the running line, and the closing table of a lot.

`render` draws one snapshot and knows no terminal: it fits 80 x 24 and grows with the window. What
does not fit is counted ("... 3 more"), never cut off unseen. Colour always comes with a symbol or a number.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import NamedTuple, Self

from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.layout import Layout
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from grader.cli.words import Language, say, say_flag
from grader.domain.latency import Latency
from grader.domain.snapshot import STAGES, Snapshot, State
from grader.storage.summary import Summary
from grader.units import NS_PER_S

LINE_EVERY_NS = 10 * NS_PER_S
"""Where the output is no terminal, one line of status this often."""

_GOOD, _WARNING, _BAD = "green", "yellow", "bold red"
_STATES = {
    State.STARTING: ("~", _WARNING),
    State.RUNNING: ("✓", _GOOD),
    State.DRAINING: ("~", _WARNING),
    State.STOPPED: ("-", "bold"),
    State.FAULTED: ("✗", _BAD),
}
_EIGHTHS = " ▏▎▍▌▋▊▉"


def render(snapshot: Snapshot, lang: Language) -> RenderableType:
    """The whole page for one snapshot."""
    outlet_rows = -(-len(snapshot.outlets) // 2)
    left, right, body = Layout(), Layout(), Layout()
    left.split_column(
        Layout(_panel("lanes", _lanes(snapshot, lang), lang)),
        Layout(_panel("latency", _latency(snapshot, lang), lang), size=len(STAGES) + 3),
    )
    right.split_column(
        Layout(_panel("grades", _grades(snapshot, lang), lang)),
        Layout(_panel("outlets", _outlets(snapshot, lang), lang), size=max(outlet_rows, 1) + 2),
        Layout(_panel("watch", _watch(snapshot, lang), lang)),
    )
    body.split_row(left, right)
    page = Layout()
    symbol, style = _STATES[snapshot.state]
    footer = [
        _Line(*_devices(snapshot, lang)),
        *([_Line(Text(f"{symbol} {snapshot.reason}", style=style))] if snapshot.reason else []),
        _Line(Text(say(lang, f"to_do_{snapshot.state.value}"))),
    ]
    page.split_column(
        Layout(_Line(*_header(snapshot, lang)), size=1),
        body,
        *(Layout(line, size=1) for line in footer),
    )
    return page


def status_line(snapshot: Snapshot, lang: Language) -> str:
    """The line's state in one line, for a log."""
    return "  ".join(
        (
            say(lang, snapshot.state.value),
            _duration(snapshot.elapsed_s),
            say(lang, "fruit_seen", n=f"{sum(lane.fruit for lane in snapshot.lanes):,}"),
            _rate(snapshot, lang),
            *(
                f"{say(lang, name)} {getattr(snapshot, name):,}"
                for name in ("late", "refused", "void", "frames_dropped")
            ),
            *([snapshot.reason] if snapshot.reason else []),
        )
    )


def closing_report(summary: Summary, lang: Language) -> RenderableType:
    """What the lot became: packout by grade and size, outlets, what was missed, flags, latency."""
    packout = _table(say(lang, "grade"), say(lang, "size"), say(lang, "fruit"), say(lang, "share"), texts=2)
    for grade, fruit in _largest_first(summary.grades):
        sizes = summary.packout.get(grade, {})
        packout.add_row(grade, say(lang, "all_sizes"), f"{fruit:,}", _percent(fruit, summary.fruit), style="bold")
        for size in sorted(sizes, key=_natural):
            packout.add_row("", size or "-", f"{sizes[size]:,}", _percent(sizes[size], summary.fruit))
    outlets = _table(say(lang, "outlet"), say(lang, "fruit"), say(lang, "share"), texts=1)
    for outlet in sorted(summary.outlets, key=_natural):
        name = f"0 ({say(lang, 'default')})" if outlet == "0" else outlet
        outlets.add_row(name, f"{summary.outlets[outlet]:,}", _percent(summary.outlets[outlet], summary.fruit))
    flags = _table(say(lang, "flag"), say(lang, "fruit"), say(lang, "share"), texts=1)
    for name, fruit in _largest_first(summary.flags):
        flags.add_row(say_flag(lang, name), f"{fruit:,}", _percent(fruit, summary.fruit))
    latency = _table(say(lang, "stage"), "p50", "p99", "p99.9", say(lang, "worst"), say(lang, "timed"), texts=1)
    for stage in STAGES:
        if stage in summary.latency:
            latency.add_row(say(lang, stage), *_percentiles(summary.latency[stage]), f"{summary.latency[stage].n:,}")
    missed = summary.late + summary.refused + summary.void + summary.unknown + summary.frames_dropped
    return Group(
        Text(say(lang, "lot_closed", lot=", ".join(summary.lots) or "-"), style="bold"),
        Text(
            say(
                lang,
                "fruit_in_time",
                fruit=f"{summary.fruit:,}",
                duration=_duration(summary.duration_s),
                rate=f"{summary.fruit_per_s:.1f}",
            )
        ),
        _marked(
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
        ),
        *(part for table in (packout, outlets, flags, latency) if table.row_count for part in ("", table)),
    )


class Page:
    """Shows snapshots while it is entered: the whole window of a terminal, or lines where there is none."""

    def __init__(self, lang: Language, console: Console | None = None) -> None:
        self._lang: Language = lang
        self._console = console or Console()
        self._live = Live(console=self._console, screen=True, auto_refresh=False)
        self._line_at_ns: int | None = None
        self._state: State | None = None

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def show(self, snapshot: Snapshot) -> None:
        """Draw it. In a log: a line when the state changes and every ten seconds."""
        if self._console.is_terminal:
            self._live.update(render(snapshot, self._lang), refresh=True)
        elif (
            self._line_at_ns is None
            or snapshot.state is not self._state
            or snapshot.t_ns - self._line_at_ns >= LINE_EVERY_NS
        ):
            self._line_at_ns, self._state = snapshot.t_ns, snapshot.state
            self._console.print(status_line(snapshot, self._lang), markup=False, highlight=False, soft_wrap=True)


class _Bar(NamedTuple):
    """A row of a panel: a name, a share 0..1 drawn as a bar, and figures."""

    label: str
    share: float
    figures: str
    style: str = "cyan"


class _Line:
    """One line of text: the left part gives way to the right part."""

    def __init__(self, left: Text, right: Text | None = None) -> None:
        self._left, self._right = left, right or Text()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        right_cells = self._right.cell_len
        left_cells = max(options.max_width - right_cells - (1 if right_cells else 0), 0)
        line = _fitted(self._left, left_cells)
        if right_cells:
            line.append(" ")
            line.append_text(self._right)
        line.truncate(options.max_width)
        yield line


class _Rows:
    """Rows of a panel, as many as its height has room for; the last one counts those left out."""

    def __init__(self, rows: Sequence[_Bar | Text], lang: Language, columns: int = 1) -> None:
        self._rows, self._lang, self._columns = rows, lang, columns

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines_needed = -(-len(self._rows) // self._columns)
        lines = min(options.height or lines_needed, lines_needed)
        shown = list(self._rows)
        if lines < lines_needed:
            shown = shown[: max(lines * self._columns - 1, 0)]
            shown.append(Text(say(self._lang, "more", n=len(self._rows) - len(shown)), style="dim"))
        width = (options.max_width - (self._columns - 1) * 2) // self._columns
        drawn = _aligned(shown, width)
        for line in range(lines):
            # Down the first column, then the second: outlets are read in order.
            yield Text("  ").join(drawn[line::lines])


def _aligned(rows: Sequence[_Bar | Text], width: int) -> list[Text]:
    """Every row exactly `width` cells wide, names left and figures right of the bars, in columns."""
    bars = [row for row in rows if isinstance(row, _Bar)]
    label_cells = min(max((cell_len(bar.label) for bar in bars), default=0), width // 3)
    figure_cells = max((cell_len(bar.figures) for bar in bars), default=0)
    bar_cells = max(width - label_cells - figure_cells - 2, 0)
    drawn = []
    for row in rows:
        if isinstance(row, Text):
            drawn.append(_fitted(row, width))
            continue
        line = _fitted(Text(row.label), label_cells)
        line.append(" " + _bar(row.share, bar_cells) + " ", style=row.style)
        line.append(" " * (figure_cells - cell_len(row.figures)) + row.figures)
        drawn.append(_fitted(line, width))
    return drawn


def _fitted(text: Text, cells: int) -> Text:
    """A copy exactly `cells` wide; one that is too long ends in "...", never within a wide character."""
    fitted = text.copy()
    if fitted.cell_len > cells:
        dots = "..."[:cells]
        fitted.truncate(cells - len(dots), pad=True)
        fitted.append(dots)
    fitted.pad_right(cells - fitted.cell_len)
    return fitted


def _bar(share: float, cells: int) -> str:
    eighths = round(min(max(share, 0.0), 1.0) * cells * 8)
    full, rest = divmod(eighths, 8)
    return set_cell_size("█" * full + _EIGHTHS[rest].strip(), cells)


def _panel(title: str, content: RenderableType, lang: Language) -> Panel:
    return Panel(content, title=Text(say(lang, title)), title_align="left", border_style="dim")


def _header(snapshot: Snapshot, lang: Language) -> tuple[Text, Text]:
    symbol, style = _STATES[snapshot.state]
    left = Text()
    left.append(f" {symbol} {say(lang, snapshot.state.value)} ", style=f"{style} reverse")
    left.append(f" {say(lang, 'lot')} {snapshot.lot}  {say(lang, 'sheet')} {snapshot.sheet}")
    figures = (
        say(lang, "cups_per_s", value=f"{snapshot.cups_per_s:.1f}"),
        _rate(snapshot, lang),
        _duration(snapshot.elapsed_s),
    )
    return left, Text("  ".join(figures), style="bold")


def _lanes(snapshot: Snapshot, lang: Language) -> _Rows:
    # A full bar is a fruit in every cup: what the lane could do at the speed the belt has now.
    count_cells = max((len(f"{lane.fruit:,}") for lane in snapshot.lanes), default=0)
    return _Rows(
        [
            _Bar(
                str(lane.lane),
                lane.fruit_per_s / snapshot.cups_per_s if snapshot.cups_per_s > 0 else 0.0,
                f"{lane.fruit_per_s:4.1f}/s {lane.occupancy:4.0%} {lane.fruit:>{count_cells},}",
            )
            for lane in snapshot.lanes
        ],
        lang,
    )


def _grades(snapshot: Snapshot, lang: Language) -> _Rows:
    fruit = sum(snapshot.grades.values())
    count_cells = len(f"{max(snapshot.grades.values(), default=0):,}")
    rows: list[_Bar | Text] = [
        _Bar(grade, count / fruit if fruit else 0.0, f"{_percent(count, fruit):>6} {count:>{count_cells},}", _GOOD)
        for grade, count in snapshot.grades.items()
    ]
    return _Rows(rows or [Text(say(lang, "no_fruit"), style="dim")], lang)


def _outlets(snapshot: Snapshot, lang: Language) -> _Rows:
    fruit = sum(snapshot.outlets.values())
    rows: list[_Bar | Text] = [
        _Bar(str(outlet), count / fruit if fruit else 0.0, f"{count:,}")
        for outlet, count in sorted(snapshot.outlets.items())
    ]
    return _Rows(rows or [Text(say(lang, "no_fruit"), style="dim")], lang, columns=2)


def _watch(snapshot: Snapshot, lang: Language) -> RenderableType:
    counted = [
        _marked(f"{say(lang, name)} {count:,}", trouble=count > 0)
        for name in ("late", "refused", "void", "frames_dropped")
        for count in [getattr(snapshot, name)]
    ]
    flagged: list[_Bar | Text] = [
        Text(f"! {count:,} {say_flag(lang, name)}", style=_WARNING)
        for name, count in _largest_first(snapshot.flags)
        if count
    ]
    rows = Layout()
    rows.split_column(
        Layout(_Rows(counted, lang, columns=2), size=2),
        Layout(_Rows(flagged or [_marked(say(lang, "no_flags"), trouble=False)], lang)),
    )
    return rows


def _latency(snapshot: Snapshot, lang: Language) -> RenderableType:
    table = Table.grid(padding=(0, 0, 0, 1), expand=True)
    table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    for _ in range(4):
        table.add_column(justify="right", no_wrap=True, min_width=4)
    table.add_row("", "p50", "p99", "p99.9", say(lang, "worst"), style="dim")
    for stage in STAGES:
        found = snapshot.latency.get(stage)
        table.add_row(say(lang, stage), *(_percentiles(found) if found else ("-",) * 4))
    return table


def _devices(snapshot: Snapshot, lang: Language) -> tuple[Text, Text]:
    journal = Text(say(lang, "journal", rows=f"{snapshot.journal_rows:,}"))
    board = snapshot.board
    if board is None:
        return Text(f"✗ {say(lang, 'board_lost')}", style=_BAD), journal
    if board.emergency_stop:
        return Text(f"✗ {say(lang, 'emergency_stop')}", style=_BAD), journal
    if not board.belt_running:
        return Text(f"! {say(lang, 'belt_stopped')}", style=_WARNING), journal
    said = say(lang, "board_good", pending=board.pending, open=board.gates_open, boot=board.boot_id)
    return Text(f"✓ {said}", style=_GOOD), journal


def _marked(text: str, *, trouble: bool) -> Text:
    return Text(f"! {text}", style=_BAD) if trouble else Text(f"✓ {text}", style=_GOOD)


def _table(*headings: str, texts: int) -> Table:
    """A plain table whose first `texts` columns are words and the others figures."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="left" if number < texts else "right", overflow="fold")
    return table


def _percentiles(latency: Latency) -> tuple[str, str, str, str]:
    return (_ms(latency.p50_ms), _ms(latency.p99_ms), _ms(latency.p999_ms), _ms(latency.worst_ms))


def _ms(ms: float | None) -> str:
    """At most four characters up to ten seconds; three digits that count are enough to read a latency by."""
    if ms is None:
        return "-"
    return f"{ms:.2f}" if ms < 9.995 else f"{ms:.1f}" if ms < 99.95 else f"{ms:.0f}"


def _percent(count: int, fruit: int) -> str:
    return f"{count / fruit:.1%}" if fruit else "-"


def _duration(seconds: float) -> str:
    minutes, second = divmod(int(seconds), 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour}:{minute:02}:{second:02}"


def _rate(snapshot: Snapshot, lang: Language) -> str:
    return say(lang, "fruit_per_s", value=f"{sum(lane.fruit_per_s for lane in snapshot.lanes):.1f}")


def _largest_first(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _natural(text: str) -> list[tuple[int, int, str]]:
    """Sorts "9" before "10" and "65-70" before "100-110"."""
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.findall(r"[0-9]+|[^0-9]+", text)]
