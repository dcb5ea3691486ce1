"""Highlighting, cards and the claim list, as pure functions."""

from __future__ import annotations

import re
from datetime import date
from html import unescape
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lexicon.tables import read_table
from models.audit import AuditFinding, AuditReport
from models.coder import Explanation
from models.coding import Coding, Evidence, RuleVerdict, Suggestion
from models.options import FEATURE_NAMES
from models.ranker import Part
from ui import view

TEXT = "R knee OA & <b>pain</b>, s/p R TKA"


def suggestion(rank: int, code: str, spans: list[tuple[int, int]], *, text: str = TEXT, **changes: object) -> Suggestion:
    """A suggestion with evidence at the given offsets."""
    fields: dict[str, object] = {
        "rank": rank, "code": code, "title": f"Title <of> {code}", "probability": 0.9, "status": "recommended",
        "role": "diagnosis", "evidence": [Evidence(start=s, end=e, text=text[s:e]) for s, e in spans], "reasons": ["side: right"],
    }  # fmt: skip
    return Suggestion.model_validate({**fields, **changes})


def coding(*items: Suggestion, questions: tuple[str, ...] = ()) -> Coding:
    """A coding of the items; the recommended ones are its sequence."""
    return Coding(
        id="n1", edition="FY2026-April", date_of_service=date(2026, 3, 14), encounter="subsequent", suggestions=list(items),
        sequence=[item.code for item in items if item.status == "recommended"], notices=[], questions=list(questions),
    )  # fmt: skip


BLOCKED = suggestion(
    2, "R53.1", [(0, 6)], status="blocked",
    rule=RuleVerdict(id="excludes1", text="Excludes1 at R53.1: <x>", source="I.A.12.a", blocked_by=["M17.11"]),
)  # fmt: skip


@pytest.mark.parametrize(
    ("probability", "word"),
    [(1.0, "very likely"), (0.8, "very likely"), (0.79, "likely"), (0.5, "even chance"), (0.2, "possible"), (0.0, "unlikely")],
)
def test_every_probability_has_a_word(probability: float, word: str) -> None:
    assert view.probability_word(probability) == word


def test_overlapping_spans_are_cut_at_every_border() -> None:
    pieces = view.segments("abcdef", [(0, 4, 1), (2, 6, 2)])
    assert [(piece.text, piece.numbers, piece.ending) for piece in pieces] == [
        ("ab", (1,), ()), ("cd", (1, 2), (1,)), ("ef", (2,), (2,)),
    ]  # fmt: skip


def test_nested_equal_and_impossible_spans() -> None:
    pieces = view.segments("abcd", [(0, 4, 1), (1, 2, 2), (1, 2, 2), (3, 9, 3), (2, 2, 4), (-1, 2, 5)])
    assert [(piece.text, piece.numbers) for piece in pieces] == [("a", (1,)), ("b", (1, 2)), ("cd", (1,))]


@given(st.text(max_size=40), st.lists(st.tuples(st.integers(-2, 45), st.integers(-2, 45), st.integers(1, 9)), max_size=8))
def test_segments_give_the_text_back_and_cover_what_the_spans_cover(text: str, spans: list[tuple[int, int, int]]) -> None:
    pieces = view.segments(text, spans)
    assert "".join(piece.text for piece in pieces) == text
    position = 0
    for piece in pieces:
        expected = {n for s, e, n in spans if 0 <= s < e <= len(text) and s <= position and e >= position + len(piece.text)}
        assert set(piece.numbers) == expected
        position += len(piece.text)


@given(st.text(max_size=60))
def test_the_note_is_escaped_and_complete(text: str) -> None:
    spans = [(0, len(text))] if text else []
    shown = view.note_html(text, coding(suggestion(1, "M17.11", spans, text=text)), ["M17.11"])
    plain = re.sub(r"<sup[^>]*>\d+</sup>|<[^>]*>", "", shown)
    assert unescape(plain) == text


def test_markup_in_the_note_stays_text_and_numbers_stand_beside_the_evidence() -> None:
    shown = view.note_html(TEXT, coding(suggestion(1, "M17.11", [(2, 9)]), BLOCKED), ["M17.11"])
    assert "<b>" not in shown and "&lt;b&gt;pain" in shown
    assert '<mark class="tc-e tc-n1">' in shown and 'evidence for suggestion 1">1</sup>' in shown
    assert "suggestion 2" not in shown, "a code that is not marked shows only when its card is pointed at"
    assert '<span class="tc-e tc-n2">R </span>' in shown


def test_a_question_goes_to_the_card_of_its_code() -> None:
    cards = view.deck(
        coding(suggestion(1, "M17.1", []), suggestion(3, "M17.11", []), BLOCKED,
               questions=("Which side? M17.11 is vague.", "Which hand is dominant?"))
    )  # fmt: skip
    assert [card.missing for card in cards.recommended] == [(), ("Which side? M17.11 is vague.",)]
    assert cards.questions == ["Which hand is dominant?"]
    assert [card.code for card in cards.blocked] == ["R53.1"]


def test_a_card_says_probability_in_figures_and_words_and_escapes_the_title() -> None:
    shown = view.card_html(view.deck(coding(suggestion(1, "M17.11", [(2, 9)]))).recommended[0], "Accepted")
    assert "90 % · very likely" in shown and "width:90%" in shown and "Accepted" in shown
    assert "Title &lt;of&gt; M17.11" in shown and "<q>knee OA</q>" in shown and "side: right" in shown


def test_a_blocked_card_cites_its_rule_and_shows_no_probability() -> None:
    shown = view.card_html(view.deck(coding(suggestion(1, "M17.11", []), BLOCKED)).blocked[0])
    assert "Not reported beside M17.11" in shown and "&lt;x&gt;" in shown and "(I.A.12.a)" in shown
    assert "tc-prob" not in shown


def test_the_claim_list_keeps_the_sequence_and_moves_inside_its_ends() -> None:
    assert view.ordered(["Z99.0", "B", "A", "B"], ["A", "B"]) == ["A", "B", "Z99.0"]
    assert view.moved(["A", "B", "C"], "C", -1) == ["A", "C", "B"]
    assert view.moved(["A", "B"], "A", -1) == ["A", "B"]
    assert view.moved(["A", "B"], "X", 1) == ["A", "B"]
    assert view.claim_text(["A", "B"]) == "A, B"
    assert [view.place_word(position) for position in range(3)] == ["first-listed", "2", "3"]


def test_payers_get_two_lists() -> None:
    lists = view.claim_lists(["M17.11", "R26.2", "Z96.651", "M62.81", "S52.521D"])
    assert [(name, codes) for name, _, codes in lists] == [
        ("Medical diagnosis", ["M17.11", "Z96.651", "S52.521D"]),
        ("Treatment diagnosis", ["R26.2", "M62.81"]),
    ]
    _, (name, hint, codes) = view.claim_lists(["M17.11"])
    assert not codes and "not coded beside it" in view.claim_list_html(name, hint, empty=True)
    assert "waits" in view.claim_html("", "R26.2", "<b>") and "<b>" not in view.claim_html("", "R26.2", "<b>")


def test_what_carried_a_probability_is_told_in_words() -> None:
    parts = (Part("margin", 1.0, True), Part("weight", 0.9, False), Part("past", -0.8, True), Part("mentions", 0.5, False))
    told = view.carried(Explanation(0.7, parts), 0.7)
    assert told == (("no other code comes near", "named once"), ("a matter of the past",)), "what has no words is left out"
    assert view.carried(Explanation(0.7, parts), 0.7, top=1) == (("no other code comes near",), ())
    assert view.carried(Explanation(0.7, parts), 0.6) == ((), ()), "another probability is another model"
    assert view.carried(None, 0.7) == ((), ())
    (card,) = view.deck(coding(suggestion(1, "M17.11", [])), {"M17.11": Explanation(0.9, parts)}).recommended
    assert "<strong>For it:</strong> no other code comes near" in view.card_html(card)
    assert "<strong>Against it:</strong> a matter of the past" in view.card_html(card)


def test_every_feature_has_words() -> None:
    rows = read_table(str(Path(view.__file__).with_name("feature_words.tsv")))
    assert sorted(row["feature"] for row in rows) == list(FEATURE_NAMES) and all(row["above"] for row in rows)


def test_hovering_rules_name_every_card() -> None:
    css = view.hover_css(coding(suggestion(1, "M17.11", []), BLOCKED))
    assert ".st-key-card_1:hover" in css and ".st-key-card_2:focus-within" in css and css.startswith("<style>")


def test_an_audit_is_summed_up_and_corrected() -> None:
    report = AuditReport(
        id="n", edition="FY2027", codes=["M54.5"],
        findings=[
            AuditFinding(code="M54.5", kind="not_billable", severity="error", message="divided <further>", citation="I.B.2",
                         correction=["M54.50", "M54.59"]),
            AuditFinding(code="R53.1", kind="unsupported", severity="warning", message="no support", citation="IV.J"),
        ],
    )  # fmt: skip
    shown = view.audit_html(report)
    assert "1 error, 1 warning" in shown and "Report M54.50 or M54.59" in shown and "Remove the code" in shown
    assert "Divided &lt;further&gt;" in shown
    assert view.correction_text(["A", "B"], "order") == "report in this order: A, B"
    assert view.correction_text(["A"], "missing") == "add A"
    assert "No findings" in view.audit_html(AuditReport(id="n", edition="FY2027", codes=["M54.50"], findings=[]))
