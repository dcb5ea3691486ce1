"""Parsing of the official tabular list (XML) into a plain release: nodes, notes and 7th-character tables."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError

from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException

from lexicon.errors import EditionError
from lexicon.tables import read_table, split_cell

NOTE_KINDS = {
    "includes": "includes",
    "inclusionTerm": "inclusion",
    "excludes1": "excludes1",
    "excludes2": "excludes2",
    "codeFirst": "code_first",
    "useAdditionalCode": "use_additional",
    "codeAlso": "code_also",
    "notes": "note",
    "sevenChrNote": "seventh_note",
}

_CODE_FORM = re.compile(r"[A-Z][0-9A-Z]{2}(?:\.[0-9A-Z]{1,4})?")

# Y92 and Z48.81 hold whole instructions as inclusion terms. A sentence about use is not a synonym of a title.
_INSTRUCTION = re.compile(
    r"\b(?:category|subcategory|codes? (?:is|are|in|identif)|should be|for use|use in conjunction|to be used|7th character)\b",
    re.IGNORECASE,
)


@dataclass(slots=True)
class Release:
    """One release of the code set in columns; row numbers tie the columns together.

    Attributes
    ----------
    name : str
        Label, for example ``"FY2026-April"``.
    codes, titles, parents, levels : list
        For each node its name, official title, row of its parent (-1 for chapters) and level
        (``chapter``, ``section`` or ``code``).
    notes : list of (row, kind, text)
        Every instructional note with the node that it stands at.
    sevenths : dict of int to dict
        7th-character tables by row: character to meaning.
    """

    name: str
    codes: list[str] = field(default_factory=list)
    titles: list[str] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    levels: list[str] = field(default_factory=list)
    notes: list[tuple[int, str, str]] = field(default_factory=list)
    sevenths: dict[int, dict[str, str]] = field(default_factory=dict)

    def add(self, code: str, title: str, parent: int, level: str) -> int:
        """Append a node and return its row."""
        self.codes.append(code)
        self.titles.append(title)
        self.parents.append(parent)
        self.levels.append(level)
        return len(self.codes) - 1


def packaged_release_path() -> Path:
    """Path of the tabular XML that the simple-icd-10-cm package carries.

    Raises
    ------
    EditionError
        If the package does not hold exactly one tabular XML.

    Notes
    -----
    The package is found but not imported: importing it parses the whole list (1.7 s, 198 MB).
    """
    spec = find_spec("simple_icd_10_cm")
    folders = list(spec.submodule_search_locations or ()) if spec else []
    files = sorted(path for folder in folders for path in (Path(folder) / "data").glob("icd10c-tabular-*.xml"))
    if len(files) != 1:
        raise EditionError("the package simple-icd-10-cm does not carry the tabular list; install version 1.5.0")
    return files[0]


def clean_text(text: str | None) -> str:
    """Text with every run of white space as one space; empty for None."""
    return " ".join((text or "").split())


def read_xml(path: Path) -> Element:
    """The root of an XML file that came from outside.

    Raises
    ------
    EditionError
        If the file is not readable, not well-formed, or declares entities.
    """
    try:
        root: Element | None = ElementTree.parse(path).getroot()
    except (ParseError, DefusedXmlException, ValueError, LookupError, RecursionError) as error:
        raise EditionError(f"{path.name} is not a usable XML file ({type(error).__name__}); download it again") from None
    except OSError as error:
        raise EditionError(f"{path.name} cannot be read ({error.strerror})") from None
    if root is None:
        raise EditionError(f"{path.name} is not a usable XML file (it is empty); download it again")
    return root


def parse_tabular(path: Path, name: str) -> Release:
    """Read an official tabular list.

    Parameters
    ----------
    path : Path
        The XML file, as the release publishes it.
    name : str
        Label of the edition.

    Returns
    -------
    Release

    Raises
    ------
    EditionError
        If the file is not readable, not well-formed, holds entities, or is not a tabular list.
    """
    root = read_xml(path)
    if root.tag != "ICD10CM.tabular":
        raise EditionError(f"{path.name} is not an ICD-10-CM tabular list (root element differs)")
    release = Release(name)
    for chapter in root.findall("chapter"):
        row = release.add(f"chapter {clean_text(chapter.findtext('name'))}", clean_text(chapter.findtext("desc")), -1, "chapter")
        _read_notes(release, row, chapter)
        for section in chapter.findall("section"):
            title = re.sub(r"\s*\([A-Z0-9.-]+\)$", "", clean_text(section.findtext("desc")))
            section_row = release.add(section.get("id", ""), title, row, "section")
            _read_notes(release, section_row, section)
            for diagnosis in section.findall("diag"):
                try:
                    _read_diagnosis(release, diagnosis, section_row)
                except RecursionError:
                    raise EditionError(f"{path.name} is nested too deeply to be a tabular list") from None
    if not release.codes:
        raise EditionError(f"{path.name} holds no chapters; download it again")
    _check(release, path.name)
    return release


def _check(release: Release, file: str) -> None:
    """Refuse a list that cannot be the official one: malformed or repeated codes, a code outside its parent."""
    seen: set[str] = set()
    for row, code in enumerate(release.codes):
        if release.levels[row] != "code":
            continue
        if not _CODE_FORM.fullmatch(code) or not release.titles[row]:
            raise EditionError(f"{file}: {code[:12]!r} is not a code with a title; download it again")
        if code in seen:
            raise EditionError(f"{file}: {code} stands twice; download it again")
        seen.add(code)
        parent = release.parents[row]
        if release.levels[parent] == "code" and not code.startswith(release.codes[parent]):
            raise EditionError(f"{file}: {code} stands below {release.codes[parent]}; download it again")
    if not seen:
        raise EditionError(f"{file} holds no codes; download it again")
    for row, table in release.sevenths.items():
        if not table or any(len(character) != 1 or not meaning for character, meaning in table.items()):
            raise EditionError(f"{file}: the 7th characters at {release.codes[row]} are malformed; download it again")


def _read_diagnosis(release: Release, element: Element, parent: int) -> None:
    row = release.add(clean_text(element.findtext("name")), clean_text(element.findtext("desc")), parent, "code")
    _read_notes(release, row, element)
    table = element.find("sevenChrDef")
    if table is not None:
        release.sevenths[row] = {ext.get("char", ""): clean_text(ext.text) for ext in table.findall("extension")}
    for child in element.findall("diag"):
        _read_diagnosis(release, child, row)


def _read_notes(release: Release, row: int, element: Element) -> None:
    for group in element:
        kind = NOTE_KINDS.get(group.tag)
        if kind is None:
            continue
        for note in group.findall("note"):
            text = clean_text("".join(note.itertext()))
            if not text:
                continue
            hidden = kind == "inclusion" and len(text.split()) > 8 and _INSTRUCTION.search(text)
            release.notes.append((row, "note" if hidden else kind, text))


def seventh_exceptions() -> list[tuple[str, int, frozenset[str], frozenset[str]]]:
    """7th characters that a note forbids although the table allows them.

    Returns
    -------
    list of (prefix, position, characters, forbidden)
        A code that starts with ``prefix`` and has one of ``characters`` at ``position`` (1-based, dot not counted)
        does not take the 7th characters ``forbidden``.
    """
    return [
        (row["prefix"], int(row["position"]), frozenset(split_cell(row["characters"])), frozenset(split_cell(row["forbidden"])))
        for row in read_table("codes/seventh_exceptions.tsv")
    ]
