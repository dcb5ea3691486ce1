"""From named features to probabilities.

Two logistic regressions over the same named features: how likely an option is to be reported (``probability``) and how
likely it is the chief reason of the visit (``lead``). A linear model was chosen because it is the simplest that was not
significantly worse in cross-validation (the model card has the figures), its weights can be read, and its explanation is
exact: each feature carries weight times standardised value.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from lexicon.errors import ModelError
from models.options import FEATURE_NAMES, Option

FOLDER = Path(__file__).resolve().parent / "trained"
MODEL_FILE = FOLDER / "ranker.skops"
CARD_FILE = FOLDER / "card.json"


class CodeRanker(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn is published without types
    """Standardised logistic regression for two classes.

    Parameters
    ----------
    C : float, default=0.1
        Inverse strength of the L2 penalty; small because the corpus is small.
    max_iter : int, default=4000
        Iterations of the solver.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    mean_, scale_ : ndarray of shape (n_features,)
        Of the training data; a constant feature has scale 1.
    coef_ : ndarray of shape (n_features,)
        Weights of the standardised features (0 where only one class was seen).
    intercept_ : float
    n_features_in_ : int
    """

    def __init__(self, *, C: float = 0.1, max_iter: int = 4000) -> None:
        self.C = C
        self.max_iter = max_iter

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> CodeRanker:
        """Fit the weights.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
            Two classes.
        sample_weight : array-like of shape (n_samples,), optional

        Returns
        -------
        CodeRanker
        """
        X, y = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(y)
        self.classes_ = np.unique(y)
        if len(self.classes_) > 2:
            raise ValueError(f"Only binary classification is supported. The type of the target is {len(self.classes_)} classes")
        if len(self.classes_) < 2:
            raise ValueError("The classifier needs two classes; the data has one class")
        scaler = StandardScaler().fit(X, sample_weight=sample_weight)
        model = LogisticRegression(C=self.C, max_iter=self.max_iter)
        model.fit(scaler.transform(X), y, sample_weight=sample_weight)
        self.mean_: NDArray[np.float64] = scaler.mean_
        self.scale_: NDArray[np.float64] = scaler.scale_
        self.coef_: NDArray[np.float64] = model.coef_[0]
        self.intercept_ = float(model.intercept_[0])
        self.n_iter_ = int(model.n_iter_[0])
        return self

    def decision_function(self, X: ArrayLike) -> NDArray[np.float64]:
        """Log-odds of the second class, shape (n_samples,)."""
        check_is_fitted(self)
        rows: NDArray[np.float64] = validate_data(self, X, dtype=np.float64, reset=False)
        result: NDArray[np.float64] = ((rows - self.mean_) / self.scale_) @ self.coef_ + self.intercept_
        return result

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Probabilities of both classes, shape (n_samples, 2)."""
        second = 1.0 / (1.0 + np.exp(-self.decision_function(X)))
        return np.column_stack([1.0 - second, second])

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """The more probable class of each row."""
        positive = self.decision_function(X) > 0
        chosen: NDArray[Any] = self.classes_[positive.astype(int)]
        return chosen

    def contributions(self, row: ArrayLike) -> NDArray[np.float64]:
        """What each feature adds to the log-odds of one row, against the average training row; shape (n_features,)."""
        check_is_fitted(self)
        return (np.asarray(row, dtype=np.float64) - self.mean_) / self.scale_ * self.coef_


def matrix(options: list[Option]) -> NDArray[np.float64]:
    """Features of options in the order of ``FEATURE_NAMES``, shape (n_options, n_features)."""
    return np.array([[option.features.get(name, 0.0) for name in FEATURE_NAMES] for option in options], dtype=np.float64)


class Ranker:
    """The two fitted heads and the threshold above which a code is recommended."""

    def __init__(self, report: CodeRanker, lead: CodeRanker, threshold: float) -> None:
        self.report = report
        self.lead = lead
        self.threshold = threshold
        self._weights = np.column_stack([report.coef_ / report.scale_, lead.coef_ / lead.scale_])
        self._offsets = np.array(
            [
                report.intercept_ - float(report.mean_ / report.scale_ @ report.coef_),
                lead.intercept_ - float(lead.mean_ / lead.scale_ @ lead.coef_),
            ]
        )

    def score(self, options: list[Option]) -> None:
        """Set ``probability`` and ``lead`` of every option."""
        if not options:
            return
        odds = matrix(options) @ self._weights + self._offsets
        for option, (report, lead) in zip(options, 1.0 / (1.0 + np.exp(-odds)), strict=True):
            option.probability = float(report)
            option.lead = float(lead)

    def explain(self, option: Option, *, top: int = 3) -> list[str]:
        """The features that carried an option most, as short phrases; empty where nothing stands out."""
        parts = self.report.contributions(matrix([option])[0])
        order = np.argsort(-np.abs(parts))[:top]
        return [f"{FEATURE_NAMES[i].replace('_', ' ')} {parts[i]:+.1f}" for i in order if abs(parts[i]) >= 0.2]


def save_ranker(ranker: Ranker, path: Path = MODEL_FILE) -> None:
    """Write a ranker without pickle; the same ranker gives the same bytes."""
    import skops.io

    from models.archive import write_stable

    write_stable(
        path,
        skops.io.dumps(
            {"report": ranker.report, "lead": ranker.lead, "threshold": ranker.threshold, "features": list(FEATURE_NAMES)}
        ),
    )


def load_ranker(path: Path = MODEL_FILE) -> Ranker:
    """Read a ranker; only known types are built, no code of the file is run.

    Raises
    ------
    ModelError
        If the file is missing, damaged, holds unknown types, or was trained with other features.
    """
    import skops.io

    try:
        stored = skops.io.load(path, trusted=["models.ranker.CodeRanker"])
    except FileNotFoundError:
        raise ModelError(f"the trained model {path.name} is missing; run `theracode train` or reinstall") from None
    except Exception as error:  # a damaged archive can fail in many ways; the remedy is the same
        reason = type(error).__name__
        raise ModelError(f"the trained model {path.name} cannot be read ({reason}); run `theracode train`") from None
    if not isinstance(stored, dict) or stored.get("features") != list(FEATURE_NAMES):
        raise ModelError(f"the trained model {path.name} was made for other features; run `theracode train`")
    return Ranker(stored["report"], stored["lead"], float(stored["threshold"]))
