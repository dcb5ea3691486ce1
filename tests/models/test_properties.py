"""What holds for every coding, whatever the note says."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import theracode
from corpora.schema import GoldNote
from lexicon.codes.registry import load_edition
from lexicon.errors import InputError, TheracodeError, WorkerError
from lexicon.vocabulary import load_vocabulary
from models.coder import MAX_CHARACTERS
from models.ranker import Ranker
from models.rules.excludes import conflicts
from models.workers import AHEAD, in_order
from ui.batch import local_engine

DAYS = st.dates(date(2021, 1, 1), date(2028, 12, 31))


def terms() -> list[str]:
    """Words that reading knows, so that arbitrary text also reaches candidates, ranker and rules."""
    vocabulary = load_vocabulary()
    names = sorted(vocabulary.concepts) + sorted(vocabulary.sites)
    return [name.replace("_", " ") for name in names]


GLUE = [
    "R",
    "L",
    "left",
    "bilateral",
    "no",
    "denies",
    "s/p",
    "?",
    "hx of",
    "A:",
    "Dx:",
    "\n",
    "\n\n",
    ",",
    ".",
    "/",
    "M54.5",
    "F02.80",
    "G63",
    "W19.XXXA",
    "S52.501S",
    "BMI 41",
    "28 weeks pregnant",
    "(",
    "3/5",
]
PIECES = st.deferred(lambda: st.one_of(st.sampled_from(terms()), st.sampled_from(GLUE), st.text(max_size=12)))
SHORT = st.one_of(st.text(max_size=300), st.lists(PIECES, max_size=30).map(" ".join))
NOTES = st.one_of(SHORT, SHORT, SHORT, st.tuples(SHORT, st.integers(2, 40)).map(lambda parts: parts[0] * parts[1]))


def check(coding: theracode.Coding, note: theracode.Note) -> None:
    """Assert what every coding promises."""
    edition = load_edition(coding.edition)
    codes = [s.code for s in coding.suggestions]
    assert len(set(codes)) == len(codes)
    assert [s.rank for s in coding.suggestions] == list(range(1, len(codes) + 1))
    for suggestion in coding.suggestions:
        assert edition.is_billable(suggestion.code), suggestion.code
        assert suggestion.title == edition.title(suggestion.code)
        assert 0 <= suggestion.probability <= 1
        assert (suggestion.rule is not None) == (suggestion.status == "blocked")
        for piece in suggestion.evidence:
            assert note.text[piece.start : piece.end] == piece.text != ""
    recommended = {s.code for s in coding.suggestions if s.status == "recommended"}
    assert set(coding.sequence) == recommended
    assert len(set(coding.sequence)) == len(coding.sequence)
    assert [s.code for s in coding.recommended] == coding.sequence
    if coding.sequence:
        first = coding.sequence[0]
        assert first[0] not in "VWXY"
        assert not edition.is_manifestation(first)
    else:
        assert coding.notices
    text = " ".join(coding.notices)
    for conflict in conflicts(edition, coding.sequence):
        assert f"Official notes disagree on {conflict.code} with {conflict.other}" in text, (conflict.code, conflict.other)


@settings(max_examples=3 * settings.default.max_examples)
@given(
    text=NOTES,
    day=DAYS,
    encounter=st.sampled_from(["auto", "initial", "subsequent", "sequela"]),
    dominance=st.sampled_from(["", "right", "left", "ambidextrous"]),
    age=st.none() | st.floats(0, 130),
    sex=st.sampled_from(["", "female", "male"]),
    external=st.booleans(),
)
def test_any_text_gives_a_valid_coding(
    coder: theracode.Coder, text: str, day: date, encounter: str, dominance: str, age: float | None, sex: str, external: bool
) -> None:
    note = theracode.Note.model_validate(
        {
            "text": text, "date_of_service": day, "encounter": encounter, "dominance": dominance, "age": age, "sex": sex,
            "external_causes": external,
        }
    )  # fmt: skip
    try:
        coding = coder.suggest(note)
    except TheracodeError as error:
        assert text.strip() == "" or text not in str(error)
        return
    check(coding, note)
    assert coder.suggest(note).model_dump_json() == coding.model_dump_json()


def test_every_note_of_the_corpora_gives_a_valid_coding(coder: theracode.Coder, all_notes: list[GoldNote]) -> None:
    empty = 0
    for gold in all_notes:
        for external in (False, True):
            note = gold.to_note().model_copy(update={"external_causes": external})
            coding = coder.suggest(note)
            check(coding, note)
            empty += not coding.sequence
    assert len(all_notes) >= 320
    assert empty < 2 * len(all_notes) / 4  # most notes are codable


def joined(notes: list[GoldNote]) -> Iterator[theracode.Note]:
    """Notes of two patients in one: many findings that were never seen together."""
    chosen = notes[:: len(notes) // 24][:24]
    for first, second in combinations(chosen, 2):
        yield theracode.Note(text=f"{first.text}\n\n{second.text}", date_of_service=first.date_of_service, external_causes=True)


def test_notes_put_together_give_a_valid_coding(coder: theracode.Coder, seen_notes: list[GoldNote]) -> None:
    codings = 0
    for note in joined(seen_notes):
        check(coder.suggest(note), note)
        codings += 1
    assert codings == 24 * 23 / 2


@pytest.mark.parametrize(
    "text", ["", " \n\t ", "0123456789 " * 50, "\U0001f9b5\U0001f44d", "Patient klagt \u00fcber Knie", "\x00R knee pain\x00"]
)
def test_odd_text_gives_a_valid_coding(coder: theracode.Coder, text: str) -> None:
    note = theracode.Note(text=text, date_of_service=date(2026, 3, 14))
    check(coder.suggest(note), note)


def test_text_without_findings_says_so(coder: theracode.Coder) -> None:
    coding = coder.suggest("Scheduled for next week.", date_of_service=date(2026, 3, 14))
    assert coding.sequence == []
    assert any("Nothing in this note supports a code" in notice for notice in coding.notices)


def test_too_long_a_text_is_one_clear_line(coder: theracode.Coder) -> None:
    with pytest.raises(InputError, match=r"the note has \d+ characters; theracode reads up to \d+") as caught:
        coder.suggest("secret " * (MAX_CHARACTERS // 7 + 1))
    assert "secret" not in str(caught.value)


def test_threads_that_start_at_once_load_an_edition_once(monkeypatch: pytest.MonkeyPatch) -> None:
    coder, loaded = theracode.Coder(), []

    def slow(name: str) -> object:
        loaded.append(name)
        time.sleep(0.05)
        return load_edition(name)

    monkeypatch.setattr("models.coder.load_edition", slow)
    with ThreadPoolExecutor(8) as pool:
        notes = [theracode.Note(text="R knee OA.", date_of_service=date(2026, 3, 14))] * 16
        codings = list(pool.map(coder.suggest, notes))
    assert loaded == ["FY2026-April"]
    assert {tuple(coding.sequence) for coding in codings} == {("M17.11",)}


@pytest.mark.parametrize("workers", [1, 2])
def test_a_pipe_gives_what_single_notes_give(coder: theracode.Coder, dev_notes: list[GoldNote], workers: int) -> None:
    notes = [gold.to_note() for gold in dev_notes[:12]]
    assert list(coder.pipe(notes, workers=workers)) == [coder.suggest(note) for note in notes]


def test_workers_rank_as_the_coder_that_asks_them(coder: theracode.Coder) -> None:
    report = replace(coder.ranker.report, base=coder.ranker.report.base - 1)
    strict = theracode.Coder(Ranker(report, coder.ranker.lead, coder.ranker.threshold))
    note = theracode.Note(text="R knee OA.", date_of_service=date(2026, 3, 14))
    assert coder.suggest(note) != strict.suggest(note)
    assert list(strict.pipe([note], workers=2)) == [strict.suggest(note)]


def test_a_pipe_reads_only_some_notes_ahead_and_starts_processes_of_its_own(coder: theracode.Coder) -> None:
    notes = iter([theracode.Note(text="R knee OA.")] * 20)
    assert next(coder.pipe(notes, workers=2)) and len(list(notes)) == 20 - 2 * AHEAD
    assert set(in_order(_process, iter(range(20)), 2)).isdisjoint({os.getpid()})


def _process(_: int) -> int:
    return os.getpid()


def test_a_pipe_without_workers_and_a_worker_that_dies_are_told(coder: theracode.Coder) -> None:
    with pytest.raises(InputError, match="give at least 1"):
        coder.pipe([], workers=0)
    with pytest.raises(WorkerError, match="a worker process died"):
        list(in_order(os._exit, iter([1]), 2))
    with pytest.raises(InputError, match="died; start the same command again"):
        list(local_engine(os._exit, iter([1]), 2))
