"""Phase of care of the note: A, D or S (guideline I.C.19.a: by treatment, not by the number of the visit)."""

from __future__ import annotations

from nlp.finding import CueUse, Reading


def encounter_of(reading: Reading, stated: str) -> tuple[str, str]:
    """The phase of care and why.

    Parameters
    ----------
    reading : Reading
    stated : str
        What the caller said: ``auto``, ``initial``, ``subsequent`` or ``sequela``.

    Returns
    -------
    (phase, reason)
        Subsequent unless the note shows more signs of active treatment than of therapy or follow-up.
    """
    if stated != "auto":
        return stated, "as stated by the user"
    initial = _first(reading.phases.get("initial"))
    later = reading.phases.get("subsequent", [])
    if initial and len(reading.phases["initial"]) > len(later):
        return "initial", f"active treatment, from '{initial.text}' at {initial.start}"
    if later:
        return "subsequent", f"care during recovery, from '{later[0].text}' at {later[0].start}"
    return "subsequent", "therapy default: routine care during healing or recovery (I.C.19.a)"


def _first(cues: list[CueUse] | None) -> CueUse | None:
    return cues[0] if cues else None
