"""The ranker: a scikit-learn estimator, reproducible to the byte, stored without code, explained exactly."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
from sklearn.utils.estimator_checks import estimator_checks_generator

import theracode
from corpora.schema import GoldNote
from lexicon.errors import ModelError
from models.options import FEATURE_NAMES, Option
from models.ranker import CodeRanker, Ranker, load_ranker, matrix, save_ranker

ROWS = 120


def table(seed: int = 5) -> tuple[Any, Any]:
    """A small training table with the real feature names."""
    random = np.random.default_rng(seed)
    features = random.normal(size=(ROWS, len(FEATURE_NAMES)))
    features[:, 3] = 1.0  # a constant feature
    target = (features[:, 0] + 0.5 * features[:, 1] + random.normal(scale=0.5, size=ROWS) > 0).astype(int)
    return features, target


def small_ranker(threshold: float = 0.4) -> Ranker:
    features, target = table()
    return Ranker(CodeRanker().fit(features, target), CodeRanker().fit(features, 1 - target), threshold)


def option(values: dict[str, float]) -> Option:
    return Option("M17.11", "M17.11", "", None, 0, "facets", features=values)


def contract() -> Iterator[Any]:
    """Every check of scikit-learn that applies; array APIs other than NumPy's are not offered."""
    for estimator, check in estimator_checks_generator(CodeRanker()):
        name = check.func.__name__
        if not name.startswith("check_array_api"):
            yield pytest.param(estimator, check, id=name)


@pytest.mark.parametrize(("estimator", "check"), contract())
def test_estimator_contract(estimator: CodeRanker, check: Any) -> None:
    assert check(estimator) is None


def test_constant_feature_has_no_weight() -> None:
    features, target = table()
    model = CodeRanker().fit(features, target)
    assert model.coef_[3] == 0
    assert model.coef_[0] > model.coef_[5]


def test_contributions_sum_to_the_log_odds() -> None:
    features, target = table()
    model = CodeRanker().fit(features, target)
    for row, odds in zip(features[:10], model.decision_function(features[:10]), strict=True):
        assert model.contributions(row).sum() + model.intercept_ == pytest.approx(odds)


def test_contributions_of_a_real_option_sum_to_its_log_odds(coder: theracode.Coder, dev_notes: list[GoldNote]) -> None:
    options = coder.options_for(dev_notes[0].to_note())
    coder.ranker.score(options)
    report = coder.ranker.report
    assert options
    for item in options:
        odds = report.contributions(matrix([item])[0]).sum() + report.intercept_
        assert 1 / (1 + np.exp(-odds)) == pytest.approx(item.probability)


def test_explanation_names_the_heaviest_features() -> None:
    ranker = small_ranker()
    strongest = FEATURE_NAMES[int(np.argmax(np.abs(ranker.report.coef_)))]
    phrases = ranker.explain(option({strongest: 30.0}), top=1)
    assert phrases[0].startswith(strongest.replace("_", " "))
    mean = option(dict(zip(FEATURE_NAMES, ranker.report.mean_, strict=True)))
    assert ranker.explain(mean) == []


def test_scores_are_what_the_estimators_say() -> None:
    ranker = small_ranker()
    features, _ = table(9)
    options = [option(dict(zip(FEATURE_NAMES, row, strict=True))) for row in features[:5]]
    ranker.score(options)
    assert [o.probability for o in options] == pytest.approx(ranker.report.predict_proba(features[:5])[:, 1])
    assert [o.lead for o in options] == pytest.approx(ranker.lead.predict_proba(features[:5])[:, 1])
    ranker.score([])  # nothing to score is no error


def test_missing_feature_counts_as_zero() -> None:
    assert matrix([option({"fit": 2.0})])[0].sum() == 2.0


def test_same_training_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("first", "second"):
        save_ranker(small_ranker(), tmp_path / f"{name}.skops")
    assert (tmp_path / "first.skops").read_bytes() == (tmp_path / "second.skops").read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["first.skops", "second.skops"]  # no temporary file is left


def test_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "ranker.skops"
    ranker = small_ranker(threshold=0.35)
    save_ranker(ranker, path)
    loaded = load_ranker(path)
    features, _ = table(9)
    assert loaded.threshold == 0.35
    assert np.array_equal(loaded.report.decision_function(features), ranker.report.decision_function(features))
    assert np.array_equal(loaded.lead.decision_function(features), ranker.lead.decision_function(features))


def test_missing_model() -> None:
    with pytest.raises(ModelError, match=r"nowhere\.skops is missing; run `theracode train`"):
        load_ranker(Path("nowhere.skops"))


@pytest.mark.parametrize("content", [b"", b"not an archive", b"PK\x03\x04 cut short"])
def test_damaged_model(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "ranker.skops"
    path.write_bytes(content)
    with pytest.raises(ModelError, match="cannot be read"):
        load_ranker(path)


def test_cut_model(tmp_path: Path) -> None:
    path = tmp_path / "ranker.skops"
    save_ranker(small_ranker(), path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ModelError, match="cannot be read"):
        load_ranker(path)


def test_archive_without_schema(tmp_path: Path) -> None:
    path = tmp_path / "ranker.skops"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(ModelError, match="cannot be read"):
        load_ranker(path)


class Foreign:
    """A type that a model file of theracode never holds."""


def test_unknown_types_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "ranker.skops"
    skops.io.dump({"report": Foreign()}, path)
    with pytest.raises(ModelError, match="cannot be read"):
        load_ranker(path)


@pytest.mark.parametrize("stored", [{"features": ["fit"]}, {"threshold": 0.5}, ["a list"]])
def test_model_of_another_version(tmp_path: Path, stored: object) -> None:
    path = tmp_path / "ranker.skops"
    skops.io.dump(stored, path)
    with pytest.raises(ModelError, match=r"run `theracode train`"):
        load_ranker(path)


def test_model_for_other_features(tmp_path: Path) -> None:
    path = tmp_path / "ranker.skops"
    ranker = small_ranker()
    skops.io.dump({"report": ranker.report, "lead": ranker.lead, "threshold": 0.4, "features": [*FEATURE_NAMES, "new"]}, path)
    with pytest.raises(ModelError, match="made for other features"):
        load_ranker(path)
