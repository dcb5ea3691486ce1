"""Injury or chronic condition, fragility or traumatic fracture, aftercare or injury, pain and fall codes.

Every rule is a function from what is known of the coded conditions to rulings; the pairs of codes are data
(``chronicity.tsv``, ``osteoporotic_sites.tsv``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from lexicon.codes.edition import Edition
from lexicon.tables import read_table, split_cell
from lexicon.vocabulary import Vocabulary
from models.options import Option
from models.rules.catalog import Ruling
from models.rules.excludes import SYMPTOMS
from models.rules.external import force_of
from nlp.finding import Reading

LATE = frozenset({"chronic", "recurrent", "old", "healed"})
FRESH = frozenset({"acute", "traumatic", "initial"})
MAJOR_TRAUMA = frozenset({"major_trauma"})
AFTERCARE = ("Z47", "Z48")
_FRACTURES = ("S02", "S12", "S22", "S32", "S42", "S49", "S52", "S59", "S62", "S72", "S79", "S82", "S89", "S92", "S99")
_PAIN_TYPES = {
    "G89.1": frozenset({"acute", "post_procedural", "traumatic"}),
    "G89.2": frozenset({"chronic"}),
    "G89.3": frozenset({"neoplasm"}),
    "G89.4": frozenset({"pain_syndrome"}),
}
_M80_LETTER = {
    "A": "A",
    "B": "A",
    "C": "A",
    "D": "D",
    "E": "D",
    "F": "D",
    "G": "G",
    "H": "G",
    "J": "G",
    "K": "K",
    "M": "K",
    "N": "K",
    "P": "P",
    "Q": "P",
    "R": "P",
    "S": "S",
}


@dataclass(frozen=True, slots=True)
class Coded:
    """A code that is about to be reported, with what the note says of its condition.

    Attributes
    ----------
    code : str
    sites : tuple of str
        Sites of the vocabulary, nearest first; empty when unknown.
    side : str
        right, left, bilateral or unspecified.
    facts : frozenset of str
        Of: acute, chronic, recurrent, old, healed, traumatic (a mechanism is stated), initial (active treatment),
        minor_trauma, major_trauma, post_procedural, neoplasm, pain_syndrome, recent_fall, past_fall, as_written (the words
        of the note match the title or the author wrote the code, so what it needs is documented). Others are ignored.
    """

    code: str
    sites: tuple[str, ...] = ()
    side: str = "unspecified"
    facts: frozenset[str] = frozenset()


# What concepts say by themselves that no attribute of the problem repeats.
_CONCEPT_FACTS = {
    "chronic_pain_syndrome": frozenset({"pain_syndrome"}),
    "chronic_pain": frozenset({"chronic"}),
    "acute_pain_nec": frozenset({"acute"}),
    "cancer_pain": frozenset({"neoplasm"}),
    "postop_pain": frozenset({"post_procedural"}),
    "postop_pain_chronic": frozenset({"chronic"}),
    "post_thoracotomy_pain": frozenset({"post_procedural", "chronic"}),
    "repeated_falls": frozenset({"recent_fall"}),
    "history_of_falls": frozenset({"past_fall"}),
}
_SAID = LATE | {"acute", "traumatic"}


def sole_mechanism(reading: Reading) -> str:
    """The mechanism of the note's injuries where it tells only one, whichever sentence it stands in; else empty."""
    told = {m.cause for m in reading.causes if m.kind == "mechanism" and m.assertion == "present"}
    return next(iter(told)) if len(told) == 1 else ""


def coded_of(option: Option, *, encounter: str, vocabulary: Vocabulary, mechanism: str = "") -> Coded:
    """An option as these rules see it.

    Parameters
    ----------
    option : Option
    encounter : str
        ``initial`` counts as a current injury.
    vocabulary : Vocabulary
    mechanism : str
        That of an injury which names none of its own.
    """
    problem = option.problem
    if problem is None:
        return Coded(option.code, facts=frozenset({"as_written"}))
    facts = set(_CONCEPT_FACTS.get(problem.concept, frozenset()))
    concept = vocabulary.concepts.get(problem.concept)
    facts |= _SAID & (problem.qualifiers | {problem.acuity})
    facts |= _SAID & concept.qualifiers - {"traumatic"} if concept else set()
    told = vocabulary.causes.get(problem.cause, ("", ()))[0] == "mechanism"  # else it is an operation or a disease
    cause = mechanism if problem.kind == "injury" and not told else problem.cause
    kind, codes = vocabulary.causes.get(cause, ("", ()))
    if kind == "mechanism" and codes and codes[0].startswith(("V", "W", "X50.0")):
        facts.add("traumatic")
    force = force_of(cause)
    if force:
        facts.add(f"{force}_trauma")
    if encounter == "initial":
        facts.add("initial")
    sites = problem.sites or next((m.sites for m in problem.mentions if m.sites), ())
    words = option.title.lower().replace(",", " ").split()
    side = next((word for word in ("right", "left", "bilateral") if word in words), problem.side)
    return Coded(option.code, sites, side, frozenset(facts))


def rulings(coded: Sequence[Coded], edition: Edition, vocabulary: Vocabulary, *, pain_management: bool = False) -> list[Ruling]:
    """What all rules of this module say of the codes that are about to be reported."""
    return [
        *injury_or_chronic(coded, vocabulary),
        *fragility_fracture(coded, edition),
        *aftercare_or_injury(coded, vocabulary),
        *pain_codes(coded, vocabulary, pain_management=pain_management),
        *fall_codes(coded),
    ]


def same_place(first: Coded, second: Coded, vocabulary: Vocabulary) -> bool:
    """Whether the two may be at one place: neither sides nor sites contradict each other; unknown ones do not."""
    if {first.side, second.side} == {"right", "left"}:
        return False
    if not first.sites or not second.sites:
        return True
    return any(
        vocabulary.related(a, b) or vocabulary.lineage(a)[:2][-1] == vocabulary.lineage(b)[:2][-1]
        for a in first.sites
        for b in second.sites
    )


# ---------------------------------------------------------------- injury or chronic condition (I.C.13.b)


@dataclass(frozen=True, slots=True)
class Counterpart:
    """A chronic condition of chapter 13 (or 6) and the current injury of chapter 19 at the same structure."""

    chronic: tuple[str, ...]
    injury: tuple[str, ...]
    what: str
    source: str


@lru_cache(maxsize=1)
def counterparts() -> tuple[Counterpart, ...]:
    """The rows of chronicity.tsv."""
    return tuple(
        Counterpart(tuple(split_cell(r["chronic"])), tuple(split_cell(r["injury"])), r["what"], r["source"])
        for r in read_table("chronicity.tsv")
    )


def injury_or_chronic(coded: Sequence[Coded], vocabulary: Vocabulary) -> list[Ruling]:
    """One condition coded in chapter 13 and in chapter 19: which one the documentation supports.

    Current, acute injuries go to chapter 19; healed, old, chronic and recurrent ones to chapter 13. Where the note says
    both or neither, the provider is asked, as the guideline wants. A code of its own that contradicts its time (an
    injury that the note calls chronic or recurrent) gets a ``prefer``.
    """
    rulings: list[Ruling] = []
    settled: set[str] = set()
    for row in counterparts():
        for chronic in (c for c in coded if c.code.startswith(row.chronic)):
            for injury in (c for c in coded if c.code.startswith(row.injury)):
                if not same_place(chronic, injury, vocabulary):
                    continue
                settled |= {chronic.code, injury.code}
                facts = chronic.facts | injury.facts
                late, fresh = bool(facts & LATE), bool(facts & FRESH)
                if late and not fresh:
                    text = f"{row.what}: healed, chronic or recurrent conditions are coded in chapter 13"
                    rulings.append(Ruling("injury-or-chronic", "block", injury.code, text, row.source, (chronic.code,)))
                elif fresh and not late:
                    text = f"{row.what}: a current, acute injury is coded in chapter 19"
                    rulings.append(Ruling("injury-or-chronic", "block", chronic.code, text, row.source, (injury.code,)))
                else:
                    text = f"{row.what}: is it a current injury ({injury.code}) or a chronic or old one ({chronic.code})?"
                    rulings.append(Ruling("injury-or-chronic", "ask", injury.code, text, row.source, (chronic.code,)))
    for item in coded:
        if item.code in settled:
            continue
        for row in counterparts():
            if item.code.startswith(row.injury) and item.facts & LATE and not item.facts & FRESH and item.code[-1] != "S":
                text = f"{row.what}: the note calls it healed, chronic or recurrent, so chapter 13 applies"
                rulings.append(Ruling("injury-or-chronic", "prefer", item.code, text, row.source, row.chronic))
                break
            if item.code.startswith(row.chronic) and not item.code.startswith(SYMPTOMS) and {"acute", "traumatic"} <= item.facts:
                text = f"{row.what}: the note describes a current injury, so chapter 19 applies"
                rulings.append(Ruling("injury-or-chronic", "prefer", item.code, text, row.source, row.injury))
                break
    return _unique(rulings)


# ---------------------------------------------------------------- fragility fractures (I.C.13.c-d, I.C.19.c.1)


def is_traumatic_fracture(code: str, edition: Edition) -> bool:
    """Whether a code of chapter 19 is a fracture by its title."""
    return code.startswith(_FRACTURES) and "fracture" in edition.title(code).lower()


def osteoporotic_code(fracture: str, side: str, edition: Edition) -> str:
    """The code of M80.0- that replaces a traumatic fracture code, or empty where there is none.

    Parameters
    ----------
    fracture : str
        Billable code of a traumatic fracture; its 7th character is carried over (open letters to the closed ones).
    side : str
        right, left or unspecified; where unspecified the side of the title of ``fracture`` counts.
    edition : Edition
    """
    title = edition.title(fracture).lower()
    if side not in {"right", "left"}:
        side = next((word for word in ("right", "left") if f"{word} " in title or f" {word}" in title), "unspecified")
    for row in read_osteoporotic_sites():
        if not fracture.startswith(row[0]):
            continue
        leaves = edition.leaves_below(f"M80.0{row[1]}")
        for leaf in leaves:
            words = edition.title(leaf).lower().rsplit(",", 1)[-1].split()
            if len(leaves) == 1 or side in words:
                letter = _M80_LETTER.get(fracture[-1], "D") if len(fracture) == 8 else "D"
                return edition.with_seventh(leaf, letter)
    return ""


@lru_cache(maxsize=1)
def read_osteoporotic_sites() -> tuple[tuple[tuple[str, ...], str], ...]:
    """Fracture prefixes and the character of M80.0- for their site."""
    return tuple((tuple(split_cell(row["fracture"])), row["suffix"]) for row in read_table("osteoporotic_sites.tsv"))


def fragility_fracture(coded: Sequence[Coded], edition: Edition) -> list[Ruling]:
    """A fracture of a patient with osteoporosis: M80, not a traumatic fracture, unless the trauma would break any bone.

    With a minor fall the traumatic code is blocked; without a stated trauma the provider is asked. M81 (no current
    fracture) is blocked beside M80.
    """
    osteoporosis = [c for c in coded if c.code.startswith(("M81", "M80"))]
    if not osteoporosis:
        return []
    rulings = []
    source = "I.C.13.d.2; I.C.19.c.1"
    replaced = any(c.code.startswith("M80") for c in coded)
    for item in coded:
        if not is_traumatic_fracture(item.code, edition) or item.facts & MAJOR_TRAUMA or item.code[-1] == "S":
            continue
        instead = osteoporotic_code(item.code, item.side, edition)
        other = (instead,) if instead else ()
        if "minor_trauma" in item.facts:
            replaced = True
            text = "known osteoporosis and a minor fall: the fracture is coded as osteoporotic (M80)"
            rulings.append(Ruling("fragility-fracture", "replace" if instead else "block", item.code, text, source, other))
        else:
            text = (
                f"Known osteoporosis: would the trauma break a normal bone? If not, {item.code} is coded as {instead or 'M80.-'}."
            )
            rulings.append(Ruling("fragility-fracture", "ask", item.code, text, source, other))
    if replaced:
        for item in osteoporosis:
            if item.code.startswith("M81"):
                text = "M81 is osteoporosis without current pathological fracture"
                current = tuple(c.code for c in coded if c.code.startswith("M80")) or tuple(
                    code for ruling in rulings if ruling.action == "replace" for code in ruling.other
                )
                rulings.append(Ruling("fragility-fracture", "block", item.code, text, "I.C.13.d.1; Excludes1 at M81", current))
    return _unique(rulings)


# ---------------------------------------------------------------- aftercare or injury (I.C.19.a, I.C.21.c.7, II.K)


def aftercare_or_injury(coded: Sequence[Coded], vocabulary: Vocabulary) -> list[Ruling]:
    """Aftercare Z codes are not for injuries: the injury code with its later 7th character says it already."""
    injuries = [c for c in coded if c.code[0] in "ST" and c.code < "T80" and len(c.code) == 8 and c.code[-1] != "S"]
    rulings = []
    for item in coded:
        if not item.code.startswith(AFTERCARE):
            continue
        beside = [i for i in injuries if same_place(item, i, vocabulary)]
        if beside:
            where = "Z47" if item.code.startswith("Z47") else "Z48"
            text = f"aftercare of an injury is reported with the injury code and its 7th character, here {beside[0].code}"
            source = f"I.C.19.a; I.C.21.c.7; Excludes1 at {where}"
            rulings.append(Ruling("aftercare-not-for-injury", "block", item.code, text, source, tuple(i.code for i in beside)))
    return rulings


# ---------------------------------------------------------------- pain (I.C.6.b)


def pain_codes(coded: Sequence[Coded], vocabulary: Vocabulary, *, pain_management: bool = False) -> list[Ruling]:
    """When a code of G89 may stand, and before or after the code of the site.

    Parameters
    ----------
    coded : sequence of Coded
    vocabulary : Vocabulary
    pain_management : bool
        Whether pain control is the reason for the visit; then G89 stands, and stands first.
    """
    rulings = []
    for item in coded:
        if not item.code.startswith("G89"):
            continue
        kinds = next((facts for prefix, facts in _PAIN_TYPES.items() if item.code.startswith(prefix)), frozenset[str]())
        if item.code == "G89.4" and "chronic" in item.facts and not item.facts & {"pain_syndrome", "as_written"}:
            text = "chronic pain is G89.2-; chronic pain syndrome is another condition and must be documented as such"
            rulings.append(Ruling("pain-g89", "prefer", item.code, text, "I.C.6.b.6", ("G89.29",)))
            continue
        if kinds and not (kinds | {"as_written"}) & item.facts:
            text = f"{item.code} needs pain that is documented as {' or '.join(sorted(k.replace('_', '-') for k in kinds))}"
            rulings.append(Ruling("pain-g89", "block", item.code, text, "I.C.6.b.1"))
            continue
        known = [c for c in coded if _definitive(c.code) and same_place(item, c, vocabulary)]
        if known and not pain_management and not item.code.startswith(("G89.3", "G89.4", "G89.0")):
            text = "the cause of the pain is known and treated; G89 is for visits for pain control"
            rulings.append(Ruling("pain-g89", "block", item.code, text, "I.C.6.b.1", tuple(c.code for c in known)))
            continue
        local = tuple(c.code for c in coded if is_site_pain(c.code))
        if local:
            first, then = ((item.code,), local) if pain_management else (local, (item.code,))
            text = f"{', '.join(first)} before {', '.join(then)}: the order follows the reason of the visit (I.C.6.b.1.b.ii)."
            rulings.append(Ruling("pain-g89", "notice", item.code, text, "I.C.6.b.1.b.ii", local))
    return rulings


def is_site_pain(code: str) -> bool:
    """Whether the code says where it hurts and not why."""
    return code.startswith(("M25.5", "M54", "M79.1", "M79.6", "R07", "R10", "R51"))


def _definitive(code: str) -> bool:
    return code[0] in "ACDEGIMNST" and not code.startswith((*SYMPTOMS, "G89"))


# ---------------------------------------------------------------- falls (I.C.18.d)


def fall_codes(coded: Sequence[Coded]) -> list[Ruling]:
    """R29.6 for recent falls whose cause is being looked for, Z91.81 for falls in the past with a risk; both may stand."""
    rulings = []
    facts = frozenset(fact for item in coded for fact in item.facts)
    for item in coded:
        if item.code == "R29.6" and "recent_fall" not in item.facts and "past_fall" in facts:
            text = "R29.6 is for a patient who has recently fallen and whose falls are being investigated; past falls are Z91.81"
            rulings.append(Ruling("falls", "prefer", item.code, text, "I.C.18.d", ("Z91.81",)))
        elif item.code == "Z91.81" and "past_fall" not in item.facts and "recent_fall" in facts:
            text = "Z91.81 is for falls in the past; a recent fall that is being investigated is R29.6, and both may stand"
            rulings.append(Ruling("falls", "notice", item.code, text, "I.C.18.d", ("R29.6",)))
    return rulings


def _unique(rulings: Iterable[Ruling]) -> list[Ruling]:
    kept: dict[tuple[str, str, str], Ruling] = {}
    for ruling in rulings:
        kept.setdefault((ruling.rule, ruling.action, ruling.code), ruling)
    return list(kept.values())
