"""Any bytes where a file, a row or a note is expected: one of the documented errors in one line, or a valid result.

Files are mostly valid ones with a few changes, for pure noise ends at the first check of a parser.
"""

from __future__ import annotations

import csv
import io
import json
import tempfile
from collections.abc import Callable, Iterator
from datetime import date
from functools import cache
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import theracode
from corpora.loaders import load_corpus
from corpora.schema import Corpus
from lexicon.codes import importer
from lexicon.codes.anatomy import anatomy
from lexicon.codes.cache import load_compiled, store_compiled
from lexicon.codes.index import index_phrases, parse_index
from lexicon.codes.registry import editions, imported_editions, load_edition
from lexicon.codes.tabular import parse_tabular
from lexicon.errors import CodeError, EditionError, InputError, ModelError
from models.audit import audit
from models.estimator import MODEL_FILE, load_estimators
from models.ranker import WEIGHTS_FILE, load_ranker
from tests.corpora.test_corpus_loaders import OURS
from tests.lexicon.test_importer import CHANGES, CODES, EXTERNAL, FIRST, INDEX, LAST, TABULAR, addenda_text, order_text
from tests.models.test_properties import NOTES, check
from tests.ui.test_store import docx
from ui.batch import Outcome, Row, Settings, code_rows, errors_path, open_source, run_batch
from ui.cli import app
from ui.notes import FIELDS, make_note
from ui.store.importer import read_notes

PIECES = [
    b"\0", b"\xff", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\xf0\x9f\xa6\xb5", b"\n", b"\r", b"\r\n", b"\t", b",", b'"', b"'", b"{",
    b"}", b"[", b"]", b"[" * 2_000, b"null", b"NaN", b"1e999", b"-1", b"9" * 30, b"true", b"<", b"</", b"/>", b"&lt;", b"&#0;",
    b"<diag>",
    b"<!DOCTYPE a [<!ENTITY b 'c'>]>", b"M17.11", b"Z99", b"\\u0000", b"\\ud800", b"2026-02-30", b"0000-00-00", b"=1+1",
]  # fmt: skip
Edit = tuple[str, float, float, bytes]
EDITS = st.lists(
    st.tuples(
        st.sampled_from(["insert", "overwrite", "delete", "double", "cut"]),
        st.floats(0, 1),
        st.floats(0, 1),
        st.sampled_from(PIECES) | st.binary(max_size=6),
    ),
    max_size=5,
)


def edited(data: bytes, edits: list[Edit]) -> bytes:
    """A file with some changes; places are shares of its length, most pieces taken away are short."""
    for kind, where, length, piece in edits:
        start = int(where * len(data))
        end = start + int(length**4 * (len(data) - start))
        match kind:
            case "insert":
                data = data[:start] + piece + data[start:]
            case "overwrite":
                data = data[:start] + piece + data[start + len(piece) :]
            case "delete":
                data = data[:start] + data[end:]
            case "double":
                data = data[:end] + data[start:end] + data[end:]
            case _:
                data = data[:start]
    return data


def told(error: BaseException, text: str = "") -> None:
    """Assert that an error is one line that quotes nothing of a text."""
    line = str(error)
    assert "\n" not in line.strip() and 0 < len(line) < 1_000
    assert not text or text not in line


# ------------------------------------------------------------------------------------------------ notes

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=4,
)
DATES = st.dates().map(str) | st.sampled_from(["2026-03-14", "0001-01-01", "9999-12-31", "2026-2-30", "tomorrow", "20260314"])
FIELD: dict[str, st.SearchStrategy[object]] = {
    "id": JSON,
    "text": NOTES | NOTES | NOTES | JSON,
    "date_of_service": DATES | JSON,
    "encounter": st.sampled_from(["auto", "initial", "subsequent", "sequela"]) | JSON,
    "dominance": st.sampled_from(["", "right", "left", "ambidextrous"]) | JSON,
    "age": st.floats() | st.integers(-1, 200) | JSON,
    "sex": st.sampled_from(["", "female", "male"]) | JSON,
    "external_causes": st.booleans() | JSON,
}
assert tuple(FIELD) == FIELDS
ROWS = st.fixed_dictionaries({}, optional=FIELD)


@given(rows=st.lists(ROWS, min_size=1, max_size=4))
@example(rows=[{"text": "R knee OA", "age": float("nan")}])
@example(rows=[{"text": "R knee OA", "age": 10**400}])
@example(rows=[{"text": "R knee OA", "date_of_service": "9999-12-31"}])
def test_any_row_is_a_valid_coding_or_a_fault(rows: list[dict[str, object]]) -> None:
    given_rows = [Row(number, str(number), {**fields, "id": str(number)}) for number, fields in enumerate(rows, start=1)]
    for row, outcome in zip(given_rows, code_rows(given_rows, Settings()), strict=True):
        assert bool(outcome.line) != bool(outcome.fault)
        if outcome.line:
            coding = theracode.Coding.model_validate_json(outcome.line)
            check(coding, make_note(row.fields))
        else:
            text = row.fields.get("text")
            assert "unforeseen" not in outcome.fault, outcome.fault
            told(InputError(outcome.fault), text.strip() if isinstance(text, str) and len(text.strip()) > 20 else "")


@given(text=NOTES, codes=st.lists(st.text(max_size=9) | st.sampled_from(["M17.11", "m1711", "S52.521A", "R53.1"]), max_size=5))
def test_any_codes_are_audited_or_refused(text: str, codes: list[str]) -> None:
    coder = theracode.load()
    note = theracode.Note(text=text, date_of_service=date(2026, 3, 14))
    try:
        report = audit(note, codes, coder)
    except (CodeError, InputError) as error:
        told(error, text if len(text) > 20 else "")
        return
    assert len(report.codes) <= len(codes)
    assert report.exit_code == int(any(finding.severity == "error" for finding in report.findings))


@given(code=st.text(max_size=12) | st.from_regex(r"[A-Z][0-9][0-9A-Z](\.[0-9A-Z]{0,5})?", fullmatch=True))
def test_any_code_is_taken_apart_or_refused(code: str) -> None:
    edition = load_edition()
    try:
        parts = anatomy(edition, code)
    except CodeError as error:
        told(error)
        return
    assert parts.code == parts.levels[-1].code and parts.billable == edition.is_billable(parts.code)


@settings(max_examples=settings.default.max_examples // 4)
@given(data=st.binary(max_size=60) | NOTES.map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_standard_input_ends_with_an_exit_code(data: bytes) -> None:
    result = CliRunner().invoke(app, ["suggest", "-", "--date", "2026-03-14", "--format", "json"], input=data)
    if result.exit_code == 0:
        assert theracode.Coding.model_validate_json(result.stdout).edition == "FY2026-April"
    else:
        assert result.exit_code == 2 and result.stdout == ""
        assert result.stderr.startswith("theracode: ") and result.stderr.count("\n") == 1
        assert "unforeseen" not in result.stderr


# ------------------------------------------------------------------------------------------------ batches and uploads

TABLE = [
    {"id": f"n{number}", "text": 'R knee OA,\n"sore" é', "date_of_service": "2026-03-14", "age": "70"} for number in range(6)
]


@cache
def inputs() -> dict[str, bytes]:
    """A valid file of each kind that batch or the review page reads."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(TABLE[0]))
    writer.writeheader()
    writer.writerows(TABLE)
    parquet = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(TABLE), parquet)
    lines = "".join(json.dumps(row) + "\n" for row in TABLE)
    return {
        "a.jsonl": lines.encode(), "b.csv": text.getvalue().encode(), "c.parquet": parquet.getvalue(),
        "d.txt": TABLE[0]["text"].encode(), "e.docx": docx(),
    }  # fmt: skip


def echo(task: object, chunks: Iterator[list[Row]], workers: int) -> Iterator[list[Outcome]]:
    """The engine of a batch with the coder left out."""
    for chunk in chunks:
        yield [Outcome(r.number, r.id, "" if r.fault else json.dumps({"id": r.id}), r.fault, r.position) for r in chunk]


@given(name=st.sampled_from(["a.jsonl", "b.csv", "c.parquet"]), edits=EDITS, stop=st.floats(0, 1))
def test_any_batch_gives_each_row_one_line_and_can_be_resumed(name: str, edits: list[Edit], stop: float) -> None:
    data = edited(inputs()[name], edits)
    with tempfile.TemporaryDirectory() as folder:
        source, output = Path(folder, name), Path(folder, "out.jsonl")
        source.write_bytes(data)
        try:
            rows = list(open_source(source).rows())
            result = run_batch(source, output, engine=echo)
        except InputError as error:
            told(error, "R knee OA")
            return
        assert [row.number for row in rows] == list(range(1, len(rows) + 1))
        assert result.done == sum(not row.fault for row in rows) and result.failed == len(rows) - result.done
        assert all("R knee OA" not in row.fault for row in rows)
        whole, faults = output.read_bytes(), errors_path(output)
        reasons = faults.read_bytes() if faults.exists() else b""
        assert whole.count(b"\n") == result.done
        output.write_bytes(whole[: int(stop * len(whole))])
        if 0 < whole[: int(stop * len(whole))].count(b"\n") < result.done:
            faults.unlink(missing_ok=True)  # what was not flushed is gone; each file holds a prefix
            output.write_bytes(b"")
        run_batch(source, output, engine=echo)
        assert output.read_bytes() == whole
        assert (faults.read_bytes() if faults.exists() else b"") == reasons


@given(name=st.sampled_from(sorted(inputs())), said=st.text(max_size=8), edits=EDITS)
def test_any_upload_is_notes_and_faults(name: str, said: str, edits: list[Edit]) -> None:
    data = edited(inputs()[name], edits)
    try:
        found = list(read_notes([(f"{said}{name}", data), (name, data)]))
    except InputError as error:
        told(error, "R knee OA")
        return
    notes = [item for item in found if isinstance(item, theracode.Note)]
    assert len({note.id for note in notes}) == len(notes)
    for item in found:
        if isinstance(item, tuple):
            assert item[1] and "R knee OA" not in item[1]


# ------------------------------------------------------------------------------------------------ release files


def releases() -> dict[str, bytes]:
    """A small release in the official formats."""
    return {
        "tabular.xml": TABULAR.encode(), "order.txt": order_text(CODES).encode(), "addenda.txt": addenda_text(CHANGES).encode(),
        "index.xml": INDEX.encode(), "external.xml": EXTERNAL.encode(),
    }  # fmt: skip


READERS: dict[str, Callable[[Path], object]] = {
    "tabular.xml": lambda path: parse_tabular(path, "Small"),
    "order.txt": importer.read_order,
    "addenda.txt": importer.read_addenda,
    "index.xml": parse_index,
    "external.xml": parse_index,
}


@given(name=st.sampled_from(sorted(READERS)), edits=EDITS)
def test_any_release_file_is_read_or_refused(name: str, edits: list[Edit]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.write_bytes(edited(releases()[name], edits))
        try:
            READERS[name](path)
        except EditionError as error:
            told(error)
            assert folder not in str(error)


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("THERACODE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("THERACODE_CACHE_DIR", str(tmp_path / "cache"))
    load_edition.cache_clear()
    yield tmp_path
    load_edition.cache_clear()


def put(folder: Path, **files: bytes) -> list[Path]:
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return [folder / name for name in files]


@settings(max_examples=settings.default.max_examples // 2)
@given(name=st.sampled_from(["tabular.xml", "order.txt", "index.xml"]), edits=EDITS)
def test_any_import_holds_or_leaves_all_as_it_was(folders: Path, name: str, edits: list[Edit]) -> None:
    files = {key: content for key, content in releases().items() if key in {"tabular.xml", "order.txt", "index.xml"}}
    before = editions()
    try:
        info = importer.import_edition(
            put(folders, **{**files, name: edited(files[name], edits)}), name="Small", first=FIRST, last=LAST
        )
    except EditionError as error:
        told(error)
        assert editions() == before
    else:
        edition = load_edition("Small")
        assert edition.name == info.name and all(edition.title(code) for code in edition.billable())
    assert not list((folders / "data" / "editions").glob(".import-*"))


@given(part=st.sampled_from(["edition.json", "changes_1.tsv", "tabular.xml", "index.json"]), edits=EDITS)
def test_any_damage_to_an_import_is_told_or_passed_over(folders: Path, part: str, edits: list[Edit]) -> None:
    home = folders / "data" / "editions"
    if not home.exists():
        load_edition.cache_clear()
        files = put(folders, **{key: releases()[key] for key in ("tabular.xml", "index.xml")})
        importer.import_edition(files, name="Small", first=FIRST, last=LAST)
        importer.import_edition(put(folders, **{"addenda.txt": releases()["addenda.txt"]}), name="More", first=LAST, last=LAST)
    info = imported_editions()["More" if part.startswith("changes") else "Small"]
    assert info.path is not None
    path = info.path / part
    good = path.read_bytes()
    path.write_bytes(edited(good, edits))
    load_edition.cache_clear()
    try:
        edition = load_edition(info.name)
        index_phrases(edition)
    except EditionError as error:
        told(error)
    finally:
        path.write_bytes(good)


# ------------------------------------------------------------------------------------------------ corpora

CORPORA: dict[str, dict[str, bytes]] = {
    "ours": {"own.jsonl": json.dumps(OURS).encode() + b"\n"},
    "csv": {"notes.csv": b'id,text,codes,date_of_service\nn1,"R knee OA, no LBP",M17.11;R26.9,2026-10-02\n'},
    "text": {"n1.txt": b"R knee OA", "codes.tsv": b"id\tcodes\nn1\tM17.11;R26.9\n"},
    "codiesp": {"text_files_en/S1.txt": b"R knee OA", "devX.tsv": b"S1\tDIAGNOSTICO\tq62.11\tOA\t7 9\n"},
    "mimic": {
        "discharge.csv": b'note_id,subject_id,hadm_id,text\n1-DS,1,10,"R knee\nOA"\n',
        "diagnoses_icd.csv": b"subject_id,hadm_id,seq_num,icd_code,icd_version\n1,10,1,M1711,10\n",
    },
    "brat": {
        "n1.txt": b"R knee OA",
        "n1.ann": b"T1\tDisorder 0 9\tR knee OA\nN1\tReference T1 ICD10CM:M17.11\tOA\nA1\tNegated T1\n",
    },
}


@given(kind=st.sampled_from(sorted(CORPORA)), place=st.integers(0, 1), edits=EDITS)
def test_any_corpus_is_loaded_or_refused(kind: str, place: int, edits: list[Edit]) -> None:
    files = CORPORA[kind]
    broken = sorted(files)[place % len(files)]
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            path = Path(folder, name)
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(edited(content, edits) if name == broken else content)
        try:
            corpus = load_corpus(Path(folder, broken) if len(files) == 1 else folder)
        except InputError as error:
            told(error, "R knee OA")
            return
        assert isinstance(corpus, Corpus) and all(code for note in corpus for code in note.best_codes)


# ------------------------------------------------------------------------------------------------ models and compiled files


@given(edits=EDITS)
def test_any_damage_to_a_model_is_told(edits: list[Edit]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for good, load in ((WEIGHTS_FILE, load_ranker), (MODEL_FILE, load_estimators)):
            path = Path(folder, good.name)
            path.write_bytes(edited(good.read_bytes(), edits))
            try:
                load(path)  # type: ignore[operator]
            except ModelError as error:
                told(error)


@given(edits=EDITS.filter(bool))
def test_any_damage_to_a_compiled_file_is_noticed(folders: Path, edits: list[Edit]) -> None:
    value = {"codes": ["M17.11", "R53.1"], "titles": ["Unilateral primary osteoarthritis", "Weakness"], "numbers": [1, 2, 3]}
    assert store_compiled("thing", "k" * 64, value)
    (path,) = (folders / "cache").iterdir()
    path.write_bytes(edited(path.read_bytes(), edits))
    assert load_compiled("thing", "k" * 64) in (None, value)
