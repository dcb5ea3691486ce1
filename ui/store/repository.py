"""Everything a coder does with the review store, one function and one transaction each.

A note is read up to three times, each *turn* with its own list of codes: by a first coder, by a second coder who does not
see the first, and, where the two differ, by an adjudicator. Whoever writes names the version that was on the screen
(:class:`Ticket`); if another person wrote in between, nothing is written and :class:`ConflictError` says who it was.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal, NamedTuple

from sqlalchemy import Select, case, func, select
from sqlalchemy.orm import Session

from corpora.agreement import Agreement, agreement
from corpora.schema import normal_code
from lexicon.codes.registry import load_edition
from lexicon.errors import CodeError, InputError
from models.coding import Coding, Note, Suggestion
from models.rules.excludes import Conflict, conflicts
from ui.store.engine import Store
from ui.store.errors import ConflictError
from ui.store.models import TURNS, BatchRow, CodingRow, DecisionRow, NoteRow, ReviewRow, Turn, What
from ui.view import ordered

LOW = 0.6  # below this a recommended code is no more than an even chance (words of ui.view)
Show = Literal["all", "unreviewed", "low", "conflicts"]
Verdict = Literal["accept", "reject"]
VERDICTS: tuple[What, ...] = ("accept", "reject", "replace", "override", "add")


# ------------------------------------------------------------------------------------------------ what is handed out


@dataclass(frozen=True, slots=True)
class Ticket:
    """The version of one reading of a note that a person has seen; a write must bring it."""

    note: int
    turn: Turn
    version: int


@dataclass(frozen=True, slots=True)
class Decision:
    """A row of the audit trail, with the batch, the note and the turn it belongs to."""

    batch: str
    note: str
    turn: Turn
    at: datetime
    who: str
    what: What
    code: str
    replacement: str
    reason: str
    edition: str
    model: str
    rule: str
    probability: float | None


@dataclass(frozen=True, slots=True)
class Reading:
    """One turn of a note as it stands: its decisions in their order and the codes that follow from them."""

    ticket: Ticket
    signed: bool
    coder: str
    decisions: tuple[Decision, ...]
    verdicts: Mapping[str, Decision]
    codes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OpenNote:
    """A note with its coding and one reading of it."""

    id: int
    name: str
    batch: str
    note: Note
    coding: Coding
    reading: Reading

    @property
    def undecided(self) -> list[str]:
        """Recommended codes that nobody has decided about in this reading."""
        return [code for code in self.coding.sequence if code not in self.reading.verdicts]


@dataclass(frozen=True, slots=True)
class QueueItem:
    """A note in the queue. ``state`` is that of the turn asked for; ``disputed``: two signed readings differ."""

    id: int
    name: str
    batch: str
    state: Literal["new", "begun", "signed"]
    coder: str
    lowest: float
    blocked: int
    disputed: bool


@dataclass(frozen=True, slots=True)
class Batch:
    """Notes that were imported together, with how many of them a first coder has signed off."""

    id: int
    name: str
    notes: int
    signed: int


@dataclass(frozen=True, slots=True)
class Final:
    """A note with the codes that hold: those of the adjudicator, or of the only coder, or of two who agree."""

    id: int
    note: Note
    batch: str
    coding: Coding
    codes: tuple[str, ...]
    verdicts: tuple[Decision, ...]


@dataclass(frozen=True, slots=True)
class Statistics:
    """How far the work is, and the last verdict about every code of every reading."""

    notes: int
    signed: int
    second_signed: int
    disputed: int
    adjudicated: int
    verdicts: tuple[Decision, ...] = field(default=())


# ------------------------------------------------------------------------------------------------ small pieces


def _text(value: str, what: str, *, needed: bool = True) -> str:
    """A text that a person typed, on one line; a database cannot store NUL."""
    value = " ".join(value.replace("\0", " ").split())
    if needed and not value:
        raise InputError(f"{what} is missing")
    return value


def _reading(ticket: Ticket, review: ReviewRow, decisions: Sequence[Decision], sequence: Sequence[str]) -> Reading:
    """Replay decisions: the last one about a code holds, a withdrawn one never was."""
    verdicts: dict[str, Decision] = {}
    for decision in decisions:
        if decision.what in (*VERDICTS, "withdraw"):
            verdicts.pop(decision.code, None)
        if decision.what in VERDICTS:
            verdicts[decision.code] = decision
    kept = ordered([code for code, decision in verdicts.items() if decision.what != "reject"], sequence)
    codes = dict.fromkeys(verdicts[code].replacement or code for code in kept)
    return Reading(ticket, review.signed, review.coder, tuple(decisions), verdicts, tuple(codes))


def _decision_rows() -> Select[DecisionRow, Turn, int, str, str]:
    return (
        select(DecisionRow, ReviewRow.turn, NoteRow.id, NoteRow.name, BatchRow.name)
        .join(ReviewRow, ReviewRow.id == DecisionRow.review_id)
        .join(NoteRow, NoteRow.id == ReviewRow.note_id)
        .join(BatchRow, BatchRow.id == NoteRow.batch_id)
        .order_by(DecisionRow.id)
    )


def _decisions(session: Session, query: Select[DecisionRow, Turn, int, str, str]) -> Iterator[tuple[int, Decision]]:
    """Decisions with the number of their note, oldest first."""
    for row, turn, note, name, batch in session.execute(query):
        yield (
            note,
            Decision(
                batch, name, turn, row.at, row.who, row.what, row.code, row.replacement, row.reason, row.edition,
                row.model, row.rule, row.probability,
            ),
        )  # fmt: skip


def _open(session: Session, note_id: int, turn: Turn) -> OpenNote:
    found = session.execute(
        select(NoteRow, CodingRow, ReviewRow, BatchRow.name)
        .join(CodingRow, CodingRow.note_id == NoteRow.id)
        .join(ReviewRow, ReviewRow.note_id == NoteRow.id)
        .join(BatchRow, BatchRow.id == NoteRow.batch_id)
        .where(NoteRow.id == note_id, ReviewRow.turn == turn)
    ).one_or_none()
    if found is None:
        raise InputError(f"there is no note {note_id} in the store")
    row, stored, review, batch = found
    coding = Coding.model_validate(stored.coding)
    decisions = [decision for _, decision in _decisions(session, _decision_rows().where(ReviewRow.id == review.id))]
    reading = _reading(Ticket(note_id, turn, review.version), review, decisions, coding.sequence)
    return OpenNote(note_id, row.name, batch, Note.model_validate(row.note), coding, reading)


# ------------------------------------------------------------------------------------------------ import, queue


def import_notes(store: Store, coded: Iterable[tuple[Note, Coding]], *, name: str, who: str, model: str) -> int:
    """Store notes with their codings as one batch, all or none.

    Parameters
    ----------
    coded : iterable of (Note, Coding)
        Ids must differ.
    name : str
        Name of the batch.
    who : str
        Who imports.
    model : str
        Version of the model that gave the codings.

    Returns
    -------
    int
        Number of the batch.

    Raises
    ------
    InputError
        If there is no note, two notes have one id, or the same notes with the same codings are in the store already.
    """
    pairs = list(coded)
    names = [note.id for note, _ in pairs]
    if not pairs:
        raise InputError("there is no note to import")
    if len(set(names)) < len(names):
        raise InputError("two notes have the same id; ids must differ within an import")
    lines = sorted(f"{model}\n{note.model_dump_json()}\n{coding.model_dump_json()}" for note, coding in pairs)
    digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    with store.write() as session:
        if session.get_bind().dialect.name == "postgresql":
            session.execute(select(func.pg_advisory_xact_lock(int(digest[:15], 16))))
        known = session.scalar(select(BatchRow.name).where(BatchRow.digest == digest))
        if known is not None:
            raise InputError(f"these notes are in the store already, as batch {known!r}")
        batch = BatchRow(name=_text(name, "the name"), digest=digest, at=datetime.now(UTC), who=_text(who, "your name"))
        session.add(batch)
        session.flush()
        rows = [NoteRow(batch_id=batch.id, name=note.id, note=note.model_dump(mode="json")) for note, _ in pairs]
        session.add_all(rows)
        session.flush()
        for row, (_, coding) in zip(rows, pairs, strict=True):
            session.add(
                CodingRow(
                    note_id=row.id,
                    edition=coding.edition,
                    model=model,
                    lowest=min((item.probability for item in coding.recommended), default=0.0),
                    blocked=sum(bool(item.rule and item.rule.id == "excludes1") for item in coding.suggestions),
                    coding=coding.model_dump(mode="json"),
                )
            )
            session.add_all(ReviewRow(note_id=row.id, turn=turn) for turn in TURNS)
        return batch.id


def batches(store: Store) -> list[Batch]:
    """All batches, newest first."""
    with store.read() as session:
        rows = session.execute(
            select(BatchRow.id, BatchRow.name, func.count(), func.sum(case((ReviewRow.signed, 1), else_=0)))
            .join(NoteRow, NoteRow.batch_id == BatchRow.id)
            .join(ReviewRow, ReviewRow.note_id == NoteRow.id)
            .where(ReviewRow.turn == "first")
            .group_by(BatchRow.id, BatchRow.name)
            .order_by(BatchRow.id.desc())
        )
        return [Batch(*row) for row in rows]


class _Standing(NamedTuple):
    """Where one turn of a note stands, without its decisions."""

    note: int
    turn: Turn
    version: int
    signed: bool
    coder: str
    codes: list[str]


def _readings(session: Session, batch: int | None) -> dict[int, dict[Turn, _Standing]]:
    """The three readings of every note, by note in the order of import."""
    row = ReviewRow
    query = select(row.note_id, row.turn, row.version, row.signed, row.coder, row.codes).order_by(row.note_id)
    if batch is not None:
        query = query.join(NoteRow, NoteRow.id == row.note_id).where(NoteRow.batch_id == batch)
    found: dict[int, dict[Turn, _Standing]] = {}
    for values in session.execute(query):
        standing = _Standing(*values)
        found.setdefault(standing.note, {})[standing.turn] = standing
    return found


def _disputed(turns: Mapping[Turn, _Standing]) -> bool:
    first, second, final = (turns[turn] for turn in TURNS)
    return first.signed and second.signed and not final.signed and set(first.codes) != set(second.codes)


_SHOWN: dict[Show, Callable[[QueueItem], bool]] = {
    "all": lambda item: True,
    "unreviewed": lambda item: item.state != "signed",
    "low": lambda item: item.lowest < LOW,
    "conflicts": lambda item: item.blocked > 0 or item.disputed,
}


def shown(items: Iterable[QueueItem], show: Show) -> list[QueueItem]:
    """The part of a queue that a filter leaves.

    Parameters
    ----------
    show : str
        ``unreviewed`` (not signed off), ``low`` (a recommended code below ``LOW``, or none), ``conflicts`` (an
        Excludes1 note blocks a code, or two coders disagree), or ``all``.
    """
    return [item for item in items if _SHOWN[show](item)]


def queue(store: Store, *, turn: Turn = "first", who: str = "", batch: int | None = None, show: Show = "all") -> list[QueueItem]:
    """The notes to be read, in the order of import.

    Parameters
    ----------
    turn : str
        ``second`` lists what another person has signed off; ``final`` lists what two coders disagree about.
    who : str
        The person who asks.
    batch : int, optional
        Only this batch.
    show : str
        A filter of :func:`shown`.
    """
    query = (
        select(NoteRow.id, NoteRow.name, BatchRow.name, CodingRow.lowest, CodingRow.blocked)
        .join(BatchRow, BatchRow.id == NoteRow.batch_id)
        .join(CodingRow, CodingRow.note_id == NoteRow.id)
        .order_by(NoteRow.id)
    )
    if batch is not None:
        query = query.where(NoteRow.batch_id == batch)
    items = []
    with store.read() as session:
        readings = _readings(session, batch)
        for note_id, name, batch_name, lowest, blocked in session.execute(query):
            turns = readings.get(note_id)
            if turns is None:  # imported after the readings were read
                continue
            first, mine, disputed = turns["first"], turns[turn], _disputed(turns)
            if turn == "second" and not (first.signed and first.coder.casefold() != who.casefold()):
                continue
            if turn == "final" and not (disputed or mine.signed):
                continue
            state: Literal["new", "begun", "signed"] = "signed" if mine.signed else "begun" if mine.version else "new"
            items.append(QueueItem(note_id, name, batch_name, state, mine.coder, lowest, blocked, disputed))
    return shown(items, show)


def next_note(items: Sequence[QueueItem], after: int | None = None) -> int | None:
    """The next note of a queue that is not signed off, after the one given and then from the start; None if all are."""
    waiting = [item.id for item in items if item.state != "signed"]
    others = [note for note in waiting if note != after]
    return next((note for note in others if after is None or note > after), next(iter(others or waiting), None))


def open_note(store: Store, note_id: int, turn: Turn = "first") -> OpenNote:
    """A note as it stands in one turn.

    Raises
    ------
    InputError
        If there is no such note.
    """
    with store.read() as session:
        return _open(session, note_id, turn)


# ------------------------------------------------------------------------------------------------ writing


@dataclass(slots=True)
class _Work:
    """One reading inside a transaction that holds the lock of its note."""

    session: Session
    rows: dict[Turn, ReviewRow]
    review: ReviewRow
    opened: OpenNote
    who: str

    def record(self, what: What, *, code: str = "", replacement: str = "", reason: str = "", rule: str = "") -> None:
        """Append a row to the audit trail; ``rule`` is that of the suggestion unless another one is named."""
        stored = self.session.scalars(select(CodingRow).where(CodingRow.note_id == self.opened.id)).one()
        item = self.suggested(code)
        self.session.add(
            DecisionRow(
                review_id=self.review.id, coding_id=stored.id, at=datetime.now(UTC), who=self.who, what=what, code=code,
                replacement=replacement, reason=reason, edition=stored.edition, model=stored.model,
                rule=rule or (item.rule.id if item and item.rule else ""), probability=item.probability if item else None,
            )
        )  # fmt: skip

    def suggested(self, code: str) -> Suggestion | None:
        """The suggestion of a code, if it is one."""
        return next((item for item in self.opened.coding.suggestions if item.code == code), None)

    def billable(self, code: str) -> str:
        """A code that a person typed, as it is written; it must be billable in the edition of the note."""
        code = normal_code(_text(code, "the code"))
        if not load_edition(self.opened.coding.edition).is_billable(code):
            raise CodeError(f"{code[:12]} is not a billable code in {self.opened.coding.edition}")
        return code


@contextmanager
def _working(store: Store, ticket: Ticket, who: str, *, signed: bool = False) -> Iterator[_Work]:
    """Lock a note, compare versions, hand the reading out, and raise its version."""
    who = _text(who, "your name")
    with store.write() as session:
        query = select(ReviewRow).where(ReviewRow.note_id == ticket.note).order_by(ReviewRow.id).with_for_update()
        rows = {row.turn: row for row in session.scalars(query)}
        if ticket.turn not in rows:
            raise InputError(f"there is no note {ticket.note} in the store")
        review = rows[ticket.turn]
        if review.version != ticket.version:
            raise ConflictError(
                f"{review.coder or 'another person'} changed this note after you opened it; nothing of yours was written. "
                "Look at it as it is now and decide again"
            )
        if review.signed and not signed:
            raise InputError("this note is signed off; reopen it first, with the reason")
        opened = _open(session, ticket.note, ticket.turn)
        if ticket.turn != "final":
            other = rows["second" if ticket.turn == "first" else "first"]
            authors = session.scalars(select(DecisionRow.who).where(DecisionRow.review_id == other.id).distinct())
            if who.casefold() in {author.casefold() for author in authors}:
                raise InputError(f"{who} has read this note in the {other.turn} turn; the two readings need two people")
        yield _Work(session, rows, review, opened, who)
        review.version += 1
        review.coder = who
        session.flush()


def _after(ticket: Ticket) -> Ticket:
    return Ticket(ticket.note, ticket.turn, ticket.version + 1)


def decide(store: Store, ticket: Ticket, *, who: str, code: str, verdict: Verdict, reason: str = "") -> Ticket:
    """Accept or reject a suggested code.

    Returns
    -------
    Ticket
        For the next write.

    Raises
    ------
    ConflictError
        If another person wrote in between.
    InputError
        If the code was not suggested, a rule blocks what is accepted, a rejection has no reason, or the note is signed.
    """
    reason = _text(reason, "the reason of a rejection", needed=verdict == "reject")
    with _working(store, ticket, who) as work:
        item = work.suggested(code)
        if item is None:
            raise InputError(f"{code[:12]} is not among the suggestions")
        if verdict == "accept" and item.status == "blocked":
            raise InputError(f"{code} is blocked by a rule; override it with the reason")
        work.record(verdict, code=code, reason=reason)
    return _after(ticket)


def replace(store: Store, ticket: Ticket, *, who: str, code: str, replacement: str, reason: str) -> Ticket:
    """Report another code instead of a suggested one. Errors as of :func:`decide`, or CodeError for an unknown code."""
    reason = _text(reason, "the reason of a replacement")
    with _working(store, ticket, who) as work:
        if work.suggested(code) is None:
            raise InputError(f"{code[:12]} is not among the suggestions")
        other = work.billable(replacement)
        if other == code:
            raise InputError(f"{code} cannot replace itself")
        work.record("replace", code=code, replacement=other, reason=reason)
    return _after(ticket)


def override(store: Store, ticket: Ticket, *, who: str, code: str, reason: str) -> Ticket:
    """Report a code although a rule blocks it, or although it conflicts with another (guideline I.A.12.a), with the reason."""
    reason = _text(reason, "the reason of an override")
    with _working(store, ticket, who) as work:
        item = work.suggested(code)
        if code not in work.opened.reading.codes and (item is None or item.status != "blocked"):
            raise InputError(f"no rule blocks {code[:12]}")
        excluded = any(code in (pair.code, pair.other) for pair in open_conflicts(work.opened))
        work.record("override", code=code, reason=reason, rule="excludes1" if excluded else "")
    return _after(ticket)


def add(store: Store, ticket: Ticket, *, who: str, code: str, reason: str = "") -> Ticket:
    """Report a code that was not suggested. Errors as of :func:`decide`, or CodeError for an unknown code."""
    with _working(store, ticket, who) as work:
        code = work.billable(code)
        if work.suggested(code) is not None:
            raise InputError(f"{code} is among the suggestions; decide about it there")
        work.record("add", code=code, reason=_text(reason, "the reason", needed=False))
    return _after(ticket)


def withdraw(store: Store, ticket: Ticket, *, who: str, code: str) -> Ticket:
    """Take back the decision about a code; the audit trail keeps both."""
    with _working(store, ticket, who) as work:
        if code not in work.opened.reading.verdicts:
            raise InputError(f"there is no decision about {code[:12]}")
        work.record("withdraw", code=code)
    return _after(ticket)


def open_conflicts(opened: OpenNote) -> list[Conflict]:
    """Pairs among the codes of a reading that may not stand together and that nobody has overridden."""
    codes = list(opened.reading.codes)
    overridden = [code for code, decision in opened.reading.verdicts.items() if decision.what == "override"]
    unrelated = {frozenset((code, other)) for code in overridden for other in codes}
    return conflicts(load_edition(opened.coding.edition), codes, unrelated=unrelated)


def conflict_line(found: Conflict) -> str:
    """A pair that may not stand together, as a sentence."""
    return f"{found.code} and {found.other} may not be reported together (Excludes1 at {found.note.stands_at})"


def sign_off(store: Store, ticket: Ticket, *, who: str) -> Ticket:
    """Close a reading: its codes are from now on what this coder reports.

    Raises
    ------
    ConflictError
        If another person wrote in between.
    InputError
        If a recommended code is undecided, or two codes exclude each other without an override.
    """
    with _working(store, ticket, who) as work:
        if work.opened.undecided:
            raise InputError(f"recommended codes are undecided: {', '.join(work.opened.undecided)}")
        faults = open_conflicts(work.opened)
        if faults:
            raise InputError(f"{conflict_line(faults[0])}; reject one of them or override with the reason")
        work.record("sign-off")
        work.review.signed = True
        work.review.codes = list(work.opened.reading.codes)
    return _after(ticket)


def reopen(store: Store, ticket: Ticket, *, who: str, reason: str) -> Ticket:
    """Take back a sign-off, with the reason; not after adjudication, unless it is the adjudication itself."""
    reason = _text(reason, "the reason")
    with _working(store, ticket, who, signed=True) as work:
        if not work.review.signed:
            raise InputError("this note is not signed off")
        if ticket.turn != "final" and work.rows["final"].signed:
            raise InputError("this note was adjudicated; reopen the adjudication first")
        work.record("reopen", reason=reason)
        work.review.signed = False
        work.review.codes = []
    return _after(ticket)


# ------------------------------------------------------------------------------------------------ two coders


def both_readings(store: Store, note_id: int) -> tuple[OpenNote, OpenNote, OpenNote]:
    """The first, the second and the final reading of a note, for the adjudicator."""
    with store.read() as session:
        first, second, final = (_open(session, note_id, turn) for turn in TURNS)
    return first, second, final


def agreement_of(store: Store, *, batch: int | None = None) -> Agreement | None:
    """Agreement of first and second coders over the notes that both signed; None if there is none."""
    with store.read() as session:
        double = {
            str(note): turns
            for note, turns in _readings(session, batch).items()
            if turns["first"].signed and turns["second"].signed
        }
        if not double:
            return None
        first, second = ({note: turns[turn].codes for note, turns in double.items()} for turn in TURNS[:2])
        return agreement(first, second)


def adjudicate(store: Store, ticket: Ticket, *, who: str, codes: Sequence[str], reason: str) -> Ticket:
    """Settle a note that two coders coded differently: ``codes`` hold, all other codes of the two are rejected.

    Parameters
    ----------
    ticket : Ticket
        Of the turn ``final``.
    codes : sequence of str
        In the order to report; each must be billable.
    reason : str
        Why, for the audit trail.

    Raises
    ------
    ConflictError
        If another person wrote in between.
    InputError
        If there is no reason, or not both readings are signed off.
    """
    if ticket.turn != "final":
        raise InputError("only the final turn of a note can be adjudicated")
    reason = _text(reason, "the reason of the adjudication")
    with _working(store, ticket, who) as work:
        readings = [work.rows["first"], work.rows["second"]]
        if not all(reading.signed for reading in readings):
            raise InputError("both readings must be signed off before adjudication")
        chosen = list(dict.fromkeys(work.billable(code) for code in codes))
        for code in dict.fromkeys([*chosen, *(code for reading in readings for code in reading.codes)]):
            verdict: What = "reject" if code not in chosen else "accept" if work.suggested(code) else "add"
            work.record(verdict, code=code, reason=reason)
        work.record("adjudicate", reason=reason)
        work.review.signed = True
        work.review.codes = chosen
    return _after(ticket)


# ------------------------------------------------------------------------------------------------ what comes out


def decisions(store: Store, *, batch: int | None = None) -> list[Decision]:
    """The audit trail, oldest first."""
    query = _decision_rows()
    if batch is not None:
        query = query.where(NoteRow.batch_id == batch)
    with store.read() as session:
        return [decision for _, decision in _decisions(session, query)]


def _verdicts(decided: Iterable[tuple[int, Decision]]) -> dict[tuple[int, Turn, str], Decision]:
    """The last verdict about each code of each reading."""
    found: dict[tuple[int, Turn, str], Decision] = {}
    for note, decision in decided:
        key = (note, decision.turn, decision.code)
        if decision.what == "withdraw":
            found.pop(key, None)
        elif decision.what in VERDICTS:
            found[key] = decision
    return found


def statistics(store: Store, *, batch: int | None = None) -> Statistics:
    """Progress and verdicts of a batch, or of all."""
    query = _decision_rows()
    if batch is not None:
        query = query.where(NoteRow.batch_id == batch)
    with store.read() as session:
        readings = list(_readings(session, batch).values())
        verdicts = _verdicts(_decisions(session, query))
    signed, second, final = (sum(turns[turn].signed for turns in readings) for turn in TURNS)
    return Statistics(len(readings), signed, second, sum(map(_disputed, readings)), final, tuple(verdicts.values()))


def finals(store: Store, *, batch: int | None = None) -> list[Final]:
    """Notes whose codes hold; a note that two coders coded differently is left out until it is adjudicated."""
    notes = select(NoteRow, CodingRow.coding, BatchRow.name).join(CodingRow, CodingRow.note_id == NoteRow.id)
    notes = notes.join(BatchRow, BatchRow.id == NoteRow.batch_id).order_by(NoteRow.id)
    trail = _decision_rows()
    if batch is not None:
        notes, trail = notes.where(NoteRow.batch_id == batch), trail.where(NoteRow.batch_id == batch)
    found = []
    with store.read() as session:
        verdicts: dict[tuple[int, Turn], list[Decision]] = {}
        for (note, read_in, _), decision in _verdicts(_decisions(session, trail)).items():
            verdicts.setdefault((note, read_in), []).append(decision)
        readings = _readings(session, batch)
        for row, coding, batch_name in session.execute(notes):
            turns = readings.get(row.id)
            if turns is None or _disputed(turns):
                continue
            turn: Turn = "final" if turns["final"].signed else "first"
            if not turns[turn].signed:
                continue
            found.append(
                Final(
                    row.id, Note.model_validate(row.note), batch_name, Coding.model_validate(coding),
                    tuple(turns[turn].codes), tuple(verdicts.get((row.id, turn), ())),
                )
            )  # fmt: skip
    return found
