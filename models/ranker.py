"""From named features to probabilities.

Two sums of small decision trees over the same named features: how likely an option is to be reported (``probability``)
and how likely it is the chief reason of the visit (``lead``). Trees of depth three see that a feature means something else
for a comorbidity than for a symptom; on notes of other authors they ranked significantly better than a linear model (the
model card has the figures of both). Every split names its feature, so the explanation is exact: what each feature adds
to the log-odds on the way down.

The estimators are trained and saved by models/estimator.py; here their numbers are read as plain JSON, so that a
suggestion needs no scikit-learn and starts fast.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lexicon.codes.cache import write_atomically
from lexicon.errors import ModelError
from models.options import FEATURE_NAMES, Option

FOLDER = Path(__file__).resolve().parent / "trained"
WEIGHTS_FILE = FOLDER / "weights.json"
CARD_FILE = FOLDER / "card.json"


DEPTH = 3
"""Splits between the root of a tree and a leaf."""
SPLITS = 2**DEPTH - 1
NODES = 2 * SPLITS + 1


@dataclass(frozen=True, slots=True)
class Head:
    """A sum of complete binary trees of ``DEPTH``; node ``i`` has the children ``2 i + 1`` and ``2 i + 2``.

    Attributes
    ----------
    feature : ndarray of shape (n_trees, SPLITS)
        Number of the feature that each inner node asks for.
    bound : ndarray of shape (n_trees, SPLITS)
        A row with more than that goes to the right; infinite where the fitted tree ended earlier.
    value : ndarray of shape (n_trees, NODES)
        Log-odds: of a leaf what it adds, of an inner node the mean of the training rows in it.
    mean : ndarray of shape (n_features,)
        Of the training rows.
    base : float
        Log-odds before any tree.
    """

    feature: NDArray[np.int64]
    bound: NDArray[np.float64]
    value: NDArray[np.float64]
    mean: NDArray[np.float64]
    base: float

    def odds(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Log-odds of rows of shape (n_rows, n_features); shape (n_rows,)."""
        trees = np.arange(len(self.feature))
        numbers = np.arange(len(rows))[:, None]
        node = np.zeros((len(rows), len(trees)), dtype=np.int64)
        for _ in range(DEPTH):
            node = 2 * node + 1 + (rows[numbers, self.feature[trees, node]] > self.bound[trees, node])
        total: NDArray[np.float64] = self.value[trees, node].sum(axis=1) + self.base
        return total

    def contributions(self, row: NDArray[np.float64]) -> NDArray[np.float64]:
        """What each feature adds to the log-odds of one row on its way down the trees; shape (n_features,)."""
        parts = np.zeros(len(self.mean))
        trees = np.arange(len(self.feature))
        node = np.zeros(len(trees), dtype=np.int64)
        for _ in range(DEPTH):
            asked = self.feature[trees, node]
            child = 2 * node + 1 + (row[asked] > self.bound[trees, node])
            np.add.at(parts, asked, self.value[trees, child] - self.value[trees, node])
            node = child
        return parts


@dataclass(frozen=True, slots=True)
class Part:
    """What one feature adds to the log-odds of an option; ``above``: its value exceeds that of the average training row."""

    feature: str
    amount: float
    above: bool


def matrix(options: list[Option]) -> NDArray[np.float64]:
    """Features of options in the order of ``FEATURE_NAMES``, shape (n_options, n_features)."""
    absent = (0.0,) * len(FEATURE_NAMES)
    return np.array([list(map(option.features.get, FEATURE_NAMES, absent)) for option in options], dtype=np.float64)


class Ranker:
    """The two fitted heads and the threshold above which a code is recommended."""

    def __init__(self, report: Head, lead: Head, threshold: float, version: str = "unsaved") -> None:
        self.version = version
        self.report = report
        self.lead = lead
        self.threshold = threshold

    def score(self, options: list[Option]) -> None:
        """Set ``probability`` and ``lead`` of every option."""
        if not options:
            return
        rows = matrix(options)
        odds = np.column_stack([self.report.odds(rows), self.lead.odds(rows)])
        for option, (report, lead) in zip(options, 1.0 / (1.0 + np.exp(-odds)), strict=True):
            option.probability = float(report)
            option.lead = float(lead)

    def explain(self, option: Option) -> tuple[Part, ...]:
        """What carried an option, heaviest first; what adds less than 0.2 to the log-odds is left out."""
        row = matrix([option])[0]
        amounts = self.report.contributions(row)
        order = np.argsort(-np.abs(amounts), kind="stable")
        return tuple(
            Part(FEATURE_NAMES[i], float(amounts[i]), bool(row[i] > self.report.mean[i])) for i in order if abs(amounts[i]) >= 0.2
        )


def save_ranker(ranker: Ranker, path: Path = WEIGHTS_FILE) -> None:
    """Write the trees as JSON, shortest exact decimals; the same ranker gives the same bytes."""
    content = {
        "features": list(FEATURE_NAMES),
        "threshold": ranker.threshold,
        **{
            name: {
                "base": head.base,
                "mean": head.mean.tolist(),
                "trees": [
                    {"feature": f, "bound": [None if b == np.inf else b for b in bounds], "value": v}
                    for f, bounds, v in zip(head.feature.tolist(), head.bound.tolist(), head.value.tolist(), strict=True)
                ],
            }
            for name, head in (("report", ranker.report), ("lead", ranker.lead))
        },
    }
    write_atomically(path, (json.dumps(content, separators=(",", ":")) + "\n").encode(), mode=0o644)


def load_ranker(path: Path = WEIGHTS_FILE) -> Ranker:
    """Read the trees.

    Raises
    ------
    ModelError
        If the file is missing, damaged, or was trained with other features.
    """
    try:
        content = path.read_bytes()
        stored = json.loads(content.decode("utf-8"))
        heads = [_head(stored[name]) for name in ("report", "lead")]
        features, threshold = stored["features"], float(stored["threshold"])
    except FileNotFoundError:
        raise ModelError(f"the trained model {path.name} is missing; run `theracode train` or reinstall") from None
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ModelError(
            f"the trained model {path.name} cannot be read ({type(error).__name__}); run `theracode train`"
        ) from None
    fits = all(
        head.mean.shape == (len(FEATURE_NAMES),)
        and head.feature.shape == head.bound.shape == (len(head.feature), SPLITS)
        and head.value.shape == (len(head.feature), NODES)
        and ((head.feature >= 0) & (head.feature < len(FEATURE_NAMES))).all()
        for head in heads
    )
    if features != list(FEATURE_NAMES) or not fits:
        raise ModelError(f"the trained model {path.name} was made for other features; run `theracode train`")
    return Ranker(heads[0], heads[1], threshold, hashlib.sha256(content).hexdigest()[:12])


def _head(stored: Any) -> Head:
    trees = stored["trees"]
    return Head(
        np.array([tree["feature"] for tree in trees], dtype=np.int64),
        np.array([[np.inf if bound is None else bound for bound in tree["bound"]] for tree in trees], dtype=np.float64),
        np.array([tree["value"] for tree in trees], dtype=np.float64),
        np.array(stored["mean"], dtype=np.float64),
        float(stored["base"]),
    )
