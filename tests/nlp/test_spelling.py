"""Misspelled terms are read, and no real word is ever turned into a diagnosis."""

from __future__ import annotations

import pytest
from english_words import get_english_words_set

from lexicon.normal import normal_form
from lexicon.tables import read_table, split_cell
from nlp import Reader
from nlp.mentions import Mentions

MISSPELLED = [
    ("planter facitis", "plantar_fasciitis"),
    ("R planter fascitis", "plantar_fasciitis"),
    ("plantar fasciaitis", "plantar_fasciitis"),
    ("cervical radiculopthy", "radiculopathy_cervical"),
    ("radiculopaty", "radiculopathy"),
    ("L hemiparisis", "hemiparesis"),
    ("L hemiperesis", "hemiparesis"),
    ("hip arthoplasty", "total_hip_arthroplasty"),
    ("knee arthroplsty", "total_knee_arthroplasty"),
    ("sciatca", "sciatica"),
    ("adhesive capsulitus", "adhesive_capsulitis"),
    ("shoulder bursitus", "shoulder_bursitis"),
    ("scholiosis", "scoliosis"),
    ("fibromyalga", "fibromyalgia"),
    ("osteoarthrits of the knee", "osteoarthritis"),
    ("dysphaga", "dysphagia"),
    ("lymphadema", "lymphedema"),
    ("spondylolithesis", "spondylolisthesis"),
]
# Words one or two letters from a term that mean something else.
REAL = ["osteoarthritic", "tendinopathic", "naturopathy", "podalgia", "hyperemic", "adducent", "hypohidrosis"]
REAL += ["starling", "chariot", "praying", "adjective", "realty", "overnight", "concurred", "cystoscopy"]


@pytest.fixture(scope="module")
def mentions() -> Mentions:
    return Mentions(correct_spelling=True)


@pytest.mark.parametrize(("text", "concept"), MISSPELLED)
def test_misspelled_term_is_read(text: str, concept: str, reader: Reader) -> None:
    assert [finding.concept for finding in reader.read(text).findings] == [concept]


def test_corrected_finding_says_so_and_keeps_the_words_of_the_note(reader: Reader) -> None:
    [wrong] = reader.read("L hemiparisis").findings
    [right] = reader.read("L hemiparesis").findings
    assert (wrong.text, wrong.corrected, wrong.side) == ("hemiparisis", True, "left")
    assert (right.text, right.corrected) == ("hemiparesis", False)


@pytest.mark.parametrize("word", REAL)
def test_real_word_stays_itself(word: str, mentions: Mentions) -> None:
    assert mentions.corrected([word]) == ([word], set())


def test_no_english_word_is_corrected(mentions: Mentions) -> None:
    """Every word of two large dictionaries (Webster's Second, GCIDE); what the message lists belongs in never_corrected.tsv."""
    english = get_english_words_set(["web2", "gcide"], alpha=True, lower=True)
    words = sorted({normal_form(word) for word in english})
    assert len(words) > 200_000
    read, changed = mentions.corrected(words)
    assert [f"{words[index]} -> {read[index]}" for index in sorted(changed)] == []


def test_never_corrected_lists_only_words_that_would_be(mentions: Mentions) -> None:
    listed = [word for row in read_table("never_corrected.tsv") for word in split_cell(row["word"])]
    assert len(listed) == len(set(listed)) and listed
    assert mentions.corrected(listed)[1] == set()


def test_short_words_numbers_and_known_words_are_left_alone(mentions: Mentions) -> None:
    words = ["knea", "l4-l5", "3/5", "hemiparesis", "pain", "xqzwvut"]
    assert mentions.corrected(words) == (words, set())
