"""The coder with its stages in view: what each made of a note, stages replaced, and which one lost a gold code.

:class:`StagedCoder` is the coder of models/coder.py. It keeps what reading, problems and options were for the last note, and
can put something else in the place of a stage; that is how an ablation switches a part off without a flag in the coder.

A required group that is not recommended was lost by the first stage that has no more of it:

===========  ==========================================================================================================
reading      its quote holds no finding, cause, code or diagnosis line that is read as present (or past)
candidates   the quote is read, and no option of its category is proposed
specificity  an option of its category is proposed, and the accepted code is none or not the first choice of its problem
ranking      the accepted code is a first choice, below the threshold
rules        the accepted code is above the threshold, or follows from rules alone, and is not recommended
===========  ==========================================================================================================
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np

from corpora.metrics import CodeLevels, quote_spans
from corpora.schema import GoldGroup
from lexicon.codes import edition_for
from models.candidates import PER_PROBLEM, Candidate, CandidateFinder
from models.coder import TOP, Coder, role_of
from models.coding import Coding, Evidence, Note, Suggestion
from models.options import Option, Proposer
from models.problems import Problem
from models.ranker import Ranker
from models.retrieval import TitleIndex
from models.rules.decide import DIAGNOSIS_LINE_EASE
from models.specificity import SIDE_MATCH, SITE_EXACT, Fit
from nlp.finding import Reading
from nlp.layout import DIAGNOSIS_LINE
from nlp.pipeline import Reader

if TYPE_CHECKING:
    from models.coder import _Engine

STAGES = ("reading", "candidates", "specificity", "ranking", "rules")
PLAIN_WEIGHT = 0.4  # of a section that tells nothing, as in Finding
WELL_FITTING = 1.0  # the fit of a title that nothing speaks for or against
EXACT_FIT = WELL_FITTING + SITE_EXACT + SIDE_MATCH

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Trace:
    """What the stages made of one note; ``bar`` is the probability from which an option may be recommended."""

    reading: Reading
    problems: list[Problem]
    options: list[Option]
    phase: str
    bar: float


@dataclass(frozen=True, slots=True)
class Stages:
    """What stands in the place of a stage; None keeps the coder's own."""

    reading: Callable[[Reading], Reading] | None = None
    finder: type[CandidateFinder] | None = None
    titles: TitleIndex | None = None
    ranker: Ranker | None = None
    rules: bool = True


class _ChangedReader(Reader):
    """A reader whose readings are changed before anything else sees them."""

    def __init__(self, change: Callable[[Reading], Reading]) -> None:
        super().__init__()
        self._change = change

    def read(self, text: str) -> Reading:
        return self._change(super().read(text))


class StagedCoder(Coder):
    """The coder with a trace of its last note, and some stages replaced.

    Parameters
    ----------
    stages : Stages, optional
    name : str
        As a system of the benchmark.
    """

    def __init__(self, stages: Stages | None = None, *, name: str = "theracode") -> None:
        self.stages = stages or Stages()
        super().__init__(self.stages.ranker)
        self.name = name
        self.trace: Trace | None = None
        self._proposers: dict[str, Proposer] = {}
        if self.stages.reading is not None:
            self.reader = _ChangedReader(self.stages.reading)

    def suggest(self, note: Note | str, **options: Any) -> Coding:
        """Code one note and keep its trace; without rules whatever reaches the threshold is recommended, likeliest first."""
        if self.stages.rules or isinstance(note, str):
            return super().suggest(note, **options)
        found = self.options_for(note)
        self.ranker.score(found)
        return self._plain(note, sorted(found, key=lambda option: (-round(option.probability, 6), option.code)))

    def _propose(self, note: Note, engine: _Engine) -> tuple[Reading, list[Problem], list[Option], str, str]:
        proposed = super()._propose(note, replace(engine, proposer=self._proposer(engine)))
        reading, problems, options, phase, _ = proposed
        short = reading.words <= DIAGNOSIS_LINE
        bar = self.ranker.threshold * (DIAGNOSIS_LINE_EASE if short else 1.0)
        self.trace = Trace(reading, problems, options, phase, bar)
        return proposed

    def _proposer(self, engine: _Engine) -> Proposer:
        proposer = self._proposers.get(engine.edition.name)
        if proposer is None:
            own = engine.proposer
            finder = self.stages.finder(engine.edition, self.vocabulary) if self.stages.finder else own.finder
            proposer = Proposer(engine.edition, self.vocabulary, finder, self.stages.titles or own.titles)
            self._proposers[engine.edition.name] = proposer
        return proposer

    def _plain(self, note: Note, options: list[Option]) -> Coding:
        day = note.date_of_service or date.today()
        trace = self.trace
        if trace is None:
            raise TypeError("options come with a trace")
        chosen = {option.code for option in options if option.place == 0 and option.probability >= trace.bar}
        suggestions = [
            Suggestion(
                rank=rank,
                code=option.code,
                title=option.title,
                probability=round(option.probability, 4),
                status="recommended" if option.code in chosen else "alternative",
                role=role_of(option.code),
                evidence=[Evidence(start=s, end=e, text=note.text[s:e]) for s, e in option.evidence],
                reasons=option.reasons,
            )
            for rank, option in enumerate(options[:TOP], start=1)
        ]
        return Coding(
            id=note.id,
            edition=edition_for(day)[0].name,
            date_of_service=day,
            encounter=trace.phase,  # type: ignore[arg-type]
            suggestions=suggestions,
            sequence=[s.code for s in suggestions if s.status == "recommended"],
            notices=[],
            questions=[],
        )


# -------------------------------------------------------------------------------------------------- parts switched off


class _TableOrder(CandidateFinder):
    """Without facets: the leaves of a concept's codes in the order of the tables; all fit exactly, the first stands out."""

    def candidates(self, problem: Problem, handedness: str = "") -> list[Candidate]:
        stems = problem.stems or self.vocabulary.concepts[problem.concept].codes
        ranks: dict[str, int] = {}
        for rank, stem in enumerate(stems):
            for leaf in self.edition.leaves_below(stem):
                ranks.setdefault(leaf, rank)
        return [
            Candidate(leaf, problem, Fit(leaf, EXACT_FIT, SITE_EXACT, SIDE_MATCH, 0.0, 0.0, rank, 0), place, float(place == 0))
            for place, (leaf, rank) in enumerate(list(ranks.items())[:PER_PROBLEM])
        ]


class _FirstLeaf(CandidateFinder):
    """Without specificity: facets choose among the concept's codes, and the first leaf below the chosen one stands for it."""

    def candidates(self, problem: Problem, handedness: str = "") -> list[Candidate]:
        stems = problem.stems or self.vocabulary.concepts[problem.concept].codes
        found: dict[str, Candidate] = {}
        for candidate in super().candidates(problem, handedness):
            leaf = self.edition.leaves_below(stems[candidate.fit.stem_rank])[0]
            found.setdefault(leaf, replace(candidate, leaf=leaf, place=len(found)))
        return list(found.values())


class _NoText(TitleIndex):
    """Without text retrieval."""

    def __init__(self) -> None:
        """Nothing is indexed."""

    def search(self, words: tuple[str, ...], *, top: int = 10, alone: bool = False) -> list[tuple[str, float]]:
        return []


class _FitOrder(Ranker):
    """Without training: a plain order by fit or text score; a title with more for it than against it is recommended."""

    def __init__(self) -> None:
        self.threshold = 0.5

    def score(self, options: list[Option]) -> None:
        for option in options:
            features = option.features
            by_fit = 0.0 if option.problem is None else 1.0 / (1.0 + float(np.exp(WELL_FITTING - features["fit"])))
            option.probability = option.lead = max(by_fit, features["written"], min(1.0, features["text_score"]))


def _no_findings(reading: Reading) -> Reading:
    return replace(reading, findings=[])


def _all_present(reading: Reading) -> Reading:
    return replace(
        reading,
        findings=[replace(finding, assertion="present") for finding in reading.findings],
        causes=[replace(cause, assertion="present") for cause in reading.causes],
        phrases=[replace(phrase, assertion="present") for phrase in reading.phrases],
    )


def _no_sections(reading: Reading) -> Reading:
    """Every line weighs the same, no section lends its assertion, and no line is known to be a diagnosis."""
    findings = [
        replace(
            finding,
            section="other",
            weight=PLAIN_WEIGHT,
            assertion=finding.assertion if any(cue.attribute == "assertion" for cue in finding.cues) else "present",
        )
        for finding in reading.findings
    ]
    codes = [replace(code, section="other") for code in reading.written_codes]
    return replace(reading, findings=findings, written_codes=codes, phrases=[], sections=[])


ABLATIONS: dict[str, Callable[[], Stages]] = {
    "without-facets": lambda: Stages(finder=_TableOrder),
    "without-terms": lambda: Stages(reading=_no_findings),
    "without-text": lambda: Stages(titles=_NoText()),
    "without-assertion": lambda: Stages(reading=_all_present),
    "without-sections": lambda: Stages(reading=_no_sections),
    "without-specificity": lambda: Stages(finder=_FirstLeaf),
    "without-rules": lambda: Stages(rules=False),
    "without-training": lambda: Stages(ranker=_FitOrder()),
}
"""The coder with one part switched off, by the name of the system."""


# -------------------------------------------------------------------------------------------------- who lost it


def lost_in(group: GoldGroup, text: str, trace: Trace, levels: CodeLevels) -> str:
    """The first of ``STAGES`` that lost a required group which is not recommended (see the head of this module)."""
    exact = [option for option in trace.options if levels.any_same(group.accept, option.code)]
    first = [option for option in exact if option.place == 0]
    spans = quote_spans(text, group.evidence)
    if any(option.probability >= trace.bar for option in first):
        return "rules"
    if first:
        return "ranking"
    if any(levels.any_same(group.accept, option.code, "category") for option in trace.options):
        return "specificity"
    if group.best[0] in "VWXY" and any(_touches((c.start, c.end), spans) for c in trace.reading.causes):
        return "rules"  # external causes are made by rules, not proposed
    return "candidates" if _is_read(trace.reading, spans) else "reading"


def _is_read(reading: Reading, spans: list[Span]) -> bool:
    places = [(f.start, f.end) for f in reading.findings if f.assertion in {"present", "historical"}]
    places += [(p.start, p.end) for p in reading.phrases if p.assertion in {"present", "historical"}]
    places += [(c.start, c.end) for c in reading.causes]
    places += [(c.start, c.end) for c in reading.written_codes]
    return any(_touches(place, spans) for place in places)


def _touches(place: Span, spans: list[Span]) -> bool:
    return any(place[0] < end and start < place[1] for start, end in spans)
