"""Keys are read without waiting, change nothing for good, and count only when they are meant."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from grader.cli.keys import ASKS_S, Keys, PressTwice, single_keys
from grader.units import NS_PER_S, HostNs


def at(seconds: float) -> HostNs:
    return HostNs(1_000 + int(seconds * NS_PER_S))


def test_a_key_counts_when_it_is_pressed_once_more_while_it_is_asked_for() -> None:
    key = PressTwice()
    assert not key.asks(at(0.0))
    assert not key.press(at(0.0))
    assert key.asks(at(2.0))
    assert key.press(at(2.0))
    assert not key.asks(at(2.1)), "and is asked for anew the next time"
    assert not key.press(at(4.0))


def test_a_key_that_comes_too_late_asks_again() -> None:
    key = PressTwice()
    assert not key.press(at(0.0))
    assert not key.press(at(ASKS_S + 0.1))
    assert key.press(at(ASKS_S + 2.0))


@pytest.mark.parametrize("first_repeat_s", [0.25, 0.5, 0.7])
def test_a_key_held_down_is_one_press(first_repeat_s: float) -> None:
    key = PressTwice()
    repeats = [0.0, *(first_repeat_s + 0.03 * repeat for repeat in range(400))]
    assert not any(key.press(at(seconds)) for seconds in repeats)


class Typist:
    """A terminal for a child: screen is where its keys come from."""

    def __init__(self) -> None:
        self.screen, self.keyboard = pty.openpty()

    def modes(self) -> list[object]:
        return termios.tcgetattr(self.keyboard)

    def close(self) -> None:
        os.close(self.screen)
        os.close(self.keyboard)


@pytest.fixture
def typist() -> Iterator[Typist]:
    it = Typist()
    yield it
    it.close()


CHILD = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
from grader.cli.keys import single_keys
with single_keys() as keys:
    print("ready", flush=True)
    while True:
        found = keys.pressed()
        if "Q" in found:
            break
        if "X" in found:
            raise RuntimeError("crash")
"""


def child(typist: Typist) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", CHILD],
        stdin=typist.keyboard,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@pytest.mark.parametrize(
    ("last", "status"), [(b"q", 0), (b"x", 1), (b"\x03", -signal.SIGINT)], ids=["an end", "a crash", "ctrl-c"]
)
def test_the_terminal_is_as_it_was_however_the_program_ends(typist: Typist, last: bytes, status: int) -> None:
    before = typist.modes()
    reader = child(typist)
    assert reader.stdout is not None and reader.stdout.readline() == "ready\n"
    assert typist.modes() != before
    for typed in (b"\x1bOR", b"\x1b[A", b"rm -rf\n", b"\x1a", b"\x1c", b"\x13"):
        os.write(typist.screen, typed)  # F3, an arrow, a paste, Ctrl-Z, Ctrl-\, Ctrl-S: none of them is a key here
    while reader.poll() is None:  # what was typed before may have hidden it
        os.write(typist.screen, last)
        try:
            reader.wait(0.1)
        except subprocess.TimeoutExpired:
            continue
    reader.communicate()
    assert reader.returncode == status
    assert typist.modes() == before


def test_a_letter_is_a_key_in_small_capital_and_wide() -> None:
    read, write = os.pipe()
    keys = Keys(read)
    assert keys.pressed() == set()
    for typed in ("r", "R", "Ｒ", "rrr"):
        os.write(write, typed.encode())
        assert keys.pressed() == {"R"}
    for typed in ("\x1bOR", "reset"):
        os.write(write, typed.encode())
        assert keys.pressed() == set()
    os.close(write)
    assert keys.pressed() == set(), "nobody is at the other end"
    os.close(read)


def test_where_nobody_types_there_are_no_keys() -> None:
    with Path(os.devnull).open() as nobody, single_keys(nobody) as keys:
        assert keys is None
