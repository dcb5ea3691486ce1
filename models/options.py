"""Options: billable codes proposed for a note, each with the problem behind it and its named features."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import log1p

from lexicon.codes.edition import Edition
from lexicon.vocabulary import Vocabulary
from models.candidates import CandidateFinder
from models.derive import LATE_EFFECT
from models.problems import DECISIVE, Problem
from models.retrieval import TitleIndex
from models.specificity import Fit, seventh_character
from nlp.finding import DiagnosisPhrase, Finding, Reading

CODED_KINDS = frozenset({"diagnosis", "symptom", "injury", "procedure", "status", "aftercare"})
STATUS_KINDS = frozenset({"procedure", "status", "aftercare"})
TEXT_FLOOR = 0.5
SHORTEST = 4  # letters of the shortest word that a phrase of a note is searched by

_SECTIONS = {
    "in_diagnosis": {"diagnosis", "treatment_diagnosis"},
    "in_medical_diagnosis": {"medical_diagnosis"},
    "in_assessment": {"assessment"},
    "in_chief_complaint": {"chief_complaint"},
    "in_subjective": {"subjective", "history_present"},
    "in_objective": {"objective", "measurements"},
    "in_imaging": {"imaging"},
    "in_past": {"past_history", "surgical_history", "prior_level", "social_history", "medications"},
    "in_plan": {"plan", "interventions", "goals", "education", "billing", "precautions"},
    "in_header": {"header", "whole"},
    "in_other": {"other", "review_of_systems"},
}


@dataclass(slots=True)
class Option:
    """One billable code proposed for the note.

    Attributes
    ----------
    code, leaf : str
        The reportable code and the leaf it was built from.
    problem : Problem or None
        None where the code comes from text retrieval or was written by the author.
    features : dict
        Named numbers for the ranker; the explanation shows them.
    side : str
        Side that the title says; empty where it says none.
    reasons : list of str
        Why this side, site, 7th character.
    """

    code: str
    leaf: str
    title: str
    problem: Problem | None
    place: int
    source: str
    side: str = ""
    features: dict[str, float] = field(default_factory=dict)
    evidence: list[tuple[int, int]] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    probability: float = 0.0
    lead: float = 0.0


class Proposer:
    """Turns the problems of a note into options of one edition."""

    def __init__(self, edition: Edition, vocabulary: Vocabulary, finder: CandidateFinder, titles: TitleIndex) -> None:
        self.edition = edition
        self.vocabulary = vocabulary
        self.finder = finder
        self.titles = titles

    def options(self, problems: list[Problem], reading: Reading, encounter: str, handedness: str = "") -> list[Option]:
        """All options of a note, one for each code; where two problems propose a code the better one stays."""
        phases = frozenset(reading.phases)
        found: dict[str, Option] = {}
        coded = [p for p in problems if self._is_coded(p)]
        context = _NoteContext(problems, coded, reading, encounter)
        for problem in coded:
            for candidate in self.finder.candidates(problem, handedness):
                option = self._option(
                    candidate.leaf, problem, candidate.place, candidate.fit, candidate.margin, encounter, phases
                )
                if option is None:
                    continue
                option.features = _features(option, candidate.fit, candidate.margin, problem, context, self.vocabulary)
                known = found.get(option.code)
                if known is None or _standing(option) < _standing(known):
                    if known is not None:
                        option.evidence = list(dict.fromkeys([*option.evidence, *known.evidence]))
                    found[option.code] = option
                else:
                    known.evidence = list(dict.fromkeys([*known.evidence, *option.evidence]))
        self._from_text(found, reading, context, encounter, phases)
        self._from_written(found, reading, context)
        return [found[code] for code in sorted(found)]

    def _is_coded(self, problem: Problem) -> bool:
        if problem.kind not in CODED_KINDS:
            return False
        if problem.assertion == "present":
            return True
        return problem.assertion == "historical" and (
            problem.kind in STATUS_KINDS
            or problem.concept in self.vocabulary.lifelong
            or (problem.kind != "injury" and all(m.section in _SECTIONS["in_past"] for m in problem.mentions))
        )

    def _option(
        self, leaf: str, problem: Problem | None, place: int, fit: Fit, margin: float, encounter: str, phases: frozenset[str]
    ) -> Option | None:
        late = problem is not None and LATE_EFFECT in problem.qualifiers
        code, seventh = seventh_character(self.edition, leaf, "sequela" if late else encounter, phases)
        option = Option(code, leaf, self.edition.title(code), problem, place, "facets", self.finder.facets[leaf].side)
        if problem is not None:
            best = problem.mentions[:3]
            option.evidence = [(m.start, m.end) for m in best]
            option.reasons = _reasons(problem, self.finder.facets[leaf].side)
        if seventh:
            option.reasons.append(f"7th character {code[-1]}: {seventh}")
        return option

    # ---------------------------------------------------------------- text

    def _from_text(
        self, found: dict[str, Option], reading: Reading, context: _NoteContext, encounter: str, phases: frozenset[str]
    ) -> None:
        phrases = _whole(reading.phrases) if reading.is_term else reading.phrases
        for phrase in phrases:
            if phrase.assertion not in {"present", "historical"} or phrase.weight < 0.5 or len(phrase.words) > 25:
                continue
            if not reading.is_term and all(len(word) < SHORTEST for word in phrase.words):
                continue  # an abbreviation alone says too little ("R MCA")
            covered = [
                f for f in reading.findings if f.assertion == "present" and phrase.start <= f.start and f.end <= phrase.end
            ]
            for leaf, score in self.titles.search(
                phrase.words, top=16, alone=reading.is_term
            ):  # both sides of a title are as near
                side = self.finder.facets[leaf].side
                if leaf.startswith("I69") and encounter == "initial":  # nothing is a sequela of an acute stroke yet (I.C.9.d)
                    continue
                if side in {"right", "left", "bilateral"} and side != phrase.side:
                    continue
                if phrase.side and side == "unspecified":
                    continue
                code, seventh = seventh_character(self.edition, leaf, encounter, phases)
                known = found.get(code)
                if known is not None:
                    known.features["text_score"] = max(known.features.get("text_score", 0.0), score)
                    continue
                if score < TEXT_FLOOR or (covered and not reading.is_term and score < 0.72):
                    continue
                option = Option(code, leaf, self.edition.title(code), None, 0, "text", side)
                option.evidence = [(phrase.start, phrase.end)]
                option.reasons = [f"text: the words of '{phrase.text[:60]}' match the title"]
                if seventh:
                    option.reasons.append(f"7th character {code[-1]}: {seventh}")
                option.features = _text_features(option, score, phrase.weight, bool(covered), context)
                found[code] = option

    # ---------------------------------------------------------------- written codes

    def _from_written(self, found: dict[str, Option], reading: Reading, context: _NoteContext) -> None:
        for written in reading.written_codes:
            if written.code not in self.edition or not (
                "." in written.code
                or written.code in found
                or written.section in {"diagnosis", "medical_diagnosis", "treatment_diagnosis", "assessment", "billing"}
            ):
                continue
            stem = written.code
            for option in found.values():
                if option.code == stem or option.leaf == stem or option.code.startswith(stem):
                    option.features["written"] = 1.0
                    option.evidence = list(dict.fromkeys([*option.evidence, (written.start, written.end)]))
            if self.edition.is_billable(stem) and stem not in found:
                option = Option(stem, self.edition.stem(stem), self.edition.title(stem), None, 0, "written")
                option.evidence = [(written.start, written.end)]
                option.reasons = [f"code written in the note at {written.start}"]
                option.features = _written_features(option, written.section, context)
                found[stem] = option


def _standing(option: Option) -> tuple[float, int, float]:
    """Which of two options with the same code stays: one whose problem still stands, then the better fit."""
    return (option.features["replaced"], option.place, -option.features["fit"])


class _NoteContext:
    """Facts of the whole note that features need."""

    def __init__(self, problems: list[Problem], coded: list[Problem], reading: Reading, encounter: str) -> None:
        self.length = max(1, reading.words)
        self.encounter = encounter
        live = [p for p in coded if p.assertion == "present"]
        self.count = len(live)
        self.diagnoses = [p for p in live if p.kind in {"diagnosis", "injury"} and not p.replaced_by]
        self.suspected = [
            p for p in problems if p.assertion == "uncertain" and p.kind in {"diagnosis", "injury"} and p.weight >= 0.5
        ]
        self.procedures = [p for p in coded if p.kind == "procedure"]
        self.decisive = sum(1 for p in live if p.weight >= DECISIVE)
        self.last = max((m.end for p in coded for m in p.mentions), default=1)
        self.order = {
            id(p): i for i, p in enumerate(sorted(live, key=lambda p: (-p.weight, p.mentions[0].start if p.mentions else 0)))
        }


def _reasons(problem: Problem, code_side: str) -> list[str]:
    reasons = []
    shown: set[str] = set()
    for mention in problem.mentions[:3]:
        for cue in mention.cues:
            if cue.attribute in {"side", "site", "cause", "acuity"} and cue.attribute not in shown:
                if cue.attribute == "side" and not code_side:
                    continue
                shown.add(cue.attribute)
                reasons.append(f"{cue.attribute}: {cue.value.replace('_', ' ')}, from '{cue.text}' at {cue.start}")
    if code_side == "unspecified" and problem.side == "unspecified":
        reasons.append("side: not stated in the note")
    if problem.derived:
        reasons.append(f"combination: {problem.derived.replace('_', ' ')}")
    return reasons


def _base_features(title: str, code_side: str) -> dict[str, float]:
    low = title.lower()
    return {
        "side_open": float(code_side == "unspecified"),
        "code_unspecified": float("unspecified" in low),
        "code_other": float(low.startswith("other ") or " other " in low),
    }


def _features(
    option: Option, fit: Fit, margin: float, problem: Problem, context: _NoteContext, vocabulary: Vocabulary
) -> dict[str, float]:
    mentions: list[Finding] = problem.mentions
    sections = {m.section for m in mentions}
    features = _base_features(option.title, option.side)
    features.update(
        fit=fit.score,
        fit_site=fit.site,
        fit_side=fit.side,
        fit_qualifiers=fit.qualifiers,
        fit_residual=fit.residual,
        stem_rank=min(fit.stem_rank, 12) / 12,
        unsupported=min(fit.unsupported, 5) / 5,
        first_place=float(option.place == 0),
        place=option.place / 4,
        margin=max(-2.0, min(2.0, margin)),
        weight=problem.weight,
        mentions=log1p(len(mentions)),
        negated=log1p(sum(m.assertion == "negated" for m in problem.against)),
        uncertain=log1p(sum(m.assertion == "uncertain" for m in problem.against)),
        position=(mentions[0].start / context.last) if mentions else 1.0,
        site_known=float(bool(problem.sites)),
        site_stated=float(any(m.site_stated for m in mentions)),
        side_stated=float(any(m.side_stated for m in mentions)),
        side_known=float(problem.side != "unspecified"),
        corrected=float(all(m.corrected for m in mentions)),
        past=float(problem.assertion == "historical"),
        derived=float(bool(problem.derived)),
        replaced=float(bool(problem.replaced_by)),
        problems=log1p(context.count),
        diagnoses=log1p(len(context.diagnoses)),
        order=1.0 / (1 + context.order.get(id(problem), 9)),
        initial=float(context.encounter == "initial"),
        acuity=float(bool(problem.acuity)),
        cause_known=float(bool(problem.cause)),
        medical=float(vocabulary.areas.get(problem.concept) in {"medical", "cardiopulmonary"}),
        operated=float(
            problem.kind in {"diagnosis", "injury", "symptom"}
            and any(_shares_site(p, problem, vocabulary) for p in context.procedures)
        ),
        fallback=float(
            problem.kind == "symptom"
            and any(not p.sites or not problem.sites or _shares_site(p, problem, vocabulary) for p in context.suspected)
        ),
        specific=float(problem.kind in {"diagnosis", "injury"} and not problem.replaced_by),
        text_score=0.0,
        written=0.0,
        source_text=0.0,
        source_written=0.0,
        explained=0.0,
        covered=0.0,
    )
    for kind in CODED_KINDS:
        features[f"kind_{kind}"] = float(problem.kind == kind)
    for name, members in _SECTIONS.items():
        features[name] = float(bool(sections & members))
    features["only_objective"] = float(sections <= _SECTIONS["in_objective"])
    features["only_past"] = float(sections <= _SECTIONS["in_past"])
    features["only_ros"] = float(sections <= {"review_of_systems"})
    features["only_plan"] = float(sections <= _SECTIONS["in_plan"])
    return features


FEATURE_NAMES: tuple[str, ...] = tuple(
    sorted(
        {f"kind_{kind}" for kind in CODED_KINDS}
        | set(_SECTIONS)
        | {
            "side_open",
            "code_unspecified",
            "code_other",
            "fit",
            "fit_site",
            "fit_side",
            "fit_qualifiers",
            "fit_residual",
            "stem_rank",
            "unsupported",
            "first_place",
            "place",
            "margin",
            "weight",
            "mentions",
            "negated",
            "uncertain",
            "position",
            "site_known",
            "site_stated",
            "side_stated",
            "side_known",
            "corrected",
            "past",
            "derived",
            "replaced",
            "problems",
            "diagnoses",
            "order",
            "initial",
            "acuity",
            "cause_known",
            "medical",
            "text_score",
            "written",
            "source_text",
            "source_written",
            "operated",
            "specific",
            "fallback",
            "explained",
            "covered",
            "only_objective",
            "only_past",
            "only_plan",
            "only_ros",
        }
    )
)


def _shares_site(first: Problem, second: Problem, vocabulary: Vocabulary) -> bool:
    return any(vocabulary.related(a, b) for a in first.sites for b in second.sites)


def _text_features(option: Option, score: float, weight: float, covered: bool, context: _NoteContext) -> dict[str, float]:
    features = dict.fromkeys(FEATURE_NAMES, 0.0)
    features.update(_base_features(option.title, option.side))
    features.update(
        weight=weight,
        text_score=score,
        source_text=1.0,
        covered=float(covered),
        problems=log1p(context.count),
        diagnoses=log1p(len(context.diagnoses)),
        initial=float(context.encounter == "initial"),
        first_place=1.0,
    )
    return features


def _whole(phrases: list[DiagnosisPhrase]) -> list[DiagnosisPhrase]:
    """The phrases of a term as one: an index entry turned round has commas in it."""
    first, last = phrases[0], phrases[-1]
    words = tuple(word for phrase in phrases for word in (*phrase.words, ","))[:-1]
    sides = {phrase.side for phrase in phrases if phrase.side} or {"right", "left"} & set(words)
    side = next(iter(sides)) if len(sides) == 1 else ""
    return [replace(first, words=words, end=last.end, text=first.text, side=side)]


def _written_features(option: Option, section: str, context: _NoteContext) -> dict[str, float]:
    """A code that the author wrote: his diagnosis, and it fits itself."""
    features = _text_features(option, 0.0, 0.9, False, context)
    kind = {"Z": "status", "R": "symptom", "S": "injury", "T": "injury"}.get(option.code[0], "diagnosis")
    features.update(
        written=1.0, source_text=0.0, source_written=1.0, fit=2.0, fit_site=1.0, margin=1.0, mentions=log1p(1), site_known=1.0,
        site_stated=1.0, specific=float(kind in {"diagnosis", "injury"}), order=0.5,
    )  # fmt: skip
    features[f"kind_{kind}"] = 1.0
    for name, members in _SECTIONS.items():
        features[name] = float(section in members)
    return features
