"""Note text goes where the user asked for it and nowhere else: no log, error, cache, temporary file or connection.

A process watches itself (``sys.addaudithook``) while it codes notes in every way there is.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lexicon.codes.cache import cache_folder

ROOT = Path(__file__).resolve().parents[1]
SECRETS = ("Zyxwvutska", "Qarnoldo", "1907-11-23")
NOTE = f"Mrs {SECRETS[0]}, born {SECRETS[2]}, R knee OA since a fall in Dr. {SECRETS[1]}'s garden. Denies numbness."

WATCHED = """
import json, logging, os, sys
from datetime import date
from pathlib import Path

home, note = Path(sys.argv[1]), sys.argv[2]
seen = {"written": [], "connected": [], "started": []}

def watch(event, given):
    if event == "open" and isinstance(given[0], (str, bytes, os.PathLike)):
        mode, flags = given[1] or "", given[2] or 0
        if set("wax+") & set(mode) or flags & (os.O_WRONLY | os.O_RDWR):
            seen["written"].append(os.fsdecode(given[0]))
    elif event in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
        seen["connected"].append(repr(given[1:]))
    elif event in ("subprocess.Popen", "os.system", "os.exec"):
        seen["started"].append(repr(given[0]))

logging.basicConfig(level=logging.DEBUG, filename=str(home / "log.txt"))
sys.addaudithook(watch)

from streamlit.testing.v1 import AppTest
from typer.testing import CliRunner
from lexicon.errors import TheracodeError
from models.coder import Coder
from ui.cli import app
from ui.store.engine import open_store
from ui.store.importer import import_uploads

told = []

def run(*arguments):
    result = CliRunner().invoke(app, [*map(str, arguments), "--date", "2026-03-14"], input=note)
    told.append(result.stdout + result.stderr + repr(result.exception))

def page(name, **fields):
    at = AppTest.from_file(f"ui/screens/{name}.py", default_timeout=60).run()
    at.text_area[0].set_value(fields["text"])
    for box in at.text_input:
        box.set_value("M17.11")
    next(b for b in at.button if b.label == fields["button"]).click().run()
    told.extend(error.value for error in at.error)
    assert not at.exception

rows = [{"id": "a", "text": note}, {"id": "b", "text": note, "date_of_service": note}, {"id": "c", "text": note + chr(0)}, [note]]
(home / "in.jsonl").write_text("".join(json.dumps(row) + "\\n" for row in rows) + note, encoding="utf-8")

def everything():
    run("suggest", "-", "--format", "json")
    run("suggest", "-")
    run("audit", "-", "--codes", "M17.11,R53.1")
    run("audit", "-", "--codes", note)
    run("batch", home / "in.jsonl", "--output", home / "out.jsonl", "--overwrite")
    page("suggest", text=note, button="Suggest codes")
    page("audit", text=note, button="Audit")
    store = open_store()
    try:
        import_uploads(store, [("visit.txt", note.encode()), ("bad.jsonl", note.encode())], Coder(), name="v", who="A")
    except TheracodeError as error:
        told.append(str(error))
    store.close()

everything()
def broken(*_, **__):
    raise RuntimeError(note)
Coder.suggest = broken
everything()
logging.shutdown()
(home / "seen.json").write_text(json.dumps({**seen, "told": told}), encoding="utf-8")
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which a process coded the note, with all its folders below it; the compiled code sets are at hand."""
    home = tmp_path_factory.mktemp("home")
    for name in ("cache", "data", "temp"):
        (home / name).mkdir()
    for path in cache_folder().glob("*.bin"):
        if not path.name.startswith("phrases"):
            shutil.copy2(path, home / "cache")
    places = {"CACHE_DIR": "cache", "DATA_DIR": "data"}
    environment = {
        **{name: value for name, value in os.environ.items() if name != "THERACODE_DATABASE_URL"},
        **{f"THERACODE_{name}": str(home / place) for name, place in places.items()},
        "TMPDIR": str(home / "temp"), "THERACODE_LOG_LEVEL": "debug", "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, str(home), NOTE], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    (home / "streams.txt").write_text(done.stdout + done.stderr, encoding="utf-8")
    return home


def seen(home: Path) -> dict[str, list[str]]:
    content: dict[str, list[str]] = json.loads((home / "seen.json").read_text(encoding="utf-8"))
    return content


def test_no_message_log_or_stream_holds_note_text(home: Path) -> None:
    told = seen(home)["told"]
    assert any("M17.11" in line for line in told) and sum("nforeseen RuntimeError" in line for line in told) == 6
    for text in (*told, (home / "log.txt").read_text(encoding="utf-8"), (home / "streams.txt").read_text(encoding="utf-8")):
        assert not [secret for secret in SECRETS if secret in text]


def test_only_what_was_asked_for_is_written(home: Path) -> None:
    written = [Path(path) for path in seen(home)["written"] if path != os.devnull]
    named = {path.name for path in written if path.parent == home}
    assert named <= {"in.jsonl", "out.jsonl", "out.errors.jsonl", "seen.json", "log.txt"}
    elsewhere = [path for path in written if path.parent not in {home, home / "cache", home / "data"}]
    assert {path.parent for path in elsewhere} <= {home / "temp"} and len(elsewhere) <= 1, "Python tries its folder once"
    assert list((home / "temp").iterdir()) == []


def test_no_file_but_the_input_and_the_review_store_holds_note_text(home: Path) -> None:
    files = [path for path in home.rglob("*") if path.is_file()]
    assert any(path.name.startswith("phrases") for path in files), "the vocabulary was compiled while notes were read"
    holding = {path.name for path in files if any(secret.encode() in path.read_bytes() for secret in SECRETS)}
    assert holding <= {"in.jsonl", "review.sqlite", "review.sqlite-wal"}


def test_nothing_is_sent_and_nothing_is_started(home: Path) -> None:
    assert seen(home)["connected"] == [] and seen(home)["started"] == []
