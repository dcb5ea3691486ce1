"""What leaves the review store: the audit trail, the codes that hold, and a training file. All are functions of their input."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields
from typing import Any, get_args

from corpora.schema import GoldForbidden, GoldGroup, GoldNote, Reason
from models.coding import Suggestion
from ui.export import _cell
from ui.store.repository import Decision, Final


def _csv(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(header)
    writer.writerows([_cell(value) if isinstance(value, str) else value for value in row] for row in rows)
    return buffer.getvalue()


def _plain(decision: Decision) -> dict[str, Any]:
    return {**asdict(decision), "at": decision.at.isoformat()}


def decisions_jsonl(trail: Iterable[Decision]) -> str:
    """The audit trail as JSON Lines. It names notes by their id and holds no note text, but reasons that people typed."""
    return "".join(json.dumps(_plain(decision)) + "\n" for decision in trail)


def decisions_csv(trail: Iterable[Decision]) -> str:
    """The audit trail as CSV."""
    return _csv([item.name for item in fields(Decision)], (list(_plain(decision).values()) for decision in trail))


def codes_csv(notes: Iterable[Final]) -> str:
    """The codes that hold, one a row, first-listed first."""
    rows = (
        [item.batch, item.note.id, item.coding.date_of_service.isoformat(), item.coding.edition, place, code]
        for item in notes
        for place, code in enumerate(item.codes, start=1)
    )
    return _csv(["batch", "note", "date_of_service", "edition", "position", "code"], rows)


def _group(code: str, origin: Suggestion | None, why: str) -> GoldGroup:
    evidence = origin.evidence[0].text if origin and origin.evidence else ""
    return GoldGroup(accept=(code,), role=origin.role if origin else "diagnosis", evidence=evidence, why=why)


def gold_note(item: Final) -> GoldNote:
    """A reviewed note as a training note: what holds is required, what was rejected or replaced is forbidden."""
    suggested = {suggestion.code: suggestion for suggestion in item.coding.suggestions}
    origins = {d.replacement or d.code: suggested.get(d.code) for d in item.verdicts if d.what != "reject"}
    reasons = {d.replacement or d.code: d.reason for d in item.verdicts if d.what != "reject"}
    known = get_args(Reason)
    forbidden = [
        GoldForbidden(
            code=decision.code,
            reason=decision.reason if decision.reason in known else "not documented",  # type: ignore[arg-type]
        )
        for decision in item.verdicts
        if decision.what in ("reject", "replace") and decision.code not in item.codes
    ]
    return GoldNote(
        id=f"{item.id}:{item.note.id}",
        source="review",
        date_of_service=item.coding.date_of_service,
        text=item.note.text,
        primary=item.codes[:1],
        required=tuple(_group(code, origins.get(code), reasons.get(code, "")) for code in item.codes),
        forbidden=tuple(forbidden),
        excludes1_reason="; ".join(d.reason for d in item.verdicts if d.what == "override"),
    )


def training_jsonl(notes: Iterable[Final]) -> str:
    """A training file for ``theracode train --extra FILE``: one GoldNote a line. It holds the texts of the notes."""
    return "".join(json.dumps(gold_note(item).model_dump(mode="json"), ensure_ascii=False) + "\n" for item in notes)
