"""Sentences with what reading must find written inside them.

In ``Denies <f assertion=negated>knee pain</f>.`` the words inside the tag must be read as negated. Two files, one sentence a
line, its group and a tab before it: ``development`` sentences, which the cues were written with, and ``held_out`` ones, which
were written by themselves before anyone looked at the cues, so their first figures tell what the cues do on new words.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from nlp.finding import Finding

FOLDER = Path(__file__).resolve().parent / "sentences"
FILES = ("development", "held_out", "held_out_2")

_TAG = re.compile(r"<f((?: [a-z]+=\w+)+)>(.*?)</f>")


@dataclass(frozen=True, slots=True)
class Mark:
    """A marked term: its place in the plain sentence and the attributes that reading must give it."""

    start: int
    end: int
    attributes: dict[str, str]


@dataclass(frozen=True, slots=True)
class Sentence:
    """A marked sentence: its group, the line as it is written, the plain text and its marks."""

    group: str
    marked: str
    text: str
    marks: tuple[Mark, ...]


def parse(marked: str) -> tuple[str, tuple[Mark, ...]]:
    """The plain sentence and its marks.

    Examples
    --------
    >>> parse("No <f assertion=negated>edema</f>.")
    ('No edema.', (Mark(start=3, end=8, attributes={'assertion': 'negated'}),))
    """
    text, last, marks = "", 0, []
    for match in _TAG.finditer(marked):
        text += marked[last : match.start()]
        attributes = dict(part.split("=") for part in match.group(1).split())
        marks.append(Mark(len(text), len(text) + len(match.group(2)), attributes))
        text += match.group(2)
        last = match.end()
    return text + marked[last:], tuple(marks)


@lru_cache(maxsize=len(FILES))
def load_sentences(name: str) -> tuple[Sentence, ...]:
    """The sentences of one of ``FILES``."""
    lines = (FOLDER / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    rows = [line.partition("\t") for line in lines if line.strip()]
    return tuple(Sentence(group, marked, *parse(marked)) for group, _, marked in rows)


def best(findings: Sequence[Finding], start: int, end: int) -> list[Finding]:
    """The findings that overlap a span best, all readings of the same words; empty where none overlaps."""

    def overlap(finding: Finding) -> float:
        shared = min(finding.end, end) - max(finding.start, start)
        return shared / (max(finding.end, end) - min(finding.start, start))

    most = max((overlap(finding) for finding in findings), default=0.0)
    return [finding for finding in findings if overlap(finding) == most] if most > 0 else []
