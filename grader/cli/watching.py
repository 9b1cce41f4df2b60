"""Shows a station to whoever watches it: a page and its keys on a terminal, lines that tell the story in a log."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.text import Text

from grader.cli.drawing import BAD, GOOD, duration
from grader.cli.keys import Keys, PressTwice, single_keys
from grader.cli.page import rate_text, render
from grader.cli.words import Language, other_language, said_by_devices, say, say_findings
from grader.domain.snapshot import Finding, Snapshot, State
from grader.errors import GraderError
from grader.units import NS_PER_S, HostNs

LINE_EVERY_NS = 10 * NS_PER_S
"""Where the output is no terminal, one line of status at least this often."""
_NOTICE_S = 8.0


def status_line(snapshot: Snapshot, lang: Language) -> str:
    """The line's state in one line, for a log."""
    fault = [] if snapshot.fault is None else [say(lang, f"fault_{snapshot.fault}")]
    return "  ".join(
        (
            say(lang, snapshot.state.value),
            duration(snapshot.elapsed_s),
            say(lang, "fruit_seen", n=f"{sum(lane.fruit for lane in snapshot.lanes):,}"),
            rate_text(snapshot, lang),
            *(
                f"{say(lang, name)} {getattr(snapshot, name):,}"
                for name in ("late", "refused", "void", "frames_dropped")
            ),
            *fault,
            *([snapshot.reason] if snapshot.reason else []),
        )
    )


class Page:
    """Shows snapshots while it is entered: the whole window of a terminal, or lines where there is none.

    lang: may be changed by a key. reset: carries out what the key R asks for; raises GraderError where it cannot be.
    """

    def __init__(
        self, lang: Language, console: Console | None = None, *, reset: Callable[[], object] = lambda: None
    ) -> None:
        self.lang: Language = lang
        self._reset = reset
        self._console = console or Console()
        self._live = Live(console=self._console, screen=True, auto_refresh=False)
        self._log = _Log(self._console)
        self._entered = ExitStack()
        self._keys: Keys | None = None
        self._reset_key = PressTwice()
        self._said, self._said_until = Text(), HostNs(0)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            with ExitStack() as entered:
                self._keys = entered.enter_context(single_keys())
                entered.enter_context(self._live)
                self._entered = entered.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._entered.close()

    def show(self, snapshot: Snapshot) -> None:
        """Draw it, and do what keys ask for. In a log: a line for each change, and one every ten seconds."""
        if not self._console.is_terminal:
            self._log.tell(snapshot, self.lang)
            return
        for key in self._keys.pressed() if self._keys is not None else ():
            self._obey(key, snapshot)
        self._draw(snapshot)

    def _obey(self, key: str, snapshot: Snapshot) -> None:
        if key == "L":
            self.lang = other_language(self.lang)
        elif key == "R" and _is_resettable(snapshot) and self._reset_key.press(snapshot.t_ns):
            self._say(say(self.lang, "key_resetting"), GOOD, snapshot)
            self._draw(snapshot)
            try:
                self._reset()
            except GraderError as problem:
                self._say(f"✗ {say(self.lang, 'key_refused', why=problem)}", BAD, snapshot)
            else:
                self._say(f"✓ {say(self.lang, 'key_done')}", GOOD, snapshot)

    def _say(self, text: str, style: str, snapshot: Snapshot) -> None:
        self._said, self._said_until = Text(text, style=style), HostNs(snapshot.t_ns + int(_NOTICE_S * NS_PER_S))

    def _draw(self, snapshot: Snapshot) -> None:
        notice = self._said if snapshot.t_ns < self._said_until else None
        if _is_resettable(snapshot) and self._reset_key.asks(snapshot.t_ns):
            notice = Text(say(self.lang, "key_asks"), style=f"{BAD} reverse")
        page = render(snapshot, self.lang, keys=self._keys is not None, notice=notice)
        self._live.update(page, refresh=True)


class _Log:
    """Lines: one when the state changes, one for every finding that comes or goes, one every ten seconds."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._line_at_ns: int | None = None
        self._state: State | None = None
        self._findings: tuple[Finding, ...] = ()

    def tell(self, snapshot: Snapshot, lang: Language) -> None:
        if (
            self._line_at_ns is None
            or snapshot.state is not self._state
            or snapshot.t_ns - self._line_at_ns >= LINE_EVERY_NS
        ):
            self._line_at_ns, self._state = snapshot.t_ns, snapshot.state
            self._print(status_line(snapshot, lang))
        before, self._findings = self._findings, snapshot.findings
        come = _without(self._findings, before)
        for said in (*say_findings(lang, come), *said_by_devices(come)):
            self._print(f"! {duration(snapshot.elapsed_s)}  {said}")
        for said in say_findings(lang, _without(before, self._findings)):
            self._print(f"✓ {duration(snapshot.elapsed_s)}  {say(lang, 'finding_over', finding=said)}")

    def _print(self, line: str) -> None:
        with suppress(OSError):  # a log on a full disk, or that nobody reads any more, is no reason to stop a belt
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)


def _without(findings: tuple[Finding, ...], others: tuple[Finding, ...]) -> list[Finding]:
    """Those that are about something else than each of the others."""
    places = {other.place for other in others}
    return [finding for finding in findings if finding.place not in places]


def _is_resettable(snapshot: Snapshot) -> bool:
    return snapshot.state is State.FAULTED and snapshot.can_reset
