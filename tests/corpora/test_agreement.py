"""Agreement of two coders against values computed by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from corpora.agreement import agreement, codings_of, kappa_of, read_codings
from lexicon.errors import InputError

FIRST = {"a": ["M17.11", "R26.9"], "b": ["m5450"], "c": []}
SECOND = {"a": ["M17.12", "R26.9"], "b": ["M54.50"], "c": ["R52"]}


def test_by_hand() -> None:
    found = agreement(FIRST, SECOND)
    assert found.notes == 3
    assert found.f1 == pytest.approx(2 * 2 / (3 + 4))  # R26.9 and M54.50 agree
    assert found.f1_category == pytest.approx(2 * 3 / 7)
    assert found.exact_notes == pytest.approx(1 / 3)
    # 5 codes x 3 notes = 15 decisions: both 2, first only 1, second only 2, neither 10
    observed = 12 / 15
    expected = (3 / 15) * (4 / 15) + (12 / 15) * (11 / 15)
    assert found.kappa == pytest.approx((observed - expected) / (1 - expected))
    # categories M17, R26, M54, R52: 12 decisions: both 3, second only 1, neither 8
    expected = (3 / 12) * (4 / 12) + (9 / 12) * (8 / 12)
    assert found.kappa_category == pytest.approx((11 / 12 - expected) / (1 - expected))


def test_bounds_and_symmetry() -> None:
    assert agreement(FIRST, FIRST).f1 == agreement(FIRST, FIRST).kappa == 1
    assert agreement({"a": []}, {"a": []}).kappa == 1
    assert agreement(FIRST, SECOND).f1 == agreement(SECOND, FIRST).f1
    assert kappa_of({"a": ["R52"]}, {"a": ["R42"]}) == -1
    with pytest.raises(InputError, match="1 notes were coded by one coder only"):
        agreement(FIRST, {**SECOND, "d": []})


def test_reading(tmp_path: Path, make_gold: Any) -> None:
    path = tmp_path / "coder.jsonl"
    path.write_text('{"id": "a", "codes": ["m1711"]}\n\n{"id": "b", "required": [{"accept": ["R52", "R42"]}]}\n')
    assert read_codings(path) == {"a": ["M17.11"], "b": ["R52"]}
    assert codings_of([make_gold([["R52", "R42"], ["M17.11"]])]) == {"n": ["R52", "M17.11"]}
    path.write_text('{"id": "a"}')
    with pytest.raises(InputError, match="line 1"):
        read_codings(path)
    with pytest.raises(InputError, match="cannot be read"):
        read_codings(tmp_path / "none")
