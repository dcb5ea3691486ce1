"""External causes: mechanism each time, place, activity and status once, the specific before the general."""

from __future__ import annotations

import pytest

from lexicon.codes.edition import Edition
from lexicon.codes.registry import load_edition
from lexicon.vocabulary import Vocabulary, load_vocabulary
from models.rules.external import NEVER, external_causes, force_of, has_external_cause, letter_of
from nlp.finding import CauseMention, Finding, Reading
from nlp.pipeline import Reader


@pytest.fixture(scope="module")
def edition() -> Edition:
    return load_edition("FY2026-April")


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return load_vocabulary()


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader()


@pytest.mark.parametrize(
    ("text", "encounter", "expected"),
    [
        ("Pedestrian hit by bike while crossing street, L ankle sprain. PT follow up.", "subsequent", ["V01.10XD"]),
        ("Pedestrian hit by bike in the parking lot, L ankle sprain.", "subsequent", ["V01.00XD"]),
        ("Burn of the hand in the base kitchen, grease burn, active duty.", "initial", ["X10.2XXA", "Y92.130", "Y99.1"]),
        ("L ankle sprain, hurt on base, in kitchen.", "initial", ["Y92.130", "Y99.1"]),
        ("Fell down icy stairs at home, R distal radius fracture.", "subsequent", ["W00.1XXD"]),
        ("Slipped and fell on ice, fell on the driveway. R wrist sprain.", "initial", ["W00.0XXA", "Y92.014"]),
        ("Fell out of bed, fell. R hip contusion.", "subsequent", ["W06.XXXD"]),
        ("Fell off bike on the street. L clavicle fracture.", "subsequent", ["V18.4XXD"]),
        ("Tripped and fell, FOOSH, distal radius fracture in kitchen of her apartment.", "initial", ["W01.0XXA", "Y92.030"]),
        ("Hand crushed between two pallets at work.", "initial", ["W23.0XXA", "Y99.0"]),
        ("L knee sprain after twisting while playing soccer. No fall.", "initial", ["X50.0XXA", "Y93.66"]),
        ("Possible fall. R hip contusion.", "subsequent", []),
        ("R hip contusion. Denies fall.", "subsequent", []),
        ("L ankle sprain. Precautions: risk of falling.", "subsequent", []),
    ],
)
def test_codes_from_notes(
    reader: Reader, edition: Edition, vocabulary: Vocabulary, text: str, encounter: str, expected: list[str]
) -> None:
    injury = "S93.402A" if encounter == "initial" else "S93.402D"
    reading = reader.read(text)
    causes = external_causes(reading, [injury], encounter, edition, vocabulary)
    assert [cause.code for cause in causes] == expected
    assert all(edition.is_billable(cause.code) and cause.title == edition.title(cause.code) for cause in causes)
    assert all(text[cause.start : cause.end] for cause in causes)


def reading_of(*causes: tuple[str, str], assertion: str = "present", linked: str = "") -> Reading:
    mentions = [CauseMention(cause, kind, i, i + 1, "x", assertion, i) for i, (cause, kind) in enumerate(causes)]
    finding = Finding("ankle_sprain", "injury", 0, 1, "x", cause=linked)
    return Reading(findings=[finding], causes=mentions)


def test_no_code_without_an_injury(edition: Edition, vocabulary: Vocabulary) -> None:
    reading = reading_of(("fall_stairs", "mechanism"))
    assert external_causes(reading, ["M17.11", "R26.9"], "subsequent", edition, vocabulary) == []


@pytest.mark.parametrize("assertion", ["negated", "uncertain", "family", "hypothetical"])
def test_denied_mentions_do_not_count(edition: Edition, vocabulary: Vocabulary, assertion: str) -> None:
    reading = reading_of(("fall_stairs", "mechanism"), assertion=assertion, linked="fall_stairs")
    assert external_causes(reading, ["S93.402D"], "subsequent", edition, vocabulary) == []


def test_a_past_mechanism_counts_only_as_cause_of_the_injury(edition: Edition, vocabulary: Vocabulary) -> None:
    past = reading_of(("fall_stairs", "mechanism"), assertion="historical")
    assert external_causes(past, ["S93.402D"], "subsequent", edition, vocabulary) == []
    cause = reading_of(("fall_stairs", "mechanism"), assertion="historical", linked="fall_stairs")
    assert [c.code for c in external_causes(cause, ["S93.402D"], "subsequent", edition, vocabulary)] == ["W10.9XXD"]


def test_an_aggravating_movement_is_no_mechanism(edition: Edition, vocabulary: Vocabulary) -> None:
    assert external_causes(reading_of(("lifting", "mechanism")), ["S39.012D"], "subsequent", edition, vocabulary) == []
    cause = reading_of(("lifting", "mechanism"), linked="lifting")
    assert [c.code for c in external_causes(cause, ["S39.012D"], "subsequent", edition, vocabulary)] == ["X50.0XXD"]


def test_place_activity_status_only_at_the_initial_encounter(edition: Edition, vocabulary: Vocabulary) -> None:
    reading = reading_of(
        ("status_work", "status"), ("activity_running", "activity"), ("place_factory", "place"), ("fall_ladder", "mechanism")
    )
    first = external_causes(reading, ["S93.402A"], "initial", edition, vocabulary)
    assert [c.kind for c in first] == ["mechanism", "place", "activity", "status"]
    later = external_causes(reading, ["S93.402D"], "subsequent", edition, vocabulary)
    assert [c.code for c in later] == ["W11.XXXD"]


def test_a_status_stands_beside_any_other_external_cause_code(edition: Edition, vocabulary: Vocabulary) -> None:
    reading = reading_of(("status_work", "status"), ("place_factory", "place"))
    assert [c.kind for c in external_causes(reading, ["S93.402A"], "initial", edition, vocabulary)] == ["place", "status"]
    alone = reading_of(("status_work", "status"))
    assert external_causes(alone, ["S93.402A"], "initial", edition, vocabulary) == []


def test_medical_care_is_no_cause_of_an_injury(edition: Edition, vocabulary: Vocabulary) -> None:
    reading = reading_of(("surgery_complication", "mechanism"), linked="surgery_complication")
    assert external_causes(reading, ["S93.402D"], "subsequent", edition, vocabulary) == []


def test_transport_first(edition: Edition, vocabulary: Vocabulary) -> None:
    reading = reading_of(("struck_falling_object", "mechanism"), ("mva_driver", "mechanism"))
    codes = [c.code for c in external_causes(reading, ["S13.4XXD"], "subsequent", edition, vocabulary)]
    assert codes == ["V49.40XD", "W20.8XXD"]


def test_nothing_unstated_is_reported(edition: Edition, vocabulary: Vocabulary) -> None:
    for cause, (kind, codes) in vocabulary.causes.items():
        if not codes or kind not in {"mechanism", "place", "activity", "status"}:
            continue
        reading = reading_of((cause, kind), ("fall_ladder", "mechanism"), linked=cause)
        for found in external_causes(reading, ["S93.402A"], "initial", edition, vocabulary):
            assert edition.is_billable(found.code)
            assert not found.code.startswith(NEVER)


@pytest.mark.parametrize(
    ("cause", "force"), [("fall_same_level", "minor"), ("mva_rear_ended", "major"), ("fall_ladder", "major"), ("dog_bite", "")]
)
def test_force_of_a_mechanism(cause: str, force: str) -> None:
    assert force_of(cause) == force


@pytest.mark.parametrize(
    ("codes", "encounter", "letter"),
    [
        (["S72.141D"], "initial", "D"),
        (["S72.141K"], "subsequent", "D"),
        (["S52.501B"], "initial", "A"),
        (["S52.501S"], "subsequent", "S"),
        (["M70.61"], "initial", "A"),
        ([], "sequela", "S"),
    ],
)
def test_letter_is_that_of_the_injury(codes: list[str], encounter: str, letter: str) -> None:
    assert letter_of(codes, encounter) == letter


@pytest.mark.parametrize(
    ("code", "expected"),
    [("S93.402D", True), ("M84.361D", True), ("T25.211A", True), ("T36.0X1A", False), ("T84.50XA", False), ("M17.11", False)],
)
def test_which_codes_have_an_external_cause(code: str, expected: bool) -> None:
    assert has_external_cause(code) is expected
