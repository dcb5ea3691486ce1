"""Side, site, dominance and 7th character: how a title is matched with what the note says."""

from __future__ import annotations

from datetime import date

import pytest

import theracode
from lexicon.codes.edition import Edition
from lexicon.codes.registry import load_edition
from lexicon.vocabulary import load_vocabulary
from models.specificity import (
    SIDE_LESS_SPECIFIC,
    SIDE_MATCH,
    SIDE_OPEN,
    SIDE_OTHER,
    SIDE_UNSUPPORTED,
    SITE_EXACT,
    dominance_of,
    qualifier_words,
    seventh_character,
    side_fit,
    site_fit,
)

DAY = date(2026, 3, 14)


@pytest.fixture(scope="module")
def edition() -> Edition:
    return load_edition("FY2026-April")


@pytest.mark.parametrize(
    ("side", "code_side", "expected"),
    [
        ("right", "right", SIDE_MATCH),
        ("right", "left", SIDE_OTHER),
        ("right", "bilateral", SIDE_UNSUPPORTED),
        ("right", "unspecified", SIDE_LESS_SPECIFIC),
        ("unspecified", "unspecified", SIDE_OPEN),
        ("unspecified", "right", SIDE_UNSUPPORTED),
        ("bilateral", "right", 0.0),
        ("bilateral", "bilateral", SIDE_MATCH),
        ("left", "", 0.0),
    ],
)
def test_side(side: str, code_side: str, expected: float) -> None:
    assert side_fit(side, code_side) == expected


def test_the_site_may_be_wider_but_never_narrower() -> None:
    vocabulary = load_vocabulary()
    exact = site_fit(("knee",), ("knee",), vocabulary)
    wider = site_fit(("patella",), ("knee",), vocabulary)
    narrower = site_fit(("knee",), ("patella",), vocabulary)
    elsewhere = site_fit(("knee",), ("shoulder",), vocabulary)
    unsupported = site_fit((), ("knee",), vocabulary)
    assert exact == SITE_EXACT > wider > 0 > narrower > elsewhere
    assert unsupported < 0
    assert site_fit(("knee",), (), vocabulary) == 0.0


@pytest.mark.parametrize(
    ("side", "handedness", "expected"),
    [
        ("right", "", "dominant"),
        ("left", "", "nondominant"),
        ("right", "left", "nondominant"),
        ("left", "left", "dominant"),
        ("left", "right", "nondominant"),
        ("left", "ambidextrous", "dominant"),
        ("right", "ambidextrous", "dominant"),
        ("bilateral", "", ""),
        ("unspecified", "right", ""),
    ],
)
def test_dominance(side: str, handedness: str, expected: str) -> None:
    assert dominance_of(side, handedness) == expected


def test_words_of_a_qualifier() -> None:
    assert qualifier_words("late_onset") == {"late", "onset"}


@pytest.mark.parametrize(
    ("leaf", "encounter", "phases", "code"),
    [
        ("S52.521", "initial", (), "S52.521A"),
        ("S52.521", "subsequent", (), "S52.521D"),
        ("S52.521", "sequela", (), "S52.521S"),
        ("S52.521", "subsequent", ("delayed",), "S52.521G"),
        ("S52.521", "subsequent", ("nonunion",), "S52.521K"),
        ("S52.521", "subsequent", ("malunion",), "S52.521P"),
        ("S52.521", "initial", ("delayed",), "S52.521A"),  # healing is a matter of later care
        ("S52.521", "subsequent", ("open",), "S52.521D"),  # a torus fracture has no open letters
        ("S82.201", "initial", ("open",), "S82.201B"),
        ("S82.201", "subsequent", ("open",), "S82.201E"),
        ("S82.201", "subsequent", ("open", "nonunion"), "S82.201M"),
        ("S82.201", "subsequent", ("open", "closed"), "S82.201D"),
        ("S82.201", "sequela", ("open",), "S82.201S"),
        ("S93.401", "subsequent", ("nonunion",), "S93.401D"),  # a sprain does not heal as a bone
        ("S13.4", "subsequent", (), "S13.4XXD"),
        ("M84.361", "subsequent", ("malunion",), "M84.361P"),
        ("M17.11", "subsequent", (), "M17.11"),
        ("M1A.0710", "subsequent", (), "M1A.0710"),  # tophus, not encounter
    ],
)
def test_seventh_character(edition: Edition, leaf: str, encounter: str, phases: tuple[str, ...], code: str) -> None:
    found, reason = seventh_character(edition, edition.stem(leaf), encounter, frozenset(phases))
    assert found == code
    assert edition.is_billable(found)
    assert bool(reason) == bool(edition.sevenths(edition.stem(leaf)))


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("B knee pain", ["M25.561", "M25.562"]),  # no bilateral code: both sides
        ("bilateral knee OA", ["M17.0"]),
        ("bilateral carpal tunnel", ["G56.03"]),
        ("bilateral shoulder impingement", ["M75.41", "M75.42"]),
        ("pain at right patella", ["M25.561"]),
        ("leg pain", ["M79.606"]),
        ("R arm pain", ["M79.601"]),
        ("de Quervain R", ["M65.4"]),
        ("R hemiparesis after stroke", ["I69.351"]),
        ("L hemiparesis after CVA", ["I69.354"]),
        ("R hemiparesis after stroke, left-handed", ["I69.353"]),
        ("L hemiparesis after CVA, ambidextrous", ["I69.352"]),
        ("L distal radius fx, nonunion", ["S52.502K"]),
        ("R tibial shaft fx, malunion", ["S82.201P"]),
        ("R ankle sprain", ["S93.401D"]),
    ],
)
def test_the_most_specific_code_that_the_note_supports(coder: theracode.Coder, text: str, codes: list[str]) -> None:
    assert coder.suggest(text, date_of_service=DAY).sequence == codes


@pytest.mark.parametrize(("encounter", "letter"), [("initial", "A"), ("subsequent", "D"), ("sequela", "S")])
def test_the_caller_may_state_the_encounter(coder: theracode.Coder, encounter: str, letter: str) -> None:
    coding = coder.suggest("R ankle sprain", date_of_service=DAY, encounter=encounter)
    assert coding.sequence == [f"S93.401{letter}"]
    assert coding.encounter == encounter


def test_the_caller_may_state_the_dominance(coder: theracode.Coder) -> None:
    note = theracode.Note(text="R hemiparesis after stroke", date_of_service=DAY, dominance="left")
    assert coder.suggest(note).sequence == ["I69.353"]


@pytest.mark.parametrize(
    ("day", "code"),
    [(date(2026, 9, 30), "M72.2"), (date(2026, 10, 1), "M67.A02")],
)
def test_plantar_fasciitis_has_a_side_from_october_2026(coder: theracode.Coder, day: date, code: str) -> None:
    assert coder.suggest("L plantar fasciitis", date_of_service=day).sequence == [code]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Open fracture L tibia shaft type II s/p ORIF, therapy.", "S82.202E"),
        ("Gustilo IIIB open fracture of left tibia shaft, s/p ORIF, therapy.", "S82.202F"),
        ("L humeral shaft open fracture type III s/p ORIF, PT.", "S42.302D"),  # its table has no letters for open healing
        ("Closed fracture L distal radius, delayed union. OT.", "S52.502G"),
        ("Nonunion of R distal radius fracture.", "S52.501K"),
        ("Malunion of clavicle fracture right, PT.", "S42.001P"),
        ("torus fx R distal radius, nonunion", "S52.521K"),
    ],
)
def test_healing_and_open_fractures(coder: theracode.Coder, text: str, code: str) -> None:
    assert code in coder.suggest(text, date_of_service=date(2026, 3, 14)).sequence
