"""Symptoms beside their disease: integral ones are not reported, others are (I.B.5, I.B.6, I.C.18.b)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from lexicon.tables import read_table, split_cell
from lexicon.vocabulary import Vocabulary


@dataclass(frozen=True, slots=True)
class Integral:
    """Codes of symptoms, codes of the diseases they are part of, and where both must be."""

    symptoms: tuple[str, ...]
    diseases: tuple[str, ...]
    where: str
    source: str


@lru_cache(maxsize=1)
def integral_table() -> tuple[Integral, ...]:
    """The rows of integral_symptoms.tsv that make a symptom integral (``never`` rows document what is kept)."""
    return tuple(
        Integral(tuple(split_cell(r["symptom"])), tuple(split_cell(r["explained_by"])), r["where"], r["source"])
        for r in read_table("integral_symptoms.tsv")
        if r["where"] != "never"
    )


@lru_cache(maxsize=16384)
def rows_of(symptom: str) -> tuple[Integral, ...]:
    """The rows that may make a code an integral symptom; most codes have none."""
    return tuple(row for row in integral_table() if symptom.startswith(row.symptoms))


def explains(
    symptom: str,
    symptom_sites: tuple[str, ...],
    symptom_side: str,
    disease: str,
    disease_sites: tuple[str, ...],
    disease_side: str,
    vocabulary: Vocabulary,
) -> Integral | None:
    """The row that makes ``symptom`` an integral part of ``disease``, or None.

    Parameters
    ----------
    symptom, disease : str
        Codes.
    symptom_sites, disease_sites : tuple of str
        Sites of the two; an unknown site of the symptom counts as the same.
    symptom_side, disease_side : str
        A symptom of the other side is never explained.
    """
    for row in rows_of(symptom):
        if not disease.startswith(row.diseases) or disease.startswith(row.symptoms):
            continue
        if row.where in {"any", "region"}:  # the codes of a region name it themselves
            return row
        if symptom_side in {"right", "left"} and disease_side in {"right", "left"} and symptom_side != disease_side:
            continue
        if not symptom_sites:
            return row
        if disease_sites and any(_near(a, b, vocabulary) for a in symptom_sites for b in disease_sites):
            return row
    return None


def _near(first: str, second: str, vocabulary: Vocabulary) -> bool:
    if vocabulary.related(first, second):
        return True
    shared = set(vocabulary.lineage(first)[:2]) & set(vocabulary.lineage(second)[:3])
    return any(len(vocabulary.lineage(site)) > 2 for site in shared)  # the same limb or trunk is not the same place
