"""Assertion scored on marked words; negspacy where it is installed."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from corpora import negation
from corpora.marked import FILES, Mark, load_sentences, parse
from corpora.negation import (
    HEADER,
    Item,
    judged_finding,
    measure_assertion,
    measure_set,
    negspacy_judge,
    quote_items,
    render_table,
    score_values,
    sentence_items,
    table_rows,
    write_report,
)
from lexicon.errors import InputError
from nlp.pipeline import Reader

TEXT = "R knee OA. Denies numbness. No tingling, weak grip."
SPANS = [(TEXT.index(word), TEXT.index(word) + len(word)) for word in ("knee OA", "numbness", "tingling", "weak")]


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader()


def test_marks_are_taken_out_of_the_sentence() -> None:
    text, marks = parse("No <f assertion=negated>edema</f>, <f side=left assertion=present>L knee pain</f>.")
    assert text == "No edema, L knee pain."
    assert marks == (Mark(3, 8, {"assertion": "negated"}), Mark(10, 21, {"side": "left", "assertion": "present"}))


def test_every_value_is_marked_in_the_sentences() -> None:
    assert all(load_sentences(name) for name in FILES)
    for name in FILES:
        marked = {value for item in sentence_items(name) for *_, value in item.marks}
        assert marked == {*negation.VALUES, "present"}


def test_figures_by_hand() -> None:
    pairs = [
        ("a", [("negated", "negated"), ("negated", "present"), ("present", "negated")]),
        ("b", [("negated", "negated"), ("family", "negated")]),
    ]
    scores = score_values(pairs, ("negated", "family", "uncertain"))
    assert (scores["negated"].marks, scores["negated"].precision, scores["negated"].f1) == (3, 0.5, round(4 / 7, 6))
    assert scores["negated"].recall == round(2 / 3, 6)
    assert (scores["family"].marks, scores["family"].precision, scores["family"].recall) == (1, None, 0)
    assert (scores["uncertain"].marks, scores["uncertain"].f1) == (0, None)


def test_a_set_counts_what_is_not_judged_and_lists_misses(reader: Reader) -> None:
    text = "Denies numbness, blorp; at high risk of falls. R knee pain."
    words = {"numbness": "present", "blorp": "negated", "falls": "hypothetical", "knee pain": "present"}
    item = Item("one", text, tuple((text.index(w), text.index(w) + len(w), value) for w, value in words.items()))
    result = measure_set("own", [item], {"never": lambda _, spans: ["present"] * len(spans)}, reader=reader, own=True)
    assert (result.texts, result.judged, result.unread) == (1, 2, 2)
    assert [(miss.words, miss.marked, miss.read) for miss in result.misses] == [("numbness", "present", "negated")]
    assert list(result.readers["never"]) == ["negated"] and list(result.readers["theracode"]) == list(negation.VALUES)
    assert measure_set("notes", [item], {}, reader=reader, own=False).misses == ()


def test_a_status_that_says_more_stands_for_no_finding_in_it(reader: Reader) -> None:
    findings = reader.read("At high risk of falls. Denies vertigo.").findings
    assert judged_finding(findings, 16, 21) is None
    vertigo = judged_finding(findings, 30, 37)
    assert vertigo is not None and vertigo.assertion == "negated"


def test_gold_quotes_tell_negation(make_gold: Any) -> None:
    note = make_gold([{"accept": ["M17.11"], "evidence": "R knee OA"}, {"accept": ["R53.1"]}], id="n", text=TEXT)
    forbidden = [
        {"code": "R20.0", "reason": "negated", "evidence": "Denies numbness"},
        {"code": "R42", "reason": "uncertain", "evidence": "knee"},  # not about negation
    ]
    note = note.model_validate({**note.model_dump(), "forbidden": forbidden})
    assert quote_items([note]) == [Item("n", TEXT, ((11, 26, "negated"), (0, 9, "present")))]


def test_negspacy() -> None:
    if importlib.util.find_spec("negspacy") is None:
        with pytest.raises(InputError, match=r"pip install 'theracode\[baselines\]'"):
            negspacy_judge()
        return
    assert negspacy_judge()(TEXT, SPANS)[:2] == ["present", "negated"]


def test_without_negspacy_one_line_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def absent() -> Any:
        raise InputError("this comparison needs negspacy: pip install it")

    def few(name: str) -> Sequence[Item]:
        return sentence_items(name)[:3]

    monkeypatch.setattr(negation, "negspacy_judge", absent)
    monkeypatch.setattr(negation, "load_corpus", lambda name: ())
    monkeypatch.setattr(negation, "FILES", FILES[:1])
    monkeypatch.setattr(negation, "sentence_items", few)
    result = measure_assertion()
    assert result.skipped == ("negspacy skipped: this comparison needs negspacy: pip install it",)
    assert [part.name for part in result.sets] == ["development", "therapy:dev"] and "negspacy" not in result.versions
    assert {row[3] for row in table_rows(result)} == {"theracode"}
    assert [column.header for column in render_table(result).columns] == list(HEADER)
    data, page = write_report(result, tmp_path)
    assert json.loads(data.read_text())["sets"][0]["texts"] == 3
    assert page.read_text().splitlines()[0] == f"| {' | '.join(HEADER)} |"
