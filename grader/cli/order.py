"""`grader order ...`: what people ask of a station that runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, cast

import msgspec
import typer
from rich.console import Console
from rich.text import Text

from grader.cli.drawing import GOOD
from grader.cli.options import Lang, language_asked
from grader.cli.standing import how_it_stands
from grader.cli.words import Language, say
from grader.domain.orders import Answer, CloseLot, Done, OpenLot, Order, Refused, Reset, Show, Shown, Start, Stop
from grader.errors import GraderError

RUNS = Path("runs")
"""Where `grader run` puts its folders when none is named."""

app = typer.Typer(
    help="Tell a running station something: begin and end lots, reset a fault, stop; or ask how it stands.\n\n"
    "The station is found by the folder that it runs in. If one alone runs under runs/, that is meant.",
    no_args_is_help=True,
)
console = Console(markup=False, highlight=False)
errors = Console(stderr=True, markup=False, highlight=False)

Station = Annotated[
    Path | None, typer.Option("--out", help="the folder that the station runs in; else the one that runs under runs/")
]
LotName = Annotated[str, typer.Argument(help="name of the lot", metavar="LOT")]


@app.command("open-lot")
def open_lot(
    name: LotName,
    out: Station = None,
    grower: Annotated[str, typer.Option(help="whose fruit it is")] = "",
    variety: Annotated[str, typer.Option(help="of the fruit; the station's if not given")] = "",
    sheet: Annotated[
        str, typer.Option(help="a grade sheet: a file, or the name of a preset; the station's if not given")
    ] = "",
    start: Annotated[
        str,
        typer.Option(
            help="gap: in each lane with its first fruit after a gap of empty cups; now: with the next cup to come "
            "under the camera; or the first cup of each lane, as 120,118,121,120"
        ),
    ] = "gap",
    lang: Lang = "",
) -> None:
    """Begin a lot, or go on with one.

    Fruit of the lot before it may still be on the belt: each is of the lot that its cup belongs to. Leave a gap of 20
    empty cups between two growers' fruit, and the lot begins there by itself.
    """
    if sheet and Path(sheet).is_file():
        sheet = str(Path(sheet).absolute())  # the station may run in another folder
    _order(OpenLot(name=name, grower=grower, variety=variety, sheet=sheet, start=_start(start)), out, lang)


@app.command("close-lot")
def close_lot(
    name: LotName,
    out: Station = None,
    start: Annotated[str, typer.Option(help="now; gap: in each lane at its next gap; or a cup for each lane")] = "now",
    lang: Lang = "",
) -> None:
    """End a lot.

    What follows is of no lot and runs to the default outlet, until another lot begins. To change from one lot to the
    next, open the next: that is enough.
    """
    _order(CloseLot(name=name, start=_start(start)), out, lang)


@app.command()
def reset(out: Station = None, lang: Lang = "") -> None:
    """End a fault whose cause was looked after: gates move again.

    Look that no hand is near the gates. Where the cause is still there, nothing changes, and it is said.
    """
    _order(Reset(), out, lang)


@app.command()
def stop(out: Station = None, lang: Lang = "") -> None:
    """Run the belt empty into its outlets, close the gates, print the lots, end."""
    _order(Stop(), out, lang)


@app.command()
def show(
    out: Station = None,
    json: Annotated[bool, typer.Option("--json", help="everything, for a program")] = False,
    lang: Lang = "",
) -> None:
    """Say how the station stands: lots, speed, grades, gates, and what is not as it should be."""
    language = language_asked(lang)
    folder = _folder(out)
    answer = _answer(folder, Show())
    if not isinstance(answer, Shown):
        raise GraderError(f"{folder}: the station answered something else")
    if json:
        console.print(msgspec.json.format(msgspec.json.encode(answer.snapshot), indent=1).decode(), soft_wrap=True)
    else:
        _say_which(folder, out, language)
        console.print(how_it_stands(answer.snapshot, language))


def _order(order: Order, out: Path | None, lang: str) -> None:
    language = language_asked(lang)
    folder = _folder(out)
    _say_which(folder, out, language)
    if not isinstance(_answer(folder, order), Done):
        raise GraderError(f"{folder}: the station answered something else")
    console.print(Text(f"✓ {say(language, 'order_done')}", style=GOOD))


def _answer(folder: Path, order: Order) -> Answer:
    from grader.app.orders import give_order

    answer = give_order(folder, order)
    if isinstance(answer, Refused):
        raise GraderError(answer.why)
    return answer


def _folder(out: Path | None) -> Path:
    """The one that was named, or in which the only station runs."""
    from grader.app.orders import running_stations

    if out is not None:
        return out
    running = running_stations(RUNS)
    if len(running) == 1:
        return running[0]
    if not running:
        raise GraderError(f"no station runs under {RUNS}/: name its folder with --out, or start one with `grader run`")
    raise GraderError(f"several stations run: say which with --out: {', '.join(map(str, running))}")


def _say_which(folder: Path, out: Path | None, language: Language) -> None:
    if out is None:
        errors.print(say(language, "station_found", folder=folder), soft_wrap=True)


def _start(text: str) -> Start:
    if text in ("now", "gap"):
        return cast(Literal["now", "gap"], text)
    try:
        return tuple(int(cup) for cup in text.split(","))
    except ValueError:
        raise typer.BadParameter(f"--start: {text} is neither now, nor gap, nor a cup for each lane") from None
