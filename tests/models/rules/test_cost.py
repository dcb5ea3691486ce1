"""What the rules cost: less than a tenth of a suggestion."""

from __future__ import annotations

from collections.abc import Callable
from time import process_time
from typing import Any

import pytest

import theracode
from corpora.loaders import load_corpus
from models.rules import decide

SHARE = 0.10


def test_rules_take_less_than_a_tenth_of_a_suggestion(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processor time of every rule (before and after ranking) against the whole, over the dev notes, best of three rounds."""
    coder = theracode.load()
    notes = [gold.to_note() for gold in load_corpus("therapy:dev")]
    spent = 0.0

    def timed(rules: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any, **named: Any) -> Any:
            nonlocal spent
            start = process_time()
            result = rules(*args, **named)
            spent += process_time() - start
            return result

        return run

    for name in ("decide", "mark_explained"):
        monkeypatch.setattr(decide, name, timed(getattr(decide, name)))
    shares = []
    for _ in range(4):  # the first round fills the caches
        spent, start = 0.0, process_time()
        for note in notes:
            coder.suggest(note)
        shares.append(spent / (process_time() - start))
    assert 0 < min(shares[1:]) < SHARE, shares
