"""One combination problem instead of two."""

from __future__ import annotations

from datetime import date

import pytest

import theracode
from models.combine import Combiner, load_combinations
from models.problems import Problem

DAY = date(2026, 3, 14)


@pytest.fixture(scope="module")
def combiner(coder: theracode.Coder) -> Combiner:
    return coder.combiner


def problem(concept: str, *sites: str, side: str = "unspecified", assertion: str = "present") -> Problem:
    return Problem(concept, "diagnosis", sites=sites, side=side, assertion=assertion)


def named(problems: list[Problem]) -> dict[str, str]:
    return {p.concept: p.replaced_by for p in problems}


def test_rows_name_concepts_that_exist(combiner: Combiner) -> None:
    combinations = load_combinations(combiner.vocabulary)
    assert len(combinations) > 40
    for row in combinations:
        assert {row.when, row.together, row.gives} <= combiner.vocabulary.concepts.keys()
        assert row.drops <= combiner.vocabulary.concepts.keys(), row


def test_low_back_pain_with_sciatica(combiner: Combiner) -> None:
    result = combiner.combine([problem("low_back_pain", "lumbar_spine"), problem("sciatica", side="right")])
    assert named(result) == {"lumbago_with_sciatica": "", "low_back_pain": "combination", "sciatica": "combination"}
    joined = next(p for p in result if p.concept == "lumbago_with_sciatica")
    assert joined.side == "right"
    assert set(joined.derived.split(" + ")) == {"low_back_pain", "sciatica"}


def test_the_specific_one_stays(combiner: Combiner) -> None:
    result = combiner.combine([problem("sarcopenia"), problem("generalized_muscle_weakness")])
    assert named(result) == {"sarcopenia": "", "generalized_muscle_weakness": "combination"}


def test_only_present_problems_combine(combiner: Combiner) -> None:
    result = combiner.combine([problem("low_back_pain", "lumbar_spine"), problem("sciatica", assertion="negated")])
    assert named(result) == {"low_back_pain": "", "sciatica": ""}


def test_other_regions_do_not_combine(combiner: Combiner) -> None:
    apart = combiner.combine([problem("disc_displacement", "cervical_disc"), problem("radiculopathy", "lumbar_spine")])
    together = combiner.combine([problem("disc_displacement", "lumbar_disc"), problem("radiculopathy", "lumbar_spine")])
    assert "combination" not in named(apart).values()
    assert named(together)["disc_radiculopathy"] == ""


def test_combining_twice_changes_nothing(combiner: Combiner) -> None:
    once = combiner.combine([problem("low_back_pain", "lumbar_spine"), problem("sciatica", side="left")])
    assert combiner.combine(once) == once


def test_nothing_to_combine(combiner: Combiner) -> None:
    alone = [problem("vertigo")]
    assert combiner.combine(alone) == alone
    assert combiner.combine([]) == []


@pytest.mark.parametrize(
    ("text", "code", "never"),
    [
        ("Low back pain with right sciatica.", "M54.41", ("M54.50", "M54.31")),
        ("Lumbar disc herniation L4-5 with radiculopathy.", "M51.16", ("M51.26", "M54.16")),
        ("Sarcopenia with generalized weakness.", "M62.84", ("M62.81", "R53.1")),
        ("Bell's palsy with facial droop.", "G51.0", ("R29.810",)),
    ],
)
def test_combination_code(coder: theracode.Coder, text: str, code: str, never: tuple[str, ...]) -> None:
    sequence = coder.suggest(text, date_of_service=DAY).sequence
    assert code in sequence
    assert not set(never) & set(sequence)


@pytest.mark.parametrize(
    ("text", "sequence"),
    [
        ("CHF, HTN. CKD stage 3.", ["I13.0", "I50.9", "N18.30"]),
        ("Lymphedema R arm post mastectomy.", ["I97.2", "Z90.11"]),  # the cause joins what lies apart
    ],
)
def test_combined_in_a_note(coder: theracode.Coder, text: str, sequence: list[str]) -> None:
    assert coder.suggest(text, date_of_service=DAY).sequence == sequence
