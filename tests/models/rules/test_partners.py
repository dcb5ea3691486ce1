"""Codes that belong beside a reported one: added where documented, asked for where it matters, never without cause."""

from __future__ import annotations

from datetime import date

import pytest

import theracode
from lexicon.codes.edition import Edition
from lexicon.codes.registry import load_edition
from models.rules.partners import bmi_code, gestation_code, partner_notes
from models.rules.questions import reminders

DAY = date(2026, 3, 14)


@pytest.fixture(scope="module")
def coder() -> theracode.Coder:
    return theracode.load()


@pytest.fixture(scope="module")
def edition() -> Edition:
    return load_edition("FY2026-April")


@pytest.mark.parametrize(
    ("text", "sequence"),
    [
        ("Alzheimer's disease with dementia. SLP.", ["G30.9", "F02.80"]),
        ("Parkinson's disease with dementia. Gait training.", ["G20.A1", "F02.80"]),
        ("Dx: L knee pain, morbid obesity, BMI 42.3.", ["M25.562", "E66.01", "Z68.41"]),
        ("Pelvic girdle pain in pregnancy, 32 weeks.", ["O26.893", "Z3A.32"]),
        ("Type 2 diabetes with peripheral neuropathy, on insulin.", ["E11.42", "Z79.4"]),
        ("Type 1 diabetes, insulin pump, polyneuropathy.", ["E10.42", "Z79.4"]),
        ("Diabetic foot ulcer right heel, T2DM on insulin.", ["E11.621", "L97.419", "Z79.4"]),
        ("Post-COVID condition with fatigue.", ["R53.83", "U09.9"]),
        ("Stroke, oropharyngeal dysphagia.", ["I69.391", "R13.12"]),
        ("sarcopenia, statin myopathy", ["G72.0", "M62.84", "T46.6X5D"]),
    ],
)
def test_documented_partners_stand_in_their_order(coder: theracode.Coder, text: str, sequence: list[str]) -> None:
    coding = coder.suggest(text, date_of_service=DAY)
    assert coding.sequence == sequence
    assert all(s.evidence for s in coding.recommended)


@pytest.mark.parametrize(
    ("text", "never"),
    [
        ("R knee OA. BMI 42.", "Z68"),  # only beside a diagnosis (I.C.21.c.3)
        ("Dx: obesity, 14 y/o, BMI 31. L knee pain.", "Z68"),  # adult codes from 20 years on
        ("Pelvic girdle pain in pregnancy, obesity, BMI 36, 32 weeks pregnant.", "Z68"),  # not in pregnancy (I.C.21.c.3)
        ("Diastasis recti postpartum, 8 weeks.", "Z3A"),
        ("Pregnant, 28 weeks gestation, low back pain.", "P07"),  # never on the maternal record (I.C.16.a.1)
        ("Pregnant, 28 weeks gestation, low back pain.", "Z33"),  # the O code says it (I.C.21.c.11)
    ],
)
def test_what_is_not_added(coder: theracode.Coder, text: str, never: str) -> None:
    assert not [c for c in coder.suggest(text, date_of_service=DAY).sequence if c.startswith(never)]


def test_a_premature_child_keeps_its_code(coder: theracode.Coder) -> None:
    coding = coder.suggest("3 mo infant born at 28 weeks, torticollis.", date_of_service=DAY)
    assert "P07.31" in coding.sequence


@pytest.mark.parametrize(
    ("value", "code"),
    [(17.0, "Z68.1"), (20.0, "Z68.20"), (34.9, "Z68.34"), (40.0, "Z68.41"), (47.0, "Z68.42"), (55.0, "Z68.43"), (75.0, "Z68.45")],
)
def test_bmi_code(edition: Edition, value: float, code: str) -> None:
    assert bmi_code(value) == code
    assert edition.is_billable(code)


@pytest.mark.parametrize(("weeks", "code"), [(5, "Z3A.01"), (8, "Z3A.08"), (30, "Z3A.30"), (42, "Z3A.42")])
def test_gestation_code(edition: Edition, weeks: int, code: str) -> None:
    assert gestation_code(weeks) == code
    assert edition.is_billable(code)


def test_partner_notes_are_those_of_the_category_and_below(edition: Edition) -> None:
    assert {n.stands_at for n in partner_notes(edition, "E11.621")} == {"E11", "E11.621"}
    assert partner_notes(edition, "M25.561") == ()


def test_every_reminder_repeats_a_note_of_the_tabular_list(edition: Edition) -> None:
    for row in reminders():
        for code in row.codes:
            leaf = edition.leaves_below(code)[0]
            notes = edition.notes(leaf, kinds=(row.kind,))
            text = " ".join(note.text for note in notes)
            partners = [leaf for prefix in row.partner for leaf in edition.leaves_below(prefix)]
            named = any(note.names(partner) for note in notes for partner in partners)
            assert notes, code
            assert named or not partners or row.partner == ("Z3A",) or "T36-T50" in text, (code, text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Dx: Z47.1. Therapy.", "Which joint was replaced"),
        ("Pelvic girdle pain in pregnancy.", "In which week is the pregnancy"),
        ("Type 2 diabetes with foot ulcer.", "Where is the ulcer"),
        ("Dx: obesity. L knee pain.", "What is the body mass index"),
        ("Dx: F02.80. Cognitive therapy.", "Which disease causes it? The code of the cause stands before F02.80"),
    ],
)
def test_what_is_not_documented_is_asked_for(coder: theracode.Coder, text: str, words: str) -> None:
    assert [q for q in coder.suggest(text, date_of_service=DAY).questions if q.startswith(words)]


@pytest.mark.parametrize("text", ["R knee OA, HTN.", "s/p R TKA 3 weeks ago.", "L ankle sprain, DM2.", "Stroke, R hemiparesis."])
def test_other_codes_are_not_flooded(coder: theracode.Coder, text: str) -> None:
    assert not [q for q in coder.suggest(text, date_of_service=DAY).questions if "asks for it" in q]


def test_a_reminder_keeps_silent_where_its_answer_may_not_stand(coder: theracode.Coder) -> None:
    coding = coder.suggest("Obese female 45 y/o, 20 weeks pregnant, LBP.", date_of_service=DAY)
    assert "E66.9" in coding.sequence
    assert not [q for q in coding.questions if "body mass index" in q]
