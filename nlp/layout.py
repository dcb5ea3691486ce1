"""Sections and sentences: where a heading starts, where a list item ends."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy
from spacy.language import Language
from spacy.tokens import Doc

from lexicon.tables import read_table, split_cell
from nlp.component import TableComponent
from nlp.draft import BULLETS, Draft, draft_of

_ENDS = frozenset(".!?")
_LONGEST_SENTENCE = 400  # content tokens; a longer one is cut, so that the time of reading grows with the length of the note only
# Words that no line ends with unless it goes on in the next one.
_OPEN_ENDS = frozenset({",", "/", "&", "a", "an", "and", "deny", "for", "from", "in", "of", "or", "the", "to", "with"})
_ITEMISED = frozenset({"assessment", "diagnosis", "medical_diagnosis"})
_LINE_MARKS = frozenset(BULLETS) | {"#", "["}  # may stand before a heading
DIAGNOSIS_LINE = 25  # content tokens


@Language.factory("theracode_layout", assigns=["doc.sents", "doc.user_data"])
def create_layout(nlp: Language, name: str) -> Layout:
    """Factory of :class:`Layout`."""
    return Layout()


class Layout(TableComponent):
    """Splits a note into sections by their headings and into sentences by lines, list items and punctuation.

    A line that goes on in the next one (a wrapped line) is one sentence: the next line starts in lower case and the
    line before it does not end a thought. So wrapping a note differently does not change what is read.
    """

    def __init__(self) -> None:
        super().__init__()
        self._unbroken = frozenset(word for row in read_table("unbroken.tsv") for word in split_cell(row["word"]))
        self._lengths: dict[str, list[int]] = {}  # of the headings that start with a word, longest first
        for heading in sorted(self.vocabulary.headings, key=len, reverse=True):
            lengths = self._lengths.setdefault(heading[0], [])
            if len(heading) not in lengths:
                lengths.append(len(heading))
        self._starters = self._lengths.keys() | _LINE_MARKS

    def __call__(self, doc: Doc) -> Doc:
        """Mark sections and sentences."""
        draft = draft_of(doc)
        starts = self._sentence_starts(draft)
        self._find_sections(draft, starts)
        self._fill(draft, starts)
        marks: Any = numpy.zeros((len(doc), 1), dtype="uint64")
        marks[[draft.doc_index[start] for start, _ in draft.sentences]] = 1
        return doc.from_array(["SENT_START"], marks)  # setting token by token would look through the whole note each time

    # ---------------------------------------------------------------- sentences

    def _sentence_starts(self, draft: Draft) -> set[int]:
        words, text = draft.words, draft.text
        starts = {0} if words else set()
        for index in range(1, len(words)):
            broke = draft.breaks[index]
            previous = words[index - 1]
            if broke == 2:
                starts.add(index)
            elif broke == 1:
                if not self._goes_on(draft, index):
                    starts.add(index)
            elif previous in _ENDS:
                first = text[draft.starts[index]]
                spaced = draft.starts[index - 1] > draft.ends[index - 2]
                touching = draft.starts[index] == draft.ends[index - 1]
                if previous == "?" and (index - 1 in starts or (spaced and (first.islower() or touching))):
                    continue  # "? radiculopathy", "?PMR": a query before its term
                if previous == "." and index >= 2:
                    before = words[index - 2]
                    short = before in self._unbroken
                    numbered = before.isdigit() and (index == 2 or draft.breaks[index - 2] or (index - 2) in starts)
                    if (short and not spaced and not draft.breaks[index]) or numbered:
                        continue
                if not touching or first.isupper():
                    starts.add(index)
        return starts

    @staticmethod
    def _goes_on(draft: Draft, index: int) -> bool:
        """Whether the line that starts at ``index`` continues the one before it."""
        text = draft.text
        first = text[draft.starts[index]]
        previous = draft.words[index - 1]
        if previous in {".", "!", "?", ":", ";"} or first in BULLETS:
            return False
        if not first.islower():
            return previous in _OPEN_ENDS and not first.isdigit()
        line_start = index - 1
        while line_start > 0 and not draft.breaks[line_start]:
            line_start -= 1
        return draft.starts[index - 1] - draft.starts[line_start] >= 25 or previous in {",", "and", "or", "of", "the", "with"}

    # ---------------------------------------------------------------- sections

    def _find_sections(self, draft: Draft, starts: set[int]) -> None:
        words = draft.words
        count = len(words)
        draft.heading = [False] * count
        marks: list[tuple[int, int, str]] = []
        index = 0
        while index < count:
            if words[index] not in self._starters:
                index += 1
                continue
            at_line = index == 0 or draft.breaks[index] > 0
            match = self._heading_at(draft, index, at_line, at_line or index in starts)
            if match is None:
                index += 1
                continue
            end, section = match
            marks.append((index, end, section))
            starts.add(index)
            for position in range(index, end):
                draft.heading[position] = True
            if end < count:
                starts.add(end)
            index = max(end, index + 1)
        marks = self._with_returns(draft, marks)
        # A text without headings is one section; a very short one is a diagnosis line.
        bare = "diagnosis" if count <= DIAGNOSIS_LINE else "whole"
        draft.section_of = ["other" if marks else bare] * count
        for number, (start, _, section) in enumerate(marks):
            stop = marks[number + 1][0] if number + 1 < len(marks) else count
            draft.section_of[start:stop] = [section] * (stop - start)
            draft.sections.append((start, stop, section))
        if marks and marks[0][0] > 0:  # the text before the first heading is a header, unless it is most of the note
            head = marks[0][0]
            draft.section_of[:head] = ["whole" if head > max(DIAGNOSIS_LINE, count // 2) else "header"] * head

    @staticmethod
    def _with_returns(draft: Draft, marks: list[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
        """Headings, and where a numbered line behind bulleted sub-headings goes back to the section they are part of.

        "Assessment and plan: 1. Knee pain. - Medical treatment: ... 2. Diabetes." Item 2 is assessed, not treated.
        """
        result: list[tuple[int, int, str]] = []
        parent = ""
        for number, (start, end, section) in enumerate(marks):
            result.append((start, end, section))
            opening = start
            while opening > 0 and not draft.breaks[opening]:
                opening -= 1
            if draft.words[opening] not in BULLETS:
                parent = section
                continue
            if parent not in _ITEMISED:
                continue
            stop = marks[number + 1][0] if number + 1 < len(marks) else len(draft.words)
            for position in range(end, stop - 2):
                if draft.breaks[position] and draft.words[position].isdigit() and draft.words[position + 1] in {".", ")"}:
                    result.append((position, position, parent))
                    break
        return result

    def _heading_at(self, draft: Draft, index: int, at_line: bool, at_sentence: bool) -> tuple[int, str] | None:
        words = draft.words
        headings = self.vocabulary.headings
        count = len(words)
        first = index
        if at_line and words[first] in _LINE_MARKS and first + 1 < count:
            first += 1
        for length in self._lengths.get(words[first], ()):
            path = tuple(words[first : first + length])
            section = headings.get(path)
            end = first + length
            if section is None or end > count:
                continue
            if any(draft.breaks[position] for position in range(first + 1, end)):
                continue
            follower = words[end] if end < count and not draft.breaks[end] else "\n"
            if follower == "(" and at_line:  # "Objective (ROM):", "S (subjective):"
                close = end
                while close < count and close - end < 8 and words[close] != ")" and not (close > end and draft.breaks[close]):
                    close += 1
                if close + 1 < count and words[close] == ")" and words[close + 1] == ":":
                    return close + 2, section
                continue
            short = len(path) == 1 and len(path[0]) <= 2
            written = draft.text[draft.starts[first] : draft.ends[end - 1]]
            if follower == ":":
                if at_sentence or (short and written.isupper()) or written[0].isupper():
                    return end + 1, section
                continue
            if not at_line:
                continue
            if follower == "\n" and (not short or written[0].isupper()):
                return end, section
            if follower in {"-", "\u2013", "\u2014", "/", ")"} and (short or written.isupper()) and follower != "/":
                return end + 1, section
            if follower == "." and written.isupper():
                return end + 1, section
            if short and written.isupper() and path[0] in {"s", "o", "a", "p"} and end < count:
                nxt = draft.text[draft.starts[end]]
                gap = draft.starts[end] - draft.ends[end - 1]
                if gap >= 1 and (nxt.isupper() or words[end] in {"pt", "patient"}) and self._soap_line(draft, index):
                    return end, section
        return None

    @staticmethod
    def _soap_line(draft: Draft, index: int) -> bool:
        """Whether other lines of the note also start with a bare SOAP letter (so "S Pt reports" is a heading)."""
        letters = {
            draft.words[position]
            for position in range(len(draft.words))
            if (position == 0 or draft.breaks[position]) and draft.words[position] in {"s", "o", "a", "p"}
        }
        return len(letters) >= 2

    # ---------------------------------------------------------------- result

    @staticmethod
    def _fill(draft: Draft, starts: set[int]) -> None:
        count = len(draft.words)
        ordered = [
            position for start, stop in pairwise([*sorted(starts), count]) for position in range(start, stop, _LONGEST_SENTENCE)
        ]
        draft.sentence_of = [0] * count
        for number, start in enumerate(ordered):
            stop = ordered[number + 1] if number + 1 < len(ordered) else count
            draft.sentences.append((start, stop))
            for position in range(start, stop):
                draft.sentence_of[position] = number
