"""Artefact files: the same record, the same bytes; anything else a named error and no traceback of ours."""

import hashlib
import io
import zipfile
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import ClassVar

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from grader.domain.artefacts import SugarModel
from grader.errors import BadArtefact
from grader.storage.artefacts import load_artefact, save_artefact


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """An artefact of every kind of field."""

    UNITS: ClassVar[dict[str, str]] = {"lookup": "1"}

    name: str
    count: int
    scale: float
    good: bool
    steps: tuple[str, ...]
    span_mm: tuple[float, float] | None
    lookup: NDArray[np.uint8]
    matrix: NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherTable:
    name: str
    lookup: NDArray[np.uint8] = field(default_factory=lambda: np.zeros(3, np.uint8))


TABLE = Table(
    name="色表",
    count=3,
    scale=0.1,
    good=True,
    steps=("a", "b"),
    span_mm=(0.5, 2.0),
    lookup=np.arange(12, dtype=np.uint8).reshape(3, 4),
    matrix=np.array([[1.0, np.nan]], np.float32),
)


def _sugar_model() -> SugarModel:
    n, m = 12, 8
    draw = np.random.default_rng(0)
    return SugarModel(
        name="made up",
        version="1",
        fruit="apple",
        training_sha256="0" * 64,
        n_fruit=50,
        n_groups=5,
        ssc_range_brix=(9.0, 17.0),
        temperature_range_c=None,
        preprocessing=("absorbance",),
        components=2,
        wavelengths_nm=np.linspace(700.0, 800.0, n),
        first_channel=2,
        stop_channel=10,
        white_counts=np.full(n, 50000.0),
        dark_counts=np.full(n, 900.0),
        saturation_counts=65535.0,
        least_signal_counts=1000.0,
        intercept_brix=12.0,
        coefficients=draw.standard_normal(m),
        standard_error_brix=0.4,
        centre=draw.standard_normal(m),
        score_weights=draw.standard_normal((m, 2)),
        loadings=np.linalg.qr(draw.standard_normal((m, 3)))[0],
        score_variance=np.ones(3),
        residual_sd=np.ones(m),
        t2_limit=20.0,
        q_limit=15.0,
    )


@pytest.mark.parametrize(
    "record", [TABLE, replace(TABLE, span_mm=None), _sugar_model()], ids=lambda r: type(r).__name__
)
def test_what_was_saved_is_what_is_loaded_with_the_sha_of_the_file(tmp_path: Path, record: object) -> None:
    path = tmp_path / "table.npz"
    said = save_artefact(path, record)
    loaded, sha256 = load_artefact(path, type(record))
    assert said == sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    for each in fields(record):  # type: ignore[arg-type]
        before, after = getattr(record, each.name), getattr(loaded, each.name)
        if isinstance(before, np.ndarray):
            assert after.dtype == before.dtype
            assert np.array_equal(after, before, equal_nan=True)
            assert not after.flags.writeable
        else:
            assert after == before and type(after) is type(before)


def test_the_same_record_gives_the_same_bytes_and_nothing_is_left_beside_them(tmp_path: Path) -> None:
    for name in ("a", "b"):
        save_artefact(tmp_path / name, replace(TABLE, matrix=TABLE.matrix.copy()))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_numpy_alone_can_open_the_arrays_and_any_zip_tool_the_header(tmp_path: Path) -> None:
    save_artefact(tmp_path / "t.npz", TABLE)
    with np.load(tmp_path / "t.npz", allow_pickle=False) as arrays:
        assert np.array_equal(arrays["lookup"], TABLE.lookup)
    with zipfile.ZipFile(tmp_path / "t.npz") as file:
        header = msgspec.json.decode(file.read("header.json"))
    assert header["format"] == 1 and header["kind"] == "Table" and header["units"] == {"lookup": "1"}
    assert header["fields"]["name"] == "色表"


def test_a_record_that_could_not_be_read_back_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="scale is not finite"):
        save_artefact(tmp_path / "t.npz", replace(TABLE, scale=float("nan")))
    with pytest.raises(ValueError, match="matrix is float64"):
        save_artefact(tmp_path / "t.npz", replace(TABLE, matrix=np.zeros((2, 2))))
    assert not list(tmp_path.iterdir())


def _rewritten(path: Path, **members: bytes | None) -> None:
    """The archive with members (header.json, x.npy as header_json, x_npy) replaced, or left out."""
    with zipfile.ZipFile(path) as file:
        content = {name: file.read(name) for name in file.namelist()}
    content |= {name.replace("_json", ".json").replace("_npy", ".npy"): new for name, new in members.items()}
    with zipfile.ZipFile(path, "w") as file:
        for name, data in content.items():
            if data is not None:
                file.writestr(name, data)


def _npy(array: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.save(out, array, allow_pickle=True)
    return out.getvalue()


def _header(**changed: object) -> bytes:
    header = {
        "format": 1,
        "kind": "Table",
        "units": {"lookup": "1"},
        "fields": {"name": "n", "count": 3, "scale": 0.1, "good": True, "steps": [], "span_mm": None},
    }
    return msgspec.json.encode(header | changed)


HUGE = (
    b"\x93NUMPY\x01\x00\x76\x00"
    + b"{'descr': '|u1', 'fortran_order': False, 'shape': (99999999999, 99999), }".ljust(117)
    + b"\n"
)


def headed(text: bytes) -> bytes:
    """An array of such a header, and of nothing else."""
    return b"\x93NUMPY\x01\x00\x76\x00" + text.ljust(117) + b"\n"


DAMAGE: dict[str, dict[str, bytes | None]] = {
    "no header": {"header_json": None},
    "header that is no JSON": {"header_json": b"{"},
    "header that is no object": {"header_json": b"[1]"},
    "header with a foreign key": {"header_json": _header(made_by="someone")},
    "another format": {"header_json": _header(format=2)},
    "another kind": {"header_json": _header(kind="SugarModel")},
    "other units": {"header_json": _header(units={"lookup": "mm"})},
    "field missing": {"header_json": _header(fields={"name": "n"})},
    "field of the wrong type": {
        "header_json": _header(fields={"name": 7, "count": 3, "scale": 0.1, "good": True, "steps": [], "span_mm": None})
    },
    "array missing": {"lookup_npy": None},
    "array too many": {"other_npy": _npy(np.zeros(3))},
    "array of another dtype": {"lookup_npy": _npy(np.zeros(3))},
    "array of objects": {"lookup_npy": _npy(np.array([{}], dtype=object))},
    "array that announces petabytes": {"lookup_npy": HUGE},
    "array whose header is not closed": {"lookup_npy": headed(b"{'descr': '|u1', 'shape': (")},
    "array whose header is no text of Python": {"lookup_npy": headed(b"{'descr' '|u1' 5}")},
    "array whose header is indented": {"lookup_npy": headed(b" {}\n  7\n 8")},
    "array of Python 2": {"lookup_npy": headed(b"{'descr': '|u1', 'fortran_order': False, 'shape': (3L, 4L), }")},
    "array in Fortran order": {"matrix_npy": _npy(np.asfortranarray(np.ones((2, 3), np.float32)))},
    "array cut short": {"lookup_npy": _npy(TABLE.lookup)[:-1]},
    "array with bytes behind it": {"lookup_npy": _npy(TABLE.lookup) + b"x"},
    "array that is text": {"lookup_npy": b"hello"},
    "empty array member": {"lookup_npy": b""},
}


@pytest.mark.parametrize("what", DAMAGE)
def test_each_kind_of_damage_is_named_with_the_file_and_a_remedy(tmp_path: Path, what: str) -> None:
    path = tmp_path / "t.npz"
    save_artefact(path, TABLE)
    _rewritten(path, **DAMAGE[what])
    with pytest.raises(BadArtefact) as caught:
        load_artefact(path, Table)
    assert caught.value.file == path and caught.value.remedy and caught.value.problem
    assert str(path) in str(caught.value)


def test_a_missing_file_a_folder_and_a_file_that_is_no_archive_are_named(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("not an archive")
    (tmp_path / "empty").touch()
    for name in ("absent", "text", "empty", "."):
        with pytest.raises(BadArtefact) as caught:
            load_artefact(tmp_path / name, Table)
        assert caught.value.remedy


def test_a_packed_member_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    save_artefact(tmp_path / "t.npz", TABLE)
    with zipfile.ZipFile(tmp_path / "t.npz", "a", zipfile.ZIP_DEFLATED) as file:
        file.writestr("bomb.npy", b"\0" * 10_000_000)
    with pytest.raises(BadArtefact, match="packed"):
        load_artefact(tmp_path / "t.npz", Table)


def test_a_file_too_large_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "t.npz").open("wb") as file:
        file.truncate(65 << 20)
    with pytest.raises(BadArtefact, match="more than any artefact"):
        load_artefact(tmp_path / "t.npz", Table)


@pytest.mark.parametrize(
    "wrong",
    [
        {"coefficients": np.zeros(7)},
        {"wavelengths_nm": np.full(12, 700.0)},
        {"stop_channel": 13},
        {"first_channel": -1},
        {"standard_error_brix": 0.0},
        {"residual_sd": np.zeros(8)},
        {"white_counts": np.zeros(12)},
        {"centre": np.full(8, np.nan)},
        {"q_limit": float("inf")},
        {"components": 3},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_a_sugar_model_that_does_not_hold_together_cannot_be_made(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        replace(_sugar_model(), **wrong)


def test_a_file_whose_record_does_not_hold_together_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "sugar.npz"
    save_artefact(path, _sugar_model())
    _rewritten(path, coefficients_npy=_npy(np.zeros(7)))
    with pytest.raises(BadArtefact, match="coefficients has shape"):
        load_artefact(path, SugarModel)


def _same(one: Table, other: Table) -> bool:
    return all(
        np.array_equal(getattr(one, each.name), getattr(other, each.name), equal_nan=each.name == "matrix")
        for each in fields(one)
    )


@settings(
    max_examples=400, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_no_damaged_byte_gives_another_record(tmp_path: Path, data: st.DataObject) -> None:
    """Bytes overwritten, cut off or put in, anywhere: the error, or the very same record (a time stamp was hit)."""
    path = tmp_path / "t.npz"
    save_artefact(path, TABLE)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(content) - 1))
        match data.draw(st.sampled_from(["overwrite", "cut", "insert"])):
            case "overwrite":
                content[place] = data.draw(st.integers(0, 255))
            case "cut":
                del content[place : place + data.draw(st.integers(1, 2000))]
            case _:
                content[place:place] = data.draw(st.binary(max_size=20))
        if not content:
            break
    path.write_bytes(bytes(content))
    try:
        record, _ = load_artefact(path, Table)
    except BadArtefact as error:
        assert error.remedy
    else:
        assert _same(record, TABLE)


def test_another_kind_of_record_is_refused_by_name(tmp_path: Path) -> None:
    save_artefact(tmp_path / "t.npz", OtherTable(name="x"))
    with pytest.raises(BadArtefact, match="is a OtherTable, not a Table"):
        load_artefact(tmp_path / "t.npz", Table)


@settings(
    max_examples=100, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.binary(max_size=300), st.sampled_from(["header_json", "lookup_npy"]), st.booleans())
def test_foreign_bytes_in_a_whole_archive_are_named_too(
    tmp_path: Path, content: bytes, member: str, keep_magic: bool
) -> None:
    path = tmp_path / "t.npz"
    save_artefact(path, TABLE)
    _rewritten(path, **{member: (b"\x93NUMPY\x01\x00" if keep_magic else b"") + content})
    with pytest.raises(BadArtefact):
        load_artefact(path, Table)
