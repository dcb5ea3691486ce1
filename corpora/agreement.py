"""How far two coders agree: the ceiling that a system's figures are compared with."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from corpora.schema import GoldNote, normal_code
from lexicon.errors import InputError

Codings = Mapping[str, Iterable[str]]


@dataclass(frozen=True, slots=True)
class Agreement:
    """Agreement of two coders on the same notes.

    Attributes
    ----------
    notes : int
        Notes that both coded; those with codes from neither coder count.
    f1, f1_category : float
        2 x codes that both gave / codes of the first + codes of the second, for full codes and for categories (0 to 1);
        1 where neither gave any code. F1 is the same whichever coder counts as the reference.
    kappa, kappa_category : float
        Cohen's kappa (-1 to 1) over the decisions "this note gets this code", for every note and every code that either
        coder used anywhere.
    exact_notes : float
        Share of notes with the same set of codes.
    """

    notes: int
    f1: float
    f1_category: float
    kappa: float
    kappa_category: float
    exact_notes: float


def f1_of(first: Codings, second: Codings) -> float:
    """Pooled F1 of two codings of the same notes."""
    sets = [(set(first[note]), set(second[note])) for note in first]
    given = sum(len(ours) + len(theirs) for ours, theirs in sets)
    return 2 * sum(len(ours & theirs) for ours, theirs in sets) / given if given else 1.0


def kappa_of(first: Codings, second: Codings) -> float:
    """Cohen's kappa (Cohen 1960) of two codings over all pairs of a note and a code that occurs.

    Examples
    --------
    >>> round(kappa_of({"a": ["R52"], "b": ["M54.2"]}, {"a": ["R52"], "b": ["R52"]}), 3)
    0.0
    """
    universe = {code for codings in (first, second) for codes in codings.values() for code in codes}
    total = len(universe) * len(first)
    if not total:
        return 1.0
    sets = [(set(first[note]), set(second[note])) for note in first]
    both = sum(len(ours & theirs) for ours, theirs in sets)
    ours_only = sum(len(ours - theirs) for ours, theirs in sets)
    theirs_only = sum(len(theirs - ours) for ours, theirs in sets)
    neither = total - both - ours_only - theirs_only
    observed = (both + neither) / total
    ours_yes, theirs_yes = (both + ours_only) / total, (both + theirs_only) / total
    expected = ours_yes * theirs_yes + (1 - ours_yes) * (1 - theirs_yes)
    return 1.0 if expected == 1 else (observed - expected) / (1 - expected)


def agreement(first: Codings, second: Codings) -> Agreement:
    """Compare two coders.

    Parameters
    ----------
    first, second : mapping of note id to codes
        Both must hold the same notes; a note without codes has an empty list.

    Raises
    ------
    InputError
        If a note is missing from one of the two.
    """
    missing = sorted(set(first) ^ set(second))
    if missing:
        raise InputError(f"{len(missing)} notes were coded by one coder only, for example {missing[0]!r}")
    full = [{note: {normal_code(code) for code in coder[note]} for note in first} for coder in (first, second)]
    categories = [{note: {code[:3] for code in codes} for note, codes in coder.items()} for coder in full]
    exact = sum(full[0][note] == full[1][note] for note in first)
    return Agreement(
        notes=len(first),
        f1=f1_of(*full),
        f1_category=f1_of(*categories),
        kappa=kappa_of(*full),
        kappa_category=kappa_of(*categories),
        exact_notes=exact / len(first) if first else 1.0,
    )


def codings_of(notes: Iterable[GoldNote]) -> dict[str, list[str]]:
    """The preferred code of every required group of each note: a gold corpus as one coder's work."""
    return {note.id: note.best_codes for note in notes}


def read_codings(path: Path) -> dict[str, list[str]]:
    """One coder's work from JSON Lines: ``id`` with ``codes``, or with ``required`` groups whose first code counts.

    Raises
    ------
    InputError
        If a line is neither.
    """
    codings = {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror})") from None
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            codes = row["codes"] if "codes" in row else [group["accept"][0] for group in row["required"]]
            codings[str(row["id"])] = [normal_code(code) for code in codes]
        except (ValueError, KeyError, TypeError, IndexError, AttributeError):
            raise InputError(f"{path}, line {number}: an id with codes or required groups is needed") from None
    return codings
