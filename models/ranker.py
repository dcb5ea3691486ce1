"""From named features to probabilities.

Two logistic regressions over the same named features: how likely an option is to be reported (``probability``) and how
likely it is the chief reason of the visit (``lead``). A linear model was chosen because it is the simplest that was not
significantly worse in cross-validation (the model card has the figures), its weights can be read, and its explanation is
exact: each feature carries weight times standardised value.

The estimators are trained and saved by models/estimator.py; here their weights are read as plain numbers, so that a
suggestion needs no scikit-learn and starts fast.
"""

from __future__ import annotations

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


@dataclass(frozen=True, slots=True)
class Head:
    """One logistic regression: means, scales and weights of shape (n_features,), and the intercept."""

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    weight: NDArray[np.float64]
    intercept: float

    def contributions(self, row: NDArray[np.float64]) -> NDArray[np.float64]:
        """What each feature adds to the log-odds of one row, against the average training row; shape (n_features,)."""
        parts: NDArray[np.float64] = (row - self.mean) / self.scale * self.weight
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

    def __init__(self, report: Head, lead: Head, threshold: float) -> None:
        self.report = report
        self.lead = lead
        self.threshold = threshold
        self._weights = np.column_stack([report.weight / report.scale, lead.weight / lead.scale])
        self._offsets = np.array([h.intercept - float((h.mean / h.scale) @ h.weight) for h in (report, lead)])

    def score(self, options: list[Option]) -> None:
        """Set ``probability`` and ``lead`` of every option."""
        if not options:
            return
        odds = matrix(options) @ self._weights + self._offsets
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
    """Write the weights as JSON, shortest exact decimals; the same ranker gives the same bytes."""
    content = {
        "features": list(FEATURE_NAMES),
        "threshold": ranker.threshold,
        **{
            name: {
                "mean": head.mean.tolist(),
                "scale": head.scale.tolist(),
                "weight": head.weight.tolist(),
                "intercept": head.intercept,
            }
            for name, head in (("report", ranker.report), ("lead", ranker.lead))
        },
    }
    write_atomically(path, (json.dumps(content, indent=1) + "\n").encode())


def load_ranker(path: Path = WEIGHTS_FILE) -> Ranker:
    """Read the weights.

    Raises
    ------
    ModelError
        If the file is missing, damaged, or was trained with other features.
    """
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        heads = [_head(stored[name]) for name in ("report", "lead")]
        features, threshold = stored["features"], float(stored["threshold"])
    except FileNotFoundError:
        raise ModelError(f"the trained model {path.name} is missing; run `theracode train` or reinstall") from None
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ModelError(
            f"the trained model {path.name} cannot be read ({type(error).__name__}); run `theracode train`"
        ) from None
    shapes = {numbers.shape for head in heads for numbers in (head.mean, head.scale, head.weight)}
    if features != list(FEATURE_NAMES) or shapes != {(len(FEATURE_NAMES),)}:
        raise ModelError(f"the trained model {path.name} was made for other features; run `theracode train`")
    return Ranker(heads[0], heads[1], threshold)


def _head(stored: Any) -> Head:
    return Head(np.array(stored["mean"]), np.array(stored["scale"]), np.array(stored["weight"]), float(stored["intercept"]))
