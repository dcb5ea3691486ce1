"""Plausibility: newborn, pregnancy, sex- and age-bound codes never for a patient to whom they cannot apply."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from lexicon.codes.edition import Edition
from lexicon.tables import read_table, split_cell
from models.rules.catalog import Action, Ruling

_PREGNANT = ("Z33.1", "Z34", "Z3A")
_ACTIONS: dict[str, Action] = {"block": "block", "notice": "notice"}


@dataclass(frozen=True, slots=True)
class Bound:
    """For whom a group of codes is.

    Attributes
    ----------
    spans : tuple of (low, high)
        Prefixes of codes, both included.
    excepted : tuple of str
        Prefixes that the row does not bind.
    sex : str
        female, male or empty for both.
    youngest, oldest : float
        Age in years; the youngest is included, the oldest (whole years of life) is too.
    """

    rule: str
    spans: tuple[tuple[str, str], ...]
    excepted: tuple[str, ...]
    sex: str
    youngest: float
    oldest: float
    action: Action
    statement: str
    source: str

    def names(self, code: str) -> bool:
        """Whether the row binds ``code``."""
        if code.startswith(self.excepted):
            return False
        return any(code[: len(low)] >= low and code[: len(high)] <= high for low, high in self.spans)


@lru_cache(maxsize=65536)
def _bounds_of(code: str) -> tuple[Bound, ...]:
    """The rows that bind a code; most codes have none."""
    return tuple(bound for bound in bounds() if bound.names(code))


def _span(cell: str) -> tuple[str, str]:
    low, _, high = cell.partition("-")
    return low, high or low


@lru_cache(maxsize=1)
def bounds() -> tuple[Bound, ...]:
    """The rows of plausibility.tsv, those that block first."""
    rows = [
        Bound(
            row["rule"],
            tuple(_span(cell) for cell in split_cell(row["codes"])),
            tuple(split_cell(row["except"])),
            row["sex"],
            float(row["min_age"] or 0),
            float(row["max_age"] or 999),
            _ACTIONS[row["action"]],
            row["statement"],
            row["source"],
        )
        for row in read_table("plausibility.tsv")
    ]
    return tuple(sorted(rows, key=lambda bound: bound.action != "block"))


def implausible(code: str, *, age: float | None, sex: str, edition: Edition) -> Ruling | None:
    """Why a code cannot, or hardly can, apply to the patient.

    Parameters
    ----------
    code : str
        A code of ``edition``.
    age : float or None
        Years; None when unknown, then no rule of age speaks.
    sex : str
        ``female``, ``male`` or empty when unknown.
    edition : Edition
        Gives the title for the reason.

    Returns
    -------
    Ruling or None
        With action ``block`` or ``notice``; a block comes before a notice.

    Raises
    ------
    CodeError
        If a row speaks and ``code`` is not in the edition.
    """
    for bound in _bounds_of(code):
        wrong_sex = bool(bound.sex and sex and sex != bound.sex)
        wrong_age = age is not None and not bound.youngest <= age < _end(bound.oldest)
        if wrong_sex or wrong_age:
            known = f"{sex} patient" if wrong_sex else f"patient aged {age:g}"
            text = f"{bound.statement}: {edition.title(code)} does not fit a {known}"
            if bound.action == "notice":
                text = f"{bound.statement} ({known})"
            return Ruling(bound.rule, bound.action, code, text, bound.source)
    return None


def maternal_record(codes: list[str]) -> list[Ruling]:
    """Codes of chapter 16 beside codes of a pregnancy: they are never on the maternal record (I.C.16.a.1).

    A note on a child that tells of its mother's pregnancy has no code of a pregnancy: the age forbids it.
    """
    pregnant = tuple(c for c in codes if c[0] == "O" or c.startswith(_PREGNANT))
    text = "codes of the newborn are never used on the record of the mother"
    return [Ruling("plausible-newborn", "block", c, text, "I.C.16.a.1", pregnant) for c in codes if pregnant and c[0] == "P"]


def _end(oldest: float) -> float:
    """The age at which a bound ends: whole years last until the next birthday, except the ages that begin adulthood."""
    return oldest + 1 if oldest == 64 else oldest
