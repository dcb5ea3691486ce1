"""Notices: what the reader of a coding should know, short, and only of the codes that are recommended."""

from __future__ import annotations

from collections.abc import Set
from functools import lru_cache

from lexicon.codes.edition import Edition
from lexicon.tables import read_table
from models.problems import Problem
from models.rules.excludes import conflicts
from models.rules.plausibility import implausible
from models.rules.sequencing import is_sequela
from nlp.finding import Reading

MOST_EXCLUDES2 = 3


def notices_of(
    sequence: list[str],
    problems: list[Problem],
    reading: Reading,
    edition: Edition,
    *,
    encounter: str,
    phase_reason: str,
    age: float | None,
    sex: str,
    unrelated: Set[frozenset[str]] = frozenset(),
) -> list[str]:
    """Every notice on the recommended codes and on what the note says of codes, each once.

    Parameters
    ----------
    sequence : list of str
        The recommended codes in their order.
    problems : list of Problem
        Uncertain diagnoses among them are named.
    reading : Reading
    edition : Edition
    encounter, phase_reason : str
        The phase of care, and why the 7th characters are what they are.
    age : float or None
        Years.
    sex : str
    unrelated : set of frozenset of str
        Pairs that a reviewer declared to be unrelated.
    """
    notices = []
    if any(edition.sevenths(edition.stem(code)) and (encounter == "sequela" or not is_sequela(code)) for code in sequence):
        notices.append(f"7th characters: {phase_reason}.")
    for problem in problems:
        if problem.assertion == "uncertain" and problem.kind in {"diagnosis", "injury"} and problem.mentions:
            name = problem.mentions[0].text
            notices.append(f"'{name}' is stated as uncertain and not coded (IV.H); the sign or symptom is.")
    notices.extend(_doubts(sequence, age, sex, edition))
    notices.extend(_official_errors(sequence))
    notices.extend(_overridden(sequence, edition, unrelated))
    notices.extend(_excludes2(sequence, edition))
    for code in sequence:
        if edition.has_older_notes(code):
            notices.append(f"{code}: code list of {edition.name}; instructional notes as of {edition.notes_as_of}.")
    for written in reading.written_codes:
        if "." in written.code and written.code not in edition:
            notices.append(f"The note writes {written.code}, which is not a code of {edition.name}.")
        elif "." in written.code and not edition.is_billable(written.code):
            notices.append(f"The note writes {written.code}, which is not billable in {edition.name}; a longer code is needed.")
    notices.extend(reading.conflicts)
    if not sequence:
        notices.append("Nothing in this note supports a code: no present finding reached the threshold.")
    return list(dict.fromkeys(notices))


def _doubts(sequence: list[str], age: float | None, sex: str, edition: Edition) -> list[str]:
    """Codes that hardly fit the patient; what cannot fit is blocked before."""
    found = (implausible(code, age=age, sex=sex, edition=edition) for code in sequence)
    return [f"{r.code}: {r.text}; {r.source}." for r in found if r is not None and r.action == "notice"]


def _excludes2(sequence: list[str], edition: Edition) -> list[str]:
    """Pairs that an Excludes2 note names; the general notes of chapters are left out."""
    disputed = {frozenset((c.code, c.other)) for c in conflicts(edition, sequence)}  # told as such
    allowed = conflicts(edition, sequence, kind="excludes2", unrelated=disputed)
    found = [c for c in allowed if not c.note.stands_at.startswith("chapter")]
    return [
        f"{c.code} and {c.other} are different conditions and both may be reported: Excludes2 at {c.note.stands_at} (I.A.12.b)."
        for c in found[:MOST_EXCLUDES2]
    ]


def _overridden(sequence: list[str], edition: Edition, unrelated: Set[frozenset[str]]) -> list[str]:
    if not unrelated:
        return []
    return [
        f"{c.code} and {c.other} stand together against Excludes1 at {c.note.stands_at} ('{c.note.text}'): declared to be "
        "unrelated conditions (I.A.12.a). Payers may still deny the pair."
        for c in conflicts(edition, sequence)
        if frozenset((c.code, c.other)) in unrelated
    ]


@lru_cache(maxsize=1)
def official_errors() -> tuple[tuple[str, str, str], ...]:
    """Where an official note names a wrong code: the node, the codes beside which it matters (empty: always), the remark."""
    return tuple((row["stands_at"], row["beside"], row["note"]) for row in read_table("official_errors.tsv"))


def _official_errors(sequence: list[str]) -> list[str]:
    return [
        f"Official data: {remark}. A reviewer decides."
        for stands_at, beside, remark in official_errors()
        if any(c.startswith(stands_at) for c in sequence) and (not beside or any(c.startswith(beside) for c in sequence))
    ]
