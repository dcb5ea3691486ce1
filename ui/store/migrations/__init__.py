"""Brings a review store to the newest form of its tables, from inside the program and without a configuration file."""

from __future__ import annotations

from pathlib import Path

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.script.revision import RevisionError
from sqlalchemy import Connection, text

from ui.store.errors import StoreError

LOCK = 8_410_127  # any number that no other program on the same PostgreSQL database takes
FOLDER = Path(__file__).parent


def is_current(connection: Connection) -> bool:
    """Whether the tables have the newest form."""
    return MigrationContext.configure(connection).get_current_revision() == ScriptDirectory(FOLDER).get_current_head()


def upgrade(connection: Connection) -> None:
    """Apply the migrations that are missing, in the transaction of ``connection``; one program at a time.

    Raises
    ------
    StoreError
        If a newer version of theracode wrote the store.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
    context = MigrationContext.configure(connection)
    script = ScriptDirectory(FOLDER)
    try:
        pending = list(script.iterate_revisions("head", context.get_current_revision() or "base"))
    except RevisionError:
        raise StoreError("the review store was written by a newer version of theracode; update theracode") from None
    with Operations.context(context):
        for revision in reversed(pending):
            revision.module.upgrade()
    context.stamp(script, "head")
