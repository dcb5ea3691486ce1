"""Adverse effects of drugs: the T36-T50 code beside a disease that a drug caused.

The tabular list asks for it at the disease ("use additional code for adverse effect, if applicable, to identify drug
(T36-T50 with fifth or sixth character 5)"). It is added only when the note names a drug.
"""

from __future__ import annotations

from dataclasses import dataclass

from lexicon.codes.edition import CodeNote, Edition
from lexicon.vocabulary import Vocabulary
from nlp.finding import CauseMention, Reading

_SPEAKS_OF_DRUGS = "T36"


@dataclass(frozen=True, slots=True)
class AdverseEffect:
    """A T36-T50 code, the disease that asks for it, the note that says so and the drug in the note."""

    code: str
    disease: str
    note: CodeNote
    mention: CauseMention


def adverse_effects(
    reading: Reading, codes: list[str], encounter: str, edition: Edition, vocabulary: Vocabulary
) -> list[AdverseEffect]:
    """Adverse-effect codes for the reported diseases.

    Parameters
    ----------
    reading : Reading
        Its causes of kind ``drug``; one that is negated or of the family does not count.
    codes : list of str
        Codes about to be reported.
    encounter : str
        Decides the 7th character.
    edition : Edition
    vocabulary : Vocabulary

    Returns
    -------
    list of AdverseEffect
        At most one for each disease that asks for it: the drug named nearest to the start of the note.
    """
    drugs = [m for m in reading.causes if m.kind == "drug" and m.assertion not in {"negated", "family"}]
    if not drugs:
        return []
    letter = {"initial": "A", "subsequent": "D", "sequela": "S"}[encounter]
    found = []
    for code in codes:
        note = next(
            (
                n
                for n in edition.notes(code, kinds=("use_additional",))
                if n.stands_at[:3] == code[:3] and any(r.low.startswith(_SPEAKS_OF_DRUGS) for r in n.references)
            ),
            None,
        )
        if note is None or not _by_drug(edition.title(code)):
            continue
        for mention in drugs:
            stem = next((s for s in vocabulary.causes[mention.cause][1] if s in edition), "")
            if stem and note.names(stem) and edition.sevenths(stem):
                found.append(AdverseEffect(edition.with_seventh(stem, letter), code, note, mention))
                break
    return found


def _by_drug(title: str) -> bool:
    """Whether the title itself says that a drug did it; "if applicable" needs that."""
    low = title.lower()
    return any(word in low for word in ("drug", "ototoxic", "medic", "toxic"))
