"""Every table of words, compiled into one trie that reads notes and code titles alike.

A trie node maps the normal form of the next token to the next node; the key ``""`` holds what the path means: the
values of each layer. Layers are read independently of each other, the longest match of each layer wins.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from lexicon.codes.cache import load_compiled, store_compiled, without_collecting
from lexicon.errors import LexiconError
from lexicon.normal import phrase
from lexicon.tables import read_table, split_cell, tables_below, tables_digest

Trie = dict[str, Any]

# Layers of the trie
CONCEPT, SITE, SIDE, CUE, CAUSE, PHASE, QUALIFIER, SHORT = (
    "concept",
    "site",
    "side",
    "cue",
    "cause",
    "phase",
    "qualifier",
    "short",
)

ASSERTIONS = ("present", "negated", "uncertain", "historical", "family", "hypothetical", "normal_side")
SIDES = ("right", "left", "bilateral", "unspecified")
CONCEPT_KINDS = ("diagnosis", "symptom", "injury", "procedure", "status", "aftercare", "function", "measure")


@dataclass(frozen=True, slots=True)
class Concept:
    """A condition, injury, procedure or status that notes name and codes stand for.

    Attributes
    ----------
    id : str
    kind : str
        One of ``CONCEPT_KINDS``.
    codes : tuple of str
        Official stems whose subtrees hold the concept's codes, the official default first.
    site : str
        Site that the words themselves imply, or empty.
    qualifiers : frozenset of str
        Title words that the words imply.
    """

    id: str
    kind: str
    codes: tuple[str, ...]
    site: str = ""
    qualifiers: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Site:
    """A part of the body."""

    id: str
    parent: str
    kind: str
    sided: bool


@dataclass(frozen=True, slots=True)
class Cue:
    """A word that decides an assertion: what it says, which way it looks and how far."""

    text: str
    category: str
    direction: str
    scope: str


@dataclass(frozen=True, slots=True)
class SideForm:
    """A written form of a side; ``site`` where the form names one too (RLE), ``near`` if it counts only at a site."""

    side: str
    site: str = ""
    near: bool = False


@dataclass(frozen=True, slots=True)
class ShortForm:
    """One reading of an ambiguous abbreviation."""

    form: str
    means: tuple[str, ...]
    context: frozenset[tuple[str, ...]]
    against: frozenset[tuple[str, ...]]
    default: bool


class Phrases:
    """Normal forms of the terms of the tables, compiled once for each state of the tables."""

    def __init__(self) -> None:
        stored: dict[str, str] = load_compiled("phrases", tables_digest()) or {}
        self._known = {term: tuple(words.split("\t")) if words else () for term, words in stored.items()}
        self._stored = len(self._known)

    def __call__(self, term: str) -> tuple[str, ...]:
        """What :func:`lexicon.normal.phrase` gives."""
        words = self._known.get(term)
        if words is None:
            words = self._known[term] = phrase(term)
        return words

    def keep(self) -> None:
        """Store what had to be normalised; a cell of a table holds no tab, so a tab parts the words."""
        if len(self._known) > self._stored:
            store_compiled("phrases", tables_digest(), {term: "\t".join(words) for term, words in self._known.items()})


class Vocabulary:
    """All tables of lexicon/, validated and compiled. Build it once with :func:`load_vocabulary`."""

    def __init__(self) -> None:
        self.trie: Trie = {}
        self.site_words: dict[str, tuple[frozenset[str], ...]] = {}
        self.sites: dict[str, Site] = {}
        self.concepts: dict[str, Concept] = {}
        self.areas: dict[str, str] = {}
        self.names: dict[str, tuple[str, ...]] = {}  # of sites and concepts: normal forms of the first term
        self.causes: dict[str, tuple[str, tuple[str, ...]]] = {}
        self.headings: dict[tuple[str, ...], str] = {}
        self.section_defaults: dict[str, tuple[str, float]] = {}
        self.section_visits: dict[str, str] = {}
        self.words: set[str] = set()
        self._phrase = Phrases()
        self._read_sites()
        self._read_concepts()
        self._read_simple_layers()
        self._read_short_forms()
        self._read_sections()
        self._phrase.keep()
        del self._phrase

    # ---------------------------------------------------------------- building

    def _add(self, term: str, layer: str, value: Any) -> None:
        path = self._phrase(term)
        if not path:
            raise LexiconError(f"a term of layer {layer} has no words")
        node = self.trie
        for word in path:
            node = node.setdefault(word, {})
        values = node.setdefault("", {}).setdefault(layer, [])
        if value not in values:
            values.append(value)
        if layer in {CONCEPT, SITE, CAUSE}:
            self.words.update(filter(str.isalpha, path))

    def _read_sites(self) -> None:
        for row in read_table("sites.tsv"):
            self.sites[row["site"]] = Site(row["site"], row["parent"], row["kind"], row["sides"] == "y")
            self.names[row["site"]] = self._phrase(split_cell(row["terms"])[0])
            for term in split_cell(row["terms"]):
                self._add(term, SITE, row["site"])
            self.site_words[row["site"]] = tuple(
                dict.fromkeys(
                    frozenset(word for word in self._phrase(term) if word not in {"of", "the", "and"})
                    for term in split_cell(row["terms"])
                )
            )
        for site in self.sites.values():
            if site.parent and site.parent not in self.sites:
                raise LexiconError(f"sites.tsv: parent {site.parent!r} of {site.id!r} does not exist")

    def _read_concepts(self) -> None:
        for table in tables_below("terms"):
            for row in read_table(table):
                concept = Concept(
                    row["concept"],
                    row["kind"],
                    tuple(split_cell(row["codes"])),
                    row["site"],
                    frozenset(word for part in split_cell(row["qualifiers"]) for word in self._phrase(part)),
                )
                if concept.id in self.concepts:
                    raise LexiconError(f"{table}: concept {concept.id!r} stands twice")
                if concept.kind not in CONCEPT_KINDS:
                    raise LexiconError(f"{table}: {concept.id!r} has the unknown kind {concept.kind!r}")
                if concept.site and concept.site not in self.sites:
                    raise LexiconError(f"{table}: {concept.id!r} names the unknown site {concept.site!r}")
                self.concepts[concept.id] = concept
                self.areas[concept.id] = table.split("/")[1].removesuffix(".tsv")
                self.names[concept.id] = self._phrase(split_cell(row["terms"])[0])
                for term in split_cell(row["terms"]):
                    self._add(term, CONCEPT, concept.id)

        self.lifelong = frozenset(name for row in read_table("lifelong.tsv") for name in split_cell(row["concept"]))
        for row in read_table("pairs.tsv"):
            for term in split_cell(row["terms"]):
                for name in split_cell(row["concepts"]):
                    if name not in self.concepts:
                        raise LexiconError(f"pairs.tsv: unknown concept {name!r}")
                    self._add(term, CONCEPT, name)

    def _read_simple_layers(self) -> None:
        for row in read_table("cues.tsv"):
            self._add(row["cue"], CUE, Cue(row["cue"], row["category"], row["direction"], row["scope"]))
        for row in read_table("sides.tsv"):
            needs = row["needs"]
            near = needs == "near_site"
            site = "" if near or needs in {"", "-"} else needs
            for form in split_cell(row["form"]):
                self._add(form, SIDE, SideForm(row["side"], site, near))
        for table in tables_below("causes"):
            for row in read_table(table):
                if row["cause"] in self.causes:
                    raise LexiconError(f"{table}: cause {row['cause']!r} stands twice")
                self.causes[row["cause"]] = (row["kind"], tuple(split_cell(row["codes"])))
                for term in split_cell(row["terms"]):
                    self._add(term, CAUSE, row["cause"])
        for row in read_table("phases.tsv"):
            for cue in split_cell(row["cue"]):
                self._add(cue, PHASE, row["value"])
        for row in read_table("qualifiers.tsv"):
            for term in split_cell(row["terms"]):
                self._add(term, QUALIFIER, row["qualifier"])
        self.qualifier_groups = {row["qualifier"]: row["group"] for row in read_table("qualifiers.tsv")}
        self.qualifier_defaults = frozenset(row["qualifier"] for row in read_table("qualifiers.tsv") if row["default"] == "y")

    def _read_short_forms(self) -> None:
        self.short_forms: dict[str, list[ShortForm]] = {}
        for row in read_table("abbreviations.tsv"):
            context = split_cell(row["context"])
            short = ShortForm(
                row["form"],
                () if row["means"] in {"", "-"} else self._phrase(row["means"]),
                frozenset(self._phrase(word) for word in context if word != "*"),
                frozenset(self._phrase(word) for word in split_cell(row["against"])),
                "*" in context,
            )
            if row["form"] not in self.short_forms:
                self._add(row["form"], SHORT, row["form"])
            self.short_forms.setdefault(row["form"], []).append(short)

    def _read_sections(self) -> None:
        for row in read_table("sections.tsv"):
            for heading in split_cell(row["heading"]):
                self.headings[self._phrase(heading)] = row["section"]
        for row in read_table("sections_defaults.tsv"):
            self.section_defaults[row["section"]] = (row["assertion"], float(row["weight"]))
            if row["visit"]:
                self.section_visits[row["section"]] = row["visit"]

    # ---------------------------------------------------------------- asking

    @cached_property
    def _lineages(self) -> dict[str, tuple[str, ...]]:
        lineages = {}
        for site in self.sites:
            chain, current = [], site
            while current:
                if current in chain:
                    raise LexiconError(f"sites.tsv: {site!r} is part of itself")
                chain.append(current)
                current = self.sites[current].parent
            lineages[site] = tuple(chain)
        return lineages

    def lineage(self, site: str) -> tuple[str, ...]:
        """The site and everything that it is part of, nearest first."""
        return self._lineages[site]

    def related(self, site: str, other: str) -> bool:
        """Whether one of the sites is part of the other (or they are the same)."""
        return other in self._lineages[site] or site in self._lineages[other]

    def composed(self, concept: str, words: Iterable[str], site: str, site_words: Iterable[str]) -> str:
        """The concept that a site and a concept name together: "fracture" at "calcaneus" is the calcaneus fracture.

        Parameters
        ----------
        concept, site : str
        words, site_words : iterable of str
            Normal forms by which the note names them.

        Returns
        -------
        str
            The concept itself where the tables list no term that joins the two, or several.
        """
        if self.sites[site].kind == "region":  # a code of the whole region is the last resort, not the meaning
            return concept
        own = self.concepts[concept]
        for head in dict.fromkeys((tuple(words), self.names[concept])):
            for place in dict.fromkeys((tuple(site_words), self.names[site])):
                found = {value for layer, value in self.meanings((*place, *head)) if layer == CONCEPT}
                if len(found) == 1 and _narrower(self.concepts[next(iter(found))], own):
                    return str(next(iter(found)))
        return concept

    def meanings(self, words: Iterable[str]) -> list[tuple[str, Any]]:
        """What exactly these normal forms mean, as (layer, value); empty if they are no term."""
        node = self.trie
        for word in words:
            child = node.get(word)
            if child is None:
                return []
            node = child
        return [(layer, value) for layer, values in node.get("", {}).items() for value in values]


def _narrower(concept: Concept, wider: Concept) -> bool:
    """Whether the first code of a concept lies below a code of the wider one."""
    return concept.kind == wider.kind and bool(concept.codes) and concept.codes[0].startswith(wider.codes or ("\0",))


def scan(trie: Trie, words: list[str], layers: frozenset[str] | None = None) -> list[tuple[int, int, str, Any]]:
    """Longest matches of each layer.

    Parameters
    ----------
    trie : Trie
    words : list of str
        Normal forms of the tokens to match.
    layers : frozenset of str, optional
        Only these layers.

    Returns
    -------
    list of (start, end, layer, value)
        Token spans, end exclusive, ordered by start. Within a layer matches do not overlap.
    """
    found: list[tuple[int, int, str, Any]] = []
    busy: dict[str, int] = {}
    count = len(words)
    for start in range(count):
        node = trie.get(words[start])
        if node is None:
            continue
        best: dict[str, tuple[int, list[Any]]] = {}
        position = start + 1
        while True:
            entries = node.get("")
            if entries:
                for layer, values in entries.items():
                    best[layer] = position, values
            if position >= count:
                break
            node = node.get(words[position])
            if node is None:
                break
            position += 1
        for layer, (end, values) in best.items():
            if (layers is None or layer in layers) and busy.get(layer, 0) <= start:
                busy[layer] = end
                found.extend((start, end, layer, value) for value in values)
    return found


@lru_cache(maxsize=1)
@without_collecting()
def load_vocabulary() -> Vocabulary:
    """The vocabulary of this installation, compiled once per process.

    Raises
    ------
    LexiconError
        If a table is malformed.
    """
    return Vocabulary()
