"""The review store, on SQLite and on a PostgreSQL server that is started here: nothing is lost, nothing silently overwritten."""

from __future__ import annotations

import csv
import io
import json
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import FrozenInstanceError
from datetime import UTC, date, datetime, timedelta
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pyarrow.parquet
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import URL, delete, inspect, text, update
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from corpora.loaders import load_dev
from lexicon.errors import CodeError, InputError, TheracodeError
from models.coding import Coding, Evidence, Note, RuleVerdict, Suggestion
from ui.store import export, importer
from ui.store import repository as repo
from ui.store.engine import Store, database_url, open_store
from ui.store.errors import ConflictError, StoreError
from ui.store.models import Base, DecisionRow, NoteRow

ROOT = Path(__file__).resolve().parents[2]
TEXT = "R knee OA. Weak all over, generalized weakness. Denies falls."
MODEL = "theracode 0, Test"
FILES = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb")) or [Path(p) for p in [shutil.which("initdb")] if p]


def suggestion(rank: int, code: str, probability: float, status: str = "recommended", by: str = "") -> Suggestion:
    rule = RuleVerdict(id="excludes1", text="Excludes1", source="I.A.12.a", blocked_by=[by]) if by else None
    return Suggestion(
        rank=rank, code=code, title=code, probability=probability, status=status, role="symptom",  # type: ignore[arg-type]
        evidence=[Evidence(start=0, end=9, text=TEXT[:9])], reasons=[], rule=rule,
    )  # fmt: skip


def pair(name: str, *, low: bool = False, blocked: bool = True) -> tuple[Note, Coding]:
    note = Note(id=name, text=TEXT, date_of_service=date(2026, 4, 15))
    items = [suggestion(1, "M17.11", 0.9), suggestion(2, "M62.81", 0.5 if low else 0.8)]
    items += [suggestion(3, "R26.2", 0.3, "alternative")]
    items += [suggestion(4, "R53.1", 0.2, "blocked", by="M62.81")] if blocked else []
    coding = Coding(
        id=name, edition="FY2026-April", date_of_service=date(2026, 4, 15), encounter="initial",
        suggestions=items, sequence=["M17.11", "M62.81"], notices=[], questions=[],
    )  # fmt: skip
    return note, coding


# ------------------------------------------------------------------------------------------------ the two databases


@pytest.fixture(scope="module")
def server() -> Iterator[URL]:
    """A PostgreSQL server of this test, reached by a socket in its own folder; never run as the administrator."""
    if not FILES:
        pytest.skip("no PostgreSQL server files are installed on this machine (apt-get install postgresql)")
    programs = FILES[-1].parent
    folder = Path(tempfile.mkdtemp(prefix="tc-pg-", dir="/tmp"))  # a socket needs a short path
    user: dict[str, object] = {}
    if os.geteuid() == 0:
        names = {entry.pw_name for entry in pwd.getpwall()}
        owner = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
        os.chown(folder, owner.pw_uid, owner.pw_gid)
        user = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
    data, nothing = folder / "data", subprocess.DEVNULL

    def run(*command: str) -> None:
        subprocess.run(
            command,
            cwd=folder,
            check=True,
            stdin=nothing,
            stdout=nothing,
            stderr=nothing,
            **user,  # type: ignore[call-overload]
        )

    try:
        run(str(FILES[-1]), "-D", str(data), "-U", "coder", "-A", "trust", "-N", "-E", "UTF8", "--locale=C")
        options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off -c max_connections=60"
        run(str(programs / "pg_ctl"), "-D", str(data), "-w", "-l", str(folder / "log"), "-o", options, "start")
        yield URL.create("postgresql", username="coder", database="postgres", query={"host": str(folder)})
    finally:
        if (data / "postmaster.pid").exists():
            run(str(programs / "pg_ctl"), "-D", str(data), "-m", "immediate", "-w", "stop")
        shutil.rmtree(folder)


_number = count()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> URL:
    """The address of an empty database, set as a user sets it."""
    if request.param == "sqlite":
        monkeypatch.setenv("THERACODE_DATA_DIR", str(tmp_path))
        monkeypatch.delenv("THERACODE_DATABASE_URL", raising=False)
        return database_url()
    server: URL = request.getfixturevalue("server")
    name = f"review{next(_number)}"
    from sqlalchemy import create_engine

    engine = create_engine(server.set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    monkeypatch.setenv("THERACODE_DATABASE_URL", server.set(database=name).render_as_string(hide_password=False))
    return database_url()


@pytest.fixture
def store(url: URL) -> Iterator[Store]:
    opened = open_store(url)
    yield opened
    opened.close()


def filled(store: Store, *names: str) -> list[int]:
    """Numbers of imported notes."""
    batch = repo.import_notes(store, [pair(name) for name in names or ("n1",)], name="visit", who="A", model=MODEL)
    return [item.id for item in repo.queue(store, batch=batch)]


def signed(store: Store, note: int, who: str = "A", turn: repo.Turn = "first", *, rejected: str = "") -> repo.Ticket:
    """A note that a coder has read whole."""
    opened = repo.open_note(store, note, turn)
    ticket = opened.reading.ticket
    for code in opened.undecided:
        verdict: repo.Verdict = "reject" if code == rejected else "accept"
        ticket = repo.decide(store, ticket, who=who, code=code, verdict=verdict, reason="negated" if code == rejected else "")
    return repo.sign_off(store, ticket, who=who)


# ------------------------------------------------------------------------------------------------ opening


def test_migrations_lead_from_nothing_to_the_declared_tables(store: Store, url: URL) -> None:
    assert set(inspect(store.engine).get_table_names()) == {*Base.metadata.tables, "alembic_version"}
    with store.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    filled(store)
    again = open_store(url)
    assert len(repo.queue(again)) == 1
    again.close()


def test_many_programs_may_open_an_empty_store_at_once(url: URL) -> None:
    gate = threading.Barrier(8)

    def opened(_: int) -> int:
        gate.wait()
        store = open_store(url)
        number = len(repo.queue(store))
        store.close()
        return number

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(opened, range(8))) == [0] * 8


def test_a_store_of_a_newer_version_is_refused(store: Store, url: URL) -> None:
    with store.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreError, match="newer version"):
        open_store(url)


def test_the_sqlite_file_belongs_to_its_owner_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THERACODE_DATA_DIR", str(tmp_path / "new"))
    monkeypatch.delenv("THERACODE_DATABASE_URL", raising=False)
    store = open_store()
    filled(store)
    assert {path.name for path in (tmp_path / "new").iterdir()} == {"review.sqlite", "review.sqlite-wal", "review.sqlite-shm"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "new").iterdir()} == {0o600}
    with store.read() as session:
        pragmas = [
            session.scalar(text(f"PRAGMA {name}")) for name in ("journal_mode", "foreign_keys", "synchronous", "temp_store")
        ]
    assert pragmas == ["wal", 1, 2, 2]
    store.close()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("mysql://host/base", "must begin with"),
        ("sqlite://", "name a database"),
        ("nonsense", "not the address"),
        ("sqlite:////dev/null/review.sqlite", "cannot be written"),
        ("postgresql://coder:hush@127.0.0.1:1/none", "cannot be opened"),
    ],
)
def test_an_unusable_address_is_one_line_without_password(given: str, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THERACODE_DATABASE_URL", given)
    with pytest.raises(StoreError, match=told) as error:
        open_store()
    assert "hush" not in str(error.value) and "\n" not in str(error.value)
    assert error.value.__cause__ is None


def test_an_error_of_the_database_tells_no_note_text(store: Store) -> None:
    with pytest.raises(StoreError, match="cannot be used now") as error, store.write() as session:
        session.add(NoteRow(batch_id=99, name="n", note={"text": "secret words"}))
    assert "secret" not in str(error.value) and error.value.__suppress_context__


# ------------------------------------------------------------------------------------------------ import and queue


def test_import_is_whole_or_nothing(store: Store) -> None:
    batch = repo.import_notes(store, [pair("a"), pair("b")], name="visit", who="A", model=MODEL)
    with pytest.raises(InputError, match="already, as batch 'visit'"):
        repo.import_notes(store, [pair("b"), pair("a")], name="again", who="A", model=MODEL)
    with pytest.raises(InputError, match="same id"):
        repo.import_notes(store, [pair("c"), pair("c")], name="twice", who="A", model=MODEL)
    with pytest.raises(InputError, match="no note"):
        repo.import_notes(store, [], name="none", who="A", model=MODEL)
    with pytest.raises(InputError, match="your name"):
        repo.import_notes(store, [pair("d")], name="x", who=" ", model=MODEL)
    assert repo.batches(store) == [repo.Batch(batch, "visit", 2, 0)]
    opened = repo.open_note(store, repo.queue(store)[0].id)
    assert (opened.note, opened.coding) == pair("a")


def test_the_queue_filters_and_hands_out_the_next_note(store: Store) -> None:
    pairs = [pair("low", low=True, blocked=False), pair("blocked"), pair("plain", blocked=False)]
    batch = repo.import_notes(store, pairs, name="v", who="A", model=MODEL)
    repo.import_notes(store, [pair("other")], name="w", who="A", model=MODEL)
    low, blocked, plain = repo.queue(store, batch=batch)

    def names(show: repo.Show) -> list[str]:
        return [item.name for item in repo.queue(store, batch=batch, show=show)]

    assert names("all") == ["low", "blocked", "plain"] and names("low") == ["low"] and names("conflicts") == ["blocked"]
    signed(store, blocked.id)
    assert names("unreviewed") == ["low", "plain"]
    items = repo.queue(store, batch=batch)
    assert [item.state for item in items] == ["new", "signed", "new"] and items[1].coder == "A"
    assert [repo.next_note(items, after) for after in (None, low.id, plain.id)] == [low.id, plain.id, low.id]
    assert repo.next_note([items[1]]) is None and repo.next_note([items[0]], low.id) == low.id
    assert [(b.name, b.notes, b.signed) for b in repo.batches(store)] == [("w", 1, 0), ("v", 3, 1)]
    with pytest.raises(InputError, match="no note 999"):
        repo.open_note(store, 999)


# ------------------------------------------------------------------------------------------------ decisions


def test_every_decision_leaves_a_row_that_says_who_when_what_and_on_what_ground(store: Store) -> None:
    (note,) = filled(store)
    before = datetime.now(UTC) - timedelta(seconds=1)
    ticket = repo.open_note(store, note).reading.ticket
    ticket = repo.decide(store, ticket, who=" A  B ", code="M17.11", verdict="accept")
    ticket = repo.replace(store, ticket, who="A B", code="M62.81", replacement="m6250", reason="less specific")
    ticket = repo.override(store, ticket, who="A B", code="R53.1", reason="unrelated, after flu")
    ticket = repo.decide(store, ticket, who="A B", code="R26.2", verdict="reject", reason="negated")
    ticket = repo.withdraw(store, ticket, who="A B", code="R26.2")
    ticket = repo.add(store, ticket, who="A B", code="Z91.81")
    repo.sign_off(store, ticket, who="A B")
    trail = repo.decisions(store)
    assert [(d.what, d.code, d.replacement, d.rule) for d in trail] == [
        ("accept", "M17.11", "", ""), ("replace", "M62.81", "M62.50", ""), ("override", "R53.1", "", "excludes1"),
        ("reject", "R26.2", "", ""), ("withdraw", "R26.2", "", ""), ("add", "Z91.81", "", ""), ("sign-off", "", "", ""),
    ]  # fmt: skip
    assert {(d.who, d.edition, d.model, d.turn, d.batch, d.note) for d in trail} == {
        ("A B", "FY2026-April", MODEL, "first", "visit", "n1")
    }
    assert trail[0].probability == 0.9 and trail[5].probability is None and trail[2].reason == "unrelated, after flu"
    assert all(before < d.at < datetime.now(UTC) + timedelta(seconds=1) and d.at.tzinfo == UTC for d in trail)
    reading = repo.open_note(store, note).reading
    assert reading.codes == ("M17.11", "M62.50", "R53.1", "Z91.81") and reading.signed and reading.ticket.version == 7
    with pytest.raises(FrozenInstanceError):
        trail[0].who = "B"  # type: ignore[misc]


def test_what_makes_no_sense_is_refused_and_leaves_no_row(store: Store) -> None:
    (note,) = filled(store)
    ticket = repo.open_note(store, note).reading.ticket
    knee = "M17.11"
    calls = [
        (InputError, "reason", lambda: repo.decide(store, ticket, who="A", code="M17.11", verdict="reject")),
        (InputError, "your name", lambda: repo.decide(store, ticket, who="", code="M17.11", verdict="accept")),
        (InputError, "not among", lambda: repo.decide(store, ticket, who="A", code="M17.12", verdict="accept")),
        (InputError, "blocked by a rule", lambda: repo.decide(store, ticket, who="A", code="R53.1", verdict="accept")),
        (CodeError, "not a billable", lambda: repo.replace(store, ticket, who="A", code=knee, replacement="M17.1", reason="r")),
        (CodeError, "not a billable", lambda: repo.add(store, ticket, who="A", code="nonsense")),
        (InputError, "itself", lambda: repo.replace(store, ticket, who="A", code=knee, replacement=knee, reason="r")),
        (InputError, "not among", lambda: repo.replace(store, ticket, who="A", code="M1", replacement="M17.11", reason="r")),
        (InputError, "reason", lambda: repo.override(store, ticket, who="A", code="R53.1", reason=" ")),
        (InputError, "no rule blocks", lambda: repo.override(store, ticket, who="A", code="R26.2", reason="r")),
        (InputError, "among the suggestions", lambda: repo.add(store, ticket, who="A", code="M17.11")),
        (InputError, "no decision", lambda: repo.withdraw(store, ticket, who="A", code="M17.11")),
        (InputError, "undecided: M17.11, M62.81", lambda: repo.sign_off(store, ticket, who="A")),
        (InputError, "not signed", lambda: repo.reopen(store, ticket, who="A", reason="r")),
        (InputError, "no note", lambda: repo.sign_off(store, repo.Ticket(999, "first", 0), who="A")),
        (InputError, "final turn", lambda: repo.adjudicate(store, ticket, who="A", codes=[], reason="r")),
    ]  # fmt: skip
    for kind, told, call in calls:
        with pytest.raises(kind, match=told):
            call()
    assert repo.decisions(store) == [] and repo.open_note(store, note).reading.ticket == ticket


def test_codes_that_exclude_each_other_need_an_override(store: Store) -> None:
    (note,) = filled(store)
    opened = repo.open_note(store, note)
    ticket = opened.reading.ticket
    for code in opened.coding.sequence:
        ticket = repo.decide(store, ticket, who="A", code=code, verdict="accept")
    ticket = repo.replace(store, ticket, who="A", code="R26.2", replacement="R53.1", reason="wording")
    with pytest.raises(InputError, match=r"R53\.1 and M62\.81 may not be reported together"):
        repo.sign_off(store, ticket, who="A")
    ticket = repo.override(store, ticket, who="A", code="M62.81", reason="unrelated conditions")
    repo.sign_off(store, ticket, who="A")
    assert set(repo.open_note(store, note).reading.codes) == {"M17.11", "M62.81", "R53.1"}


def test_a_signed_note_is_closed_until_it_is_reopened_with_a_reason(store: Store) -> None:
    (note,) = filled(store)
    ticket = signed(store, note)
    with pytest.raises(InputError, match="signed off"):
        repo.decide(store, ticket, who="A", code="M17.11", verdict="reject", reason="negated")
    ticket = repo.reopen(store, ticket, who="A", reason="read again")
    repo.decide(store, ticket, who="A", code="M17.11", verdict="reject", reason="negated")
    assert repo.open_note(store, note).reading.codes == ("M62.81",)
    assert repo.finals(store) == []


@pytest.mark.parametrize("statement", [update(DecisionRow).values(who="B"), delete(DecisionRow), text("DELETE FROM decisions")])
def test_the_database_refuses_to_change_the_audit_trail(store: Store, statement: object) -> None:
    signed(store, filled(store)[0])
    trail = repo.decisions(store)
    with pytest.raises(DBAPIError, match="append-only"), store.engine.begin() as connection:
        connection.execute(statement)  # type: ignore[call-overload]
    assert repo.decisions(store) == trail and len(trail) == 3


# ------------------------------------------------------------------------------------------------ two people at once


def test_a_stale_writer_is_told_who_was_faster_and_overwrites_nothing(store: Store, url: URL) -> None:
    (note,) = filled(store)
    other = open_store(url)
    seen_by_a, seen_by_b = repo.open_note(store, note).reading.ticket, repo.open_note(other, note).reading.ticket
    repo.decide(store, seen_by_a, who="A", code="M17.11", verdict="accept")
    with pytest.raises(ConflictError, match="A changed this note after you opened it"):
        repo.decide(other, seen_by_b, who="B", code="M17.11", verdict="reject", reason="negated")
    fresh = repo.open_note(other, note).reading
    assert fresh.codes == ("M17.11",) and len(repo.decisions(store)) == 1
    repo.decide(other, fresh.ticket, who="B", code="M17.11", verdict="reject", reason="negated")
    assert [(d.who, d.what) for d in repo.decisions(store)] == [("A", "accept"), ("B", "reject")]
    other.close()


def test_twenty_writers_at_once_lose_no_write(store: Store, url: URL) -> None:
    shared, *own = filled(store, *(f"n{number}" for number in range(21)))
    gate = threading.Barrier(20)

    def work(number: int) -> int:
        mine = open_store(url)
        who, refused = f"coder {number}", 0
        gate.wait()
        signed(mine, own[number], who)
        while True:  # all on one note: whoever comes too late looks again
            ticket = repo.open_note(mine, shared).reading.ticket
            try:
                repo.decide(mine, ticket, who=who, code="M17.11", verdict="accept")
                break
            except ConflictError:
                refused += 1
        mine.close()
        return refused

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(work, range(20)))
    trail = repo.decisions(store)
    assert sorted(d.who for d in trail if d.note == "n0") == sorted(f"coder {number}" for number in range(20))
    assert repo.open_note(store, shared).reading.ticket.version == 20
    assert sum(d.what == "sign-off" for d in trail) == 20 and len(trail) == 20 + 20 * 3


WRITER = """
import sys
from ui.store import repository as repo
from ui.store.engine import open_store
store = open_store()
ticket = repo.open_note(store, int(sys.argv[1])).reading.ticket
while True:
    ticket = repo.decide(store, ticket, who="A", code="M17.11", verdict="accept")
    sys.stdout.write(f"{ticket.version}\\n")
    sys.stdout.flush()
"""


def test_killing_a_writer_loses_no_committed_decision(store: Store) -> None:
    (note,) = filled(store)
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(note)], cwd=ROOT, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert process.stdout is not None
    told = [int(process.stdout.readline()) for _ in range(25)]
    process.send_signal(signal.SIGKILL)
    rest = process.stdout.read().splitlines()
    assert process.wait(timeout=10) == -signal.SIGKILL
    committed = max([*told, *(int(line) for line in rest)])
    rows = repo.decisions(store)
    ticket = repo.open_note(store, note).reading.ticket
    assert len(rows) == ticket.version and committed <= ticket.version <= committed + 1
    assert repo.decide(store, ticket, who="A", code="M17.11", verdict="accept").version == ticket.version + 1


# ------------------------------------------------------------------------------------------------ second coder


def test_two_coders_agreement_and_adjudication(store: Store) -> None:
    same, differ, single = filled(store, "same", "differ", "single")
    assert repo.queue(store, turn="second", who="B") == []
    for note in (same, differ, single):
        signed(store, note)
    assert [item.name for item in repo.queue(store, turn="second", who="B")] == ["same", "differ", "single"]
    assert repo.queue(store, turn="second", who="a") == [], "nobody is one's own second coder"
    ticket = repo.open_note(store, same, "second").reading.ticket
    with pytest.raises(InputError, match="two people"):
        repo.decide(store, ticket, who="a", code="M17.11", verdict="accept")
    assert repo.open_note(store, same, "second").reading.codes == (), "the second reading starts blind"
    signed(store, same, "B", "second")
    signed(store, differ, "B", "second", rejected="M62.81")
    measured = repo.agreement_of(store)
    assert measured is not None and (measured.notes, measured.exact_notes) == (2, 0.5)
    assert measured.f1 == pytest.approx(2 * 3 / 7)
    assert [item.name for item in repo.queue(store, turn="final")] == ["differ"]
    assert [item.name for item in repo.queue(store, show="conflicts") if item.disputed] == ["differ"]
    assert [item.note.id for item in repo.finals(store)] == ["same", "single"]
    first, second, final = repo.both_readings(store, differ)
    assert (first.reading.codes, second.reading.codes) == (("M17.11", "M62.81"), ("M17.11",))
    unfinished = repo.open_note(store, single, "final").reading.ticket
    with pytest.raises(InputError, match="both readings"):
        repo.adjudicate(store, unfinished, who="C", codes=["M17.11"], reason="r")
    done = repo.adjudicate(store, final.reading.ticket, who="C", codes=["M17.11"], reason="strength was 5/5")
    with pytest.raises(ConflictError, match="C changed"):
        repo.adjudicate(store, final.reading.ticket, who="D", codes=["M62.81"], reason="r")
    assert [(d.what, d.code) for d in repo.decisions(store) if d.turn == "final"] == [
        ("accept", "M17.11"), ("reject", "M62.81"), ("adjudicate", ""),
    ]  # fmt: skip
    assert {item.note.id: item.codes for item in repo.finals(store)}["differ"] == ("M17.11",)
    with pytest.raises(InputError, match="reopen the adjudication first"):
        repo.reopen(store, first.reading.ticket, who="A", reason="r")
    repo.reopen(store, done, who="C", reason="asked the therapist")
    assert repo.statistics(store).disputed == 1


def test_statistics_count_the_last_verdict(store: Store) -> None:
    one, two = filled(store, "n1", "n2")
    signed(store, one, rejected="M62.81")
    ticket = repo.open_note(store, two).reading.ticket
    ticket = repo.decide(store, ticket, who="A", code="M17.11", verdict="accept")
    repo.decide(store, ticket, who="A", code="M17.11", verdict="reject", reason="wrong side")
    found = repo.statistics(store)
    assert (found.notes, found.signed, found.second_signed, found.disputed, found.adjudicated) == (2, 1, 0, 0, 0)
    assert sorted((d.what, d.code, d.reason) for d in found.verdicts) == [
        ("accept", "M17.11", ""), ("reject", "M17.11", "wrong side"), ("reject", "M62.81", "negated"),
    ]  # fmt: skip
    assert repo.statistics(store, batch=999).notes == 0 and repo.agreement_of(store) is None


# ------------------------------------------------------------------------------------------------ files in and out


def test_exports_of_decisions_and_codes(store: Store) -> None:
    (note,) = filled(store, "=n1")
    signed(store, note, "@A", rejected="M62.81")
    trail = repo.decisions(store)
    rows = [json.loads(line) for line in export.decisions_jsonl(trail).splitlines()]
    assert [row["what"] for row in rows] == ["accept", "reject", "sign-off"]
    assert datetime.fromisoformat(rows[0]["at"]) == trail[0].at and TEXT[:9] not in export.decisions_jsonl(trail)
    table = list(csv.DictReader(io.StringIO(export.decisions_csv(trail))))
    assert [row["code"] for row in table] == ["M17.11", "M62.81", ""]
    assert table[0]["note"] == "'=n1" and table[0]["who"] == "'@A", "a spreadsheet must not run a cell"
    assert list(csv.reader(io.StringIO(export.codes_csv(repo.finals(store)))))[1:] == [
        ["visit", "'=n1", "2026-04-15", "FY2026-April", "1", "M17.11"]
    ]


def test_training_export_is_read_as_gold_notes(store: Store, tmp_path: Path) -> None:
    one, _ = filled(store, "n1", "unsigned")
    ticket = repo.open_note(store, one).reading.ticket
    ticket = repo.decide(store, ticket, who="A", code="M17.11", verdict="accept")
    ticket = repo.replace(store, ticket, who="A", code="M62.81", replacement="R53.81", reason="own words")
    ticket = repo.decide(store, ticket, who="A", code="R26.2", verdict="reject", reason="negated")
    repo.sign_off(store, ticket, who="A")
    path = tmp_path / "train.jsonl"
    path.write_text(export.training_jsonl(repo.finals(store)), encoding="utf-8")
    (gold,) = load_dev(path).notes
    assert gold.text == TEXT and gold.date_of_service == date(2026, 4, 15) and gold.primary == ("M17.11",)
    assert gold.best_codes == ["M17.11", "R53.81"] and gold.required[1].why == "own words"
    assert gold.required[0].evidence == TEXT[:9] and gold.required[0].role == "symptom"
    assert {(f.code, f.reason) for f in gold.forbidden} == {("M62.81", "not documented"), ("R26.2", "negated")}


class FakeCoder:
    """Gives every note the same suggestions; one note cannot be coded."""

    ranker = SimpleNamespace(version="0123456789ab")

    def suggest(self, note: Note) -> Coding:
        """Suggest for one note."""
        if "refuse" in note.text:
            raise InputError("the note is refused")
        if "crash" in note.text:
            raise IndexError(note.text)
        return pair(note.id)[1]


def docx() -> bytes:
    import docx as word

    document = word.Document()
    document.add_paragraph("R knee OA.")
    document.add_table(rows=1, cols=2).rows[0].cells[0].text = "gait slow"
    data = io.BytesIO()
    document.save(data)
    return data.getvalue()


def test_notes_come_from_every_kind_of_file() -> None:
    parquet = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist([{"id": "p1", "text": "hip pain"}]), parquet)
    files = [
        ("rows.jsonl", b'{"id": "j1", "text": "a"}\n{"id": "j2"}\nno json\n{"id": "j1", "text": "b"}\n'),
        ("rows.csv", b"id,text,date_of_service\nc1,knee,2026-03-14\nc2,knee,soon\n"),
        ("t1.txt", b"back pain"),
        ("t2.txt", b"\xff\xfeU"),
        ("folder/visit.docx", docx()),
        ("rows.parquet", parquet.getvalue()),
        ("other\\t1.txt", b"hip pain"),
    ]
    found = list(importer.read_notes(files))
    notes = {note.id: note for note in found if isinstance(note, Note)}
    assert list(notes) == ["j1", "c1", "t1", "visit", "p1"]
    assert notes["visit"].text == "R knee OA.\ngait slow\t" and notes["c1"].date_of_service == date(2026, 3, 14)
    faults = [item for item in found if isinstance(item, tuple)]
    assert [name for name, _ in faults] == ["j2", "row-3", "j1", "c2", "t2", "t1"]
    for name, data, told in (
        ("x.exe", b"", "give a .jsonl"),
        ("a\n b.csv", b"id\n", "^a b.csv has no column"),
        ("x.csv", b"id\n", "no column named text"),
        ("x.parquet", b"PAR1", "not a Parquet file"),
    ):
        with pytest.raises(InputError, match=told):
            list(importer.read_notes([(name, data)]))


def test_word_documents_that_are_none_or_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="not a Word document"):
        importer.docx_text(b"PK\3\4 broken", "x.docx")
    monkeypatch.setattr(importer, "MAX_UNPACKED", 10_000)
    with pytest.raises(InputError, match="when unpacked"):
        importer.docx_text(docx(), "x.docx")


def test_uploads_are_coded_and_stored_without_a_temporary_file(
    store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))  # a temporary file would be an error
    steps: list[int] = []
    files = [
        ("../a.txt", b"knee"),
        ("b.txt", b"refuse"),
        ("c.txt", b""),
        ("e.txt", b"crash"),
        ("d.jsonl", b'{"id": "d1", "text": "hip"}'),
    ]
    done = importer.import_uploads(store, files, FakeCoder(), name="up", who="A", progress=steps.append)  # type: ignore[arg-type]
    assert done.notes == 2 and dict(done.faults) == {
        "b": "the note is refused", "c": "c.txt is empty",
        "e": "unforeseen IndexError while coding; THERACODE_LOG_LEVEL=debug shows where",
    }  # fmt: skip
    assert [item.name for item in repo.queue(store)] == ["a", "d1"] and steps == [1, 2, 4, 5]
    with pytest.raises(TheracodeError, match=r"no note could be used; the first fault: c: c\.txt is empty"):
        importer.import_uploads(store, [("c.txt", b"")], FakeCoder(), name="up", who="A")  # type: ignore[arg-type]


def test_the_address_keeps_its_password_for_the_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THERACODE_DATABASE_URL", "postgres://coder:hush@db/review")
    assert database_url() == make_url("postgresql+psycopg://coder:hush@db/review")
