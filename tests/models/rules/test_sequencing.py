"""Which code stands where, and what may never stand first."""

from __future__ import annotations

from datetime import date
from itertools import permutations

import pytest

import theracode
from lexicon.codes.edition import Edition
from lexicon.codes.registry import load_edition
from models.rules.sequencing import may_lead, order

DAY = date(2026, 3, 14)


@pytest.fixture(scope="module")
def coder() -> theracode.Coder:
    return theracode.load()


@pytest.fixture(scope="module")
def edition() -> Edition:
    return load_edition("FY2026-April")


@pytest.mark.parametrize(
    "right",
    [
        ["G20.A1", "F02.80"],  # etiology, manifestation
        ["I69.391", "R13.12"],  # code first, if applicable
        ["G72.0", "M62.84"],
        ["E11.621", "L97.419", "Z79.4"],  # use additional, status last
        ["Z47.1", "Z96.651"],  # aftercare, presence of the joint
        ["Z47.81", "Z89.511"],
        ["M24.522", "S42.302S"],  # residual, cause with S
        ["G82.54", "S14.105S"],
        ["R53.83", "U09.9"],  # what is left, post COVID-19
        ["E66.01", "Z68.41"],
        ["S93.402D", "Z91.81", "W10.9XXD"],  # injury, status, external cause
    ],
)
def test_order_from_any_start(edition: Edition, right: list[str]) -> None:
    for codes in permutations(right):
        lead = {code: index / 10 for index, code in enumerate(codes)}  # the ranker's opinion does not lift the rule
        assert order(list(codes), lead, edition)[0] == right


def test_the_note_that_moved_a_code_is_told(edition: Edition) -> None:
    _, reasons = order(["R13.12", "I69.391"], {"R13.12": 0.9, "I69.391": 0.1}, edition)
    assert reasons == [
        "I69.391 before R13.12: code first note at R13.1 (', if applicable, dysphagia following cerebrovascular disease "
        "(I69. with final characters -91)')"
    ]


def test_first_listed_is_the_chief_reason(edition: Edition) -> None:
    assert order(["I10", "M17.11"], {"I10": 0.1, "M17.11": 0.8}, edition) == (["M17.11", "I10"], [])


@pytest.mark.parametrize(
    ("code", "may"), [("M17.11", True), ("Z47.1", True), ("F02.80", False), ("W19.XXXD", False), ("Y99.0", False)]
)
def test_may_lead(edition: Edition, code: str, may: bool) -> None:
    assert may_lead(code, edition) is may


@pytest.mark.parametrize(
    ("text", "code", "rule"),
    [
        ("Dx: F02.80. Cognitive therapy.", "F02.80", "manifestation-not-first"),
        ("Dx: G63. Balance training.", "G63", "manifestation-not-first"),
        ("Dx: W19.XXXA", "W19.XXXA", "external-cause-last"),
    ],
)
def test_what_may_not_be_first_is_blocked_where_nothing_can_lead(coder: theracode.Coder, text: str, code: str, rule: str) -> None:
    coding = coder.suggest(theracode.Note(text=text, date_of_service=DAY, external_causes=True))
    assert coding.sequence == []
    (blocked,) = [s for s in coding.suggestions if s.code == code]
    assert blocked.rule is not None
    assert blocked.rule.id == rule


@pytest.mark.parametrize(
    ("text", "sequence"),
    [
        ("Contracture of left elbow after old humerus fracture, late effect.", "S42"),
        ("Post-traumatic OA R ankle after old trimalleolar fracture, sequela of fracture.", "S82.85"),
    ],
)
def test_late_effects(coder: theracode.Coder, text: str, sequence: str) -> None:
    codes = coder.suggest(text, date_of_service=DAY).sequence
    assert codes[0][0] == "M"
    (injury,) = [c for c in codes if c[0] == "S"]
    assert injury.startswith(sequence)
    assert injury[-1] == "S"


def test_a_healed_injury_without_late_effect_is_not_coded(coder: theracode.Coder) -> None:
    codes = coder.suggest("R knee OA. PMH: L ankle fracture 2001, healed.", date_of_service=DAY).sequence
    assert not [c for c in codes if c[0] == "S"]


@pytest.mark.parametrize(
    ("text", "sequence"),
    [
        ("Chronic low back pain, visit for pain management.", ["G89.29", "M54.50"]),
        ("Chronic low back pain.", ["M54.50"]),
        ("Chronic pain syndrome, low back pain.", ["M54.50", "G89.4"]),
    ],
)
def test_pain_codes_and_the_reason_of_the_visit(coder: theracode.Coder, text: str, sequence: list[str]) -> None:
    assert coder.suggest(text, date_of_service=DAY).sequence == sequence


def test_medical_and_treatment_diagnoses_are_told_apart(coder: theracode.Coder) -> None:
    def roles(text: str) -> dict[str, str]:
        return {s.code: s.role for s in coder.suggest(text, date_of_service=DAY).recommended}

    assert roles("R knee OA, unsteady gait, R knee pain.") == {"M17.11": "diagnosis", "R26.81": "treatment"}
    assert roles("R knee pain, unsteady gait.") == {"M25.561": "symptom", "R26.81": "symptom"}
