"""The Alphabetic Index as a test set."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from corpora.baselines import FunctionSystem
from corpora.index_terms import SHARED_INDEX, IndexTerm, evaluate_terms, read_index, term_text
from lexicon.errors import InputError
from models.coding import Coding, Note
from ui.cli import app


@pytest.mark.parametrize(
    ("path", "natural"),
    [
        (["Pain", "joint", "knee"], "joint pain knee"),
        (["Disease, diseased", "pelvis, pelvic", "female NEC"], "pelvis disease female"),
        (["Node", "Heberden's"], "Heberden's node"),
        (["Foreign body", "superficial, without open wound", "ankle"], "foreign body superficial, without open wound ankle"),
        (["Spondylosis", "with", "myelopathy NEC"], "spondylosis with myelopathy"),
        (["TMJ syndrome"], "TMJ syndrome"),
        (["Abasia (-astasia)"], "abasia"),
    ],
)
def test_term_text(path: list[str], natural: str) -> None:
    assert term_text(path) == natural
    assert term_text(path, "printed") == " ".join(path)


def test_read_index(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"path": ["Pain", "knee"], "code": "M25.56-", "valid_2026": "stem"},
        {"path": ["Pain", "knee"], "code": "M25.569", "valid_2026": True},
        {"path": ["Cholera"], "code": "A00.9", "valid_2026": True},
        {"path": ["Old"], "code": "M99.99", "valid_2026": False},
        {"path": ["Lumbago"], "see": "Pain"},
        {"path": ["Aftercare", "joint replacement"], "code": "Z47.1", "valid_2026": True},
        {"path": ["Vaccination"], "code": "Z23", "valid_2026": True},
        {"path": ["Sequelae", "stroke NOS"], "code": "I69.30", "valid_2026": True},
    ]
    path = tmp_path / "index.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows) + "\n")
    terms = read_index(path)
    assert [(term.pattern, term.chapter) for term in terms] == [("M25.56-", "M"), ("Z47.1-", "Z"), ("I69.30-", "I69")]
    assert {term.path[0]: term.held_back for term in terms} == {"Pain": True, "Aftercare": True, "Sequelae": False}
    assert IndexTerm(("Pain", "hip"), "M25.55-").held_back  # by main term
    path.write_text('{"term": "x"}')
    with pytest.raises(InputError, match="line 1"):
        read_index(path)


def test_evaluate(make_coding: Any) -> None:
    answers = {
        "knee pain": make_coding("M25.511, M25.561!, R52x"),
        "weakness": make_coding("R52, R55, R42, R05.9, R11.0, R53.1"),  # sixth
        "dizziness": make_coding("R42x"),  # blocked
    }
    asked: list[Note] = []

    def answer(note: Note) -> Coding:
        asked.append(note)
        coding: Coding = answers[note.text]
        return coding

    terms = [IndexTerm(("Pain", "knee"), "M25.56-"), IndexTerm(("Weakness",), "R53.1-"), IndexTerm(("Dizziness",), "R42-")]
    result = evaluate_terms(FunctionSystem("fixed", answer), terms)
    assert (result.system, result.terms) == ("fixed", 3)
    assert result.share == pytest.approx(1 / 3)
    assert result.by_chapter == {"M": (1, 1.0), "R": (2, 0.0)}
    assert [(miss.text, miss.expected, miss.given) for miss in result.misses] == [
        ("weakness", "R53.1-", ("R52", "R55", "R42", "R05.9", "R11.0")),
        ("dizziness", "R42-", ()),
    ]
    assert len(asked) == 3
    sampled = evaluate_terms(FunctionSystem("fixed", answer), terms, limit=2, seed=1)
    assert sampled.terms == 2
    assert sampled == evaluate_terms(FunctionSystem("fixed", answer), terms, limit=2, seed=1)
    assert evaluate_terms(FunctionSystem("fixed", answer), []).share == 0


@pytest.mark.skipif(not SHARED_INDEX.is_file(), reason="the official index is not at hand")
def test_bench_of_the_index(monkeypatch: pytest.MonkeyPatch) -> None:
    few = read_index(SHARED_INDEX)[:40]
    monkeypatch.setattr("corpora.index_terms.read_index", lambda path: few)
    result = CliRunner().invoke(app, ["bench", "index", "--system", "theracode", "--format", "json"])
    assert result.exit_code == 0
    (told,) = json.loads(result.stdout)
    assert told["terms"] == 40 and 0 <= told["share"] <= 1
