"""Orders to a running station over a socket in its folder: whoever may write into the folder may give orders.

grader order, the page  ──  DIR/station.sock  ──  a thread of the station  ──  the line thread, between two steps
"""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from grader.domain.orders import Answer, Order, Refused
from grader.errors import DeviceError, GraderError
from hardware.local_socket import connect, forget, is_alive, listen
from hardware.message_link import NO_MESSAGE, MessageLink

SOCKET = "station.sock"
ANSWER_S = 15.0
"""A station carries an order out, or refuses it, within this."""
MOST_TALKS = 32


class OrderDesk:
    """Takes orders one after the other and gives each an answer, also while the station starts and ends.

    A station opens its desk before it touches anything else in its folder: whoever comes second is turned away there.
    """

    def __init__(self, folder: Path, carry_out: Callable[[Order], Answer] | None = None) -> None:
        """carry_out: None, as long as there is nobody who could. Raises DeviceError when another station takes orders
        there."""
        self._path = folder / SOCKET
        self._carry_out = carry_out or _not_now
        if is_alive(self._path):
            raise DeviceError(f"{folder}: another station runs here: `grader order stop --out {folder}` ends it")
        self._socket = listen(self._path)
        self._socket.setblocking(False)
        self._talks: list[MessageLink] = []
        self._wake, self._waker = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="orders", daemon=True)
        self._thread.start()

    @contextmanager
    def serving(self, carry_out: Callable[[Order], Answer]) -> Iterator[None]:
        """Meanwhile the station carries orders out."""
        self._carry_out = carry_out
        try:
            yield
        finally:
            self._carry_out = _not_now

    def close(self) -> None:
        """Idempotent."""
        if self._thread.is_alive():
            self._waker.send(b"x")
            self._thread.join()
            for talk in self._talks:
                talk.close()
            for end in (self._socket, self._wake, self._waker):
                end.close()
            forget(self._path)

    def _run(self) -> None:
        while True:
            # A talk whose end is known already would wake this for ever: it is taken out when it is read.
            talks = [talk.fileno() for talk in self._talks]
            ready, _, _ = select.select([self._wake.fileno(), self._socket.fileno(), *talks], [], [])
            if self._wake.fileno() in ready:
                return
            self._admit()
            for talk in list(self._talks):
                self._hear(talk)

    def _admit(self) -> None:
        with contextlib.suppress(OSError):  # nobody more waits, or this machine has no room for one more
            while True:
                end, _ = self._socket.accept()
                if len(self._talks) >= MOST_TALKS:  # whoever has kept one open the longest gives way
                    self._talks.pop(0).close()
                self._talks.append(MessageLink(end))

    def _hear(self, talk: MessageLink) -> None:
        for said in talk.receive():
            try:
                order = msgspec.json.decode(said, type=Order)
            except NO_MESSAGE as problem:
                talk.send(msgspec.json.encode(Refused(f"this is no order: {problem}")))
                continue
            talk.send(self._answer(order))
        if talk.closed:
            talk.close()
            self._talks.remove(talk)

    def _answer(self, order: Order) -> bytes:
        try:
            return msgspec.json.encode(self._carry_out(order))
        except GraderError as problem:
            return msgspec.json.encode(Refused(str(problem)))
        except Exception as problem:  # the desk may not end unseen: a reset has to be possible
            return msgspec.json.encode(Refused(f"{type(problem).__name__}: {problem!a}"))


def running_stations(runs: Path) -> list[Path]:
    """The folders in `runs` in which a station takes orders."""
    return sorted(socket.parent for socket in runs.glob(f"*/{SOCKET}") if is_alive(socket))


def _answer_in(said: bytes, folder: Path) -> Answer:
    try:
        answer: Answer = msgspec.json.decode(said, type=Answer)
    except NO_MESSAGE as problem:
        raise DeviceError(f"{folder}: what answered is no station: {problem}") from problem
    return answer


def _not_now(order: Order) -> Answer:
    return Refused("the station is starting or ending: wait a moment")


def give_order(folder: Path, order: Order) -> Answer:
    """Have the station of a folder carry an order out. Raises DeviceError when there is none, or it does not answer."""
    path = folder / SOCKET
    if not is_alive(path):
        raise DeviceError(f"{folder}: no station runs here; check --out, or start one: grader run --out {folder}")
    talk = MessageLink(connect(path))
    try:
        talk.send(msgspec.json.encode(order))
        deadline = time.monotonic() + ANSWER_S
        while not talk.closed and (left_s := deadline - time.monotonic()) > 0:
            select.select([talk], [], [], left_s)
            for said in talk.receive():
                return _answer_in(said, folder)
    finally:
        talk.close()
    raise DeviceError(f"{folder}: the station did not answer; look at what it shows")
