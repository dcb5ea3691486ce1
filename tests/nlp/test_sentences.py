"""Expectations written inside the sentence: ``Pain in the <f side=left>left knee</f>``; one case for each line."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from corpora.marked import FILES, Sentence, best, load_sentences
from lexicon.vocabulary import ASSERTIONS, SIDES, load_vocabulary
from nlp import Reader, Reading

HERE = Path(__file__).parent
PHASES = ("initial", "subsequent", "sequela")
LEAST = {"side": 40, "negation": 40, "uncertain": 40, "goal": 40, "cause": 40}


def known_failures() -> dict[str, str]:
    """Marked sentence -> why it fails."""
    lines = (HERE / "known_failures.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.split("\t", 1) for line in lines if line.strip())


def phase_of(reading: Reading) -> str:
    """The phase of care as DEFINITIONS.md decides it: therapy is subsequent unless the note says otherwise."""
    return next((phase for phase in ("sequela", "initial") if phase in reading.phases), "subsequent")


CASES = load_sentences("development")
KNOWN = known_failures()


@pytest.mark.parametrize(
    "sentence",
    [
        pytest.param(
            sentence,
            id=f"{sentence.group}-{number}",
            marks=[pytest.mark.xfail(reason=KNOWN[sentence.marked], strict=True)] if sentence.marked in KNOWN else [],
        )
        for number, sentence in enumerate(CASES, start=1)
    ],
)
def test_sentence_is_read_as_marked(sentence: Sentence, reader: Reader) -> None:
    text, marks = sentence.text, sentence.marks
    reading = reader.read(text)
    matched = [found for found in (best(reading.findings, mark.start, mark.end) for mark in marks) if found]
    assert len(matched) == len(marks), f"{len(marks)} terms are marked, {len(matched)} were found in {text!r}"
    for mark, found in zip(marks, matched, strict=True):
        for name, value in mark.attributes.items():
            values = {phase_of(reading)} if name == "phase" else {getattr(finding, name) for finding in found}
            assert values == {value}, f"{name} of {text[mark.start : mark.end]!r} in {text!r}"


def test_every_line_is_well_marked() -> None:
    causes = load_vocabulary().causes.keys() | load_vocabulary().concepts.keys()
    allowed = {"side": set(SIDES), "assertion": set(ASSERTIONS), "phase": set(PHASES), "cause": causes}
    for sentence in (sentence for name in FILES for sentence in load_sentences(name)):
        assert sentence.marks and "<" not in re.sub(r"<(?: ?\d)", "", sentence.text), sentence.marked
        for mark in sentence.marks:
            assert all(value in allowed[name] for name, value in mark.attributes.items()), sentence.marked


def test_there_are_enough_sentences_of_each_group_and_none_twice() -> None:
    groups = Counter(sentence.group for sentence in CASES)
    assert len(CASES) >= 400
    assert {group: groups[group] >= least for group, least in LEAST.items()} == dict.fromkeys(LEAST, True)
    assert len({sentence.marked for sentence in CASES}) == len(CASES)
    held_out = {sentence.text for sentence in load_sentences("held_out")}
    assert len(held_out) >= 150 and not held_out & {sentence.text for sentence in CASES}


def test_known_failures_are_few_and_still_listed_in_the_sentences() -> None:
    assert KNOWN.keys() <= {sentence.marked for sentence in CASES}
    assert len(KNOWN) <= 12 and all(reason.strip() for reason in KNOWN.values())
