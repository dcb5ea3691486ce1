"""The estimator behind the ranker: a scikit-learn classifier that is trained, compared and saved; see models/ranker.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from lexicon.errors import ModelError
from models.options import FEATURE_NAMES
from models.ranker import DEPTH, FOLDER, NODES, SPLITS, Head, Ranker

MODEL_FILE = FOLDER / "ranker.skops"


class CodeRanker(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn is published without types
    """Gradient boosting of small trees for two classes, kept as plain arrays.

    Parameters
    ----------
    learning_rate : float, default=0.08
    max_iter : int, default=100
        Trees.
    min_samples_leaf : int, default=20
        Large because the corpus is small.
    l2_regularization : float, default=5.0

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    mean_ : ndarray of shape (n_features,)
        Of the training data.
    feature_, bound_, value_, base_
        The trees, as :class:`models.ranker.Head` describes them.
    importance_ : ndarray of shape (n_features,)
        Share of the gain of all splits, 0 to 1.
    n_features_in_ : int
    """

    def __init__(
        self, *, learning_rate: float = 0.08, max_iter: int = 100, min_samples_leaf: int = 20, l2_regularization: float = 5.0
    ) -> None:
        self.learning_rate = learning_rate
        self.max_iter = max_iter
        self.min_samples_leaf = min_samples_leaf
        self.l2_regularization = l2_regularization

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> CodeRanker:
        """Fit the trees.

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
        rows: NDArray[np.float64]
        rows, y = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(y)
        self.classes_ = np.unique(y)
        if len(self.classes_) > 2:
            raise ValueError(f"Only binary classification is supported. The type of the target is {len(self.classes_)} classes")
        if len(self.classes_) < 2:
            raise ValueError("The classifier needs two classes; the data has one class")
        model = HistGradientBoostingClassifier(
            learning_rate=self.learning_rate,
            max_iter=self.max_iter,
            max_depth=DEPTH,
            max_leaf_nodes=None,
            min_samples_leaf=self.min_samples_leaf,
            l2_regularization=self.l2_regularization,
            early_stopping=False,
            random_state=0,
        )
        model.fit(rows, y, sample_weight=sample_weight)
        self.mean_: NDArray[np.float64] = rows.mean(axis=0)
        self.base_ = float(np.ravel(model._baseline_prediction)[0])
        self.importance_: NDArray[np.float64] = np.zeros(rows.shape[1])
        trees = [self._complete(stage[0].nodes) for stage in model._predictors]
        self.feature_: NDArray[np.int64] = np.array([tree[0] for tree in trees])
        self.bound_: NDArray[np.float64] = np.array([tree[1] for tree in trees])
        self.value_: NDArray[np.float64] = np.array([tree[2] for tree in trees])
        total = self.importance_.sum()
        self.importance_ = self.importance_ / total if total else self.importance_
        self.n_iter_ = len(trees)
        return self

    def _complete(self, nodes: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
        """A fitted tree as a complete one: where it ends early its leaf goes on to the left down to the full depth."""
        feature, bound = np.zeros(SPLITS, dtype=np.int64), np.full(SPLITS, np.inf)
        value = np.zeros(NODES)

        def place(target: int, number: int) -> None:
            node = nodes[number]
            leaf = bool(node["is_leaf"])
            # Inner nodes keep their value before shrinkage.
            value[target] = node["value"] if leaf else node["value"] * self.learning_rate
            if target >= SPLITS:
                return
            if leaf:
                for child in (2 * target + 1, 2 * target + 2):
                    place(child, number)
                return
            feature[target], bound[target] = int(node["feature_idx"]), float(node["num_threshold"])
            self.importance_[feature[target]] += max(0.0, float(node["gain"]))
            place(2 * target + 1, int(node["left"]))
            place(2 * target + 2, int(node["right"]))

        place(0, 0)
        return feature, bound, value

    def decision_function(self, X: ArrayLike) -> NDArray[np.float64]:
        """Log-odds of the second class, shape (n_samples,)."""
        check_is_fitted(self)
        return head_of(self).odds(validate_data(self, X, dtype=np.float64, reset=False))

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Probabilities of both classes, shape (n_samples, 2)."""
        second = 1.0 / (1.0 + np.exp(-self.decision_function(X)))
        return np.column_stack([1.0 - second, second])

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """The more probable class of each row."""
        positive = self.decision_function(X) > 0
        chosen: NDArray[Any] = self.classes_[positive.astype(int)]
        return chosen


def head_of(estimator: CodeRanker) -> Head:
    """The numbers of a fitted estimator, for scoring without scikit-learn."""
    return Head(estimator.feature_, estimator.bound_, estimator.value_, estimator.mean_, estimator.base_)


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
