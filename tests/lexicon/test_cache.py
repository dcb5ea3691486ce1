"""Compiled files: written whole or not at all, rebuilt when damaged, not needed to work, quick to load."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from lexicon.codes import load_edition
from lexicon.codes.cache import KEPT, load_compiled, store_compiled, without_collecting, write_atomically
from lexicon.codes.edition import Edition
from lexicon.codes.registry import BASE_NAME, EditionInfo, edition_info, edition_key, open_edition
from lexicon.errors import EditionError

ROOT = Path(__file__).resolve().parents[2]
SMALL = """<ICD10CM.tabular><chapter><name>18</name><desc>Symptoms (R00-R99)</desc><section id="R50-R69">
<desc>General symptoms and signs (R50-R69)</desc><diag><name>R53</name><desc>Malaise and fatigue</desc>
<diag><name>R53.1</name><desc>Weakness</desc><excludes1><note>muscle weakness (generalized) (M62.81)</note></excludes1></diag>
<diag><name>R53.8</name><desc>Other malaise and fatigue</desc></diag></diag></section></chapter></ICD10CM.tabular>"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("THERACODE_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def small(tmp_path: Path, folder: Path) -> EditionInfo:
    home = tmp_path / "small"
    home.mkdir()
    (home / "tabular.xml").write_text(SMALL, encoding="utf-8")
    return EditionInfo("Small", date(2030, 1, 1), date(2030, 12, 31), "test", path=home, notes_as_of="Small")


def content(edition: Edition) -> tuple[list[str], list[tuple[str, str, tuple[str, ...]]]]:
    notes = [(note.stands_at, note.text, tuple(r.text for r in note.references)) for note in edition.all_notes()]
    return [edition.title(code) for code in edition.billable()], notes


def test_what_is_stored_comes_back_for_its_key_only(folder: Path) -> None:
    assert store_compiled("thing", "k" * 64, {"a": [1, "b"]})
    assert load_compiled("thing", "k" * 64) == {"a": [1, "b"]}
    assert load_compiled("thing", "k" * 16 + "other") is None
    assert load_compiled("other", "k" * 64) is None


def test_files_that_were_not_used_for_long_are_removed(folder: Path) -> None:
    def key(number: int) -> str:
        return f"{number:016x}" * 4

    for number in range(KEPT):
        assert store_compiled("edition-FY1", key(number), number)
        os.utime(folder / f"edition-FY1-{number:016x}.bin", (number, number))
    assert store_compiled("edition-FY1-own", key(0), "another name")
    old, new = folder / ".a.bin-1.tmp", folder / ".b.bin-2.tmp"
    for piece in (old, new):
        piece.write_bytes(b"torn")
    os.utime(old, (1, 1))
    assert load_compiled("edition-FY1", key(0)) == 0, "used now, so it stays"
    assert store_compiled("edition-FY1", key(KEPT), KEPT)
    kept = [number for number in range(KEPT + 1) if load_compiled("edition-FY1", key(number)) == number]
    assert kept == [0, *range(2, KEPT + 1)]
    assert load_compiled("edition-FY1-own", key(0)) == "another name"
    assert not old.exists() and new.exists(), "a piece of a writer that may still be at work stays"


def test_a_write_is_whole_or_absent(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = folder / "file"
    write_atomically(target, b"old")

    def fail(source: object, destination: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.replace", fail)
        with pytest.raises(OSError, match="No space left"):
            write_atomically(target, b"new")
    assert target.read_bytes() == b"old"
    assert list(folder.iterdir()) == [target]


@pytest.mark.parametrize("damage", [b"", b"garbage", b"\x00" * 500, b"\xdf\xff\xff\xff\xff"])
def test_a_damaged_file_is_compiled_again(small: EditionInfo, folder: Path, damage: bytes) -> None:
    expected = content(open_edition(small))
    (path,) = folder.iterdir()
    good = path.read_bytes()
    path.write_bytes(damage)
    assert content(open_edition(small)) == expected
    assert path.read_bytes() == good
    path.write_bytes(good[: len(good) // 2])
    assert content(open_edition(small)) == expected


def test_compiled_and_fresh_editions_are_the_same(small: EditionInfo, folder: Path) -> None:
    fresh = content(open_edition(small))
    assert len(list(folder.iterdir())) == 1
    assert content(open_edition(small)) == fresh
    assert fresh == (
        ["Weakness", "Other malaise and fatigue"], [("R53.1", "muscle weakness (generalized) (M62.81)", ("M62.81-",))],
    )  # fmt: skip


def test_a_cache_that_cannot_be_written_is_done_without(
    small: EditionInfo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "blocked").write_text("a file where the folder should be", encoding="utf-8")
    monkeypatch.setenv("THERACODE_CACHE_DIR", str(tmp_path / "blocked"))
    assert not store_compiled("thing", "k" * 64, 1)
    assert content(open_edition(small))[0] == ["Weakness", "Other malaise and fatigue"]


def test_a_read_only_cache_is_read(small: EditionInfo, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = content(open_edition(small))
    (path,) = folder.iterdir()

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.mkstemp", refuse)
    before = path.stat().st_mtime_ns
    assert content(open_edition(small)) == expected
    assert not store_compiled("thing", "k" * 64, 1)
    path.unlink()
    assert content(open_edition(small)) == expected
    assert before and not list(folder.iterdir())


def test_a_changed_source_has_another_key(small: EditionInfo) -> None:
    before = edition_key(small)
    assert small.path is not None
    (small.path / "tabular.xml").write_text(SMALL.replace("Weakness", "Asthenia"), encoding="utf-8")
    assert edition_key(small) != before
    assert open_edition(small).title("R53.1") == "Asthenia"
    assert open_edition(small).key == edition_key(small)


def test_a_missing_source_is_told(small: EditionInfo) -> None:
    assert small.path is not None
    (small.path / "tabular.xml").unlink()
    with pytest.raises(EditionError, match="a file of edition Small cannot be read"):
        open_edition(small)


def test_two_processes_compile_at_once(small: EditionInfo, folder: Path) -> None:
    program = (
        "import sys; from datetime import date; from pathlib import Path;"
        "from lexicon.codes.registry import EditionInfo, open_edition; from lexicon.codes.cache import cache_folder\n"
        "info = EditionInfo('Small', date(2030, 1, 1), date(2030, 12, 31), 'test', path=Path(sys.argv[1]), notes_as_of='Small')\n"
        "for _ in range(40):\n"
        "    [path.unlink(missing_ok=True) for path in cache_folder().glob('*.bin')]\n"
        "    assert [*open_edition(info).billable()] == ['R53.1', 'R53.8']\n"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", program, str(small.path)], cwd=ROOT, stderr=subprocess.PIPE) for _ in range(2)
    ]
    assert [(process.communicate(timeout=60)[1], process.returncode) for process in running] == [(b"", 0)] * 2
    assert content(open_edition(small))[0] == ["Weakness", "Other malaise and fatigue"]
    assert [path.name for path in folder.iterdir() if path.suffix == ".tmp"] == []


@pytest.fixture
def compiled() -> Iterator[None]:
    load_edition.cache_clear()
    load_edition(BASE_NAME)
    yield
    load_edition.cache_clear()


@pytest.mark.usefixtures("compiled")
def test_a_warm_load_costs_less_than_importing_the_package_that_carries_the_list() -> None:
    """Time and memory of a warm load against ``import simple_icd_10_cm``, each in a process of its own."""
    assert edition_info(BASE_NAME).path is None
    measure = "import time, resource, sys; sys.path.insert(0, '.'); start = time.process_time(); "
    report = (
        "; print(time.process_time() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,"
        " 'simple_icd_10_cm' in sys.modules)"
    )

    def run(statement: str) -> tuple[float, int, bool]:
        command = [sys.executable, "-c", measure + statement + report]
        seconds, kilobytes, imported = subprocess.run(
            command, cwd=ROOT, check=True, capture_output=True, text=True
        ).stdout.split()
        return float(seconds), int(kilobytes), imported == "True"

    bare = run("pass")
    package = run("import simple_icd_10_cm")
    warm = min(run("from lexicon.codes import load_edition; load_edition()") for _ in range(2))
    assert package[2] and not warm[2]
    assert warm[0] < package[0]
    assert warm[1] - bare[1] < 150_000 < package[1]


def test_the_collector_rests_while_something_is_built_and_works_again_after_a_fault() -> None:
    @without_collecting()
    def build() -> bool:
        return gc.isenabled()

    assert not build()
    assert gc.isenabled()
    with pytest.raises(ValueError, match="bad table"), without_collecting():
        raise ValueError("bad table")
    assert gc.isenabled()
