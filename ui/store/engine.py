"""Opening the review store: a SQLite file of this user by default, PostgreSQL where ``THERACODE_DATABASE_URL`` names one."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

from lexicon.codes.cache import data_folder
from ui.store.errors import StoreError
from ui.store.migrations import is_current, upgrade

BUSY_MS = 30_000  # how long a writer waits for another one
_WRITE = "theracode_write"


@dataclass(frozen=True, slots=True)
class Store:
    """A review store that is open. ``place`` says where it is, without a password."""

    engine: Engine
    place: str

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session to read with; it sees what is committed.

        Raises
        ------
        StoreError
            If the database fails.
        """
        with _told(), Session(self.engine) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A transaction: committed to the disk when the block ends, undone as a whole when it raises.

        Raises
        ------
        StoreError
            If the database fails; nothing is written then.
        """
        engine = self.engine.execution_options(**{_WRITE: True})
        with _told(), Session(engine) as session, session.begin():
            yield session

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


@contextmanager
def _told() -> Iterator[None]:
    """Errors of the database as one line; its own messages may quote what was written, so only their kind is told."""
    try:
        yield
    except DBAPIError as error:
        kind = type(error.orig or error).__name__
        raise StoreError(f"the review store cannot be used now ({kind}); nothing of this step was written") from None


def database_url() -> URL:
    """Where the store is: ``THERACODE_DATABASE_URL``, or ``review.sqlite`` in the data folder.

    Raises
    ------
    StoreError
        If the variable holds no address of a SQLite or PostgreSQL database.
    """
    given = os.environ.get("THERACODE_DATABASE_URL", "")
    if not given:
        return URL.create("sqlite", database=str(data_folder() / "review.sqlite"))
    try:
        url = make_url(given)
    except ArgumentError:
        raise StoreError("THERACODE_DATABASE_URL is not the address of a database") from None
    if url.drivername in ("postgres", "postgresql", "postgresql+psycopg"):
        return url.set(drivername="postgresql+psycopg")
    if url.drivername == "sqlite" and url.database not in (None, "", ":memory:"):
        return url
    raise StoreError("THERACODE_DATABASE_URL must begin with postgresql:// or sqlite:/// and name a database")


def _sqlite(url: URL) -> Engine:
    """An engine on a file that only its owner may read, durable after every commit."""
    path = Path(url.database or "")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)
    except OSError as error:
        raise StoreError(f"the review store {path} cannot be written ({error.strerror})") from None
    engine = create_engine(url, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
        connection.isolation_level = None  # transactions begin below, not where the driver guesses
        safe = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "temp_store=MEMORY")  # no note in a temporary file
        for pragma in (f"busy_timeout={BUSY_MS}", *safe):
            connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        write = connection.get_execution_options().get(_WRITE)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    return engine


def _postgresql(url: URL) -> Engine:
    try:
        return create_engine(url, hide_parameters=True, pool_pre_ping=True)
    except (ImportError, NoSuchModuleError):
        raise StoreError("PostgreSQL needs a driver; install it with: pip install 'theracode[postgres]'") from None


def _short(path: Path) -> str:
    """A path as people write it, from ``~`` where it is in the home folder."""
    home = Path.home()
    return str("~" / path.relative_to(home)) if path.is_relative_to(home) else str(path)


def open_store(url: URL | None = None) -> Store:
    """Open the store and bring its tables to the newest form.

    Parameters
    ----------
    url : URL, optional
        Where it is; :func:`database_url` if not given.

    Raises
    ------
    StoreError
        If it cannot be opened, or a newer version of theracode wrote it.
    """
    url = url or database_url()
    sqlite = url.get_backend_name() == "sqlite"
    engine = _sqlite(url) if sqlite else _postgresql(url)
    try:
        with engine.connect() as connection:
            current = is_current(connection)
        if not current:
            with engine.execution_options(**{_WRITE: True}).begin() as connection:
                upgrade(connection)
    except DBAPIError as error:
        engine.dispose()
        kind = type(error.orig or error).__name__
        raise StoreError(f"the review store {url.render_as_string(hide_password=True)} cannot be opened ({kind})") from None
    place = _short(Path(str(url.database))) if sqlite else f"{url.host or 'PostgreSQL'}, database {url.database}"
    return Store(engine, place)
