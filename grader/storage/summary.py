"""summary.json: what a run or a replay came to, in one small file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple, TypeVar

import msgspec

from grader.domain.decisions import FruitRecord, Result
from grader.domain.flags import FLAGS, flag_names
from grader.domain.latency import EDGES_MS, Latency
from grader.storage.atomic import replace_file

_Key = TypeVar("_Key")


class LotSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What one lot came to. grower: empty where nobody said whose it is. packout, outlets: as in `Summary`."""

    name: str
    grower: str = ""
    fruit: int
    packout: dict[str, dict[str, int]]
    outlets: dict[str, int]

    @property
    def grades(self) -> dict[str, int]:
        """Fruit by grade."""
        return {grade: sum(sizes.values()) for grade, sizes in self.packout.items()}


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """Counts, rates, latencies, versions and hashes of one run or replay.

    lots: their names; by_lot: what each of them came to. packout: fruit by grade, then by size. outlets: fruit by the
    outlet decided for them, as text; "0" is the default outlet. flags: fruit by flag. late, refused, void: fruit whose
    gate did not open, by why.
    unknown: fruit of whose gate nothing was heard, because the station was stopped too early.
    duration_s: how long the run or the replay took. latency: by stage, see `grader.domain.snapshot.STAGES`, with the
    counts of a histogram over all of it; histogram_edges_ms: the upper edges of its counts, of which the last has none.
    versions and hashes: as in `RunInfo`. seed: of the simulated line, None elsewhere.
    """

    lots: tuple[str, ...]
    by_lot: tuple[LotSummary, ...] = ()
    fruit: int
    grades: dict[str, int]
    packout: dict[str, dict[str, int]]
    outlets: dict[str, int]
    flags: dict[str, int]
    late: int
    refused: int
    void: int
    unknown: int = 0
    frames_dropped: int
    duration_s: float
    fruit_per_s: float
    latency: dict[str, Latency]
    histogram_edges_ms: tuple[float, ...] = EDGES_MS
    versions: dict[str, str]
    hashes: dict[str, str]
    seed: int | None = None


class Kind(NamedTuple):
    """What of a fruit is counted."""

    lot: str
    grade: str
    size: str
    outlet: int
    flags: int
    gate_outcome: str


Tally = Counter[Kind]
"""Fruit by kind: all that a summary needs of them, however many they are."""


def kind_of(record: FruitRecord) -> Kind:
    """Its kind."""
    return Kind(record.lot, record.grade, record.size, record.outlet, record.flags, record.gate_outcome)


def tally_of(records: Iterable[FruitRecord]) -> Tally:
    """Fruit counted by their kind."""
    return Counter(map(kind_of, records))


def summary_of(
    tally: Tally,
    *,
    duration_s: float,
    frames_dropped: int,
    latency: Mapping[str, Latency],
    versions: Mapping[str, str],
    hashes: Mapping[str, str],
    growers: Mapping[str, str] | None = None,
    seed: int | None = None,
) -> Summary:
    """What a run came to, by its fruit. growers: of its lots, by their names."""
    of_lot: dict[str, Tally] = {}
    for kind, fruit in tally.items():
        of_lot.setdefault(kind.lot, Counter())[kind] = fruit
    packout = _packout(tally)
    by_flags, by_outcome = _by(tally, lambda kind: kind.flags), _by(tally, lambda kind: kind.gate_outcome)
    flags = {flag_names(flag): sum(n for flags, n in by_flags.items() if flags & flag) for flag in FLAGS}
    return Summary(
        lots=tuple(sorted(of_lot)),
        by_lot=tuple(
            LotSummary(
                name=name,
                grower=(growers or {}).get(name, ""),
                fruit=of_lot[name].total(),
                packout=_packout(of_lot[name]),
                outlets=_outlets(of_lot[name]),
            )
            for name in sorted(of_lot)
        ),
        fruit=tally.total(),
        grades={grade: sum(sizes.values()) for grade, sizes in packout.items()},
        packout=packout,
        outlets=_outlets(tally),
        flags={name: fruit for name, fruit in flags.items() if fruit},
        late=by_outcome[Result.LATE],
        refused=by_outcome[Result.REFUSED],
        void=by_outcome[Result.VOID],
        unknown=by_outcome[Result.UNKNOWN],
        frames_dropped=frames_dropped,
        duration_s=duration_s,
        fruit_per_s=tally.total() / duration_s if duration_s > 0 else 0.0,
        latency=dict(latency),
        versions=dict(versions),
        hashes=dict(hashes),
        seed=seed,
    )


def _by(tally: Tally, of: Callable[[Kind], _Key]) -> Counter[_Key]:
    """Fruit by what a kind has."""
    counts: Counter[_Key] = Counter()
    for kind, fruit in tally.items():
        counts[of(kind)] += fruit
    return counts


def _packout(tally: Tally) -> dict[str, dict[str, int]]:
    packout: dict[str, dict[str, int]] = {}
    for (grade, size), fruit in _by(tally, lambda kind: (kind.grade, kind.size)).items():
        packout.setdefault(grade, {})[size] = fruit
    return packout


def _outlets(tally: Tally) -> dict[str, int]:
    return {str(outlet): fruit for outlet, fruit in _by(tally, lambda kind: kind.outlet).items()}


def write_summary(path: Path, summary: Summary) -> None:
    """Write summary.json: the same summary gives the same bytes. Replaced whole or not at all. Raises OSError."""
    text = msgspec.json.format(msgspec.json.encode(summary, order="deterministic"), indent=2)
    replace_file(path, text + b"\n")
