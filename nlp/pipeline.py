"""The pipeline put together: text in, reading out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import spacy
from spacy.language import Language

from nlp import assertion, attributes, findings, laterality, layout, mentions  # noqa: F401 - registers the factories
from nlp.finding import Reading
from nlp.findings import reading_of
from nlp.tokenizer import ClinicalTokenizer

COMPONENTS = (
    "theracode_layout",
    "theracode_mentions",
    "theracode_assertion",
    "theracode_laterality",
    "theracode_attributes",
    "theracode_findings",
)


def build_pipeline() -> Language:
    """A blank English spaCy pipeline with theracode's tokenizer and components; no model is downloaded."""
    nlp = spacy.blank("en", config={"nlp": {"tokenizer": {"@tokenizers": "theracode.ClinicalTokenizer"}}})
    nlp.tokenizer = ClinicalTokenizer(nlp.vocab)
    nlp.max_length = 5_000_000
    for name in COMPONENTS:
        nlp.add_pipe(name)
    return nlp


class Reader:
    """Reads notes into findings.

    Examples
    --------
    >>> reading = Reader().read("R knee pain, denies numbness.")
    >>> [(f.concept, f.side, f.assertion) for f in reading.findings][0]
    ('pain', 'right', 'present')
    """

    def __init__(self, nlp: Language | None = None) -> None:
        self.nlp = nlp or build_pipeline()

    def read(self, text: str) -> Reading:
        """Read one note. NUL bytes and other control characters are treated as spaces."""
        return reading_of(self.nlp(clean(text)))

    def pipe(self, texts: Iterable[str]) -> Iterator[Reading]:
        """Read many notes, in order."""
        for text in texts:
            yield self.read(text)


_CONTROL = {code: " " for code in range(32) if chr(code) not in "\n\r\t"} | {0x7F: " "}
_CONTROL |= dict.fromkeys(range(0xD800, 0xE000), "\ufffd")


def clean(text: str) -> str:
    """The text with control characters and halves of surrogate pairs replaced one by one, so that offsets keep their meaning."""
    return text.translate(_CONTROL)
