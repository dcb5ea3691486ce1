"""Documentation questions: the detail that is missing, the exact codes it leads to, the most valuable first."""

from __future__ import annotations

import re

import pytest

from lexicon.codes.edition import Edition
from lexicon.codes.registry import load_edition
from lexicon.vocabulary import Vocabulary, load_vocabulary
from models.options import Option
from models.problems import Problem
from models.rules.questions import MOST, questions_for
from nlp.finding import Finding

CODE = re.compile(r"\b[A-Z]\d[0-9A-Z](?:\.[0-9A-Z]{1,4})?\b")


@pytest.fixture(scope="module")
def edition() -> Edition:
    return load_edition("FY2026-April")


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return load_vocabulary()


def option(
    edition: Edition,
    code: str,
    *,
    side: str = "unspecified",
    sites: tuple[str, ...] = (),
    qualifiers: frozenset[str] = frozenset(),
) -> Option:
    problem = Problem("pain", "symptom", sites, side, qualifiers=qualifiers)
    return Option(code, edition.stem(code), edition.title(code), problem, 0, "facets")


@pytest.mark.parametrize(
    ("code", "side", "words", "codes"),
    [
        ("M25.569", "unspecified", "Which side?", ["M25.561", "M25.562"]),
        ("G56.00", "unspecified", "Which side?", ["G56.01", "G56.02", "G56.03"]),
        ("M75.101", "right", "Complete or partial?", ["M75.111", "M75.121"]),
        ("M54.10", "unspecified", "Which place or level?", ["M54.11", "M54.12", "M54.13", "M54.14"]),
        ("M54.50", "unspecified", "Which type?", ["M54.51"]),
        ("M51.369", "unspecified", "With or without?", ["M51.360", "M51.361", "M51.362"]),
        ("S06.0XAD", "unspecified", "Was there loss of consciousness?", ["S06.0X0D", "S06.0X1D", "S06.0X9D"]),
        ("S52.501D", "right", "Which type?", ["S52.511D", "S52.521D", "S52.531D", "S52.541D"]),
        ("S93.402D", "left", "Which place or level?", ["S93.412D", "S93.422D", "S93.432D"]),
    ],
)
def test_what_is_missing_and_where_it_leads(
    edition: Edition, vocabulary: Vocabulary, code: str, side: str, words: str, codes: list[str]
) -> None:
    questions = questions_for([option(edition, code, side=side)], [], edition, vocabulary)
    assert len(questions) == 1
    assert questions[0].startswith(words)
    assert CODE.findall(questions[0]) == [code, *codes]
    assert all(edition.is_billable(c) for c in CODE.findall(questions[0]))


@pytest.mark.parametrize("code", ["M17.11", "G51.0", "I69.320", "S83.511D", "M62.84"])
def test_nothing_to_ask_of_a_complete_code(edition: Edition, vocabulary: Vocabulary, code: str) -> None:
    assert questions_for([option(edition, code)], [], edition, vocabulary) == []


def test_displaced_by_default_is_asked(edition: Edition, vocabulary: Vocabulary) -> None:
    silent = questions_for([option(edition, "S72.142D", side="left")], [], edition, vocabulary)
    assert len(silent) == 1
    assert "S72.145D" in silent[0] and "I.C.19.c" in silent[0]
    said = option(edition, "S72.142D", side="left", qualifiers=frozenset({"displaced"}))
    assert questions_for([said], [], edition, vocabulary) == []


@pytest.mark.parametrize(("handedness", "asked"), [("", True), ("left", False), (None, False)])
def test_dominance_by_default_is_asked(edition: Edition, vocabulary: Vocabulary, handedness: str | None, asked: bool) -> None:
    questions = questions_for([option(edition, "I69.354", side="left")], [], edition, vocabulary, handedness=handedness)
    assert [("I69.352" in q and "I.C.6.a" in q) for q in questions] == ([True] if asked else [])


def test_vague_weakness_at_one_place_is_a_warning(edition: Edition, vocabulary: Vocabulary) -> None:
    focal = option(edition, "M62.81", side="right", sites=("hand",))
    questions = questions_for([focal], [], edition, vocabulary)
    assert len(questions) == 1
    assert questions[0].startswith("Medical necessity: M62.81")
    assert "right hand" in questions[0]
    assert questions_for([option(edition, "M62.81")], [], edition, vocabulary) == []


def test_suspicion_names_what_would_follow(edition: Edition, vocabulary: Vocabulary) -> None:
    mention = Finding("rotator_cuff_tear", "diagnosis", 0, 8, "RTC tear", assertion="uncertain")
    problem = Problem("rotator_cuff_tear", "diagnosis", ("rotator_cuff",), "right", "uncertain", mentions=[mention])
    questions = questions_for([], [problem], edition, vocabulary)
    assert len(questions) == 1
    codes = CODE.findall(questions[0])
    assert "M75.101" in codes
    assert all(edition.is_billable(c) for c in codes)
    assert "RTC" not in questions[0]


def test_side_first_then_type_and_no_more_than_eight(edition: Edition, vocabulary: Vocabulary) -> None:
    codes = ["M54.50", "M25.569", "M75.101", "S52.501D", "S93.402D", "G56.00", "M54.10", "M51.369", "S06.0XAD", "R26.9"]
    questions = questions_for([option(edition, code) for code in codes], [], edition, vocabulary)
    assert len(questions) == MOST == 8
    assert [CODE.search(q)[0] for q in questions[:2]] == ["M25.569", "G56.00"]  # type: ignore[index]
    assert not any("M54.50" in q for q in questions)


def test_external_causes_are_not_asked_about(edition: Edition, vocabulary: Vocabulary) -> None:
    assert questions_for([option(edition, "W18.30XD")], [], edition, vocabulary) == []
