"""What may be done to a note without a change of its codes, and what must change them: over the train and dev splits.

A relation is asserted as a share of notes: the share measured when the test was written, minus two points. With
``--every-note`` (``make metamorphic``) the relations are measured over every note of every corpus, and only reported.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import cache
from itertools import permutations

import pytest

import theracode
from corpora.loaders import load_corpus
from corpora.schema import GoldNote
from corpora.train import PRACTICE
from lexicon.codes.registry import load_edition
from tests.conftest import SHARES

DAY = date(2026, 3, 14)
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
    r"(?<![\w/'\u2019.-])(?:right|left|rt|lt|rle|lle|rue|lue|rhd|lhd|ⓡ|ⓛ)(?![\w'\u2019])|(?<![\w/'\u2019.&+-])[RL](?![\w/'\u2019&+]|\.\w|-?\d)",
    re.IGNORECASE,
)
_CODE = re.compile(r"\b[A-TV-Z]\d[0-9A-Z]\.[0-9A-Z]{1,4}\b")
_NO_SIDE = re.compile(
    r"\b(?:right (?:away|now|after|before)|all right|left (?:home|work|the|his|her|with|without|alone)|light touch)",
    re.IGNORECASE,
)


def swap_sides(text: str) -> str:
    """The note of the mirror image of the patient; a note that writes codes stays, for they have a side of their own."""
    if _CODE.search(text):
        return text
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


@dataclass(frozen=True)
class Relation:
    """A change of the note that must not change its codes, and the share of notes for which that held when measured."""

    change: Callable[[str], str]
    held: float


UNCHANGED = {
    "normal findings appended": Relation(lambda text: text + NORMAL_FINDINGS, 0.995),
    "family history appended": Relation(lambda text: text + FAMILY_HISTORY, 0.995),
    "goals appended": Relation(lambda text: text + GOALS, 0.995),
    "lower case": Relation(str.lower, 0.915),
    "upper case": Relation(str.upper, 0.951),
    "lines wrapped": Relation(wrap_lines, 0.969),
    "other bullets": Relation(other_bullets, 1.0),
    "typographic quotes": Relation(typographic_quotes, 1.0),
}
SWAPPED = 1.0
NEGATED = 0.98
SIDED = 1.0
ORDERED = 0.99
UNRELATED = ("Assessment: Allergic rhinitis.", "Assessment: Psoriasis.")
UNRELATED_CODES = {"J30.9", "L40.9"}
_ANY_SIDE = re.compile(
    r"(?<![\w/'\u2019.-])(?:right|left|bilateral(?:ly)?|rt|lt|b/l)(?![\w'\u2019])\.? ?"
    r"|(?<![\w/'\u2019.&+-])(?:\([RL]\)|[RL])(?= \w)",
    re.IGNORECASE,
)


@pytest.fixture(scope="module")
def notes(request: pytest.FixtureRequest, seen_notes: list[GoldNote], all_notes: list[GoldNote]) -> list[GoldNote]:
    """The notes to measure on."""
    return [*all_notes, *load_corpus(PRACTICE)] if request.config.getoption("every_note") else seen_notes


@pytest.fixture(scope="module")
def codings(coder: theracode.Coder, notes: list[GoldNote]) -> dict[str, theracode.Coding]:
    """The coding of every note as it stands."""
    return {gold.id: coder.suggest(gold.to_note()) for gold in notes}


Report = Callable[[str, list[bool], float], None]


@pytest.fixture
def report(request: pytest.FixtureRequest) -> Report:
    """Put a share into the summary, and assert it where it was measured before."""

    def told(name: str, held: list[bool], before: float) -> None:
        share = sum(held) / len(held)
        request.config.stash.setdefault(SHARES, []).append((name, share, len(held)))
        every = request.config.getoption("every_note")
        assert every or share >= before - MARGIN, f"{name}: {share:.3f} of {len(held)} notes"

    return told


def changed(notes: list[GoldNote], change: Callable[[str], str]) -> Iterator[tuple[str, theracode.Note]]:
    """(id, changed note) of the notes that the change touches at all."""
    for gold in notes:
        text = change(gold.text)
        if text != gold.text:
            yield gold.id, gold.to_note().model_copy(update={"text": text})


@pytest.mark.parametrize(("name", "relation"), UNCHANGED.items(), ids=UNCHANGED)
def test_nothing_changes(
    coder: theracode.Coder,
    notes: list[GoldNote],
    codings: dict[str, theracode.Coding],
    report: Report,
    name: str,
    relation: Relation,
) -> None:
    held = [coder.suggest(note).sequence == codings[key].sequence for key, note in changed(notes, relation.change)]
    report(name, held, relation.held)


_DOMINANCE = re.compile(r"\b(?:non-?)?dominant\b")


def sides_of(coding: theracode.Coding, other: bool) -> set[str]:
    """Titles of the recommended codes without dominance, of the other side if wanted."""
    titles = {_DOMINANCE.sub("", suggestion.title.lower()) for suggestion in coding.recommended}
    if not other:
        return titles
    return {re.sub(r"\b(?:right|left)\b", lambda match: _SIDES[match.group()], title) for title in titles}


def test_the_mirror_image_has_the_other_sides(
    coder: theracode.Coder, notes: list[GoldNote], codings: dict[str, theracode.Coding], report: Report
) -> None:
    held = [sides_of(coder.suggest(note), False) == sides_of(codings[key], True) for key, note in changed(notes, swap_sides)]
    assert len(held) > 100
    report("right and left swapped", held, SWAPPED)


def with_words(text: str, places: Iterable[int], word: str) -> str:
    """The text with a word put in at some places."""
    for place in sorted(set(places), reverse=True):
        text = f"{text[:place]}{word} {text[place:]}"
    return text


def test_a_negated_finding_loses_its_code(
    coder: theracode.Coder, notes: list[GoldNote], codings: dict[str, theracode.Coding], report: Report
) -> None:
    """Each recommended code alone: "no" is put before all words that it rests on."""
    held = []
    for gold in notes:
        for suggestion in codings[gold.id].recommended:
            places = [piece.start for piece in suggestion.evidence]
            note = gold.to_note().model_copy(update={"text": with_words(gold.text, places, "no")})
            if places:
                held.append(suggestion.code not in coder.suggest(note).sequence)
    report("finding negated, its code is gone", held, NEGATED)


@cache
def codes_by_title(name: str) -> dict[str, str]:
    """The billable codes of an edition by their titles."""
    edition = load_edition(name)
    return {edition.title(code): code for code in edition.billable()}


def test_the_missing_side_makes_the_sided_code(coder: theracode.Coder, notes: list[GoldNote], report: Report) -> None:
    """All sides are taken out of a note, then "right" is put before the words of each code that has a sided twin."""
    held = []
    for gold in notes:
        bare = gold.to_note().model_copy(update={"text": re.sub(r" {2,}", " ", _ANY_SIDE.sub("", gold.text))})
        coding = coder.suggest(bare)
        codes = codes_by_title(coding.edition)
        for suggestion in coding.recommended:
            places = [match.span() for match in re.finditer("unspecified", suggestion.title)]
            titles = [f"{suggestion.title[:start]}right{suggestion.title[end:]}" for start, end in places]
            twin = next((codes[title] for title in titles if title in codes), None)
            if twin is not None:
                text = with_words(bare.text, [piece.start for piece in suggestion.evidence], "right")
                held.append(twin in coder.suggest(bare.model_copy(update={"text": text})).sequence)
    report("missing side added, sided code", held, SIDED)


def test_the_order_of_two_more_paragraphs_does_not_matter_to_the_note(
    coder: theracode.Coder, notes: list[GoldNote], report: Report
) -> None:
    held = []
    for gold in notes:
        texts = ["\n\n".join([gold.text, *order]) for order in permutations(UNRELATED)]
        first, second = (set(coder.suggest(gold.to_note().model_copy(update={"text": text})).sequence) for text in texts)
        held.append(first - UNRELATED_CODES == second - UNRELATED_CODES)
    report("unrelated paragraphs in any order", held, ORDERED)


# ------------------------------------------------------------------ changes that must change the codes


@pytest.mark.parametrize(
    ("before", "after", "gone", "come"),
    [
        ("Knee pain.", "Right knee pain.", "M25.569", "M25.561"),
        ("R knee pain, numbness in the R foot.", "R knee pain, no numbness in the R foot.", "R20.0", ""),
        ("Frozen shoulder L.", "Possible frozen shoulder L.", "M75.02", ""),
        ("Repeated falls, vertigo.", "Repeated falls, denies vertigo.", "R42", ""),
        ("R ankle sprain.", "L ankle sprain.", "S93.401D", "S93.402D"),
        ("Facial droop.", "Facial droop since stroke.", "R29.810", "I69.392"),
    ],
)
def test_a_change_of_meaning_changes_the_codes(coder: theracode.Coder, before: str, after: str, gone: str, come: str) -> None:
    first = coder.suggest(before, date_of_service=DAY).sequence
    second = coder.suggest(after, date_of_service=DAY).sequence
    assert gone in first
    assert gone not in second
    assert come in {"", *second}


def test_the_order_of_unrelated_paragraphs_does_not_matter(coder: theracode.Coder) -> None:
    parts = ["Right knee osteoarthritis.", "Left frozen shoulder.", "Oropharyngeal dysphagia."]
    expected = set(coder.suggest("\n\n".join(parts), date_of_service=DAY).sequence)
    assert expected == {"M17.11", "M75.02", "R13.12"}
    for order in permutations(parts):
        assert set(coder.suggest("\n\n".join(order), date_of_service=DAY).sequence) == expected
