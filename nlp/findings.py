"""The last component: drafts become findings, and the note's facts are gathered into a reading."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

import srsly
from spacy.language import Language
from spacy.tokens import Doc, Span

from lexicon.vocabulary import CAUSE, CUE, PHASE, SIDE
from nlp.assertion import Assertion
from nlp.attributes import ACUITIES, age_in, cause_assertion, sex_in
from nlp.component import TableComponent
from nlp.draft import KEY, Draft, draft_of
from nlp.finding import CauseMention, CueUse, DiagnosisPhrase, Finding, Measure, Reading, WrittenCode
from nlp.measures import measures_in

READING = "reading"
T = TypeVar("T")
_CODE = re.compile(r"(?<![A-Za-z0-9.])([A-TV-Z]\d[0-9A-Z](?:\.[0-9A-Z]{1,4})?)(?![0-9A-Za-z]|\.\d)")
_PHRASE_SECTIONS = frozenset(
    {"diagnosis", "medical_diagnosis", "treatment_diagnosis", "assessment", "chief_complaint", "imaging"}
)
_RULE_OUT = frozenset({"no", "without", "w/o", "denies", "deny", "denied", "not"})
_ASSERTED_PHASES = frozenset({"delayed", "nonunion", "malunion", "open", "open_type_3", "pain_control", "sequela"})
_PREFIXES = frozenset({"intra", "extra", "non", "peri", "sub", "supra", "inter", "infra", "trans", "per", "multi", "para"})
_DOMINANCES = {"right_dominant": "right", "left_dominant": "left", "ambidextrous": "ambidextrous"}


@Language.factory("theracode_findings", requires=["doc.sents", "doc.user_data"], assigns=["doc.spans", "doc.user_data"])
def create_findings(nlp: Language, name: str) -> Findings:
    """Factory of :class:`Findings`."""
    return Findings()


class Findings(TableComponent):
    """Writes ``doc.spans["findings"]`` and the reading in ``doc.user_data``."""

    def __call__(self, doc: Doc) -> Doc:
        """Replace the draft by the reading."""
        draft = draft_of(doc)
        reading = Reading(
            findings=self._findings(draft),
            causes=self._causes(draft),
            written_codes=self._codes(draft),
            phrases=self._phrases(draft),
            phases=self._phases(draft),
            age=age_in(draft.text),
            sex=sex_in(draft.text),
            conflicts=list(draft.conflicts),
            sections=sorted({section for _, _, section in draft.sections}),
            words=len(draft.words),
            sentences=len(draft.sentences),
            measures=measures_in(draft.text),
        )
        reading.dominance = self._dominance(draft)
        doc.spans["findings"] = [
            Span(doc, draft.doc_index[f.start], draft.doc_index[f.end - 1] + 1, label=f.concept) for f in draft.findings
        ]
        del doc.user_data[KEY]
        doc.user_data[READING] = reading
        return doc

    def _findings(self, draft: Draft) -> list[Finding]:
        contexts: dict[int, frozenset[str]] = {}
        result = []
        for item in draft.findings:
            number = draft.sentence_of[item.start]
            if number not in contexts:
                contexts[number] = self._said(draft, *draft.sentences[number])
            section = draft.section_of[item.start]
            result.append(
                Finding(
                    concept=item.concept,
                    kind=self.vocabulary.concepts[item.concept].kind,
                    start=draft.starts[item.start],
                    end=draft.ends[item.end - 1],
                    text=draft.span_text(item.start, item.end),
                    sites=tuple(item.sites),
                    side=item.side or "unspecified",
                    assertion=item.assertion,
                    cause=item.cause,
                    acuity=item.acuity,
                    qualifiers=frozenset(item.qualifiers),
                    context=contexts[number],
                    section=section,
                    weight=self.vocabulary.section_defaults.get(section, ("present", 0.4))[1],
                    sentence=number,
                    line=draft.lines[item.start],
                    site_stated=item.site_stated,
                    side_stated=item.side_stated,
                    corrected=item.corrected,
                    cues=tuple(dict.fromkeys(item.cues)),
                )
            )
        return result

    @staticmethod
    def _said(draft: Draft, low: int, high: int) -> frozenset[str]:
        """Words of a sentence without those that a "no" or "without" rules out."""
        said: set[str] = set()
        ruled_out = 0
        for position in range(low, high):
            word = draft.words[position]
            if word in _RULE_OUT:
                ruled_out = 4
            elif word in {",", ";", "but", "with", "(", ")", ":"} or word == "and":
                ruled_out = 0
            if ruled_out and word not in _RULE_OUT:
                ruled_out -= 1
                continue
            said.add(word)
            if position > low and (draft.words[position - 1] in _PREFIXES or _hyphened(draft, position)):
                said.add(draft.words[position - 1] + word)  # titles write "intraarticular"
        return frozenset(said)

    def _causes(self, draft: Draft) -> list[CauseMention]:
        return [
            CauseMention(
                m.value,
                self.vocabulary.causes[m.value][0],
                draft.starts[m.start],
                draft.ends[m.end - 1],
                draft.span_text(m.start, m.end),
                cause_assertion(draft, m),
                draft.sentence_of[m.start],
            )
            for m in draft.mentions
            if m.layer == CAUSE
        ]

    @staticmethod
    def _codes(draft: Draft) -> list[WrittenCode]:
        places = {}
        for position, start in enumerate(draft.starts):
            places[start] = position
        codes = []
        for match in _CODE.finditer(draft.text):
            place = places.get(match.start())
            section = draft.section_of[place] if place is not None else "other"
            codes.append(WrittenCode(match.group(1), match.start(1), match.end(1), section))
        return codes

    def _phrases(self, draft: Draft) -> list[DiagnosisPhrase]:
        """Clauses of diagnosis-like sections, with side and assertion, for text retrieval."""
        cues: dict[int, list[Any]] = {}
        sides: dict[int, list[Any]] = {}
        for mention in draft.mentions:
            if mention.layer == CUE:
                cues.setdefault(draft.sentence_of[mention.start], []).append(mention)
            elif mention.layer == SIDE:
                sides.setdefault(draft.sentence_of[mention.start], []).append(mention)
        phrases = []
        for number, (start, stop) in enumerate(draft.sentences):
            section = draft.section_of[start]
            if section not in _PHRASE_SECTIONS or draft.heading[start]:
                continue
            low = start
            for position in range(start, stop + 1):
                ends = position == stop or draft.words[position] in {";", ".", ","}
                if not ends:
                    continue
                if 1 <= position - low <= 30 and any(len(w) > 2 and w.isalpha() for w in draft.words[low:position]):
                    named = {m.value.side for m in sides.get(number, []) if low <= m.start < position}
                    chosen = Assertion.strongest(draft, position - 1, position, cues.get(number, [])) if position > low else None
                    value = "present" if chosen is None else chosen.value.category
                    phrases.append(
                        DiagnosisPhrase(
                            tuple(draft.words[low:position]),
                            draft.starts[low],
                            draft.ends[position - 1],
                            draft.span_text(low, position),
                            next(iter(named)) if len(named) == 1 else "",
                            value,
                            section,
                            self.vocabulary.section_defaults.get(section, ("present", 0.4))[1],
                        )
                    )
                low = position + 1
        return phrases

    @staticmethod
    def _phases(draft: Draft) -> dict[str, list[CueUse]]:
        phases: dict[str, list[CueUse]] = {}
        for mention in draft.mentions:
            if mention.layer == PHASE and mention.value not in ACUITIES:
                if mention.value in _ASSERTED_PHASES and cause_assertion(draft, mention) in {
                    "negated",
                    "uncertain",
                    "hypothetical",
                    "family",
                }:
                    continue
                phases.setdefault(mention.value, []).append(draft.cue("phase", mention.value, mention.start, mention.end))
        return phases

    @staticmethod
    def _dominance(draft: Draft) -> str:
        for mention in draft.mentions:
            if mention.layer == PHASE and mention.value in _DOMINANCES:
                return _DOMINANCES[mention.value]
        return ""


def _hyphened(draft: Draft, position: int) -> bool:
    """Whether a hyphen joins the token with the one before it."""
    return draft.text[draft.ends[position - 1] : draft.starts[position]] == "-"


# ---------------------------------------------------------------- readings that travel with their document


def encode_reading(value: Any, chain: Callable[[Any], Any] | None = None) -> Any:
    """A reading as plain lists, field by field; any other value goes to ``chain``, as srsly's encoders do.

    In a process the document holds the reading itself. Only a document that is written to bytes (``nlp.pipe`` with
    several processes, ``DocBin``) pays for this.
    """
    if isinstance(value, Reading):
        return _plain(value)
    return value if chain is None else chain(value)


srsly.msgpack_encoders.register("theracode_reading", func=encode_reading)


def reading_of(doc: Doc) -> Reading:
    """The reading of a processed document, also of one that was restored from bytes.

    Raises
    ------
    TypeError
        If theracode's pipeline did not read the document.
    """
    reading = doc.user_data.get(READING)
    if isinstance(reading, list | tuple):
        reading = doc.user_data[READING] = _restored(Reading, reading)
    if not isinstance(reading, Reading):
        raise TypeError("the document was not read by theracode's pipeline")
    return reading


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return [_plain(getattr(value, item.name)) for item in fields(value)]
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    return value


def _restored(kind: type[T], values: Sequence[Any]) -> T:
    return kind(*(_RESTORE.get(str(item.type), _same)(value) for item, value in zip(fields(kind), values, strict=True)))  # type: ignore[arg-type]


def _same(value: Any) -> Any:
    return value


def _each(kind: type[Any]) -> Callable[[Sequence[Any]], list[Any]]:
    return lambda values: [_restored(kind, value) for value in values]


# How a field of a declared type is made again from plain lists; the types not named here are plain already.
_RESTORE: dict[str, Callable[[Any], Any]] = {
    "tuple[str, ...]": tuple,
    "list[str]": list,
    "frozenset[str]": frozenset,
    "tuple[CueUse, ...]": lambda values: tuple(CueUse(*value) for value in values),
    "dict[str, list[CueUse]]": lambda table: {key: [CueUse(*value) for value in values] for key, values in table.items()},
    "list[Finding]": _each(Finding),
    "list[CauseMention]": _each(CauseMention),
    "list[WrittenCode]": _each(WrittenCode),
    "list[DiagnosisPhrase]": _each(DiagnosisPhrase),
    "list[Measure]": _each(Measure),
}
