"""What pages and tables are drawn with: bars, rows that count what has no room, lines that fit, figures."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from grader.cli.words import Language, say
from grader.domain.latency import EDGES_MS, Latency

GOOD, WARNING, BAD = "green", "yellow", "bold red"
HISTOGRAM_HEAD = ".1 1  10 100".ljust(len(EDGES_MS) + 1)
"""Over the places of those of `EDGES_MS` that it names; the last place is of what took longer than all of them."""
_EIGHTHS = " ▏▎▍▌▋▊▉"
_STEPS = " ▁▂▃▄▅▆▇█"


class Bar(NamedTuple):
    """A row of a panel: a name, a share 0..1 drawn as a bar, and figures."""

    label: str
    share: float
    figures: str
    style: str = "cyan"


class Line:
    """One line of text: the left part gives way to the right part."""

    def __init__(self, left: Text, right: Text | None = None) -> None:
        self._left, self._right = left, right or Text()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        right_cells = self._right.cell_len
        left_cells = max(options.max_width - right_cells - (1 if right_cells else 0), 0)
        line = fitted(self._left, left_cells)
        if right_cells:
            line.append(" ")
            line.append_text(self._right)
        line.truncate(options.max_width)
        yield line


class Rows:
    """Rows of a panel, as many as its height has room for; the last one counts those left out."""

    def __init__(self, rows: Sequence[Bar | Text], lang: Language, columns: int = 1) -> None:
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


def fitted(text: Text, cells: int) -> Text:
    """A copy exactly `cells` wide; one that is too long ends in "...", never within a wide character."""
    fitted = text.copy()
    if fitted.cell_len > cells:
        dots = "..."[:cells]
        fitted.truncate(cells - len(dots), pad=True)
        fitted.append(dots)
    fitted.pad_right(cells - fitted.cell_len)
    return fitted


def wrapped(text: str, cells: int, style: str = "", indent: str = "  ") -> list[Text]:
    """Lines of at most `cells`, broken at spaces where there are any; lines after the first are indented."""
    lines, line = [], ""
    for word in re.findall(r"\s*[!-~]+|\s*[^\s!-~]", text):  # a Chinese sentence may be broken at every character
        if cell_len(line + word) > cells and line.strip():
            lines.append(line)
            line = indent
            word = word.lstrip()
        line += word
        while cell_len(line) > cells > len(indent):
            lines.append(set_cell_size(line, cells))
            line = indent + line[len(lines[-1].rstrip()) :]
    return [Text(each, style=style) for each in (*lines, line)]


def marked(text: str, *, trouble: bool) -> Text:
    """With a mark that says by itself whether it is trouble."""
    return Text(f"! {text}", style=BAD) if trouble else Text(f"✓ {text}", style=GOOD)


def table(*headings: str, texts: int) -> Table:
    """A plain table whose first `texts` columns are words and the others figures."""
    plain = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for number, heading in enumerate(headings):
        plain.add_column(heading, justify="left" if number < texts else "right", overflow="fold")
    return plain


def percentiles(latency: Latency) -> tuple[str, str, str, str]:
    """p50, p99, p99.9 and the worst, in milliseconds."""
    return (_ms(latency.p50_ms), _ms(latency.p99_ms), _ms(latency.p999_ms), _ms(latency.worst_ms))


def histogram(counts: Sequence[int]) -> str:
    """A bar for each count. A single one shows, and each further step is several times as many: the rare and late is
    what matters."""
    most = math.log1p(max(counts, default=0))
    return "".join(_STEPS[max(1, round(math.log1p(n) / most * (len(_STEPS) - 1))) if n else 0] for n in counts)


def percent(count: int, fruit: int) -> str:
    """A share of all fruit."""
    return f"{count / fruit:.1%}" if fruit else "-"


def duration(seconds: float) -> str:
    """1:02:03"""
    minutes, second = divmod(int(seconds), 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour}:{minute:02}:{second:02}"


def largest_first(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """Counts by name, equal ones by name."""
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def natural(text: str) -> list[tuple[int, int, str]]:
    """Sorts "9" before "10" and "65-70" before "100-110"."""
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.findall(r"[0-9]+|[^0-9]+", text)]


def _aligned(rows: Sequence[Bar | Text], width: int) -> list[Text]:
    """Every row exactly `width` cells wide, names left and figures right of the bars, in columns."""
    bars = [row for row in rows if isinstance(row, Bar)]
    label_cells = min(max((cell_len(bar.label) for bar in bars), default=0), width // 3)
    figure_cells = max((cell_len(bar.figures) for bar in bars), default=0)
    bar_cells = max(width - label_cells - figure_cells - 2, 0)
    drawn = []
    for row in rows:
        if isinstance(row, Text):
            drawn.append(fitted(row, width))
            continue
        line = fitted(Text(row.label), label_cells)
        line.append(" " + _bar(row.share, bar_cells) + " ", style=row.style)
        line.append(" " * (figure_cells - cell_len(row.figures)) + row.figures)
        drawn.append(fitted(line, width))
    return drawn


def _bar(share: float, cells: int) -> str:
    eighths = round(min(max(share, 0.0), 1.0) * cells * 8)
    full, rest = divmod(eighths, 8)
    return set_cell_size("█" * full + _EIGHTHS[rest].strip(), cells)


def _ms(ms: float | None) -> str:
    """At most four characters up to ten seconds; three digits that count are enough to read a latency by."""
    if ms is None:
        return "-"
    return f"{ms:.2f}" if ms < 9.995 else f"{ms:.1f}" if ms < 99.95 else f"{ms:.0f}"
