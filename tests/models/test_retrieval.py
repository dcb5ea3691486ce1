"""Text retrieval: what each part of the score is for, and how much of the official index it reaches."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from lexicon.codes import load_edition
from lexicon.normal import phrase
from lexicon.tables import read_table, split_cell
from lexicon.vocabulary import load_vocabulary
from models.retrieval import TitleIndex, compound_meanings, load_titles, lookup, stem_word

INDEX = Path(__file__).parents[3] / "shared" / "data" / "icd10cm_index_2017_dev.jsonl"
SAMPLE = 12  # every 12th term of the index
FLOORS = {"M": 0.90, "S": 0.88, "R": 0.85, "G": 0.84}


@pytest.fixture(scope="module")
def titles() -> TitleIndex:
    return load_titles(load_edition())


def found(titles: TitleIndex, text: str, top: int = 5) -> list[str]:
    return [leaf for leaf, _ in titles.search(phrase(text), top=top, alone=True)]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("nosebleed", "R04.0"),  # a synonym
        ("avascular necrosis of hip", "M87"),  # a phrase, and a site that the title names by its region
        ("hip joint, avascular necrosis", "M87"),  # turned round
        ("puncture, toe, great, right", "S91.131"),  # an inverted site, a side, and what the title says "without"
        ("puncture, toe, great, right, with damage to nail", "S91.231"),
        ("facial weakness following cerebrovascular disease", "I69.992"),
        ("stroke with right facial droop", "I69.392"),
        ("weak, weakening, weakness", "R53.1"),  # variants of the main term
        ("tetraplegia", "G82.50"),
        ("Kawasaki's syndrome", "M30.3"),  # a possessive meets the eponym in brackets
        ("tennis elbow left", "M77.12"),
        ("osteomyelitis, acute, tibia", "M86.16"),  # the title says "tibia and fibula"
        ("paraplegia", "G82.20"),  # "unspecified" where nothing more is said
    ],
)
def test_the_words_lead_to_the_code(titles: TitleIndex, text: str, code: str) -> None:
    assert any(leaf.startswith(code) for leaf in found(titles, text)), found(titles, text)


def test_a_stated_side_comes_before_the_other_and_the_unspecified(titles: TitleIndex) -> None:
    ranked = found(titles, "pain in left knee", top=10)
    assert ranked[0] == "M25.562"
    assert "M25.561" not in ranked[:3]


def test_without_a_side_the_unspecified_comes_first(titles: TitleIndex) -> None:
    assert found(titles, "pain in knee")[0] == "M25.569"


def test_what_the_title_denies_conflicts_with_what_is_said(titles: TitleIndex) -> None:
    said = found(titles, "migraine with aura, intractable, with status migrainosus")
    denied = found(titles, "migraine without aura, not intractable, without status migrainosus")
    assert said[0] == "G43.111"
    assert denied[0] == "G43.009"


def test_nothing_is_found_for_words_that_no_title_has(titles: TitleIndex) -> None:
    assert titles.search(phrase("qwxz zzxq")) == []
    assert titles.search(()) == []
    assert titles.search(phrase("no , with the")) == []


def test_scores_are_in_order_and_within_bounds(titles: TitleIndex) -> None:
    scores = [score for _, score in titles.search(phrase("rotator cuff tear right shoulder"), top=25)]
    assert len(scores) == 25
    assert scores == sorted(scores, reverse=True)
    assert all(0 < score <= 1 for score in scores)


def test_unknown_words_lower_the_score(titles: TitleIndex) -> None:
    known = dict(titles.search(phrase("carpal tunnel syndrome")))["G56.00"]
    more = dict(titles.search(phrase("carpal tunnel syndrome zzqqx wwkkj")))["G56.00"]
    assert more < known


def test_lookup_reads_a_free_text() -> None:
    edition = load_edition()
    assert lookup(edition, "Frozen shoulder, right", top=3)[0][0] == "M75.01"
    assert len(lookup(edition, "pain", top=3)) == 3


@pytest.mark.parametrize(
    ("one", "other"),
    [("fractured", "fracture"), ("paralysis", "paralytic"), ("humeral", "humerus"), ("infected", "infection")],
)
def test_forms_of_a_word_share_a_stem(one: str, other: str) -> None:
    assert stem_word(one) == stem_word(other)


def test_inflammation_and_wear_keep_different_stems() -> None:
    assert stem_word("arthritis") != stem_word("arthrosis")


def test_every_row_of_the_synonyms_stands_for_words_of_titles(titles: TitleIndex) -> None:
    seen: set[tuple[str, str]] = set()
    for row in read_table("title_words.tsv"):
        assert row["note"], row["title_word"]
        assert 0 < float(row["share"] or 0.95) <= 1
        assert titles._way(phrase(row["title_word"]), 1.0, alone=True) is not None, row["title_word"]
        for words in split_cell(row["words"]):
            assert 1 <= len(phrase(words)) <= 6
            assert (row["title_word"], words) not in seen
            seen.add((row["title_word"], words))
    assert len(seen) > 1000


def test_the_regions_name_sites() -> None:
    sites = load_vocabulary().sites
    named = [site for row in read_table("site_regions.tsv") for site in split_cell(row["sites"])]
    assert set(named) <= set(sites)
    assert len(named) == len(set(named))


def test_a_search_is_fast(titles: TitleIndex) -> None:
    words = phrase("complete traumatic rupture of the right rotator cuff with persistent pain and weakness")
    titles.search(words)
    start = time.process_time()
    for _ in range(50):
        titles.search(words)
    assert (time.process_time() - start) / 50 < 0.01


@pytest.mark.skipif(not INDEX.exists(), reason="the official index is not at hand")
def test_the_index_is_reached(titles: TitleIndex) -> None:
    """Floors under the measured share of index terms whose code or a descendant is among the first five."""
    rows = [json.loads(line) for line in INDEX.read_text(encoding="utf-8").splitlines()]
    counted = dict.fromkeys(FLOORS, 0)
    reached = dict.fromkeys(FLOORS, 0)
    for row in [row for row in rows if row.get("code") and row["valid_2026"] and row["code"][0] in FLOORS][::SAMPLE]:
        code = row["code"].rstrip("-")
        counted[code[0]] += 1
        reached[code[0]] += any(leaf.startswith(code) or code.startswith(leaf) for leaf in found(titles, ", ".join(row["path"])))
    assert min(counted.values()) > 50
    assert {letter: reached[letter] / counted[letter] >= floor for letter, floor in FLOORS.items()} == dict.fromkeys(FLOORS, True)


def test_ties_stand_in_the_order_of_codes_and_a_shorter_list_is_the_beginning_of_a_longer_one(titles: TitleIndex) -> None:
    for text in ("fracture", "pain", "burn of leg", "sprain, ankle"):
        long = titles.search(phrase(text), top=400)
        assert long == sorted(long, key=lambda pair: (-pair[1], pair[0]))
        assert titles.search(phrase(text), top=5) == long[:5]
        assert len(long) > 5


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("coxalgia", "M25.559"),  # Greek and Latin parts: hip, pain
        ("adhesions, capsule, shoulder", "M75.0"),
        ("housemaid's knee", "M70.4"),  # a term of the lexicon or a synonym
        ("symptoms involving respiratory system", "R09.89"),  # a connecting word parts no phrase
        ("findings, abnormal, inconclusive, without diagnosis, electrocardiogram", "R94.31"),  # the heading weighs little
        ("abnormal, in urine, protein", "R80.9"),  # "urine protein" is rarer than "abnormal urine"
        ("muscle fatigue", "M62.89"),  # the phrase means an "other"
        ("osteomyelitis, chronic, carpus", "M86.64"),  # the carpus belongs to the hand
    ],
)
def test_a_term_that_stands_alone(titles: TitleIndex, text: str, code: str) -> None:
    assert any(leaf.startswith(code) for leaf in found(titles, text)), found(titles, text)


def test_a_phrase_of_a_note_is_not_searched_in_the_lexicon(titles: TitleIndex) -> None:
    alone = titles.search(phrase("lbp"), alone=True)
    assert alone[0][0].startswith("M54.5")
    assert titles.search(phrase("lbp")) == []


def test_without_a_side_the_sided_titles_give_way(titles: TitleIndex) -> None:
    assert not {"M25.561", "M25.562"} & set(found(titles, "pain in knee", top=3))
    assert "M25.561" in found(titles, "pain in right knee", top=1)


def test_words_are_taken_apart_only_where_every_part_is_known() -> None:
    assert compound_meanings("gonalgia") == (("knee", "pain"),)
    assert compound_meanings("table") == compound_meanings("algia") == ()
    for row in read_table("word_parts.tsv"):
        assert row["place"] in {"front", "end"} and row["note"]
        assert all(part.isalpha() and part.islower() for part in split_cell(row["parts"]))
