"""The figures for Prometheus: read by its rules, they say what the snapshot says; who asks disturbs nothing."""

from __future__ import annotations

import re
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from grader.app.metrics import CONTENT_TYPE, MetricsPort, metrics_page
from grader.domain.decisions import BoardStatus
from grader.domain.latency import EDGES_MS, LatencyHistogram
from grader.domain.snapshot import (
    STAGES,
    FaultKind,
    Finding,
    FindingKind,
    JournalHealth,
    LaneSnapshot,
    Snapshot,
    State,
)
from grader.errors import DeviceError
from grader.units import HostNs, Pulse

VERSIONS = {"grader": "0.1.0", "numpy": "2.4"}
HASHES = {"sheet": "ab" * 32, "sugar-model": "cd" * 32}


def timed(*durations_ms: float) -> LatencyHistogram:
    histogram = LatencyHistogram()
    histogram.add(durations_ms)
    return histogram


ODD = 'a "red"\nback\\slash 等级'
SNAPSHOT = Snapshot(
    t_ns=HostNs(1),
    elapsed_s=12.5,
    state=State.RUNNING,
    pulse=Pulse(4711),
    cups_per_s=12.0,
    lanes=(
        LaneSnapshot(lane=0, fruit=70, fruit_per_s=11.5, occupancy=0.9, flags={"touching": 3}),
        LaneSnapshot(lane=1, fruit=30, fruit_per_s=3.25, occupancy=0.4),
    ),
    grades={"Extra": 60, ODD: 40},
    outlets={0: 5, 2: 95},
    flags={"touching": 3},
    fired=90,
    late=1,
    refused=2,
    void=3,
    frames_dropped=4,
    board=BoardStatus(boot_id=1, config_crc=1, pulse=Pulse(1), pending=6, gates_open=2, outlets_full=frozenset({7})),
    latency={stage: timed(0.05, 7.0, 30.0, 5000.0).latency() for stage in STAGES},
    journal_rows=98,
    lot="17",
    sheet="market",
    journal=JournalHealth(fruit_waiting=2, since_commit_s=0.25),
    frames=200,
    frames_lost=8,
    packets_damaged=9,
    light=0.75,
    seats_moved_mm=0.4,
    misfits=(None, -0.02),
    lots_waiting={"18": 2},
    findings=(Finding(kind=FindingKind.NO_WEIGHT, lane=1, share=0.4), Finding(kind=FindingKind.CAMERA, detail="gone")),
)


# A reader of its own, by the published rules of the text format 0.0.4

_HELP = re.compile(r"# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) (.*)")
_TYPE = re.compile(r"# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge|histogram|summary|untyped)")
_SAMPLE = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)")
_ESCAPED = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)')


class Read(NamedTuple):
    """A page as Prometheus has it. samples: values by name and labels."""

    kinds: dict[str, str]
    samples: dict[tuple[str, frozenset[tuple[str, str]]], float]

    def of(self, name: str, **labels: str) -> float:
        return self.samples[name, frozenset(labels.items())]


def read(page: str) -> Read:
    assert page.endswith("\n")
    kinds: dict[str, str] = {}
    helped: set[str] = set()
    samples: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}
    for line in page[:-1].split("\n"):
        if line.startswith("# HELP"):
            found = _HELP.fullmatch(line)
            assert found and found[1] not in helped, line
            helped.add(found[1])
            family = found[1]
        elif line.startswith("# TYPE"):
            found = _TYPE.fullmatch(line)
            assert found and found[1] == family and found[1] not in kinds, line
            kinds[family] = found[2]
        else:
            found = _SAMPLE.fullmatch(line)
            assert found, line
            ends = ("_bucket", "_sum", "_count") if kinds[family] == "histogram" else ("",)
            assert found[1] in {family + end for end in ends}, f"{line}: not of {family}"
            key = found[1], frozenset(labels_of(found[2] or ""))
            assert key not in samples, f"{line}: twice"
            samples[key] = float(found[3])
    return Read(kinds, samples)


def labels_of(text: str) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(text):
        found = _LABEL.match(text, at)
        assert found, text[at:]
        yield found[1], re.sub(r'\\[\\"n]', lambda each: _ESCAPED[each[0]], found[2])
        at = found.end()


FOUND = read(metrics_page(SNAPSHOT, VERSIONS, HASHES))


def test_counts_are_those_of_the_snapshot() -> None:
    assert FOUND.of("grader_fruit_total", lane="0") == 70
    assert FOUND.of("grader_flagged_fruit_total", lane="0", flag="touching") == 3
    assert FOUND.of("grader_graded_fruit_total", grade=ODD) == 40
    assert FOUND.of("grader_outlet_fruit_total", outlet="2") == 95
    for result, count in (("fired", 90), ("late", 1), ("refused", 2), ("void", 3)):
        assert FOUND.of("grader_gate_commands_total", result=result) == count
    for name, value in (
        ("frames_total", 200),
        ("frames_lost_total", 8),
        ("frames_dropped_total", 4),
        ("journal_fruit_total", 98),
        ("journal_waiting_fruit", 2),
        ("journal_since_commit_seconds", 0.25),
        ("board_damaged_packets_total", 9),
        ("board_heard", 1),
        ("board_pending_commands", 6),
        ("light_ratio", 0.75),
        ("elapsed_seconds", 12.5),
        ("can_reset", 1),
    ):
        assert FOUND.of(f"grader_{name}") == value, name
    assert FOUND.of("grader_outlet_full", outlet="7") == 1 and FOUND.of("grader_outlet_full", outlet="2") == 0
    assert FOUND.of("grader_lot_waiting_lanes", lot="18") == 2
    assert FOUND.of("grader_fruit_per_second", lane="1") == 3.25


def test_only_what_grows_is_a_counter_and_every_counter_says_so() -> None:
    for name, kind in FOUND.kinds.items():
        assert (kind == "counter") == name.endswith("_total"), name


def test_one_state_is_on() -> None:
    assert {state: FOUND.of("grader_state", state=state) for state in State} == {
        state: float(state is State.RUNNING) for state in State
    }


def test_a_fault_is_told_by_its_kind() -> None:
    faulted = msgspec.structs.replace(SNAPSHOT, state=State.FAULTED, fault=FaultKind.BOARD, faulted_s=3.5)
    found = read(metrics_page(faulted, VERSIONS, HASHES))
    on = {kind for kind in FaultKind if found.of("grader_fault", fault=kind)}
    assert on == {FaultKind.BOARD} and found.of("grader_faulted_seconds") == 3.5
    assert not any(FOUND.of("grader_fault", fault=kind) for kind in FaultKind)


def test_every_finding_is_there_to_ask_for_and_those_that_are_found_say_where() -> None:
    assert FOUND.of("grader_finding", finding="no_weight", lane="1", outlet="") == 1
    assert FOUND.of("grader_finding_share_ratio", finding="no_weight", lane="1", outlet="") == 0.4
    on = {key for key, value in FOUND.samples.items() if key[0] == "grader_finding" and value}
    assert len(on) == len(SNAPSHOT.findings)
    named = {dict(labels)["finding"] for name, labels in FOUND.samples if name == "grader_finding"}
    assert named == set(FindingKind)


def test_a_histogram_is_cumulative_in_seconds_and_ends_with_its_count() -> None:
    for stage in STAGES:
        edges = [*(f"{ms / 1000:g}" for ms in EDGES_MS), "+Inf"]
        within = [FOUND.of("grader_stage_seconds_bucket", stage=stage, le=edge) for edge in edges]
        assert within == sorted(within)
        assert within[-1] == FOUND.of("grader_stage_seconds_count", stage=stage) == 4
        assert FOUND.of("grader_stage_seconds_bucket", stage=stage, le="0.01") == 2
        assert FOUND.of("grader_stage_seconds_sum", stage=stage) == pytest.approx(5.03705)


def test_versions_and_hashes_are_labels_whatever_their_names() -> None:
    (built,) = (dict(labels) for name, labels in FOUND.samples if name == "grader_build_info")
    assert built == {**VERSIONS, "sha256_sheet": "ab" * 32, "sha256_sugar_model": "cd" * 32}


def test_a_station_that_has_neither_board_nor_fruit_has_a_page() -> None:
    nothing = msgspec.structs.replace(
        SNAPSHOT,
        board=None,
        lanes=(),
        grades={},
        outlets={},
        latency={},
        light=None,
        seats_moved_mm=None,
        misfits=(),
        findings=(),
        lots_waiting={},
    )
    found = read(metrics_page(nothing, {}, {}))
    assert found.of("grader_board_heard") == 0
    assert ("grader_light_ratio", frozenset()) not in found.samples


# The port


def get(port: int, path: str = "/metrics") -> tuple[int, str, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, "", refused.read().decode()


@pytest.fixture
def pages() -> list[str | None]:
    """What the port is given to say; the last one counts."""
    return [None]


@pytest.fixture
def port(pages: list[str | None]) -> Iterator[int]:
    opened = MetricsPort(0, lambda: pages[-1])
    yield opened.port
    opened.close()


def test_the_port_says_what_is_true_now_and_before_that_that_it_is_not_ready(
    port: int, pages: list[str | None]
) -> None:
    assert get(port)[0] == 503
    pages.append("grader_up 1\n")
    assert get(port) == (200, CONTENT_TYPE, "grader_up 1\n")
    assert get(port, "/metrics?collect=all")[0] == 200
    status, _, said = get(port, "/etc/passwd")
    assert status == 404 and "/metrics" in said


def test_nobody_else_on_the_net_reaches_it(port: int) -> None:
    listening = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    at = {fields[1].split(":")[0] for fields in listening if int(fields[1].split(":")[1], 16) == port}
    assert at == {"0100007F"}


def test_who_talks_nonsense_or_says_nothing_does_not_keep_others_from_it(port: int, pages: list[str | None]) -> None:
    pages.append("grader_up 1\n")
    with socket.create_connection(("127.0.0.1", port)) as rude:
        rude.sendall(b"\x00\xff nonsense\r\n\r\n")
    with socket.create_connection(("127.0.0.1", port)):  # never asks
        assert get(port)[0] == 200


def test_many_at_once_all_get_the_whole_page(port: int, pages: list[str | None]) -> None:
    page = metrics_page(SNAPSHOT, VERSIONS, HASHES)
    pages.append(page)
    got: list[str] = []
    askers = [threading.Thread(target=lambda: got.append(get(port)[2])) for _ in range(8)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    assert got == [page] * 8


def test_a_port_that_is_taken_is_a_sentence(port: int) -> None:
    with pytest.raises(DeviceError, match=rf"--metrics-port {port}: .*name another port"):
        MetricsPort(port, lambda: None)
