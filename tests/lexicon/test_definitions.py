"""DEFINITIONS.md: its values are those of the program, and each of its examples is true."""

from __future__ import annotations

import re

import pytest

from lexicon.tables import ROOT, read_table
from lexicon.vocabulary import ASSERTIONS, SIDES
from nlp import Finding, Reader
from nlp.draft import draft_of

ROW = re.compile(r"^\| (\w+) \| .+ \| `(.+)` \|$")


def examples() -> list[tuple[str, str, str]]:
    """(attribute, value, marked example) of every row."""
    rows, attribute = [], ""
    for line in (ROOT / "DEFINITIONS.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            attribute = line[3:].strip()
        elif match := ROW.match(line):
            rows.append((attribute, match.group(1), match.group(2)))
    return rows


def values_of(attribute: str) -> set[str]:
    """Values that the definitions list for an attribute."""
    return {value for name, value, _ in EXAMPLES if name == attribute}


def marked_finding(reader: Reader, marked: str) -> Finding:
    """The finding that stands between the brackets (all readings of it agree in what is tested)."""
    start, end = marked.index("["), marked.index("]") - 1
    text = marked.replace("[", "").replace("]", "")
    touching = [finding for finding in reader.read(text).findings if finding.start < end and start < finding.end]
    assert touching, f"nothing is found in {marked!r}"
    return max(touching, key=lambda finding: min(finding.end, end) - max(finding.start, start))


EXAMPLES = examples()


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader()


@pytest.mark.parametrize(("attribute", "value", "marked"), EXAMPLES, ids=[f"{name}-{value}" for name, value, _ in EXAMPLES])
def test_example_is_true(attribute: str, value: str, marked: str, reader: Reader) -> None:
    text = marked.replace("[", "").replace("]", "")
    if attribute == "section":
        draft = draft_of(reader.nlp.get_pipe("theracode_layout")(reader.nlp.tokenizer(text)))
        assert draft.section_of[-1] == value
    elif attribute == "phase":
        assert value in reader.read(text).phases
    elif attribute == "dominance":
        assert reader.read(text).dominance == value.removesuffix("_dominant")
    else:
        assert getattr(marked_finding(reader, marked), attribute) == value


def test_values_are_those_of_the_program() -> None:
    assert values_of("assertion") == set(ASSERTIONS)
    assert values_of("side") == set(SIDES)
    assert values_of("section") == {row["section"] for row in read_table("sections_defaults.tsv")} - {"whole"}
    assert values_of("phase") | values_of("acuity") | values_of("dominance") == {
        row["value"] for row in read_table("phases.tsv")
    } - {"planned"}


def test_every_value_has_an_example() -> None:
    table_rows = [line for line in (ROOT / "DEFINITIONS.md").read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    assert len(EXAMPLES) == len([line for line in table_rows if not line.startswith("| value |")]) >= 50
