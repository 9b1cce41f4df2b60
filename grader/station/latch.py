"""The station's state, latched: health that comes back is no permission to go on."""

from __future__ import annotations

import threading

from grader.domain.snapshot import FaultKind, State
from grader.units import NS_PER_S, HostNs


class Latch:
    """Every change is one of the arrows; what is asked for out of turn changes nothing.

    STARTING -> RUNNING -> DRAINING -> STOPPED
         |         |          |
         +---------+----------+-> FAULTED -> by a reset, to where it was; by a stop it stays what it is
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._state, self._reason, self._can_reset = State.STARTING, "", True
        self._kind: FaultKind | None = None
        self._since = HostNs(0)
        self._before = State.RUNNING, ""  # a fault

    @property
    def state(self) -> State:
        return self._state

    @property
    def reason(self) -> str:
        """Why it is draining, stopped or faulted; else empty."""
        return self._reason

    @property
    def can_reset(self) -> bool:
        """Whether a person's reset may end the fault."""
        return self._can_reset

    @property
    def kind(self) -> FaultKind | None:
        """Of the fault; None while there is none."""
        return self._kind

    def faulted_s(self, now: HostNs) -> float:
        """For how long it has been faulted; 0 while it is not."""
        return 0.0 if self._kind is None else (now - self._since) / NS_PER_S

    def run(self) -> None:
        """Everything is ready."""
        with self._lock:
            if self._state is State.STARTING:
                self._state = State.RUNNING

    def drain(self, reason: str) -> None:
        """No more fruit is wanted. In a fault it is remembered for when that is over."""
        with self._lock:
            if self._state is State.RUNNING:
                self._state, self._reason = State.DRAINING, reason
            elif self._state is State.FAULTED:
                self._before = State.DRAINING, reason

    def fault(self, reason: str, kind: FaultKind, *, now: HostNs, can_reset: bool) -> bool:
        """The first reason stands, unless a later one is worse: one that no reset helps against. True: it is news."""
        with self._lock:
            if self._state is State.STOPPED or (self._state is State.FAULTED and (can_reset or not self._can_reset)):
                return False
            if self._state is not State.FAULTED:
                self._since = now
            if self._state in (State.RUNNING, State.DRAINING):
                self._before = self._state, self._reason
            self._state, self._reason, self._kind, self._can_reset = State.FAULTED, reason, kind, can_reset
            return True

    def reset(self) -> bool:
        """A person has seen to it. False: there is nothing that a reset could end."""
        with self._lock:
            if self._state is not State.FAULTED or not self._can_reset:
                return False
            (self._state, self._reason), self._kind = self._before, None
            return True

    def stop(self) -> None:
        """The end; a fault stays one."""
        with self._lock:
            if self._state is not State.FAULTED:
                self._state = State.STOPPED
