"""Code titles read by the same eyes as notes: every leaf of an edition as a set of facets.

A facet is what a finding has too: sites, side, qualifiers (complete, displaced, with radiculopathy, ...) and the
residual words that no table explains. Matching a note is then facet against facet, so every billable code can be
reached, and a side is never read off a digit (only 77 % of the right-sided codes end in 1).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from lexicon.codes.cache import load_compiled, store_compiled, without_collecting
from lexicon.codes.edition import Edition
from lexicon.normal import phrase
from lexicon.tables import TITLE_SOURCES, tables_digest
from lexicon.vocabulary import QUALIFIER, SITE, Vocabulary, load_vocabulary, scan

SIDE_WORDS = {"right": "right", "left": "left", "bilateral": "bilateral"}
STOP_WORDS = frozenset(
    [
        "a",
        "an",
        "and",
        "the",
        "of",
        "in",
        "on",
        "at",
        "to",
        "or",
        "with",
        "without",
        "for",
        "from",
        "by",
        "due",
        "as",
        "not",
        "is",
        "are",
        "be",
        "this",
        "that",
        "into",
        "other",
        "than",
        "part",
        "any",
        "s",
        ",",
        ";",
        ":",
        "(",
        ")",
        "[",
        "]",
        "/",
        ".",
        "&",
        "site",
        "side",
    ]
)


@dataclass(frozen=True, slots=True)
class CodeFacets:
    """What the title of one leaf says.

    Attributes
    ----------
    code : str
        The leaf (a stem where a 7th character is needed).
    sites : tuple of str
        Most specific sites of the title; a site that is part of another named one stands for both.
    side : str
        right, left, bilateral, ``unspecified`` (sided siblings exist), or empty when the code has no side.
    dominance : str
        dominant, nondominant, unspecified or empty.
    qualifiers : frozenset of str
    residual : frozenset of str
        Normal forms of the words that no site, side or qualifier explains.
    words : frozenset of str
        All content words of the title.
    absent : frozenset of str
        Words that the title rules out ("without dyskinesia").
    """

    code: str
    sites: tuple[str, ...]
    side: str
    dominance: str
    qualifiers: frozenset[str]
    residual: frozenset[str]
    words: frozenset[str]
    absent: frozenset[str] = frozenset()


def _written(row: CodeFacets) -> str:
    """A row as one line for the compiled file; a word of a title holds no line end and no tab."""
    sets = (row.qualifiers, row.residual, row.words, row.absent)
    return "\t".join(["\n".join(row.sites), row.side, row.dominance, *("\n".join(sorted(words)) for words in sets)])


class _Rows(dict[str, CodeFacets]):
    """Rows by leaf, each read from its line when it is first asked for: a note needs few of them."""

    def __init__(self, lines: dict[str, str]) -> None:
        self.lines = lines

    def __missing__(self, leaf: str) -> CodeFacets:
        sites, side, dominance, *sets = self.lines[leaf].split("\t")
        qualifiers, residual, words, absent = (frozenset(cell.split("\n")) if cell else frozenset() for cell in sets)
        row = CodeFacets(leaf, tuple(sites.split("\n")) if sites else (), side, dominance, qualifiers, residual, words, absent)
        self[leaf] = row
        return row


class FacetIndex:
    """Facets of all leaves of an edition, and for each stem the leaves below it by site."""

    def __init__(self, edition: Edition, lines: dict[str, str], vocabulary: Vocabulary) -> None:
        self.edition = edition
        self.vocabulary = vocabulary
        self._by_code = _Rows(lines)
        self._concepts: dict[str, list[str]] | None = None
        self._below: dict[str, list[CodeFacets]] = {}
        self._sited: dict[str, dict[str, list[CodeFacets]]] = {}

    def __getitem__(self, leaf: str) -> CodeFacets:
        return self._by_code[leaf]

    def __contains__(self, leaf: str) -> bool:
        return leaf in self._by_code.lines

    def __len__(self) -> int:
        return len(self._by_code.lines)

    def conditions(self, leaf: str) -> tuple[str, ...]:
        """Concepts of the lexicon that the leaf is a code of: its condition facet; the nearest stem comes first."""
        if self._concepts is None:
            self._concepts = {}
            for concept in self.vocabulary.concepts.values():
                for stem in concept.codes:
                    self._concepts.setdefault(stem, []).append(concept.id)
        found: list[str] = []
        for length in range(len(leaf), 2, -1):
            found.extend(self._concepts.get(leaf[:length], ()))
        return tuple(dict.fromkeys(found))

    def condition(self, leaf: str) -> str:
        """What a leaf says is the matter: the lexicon's name of it, or the words of its title that no other facet explains."""
        named = self.conditions(leaf)
        if named:
            return named[0].replace("_", " ")
        rest = self[leaf].residual or self[leaf].words
        return " ".join(word for word in phrase(self.edition.title(leaf)) if word in rest)

    def sides(self, leaf: str) -> tuple[str, ...]:
        """The sides that titles beside the leaf tell apart: its laterality capability; empty where they tell none."""
        if not self[leaf].side:
            return ()
        around = self.below(leaf[:-1].rstrip("."))
        return tuple(sorted({row.side for row in around if row.side}))

    def described(self, leaf: str) -> list[tuple[str, str]]:
        """The facets of a leaf as (name, value), for people; facets that its title does not have are left out."""
        row = self[leaf]
        said = sorted(q.replace("_", " ") for q in row.qualifiers if q not in {"unspecified", "bilateral_word"})
        facets = [
            ("condition", self.condition(leaf)),
            ("site", ", ".join(site.replace("_", " ") for site in row.sites)),
            ("side", f"{row.side}, told apart: {', '.join(self.sides(leaf))}" if row.side else ""),
            ("dominance", row.dominance),
            ("said", ", ".join(said)),
            ("ruled out", ", ".join(sorted(row.absent))),
            ("words", ", ".join(sorted(row.residual))),
        ]
        return [(name, value) for name, value in facets if value]

    def below(self, stem: str) -> list[CodeFacets]:
        """Facets of the leaves below a stem, in the order of codes; empty if this edition has none."""
        rows = self._below.get(stem)
        if rows is None:
            rows = [self._by_code[leaf] for leaf in self.edition.leaves_below(stem)]
            self._below[stem] = rows
        return rows

    def at_sites(self, stem: str, sites: Iterable[str]) -> list[CodeFacets]:
        """Leaves below a stem that could hold a finding at ``sites``: same site, a wider one, a part of it, or none."""
        table = self._sited.get(stem)
        if table is None:
            table = {}
            for row in self.below(stem):
                for site in row.sites or ("",):
                    table.setdefault(site, []).append(row)
            self._sited[stem] = table
        wanted: dict[str, CodeFacets] = {}
        names: set[str] = {""}
        for site in sites:
            names.update(self.vocabulary.lineage(site))
        for name in sorted(names):
            for row in table.get(name, ()):
                wanted[row.code] = row
        own = set(sites)
        for name, rows in table.items():
            if name and not own.isdisjoint(self.vocabulary.lineage(name)):
                for row in rows:
                    wanted[row.code] = row
        return [wanted[code] for code in sorted(wanted)]


TitleFacets = tuple[tuple[str, ...], str, str, frozenset[str], frozenset[str], frozenset[str], frozenset[str]]


def title_facets(title: str, vocabulary: Vocabulary) -> TitleFacets:
    """Sites, side, dominance, qualifiers, residual and words of one title.

    The side is ``unspecified?`` where the title says "unspecified": only its siblings tell whether that means the side.
    """
    return _facets_of(phrase(title), vocabulary)


def _facets_of(words: tuple[str, ...], vocabulary: Vocabulary) -> TitleFacets:
    sides = [SIDE_WORDS[word] for word in words if word in SIDE_WORDS]
    single = {side for side in sides if side != "bilateral"}  # "bilateral field defects, right side" is of the right
    side = single.pop() if len(single) == 1 else "bilateral" if sides else ""
    dominance = ""
    if "dominant" in words:
        position = words.index("dominant")
        dominance = "nondominant" if position and words[position - 1] == "non" else "dominant"
    elif "nondominant" in words:
        dominance = "nondominant"
    if not side and "unspecified" in words:
        side = "unspecified?"
    bare = [word for word in words if word not in SIDE_WORDS and word != "unspecified"]
    covered: set[int] = set()
    sites: list[str] = []
    for start, end, _, value in scan(vocabulary.trie, bare, frozenset({SITE})):
        covered.update(range(start, end))
        sites.append(value)
    at_site = frozenset(covered)
    qualifiers = {name for name, word in (("unspecified", "unspecified"), ("bilateral_word", "bilateral")) if word in words}
    for _, _, _, value in scan(vocabulary.trie, list(words), frozenset({QUALIFIER})):
        if vocabulary.qualifier_groups[value] == "dominance":  # its words hold the side
            qualifiers.add(value)
    for start, end, _, value in scan(vocabulary.trie, bare, frozenset({QUALIFIER})):
        if all(position in at_site for position in range(start, end)):
            continue  # "medial collateral ligament": the word belongs to the site
        qualifiers.add(value)
        covered.update(range(start, end))
    specific = [
        site for site in dict.fromkeys(sites) if not any(other != site and site in vocabulary.lineage(other) for other in sites)
    ]
    content = frozenset(word for word in words if word not in STOP_WORDS)
    ruled_out = _ruled_out(bare)
    residual = frozenset(
        word
        for i, word in enumerate(bare)
        if i not in covered
        and i not in ruled_out
        and word not in STOP_WORDS
        and word not in {"dominant", "non", "nondominant", "affecting"}
    )
    absent = frozenset(bare[i] for i in ruled_out if i not in covered and bare[i] not in STOP_WORDS and bare[i] != "mention")
    return tuple(specific), side, dominance, frozenset(qualifiers), residual, content, absent


def _ruled_out(words: list[str]) -> set[int]:
    """Positions of the words that a title rules out: behind "without" up to the next comma or "with"."""
    positions: set[int] = set()
    inside = False
    for index, word in enumerate(words):
        if word == "without":
            inside = True
        elif word in {",", "with", ";", "and"}:
            inside = False
        elif inside:
            positions.add(index)
    return positions


def _compile(edition: Edition, vocabulary: Vocabulary) -> list[CodeFacets]:
    leaves = edition.leaves
    titles = {leaf: phrase(edition.title(leaf)) for leaf in leaves}
    flat = {leaf: " ".join(words) for leaf, words in titles.items()}
    sided = set(flat.values())
    rows = []
    for leaf in leaves:
        sites, side, dominance, qualifiers, residual, words, absent = _facets_of(titles[leaf], vocabulary)
        if side == "unspecified?":
            side = "unspecified" if _has_sided_twin(flat[leaf], sided) else ""
        if dominance == "" and side == "unspecified" and "hemiplegia" in residual:
            dominance = "unspecified"
        rows.append(CodeFacets(leaf, sites, side, dominance, qualifiers, residual, words, absent))
    return rows


def _has_sided_twin(flat: str, titles: set[str]) -> bool:
    parts = flat.split("unspecified")
    for index in range(1, len(parts)):
        head, tail = "unspecified".join(parts[:index]), "unspecified".join(parts[index:])
        if f"{head}right{tail}" in titles or f"{head}left{tail}" in titles or f"{head}right dominant{tail}" in titles:
            return True
    return False


@lru_cache(maxsize=4)
@without_collecting()
def load_facets(edition: Edition) -> FacetIndex:
    """The facets of an edition, compiled once and cached in a file."""
    vocabulary = load_vocabulary()
    key = hashlib.sha256(f"{tables_digest(*TITLE_SOURCES)}{edition.name}{edition.key}".encode()).hexdigest()
    name = f"facets-{edition.name}"
    lines: dict[str, str] | None = load_compiled(name, key)
    if lines is None:
        lines = {row.code: _written(row) for row in _compile(edition, vocabulary)}
        store_compiled(name, key, lines)
    return FacetIndex(edition, lines, vocabulary)


def facets_of(edition: Edition, code: str) -> list[tuple[str, str]]:
    """The facets of a code for people, as :meth:`FacetIndex.described`, with its encounter; empty for a category or a heading."""
    facets = load_facets(edition)
    leaf = edition.stem(code) if edition.is_billable(code) else code
    if leaf not in facets:
        return []
    encounter = edition.sevenths(leaf)[code[-1]] if code != leaf else ""
    return [*facets.described(leaf), *([("encounter", encounter)] if encounter else [])]
