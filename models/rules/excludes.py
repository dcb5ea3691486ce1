"""Excludes1 and Excludes2, own and inherited, in both directions (guideline I.A.12)."""

from __future__ import annotations

from dataclasses import dataclass

from lexicon.codes.edition import CodeNote, Edition


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two codes that an Excludes1 note forbids together, and the note with the code at whose lineage it stands."""

    code: str
    other: str
    note: CodeNote


def excluding_note(edition: Edition, code: str, other: str, kind: str = "excludes1") -> CodeNote | None:
    """The nearest note of ``kind`` at ``code`` or an ancestor that names ``other``, or None.

    A note that stands at a common ancestor of both codes does not separate them unless it names the other code more
    narrowly than where it stands (a section note on its own members would exclude the code itself).
    """
    for note in edition.notes(code, kinds=(kind,)):
        if note.names(other) and not note.names(code):
            return note
    return None


def conflicts(edition: Edition, codes: list[str]) -> list[Conflict]:
    """All Excludes1 pairs among codes, each once, in the order given."""
    found = []
    for index, code in enumerate(codes):
        for other in codes[index + 1 :]:
            note = excluding_note(edition, code, other)
            if note is not None:
                found.append(Conflict(code, other, note))
                continue
            note = excluding_note(edition, other, code)
            if note is not None:
                found.append(Conflict(other, code, note))
    return found


def keeper(edition: Edition, conflict: Conflict, probability: dict[str, float], rank: dict[str, int]) -> tuple[str, str]:
    """Which code of a conflict stays and which is blocked.

    The more definitive code stays: a diagnosis beats a chapter 18 symptom, an "unspecified" title loses, a code that a
    note names as the place to go ("code to ...") wins over the one at which the note stands; then probability decides.
    """
    first, second = conflict.code, conflict.other

    def definitive(code: str) -> tuple[int, int, float, int]:
        title = edition.title(code).lower()
        symptom = code.startswith("R") or "pain" in title or "weakness" in title or code in {"M62.81"}
        vague = "unspecified" in title and "side" not in title
        return (0 if symptom else 1, 0 if vague else 1, round(probability.get(code, 0.0), 4), -rank.get(code, 999))

    if definitive(first) >= definitive(second):
        return first, second
    return second, first
