"""Plausibility: for whom a code can be."""

from __future__ import annotations

import pytest

from lexicon.codes.edition import Edition
from lexicon.codes.registry import load_edition
from models.rules.catalog import rule
from models.rules.plausibility import bounds, implausible


@pytest.fixture(scope="module")
def edition() -> Edition:
    return load_edition("FY2026-April")


@pytest.mark.parametrize(
    ("code", "age", "sex", "action"),
    [
        ("P59.9", 40, "", "block"),
        ("P59.9", 3, "", "notice"),
        ("P59.9", 0.01, "", ""),
        ("P14.0", 40, "", "notice"),
        ("Z38.00", 5, "", "block"),
        ("O26.711", 30, "male", "block"),
        ("O26.711", 30, "female", ""),
        ("O26.711", 64, "female", ""),
        ("O26.711", 70, "female", "block"),
        ("N40.1", 70, "female", "block"),
        ("N40.1", 70, "male", ""),
        ("N81.4", 70, "male", "block"),
        ("C50.911", 60, "male", "block"),
        ("C50.921", 60, "male", ""),
        ("N39.3", 60, "male", ""),
        ("R54", 10, "", "block"),
        ("R54", 30, "", "notice"),
        ("R54", 80, "", ""),
        ("M81.0", 12, "", "block"),
        ("M81.8", 12, "", ""),
        ("F80.0", 5, "", ""),
        ("F80.0", 45, "", "notice"),
        ("F80.81", 45, "", ""),
        ("S59.201D", 60, "", "block"),
        ("S59.201D", 12, "", ""),
        ("R63.31", 40, "", "block"),
        ("M17.11", 70, "male", ""),
        ("N40.1", None, "", ""),
    ],
)
def test_verdicts(edition: Edition, code: str, age: float | None, sex: str, action: str) -> None:
    ruling = implausible(code, age=age, sex=sex, edition=edition)
    assert (ruling.action if ruling else "") == action
    if ruling is not None:
        assert ruling.code == code
        assert rule(ruling.rule).family == "plausibility"
        assert ruling.verdict().text == ruling.text


def test_every_prefix_of_the_table_exists(edition: Edition) -> None:
    named = {prefix for bound in bounds() for span in bound.spans for prefix in span}
    assert {prefix for prefix in named if len(prefix) > 1 and prefix not in edition} == set()


def test_titles_of_one_sex_are_not_blocked_for_it(edition: Edition) -> None:
    for leaf in edition.leaves_below("N"):
        words = set(edition.title(leaf).lower().replace("(", " ").replace(")", " ").replace(",", " ").split())
        if "male" in words and "female" not in words:
            assert implausible(leaf, age=None, sex="male", edition=edition) is None
        if "female" in words and "male" not in words:
            assert implausible(leaf, age=None, sex="female", edition=edition) is None
