"""The acceptance cases and the seed codes, row by row, through the public interface."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import pytest

import theracode
from lexicon.codes.registry import edition_for, load_edition
from models.rules.excludes import conflicts, contradiction, excluding_note

SPRING_2026 = date(2026, 3, 14)


@dataclass(frozen=True)
class Row:
    """A note and what its coding must and must not hold; a code that ends in ``-`` means every code below it.

    Attributes
    ----------
    first : str
        The code that stands first, where the row says so.
    must : tuple of str
        Every one is recommended; ``a|b`` accepts exactly one of the two.
    never : tuple of str
        None of them is recommended.
    blocked : tuple of str
        Shown as blocked.
    notice : str
        Words of a notice.
    """

    text: str
    must: tuple[str, ...]
    never: tuple[str, ...] = ()
    blocked: tuple[str, ...] = ()
    first: str = ""
    notice: str = ""
    day: date = SPRING_2026
    external: bool = False
    edition: str = "FY2026-April"


ROWS = [
    Row("generalized weakness, cause not found", ("M62.81|R53.1",), never=("R54",)),
    Row("frail, age-related weakness", ("R54",), never=("M62.81", "R53.1")),
    Row("sarcopenia with generalized weakness", ("M62.84",), never=("M62.81", "R53.1"), blocked=("M62.81", "R53.1")),
    Row("sarcopenia, statin myopathy", ("G72.0", "M62.84", "T46.6X5D"), notice="disagree on M62.84 with G72.0", first="G72.0"),
    Row("myofascial pain neck, feels weak", ("M79.12", "R53.1"), never=("M62.81",)),
    Row("R facial droop since stroke", ("I69.392",), never=("R29.810", "G51.0", "I63-"), blocked=("R29.810",)),
    Row("Bell palsy, facial weakness", ("G51.0",), never=("R29.810",), blocked=("R29.810",)),
    Row("cramps in calf at night", ("R25.2|G47.62",), never=("R29.0",)),
    Row("charley horse", ("M62.831",), never=("R29.0", "R25.2")),
    Row("hamstring contracture R", ("M62.451",), never=("M24.5-",)),
    Row("R knee flexion contracture", ("M24.561",), never=("M62.4-",)),
    Row("torus fx R distal radius, cast off, ROM", ("S52.521D",), never=("S52.521A", "S52.521B", "S52.521C")),
    Row("hit by bike crossing street, now PT", ("V01.10XD",), never=("Y92-", "Y93-", "Y99-"), external=True),
    Row("hit by bike crossing street, now PT", ("T14.90XD|T14.91XD",), never=("V-", "Y92-", "Y93-", "Y99-")),
    Row("hurt on base, kitchen, first treatment", ("Y92.130", "Y99.1|Y99.0"), never=("Y92.13",), external=True),
    Row("plantar fasciitis R", ("M72.2",), day=date(2026, 9, 15)),
    Row("plantar fasciitis R", ("M67.A01",), never=("M72-",), day=date(2026, 10, 15), edition="FY2027"),
    Row("pt with MS", ("G35",), day=date(2025, 9, 15), edition="FY2025"),
    Row("pt with MS", ("G35.D",), never=("G35",), day=date(2025, 10, 15)),
    Row("L hip fx s/p hemi, rehab", ("S72.002D", "Z96.642"), first="S72.002D"),
    Row("probable RTC tear R, shoulder pain", ("M25.511",), never=("M75.1-", "S46.0-"), notice="uncertain"),
]


def matches(pattern: str, code: str) -> bool:
    """Whether ``code`` is the pattern or lies below it."""
    return code.startswith(pattern[:-1]) if pattern.endswith("-") else code == pattern


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.text[:30]} {row.day} {row.external}")
def test_acceptance(coder: theracode.Coder, row: Row) -> None:
    coding = coder.suggest(theracode.Note(text=row.text, date_of_service=row.day, external_causes=row.external))
    reported = coding.sequence
    for wanted in row.must:
        assert len(set(wanted.split("|")) & set(reported)) == 1, (wanted, reported)
    for pattern in row.never:
        assert not [code for code in reported if matches(pattern, code)], (pattern, reported)
    shown_blocked = {s.code for s in coding.suggestions if s.status == "blocked"}
    assert shown_blocked.issuperset(row.blocked)
    if row.first:
        assert reported[0] == row.first
    assert row.notice in " ".join(coding.notices)
    assert coding.edition == row.edition
    edition = load_edition(row.edition)
    assert all(edition.is_billable(s.code) for s in coding.suggestions)


def test_torus_fracture_offers_no_open_letter(coder: theracode.Coder) -> None:
    """The nearest table of S52.52 has no B and no C, whatever the category S52 lists."""
    coding = coder.suggest("torus fx R distal radius, cast off, ROM", date_of_service=SPRING_2026)
    assert {s.code[-1] for s in coding.suggestions if s.code.startswith("S52.52")} == {"D"}


# ------------------------------------------------------------------ seed codes: what the data say and the software does

SEED_BILLABLE = {
    "R53.1": "Weakness",
    "M62.81": "Muscle weakness (generalized)",
    "M62.84": "Sarcopenia",
    "R54": "Age-related physical debility",
    "M62.461": "Contracture of muscle, right lower leg",
    "R29.810": "Facial weakness",
    "G51.0": "Bell's palsy",
    "R25.2": "Cramp and spasm",
    "R29.0": "Tetany",
    "G72.0": "Drug-induced myopathy",
    "G72.1": "Alcoholic myopathy",
    "G25.82": "Stiff-man syndrome",
    "M79.10": "Myalgia, unspecified site",
    "I69.392": "Facial weakness following cerebral infarction",
    "M62.830": "Muscle spasm of back",
    "M62.831": "Muscle spasm of calf",
    "S52.521A": "Torus fracture of lower end of right radius, initial encounter for closed fracture",
    "Y92.414": "Local residential or business street as the place of occurrence of the external cause",
    "Y99.0": "Civilian activity done for income or pay",
}
SEED_STEMS = {
    "S52.521": 6,  # A, D, G, K, P, S and no other letter
    "M79.1": 4,
    "M62.4": 24,
    "V01": 54,
    "W23": 9,
    "Y92.13": 8,
}
SEED_NO_CODES = ("G73.XXX", "G72.XXX", "G71.XXX", "M79.1X", "S52.521B")
SEED_PAIRS = [  # excluded, at whichever of the two (or of their ancestors) the note stands
    ("R53.1", "M62.81", "R53.1"),
    ("R53.1", "M62.84", "R53.1"),
    ("R53.1", "R54", "R53.1"),
    ("M62.81", "M62.84", "M62.81"),
    ("M62.81", "G72.1", "M62"),
    ("M62.81", "R25.2", "M62"),
    ("M62.81", "G72.0", "M62"),
    ("M62.81", "M79.10", "M62"),
    ("M62.81", "M79.18", "M62"),
    ("M62.81", "G25.82", "M62"),
    ("M62.84", "G72.0", "M62"),
    ("M62.451", "M24.561", "M62.4"),
    ("R29.810", "G51.0", "R29.810"),
    *(("R29.810", f"I69.{family}92", "R29.810") for family in "012389"),
    ("M62.831", "R25.2", "M62"),
]
SEED_FREE = [("M79.10", "R53.1"), ("M79.12", "R53.1"), ("R25.2", "R29.0")]


@pytest.mark.parametrize(("code", "title"), SEED_BILLABLE.items())
def test_seed_code_is_billable_with_its_full_title(code: str, title: str) -> None:
    edition = load_edition("FY2026-April")
    assert edition.is_billable(code)
    assert edition.title(code) == title


@pytest.mark.parametrize(("stem", "count"), SEED_STEMS.items())
def test_seed_stem_expands(stem: str, count: int) -> None:
    edition = load_edition("FY2026-April")
    assert stem in edition
    assert not edition.is_billable(stem)
    assert sum(code.startswith(stem) for code in edition.billable()) == count


@pytest.mark.parametrize("word", SEED_NO_CODES)
def test_seed_notation_that_is_no_code(word: str) -> None:
    assert word not in load_edition("FY2026-April")


@pytest.mark.parametrize(("code", "other", "stands_at"), SEED_PAIRS)
def test_seed_pair_is_blocked_by_the_note_where_it_stands(code: str, other: str, stands_at: str) -> None:
    edition = load_edition("FY2026-April")
    notes = [excluding_note(edition, code, other), excluding_note(edition, other, code)]
    assert stands_at in {note.stands_at for note in notes if note is not None}


@pytest.mark.parametrize(("code", "other"), SEED_FREE)
def test_seed_pair_is_free(code: str, other: str) -> None:
    edition = load_edition("FY2026-April")
    assert excluding_note(edition, code, other) is None
    assert excluding_note(edition, other, code) is None


def test_seed_contradictions_of_the_official_notes_are_known() -> None:
    edition = load_edition("FY2026-April")
    for pair in (["M62.84", "G72.0"], ["M62.831", "R25.2"]):
        (conflict,) = conflicts(edition, pair)
        assert contradiction(edition, conflict) is not None


SEED_WORDS = [  # words of a note, the seed code that they lead to, and one that they must not lead to
    ("asthenia", "R53.1", "R54"),
    ("senile asthenia", "R54", "R53.1"),
    ("age-related weakness", "R54", "R53.1"),
    ("frailty", "R54", "M62.81"),
    ("fatigue, lack of energy", "R53.83", "R53.1"),
    ("generalized muscle weakness", "M62.81", "R53.1"),
    ("facial droop", "R29.810", "G51.0"),
    ("alcoholic myopathy", "G72.1", "M62.81"),
    ("stiff-man syndrome", "G25.82", "M62.81"),
    ("muscle cramps", "R25.2", "R29.0"),
    ("neck myalgia", "M79.12", "M79.10"),
    ("muscle contracture, right lower leg", "M62.461", "M62.451"),
    ("paraspinal muscle spasm, low back", "M62.830", "R25.2"),
]


@pytest.mark.parametrize(("text", "code", "never"), SEED_WORDS)
def test_seed_words_lead_to_the_code(coder: theracode.Coder, text: str, code: str, never: str) -> None:
    reported = coder.suggest(text, date_of_service=SPRING_2026).sequence
    assert code in reported
    assert never not in reported


def test_external_causes_are_shown_but_not_reported_unless_wanted(coder: theracode.Coder) -> None:
    text = "Fell on ice, R wrist sprain."
    off = coder.suggest(theracode.Note(text=text, date_of_service=SPRING_2026))
    on = coder.suggest(theracode.Note(text=text, date_of_service=SPRING_2026, external_causes=True))
    assert "S63.501D" in off.sequence
    assert {s.status for s in off.suggestions if s.code[0] in "VWXY"} == {"alternative"}
    assert on.sequence[-1].startswith("W00")
    assert on.sequence[0] == "S63.501D"


@pytest.mark.parametrize(
    ("day", "name"),
    [
        (date(2025, 9, 30), "FY2025"),
        (date(2025, 10, 1), "FY2026"),
        (date(2026, 4, 1), "FY2026-April"),
        (date(2026, 10, 1), "FY2027"),
    ],
)
def test_the_code_set_follows_the_date_of_service(day: date, name: str) -> None:
    assert edition_for(day)[0].name.startswith(name)
