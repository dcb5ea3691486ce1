"""Injury or chronic, fragility fracture, aftercare, pain and falls: the cases of the guidelines."""

from __future__ import annotations

import pytest

from lexicon.codes.edition import Edition
from lexicon.codes.registry import load_edition
from lexicon.vocabulary import Vocabulary, load_vocabulary
from models.options import Option
from models.problems import Problem
from models.rules.chronicity import (
    Coded,
    aftercare_or_injury,
    coded_of,
    counterparts,
    fall_codes,
    fragility_fracture,
    injury_or_chronic,
    osteoporotic_code,
    pain_codes,
    rulings,
)
from nlp.finding import Finding


@pytest.fixture(scope="module")
def edition() -> Edition:
    return load_edition("FY2026-April")


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return load_vocabulary()


def coded(code: str, *facts: str, sites: tuple[str, ...] = (), side: str = "unspecified") -> Coded:
    return Coded(code, sites, side, frozenset(facts))


@pytest.mark.parametrize(
    ("facts", "action", "code", "other"),
    [
        (("chronic",), "block", "S46.011D", ("M75.121",)),
        (("old",), "block", "S46.011D", ("M75.121",)),
        (("traumatic",), "block", "M75.121", ("S46.011D",)),
        (("acute", "chronic"), "ask", "S46.011D", ("M75.121",)),
        ((), "ask", "S46.011D", ("M75.121",)),
    ],
)
def test_one_tear_in_two_chapters(
    vocabulary: Vocabulary, facts: tuple[str, ...], action: str, code: str, other: tuple[str, ...]
) -> None:
    items = [coded("M75.121", *facts, side="right"), coded("S46.011D", side="right")]
    rulings = injury_or_chronic(items, vocabulary)
    assert [(r.action, r.code, r.other) for r in rulings] == [(action, code, other)]


def test_other_side_is_another_condition(vocabulary: Vocabulary) -> None:
    items = [coded("M75.121", "chronic", side="left"), coded("S46.011D", side="right")]
    assert injury_or_chronic(items, vocabulary) == []


@pytest.mark.parametrize(
    ("item", "instead"),
    [
        (coded("S83.241D", "old"), ("M23.2", "M23.3")),
        (coded("M66.361", "acute", "traumatic"), ("S46", "S56", "S66", "S76", "S86", "S96")),
    ],
)
def test_a_code_that_contradicts_its_time(vocabulary: Vocabulary, item: Coded, instead: tuple[str, ...]) -> None:
    rulings = injury_or_chronic([item], vocabulary)
    assert [(r.action, r.code, r.other) for r in rulings] == [("prefer", item.code, instead)]


@pytest.mark.parametrize("item", [coded("S83.241D", "acute"), coded("S83.241S", "old"), coded("M17.11", "chronic")])
def test_a_code_that_fits_its_time(vocabulary: Vocabulary, item: Coded) -> None:
    assert injury_or_chronic([item], vocabulary) == []


def test_every_prefix_of_the_table_exists(edition: Edition) -> None:
    prefixes = {prefix for row in counterparts() for prefix in (*row.chronic, *row.injury)}
    assert {prefix for prefix in prefixes if prefix not in edition} == set()


@pytest.mark.parametrize(
    ("problem", "encounter", "facts"),
    [
        (Problem("rotator_cuff_tear", "diagnosis", acuity="chronic"), "subsequent", {"chronic"}),
        (Problem("ankle_sprain", "injury", cause="fall_curb"), "initial", {"traumatic", "minor_trauma", "initial"}),
        (Problem("fracture", "injury", cause="mva_driver"), "subsequent", {"traumatic", "major_trauma"}),
        (Problem("ankle_sprain", "injury", cause="overuse"), "subsequent", set()),
        (Problem("history_of_falls", "status"), "subsequent", {"past_fall"}),
        (Problem("chronic_pain_syndrome", "diagnosis"), "subsequent", {"pain_syndrome"}),
    ],
)
def test_facts_of_an_option(vocabulary: Vocabulary, problem: Problem, encounter: str, facts: set[str]) -> None:
    option = Option("X", "X", "", problem, 0, "facets")
    assert coded_of(option, encounter=encounter, vocabulary=vocabulary).facts >= facts
    assert coded_of(option, encounter=encounter, vocabulary=vocabulary).facts - facts <= {"chronic"}


def test_side_of_the_title_and_site_of_the_mention_count(vocabulary: Vocabulary) -> None:
    mention = Finding("total_knee_arthroplasty", "procedure", 0, 3, "TKA", sites=("knee",))
    problem = Problem("aftercare_joint_replacement", "aftercare", side="bilateral", mentions=[mention])
    item = coded_of(Option("X", "X", "of joint, right knee", problem, 0, "facets"), encounter="subsequent", vocabulary=vocabulary)
    assert (item.sites, item.side) == (("knee",), "right")


def test_option_without_problem_is_as_written(vocabulary: Vocabulary) -> None:
    item = coded_of(Option("G89.4", "G89.4", "", None, 0, "text"), encounter="initial", vocabulary=vocabulary)
    assert item == coded("G89.4", "as_written")
    assert pain_codes([item], vocabulary) == []


def test_all_rules_together(edition: Edition, vocabulary: Vocabulary) -> None:
    items = [coded("S72.141D", "minor_trauma"), coded("M81.0"), coded("Z47.89"), coded("G89.29")]
    found = rulings(items, edition, vocabulary)
    assert [(r.rule, r.code) for r in found] == [
        ("fragility-fracture", "S72.141D"),
        ("fragility-fracture", "M81.0"),
        ("aftercare-not-for-injury", "Z47.89"),
        ("pain-g89", "G89.29"),
    ]


def test_osteoporosis_and_a_minor_fall(edition: Edition) -> None:
    items = [coded("M81.0"), coded("S72.141D", "minor_trauma", side="right")]
    rulings = fragility_fracture(items, edition)
    assert [(r.action, r.code, r.other) for r in rulings] == [
        ("replace", "S72.141D", ("M80.051D",)),
        ("block", "M81.0", ("M80.051D",)),
    ]


def test_osteoporosis_and_unknown_trauma_is_asked(edition: Edition) -> None:
    rulings = fragility_fracture([coded("M81.0"), coded("S52.501D")], edition)
    assert [(r.action, r.other) for r in rulings] == [("ask", ("M80.031D",))]


@pytest.mark.parametrize(
    "items",
    [
        [coded("S72.141D", "minor_trauma")],
        [coded("M81.0"), coded("S72.141D", "major_trauma")],
        [coded("M81.0"), coded("S93.402D", "minor_trauma")],
        [coded("M81.0"), coded("S72.141S", "minor_trauma")],
    ],
)
def test_fracture_stays_traumatic(edition: Edition, items: list[Coded]) -> None:
    assert fragility_fracture(items, edition) == []


def test_m81_not_beside_m80(edition: Edition) -> None:
    rulings = fragility_fracture([coded("M80.08XD"), coded("M81.0")], edition)
    assert [(r.code, r.other) for r in rulings] == [("M81.0", ("M80.08XD",))]


@pytest.mark.parametrize(
    ("fracture", "side", "expected"),
    [
        ("S22.080G", "unspecified", "M80.08XG"),
        ("S72.001B", "unspecified", "M80.051A"),
        ("S52.502K", "left", "M80.032K"),
        ("S32.599D", "right", "M80.0B1D"),
        ("S02.0XXD", "unspecified", ""),
    ],
)
def test_site_side_and_letter_of_the_osteoporotic_code(edition: Edition, fracture: str, side: str, expected: str) -> None:
    assert osteoporotic_code(fracture, side, edition) == expected
    assert not expected or edition.is_billable(expected)


@pytest.mark.parametrize("aftercare", ["Z47.1", "Z47.89", "Z48.02"])
def test_no_aftercare_code_for_an_injury(vocabulary: Vocabulary, aftercare: str) -> None:
    rulings = aftercare_or_injury([coded("S72.141D"), coded(aftercare), coded("Z96.641")], vocabulary)
    assert [(r.action, r.code, r.other) for r in rulings] == [("block", aftercare, ("S72.141D",))]
    assert "I.C.19.a" in rulings[0].source


def test_aftercare_of_a_disease_or_another_place_stays(vocabulary: Vocabulary) -> None:
    assert aftercare_or_injury([coded("Z47.1"), coded("Z96.651"), coded("M17.12")], vocabulary) == []
    elsewhere = [coded("Z47.1", sites=("knee",), side="right"), coded("S63.502D", sites=("wrist",), side="left")]
    assert aftercare_or_injury(elsewhere, vocabulary) == []


@pytest.mark.parametrize(
    ("items", "management", "action"),
    [
        ([coded("G89.29", "chronic"), coded("M17.11")], False, "block"),
        ([coded("G89.29"), coded("M54.50")], False, "block"),
        ([coded("G89.29", "chronic"), coded("M54.50")], False, "notice"),
        ([coded("G89.11", "acute"), coded("M54.2")], True, "notice"),
        ([coded("G89.29", "chronic"), coded("M48.061")], True, ""),
        ([coded("G89.4", "pain_syndrome"), coded("M79.7")], False, ""),
        ([coded("G89.4", "chronic")], False, "prefer"),
        ([coded("G89.4")], False, "block"),
    ],
)
def test_pain_codes(vocabulary: Vocabulary, items: list[Coded], management: bool, action: str) -> None:
    rulings = pain_codes(items, vocabulary, pain_management=management)
    assert [r.action for r in rulings] == ([action] if action else [])


def test_order_of_pain_codes_follows_the_reason_for_the_visit(vocabulary: Vocabulary) -> None:
    items = [coded("G89.11", "acute"), coded("M54.2")]
    assert pain_codes(items, vocabulary, pain_management=True)[0].text.startswith("G89.11 before M54.2")
    assert pain_codes(items, vocabulary)[0].text.startswith("M54.2 before G89.11")


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ([coded("R29.6", "past_fall")], [("prefer", "R29.6", ("Z91.81",))]),
        ([coded("Z91.81", "recent_fall")], [("notice", "Z91.81", ("R29.6",))]),
        ([coded("R29.6", "recent_fall"), coded("Z91.81", "past_fall")], []),
        ([coded("R29.6")], []),
    ],
)
def test_falls(items: list[Coded], expected: list[tuple[str, str, tuple[str, ...]]]) -> None:
    assert [(r.action, r.code, r.other) for r in fall_codes(items)] == expected
