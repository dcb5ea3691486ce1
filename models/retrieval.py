"""Text retrieval over titles and inclusion terms: the net under the lexicon.

A leaf can be found by several texts: its title, the inclusion terms and notes of its ancestors below the section, and the
phrases by which notes elsewhere refer to it ("facial weakness following cerebrovascular disease (I69. with final
characters -92)"). Words are weighted by how rare they are among leaves. The score of a leaf is high when its texts explain
the query and the query explains one of its texts: the geometric mean of both shares, the best text taken. Body sites are
compared by the ontology instead of by words, so that "toe" finds a title that says "ankle and foot"; a title that says
"without" something costs nothing where the query is silent and conflicts where the query names it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from math import tanh
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lexicon.codes.cache import load_compiled, store_compiled, without_collecting
from lexicon.codes.edition import Edition
from lexicon.codes.references import Reference
from lexicon.facets import SIDE_WORDS, STOP_WORDS, FacetIndex, load_facets
from lexicon.normal import phrase
from lexicon.tables import read_table, split_cell, tables_below, tables_digest
from lexicon.vocabulary import SITE, Vocabulary, load_vocabulary, scan
from models.specificity import SITE_EXACT, SITE_NARROWER, SITE_OTHER, site_fit

FloatArray = NDArray[np.float32]
RowArray = NDArray[np.int32]

_CATCH_ALL = frozenset({"nec", "specified", "other"})
_FILLERS = "unspecified nos encounter classified elsewhere - involving affecting see code due unknown cause type form following"
_IGNORED = STOP_WORDS | frozenset(SIDE_WORDS) | _CATCH_ALL | frozenset(_FILLERS.split())
_GENERIC = frozenset({"disease", "disorder", "syndrome", "condition", "abnormal", "lesion", "symptom", "sign"})
_FINDING = frozenset({"abnormal", "finding", "inconclusive", "abnormality"})  # the index's heading of laboratory findings
_CONNECTING = frozenset({"involving", "affecting"})
_VAGUE = frozenset({"joint", "bone", "limb", "muscle", "organ", "part", "body", "region", "nerve"})
_SIDES = frozenset({*SIDE_WORDS, "unspecified"})
HOME = ("G", "I69", "M", "R", "S")  # the chapters that therapists code from
AWAY = "OPQVWXY"  # pregnancy, birth and external causes
_NEGATION = frozenset({"without", "not", "no"})
_NEGATION_ENDS = frozenset({",", ";", "with", "and", "or", ":", "(", ")", "[", "]"})

# Weights of the score, in one place. A text that explains everything and is explained by everything has 1.0.
TITLE, TITLE_JOINED, TITLE_SITE, NEAR_TEXT, FAR_TEXT = range(5)
KIND_VALUES = (1.0, 1.0, 0.95, 0.85, 0.75)  # how much of a query word each kind of word explains
MASS_VALUES = (1.0, 0.5, 0.0, 0.0, 0.0)  # how much each must be explained; in titles "and" means and/or (I.A.14)
TERM_SHARE = 0.78
SYNONYM = 0.95
COMPOUND = 0.85
SYNONYM_LENGTH = 4  # words of the longest phrase of the table
GENERIC_WEIGHT = 0.4
UNKNOWN_WEIGHT = 1.5
SITE_WEIGHT = 0.35
SITE_GAIN = 0.26
SITE_REGION = 0.5
CONFLICT = 0.6
DENIED_WEIGHT = 0.5
SIDE_GAIN = 0.08
SIDE_OTHER = -0.3
SIDE_UNSTATED = -0.06
ALONE_SITE_GAIN = 0.2
SIDE_SPARED = -0.3  # a title of one side where the same title without a side exists and none is said
HOME_GAIN = 0.06
AWAY_GAIN = -0.05
UNSPECIFIED_GAIN = 0.03
OTHER_WANTED = 0.06
OTHER_UNWANTED = -0.03
MENTION_WEIGHT = 0.8
LEXICON_WEIGHT = 0.9
HEADING_VALUE = 0.85
LEAST_MASS = 4.0
KNEE = 0.75  # scores above it are pressed together below 1
MOST_LEAVES = 250  # a note that names more than that names a chapter, not a condition

_ENDINGS = (
    "ization ations ation ated ating ative ment ness ity ical ious sis tic tous tion ing ial eal ous ive ate ia ic ed al ar y e "
    "a i um us is s"
)  # longer ones first where one ends in another
_SUFFIXES = {
    "itis": "it", "itic": "it", "ction": "ct", "ose": "o",
    **dict.fromkeys(_ENDINGS.split(), ""),
}  # fmt: skip


@lru_cache(maxsize=100_000)
def stem_word(word: str) -> str:
    """A light stem so that fractured, fracture and fractures meet, and paralysis meets paralytic; only for retrieval.

    Examples
    --------
    >>> stem_word("fractured") == stem_word("fracture"), stem_word("arthritis") == stem_word("arthrosis")
    (True, False)
    """
    for suffix, kept in _SUFFIXES.items():
        if word.endswith(suffix) and len(word) - len(suffix) >= 4:
            word = word[: -len(suffix)] + kept
            break
    return word[:-1] if len(word) > 4 and word[-1] == "e" else word


_KIND_VALUES = np.array(KIND_VALUES, dtype=np.float32)
_ONES = np.ones(1, dtype=np.float32)
_MASS = np.array(MASS_VALUES, dtype=np.float32)
_SIDE_NUMBERS = {"right": 1, "left": 2, "bilateral": 3, "unspecified": 4}
_SIDE_GAINS = np.array(
    [
        [0, SIDE_UNSTATED, SIDE_UNSTATED, SIDE_UNSTATED, 0],
        [0, SIDE_GAIN, SIDE_OTHER, SIDE_UNSTATED, 0],
        [0, SIDE_OTHER, SIDE_GAIN, SIDE_UNSTATED, 0],
        [0, 0, 0, SIDE_GAIN, SIDE_UNSTATED],
    ],
    dtype=np.float32,
)  # row: the side that is said (0: none); column: the side of the title


class _Postings:
    """For each word the rows that hold it, and in what part of them."""

    def __init__(self, rows: bytes, starts: bytes, kinds: bytes) -> None:
        self._rows = np.frombuffer(rows, dtype=np.int32)
        self._starts = np.frombuffer(starts, dtype=np.int32).tolist()
        self._kinds = np.frombuffer(kinds, dtype=np.uint8) if kinds else np.zeros(len(self._rows), dtype=np.uint8)

    def of(self, number: int) -> tuple[RowArray, NDArray[np.uint8]]:
        """Rows and kinds of a word."""
        part = slice(self._starts[number], self._starts[number + 1])
        return self._rows[part], self._kinds[part]


def _inverted(rows: list[dict[int, int]], words: int) -> tuple[bytes, bytes, bytes]:
    """Rows of each word, where each word's rows start, and the kind in each row, as bytes."""
    columns = np.array([word for row in rows for word in row], dtype=np.int32)
    owners = np.repeat(np.arange(len(rows), dtype=np.int32), [len(row) for row in rows])
    kinds = np.array([kind for row in rows for kind in row.values()], dtype=np.uint8)
    order = np.argsort(columns, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(columns, minlength=words))]).astype(np.int32)
    return owners[order].tobytes(), starts.tobytes(), kinds[order].tobytes()


Meanings = list[tuple[float, tuple[str, ...]]]
Synonyms = dict[tuple[str, ...], Meanings]


def _synonyms() -> Synonyms:
    """Words and short phrases that stand for words of titles, by their sorted stems: ``fx`` for fracture."""
    table: Synonyms = {}
    for row in read_table("title_words.tsv"):
        for words in split_cell(row["words"]):
            key = tuple(sorted(stem_word(word) for word in phrase(words) if word not in STOP_WORDS))
            table.setdefault(key, []).append((float(row["share"] or SYNONYM), phrase(row["title_word"])))
    return table


@lru_cache(maxsize=1)
def _word_parts() -> tuple[dict[str, tuple[tuple[str, ...], ...]], dict[str, tuple[tuple[str, ...], ...]]]:
    """Greek and Latin parts of words and what they mean: those at the front, those at the end."""
    tables: dict[str, dict[str, tuple[tuple[str, ...], ...]]] = {"front": {}, "end": {}}
    for row in read_table("word_parts.tsv"):
        for part in split_cell(row["parts"]):
            tables[row["place"]][part] = tuple(phrase(words) for words in split_cell(row["words"]))
    return tables["front"], tables["end"]


@lru_cache(maxsize=10_000)
def compound_meanings(word: str) -> tuple[tuple[str, ...], ...]:
    """What a word made of Greek and Latin parts says in plain words; nothing where a part is unknown.

    Examples
    --------
    >>> compound_meanings("coxalgia"), compound_meanings("table")
    ((('hip', 'pain'),), ())
    """
    fronts, ends = _word_parts()
    for cut in range(2, len(word) - 2):
        if word[cut:] not in ends:
            continue
        for first in range(cut, 1, -1):
            rest = word[first:cut]
            if word[:first] in fronts and (not rest or rest in fronts):
                middle = fronts[rest] if rest else ((),)
                return tuple(a + b + c for a in fronts[word[:first]] for b in middle for c in ends[word[cut:]])
    return ()


_REFERRED = re.compile(r"\s*\([^()]*\)|\s*\[[^\]]*\]")


def _mentions(edition: Edition, place: dict[str, int]) -> Iterator[tuple[int, int, float, list[str]]]:
    """Phrases by which a note refers to codes elsewhere, as (first leaf, last leaf + 1, value, stems)."""
    for note in edition.all_notes():
        if note.kind not in {"excludes1", "excludes2"} or not note.references:
            continue
        stems = [stem for stem in dict.fromkeys(_stems(phrase(_REFERRED.sub("", note.text)))) if stem[0] != "~"]
        if not 0 < len(stems) < 10:
            continue
        for reference in note.references:
            low = _leaf_span(edition, place, reference)
            if low:
                yield low[0], low[1], MENTION_WEIGHT, stems


def _lexicon_texts(edition: Edition, place: dict[str, int]) -> Iterator[tuple[int, int, float, list[str]]]:
    """Terms of the lexicon as texts of the default code of their concept; each wording once."""
    for table in tables_below("terms"):
        for row in read_table(table):
            codes = split_cell(row["codes"])
            leaves = edition.leaves_below(codes[0]) if codes and codes[0] in edition else ()
            if not leaves or len(leaves) > MOST_LEAVES:
                continue
            low, high = place[leaves[0]], place[leaves[-1]] + 1
            seen = set()
            for term in split_cell(row["terms"]):
                stems = [stem for stem in dict.fromkeys(_stems(phrase(term))) if stem[0] != "~"]
                if stems and tuple(sorted(stems)) not in seen:
                    seen.add(tuple(sorted(stems)))
                    yield low, high, LEXICON_WEIGHT, stems


def _leaf_span(edition: Edition, place: dict[str, int], reference: Reference) -> tuple[int, int] | None:
    if reference.low != reference.high:
        return None
    leaves = [leaf for leaf in edition.leaves_below(reference.low) if reference.matches(leaf)]
    if not leaves or len(leaves) > MOST_LEAVES or place[leaves[-1]] - place[leaves[0]] >= MOST_LEAVES:
        return None
    return place[leaves[0]], place[leaves[-1]] + 1


def _marks(words: tuple[str, ...] | list[str]) -> list[int]:
    """For each word 1 where it is said, -1 where it is denied ("without ..."), 0 where it is left open ("with or without")."""
    marks = []
    state = 1
    for position, word in enumerate(words):
        if word in _NEGATION:
            nearby = words[position + 1 : position + 2]
            if nearby and nearby[0] in {"elsewhere", "otherwise", "specified", "classified"}:
                state = 1
            elif position > 1 and words[position - 1] in {"or", "and"} and words[position - 2] == "with":
                state = 0
            else:
                state = -1
        elif word in _NEGATION_ENDS:
            state = 1
        marks.append(state)
    return marks


def _stems(words: tuple[str, ...]) -> list[str]:
    """Stems of the content words of a text; a denied word has a tilde before it."""
    marks = _marks(words)
    return [
        stem_word(word) if mark > 0 else f"~{stem_word(word)}"
        for word, mark in zip(words, marks, strict=True)
        if mark and word not in _IGNORED and word not in _NEGATION
    ]


def _site_positions(words: list[str], vocabulary: Vocabulary) -> tuple[set[int], list[str]]:
    positions: set[int] = set()
    sites: list[str] = []
    for start, end, _, value in scan(vocabulary.trie, words, frozenset({SITE})):
        positions.update(range(start, end))
        sites.append(value)
    return positions, sites


def _bounded(value: float) -> float:
    """A score below 1 that keeps the order: gains for side and place may lift the sum of the shares over 1."""
    return value if value <= KNEE else KNEE + (1 - KNEE) * tanh((value - KNEE) / (1 - KNEE))


def _is_variant(words: tuple[str, ...], first: list[int], second: list[int]) -> bool:
    """Whether the second part of an index entry only says the main term again ("Weak, weakening, weakness")."""
    return len(second) == 1 and words[second[0]][:4] == words[first[0]][:4]


Ways = tuple[tuple[float, tuple[int, ...]], ...]
"""How a part of a query can be said: for each way how much it counts, and its words."""


class TitleIndex:
    """Weighted word index of all leaves of an edition."""

    def __init__(self, edition: Edition, facets: FacetIndex) -> None:
        self.edition = edition
        self.facets = facets
        self._vocabulary = load_vocabulary()
        self._synonyms = _synonyms()
        self.leaves = edition.leaves
        key = hashlib.sha256(f"{tables_digest()}{edition.name}{edition.key}{len(self.leaves)}titles13".encode()).hexdigest()
        stored = load_compiled(f"titles-{edition.name}", key)
        if stored is None:
            stored = self._compile()
            store_compiled(f"titles-{edition.name}", key, stored)
        self.words: dict[str, int] = {word: i for i, word in enumerate(stored["words"])}
        self._official_words: int = stored["official_words"]
        self._official_texts: int = stored["official_texts"]
        self.weights = np.frombuffer(stored["weights"], dtype=np.float32)
        self._leaf_words = _Postings(stored["leaf_rows"], stored["leaf_starts"], stored["leaf_kinds"])
        self._text_words = _Postings(stored["text_rows"], stored["text_starts"], b"")
        self._title_mass = np.maximum(np.frombuffer(stored["mass"], dtype=np.float32), np.float32(LEAST_MASS))
        self._text_mass = np.maximum(np.frombuffer(stored["text_mass"], dtype=np.float32), np.float32(LEAST_MASS))
        self._text_low = np.frombuffer(stored["text_low"], dtype=np.int32)
        self._text_high = np.frombuffer(stored["text_high"], dtype=np.int32)
        self._text_value = np.frombuffer(stored["text_value"], dtype=np.float32)
        denied = {word[1:]: number for word, number in self.words.items() if word[0] == "~"}
        self._denied = {self.words[word]: number for word, number in denied.items() if word in self.words}
        self._by_prefix: dict[str, str] = {}
        for word in sorted(stored["words"][: self._official_words], key=lambda w: (-len(w), w)):
            for length in range(7, len(word) + 1):
                self._by_prefix[word[:length]] = word
        self._unspecified = np.frombuffer(stored["unspecified"], dtype=np.bool_)
        self._other = np.frombuffer(stored["other"], dtype=np.bool_)
        self._spared = np.frombuffer(stored["spared"], dtype=np.bool_)
        self._home = np.array([0.0, HOME_GAIN, AWAY_GAIN], dtype=np.float32)[np.frombuffer(stored["home"], dtype=np.int8)]
        self._sides = np.frombuffer(stored["sides"], dtype=np.int8)
        self._site_group = np.frombuffer(stored["site_group"], dtype=np.int32)
        self._read_sites(stored["site_groups"])

    def _read_sites(self, groups: list[list[str]]) -> None:
        self._site_numbers = {site: number for number, site in enumerate(sorted(self._vocabulary.sites))}
        self._site_words: dict[str, list[tuple[int, frozenset[str]]]] = {}  # sites of several words, by one of them
        for site, number in self._site_numbers.items():
            if len(parts := frozenset(site.split("_"))) > 1:
                self._site_words.setdefault(min(parts), []).append((number, parts))
        self._regions: dict[str, list[str]] = {}
        for row in read_table("site_regions.tsv"):
            for site in split_cell(row["sites"]):
                self._regions.setdefault(site, []).append(row["region"])
        regional = [i for i, leaf in enumerate(self.leaves) if leaf[0] == "M"]
        self._regional = slice(regional[0], regional[-1] + 1) if regional else slice(0, 0)
        flat: list[int] = []
        starts = []
        for group in groups:
            starts.append(len(flat))
            flat.extend(self._site_numbers[site] for site in group or (next(iter(self._site_numbers)),))
        self._group_sites = np.array(flat, dtype=np.int32)
        self._group_starts = np.array(starts, dtype=np.int32)
        self._group_placed = np.array([bool(group) for group in groups])

    # ---------------------------------------------------------------- compiling

    def _compiled_facets(self) -> dict[str, Any]:
        """Facets of all leaves as arrays; ``site_groups`` are the different tuples of sites."""
        rows = [self.facets[leaf] for leaf in self.leaves]
        bare = [
            (leaf[:3], tuple(word for word in phrase(self.edition.title(leaf)) if word not in _SIDES)) for leaf in self.leaves
        ]
        open_titles = {title for title, row in zip(bare, rows, strict=True) if row.side not in SIDE_WORDS}
        spared = [title in open_titles and row.side in SIDE_WORDS for title, row in zip(bare, rows, strict=True)]
        groups: dict[tuple[str, ...], int] = {}
        group = np.array([groups.setdefault(row.sites, len(groups)) for row in rows], dtype=np.int32)
        return {
            "unspecified": np.array(["unspecified" in row.words for row in rows]).tobytes(),
            "other": np.array(["other" in row.qualifiers for row in rows]).tobytes(),
            "sides": np.array([_SIDE_NUMBERS.get(row.side, 0) for row in rows], dtype=np.int8).tobytes(),
            "spared": np.array(spared).tobytes(),
            "home": np.array(
                [1 if leaf.startswith(HOME) else -1 if leaf[0] in AWAY else 0 for leaf in self.leaves], dtype=np.int8
            ).tobytes(),
            "site_group": group.tobytes(),
            "site_groups": [list(sites) for sites in groups],
        }

    def _compile(self) -> dict[str, Any]:
        edition, vocabulary = self.edition, self._vocabulary
        place = {leaf: i for i, leaf in enumerate(self.leaves)}
        own_stems: dict[str, list[str]] = {}
        texts: list[tuple[int, int, float, list[str]]] = []

        def stems_at(name: str) -> list[str]:
            """Stems of the title and the other texts of a node that is not a leaf's own title."""
            known = own_stems.get(name)
            if known is None:
                below = edition.leaves_below(name)
                low, high = (place[below[0]], place[below[-1]] + 1) if below else (0, 0)
                known = []
                sources = [note.text for note in edition.notes(name, inherited=False, kinds=("inclusion", "includes"))]
                if name not in place:
                    sources.append(edition.title(name))
                for text in sources:
                    value = HEADING_VALUE if text is sources[-1] and name not in place else 1.0
                    stems = [stem for stem in dict.fromkeys(_stems(phrase(text))) if stem[0] != "~"]
                    known += stems
                    if stems and high and len(stems) < 12:
                        texts.append((low, high, value, stems))
                own_stems[name] = known
            return known

        bags: list[dict[str, int]] = []
        for leaf in self.leaves:
            bag: dict[str, int] = {}
            words = phrase(edition.title(leaf))
            marks = _marks(words)
            said = [i for i, word in enumerate(words) if word not in SIDE_WORDS and word != "unspecified"]
            joined = {i + step for i, word in enumerate(words) if word in {"and", "or"} for step in (-1, 1)}
            at_site, _ = _site_positions([words[i] for i in said], vocabulary)
            for position, i in enumerate(said):
                word = words[i]
                if marks[i] and word not in _IGNORED and word not in _NEGATION:
                    stem = stem_word(word) if marks[i] > 0 else f"~{stem_word(word)}"
                    vague = i and words[i - 1] == "unspecified" and word in _VAGUE
                    free = position in at_site or vague or marks[i] < 0
                    bag[stem] = TITLE_SITE if free else TITLE_JOINED if i in joined else TITLE
            above = [name for name in edition.ancestors(leaf)[:3] if "." in name or len(name) == 3]
            for level, name in enumerate([leaf, *above]):
                for stem in stems_at(name):
                    bag.setdefault(stem, NEAR_TEXT if level < 2 else FAR_TEXT)
            bags.append(bag)
        texts += _mentions(edition, place)
        texts.sort(key=lambda item: item[:2])
        official = {word for bag in bags for word in bag} | {word for _, _, _, stems in texts for word in stems}
        terms = sorted(_lexicon_texts(edition, place), key=lambda item: item[:2])
        official_texts = len(texts)
        texts += terms
        vocabulary_words = sorted(official) + sorted({word for _, _, _, stems in terms for word in stems} - official)
        number = {word: i for i, word in enumerate(vocabulary_words)}
        counts = np.zeros(len(number))
        for bag in bags:
            for word in bag:
                counts[number[word]] += 1
        weights = np.log((len(bags) + 1) / (counts + 0.5)).clip(max=9.5).astype(np.float32)
        for word in _GENERIC:
            if (generic := number.get(stem_word(word))) is not None:
                weights[generic] *= GENERIC_WEIGHT
        mass = [sum(float(weights[number[w]]) * _MASS[kind] for w, kind in bag.items() if w[0] != "~") for bag in bags]
        text_mass = [sum(float(weights[number[word]]) for word in stems) for _, _, _, stems in texts]
        leaf_rows, leaf_starts, leaf_kinds = _inverted([{number[w]: k for w, k in bag.items()} for bag in bags], len(number))
        contents = [dict.fromkeys((number[word] for word in stems), TITLE) for _, _, _, stems in texts]
        text_rows, text_starts, _ = _inverted(contents, len(number))
        return {
            "words": vocabulary_words,
            "official_words": len(official),
            "official_texts": official_texts,
            "weights": weights.tobytes(),
            "leaf_rows": leaf_rows, "leaf_starts": leaf_starts, "leaf_kinds": leaf_kinds,
            "text_rows": text_rows, "text_starts": text_starts,
            "mass": np.array(mass, dtype=np.float32).tobytes(),
            "text_mass": np.array(text_mass, dtype=np.float32).tobytes(),
            "text_low": np.array([t[0] for t in texts], dtype=np.int32).tobytes(),
            "text_high": np.array([t[1] for t in texts], dtype=np.int32).tobytes(),
            "text_value": np.array([t[2] for t in texts], dtype=np.float32).tobytes(),
            **self._compiled_facets(),
        }  # fmt: skip

    # ---------------------------------------------------------------- reading a query

    @lru_cache(maxsize=20_000)  # noqa: B019 - one index lives as long as the process
    def _near_word(self, stem: str) -> str | None:
        """A title word that shares a long beginning with an unknown one (osteochondrosis, osteochondropathy)."""
        for length in range(len(stem) - 1, 6, -1):
            match = self._by_prefix.get(stem[:length])
            if match:
                return match
        return None

    def _number(self, stem: str, *, alone: bool) -> int | None:
        """Number of a word; one that only the lexicon has counts where a term stands alone."""
        number = self.words.get(stem)
        return number if number is not None and (alone or number < self._official_words) else None

    def _way(self, words: Iterable[str], value: float, *, alone: bool = False) -> tuple[float, tuple[int, ...]] | None:
        """The numbers of words that stand for a part of the query, or None where a word is unknown."""
        numbers = []
        for word in words:
            if word in _IGNORED:
                continue
            number = self._number(stem_word(word), alone=alone)
            if number is None:
                near = self._near_word(stem_word(word))
                if near is None:
                    return None
                number, value = self.words[near], value * 0.8
            numbers.append(number)
        return (value, tuple(numbers)) if numbers else None

    def _mass(self, numbers: Iterable[int]) -> float:
        return float(sum(self.weights[number] for number in numbers))

    def _slots(self, words: tuple[str, ...], *, alone: bool) -> tuple[list[tuple[Ways, float]], float, tuple[str, ...], bool]:
        """Parts of a query, the weight of all of them (unknown words too), the sites it names, and if they mean an "other"."""
        marks = _marks(words)
        segments: list[list[int]] = [[]]
        for position, word in enumerate(words):
            if word == ",":
                segments.append([])
            elif word not in SIDE_WORDS and word not in _CATCH_ALL:
                segments[-1].append(position)
        while len(segments) > 1 and segments[0] and _is_variant(words, segments[0], segments[1]):
            del segments[1]
        forward = [p for segment in segments for p in segment]
        backward = [p for segment in reversed(segments) for p in segment]
        at_site: set[int] = set()
        sites: list[str] = []
        for order in (forward, backward) if len(segments) > 1 else (forward,):
            found, named = _site_positions([words[p] for p in order], self._vocabulary)
            at_site.update(order[i] for i in found)
            sites += named
        slots: list[tuple[Ways, float, bool]] = []
        unknown = 0.0
        residual = False
        seen: set[Ways] = set()
        index = 0
        heard: set[str] = set()
        said = []
        for position in forward:
            stem = stem_word(words[position])
            if marks[position] > 0 and words[position] not in STOP_WORDS and stem not in heard:
                heard.add(stem)
                said.append(position)
        if alone:
            heading = _FINDING - {"abnormal"} if len(_FINDING.intersection(words)) > 1 else frozenset()
            said = [p for p in said if words[p] not in _CONNECTING and words[p] not in heading]
        while index < len(said):
            length, others = self._synonym([words[p] for p in said[index : index + SYNONYM_LENGTH]])
            if alone and length > 1:
                length, others = self._before_a_stronger(words, said[index : index + length + SYNONYM_LENGTH], length, others)
            span = said[index : index + length]
            residual = residual or any("other" in meaning for _, meaning in others)
            index += length
            own = [words[p] for p in span if words[p] not in _IGNORED]
            ways = tuple(
                dict.fromkeys(way for value, part in ((1.0, own), *others) if (way := self._way(part, value, alone=alone)))
            )
            if alone and length == 1 and own and stem_word(own[0]) not in self.words:
                for meaning in compound_meanings(own[0]):
                    if way := self._way(meaning, COMPOUND, alone=True):
                        ways += (way,)
                        sites += _site_positions(list(meaning), self._vocabulary)[1]
            if not ways:
                unknown += UNKNOWN_WEIGHT if any(len(word) > 3 and word.isalpha() for word in own) else 0.0
            elif ways not in seen:
                seen.add(ways)
                placed = at_site.issuperset(span)
                if not placed:
                    for _, other in others:
                        sites += _site_positions(list(other), self._vocabulary)[1]
                slots.append((ways, max(self._mass(numbers) for _, numbers in ways), placed))
        for position in (p for p in forward if marks[p] < 0):
            number = self.words.get(f"~{stem_word(words[position])}")
            if number is not None and words[position] not in _IGNORED and slots:
                slots.append((((1.0, (number,)),), DENIED_WEIGHT * float(self.weights[number]), False))
        factor = 1.0 if all(placed for _, _, placed in slots) else SITE_WEIGHT
        weighed = [(ways, weight * factor if placed else weight) for ways, weight, placed in slots]
        lineage = self._vocabulary.lineage
        sites = [site for site in dict.fromkeys(sites) if not any(o != site and site in lineage(o) for o in sites)]
        return weighed, sum(weight for _, weight in weighed) + unknown, tuple(sites), residual

    def _synonym(self, words: list[str]) -> tuple[int, Meanings]:
        """Length of the longest phrase at the start that the table knows in any order (else 1), and what it stands for."""
        stems = [stem_word(word) for word in words]
        for length in range(len(words), 0, -1):
            others = self._synonyms.get(tuple(sorted(stems[:length])))
            if others:
                return length, others
        return 1, []

    def _before_a_stronger(self, words: tuple[str, ...], said: list[int], length: int, others: Meanings) -> tuple[int, Meanings]:
        """A phrase ends where a phrase of rarer words begins inside it ("abnormal | urine protein")."""

        def mass(positions: list[int]) -> float:
            named = (self.words.get(stem_word(words[p])) for p in positions if words[p] not in _FINDING)
            return self._mass(number for number in named if number is not None)

        for start in range(1, length):
            part = said[start : start + SYNONYM_LENGTH]
            longest, _ = self._synonym([words[p] for p in part])
            if start + longest > length and longest > 1 and mass(part[:longest]) > mass(said[:length]):
                return self._synonym([words[p] for p in said[:start]])
        return length, others

    # ---------------------------------------------------------------- searching

    def search(self, words: tuple[str, ...], *, top: int = 10, alone: bool = False) -> list[tuple[str, float]]:
        """Best leaves for a phrase.

        Parameters
        ----------
        words : tuple of str
            Normal forms; commas may stay, they mark where an index entry was turned round ("toe, great").
        top : int
            How many leaves at most.
        alone : bool
            Whether the words are a term that somebody looks up and no part of a note. Then the terms of the lexicon are
            searched as well (in a note the reader has named their concepts), words of Greek and Latin parts are taken
            apart, a title with a side gives way to the same title without one where no side is said, and the chapters
            that therapists code from come first among titles that are as near.

        Returns
        -------
        list of (leaf, score)
            Scores in (0, 1], best first; ties in the order of codes.
        """
        slots, total, sites, residual = self._slots(words, alone=alone)
        if not slots:
            return []
        hit = np.zeros(len(self.leaves), dtype=np.float32)
        title_hit = np.zeros(len(self.leaves), dtype=np.float32)
        many = len(self._text_mass) if alone else self._official_texts
        text_hit = np.zeros(many, dtype=np.float32)
        text_cover = np.zeros(many, dtype=np.float32)
        touched = np.zeros(len(self.leaves), dtype=np.bool_)  # few leaves share a word with a query: only they are scored
        text_touched = np.zeros(many, dtype=np.bool_)
        for ways, weight in slots:
            leaves, share, mass, told, text_part, text_weight = self._explained(ways, many)
            touched[leaves] = True
            hit[leaves] += weight * share
            title_hit[leaves] += mass
            text_touched[told] = True
            text_cover[told] += weight * text_part
            text_hit[told] += text_weight
        texts = np.flatnonzero(text_touched)
        text_share = (text_hit[texts] / self._text_mass[texts]).clip(0, 1)
        value = self._text_value[texts]
        strength = text_share * text_cover[texts] * value
        strong = np.flatnonzero(strength > 0.2 * total)
        if len(strong) > 250:
            strong = strong[np.argpartition(-strength[strong], 250)[:250]]
        low, high = self._text_low[texts[strong]], self._text_high[texts[strong]]
        lengths = high - low
        named = np.repeat(high - np.cumsum(lengths), lengths) + np.arange(lengths.sum())  # low, low + 1, ... of each text
        touched[named] = True
        best_share = np.zeros(len(self.leaves), dtype=np.float32)
        text_best = np.zeros(len(self.leaves), dtype=np.float32)
        np.maximum.at(best_share, named, np.repeat((text_share * value)[strong], lengths))
        np.maximum.at(text_best, named, np.repeat((text_cover[texts] / total)[strong], lengths))
        rows = np.flatnonzero(touched)
        row_hit, row_title = hit[rows], title_hit[rows]
        title_share = (row_title + 0.25 * (row_hit - row_title).clip(min=0)) / self._title_mass[rows]
        np.clip(title_share, 0, 1, out=title_share)
        cover = (row_hit / total).clip(0, 1)
        explained = np.maximum(title_share, TERM_SHARE * best_share[rows] + (1 - TERM_SHARE) * title_share)
        score = np.sqrt(np.maximum(cover, text_best[rows]) * explained)
        found = score > 0
        spelled = self._spelled(sites, words)
        place = self._place_gain(sites, spelled, by_region=False)[self._site_group[rows]]
        if sites:
            regional = slice(*np.searchsorted(rows, (self._regional.start, self._regional.stop)))
            near = self._place_gain(sites, spelled, by_region=True)[self._site_group[rows[regional]]]
            place[regional] = np.maximum(place[regional], near)
        score += (ALONE_SITE_GAIN if alone else SITE_GAIN) * place
        said = frozenset(SIDE_WORDS).intersection(words)
        wants_other = not _CATCH_ALL.isdisjoint(words) or (alone and residual)
        score += self._flag_gain(said, wants_other=wants_other, alone=alone)[rows]
        score[~found] = 0
        if len(score) > top:
            best = score >= np.partition(score, -top)[-top] - 1e-5  # more than ``top`` where some are as good
            rows, score = rows[best], score[best]
        pairs = zip(rows.tolist(), score.tolist(), strict=True)
        ranked = sorted((-round(value, 6), self.leaves[row]) for row, value in pairs if value > 0)
        return [(leaf, _bounded(-value)) for value, leaf in ranked[:top]]

    @lru_cache(maxsize=4096)  # noqa: B019 - one index lives as long as the process
    def _explained(self, ways: Ways, many: int) -> tuple[RowArray, FloatArray, FloatArray, RowArray, FloatArray, FloatArray]:
        """What leaves and the first ``many`` texts explain of one part of a query, said in the best of its ways.

        Returns
        -------
        tuple
            Rows of leaves, the share of the part that each explains, the weight of its title that the part explains; the
            same of the other texts.
        """
        found: list[Any] = []
        for postings, values, masses in ((self._leaf_words, _KIND_VALUES, _MASS), (self._text_words, _ONES, _ONES)):
            parts = {number: postings.of(number) for _, numbers in ways for number in numbers}
            if postings is self._text_words and many == self._official_texts:
                ends = {number: int(np.searchsorted(part, many)) for number, (part, _) in parts.items()}
                parts = {number: (part[: ends[number]], kinds[: ends[number]]) for number, (part, kinds) in parts.items()}
            denied = [self._denied[number] for number in ways[0][1] if postings is self._leaf_words and number in self._denied]
            against = [postings.of(number)[0] for number in denied]
            held = [*(part for part, _ in parts.values()), *against]
            rows = held[0] if len(held) == 1 else np.unique(np.concatenate(held))
            share = np.zeros(len(rows), dtype=np.float32)
            mass = np.zeros(len(rows), dtype=np.float32)
            for value, numbers in ways:
                whole = self._mass(numbers)
                way_share, way_mass = (share, mass) if len(ways) == 1 else (np.zeros_like(share), np.zeros_like(mass))
                for number in numbers:
                    weight = value * float(self.weights[number])
                    part, kinds = parts[number]
                    at = np.searchsorted(rows, part)
                    way_share[at] += weight / whole * values[kinds]
                    way_mass[at] += weight * masses[kinds]
                if len(ways) > 1:
                    np.maximum(share, way_share, out=share)
                    np.maximum(mass, way_mass, out=mass)
            for part in against:
                share[np.searchsorted(rows, part)] -= CONFLICT / len(ways[0][1])
            kept = share != 0
            found += [rows[kept], share[kept], mass[kept]]
        return tuple(found)

    @lru_cache(maxsize=16)  # noqa: B019 - one index lives as long as the process
    def _flag_gain(self, said: frozenset[str], *, wants_other: bool, alone: bool) -> FloatArray:
        """Small gains: the side that is said, "unspecified" where nothing is said, "other" where NEC is said."""
        gain = np.where(self._unspecified, UNSPECIFIED_GAIN, 0.0).astype(np.float32)
        if alone:
            gain += self._home
        gain += np.where(self._other, OTHER_WANTED if wants_other else 0.0 if alone else OTHER_UNWANTED, 0.0)
        if len(said) < 2:
            if alone and not said:
                gain += np.where(self._spared, SIDE_SPARED, 0.0)
            gain += _SIDE_GAINS[_SIDE_NUMBERS[SIDE_WORDS[next(iter(said))]] if said else 0][self._sides]
        return gain

    def _spelled(self, own: tuple[str, ...], words: tuple[str, ...]) -> tuple[int, ...]:
        """Sites whose every word stands in a query that names a site."""
        said = frozenset(words)
        found = said & self._site_words.keys() if own else ()
        return tuple(sorted(number for word in found for number, parts in self._site_words[word] if parts <= said))

    @lru_cache(maxsize=1024)  # noqa: B019 - one index lives as long as the process
    def _place_gain(self, own: tuple[str, ...], spelled: tuple[int, ...], *, by_region: bool) -> FloatArray:
        """For each group of sites of a title -1 to 1: how well it agrees with the sites of the query.

        None in the title is neutral, none in the query asks for no place. A part whose every word stands in the query is
        said after all. Chapter 13 codes by region: the ilium belongs to the pelvic region and thigh.
        """
        if not own:
            return np.where(self._group_placed, np.float32(-0.25), np.float32(0.0))
        fits = np.max([self._site_fits(site) - 0.05 * index for index, site in enumerate(own)], axis=0)
        for number in spelled:
            fits[number] = max(fits[number], SITE_EXACT - 0.05)
        if by_region:
            for site in own:
                fits = np.maximum(fits, self._region_fits(site))
        fit = np.maximum.reduceat(fits[self._group_sites], self._group_starts)
        apart = np.where(fit >= SITE_NARROWER - 0.3, -0.15, np.maximum(-1.0, fit / -SITE_OTHER))
        gain = np.where(fit >= 0, fit / SITE_EXACT, apart)
        return np.where(self._group_placed, gain, 0.0).astype(np.float32)

    @lru_cache(maxsize=1024)  # noqa: B019 - one index lives as long as the process
    def _region_fits(self, site: str) -> FloatArray:
        lineage = self._vocabulary.lineage
        own = next((set(self._regions[part]) for part in lineage(site) if part in self._regions), set())
        near = [not own.isdisjoint(self._regions.get(other, ())) for other in self._site_numbers]
        return np.where(near, SITE_REGION, SITE_OTHER).astype(np.float32)

    @lru_cache(maxsize=1024)  # noqa: B019 - one index lives as long as the process
    def _site_fits(self, site: str) -> FloatArray:
        return np.array([site_fit((site,), (other,), self._vocabulary) for other in self._site_numbers], dtype=np.float32)


@lru_cache(maxsize=4)
@without_collecting()
def load_titles(edition: Edition) -> TitleIndex:
    """The title index of an edition, compiled once and cached in a file."""
    return TitleIndex(edition, load_facets(edition))


def lookup(edition: Edition, text: str, *, top: int = 10) -> list[tuple[str, float]]:
    """Leaves for a free text, best first, with scores in (0, 1]; for a reader who looks up a code by its words.

    The text may be turned round as the official index does ("Tear, meniscus, medial").
    """
    return load_titles(edition).search(phrase(text), top=top, alone=True)
