"""Metrics on (gold note, coding) pairs.

Every metric but the counts and ``ece`` is a ratio of two sums over notes, so a corpus is scored like its parts and confidence
intervals come from resampling notes. Sums are over codes or groups (micro average) except where a note is said to count.
A metric whose denominator is zero is None, never 0 or 1. Definitions:

=================  ====================================================================================================
``recall@5``       share of a note's required groups with an accepted code among the first 5 suggestions that are not blocked,
                   averaged over the notes that have required groups (as in the reference of the shared dev notes)
``recall@10``      the same with 10
``mrr``            1 / place of the first code that ``primary`` accepts, in the reported sequence followed by the other
                   suggestions that are not blocked; over notes that have a primary code
``p@1``            notes whose first-listed code ``primary`` accepts / notes that have a primary code
``precision``      tp / (tp + fp) of the recommended codes
``recall``         tp / (tp + fn)
``f1``             2 tp / (2 tp + fp + fn)
``laterality``     required groups that a recommended code hits when side is ignored, with the right side / all of those
``seventh``        the same for the 7th character
``forbidden``      notes with a forbidden code recommended / notes
``evidence``       groups found in the first 10 whose evidence overlaps the gold quote / groups found that have a quote
``candidates``     required groups with an accepted code among the candidates, whatever became of them / required groups;
                   for a system that shows no candidates: among its suggestions
``abstention``     notes without required codes for which nothing is recommended / notes without required codes
``ece``            expected calibration error of the probabilities of all suggestions that are not blocked, 10 bins
``unbillable``     suggestions that are not billable on the date of service (count)
``excludes1``      pairs of recommended codes that an Excludes1 note keeps apart (count)
=================  ====================================================================================================

tp is the number of required groups with a recommended accepted code (each group once), fn the groups without one, fp the
recommended codes that neither a group nor ``optional`` accepts. A second code for a group that is already hit is
neutral, like an optional code. Notes without codes stay in: whatever is recommended for them is fp.

The first seven also exist at three further levels, written ``f1:category`` and so on: ``category`` (three characters),
``no_side`` (right, left, bilateral and unspecified variants of a title are one) and ``no_seventh``.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from corpora.schema import GoldGroup, GoldNote, pattern_matches
from lexicon.codes import CodeNote, Edition, edition_for, load_edition
from models.coding import Coding, Suggestion

Level = Literal["full", "category", "no_side", "no_seventh"]
LEVELS: tuple[Level, ...] = get_args(Level)
LEVELLED = ("recall@5", "recall@10", "mrr", "p@1", "precision", "recall", "f1")
SINGLE = ("candidates", "laterality", "seventh", "forbidden", "evidence", "abstention")
COUNTS = ("unbillable", "excludes1")
RATIOS: tuple[str, ...] = (
    *LEVELLED,
    *(f"{name}:{level}" for level in LEVELS[1:] for name in LEVELLED),
    *SINGLE,
)
METRICS: tuple[str, ...] = (*RATIOS, "ece", *COUNTS)
LOWER_IS_BETTER = frozenset({"forbidden", "ece", "unbillable", "excludes1"})
BINS = 10
EVIDENCE_DEPTH = 10
RESAMPLES = 1000

_WORD = re.compile(r"[a-z0-9]+")
_SIDES = {"right": "right", "left": "left", "bilateral": "bilateral", "both": "bilateral"}
_SIDE_WORDS = frozenset({*_SIDES, "unilateral", "dominant", "nondominant"})
_FILLERS = frozenset({"of", "the", "in", "and", "ear", "eye"})  # titles of bilateral variants leave out the ear and the eye

Floats = npt.NDArray[np.float64]


def _title_words(title: str) -> list[str]:
    """Words of a title for comparing variants: no fillers, plural and singular alike."""
    words = _WORD.findall(title.lower().replace("non-dominant", "nondominant"))
    return [
        word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word
        for word in words
        if word not in _FILLERS
    ]


class CodeLevels:
    """Codes of one edition seen at a level: two codes are the same at a level if their keys are equal.

    Parameters
    ----------
    edition : Edition
    """

    def __init__(self, edition: Edition) -> None:
        self.edition = edition
        self._sided: dict[str, frozenset[tuple[str, ...]]] = {}
        self._variants: dict[str, tuple[str, str]] = {}
        self._below: dict[tuple[str, Level], frozenset[str]] = {}

    def _sided_titles(self, category: str) -> frozenset[tuple[str, ...]]:
        """Sideless titles of the codes of a category that name a side."""
        found = self._sided.get(category)
        if found is None:
            titles = set()
            for leaf in self.edition.leaves_below(category):
                words = _title_words(self.edition.title(leaf))
                if any(word in _SIDES for word in words):
                    titles.add(tuple(sorted(word for word in words if word not in _SIDE_WORDS)))
            found = self._sided[category] = frozenset(titles)
        return found

    def _variant(self, code: str) -> tuple[str, str]:
        """(key without side and 7th character, side) of a code; side is empty if its title has no sided variant."""
        known = self._variants.get(code)
        if known is None:
            known = self._variants[code] = self._read_variant(code)
        return known

    def _read_variant(self, code: str) -> tuple[str, str]:
        if code not in self.edition:
            return code, ""
        stem = self.edition.stem(code)
        category = stem[:3]
        words = _title_words(self.edition.title(stem))
        plain = sorted(word for word in words if word not in _SIDE_WORDS)
        sides = [_SIDES[word] for word in words if word in _SIDES]
        if sides:
            return f"{category} {' '.join(plain)}", sides[0] if len(set(sides)) == 1 else "bilateral"
        if "unspecified" in plain:
            plain.remove("unspecified")
            if tuple(plain) in self._sided_titles(category):
                return f"{category} {' '.join(plain)}", "unspecified"
        return stem, ""

    def side(self, code: str) -> str:
        """right, left, bilateral, unspecified, or empty for a code without sided variants."""
        return self._variant(code)[1]

    def seventh(self, code: str) -> str:
        """The 7th character of a code that takes one, else empty."""
        return code[7:] if code in self.edition and self.edition.stem(code) != code else ""

    def key(self, code: str, level: Level) -> str:
        """What is compared at ``level``. A code that the edition does not know stands for itself."""
        if level == "full":
            return code
        if level == "category":
            return code[:3]
        if level == "no_seventh":
            return self.edition.stem(code) if code in self.edition else code
        return f"{self._variant(code)[0]}|{self.seventh(code)}"

    def _keys_below(self, prefix: str, level: Level) -> frozenset[str]:
        """Keys of every billable code below a prefix."""
        known = self._below.get((prefix, level))
        if known is None:
            codes = [
                self.edition.with_seventh(leaf, letter) if letter else leaf
                for leaf in self.edition.leaves_below(prefix)
                for letter in (self.edition.sevenths(leaf) or ("",))
            ]
            known = self._below[(prefix, level)] = frozenset(self.key(code, level) for code in codes)
        return known

    def same(self, pattern: str, code: str, level: Level = "full") -> bool:
        """Whether ``code`` is what a gold pattern means, seen at ``level``."""
        if pattern_matches(pattern, code):
            return True
        if level == "full":
            return False
        if not pattern.endswith("-"):
            return self.key(pattern, level) == self.key(code, level)
        if level == "category":
            return pattern[:3] == code[:3]
        return self.key(code, level) in self._keys_below(pattern[:-1], level)

    def any_same(self, patterns: Iterable[str], code: str, level: Level = "full") -> bool:
        """Whether one of the patterns means ``code`` at ``level``."""
        return any(self.same(pattern, code, level) for pattern in patterns)


@lru_cache(maxsize=8)
def levels_of(edition_name: str) -> CodeLevels:
    """The levels of an edition, kept because they cache titles."""
    return CodeLevels(load_edition(edition_name))


def levels_for(gold: GoldNote) -> CodeLevels:
    """The levels of the edition in force on the note's date of service."""
    return levels_of(edition_for(gold.date_of_service)[0].name)


# -------------------------------------------------------------------------------------------------- views of a coding


def ranked(coding: Coding) -> list[Suggestion]:
    """Suggestions that are not blocked, in the order given, each code once."""
    seen: dict[str, Suggestion] = {}
    for suggestion in coding.suggestions:
        if suggestion.status != "blocked":
            seen.setdefault(suggestion.code, suggestion)
    return list(seen.values())


def recommended_codes(coding: Coding) -> list[str]:
    """Recommended codes, in the reported sequence as far as it names them."""
    codes = [s.code for s in coding.suggestions if s.status == "recommended"]
    in_sequence = [code for code in coding.sequence if code in codes]
    return list(dict.fromkeys([*in_sequence, *codes]))


def excludes1_pairs(codes: Sequence[str], edition: Edition) -> list[tuple[str, str, CodeNote]]:
    """Pairs of codes that an Excludes1 note, own or inherited, of one of the two keeps apart.

    Returns
    -------
    list of (str, str, CodeNote)
        The code that carries the note, the code that it names, and the note; each unordered pair once.
    """
    found = []
    known = sorted({code for code in codes if code in edition})
    for first, second in combinations(known, 2):
        for holder, named in ((first, second), (second, first)):
            note = next((n for n in edition.notes(holder, kinds=("excludes1",)) if n.names(named)), None)
            if note is not None:
                found.append((holder, named, note))
                break
    return found


def quote_spans(text: str, quote: str) -> list[tuple[int, int]]:
    """Every place where a quote stands in a text, as (start, end) in characters."""
    spans = []
    start = text.find(quote) if quote else -1
    while start >= 0:
        spans.append((start, start + len(quote)))
        start = text.find(quote, start + 1)
    return spans


def overlaps(suggestion: Suggestion, spans: Sequence[tuple[int, int]]) -> bool:
    """Whether any evidence of a suggestion shares a character with one of the spans."""
    return any(e.start < end and start < e.end for e in suggestion.evidence for start, end in spans)


# -------------------------------------------------------------------------------------------------- scoring one note


@dataclass(frozen=True, slots=True)
class NoteScore:
    """The parts that one note adds to the metrics of its corpus.

    Attributes
    ----------
    id : str
    parts : mapping of str to (numerator, denominator)
        One entry for each of ``RATIOS``.
    counts : mapping of str to int
        One entry for each of ``COUNTS``.
    calibration : tuple of (probability, accepted)
        One entry for each suggestion that is not blocked.
    """

    id: str
    parts: Mapping[str, tuple[float, float]]
    counts: Mapping[str, int]
    calibration: tuple[tuple[float, bool], ...]


def _level_parts(gold: GoldNote, coding: Coding, levels: CodeLevels, level: Level) -> dict[str, tuple[float, float]]:
    """The metrics that exist at every level."""
    codes = [s.code for s in ranked(coding)]
    recommended = recommended_codes(coding)
    groups = gold.required

    def hits(candidates: Sequence[str]) -> int:
        return sum(any(levels.any_same(group.accept, code, level) for code in candidates) for group in groups)

    def wanted(code: str) -> bool:
        return any(levels.any_same(group.accept, code, level) for group in groups) or any(
            levels.same(item.code, code, level) for item in gold.optional
        )

    tp = hits(recommended)
    fn = len(groups) - tp
    fp = sum(not wanted(code) for code in recommended)
    order = list(dict.fromkeys([*recommended, *codes]))
    place = next((n for n, code in enumerate(order, 1) if levels.any_same(gold.primary, code, level)), 0)
    with_primary = float(bool(gold.primary))
    return {
        "recall@5": (hits(codes[:5]) / len(groups), 1.0) if groups else (0.0, 0.0),
        "recall@10": (hits(codes[:10]) / len(groups), 1.0) if groups else (0.0, 0.0),
        "mrr": (1 / place if place else 0.0, with_primary),
        "p@1": (float(place == 1), with_primary),
        "precision": (tp, tp + fp),
        "recall": (tp, tp + fn),
        "f1": (2 * tp, 2 * tp + fp + fn),
    }


def _aspect_part(
    groups: Iterable[GoldGroup], codes: Sequence[str], levels: CodeLevels, aspect: Literal["side", "seventh"]
) -> tuple[float, float]:
    """Groups hit exactly / groups hit when one aspect is ignored, over groups whose best code has that aspect."""
    level: Level = "no_side" if aspect == "side" else "no_seventh"
    has = levels.side if aspect == "side" else levels.seventh
    right = total = 0
    for group in groups:
        if not has(group.best) or not any(levels.any_same(group.accept, code, level) for code in codes):
            continue
        total += 1
        right += any(levels.any_same(group.accept, code) for code in codes)
    return right, total


def _evidence_part(gold: GoldNote, coding: Coding, levels: CodeLevels) -> tuple[float, float]:
    right = total = 0
    first = ranked(coding)[:EVIDENCE_DEPTH]
    for group in gold.required:
        spans = quote_spans(gold.text, group.evidence)
        found = [s for s in first if levels.any_same(group.accept, s.code)]
        if spans and found:
            total += 1
            right += any(overlaps(suggestion, spans) for suggestion in found)
    return right, total


def score_note(
    gold: GoldNote, coding: Coding, levels: CodeLevels | None = None, *, candidates: Collection[str] = ()
) -> NoteScore:
    """Score the coding of one note.

    Parameters
    ----------
    gold : GoldNote
    coding : Coding
    levels : CodeLevels, optional
        By default those of the edition in force on the note's date of service.
    candidates : collection of str
        Codes that the system considered beside those that it suggests.

    Returns
    -------
    NoteScore
    """
    levels = levels or levels_for(gold)
    edition = levels.edition
    recommended = recommended_codes(coding)
    parts: dict[str, tuple[float, float]] = {}
    for level in LEVELS:
        suffix = "" if level == "full" else f":{level}"
        for name, part in _level_parts(gold, coding, levels, level).items():
            parts[f"{name}{suffix}"] = part
    considered = {*candidates, *(s.code for s in coding.suggestions)}
    proposed = sum(any(levels.any_same(group.accept, code) for code in considered) for group in gold.required)
    parts["candidates"] = (proposed, len(gold.required))
    parts["laterality"] = _aspect_part(gold.required, recommended, levels, "side")
    parts["seventh"] = _aspect_part(gold.required, recommended, levels, "seventh")
    parts["forbidden"] = (float(any(gold.forbids(code) for code in recommended)), 1.0)
    parts["evidence"] = _evidence_part(gold, coding, levels)
    parts["abstention"] = (0.0, 0.0) if gold.required else (float(not recommended), 1.0)
    counts = {
        "unbillable": sum(not edition.is_billable(s.code) for s in coding.suggestions),
        "excludes1": len(excludes1_pairs(recommended, edition)),
    }
    calibration = tuple((s.probability, gold.is_accepted(s.code)) for s in ranked(coding))
    return NoteScore(gold.id, parts, counts, calibration)


# -------------------------------------------------------------------------------------------------- scoring a corpus


@dataclass(frozen=True, slots=True)
class ReliabilityPoint:
    """Suggestions whose probability lies in ``[low, high)`` (the last bin includes 1): how sure, how often right."""

    low: float
    high: float
    count: int
    mean_probability: float
    share_accepted: float


@dataclass(frozen=True, slots=True)
class Estimate:
    """A metric over notes with its 95 % bootstrap interval; None where it is not defined."""

    value: float | None
    low: float | None
    high: float | None


def _ratio(numerator: float, denominator: float) -> float | None:
    return float(numerator / denominator) if denominator else None


def _bins(score: NoteScore) -> Floats:
    """Per bin: number of suggestions, sum of probabilities, number accepted; shape (BINS, 3)."""
    table = np.zeros((BINS, 3))
    for probability, accepted in score.calibration:
        table[min(int(probability * BINS), BINS - 1)] += (1.0, probability, float(accepted))
    return table


def _ece(table: Floats) -> Floats:
    """ECE of tables of shape (..., BINS, 3); nan where there are no suggestions."""
    total = table[..., 0].sum(axis=-1)
    gap = np.abs(table[..., 1] - table[..., 2]).sum(axis=-1)
    ece: Floats = np.divide(gap, total, out=np.full_like(gap, np.nan), where=total > 0)
    return ece


def value_of(scores: Sequence[NoteScore], metric: str) -> float | None:
    """A metric over notes; None where its denominator is zero."""
    if metric in COUNTS:
        return float(sum(score.counts[metric] for score in scores))
    if metric == "ece":
        table = np.zeros((BINS, 3))
        for score in scores:
            table += _bins(score)
        ece = float(_ece(table))
        return None if np.isnan(ece) else ece
    return _ratio(sum(s.parts[metric][0] for s in scores), sum(s.parts[metric][1] for s in scores))


def values_of(scores: Sequence[NoteScore], metrics: Iterable[str] = METRICS) -> dict[str, float | None]:
    """Several metrics over notes."""
    return {metric: value_of(scores, metric) for metric in metrics}


def reliability(scores: Sequence[NoteScore]) -> list[ReliabilityPoint]:
    """The points of the reliability plot; bins without suggestions are left out."""
    table = np.zeros((BINS, 3))
    for score in scores:
        table += _bins(score)
    return [
        ReliabilityPoint(number / BINS, (number + 1) / BINS, int(count), float(total / count), float(right / count))
        for number, (count, total, right) in enumerate(table)
        if count
    ]


def _weights(size: int, resamples: int, seed: int) -> Floats:
    """How often each note is drawn in each resample; shape (resamples, size)."""
    generator = np.random.default_rng(seed)
    drawn: Floats = generator.multinomial(size, np.full(size, 1 / size), size=resamples).astype(np.float64)
    return drawn


def _resampled(scores: Sequence[NoteScore], metric: str, weights: Floats) -> Floats:
    """The metric in every resample; nan where it is not defined."""
    if metric in COUNTS:
        return np.asarray(weights @ np.array([float(score.counts[metric]) for score in scores]), dtype=np.float64)
    if metric == "ece":
        return _ece(np.tensordot(weights, np.stack([_bins(score) for score in scores]), axes=1))
    parts = np.array([score.parts[metric] for score in scores], dtype=np.float64)
    sums = weights @ parts
    ratios: Floats = np.divide(sums[:, 0], sums[:, 1], out=np.full(len(sums), np.nan), where=sums[:, 1] > 0)
    return ratios


def _interval(values: Floats) -> tuple[float | None, float | None]:
    defined = values[~np.isnan(values)]
    if not defined.size:
        return None, None
    low, high = np.percentile(defined, [2.5, 97.5])
    return float(low), float(high)


def bootstrap(
    scores: Sequence[NoteScore], metrics: Iterable[str] = METRICS, *, resamples: int = RESAMPLES, seed: int = 0
) -> dict[str, Estimate]:
    """Metrics with 95 % percentile intervals from resampling notes with replacement.

    Parameters
    ----------
    scores : sequence of NoteScore
    metrics : iterable of str
    resamples, seed : int
        The same seed gives the same intervals.
    """
    if not scores:
        return {metric: Estimate(None, None, None) for metric in metrics}
    weights = _weights(len(scores), resamples, seed)
    estimates = {}
    for metric in metrics:
        low, high = _interval(_resampled(scores, metric, weights))
        estimates[metric] = Estimate(value_of(scores, metric), low, high)
    return estimates


@dataclass(frozen=True, slots=True)
class PairedTest:
    """Difference of two systems on the same notes (first minus second).

    Attributes
    ----------
    difference : float or None
    low, high : float or None
        95 % paired bootstrap interval of the difference.
    p_value : float or None
        Two-sided, from exchanging the two systems at random within notes.
    """

    metric: str
    difference: float | None
    low: float | None
    high: float | None
    p_value: float | None


def paired_test(
    first: Sequence[NoteScore], second: Sequence[NoteScore], metric: str, *, resamples: int = RESAMPLES, seed: int = 0
) -> PairedTest:
    """Compare two systems on the same notes.

    Raises
    ------
    ValueError
        If the two did not score the same notes in the same order.
    """
    if [score.id for score in first] != [score.id for score in second]:
        raise ValueError("paired_test needs the scores of the same notes in the same order")
    ours, theirs = value_of(first, metric), value_of(second, metric)
    if ours is None or theirs is None:
        return PairedTest(metric, None, None, None, None)
    weights = _weights(len(first), resamples, seed)
    low, high = _interval(_resampled(first, metric, weights) - _resampled(second, metric, weights))
    exchanged = _exchanged_differences(first, second, metric, resamples, seed)
    extreme = int(np.sum(np.abs(exchanged[~np.isnan(exchanged)]) >= abs(ours - theirs) - 1e-12))
    return PairedTest(metric, ours - theirs, low, high, (1 + extreme) / (1 + resamples))


def _exchanged_differences(
    first: Sequence[NoteScore], second: Sequence[NoteScore], metric: str, resamples: int, seed: int
) -> Floats:
    """Differences after exchanging the systems within a random half of the notes, ``resamples`` times."""
    swap = np.random.default_rng(seed + 1).integers(0, 2, size=(resamples, len(first))).astype(np.float64)
    both: list[Any] = [*first, *second]
    mixed_first = _resampled(both, metric, np.hstack([1 - swap, swap]))
    mixed_second = _resampled(both, metric, np.hstack([swap, 1 - swap]))
    return mixed_first - mixed_second
