"""Text retrieval over titles and inclusion terms: the net under the lexicon.

A leaf is a bag of words: its title, its inclusion terms and those of its ancestors below the section. Words are
weighted by how rare they are among leaves. The score of a leaf is high when it explains the query and the query
explains its title: the geometric mean of both shares. Body sites are compared by the ontology instead of by words, so
that "toe" finds a title that says "ankle and foot".
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

import numpy as np
from scipy.sparse import csr_matrix

from lexicon.codes.cache import load_compiled, store_compiled
from lexicon.codes.edition import Edition
from lexicon.facets import SIDE_WORDS, STOP_WORDS, FacetIndex, load_facets
from lexicon.normal import phrase
from lexicon.tables import read_table, split_cell, tables_digest
from lexicon.vocabulary import SITE, Vocabulary, load_vocabulary, scan
from models.specificity import SITE_EXACT, SITE_NARROWER, SITE_OTHER, site_fit

_IGNORED = STOP_WORDS | frozenset(SIDE_WORDS) | {"unspecified", "nos", "nec", "specified", "other", "encounter", "classified", "elsewhere", "-"}


_CATCH_ALL = frozenset({"nec", "specified", "other"})


def _synonyms() -> dict[str, str]:
    """Single words that stand for a title word: ``fx`` for fracture, ``djd`` for osteoarthritis."""
    return {word: row["title_word"] for row in read_table("title_words.tsv") for word in split_cell(row["words"])}


SITE_WORD = 0.95  # mark of a title word that names a site
SITE_WEIGHT = 0.35
SITE_GAIN = 0.28
NARROW = 600


def _site_positions(words: list[str], vocabulary: Vocabulary) -> tuple[set[int], list[str]]:
    positions: set[int] = set()
    sites: list[str] = []
    for start, end, _, value in scan(vocabulary.trie, words, frozenset({SITE})):
        positions.update(range(start, end))
        sites.append(value)
    return positions, sites


def stem_word(word: str) -> str:
    """A light stem so that fractured, fracture and fractures meet; only for retrieval."""
    for suffix in ("ation", "ization", "ment", "ness", "ing", "tic", "ial", "ical", "ous", "ed", "al", "ar", "ic", "y", "e", "s"):
        if word.endswith(suffix) and len(word) - len(suffix) >= 4:
            return word[: -len(suffix)]
    return word


class TitleIndex:
    """Weighted word index of all leaves of an edition."""

    def __init__(self, edition: Edition, facets: FacetIndex) -> None:
        self.edition = edition
        self.facets = facets
        self._synonyms = _synonyms()
        self._vocabulary = load_vocabulary()
        self.leaves = edition.leaves
        key = hashlib.sha256(f"{tables_digest()}{edition.name}{len(self.leaves)}titles3".encode()).hexdigest()
        stored = load_compiled(f"titles-{edition.name}", key)
        if stored is None:
            stored = self._compile()
            store_compiled(f"titles-{edition.name}", key, stored)
        self.words: dict[str, int] = {word: i for i, word in enumerate(stored["words"])}
        self.weights = np.frombuffer(stored["weights"], dtype=np.float32)
        indices = np.frombuffer(stored["indices"], dtype=np.int32)
        indptr = np.frombuffer(stored["indptr"], dtype=np.int32)
        kinds = np.frombuffer(stored["kinds"], dtype=np.float32)
        shape = (len(self.leaves), len(self.words))
        matrix = csr_matrix((kinds, indices, indptr), shape=shape)
        self._by_word = matrix.T.tocsr()
        self._by_prefix: dict[str, str] = {}
        for word in sorted(self.words, key=lambda w: (-len(w), w)):
            for length in range(7, len(word) + 1):
                self._by_prefix[word[:length]] = word
        self._title_mass = np.frombuffer(stored["mass"], dtype=np.float32)

    def _compile(self) -> dict[str, object]:
        rows: list[dict[str, float]] = []
        vocabulary = load_vocabulary()
        for leaf in self.leaves:
            bag: dict[str, float] = {}
            title = [word for word in phrase(self.edition.title(leaf)) if word not in SIDE_WORDS and word != "unspecified"]
            at_site, _ = _site_positions(title, vocabulary)
            for position, word in enumerate(title):
                if word not in _IGNORED:
                    bag[stem_word(word)] = SITE_WORD if position in at_site else 1.0
            lineage = [leaf, *[a for a in self.edition.ancestors(leaf)[:3] if a in self.edition and not a.startswith("chapter")]]
            for level, name in enumerate(lineage):
                texts = list(self.edition.inclusion_terms(name))
                if level:
                    texts.append(self.edition.title(name))
                for text in texts:
                    for word in phrase(text):
                        if word not in _IGNORED:
                            bag.setdefault(stem_word(word), 0.6 if level < 2 else 0.45)
            rows.append(bag)
        words = sorted({word for bag in rows for word in bag})
        number = {word: i for i, word in enumerate(words)}
        counts = np.zeros(len(words), dtype=np.float64)
        indices: list[int] = []
        indptr = [0]
        kinds: list[float] = []
        for bag in rows:
            for word in sorted(bag):
                indices.append(number[word])
                kinds.append(bag[word])
                counts[number[word]] += 1
            indptr.append(len(indices))
        weights = np.log((len(rows) + 1) / (counts + 0.5)).astype(np.float32)
        mass = np.array(
            [sum(float(weights[number[w]]) for w, kind in bag.items() if kind >= 1.0) for bag in rows], dtype=np.float32
        )
        return {
            "words": words,
            "weights": weights.tobytes(),
            "indices": np.array(indices, dtype=np.int32).tobytes(),
            "indptr": np.array(indptr, dtype=np.int32).tobytes(),
            "kinds": np.array(kinds, dtype=np.float32).tobytes(),
            "mass": mass.tobytes(),
        }

    def query_words(self, words: tuple[str, ...]) -> list[str]:
        """Stems of the content words of a query, known ones only, each once."""
        stems = []
        for word in words:
            for part in self._synonyms.get(word, word).split():
                if part in _IGNORED:
                    continue
                stem = stem_word(part)
                if stem in self.words or self._near_word(stem) is not None:
                    stems.append(stem if stem in self.words else str(self._near_word(stem)))
        return list(dict.fromkeys(stems))

    @lru_cache(maxsize=20_000)  # noqa: B019 - one index lives as long as the process
    def _near_word(self, stem: str) -> str | None:
        """A title word that shares a long beginning with an unknown one (osteochondrosis, osteochondropathy)."""
        for length in range(len(stem) - 1, 6, -1):
            matches = self._by_prefix.get(stem[:length])
            if matches:
                return matches
        return None

    def search(self, words: tuple[str, ...], *, top: int = 10) -> list[tuple[str, float]]:
        """Best leaves for a phrase.

        Parameters
        ----------
        words : tuple of str
            Normal forms.
        top : int
            How many leaves at most.

        Returns
        -------
        list of (leaf, score)
            Scores in (0, 1], best first; ties in the order of codes.
        """
        plain = [word for word in words if word not in SIDE_WORDS and word not in _CATCH_ALL]
        at_site, sites = _site_positions(plain, self._vocabulary)
        condition = self.query_words(tuple(word for i, word in enumerate(plain) if i not in at_site))
        place = [stem for stem in self.query_words(tuple(plain[i] for i in sorted(at_site))) if stem not in condition]
        stems = [*condition, *place]
        if not stems:
            return []
        ids = [self.words[stem] for stem in stems]
        factors = [1.0] * len(condition) + [SITE_WEIGHT if condition else 1.0] * len(place)
        weights = [float(self.weights[i]) * factor for i, factor in zip(ids, factors, strict=True)]
        total = sum(weights)
        hit = np.zeros(len(self.leaves), dtype=np.float32)
        title_hit = np.zeros(len(self.leaves), dtype=np.float32)
        for word, weight, factor in zip(ids, weights, factors, strict=True):
            start, end = self._by_word.indptr[word], self._by_word.indptr[word + 1]
            rows = self._by_word.indices[start:end]
            kinds = self._by_word.data[start:end]
            hit[rows] += weight * np.sqrt(kinds)
            title_hit[rows] += np.where(kinds >= 1.0, weight / factor, 0.0)
        explains_query = hit / total
        explains_title = (title_hit + 0.25 * (hit - title_hit).clip(min=0)) / np.maximum(self._title_mass, 4.0)
        score = np.sqrt(np.clip(explains_query, 0, 1) * np.clip(explains_title, 0, 1))
        count = min(NARROW, len(score))
        best = np.argpartition(-score, count - 1)[:count]
        wants_other = not _CATCH_ALL.isdisjoint(words)
        own = tuple(dict.fromkeys(sites))
        scored = []
        for i in best:
            value = float(score[i])
            if value <= 0:
                continue
            facets = self.facets[self.leaves[i]]
            if own or facets.sites:
                value += SITE_GAIN * self._place_gain(own, facets.sites)
            if "unspecified" in facets.words:
                value += 0.03
            if "other" in facets.qualifiers:
                value += 0.06 if wants_other else -0.03
            scored.append((value, self.leaves[i]))
        scored.sort(key=lambda item: (-round(item[0], 6), item[1]))
        return [(leaf, min(1.0, max(0.0, value))) for value, leaf in scored[:top]]

    def _place_gain(self, own: tuple[str, ...], sites: tuple[str, ...]) -> float:
        """-1 to 1: how well the places agree; none in the title is neutral, none in the query asks for no place."""
        if not own:
            return -0.25 if sites else 0.0
        if not sites:
            return 0.0
        fit = site_fit(own, sites, self._vocabulary)
        if fit >= 0:
            return fit / SITE_EXACT
        return -0.15 if fit == SITE_NARROWER else max(-1.0, fit / -SITE_OTHER)


@lru_cache(maxsize=4)
def load_titles(edition: Edition) -> TitleIndex:
    """The title index of an edition, compiled once and cached in a file."""
    return TitleIndex(edition, load_facets(edition))
