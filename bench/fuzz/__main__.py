"""`python -m bench.fuzz`: feed every reader, or run one saved input again."""

from __future__ import annotations

import argparse
import sys
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path

from bench.fuzz.hunt import MOST_GROWTH_MB, MOST_S, Findings
from bench.fuzz.targets import TARGETS
from bench.fuzz.workers import hunted


def told(found: Sequence[Findings], seed: int, out: Path) -> bool:
    """Print a line per target, keep the inputs that broke one. True: nothing broke."""
    titles = (
        ("inputs", 11),
        ("per s", 8),
        ("slowest ms", 11),
        ("growth MB", 10),
        ("kept", 6),
        ("lines", 6),
        ("broken", 7),
    )
    print(" ".join([" " * 20, *(title.rjust(width) for title, width in titles)]))
    for one in found:
        rate = one.inputs / one.seconds if one.seconds else 0.0
        print(
            f"{one.target:20} {one.inputs:11,} {rate:8,.0f} {one.slowest_ms:11.1f} {one.growth_mb:10.1f} "
            f"{one.kept:6} {one.lines:6} {len(one.failures):7}"
        )
    for one in found:
        for number, failure in enumerate(one.failures.values(), start=1):
            out.mkdir(parents=True, exist_ok=True)
            file = out / f"{one.target.replace(' ', '-')}-{number}"
            file.write_bytes(failure.data)
            print(f"\n{one.target}, seed {seed}, {failure.times} times: {failure.what}")
            print(f'  python -m bench.fuzz --target "{one.target}" --replay {file}')
    inputs, seconds = sum(one.inputs for one in found), sum(one.seconds for one in found)
    print(f"\n{inputs:,} inputs in {seconds / 60:.1f} minutes of one core, seed {seed}; ", end="")
    print(f"asked: nothing breaks, no input over {MOST_S:g} s, no memory over {MOST_GROWTH_MB:g} MB")
    return not any(one.failures for one in found)


def replayed(name: str, file: Path) -> None:
    """Run one input as a hunt does, and let what it raises through, errors of the house too."""
    warnings.simplefilter("error")
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        TARGETS[name].begin(Path(folder)).read(file.read_bytes())


def main() -> int:
    """0: nothing broke."""
    ask = argparse.ArgumentParser(prog="python -m bench.fuzz", description=__doc__)
    ask.add_argument("--minutes", type=float, default=1.0, help="of each worker, over all targets")
    ask.add_argument("--seed", type=int, default=1)
    ask.add_argument("--workers", type=int, default=1)
    ask.add_argument("--target", choices=TARGETS, help="this one alone")
    ask.add_argument("--replay", type=Path, metavar="FILE", help="run this input on the target, and nothing else")
    ask.add_argument("--out", type=Path, default=Path("out/fuzz"), help="folder for inputs that break a target")
    asked = ask.parse_args()
    if asked.replay:
        if not asked.target:
            ask.error("--replay needs --target")
        replayed(asked.target, asked.replay)
        return 0
    targets = [TARGETS[asked.target]] if asked.target else list(TARGETS.values())
    found = hunted(targets, seed=asked.seed, seconds=asked.minutes * 60, workers=asked.workers)
    return 0 if told(found, asked.seed, asked.out) else 1


if __name__ == "__main__":
    sys.exit(main())
