"""The terminal page fits, says everything in both languages, and hides nothing that it cannot show."""

from __future__ import annotations

import io
import re
import string
import unicodedata
from pathlib import Path

import msgspec
import pytest
from rich.console import Console, RenderableType

from grader.cli.closing import closing_report
from grader.cli.page import render
from grader.cli.watching import LINE_EVERY_NS, Page, status_line
from grader.cli.words import LANGUAGES, WORDS, Language, language_of, say, say_findings, say_flag
from grader.domain.decisions import BoardStatus
from grader.domain.flags import FLAGS, flag_names
from grader.domain.latency import Latency, LatencyHistogram
from grader.domain.lots import NO_LOT
from grader.domain.snapshot import (
    STAGES,
    FaultKind,
    Finding,
    FindingKind,
    LaneSnapshot,
    LotOnBelt,
    Snapshot,
    State,
)
from grader.storage.summary import LotSummary, Summary
from grader.units import HostNs, Pulse

CHINESE = re.compile(r"[\u4e00-\u9fff]")
TIMED = Latency(n=31_245, p50_ms=8.123, p99_ms=12.34, p999_ms=123.4, worst_ms=1234.5)
BOARD = BoardStatus(boot_id=7, config_crc=1, pulse=Pulse(5), pending=14, gates_open=3)


def a_snapshot(lanes: int = 4, /, **changes: object) -> Snapshot:
    return msgspec.structs.replace(
        Snapshot(
            t_ns=HostNs(1),
            elapsed_s=3754.0,
            state=State.RUNNING,
            pulse=Pulse(123_456),
            cups_per_s=12.0,
            lanes=tuple(
                LaneSnapshot(lane=lane, fruit=12_345 + lane, fruit_per_s=11.4, occupancy=0.95) for lane in range(lanes)
            ),
            grades={"Extra": 30_210, "I": 14_000, "II": 3_020, "加工果": 900, "reject": 12},
            outlets={outlet: 100 + outlet for outlet in range(9)},
            flags={"touching": 31, "not_seen": 7, "spectrum_unlike": 5, "frame_lost": 3, "oversize": 2},
            late=4,
            frames_dropped=21,
            board=BOARD,
            latency=dict.fromkeys(STAGES, TIMED),
            journal_rows=49_380,
            lot="2026-11-22/1 王家果园",
            sheet="eu-apples",
        ),
        **changes,
    )


WORST = a_snapshot(
    12,
    state=State.FAULTED,
    elapsed_s=1e6,
    reason="the gate board is silent: 检查电缆后再启动 " * 6,
    grades={f"一个很长很长的等级名称 {number}": 9_999_999 for number in range(30)},
    outlets=dict.fromkeys(range(40), 9999999),
    flags={flag_names(flag): 9_999_999 for flag in FLAGS},
    late=9_999_999,
    refused=9_999_999,
    void=9_999_999,
    frames_dropped=9_999_999,
    board=None,
    journal_rows=999_999_999,
    latency=dict.fromkeys(STAGES, Latency(n=1, p50_ms=99_999.0, p99_ms=99_999.0, p999_ms=99_999.0, worst_ms=99_999.0)),
    lot="一个很长的批次名称" * 20,
    sheet="一个很长的标准名称" * 20,
)
EMPTY = a_snapshot(0, grades={}, outlets={}, flags={}, latency={}, board=None, cups_per_s=0.0, lot="", sheet="")


def text_of(content: RenderableType, width: int = 80, height: int = 24) -> str:
    console = Console(width=width, height=height, file=io.StringIO(), force_terminal=True, color_system=None)
    with console.capture() as captured:
        console.print(content, end="")
    return re.sub(r"\x1b\[[0-9;]*m", "", captured.get())


def cells(line: str) -> int:
    """Width on a terminal by the Unicode database: wide and full-width characters take two cells."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in line)


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize(
    "snapshot", [a_snapshot(), a_snapshot(12), WORST, EMPTY], ids=["usual", "12", "worst", "empty"]
)
@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 30), (200, 60)])
def test_the_page_fills_its_window_and_never_runs_over(
    lang: Language, snapshot: Snapshot, width: int, height: int
) -> None:
    lines = text_of(render(snapshot, lang), width, height).rstrip("\n").split("\n")
    assert len(lines) == height
    assert {cells(line) for line in lines} == {width}


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_tiny_window_is_no_crash(lang: Language) -> None:
    for width, height in ((20, 5), (1, 1), (40, 12)):
        text_of(render(WORST, lang), width, height)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_at_80_by_24_twelve_lanes_and_everything_that_matters_is_there(lang: Language) -> None:
    page = text_of(render(a_snapshot(12), lang))
    for lane in range(12):
        assert re.search(rf"│ {lane} +█+.? +11.4/s +95% +{12_345 + lane:,} │", page)
    for grade, share in (("Extra", "62.8%"), ("I", "29.1%"), ("加工果", "1.9%"), ("reject", "0.0%")):
        assert re.search(rf"│ {grade} .*{share}", page)
    for outlet in range(9):
        assert re.search(rf"(│| ) ?{outlet} +█* *.? +{100 + outlet} ", page)
    assert "8.12 12.3   123" in page
    for needed in ("136.8", "12.0", "1:02:34", "2026-11-22/1", "王家果园", "49,380", "Ctrl-C"):
        assert needed in page
    # Trouble has a mark that is not a colour, and so has its absence.
    assert f"! {say(lang, 'late')} 4" in page and f"! {say(lang, 'frames_dropped')} 21" in page
    assert f"✓ {say(lang, 'refused')} 0" in page and f"✓ {say(lang, 'void')} 0" in page
    assert f"! 31 {say_flag(lang, 'touching')}" in page


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_wide_window_shows_the_histogram_of_every_stage_and_a_single_slow_one_in_it(lang: Language) -> None:
    timed = LatencyHistogram()
    timed.add([7.0] * 5000)
    timed.add(700.0)
    snapshot = a_snapshot(latency=dict.fromkeys(STAGES, timed.latency()))
    wide = text_of(render(snapshot, lang), 120, 30)
    bars = re.findall(r" {6}(█) {5}(▁) ", wide)  # up to 10 ms, and up to 1000 ms
    assert bars == [("█", "▁")] * len(STAGES), wide
    assert "▁" not in text_of(render(snapshot, lang))


@pytest.mark.parametrize("lang", LANGUAGES)
def test_what_has_no_room_is_counted(lang: Language) -> None:
    page = text_of(render(a_snapshot(), lang))
    flags_shown = sum(say_flag(lang, name)[:20] in page for name in a_snapshot().flags)
    assert 0 < flags_shown < 5
    assert say(lang, "more", n=5 - flags_shown) in page
    roomy = text_of(render(a_snapshot(), lang), 120, 40)
    assert all(say_flag(lang, name) in roomy for name in a_snapshot().flags)
    assert "..." not in roomy


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("state", State)
def test_each_state_is_named_and_says_what_to_do(lang: Language, state: State) -> None:
    page = text_of(render(a_snapshot(state=state, reason="belt encoder silent"), lang))
    assert say(lang, state.value) in page
    assert say(lang, f"to_do_{state.value}") in page, "the whole of it, at 80 columns"
    assert "belt encoder silent" in page


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize(
    ("board", "key"),
    [
        (None, "board_lost"),
        (msgspec.structs.replace(BOARD, emergency_stop=True), "emergency_stop"),
        (msgspec.structs.replace(BOARD, belt_running=False), "belt_stopped"),
    ],
)
def test_a_board_in_trouble_is_said(lang: Language, board: BoardStatus | None, key: str) -> None:
    assert say(lang, key) in text_of(render(a_snapshot(board=board), lang))
    assert say(lang, key) not in text_of(render(a_snapshot(), lang))


SENTENCE = "top: nothing came for 2.0 s"
FINDINGS = {
    kind: Finding(
        kind=kind,
        lane=3 if kind in (FindingKind.NO_WEIGHT, FindingKind.NO_SUGAR, FindingKind.NOT_SEEN) else None,
        outlet=5 if kind is FindingKind.OUTLET_FULL else None,
        share=0.57,
        detail=SENTENCE if kind in (FindingKind.CAMERA, FindingKind.SENSORS, FindingKind.JOURNAL) else "12/s",
    )
    for kind in FindingKind
    if kind is not FindingKind.LOT_WAITS  # the header says it
}


def watched(page: str) -> str:
    """The words of the right column, without what is drawn around and between them."""
    right = [line[40:] for line in page.splitlines()]
    return "".join("".join(right).replace("│", "").split())


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("finding", FINDINGS.values(), ids=list(FINDINGS))
def test_a_finding_is_said_in_full_beside_twelve_lanes_on_the_smallest_window(lang: Language, finding: Finding) -> None:
    page = text_of(render(a_snapshot(12, findings=(finding,)), lang))
    (said,) = say_findings(lang, [finding])
    if lang == "en":
        assert "".join(said.split()) in watched(page)
    else:  # a Chinese character is two cells wide: columns are not characters
        assert "".join(said.split()) in "".join(re.sub(r"│[^│]*││", "", page).replace("│", "").split())
    assert all(f"{12_345 + lane:,}" in page for lane in range(12))
    assert (SENTENCE in page) is (finding.detail == SENTENCE), "what a device says is in a line of its own"


@pytest.mark.parametrize("lang", LANGUAGES)
def test_findings_come_with_the_most_serious_first_and_alike_ones_together(lang: Language) -> None:
    full = [Finding(kind=FindingKind.OUTLET_FULL, outlet=outlet) for outlet in (7, 2)]
    light = [Finding(kind=FindingKind.NO_WEIGHT, lane=lane, share=lane / 10) for lane in (3, 9, 4)]
    said = say_findings(lang, (*light, *full, FINDINGS[FindingKind.JOURNAL]))
    assert len(said) == 3
    assert said[0] == say_findings(lang, [FINDINGS[FindingKind.JOURNAL]])[0]
    assert re.search(r"2\D+7", said[1])
    assert re.search(r"3\D+4\D+9\b", said[2]) and "90%" in said[2], "with the largest share"


@pytest.mark.parametrize("lang", LANGUAGES)
def test_findings_without_room_are_counted(lang: Language) -> None:
    page = text_of(render(a_snapshot(12, findings=tuple(FINDINGS.values())), lang))
    assert say_findings(lang, [FINDINGS[FindingKind.JOURNAL]])[0] in page
    assert re.search(re.escape(say(lang, "more", n="N")).replace("N", r"\d+"), page)


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("can_reset", [True, False])
@pytest.mark.parametrize("kind", FaultKind)
def test_a_fault_says_what_happened_since_when_and_what_to_do(lang: Language, kind: FaultKind, can_reset: bool) -> None:
    faulted = a_snapshot(
        12, state=State.FAULTED, fault=kind, faulted_s=72.0, can_reset=can_reset, reason="belt encoder silent"
    )
    page = text_of(render(faulted, lang, keys=True))
    words = "".join(page.replace("│", "").split())
    for needed in (
        say(lang, "fault", since="0:01:12"),
        say(lang, f"fault_{kind}"),
        "1. " + say(lang, f"remedy_{kind}"),
        "2. " + say(lang, "reset_by_key" if can_reset else "restart"),
    ):
        assert "".join(needed.split()) in words
    assert (faulted.reason in page) is (kind is not FaultKind.EMERGENCY_STOP)
    if can_reset:
        assert "grader order reset" in text_of(render(faulted, lang, keys=False)), "where no key is read"


@pytest.mark.parametrize("lang", LANGUAGES)
def test_two_growers_at_once_and_a_lot_that_waits_are_in_the_header(lang: Language) -> None:
    lots = (LotOnBelt(name="17", grower="Li", lanes=3), LotOnBelt(name="18", grower="王", lanes=9, lanes_waiting=3))
    head = text_of(render(a_snapshot(12, lots=lots), lang)).split("╭")[0]
    for name, values in (
        ("lot_on_belt", {"lot": say(lang, "lot_of", lot="17", grower="Li"), "lanes": 3}),
        ("lot_waits", {"lot": say(lang, "lot_of", lot="18", grower="王"), "lanes": 3}),
        ("lot_on_belt", {"lot": say(lang, "lot_of", lot="18", grower="王"), "lanes": 9}),
    ):
        assert "".join(say(lang, name, all=12, **values).split()) in "".join(head.split())
    gone = (LotOnBelt(name="17", grower="Li"), LotOnBelt(name="18", grower="王", lanes=12))
    assert say(lang, "lot_leaves", lot=say(lang, "lot_of", lot="17", grower="Li")) in text_of(
        render(a_snapshot(12, lots=gone), lang)
    )


@pytest.mark.parametrize("lang", LANGUAGES)
def test_of_the_latency_the_most_important_is_shown_where_there_is_little_room(lang: Language) -> None:
    page = text_of(render(a_snapshot(12, findings=tuple(FINDINGS.values())), lang))
    assert say(lang, "frame_to_command") in page
    roomy = text_of(render(a_snapshot(4), lang))
    assert all(say(lang, stage) in roomy for stage in STAGES)


def test_bars_grow_with_what_they_show() -> None:
    lanes = tuple(
        LaneSnapshot(lane=lane, fruit=1, fruit_per_s=rate, occupancy=0.5)
        for lane, rate in enumerate([0.0, 3.0, 6.0, 12.0, 99.0])
    )
    page = text_of(render(a_snapshot(lanes=lanes), "en"), 120, 40)
    full = [len(re.findall("█", line.split("││")[0])) for line in page.splitlines() if "/s " in line and "│" in line]
    assert full[0] == 0 and full[3] == full[4] > 20
    assert full[1] == pytest.approx(full[3] / 4, abs=1) and full[2] == pytest.approx(full[3] / 2, abs=1)


def test_markup_in_names_is_shown_as_it_is() -> None:
    page = text_of(render(a_snapshot(lot="[red]x[/red]", grades={"[bold]I": 1}), "en"), 120, 30)
    assert "[red]x[/red]" in page and "[bold]I" in page


def test_every_word_exists_in_both_languages_with_the_same_places() -> None:
    assert set(WORDS) == set(LANGUAGES)
    assert WORDS["en"].keys() == WORDS["zh"].keys()
    places = {
        lang: {key: {name for _, name, _, _ in string.Formatter().parse(text) if name} for key, text in words.items()}
        for lang, words in WORDS.items()
    }
    assert places["en"] == places["zh"]
    assert all(CHINESE.search(text) for text in WORDS["zh"].values())
    assert not any(CHINESE.search(text) for text in WORDS["en"].values())


def test_every_flag_and_every_word_asked_for_can_be_said() -> None:
    for lang in LANGUAGES:
        assert all(say_flag(lang, flag_names(flag)) for flag in FLAGS)
        assert all(say(lang, key) for key in (*STAGES, *State, *(f"to_do_{state}" for state in State)))
        assert all(say_findings(lang, [finding]) for finding in FINDINGS.values())


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, "en"),
        ({"LANG": "C", "LC_ALL": "", "LC_MESSAGES": "zh_TW"}, "zh"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
    ],
)
def test_the_language_is_the_operators(environ: dict[str, str], expected: str) -> None:
    assert language_of(environ) == expected


SUMMARY = Summary(
    lots=("2026-11-22/1",),
    fruit=48_142,
    grades={"I": 14_000, "Extra": 30_210, "加工果": 3_932},
    packout={"Extra": {"100-110": 210, "70-75": 30_000}, "I": {"70-75": 14_000}, "加工果": {"": 3_932}},
    outlets={"0": 12, "10": 5, "2": 9, "1": 48_116},
    flags={"touching": 31, "not_seen": 7},
    late=3,
    refused=0,
    void=2,
    frames_dropped=0,
    duration_s=1003.2,
    fruit_per_s=47.98,
    latency=dict.fromkeys(STAGES, TIMED),
    versions={},
    hashes={},
)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_closing_report_has_the_whole_lot_on_80_columns(lang: Language) -> None:
    lines = text_of(closing_report(SUMMARY, lang)).splitlines()
    assert max(map(cells, lines)) <= 80
    rows = [line.split() for line in lines]
    assert ["Extra", *say(lang, "all_sizes").split(), "30,210", "62.8%"] in rows
    assert rows.index(["70-75", "30,000", "62.3%"]) < rows.index(["100-110", "210", "0.4%"])
    assert ["加工果", *say(lang, "all_sizes").split(), "3,932", "8.2%"] in rows
    assert rows.index(["2", "9", "0.0%"]) < rows.index(["10", "5", "0.0%"])
    assert [*say_flag(lang, "touching").split(), "31", "0.1%"] in rows
    assert [*say(lang, "frame_to_command").split(), "8.12", "12.3", "123", "1234", "31,245"] in rows
    assert any(line.startswith("! ") and "3" in line and "2" in line for line in lines)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_of_several_lots_each_has_its_own_packout_and_its_grower(lang: Language) -> None:
    by_lot = (
        LotSummary(
            name="17", grower="Li", fruit=200, packout={"Extra": {"70-75": 50}, "I": {"70-75": 150}}, outlets={"1": 200}
        ),
        LotSummary(
            name="18", grower="王家果园", fruit=40, packout={"Extra": {"70-75": 40}}, outlets={"2": 39, "10": 1}
        ),
        LotSummary(name=NO_LOT, fruit=10, packout={"": {"": 10}}, outlets={"0": 10}),
    )
    text = text_of(closing_report(msgspec.structs.replace(SUMMARY, lots=("17", "18", NO_LOT), by_lot=by_lot), lang))
    assert max(map(cells, text.splitlines())) <= 80
    first, second, rest = (text.index(name) for name in (" 17", " 18", say(lang, "no_lot")))
    assert (
        first < text.index("Li") < text.index("25.0%") < second < text.index("王家果园") < text.index("100.0%") < rest
    )
    assert "2: 39  10: 1" in text
    rows = [line.split() for line in text.splitlines()]
    assert ["Extra", *say(lang, "all_sizes").split(), "50", "25.0%"] in rows, "of the lot's own fruit"


@pytest.mark.parametrize("lang", LANGUAGES)
def test_an_empty_lot_has_a_closing_report(lang: Language) -> None:
    empty = msgspec.structs.replace(
        SUMMARY, fruit=0, grades={}, packout={}, outlets={}, flags={}, latency={}, lots=(), late=0, void=0
    )
    assert "✓" in text_of(closing_report(empty, lang))


def test_on_a_terminal_the_page_is_drawn_and_the_screen_given_back() -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=80, height=24)
    with pytest.raises(KeyboardInterrupt), Page("en", console) as page:
        page.show(a_snapshot())
        raise KeyboardInterrupt
    drawn = screen.getvalue()
    assert "RUNNING" in drawn
    assert drawn.count("\x1b[?1049h") == drawn.count("\x1b[?1049l") == 1
    assert drawn.rindex("\x1b[?25h") > drawn.rindex("\x1b[?25l"), "the cursor is back"


def test_in_a_log_there_is_a_line_every_ten_seconds_and_at_each_change(tmp_path: Path) -> None:
    log = io.StringIO()
    with Page("en", Console(file=log, force_terminal=False, width=20)) as page:
        for tick in range(41):
            page.show(a_snapshot(t_ns=HostNs(tick * LINE_EVERY_NS // 20)))
        page.show(a_snapshot(t_ns=HostNs(2 * LINE_EVERY_NS + 1), state=State.DRAINING))
    lines = log.getvalue().splitlines()
    assert [line.split()[0] for line in lines] == ["RUNNING", "RUNNING", "RUNNING", "DRAINING"]
    assert lines[0] == status_line(a_snapshot(), "en")
    assert "late 4" in lines[0] and "45.6 fruit/s" in lines[0]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_in_a_log_a_finding_has_its_line_at_once_when_it_comes_and_when_it_goes(lang: Language) -> None:
    log = io.StringIO()
    full, camera = (FINDINGS[kind] for kind in (FindingKind.OUTLET_FULL, FindingKind.CAMERA))
    with Page(lang, Console(file=log, force_terminal=False)) as page:
        for tick, found in enumerate([(), (full,), (full, camera), (full, camera), (camera,), ()]):
            page.show(a_snapshot(t_ns=HostNs(1 + tick * LINE_EVERY_NS // 40), findings=found))
    (said_full,), (said_camera,) = (say_findings(lang, [finding]) for finding in (full, camera))
    lines = [line.split("  ", 1)[1] for line in log.getvalue().splitlines()[1:]]
    assert lines == [
        said_full,
        said_camera,
        SENTENCE,
        say(lang, "finding_over", finding=said_full),
        say(lang, "finding_over", finding=said_camera),
    ]
