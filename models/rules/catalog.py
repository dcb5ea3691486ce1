"""The catalogue of rules: every rule with its id, statement, source and example, and the one form of what a rule says."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from lexicon.errors import LexiconError
from lexicon.tables import read_table
from models.coding import RuleVerdict

Action = Literal["block", "prefer", "replace", "ask", "notice"]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of the layer.

    Attributes
    ----------
    id : str
        Name that verdicts and audit findings carry.
    family : str
        Module of ``models.rules`` (or of ``models``) that applies it.
    statement : str
        What it says, in one line.
    source : str
        Section of the official guidelines, or the kind of tabular note.
    example : str
        A case in which it decides.
    note, shows : str
        The case as a note, and what its coding or audit must show; a test reads them. ``[date 2026-10-15]``, ``[age 40]``,
        ``[sex male]``, ``[external]`` and ``[audit M79.1,R53.1]`` stand before the text. Claims, parted by ``|``: ``M17.11`` is
        recommended, ``not M25.561``, ``blocked M25.561`` by this rule, ``A before B``, ``A first``, ``asks ...`` and
        ``tells ...`` words of a question or a notice, ``finds kind`` of an audit.
    """

    id: str
    family: str
    statement: str
    source: str
    example: str
    note: str
    shows: str

    def verdict(self, *by: str) -> RuleVerdict:
        """The rule as the reason why a code is blocked, by other codes or by itself."""
        return RuleVerdict(id=self.id, text=self.statement, source=self.source, blocked_by=list(by))


@dataclass(frozen=True, slots=True)
class Ruling:
    """What a rule says of one code.

    Attributes
    ----------
    rule : str
        Id of the rule in the catalogue.
    action : str
        ``block`` the code, ``prefer`` the codes in ``other`` to it if the note proposes them, ``replace`` it by the code
        in ``other`` in any case, ``ask`` the clinician, or give a ``notice``.
    code : str
        The code that the ruling is about.
    other : tuple of str
        Codes that stand against it or should be used instead; empty if there are none.
    text : str
        The reason for a reader; it never holds note text.
    source : str
        Where the rule stands.
    """

    rule: str
    action: Action
    code: str
    text: str
    source: str
    other: tuple[str, ...] = ()

    def verdict(self) -> RuleVerdict:
        """The ruling as a suggestion carries it."""
        return RuleVerdict(id=self.rule, text=self.text, source=self.source, blocked_by=list(self.other))


_COLUMNS = tuple(Rule.__dataclass_fields__)


@lru_cache(maxsize=1)
def _catalog() -> dict[str, Rule]:
    catalog: dict[str, Rule] = {}
    for row in read_table("rules.tsv"):
        rule = Rule(**{name: row[name] for name in _COLUMNS})
        if rule.id in catalog:
            raise LexiconError(f"rules.tsv: rule {rule.id!r} stands twice")
        if not all(row[name] for name in _COLUMNS):
            raise LexiconError(f"rules.tsv: rule {rule.id!r} has an empty cell")
        catalog[rule.id] = rule
    return catalog


def rules() -> list[Rule]:
    """Every rule, in the order of the table: conventions first, then by family.

    Raises
    ------
    LexiconError
        If the table is malformed.
    """
    return list(_catalog().values())


def rule(rule_id: str) -> Rule:
    """The rule with this id.

    Raises
    ------
    LexiconError
        If the catalogue has no such rule.
    """
    found = _catalog().get(rule_id)
    if found is None:
        raise LexiconError(f"there is no rule {rule_id!r}; `theracode explain --rules` lists those that exist")
    return found
