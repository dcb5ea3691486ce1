"""Metrics against values computed by hand; the working stands beside each case."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corpora.metrics import (
    METRICS,
    RATIOS,
    NoteScore,
    bootstrap,
    excludes1_pairs,
    levels_of,
    paired_test,
    quote_spans,
    recommended_codes,
    reliability,
    score_note,
    value_of,
    values_of,
)

LEVELS = levels_of("FY2026-April")


@pytest.fixture
def mixed(make_gold: Any, make_coding: Any) -> NoteScore:
    """Three groups. In order of report: R26.9 (hit), M17.12 (wrong side), Z96.652 (optional), S83.511A (7th), M62.81 (extra)."""
    gold = make_gold(
        [["M17.11"], ["R26.89", "R26.9"], ["S83.511D"]],
        optional=["Z96.652"],
        forbidden=[("M17.12", "wrong side")],
    )
    coding = make_coding(
        "M17.12! .9, R26.9! .8, Z96.652! .6, S83.511A! .5, M17.0x .4, M17.11 .3, M62.81! .2",
        sequence=["R26.9", "M17.12", "Z96.652", "S83.511A", "M62.81"],
    )
    return score_note(gold, coding, LEVELS)


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("recall@5", 2 / 3),  # without the blocked code M17.11 is fifth
        ("recall@10", 2 / 3),
        ("mrr", 1 / 6),  # five reported codes, then M17.11
        ("p@1", 0),
        ("precision", 1 / 4),  # R26.9 right; M17.12, S83.511A, M62.81 wrong; the optional one does not count
        ("recall", 1 / 3),
        ("f1", 2 / 7),  # 2*1 / (2*1 + 3 + 2)
        ("recall@5:category", 1),
        ("mrr:category", 1 / 2),
        ("precision:category", 3 / 4),
        ("recall:category", 1),
        ("f1:category", 6 / 7),
        ("precision:no_side", 2 / 4),
        ("recall:no_side", 2 / 3),
        ("f1:no_side", 4 / 7),  # 2*2 / (2*2 + 2 + 1)
        ("precision:no_seventh", 2 / 4),
        ("f1:no_seventh", 4 / 7),
        ("laterality", 0),  # M17.11 is hit when side is ignored, S83.511D is not (7th)
        ("seventh", 0),
        ("forbidden", 1),
        ("abstention", None),
        ("evidence", None),  # no gold quotes
        ("unbillable", 0),
    ],
)
def test_mixed_note(mixed: NoteScore, metric: str, expected: float | None) -> None:
    assert value_of([mixed], metric) == (expected if expected is None else pytest.approx(expected))


def test_a_group_counts_once_and_its_second_code_is_neutral(make_gold: Any, make_coding: Any) -> None:
    score = score_note(make_gold([["M54.50", "M54.59"], ["R26.9"]]), make_coding("M54.50!, M54.59!"), LEVELS)
    assert score.parts["precision"] == (1, 1)
    assert score.parts["recall"] == (1, 2)
    assert score.parts["f1"] == (2, 3)


def test_one_code_may_stand_for_two_groups(make_gold: Any, make_coding: Any) -> None:
    score = score_note(make_gold([["I69.351"], ["I69.351", "I69.359"]]), make_coding("I69.351!"), LEVELS)
    assert score.parts["f1"] == (4, 4)


def test_patterns_with_a_dash_accept_codes_below(make_gold: Any, make_coding: Any) -> None:
    score = score_note(make_gold([["M54.1-"]], forbidden=[("M54.-", "less specific")]), make_coding("M54.16!"), LEVELS)
    assert score.parts["f1"] == (2, 2)
    assert score.parts["forbidden"] == (0, 1), "what is accepted is not forbidden by a wider pattern"
    assert score.parts["recall@5:no_side"] == (1, 1)


def test_forbidden_counts_notes_and_only_recommended_codes(make_gold: Any, make_coding: Any) -> None:
    gold = make_gold([["R52"]], forbidden=[("I63.-", "history"), ("R55", "negated")])
    scores = [score_note(gold, make_coding(line), LEVELS) for line in ("R52!, I63.9!, R55!", "R52!, I63.9", "R52!", "R55x")]
    assert value_of(scores, "forbidden") == 1 / 4


def test_notes_without_codes_count(make_gold: Any, make_coding: Any) -> None:
    empty, right = make_gold(), make_gold([["R52"]])
    silent = score_note(empty, make_coding("R52"), LEVELS)
    loud = score_note(empty, make_coding("R52!, R55!"), LEVELS)
    hit = score_note(right, make_coding("R52!"), LEVELS)
    assert value_of([silent, loud, hit], "abstention") == 1 / 2
    assert value_of([silent, loud, hit], "precision") == 1 / 3
    assert value_of([silent, loud, hit], "f1") == 2 / 4
    assert value_of([silent, hit], "precision") == 1
    assert value_of([silent, loud], "recall@5") is None
    assert value_of([silent, loud], "p@1") is None
    assert value_of([], "f1") is None


def test_recall_at_k_is_a_mean_over_notes_and_f1_is_pooled(make_gold: Any, make_coding: Any) -> None:
    many = score_note(make_gold([["R52"], ["R55"], ["R42"], ["R05.9"]]), make_coding("R52!"), LEVELS)
    one = score_note(make_gold([["R52"]]), make_coding("R52!"), LEVELS)
    assert value_of([many, one], "recall@5") == (1 / 4 + 1) / 2
    assert value_of([many, one], "recall") == 2 / 5


def test_recall_depth(make_gold: Any, make_coding: Any) -> None:
    score = score_note(make_gold([["R52"]]), make_coding("R55, R42, R05.9, R11.0, R11.10, R52"), LEVELS)
    assert (score.parts["recall@5"], score.parts["recall@10"]) == ((0, 1), (1, 1))


def test_first_listed_code_is_the_first_of_the_sequence(make_gold: Any, make_coding: Any) -> None:
    gold = make_gold([["M17.11"], ["R26.9"]], primary=["M17.11"])
    second = score_note(gold, make_coding("R26.9!, M17.11!"), LEVELS)
    assert (value_of([second], "mrr"), value_of([second], "p@1")) == (1 / 2, 0)
    first = score_note(gold, make_coding("R26.9!, M17.11!", sequence=["M17.11", "R26.9"]), LEVELS)
    assert (value_of([first], "mrr"), value_of([first], "p@1")) == (1, 1)


def test_aspects_count_groups_hit_when_the_aspect_is_ignored(make_gold: Any, make_coding: Any) -> None:
    gold = make_gold([["M17.11"], ["M25.562"], ["S83.511D"], ["R26.9"]])
    score = score_note(gold, make_coding("M17.11!, M25.561!, S83.511D!, R26.9!"), LEVELS)
    assert score.parts["laterality"] == (2, 3), "M17.11 and S83.511D right, M25.561 wrong; R26.9 has no side"
    assert score.parts["seventh"] == (1, 1)


def test_evidence_needs_any_overlap_with_the_quote(make_gold: Any, make_coding: Any) -> None:
    text = "R knee OA. Gait unsteady."
    gold = make_gold(
        [{"accept": ["M17.11"], "evidence": "knee OA"}, {"accept": ["R26.81"], "evidence": "unsteady"}, ["R52"]], text=text
    )
    coding = make_coding("M17.11!, R26.81, R52!", evidence={"M17.11": (0, 3), "R26.81": (0, 6)})
    assert score_note(gold, coding, LEVELS).parts["evidence"] == (1, 2)
    assert quote_spans("aaa", "aa") == [(0, 2), (1, 3)]
    assert quote_spans("aaa", "") == []


def test_unbillable_and_excludes1(make_gold: Any, make_coding: Any) -> None:
    score = score_note(make_gold(), make_coding("M17.1, S83.511!, M62.81!, R53.1!, M54.50"), LEVELS)
    assert dict(score.counts) == {"unbillable": 2, "excludes1": 1}


@pytest.mark.parametrize(
    ("codes", "pairs"),
    [
        (["R53.1", "M62.81"], [("R53.1", "M62.81")]),
        (["M54.50", "S39.012D"], [("M54.50", "S39.012D")]),  # note inherited from M54.5, 7th character added
        (["S39.012D", "M54.50"], [("M54.50", "S39.012D")]),  # the other direction of asking
        (["M17.11", "Z96.652"], []),
        (["M54.50"], []),
        (["M54.50", "unknown"], []),
    ],
)
def test_excludes1_pairs(codes: list[str], pairs: list[tuple[str, str]]) -> None:
    assert [pair[:2] for pair in excludes1_pairs(codes, LEVELS.edition)] == pairs


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("M17.11", "M17.12", True),
        ("M17.11", "M17.0", True),
        ("M17.11", "M17.10", True),
        ("M17.11", "M17.9", False),
        ("M25.561", "M25.569", True),
        ("M25.561", "M25.551", False),
        ("G81.91", "G81.94", True),
        ("I69.351", "I69.359", True),
        ("S83.511D", "S83.512D", True),
        ("S83.511D", "S83.512A", False),
        ("S83.511D", "S83.521D", False),
        ("Z96.651", "Z96.653", True),
        ("H81.11", "H81.13", True),
        ("M54.50", "M54.59", False),
    ],
)
def test_no_side_follows_titles(first: str, second: str, same: bool) -> None:
    assert LEVELS.same(first, second, "no_side") is same
    assert LEVELS.same(second, first, "no_side") is same


@pytest.mark.parametrize(
    ("code", "side", "seventh"),
    [
        ("M17.12", "left", ""),
        ("M17.0", "bilateral", ""),
        ("M25.569", "unspecified", ""),
        ("M54.50", "", ""),
        ("S72.001D", "right", "D"),
        ("S32.010G", "", "G"),
        ("C44.1021", "right", ""),  # seven characters, but no 7th-character extension
        ("nonsense", "", ""),
    ],
)
def test_side_and_seventh(code: str, side: str, seventh: str) -> None:
    assert (LEVELS.side(code), LEVELS.seventh(code)) == (side, seventh)


def test_calibration_by_hand(make_gold: Any, make_coding: Any) -> None:
    gold = make_gold([["R52"]], optional=["R55"])
    score = score_note(gold, make_coding("R52! .95, R55 .85, R42 .82, R11.0 .1, R05.9x .5, M54.2 1"), LEVELS)
    points = {round(p.low, 1): (p.count, round(p.mean_probability, 3), p.share_accepted) for p in reliability([score])}
    assert points == {0.9: (2, 0.975, 0.5), 0.8: (2, 0.835, 0.5), 0.1: (1, 0.1, 0.0)}
    expected = (2 * abs(0.975 - 0.5) + 2 * abs(0.835 - 0.5) + 0.1) / 5
    assert value_of([score], "ece") == pytest.approx(expected)
    assert value_of([score_note(gold, make_coding(), LEVELS)], "ece") is None


def test_recommended_codes_follow_the_sequence_and_stay_unique(make_coding: Any) -> None:
    coding = make_coding("R52!, R55!, R42", sequence=["R55", "R42"])
    assert recommended_codes(coding) == ["R55", "R52"]


# ---------------------------------------------------------------------------------------------- intervals and tests


@pytest.fixture
def two_systems(make_gold: Any, make_coding: Any) -> tuple[list[NoteScore], list[NoteScore]]:
    """Forty notes: the first system hits all but every tenth, the second every fourth."""
    first, second = [], []
    for number in range(40):
        gold = make_gold([["R52"]], id=f"n{number}")
        first.append(score_note(gold, make_coding("R55! .4" if number % 10 == 0 else "R52! .9"), LEVELS))
        second.append(score_note(gold, make_coding("R52! .9" if number % 4 == 0 else "R55! .4"), LEVELS))
    return first, second


def test_bootstrap_contains_the_value_and_repeats(two_systems: tuple[list[NoteScore], list[NoteScore]]) -> None:
    first, _ = two_systems
    estimates = bootstrap(first, resamples=300, seed=7)
    assert set(estimates) == set(METRICS)
    f1 = estimates["f1"]
    assert f1.value == pytest.approx(0.9)
    assert f1.low is not None
    assert f1.high is not None
    assert 0.7 < f1.low < 0.9 < f1.high <= 1
    assert bootstrap(first, resamples=300, seed=7) == estimates
    assert bootstrap(first, resamples=300, seed=8) != estimates
    assert bootstrap([], ["f1"])["f1"].value is None


def test_bootstrap_of_identical_notes_has_no_width(two_systems: tuple[list[NoteScore], list[NoteScore]]) -> None:
    first, _ = two_systems
    estimate = bootstrap([first[1]] * 5, ["f1"], resamples=50)["f1"]
    assert (estimate.value, estimate.low, estimate.high) == (1, 1, 1)


def test_paired_test_finds_a_difference_and_none(two_systems: tuple[list[NoteScore], list[NoteScore]]) -> None:
    first, second = two_systems
    test = paired_test(first, second, "f1", resamples=400, seed=1)
    assert test.difference == pytest.approx(0.65)
    assert test.low is not None
    assert test.low > 0.3
    assert test.p_value == 1 / 401
    same = paired_test(first, first, "f1", resamples=100)
    assert (same.difference, same.low, same.high, same.p_value) == (0, 0, 0, 1)
    one_differs = [*first[:1], second[1], *first[2:]]  # exchanging that note can only change the sign of the difference
    assert paired_test(first, one_differs, "f1", resamples=99).p_value == 1
    assert paired_test(first, second, "abstention").p_value is None
    assert paired_test(second, first, "f1", resamples=400, seed=1).difference == pytest.approx(-0.65)
    with pytest.raises(ValueError, match="same notes"):
        paired_test(first, second[:-1], "f1")


# ---------------------------------------------------------------------------------------------- properties

CODES = ["M17.11", "M17.12", "M17.0", "R26.9", "R52", "S83.511D", "S83.511A", "M54.50", "M62.81", "R53.1"]
notes = st.lists(st.lists(st.sampled_from(CODES), min_size=1, max_size=3), max_size=4)
marks = st.lists(st.tuples(st.sampled_from(CODES), st.sampled_from(["!", "", "x"]), st.integers(0, 100)), max_size=8)
relaxed = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def _score(make_gold: Any, make_coding: Any, groups: list[list[str]], given_codes: list[tuple[str, str, int]]) -> NoteScore:
    line = ", ".join(f"{code}{mark} {share / 100}" for code, mark, share in {c: (c, m, s) for c, m, s in given_codes}.values())
    return score_note(make_gold(groups), make_coding(line), LEVELS)


@relaxed
@given(groups=notes, codes=marks)
def test_ratios_lie_between_0_and_1_and_coarser_levels_are_kinder(
    make_gold: Any, make_coding: Any, groups: Any, codes: Any
) -> None:
    score = _score(make_gold, make_coding, groups, codes)
    for metric in (*RATIOS, "ece"):
        value = value_of([score], metric)
        assert value is None or (0 <= value <= 1 and not math.isnan(value)), metric
    for name in ("recall@5", "recall@10", "mrr", "p@1", "precision", "recall", "f1"):
        for level in ("category", "no_side", "no_seventh"):
            if score.parts[name][1]:
                fine = score.parts[name][0] / score.parts[name][1]
                part = score.parts[f"{name}:{level}"]
                assert not part[1] or part[0] / part[1] >= fine - 1e-12, (name, level)


@relaxed
@given(cases=st.lists(st.tuples(notes, marks), min_size=2, max_size=5))
def test_a_batch_is_scored_like_its_parts_in_any_order(make_gold: Any, make_coding: Any, cases: Any) -> None:
    scores = [_score(make_gold, make_coding, groups, codes) for groups, codes in cases]
    whole = values_of(scores)
    assert values_of(scores[::-1]) == {k: v if v is None else pytest.approx(v) for k, v in whole.items()}
    for metric in RATIOS:
        total = sum(score.parts[metric][1] for score in scores)
        right = sum(score.parts[metric][0] for score in scores)
        assert whole[metric] == (right / total if total else None)


@relaxed
@given(groups=notes)
def test_the_gold_itself_is_perfect(make_gold: Any, make_coding: Any, groups: Any) -> None:
    gold = make_gold(groups)
    score = score_note(gold, make_coding(", ".join(f"{code}! 1" for code in gold.best_codes)), LEVELS)
    for metric in ("recall@5", "p@1", "precision", "recall", "f1", "f1:category", "laterality", "seventh", "abstention"):
        assert value_of([score], metric) in {1, None}, metric
