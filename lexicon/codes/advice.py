"""Instructional notes that name no code, encoded by hand: ``category_notes.tsv``.

"Current injury - see injury of joint by body region" is a rule without a code pattern. Each row of the table says what
such a note means: which codes it speaks about, which codes it sends to, and in which case.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from lexicon.codes.edition import NOTE_LABELS
from lexicon.errors import LexiconError
from lexicon.tables import read_table, split_cell

TABLE = "category_notes.tsv"
MEANINGS = {
    "current_injury": "a current injury is coded in chapter 19",
    "current_fracture": "a current traumatic fracture is coded in chapter 19",
    "current_nerve_injury": "a current injury of a nerve is coded in chapter 19",
    "aftercare_of_injury": "aftercare of an injury is the injury code with its 7th character",
    "complication": "a complication is coded as such",
    "other_region": "an injury of another region has its own code",
    "site_is_known": "pain of a known site is coded by site",
    "cause_is_known": "a known cause is coded instead",
    "cause_unspecified": "alone only where the cause is old or unspecified",
    "default_closed": "not stated open or closed: closed",
    "default_displaced": "not stated displaced or nondisplaced: displaced",
    "default_complete": "not stated partial or complete: complete",
    "highest_level": "only the highest level is coded",
    "last_resort": "only where no other code fits",
    "shorter_limb": "coded at the shorter limb",
    "beside_other_aftercare": "stands beside another aftercare code",
    "sequela": "what remains of an earlier condition",
    "external_cause": "an external cause code may follow",
}
_CURRENT = frozenset({"current_injury", "current_fracture", "current_nerve_injury"})
_PREFIX = re.compile(r"[A-Z](?:[0-9][0-9A-Z](?:\.[0-9A-Z]{1,3})?)?")


@dataclass(frozen=True, slots=True)
class Advice:
    """The meaning of one note that names no code.

    Attributes
    ----------
    stands_at : str
        Node of the tabular list.
    kind : str
        Kind of the note (a key of ``NOTE_LABELS``); Excludes1 forbids both codes together, Excludes2 allows them.
    text : str
        The official text.
    condition, other : tuple of str
        Prefixes of the codes that the note speaks about, and of those it sends to (empty where it sends nowhere).
    meaning : str
        A key of ``MEANINGS``.
    reason : str
        The rule in one sentence, with the guideline where there is one.
    """

    stands_at: str
    kind: str
    text: str
    condition: tuple[str, ...]
    other: tuple[str, ...]
    meaning: str
    reason: str

    @property
    def by_site(self) -> bool:
        """Whether both codes must be of the same part of the body for the note to part them ("by body region").

        The table names every region; the sites of the two codes (``lexicon.facets``) tell whether they meet.
        """
        return self.meaning in _CURRENT

    def concerns(self, code: str) -> bool:
        """Whether the note speaks about ``code``."""
        return code.startswith(self.condition)

    def sends_to(self, code: str) -> bool:
        """Whether ``code`` is one that the note sends to. A sequela (7th character S) is no current injury."""
        if not self.other or not code.startswith(self.other):
            return False
        return not (self.meaning in _CURRENT and len(code) == 8 and code.endswith("S"))

    def opposes(self, first: str, second: str) -> bool:
        """Whether the note parts the two codes, in either order."""
        return (self.concerns(first) and self.sends_to(second)) or (self.concerns(second) and self.sends_to(first))


@cache
def load_advice() -> tuple[Advice, ...]:
    """The table, checked.

    Raises
    ------
    LexiconError
        If a row has an unknown kind or meaning, a malformed prefix, or no condition.
    """
    rows = []
    for row in read_table(TABLE):
        advice = Advice(
            row["stands_at"],
            row["kind"],
            row["text"],
            tuple(split_cell(row["condition"])),
            tuple(split_cell(row["other"])),
            row["meaning"],
            row["reason"],
        )
        if advice.kind not in NOTE_LABELS or advice.meaning not in MEANINGS:
            raise LexiconError(f"{TABLE}: {advice.stands_at} has the unknown kind or meaning {advice.kind}/{advice.meaning}")
        if not advice.condition or not all(_PREFIX.fullmatch(prefix) for prefix in (*advice.condition, *advice.other)):
            raise LexiconError(f"{TABLE}: {advice.stands_at} has no condition or a malformed prefix")
        rows.append(advice)
    return tuple(rows)


def advice_for(code: str) -> tuple[Advice, ...]:
    """Every encoded note that speaks about a code, in the order of the table."""
    return tuple(advice for advice in load_advice() if advice.concerns(code))


def advice_between(first: str, second: str) -> tuple[Advice, ...]:
    """Every encoded note that parts two codes, in the order of the table."""
    return tuple(advice for advice in load_advice() if advice.opposes(first, second))
