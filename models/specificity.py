"""Facet against facet: how well a code's title fits what the note says, and the 7th character that completes it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache

from lexicon.codes.edition import Edition
from lexicon.facets import CodeFacets
from lexicon.vocabulary import Concept, Vocabulary

# The weights of the fit, in one place. Units are arbitrary; 1.0 is an exact site.
SITE_EXACT = 1.0
SITE_WIDER = 0.6
SITE_STEP = 0.12
SITE_NARROWER = -0.55
SITE_OTHER = -1.6
SITE_UNSUPPORTED = -0.8
SIDE_MATCH = 0.6
SIDE_OPEN = 0.3
SIDE_OTHER = -3.0
SIDE_UNSUPPORTED = -2.0
SIDE_LESS_SPECIFIC = -0.3
QUALIFIER_MATCH = 0.4
QUALIFIER_DEFAULT = 0.05
QUALIFIER_UNSUPPORTED = -0.7
QUALIFIER_CONFLICT = -1.5
OTHER_SPECIFIED = -0.25
MULTIPLE = -0.9
UNILATERAL_OPEN = -0.4  # one-sided is not said where no side is
RESIDUAL_MATCH = 0.15
RESIDUAL_UNSUPPORTED = -0.35
STEM_STEP = 0.03
STEM_STEP_IMPLIED = 0.1
SITE_SOFT = -0.2
SITE_DEFAULT = 0.6
TRAUMA = 0.3
ABSENT_PRESENT = -0.5
DOMINANCE_MATCH = 0.5
DOMINANCE_OTHER = -2.0

HEALING = {"delayed": "G", "nonunion": "K", "malunion": "P"}
OPENED = {  # the letters of open fractures; type IIIA to IIIC has its own where the table knows them
    "open": {"A": "B", "D": "E", "G": "H", "K": "M", "P": "Q"},
    "open_type_3": {"A": "C", "D": "F", "G": "J", "K": "N", "P": "R"},
}
ENCOUNTER_LETTER = {"initial": "A", "subsequent": "D", "sequela": "S"}


@dataclass(slots=True)
class Fit:
    """How a leaf fits a problem: the score and its parts, kept as features and reasons."""

    leaf: str
    score: float
    site: float
    side: float
    qualifiers: float
    residual: float
    stem_rank: int
    unsupported: int


def site_fit(
    own: tuple[str, ...], code_sites: tuple[str, ...], vocabulary: Vocabulary, context: frozenset[str] = frozenset()
) -> float:
    """Fit of a problem's sites with a title's sites.

    The same site is best; a title at a wider place may be used (a finding at the patella may use a knee code), a title
    at a part of the place claims a detail that the note lacks, another place does not fit. A part whose every word stands
    in the finding's sentence ("distal phalanx ... middle finger") is said after all.
    """
    if not code_sites:
        return 0.0
    if not own:
        return SITE_UNSUPPORTED
    best = SITE_OTHER
    narrowest = vocabulary.lineage(own[0])
    for index, site in enumerate(own):
        if index and site in narrowest:
            continue  # what the first site is part of says nothing beyond it
        lineage = vocabulary.lineage(site)
        for code_site in code_sites:
            if code_site in lineage:
                steps = lineage.index(code_site)
                value = SITE_EXACT if steps == 0 else SITE_WIDER - SITE_STEP * (steps - 1)
                value -= 0.05 * index
            elif any(len(words) > 1 and words <= context for words in vocabulary.site_words[code_site]):
                value = SITE_EXACT - 0.05
            elif code_site == f"{site}_joint":  # "joints of hand" is how titles of chapter 13 name the hand
                value = SITE_EXACT - 0.1
            elif site in vocabulary.lineage(code_site):
                value = SITE_NARROWER
            else:
                value = SITE_OTHER
            best = max(best, value)
    return best


def side_fit(side: str, code_side: str) -> float:
    """Fit of a side with the side of a title; a wrong side is never right."""
    if not code_side:
        return 0.0
    if code_side == "unspecified":
        return SIDE_OPEN if side == "unspecified" else SIDE_LESS_SPECIFIC
    if side == code_side:
        return SIDE_MATCH
    if side == "unspecified":
        return SIDE_UNSUPPORTED
    if side == "bilateral":
        return 0.0  # one of the two sides: used where no bilateral code exists
    return SIDE_OTHER if code_side != "bilateral" else SIDE_UNSUPPORTED


def dominance_of(side: str, handedness: str) -> str:
    """Whether the affected side is the dominant one (I.C.6.a, I.C.9.d.1).

    Stated handedness decides. Not stated: the right side is taken as dominant, the left as nondominant; of an
    ambidextrous patient every side is dominant.
    """
    if side not in {"right", "left"}:
        return ""
    if handedness == "ambidextrous":
        return "dominant"
    return "dominant" if side == (handedness or "right") else "nondominant"


def fit(
    facets: CodeFacets,
    *,
    concept: Concept,
    sites: tuple[str, ...],
    side: str,
    qualifiers: frozenset[str],
    context: frozenset[str],
    acuity: str,
    stem_rank: int,
    stem_words: frozenset[str],
    stem_qualifiers: frozenset[str],
    own_stem: str,
    vocabulary: Vocabulary,
    places: dict[tuple[str, ...], float],
    term_words: frozenset[str] = frozenset(),
    handedness: str = "",
    default_stem: str = "",
    soft_site: bool = False,
    trauma: float = 0.0,
) -> Fit:
    """Score one leaf against one problem.

    Parameters
    ----------
    facets : CodeFacets
        Of the leaf.
    concept : Concept
        What the problem is; its own qualifiers count as said.
    sites, side, qualifiers, context, acuity
        Of the problem.
    stem_rank : int
        Position of the leaf's stem in the concept's codes; the default stands first.
    stem_words : frozenset of str
        Words of the stem's title: the concept explains them.
    stem_qualifiers : frozenset of str
        Qualifiers of the stem's title, explained likewise.
    own_stem : str
        The stem under which the leaf was found.
    places : dict
        Fits of the problem's sites with those of the leaves seen so far; new ones are added.

    Returns
    -------
    Fit
    """
    if facets.sites not in places:
        places[facets.sites] = site_fit(sites, facets.sites, vocabulary, context)
    site_value = places[facets.sites]
    step = STEM_STEP
    if soft_site:  # the concept names one place anyway: its codes differ by other things
        site_value = max(site_value, SITE_SOFT)
    if concept.site and set(sites) <= {concept.site}:  # the site is only implied: the table's order knows better
        step = STEM_STEP_IMPLIED
        if default_stem and facets.code.startswith(default_stem):
            site_value = max(site_value, SITE_DEFAULT)
    elif concept.site and places[facets.sites] == SITE_NARROWER and default_stem and facets.code.startswith(default_stem):
        site_value = SITE_DEFAULT  # the index's default for the whole bone is its shaft: that is no detail claimed
    side_value = side_fit(side, facets.side)
    if site_value <= SITE_NARROWER:
        side_value = min(side_value, 0.0)  # the right side of a place that is not said makes it no better
    if facets.dominance in {"dominant", "nondominant"} and side in {"right", "left"}:
        side_value += DOMINANCE_MATCH if facets.dominance == dominance_of(side, handedness) else DOMINANCE_OTHER
    said, groups = _said(qualifiers, concept.qualifiers, acuity, vocabulary)
    qualifier_value = 0.0
    unsupported = 0
    for qualifier in facets.qualifiers:
        group = vocabulary.qualifier_groups[qualifier]
        if qualifier == "unspecified":
            continue
        if group == "dominance" or qualifier == "bilateral_word":
            continue
        if (qualifier in stem_qualifiers or qualifier_words(qualifier) <= stem_words) and (
            qualifier != "other" or facets.code == own_stem
        ):
            if qualifier == "multiple" and qualifier in said:
                qualifier_value += QUALIFIER_MATCH
            elif group == "displacement" and groups.get(group, qualifier) != qualifier:
                qualifier_value += QUALIFIER_CONFLICT  # a stem of displaced fractures, and the note says nondisplaced
            elif qualifier in vocabulary.qualifier_defaults:
                qualifier_value += QUALIFIER_DEFAULT
            continue  # the stem itself says it (multiple sclerosis, other myalgia)
        if qualifier == "unilateral" and side == "unspecified":
            qualifier_value += UNILATERAL_OPEN
        elif qualifier == "other":
            qualifier_value += OTHER_SPECIFIED
        elif qualifier == "multiple":
            qualifier_value += 0.2 if len(sites) > 2 or "multiple" in said else MULTIPLE
        elif qualifier in said or qualifier in context:
            qualifier_value += QUALIFIER_MATCH
        elif qualifier in vocabulary.qualifier_defaults:
            conflicting = groups.get(group)
            qualifier_value += QUALIFIER_CONFLICT if conflicting and conflicting != qualifier else QUALIFIER_DEFAULT
        else:
            conflicting = groups.get(group)
            if conflicting and conflicting != qualifier and group not in {"rest", "part", "time"}:
                qualifier_value += QUALIFIER_CONFLICT
            else:
                qualifier_value += QUALIFIER_UNSUPPORTED
            unsupported += 1
    residual_value = 0.0
    told = 0
    for word in facets.residual - stem_words - term_words:
        if word in context or word in concept.qualifiers:
            residual_value = min(0.45, residual_value + RESIDUAL_MATCH)
            told += 1
        else:
            residual_value += RESIDUAL_UNSUPPORTED
            unsupported += 1
    if residual_value < 0 and site_value > 0 and not told:
        site_value = 0.0  # a title that tells another condition is not preferred for its place ("diabetic foot care", foot ulcer)
    for word in facets.absent:  # "without dyskinesia": the note must not name it
        if word in context:
            residual_value += ABSENT_PRESENT
    residual_value = max(-1.4, residual_value)
    if trauma and facets.code[0] in "SM":  # chapter 19 for a current injury, chapter 13 for a chronic one (I.C.13.b)
        residual_value += TRAUMA * (trauma if facets.code[0] == "S" else -trauma)
    score = 1.0 + site_value + side_value + qualifier_value + residual_value - step * min(stem_rank, 12)
    return Fit(
        facets.code,
        score,
        site_value,
        side_value,
        qualifier_value,
        residual_value,
        stem_rank,
        unsupported,
    )


@lru_cache(maxsize=4096)
def _said(
    qualifiers: frozenset[str], of_concept: frozenset[str], acuity: str, vocabulary: Vocabulary
) -> tuple[frozenset[str], dict[str | None, str]]:
    """The qualifiers that a problem and its concept say, and those of them that tables know by their group."""
    said = qualifiers | of_concept | ({acuity} if acuity else set())
    known = qualifiers | (of_concept & vocabulary.qualifier_groups.keys())
    return said, {vocabulary.qualifier_groups.get(qualifier): qualifier for qualifier in known}


@cache
def qualifier_words(qualifier: str) -> frozenset[str]:
    """The words of a qualifier id."""
    return frozenset(qualifier.split("_"))


def seventh_character(edition: Edition, leaf: str, encounter: str, phases: frozenset[str]) -> tuple[str, str]:
    """The reportable code of a leaf and why its 7th character was chosen.

    A only while treatment is active, D while healing or recovering (the default in therapy), S for late effects
    (I.C.19.a); G, K, P when delayed healing, nonunion or malunion is documented (I.C.19.c); open-fracture letters only
    when the note says open. Only letters of the nearest table are used.

    Returns
    -------
    (code, reason)
        The leaf itself and an empty reason where no 7th character is needed.
    """
    letters = edition.sevenths(leaf)
    if not letters:
        return leaf, ""
    wanted = ENCOUNTER_LETTER[encounter]
    reason = {"A": "active treatment", "D": "routine care during healing or recovery", "S": "late effect"}[wanted]
    if wanted == "D":
        for phase, letter in HEALING.items():
            if phase in phases and letter in letters:
                wanted, reason = letter, phase
                break
    if phases & OPENED.keys() and "closed" not in phases:
        kind = "open_type_3" if "open_type_3" in phases and "C" in letters else "open"
        opened = OPENED[kind].get(wanted, wanted)
        if opened in letters and "open" in letters[opened]:
            wanted, reason = opened, f"{reason}, open fracture"
    if wanted not in letters:
        if "A" not in letters and "D" not in letters:  # fetus number, eye stage, gout tophus: not an encounter
            default = "9" if "9" in letters else "0" if "0" in letters else sorted(letters)[0]
            return edition.with_seventh(leaf, default), "not stated"
        wanted = "D" if "D" in letters else "A"
    return edition.with_seventh(leaf, wanted), f"{reason} ({letters[wanted]})"
