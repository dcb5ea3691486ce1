"""Negation scored on gold quotes; negspacy where it is installed."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from typing import Any

import pytest

from corpora.negation import negspacy_judge, score_negation
from lexicon.errors import InputError

TEXT = "R knee OA. Denies numbness. No tingling, weak grip."
SPANS = [(TEXT.index(word), TEXT.index(word) + len(word)) for word in ("knee OA", "numbness", "tingling", "weak")]


@pytest.fixture
def gold(make_gold: Any) -> Any:
    note = make_gold(
        [{"accept": ["M17.11"], "evidence": "R knee OA"}, {"accept": ["R53.1"], "evidence": "weak grip"}], id="n", text=TEXT
    )
    forbidden = [
        {"code": "R20.0", "reason": "negated", "evidence": "Denies numbness"},
        {"code": "R20.2", "reason": "negated", "evidence": "No tingling"},
        {"code": "R52", "reason": "negated", "evidence": "."},  # holds no finding
        {"code": "R42", "reason": "uncertain", "evidence": "knee"},  # not about negation
    ]
    return note.model_validate({**note.model_dump(), "forbidden": forbidden})


def test_by_hand(gold: Any) -> None:
    def judge(text: str, spans: Sequence[tuple[int, int]]) -> list[bool]:
        return [text[start:end] in {"numbness", "weak"} for start, end in spans]

    score = score_negation("half", judge, [gold], lambda text: SPANS)
    assert (score.negated_right, score.negated, score.present_right, score.present) == (1, 2, 1, 2)
    assert (score.recall, score.specificity, score.unread) == (0.5, 0.5, 1)
    nothing = score_negation("none", lambda text, spans: [], [gold], lambda text: [])
    assert (nothing.recall, nothing.specificity, nothing.unread) == (None, None, 5)


def test_negspacy(gold: Any) -> None:
    if importlib.util.find_spec("negspacy") is None:
        with pytest.raises(InputError, match="pip install negspacy"):
            negspacy_judge()
        return
    assert negspacy_judge()(TEXT, SPANS)[:2] == [False, True]
