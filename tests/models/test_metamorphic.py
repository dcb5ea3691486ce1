"""What may be done to a note without a change of its codes, and what must change them: over the train and dev splits.

A relation is asserted as a share of notes: the share measured when the test was written, minus two points.
"""

from __future__ import annotations

import random
import re
import textwrap
from collections.abc import Callable, Iterator
from functools import cache

import pytest

import theracode
from corpora.schema import GoldNote

SAMPLE = 224
SEED = 11
MARGIN = 0.02

NORMAL_FINDINGS = """

Review of systems: denies fever, chest pain, night sweats and bowel or bladder changes.
Skin intact. Sensation intact to light touch. Reflexes 2+ and symmetric. Vital signs within normal limits."""
FAMILY_HISTORY = """

Family history: mother has rheumatoid arthritis and osteoporosis, father had a stroke at 70."""
GOALS = """

Goals:
1. Patient will walk 500 feet without a cane in 6 weeks.
2. Patient will climb 12 stairs to prevent falls in 8 weeks."""

_SIDES = {"right": "left", "r": "l", "rt": "lt", "rle": "lle", "rue": "lue", "rhd": "lhd", "ⓡ": "ⓛ"}
_SIDES |= {left: right for right, left in _SIDES.items()}
_SIDE_WORD = re.compile(
    r"(?<![\w/'’.-])(?:right|left|rt|lt|rle|lle|rue|lue|rhd|lhd|ⓡ|ⓛ)(?![\w'’])|(?<![\w/'’.&+-])[RL](?![\w/'’&+]|\.\w|-?\d)", re.IGNORECASE
)
_NO_SIDE = re.compile(r"\b(?:right (?:away|now|after|before)|all right|left (?:home|work|the|his|her|with|without|alone)|light touch)", re.IGNORECASE)


def swap_sides(text: str) -> str:
    """The note of the mirror image of the patient."""
    kept = [match.span() for match in _NO_SIDE.finditer(text)]

    def other(match: re.Match[str]) -> str:
        word = match.group()
        if any(start <= match.start() < end for start, end in kept) or (len(word) == 1 and word.islower()):
            return word
        swapped = _SIDES[word.lower()]
        return swapped.upper() if word.isupper() else swapped.capitalize() if word[0].isupper() else swapped

    return _SIDE_WORD.sub(other, text)


def wrap_lines(text: str) -> str:
    """Lines of prose broken at 60 columns, as a mail program does it."""
    return "\n".join(
        textwrap.fill(line, 60, break_long_words=False, break_on_hyphens=False) if len(line) > 60 and "|" not in line else line
        for line in text.split("\n")
    )


def other_bullets(text: str) -> str:
    """Lists with another mark."""
    text = re.sub(r"(?m)^(\s*)[-*•](?=\s)", r"\1•" if re.search(r"(?m)^\s*[-*]\s", text) else r"\1-", text)
    return re.sub(r"(?m)^(\s*\d)\.(?=\s)", r"\1)", text)


def typographic_quotes(text: str) -> str:
    """Straight quotes as a word processor sets them."""
    text = re.sub(r'"([^"\n]*)"', "\u201c\\1\u201d", text)
    return text.replace("'", "\u2019")


UNCHANGED: dict[str, tuple[Callable[[str], str], float]] = {
    "normal findings appended": (lambda text: text + NORMAL_FINDINGS, 0.9),
    "family history appended": (lambda text: text + FAMILY_HISTORY, 0.9),
    "goals appended": (lambda text: text + GOALS, 0.9),
    "lower case": (str.lower, 0.9),
    "upper case": (str.upper, 0.9),
    "lines wrapped": (wrap_lines, 0.9),
    "other bullets": (other_bullets, 0.9),
    "typographic quotes": (typographic_quotes, 0.9),
}
