"""Batches: every input form, bad rows, resuming after a kill, and the same bytes for any number of workers."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from pyarrow import parquet
from typer.testing import CliRunner

from lexicon.errors import InputError
from ui import batch
from ui.batch import Outcome, Row, Settings, run_batch
from ui.cli import app

ROOT = Path(__file__).resolve().parents[2]
DATE = {"date_of_service": "2026-03-14"}
SETTINGS = Settings(DATE)
NOTES = ["R knee OA", "L shoulder pain", "low back pain", "BPPV right ear", "R lateral epicondylitis"]


def write_jsonl(path: Path, rows: list[object]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def rows(count: int) -> list[object]:
    return [{"id": f"n{number}", "text": NOTES[number % len(NOTES)]} for number in range(1, count + 1)]


def ids(path: Path) -> list[str]:
    return [json.loads(line)["id"] for line in path.read_text(encoding="utf-8").splitlines()]


def errors(path: Path) -> list[tuple[int, str, str]]:
    lines = batch.errors_path(path).read_text(encoding="utf-8").splitlines()
    return [(row["number"], row["id"], row["reason"]) for row in map(json.loads, lines)]


def echo(task: Callable[[Any], Any], chunks: Iterator[Any], workers: int) -> Iterator[Any]:
    """An engine that codes nothing, for tests of what stands around it."""
    for chunk in chunks:
        yield [
            Outcome(row.number, row.id, "" if row.fault else json.dumps({"id": row.id}), row.fault, row.position) for row in chunk
        ]


def test_every_form_of_input_gives_the_same_codings(tmp_path: Path) -> None:
    table = [{"id": f"n{number}", "text": text} for number, text in enumerate(NOTES)]
    write_jsonl(tmp_path / "a.jsonl", list(table))
    with (tmp_path / "b.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["id", "text"])
        writer.writeheader()
        writer.writerows(table)
    parquet.write_table(pyarrow.Table.from_pylist(table), tmp_path / "c.parquet")
    (tmp_path / "d").mkdir()
    for row in table:
        (tmp_path / "d" / f"{row['id']}.txt").write_text(row["text"], encoding="utf-8")
    results = []
    for name in ("a.jsonl", "b.csv", "c.parquet", "d"):
        output = tmp_path / f"out-{name[0]}.jsonl"
        assert run_batch(tmp_path / name, output, settings=SETTINGS).done == len(NOTES)
        results.append(output.read_bytes())
    assert results[1:] == results[:1] * 3
    first = json.loads(results[0].splitlines()[0])
    assert first["sequence"] == ["M17.11"] and first["edition"] == "FY2026-April"


def test_a_row_says_more_than_the_defaults(tmp_path: Path) -> None:
    source = write_jsonl(
        tmp_path / "in.jsonl",
        [{"id": 7, "text": "L ankle sprain", "date_of_service": "2026-10-15", "encounter": "initial", "gold": ["x"]},
         {"text": "L ankle sprain", "encounter": ""}],
    )  # fmt: skip
    run_batch(source, tmp_path / "out.jsonl", settings=SETTINGS)
    first, second = map(json.loads, (tmp_path / "out.jsonl").read_text().splitlines())
    assert (first["id"], first["edition"], first["encounter"]) == ("7", "FY2027", "initial")
    assert (second["id"], second["edition"], second["encounter"]) == ("row-2", "FY2026-April", "subsequent")


def test_bad_rows_are_named_and_skipped_and_never_quoted(tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    good = b'{"id": "ok", "text": "R knee OA"}\n'
    bad = [
        b'{"id": "broken secretword\n', b'["secretword"]\n', b'{"id": "none"}\n', b'{"id": "empty", "text": " "}\n',
        b'{"id": "nul", "text": "secretword\\u0000"}\n', b'{"id": "day", "text": "secretword", "date_of_service": "soon"}\n',
        b'{"id": "latin", "text": "\xe9"}\n', b'{"id": "half", "text": "secretword \\ud800"}\n',
        b'{"id": {"a": 1}, "text": "x"}\n', b'{"id": "num", "text": 5}\n', b"[" * 100_000 + b"\n",
    ]  # fmt: skip
    source.write_bytes(good + b"\n" + b"".join(bad) + good)
    output = tmp_path / "out.jsonl"
    result = CliRunner().invoke(app, ["batch", str(source), "--output", str(output)])
    assert result.exit_code == 1 and "11 rows failed" in result.stderr and "Traceback" not in result.output
    assert ids(output) == ["ok", "ok"], "two rows may share an id; both are kept"
    found = errors(output)
    assert [number for number, _, _ in found] == list(range(2, 13))
    assert [row_id for _, row_id, _ in found[2:6]] == ["none", "empty", "nul", "day"]
    assert all(reason for _, _, reason in found)
    assert "secretword" not in batch.errors_path(output).read_text() + result.output


def test_bad_csv_rows_do_not_end_the_file(tmp_path: Path) -> None:
    source = tmp_path / "in.csv"
    source.write_bytes(b'id,text\r\na,"R knee OA,\nstiff"\r\nb,caf\xe9\r\nc\r\nd,,e\r\nf,L hip OA\r\n')
    output = tmp_path / "out.jsonl"
    result = run_batch(source, output, settings=SETTINGS)
    assert (result.done, result.failed) == (2, 3) and ids(output) == ["a", "f"]
    assert [reason for _, _, reason in errors(output)] == [
        "the row is not UTF-8 text", "the row has 1 cells, the header 2", "the row has 3 cells, the header 2",
    ]  # fmt: skip


def test_a_table_may_end_inside_a_quoted_cell(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text('id,text\na,knee\nb,"hip\n', encoding="utf-8")
    found = list(batch.open_source(tmp_path / "in.csv").rows())
    assert [(row.id, row.fields.get("text"), row.position) for row in found] == [("a", "knee", 22), ("b", "hip\n", 22)]
    (tmp_path / "in.csv").write_text('id,text\n"hip\n', encoding="utf-8")
    assert [row.fault for row in batch.open_source(tmp_path / "in.csv").rows()] == ["the row has 1 cells, the header 2"]


def test_an_unforeseen_error_is_told_without_its_message(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def suggest(self, note: object, *, top: int) -> object:
            raise RuntimeError("secretword")

    monkeypatch.setattr("models.coder.load", Broken)
    (outcome,) = batch.code_rows([Row(1, "a", {"text": "x"})], SETTINGS)
    assert outcome.fault == "unforeseen RuntimeError while coding; THERACODE_LOG_LEVEL=debug shows where"


def test_two_workers_write_the_same_bytes_as_one(tmp_path: Path) -> None:
    source = write_jsonl(tmp_path / "in.jsonl", [*rows(40), {"id": "bad"}, *rows(5)])
    for workers in (1, 2):
        result = run_batch(source, tmp_path / f"{workers}.jsonl", workers=workers, settings=SETTINGS)
        assert (result.done, result.failed) == (45, 1)
    assert (tmp_path / "1.jsonl").read_bytes() == (tmp_path / "2.jsonl").read_bytes()
    assert (tmp_path / "1.errors.jsonl").read_bytes() == (tmp_path / "2.errors.jsonl").read_bytes()


def test_a_killed_run_goes_on_without_losses_or_duplicates(tmp_path: Path) -> None:
    long = [{"id": f"n{number}", "text": f"{NOTES[number % 5]}. " * 12} for number in range(150)]
    source = write_jsonl(tmp_path / "in.jsonl", [*long[:20], {"id": "bad"}, *long[20:]])
    output = tmp_path / "out.jsonl"
    command = [sys.executable, "-m", "ui.cli", "batch", str(source), "--output", str(output), "--date", "2026-03-14"]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 240
    while not (output.exists() and output.stat().st_size > 10_000) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    done = output.read_bytes().count(b"\n")
    assert 0 < done < 150
    with output.open("ab") as file:
        file.write(b'{"id": "n999", "edi')
    result = run_batch(source, output, settings=SETTINGS)
    assert (result.done, result.resumed, result.failed) == (150, done, 1)
    assert ids(output) == [row["id"] for row in long]
    assert [number for number, _, _ in errors(output)] == [21]
    fresh = tmp_path / "fresh.jsonl"
    run_batch(source, fresh, settings=SETTINGS)
    assert output.read_bytes() == fresh.read_bytes()


@pytest.mark.parametrize("stop", range(0, 12))
def test_every_prefix_can_be_resumed(tmp_path: Path, stop: int) -> None:
    source = write_jsonl(tmp_path / "in.jsonl", [*rows(4), "bad", *rows(4), {"id": "n1", "text": "twice"}, "bad"])
    whole = tmp_path / "whole.jsonl"
    run_batch(source, whole, engine=echo)
    part = tmp_path / "part.jsonl"
    lines = whole.read_text().splitlines(keepends=True)
    faults = batch.errors_path(whole).read_text().splitlines(keepends=True)
    part.write_text("".join(lines[:stop]))
    batch.errors_path(part).write_text("".join(faults[: 2 if stop > 8 else 1 if stop > 3 else 0]) + '{"numb')
    result = run_batch(source, part, engine=echo)
    assert part.read_bytes() == whole.read_bytes()
    assert batch.errors_path(part).read_bytes() == batch.errors_path(whole).read_bytes()
    assert (result.done, result.resumed, result.failed) == (9, min(stop, 9), 2)
    again = run_batch(source, part, engine=echo)
    assert (again.done, again.resumed, again.failed) == (9, 9, 2) and part.read_bytes() == whole.read_bytes()


def test_an_output_of_another_input_is_not_touched(tmp_path: Path) -> None:
    source = write_jsonl(tmp_path / "in.jsonl", rows(3))
    output = tmp_path / "out.jsonl"
    for content in ('{"id": "other"}\n', '{"id": "n1"}\n' * 9, "not json\n", "[" * 9_999 + "\n"):
        output.write_text(content)
        with pytest.raises(InputError, match=r"choose another output"):
            run_batch(source, output, engine=echo)
        assert output.read_text() == content
    result = run_batch(source, output, engine=echo, overwrite=True)
    assert result.done == 3 and ids(output) == ["n1", "n2", "n3"]
    assert not batch.errors_path(output).exists()


@pytest.mark.parametrize("name", [b"\x80", b"\xff"])
def test_a_parquet_file_with_a_broken_name_is_told(tmp_path: Path, name: bytes) -> None:
    path = tmp_path / "in.parquet"
    parquet.write_table(pyarrow.Table.from_pylist([{"id": "a", "text": "x"}]), path)
    path.write_bytes(path.read_bytes().replace(b"text", name + b"ext"))
    with pytest.raises(InputError, match="not a Parquet file"):
        batch.open_source(path)


def test_inputs_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "x.docx").write_text("x")
    (tmp_path / "no_text.csv").write_text("id,note\n1,a\n")
    (tmp_path / "fake.parquet").write_text("x")
    (tmp_path / "empty").mkdir()
    source = write_jsonl(tmp_path / "in.jsonl", rows(1))
    cases = [
        (tmp_path / "x.docx", "give a .jsonl"), (tmp_path / "no_text.csv", "no column named text"),
        (tmp_path / "fake.parquet", "not a Parquet file"), (tmp_path / "empty", "holds no .txt"),
        (tmp_path / "gone", "not exist"),
    ]  # fmt: skip
    for path, part in cases:
        with pytest.raises(InputError, match=part):
            run_batch(path, tmp_path / "out.jsonl")
    for output, part in ((source, "is the input"), (tmp_path, "is a folder"), (tmp_path / "a" / "b.jsonl", "does not exist")):
        with pytest.raises(InputError, match=part):
            run_batch(source, output)
    assert source.read_text() == json.dumps(rows(1)[0]) + "\n"


def test_two_runs_do_not_write_to_one_output(tmp_path: Path) -> None:
    source = write_jsonl(tmp_path / "in.jsonl", rows(1))
    with batch._sole_writer(tmp_path / "out.jsonl"), pytest.raises(InputError, match="another run"):
        run_batch(source, tmp_path / "out.jsonl", engine=echo)


def test_rows_are_read_one_by_one_and_too_long_ones_are_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "MAX_BYTES", 64)
    source = tmp_path / "in.jsonl"
    source.write_text(json.dumps({"id": "a", "text": "x" * 500}) + "\n" + json.dumps({"id": "b", "text": "ok"}) + "\n")
    read = list(batch.open_source(source).rows())
    assert [(row.id, bool(row.fault)) for row in read] == [("row-1", True), ("b", False)]
    pulled: list[int] = []

    def endless() -> Iterator[Row]:
        for number in range(1, 10**9):
            pulled.append(number)
            yield Row(number, str(number), {"text": "x" * 50_000})

    first = next(batch.chunks_of(endless()))
    assert len(first) == 4 == len(pulled), "a chunk is bounded by its characters"


def test_progress_reports_position_total_and_rows(tmp_path: Path) -> None:
    source = write_jsonl(tmp_path / "in.jsonl", rows(20))
    seen: list[tuple[int, int, int]] = []
    run_batch(source, tmp_path / "o.jsonl", engine=echo, progress=lambda *state: seen.append(state))
    size = source.stat().st_size
    assert [notes for _, _, notes in seen] == [16, 20] and seen[-1][:2] == (size, size)
