"""Splits: stratified, seeded, frozen, and every change is noticed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from corpora.loaders import load_therapy
from corpora.schema import GoldNote
from corpora.splits import SPLIT_NAMES, make_splits, read_split, verify_splits, write_splits
from lexicon.errors import InputError

SIZES = {"ortho": 50, "hand": 25, "slp": 10, "pelvic": 3}


@pytest.fixture
def notes(make_gold: Any) -> list[GoldNote]:
    return [
        make_gold([["R52"]], id=f"{setting}-{number}", setting=setting)
        for setting, size in SIZES.items()
        for number in range(size)
    ]


def test_shares_within_every_setting(notes: list[GoldNote]) -> None:
    splits = make_splits(notes, seed=3)
    assert sorted(note_id for ids in splits.values() for note_id in ids) == sorted(note.id for note in notes)
    for setting, size in SIZES.items():
        counts = {name: Counter(i.split("-")[0] for i in ids)[setting] for name, ids in splits.items()}
        assert abs(counts["train"] - 0.6 * size) <= 1, setting
        assert abs(counts["dev"] - 0.2 * size) <= 1, setting
        assert abs(counts["test"] - 0.2 * size) <= 1, setting
    assert abs(len(splits["train"]) - 0.6 * len(notes)) <= 3


def test_same_seed_same_splits(notes: list[GoldNote]) -> None:
    assert make_splits(notes, seed=1) == make_splits(notes[::-1], seed=1) != make_splits(notes, seed=2)


def test_frozen_splits_show_every_change(notes: list[GoldNote], make_gold: Any, tmp_path: Path) -> None:
    splits = make_splits(notes)
    write_splits(splits, notes, tmp_path)
    assert verify_splits(notes, tmp_path) == []
    assert {name: read_split(name, tmp_path) for name in SPLIT_NAMES} == splits
    changed_id = splits["test"][0]
    changed = [make_gold([["R42"]], id=n.id, setting=n.setting) if n.id == changed_id else n for n in notes]
    assert verify_splits(changed, tmp_path) == ["split test was changed after it was frozen"]
    assert verify_splits([*notes, make_gold(id="new")], tmp_path) == ["new is in no split"]
    assert verify_splits([n for n in notes if n.id != changed_id], tmp_path) == [
        f"{changed_id} of split test is not in the corpus"
    ]
    (tmp_path / "dev.txt").write_text("\n".join([*splits["dev"], splits["test"][0]]) + "\n")
    assert f"{changed_id} stands in dev and in test" in verify_splits(notes, tmp_path)
    (tmp_path / "hashes.json").unlink()
    assert "hashes.json" in verify_splits(notes, tmp_path)[0]
    with pytest.raises(InputError, match="not frozen"):
        read_split("dev", tmp_path / "none")


def test_the_frozen_splits_of_the_project() -> None:
    assert verify_splits(load_therapy().notes) == []
