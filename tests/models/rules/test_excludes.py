"""Excludes1 and Excludes2: the blocked pairs of the therapy set, which code stays, and where official notes disagree."""

from __future__ import annotations

import csv
from datetime import date
from pathlib import Path

import pytest

import theracode
from lexicon.codes.edition import Edition
from lexicon.codes.registry import load_edition
from models.rules.excludes import Conflict, conflicts, contradiction, excluding_note, keeper

DAY = date(2026, 3, 14)
THERAPY = Path(__file__).resolve().parents[4] / "shared" / "data" / "codes_therapy.tsv"


@pytest.fixture(scope="module")
def edition() -> Edition:
    return load_edition("FY2026-April")


@pytest.mark.skipif(not THERAPY.exists(), reason="the therapy code list is not beside the repository")
def test_blocked_pairs_of_the_therapy_set(edition: Edition) -> None:
    """Recount of the Excludes1 blocks within the 458 billable codes of the therapy list.

    The list's own count is 122 notes and 845 blocks, where a block is a note with an ordered pair of codes (so a pair
    that two notes name counts twice). Here it is 126 notes and 854 blocks. The difference is exactly what that count
    left out: three notes that name their codes in the running text (at H91, S06.0 and S06.9; 1, 3 and 4 blocks) and the
    one reference of the kind "with" (E08-E13 with .42 at G63; 1 block): 126 - 3 - 1 = 122 and 854 - 8 - 1 = 845. No
    chapter-level note names a code of the list. The 854 blocks are 734 ordered and 682 unordered pairs of codes.
    """
    with THERAPY.open(encoding="utf-8", newline="") as stream:
        codes = sorted({row["code"] for row in csv.DictReader(stream, delimiter="\t")})
    codes = [code for code in codes if edition.is_billable(code)]
    assert len(codes) == 458
    blocks = {
        (note.stands_at, note.text, code, other): note
        for code in codes
        for note in edition.notes(code, kinds=("excludes1",))
        for other in codes
        if other != code and note.names(other)
    }
    assert len(blocks) == 854
    assert len({key[:2] for key in blocks}) == 126

    earlier = {key: note for key, note in blocks.items() if "(" in note.text and note.stands_at != "G63"}
    assert len(earlier) == 845
    assert len({key[:2] for key in earlier}) == 122

    pairs = {key[2:] for key in blocks}
    assert len(pairs) == 734
    assert all(excluding_note(edition, code, other) is not None for code, other in pairs)
    named = {frozenset(pair) for pair in pairs}
    assert len(named) == 682
    found = {frozenset((c.code, c.other)): c.note for c in conflicts(edition, codes)}
    assert named < found.keys()
    told = [note for pair, note in found.items() if pair not in named]  # notes that name no code: current injury, aftercare
    assert len(told) == 201
    assert not [note for note in told if note.references]


@pytest.mark.parametrize(
    ("code", "other", "stands_at"),
    [
        ("M54.50", "S39.012D", "M54.5"),
        ("M62.81", "M79.12", "M62"),
        ("G57.02", "M54.16", "G50-G59"),
        ("R29.810", "I69.392", "R29.810"),
        ("R53.1", "M62.81", "R53.1"),
        ("I69.351", "Z86.73", "I69"),
    ],
)
def test_note_and_where_it_stands(edition: Edition, code: str, other: str, stands_at: str) -> None:
    note = excluding_note(edition, code, other)
    assert note is not None
    assert note.stands_at == stands_at


@pytest.mark.parametrize(
    ("code", "other", "stands_at"),
    [
        ("M24.562", "S83.412D", "M24"),
        ("M54.12", "S13.4XXD", "M50-M54"),
        ("G56.01", "S64.11XD", "G56"),
        ("Z48.89", "S46.011D", "Z48"),
    ],
)
def test_notes_that_name_no_code_part_too(edition: Edition, code: str, other: str, stands_at: str) -> None:
    for codes in ([code, other], [other, code]):
        (conflict,) = conflicts(edition, codes)
        assert conflict.note.stands_at == stands_at
    assert keeper(edition, conflict, {other: 0.6, code: 0.5}, {})[0] == other


@pytest.mark.parametrize(
    ("code", "other"),
    [
        ("M24.562", "S83.411D"),  # the other side
        ("M54.12", "S33.5XXD"),  # another region
        ("M24.562", "S83.412S"),  # a late effect is no current injury
    ],
)
def test_a_current_injury_elsewhere_parts_nothing(edition: Edition, code: str, other: str) -> None:
    assert conflicts(edition, [code, other]) == []


@pytest.mark.parametrize(
    ("code", "other"),
    [("M25.561", "M17.11"), ("M79.12", "R53.1"), ("R29.6", "Z91.81"), ("M54.50", "M54.50"), ("R29.810", "I69.351")],
)
def test_no_note(edition: Edition, code: str, other: str) -> None:
    assert conflicts(edition, [code, other]) == []


def test_excludes2_informs(edition: Edition) -> None:
    found = conflicts(edition, ["R29.6", "Z91.81"], kind="excludes2")
    assert [(c.code, c.other) for c in found] == [("R29.6", "Z91.81")]


def test_reviewer_declares_conditions_unrelated(edition: Edition) -> None:
    codes = ["F45.8", "G47.63"]
    assert len(conflicts(edition, codes)) == 1
    assert conflicts(edition, codes, unrelated={frozenset(codes)}) == []


def only(edition: Edition, first: str, second: str) -> Conflict:
    found = conflicts(edition, [first, second])
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize(
    ("stays", "goes"),
    [
        ("M51.16", "M54.16"),
        ("M51.360", "M54.50"),
        ("S39.012D", "M54.50"),
        ("M54.41", "M54.50"),
        ("M51.16", "M54.41"),
        ("G57.01", "M54.31"),
        ("M62.84", "M62.81"),
        ("M62.84", "R53.1"),
        ("M62.81", "R53.1"),
        ("M79.12", "M62.81"),
        ("M79.7", "M79.12"),
        ("M24.561", "M25.661"),
        ("M80.051D", "M81.0"),
        ("H81.11", "R42"),
        ("G51.0", "R29.810"),
        ("I69.392", "R29.810"),
        ("I69.351", "G81.91"),
        ("N39.46", "N39.3"),
        ("R26.81", "R26.2"),
        ("G89.4", "G89.29"),
        ("I97.2", "I89.0"),
        ("W01.0XXD", "W18.30XD"),
        ("G30.9", "F03.90"),
    ],
)
def test_the_more_definite_code_stays(edition: Edition, stays: str, goes: str) -> None:
    for first, second in ((stays, goes), (goes, stays)):
        conflict = only(edition, first, second)
        assert keeper(edition, conflict, {stays: 0.6, goes: 0.6}, {first: 0, second: 1}) == (stays, goes)


def test_probability_decides_between_injury_and_chronic_tear(edition: Edition) -> None:
    conflict = only(edition, "M75.121", "S46.011D")
    assert keeper(edition, conflict, {"M75.121": 0.7, "S46.011D": 0.6}, {}) == ("M75.121", "S46.011D")
    assert keeper(edition, conflict, {"M75.121": 0.5, "S46.011D": 0.6}, {}) == ("S46.011D", "M75.121")


def test_a_symptom_never_beats_its_diagnosis_by_probability(edition: Edition) -> None:
    conflict = only(edition, "R42", "H81.11")
    assert keeper(edition, conflict, {"R42": 0.99, "H81.11": 0.55}, {}) == ("H81.11", "R42")


@pytest.mark.parametrize(
    ("code", "other", "kind"),
    [("M62.84", "G72.0", "code_first"), ("M62.831", "R25.2", "excludes2")],
)
def test_official_notes_that_disagree(edition: Edition, code: str, other: str, kind: str) -> None:
    note = contradiction(edition, only(edition, code, other))
    assert note is not None
    assert note.kind == kind


def test_no_contradiction_where_notes_agree(edition: Edition) -> None:
    assert contradiction(edition, only(edition, "M54.50", "S39.012D")) is None
    assert contradiction(edition, only(edition, "M62.84", "M62.81")) is None


# ---------------------------------------------------------------- what the reader is told


def test_excludes2_is_told_of_recommended_codes_only() -> None:
    coding = theracode.load().suggest("Repeated falls; hx of falls.", date_of_service=DAY)
    assert coding.sequence == ["R29.6", "Z91.81"]
    told = [n for n in coding.notices if "Excludes2" in n]
    assert told == ["R29.6 and Z91.81 are different conditions and both may be reported: Excludes2 at R29.6 (I.A.12.b)."]


def test_general_excludes2_notes_of_chapters_are_not_told() -> None:
    coding = theracode.load().suggest("R knee OA, unsteady gait.", date_of_service=DAY)
    assert coding.sequence == ["M17.11", "R26.81"]
    assert not [n for n in coding.notices if "Excludes2" in n]


def test_a_reviewer_may_declare_conditions_unrelated() -> None:
    """I.A.12.a: the pair stands, the notice says that it was declared, and other pairs stay apart."""
    coder = theracode.load()
    text = "Lumbar radiculopathy. R piriformis syndrome."
    parted = coder.suggest(text, date_of_service=DAY)
    together = coder.suggest(text, date_of_service=DAY, unrelated=[("G57.01", "M54.16")])
    assert len({"G57.01", "M54.16"} & set(parted.sequence)) == 1
    assert {"G57.01", "M54.16"} <= set(together.sequence)
    (told,) = [n for n in together.notices if "unrelated" in n]
    assert "Excludes1 at G50-G59" in told
    assert "I.A.12.a" in told


def test_a_wrong_code_in_an_official_note_is_shown() -> None:
    note = theracode.Note(text="hurt on base, kitchen, first treatment", date_of_service=DAY, external_causes=True)
    coding = theracode.load().suggest(note)
    assert "Y92.130" in coding.sequence
    assert [n for n in coding.notices if n.startswith("Official data: the note at Y92.13 names Y92.83")]


def test_a_disputed_pair_is_told_once() -> None:
    notices = theracode.load().suggest("Sarcopenia with alcoholic myopathy.", date_of_service=DAY).notices
    assert [n.split(":")[0] for n in notices] == ["Official notes disagree on M62.84 with G72.1"]
