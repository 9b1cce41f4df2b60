"""The shell around the line: two threads, their queue, and the station's life.

    line thread     camera, sensors -> step -> decisions      never waits for disk or port
    keeper thread   decisions -> journal, then gate board      never touches a frame

Whatever breaks is caught here, in one place: the gates close and the station stays faulted until a person resets it.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

from grader.clock import Clock
from grader.domain.decisions import BoardStatus, Result
from grader.domain.snapshot import Snapshot, State
from grader.errors import BoardLost, GraderError
from grader.ports import Camera, Encoder, GateBoard, Journal, Sensors
from grader.station.backlog import Decided
from grader.station.dispatch import Dispatcher
from grader.station.ledger import Ledger
from grader.station.line import LineSettings, Step, new_line, step
from grader.station.lots import lot_at
from grader.units import NS_PER_MS, HostNs, Pulse, pulses_from_mm

BATCH_S = 0.010
"""Decisions wait so long for company before they are committed together."""
FRAME_WAIT_S = 0.05
MOST_WAITING = 4096
"""Steps whose decisions the keeper may be behind, while a disk holds it up: two minutes at 30 frames/s. Beyond that the
line faults rather than forgets."""


class Station:
    """Grades what comes, until it is stopped. Devices are handed in, working; they are closed by who opened them."""

    def __init__(
        self,
        settings: LineSettings,
        *,
        camera: Camera,
        sensors: Sensors,
        board: GateBoard,
        encoder: Encoder,
        journal: Journal,
        clock: Clock,
    ) -> None:
        self._settings, self._clock = settings, clock
        self._camera, self._sensors, self._board, self._encoder = camera, sensors, board, encoder
        self._line = new_line(settings)
        self._ledger = Ledger(settings.installation.line.lanes)
        self._dispatcher = Dispatcher(
            journal, board, encoder, self._ledger, clock, settings.installation.gates.lead_pulses
        )
        self._waiting: queue.Queue[Decided] = queue.Queue(MOST_WAITING)
        self._stop, self._line_done = threading.Event(), threading.Event()
        self._state, self._reason = State.STARTING, ""
        self._latch = threading.Lock()
        self._threads = [
            threading.Thread(target=self._guarded, args=(self._run_line,), name="line"),
            threading.Thread(target=self._guarded, args=(self._run_keeper,), name="keeper"),
        ]
        self._started = clock.now()

    @property
    def state(self) -> State:
        """Where the station is in its life."""
        return self._state

    def start(self) -> None:
        """Begin to grade."""
        self._started = self._clock.now()
        self._state = State.RUNNING
        for thread in self._threads:
            thread.start()

    def drain(self, reason: str) -> None:
        """Say that no more fruit is wanted; what is on the belt is still graded and sent. Idempotent."""
        with self._latch:
            if self._state is State.RUNNING:
                self._state, self._reason = State.DRAINING, reason

    def stop(self, timeout_s: float = 5.0) -> None:
        """Close the gates, write down what is decided, end the threads. Idempotent, bounded in time."""
        self._stop.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(timeout_s)
        self._board.close_all()
        with self._latch:
            if self._state is not State.FAULTED:
                self._state = State.STOPPED

    def snapshot(self) -> Snapshot:
        """The station at this moment. Called by one watcher."""
        now, line = self._clock.now(), self._settings.installation.line
        status, pulse = self._board_status()
        results = self._ledger.results
        return Snapshot(
            t_ns=now,
            elapsed_s=(now - self._started) / 1e9,
            state=self._state,
            reason=self._reason,
            pulse=pulse,
            cups_per_s=line.cups_per_second,
            lanes=self._ledger.lanes(now, line.cups_per_second),
            grades=dict(self._ledger.grades),
            outlets=dict(self._ledger.outlets),
            flags=dict(self._ledger.flags),
            late=results[Result.LATE],
            refused=results[Result.REFUSED],
            void=results[Result.VOID],
            frames_dropped=self._camera.dropped,
            board=status,
            latency=self._ledger.latency,
            journal_rows=self._ledger.kept,
            lot=lot_at(self._line.lots, 0, pulse // line.pulses_per_cup).name,
            sheet=self._settings.sheet.sheet.name,
        )

    def _board_status(self) -> tuple[BoardStatus | None, Pulse]:
        try:
            return self._board.status(), self._encoder.pulse()
        except BoardLost:
            return None, Pulse(0)

    def _guarded(self, run: Callable[[], None]) -> None:
        try:
            run()
        except GraderError as problem:
            self.fault(str(problem))
        except Exception as problem:  # a thread of the station may not end unseen
            self.fault(f"{type(problem).__name__}: {problem}")
            raise
        finally:
            if threading.current_thread() is self._threads[0]:
                self._line_done.set()

    def fault(self, reason: str) -> None:
        """Latch: the first reason stands, the gates close, both threads end. Only a new start undoes it."""
        with self._latch:
            if self._state is not State.FAULTED:
                self._state, self._reason = State.FAULTED, reason
        self._stop.set()
        self._board.close_all()

    def _run_line(self) -> None:
        while not self._stop.is_set():
            frame = self._camera.next_frame(FRAME_WAIT_S)
            readings = self._sensors.readings()
            began = self._clock.now()
            if frame is None:  # a silent camera: the belt may move all the same, and what is due is decided
                self._take(step(self._settings, self._line, None, readings, self._encoder.pulse()), began)
                continue
            self._ledger.timed("frame_to_step", (began - frame.t_ns) / NS_PER_MS)
            try:
                result = step(self._settings, self._line, frame, readings)
            finally:
                self._camera.release(frame)
            self._ledger.timed("step", (self._clock.now() - began) / NS_PER_MS)
            self._take(result, frame.t_ns)

    def _take(self, result: Step, frame_at: HostNs) -> None:
        if result.records or result.events:
            self._ledger.decided(result.records)
            self._hand_over(Decided(result.records, result.commands, frame_at, result.events))

    def _hand_over(self, decided: Decided) -> None:
        try:
            self._waiting.put_nowait(decided)
        except queue.Full:
            raise GraderError(
                f"the journal is {MOST_WAITING} steps behind: check the disk, then restart the station"
            ) from None

    def _run_keeper(self) -> None:
        while not (self._line_done.is_set() and self._waiting.empty()):
            self._dispatcher.settle(self._batch())
        self._board.close_all()
        self._dispatcher.finish(threading.Event().wait)  # with what closing made of pending commands

    def _batch(self) -> list[Decided]:
        """What is waiting, or what comes within the batch time."""
        batch: list[Decided] = []
        deadline = self._clock.now() + int(BATCH_S * 1e9)
        while (left_s := (deadline - self._clock.now()) / 1e9) > 0:
            try:
                batch.append(self._waiting.get(timeout=left_s))
            except queue.Empty:
                break
        return batch


def belt_pulses(settings: LineSettings) -> int:
    """Pulses from a cup's entry under the camera to the end of the belt: how long draining takes."""
    gates, line = settings.installation.gates, settings.installation.line
    return pulses_from_mm(gates.position_mm(gates.outlets + 1), line.mm_per_pulse) + line.pulses_per_cup
