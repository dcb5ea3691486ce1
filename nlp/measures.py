"""Numbers of a note that decide a code: body mass index, weeks of gestation, how long consciousness was lost."""

from __future__ import annotations

import re
from collections.abc import Iterator

from nlp.finding import Measure

_NUMBER = r"(\d{1,3}(?:\.\d{1,2})?)"
_BMI = re.compile(rf"\b(?:BMI|body mass index)\b[^\d\n;]{{0,12}}{_NUMBER}(?!\s*(?:%|th\b|\d|percent))", re.IGNORECASE)
_NOT_NOW = re.compile(r"\b(?:goal|target|previous|prior|was)\b[^.\n]{0,15}$", re.IGNORECASE)

_WEEKS = r"(\d{1,2})(?:\s?\+\s?\d|\s?w(?:eeks?|ks?)?\s?\d\s?d(?:ays?)?)?"
_GESTATION = (
    re.compile(
        rf"\b{_WEEKS}[\s-]*(?:weeks?|wks?|w)?[\s-]*"
        r"(?:pregnan\w*|gestation\w*|of\s+(?:gestation|pregnancy)|intrauterine|gravid|EGA\b|IUP\b)",
        re.IGNORECASE,
    ),
    re.compile(
        rf"\b(?:pregnan\w*|gestation\w*|EGA|IUP|prenatal|antepartum|gravid)\b[^\d.\n;]{{0,20}}\b{_WEEKS}\s*-?\s*(?:weeks?|wks?|w\b)",
        re.IGNORECASE,
    ),
)
_BORN = re.compile(r"\b(?:born|birth|delivered|preterm|premature|prematurity|ex|infant|baby|nicu)\b[^.\n]{0,30}$", re.IGNORECASE)

_VALUES = {
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
    "twelve": 12, "fifteen": 15, "twenty": 20, "thirty": 30, "forty": 40, "sixty": 60,
}  # fmt: skip
_COUNT = rf"(\d{{1,3}}|(?:{'|'.join(sorted(_VALUES, key=len, reverse=True))}))"
_UNIT = r"(sec|min|hour|hr|h\b|day|week)"
_LOST = r"(?:LOC|loss of consciousness|lost consciousness|(?:was\s+)?(?:unconscious|knocked out|unresponsive))"
_AWAKE = re.compile(
    r"\b(?:no|without|w/o|denies|denied|negative(?: for)?|neg|never|not)\s+(?:any\s+)?"
    r"(?:LOC|loss of consciousness|lost consciousness|unconscious|knocked out)\b"
    r"|\b(?:did not|didn't|never)\s+lose\s+consciousness\b|\(-\)\s*LOC\b"
    r"|\bLOC\s*(?::|=)?\s*(?:-(?!\s*\d)|\(-\)|none\b|neg\b|no\b)",
    re.IGNORECASE,
)
_LASTED = re.compile(
    rf"\b{_LOST}\b[^\d.\n;]{{0,25}}?\b{_COUNT}\s*(?:-|to)?\s*{_COUNT}?\s*\+?\s*{_UNIT}|\b{_COUNT}\s*-?\s*{_UNIT}[a-z]*\s+(?:of\s+)?{_LOST}\b",
    re.IGNORECASE,
)
_FEW_ARE = 10
_FEW = re.compile(rf"\b{_LOST}\b[^\d.\n;]{{0,20}}\b(?:few|several|couple(?: of)?)\s+(sec|min)", re.IGNORECASE)
_MINUTES = {"s": 1 / 60, "m": 1.0, "h": 60.0, "d": 1440.0, "w": 10080.0}


def measures_in(text: str) -> list[Measure]:
    """The measures of a note, each kind at its first mention.

    Returns
    -------
    list of Measure
        ``bmi`` in kg/m² from 10 to 99; ``gestation`` in completed weeks, 4 to 42, of a pregnancy and not of a birth;
        ``unconscious`` in minutes, 0 where the note says that consciousness was kept; "a few minutes" count as ten.

    Examples
    --------
    >>> [(m.kind, m.value) for m in measures_in("BMI 34.5. Pregnant, 28 weeks. LOC for 45 minutes.")]
    [('bmi', 34.5), ('gestation', 28.0), ('unconscious', 45.0)]
    """
    found: dict[str, Measure] = {}
    for measure in (*_bmi(text), *_gestation(text), *_unconscious(text)):
        found.setdefault(measure.kind, measure)
    return list(found.values())


def _before(text: str, position: int) -> str:
    return text[max(0, position - 60) : position]


def _bmi(text: str) -> Iterator[Measure]:
    for match in _BMI.finditer(text):
        value = float(match.group(1))
        if 10 <= value < 100 and not _NOT_NOW.search(_before(text, match.start())):
            yield Measure("bmi", value, *match.span())


def _gestation(text: str) -> Iterator[Measure]:
    for pattern in _GESTATION:
        for match in pattern.finditer(text):
            weeks = int(match.group(1))
            if 4 <= weeks <= 42 and not _BORN.search(_before(text, match.start())):
                yield Measure("gestation", float(weeks), *match.span())


def _unconscious(text: str) -> Iterator[Measure]:
    for match in _AWAKE.finditer(text):
        yield Measure("unconscious", 0.0, *match.span())
    for match in _LASTED.finditer(text):
        first, second, unit, leading, own = match.groups()
        count = (second or first or leading).lower()
        value = float(_VALUES.get(count, 0) or count) * _MINUTES[(unit or own)[0].lower()]
        yield Measure("unconscious", value, *match.span())
    for match in _FEW.finditer(text):
        yield Measure("unconscious", _FEW_ARE * _MINUTES[match.group(1)[0].lower()], *match.span())
