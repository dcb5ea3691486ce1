"""Combination of problems before codes are sought: one combination code instead of two (I.B.9).

The table ``combinations.tsv`` joins two problems of the same note into a third concept. Strokes and operations are in
models/derive.py.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from lexicon.errors import LexiconError
from lexicon.tables import read_table, split_cell
from lexicon.vocabulary import Vocabulary
from models.problems import Problem


@dataclass(frozen=True, slots=True)
class Combination:
    """Problems ``when`` and ``together`` give ``gives``; ``drops`` names what is then no longer a problem of its own."""

    when: str
    when_site: str
    together: str
    together_site: str
    gives: str
    drops: frozenset[str]


def load_combinations(vocabulary: Vocabulary) -> list[Combination]:
    """The rows of combinations.tsv.

    Raises
    ------
    LexiconError
        If a row names a concept that does not exist.
    """
    rows = []
    for row in read_table("combinations.tsv"):
        when, _, when_site = row["when"].partition("@")
        together, _, together_site = row["together"].partition("@")
        names = {when, together, row["gives"]}
        if unknown := names - vocabulary.concepts.keys():
            raise LexiconError(f"combinations.tsv: unknown concept {sorted(unknown)[0]!r}")
        drops = frozenset(name.partition("@")[0] for name in split_cell(row["drops"]))
        rows.append(Combination(when, when_site, together, together_site, row["gives"], drops))
    return rows


ROUNDS = 3


class Combiner:
    """Applies the combination table to the present problems of a note."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self._by_pair: dict[str, list[Combination]] = {}
        for combination in load_combinations(vocabulary):
            self._by_pair.setdefault(combination.when, []).append(combination)

    def combine(self, problems: list[Problem], *, acute: bool = False) -> list[Problem]:
        """Problems with combined ones added; parts that a combination replaces are marked ``replaced_by`` and kept last.

        Only current problems combine; in an ``acute`` stroke nothing is a sequela of it yet (I.C.9.d). A part at another
        body region does not combine (a cervical disc and lumbar radiculopathy).
        """
        for _ in range(ROUNDS):  # a combined problem may be part of a further combination (I11 + CKD -> I13)
            count = len(problems)
            problems = self._once(problems, acute)
            if len(problems) == count:
                break
        return problems

    def _once(self, problems: list[Problem], acute: bool) -> list[Problem]:
        present = [p for p in problems if self._is_current(p) and not p.replaced_by]
        added: list[Problem] = []
        replaced: set[int] = set()
        for first in present:
            for combination in self._by_pair.get(first.concept, ()):
                if acute and self.vocabulary.concepts[combination.gives].codes[0].startswith("I69"):
                    continue
                if combination.when_site and not self._at(first, combination.when_site):
                    continue
                for second in present:
                    if second is first or second.concept != combination.together:
                        continue
                    if combination.together_site and not self._at(second, combination.together_site):
                        continue
                    if not self._same_region(first, second):
                        continue
                    if combination.gives in {first.concept, second.concept}:  # the specific one stays, the other goes
                        keeps = first if combination.gives == first.concept else second
                        goes = second if keeps is first else first
                        if goes.concept in combination.drops:
                            replaced.add(id(goes))
                        continue
                    if any(p.concept == combination.gives for p in [*added, *present]):
                        replaced.update(id(part) for part in (first, second) if part.concept in combination.drops)
                        continue
                    concept = self.vocabulary.concepts[combination.gives]
                    sites = (concept.site,) if concept.site else self._joined_sites(first, second)
                    side = first.side if first.side != "unspecified" else second.side
                    added.append(
                        Problem(
                            concept=concept.id,
                            kind=concept.kind,
                            sites=tuple(s for s in sites if s),
                            side=side,
                            assertion="present" if "present" in {first.assertion, second.assertion} else "historical",
                            acuity=first.acuity or second.acuity,
                            cause=first.cause or second.cause,
                            qualifiers=first.qualifiers | second.qualifiers,
                            context=first.context | second.context,
                            mentions=[*first.mentions, *second.mentions],
                            derived=f"{first.concept} + {second.concept}",
                        )
                    )
                    for part in (first, second):
                        if part.concept in combination.drops:
                            replaced.add(id(part))
        kept = [p for p in problems if id(p) not in replaced]
        dropped = [replace(p, replaced_by="combination") for p in problems if id(p) in replaced]
        return [*kept, *added, *dropped]

    def _is_current(self, problem: Problem) -> bool:
        """Present, or told as history but lifelong: a history of diabetes is diabetes."""
        return problem.assertion == "present" or (
            problem.assertion == "historical" and problem.concept in self.vocabulary.lifelong
        )

    def _at(self, problem: Problem, site: str) -> bool:
        return site in self.vocabulary.sites and any(self.vocabulary.related(own, site) for own in problem.sites)

    def _same_region(self, first: Problem, second: Problem) -> bool:
        if not first.sites or not second.sites or first.cause == second.concept or second.cause == first.concept:
            return True
        return any(
            self.vocabulary.related(a, b) or self._region(a) == self._region(b) != ""
            for a in first.sites[:2]
            for b in second.sites[:2]
        )

    def _region(self, site: str) -> str:
        lineage = self.vocabulary.lineage(site)
        for name in ("cervical_spine", "thoracic_spine", "lumbar_spine", "lumbosacral"):
            if name in lineage:
                return "lumbar_spine" if name == "lumbosacral" else name
        return ""

    @staticmethod
    def _joined_sites(first: Problem, second: Problem) -> tuple[str, ...]:
        return first.sites or second.sites
