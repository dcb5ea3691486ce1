"""The validator of a gold corpus: what a careful reader would send back to its author."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from corpora.metrics import excludes1_pairs
from corpora.schema import GoldNote
from lexicon.codes import Edition, edition_for, load_edition

SHINGLE = 5
"""Words in a shingle: shorter ones are common to all therapy notes, longer ones break at every typo."""
NEAR_DUPLICATE = 0.3
"""Jaccard similarity of word shingles from which two notes are near-duplicates (0 to 1)."""
SHORT = 8
"""Two notes with fewer shingles than this are compared by their words instead."""

_WORD = re.compile(r"[a-z]+")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with one note; ``check`` is the name of the test that found it."""

    note_id: str
    check: str
    message: str


def _codes(note: GoldNote) -> list[tuple[str, str]]:
    """(where, code) of every code that a coder may report for the note."""
    return [
        *(("primary", code) for code in note.primary),
        *((f"required[{number}]", code) for number, group in enumerate(note.required) for code in group.accept),
        *(("optional", item.code) for item in note.optional),
    ]


def _check_codes(note: GoldNote, edition: Edition) -> list[Problem]:
    problems = [
        Problem(note.id, "billable", f"{where}: {code} is not billable on {note.date_of_service} ({edition.name})")
        for where, code in _codes(note)
        if not edition.is_billable(code)
    ]
    if note.required and not note.primary:
        problems.append(Problem(note.id, "primary", "required codes but no primary code"))
    problems += [
        Problem(note.id, "primary", f"primary {code} is accepted neither by a required group nor as optional")
        for code in note.primary
        if not note.is_accepted(code)
    ]
    listed = {code for _, code in _codes(note)}
    problems += [
        Problem(note.id, "forbidden", f"{item.code} is forbidden and accepted") for item in note.forbidden if item.code in listed
    ]
    return problems


def _check_evidence(note: GoldNote) -> list[Problem]:
    quotes = [
        *((f"required[{number}]", group.evidence) for number, group in enumerate(note.required)),
        *((f"optional {item.code}", item.evidence) for item in note.optional),
        *((f"forbidden {item.code}", item.evidence) for item in note.forbidden),
    ]
    problems = [
        Problem(note.id, "evidence", f"{where}: the quote does not stand in the note word for word")
        for where, quote in quotes
        if quote and quote not in note.text
    ]
    problems += [
        Problem(note.id, "evidence", f"required[{number}]: no quote")
        for number, group in enumerate(note.required)
        if not group.evidence.strip()
    ]
    return problems


def _check_excludes1(note: GoldNote, edition: Edition) -> list[Problem]:
    if note.excludes1_reason.strip():
        return []
    return [
        Problem(note.id, "excludes1", f"{holder} excludes {named} (note at {found.stands_at}) and no reason is given")
        for holder, named, found in excludes1_pairs(note.best_codes, edition)
    ]


def shingles(text: str) -> frozenset[str]:
    """Runs of five words, lower case, without numbers; the words themselves of a very short note."""
    words = _WORD.findall(text.lower())
    runs = frozenset(" ".join(words[start : start + SHINGLE]) for start in range(len(words) - SHINGLE + 1))
    return runs if len(runs) >= SHORT else frozenset(words)


def near_duplicates(notes: Sequence[GoldNote], threshold: float = NEAR_DUPLICATE) -> list[tuple[str, str, float]]:
    """Pairs of notes whose shingles have a Jaccard similarity of ``threshold`` or more, most similar first.

    Only pairs that share a shingle are compared, so the result is exact and the work stays small.
    """
    sets = [shingles(note.text) for note in notes]
    holders: dict[str, list[int]] = {}
    shared: dict[tuple[int, int], int] = {}
    for number, found in enumerate(sets):
        for shingle in found:
            for other in holders.setdefault(shingle, []):
                shared[other, number] = shared.get((other, number), 0) + 1
            holders[shingle].append(number)
    pairs = []
    for (first, second), count in shared.items():
        similarity = count / (len(sets[first]) + len(sets[second]) - count)
        if similarity >= threshold:
            pairs.append((notes[first].id, notes[second].id, similarity))
    return sorted(pairs, key=lambda pair: (-pair[2], pair[0], pair[1]))


def validate_note(note: GoldNote) -> list[Problem]:
    """Problems of one note by itself: codes, evidence, Excludes1, an empty text."""
    edition = load_edition(edition_for(note.date_of_service)[0].name)
    problems = [] if note.text.strip() else [Problem(note.id, "text", "the note is empty")]
    return [*problems, *_check_codes(note, edition), *_check_evidence(note), *_check_excludes1(note, edition)]


def validate_notes(notes: Iterable[GoldNote], splits: Mapping[str, Iterable[str]] | None = None) -> list[Problem]:
    """Problems of a corpus.

    Parameters
    ----------
    notes : iterable of GoldNote
    splits : mapping of split name to ids, optional
        With splits, near-duplicates are reported when they stand in different splits; without, always.

    Returns
    -------
    list of Problem
        Empty for a clean corpus.
    """
    kept = list(notes)
    problems = [problem for note in kept for problem in validate_note(note)]
    seen: set[str] = set()
    for note in kept:
        if note.id in seen:
            problems.append(Problem(note.id, "id", "the id stands twice"))
        seen.add(note.id)
    split_of = {note_id: name for name, ids in (splits or {}).items() for note_id in ids}
    for first, second, similarity in near_duplicates(kept):
        if splits is None or split_of.get(first) != split_of.get(second):
            problems.append(Problem(first, "near-duplicate", f"Jaccard similarity {similarity:.2f} to {second}"))
    return problems
