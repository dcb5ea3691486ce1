"""Anatomy of codes, and the notes without codes that were encoded by hand."""

from __future__ import annotations

import pytest

from lexicon.codes import Edition, load_edition
from lexicon.codes.advice import advice_between, advice_for, load_advice
from lexicon.codes.anatomy import anatomy, written
from lexicon.errors import CodeError


@pytest.fixture(scope="module")
def edition() -> Edition:
    return load_edition()


def test_the_code_of_the_founding_article(edition: Edition) -> None:
    parts = anatomy(edition, "S52.521A")
    assert parts.title == "Torus fracture of lower end of right radius, initial encounter for closed fracture"
    assert [(level.code, level.kind) for level in parts.levels] == [
        ("chapter 19", "chapter"),
        ("S50-S59", "section"),
        ("S52", "category"),
        ("S52.5", "subcategory"),
        ("S52.52", "subcategory"),
        ("S52.521", "code"),
    ]
    assert [level.title for level in parts.levels[2:]] == [
        "Fracture of forearm",
        "Fracture of lower end of radius",
        "Torus fracture of lower end of radius",
        "Torus fracture of lower end of right radius",
    ]
    assert (parts.category, parts.detail, parts.placeholders, parts.extension) == ("S52", "521", 0, "A")
    assert parts.extension_meaning == "initial encounter for closed fracture"
    assert parts.billable and "table at S52.52" in parts.reason
    assert [character for character, _ in parts.sevenths] == ["A", "D", "G", "K", "P", "S"]
    assert parts.sevenths_at == "S52.52"
    assert parts.notes == () and parts.children == () and parts.billable_below == 1
    stands = {(note.stands_at, note.kind) for note in parts.inherited}
    assert {("S52", "excludes1"), ("S52.5", "excludes2"), ("S50-S59", "excludes2"), ("chapter 19", "excludes2")} <= stands
    assert {at for at, kind in stands if kind == "seventh_note"} == {"S52.52"}


def test_a_stem_tells_which_characters_complete_it(edition: Edition) -> None:
    parts = anatomy(edition, "S52.521")
    assert not parts.billable
    assert parts.reason == "not complete: needs a 7th character, A, D, G, K, P, S, from the table at S52.52"
    assert [child.code for child in parts.children] == [f"S52.521{letter}" for letter in "ADGKPS"]
    assert all(child.billable for child in parts.children)
    assert (parts.extension, parts.billable_below) == ("", 6)


def test_a_category_shows_the_codes_below(edition: Edition) -> None:
    parts = anatomy(edition, "M17")
    assert parts.detail == "" and not parts.billable
    assert [(child.code, child.billable) for child in parts.children] == [
        ("M17.0", True), ("M17.1", False), ("M17.2", True), ("M17.3", False), ("M17.4", True), ("M17.5", True), ("M17.9", True),
    ]  # fmt: skip
    assert parts.billable_below == len(edition.leaves_below("M17"))


def test_notes_of_a_complete_code_stand_where_the_list_has_them(edition: Edition) -> None:
    parts = anatomy(edition, "M62.81")
    assert parts.billable
    assert [(note.kind, note.stands_at, note.references[0].text) for note in parts.notes] == [("excludes1", "M62.81", "M62.84-")]
    at_category = {note.references[0].low for note in parts.inherited if (note.stands_at, note.kind) == ("M62", "excludes1")}
    assert at_category == {"G72.0", "R25.2", "G72.1", "M79.1", "G25.82"}


def test_placeholders_are_counted(edition: Edition) -> None:
    parts = anatomy(edition, "W19.XXXD")
    assert (parts.category, parts.detail, parts.placeholders, parts.extension) == ("W19", "", 3, "D")


def test_a_seventh_character_may_be_a_side(edition: Edition) -> None:
    parts = anatomy(edition, "E11.3211")
    assert (parts.extension, parts.extension_meaning) == ("1", "right eye")


def test_a_manifestation_is_told(edition: Edition) -> None:
    assert all(anatomy(edition, code).manifestation for code in ("G59", "M14.80", "F02.80", "R47.82"))
    assert not any(anatomy(edition, code).manifestation for code in ("M17.11", "B95.0", "M25.631"))


def test_a_changed_code_tells_how_old_its_notes_are() -> None:
    edition = load_edition("FY2027")
    assert anatomy(edition, "M67.A01").notes_as_of == "FY2026-April"
    assert anatomy(edition, "M17.11").notes_as_of == ""


@pytest.mark.parametrize(
    ("raw", "code"), [(" s52521a ", "S52.521A"), ("m17.11", "M17.11"), ("w19xxxa", "W19.XXXA"), ("b20", "B20")]
)
def test_spelling_does_not_matter(edition: Edition, raw: str, code: str) -> None:
    assert written(raw) == code
    assert anatomy(edition, raw).code == code


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        ("S52.521B", "S52.521 needs a 7th character, A, D, G, K, P, S (table at S52.52)"),
        ("M17.19", "the nearest is M17.1 (Unilateral primary osteoarthritis of knee), with M17.10, M17.11, M17.12 below"),
        ("W19.A", "the 7th character stands in the seventh place: W19.XXXA"),
        ("M17.11A", "M17.11 (Unilateral primary osteoarthritis, right knee) is complete as it is"),
        ("S52.52A", "with S52.521, S52.522, S52.529 below"),
        ("U99", "it has no category U99"),
        ("X1", "has not the form of an ICD-10-CM code"),
        ("not a code", "has not the form of an ICD-10-CM code"),
        ("M67.A01", "the nearest is M67 (Other disorders of synovium and tendon)"),
    ],
)
def test_an_unknown_code_gets_help_in_one_line(edition: Edition, code: str, hint: str) -> None:
    with pytest.raises(CodeError) as error:
        anatomy(edition, code)
    assert hint in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["FY2025", "FY2026-April", "FY2027"])
def test_every_kind_of_node_can_be_taken_apart(name: str) -> None:
    edition = load_edition(name)
    for code in [*edition.leaves[::400], *sorted(edition.headers())[::400], *list(edition.billable())[::1000]]:
        parts = anatomy(edition, code)
        assert parts.billable == edition.is_billable(code)
        assert parts.levels[-1].code == edition.stem(code)
        assert parts.billable_below >= 1


# ---------------------------------------------------------------- category_notes.tsv


def test_every_encoded_note_is_an_official_one_that_names_no_code(edition: Edition) -> None:
    official = {(note.stands_at, note.kind, note.text): note for note in edition.all_notes()}
    rows = load_advice()
    assert len(rows) == len({(advice.stands_at, advice.kind, advice.text) for advice in rows}) >= 75
    for advice in rows:
        note = official[advice.stands_at, advice.kind, advice.text]
        assert note.references == ()
        assert advice.reason
        for prefix in (*advice.condition, *advice.other):
            assert edition.leaves_below(prefix), f"{advice.stands_at}: {prefix} has no codes"


def test_every_current_injury_note_of_the_therapy_chapters_is_encoded(edition: Edition) -> None:
    encoded = {(advice.stands_at, advice.text) for advice in load_advice()}
    open_notes = {
        (note.stands_at, note.text)
        for note in edition.all_notes()
        if note.kind in {"excludes1", "excludes2"} and not note.references and note.stands_at[0] in "GMZ"
        and any(word in note.text.lower() for word in ("injury", "traumatic", "fracture"))
    }  # fmt: skip
    assert len(open_notes) >= 18
    assert open_notes <= encoded


@pytest.mark.parametrize(
    ("first", "second", "stands_at"),
    [
        ("M24.412", "S43.005A", "M24"),
        ("S43.005A", "M24.412", "M24"),
        ("M54.2", "S16.1XXA", "M50-M54"),
        ("G56.01", "S64.11XA", "G56"),
        ("G57.01", "S74.01XD", "G57"),
        ("Z47.89", "S72.001D", "Z47"),
        ("Z48.89", "S83.511D", "Z48"),
        ("M65.80", "S86.011A", "M65"),
    ],
)
def test_codes_that_a_note_parts(first: str, second: str, stands_at: str) -> None:
    assert stands_at in {advice.stands_at for advice in advice_between(first, second)}


@pytest.mark.parametrize(
    ("first", "second"),
    [("M24.412", "S43.005S"), ("M17.11", "S83.511A"), ("Z47.1", "Z96.651"), ("M24.412", "M24.411"), ("G56.01", "S74.01XA")],
)
def test_codes_that_no_note_parts(first: str, second: str) -> None:
    assert [a for a in advice_between(first, second) if a.stands_at != "G50-G59"] == []


def test_defaults_of_fractures_and_amputations() -> None:
    assert {advice.meaning for advice in advice_for("S72.001A")} >= {"default_closed", "default_displaced", "external_cause"}
    assert "default_complete" in {advice.meaning for advice in advice_for("S98.111A")}
    assert {advice.meaning for advice in advice_for("G81.91")} == {"cause_unspecified"}


def test_injury_notes_are_bound_to_a_site() -> None:
    assert [advice.by_site for advice in advice_between("M24.412", "S43.005A")] == [True]
    assert not any(advice.by_site for advice in advice_for("Z47.1"))
