"""What a machine can do to a program: kill it, fill its disk, set its clock back, speak another language.

After each fault the next start must work, with nothing lost that was there before. Kills of a batch and of a reviewer are
tested in tests/ui/, torn and damaged files in tests/lexicon/test_cache.py.
"""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from lexicon.codes import importer
from lexicon.codes.registry import EditionInfo, edition_for, imported_editions, load_edition, open_edition
from models.coder import Coder
from models.estimator import load_estimators
from models.ranker import load_ranker
from tests.lexicon.test_importer import FIRST, LAST, TABULAR, put
from tests.ui.test_store import MODEL, pair
from ui.cli import app
from ui.store import repository as repo
from ui.store.engine import open_store
from ui.store.errors import StoreError

ROOT = Path(__file__).resolve().parents[1]
NOTE = "R knee OA, pain with stairs. Denies falls. Café du Coin: « genou »."
SUGGEST = [sys.executable, "-m", "ui.cli", "suggest", "-", "--date", "2026-03-14"]


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Data and cache folders of the test alone."""
    monkeypatch.setenv("THERACODE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("THERACODE_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("THERACODE_DATABASE_URL", raising=False)
    load_edition.cache_clear()
    yield tmp_path
    load_edition.cache_clear()


def killed(program: str, *arguments: str, times: int = 4) -> None:
    """Start a program that prints a line when it is at work and then goes on for ever; kill it at odd moments."""
    chance = random.Random(0)  # noqa: S311 - moments, not secrets
    for _ in range(times):
        process = subprocess.Popen(
            [sys.executable, "-c", program, *arguments],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        assert process.stdout is not None and process.stdout.readline() == b"at work\n"
        time.sleep(chance.uniform(0.0, 0.15))
        process.send_signal(signal.SIGKILL)
        assert process.wait(timeout=10) == -signal.SIGKILL
        process.stdout.close()


AT_WORK = "sys.stdout.write('at work\\n'); sys.stdout.flush()\n"

# ------------------------------------------------------------------------------------------------ kill -9

COMPILE = (
    "import sys; from datetime import date; from pathlib import Path\n"
    "from lexicon.codes.cache import cache_folder\n"
    "from lexicon.codes.registry import EditionInfo, open_edition\n"
    "info = EditionInfo('Small', date(2030, 1, 1), date(2030, 12, 31), 'test', path=Path(sys.argv[1]))\n"
    + AT_WORK
    + "while True:\n"
    "    [path.unlink() for path in cache_folder().glob('*.bin')]\n"
    "    open_edition(info)\n"
)


def test_killed_while_compiling(folders: Path) -> None:
    put(folders, "tabular.xml", TABULAR)
    killed(COMPILE, str(folders))
    info = EditionInfo("Small", date(2030, 1, 1), date(2030, 12, 31), "test", path=folders)
    titles = [open_edition(info).title(code) for code in open_edition(info).billable()]
    assert len(titles) == 6 and titles[1] == "Unilateral primary osteoarthritis, right knee"


IMPORT = (
    "import sys; from datetime import date; from pathlib import Path\n"
    "from lexicon.codes.importer import import_edition\n" + AT_WORK + "while True:\n"
    "    import_edition([Path(sys.argv[1])], name='Small', first=date(2030, 10, 1), last=date(2031, 9, 30))\n"
)


def test_killed_while_importing_an_edition(folders: Path) -> None:
    source = put(folders, "tabular_2031.xml", TABULAR)
    importer.import_edition([source], name="Small", first=FIRST, last=LAST)
    killed(IMPORT, str(source))
    load_edition.cache_clear()
    assert [*imported_editions()] == ["Small"] and edition_for(FIRST)[0].name == "Small"
    assert sum(1 for _ in load_edition("Small").billable()) == 6
    importer.import_edition([source], name="Small", first=FIRST, last=LAST)
    assert len([path for path in (folders / "data" / "editions").iterdir() if not path.name.startswith(".")]) == 1


TRAIN = (
    "import sys; from pathlib import Path\n"
    "from corpora.train import write_model; from tests.models.test_ranker import estimators\n"
    "files = {name: Path(sys.argv[1], name) for name in ('model', 'weights', 'card')}\n"
    "write_model(*estimators(), 0.4, {'threshold': 0.4}, **files)\n" + AT_WORK + "while True:\n"
    "    write_model(*estimators(), 0.4, {'threshold': 0.4}, **files)\n"
)


def test_killed_while_writing_a_model(tmp_path: Path) -> None:
    killed(TRAIN, str(tmp_path), times=2)
    assert load_ranker(tmp_path / "weights").threshold == load_estimators(tmp_path / "model")[2] == 0.4
    assert json.loads((tmp_path / "card").read_text(encoding="utf-8")) == {"threshold": 0.4}


REVIEW_IMPORT = (
    "import sys; from tests.ui.test_store import MODEL, pair\n"
    "from ui.store import repository as repo; from ui.store.engine import open_store\n"
    "store = open_store(); number = len(repo.queue(store))\n" + AT_WORK + "while True:\n"
    "    pairs = [pair(f'n{number + k}') for k in range(40)]; number += 40\n"
    "    repo.import_notes(store, pairs, name='visit', who='A', model=MODEL)\n"
)


def test_killed_while_importing_notes(folders: Path) -> None:
    killed(REVIEW_IMPORT)
    store = open_store()
    batches = repo.batches(store)
    assert batches and {batch.notes for batch in batches} == {40}, "a batch is there with all its notes or not at all"
    repo.import_notes(store, [pair("last")], name="after", who="A", model=MODEL)
    assert len(repo.queue(store)) == 40 * len(batches) + 1
    store.close()


# ------------------------------------------------------------------------------------------------ a full disk


@contextmanager
def full_disk(size: int) -> Iterator[None]:
    """No file may grow beyond a size, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def one_line(result: Result, part: str) -> None:
    lines = [line for line in result.stderr.splitlines() if line.startswith("theracode: ")]
    assert result.exit_code == 2 and len(lines) == 1 and part in lines[0] and "unforeseen" not in lines[0], result.stderr


def test_a_batch_on_a_full_disk_goes_on_where_there_is_room(tmp_path: Path) -> None:
    source, output = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    rows = [{"id": f"n{number}", "text": NOTE if number % 5 else " "} for number in range(40)]
    source.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    command = ["batch", str(source), "--output", str(output), "--date", "2026-03-14"]
    with full_disk(20_000):
        one_line(CliRunner().invoke(app, command), "File too large")
    assert 0 < output.stat().st_size <= 20_000
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 1 and "32 notes coded" in result.stderr and "8 rows failed" in result.stderr
    kept = output.read_bytes()
    assert CliRunner().invoke(app, [*command, "--overwrite"]).exit_code == 1 and output.read_bytes() == kept


def test_an_import_and_a_report_on_a_full_disk_leave_nothing_behind(folders: Path) -> None:
    source = put(folders, "tabular_2031.xml", TABULAR)
    span = ("--from", FIRST.isoformat(), "--to", LAST.isoformat())
    corpus = put(folders, "own.csv", "id,text,codes\na,R knee OA,M17.11\n")
    with full_disk(500):
        one_line(CliRunner().invoke(app, ["edition", "import", str(source), "--name", "Small", *span]), "cannot be stored")
        report = ("--system", "exact-phrase", "--report", str(folders / "report"))
        one_line(CliRunner().invoke(app, ["bench", str(corpus), *report]), "cannot be written")
    assert list((folders / "data" / "editions").iterdir()) == list((folders / "report").iterdir()) == []


def test_a_cache_on_a_full_disk_is_done_without(folders: Path) -> None:
    put(folders, "tabular.xml", TABULAR)
    info = EditionInfo("Small", date(2030, 1, 1), date(2030, 12, 31), "test", path=folders)
    with full_disk(500):
        assert sum(1 for _ in open_edition(info).billable()) == 6
    assert list((folders / "cache").iterdir()) == []


def test_a_result_that_cannot_be_written_is_no_success() -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        done = subprocess.run(SUGGEST, cwd=ROOT, input=NOTE, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2 and done.stderr == "theracode: No space left on device\n"


def test_the_store_on_a_full_disk_keeps_what_was_written(folders: Path) -> None:
    store, written = open_store(), 0
    with full_disk(400_000), pytest.raises(StoreError, match="nothing of this step was written"):
        while written < 1_000:
            pairs = [pair(f"n{written}-{number}") for number in range(10)]
            repo.import_notes(store, pairs, name="v", who="A", model=MODEL)
            written += 1
    store.close()
    store = open_store()
    assert written > 2 and len(repo.queue(store)) == 10 * written
    repo.import_notes(store, [pair("after")], name="room", who="A", model=MODEL)
    store.close()


# ------------------------------------------------------------------------------------------------ clock, language


def test_a_clock_that_is_set_back_loses_no_import(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = put(folders, "tabular_2031.xml", TABULAR)
    importer.import_edition([source], name="Small", first=FIRST, last=LAST)
    monkeypatch.setattr("lexicon.codes.importer.time.time_ns", lambda: 1_000)
    importer.import_edition([source], name="Small", first=FIRST, last=date(2032, 1, 1))
    assert imported_editions()["Small"].last == date(2032, 1, 1)
    assert len(list((folders / "data" / "editions").iterdir())) == 1


def test_decisions_keep_their_order_when_the_clock_is_set_back(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Back(datetime):
        """A clock that runs backwards."""

        seconds = 2_000_000_000

        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
            cls.seconds -= 3_600
            return datetime.fromtimestamp(cls.seconds, UTC)

    monkeypatch.setattr(repo, "datetime", Back)
    store = open_store()
    repo.import_notes(store, [pair("n1")], name="v", who="A", model=MODEL)
    (item,) = repo.queue(store)
    ticket = repo.open_note(store, item.id).reading.ticket
    ticket = repo.decide(store, ticket, who="A", code="M17.11", verdict="reject", reason="negated")
    repo.decide(store, ticket, who="A", code="M17.11", verdict="accept")
    assert [decision.what for decision in repo.decisions(store)] == ["reject", "accept"]
    assert repo.open_note(store, item.id).reading.codes == ("M17.11",)
    store.close()


PLAIN = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "TZ": "Pacific/Kiritimati"}
TURKISH = {"LC_ALL": "tr_TR.UTF-8", "LANGUAGE": "tr", "PYTHONIOENCODING": "ascii", "TZ": "America/Adak"}


@pytest.mark.parametrize(("options", "language"), [(["--format", "json"], TURKISH), ([], PLAIN)])
def test_the_language_and_zone_of_the_machine_change_nothing(options: list[str], language: dict[str, str]) -> None:
    environment = {**os.environ, **language}
    done = subprocess.run(
        [*SUGGEST, *options], cwd=ROOT, input=NOTE.encode(), env=environment, stdout=subprocess.PIPE, check=True
    )
    here = CliRunner().invoke(app, [*SUGGEST[3:], *options], input=NOTE.encode()).stdout
    assert done.stdout.decode("latin-1").split()[:20] == here.encode().decode("latin-1").split()[:20]


# ------------------------------------------------------------------------------------------------ the model file


@pytest.mark.parametrize(
    ("content", "told"), [(None, "is missing"), (b"", "cannot be read"), (b'{"threshold": 1}', "cannot be read")]
)
def test_a_model_that_cannot_be_used_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None, told: str
) -> None:
    path = tmp_path / "weights.json"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setattr("models.coder.load_ranker", partial(load_ranker, path))
    monkeypatch.setattr("models.coder.load", Coder)
    result = CliRunner().invoke(app, ["suggest", "-", "--date", "2026-03-14"], input=NOTE)
    assert result.exit_code == 2 and result.stderr.count("\n") == 1
    assert told in result.stderr and "theracode train" in result.stderr


def test_a_store_in_a_folder_that_cannot_be_written_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("not a folder", encoding="utf-8")
    monkeypatch.setenv("THERACODE_DATA_DIR", str(tmp_path / "file"))
    monkeypatch.delenv("THERACODE_DATABASE_URL", raising=False)
    with pytest.raises(StoreError, match="cannot be written"):
        open_store()
