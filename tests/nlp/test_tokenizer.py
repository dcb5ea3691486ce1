"""The tokenizer: nothing of a note is lost, and the shorthand of therapists stays whole."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.lang.en import English

from lexicon.normal import normal_form, phrase, tokenize
from nlp.draft import draft_of
from nlp.tokenizer import ClinicalTokenizer

TOKENIZER = ClinicalTokenizer(English().vocab)
CLINICAL = st.sampled_from(
    [
        "(R)",
        "Ⓡ",
        "R/L",
        "B/L",
        "L4-5",
        "s/p",
        "c/o",
        "2/2",
        "3+/5",
        "↓",
        "POD#5",
        "x3",
        "c̄",
        "•",
        "-",
        "'",
        "|",
        "knee",
        "\t",
        "\r\n",
        "\n\n",
        " ",
        "  ",
    ]
)

CUTS = [
    ("(R) knee", ["(", "R", ")", "knee"]),
    ("Ⓡ knee, Ⓛ hip", ["Ⓡ", "knee", ",", "Ⓛ", "hip"]),
    ("R/L knees", ["R", "/", "L", "knees"]),
    ("B/L knees", ["B/L", "knees"]),
    ("R>L", ["R", ">", "L"]),
    ("L4-5 and L5-S1", ["L4-5", "and", "L5-S1"]),
    ("C5/6, T12-L1", ["C5/6", ",", "T12-L1"]),
    ("s/p TKA", ["s/p", "TKA"]),
    ("c/o LBP", ["c/o", "LBP"]),
    ("w/o AD", ["w/o", "AD"]),
    ("w/ RW", ["w/", "RW"]),
    ("2/2 CVA", ["2/2", "CVA"]),
    ("3+/5, 4-/5, 5/5", ["3+/5", ",", "4-/5", ",", "5/5"]),
    ("7/10", ["7", "/", "10"]),
    ("↓ROM ↑pain", ["↓", "ROM", "↑", "pain"]),
    ("POD#5", ["POD", "#", "5"]),
    ("x3 wks", ["x3", "wks"]),
    ("amb c̄ RW s̄ LOB", ["amb", "c̄", "RW", "s̄", "LOB"]),
    ("denies N/T, b/b", ["denies", "N/T", ",", "b/b"]),
    ("(-) SLR, (+) Hawkins", ["(-)", "SLR", ",", "(+)", "Hawkins"]),
    ("M54.50 and M17.11.", ["M54.50", "and", "M17.11", "."]),
    ("10/2/2025 10:30", ["10", "/", "2", "/", "2025", "10", ":", "30"]),
    ("pain.Denies", ["pain", ".", "Denies"]),
    ("right-sided", ["right", "-", "sided"]),
    ("Bell's, Bell\u2019s", ["Bell's", ",", "Bell\u2019s"]),
    ("120°/90°", ["120", "°", "/", "90", "°"]),
    ("Müller naïve", ["Müller", "naïve"]),
    ("膝の痛み", ["膝の痛み"]),
]

CONTENT = [
    ("• knee pain", ["•", "knee", "pain"]),
    ("- knee pain", ["-", "knee", "pain"]),
    ("1. knees\n2) hips", ["1", ".", "knee", "2", ")", "hip"]),
    ("right-sided Bell's palsy", ["right", "sided", "bell", "palsy"]),
    ("0-135", ["0", "135"]),
    ("L4-5", ["l4-l5"]),
    ("L5-1", ["l5-s1"]),
    ("Müller oedema", ["muller", "edema"]),
    ('"frozen" shoulders', ["frozen", "shoulder"]),
    ("R\t120\tL\t135", ["r", "120", "l", "135"]),
    ("| knee | 4/5 | 5/5 |", ["|", "knee", "|", "4/5", "|", "5/5", "|"]),
]


def pieces(text: str) -> list[str]:
    """Texts of the tokens without white space."""
    return [token.text for token in TOKENIZER(text) if not token.is_space]


@pytest.mark.parametrize(("text", "expected"), CUTS)
def test_shorthand_is_cut(text: str, expected: list[str]) -> None:
    assert pieces(text) == expected


@pytest.mark.parametrize(("text", "expected"), CONTENT)
def test_content_tokens_are_normal_forms_without_hyphens_and_quotes(text: str, expected: list[str]) -> None:
    assert draft_of(TOKENIZER(text)).words == expected


def test_lines_and_breaks_are_counted() -> None:
    draft = draft_of(TOKENIZER("knee\nhip\r\nfoot\n\nhand\rwrist arm"))
    assert draft.lines == [0, 1, 2, 4, 5, 5]
    assert draft.breaks == [0, 1, 1, 2, 1, 0]


@given(st.one_of(st.text(), st.lists(st.one_of(CLINICAL, st.text(max_size=3))).map("".join)))
@settings(max_examples=400, deadline=None)
def test_no_character_is_lost_and_offsets_are_those_of_the_note(text: str) -> None:
    doc = TOKENIZER(text)
    draft = draft_of(doc)
    assert doc.text == text
    for word, start, end, position in zip(draft.words, draft.starts, draft.ends, draft.doc_index, strict=True):
        assert (doc[position].idx, doc[position].text) == (start, text[start:end])
        assert word == normal_form(text[start:end])
    assert draft.starts == sorted(draft.starts)


@given(st.lists(st.one_of(CLINICAL, st.text(alphabet="abcRL45/+-.' ", max_size=6))).map(" ".join))
@settings(max_examples=200, deadline=None)
def test_tables_and_notes_are_cut_alike(text: str) -> None:
    from_notes = [word for word in draft_of(TOKENIZER(text)).words if word not in "-\u2013"]
    assert from_notes == [word for word in phrase(text) if word not in "-\u2013"]
    assert [token.text for token in tokenize(text)] == pieces(text)
