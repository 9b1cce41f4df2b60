"""What people type. Every command asks the app for the work; here are words, progress and exit statuses only."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from grader.cli import order
from grader.cli.options import Lang, language_asked
from grader.cli.words import say
from grader.domain.orders import Reset
from grader.domain.snapshot import Snapshot, State
from grader.errors import BadFile, GraderError

app = typer.Typer(
    help="An open fruit grading station.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
calibrate = typer.Typer(help="Measure something against a reference, and say what to set.", no_args_is_help=True)
# Names of files and lots are shown as they are: no markup is read from them, no colours are guessed.
console = Console(markup=False, highlight=False)
errors = Console(stderr=True, markup=False, highlight=False)

Sheet = Annotated[str | None, typer.Option("--sheet", help="a grade sheet: a file, or the name of a preset")]


STOPPED = 130
_UNBROKEN = 10_000
"""Cells of a line with a command in it, which people copy whole."""
_MOST_WARNINGS = 30
"""On one screen; a lane that is not there gives one for each of its readings."""


def run_command_line() -> int:
    """Exit status: 0 done, 1 it could not be done or something differs, 2 the command itself was wrong, 3 a faulted
    station was stopped by a person, 130 stopped."""
    try:
        _require_text(sys.argv[1:])
        status = app(standalone_mode=False)
    except GraderError as problem:
        return _said(str(problem), 1)
    except OSError as problem:  # a full disk, a file that nobody may write: the machine's own words are the best
        return _said(f"{problem.filename or 'this machine'}: {problem.strerror or problem}", 1)
    except typer.TyperException as problem:
        # Without any command the help is the message, and it is on the screen already.
        return _said(problem.format_message(), problem.exit_code) if problem.format_message() else problem.exit_code
    except KeyboardInterrupt:
        status = STOPPED
    if status == STOPPED:  # typer turns a Ctrl-C within a command into this, without a word
        return _said("stopped", STOPPED)
    return int(status) if isinstance(status, int) else 0


def _require_text(words: Sequence[str]) -> None:
    """Bytes that are no text in the terminal's encoding could be neither shown, nor written down with a lot."""
    for before, word in pairwise(("", *words)):
        try:
            word.encode()
        except UnicodeEncodeError:
            shown = os.fsencode(word).decode(errors="replace")
            named = f"{before} {shown}" if before.startswith("--") else shown
            said = f"{named} is not UTF-8 text: set the terminal to UTF-8, or rename the file"
            raise typer.BadParameter(said) from None


def _warn(warnings: Sequence[str]) -> None:
    for warning in warnings[:_MOST_WARNINGS]:
        errors.print(_marked("!", warning), soft_wrap=True)
    if len(warnings) > _MOST_WARNINGS:
        errors.print(_marked("!", f"{len(warnings) - _MOST_WARNINGS} more: `grader check` says all of them"))


def _said(problem: str, status: int) -> int:
    errors.print(_marked("✗", problem), soft_wrap=True)
    return status


def _marked(mark: str, text: str) -> Text:
    style = {"✓": "green", "!": "yellow", "✗": "bold red"}[mark]
    return Text.assemble((mark, style), f" {_shown(text)}")


def _shown(text: str) -> str:
    """What a file says may hold orders to the terminal: they are shown, not obeyed."""
    return "".join(char if char.isprintable() or char == "\n" else repr(char)[1:-1] for char in text)


@contextmanager
def _progress(what: str) -> Iterator[Callable[[float], None]]:
    """A progress bar over a share from 0 to 1; on a screen only."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal) as bars:
        task = bars.add_task(what, total=1.0)
        yield lambda share: bars.update(task, completed=share)


_STOPPED_FAULTED = 3
"""The status of a faulted station that a person stopped: who keeps it running shall not start it again."""


@app.command()
def run(
    station: Annotated[Path | None, typer.Option(help="a station file; without one, the reference line")] = None,
    lanes: Annotated[int | None, typer.Option(min=1, max=12, help="4 if not given")] = None,
    cups_per_second: Annotated[float | None, typer.Option(min=0.5, max=20.0, help="per lane; 12 if not given")] = None,
    minutes: Annotated[float | None, typer.Option(min=0.05, help="stop after so long; else Ctrl-C")] = None,
    headless: Annotated[
        bool, typer.Option("--headless", help="no page: a line of text for each change, and every ten seconds")
    ] = False,
    level: Annotated[str | None, typer.Option(help="ideal, static, changing (if not given) or faults")] = None,
    variety: Annotated[str | None, typer.Option(help="of the fruit; Fuji if not given")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="of the simulated line; 1 if not given")] = None,
    scenario: Annotated[Path | None, typer.Option(help="a file that says what goes wrong, and when")] = None,
    lot: Annotated[str | None, typer.Option(help="a lot to begin, or to go on with")] = None,
    grower: Annotated[str, typer.Option(help="whose fruit it is")] = "",
    sheet: Sheet = None,
    out: Annotated[Path | None, typer.Option(help="folder of the journal; what is in it goes on")] = None,
    metrics_port: Annotated[
        int | None, typer.Option(min=0, max=65_535, help="of this machine alone, for Prometheus; 0: none")
    ] = None,
    lang: Lang = "",
) -> int:
    """Run the station. Without a station file it runs the simulated line. Status 3: stopped while it was faulted."""
    from grader.app.books import closed_books
    from grader.app.live import default_out, started
    from grader.app.simulated_line import SimulatedRun
    from grader.app.simulating import LEVELS, VARIETIES
    from grader.cli.closing import closing_report
    from grader.cli.page import fault_lines
    from grader.cli.watching import Page

    language = language_asked(lang)
    if level is not None:
        _one_of("--level", level, list(LEVELS))
    if variety is not None:
        _one_of("--variety", variety, list(VARIETIES))
    asked = SimulatedRun(
        out=_folder(out if out is not None else default_out()),
        station=station,
        lanes=lanes,
        cups_per_second=cups_per_second,
        level=level,
        variety=variety,
        seed=seed,
        sheet=sheet,
        lot=lot,
        grower=grower,
        scenario=scenario,
        metrics_port=metrics_port,
    )
    page_console = Console(force_terminal=False) if headless else None
    with _ctrl_c() as asked_to_stop:
        with ExitStack() as closing:
            with _progress("preparing the simulated line") as prepared:
                live = closing.enter_context(started(asked, prepared))
            _warn(live.warnings)
            page = closing.enter_context(Page(language, page_console, reset=lambda: live.carry_out(Reset())))
            deadline = time.monotonic() + minutes * 60 if minutes is not None else float("inf")
            shown = live.tick()
            while time.monotonic() < deadline and not asked_to_stop() and _goes_on(shown):
                live.is_asked_to_stop.wait(0.25)
                if live.is_asked_to_stop.is_set():
                    break
                shown = live.tick()
                page.show(shown)
            by_order = "asked_by_order" if live.is_asked_to_stop.is_set() else "time_is_up"
            is_wanted = asked_to_stop() or live.is_asked_to_stop.is_set()
            live.drain(say(page.lang, "asked_to_stop" if asked_to_stop() else by_order), page.show)
            live.station.stop()
            shown = live.tick()
            page.show(shown)
        with _progress(say(page.lang, "closing_books")) as done:
            summary, verdict = closed_books(asked.out, shown, live.seed, done)
    console.print(closing_report(summary, page.lang))
    share = f" ({verdict.share:.4%})" if verdict.landed else ""
    console.print(
        f"referee: {verdict.as_decided} of {verdict.landed} fruit landed where they were sent{share}, "
        f"{verdict.by_default} ran to the default outlet because their gate did not open, "
        f"{verdict.undecided} passed without a decision, {len(verdict.misses)} are elsewhere, "
        f"{verdict.never_landed} in the journal landed nowhere",
        soft_wrap=True,
    )
    for miss in verdict.misses[:20]:
        where = f"lane {miss.lane} cup {miss.cup}: sent to {miss.decided}, landed in {miss.landed}"
        console.print(f"  missed: {where} {miss.gate_outcome}")
    console.print(f"{asked.out}/  journal.sqlite  fruit.csv  summary.json  referee.json  station.log  pictures/")
    if shown.state is State.FAULTED:
        again = say(page.lang, "restart_command", command=f"grader run --out {asked.out}")
        for line in fault_lines(shown, page.lang, _UNBROKEN, again):
            errors.print(line, soft_wrap=True)
        return _STOPPED_FAULTED if is_wanted else 1
    return 0


app.add_typer(order.app, name="order")
app.add_typer(calibrate, name="calibrate")


def _goes_on(shown: Snapshot) -> bool:
    """A fault that a person can reset is waited out."""
    return shown.state is State.RUNNING or (shown.state is State.FAULTED and shown.can_reset)


@app.command()
def replay(
    recording: Annotated[Path, typer.Argument(help="a recording's folder or .packed file")],
    out: Annotated[Path, typer.Option(help="folder for fruit.csv and summary.json")],
    sheet: Sheet = None,
    variety: Annotated[str, typer.Option(help="of the fruit, if the recording does not say")] = "",
    check: Annotated[Path | None, typer.Option(help="a fruit.csv that this replay must agree with")] = None,
) -> int:
    """Run a recording through the station: the same files give the same bytes of fruit.csv."""
    from grader.app.replay import differences, write_out
    from grader.app.replay import replay as replayed
    from grader.storage.fruit_table import read_fruit_csv

    expected = read_fruit_csv(check) if check is not None else None  # before `out`, which may be the same place
    _folder(out)
    with _progress("replaying") as bar:
        result = replayed(
            recording, sheet=sheet, variety=variety, progress=lambda done, total: bar(done / max(total, 1))
        )
    _warn(result.warnings)
    fruit_csv = write_out(result, out)
    summary = result.summary
    console.print(f"{summary.fruit} fruit, {summary.fruit_per_s:.0f} fruit/s, in {fruit_csv}", soft_wrap=True)
    if not summary.fruit:
        _warn([f"{recording}: no fruit was found; check its pulses, first_cup and where its camera stands"])
    if expected is not None:
        found, text = differences(result, expected)
        console.print(text, soft_wrap=True)
        return 1 if found else 0
    return 0


@app.command()
def explain(
    recording: Annotated[Path, typer.Argument(help="a recording's folder or .packed file")],
    lane: Annotated[int, typer.Argument(min=0, help="counted from 0, as in fruit.csv")],
    cup: Annotated[int, typer.Argument(help="the cup's number, as in fruit.csv")],
    out: Annotated[Path, typer.Option(help="a picture to write, such as fruit.png")],
    sheet: Sheet = None,
    variety: Annotated[str, typer.Option(help="of the fruit, if the recording does not say")] = "",
    lang: Lang = "",
) -> None:
    """Say why one fruit of a recording went where it went, and draw its views and its whole skin."""
    from grader.app.explaining import explain as explained
    from grader.app.explaining import write_picture
    from grader.cli.explaining import fruit_in_words, spots_in_words

    language = language_asked(lang)
    _folder(out.parent)
    with _progress("replaying") as bar:
        found = explained(
            recording, lane, cup, sheet=sheet, variety=variety, progress=lambda done, all_: bar(done / max(all_, 1))
        )
    for part in (*fruit_in_words(found.record, language), *spots_in_words(found, language)):
        console.print(part, soft_wrap=True)
    if found.sighting is None:
        console.print(say(language, "explain_unseen"), soft_wrap=True)
        return
    write_picture(found, out)
    key = "explain_views_only" if found.skin_map is None else "explain_picture"
    console.print(say(language, key, path=out), soft_wrap=True)


@app.command()
def simulate(
    folder: Annotated[Path, typer.Argument(help="where to write; a name that ends in .packed gives one file")],
    fruit: Annotated[int, typer.Option(min=1, help="how many different fruit")] = 200,
    seed: Annotated[int, typer.Option(min=0, help="of the simulated line")] = 1,
    level: Annotated[str, typer.Option(help="ideal, static or changing")] = "changing",
    lanes: Annotated[int, typer.Option(min=1, max=12)] = 4,
    variety: str = "Fuji",
    passes: Annotated[int, typer.Option(min=1, help="how often all of them run")] = 1,
    cups_per_second: Annotated[float, typer.Option(min=0.5, max=20.0)] = 12.0,
    nir: Annotated[bool, typer.Option("--nir", help="a fourth, near-infrared band")] = False,
) -> None:
    """Write a recording of the simulated line, with truth.csv."""
    from grader.app.simulating import LEVELS, VARIETIES, write_simulated

    _one_of("--level", level, list(LEVELS))
    _one_of("--variety", variety, list(VARIETIES))
    with _progress("rendering") as bar:
        frames = write_simulated(
            folder,
            fruit=fruit,
            seed=seed,
            level=level,
            lanes=lanes,
            variety=variety,
            passes=passes,
            cups_per_second=cups_per_second,
            nir=nir,
            progress=bar,
        )
    console.print(f"{fruit} fruit x {passes}, {frames} frames, seed {seed}: {folder}", soft_wrap=True)


@app.command()
def convert(
    source: Annotated[Path, typer.Argument(help="a recording's folder or .packed file")],
    target: Annotated[Path, typer.Argument(help="a name that ends in .packed gives the packed form")],
) -> None:
    """Turn a recording from its open form into the packed one, or back, without loss."""
    from grader.storage.recordings import convert as converted

    with _progress("converting") as bar:
        warnings = converted(source, target, lambda done, total: bar(done / max(total, 1)))
    _warn(warnings)
    console.print(f"{target}", soft_wrap=True)


@app.command()
def check(
    files: Annotated[list[Path], typer.Argument(help="station file, sheet, scenario, recording or artefact")],
) -> int:
    """Say every problem of these files, with file and line."""
    from grader.app.checking import problems_of

    bad = 0
    for file in files:
        problems = problems_of(file)
        for problem in problems:
            console.print(_marked("!" if problem.warning else "✗", problem.text), soft_wrap=True)
        wrong = sum(not problem.warning for problem in problems)
        bad += wrong
        if not wrong:
            console.print(_marked("✓", str(file)), soft_wrap=True)
    return 1 if bad else 0


@app.command()
def backup(
    journal: Annotated[Path, typer.Argument(help="journal.sqlite of a run, which may be going on")],
    to: Annotated[Path, typer.Option(help="the copy; an earlier copy there is replaced")],
    lang: Lang = "",
) -> None:
    """Copy a journal while a station writes it, and check the copy."""
    from grader.storage.backup import back_up

    language = language_asked(lang)
    with _progress(say(language, "copying")) as bar:
        fruit = back_up(journal, to, bar)
    size = _size(to.stat().st_size)
    console.print(_marked("✓", say(language, "backed_up", to=to, fruit=f"{fruit:,}", size=size)), soft_wrap=True)


@app.command()
def prune(
    folder: Annotated[Path, typer.Argument(help="where the runs are; folders in it are searched too")],
    keep_days: Annotated[float | None, typer.Option(min=0, help="of journals")] = None,
    keep_bytes: Annotated[int | None, typer.Option(min=0, help="of journals, the oldest go first")] = None,
    picture_days: Annotated[float | None, typer.Option(min=0, help="of pictures")] = None,
    picture_bytes: Annotated[int | None, typer.Option(min=0, help="of pictures, the oldest go first")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only say what would be removed")] = False,
    lang: Lang = "",
) -> None:
    """Remove journals and pictures that are too old, or too many. Whole files; never one with a lot that is open."""
    from grader.storage.retention import Keep, remove, to_remove

    language = language_asked(lang)
    if keep_days is keep_bytes is picture_days is picture_bytes is None:
        raise typer.BadParameter("name what to keep: --keep-days, --keep-bytes, --picture-days, --picture-bytes")
    found = to_remove(folder, journals=Keep(keep_days, keep_bytes), pictures=Keep(picture_days, picture_bytes))
    removed = found.removable if dry_run else [stored for stored in found.removable if remove(stored)]
    for stored in removed:
        day = time.strftime("%Y-%m-%d", time.localtime(stored.written_wall_s))
        key = "to_remove" if dry_run else "removed"
        console.print(_shown(say(language, key, path=stored.path, size=_size(stored.size), day=day)), soft_wrap=True)
    for stored, why in found.staying:
        said = say(language, "stays", path=stored.path, why=say(language, f"stays_{why}"))
        console.print(_marked("!", said), soft_wrap=True)
    total = _size(sum(stored.size for stored in removed))
    done = say(language, "removed_in_all", files=f"{len(removed):,}", size=total)
    console.print(done if removed else say(language, "nothing_to_remove"))


def _size(size: float) -> str:
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:,.1f} GB"


@calibrate.command()
def sugar() -> None:
    """Make the sugar model of the reference line, if it is missing."""
    from grader.app.setting_up import SUGAR_MODEL, make_artefacts

    make_artefacts(lambda text: console.print(text))
    console.print(f"{SUGAR_MODEL}", soft_wrap=True)


@calibrate.command()
def blush(
    recording: Annotated[Path, typer.Argument(help="a recording's folder or .packed file")],
    marked: Annotated[
        Path, typer.Argument(help="a table of lane, cup and blush_fraction: shares that somebody said, 0 to 1")
    ],
    out: Annotated[Path | None, typer.Option(help="a picture to write: skins, what is called blush outlined")] = None,
    sheet: Sheet = None,
    variety: Annotated[str, typer.Option(help="of the fruit, if the recording does not say")] = "",
    lang: Lang = "",
) -> None:
    """Find the hue at which blush ends, so that the station says what people say; it goes into a grade sheet.

    Somebody who grades by eye looks at ten fruit and more of one variety, some with much blush and some with little.
    """
    from grader.app.calibrating import find_blush, require_picture, write_blush_picture
    from grader.cli.calibrating import blush_in_words

    language = language_asked(lang)
    if out is not None:
        _folder(out.parent)
        require_picture(out)
    with _progress("replaying") as bar:
        found = find_blush(
            recording, marked, sheet=sheet, variety=variety, progress=lambda done, all_: bar(done / max(all_, 1))
        )
    _warn(found.warnings)
    for line in blush_in_words(found, language):
        console.print(line, soft_wrap=True)
    if out is not None:
        drawn = write_blush_picture(found, out)
        key = "blush_picture" if drawn else "blush_no_picture"
        console.print(say(language, key, path=out, drawn=drawn), soft_wrap=True)


@app.command()
def bench(
    json: Annotated[Path | None, typer.Option(help="write the numbers into this file")] = None,
    seconds: Annotated[float, typer.Option(min=0.5, help="of each benchmark")] = 5.0,
    rate: Annotated[
        bool, typer.Option("--rate", help="find the largest rate that holds, instead: some minutes")
    ] = False,
) -> None:
    """Time the hot path, the step, dispatch and replay; every benchmark checks the result that it timed."""
    import msgspec

    from bench.holding.rate import measure as largest_rate
    from bench.suite import left_out, measured

    if json is not None:
        _folder(json.parent)
    if rate:
        numbers = largest_rate(told=lambda held: console.print(str(held), soft_wrap=True))
    else:
        with _progress("benchmarks") as bar:
            numbers = measured(seconds, progress=bar)
    for key, value in numbers.items():
        console.print(f"{key:<32} {value:12.4g}")
    for missing in left_out(numbers):
        errors.print(_marked("!", missing), soft_wrap=True)
    if json is not None:
        json.write_bytes(msgspec.json.format(msgspec.json.encode(numbers), indent=1) + b"\n")


def _folder(path: Path) -> Path:
    """Made if need be, before minutes of work are spent on what would go into it."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise BadFile(path, f"cannot be a folder: {problem.strerror}", remedy="name another place") from problem
    return path


def _one_of(option: str, value: str, known: list[str]) -> None:
    if value not in known:
        raise typer.BadParameter(f"{option}: {value} is not one of {', '.join(known)}")


@contextmanager
def _ctrl_c() -> Iterator[Callable[[], bool]]:
    """The first Ctrl-C (or a polite kill) asks to drain; a second one ends at once."""
    asked: list[int] = []

    def ask(number: int, frame: object) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
