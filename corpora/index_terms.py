"""The official Alphabetic Index as a test: how often a system finds the indexed code for an index term.

The file has one entry a line: ``path`` (main term and its modifiers), ``term``, ``code``, ``valid_2026``. Codes of the
musculoskeletal, symptom, injury and nervous chapters (M, R, S, G), the sequelae of cerebrovascular disease (I69) and the Z
codes of therapy are tested. An index of 2017 may name a code that was divided since; any code below it is right.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal

from corpora.baselines import System
from corpora.loaders import SHARED_DEV
from corpora.metrics import ranked
from corpora.schema import DEFAULT_DATE, normal_code, pattern_matches
from lexicon.errors import InputError
from models.coding import Note

THERAPY_Z = ("Z47", "Z48", "Z74", "Z79.01", "Z87.81", "Z89", "Z91.81", "Z96.6", "Z97.1", "Z98.1", "Z98.890", "Z99")
"""Z codes that therapists report: aftercare, dependence, limb loss, implants, falls."""
SHARED_INDEX = SHARED_DEV.with_name("icd10cm_index_2017_dev.jsonl")
"""Where the official index stands if it is at hand; it is no part of the project."""
CHAPTERS = ("M", "R", "S", "G", "I69")
TOP = 5

TermStyle = Literal["natural", "printed"]

_AFTER = frozenset(
    [
        "affecting",
        "after",
        "as",
        "at",
        "associated",
        "by",
        "complicating",
        "due",
        "during",
        "following",
        "for",
        "from",
        "in",
        "involving",
        "of",
        "on",
        "secondary",
        "to",
        "with",
        "without",
    ]
)
_DROPPED = re.compile(r"\b(?:NEC|NOS)\b|\([^)]*\)")


@dataclass(frozen=True, slots=True)
class IndexTerm:
    """One index entry: its path as printed and the pattern that the right codes match."""

    path: tuple[str, ...]
    pattern: str

    @property
    def held_back(self) -> bool:
        """Whether the term's main term is in the half that is measured only and never read to write tables."""
        return hashlib.sha256(self.path[0].encode()).digest()[0] % 2 == 1

    @property
    def chapter(self) -> str:
        """Letter that the results are grouped by; I69 stands for itself."""
        return "I69" if self.pattern.startswith("I69") else self.pattern[0]


@dataclass(frozen=True, slots=True)
class Miss:
    """An index term whose code was not among the first five, with those five."""

    text: str
    expected: str
    given: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class IndexResult:
    """Share of index terms whose code, or one below it, is among the first five suggestions (0 to 1)."""

    system: str
    terms: int
    share: float
    by_chapter: dict[str, tuple[int, float]]
    misses: tuple[Miss, ...]


def _shared_start(first: str, second: str) -> int:
    length = 0
    for a, b in zip(first.lower(), second.lower(), strict=False):
        if a != b:
            break
        length += 1
    return length


def first_form(part: str) -> str:
    """A part of a path without ``NEC`` and without other forms of the same word.

    Examples
    --------
    >>> first_form("Disease, diseased"), first_form("pelvis, pelvic"), first_form("hip or other joint, left")
    ('Disease', 'pelvis', 'hip or other joint, left')
    """
    pieces = [piece.strip() for piece in _DROPPED.sub("", part).split(",") if piece.strip()]
    kept = pieces[:1]
    kept += [piece for piece in pieces[1:] if " " in piece or _shared_start(piece, pieces[0]) < min(4, len(piece))]
    return " ".join(", ".join(kept).split())


def term_text(path: Sequence[str], style: TermStyle = "natural") -> str:
    """The words of an index path.

    ``printed`` joins the path as it is. ``natural`` puts plain modifiers before the main term and those that begin with
    a preposition after it, as one would say it.

    Examples
    --------
    >>> term_text(["Dislocation, dislocated", "pathological NEC", "wrist"])
    'pathological dislocation wrist'
    >>> term_text(["Pain", "joint", "knee"]), term_text(["Spondylosis", "with", "myelopathy NEC", "cervical region"])
    ('joint pain knee', 'spondylosis with myelopathy cervical region')
    """
    if style == "printed":
        return " ".join(path)
    parts = [first_form(part) for part in path]
    head = parts[0]
    head = head if head[:2].isupper() else head[:1].lower() + head[1:]
    before = parts[1:2] if parts[1:] and "," not in parts[1] and parts[1].split(" ")[0] not in _AFTER else []
    after = parts[1 + len(before) :]
    return " ".join(part for part in (*before, head, *after) if part)


def read_index(path: Path) -> list[IndexTerm]:
    """Entries of an index file whose code is tested and valid in the current edition, each wording once.

    Raises
    ------
    InputError
        If the file cannot be read or a line is not an index entry.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror})") from None
    terms: dict[tuple[str, ...], IndexTerm] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            parts, code, valid = tuple(row["path"]), row.get("code", ""), row.get("valid_2026")
        except (ValueError, KeyError, TypeError, AttributeError):
            raise InputError(f"{path}, line {number}: not an index entry") from None
        if code and valid in {True, "stem"} and code.startswith((*CHAPTERS, *THERAPY_Z)):
            terms.setdefault(parts, IndexTerm(parts, f"{normal_code(code).rstrip('-')}-"))
    return list(terms.values())


def evaluate_terms(
    system: System,
    terms: Iterable[IndexTerm],
    *,
    style: TermStyle = "natural",
    limit: int | None = None,
    seed: int = 0,
    day: date = DEFAULT_DATE,
) -> IndexResult:
    """Ask a system for every index term.

    Parameters
    ----------
    system : System
    terms : iterable of IndexTerm
    style : str
        How a path becomes words, see :func:`term_text`.
    limit : int, optional
        Only a random sample of this many terms.
    seed : int
        Of the sample.
    day : date
        Date of service.
    """
    chosen = list(terms)
    if limit is not None and limit < len(chosen):
        chosen = random.Random(seed).sample(chosen, limit)  # noqa: S311 - a sample, no secret
    found: dict[str, list[bool]] = {}
    misses = []
    for number, term in enumerate(chosen):
        text = term_text(term.path, style)
        coding = system.suggest(Note(id=f"index-{number}", text=text, date_of_service=day))
        given = tuple(suggestion.code for suggestion in ranked(coding)[:TOP])
        hit = any(pattern_matches(term.pattern, code) for code in given)
        found.setdefault(term.chapter, []).append(hit)
        if not hit:
            misses.append(Miss(text, term.pattern, given))
    total = sum(len(hits) for hits in found.values())
    right = sum(sum(hits) for hits in found.values())
    return IndexResult(
        system.name,
        total,
        right / total if total else 0.0,
        {chapter: (len(hits), sum(hits) / len(hits)) for chapter, hits in sorted(found.items())},
        tuple(misses),
    )
