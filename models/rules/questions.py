"""Documentation questions: which missing detail would make a code more specific, and which codes it would give."""

from __future__ import annotations

from lexicon.codes.edition import Edition
from lexicon.facets import load_facets
from lexicon.vocabulary import Vocabulary
from models.options import Option
from models.problems import Problem


def questions_for(options: list[Option], problems: list[Problem], edition: Edition, vocabulary: Vocabulary) -> list[str]:
    """Questions for the recommended codes, most valuable first: side, then uncertain diagnoses."""
    facets = load_facets(edition)
    questions = []
    for option in options:
        own = facets[option.leaf]
        if own.side != "unspecified":
            continue
        siblings = {
            other.side: other.code
            for other in facets.below(option.leaf[:-1])
            if other.code != option.leaf and other.side in {"right", "left", "bilateral"} and other.sites == own.sites
            and other.qualifiers - {"unspecified", "bilateral_word"} == own.qualifiers - {"unspecified", "bilateral_word"}
        }
        if siblings:
            named = ", ".join(f"{side}: {code}" for side, code in sorted(siblings.items()))
            questions.append(f"Which side? {option.code} has no side; document it for {named}.")
    return questions
