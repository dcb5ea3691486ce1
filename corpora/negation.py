"""Negation measured against gold quotes, beside negspacy (optional): how often what a note denies is read as denied.

Two kinds of quotes in a gold corpus tell: the evidence of a code forbidden as ``negated`` must hold a negated finding, and the
evidence of a required code must not. A quote without any finding of the reader cannot be judged and is counted apart.
Both readers judge the same finding spans, so only the reading of negation is compared, not the finding of terms.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from corpora.metrics import quote_spans
from corpora.schema import GoldNote
from lexicon.errors import InputError

Span = tuple[int, int]
Judge = Callable[[str, Sequence[Span]], list[bool]]
"""Text and finding spans (characters) in, "is negated" for each span out."""


@dataclass(frozen=True, slots=True)
class NegationScore:
    """How one reader judged the quotes.

    Attributes
    ----------
    negated_right, negated : int
        Quotes of negated findings that were read as negated, and all of them.
    present_right, present : int
        Quotes of required codes without any negated finding, and all of them.
    unread : int
        Quotes that hold no finding.
    """

    reader: str
    negated_right: int
    negated: int
    present_right: int
    present: int
    unread: int

    @property
    def recall(self) -> float | None:
        """Share of negated quotes read as negated."""
        return self.negated_right / self.negated if self.negated else None

    @property
    def specificity(self) -> float | None:
        """Share of present quotes not read as negated."""
        return self.present_right / self.present if self.present else None


def score_negation(
    reader: str, judge: Judge, notes: Iterable[GoldNote], spans_of: Callable[[str], Sequence[Span]]
) -> NegationScore:
    """Score one reader.

    Parameters
    ----------
    reader : str
        Its name.
    judge : callable
    notes : iterable of GoldNote
    spans_of : callable
        Finding spans of a text, the same for every reader.
    """
    right = {True: 0, False: 0}
    total = {True: 0, False: 0}
    unread = 0
    for note in notes:
        spans = list(spans_of(note.text))
        verdicts = judge(note.text, spans)
        quotes = {(item.evidence, True) for item in note.forbidden if item.reason == "negated" and item.evidence}
        quotes |= {(group.evidence, False) for group in note.required if group.evidence}
        for quote, negated in sorted(quotes):
            places = quote_spans(note.text, quote)
            inside = [
                verdict
                for (start, end), verdict in zip(spans, verdicts, strict=True)
                if any(start < last and first < end for first, last in places)
            ]
            if not inside:
                unread += 1
                continue
            total[negated] += 1
            right[negated] += any(inside) == negated
    return NegationScore(reader, right[True], total[True], right[False], total[False], unread)


def theracode_judge() -> tuple[Judge, Callable[[str], list[Span]]]:
    """The reader of theracode as a judge, and the finding spans that every judge gets."""
    reader = importlib.import_module("nlp.pipeline").Reader()
    known: dict[str, dict[Span, bool]] = {}

    def read(text: str) -> dict[Span, bool]:
        if text not in known:
            known.clear()
            verdicts: dict[Span, bool] = {}
            for finding in reader.read(text).findings:
                span = (finding.start, finding.end)
                verdicts[span] = verdicts.get(span, False) or finding.assertion == "negated"
            known[text] = verdicts
        return known[text]

    return (lambda text, spans: [read(text).get(span, False) for span in spans]), (lambda text: sorted(read(text)))


def negspacy_judge() -> Judge:
    """The terms of negspacy (clinical English) as a judge, over sentences of spaCy's sentencizer.

    Raises
    ------
    InputError
        If negspacy is not installed.
    """
    try:
        importlib.import_module("negspacy.negation")
    except ImportError:
        raise InputError("this comparison needs negspacy: pip install negspacy") from None
    import spacy

    nlp: Any = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    negex: Any = nlp.create_pipe("negex", config={"span_keys": ["findings"]})

    def judge(text: str, spans: Sequence[Span]) -> list[bool]:
        doc = nlp(text)
        marked = [doc.char_span(start, end, label="FINDING", alignment_mode="expand") for start, end in spans]
        doc.spans["findings"] = [span for span in marked if span is not None]
        negex(doc)
        return [bool(span is not None and span._.negex) for span in marked]

    return judge


def compare_negation(notes: Iterable[GoldNote]) -> list[NegationScore]:
    """Scores of theracode and of negspacy on the same notes and the same finding spans."""
    kept = list(notes)
    ours, spans_of = theracode_judge()
    return [
        score_negation("theracode", ours, kept, spans_of),
        score_negation("negspacy", negspacy_judge(), kept, spans_of),
    ]
