"""Frozen splits: which note belongs to train, dev or test, and hashes that show when a note of a split was changed.

The files stand in ``corpora/splits/``: one list of ids for each split and ``hashes.json``. The test split is for
reporting only; nothing may be tuned on it.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal, get_args

from corpora.schema import GoldNote, corpus_digest
from lexicon.errors import InputError

SplitName = Literal["train", "dev", "test"]
SPLIT_NAMES: tuple[SplitName, ...] = get_args(SplitName)
SHARES: Mapping[SplitName, float] = {"train": 0.6, "dev": 0.2, "test": 0.2}
FOLDER = Path(__file__).resolve().parent / "splits"


def make_splits(notes: Iterable[GoldNote], *, seed: int = 0) -> dict[SplitName, list[str]]:
    """Divide notes by id, stratified by setting.

    Within a setting the notes are shuffled and dealt out one by one, each to the split that lags most behind its share
    (of the setting first, then of the whole), so small settings are spread as evenly as large ones.

    Parameters
    ----------
    notes : iterable of GoldNote
    seed : int
        Same notes and same seed give the same splits, whatever the order of the notes.

    Returns
    -------
    dict
        Sorted ids under ``train`` (60 %), ``dev`` (20 %) and ``test`` (20 %).
    """
    strata: dict[str, list[str]] = {}
    for note in notes:
        strata.setdefault(note.setting or "", []).append(note.id)
    generator = random.Random(seed)  # noqa: S311 - a shuffle, no secret
    splits: dict[SplitName, list[str]] = {name: [] for name in SPLIT_NAMES}
    dealt_before = 0
    for setting in sorted(strata):
        ids = sorted(strata[setting])
        generator.shuffle(ids)
        here = dict.fromkeys(SPLIT_NAMES, 0)
        for number, note_id in enumerate(ids, start=1):
            total = dealt_before + number

            lag = {name: (SHARES[name] * number - here[name], SHARES[name] * total - len(splits[name])) for name in SPLIT_NAMES}
            chosen = max(SPLIT_NAMES, key=lag.__getitem__)
            here[chosen] += 1
            splits[chosen].append(note_id)
        dealt_before += len(ids)
    return {name: sorted(ids) for name, ids in splits.items()}


def write_splits(splits: Mapping[SplitName, Sequence[str]], notes: Iterable[GoldNote], folder: Path = FOLDER) -> None:
    """Freeze splits: the lists of ids and the hash of each split's notes with their codes."""
    by_id = {note.id: note for note in notes}
    folder.mkdir(parents=True, exist_ok=True)
    hashes = {}
    for name in SPLIT_NAMES:
        ids = list(splits[name])
        (folder / f"{name}.txt").write_text("".join(f"{note_id}\n" for note_id in ids), encoding="utf-8")
        hashes[name] = corpus_digest(by_id[note_id] for note_id in ids)
    (folder / "hashes.json").write_text(json.dumps(hashes, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def read_split(name: SplitName, folder: Path = FOLDER) -> list[str]:
    """Ids of a frozen split.

    Raises
    ------
    InputError
        If the split has not been frozen.
    """
    path = folder / f"{name}.txt"
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except OSError:
        raise InputError(f"split {name!r} is not frozen yet: {path} cannot be read") from None


def verify_splits(notes: Iterable[GoldNote], folder: Path = FOLDER) -> list[str]:
    """What is wrong with the frozen splits for these notes; empty if all is well.

    Finds notes in two splits or in none, ids without a note, and notes or codes that changed after freezing.
    """
    by_id = {note.id: note for note in notes}
    try:
        hashes = json.loads((folder / "hashes.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ["hashes.json is missing or damaged; freeze the splits with write_splits"]
    problems = []
    seen: dict[str, str] = {}
    for name in SPLIT_NAMES:
        ids = read_split(name, folder)
        for note_id in ids:
            if note_id in seen:
                problems.append(f"{note_id} stands in {seen[note_id]} and in {name}")
            seen[note_id] = name
        unknown = [note_id for note_id in ids if note_id not in by_id]
        problems += [f"{note_id} of split {name} is not in the corpus" for note_id in unknown]
        if not unknown and corpus_digest(by_id[note_id] for note_id in ids) != hashes.get(name):
            problems.append(f"split {name} was changed after it was frozen")
    problems += [f"{note_id} is in no split" for note_id in sorted(set(by_id) - set(seen))]
    return problems
