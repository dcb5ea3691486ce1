"""Numbers that decide a code: body mass index, weeks of gestation, loss of consciousness."""

from __future__ import annotations

import pytest

from nlp.measures import measures_in
from nlp.pipeline import Reader


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("BMI 34.5", "bmi", 34.5),
        ("body mass index of 41", "bmi", 41.0),
        ("Pregnant, 28 weeks", "gestation", 28.0),
        ("G1P0 at 32 weeks gestation", "gestation", 32.0),
        ("28w3d pregnant", "gestation", 28.0),
        ("first pregnancy, 30 weeks and 2 days", "gestation", 30.0),
        ("no LOC", "unconscious", 0.0),
        ("did not lose consciousness", "unconscious", 0.0),
        ("LOC x 30-45 min", "unconscious", 45.0),
        ("one hour LOC", "unconscious", 60.0),
        ("LOC for a few minutes", "unconscious", 10.0),
        ("He was unconscious for nine days", "unconscious", 12960.0),
    ],
)
def test_measure(text: str, kind: str, value: float) -> None:
    (measure,) = measures_in(text)
    assert (measure.kind, measure.value) == (kind, value)
    assert text[measure.start : measure.end]


@pytest.mark.parametrize(
    "text",
    [
        "goal BMI 25",
        "BMI 85th percentile",
        "born at 28 weeks gestation",
        "ex-28 weeker",
        "postpartum 6 weeks",
        "seen 3x/wk",
        "LOC?",
    ],
)
def test_no_measure(text: str) -> None:
    assert measures_in(text) == []


def test_the_reading_holds_the_first_of_each_kind() -> None:
    reading = Reader().read("BMI 36.2, last year BMI 40. Knee pain.")
    measure = reading.measure("bmi")
    assert measure is not None
    assert measure.value == 36.2
    assert reading.measure("gestation") is None
