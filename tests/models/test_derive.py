"""Problems that follow from others: after a stroke, after an operation, after an accident."""

from __future__ import annotations

from datetime import date

import pytest

import theracode
from models.derive import LATE_EFFECT, Deriver
from models.problems import Problem, problems_of

DAY = date(2026, 3, 14)


def derived(coder: theracode.Coder, text: str, *, acute: bool = False, year: int = 2026) -> list[Problem]:
    reading = coder.reader.read(text)
    problems = coder.combiner.combine(problems_of(reading, coder.vocabulary))
    return coder.deriver.derive(problems, acute=acute, reading=reading, year=year)


def live(problems: list[Problem]) -> set[str]:
    return {p.concept for p in problems if not p.replaced_by and p.assertion == "present"}


# ---------------------------------------------------------------- stroke (I.C.9.d)


@pytest.mark.parametrize(
    ("text", "codes", "never"),
    [
        ("R facial droop since stroke", ["I69.392"], ["R29.810", "I63.9"]),
        ("Aphasia after hemorrhagic stroke.", ["I69.120"], ["R47.01", "I61.9"]),
        ("Aphasia after stroke.", ["I69.320"], ["R47.01", "I63.9"]),  # stroke NOS counts as infarction
        ("Stroke 2 months ago, oropharyngeal dysphagia.", ["I69.391", "R13.12"], ["I63.9"]),
        ("L hemiparesis after CVA.", ["I69.354"], ["G81.94", "I63.9"]),
    ],
)
def test_deficit_after_a_stroke(coder: theracode.Coder, text: str, codes: list[str], never: list[str]) -> None:
    sequence = coder.suggest(text, date_of_service=DAY).sequence
    assert sequence == codes
    assert not set(never) & set(sequence)


def test_the_deficit_is_sought_in_i69_and_its_own_code_is_replaced(coder: theracode.Coder) -> None:
    problems = [p for p in derived(coder, "Aphasia after stroke.") if p.concept == "aphasia"]
    assert [(p.stems, p.replaced_by) for p in problems] == [(("I69.320",), ""), ((), "stroke")]


def test_dysphagia_keeps_its_own_code_beside_the_sequela(coder: theracode.Coder) -> None:
    """I69.391 asks for R13.1- as an additional code."""
    problems = [p for p in derived(coder, "Oropharyngeal dysphagia after stroke.") if p.concept.startswith("dysphagia")]
    assert [p.replaced_by for p in problems] == ["", ""]
    assert {p.stems for p in problems} == {("I69.391",), ()}


def test_a_past_stroke_without_deficit_is_history(coder: theracode.Coder) -> None:
    (stroke,) = [p for p in derived(coder, "History of stroke, no deficit. R knee pain.") if "stroke" in p.concept]
    assert (stroke.stems, stroke.kind) == (("Z86.73",), "status")


def test_an_acute_stroke_is_left_alone(coder: theracode.Coder) -> None:
    assert {stem[:3] for p in derived(coder, "Acute stroke with aphasia.", acute=True) for stem in p.stems} == {"I63"}


# ---------------------------------------------------------------- aftercare (I.C.21.c.7, II.K)


@pytest.mark.parametrize(
    ("text", "sequence"),
    [
        ("R TKA 2 weeks ago for OA, here for PT.", ["Z47.1", "Z96.651"]),
        ("Bilateral TKA for OA, rehab.", ["Z47.1", "Z96.653"]),
        ("s/p L THA, L hip OA.", ["Z47.1", "Z96.642"]),
        ("R hip fracture treated with R THA, gait training.", ["S72.001D", "Z96.641"]),  # after an injury no aftercare code
    ],
)
def test_joint_replacement(coder: theracode.Coder, text: str, sequence: list[str]) -> None:
    assert coder.suggest(text, date_of_service=DAY).sequence == sequence


def test_the_arthritis_of_the_replaced_joint_is_gone(coder: theracode.Coder) -> None:
    problems = derived(coder, "s/p R TKA for R knee OA. L knee OA.")
    arthritis = {p.side: p.replaced_by for p in problems if p.concept == "osteoarthritis"}
    assert "osteoarthritis" in {p.concept for p in problems}
    coding = coder.suggest("s/p R TKA for R knee OA.", date_of_service=DAY)
    blocked = {s.code: s.rule.id for s in coding.suggestions if s.status == "blocked" and s.rule}
    assert blocked["M17.11"] == "condition-gone"
    assert arthritis.get("left", "") == ""


def test_an_old_replacement_is_only_a_status(coder: theracode.Coder) -> None:
    sequence = coder.suggest("R THA 2019. Now L knee pain.", date_of_service=DAY).sequence
    assert sequence == ["M25.562", "Z96.641"]


def test_aftercare_is_added_once(coder: theracode.Coder) -> None:
    problems = derived(coder, "s/p R TKA and L THA last month.")
    assert [p.concept for p in problems].count("aftercare_joint_replacement") == 1


# ---------------------------------------------------------------- accidents


def test_an_accident_without_a_named_injury(coder: theracode.Coder) -> None:
    assert live(derived(coder, "Hit by a car. Now PT.")) == {"injury_unspecified"}


def test_a_named_injury_needs_no_unnamed_one(coder: theracode.Coder) -> None:
    assert "injury_unspecified" not in live(derived(coder, "Hit by a car, R ankle sprain."))


def test_deriving_adds_nothing_to_plain_problems(coder: theracode.Coder) -> None:
    problems = [Problem("vertigo", "symptom")]
    assert Deriver(coder.vocabulary).derive(problems) == problems


# ---------------------------------------------------------------- numbers and late effects


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Concussion without LOC. PT follow-up.", "S06.0X0D"),
        ("Concussion with loss of consciousness of 10 minutes.", "S06.0X1D"),
        ("Concussion, LOC 45 min.", "S06.0X9D"),  # a concussion knows no longer duration
        ("TBI with LOC 45 minutes.", "S06.9X2D"),
        ("TBI, unconscious for 3 hours.", "S06.9X3D"),
        ("Diffuse axonal injury, unconscious for nine days.", "S06.2X5D"),
    ],
)
def test_loss_of_consciousness(coder: theracode.Coder, text: str, code: str) -> None:
    assert code in coder.suggest(text, date_of_service=DAY).sequence


@pytest.mark.parametrize(("weeks", "code"), [(10, "O26.891"), (20, "O26.892"), (28, "O26.893")])
def test_the_week_tells_the_trimester(coder: theracode.Coder, weeks: int, code: str) -> None:
    text = f"First pregnancy, {weeks} weeks, pelvic girdle pain."
    assert coder.suggest(text, date_of_service=DAY).sequence[0] == code


def test_type_1_diabetes_takes_its_complications_along(coder: theracode.Coder) -> None:
    problems = {p.concept: p for p in derived(coder, "Type 1 diabetes, polyneuropathy.")}
    assert problems["diabetic_polyneuropathy"].stems == ("E10.42",)


def test_a_diabetic_ulcer_is_two_codes(coder: theracode.Coder) -> None:
    found = [p.stems for p in derived(coder, "Diabetic foot ulcer right heel.") if p.concept == "diabetic_foot_ulcer"]
    assert found == [("E11.621", "E10.621"), ("L97",)]


def test_an_injury_behind_a_late_effect_is_marked(coder: theracode.Coder) -> None:
    text = "Contracture of left elbow after old humerus fracture, late effect."
    (injury,) = [p for p in derived(coder, text) if p.kind == "injury"]
    assert injury.assertion == "present"
    assert LATE_EFFECT in injury.qualifiers


def test_an_injury_without_a_residual_is_not_marked(coder: theracode.Coder) -> None:
    assert not [p for p in derived(coder, "Old humerus fracture, late effect.") if LATE_EFFECT in p.qualifiers]
