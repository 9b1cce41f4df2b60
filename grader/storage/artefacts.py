"""Artefact files: a frozen record as an .npz that numpy opens, with a JSON header beside the arrays.

    header.json         {"format": 1, "kind": "SugarModel", "units": {...}, "fields": {every field but the arrays}}
    <field>.npy         one per array

Nothing in the file depends on when or where it was written: the same record gives the same bytes, and their SHA-256
names it. A file is read only if it is whole and says exactly what the record asks for; anything else is `BadArtefact`.
"""

from __future__ import annotations

import hashlib
import io
import math
import tokenize
import types
import typing
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from grader.errors import BadArtefact

FORMAT = 1
MOST_BYTES = 64 << 20
"""No artefact comes near this; a larger file is somebody's mistake and is not read into memory."""

_HEADER = "header.json"
_LONGEST_NPY_HEADER = 4096
_FIRST_DAY = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can say
_MAKE_IT_AGAIN = "make it again with `grader calibrate`, or take it from a backup"

Record = TypeVar("Record")


class _Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: int
    kind: str
    units: dict[str, str]
    fields: dict[str, Any]


def save_artefact(path: Path, record: Any) -> str:
    """Write a frozen dataclass of text, numbers, tuples of them, and arrays. Returns the file's SHA-256 in hex.

    The file appears whole or not at all. Raises ValueError for a record that could not be read back: a number that is
    not finite outside its arrays, an array of another dtype than its field's.
    """
    content = _packed(record)
    beside = path.with_name(f"{path.name}.part")
    beside.write_bytes(content)
    beside.replace(path)
    return hashlib.sha256(content).hexdigest()


def load_artefact(path: Path, kind: type[Record]) -> tuple[Record, str]:
    """The record of a file, and the SHA-256 of the file in hex. Raises BadArtefact naming the file and the remedy."""
    if path.exists() and not path.is_file():  # a pipe would keep the reader waiting for ever
        raise BadArtefact(path, "is not a file", remedy=_MAKE_IT_AGAIN)
    try:
        size = path.stat().st_size
        content = path.read_bytes() if size <= MOST_BYTES else b""
    except OSError as error:
        raise BadArtefact(path, f"cannot be read: {error.strerror}", remedy=_MAKE_IT_AGAIN) from error
    if size > MOST_BYTES:
        raise BadArtefact(path, f"has {size} bytes, more than any artefact", remedy=_MAKE_IT_AGAIN)
    try:
        record = _unpacked(content, kind)
    except _Foreign as error:
        raise BadArtefact(path, str(error), remedy=error.remedy) from error
    except _DAMAGE as error:
        raise BadArtefact(path, f"is damaged: {error}", remedy=_MAKE_IT_AGAIN) from error
    return record, hashlib.sha256(content).hexdigest()


class _Foreign(Exception):
    """A whole file, but not one that this station can use."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(problem)
        self.remedy = remedy


# What zipfile, numpy and msgspec raise on foreign bytes: found by fuzzing, each of them means the same to a reader.
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    tokenize.TokenError,
    SyntaxError,
    UserWarning,
    msgspec.MsgspecError,
    ValueError,
    TypeError,
    KeyError,
    EOFError,
    OverflowError,
    NotImplementedError,
    RuntimeError,
)


def _array_dtypes(kind: type[Any]) -> dict[str, np.dtype[Any]]:
    """The dtype of each field that is an array, by the record's own annotations; little-endian in the file."""
    dtypes = {}
    for name, hint in typing.get_type_hints(kind).items():
        if typing.get_origin(hint) is np.ndarray:
            (scalar,) = typing.get_args(typing.get_args(hint)[1])
            dtypes[name] = np.dtype(scalar).newbyteorder("<")
    return dtypes


def _units(kind: type[Any]) -> dict[str, str]:
    units: Mapping[str, str] = getattr(kind, "UNITS", types.MappingProxyType({}))
    return dict(units)


def _packed(record: Any) -> bytes:
    kind = type(record)
    if not is_dataclass(record):
        raise TypeError(f"{kind.__name__} is not a dataclass")
    dtypes = _array_dtypes(kind)
    plain = {each.name: getattr(record, each.name) for each in fields(record) if each.name not in dtypes}
    for name, value in plain.items():
        if not all(math.isfinite(number) for number in _numbers(value)):
            raise ValueError(f"{name} is not finite")
    header = _Header(format=FORMAT, kind=kind.__name__, units=_units(kind), fields=plain)
    members = {_HEADER: msgspec.json.format(msgspec.json.encode(header, order="deterministic"))}
    for name, dtype in dtypes.items():
        array = np.asarray(getattr(record, name))
        if array.dtype != dtype:
            raise ValueError(f"{name} is {array.dtype}, its field says {dtype}")
        npy = io.BytesIO()
        np.lib.format.write_array(npy, np.ascontiguousarray(array, dtype), version=(1, 0), allow_pickle=False)
        members[f"{name}.npy"] = npy.getvalue()
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as file:
        for member, content in members.items():
            file.writestr(zipfile.ZipInfo(member, _FIRST_DAY), content)
    return archive.getvalue()


def _numbers(value: Any) -> Iterator[float]:
    if isinstance(value, float):
        yield value
    elif isinstance(value, tuple):
        for each in value:
            yield from _numbers(each)


def _unpacked(content: bytes, kind: type[Record]) -> Record:
    dtypes = _array_dtypes(kind)
    members = dict(_members(content))
    header = msgspec.json.decode(members.pop(_HEADER), type=_Header)
    if header.format != FORMAT:
        raise _Foreign(
            f"has format {header.format}, this program reads {FORMAT}", "make it again with this version's calibration"
        )
    if header.kind != kind.__name__:
        raise _Foreign(f"is a {header.kind}, not a {kind.__name__}", "name the right file in the station file")
    if header.units != _units(kind):
        raise _Foreign("has other units than this program", "make it again with this version's calibration")
    expected = {each.name for each in fields(typing.cast(Any, kind))}
    found = set(header.fields) | {member.removesuffix(".npy") for member in members}
    if found != expected:
        raise ValueError(f"{', '.join(sorted(found ^ expected))}: missing or unknown")
    hints = typing.get_type_hints(kind)
    values = {name: msgspec.convert(value, hints[name]) for name, value in header.fields.items()}
    arrays = {name: _array(members[f"{name}.npy"], name, dtype) for name, dtype in dtypes.items()}
    return kind(**values, **arrays)


def _members(content: bytes) -> Iterator[tuple[str, bytes]]:
    """Every member of the archive, its CRC checked. Only stored ones: what a member says it holds, the file holds."""
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        for info in file.infolist():
            if info.compress_type != zipfile.ZIP_STORED or info.file_size > len(content):
                raise ValueError(f"{info.filename} is packed")
            yield info.filename, file.read(info)


def _array(npy: bytes, name: str, dtype: np.dtype[Any]) -> NDArray[Any]:
    """A read-only array. Its size is checked against the bytes that are there before any memory is taken."""
    file = io.BytesIO(npy)
    if np.lib.format.read_magic(file) != (1, 0):
        raise ValueError(f"{name} is of another npy version")
    with warnings.catch_warnings(action="error"):  # numpy reads headers of Python 2, and warns: ours are none
        shape, fortran_order, found = np.lib.format.read_array_header_1_0(file, max_header_size=_LONGEST_NPY_HEADER)
    if found != dtype or fortran_order:
        raise ValueError(f"{name} is {found}, not {dtype}")
    if any(length < 0 for length in shape) or math.prod(shape) * dtype.itemsize != len(npy) - file.tell():
        raise ValueError(f"{name} does not hold the {shape} values that it announces")
    return np.frombuffer(npy, dtype, offset=file.tell()).reshape(shape)
