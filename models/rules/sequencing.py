"""The order to report codes in: first-listed, etiology before manifestation, residual before sequela, causes last."""

from __future__ import annotations

from lexicon.codes.edition import CodeNote, Edition

# Rank groups; a lower group comes first. Within a group the coder's estimate of the chief reason decides.
_CHIEF, _MANIFESTATION, _SEQUELA, _STATUS, _EXTERNAL = range(5)
AFTERCARE = ("Z42", "Z44", "Z46", "Z47", "Z48", "Z51")
_AFTER_CONDITION = ("U09.9",)  # "Code first the specific condition"; I.C.1.g.1.m


def group_of(code: str, edition: Edition) -> int:
    """Where a code may stand.

    Manifestations follow diseases (I.A.13), injuries with 7th character S follow what is left of them (I.B.10), status codes
    follow conditions (I.C.21.c.3), chapter 20 is last (I.C.20).
    """
    if code[0] in "VWXY":
        return _EXTERNAL
    if code.startswith(AFTERCARE):
        return _CHIEF
    if code[0] == "Z":
        return _STATUS
    if is_sequela(code) or code.startswith(_AFTER_CONDITION):
        return _SEQUELA
    if edition.is_manifestation(code):
        return _MANIFESTATION
    return _CHIEF


def is_sequela(code: str) -> bool:
    """Whether the code is an injury as the cause of a late effect."""
    return code[0] in "ST" and len(code) == 8 and code[-1] == "S"


def may_lead(code: str, edition: Edition) -> bool:
    """Whether a code may stand first: no external cause (I.C.20), no manifestation (I.A.13)."""
    return code[0] not in "VWXY" and not edition.is_manifestation(code)


def order(codes: list[str], lead: dict[str, float], edition: Edition) -> tuple[list[str], list[str]]:
    """Sequence codes.

    Parameters
    ----------
    codes : list of str
        Recommended codes.
    lead : dict
        For each code how likely it is the chief reason of the visit, 0 to 1.
    edition : Edition

    Returns
    -------
    (sequence, reasons)
        Every code once; reasons begin with the code that a rule moved.
    """
    reasons: list[str] = []
    sequence = sorted(codes, key=lambda c: (group_of(c, edition), -round(lead.get(c, 0.0), 6), c))
    before = _pairs(sequence, edition)
    for _ in range(2 * len(sequence)):
        for first, second, note in before:
            place, wrong = sequence.index(second), sequence.index(first)
            if wrong > place:
                sequence.insert(place, sequence.pop(wrong))
                reasons.append(f"{first} before {second}: {note.label.lower()} note at {note.stands_at} ('{note.text}')")
                break
        else:
            break
    return sequence, reasons


def _pairs(codes: list[str], edition: Edition) -> list[tuple[str, str, CodeNote]]:
    """Codes of which the first stands before the second: code first at the second, or use additional at the first."""
    pairs: dict[tuple[str, str], CodeNote] = {}
    for kind in ("code_first", "use_additional"):
        for code in codes:
            for note in edition.notes(code, kinds=(kind,)):
                if kind == "use_additional" and note.stands_at[:3] != code[:3]:
                    continue  # the general notes of a chapter set no order between two diseases
                for other in codes:
                    if other == code or not note.names(other):
                        continue
                    first, second = (other, code) if kind == "code_first" else (code, other)
                    if group_of(first, edition) >= _STATUS > group_of(second, edition) or _contradicted(edition, first, second):
                        continue
                    if (second, first) not in pairs:
                        pairs.setdefault((first, second), note)
    return [(first, second, note) for (first, second), note in pairs.items()]


def _contradicted(edition: Edition, first: str, second: str) -> bool:
    """Whether a code first note also asks for the other order."""
    return any(note.names(second) for note in edition.notes(first, kinds=("code_first",)))
