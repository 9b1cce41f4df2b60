"""Keys of the terminal, read without waiting for any, and a key that has to be meant to count."""

from __future__ import annotations

import os
import select
import sys
import termios
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

from grader.units import NS_PER_S, HostNs

SAME_PRESS_S = 1.0
"""A key that is held down comes again and again, the first time within less than this."""
ASKS_S = 5.0
_OFF = b"\x00"
_MOST_BYTES = 4096


@contextmanager
def single_keys(terminal: TextIO = sys.stdin) -> Iterator[Keys | None]:
    """Keys one by one and unseen, until it is left, however that is; then the terminal is as it was.

    Ctrl-C does what it did. Ctrl-Z, Ctrl-\\ and Ctrl-S do nothing meanwhile: they would halt the station, or its page,
    for somebody who does not know how to go on. None where nobody types: no terminal, or one that is another's now.
    """
    try:
        descriptor = terminal.fileno()
        if os.tcgetpgrp(descriptor) != os.getpgrp():
            yield None
            return
        before = termios.tcgetattr(descriptor)
    except (OSError, ValueError, termios.error):
        yield None
        return
    iflag, oflag, cflag, lflag, ispeed, ospeed, special = termios.tcgetattr(descriptor)
    lflag &= ~(termios.ICANON | termios.ECHO)
    iflag &= ~termios.IXON
    for char in (termios.VSUSP, termios.VQUIT):
        special[char] = _OFF
    termios.tcsetattr(descriptor, termios.TCSANOW, [iflag, oflag, cflag, lflag, ispeed, ospeed, special])
    try:
        yield Keys(descriptor)
    finally:
        termios.tcsetattr(descriptor, termios.TCSAFLUSH, before)  # what was typed meanwhile is no command to the shell


class Keys:
    """What is typed on a terminal."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def pressed(self) -> set[str]:
        """The letters typed since the last call, in upper case. Arrow and function keys, which hold letters too, and
        what is pasted, are none."""
        typed = ""
        with suppress(OSError):  # nobody is at the other end any more
            while select.select([self._descriptor], [], [], 0)[0] and (read := os.read(self._descriptor, _MOST_BYTES)):
                typed += read.decode(errors="ignore")
        typed = unicodedata.normalize("NFKC", typed)  # a Chinese keyboard may be set to wide letters
        return set() if "\x1b" in typed or len(set(typed)) > 1 else set(typed.upper())


class PressTwice:
    """A key that counts when it is pressed once more while it asks for that. Held down, it is one press."""

    def __init__(self) -> None:
        self._asked_at: HostNs | None = None
        self._last_at: HostNs | None = None

    def asks(self, now: HostNs) -> bool:
        """Whether the next press counts."""
        return self._asked_at is not None and now - self._asked_at <= ASKS_S * NS_PER_S

    def press(self, now: HostNs) -> bool:
        """The key was seen; returns whether that counts."""
        is_held = self._last_at is not None and now - self._last_at < SAME_PRESS_S * NS_PER_S
        self._last_at = now
        if self.asks(now) and not is_held:
            self._asked_at = None
            return True
        if not self.asks(now) and not is_held:
            self._asked_at = now
        return False
