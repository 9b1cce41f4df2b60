"""[service] and [pictures] of a station file: what whoever looks after the machine can set."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from grader.domain.faults import Fault
from grader.station.pictures import PictureSettings


class ServiceSettings(msgspec.Struct, frozen=True, kw_only=True):
    """metrics_port: of this machine alone, where Prometheus reads figures; 0: none. log_bytes: of one file of the log;
    log_files: how many are kept, with the one that is written. cores: on which alone the station's threads run, as the
    system numbers them; none named: on all. The simulated line is no part of the station, and runs on all."""

    cores: tuple[int, ...] = ()
    metrics_port: int = 0
    log_bytes: int = 5_000_000
    log_files: int = 5


_LIMITS = {
    ("service", "metrics_port"): (0, 65_535, "give a port from 1024 to 65535, or 0 for none"),
    ("service", "log_bytes"): (10_000, 1_000_000_000, "give bytes, 10000 to 1000000000"),
    ("service", "log_files"): (2, 1000, "give a count, 2 to 1000"),
    ("pictures", "every"): (0, 1_000_000, "give a count of cups, or 0 for no pictures"),
    ("pictures", "most_bytes"): (1_000_000, 10**15, "give bytes, 1000000 or more"),
    ("pictures", "least_free_bytes"): (0, 10**15, "give bytes, or 0"),
}


def service_faults(service: ServiceSettings, pictures: PictureSettings) -> Iterator[Fault]:
    """Every number that is not possible."""
    if any(core < 0 for core in service.cores):
        yield Fault(("service", "cores"), f"{min(service.cores)} is not possible", "cores are numbered from 0")
    tables = {"service": service, "pictures": pictures}
    for (table, key), (least, most, remedy) in _LIMITS.items():
        value = getattr(tables[table], key)
        if not least <= value <= most:
            yield Fault((table, key), f"{value} is not possible", remedy)
