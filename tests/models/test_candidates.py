"""Candidates: leaves of the edition for one problem, best first."""

from __future__ import annotations

import pytest

import theracode
from lexicon.codes.registry import load_edition
from models.candidates import PER_PROBLEM, Candidate, CandidateFinder
from models.problems import Problem


@pytest.fixture(scope="module")
def finder(coder: theracode.Coder) -> CandidateFinder:
    return CandidateFinder(load_edition("FY2026-April"), coder.vocabulary)


def problem(concept: str, *sites: str, side: str = "unspecified", **more: object) -> Problem:
    return Problem(concept, "diagnosis", sites=sites, side=side, **more)  # type: ignore[arg-type]


def leaves(found: list[Candidate]) -> list[str]:
    return [candidate.leaf for candidate in found]


@pytest.mark.parametrize(
    ("wanted", "best"),
    [
        (problem("osteoarthritis", "knee", side="right"), "M17.11"),
        (problem("osteoarthritis", "knee", side="left"), "M17.12"),
        (problem("pain", "shoulder", side="right"), "M25.511"),
        (problem("pain", "patella", side="left"), "M25.562"),  # a wider place serves
        (problem("adhesive_capsulitis", "shoulder", side="left"), "M75.02"),
        (problem("de_quervain", "wrist", side="right"), "M65.4"),  # no side in the code
        (problem("rotator_cuff_tear", "rotator_cuff", "shoulder", side="right"), "M75.101"),
    ],
)
def test_best_leaf(finder: CandidateFinder, wanted: Problem, best: str) -> None:
    found = finder.candidates(wanted)
    assert found[0].leaf == best
    assert [c.place for c in found] == list(range(len(found)))
    assert len(found) <= PER_PROBLEM
    assert all(c.problem is wanted and c.leaf in finder.edition for c in found)


def test_a_wrong_side_never_leads(finder: CandidateFinder) -> None:
    found = finder.candidates(problem("osteoarthritis", "knee", side="right"))
    left = next((c for c in found if c.leaf == "M17.12"), None)
    assert left is None or left.fit.score < found[0].fit.score - 2


def test_a_part_of_the_place_is_not_claimed(finder: CandidateFinder) -> None:
    """Pain of the leg is not pain of the knee, the foot or the toes."""
    assert finder.candidates(problem("pain", "lower_extremity", side="right"))[0].leaf == "M79.604"
    assert finder.candidates(problem("pain", "foot", side="right"))[0].leaf == "M79.671"


def test_bilateral_code_or_both_sides(finder: CandidateFinder) -> None:
    with_code = finder.candidates(problem("osteoarthritis", "knee", side="bilateral"))
    without = finder.candidates(problem("pain", "knee", side="bilateral"))
    assert [c.leaf for c in with_code if c.place == 0] == ["M17.0"]
    assert sorted(c.leaf for c in without if c.place == 0) == ["M25.561", "M25.562"]


def test_dominance_chooses_between_leaves(finder: CandidateFinder) -> None:
    stroke = problem("hemiparesis", side="right", stems=("I69.35",))
    assert finder.candidates(stroke)[0].leaf == "I69.351"
    assert finder.candidates(stroke, "left")[0].leaf == "I69.353"
    assert finder.candidates(stroke, "ambidextrous")[0].leaf == "I69.351"


def test_stems_of_a_problem_replace_those_of_its_concept(finder: CandidateFinder) -> None:
    assert leaves(finder.candidates(problem("aphasia")))[0] == "R47.01"
    assert leaves(finder.candidates(problem("aphasia", stems=("I69.320",)))) == ["I69.320"]


def test_margin_tells_how_clear_the_choice_is(finder: CandidateFinder) -> None:
    clear, second = finder.candidates(problem("osteoarthritis", "knee", side="right"))[:2]
    assert clear.margin == pytest.approx(clear.fit.score - second.fit.score)
    assert second.margin == pytest.approx(-clear.margin)


def test_same_problem_same_candidates(finder: CandidateFinder) -> None:
    wanted = problem("pain", "hand", side="left")
    assert leaves(finder.candidates(wanted)) == leaves(finder.candidates(wanted))


def test_every_condition_has_a_candidate(finder: CandidateFinder, coder: theracode.Coder) -> None:
    """No concept with codes of this edition is a dead end, but for injuries: without a place they have no code."""
    dead = {
        concept.id
        for concept in coder.vocabulary.concepts.values()
        if any(stem in finder.edition for stem in concept.codes)
        and not finder.candidates(problem(concept.id, *filter(None, (concept.site,))))
    }
    assert {coder.vocabulary.concepts[name].kind for name in dead} <= {"injury"}
    assert finder.candidates(problem("contusion", "knee", side="left"))[0].leaf == "S80.02"
