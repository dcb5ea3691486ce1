"""The validator finds each kind of fault, and nothing in a clean corpus."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from corpora.loaders import SHARED_DEV, load_corpus, load_therapy
from corpora.splits import FOLDER, SPLIT_NAMES, read_split
from corpora.validate import near_duplicates, validate_note, validate_notes

LONG = "Patient arrived today with stiffness of the right knee after a long walk in the hills and asked for manual therapy again"


def checks(note: Any) -> list[str]:
    return [problem.check for problem in validate_note(note)]


def group(*codes: str, evidence: str = "note") -> dict[str, Any]:
    return {"accept": list(codes), "evidence": evidence}


def test_clean_note(make_gold: Any) -> None:
    note = make_gold([group("M17.11"), group("R26.9")], optional=["Z91.81"], forbidden=[("M17.12", "wrong side")])
    assert validate_note(note) == []
    assert validate_note(make_gold()) == []


@pytest.mark.parametrize(
    ("codes", "day", "found"),
    [
        (["M17.1"], date(2026, 4, 15), ["billable"]),
        (["S83.511"], date(2026, 4, 15), ["billable"]),
        (["M72.2"], date(2026, 9, 30), []),
        (["M72.2"], date(2026, 10, 1), ["billable"]),
        (["M67.A01"], date(2026, 10, 1), []),
        (["M67.A01"], date(2026, 4, 15), ["billable"]),
    ],
)
def test_codes_must_be_billable_on_the_date(make_gold: Any, codes: list[str], day: date, found: list[str]) -> None:
    note = make_gold([group("R26.9"), group(*codes)], date_of_service=day)
    assert checks(note) == found


def test_primary_optional_and_forbidden(make_gold: Any) -> None:
    assert checks(make_gold([group("R26.9")], primary=["R52"])) == ["primary"]
    assert checks(make_gold([group("R26.9")], primary=[])) == ["primary"]
    assert checks(make_gold([group("R26.9")], optional=["M17.1"])) == ["billable"]
    assert checks(make_gold([group("R26.9")], forbidden=[("R26.9", "goal")])) == ["forbidden"]


def test_evidence_must_stand_in_the_note(make_gold: Any) -> None:
    assert checks(make_gold([group("R26.9", evidence="Note")])) == ["evidence"]
    assert checks(make_gold([group("R26.9", evidence="")])) == ["evidence"]
    note = make_gold([group("R26.9")])
    forbidden = [{"code": "R52", "reason": "negated", "evidence": "denies pain"}]
    assert checks(note.model_validate({**note.model_dump(), "forbidden": forbidden})) == ["evidence"]
    assert checks(make_gold(text=" \n")) == ["text"]


def test_excludes1_needs_a_reason(make_gold: Any) -> None:
    groups = [group("M62.81"), group("R53.1", "R53.83")]
    assert checks(make_gold(groups)) == ["excludes1"]
    assert checks(make_gold(groups, excludes1_reason="two unrelated limbs")) == []
    assert checks(make_gold([group("M62.81"), group("R53.83", "R53.1")])) == [], "only the best codes are meant to stand together"


def test_near_duplicates(make_gold: Any) -> None:
    first = make_gold(id="a", text=LONG)
    copy = make_gold(id="b", text=LONG.replace("hills", "woods") + " 3/10.")
    other = make_gold(
        id="c", text="Goals of speech therapy were met, the caregiver was taught thickening of liquids and paced eating"
    )
    assert [pair[:2] for pair in near_duplicates([first, copy, other])] == [("a", "b")]
    assert near_duplicates([first, first.model_copy(update={"id": "d"})])[0][2] == 1
    short = [make_gold(id="s", text="no show today"), make_gold(id="t", text="No show, today.")]
    assert near_duplicates(short) == [("s", "t", 1.0)]


def test_near_duplicates_across_splits(make_gold: Any) -> None:
    notes = [make_gold(id="a", text=LONG), make_gold(id="b", text=LONG + " today")]
    found = [problem.check for problem in validate_notes(notes)]
    assert found == ["near-duplicate"]
    assert [p.check for p in validate_notes(notes, {"train": ["a"], "test": ["b"]})] == ["near-duplicate"]
    assert validate_notes(notes, {"train": ["a", "b"]}) == []
    assert "id" in [p.check for p in validate_notes([notes[0], notes[0]])]


@pytest.mark.skipif(not SHARED_DEV.is_file(), reason="shared data is not at hand")
def test_shared_dev_notes_are_valid() -> None:
    assert validate_notes(load_corpus("real-dev")) == []


def test_the_therapy_corpus_is_valid() -> None:
    frozen = (FOLDER / "hashes.json").is_file()
    splits: dict[str, list[str]] | None = {name: read_split(name) for name in SPLIT_NAMES} if frozen else None
    assert validate_notes(load_therapy(), splits) == []
