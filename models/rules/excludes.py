"""Excludes1 and Excludes2, own and inherited, in both directions (guideline I.A.12)."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from functools import lru_cache

from lexicon.codes.advice import Advice, advice_for
from lexicon.codes.edition import CodeNote, Edition
from lexicon.facets import load_facets
from lexicon.tables import read_table
from lexicon.vocabulary import load_vocabulary

# Codes that say what the patient feels or shows, not what causes it: a diagnosis stays, they go.
SYMPTOMS = ("M25.4", "M25.5", "M25.6", "M54", "M62.81", "M79.1", "M79.6")
# The probability by which one code must lead to stay against the direction of the note.
LEAD = 0.25
_ALLOWING = ("code_first", "use_additional", "code_also", "excludes2")


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two codes that a note names together, and the note: it stands at ``code`` or an ancestor and names ``other``."""

    code: str
    other: str
    note: CodeNote


def excluding_note(edition: Edition, code: str, other: str, kind: str = "excludes1") -> CodeNote | None:
    """The nearest note of ``kind`` at ``code`` or an ancestor that names ``other``, or None.

    Notes that name no code ("current injury - see injury of joint by body region") count as ``category_notes.tsv`` encodes
    them. A note that also names ``code`` itself does not separate the two: a section note on its own members would exclude
    every code from itself.
    """
    note = parted_by(edition.notes(code, kinds=(kind,)), code, other)
    return advised_note(edition, code, other, kind) if note is None else note


def parted_by(notes: tuple[CodeNote, ...], code: str, other: str) -> CodeNote | None:
    """The first of the notes of ``code`` that names ``other`` and not ``code``, or None."""
    return next((note for note in notes if note.names(other) and not note.names(code)), None)


def advised_note(edition: Edition, code: str, other: str, kind: str = "excludes1") -> CodeNote | None:
    """A note without codes in its text that parts the two, or None; "by body region" needs both at one place."""
    for advice in _advice_of(code):
        if advice.kind == kind and advice.sends_to(other) and (not advice.by_site or _at_one_place(edition, code, other)):
            return CodeNote(kind, advice.text, advice.stands_at)
    return None


@lru_cache(maxsize=16384)
def _advice_of(code: str) -> tuple[Advice, ...]:
    """Encoded notes on a code, those of its own category before those of its section."""
    return tuple(sorted(advice_for(code), key=lambda advice: ("-" in advice.stands_at, -len(advice.stands_at))))


def _at_one_place(edition: Edition, first: str, second: str) -> bool:
    facets, vocabulary = load_facets(edition), load_vocabulary()
    own, other = facets[edition.stem(first)], facets[edition.stem(second)]
    if {own.side, other.side} == {"right", "left"}:
        return False
    return any(vocabulary.related(a, b) for a in own.sites for b in other.sites)


def conflicts(
    edition: Edition, codes: list[str], *, kind: str = "excludes1", unrelated: Set[frozenset[str]] = frozenset()
) -> list[Conflict]:
    """All pairs among codes that notes of ``kind`` name, each once, in the order given.

    Parameters
    ----------
    edition : Edition
    codes : list of str
    kind : str
        ``excludes1`` (never together) or ``excludes2`` (both may stand; the reader is told).
    unrelated : set of frozenset of str
        Pairs that a reviewer declared to be unrelated conditions, with a reason (I.A.12.a); they are no conflict.
    """
    found = []
    for index, code in enumerate(codes):
        for other in codes[index + 1 :]:
            if other == code or frozenset((code, other)) in unrelated:
                continue
            note = excluding_note(edition, code, other, kind)
            if note is not None:
                found.append(Conflict(code, other, note))
                continue
            note = excluding_note(edition, other, code, kind)
            if note is not None:
                found.append(Conflict(other, code, note))
    return found


def contradiction(edition: Edition, conflict: Conflict) -> CodeNote | None:
    """An official note that lets the two codes of an Excludes1 conflict stand together, or None.

    The tabular list disagrees with itself at some places: M62.84 says to code a myopathy (G72.-) first, while M62
    excludes G72.0. Such a conflict is shown with both notes and left to a reviewer. Only a note that stands nearer to
    its code than the category counts, so that a general remark does not lift a special prohibition.
    """
    for first, second in ((conflict.code, conflict.other), (conflict.other, conflict.code)):
        for note in edition.notes(first, kinds=_ALLOWING):
            if len(note.stands_at) > 3 and "-" not in note.stands_at and note.stands_at[0] == first[0] and note.names(second):
                return note
    return None


@lru_cache(maxsize=1)
def _chronic_counterparts() -> tuple[tuple[str, str], ...]:
    return tuple(
        (chronic, injury)
        for row in read_table("chronicity.tsv")
        for chronic in row["chronic"].split("|")
        for injury in row["injury"].split("|")
    )


def _definite(code: str) -> int:
    """0 for a symptom of chapter 18, 1 for a symptom elsewhere, 2 for a diagnosis."""
    if code[0] == "R":
        return 0
    return 1 if code.startswith(SYMPTOMS) else 2


def keeper(edition: Edition, conflict: Conflict, probability: dict[str, float], rank: dict[str, int]) -> tuple[str, str]:
    """Which code of a conflict stays and which is blocked.

    A diagnosis stays against a symptom. Where the note points one way, the code that it names is where the condition
    belongs ("sarcopenia (M62.84)" at M62.81), unless it names it as NOS, the less specific one ("sciatica NOS (M54.3)"
    at M51.1). Codes of one injury in chapters 13 and 19, mutual notes, and pairs in which one code is more probable by
    0.25 are decided by probability.

    Returns
    -------
    (stays, goes)
    """
    standing, named = conflict.code, conflict.other
    if _definite(standing) != _definite(named):
        return (standing, named) if _definite(standing) > _definite(named) else (named, standing)
    chances = {code: round(probability.get(code, 0.0), 4) for code in (standing, named)}
    mutual = excluding_note(edition, named, standing) is not None
    time_matters = any(
        a.startswith(chronic) and b.startswith(injury)
        for chronic, injury in _chronic_counterparts()
        for a, b in ((standing, named), (named, standing))
    )
    if mutual or time_matters or abs(chances[standing] - chances[named]) >= LEAD:
        first, second = sorted((standing, named), key=lambda c: (-chances[c], rank.get(c, 999), c))
        return first, second
    vague = "unspecified" in edition.title(standing).lower() and "unspecified" not in edition.title(named).lower()
    if "NOS" in conflict.note.text and not vague:
        return standing, named
    return named, standing
