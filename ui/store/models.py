"""Tables of the review store. Decisions are an audit trail: the database itself refuses to change or remove them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar, Literal

from sqlalchemy import JSON, DateTime, Dialect, Double, ForeignKey, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

Turn = Literal["first", "second", "final"]
What = Literal["accept", "reject", "replace", "override", "add", "withdraw", "sign-off", "reopen", "adjudicate"]
TURNS: tuple[Turn, ...] = ("first", "second", "final")


class UtcTime(TypeDecorator[datetime]):
    """A moment in UTC, with its time zone in every database."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Store in UTC."""
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Read as UTC; SQLite gives no time zone back."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """Base of all tables."""

    type_annotation_map: ClassVar[dict[Any, Any]] = {
        str: Text, float: Double, datetime: UtcTime, dict[str, Any]: JSON, list[str]: JSON, Turn: Text, What: Text,
    }  # fmt: skip


class BatchRow(Base):
    """Notes that were imported together. ``digest`` keeps the same notes from being imported twice."""

    __tablename__ = "batches"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    digest: Mapped[str] = mapped_column(unique=True)
    at: Mapped[datetime]
    who: Mapped[str]


class NoteRow(Base):
    """A note as it was imported; ``name`` is its id in the caller's system."""

    __tablename__ = "notes"
    __table_args__ = (UniqueConstraint("batch_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    batch_id: Mapped[int] = mapped_column(ForeignKey("batches.id"), index=True)
    name: Mapped[str]
    note: Mapped[dict[str, Any]]


class CodingRow(Base):
    """What was suggested for a note, whole, with the edition and the model version that gave it.

    ``lowest`` is the lowest probability among the recommended codes (0 if there is none), ``blocked`` the number of codes
    that an Excludes1 note blocks.
    """

    __tablename__ = "codings"

    id: Mapped[int] = mapped_column(primary_key=True)
    note_id: Mapped[int] = mapped_column(ForeignKey("notes.id"), unique=True)
    edition: Mapped[str]
    model: Mapped[str]
    lowest: Mapped[float]
    blocked: Mapped[int]
    coding: Mapped[dict[str, Any]]


class ReviewRow(Base):
    """Where one reading of a note stands. ``version`` rises with every write: a writer must name the one it has seen."""

    __tablename__ = "reviews"
    __table_args__ = (UniqueConstraint("note_id", "turn"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    note_id: Mapped[int] = mapped_column(ForeignKey("notes.id"), index=True)
    turn: Mapped[Turn]
    version: Mapped[int] = mapped_column(default=0)
    signed: Mapped[bool] = mapped_column(default=False)
    coder: Mapped[str] = mapped_column(default="")
    codes: Mapped[list[str]] = mapped_column(default=list)


class DecisionRow(Base):
    """One act of a person on one reading of a note, with what it was based on. Written once and never changed."""

    __tablename__ = "decisions"

    id: Mapped[int] = mapped_column(primary_key=True)
    review_id: Mapped[int] = mapped_column(ForeignKey("reviews.id"), index=True)
    coding_id: Mapped[int] = mapped_column(ForeignKey("codings.id"))
    at: Mapped[datetime]
    who: Mapped[str]
    what: Mapped[What]
    code: Mapped[str]
    replacement: Mapped[str]
    reason: Mapped[str]
    edition: Mapped[str]
    model: Mapped[str]
    rule: Mapped[str]
    probability: Mapped[float | None]
