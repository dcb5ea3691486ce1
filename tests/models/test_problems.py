"""From mentions to problems: grouping, sides, and what the note says over all."""

from __future__ import annotations

import pytest

import theracode
from models.problems import DECISIVE, Problem, overall_assertion, problems_of
from nlp.finding import Finding


def read(coder: theracode.Coder, text: str) -> dict[str, Problem]:
    """Problems by concept; the texts below name each concept once or join it."""
    return {p.concept: p for p in problems_of(coder.reader.read(text), coder.vocabulary)}


@pytest.mark.parametrize(
    ("text", "concept", "sites", "side", "assertion"),
    [
        ("R knee OA, L knee OA.", "osteoarthritis", ("knee",), "bilateral", "present"),
        ("knee pain. R knee pain worse.", "pain", ("knee",), "right", "present"),
        ("pain at left patella", "pain", ("patella",), "left", "present"),
        ("Assessment: possible R rotator cuff tear.", "rotator_cuff_tear", ("rotator_cuff",), "right", "uncertain"),
        ("Denies dizziness.", "dizziness", (), "unspecified", "negated"),
        ("S: left or right knee pain?\nAssessment: left knee pain", "pain", ("knee",), "left", "present"),
    ],
)
def test_a_problem(coder: theracode.Coder, text: str, concept: str, sites: tuple[str, ...], side: str, assertion: str) -> None:
    problem = read(coder, text)[concept]
    assert problem.sites[: len(sites)] == sites
    assert (problem.side, problem.assertion) == (side, assertion)


def test_one_concept_at_two_places_is_two_problems(coder: theracode.Coder) -> None:
    problems = problems_of(coder.reader.read("R shoulder pain, L hip pain"), coder.vocabulary)
    assert [(p.site, p.side) for p in problems] == [("shoulder", "right"), ("hip", "left")]


def test_a_mention_without_place_joins_the_only_place(coder: theracode.Coder) -> None:
    (problem,) = problems_of(coder.reader.read("R knee pain.\n\nPain 5/10."), coder.vocabulary)
    assert (problem.site, len(problem.mentions)) == ("knee", 2)


def test_problems_stand_in_the_order_of_the_note(coder: theracode.Coder) -> None:
    problems = problems_of(coder.reader.read("Vertigo. R knee OA. Dysphagia."), coder.vocabulary)
    assert [p.concept for p in problems] == ["vertigo", "osteoarthritis", "dysphagia"]


def test_no_findings_no_problems(coder: theracode.Coder) -> None:
    assert problems_of(coder.reader.read("Seen on Monday."), coder.vocabulary) == []


def mention(assertion: str, weight: float, start: int = 0) -> Finding:
    return Finding("pain", "symptom", start, start + 4, "pain", assertion=assertion, weight=weight)


@pytest.mark.parametrize(
    ("mentions", "expected"),
    [
        ([("present", 0.4)], "present"),
        ([("negated", 0.4), ("present", 0.4)], "present"),
        ([("present", 0.5), ("negated", DECISIVE)], "negated"),
        ([("present", 0.5), ("uncertain", 1.0)], "uncertain"),
        ([("present", 0.5), ("uncertain", 1.0), ("present", 1.0)], "present"),
        ([("historical", 0.5), ("family", 0.2)], "historical"),
        ([("present", 0.5), ("historical", 1.0)], "present"),
    ],
)
def test_overall_assertion(mentions: list[tuple[str, float]], expected: str) -> None:
    findings = [mention(assertion, weight, start) for start, (assertion, weight) in enumerate(mentions)]
    assert overall_assertion(findings) == expected


def test_weight_and_site_of_a_problem() -> None:
    problem = Problem("pain", "symptom", mentions=[mention("present", 0.4), mention("present", 0.9)])
    assert (problem.weight, problem.site) == (0.9, "")
    assert Problem("pain", "symptom").weight == 0.0
    assert Problem("pain", "symptom", sites=("knee", "leg")).site == "knee"
