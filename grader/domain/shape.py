"""Does a document have the shape of a record? Every unknown key, missing key and wrong type, not only the first.

msgspec stops at the first error; a person who wrote a file wants them all. This walks the same type information, and
`read_as` lets msgspec have the last word.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any, TypeGuard, TypeVar

import msgspec
from msgspec import inspect

from grader.domain.faults import Fault, Path, did_you_mean

T = TypeVar("T")

_MOST_INTEGER = 2**63


def shape_faults(document: Any, record: type[msgspec.Struct]) -> list[Fault]:
    """Everything that keeps a document from being a record of this type, in the order of the document."""
    return list(_faults(document, inspect.type_info(record), ()))


def read_as(document: Any, record: type[T]) -> T:
    """The document as a record. Raises msgspec.ValidationError."""
    return msgspec.convert(document, record, strict=True, str_keys=True)


def _faults(value: Any, kind: inspect.Type, path: Path) -> Iterator[Fault]:
    if isinstance(kind, inspect.UnionType):
        fitting = [each for each in kind.types if _looks_like(value, each)]
        kind = fitting[0] if fitting else kind
    if not _looks_like(value, kind):
        yield _misfit(value, kind, path)
    elif isinstance(kind, inspect.StructType):
        yield from _record_faults(value, kind, path)
    elif isinstance(kind, inspect.DictType):
        for key, item in value.items():
            yield from _key_faults(key, kind.key_type, (*path, key))
            yield from _faults(item, kind.value_type, (*path, key))
    elif isinstance(kind, inspect.VarTupleType | inspect.ListType):
        for index, item in enumerate(value):
            yield from _faults(item, kind.item_type, (*path, index))
    elif isinstance(kind, inspect.TupleType):
        if len(value) != len(kind.item_types):
            yield Fault(path, f"{len(value)} values", f"give {len(kind.item_types)}")
        for index, (item, item_type) in enumerate(zip(value, kind.item_types, strict=False)):
            yield from _faults(item, item_type, (*path, index))


def _misfit(value: Any, kind: inspect.Type, path: Path) -> Fault:
    if isinstance(kind, inspect.UnionType):  # one of fixed words, or left out
        kind = next((each for each in kind.types if isinstance(each, inspect.LiteralType)), kind)
    if isinstance(kind, inspect.LiteralType) and isinstance(value, str):
        words = [str(word) for word in kind.values]
        return Fault(path, f"{shown(value)} is not {_words(kind)}", did_you_mean(value, words))
    return Fault(path, f"{shown(value)} cannot stand here", f"give {_words(kind)}")


def _record_faults(value: dict[str, Any], kind: inspect.StructType, path: Path) -> Iterator[Fault]:
    fields = {field.encode_name: field for field in kind.fields}
    misspelt: set[str] = set()
    for key, item in value.items():
        if key in fields:
            yield from _faults(item, fields[key].type, (*path, key))
        else:
            yield Fault((*path, key), f'unknown key "{key}"', did_you_mean(key, fields))
            misspelt.update(get_close_matches(key, fields, n=1))
    for name, field in fields.items():
        if field.required and name not in value and name not in misspelt:
            yield Fault((*path, name), f'"{name}" is missing', f"add {name}: {_words(field.type)}")


def _key_faults(key: str, kind: inspect.Type, path: Path) -> Iterator[Fault]:
    if isinstance(kind, inspect.IntType) and not (key.isascii() and key.isdigit() and str(int(key[:19])) == key):
        yield Fault(path, f'"{key}" is not a whole number', "give a whole number")


def _looks_like(value: Any, kind: inspect.Type) -> bool:
    """The outermost shape fits, nothing is said of what is inside."""
    match kind:
        case inspect.UnionType():
            return any(_looks_like(value, each) for each in kind.types)
        case inspect.StructType() | inspect.DictType():
            return isinstance(value, dict)
        case inspect.VarTupleType() | inspect.ListType() | inspect.TupleType():
            return isinstance(value, list | tuple)
        case inspect.LiteralType():
            return isinstance(value, str) and value in kind.values
        case inspect.EnumType():
            return isinstance(value, str) and value in {each.value for each in kind.cls}
        case inspect.BoolType():
            return isinstance(value, bool)
        case inspect.IntType():
            return isinstance(value, int) and not isinstance(value, bool) and abs(value) < _MOST_INTEGER
        case inspect.FloatType():
            return is_number(value)
        case inspect.StrType():
            return isinstance(value, str)
        case inspect.DateType():
            return isinstance(value, datetime.date) and not isinstance(value, datetime.datetime)
        case inspect.NoneType():
            return value is None
    raise TypeError(f"settings have no place for {kind}")


def is_number(value: Any) -> TypeGuard[float]:
    """Whether a setting can have this value: finite, and of no more digits than a machine has."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return abs(value) < _MOST_INTEGER and math.isfinite(value)


def _words(kind: inspect.Type) -> str:
    """What is wanted, as an operator would say it."""
    match kind:
        case inspect.UnionType():
            return " or ".join(_words(each) for each in kind.types if not isinstance(each, inspect.NoneType))
        case inspect.StructType() | inspect.DictType():
            return "a table"
        case inspect.TupleType():
            return f"a list of {len(kind.item_types)}"
        case inspect.VarTupleType() | inspect.ListType():
            return "a list"
        case inspect.LiteralType():
            return "one of " + ", ".join(f'"{each}"' for each in kind.values)
        case inspect.EnumType():
            return "one of " + ", ".join(f'"{each.value}"' for each in kind.cls)
        case inspect.BoolType():
            return "true or false"
        case inspect.IntType():
            return "a whole number"
        case inspect.FloatType():
            return "a number"
        case inspect.DateType():
            return "a date such as 2026-11-22"
    return "text"


def shown(value: Any) -> str:
    """A value as a message names it, cut where it is long."""
    if isinstance(value, dict | list):
        return "a table" if isinstance(value, dict) else "a list"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) and abs(value) >= _MOST_INTEGER:  # Python itself refuses to write out the longest
        return "a number of too many digits"
    text = f'"{value}"' if isinstance(value, str) else str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
