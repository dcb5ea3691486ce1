"""The code sets are exact: what may be reported, where a 7th character comes from, what is a synonym and what is not."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from xml.etree.ElementTree import Element

import pytest
from defusedxml import ElementTree

from lexicon.codes import Edition, edition_for, load_edition
from lexicon.codes.importer import read_addenda
from lexicon.codes.registry import editions
from lexicon.codes.tabular import packaged_release_path
from lexicon.errors import CodeError, EditionError
from lexicon.tables import read_table

BASE = "FY2026-April"
ADDENDA = Path(__file__).resolve().parents[3] / "shared" / "data" / "icd10cm_order_addenda_2027.txt"


@pytest.fixture(scope="module")
def edition() -> Edition:
    return load_edition(BASE)


@pytest.fixture(scope="module")
def root() -> Element:
    tree: Element = ElementTree.parse(packaged_release_path()).getroot()
    return tree


def expand(element: Element, table: dict[str, str], found: set[str]) -> None:
    """An independent reading: every leaf with each character of the nearest 7th-character definition."""
    definition = element.find("sevenChrDef")
    if definition is not None:
        table = {ext.get("char", ""): ext.text or "" for ext in definition.findall("extension")}
    children = element.findall("diag")
    for child in children:
        expand(child, table, found)
    if not children:
        code = element.findtext("name", "")
        dotted = code if "." in code else f"{code}."
        complete = not table or len(code.replace(".", "")) == 7
        found.update([code] if complete else [f"{dotted:X<7}{letter}" for letter in table])


@pytest.mark.parametrize(("name", "count"), [("FY2025", 74_260), (BASE, 74_719), ("FY2027", 74_879)])
def test_the_number_of_billable_codes_is_the_official_one(name: str, count: int) -> None:
    codes = list(load_edition(name).billable())
    assert len(codes) == count
    assert len(set(codes)) == count


@pytest.mark.parametrize(("name", "count"), [(BASE, 23_467), ("FY2027", 23_524)])
def test_the_number_of_headers_is_the_official_one(name: str, count: int) -> None:
    assert len(load_edition(name).headers()) == count


def test_fy2027_is_april_2026_with_the_official_addenda() -> None:
    if ADDENDA.is_file():
        changes = [(change.action, change.code, change.billable) for change in read_addenda(ADDENDA).changes]
    else:
        changes = [(row["action"], row["code"], row["billable"] == "1") for row in read_table("codes/changes_fy2027.tsv")]
    added = {code for action, code, billable in changes if action == "add" and billable}
    deleted = {code for action, code, billable in changes if action == "delete" and billable}
    assert (len(added), len(deleted)) == (190, 30)
    assert set(load_edition("FY2027").billable()) == (set(load_edition(BASE).billable()) - deleted) | added


def test_billable_codes_are_the_nearest_tables_less_the_76_that_a_note_forbids(edition: Edition, root: Element) -> None:
    naive: set[str] = set()
    for section in root.iter("section"):
        for diagnosis in section.findall("diag"):
            expand(diagnosis, {}, naive)
    billable = set(edition.billable())
    forbidden = naive - billable
    assert len(naive) == 74_795
    assert len(forbidden) == 76
    assert billable < naive
    assert {code[:3] for code in forbidden} == {"S06"}
    assert {code[6] for code in forbidden} == {"7", "8"}
    assert {code[7] for code in forbidden} == {"D", "S"}
    assert not any(code in edition for code in forbidden)


def test_the_nearest_seventh_character_table_governs(edition: Edition) -> None:
    assert list(edition.sevenths("S52.521")) == ["A", "D", "G", "K", "P", "S"]
    assert edition.seventh_table("S52.521")[0] == "S52.52"
    assert len(edition.sevenths("S52.501")) == 16
    assert edition.seventh_table("S52.501")[0] == "S52"
    assert "S52.521B" not in edition and "S52.501B" in edition


def test_seven_characters_are_not_always_an_encounter(edition: Edition) -> None:
    assert edition.is_billable("C44.1022") and edition.stem("C44.1022") == "C44.1022"
    assert edition.sevenths("E11.321")["1"] == "right eye"


def test_childless_blocks_are_no_codes(edition: Edition, root: Element) -> None:
    empty = [section.get("id", "") for section in root.iter("section") if section.find("diag") is None]
    assert len(empty) == 12
    assert {"C00-C75", "M60-M79", "V00-V99"} <= set(empty)
    assert not any(name in edition or name in edition.leaves for name in empty)


@pytest.mark.parametrize("name", ["B20", "F99", "P84", "R99", "Z66"])
def test_a_name_of_block_and_category_means_the_category(edition: Edition, name: str) -> None:
    assert edition.is_billable(name)
    assert [level for level, _ in edition.lineage_titles(name)][1:] == [name, name]
    assert list(edition.billable()).count(name) == 1


@pytest.mark.parametrize("code", ["Y92", "Z48.81"])
def test_instructions_are_not_synonyms(edition: Edition, root: Element, code: str) -> None:
    printed = next(node for node in root.iter("diag") if node.findtext("name") == code).findall("inclusionTerm/note")
    texts = {" ".join((note.text or "").split()) for note in printed}
    notes = {note.text for note in edition.notes(code, inherited=False, kinds=("note",))}
    assert texts and texts <= notes
    assert edition.inclusion_terms(code) == []


def test_an_inclusion_term_stays_a_synonym(edition: Edition) -> None:
    assert edition.inclusion_terms("R53.1") == ["Asthenia NOS"]


def test_plantar_fasciitis_moves_with_the_date_of_service() -> None:
    before, _ = edition_for(date(2026, 9, 15))
    after, _ = edition_for(date(2026, 10, 15))
    old, new = load_edition(before.name), load_edition(after.name)
    assert old.is_billable("M72.2") and "M67.A01" not in old
    assert new.is_billable("M67.A01") and not new.is_billable("M72.2")
    assert new.has_older_notes("M67.A01") and new.notes_as_of == BASE
    assert not old.has_older_notes("M72.2")


@pytest.mark.parametrize(("day", "nearest"), [(date(2019, 1, 1), "FY2025"), (date(2040, 1, 1), "FY2027")])
def test_a_date_outside_every_edition_is_told(day: date, nearest: str) -> None:
    info, warning = edition_for(day)
    assert info.name == nearest
    assert warning is not None and day.isoformat() in warning and nearest in warning


@pytest.mark.parametrize("day", [date(2024, 10, 1), date(2025, 9, 30), date(2025, 10, 1), date(2026, 9, 30), date(2026, 10, 1)])
def test_the_days_of_change_belong_to_one_edition(day: date) -> None:
    info, warning = edition_for(day)
    assert warning is None
    assert [other.name for other in editions() if other.first <= day <= other.last] == [info.name]


@pytest.mark.parametrize("name", ["FY2025", BASE, "FY2027"])
def test_every_added_code_has_its_parent_and_every_parent_is_a_prefix(name: str) -> None:
    edition = load_edition(name)
    for code in edition.leaves:
        parent = edition.ancestors(code)[0]
        assert len(code) == 3 or code.startswith(parent)


def test_unknown_names_are_errors(edition: Edition) -> None:
    with pytest.raises(EditionError, match="there is no edition"):
        load_edition("FY1999")
    with pytest.raises(CodeError, match="is not a code of edition"):
        edition.title("M17.99")
