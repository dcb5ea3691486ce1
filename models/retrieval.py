"""Text retrieval over titles and inclusion terms: the net under the lexicon.

A leaf is a bag of words: its title, its inclusion terms and those of its ancestors below the section. Words are
weighted by how rare they are among leaves. The score of a leaf is high when it explains the query and the query
explains its title: the geometric mean of both shares.
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

_IGNORED = STOP_WORDS | frozenset(SIDE_WORDS) | {"unspecified", "nos", "nec", "specified", "other", "encounter", "classified", "elsewhere", "-"}


def _synonyms() -> dict[str, str]:
    """Single words that stand for a title word: ``fx`` for fracture, ``djd`` for osteoarthritis."""
    return {word: row["title_word"] for row in read_table("title_words.tsv") for word in split_cell(row["words"])}


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
        self.leaves = edition.leaves
        key = hashlib.sha256(f"{tables_digest()}{edition.name}{len(self.leaves)}titles2".encode()).hexdigest()
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
        self._title_mass = np.frombuffer(stored["mass"], dtype=np.float32)

    def _compile(self) -> dict[str, object]:
        rows: list[dict[str, float]] = []
        for leaf in self.leaves:
            bag: dict[str, float] = {}
            title = [stem_word(w) for w in phrase(self.edition.title(leaf)) if w not in _IGNORED]
            for word in title:
                bag[word] = 1.0
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
                if stem in self.words:
                    stems.append(stem)
        return list(dict.fromkeys(stems))

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
        stems = self.query_words(words)
        if not stems:
            return []
        ids = np.array([self.words[stem] for stem in stems])
        weights = self.weights[ids]
        total = float(weights.sum())
        hit = np.zeros(len(self.leaves), dtype=np.float32)
        title_hit = np.zeros(len(self.leaves), dtype=np.float32)
        for word, weight in zip(ids, weights, strict=True):
            start, end = self._by_word.indptr[word], self._by_word.indptr[word + 1]
            rows = self._by_word.indices[start:end]
            kinds = self._by_word.data[start:end]
            hit[rows] += weight * np.sqrt(kinds)
            title_hit[rows] += np.where(kinds >= 1.0, weight, 0.0)
        explains_query = hit / total
        explains_title = (title_hit + 0.25 * (hit - title_hit).clip(min=0)) / np.maximum(self._title_mass, 1e-6)
        score = np.sqrt(np.clip(explains_query, 0, 1) * np.clip(explains_title, 0, 1))
        count = min(top * 4, len(score))
        best = np.argpartition(-score, count - 1)[:count]
        ordered = sorted(((float(score[i]), self.leaves[i]) for i in best if score[i] > 0), key=lambda item: (-round(item[0], 6), item[1]))
        return [(leaf, value) for value, leaf in ordered[:top]]


@lru_cache(maxsize=4)
def load_titles(edition: Edition) -> TitleIndex:
    """The title index of an edition, compiled once and cached in a file."""
    return TitleIndex(edition, load_facets(edition))
