"""The gold format: code patterns, closed values, defaults."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from pydantic import ValidationError

from corpora.schema import Corpus, GoldNote, corpus_digest, normal_code, pattern_matches


@pytest.mark.parametrize(
    ("pattern", "code", "expected"),
    [
        ("M17.11", "M17.11", True),
        ("M17.11", "M17.1", False),
        ("M62.5", "M62.50", False),
        ("I69.31-", "I69.319", True),
        ("I69.3-", "I69.41", False),
        ("F03-", "F03.90", True),
        ("F03-", "F03", True),
    ],
)
def test_pattern_matches(pattern: str, code: str, expected: bool) -> None:
    assert pattern_matches(pattern, code) is expected


@pytest.mark.parametrize(
    ("written", "normal"),
    [("f03.-", "F03-"), ("s83511d", "S83.511D"), ("M1A.0-", "M1A.0-"), ("R52", "R52"), ("z3a", "Z3A"), ("C441021", "C44.1021")],
)
def test_normal_code(written: str, normal: str) -> None:
    assert normal_code(written) == normal


def test_defaults_and_note_for_a_system(make_gold: Any) -> None:
    gold = make_gold([["m1711", "M17.11", "M17.9"]], id="x", text="R knee OA", setting="ortho")
    assert gold.date_of_service == date(2026, 4, 15)
    assert gold.required[0].accept == ("M17.11", "M17.9")
    assert gold.to_note().model_dump(exclude_defaults=True) == {
        "id": "x",
        "text": "R knee OA",
        "date_of_service": date(2026, 4, 15),
    }


def test_a_forbidden_pattern_never_hits_what_is_accepted(make_gold: Any) -> None:
    gold = make_gold([["I69.351"]], optional=["I69.391"], forbidden=[("I69.-", "uncertain")])
    assert [gold.forbids(code) is not None for code in ("I69.351", "I69.391", "I69.354", "R52")] == [False, False, True, False]
    assert [gold.is_required("I69.391"), gold.is_accepted("I69.391")] == [False, True]


@pytest.mark.parametrize(
    "fields",
    [
        {"id": ""},
        {"setting": "surgery"},
        {"requird": []},
        {"required": [{"accept": []}]},
        {"required": [{"accept": ["R52"], "role": "cause"}]},
        {"forbidden": [{"code": "R52", "reason": "because"}]},
    ],
)
def test_wrong_values_raise(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        GoldNote.model_validate({"id": "n", "text": "t", **fields})


def test_digest_sees_every_change_but_not_the_order(make_gold: Any) -> None:
    first, second = make_gold([["R52"]], id="a"), make_gold([["R42"]], id="b")
    assert corpus_digest([first, second]) == corpus_digest([second, first]) == Corpus("c", (first, second)).digest
    assert corpus_digest([first]) != corpus_digest([make_gold([["R52"]], id="a", text="other")])
    assert corpus_digest([first]) != corpus_digest([make_gold([["R51.9"]], id="a")])
