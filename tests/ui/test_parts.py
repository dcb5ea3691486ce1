"""Parquet in and out, part by part: the same codings as JSON Lines, resuming, and refusing what belongs elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow
import pytest
from pyarrow import parquet
from typer.testing import CliRunner

from lexicon.errors import InputError
from ui.batch import Settings, run_batch
from ui.cli import app
from ui.parts import run_parts

SETTINGS = Settings({"date_of_service": "2026-03-14"})
NOTES = ["R knee OA", "L shoulder pain", " ", "BPPV right ear", "R lateral epicondylitis"]


def write(path: Path, rows: int, *, group: int = 4, ids: bool = True) -> Path:
    table = [{"text": NOTES[number % len(NOTES)], **({"id": f"n{number}"} if ids else {})} for number in range(rows)]
    parquet.write_table(pyarrow.Table.from_pylist(table), path, row_group_size=group)
    return path


def parts(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def rows(folder: Path) -> list[dict[str, Any]]:
    return [row for path in sorted(folder.glob("*.parquet")) for row in parquet.read_table(path).to_pylist()]


@pytest.mark.parametrize("ids", [True, False])
def test_the_parts_hold_the_lines_of_the_other_output(tmp_path: Path, ids: bool) -> None:
    source = tmp_path / "in"
    source.mkdir()
    write(source / "a.parquet", 6, ids=ids)
    write(source / "b.parquet", 5, ids=ids)
    result = run_parts(source, tmp_path / "out", settings=SETTINGS)
    lines = run_batch(source, tmp_path / "out.jsonl", settings=SETTINGS)
    assert (result.done, result.failed) == (lines.done, lines.failed) == (9, 2)
    found = rows(tmp_path / "out")
    assert [row["number"] for row in found] == list(range(1, 12))
    assert "".join(row["coding"] + "\n" for row in found if row["coding"]) == (tmp_path / "out.jsonl").read_text()
    assert [(row["number"], row["error"]) for row in found if row["error"]] == [
        (3, "the text is empty"),
        (9, "the text is empty"),
    ]
    assert sorted(parts(tmp_path / "out")) == [f"part-0000{number}.parquet" for number in range(4)]


def test_a_missing_part_is_done_again_and_no_other(tmp_path: Path) -> None:
    source, output = write(tmp_path / "in.parquet", 10), tmp_path / "out"
    run_parts(source, output, settings=SETTINGS)
    whole = parts(output)
    times = {name: (output / name).stat().st_mtime_ns for name in whole}
    (output / "part-00001.parquet").unlink()
    seen: list[tuple[int, int, int]] = []
    result = run_parts(source, output, settings=SETTINGS, progress=lambda *state: seen.append(state))
    assert (result.done, result.resumed, result.failed) == (8, 5, 2)
    assert parts(output) == whole
    assert {name for name in whole if (output / name).stat().st_mtime_ns != times[name]} == {"part-00001.parquet"}
    assert seen == [(4, 10, 4), (8, 10, 8), (10, 10, 10)]


@pytest.mark.parametrize("broken", ["in.parquet", "out/part-00000.parquet"])
def test_a_part_with_a_name_that_is_not_text_is_told(tmp_path: Path, broken: str) -> None:
    source, output = write(tmp_path / "in.parquet", 2), tmp_path / "out"
    run_parts(source, output, settings=SETTINGS)
    path = tmp_path / broken
    path.write_bytes(path.read_bytes().replace(b"text", b"\xffext").replace(b"number", b"\xffumber"))
    with pytest.raises(InputError, match=f"{path.name} (is not a Parquet file|was not written by theracode)"):
        run_parts(source, output, settings=SETTINGS)


def test_what_belongs_to_another_run_is_not_touched(tmp_path: Path) -> None:
    source, output = write(tmp_path / "in.parquet", 6), tmp_path / "out"
    run_parts(source, output, settings=SETTINGS)
    before = parts(output)
    with pytest.raises(InputError, match="other options"):
        run_parts(source, output, settings=Settings({"date_of_service": "2025-03-14"}))
    with pytest.raises(InputError, match="more parts"):
        run_parts(write(tmp_path / "in.parquet", 4), output, settings=SETTINGS)
    assert parts(output) == before
    assert run_parts(source, output, settings=SETTINGS, overwrite=True).done == 3
    assert list(parts(output)) == ["part-00000.parquet"]
    (output / "part-00000.parquet").write_text("x")
    with pytest.raises(InputError, match="not written by theracode"):
        run_parts(source, output, settings=SETTINGS)


def test_inputs_that_have_no_parts(tmp_path: Path) -> None:
    (tmp_path / "notes.csv").write_text("id,text\n1,x\n")
    (tmp_path / "empty").mkdir()
    source = write(tmp_path / "in.parquet", 1)
    cases = [
        (tmp_path / "gone", tmp_path / "out", "does not exist"), (tmp_path / "empty", tmp_path / "out", "no .parquet"),
        (tmp_path / "notes.csv", tmp_path / "out", "not a Parquet file"), (source, source, "is a file"),
        (source, tmp_path / "a" / "out", "does not exist"), (tmp_path, tmp_path, "is the input"),
    ]  # fmt: skip
    for path, output, part in cases:
        with pytest.raises(InputError, match=part):
            run_parts(path, output)


def test_the_command_writes_parts_where_the_output_is_called_parquet(tmp_path: Path) -> None:
    write(tmp_path / "in.parquet", 5)
    output = tmp_path / "codes.parquet"
    command = ["batch", str(tmp_path / "in.parquet"), "--output", str(output), "--date", "2026-03-14"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 1 and "4 notes coded" in result.stderr and "1 rows failed" in result.stderr
    assert [row["id"] for row in rows(output)] == [f"n{number}" for number in range(5)]
