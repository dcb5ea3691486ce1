"""The ranker: a scikit-learn estimator, reproducible to the byte, stored without code, explained exactly."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.utils.estimator_checks import estimator_checks_generator

import theracode
from corpora.schema import GoldNote
from lexicon.errors import ModelError
from models.estimator import CodeRanker, head_of, load_estimators, ranker_of, save_estimators
from models.options import FEATURE_NAMES, Option
from models.ranker import Ranker, load_ranker, matrix, save_ranker

ROWS = 120


def table(seed: int = 5) -> tuple[Any, Any]:
    """A small training table with the real feature names."""
    random = np.random.default_rng(seed)
    features = random.normal(size=(ROWS, len(FEATURE_NAMES)))
    features[:, 3] = 1.0  # a constant feature
    target = (features[:, 0] + 0.5 * features[:, 1] + random.normal(scale=0.5, size=ROWS) > 0).astype(int)
    return features, target


def estimators() -> tuple[CodeRanker, CodeRanker]:
    features, target = table()
    return CodeRanker().fit(features, target), CodeRanker().fit(features, 1 - target)


def small_ranker(threshold: float = 0.4) -> Ranker:
    return ranker_of(*estimators(), threshold)


def option(values: dict[str, float]) -> Option:
    return Option("M17.11", "M17.11", "", None, 0, "facets", features=values)


# ------------------------------------------------------------------ the estimator


def contract() -> Iterator[Any]:
    """Every check of scikit-learn that applies; array APIs other than NumPy's are not offered."""
    for estimator, check in estimator_checks_generator(CodeRanker()):
        name = check.func.__name__
        if not name.startswith("check_array_api"):
            yield pytest.param(estimator, check, id=name)


@pytest.mark.parametrize(("estimator", "check"), list(contract()))
def test_estimator_contract(estimator: CodeRanker, check: Any) -> None:
    assert check(estimator) is None


def test_constant_feature_splits_nothing() -> None:
    features, target = table()
    model = CodeRanker().fit(features, target)
    assert model.importance_[3] == 0
    assert model.importance_[0] > model.importance_[5]
    assert model.importance_.sum() == pytest.approx(1)


def test_trees_kept_as_arrays_are_those_of_scikit_learn() -> None:
    features, target = table()
    model = CodeRanker(min_samples_leaf=5).fit(features, target)
    original = HistGradientBoostingClassifier(
        learning_rate=0.08, max_iter=100, max_depth=3, max_leaf_nodes=None, min_samples_leaf=5, l2_regularization=5.0,
        early_stopping=False, random_state=0,
    ).fit(features, target)  # fmt: skip
    others, _ = table(9)
    assert model.predict_proba(others) == pytest.approx(original.predict_proba(others))


def test_contributions_sum_to_the_log_odds() -> None:
    features, _ = table()
    model, _ = estimators()
    head = head_of(model)
    for row, odds in zip(features[:10], model.decision_function(features[:10]), strict=True):
        assert head.contributions(row).sum() + head.value[:, 0].sum() + head.base == pytest.approx(odds)


# ------------------------------------------------------------------ the ranker


def test_contributions_of_a_real_option_sum_to_its_log_odds(coder: theracode.Coder, dev_notes: list[GoldNote]) -> None:
    options = coder.options_for(dev_notes[0].to_note())
    coder.ranker.score(options)
    report = coder.ranker.report
    assert options
    for item in options:
        odds = report.contributions(matrix([item])[0]).sum() + report.value[:, 0].sum() + report.base
        assert 1 / (1 + np.exp(-odds)) == pytest.approx(item.probability)


def test_the_coder_explains_the_probabilities_that_it_gives(coder: theracode.Coder, dev_notes: list[GoldNote]) -> None:
    for gold in dev_notes[:3]:
        note = gold.to_note()
        explained = coder.explain(note)
        scored = [item for item in coder.suggest(note).suggestions if item.code in explained]
        assert scored and all(explained[item.code].probability == item.probability for item in scored)
        assert all(explained[item.code].parts for item in scored)


def test_explanation_names_the_heaviest_features() -> None:
    ranker = small_ranker()
    heaviest, *others = ranker.explain(option({FEATURE_NAMES[0]: 3.0, FEATURE_NAMES[3]: 1.0}))
    assert heaviest.feature == FEATURE_NAMES[0] and heaviest.above and heaviest.amount > 0
    assert all(abs(heaviest.amount) >= abs(part.amount) >= 0.2 for part in others)
    assert FEATURE_NAMES[3] not in {part.feature for part in others}  # constant in training: it carries nothing


def test_scores_are_what_the_estimators_say() -> None:
    report, lead = estimators()
    features, _ = table(9)
    options = [option(dict(zip(FEATURE_NAMES, row, strict=True))) for row in features[:5]]
    ranker_of(report, lead, 0.4).score(options)
    assert [o.probability for o in options] == pytest.approx(report.predict_proba(features[:5])[:, 1])
    assert [o.lead for o in options] == pytest.approx(lead.predict_proba(features[:5])[:, 1])


def test_nothing_to_score_is_no_error() -> None:
    options: list[Option] = []
    small_ranker().score(options)
    assert options == []


def test_missing_feature_counts_as_zero() -> None:
    assert matrix([option({"fit": 2.0})])[0].sum() == 2.0


# ------------------------------------------------------------------ files


def test_same_training_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("first", "second"):
        save_ranker(small_ranker(), tmp_path / f"{name}.json")
        save_estimators(*estimators(), 0.4, tmp_path / f"{name}.skops")
    for ending in ("json", "skops"):
        assert (tmp_path / f"first.{ending}").read_bytes() == (tmp_path / f"second.{ending}").read_bytes()
    assert len(list(tmp_path.iterdir())) == 4  # no temporary file is left


def test_round_trip_of_the_weights(tmp_path: Path) -> None:
    path = tmp_path / "weights.json"
    ranker = small_ranker(threshold=0.35)
    save_ranker(ranker, path)
    loaded = load_ranker(path)
    assert loaded.threshold == 0.35
    for name in ("feature", "bound", "value", "mean", "base"):
        for head in ("report", "lead"):
            assert np.array_equal(getattr(getattr(loaded, head), name), getattr(getattr(ranker, head), name))


def test_round_trip_of_the_estimators(tmp_path: Path) -> None:
    path = tmp_path / "ranker.skops"
    report, lead = estimators()
    save_estimators(report, lead, 0.35, path)
    again, lead_again, threshold = load_estimators(path)
    features, _ = table(9)
    assert threshold == 0.35
    assert np.array_equal(again.decision_function(features), report.decision_function(features))
    assert np.array_equal(lead_again.decision_function(features), lead.decision_function(features))


def test_shipped_weights_are_those_of_the_shipped_estimators() -> None:
    report, lead, threshold = load_estimators()
    shipped, ranker = load_ranker(), ranker_of(report, lead, threshold)
    assert shipped.threshold == threshold
    for head in ("report", "lead"):
        assert np.array_equal(getattr(shipped, head).feature, getattr(ranker, head).feature)
        assert np.array_equal(getattr(shipped, head).value, getattr(ranker, head).value)


@pytest.mark.parametrize("load", [load_ranker, load_estimators])
def test_missing_model(load: Any) -> None:
    with pytest.raises(ModelError, match=r"nowhere is missing; run `theracode train`"):
        load(Path("nowhere"))


@pytest.mark.parametrize("load", [load_ranker, load_estimators])
@pytest.mark.parametrize(
    "content", [b"", b"not an archive", b"PK\x03\x04 cut short", b"\xff\xfe", b"{}", b"[]", b"null", b"[" * 9_999]
)
def test_damaged_model(tmp_path: Path, load: Any, content: bytes) -> None:
    path = tmp_path / "model"
    path.write_bytes(content)
    with pytest.raises(ModelError, match="cannot be read"):
        load(path)


def test_cut_models(tmp_path: Path) -> None:
    weights, archive = tmp_path / "weights.json", tmp_path / "ranker.skops"
    save_ranker(small_ranker(), weights)
    save_estimators(*estimators(), 0.4, archive)
    for path in (weights, archive):
        path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ModelError, match="cannot be read"):
        load_ranker(weights)
    with pytest.raises(ModelError, match="cannot be read"):
        load_estimators(archive)


@pytest.mark.parametrize("part", ["mean", "feature", "bound", "value"])
def test_trees_for_other_features(tmp_path: Path, part: str) -> None:
    path = tmp_path / "weights.json"
    save_ranker(small_ranker(), path)
    stored = json.loads(path.read_text(encoding="utf-8"))
    if part == "mean":
        stored["lead"]["mean"] = stored["lead"]["mean"][:-1]
    else:
        for tree in stored["lead"]["trees"]:
            tree[part] = tree[part][:-1]
    path.write_text(json.dumps(stored), encoding="utf-8")
    with pytest.raises(ModelError, match="made for other features"):
        load_ranker(path)


def test_a_split_at_a_feature_that_does_not_exist(tmp_path: Path) -> None:
    path = tmp_path / "weights.json"
    save_ranker(small_ranker(), path)
    stored = json.loads(path.read_text(encoding="utf-8"))
    stored["report"]["trees"][0]["feature"][0] = len(FEATURE_NAMES)
    path.write_text(json.dumps(stored), encoding="utf-8")
    with pytest.raises(ModelError, match="made for other features"):
        load_ranker(path)


def test_archive_without_schema(tmp_path: Path) -> None:
    path = tmp_path / "ranker.skops"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(ModelError, match="cannot be read"):
        load_estimators(path)


class Foreign:
    """A type that a model file of theracode never holds."""


def test_unknown_types_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "ranker.skops"
    skops.io.dump({"report": Foreign()}, path)
    with pytest.raises(ModelError, match="cannot be read"):
        load_estimators(path)


@pytest.mark.parametrize("stored", [{"features": ["fit"]}, {"threshold": 0.5}, ["a list"]])
def test_archive_of_another_version(tmp_path: Path, stored: object) -> None:
    path = tmp_path / "ranker.skops"
    skops.io.dump(stored, path)
    with pytest.raises(ModelError, match=r"run `theracode train`"):
        load_estimators(path)
