"""`grader order ...`: what people ask of a station that runs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal, cast

import typer
from rich.console import Console

from grader.cli.page import status_line
from grader.cli.words import language_of, say, say_finding
from grader.domain.orders import CloseLot, OpenLot, Order, Refused, Reset, Show, Shown, Start, Stop
from grader.errors import GraderError

app = typer.Typer(help="Orders to a running station: lots, reset, stop, show.", no_args_is_help=True)
console = Console(markup=False, highlight=False)

Station = Annotated[Path, typer.Option("--out", help="the folder that the station runs in")]
WhenOpened = Annotated[
    str,
    typer.Option("--start", help="gap: in each lane at its next gap; now; or a cup for each lane, as 120,118,121,120"),
]
WhenClosed = Annotated[str, typer.Option("--start", help="now, gap, or a cup for each lane")]


@app.command("open-lot")
def open_lot(
    name: Annotated[str, typer.Argument(help="name of the lot")],
    out: Station,
    grower: Annotated[str, typer.Option(help="whose fruit it is")] = "",
    variety: Annotated[str, typer.Option(help="of the fruit; the station's if not given")] = "",
    sheet: Annotated[
        str, typer.Option(help="a grade sheet: a file, or the name of a preset; the station's if not given")
    ] = "",
    start: WhenOpened = "gap",
) -> None:
    """Begin a lot, or go on with one, while the fruit of the lot before it may still be on the belt."""
    if sheet and Path(sheet).is_file():
        sheet = str(Path(sheet).absolute())  # the station may run in another folder
    _give(out, OpenLot(name=name, grower=grower, variety=variety, sheet=sheet, start=_start(start)))


@app.command("close-lot")
def close_lot(
    name: Annotated[str, typer.Argument(help="name of the lot")], out: Station, start: WhenClosed = "now"
) -> None:
    """End a lot: what follows is of no lot, and runs to the default outlet, until another begins."""
    _give(out, CloseLot(name=name, start=_start(start)))


@app.command()
def reset(out: Station) -> None:
    """The cause of a fault was looked after: gates may open again."""
    _give(out, Reset())


@app.command()
def stop(out: Station) -> None:
    """Run the belt empty into its outlets, close the gates, end the station."""
    _give(out, Stop())


@app.command()
def show(out: Station) -> None:
    """Say how things stand, in a few lines."""
    _give(out, Show())


def _give(out: Path, order: Order) -> None:
    from grader.app.orders import give_order

    match give_order(out, order):
        case Refused(why):
            raise GraderError(why)
        case Shown(snapshot):
            language = language_of(os.environ)
            console.print(status_line(snapshot, language), soft_wrap=True)
            for finding in snapshot.findings:
                console.print(f"! {say_finding(language, finding)}", soft_wrap=True)
        case _:
            console.print(f"✓ {say(language_of(os.environ), 'order_done')}")


def _start(text: str) -> Start:
    if text in ("now", "gap"):
        return cast(Literal["now", "gap"], text)
    try:
        return tuple(int(cup) for cup in text.split(","))
    except ValueError:
        raise typer.BadParameter(f"--start: {text} is neither now, nor gap, nor a cup for each lane") from None
