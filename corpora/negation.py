"""Assertion measured on marked words: how often what a note denies, dates, doubts or plans is read as that.

Two sources: the project's marked sentences (corpora/marked.py), and gold quotes of a corpus, where the evidence of a code
forbidden as ``negated`` is negated and that of a required code is not. Every reader judges the same spans, those of theracode's
findings, so only the reading of assertion is compared, not the finding of terms. Marked words without a finding cannot be
judged; nor can those inside a status of its own ("high risk of falls" is a code, not a fall). Both are counted apart.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from corpora.bench import markdown_table
from corpora.loaders import load_corpus
from corpora.marked import FILES, best, load_sentences
from corpora.metrics import NoteScore, bootstrap, quote_spans
from corpora.schema import GoldNote
from lexicon.errors import InputError
from nlp.finding import Finding
from nlp.pipeline import Reader

if TYPE_CHECKING:
    from rich.table import Table

VALUES = ("negated", "historical", "uncertain", "family", "hypothetical")
QUOTES = "therapy:dev"
MEASURES = ("precision", "recall", "f1")

Span = tuple[int, int]
Judge = Callable[[str, Sequence[Span]], list[str]]
"""Text and finding spans (characters) in, the assertion of each span out."""


@dataclass(frozen=True, slots=True)
class Item:
    """A text with the spans whose assertion is known: ``(start, end, value)``."""

    id: str
    text: str
    marks: tuple[tuple[int, int, str], ...]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ValueScore(_Model):
    """One value of one reader: how many marks have it, and the figures with the 95 % interval of F1 over texts."""

    marks: int
    precision: float | None
    recall: float | None
    f1: float | None
    low: float | None
    high: float | None


class Miss(_Model):
    """A marked word that theracode reads otherwise; only of the project's own sentences."""

    sentence: str
    words: str
    marked: str
    read: str


class SetResult(_Model):
    """One set of texts: what was judged and what could not be, the figures by reader and value, and theracode's misses."""

    name: str
    texts: int
    judged: int
    unread: int
    readers: dict[str, dict[str, ValueScore]]
    misses: tuple[Miss, ...]


class AssertionResult(_Model):
    """A finished measurement; a second run writes the same bytes."""

    sets: tuple[SetResult, ...]
    versions: dict[str, str]
    skipped: tuple[str, ...]

    def to_json(self) -> str:
        """The machine-readable report."""
        return json.dumps(self.model_dump(mode="json"), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


# -------------------------------------------------------------------------------------------------- what is known


def sentence_items(name: str) -> list[Item]:
    """The marked sentences of a file that mark an assertion."""
    items = [
        Item(
            f"{name}-{number}",
            sentence.text,
            tuple((m.start, m.end, m.attributes["assertion"]) for m in sentence.marks if "assertion" in m.attributes),
        )
        for number, sentence in enumerate(load_sentences(name), start=1)
    ]
    return [item for item in items if item.marks]


def quote_items(notes: Iterable[GoldNote]) -> list[Item]:
    """Notes whose gold quotes tell what is negated and what is not."""
    items = []
    for note in notes:
        quotes = {(item.evidence, "negated") for item in note.forbidden if item.reason == "negated"}
        quotes |= {(group.evidence, "present") for group in note.required}
        places = ((quote_spans(note.text, quote)[:1], value) for quote, value in sorted(quotes))
        items.append(Item(note.id, note.text, tuple((*span, value) for spans, value in places for span in spans)))
    return [item for item in items if item.marks]


# -------------------------------------------------------------------------------------------------- readers


def negspacy_judge() -> Judge:
    """The terms of negspacy (clinical English) as a judge, over sentences of spaCy's sentencizer; it knows negation only.

    Raises
    ------
    InputError
        If negspacy is not installed.
    """
    try:
        importlib.import_module("negspacy.negation")
    except ImportError:
        raise InputError("this comparison needs negspacy: pip install 'theracode[baselines]'") from None
    import spacy

    nlp: Any = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    negex: Any = nlp.create_pipe("negex", config={"span_keys": ["findings"]})

    def judge(text: str, spans: Sequence[Span]) -> list[str]:
        doc = nlp(text)
        marked = [doc.char_span(start, end, label="FINDING", alignment_mode="expand") for start, end in spans]
        doc.spans["findings"] = [span for span in marked if span is not None]
        negex(doc)
        return ["negated" if span is not None and span._.negex else "present" for span in marked]

    return judge


def judged_finding(findings: Sequence[Finding], start: int, end: int) -> Finding | None:
    """The finding that stands for marked words; None where there is none, or where it is a status that says more."""
    found = best(findings, start, end)
    if not found or (found[0].kind == "status" and found[0].start < start):
        return None
    return found[0]


# -------------------------------------------------------------------------------------------------- scoring


def score_values(
    pairs: Sequence[tuple[str, Sequence[tuple[str, str]]]], values: Sequence[str], *, seed: int = 0
) -> dict[str, ValueScore]:
    """Figures of one reader for each value.

    Parameters
    ----------
    pairs : sequence of (str, sequence of (str, str))
        For each text its id and what is marked and read, in this order.
    values : sequence of str
    seed : int
        Of the bootstrap over texts.
    """
    scores = []
    for name, judged in pairs:
        parts: dict[str, tuple[float, float]] = {}
        for value in values:
            right = sum(marked == read == value for marked, read in judged)
            marks = sum(marked == value for marked, _ in judged)
            given = sum(read == value for _, read in judged)
            parts |= {
                f"{value}:precision": (right, given),
                f"{value}:recall": (right, marks),
                f"{value}:f1": (2 * right, given + marks),
            }
        scores.append(NoteScore(name, parts, {}, ()))
    estimates = bootstrap(scores, [f"{value}:{measure}" for value in values for measure in MEASURES], seed=seed)
    return {
        value: ValueScore(
            marks=int(sum(score.parts[f"{value}:recall"][1] for score in scores)),
            low=_rounded(estimates[f"{value}:f1"].low),
            high=_rounded(estimates[f"{value}:f1"].high),
            **{measure: _rounded(estimates[f"{value}:{measure}"].value) for measure in MEASURES},
        )
        for value in values
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)


def measure_set(
    name: str, items: Sequence[Item], others: dict[str, Judge], *, reader: Reader, values: Sequence[str] = VALUES, own: bool
) -> SetResult:
    """Judge one set of texts with theracode and other readers, which know negation only.

    Parameters
    ----------
    name : str
    items : sequence of Item
    others : dict of str to Judge
    reader : Reader
    values : sequence of str
        What the marks of these texts tell.
    own : bool
        Whether the texts are the project's own sentences, so that misses may quote them.
    """
    judged: dict[str, list[tuple[str, list[tuple[str, str]]]]] = {system: [] for system in ("theracode", *others)}
    unread, misses = 0, []
    for item in items:
        findings = reader.read(item.text).findings
        known = [(judged_finding(findings, start, end), (start, end), value) for start, end, value in item.marks]
        read = [(finding, span, value) for finding, span, value in known if finding is not None]
        unread += len(known) - len(read)
        marked = [value for *_, value in read]
        ours = [finding.assertion for finding, *_ in read]
        spans = [(finding.start, finding.end) for finding, *_ in read]
        judged["theracode"].append((item.id, list(zip(marked, ours, strict=True))))
        for system, judge in others.items():
            judged[system].append((item.id, list(zip(marked, judge(item.text, spans), strict=True))))
        misses += [
            Miss(sentence=item.text, words=item.text[slice(*span)], marked=value, read=finding.assertion)
            for finding, span, value in read
            if own and finding.assertion != value
        ]
    readers = {system: score_values(pairs, values if system == "theracode" else VALUES[:1]) for system, pairs in judged.items()}
    total = sum(len(pairs) for _, pairs in judged["theracode"])
    return SetResult(name=name, texts=len(items), judged=total, unread=unread, readers=readers, misses=tuple(misses))


def measure_assertion(*, quotes: str = QUOTES) -> AssertionResult:
    """The marked sentences and the gold quotes of a corpus, for theracode and, where it is installed, negspacy."""
    reader = Reader()
    others: dict[str, Judge] = {}
    skipped: list[str] = []
    try:
        others["negspacy"] = negspacy_judge()
    except InputError as error:
        skipped.append(f"negspacy skipped: {error}")
    sets = [measure_set(name.replace("_", " "), sentence_items(name), others, reader=reader, own=True) for name in FILES]
    notes = load_corpus(quotes)
    sets.append(measure_set(quotes, quote_items(notes), others, reader=reader, values=VALUES[:1], own=False))
    versions = {name: metadata.version(name) for name in ("theracode", "spacy", *others)}
    return AssertionResult(sets=tuple(sets), versions=versions, skipped=tuple(skipped))


def write_report(result: AssertionResult, folder: Path) -> tuple[Path, Path]:
    """Write ``negation.json`` and the table as ``negation.md`` into a folder and return their paths."""
    paths = folder / "negation.json", folder / "negation.md"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        paths[0].write_text(result.to_json(), encoding="utf-8")
        paths[1].write_text(markdown_table(HEADER, table_rows(result)), encoding="utf-8")
    except OSError as error:
        raise InputError(f"the report cannot be written to {folder} ({error.strerror})") from None
    return paths


# -------------------------------------------------------------------------------------------------- tables


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def table_rows(result: AssertionResult) -> list[tuple[str, ...]]:
    """A row under ``HEADER`` for every set, value and reader."""
    rows: list[tuple[str, ...]] = []
    for part in result.sets:
        values = dict.fromkeys(value for scores in part.readers.values() for value in scores)
        for value in values:
            for system, scores in part.readers.items():
                if value in scores:
                    score = scores[value]
                    interval = "-" if score.low is None or score.high is None else f"{score.low:.2f}-{score.high:.2f}"
                    figures = (_shown(score.precision), _shown(score.recall), _shown(score.f1))
                    rows.append((part.name, value, str(score.marks), system, *figures, interval))
    return rows


HEADER = ("texts", "value", "n", "reader", "precision", "recall", "F1", "95 %")


def render_table(result: AssertionResult) -> Table:
    """The figures as a table for the terminal."""
    from rich.table import Table

    unread = ", ".join(f"{part.unread} in {part.name}" for part in result.sets)
    table = Table(
        title="assertion on marked words",
        caption=f"not judged, no finding there: {unread}",
        box=None,
        pad_edge=False,
        padding=(0, 2, 0, 0),
    )
    for name in HEADER:
        table.add_column(name, justify="right" if name in {"n", "precision", "recall", "F1"} else "left")
    for row in table_rows(result):
        table.add_row(*row)
    return table
