"""A snapshot as a page of figures in Prometheus' text format, and the port of this machine alone at which it is read.

Written here and not by a library: the format is a page of rules, the figures are all in the snapshot already, and a
library would count them a second time beside the line. The port's thread reads the latest snapshot, which is frozen,
and touches nothing else of the station; who asks more often than snapshots come gets the same text again.

Names are `grader_...`; `_total` only grows, from the start of the station on; times are in seconds.
"""

from __future__ import annotations

import itertools
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer
from typing import Any

from grader.domain.latency import EDGES_MS, Latency
from grader.domain.snapshot import STAGES, FaultKind, FindingKind, Snapshot, State
from grader.errors import DeviceError

LOOPBACK = "127.0.0.1"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
TALK_S = 1.0
"""Who asks, and does not read the answer, is given up after so long."""
CLOSE_S = 0.1
"""At the end the thread sees within this that it is to end."""

Labels = Mapping[str, object]
Samples = Iterable[tuple[Labels, float | int]]


def metrics_page(snapshot: Snapshot, versions: Mapping[str, str], hashes: Mapping[str, str]) -> str:
    """Everything in the snapshot that counts. versions, hashes: of the run, as in `RunInfo`."""
    groups = (
        _of_the_station(snapshot, versions, hashes),
        _of_fruit(snapshot),
        _of_devices(snapshot),
        _of_findings(snapshot),
        _of_stages(snapshot.latency),
    )
    return "".join(f"{line}\n" for line in itertools.chain(*groups))


def _of_the_station(now: Snapshot, versions: Mapping[str, str], hashes: Mapping[str, str]) -> Iterator[str]:
    built = {**versions, **{f"sha256_{name}": digest for name, digest in hashes.items()}}
    named = {re.sub(r"\W", "_", name, flags=re.ASCII): value for name, value in built.items()}
    yield from _family("build_info", "gauge", "Always 1: what the figures are made with.", [(named, 1)])
    states = [({"state": state}, int(state is now.state)) for state in State]
    yield from _family("state", "gauge", "1 for the state that the station is in.", states)
    faults = [({"fault": kind}, int(kind is now.fault)) for kind in FaultKind]
    yield from _family("fault", "gauge", "1 for what the station is faulted by.", faults)
    yield from _one("faulted_seconds", "gauge", "For how long it has been faulted.", now.faulted_s)
    yield from _one("can_reset", "gauge", "Whether a person's reset may end a fault.", now.can_reset)
    yield from _one("elapsed_seconds", "gauge", "Since the station began.", now.elapsed_s)
    yield from _one("belt_pulse", "gauge", "The belt's encoder count.", now.pulse)
    yield from _one("cups_per_second", "gauge", "Cups that pass in each lane.", now.cups_per_s)
    in_force = {"lot": now.lot, "sheet": now.sheet}
    yield from _family("lot_info", "gauge", "Always 1: the lot and its grade sheet.", [(in_force, 1)])
    waiting = [({"lot": name}, lanes) for name, lanes in now.lots_waiting.items()]
    yield from _family("lot_waiting_lanes", "gauge", "Lanes in which a lot waits for a gap.", waiting)


def _of_fruit(now: Snapshot) -> Iterator[str]:
    fruit = [({"lane": lane.lane}, lane.fruit) for lane in now.lanes]
    yield from _family("fruit_total", "counter", "Fruit decided, by lane.", fruit)
    misfits = [({"lane": lane}, misfit) for lane, misfit in enumerate(now.misfits) if misfit is not None]
    yield from _family("misfit_ratio", "gauge", "How much heavier a lane's fruit are for their size.", misfits)
    rates = [({"lane": lane.lane}, lane.fruit_per_s) for lane in now.lanes]
    yield from _family("fruit_per_second", "gauge", "Fruit decided, over the last seconds.", rates)
    occupied = [({"lane": lane.lane}, lane.occupancy) for lane in now.lanes]
    yield from _family("occupancy_ratio", "gauge", "Share of the cups that hold fruit.", occupied)
    flags = [({"lane": lane.lane, "flag": flag}, count) for lane in now.lanes for flag, count in lane.flags.items()]
    yield from _family("flagged_fruit_total", "counter", "Fruit by lane and flag; one may have several.", flags)
    grades = [({"grade": grade}, count) for grade, count in now.grades.items()]
    yield from _family("graded_fruit_total", "counter", "Fruit by grade; empty: of none.", grades)
    outlets = [({"outlet": outlet}, count) for outlet, count in now.outlets.items()]
    yield from _family("outlet_fruit_total", "counter", "Fruit by outlet; 0 is the default outlet.", outlets)
    gates = [({"result": result}, getattr(now, result)) for result in ("fired", "late", "refused", "void")]
    yield from _family("gate_commands_total", "counter", "Gate commands by what became of them.", gates)


def _of_devices(now: Snapshot) -> Iterator[str]:
    yield from _one("frames_total", "counter", "Exposures that the line was told of.", now.frames)
    yield from _one("frames_lost_total", "counter", "Exposures without a picture.", now.frames_lost)
    yield from _one("frames_dropped_total", "counter", "Pictures lost for want of a free place.", now.frames_dropped)
    if now.light is not None:
        yield from _one("light_ratio", "gauge", "Light of the belt, as a share of its brightest.", now.light)
    if now.seats_moved_mm is not None:
        yield from _one(
            "seats_moved_mm", "gauge", "How far fruit lie from where they lay at first.", now.seats_moved_mm
        )
    devices = {"camera": now.camera_trouble, "sensors": now.sensor_trouble, "journal": now.journal.trouble}
    devices |= {"pictures": now.pictures.trouble, "maps": now.map_trouble}
    trouble = [({"device": name}, int(bool(said))) for name, said in devices.items()]
    yield from _family("trouble", "gauge", "1 while a device is opened again, or the disk is slow or full.", trouble)
    yield from _one("journal_fruit_total", "counter", "Fruit that are durable.", now.journal_rows)
    yield from _one("journal_waiting_fruit", "gauge", "Fruit decided and not durable yet.", now.journal.fruit_waiting)
    since_s = now.journal.since_commit_s
    yield from _one("journal_since_commit_seconds", "gauge", "Since something was last written.", since_s)
    yield from _one("pictures_kept_total", "counter", "Pictures of fruit that are kept.", now.pictures.kept)
    yield from _one("pictures_dropped_total", "counter", "Pictures wanted, and not kept.", now.pictures.dropped)
    yield from _one("board_damaged_packets_total", "counter", "Packets damaged on the way.", now.packets_damaged)
    board = now.board
    yield from _one("board_heard", "gauge", "Whether the gate board's heartbeat is there.", board is not None)
    if board is None:
        return
    yield from _one("board_pending_commands", "gauge", "Commands whose gate has not opened yet.", board.pending)
    yield from _one("board_open_gates", "gauge", "Gates that are open or moving.", board.gates_open)
    names = ("belt_running", "emergency_stop", "jogging", "encoder_fault", "phase_known")
    signals = [({"signal": name}, int(getattr(board, name))) for name in names]
    yield from _family("signal", "gauge", "1 while the plant or the board says so.", signals)
    outlets = sorted({*now.outlets, *board.outlets_full})
    full = [({"outlet": outlet}, int(outlet in board.outlets_full)) for outlet in outlets]
    yield from _family("outlet_full", "gauge", "1 while an outlet can take no more.", full)


def _of_findings(now: Snapshot) -> Iterator[str]:
    """Every kind is there, so that an alarm can be told from a station that is not there."""
    found = {finding.place: finding for finding in now.findings}
    absent = set(FindingKind) - {finding.kind for finding in now.findings}
    places = [*found, *((kind, None, None) for kind in sorted(absent))]

    def named(kind: FindingKind, lane: int | None, outlet: int | None) -> Labels:
        return {"finding": kind, "lane": "" if lane is None else lane, "outlet": "" if outlet is None else outlet}

    present = [(named(*place), int(place in found)) for place in places]
    yield from _family("finding", "gauge", "1 for what is not as it should be, and where.", present)
    shares = [(named(*place), finding.share) for place, finding in found.items() if finding.share is not None]
    yield from _family("finding_share_ratio", "gauge", "Of the fruit, frames or commands that it befalls.", shares)


def _of_stages(latency: Mapping[str, Latency]) -> Iterator[str]:
    samples: list[tuple[str, Labels, float | int]] = []
    for stage in STAGES:
        timed = latency.get(stage)
        if timed is None or not timed.counts:
            continue
        edges = (*(f"{edge_ms / 1e3:g}" for edge_ms in EDGES_MS), "+Inf")
        within = itertools.accumulate(timed.counts)
        samples += [("_bucket", {"stage": stage, "le": edge}, n) for edge, n in zip(edges, within, strict=True)]
        samples += [("_sum", {"stage": stage}, timed.sum_ms / 1e3), ("_count", {"stage": stage}, timed.n)]
    yield from _lines("stage_seconds", "histogram", "How long each stage of a fruit's way took.", samples)


def _one(name: str, kind: str, what: str, value: float) -> Iterator[str]:
    return _family(name, kind, what, [({}, +value)])


def _family(name: str, kind: str, what: str, samples: Samples) -> Iterator[str]:
    return _lines(name, kind, what, (("", labels, value) for labels, value in samples))


def _lines(name: str, kind: str, what: str, samples: Iterable[tuple[str, Labels, float | int]]) -> Iterator[str]:
    yield f"# HELP grader_{name} {what}"
    yield f"# TYPE grader_{name} {kind}"
    for end, labels, value in samples:
        named = ",".join(f'{label}="{_escaped(label_value)}"' for label, label_value in labels.items())
        yield f"grader_{name}{end}{'{' + named + '}' if named else ''} {value}"


def _escaped(value: object) -> str:
    return str(value).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


class MetricsPort:
    """Answers at http://127.0.0.1:PORT/metrics, one at a time, in a thread of its own. port: 0 asks for a free one."""

    def __init__(self, port: int, page: Callable[[], str | None]) -> None:
        """page: the text of the moment; None: the station is not ready yet. Raises DeviceError for a port in use."""
        try:
            self._server = _Server((LOOPBACK, port), _answering(page))
        except OSError as problem:
            raise DeviceError(
                f"--metrics-port {port}: cannot be opened: {problem.strerror}; name another port, or 0 for none"
            ) from problem
        self._thread = threading.Thread(target=self._server.serve_forever, args=(CLOSE_S,), name="metrics", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """At which it answers."""
        return int(self._server.server_address[1])

    def close(self) -> None:
        """Idempotent."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(TCPServer):
    allow_reuse_address = True  # a station that was restarted finds its port
    request_queue_size = 32

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Who asked is gone: that is no trouble of the station's."""


def _answering(page: Callable[[], str | None]) -> type[BaseHTTPRequestHandler]:
    class Answer(BaseHTTPRequestHandler):
        timeout = TALK_S

        def do_GET(self) -> None:
            text = page() if self.path.split("?")[0] == "/metrics" else ""
            if text:
                self._say(200, CONTENT_TYPE, text)
            elif text is None:
                self._say(503, "text/plain", "the station is not ready yet\n")
            else:
                self._say(404, "text/plain", "the figures are at /metrics\n")

        def log_message(self, format: str, *args: Any) -> None:
            """Not a word of it on the station's page."""

        def _say(self, status: int, kind: str, text: str) -> None:
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Answer
