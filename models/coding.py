"""The result of coding one note, as the command line and the Python interface give it (JSON contract)."""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Encounter = Literal["auto", "initial", "subsequent", "sequela"]
Status = Literal["recommended", "alternative", "blocked"]
Role = Literal["diagnosis", "treatment", "symptom", "injury", "status", "aftercare", "external"]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Note(_Model):
    """A note to be coded, with what is known beside its text.

    Attributes
    ----------
    id : str
        Name of the note in the caller's system; copied to the coding.
    text : str
        The note itself.
    date_of_service : date or None
        Chooses the code-set edition; None means today.
    encounter : str
        Phase of care for 7th characters; ``auto`` reads it from the note.
    dominance, age, sex : optional
        Facts of the patient if the caller knows them; otherwise read from the note.
    external_causes : bool
        Whether chapter 20 codes are suggested as recommended (off by default, guideline I.C.20).
    """

    id: str = "note"
    text: str
    date_of_service: date | None = None
    encounter: Encounter = "auto"
    dominance: Literal["", "right", "left", "ambidextrous"] = ""
    age: float | None = Field(default=None, ge=0, le=130)
    sex: Literal["", "female", "male"] = ""
    external_causes: bool = False


class Evidence(_Model):
    """A piece of the note: ``text`` equals the note's text from ``start`` to ``end``."""

    start: int
    end: int
    text: str


class RuleVerdict(_Model):
    """Why a code is blocked: the rule, what it says, where it stands, and which code blocks it."""

    id: str
    text: str
    source: str
    blocked_by: list[str] = Field(default_factory=list)


class Suggestion(_Model):
    """One billable code with its evidence and the reasons for every part of it."""

    rank: int
    code: str
    title: str
    probability: float = Field(ge=0, le=1)
    status: Status
    role: Role
    evidence: list[Evidence]
    reasons: list[str]
    rule: RuleVerdict | None = None


class Coding(_Model):
    """The codes suggested for one note.

    ``suggestions`` is ordered best first; ``sequence`` is the order to report the recommended ones in.
    """

    id: str
    edition: str
    date_of_service: date
    encounter: Literal["initial", "subsequent", "sequela"]
    suggestions: list[Suggestion]
    sequence: list[str]
    notices: list[str]
    questions: list[str]

    @property
    def recommended(self) -> list[Suggestion]:
        """The suggestions that theracode would report, in the order of the sequence."""
        by_code = {s.code: s for s in self.suggestions}
        return [by_code[code] for code in self.sequence if code in by_code]
