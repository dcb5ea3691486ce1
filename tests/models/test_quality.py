"""The shipped model on the dev split: a floor, so that a change that costs quality is noticed. The test split stays unseen."""

from __future__ import annotations

import pytest

import theracode
from corpora.metrics import NoteScore, score_note, value_of
from corpora.schema import GoldNote

FLOORS = {"recall@5": 0.854, "f1": 0.743}  # measured value minus 0.03


@pytest.fixture(scope="module")
def scores(coder: theracode.Coder, dev_notes: list[GoldNote]) -> list[NoteScore]:
    return [score_note(gold, coder.suggest(gold.to_note())) for gold in dev_notes]


@pytest.mark.parametrize(("metric", "floor"), FLOORS.items())
def test_quality_on_dev_is_not_below_the_floor(scores: list[NoteScore], metric: str, floor: float) -> None:
    value = value_of(scores, metric)
    assert value is not None
    assert value >= floor


@pytest.mark.parametrize("metric", ["unbillable", "excludes1"])
def test_nothing_that_a_payer_rejects(scores: list[NoteScore], metric: str) -> None:
    assert value_of(scores, metric) == 0
