"""Expectations written inside the sentence: ``Pain in the <f side=left>left knee</f>``; one case for each line."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from lexicon.vocabulary import ASSERTIONS, SIDES, load_vocabulary
from nlp import Finding, Reader, Reading

HERE = Path(__file__).parent
TAG = re.compile(r"<f((?: [a-z]+=\w+)+)>(.*?)</f>")
PHASES = ("initial", "subsequent", "sequela")
LEAST = {"side": 40, "negation": 40, "uncertain": 40, "goal": 40, "cause": 40}


@dataclass(frozen=True)
class Expectation:
    """A tagged term: its place in the plain sentence and the attributes that reading must give it."""

    start: int
    end: int
    attributes: dict[str, str]


def parse(marked: str) -> tuple[str, list[Expectation]]:
    """The plain sentence and its expectations."""
    text, last, expectations = "", 0, []
    for match in TAG.finditer(marked):
        text += marked[last : match.start()]
        attributes = dict(part.split("=") for part in match.group(1).split())
        expectations.append(Expectation(len(text), len(text) + len(match.group(2)), attributes))
        text += match.group(2)
        last = match.end()
    return text + marked[last:], expectations


def read_cases() -> list[tuple[str, str]]:
    """(group, marked sentence) of every line."""
    lines = (HERE / "sentences.txt").read_text(encoding="utf-8").splitlines()
    return [(group, marked) for group, _, marked in (line.partition("\t") for line in lines if line.strip())]


def known_failures() -> dict[str, str]:
    """Marked sentence -> why it fails."""
    lines = (HERE / "known_failures.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.split("\t", 1) for line in lines if line.strip())


def best(findings: list[Finding], expected: Expectation) -> list[Finding]:
    """The findings that overlap the tag best, all readings of the same span; empty where none overlaps."""

    def overlap(finding: Finding) -> float:
        shared = min(finding.end, expected.end) - max(finding.start, expected.start)
        return shared / (max(finding.end, expected.end) - min(finding.start, expected.start))

    touching = [finding for finding in findings if overlap(finding) > 0]
    if not touching:
        return []
    most = max(overlap(finding) for finding in touching)
    return [finding for finding in touching if overlap(finding) == most]


def phase_of(reading: Reading) -> str:
    """The phase of care as DEFINITIONS.md decides it: therapy is subsequent unless the note says otherwise."""
    return next((phase for phase in ("sequela", "initial") if phase in reading.phases), "subsequent")


CASES = read_cases()
KNOWN = known_failures()


@pytest.mark.parametrize(
    "marked",
    [
        pytest.param(
            marked,
            id=f"{group}-{number}",
            marks=[pytest.mark.xfail(reason=KNOWN[marked], strict=True)] if marked in KNOWN else [],
        )
        for number, (group, marked) in enumerate(CASES, start=1)
    ],
)
def test_sentence_is_read_as_marked(marked: str, reader: Reader) -> None:
    text, expectations = parse(marked)
    reading = reader.read(text)
    matched = [found for found in (best(reading.findings, expected) for expected in expectations) if found]
    assert len(matched) == len(expectations), f"{len(expectations)} terms are marked, {len(matched)} were found in {text!r}"
    for expected, found in zip(expectations, matched, strict=True):
        for name, value in expected.attributes.items():
            values = {phase_of(reading)} if name == "phase" else {getattr(finding, name) for finding in found}
            assert values == {value}, f"{name} of {text[expected.start : expected.end]!r} in {text!r}"


def test_every_line_is_well_marked() -> None:
    causes = load_vocabulary().causes.keys() | load_vocabulary().concepts.keys()
    allowed = {"side": set(SIDES), "assertion": set(ASSERTIONS), "phase": set(PHASES), "cause": causes}
    for _, marked in CASES:
        text, expectations = parse(marked)
        assert expectations and "<" not in re.sub(r"<(?: ?\d)", "", text), marked
        for expected in expectations:
            assert all(value in allowed[name] for name, value in expected.attributes.items()), marked


def test_there_are_enough_sentences_of_each_group_and_none_twice() -> None:
    groups = Counter(group for group, _ in CASES)
    assert len(CASES) >= 400
    assert {group: groups[group] >= least for group, least in LEAST.items()} == dict.fromkeys(LEAST, True)
    assert len({marked for _, marked in CASES}) == len(CASES)


def test_known_failures_are_few_and_still_listed_in_the_sentences() -> None:
    assert KNOWN.keys() <= {marked for _, marked in CASES}
    assert len(KNOWN) <= 12 and all(reason.strip() for reason in KNOWN.values())
