"""The order to report codes in: first-listed, etiology before manifestation, causes last."""

from __future__ import annotations

from lexicon.codes.edition import Edition

# Rank groups; a lower group comes first. Within a group the coder's estimate of the chief reason decides.
_FIRST, _CHIEF, _MANIFESTATION, _STATUS, _EXTERNAL = range(5)


def group_of(code: str, edition: Edition) -> int:
    """Where a code may stand: status codes after conditions (I.C.21.c.3), chapter 20 last (I.C.20)."""
    if code[0] in "VWXY":
        return _EXTERNAL
    if code.startswith(("Z47", "Z48", "Z44", "Z51", "Z46", "Z42")):
        return _CHIEF
    if code[0] == "Z":
        return _STATUS
    if edition.is_manifestation(code):
        return _MANIFESTATION
    return _CHIEF


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
        Every code once; reasons name the rules that moved a code.
    """
    reasons: list[str] = []
    sequence = sorted(codes, key=lambda c: (group_of(c, edition), -round(lead.get(c, 0.0), 6), c))
    moved = True
    rounds = 0
    while moved and rounds < 2 * len(sequence):
        moved = False
        rounds += 1
        for index, code in enumerate(sequence):
            for note in edition.notes(code, kinds=("code_first",)):
                for later in range(index + 1, len(sequence)):
                    if note.names(sequence[later]) and not _mutual(edition, sequence[later], code):
                        etiology = sequence.pop(later)
                        sequence.insert(index, etiology)
                        reasons.append(f"{etiology} before {code}: code first note at {note.stands_at} ('{note.text}')")
                        moved = True
                        break
                if moved:
                    break
            if moved:
                break
    return sequence, reasons


def _mutual(edition: Edition, first: str, second: str) -> bool:
    return any(note.names(second) for note in edition.notes(first, kinds=("code_first",)))
