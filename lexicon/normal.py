"""Tokens and their normal forms, the same for notes and for code titles.

Offsets always point into the original text; nothing is rewritten. A token's normal form is lower case, without
apostrophes, in American spelling and singular, so that a table lists each term once.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache

from lexicon.tables import read_table, split_cell

# Written forms that hold a slash, a dot or a sign and still are one word (s/p, c/o, w/o, 2/2). From the tables.
_LEVEL = r"[CTLS]\d{1,2}\s?[-/\u2013]\s?(?:[CTLS]?\d{1,2})(?!\d|\.\d|\w)|[CTLS]\d{1,2}(?!\.\d|\w)"
_CODE = r"[A-TV-Z]\d[0-9A-Z]\.[0-9A-Z]{1,4}(?![0-9A-Z])"
_GRADE = r"[0-5][+-]?\s?/\s?5(?![\d/])"
_WORD = r"[^\W\d_]+(?:['\u2019\u02bc][^\W\d_]+)*"
_BARRED = r"(?:[sc\u00e7pao]\u0304|\u0101|\u014d)(?!\w)"  # s, c, p, a, o with a bar: without, with, after, before, none


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of text with its place and normal form."""

    text: str
    start: int
    end: int
    norm: str


@cache
def _slash_forms() -> str:
    forms = sorted({part for row in read_table("joined_forms.tsv") for part in split_cell(row["form"])}, key=len, reverse=True)
    return "|".join(re.escape(form) for form in forms)


@cache
def token_pattern() -> re.Pattern[str]:
    """The one pattern that cuts text into tokens; every character belongs to exactly one match."""
    return re.compile(
        rf"(?P<space>\s+)|(?P<sign>\([-+\u2013\u2212]\))|(?P<joined>(?<![\w/])(?:{_slash_forms()})(?![\w/]))|(?P<code>\b{_CODE})|(?P<grade>(?<![\d/]){_GRADE})"
        rf"|(?P<level>\b(?:{_LEVEL}))|(?P<barred>{_BARRED})|(?P<word>{_WORD}\d*(?![^\W_]))|(?P<number>\d+(?:[.,]\d+)*(?![^\W_]))"
        r"|(?P<mixed>[^\W_]+)|(?P<other>.)",
        re.IGNORECASE | re.DOTALL,
    )


@cache
def _spellings() -> list[tuple[str, str]]:
    return [(row["written"], row["normal"]) for row in read_table("spellings.tsv") if row["where"] == "part"]


@cache
def _irregular() -> dict[str, str]:
    return {row["written"]: row["normal"] for row in read_table("spellings.tsv") if row["where"] == "word"}


_CACHE: dict[str, str] = {}
_CACHE_LIMIT = 200_000
_LEVEL_FORM = re.compile(r"([ctls])(\d{1,2})\s?[-/\u2013]\s?([ctls]?)(\d{1,2})$")


def normal_form(word: str) -> str:
    """The normal form of one token text.

    Examples
    --------
    >>> normal_form("Menisci"), normal_form("oedema"), normal_form("Bell\u2019s"), normal_form("L5-S1")
    ('meniscus', 'edema', 'bell', 'l5-s1')
    """
    known = _CACHE.get(word)
    if known is not None:
        return known
    norm = word.lower().replace("'", "").replace("\u2019", "").replace("\u02bc", "")
    if not norm.isascii():
        norm = "".join(
            letter for letter in unicodedata.normalize("NFD", norm) if unicodedata.category(letter) != "Mn" or letter == "\u0304"
        )
    if norm in {"(\u2013)", "(\u2212)"}:
        norm = "(-)"
    level = _LEVEL_FORM.match(norm)
    if level:
        first, low, second, high = level.groups()
        second = second or ("s" if first == "l" and int(high) < int(low) else first)
        norm = f"{first}{int(low)}-{second}{int(high)}"
    else:
        norm = _singular(norm)
    norm = norm or word  # a mark or an apostrophe alone
    if len(_CACHE) >= _CACHE_LIMIT:
        _CACHE.clear()
    _CACHE[word] = norm
    return norm


def _singular(word: str) -> str:
    irregular = _irregular()
    if word in irregular:
        return irregular[word]
    if len(word) > 4:
        for written, normal in _spellings():
            if written in word:
                word = word.replace(written, normal)
    if len(word) > 3 and word.endswith("s") and word.isalpha():
        if word.endswith(("ss", "us", "is")):
            return irregular.get(word, word)
        if word.endswith("ies") and len(word) > 4:
            word = f"{word[:-3]}y"
        elif word.endswith(("sses", "ches", "shes", "xes", "zes")):
            word = word[:-2]
        else:
            word = word[:-1]
    return irregular.get(word, word)


def tokenize(text: str) -> list[Token]:
    """Cut text into tokens; white space is left out.

    Examples
    --------
    >>> [token.norm for token in tokenize("R knees s/p TKA, L4-5")]
    ['r', 'knee', 's/p', 'tka', ',', 'l4-l5']
    """
    return [
        Token(match.group(), match.start(), match.end(), normal_form(match.group()))
        for match in token_pattern().finditer(text)
        if match.lastgroup != "space"
    ]


SKIPPED = frozenset("-\u2010\u2011\u2012\u2013'\u2019`\u201c\u201d\"")


def phrase(text: str) -> tuple[str, ...]:
    """Normal forms of a term: hyphens and quotes are dropped, as the matcher drops them in notes."""
    return tuple(token.norm for token in tokenize(text) if token.text not in SKIPPED)
