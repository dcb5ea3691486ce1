"""The official Alphabetic Index and the External Cause Index as phrases with the codes they lead to.

The tabular list names a code once; the index names it in the words people use ("Tennis elbow", "Frozen shoulder").
An imported edition keeps its phrases beside its codes; an edition without an index has none.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple
from xml.etree.ElementTree import Element

import srsly

from lexicon.codes.edition import Edition
from lexicon.codes.tabular import clean_text, read_xml
from lexicon.errors import EditionError

INDEX_FILE = "index.json"
ROOT_TAG = "ICD10CM.index"
FOREIGN_LIMIT = 0.1
"""Share of phrases whose code the edition does not know above which the index is one of another year."""


class IndexPhrase(NamedTuple):
    """A phrase of an index: its words from the main term down, the code it leads to, ``disease`` or ``external``."""

    text: str
    code: str
    kind: str


def _title(element: Element) -> str:
    """The title of a term without its nonessential modifiers (the parentheses that change nothing)."""
    title = element.find("title")
    if title is None:
        return ""
    parts = [title.text or ""]
    for child in title:
        parts += [" " if child.tag == "nemod" else "".join(child.itertext()), child.tail or ""]
    return clean_text(re.sub(r"\([^()]*\)", " ", "".join(parts))).strip(" ,")


def _walk(element: Element, path: tuple[str, ...], found: list[tuple[tuple[str, ...], str, str]]) -> None:
    title = _title(element)
    if not title:
        raise EditionError("an index term has no title; download the file again")
    path = (*path, title)
    code = clean_text(element.findtext("code")).rstrip("-").rstrip(".")
    found.append((path, code, clean_text(element.findtext("see"))))
    for child in element.findall("term"):
        _walk(child, path, found)


def parse_index(path: Path) -> list[IndexPhrase]:
    """Read an official index (diseases and injuries, or external causes).

    A term that only says "see" another gets that one's code, where it has one.

    Parameters
    ----------
    path : Path
        The XML file, as the release publishes it.

    Returns
    -------
    list of IndexPhrase
        In the order of the file, each pair of phrase and code once.

    Raises
    ------
    EditionError
        If the file is unusable, is not an index, or leads to no code.
    """
    root = read_xml(path)
    if root.tag != ROOT_TAG:
        raise EditionError(f"{path.name} is not an ICD-10-CM index (root element differs)")
    kind = "external" if "EXTERNAL" in clean_text(root.findtext("title")).upper() else "disease"
    terms: list[tuple[tuple[str, ...], str, str]] = []
    try:
        for main in root.iter("mainTerm"):
            _walk(main, (), terms)
    except RecursionError:
        raise EditionError(f"{path.name} is nested too deeply to be an official index") from None
    except EditionError as error:
        raise EditionError(f"{path.name}: {error}") from None
    codes: dict[str, str] = {}
    for names, code, _ in terms:
        if code:
            codes.setdefault(", ".join(names).lower(), code)
    phrases: dict[IndexPhrase, None] = {}
    for names, code, see in terms:
        code = code or codes.get(see.lower(), "")
        if code:
            phrases[IndexPhrase(", ".join(names), code, kind)] = None
    if not phrases:
        raise EditionError(f"{path.name} holds no term with a code; it is no alphabetic or external-cause index")
    return list(phrases)


def known_phrases(phrases: list[IndexPhrase], edition: Edition) -> list[IndexPhrase]:
    """The phrases whose code, or codes below it, exist in the edition.

    Raises
    ------
    EditionError
        If so many codes are unknown that the index must belong to another edition.
    """
    known = [phrase for phrase in phrases if phrase.code in edition or edition.leaves_below(phrase.code)]
    foreign = len(phrases) - len(known)
    if foreign > FOREIGN_LIMIT * len(phrases):
        raise EditionError(f"{foreign} of {len(phrases)} index terms lead to codes that {edition.name} does not have")
    return known


@lru_cache(maxsize=4)
def _read(path: Path) -> tuple[IndexPhrase, ...]:
    if not path.is_file():
        return ()
    try:
        return tuple(IndexPhrase(text, code, kind) for text, code, kind in srsly.read_json(path)["phrases"])
    except (OSError, ValueError, KeyError, TypeError):
        raise EditionError(f"the index of the edition in {path.parent.name} is damaged; import it again") from None


def index_phrases(name: str) -> tuple[IndexPhrase, ...]:
    """Index phrases of an imported edition; empty for an edition that came without an index.

    Raises
    ------
    EditionError
        If no edition has this name, or its index file is damaged.
    """
    from lexicon.codes.registry import edition_info  # the registry reads folders; an index needs no edition to be loaded

    info = edition_info(name)
    return () if info.path is None else _read(info.path / INDEX_FILE)
