"""From mentions to problems: what the note as a whole says of one condition at one place."""

from __future__ import annotations

from dataclasses import dataclass, field

from lexicon.vocabulary import Vocabulary
from nlp.finding import Finding, Reading

DECISIVE = 0.85  # sections of at least this weight hold the examiner's conclusion


@dataclass(slots=True)
class Problem:
    """A condition of the patient as the note tells it.

    Attributes
    ----------
    concept, kind : str
    sites : tuple of str
        Most specific first.
    side : str
        right, left, bilateral or unspecified.
    assertion : str
        Over all mentions; the examiner's conclusion (diagnosis, assessment) wins over the history.
    mentions : list of Finding
        Mentions that support the assertion, best evidence first.
    against : list of Finding
        The other mentions.
    derived : str
        What a combined or derived problem was made from.
    stems : tuple of str
        Codes to search instead of the concept's (a deficit after a stroke is sought in I69).
    replaced_by : str
        Rule that makes this problem not reportable beside another one.
    """

    concept: str
    kind: str
    sites: tuple[str, ...] = ()
    side: str = "unspecified"
    assertion: str = "present"
    acuity: str = ""
    cause: str = ""
    qualifiers: frozenset[str] = frozenset()
    context: frozenset[str] = frozenset()
    mentions: list[Finding] = field(default_factory=list)
    against: list[Finding] = field(default_factory=list)
    derived: str = ""
    stems: tuple[str, ...] = ()
    replaced_by: str = ""

    @property
    def weight(self) -> float:
        """The best section weight of the supporting mentions, 0 to 1."""
        return max((m.weight for m in self.mentions), default=0.0)

    @property
    def site(self) -> str:
        """The leading site, or empty."""
        return self.sites[0] if self.sites else ""


def problems_of(reading: Reading, vocabulary: Vocabulary) -> list[Problem]:
    """Group the findings of a note into problems.

    Mentions of one concept belong together when their sites are the same; a mention without site (or side) joins the
    only group that has one. Right and left together are one bilateral problem (I.B.13).

    Returns
    -------
    list of Problem
        In the order of their first mention.
    """
    by_concept: dict[str, list[Finding]] = {}
    for finding in reading.findings:
        by_concept.setdefault(finding.concept, []).append(finding)
    problems: list[Problem] = []
    for concept, findings in by_concept.items():
        groups: dict[str, list[Finding]] = {}
        for finding in findings:
            groups.setdefault(finding.sites[0] if finding.sites else "", []).append(finding)
        if "" in groups and len(groups) == 2:
            loose = groups.pop("")
            next(iter(groups.values())).extend(loose)
        for group in groups.values():
            problems.extend(_split_sides(concept, group, vocabulary))
    problems = _absorb_general(_absorb_wider(problems), vocabulary)
    problems.sort(key=lambda p: min((m.start for m in [*p.mentions, *p.against]), default=0))
    return problems


def _split_sides(concept: str, group: list[Finding], vocabulary: Vocabulary) -> list[Problem]:
    present = [f for f in group if f.assertion == "present"]
    sides = {f.side for f in present if f.side != "unspecified"}
    if not sides:
        sides = {f.side for f in group if f.side != "unspecified"}
    if len(sides) <= 1:
        return [_problem(concept, group, next(iter(sides), "unspecified"), vocabulary)]
    others = [f for f in group if f.side != "unspecified" and f.assertion != "present" and f.side not in sides]
    stated = {f.side for f in present if f.side_stated and f.weight >= DECISIVE and f.side in {"right", "left", "bilateral"}}
    if len(stated) == 1 and "bilateral" not in stated:  # the conclusion names one side; the other one is elsewhere
        side = next(iter(stated))
        keep = [f for f in group if f.side in {side, "unspecified"}]
        rest = [f for f in group if f not in keep]
        result = [_problem(concept, keep, side, vocabulary)]
        if any(f.assertion == "present" and f.side_stated for f in rest):
            result.append(_problem(concept, rest, "left" if side == "right" else "right", vocabulary))
        return result
    return [_problem(concept, [f for f in group if f not in others], "bilateral", vocabulary)]


def _problem(concept: str, group: list[Finding], side: str, vocabulary: Vocabulary) -> Problem:
    assertion = overall_assertion(group)
    support = [f for f in group if f.assertion == assertion]
    support.sort(key=lambda f: (-f.weight, not f.site_stated, f.start))
    lead = support[0]
    sites: tuple[str, ...] = next((f.sites for f in support if f.sites), ())
    return Problem(
        concept=concept,
        kind=lead.kind,
        sites=sites,
        side=side,
        assertion=assertion,
        acuity=next((f.acuity for f in support if f.acuity), ""),
        cause=next((f.cause for f in support if f.cause), ""),
        qualifiers=frozenset(q for f in support for q in f.qualifiers),
        context=frozenset(w for f in support for w in f.context),
        mentions=support,
        against=[f for f in group if f.assertion != assertion],
    )


def overall_assertion(group: list[Finding]) -> str:
    """What a group of mentions says together.

    A present mention counts unless the decisive sections (diagnosis, assessment) mention the condition only as
    negated or uncertain. Without a present mention the most frequent other value of the heaviest section stands.
    """
    present = [f for f in group if f.assertion == "present"]
    decisive = [f for f in group if f.weight >= DECISIVE]
    if present:
        if decisive and not any(f.assertion == "present" for f in decisive):
            values = {f.assertion for f in decisive}
            for value in ("uncertain", "negated"):
                if value in values:
                    return value
        return "present"
    heaviest = max(group, key=lambda f: (f.weight, -f.start))
    return heaviest.assertion


def _absorb_wider(problems: list[Problem]) -> list[Problem]:
    """Let a problem without any site join the same concept where it is present at a site."""
    sited: dict[str, list[Problem]] = {}
    for problem in problems:
        if problem.sites and problem.assertion == "present":
            sited.setdefault(problem.concept, []).append(problem)
    kept = []
    for problem in problems:
        others = sited.get(problem.concept, [])
        if not problem.sites and len(others) >= 1:
            for finding in [*problem.mentions, *problem.against]:
                (others[0].mentions if finding.assertion == "present" else others[0].against).append(finding)
            continue
        kept.append(problem)
    return kept


def _absorb_general(problems: list[Problem], vocabulary: Vocabulary) -> list[Problem]:
    """Let an injury told in general words join the named injury at its place ("fracture", "nonunion": fracture of the hip).

    What the general words say of it (nondisplaced, comminuted) is said of the named one.
    """
    kept = []
    for problem in problems:
        named = next((p for p in problems if p is not problem and _is_kind_of(p, problem, vocabulary)), None)
        if named is None:
            kept.append(problem)
            continue
        named.mentions += problem.mentions
        named.against += problem.against
        named.qualifiers |= problem.qualifiers
        named.context |= problem.context
        named.cause = named.cause or problem.cause
        named.acuity = named.acuity or problem.acuity
    return kept


def _is_kind_of(named: Problem, general: Problem, vocabulary: Vocabulary) -> bool:
    """Whether ``named`` is a more specific injury than ``general`` at the same place and side, by the codes of both."""
    if not named.kind == general.kind == "injury" or not named.assertion == general.assertion == "present":
        return False
    if {named.side, general.side} == {"right", "left"} or "bilateral" in {named.side, general.side} - {named.side}:
        return False
    if general.sites and not any(vocabulary.related(a, b) for a in named.sites for b in general.sites[:1]):
        return False
    wide, narrow = vocabulary.concepts[general.concept].codes, vocabulary.concepts[named.concept].codes
    return _below(narrow, wide) and not _below(wide, narrow)


def _below(codes: tuple[str, ...], stems: tuple[str, ...]) -> bool:
    """Whether the first of ``codes`` lies below one of ``stems``."""
    return bool(codes) and any(codes[0] != stem and codes[0].startswith(stem) for stem in stems)
