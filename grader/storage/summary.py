"""summary.json: what a run or a replay came to, in one small file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from grader.domain.decisions import FruitRecord, Result
from grader.domain.flags import FLAGS, flag_names
from grader.domain.latency import EDGES_MS, Latency
from grader.storage.atomic import replace_file


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


def summary_of(
    records: Sequence[FruitRecord],
    *,
    duration_s: float,
    frames_dropped: int,
    latency: Mapping[str, Latency],
    versions: Mapping[str, str],
    hashes: Mapping[str, str],
    growers: Mapping[str, str] | None = None,
    seed: int | None = None,
) -> Summary:
    """Count the fruit of a run. growers: of its lots, by their names."""
    gates = Counter(record.gate_outcome for record in records)
    of_lot: dict[str, list[FruitRecord]] = {}
    for record in records:
        of_lot.setdefault(record.lot, []).append(record)
    packout = _packout(records)
    flags = {flag_names(flag): sum(bool(record.flags & flag) for record in records) for flag in FLAGS}
    return Summary(
        lots=tuple(sorted(of_lot)),
        by_lot=tuple(
            LotSummary(
                name=name,
                grower=(growers or {}).get(name, ""),
                fruit=len(of_lot[name]),
                packout=_packout(of_lot[name]),
                outlets=_outlets(of_lot[name]),
            )
            for name in sorted(of_lot)
        ),
        fruit=len(records),
        grades={grade: sum(sizes.values()) for grade, sizes in packout.items()},
        packout=packout,
        outlets=_outlets(records),
        flags={name: fruit for name, fruit in flags.items() if fruit},
        late=gates[Result.LATE],
        refused=gates[Result.REFUSED],
        void=gates[Result.VOID],
        unknown=gates[Result.UNKNOWN],
        frames_dropped=frames_dropped,
        duration_s=duration_s,
        fruit_per_s=len(records) / duration_s if duration_s > 0 else 0.0,
        latency=dict(latency),
        versions=dict(versions),
        hashes=dict(hashes),
        seed=seed,
    )


def _packout(records: Sequence[FruitRecord]) -> dict[str, dict[str, int]]:
    packout: dict[str, Counter[str]] = {}
    # A loop over fruit: texts, not arrays; once a run.
    for record in records:
        packout.setdefault(record.grade, Counter())[record.size] += 1
    return {grade: dict(sizes) for grade, sizes in packout.items()}


def _outlets(records: Sequence[FruitRecord]) -> dict[str, int]:
    return {str(outlet): fruit for outlet, fruit in Counter(record.outlet for record in records).items()}


def write_summary(path: Path, summary: Summary) -> None:
    """Write summary.json: the same summary gives the same bytes. Replaced whole or not at all. Raises OSError."""
    text = msgspec.json.format(msgspec.json.encode(summary, order="deterministic"), indent=2)
    replace_file(path, text + b"\n")
