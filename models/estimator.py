"""The estimator behind the ranker: a scikit-learn classifier that is trained, compared and saved; see models/ranker.py."""

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
from models.options import FEATURE_NAMES
from models.ranker import FOLDER, Head, Ranker

MODEL_FILE = FOLDER / "ranker.skops"


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


def head_of(estimator: CodeRanker) -> Head:
    """The numbers of a fitted estimator, for scoring without scikit-learn."""
    return Head(estimator.mean_, estimator.scale_, estimator.coef_, estimator.intercept_)


def save_estimators(report: CodeRanker, lead: CodeRanker, threshold: float, path: Path = MODEL_FILE) -> None:
    """Write both estimators without pickle; the same estimators give the same bytes."""
    import skops.io

    from models.archive import write_stable

    write_stable(path, skops.io.dumps({"report": report, "lead": lead, "threshold": threshold, "features": list(FEATURE_NAMES)}))


def load_estimators(path: Path = MODEL_FILE) -> tuple[CodeRanker, CodeRanker, float]:
    """Read the estimators and the threshold; only known types are built, no code of the file is run.

    Raises
    ------
    ModelError
        If the file is missing, damaged, holds unknown types, or was trained with other features.
    """
    import skops.io

    try:
        stored = skops.io.load(path, trusted=["models.estimator.CodeRanker"])
        report, lead, threshold, features = stored["report"], stored["lead"], float(stored["threshold"]), stored["features"]
    except FileNotFoundError:
        raise ModelError(f"the trained model {path.name} is missing; run `theracode train` or reinstall") from None
    except Exception as error:  # a damaged archive can fail in many ways; the remedy is the same
        raise ModelError(
            f"the trained model {path.name} cannot be read ({type(error).__name__}); run `theracode train`"
        ) from None
    if features != list(FEATURE_NAMES):
        raise ModelError(f"the trained model {path.name} was made for other features; run `theracode train`")
    return report, lead, threshold


def ranker_of(report: CodeRanker, lead: CodeRanker, threshold: float) -> Ranker:
    """The ranker that the coder uses."""
    return Ranker(head_of(report), head_of(lead), threshold)
