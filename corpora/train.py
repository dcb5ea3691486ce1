"""Training of the ranker from the corpora of this repository: same corpus, same bytes.

The train split teaches, the dev split chooses the threshold of the recommended set, the test split is not touched. An
accepted code is a positive, an optional one a weak positive (it is right, but nobody must report it), every other
proposed code a negative.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, log_loss
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from corpora.loaders import load_corpus
from corpora.metrics import score_note, value_of
from corpora.schema import GoldNote, corpus_digest
from lexicon.codes.cache import write_atomically
from models.coder import Coder
from models.estimator import MODEL_FILE, CodeRanker, ranker_of, save_estimators
from models.options import FEATURE_NAMES
from models.ranker import CARD_FILE, WEIGHTS_FILE, matrix, save_ranker

OPTIONAL_WEIGHT = 0.3
PRACTICE = Path(__file__).resolve().parent / "practice"  # notes that were coded once: they teach and are never reported on
FLAT = 0.005  # F1 that so few notes cannot tell apart
THRESHOLDS = tuple(round(0.2 + 0.05 * step, 2) for step in range(11))


@dataclass(frozen=True, slots=True)
class Table:
    """Options of many notes as training data.

    Attributes
    ----------
    features : ndarray of shape (n_options, n_features)
    report, lead : ndarray of shape (n_options,)
        1 where the code is accepted or optional; 1 where it may be first-listed.
    weight : ndarray of shape (n_options,)
    note : ndarray of shape (n_options,)
        Number of the note, for grouped cross-validation.
    first : ndarray of shape (n_options,)
        Whether the option is the best of its problem and may be recommended.
    required : int
        Required groups of all notes.
    """

    features: NDArray[np.float64]
    report: NDArray[np.int64]
    lead: NDArray[np.int64]
    weight: NDArray[np.float64]
    note: NDArray[np.int64]
    first: NDArray[np.bool_]
    required: int


def gather(notes: Iterable[GoldNote], coder: Coder) -> Table:
    """The options that ``coder`` proposes for notes, with what their gold codes say."""
    rows, report, lead, weight, numbers, first = [], [], [], [], [], []
    required = 0
    for number, gold in enumerate(notes):
        accepted = {code for group in gold.required for code in group.accept}
        optional = {item.code for item in gold.optional}
        required += len(gold.required)
        for option in coder.options_for(gold.to_note()):
            only_optional = option.code in optional and option.code not in accepted
            rows.append(matrix([option])[0])
            report.append(int(option.code in accepted or only_optional))
            lead.append(int(option.code in gold.primary))
            weight.append(OPTIONAL_WEIGHT if only_optional else 1.0)
            numbers.append(number)
            first.append(option.place == 0 and not (option.problem is not None and option.problem.replaced_by))
    return Table(np.array(rows), np.array(report), np.array(lead), np.array(weight), np.array(numbers), np.array(first), required)


def fit(table: Table) -> tuple[CodeRanker, CodeRanker]:
    """Both heads, fitted on a table."""
    report = CodeRanker().fit(table.features, table.report, sample_weight=table.weight)
    lead = CodeRanker().fit(table.features, table.lead)
    return report, lead


def choose_threshold(
    report: CodeRanker, lead: CodeRanker, notes: Sequence[GoldNote], coder: Coder
) -> tuple[float, dict[str, float]]:
    """The threshold for the recommended set, and its F1 on ``notes`` for every threshold tried.

    The curve is flat around its top and ``notes`` are few, so the top itself is chance: each threshold has the mean of its
    own F1 and that of its two neighbours, and of those within ``FLAT`` of the best the lowest is taken, which finds most.
    """
    scores = {}
    for threshold in THRESHOLDS:
        coder.ranker = ranker_of(report, lead, threshold)
        scored = [score_note(gold, coder.suggest(gold.to_note())) for gold in notes]
        scores[f"{threshold:.2f}"] = round(float(value_of(scored, "f1") or 0.0), 4)
    curve = list(scores.values())
    smooth = [sum(curve[max(0, i - 1) : i + 2]) / len(curve[max(0, i - 1) : i + 2]) for i in range(len(curve))]
    return next(t for t, value in zip(THRESHOLDS, smooth, strict=True) if value >= max(smooth) - FLAT), scores


def compare(table: Table, *, folds: int = 5) -> dict[str, dict[str, float]]:
    """Cross-validated comparison of rankers on one table, grouped by note.

    Returns
    -------
    dict
        For each ranker average precision, log loss and approximate F1 of the recommended set (before the rules).
    """
    makers: dict[str, Any] = {
        "gradient boosting (shipped)": lambda: CodeRanker(),
        "logistic regression": _linear,
        "pairwise (logistic on differences)": lambda: PairwiseRanker(),
    }
    return {name: _cross_validate(make, table, folds) for name, make in makers.items()}


def _linear(strength: float = 0.1) -> Any:
    """Standardised logistic regression: the simplest ranker."""
    return make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=4000))


class PairwiseRanker:
    """Logistic regression on feature differences of right and wrong options of the same note."""

    def fit(self, X: NDArray[np.float64], y: NDArray[np.int64], groups: NDArray[np.int64]) -> PairwiseRanker:
        """Fit on all pairs within a note, then map scores to probabilities with a second logistic regression."""
        scaler = StandardScaler().fit(X)
        Z = scaler.transform(X)
        differences = []
        for group in np.unique(groups):
            right, wrong = Z[(groups == group) & (y == 1)], Z[(groups == group) & (y == 0)]
            differences += [a - b for a in right for b in wrong]
        D = np.array(differences)
        signs = np.where(np.arange(len(D)) % 2 == 0, 1, -1)
        pair = LogisticRegression(C=0.1, max_iter=4000, fit_intercept=False).fit(D * signs[:, None], (signs > 0).astype(int))
        self._scaler, self._weights = scaler, pair.coef_[0]
        self._map = LogisticRegression(C=10.0).fit((Z @ self._weights)[:, None], y)
        return self

    def predict_proba(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        """Probabilities of both classes, shape (n_samples, 2)."""
        probability: NDArray[np.float64] = self._map.predict_proba((self._scaler.transform(X) @ self._weights)[:, None])
        return probability


def _cross_validate(make: Any, table: Table, folds: int) -> dict[str, float]:
    probability = np.zeros(len(table.report))
    clear = table.weight == 1.0
    for train, test in GroupKFold(folds).split(table.features, table.report, table.note):
        known = train[clear[train]]
        model = make()
        if isinstance(model, PairwiseRanker):
            model.fit(table.features[known], table.report[known], table.note[known])
        else:
            model.fit(table.features[known], table.report[known])
        probability[test] = model.predict_proba(table.features[test])[:, 1]
    best = 0.0
    for threshold in THRESHOLDS:
        chosen = (probability >= threshold) & table.first & clear
        right = int((table.report[chosen] == 1).sum())
        wrong = int((table.report[chosen] == 0).sum())
        best = max(best, 2 * right / max(1, 2 * right + wrong + table.required - right))
    truth, guess = table.report[clear], np.clip(probability[clear], 1e-6, 1 - 1e-6)
    return {
        "average_precision": round(float(average_precision_score(truth, guess)), 4),
        "log_loss": round(float(log_loss(truth, guess)), 4),
        "f1_before_rules": round(best, 4),
    }


def learning_curve(notes: Sequence[GoldNote], table: Table, held_out: Table) -> dict[str, float]:
    """Average precision on ``held_out`` when only the first share of the notes teaches."""
    curve = {}
    clear = held_out.weight == 1.0
    for share in (0.25, 0.5, 0.75, 1.0):
        known = table.note < round(share * len(notes))
        report = CodeRanker().fit(table.features[known], table.report[known], sample_weight=table.weight[known])
        guess = report.predict_proba(held_out.features[clear])[:, 1]
        curve[f"{round(share * len(notes))} notes"] = round(float(average_precision_score(held_out.report[clear], guess)), 4)
    return curve


def train(
    *, extra: Sequence[Path] = (), model: Path = MODEL_FILE, weights: Path = WEIGHTS_FILE, card: Path = CARD_FILE
) -> dict[str, Any]:
    """Fit the ranker, write it and its card, and return the card.

    Parameters
    ----------
    extra : sequence of Path
        Further gold notes (for example decisions exported from the review page) that teach beside the train split.
    model, weights, card : Path
        Where to write.

    Raises
    ------
    InputError
        If a corpus cannot be read.
    """
    coder = Coder()
    notes = [
        *load_corpus("therapy:train").notes,
        *(note for path in sorted(PRACTICE.glob("*.jsonl")) for note in load_corpus(path).notes),
        *(note for path in extra for note in load_corpus(path).notes),
    ]
    dev = list(load_corpus("therapy:dev").notes)
    table, held_out = gather(notes, coder), gather(dev, coder)
    report, lead = fit(table)
    threshold, by_threshold = choose_threshold(report, lead, dev, coder)
    by_gain = sorted(zip(FEATURE_NAMES, report.importance_, strict=True), key=lambda item: (-item[1], item[0]))
    content = {
        "model": "gradient boosting of 100 trees of depth 3 on named features, two heads (report, lead)",
        "edition": "codes of the edition in force on each note's date of service",
        "corpus": {
            "train_notes": len(notes),
            "train_sha256": corpus_digest(notes),
            "dev_notes": len(dev),
            "dev_sha256": corpus_digest(dev),
        },
        "options": {"train": len(table.report), "dev": len(held_out.report), "optional_weight": OPTIONAL_WEIGHT},
        "threshold": threshold,
        "f1_on_dev_by_threshold": by_threshold,
        "cross_validation_on_train": compare(table),
        "learning_curve_on_dev": learning_curve(notes, table, held_out),
        "features_by_share_of_gain": {name: round(float(share), 4) for name, share in by_gain},
        "limits": [
            "The notes were written for this project; the therapy corpus was coded twice, practice notes once, none of them by "
            "certified coders; no patient data.",
            "Probabilities are calibrated on notes of therapists and clinics; on other kinds of notes they are rougher.",
            "The model ranks what reading found; a condition that is not read has no probability.",
        ],
    }
    write_model(report, lead, threshold, content, model=model, weights=weights, card=card)
    return content


def write_model(
    report: CodeRanker, lead: CodeRanker, threshold: float, content: dict[str, Any], *, model: Path, weights: Path, card: Path
) -> None:
    """Write a trained ranker and its card, each file whole or not at all."""
    save_estimators(report, lead, threshold, model)
    save_ranker(ranker_of(report, lead, threshold), weights)
    write_atomically(card, (json.dumps(content, indent=2) + "\n").encode(), mode=0o644)
