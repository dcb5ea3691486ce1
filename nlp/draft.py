"""The working state of one note while the pipeline reads it.

Components pass it along in ``doc.user_data["draft"]``; the last one turns it into findings and removes it.
Positions are indices of *content tokens*: tokens that are neither white space nor a hyphen inside a word.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from spacy.tokens import Doc

from nlp.finding import CueUse

KEY = "draft"
BULLETS = frozenset("-*\u2022\u25cf\u25aa\u25e6\u2023\u00b7>\u2013")


@dataclass(slots=True)
class Mention:
    """A match of one layer of the vocabulary: content tokens ``start`` to ``end`` (exclusive)."""

    start: int
    end: int
    layer: str
    value: Any
    corrected: bool = False


@dataclass(slots=True)
class SiteMention:
    """A site in the text with the side that stands at it."""

    start: int
    end: int
    site: str
    side: str = ""
    side_cue: CueUse | None = None
    normal: bool = False


@dataclass(slots=True)
class FindingDraft:
    """A concept mention that is gathering its attributes."""

    start: int
    end: int
    concept: str
    assertion: str = "present"
    sites: list[str] = field(default_factory=list)
    site_stated: bool = False
    side: str = ""
    side_stated: bool = False
    cause: str = ""
    acuity: str = ""
    qualifiers: set[str] = field(default_factory=set)
    corrected: bool = False
    cues: list[CueUse] = field(default_factory=list)


@dataclass(slots=True)
class Draft:
    """Content tokens in parallel lists, then what each component found."""

    text: str
    words: list[str] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    breaks: list[int] = field(default_factory=list)  # 0 none, 1 new line, 2 blank line before the token
    doc_index: list[int] = field(default_factory=list)
    sentence_of: list[int] = field(default_factory=list)
    sentences: list[tuple[int, int]] = field(default_factory=list)
    section_of: list[str] = field(default_factory=list)
    sections: list[tuple[int, int, str]] = field(default_factory=list)
    heading: list[bool] = field(default_factory=list)
    mentions: list[Mention] = field(default_factory=list)
    in_sentence: dict[int, list[Mention]] = field(default_factory=dict)
    sites: list[SiteMention] = field(default_factory=list)
    findings: list[FindingDraft] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)

    def span_text(self, start: int, end: int) -> str:
        """The note's own text from content token ``start`` to ``end`` (exclusive)."""
        return self.text[self.starts[start] : self.ends[end - 1]]

    def cue(self, attribute: str, value: str, start: int, end: int) -> CueUse:
        """A cue with its offsets."""
        return CueUse(attribute, value, self.starts[start], self.ends[end - 1], self.span_text(start, end))


def draft_of(doc: Doc) -> Draft:
    """The draft that the tokenizer attached to ``doc``.

    Raises
    ------
    ValueError
        If the document was not made by the clinical tokenizer.
    """
    draft = doc.user_data.get(KEY)
    if not isinstance(draft, Draft):
        raise ValueError("the document has no draft; the pipeline must start with theracode's tokenizer")
    return draft
