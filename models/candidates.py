"""Candidate codes of a problem: by facets within the stems of its concept, and by text where no concept was read."""

from __future__ import annotations

from dataclasses import dataclass

from lexicon.codes.edition import Edition
from lexicon.facets import CodeFacets, FacetIndex, load_facets
from lexicon.normal import phrase
from lexicon.vocabulary import QUALIFIER, Vocabulary, scan
from models.problems import Problem
from models.specificity import Fit, fit

PER_PROBLEM = 4
UNNAMED_INJURY = "injury_unspecified"
_CHRONIC = frozenset({"old", "chronic", "nontraumatic"})
SOFT_PLACES = 4  # a concept whose codes lie at no more places than this is told apart by other things than the site
WIDE_STEM = 400  # stems with more leaves are searched by site only


@dataclass(slots=True)
class Candidate:
    """A leaf proposed for a problem."""

    leaf: str
    problem: Problem
    fit: Fit
    place: int
    margin: float
    source: str = "facets"
    score: float = 0.0


class CandidateFinder:
    """Proposes leaves for problems in one edition."""

    def __init__(self, edition: Edition, vocabulary: Vocabulary) -> None:
        self.edition = edition
        self.vocabulary = vocabulary
        self.facets: FacetIndex = load_facets(edition)
        self._stem_words: dict[str, frozenset[str]] = {}
        self._stem_qualifiers: dict[str, frozenset[str]] = {}
        self._soft: dict[tuple[str, ...], bool] = {}

    def _words_of_stem(self, stem: str) -> frozenset[str]:
        words = self._stem_words.get(stem)
        if words is None:
            words = frozenset(phrase(self.edition.title(stem))) if stem in self.edition else frozenset()
            self._stem_words[stem] = words
        return words

    def _qualifiers_of_stem(self, stem: str) -> frozenset[str]:
        found = self._stem_qualifiers.get(stem)
        if found is None:
            words = list(phrase(self.edition.title(stem))) if stem in self.edition else []
            found = frozenset(value for *_, value in scan(self.vocabulary.trie, words, frozenset({QUALIFIER})))
            self._stem_qualifiers[stem] = found
        return found

    def candidates(self, problem: Problem, handedness: str = "") -> list[Candidate]:
        """Leaves for one problem, best first; two where a bilateral problem has no bilateral code (I.B.13)."""
        fits = self._fits(problem, handedness)
        if not fits:
            return []
        if problem.side == "bilateral":
            return self._both_sides(problem, fits)
        fits.sort(key=lambda f: (-round(f.score, 6), f.leaf))
        best = fits[0].score
        second = fits[1].score if len(fits) > 1 else best - 2
        result = []
        for place, item in enumerate(fits[:PER_PROBLEM]):
            margin = best - second if place == 0 else item.score - best
            result.append(Candidate(item.leaf, problem, item, place, margin))
        return result

    def _fits(self, problem: Problem, handedness: str) -> list[Fit]:
        concept = self.vocabulary.concepts[problem.concept]
        if self._needs_place(problem):
            return []
        rows: dict[str, tuple[int, str, CodeFacets]] = {}
        stems = problem.stems or concept.codes
        soft = self._is_soft(stems)
        default = _default_stem(stems)
        trauma = self._trauma(problem, stems)
        for rank, stem in enumerate(stems):
            leaves = self.facets.below(stem)
            if not soft and (problem.sites or len(leaves) > WIDE_STEM):
                leaves = self.facets.at_sites(stem, problem.sites)
                if default and stem == default:
                    leaves = self.facets.below(stem)
            for row in leaves:
                rows.setdefault(row.code, (rank, stem, row))
        if not rows:  # no code at this place: the place may be wrong, so every leaf stays in the race
            for rank, stem in enumerate(stems):
                for row in self.facets.below(stem)[:WIDE_STEM]:
                    rows.setdefault(row.code, (rank, stem, row))
        term_words = frozenset(word for mention in problem.mentions[:4] for word in phrase(mention.text))
        places: dict[tuple[str, ...], float] = {}
        return [
            fit(
                row,
                concept=concept,
                sites=problem.sites,
                side=problem.side,
                qualifiers=problem.qualifiers,
                context=problem.context,
                acuity=problem.acuity,
                stem_rank=rank,
                stem_words=self._words_of_stem(stem),
                stem_qualifiers=self._qualifiers_of_stem(stem),
                own_stem=stem,
                vocabulary=self.vocabulary,
                places=places,
                term_words=term_words,
                handedness=handedness,
                default_stem=default,
                soft_site=soft,
                trauma=trauma,
            )
            for rank, stem, row in rows.values()
        ]

    def _trauma(self, problem: Problem, stems: tuple[str, ...]) -> float:
        """1 for a current injury, -1 for a chronic condition, 0 where the concept does not leave the choice."""
        if len({stem[0] for stem in stems if stem[0] in "SM"}) < 2:
            return 0.0
        if _CHRONIC & problem.qualifiers or problem.acuity == "chronic":
            return -1.0
        kind = self.vocabulary.causes.get(problem.cause, ("", ()))[0]
        return 1.0 if kind == "mechanism" or problem.acuity == "acute" or "traumatic" in problem.qualifiers else 0.0

    def _needs_place(self, problem: Problem) -> bool:
        """A strain, a tear or a fracture without any place has no code that could be defended."""
        concept = self.vocabulary.concepts[problem.concept]
        if problem.sites or concept.kind != "injury" or problem.stems or concept.id == UNNAMED_INJURY:
            return False
        return len({code[:2] for code in concept.codes if code[0] == "S"}) > 2

    def _is_soft(self, stems: tuple[str, ...]) -> bool:
        """Whether the stems lie at so few places that the site hardly tells their codes apart."""
        soft = self._soft.get(stems)
        if soft is None:
            places = {row.sites for stem in stems for row in self.facets.below(stem)}
            soft = len(places) <= SOFT_PLACES
            self._soft[stems] = soft
        return soft

    def _both_sides(self, problem: Problem, fits: list[Fit]) -> list[Candidate]:
        by_side: dict[str, list[Fit]] = {}
        for item in sorted(fits, key=lambda f: (-round(f.score, 6), f.leaf)):
            by_side.setdefault(self.facets[item.leaf].side, []).append(item)
        whole = [*by_side.get("bilateral", [])[:1], *by_side.get("", [])[:1]]
        halves = [by_side["right"][0], by_side["left"][0]] if by_side.get("right") and by_side.get("left") else []
        open_side = by_side.get("unspecified", [])[:1]
        best_whole = max(whole, key=lambda f: f.score, default=None)
        if best_whole is not None and (not halves or best_whole.score >= halves[0].score - 0.05):
            chosen = [best_whole]
        elif halves:
            chosen = halves
        else:
            chosen = open_side
        result = []
        for item in chosen:
            result.append(Candidate(item.leaf, problem, item, 0, 1.0))
        for item in [*whole, *halves, *open_side]:
            if all(item.leaf != c.leaf for c in result) and len(result) < PER_PROBLEM:
                result.append(Candidate(item.leaf, problem, item, len(result), item.score - chosen[0].score if chosen else 0.0))
        return result


def _default_stem(stems: tuple[str, ...]) -> str:
    """The stem whose subtree is the default: the longest one that the first, often side-unspecified, code lies in."""
    first = stems[0] if stems else ""
    wider = [stem for stem in stems[1:] if first.startswith(stem)]
    return max(wider, key=len, default=first)
