"""External causes: how and where an injury happened, as chapter 20 reports it (guideline I.C.20).

The mechanism is reported at each encounter for which the injury is treated, with the 7th character of the injury;
place, activity and status only once, at the initial encounter. Nothing here is ever first, and nothing is reported
without a condition that has an external cause.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Literal

from lexicon.codes.edition import Edition
from lexicon.tables import read_table, split_cell
from lexicon.vocabulary import Vocabulary
from nlp.finding import CauseMention, Reading

Kind = Literal["mechanism", "place", "activity", "status"]

# Not stated is not reported (I.C.20.b, c, k).
NEVER = ("Y92.9", "Y93.9", "Y99.9")
# First the events that the guideline puts first (I.C.20.f): abuse, terrorism, cataclysm, transport, then the rest.
_PRIORITY = (("X92", "Y09"), ("Y38", "Y38"), ("X34", "X39"), ("V00", "V99"))
# Medical care as a cause belongs to complications, not to injuries (I.C.19.b.3).
_MEDICAL = ("Y62", "Y84")
_INJURED = frozenset({"injury", "procedure"})
_REASON = {
    "mechanism": ("mechanism of the injury, at each encounter of its treatment", "I.C.20.a.2"),
    "place": ("place of occurrence, once, at the initial encounter", "I.C.20.b"),
    "activity": ("activity, once, at the initial encounter", "I.C.20.c"),
    "status": ("external cause status, once, at the initial encounter", "I.C.20.k"),
}


@dataclass(frozen=True, slots=True)
class ExternalCause:
    """One external cause code with its evidence.

    Attributes
    ----------
    code, title : str
        Billable code and its official title.
    kind : str
        mechanism, place, activity or status; the order of the list is the order to report in.
    start, end : int
        Character span of the words in the note.
    reason : str
        What the code says and which 7th character it took; no note text.
    source : str
        Section of the guidelines.
    """

    code: str
    title: str
    kind: Kind
    start: int
    end: int
    reason: str
    source: str


@dataclass(frozen=True, slots=True)
class _Families:
    weak: frozenset[str]
    force: tuple[tuple[str, str], ...]
    yields: dict[str, tuple[str, ...]]
    joins: dict[str, tuple[tuple[frozenset[str], str, str], ...]]


@lru_cache(maxsize=1)
def _families() -> _Families:
    weak: set[str] = set()
    force: list[tuple[str, str]] = []
    yields: dict[str, tuple[str, ...]] = {}
    joins: dict[str, list[tuple[frozenset[str], str, str]]] = {}
    for row in read_table("cause_families.tsv"):
        if row["relation"] == "weak":
            weak.add(row["cause"])
        elif row["relation"] in {"minor", "major"}:
            force.append((row["cause"], row["relation"]))
        elif row["relation"] == "yields":
            yields[row["cause"]] = tuple(split_cell(row["together"]))
        else:
            joins.setdefault(row["cause"], []).append((frozenset(split_cell(row["together"])), row["codes"], row["note"]))
    return _Families(frozenset(weak), tuple(force), yields, {cause: tuple(rows) for cause, rows in joins.items()})


@lru_cache(maxsize=512)
def force_of(cause: str) -> str:
    """How hard a mechanism hits: ``minor`` (would not usually break a normal bone), ``major``, or empty when unknown."""
    return next((force for pattern, force in _families().force if fnmatchcase(cause, pattern)), "")


def has_external_cause(code: str) -> bool:
    """Whether a condition is one that an external cause code explains.

    Injuries and stress fractures are. Poisonings, adverse effects and complications hold their cause in the code
    (I.C.20.a.8, I.C.19.g.4).
    """
    return code.startswith("M84.3") or (code[0] in "ST" and (code < "T36" or "T66" <= code < "T80"))


def letter_of(injury_codes: list[str], encounter: str) -> str:
    """The 7th character of cause codes: that of the injury (I.C.20.a.2), or that of the encounter if it has none.

    Fracture letters map to the three of chapter 20: B and C to A; E to R to D.
    """
    for code in injury_codes:
        if len(code) == 8:
            return {"A": "A", "B": "A", "C": "A", "S": "S"}.get(code[-1], "D")
    return {"initial": "A", "sequela": "S"}.get(encounter, "D")


def external_causes(
    reading: Reading, injury_codes: list[str], encounter: str, edition: Edition, vocabulary: Vocabulary
) -> list[ExternalCause]:
    """The external cause codes of a note, in the order to report them.

    Parameters
    ----------
    reading : Reading
        Its ``causes`` and the causes linked to its injuries. Negated, uncertain, family and hypothetical mentions do
        not count; a mention of the past counts only where it is the cause of an injury.
    injury_codes : list of str
        Codes of the note's sequence, the first-listed one first; those without an external cause are ignored.
    encounter : str
        ``initial``, ``subsequent`` or ``sequela``.
    edition : Edition
    vocabulary : Vocabulary

    Returns
    -------
    list of ExternalCause
        Empty without an injury. At most one place, one activity and one status.
    """
    injuries = [code for code in injury_codes if has_external_cause(code)]
    if not injuries:
        return []
    linked = {f.cause for f in reading.findings if f.cause and f.assertion in {"present", "historical"} and f.kind in _INJURED}
    table = _families()
    stated = [
        m
        for m in reading.causes
        if (m.assertion == "present" and m.cause not in table.weak)
        or (m.assertion in {"present", "historical"} and m.cause in linked)
    ]
    names = {m.cause for m in stated}
    letter = letter_of(injuries, encounter)
    result: list[ExternalCause] = []
    for mention in _mechanisms(stated, linked, vocabulary, table):
        cause = _cause(mention, "mechanism", letter, names, edition, vocabulary, table)
        if cause is not None and all(cause.code != other.code for other in result):
            result.append(cause)
    result.sort(key=lambda cause: _priority(cause.code))
    if encounter == "initial" and letter == "A":
        kinds: tuple[Kind, ...] = ("place", "activity", "status")
        for kind in kinds:
            if kind == "status" and not result:
                continue  # a status stands beside another external cause code (I.C.20.k)
            mentions = _specific([m for m in stated if m.kind == kind], table)
            found = (_cause(m, kind, letter, names, edition, vocabulary, table) for m in mentions)
            chosen = next((cause for cause in found if cause is not None), None)
            if chosen is not None:
                result.append(chosen)
    return result


def _mechanisms(stated: list[CauseMention], linked: set[str], vocabulary: Vocabulary, table: _Families) -> list[CauseMention]:
    """The mechanisms that count: those of the injuries if any has one, else all stated ones; causes with codes only."""
    mentions = [m for m in stated if m.kind == "mechanism" and vocabulary.causes[m.cause][1]]
    specific = _specific(mentions, table)
    kept = [m for m in specific if m.cause in linked or any(_yields(cause, m.cause, table) for cause in linked)]
    unique: dict[str, CauseMention] = {}
    for mention in kept or specific:
        unique.setdefault(mention.cause, mention)
    return list(unique.values())


def _yields(cause: str, other: str, table: _Families) -> bool:
    return cause != other and any(fnmatchcase(other, pattern) for pattern in table.yields.get(cause, ()))


def _specific(mentions: list[CauseMention], table: _Families) -> list[CauseMention]:
    """Mentions to which no other mention of the same kind is the more specific one, nor takes it in (room in a dwelling)."""
    names = {m.cause for m in mentions}
    taken = {part for cause in names for together, _, _ in table.joins.get(cause, ()) for part in together} - {
        cause for cause in names if cause in table.joins
    }
    return [
        m
        for m in mentions
        if m.cause not in taken
        and not any(_yields(m.cause, other, table) and not _yields(other, m.cause, table) for other in names)
    ]


def _cause(
    mention: CauseMention, kind: Kind, letter: str, names: set[str], edition: Edition, vocabulary: Vocabulary, table: _Families
) -> ExternalCause | None:
    reason, source = _REASON[kind]
    codes = list(vocabulary.causes[mention.cause][1])
    for together, joined, note in table.joins.get(mention.cause, ()):
        if not together.isdisjoint(names):
            codes.insert(0, joined)
            reason = f"{reason}; {note}"
            break
    for stem in codes:
        if _MEDICAL[0] <= stem[:3] <= _MEDICAL[1]:
            continue
        code = _billable(stem, letter, edition)
        if code:
            if edition.sevenths(edition.stem(code)):
                reason = f"{reason}; 7th character {code[-1]} as the injury has it"
            return ExternalCause(code, edition.title(code), kind, mention.start, mention.end, reason, source)
    return None


def _billable(stem: str, letter: str, edition: Edition) -> str:
    """The billable code of a stem: its unspecified leaf where it has children, with the 7th character; or empty."""
    leaves = edition.leaves_below(stem)
    if stem not in leaves:
        vague = [leaf for leaf in leaves if "unspecified" in edition.title(leaf).lower()]
        leaves = vague or leaves
    for leaf in leaves:
        if leaf.startswith(NEVER):
            continue
        letters = edition.sevenths(leaf)
        if not letters:
            return leaf
        if letter in letters:
            return edition.with_seventh(leaf, letter)
    return ""


def _priority(code: str) -> int:
    for place, (low, high) in enumerate(_PRIORITY):
        if low <= code[:3] <= high:
            return place
    return len(_PRIORITY)
