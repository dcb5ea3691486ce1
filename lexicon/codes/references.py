"""The grammar of code references in instructional notes.

A note such as ``facial weakness following cerebrovascular disease (I69. with final characters -92)`` names codes by a
pattern. This module turns the text of a note into :class:`Reference` objects that can say whether a code is meant.
The forms were collected from every note of the April 2026 tabular list.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_CODE = r"[A-Z][0-9][0-9A-Z](?:\.[0-9A-Z]*)?"
_RANGE = re.compile(rf"(?<![A-Z0-9])({_CODE})(?:\.?-)?(?:\s*-\s*|\s+to\s+)({_CODE})(?![0-9A-Z])")
_SINGLE = re.compile(rf"(?<![A-Z0-9])({_CODE})\.?-?(?![0-9A-Z])")
_ORDINALS = {"fourth": 4, "4th": 4, "fifth": 5, "5th": 5, "sixth": 6, "six": 6, "6th": 6, "seventh": 7, "7th": 7}
_SPAN = r"[0-9A-Z](?:\s*-\s*[0-9A-Z])?"
_AND = r"\s*(?:,|or|and)\s*"
_POSITION = re.compile(
    r"with\s+((?:fourth|fifth|sixth|six|seventh|[4-7]th)(?:\s*(?:or|to|,)\s*(?:fifth|sixth|six|seventh|[4-7]th))*)"
    rf"[\s-]+characters?\s+\.?([0-9A-Z]{{2}}|{_SPAN}(?:{_AND}{_SPAN})*)(?![0-9A-Za-z])",
)
_FINAL = re.compile(r"with\s+final\s+characters?\s+((?:[-.]?[0-9A-Z]{1,4}-?(?:\s*(?:,|or|and)\s*)?)+)")
_SUFFIX = re.compile(
    r"with\s+((?:\.[0-9A-Z]{1,4}(?:\s*-\s*\.[0-9A-Z]{1,4}|-)?\.?\s*(?:(?:,|or|and)\s*)?)+)",
)
# What looks like a code, and a condition on characters that names them: for measuring how much is understood.
_CODE_LIKE = re.compile(rf"(?<![A-Za-z0-9.]){_CODE}(?![0-9A-Za-z])")
_CONDITION_LIKE = re.compile(
    r"\bwith\s+(?:\.[0-9]|(?:final|fourth|fifth|six|sixth|seventh|[4-7]th)\b[^()]*\bcharacters?\s+[-.]?[0-9A-Z](?![a-z]))"
)


@dataclass(frozen=True, slots=True)
class Reference:
    """Codes named by a note: all codes from ``low`` to ``high`` (prefixes, both included) that meet the condition.

    Attributes
    ----------
    low, high : str
        Prefixes of codes, dots included. For a single code both are the same.
    positions : tuple of int
        Character positions (1-based, the dot not counted). The last of them that the code fills, placeholders X not
        counted, must hold one of ``characters``: "fifth or sixth character" is the sixth where there is one.
    characters : frozenset of str
        Allowed characters at ``positions``.
    endings : tuple of str
        Endings after the category, without dot, one of which the code must have (``"92"`` matches ``I69.392``).
    anchored : bool
        Whether the ending starts right after the dot (``E08-E13 with .42``) or may stand at the end.
    """

    low: str
    high: str
    positions: tuple[int, ...] = ()
    characters: frozenset[str] = frozenset()
    endings: tuple[str, ...] = ()
    anchored: bool = False

    def matches(self, code: str) -> bool:
        """Whether ``code`` (dotted, with or without 7th character) is one of the codes that the reference names."""
        if not (code[: len(self.low)] >= self.low and code[: len(self.high)] <= self.high):
            return False
        if self.positions:
            bare = code.replace(".", "")
            filled = [bare[position - 1] for position in self.positions if len(bare) >= position]
            return next((character in self.characters for character in reversed(filled) if character != "X"), False)
        if self.endings:
            rest = code[4:]
            if self.anchored:
                return any(rest.startswith(ending) for ending in self.endings)
            return any(rest[:3].rstrip("X").endswith(ending) for ending in self.endings)
        return True

    @property
    def text(self) -> str:
        """The reference as a reader would write it."""
        base = f"{self.low}-" if self.low == self.high else f"{self.low}-{self.high}"
        if self.positions:
            places = " or ".join(str(position) for position in self.positions)
            return f"{base} with character {places} in {''.join(sorted(self.characters))}"
        if self.endings:
            return f"{base} with {', '.join(self.endings)}"
        return base


def _condition(text: str) -> tuple[tuple[int, ...], frozenset[str], tuple[str, ...], bool] | None:
    """The ``with ...`` part of a parenthesis, or None."""
    match = _POSITION.search(text)
    if match:
        positions = tuple(
            dict.fromkeys(_ORDINALS[word] for word in re.findall(r"fourth|fifth|sixth|six|seventh|[4-7]th", match.group(1)))
        )
        written = match.group(2)
        if re.fullmatch(r"[0-9A-Z]{2}", written):  # "fifth to sixth characters 51": one character for each position
            return (), frozenset(), (written,), False
        characters: set[str] = set()
        for first, last in re.findall(r"([0-9A-Z])(?:\s*-\s*([0-9A-Z]))?", written):
            characters.update(chr(number) for number in range(ord(first), ord(last or first) + 1))
        return positions, frozenset(characters), (), False
    match = _FINAL.search(text)
    if match:
        parts = re.findall(r"[-.]?([0-9A-Z]{1,4})", match.group(1))
        return (), frozenset(), tuple(parts), "." in match.group(1)
    match = _SUFFIX.search(text)
    if match:
        endings: list[str] = []
        for first, last in re.findall(r"\.([0-9A-Z]{1,4})(?:\s*-\s*\.([0-9A-Z]{1,4}))?", match.group(1)):
            if last and first.isdigit() and last.isdigit() and len(first) == len(last):
                width = len(first)
                endings.extend(str(number).zfill(width) for number in range(int(first), int(last) + 1))
            else:
                endings.append(first)
        return (), frozenset(), tuple(endings), True
    return None


def _references_in(text: str) -> list[Reference]:
    condition = _condition(text)
    positions, characters, endings, anchored = condition or ((), frozenset[str](), (), False)
    found: list[tuple[int, str, str]] = []
    covered: list[tuple[int, int]] = []
    for match in _RANGE.finditer(text):
        low, high = match.group(1).rstrip("."), match.group(2).rstrip(".")
        if low <= high:
            found.append((match.start(), low, high))
            covered.append(match.span())
    for match in _SINGLE.finditer(text):
        if any(start <= match.start() < end for start, end in covered):
            continue
        code = match.group(1).rstrip(".")
        found.append((match.start(), code, code))
    return [
        Reference(low, high, positions, characters, endings, anchored) for _, low, high in sorted(found, key=lambda item: item[0])
    ]


def parse_references(text: str) -> tuple[Reference, ...]:
    """The codes that the text of an instructional note names.

    Codes in parentheses count; where no parenthesis holds one, bare codes count ("torticollis NOS M43.6"). Codes that
    a note names as an aside before a parenthesised reference (``vitamin B12 (D51.3)``) do not.

    Examples
    --------
    >>> [reference.text for reference in parse_references("myalgia (M79.1-)")]
    ['M79.1-']
    >>> parse_references("facial weakness (I69. with final characters -92)")[0].matches("I69.392")
    True
    """
    inside: list[Reference] = []
    for match in re.finditer(r"\(([^()]*)[)}]", text):
        part = match.group(1)
        after = re.match(r"\s*(with\s[^()]*)", text[match.end() :])  # "(T36-T50) with fifth or sixth character 6"
        if after and _condition(after.group(1)):
            part = f"{part} {after.group(1)}"
        inside.extend(_references_in(part))
    if not inside:
        inside = _references_in(_without_vitamins(text))
    return tuple(dict.fromkeys(inside))


def _without_vitamins(text: str) -> str:
    return re.sub(r"\bvitamin B\d+\b", "", text)


@dataclass(frozen=True, slots=True)
class ParseRate:
    """How much of the notes of one kind the grammar understands.

    Attributes
    ----------
    notes : int
        All notes of the kind.
    naming : int
        Those whose text holds something that looks like a code; the others can only be advice.
    parsed : int
        Those of ``naming`` that gave a reference, with its condition where the text has one.
    """

    notes: int
    naming: int
    parsed: int

    @property
    def rate(self) -> float:
        """Share of the notes naming a code that were understood, 1.0 where no note names one."""
        return self.parsed / self.naming if self.naming else 1.0


def parse_rates(notes: Iterable[tuple[str, str]]) -> dict[str, ParseRate]:
    """The parse rate by kind of note.

    Parameters
    ----------
    notes : iterable of (kind, text)

    Returns
    -------
    dict of str to ParseRate
        Keyed by kind, in alphabetical order.

    Examples
    --------
    >>> parse_rates([("excludes1", "myalgia (M79.1-)"), ("excludes1", "current injury - see injury")])["excludes1"]
    ParseRate(notes=2, naming=1, parsed=1)
    """
    counts: dict[str, list[int]] = {}
    for kind, text in notes:
        count = counts.setdefault(kind, [0, 0, 0])
        count[0] += 1
        if not _CODE_LIKE.search(_without_vitamins(text)):
            continue
        count[1] += 1
        references = parse_references(text)
        conditioned = any(reference.positions or reference.endings for reference in references)
        if references and (conditioned or not _CONDITION_LIKE.search(text)):
            count[2] += 1
    return {kind: ParseRate(*counts[kind]) for kind in sorted(counts)}
