"""Phase of care of the note: A, D or S (guideline I.C.19.a: by treatment, not by the number of the visit)."""

from __future__ import annotations

from collections.abc import Mapping

from nlp.finding import Reading

RECOVERY = 2  # signs that a dated recovery ("six weeks out") counts as
MEDICAL_HEADINGS = 2  # that a therapist's evaluation may have too (past history, imaging)


def encounter_of(reading: Reading, stated: str, visits: Mapping[str, str] | None = None) -> tuple[str, str]:
    """The phase of care and why.

    Parameters
    ----------
    reading : Reading
    stated : str
        What the caller said: ``auto``, ``initial``, ``subsequent`` or ``sequela``.
    visits : mapping of str to str, optional
        Whose headings tell the kind of visit: ``medical`` or ``therapy`` (``Vocabulary.section_visits``).

    Returns
    -------
    (phase, reason)
        Subsequent unless the note shows more signs of active treatment than of therapy or follow-up. Headings of a
        physician's visit (review of systems, medications, allergies ...) are such signs: evaluation and continuing
        treatment by a physician is active treatment (I.C.19.a).
    """
    if stated != "auto":
        return stated, "as stated by the user"
    initial = reading.phases.get("initial", [])
    kinds = [(visits or {}).get(section, "") for section in reading.sections]
    medical = kinds.count("medical")
    physician = medical > MEDICAL_HEADINGS and medical > kinds.count("therapy")
    recovery, therapy = reading.phases.get("recovery", []), reading.phases.get("therapy", [])
    later = sorted([*reading.phases.get("subsequent", []), *recovery, *(() if physician else therapy)], key=lambda use: use.start)
    signs = len(initial) + (medical - MEDICAL_HEADINGS if physician else 0)
    if signs > len(later) + (RECOVERY - 1) * len(recovery):
        if initial:
            return "initial", f"active treatment, from '{initial[0].text}' at {initial[0].start}"
        return "initial", f"active treatment: {medical} headings of a physician's visit and no sign of therapy or follow-up"
    if later:
        return "subsequent", f"care during recovery, from '{later[0].text}' at {later[0].start}"
    return "subsequent", "therapy default: routine care during healing or recovery (I.C.19.a)"
