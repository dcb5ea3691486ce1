"""Lint of the tables: what clinlp only prints fails here."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from lexicon import vocabulary as module
from lexicon.codes.registry import load_edition
from lexicon.normal import phrase
from lexicon.tables import ROOT, read_table, split_cell, tables_below
from lexicon.vocabulary import ASSERTIONS, CONCEPT_KINDS, SIDES, Vocabulary, load_vocabulary

EDITIONS = ("FY2026-April", "FY2027", "FY2025")
TABLES = sorted(str(path.relative_to(ROOT)) for path in ROOT.rglob("*.tsv"))
TERMS, CAUSES = list(tables_below("terms")), list(tables_below("causes"))
NOTES = ("note", "source", "reason", "question", "title", "example")  # the column that says why a row is there

SECTIONS = frozenset(
    [
        "diagnosis",
        "medical_diagnosis",
        "treatment_diagnosis",
        "chief_complaint",
        "subjective",
        "history_present",
        "past_history",
        "surgical_history",
        "family_history",
        "social_history",
        "medications",
        "allergies",
        "review_of_systems",
        "prior_level",
        "precautions",
        "objective",
        "measurements",
        "imaging",
        "assessment",
        "plan",
        "goals",
        "education",
        "interventions",
        "billing",
        "header",
        "other",
    ]
)
SITE_KINDS = frozenset(
    ["bone", "joint", "muscle", "tendon", "ligament", "cartilage", "disc", "nerve", "vessel", "bursa", "organ", "skin", "region"]
)
CUE_CATEGORIES = frozenset(
    ["negated", "uncertain", "historical", "resolved", "family", "hypothetical", "planned", "normal", "pseudo", "termination"]
)
PHASES = frozenset(
    [
        "initial",
        "subsequent",
        "recovery",
        "therapy",
        "sequela",
        "routine",
        "delayed",
        "nonunion",
        "malunion",
        "closed",
        "open",
        "open_type_3",
        "pain_control",
        "acute",
        "subacute",
        "chronic",
        "recurrent",
        "planned",
        "right_dominant",
        "left_dominant",
        "ambidextrous",
    ]
)


def lines_of(table: str) -> list[list[str]]:
    """Raw cells, the header first."""
    return [line.split("\t") for line in (ROOT / table).read_text(encoding="utf-8").splitlines()]


def repeated(values: list[str]) -> list[str]:
    """What stands more than once."""
    return sorted(value for value, count in Counter(values).items() if count > 1)


@cache
def is_stem(code: str) -> bool:
    """Whether a packaged edition has this category, subcategory or code."""
    return any(code in load_edition(name) for name in EDITIONS)


# -------------------------------------------------------------------------------------------------- every table


@pytest.mark.parametrize("table", TABLES)
def test_every_row_has_the_columns_of_the_header(table: str) -> None:
    header, *rows = lines_of(table)
    assert [(number, len(row)) for number, row in enumerate(rows, start=2) if len(row) != len(header)] == []
    assert repeated(header) == [] and all(header)


@pytest.mark.parametrize("table", TABLES)
def test_cells_are_trimmed_and_rows_are_not_repeated(table: str) -> None:
    _, *rows = lines_of(table)
    assert [(number, cell) for number, row in enumerate(rows, start=2) for cell in row if cell != cell.strip()] == []
    assert repeated(["\t".join(row) for row in rows]) == []
    parts = [
        (number, cell) for number, row in enumerate(rows, start=2) for cell in row if re.search(r"(^\||\|\||\|$| \||\| )", cell)
    ]
    assert parts == []


@pytest.mark.parametrize("table", TABLES)
def test_every_row_says_why_it_is_there(table: str) -> None:
    rows = read_table(table)
    columns = [name for name in NOTES if rows and name in rows[0]]
    assert columns, f"{table} has no column of {NOTES}"
    assert [number for number, row in enumerate(rows, start=2) if not any(row[name] for name in columns)] == []


# -------------------------------------------------------------------------------------------------- terms


@pytest.mark.parametrize("table", [*TERMS, *CAUSES, "sites.tsv"])
def test_terms_are_lower_case_and_unique_in_their_row(table: str) -> None:
    for row in read_table(table):
        terms = split_cell(row["terms"])
        assert terms == [term.lower() for term in terms], row
        assert repeated(terms) == [], row


def owners(tables: list[str], key: str) -> dict[tuple[str, tuple[str, ...]], set[str]]:
    """(kind of cause, normal form) of each term -> ids of the rows that list it; an activity may also be a mechanism."""
    found: dict[tuple[str, tuple[str, ...]], set[str]] = {}
    for table in tables:
        for row in read_table(table):
            for term in split_cell(row["terms"]):
                found.setdefault((row["kind"] if key == "cause" else "", phrase(term)), set()).add(row[key])
    return found


@pytest.mark.parametrize(
    ("tables", "key"), [(TERMS, "concept"), (CAUSES, "cause"), (["sites.tsv"], "site")], ids=["concepts", "causes", "sites"]
)
def test_no_term_of_a_layer_means_two_things(tables: list[str], key: str) -> None:
    assert {" ".join(term): sorted(ids) for (_, term), ids in owners(tables, key).items() if len(ids) > 1} == {}


@pytest.mark.parametrize(
    ("tables", "key"), [(TERMS, "concept"), (CAUSES, "cause"), (["sites.tsv"], "site")], ids=["concepts", "causes", "sites"]
)
def test_ids_are_unique_and_plain(tables: list[str], key: str) -> None:
    ids = [row[key] for table in tables for row in read_table(table)]
    assert repeated(ids) == []
    assert [name for name in ids if not re.fullmatch(r"[a-z][a-z0-9_]*", name)] == []


@pytest.mark.parametrize("table", TERMS)
def test_concepts_have_known_kinds_sites_and_codes(table: str) -> None:
    sites = load_vocabulary().sites
    for row in read_table(table):
        assert row["kind"] in CONCEPT_KINDS and (not row["site"] or row["site"] in sites), row["concept"]
        assert split_cell(row["terms"]), row["concept"]
        unknown = [code for code in split_cell(row["codes"]) if not is_stem(code)]
        assert unknown == [], row["concept"]


@pytest.mark.parametrize("table", CAUSES)
def test_causes_have_known_codes_of_one_kind(table: str) -> None:
    rows = read_table(table)
    assert [(row["cause"], code) for row in rows for code in split_cell(row["codes"]) if not is_stem(code)] == []
    assert all(split_cell(row["terms"]) for row in rows)
    assert {row["kind"] for row in rows} <= {"activity", "mechanism", "place", "status", "drug"}


# -------------------------------------------------------------------------------------------------- sites


def test_there_are_enough_sites_and_they_form_a_tree() -> None:
    vocabulary = load_vocabulary()
    assert len(vocabulary.sites) >= 250
    assert {site.kind for site in vocabulary.sites.values()} <= SITE_KINDS
    assert {row["sides"] for row in read_table("sites.tsv")} == {"y", "n"}
    assert all(vocabulary.lineage(site)[0] == site for site in vocabulary.sites)


def test_every_site_named_by_another_table_is_known() -> None:
    sites = load_vocabulary().sites
    assert {row["site"] for row in read_table("generic_sites.tsv")} <= sites.keys()
    assert {row["needs"] for row in read_table("sides.tsv")} - {"", "-", "near_site"} <= sites.keys()


# -------------------------------------------------------------------------------------------------- closed values


def test_assertions_and_weights_of_sections_are_complete() -> None:
    rows = read_table("sections_defaults.tsv")
    assert {row["section"] for row in rows} == SECTIONS | {"whole"} and len(rows) == len(SECTIONS) + 1
    assert {row["assertion"] for row in rows} <= set(ASSERTIONS)
    assert all(0 <= float(row["weight"]) <= 1 for row in rows)
    assert {row["section"] for row in read_table("sections.tsv")} == SECTIONS


def test_no_heading_opens_two_sections() -> None:
    found: dict[tuple[str, ...], set[str]] = {}
    for row in read_table("sections.tsv"):
        for heading in split_cell(row["heading"]):
            found.setdefault(phrase(heading), set()).add(row["section"])
    assert {" ".join(heading): sorted(sections) for heading, sections in found.items() if len(sections) > 1} == {}


def test_sides_and_phases_have_closed_values() -> None:
    assert {row["side"] for row in read_table("sides.tsv")} == {*SIDES, ""}
    assert {row["value"] for row in read_table("phases.tsv")} == PHASES
    assert repeated([form for row in read_table("sides.tsv") for form in split_cell(row["form"])]) == []


def test_abbreviations_have_one_default_and_end_with_it() -> None:
    forms: dict[str, list[bool]] = {}
    for row in read_table("abbreviations.tsv"):
        forms.setdefault(row["form"], []).append("*" in split_cell(row["context"]))
    assert {form: defaults for form, defaults in forms.items() if sum(defaults) > 1 or True in defaults[:-1]} == {}


def test_abbreviations_mean_terms_that_exist() -> None:
    vocabulary = load_vocabulary()
    rows = [row for row in read_table("abbreviations.tsv") if row["means"] not in {"", "-"}]
    assert [(row["form"], row["means"]) for row in rows if not vocabulary.meanings(phrase(row["means"]))] == []


# -------------------------------------------------------------------------------------------------- cues


def test_cues_have_closed_values() -> None:
    for row in read_table("cues.tsv"):
        assert row["category"] in CUE_CATEGORIES, row
        reaching = row["category"] not in {"pseudo", "termination"}
        assert (row["direction"] in {"forward", "backward", "both"}) if reaching else row["direction"] == "-", row
        assert (row["scope"] in {"clause", "list", "sentence"} or row["scope"].isdigit()) if reaching else row["scope"] == "-", (
            row
        )


def test_no_cue_says_two_things_or_one_thing_twice() -> None:
    rows = [(" ".join(phrase(row["cue"])), row["direction"], row["category"], row["scope"]) for row in read_table("cues.tsv")]
    found: dict[tuple[str, str], set[str]] = {}
    for cue, direction, category, _ in rows:
        found.setdefault((cue, direction), set()).add(category)
    assert {cue: values for cue, values in found.items() if len(values) > 1} == {}
    assert sorted({row for row in rows if rows.count(row) > 1}) == []


def test_no_cue_is_shadowed_by_its_own_pseudo_cue_or_termination() -> None:
    """A cue that is also a pseudo cue or a termination never decides anything."""
    by_path: dict[tuple[str, ...], set[str]] = {}
    for row in read_table("cues.tsv"):
        by_path.setdefault(phrase(row["cue"]), set()).add(row["category"])
    assert {
        " ".join(path): sorted(values)
        for path, values in by_path.items()
        if values & {"pseudo", "termination"} and len(values) > 1
    } == {}


# -------------------------------------------------------------------------------------------------- compiled


def test_vocabulary_from_the_compiled_phrases_is_the_same_and_normalises_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THERACODE_CACHE_DIR", str(tmp_path))
    built = Vocabulary()

    def never(text: str) -> tuple[str, ...]:
        raise AssertionError(f"{text!r} was normalised again")

    monkeypatch.setattr(module, "phrase", never)
    assert vars(Vocabulary()) == vars(built)
    assert len(list(tmp_path.iterdir())) == 1
