"""What a note with gold codes is. Every loader returns these, every metric reads them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from models.coding import Note, Role

DEFAULT_DATE = date(2026, 4, 15)
"""Date of service of a note that states none: inside edition FY2026-April, the edition of the shared dev notes."""

Setting = Literal[
    "ortho",
    "postop",
    "hand",
    "neuro",
    "vestibular",
    "geriatric",
    "slp",
    "pediatric",
    "pelvic",
    "lymphedema_pain",
    "injury_work_road",
    "weakness",
    "chiro",
]
Kind = Literal["evaluation", "daily", "progress", "discharge", "referral"]
Style = Literal["shorthand", "template", "prose"]
Reason = Literal[
    "negated",
    "uncertain",
    "family",
    "history",
    "resolved",
    "goal",
    "wrong side",
    "less specific",
    "excluded",
    "integral symptom",
    "not billable",
    "not documented",
]


def normal_code(code: str) -> str:
    """A code or pattern as the metrics compare it: upper case, dotted, a trailing ``-`` kept, ``F03.-`` as ``F03-``.

    Examples
    --------
    >>> [normal_code(code) for code in ("m1711", " I69.3- ", "F03.-", "R26")]
    ['M17.11', 'I69.3-', 'F03-', 'R26']
    """
    bare = code.strip().upper().replace(" ", "")
    wildcard = bare.endswith("-")
    bare = bare.rstrip("-").rstrip(".")
    if "." not in bare and len(bare) > 3:
        bare = f"{bare[:3]}.{bare[3:]}"
    return f"{bare}-" if wildcard else bare


def pattern_matches(pattern: str, code: str) -> bool:
    """Whether ``code`` is meant by a normalised pattern: the same code, or any code below one with a trailing ``-``."""
    if pattern.endswith("-"):
        return code.startswith(pattern[:-1])
    return code == pattern


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Coded(_Model):
    """A statement about one code pattern."""

    code: str = Field(min_length=3)

    @field_validator("code")
    @classmethod
    def _normal(cls, code: str) -> str:
        return normal_code(code)


class GoldGroup(_Model):
    """One thing that must be reported: ``accept`` holds every code that a coder could fully defend, best first."""

    accept: tuple[Annotated[str, Field(min_length=3)], ...] = Field(min_length=1)
    role: Role = "diagnosis"
    evidence: str = ""
    why: str = ""

    @field_validator("accept")
    @classmethod
    def _normal(cls, codes: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(normal_code(code) for code in codes))

    @property
    def best(self) -> str:
        """The code that the gold coders prefer."""
        return self.accept[0]


class GoldOptional(_Coded):
    """A defensible additional code: neither rewarded nor punished."""

    why: str = ""
    evidence: str = ""


class GoldForbidden(_Coded):
    """A code that must not be reported, with the reason and the words that mislead."""

    reason: Reason
    evidence: str = ""


class GoldNote(_Model):
    """A note with its gold codes.

    Attributes
    ----------
    id, text : str
    source, setting, kind, style : str or None
        Where the note comes from and what sort of note it is; unknown for outside corpora.
    date_of_service : date
        Chooses the edition; ``DEFAULT_DATE`` where absent.
    primary : tuple of str
        Acceptable first-listed codes.
    required : tuple of GoldGroup
    optional : tuple of GoldOptional
    forbidden : tuple of GoldForbidden
    excludes1_reason : str
        Why two of the best required codes may stand together although an Excludes1 note names them (guideline I.A.12.a).
    """

    id: str = Field(min_length=1)
    source: str | None = None
    setting: Setting | None = None
    kind: Kind | None = None
    style: Style | None = None
    date_of_service: date = DEFAULT_DATE
    text: str
    primary: tuple[str, ...] = ()
    required: tuple[GoldGroup, ...] = ()
    optional: tuple[GoldOptional, ...] = ()
    forbidden: tuple[GoldForbidden, ...] = ()
    excludes1_reason: str = ""

    @field_validator("primary")
    @classmethod
    def _normal(cls, codes: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(normal_code(code) for code in codes))

    @property
    def best_codes(self) -> list[str]:
        """The preferred code of every required group, in order, each once."""
        return list(dict.fromkeys(group.best for group in self.required))

    def to_note(self) -> Note:
        """The note as a system gets it: without its codes, and without its setting, kind or style."""
        return Note(id=self.id, text=self.text, date_of_service=self.date_of_service)

    def is_accepted(self, code: str) -> bool:
        """Whether ``code`` is accepted by a required group or as optional."""
        return self.is_required(code) or any(pattern_matches(item.code, code) for item in self.optional)

    def is_required(self, code: str) -> bool:
        """Whether a required group accepts ``code``."""
        return any(pattern_matches(pattern, code) for group in self.required for pattern in group.accept)

    def forbids(self, code: str) -> GoldForbidden | None:
        """The statement that forbids ``code``, or None. What the note accepts is never forbidden by a wider pattern."""
        if self.is_accepted(code):
            return None
        return next((item for item in self.forbidden if pattern_matches(item.code, code)), None)

    def digest(self) -> str:
        """SHA-256 of the note with its codes, in a canonical form."""
        content = json.dumps(self.model_dump(mode="json"), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(content.encode()).hexdigest()


def corpus_digest(notes: Iterable[GoldNote]) -> str:
    """SHA-256 over notes and codes; the order of the notes does not matter."""
    lines = sorted(f"{note.id}\t{note.digest()}" for note in notes)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Corpus:
    """Notes under a name.

    Attributes
    ----------
    name : str
    notes : tuple of GoldNote
    restricted : bool
        Whether reports must not quote the notes (MIMIC-IV is under a data use agreement).
    """

    name: str
    notes: tuple[GoldNote, ...]
    restricted: bool = False

    def __len__(self) -> int:
        return len(self.notes)

    def __iter__(self) -> Iterator[GoldNote]:
        return iter(self.notes)

    @property
    def digest(self) -> str:
        """SHA-256 of the contents, recorded in every report."""
        return corpus_digest(self.notes)
