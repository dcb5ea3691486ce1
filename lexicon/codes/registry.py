"""Editions known to theracode, chosen by date of service.

FY2026 (April 2026) is compiled from the tabular list that simple-icd-10-cm carries. FY2027 and FY2025 are that release
with the code-list changes of the year applied, so their codes are exact while their instructional notes are those of
April 2026. Editions that a user imports (``theracode edition import``) stand beside them and win for their dates.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import srsly

from lexicon.codes.cache import data_folder, file_digest, load_compiled, store_compiled, without_collecting
from lexicon.codes.changes import Change, apply_changes
from lexicon.codes.edition import Edition
from lexicon.codes.tabular import Release, packaged_release_path, parse_tabular
from lexicon.errors import EditionError, LexiconError
from lexicon.tables import ROOT, read_table, split_cell

BASE_NAME = "FY2026-April"
FORMAT = 3  # of the compiled file; raise it when its layout changes


@dataclass(frozen=True, slots=True)
class EditionInfo:
    """What is known of an edition before it is loaded.

    Attributes
    ----------
    name : str
    first, last : date
        Span of dates of service, both included.
    source : str
        Where its codes come from.
    changes : tuple of str
        Change tables applied to the tabular list one after the other: names below lexicon/, or paths of an import.
    path : Path or None
        Folder of an imported edition.
    notes_as_of : str
        Label of the release that the instructional notes come from.
    """

    name: str
    first: date
    last: date
    source: str
    changes: tuple[str, ...] = ()
    path: Path | None = None
    notes_as_of: str = ""


@cache
def _packaged_editions() -> tuple[EditionInfo, ...]:
    return tuple(
        EditionInfo(
            row["name"],
            date.fromisoformat(row["first"]),
            date.fromisoformat(row["last"]),
            row["source"],
            tuple(f"codes/{table}" for table in split_cell(row["changes"])),
            notes_as_of=BASE_NAME,
        )
        for row in read_table("codes/editions.tsv")
    )


def editions() -> list[EditionInfo]:
    """All editions, packaged and imported, by first date; an imported one stands before a packaged one."""
    imported = imported_editions()
    return sorted(
        [*imported.values(), *(info for info in _packaged_editions() if info.name not in imported)],
        key=lambda i: (i.first, i.path is None),
    )


def imported_editions() -> dict[str, EditionInfo]:
    """Editions that the user imported, by name.

    Each import stands in a folder of its own that appears whole or not at all; of two folders with the same name the
    later import counts. A folder whose description is damaged is passed over.
    """
    found: dict[str, tuple[int, EditionInfo]] = {}
    folder = editions_folder()
    for path in sorted(folder.glob("*/edition.json")) if folder.is_dir() else []:
        if path.parent.name.startswith("."):
            continue
        try:
            meta = srsly.read_json(path)
            number = int(meta.get("imported", 0))
            info = EditionInfo(
                meta["name"],
                date.fromisoformat(meta["first"]),
                date.fromisoformat(meta["last"]),
                meta["source"],
                tuple(str(path.parent / table) for table in meta.get("changes", ())),
                path.parent,
                meta.get("notes_as_of") or meta["name"],
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue
        if info.name not in found or number >= found[info.name][0]:
            found[info.name] = (number, info)
    return {name: info for name, (_, info) in found.items()}


def editions_folder() -> Path:
    """Folder of the imported editions."""
    return data_folder() / "editions"


def edition_info(name: str) -> EditionInfo:
    """What is known of the edition with this name.

    Raises
    ------
    EditionError
        If no edition has this name.
    """
    for info in editions():
        if info.name == name:
            return info
    raise EditionError(f"there is no edition {name!r}; `theracode edition list` shows those that exist")


def edition_for(day: date | None) -> tuple[EditionInfo, str | None]:
    """The edition in force on a date of service.

    Parameters
    ----------
    day : date or None
        Date of service; None means today.

    Returns
    -------
    (EditionInfo, warning)
        The warning is None, or one sentence when the date lies outside every edition and the nearest one is used.
    """
    day = day or date.today()
    known = editions()
    covering = [info for info in known if info.first <= day <= info.last]
    if covering:  # an import wins over what is packaged, the later release over the earlier one
        return max(covering, key=lambda i: (i.path is not None, i.first)), None
    nearest = min(known, key=lambda i: min(abs((i.first - day).days), abs((i.last - day).days)))
    return nearest, (
        f"No code-set edition covers {day.isoformat()}; the nearest one, {nearest.name} "
        f"({nearest.first} to {nearest.last}), is used. Import the right one with `theracode edition import`."
    )


@lru_cache(maxsize=4)
def load_edition(name: str = BASE_NAME) -> Edition:
    """Load an edition by name, compiling it first if needed.

    Raises
    ------
    EditionError
        If no edition has this name or its files are damaged.
    """
    info = edition_info(name)
    if info.path is not None and not source_path(info).is_file():  # replaced by another process since it was listed
        info = edition_info(name)
    return open_edition(info)


@cache
def _code_digest() -> str:
    digest = hashlib.sha256(str(FORMAT).encode())
    for path in sorted((ROOT / "codes").glob("*")):
        if path.suffix in {".py", ".tsv"}:
            digest.update(path.read_bytes())
    return digest.hexdigest()


def source_path(info: EditionInfo) -> Path:
    """The tabular XML that an edition is compiled from."""
    return packaged_release_path() if info.path is None else info.path / "tabular.xml"


def edition_key(info: EditionInfo) -> str:
    """What a compiled file of this edition depends on: its files, its name and the code that reads them.

    Raises
    ------
    EditionError
        If a file of the edition is missing or cannot be read.
    """
    try:
        files = [source_path(info), *(Path(table) for table in info.changes if info.path is not None)]
        digests = "".join(file_digest(path) for path in files)
    except OSError as error:
        raise EditionError(f"a file of edition {info.name} cannot be read ({error.strerror}); import it again") from None
    return hashlib.sha256(f"{digests}{_code_digest()}{info.name}".encode()).hexdigest()


@without_collecting()
def open_edition(info: EditionInfo) -> Edition:
    """Read an edition from its compiled file, compiling it first if needed. :func:`load_edition` also keeps it.

    Raises
    ------
    EditionError
        If its files are damaged or do not fit each other.
    """
    key = edition_key(info)
    stored = load_compiled(f"edition-{info.name}", key)
    if stored is None:
        stored = _compile(info)
        store_compiled(f"edition-{info.name}", key, stored)
    release = Release(
        info.name,
        stored["codes"],
        stored["titles"],
        stored["parents"],
        stored["levels"],
        [tuple(note) for note in stored["notes"]],
        {int(row): table for row, table in stored["sevenths"]},
    )
    return Edition(
        release,
        source=info.source,
        notes_as_of=info.notes_as_of,
        changed=stored["changed"],
        references=dict(stored["references"]),
        key=key,
    )


def _compile(info: EditionInfo) -> dict[str, Any]:
    release = parse_tabular(source_path(info), info.name)
    changed: set[str] = set()
    for table in info.changes:
        try:
            changes = [Change(row["action"], row["code"], row["billable"] == "1", row["title"]) for row in read_table(table)]
        except (LexiconError, KeyError):
            raise EditionError(f"a change table of edition {info.name} is missing or damaged; import it again") from None
        release = apply_changes(release, changes, info.name)
        changed.update(change.code for change in changes)
    edition = Edition(release, source=info.source)
    references = []
    for number, note in enumerate(edition.all_notes()):
        if note.references:
            references.append(
                (
                    number,
                    [
                        (r.low, r.high, list(r.positions), sorted(r.characters), list(r.endings), r.anchored)
                        for r in note.references
                    ],
                )
            )
    return {
        "codes": release.codes,
        "titles": release.titles,
        "parents": release.parents,
        "levels": release.levels,
        "notes": [list(note) for note in release.notes],
        "sevenths": [(row, table) for row, table in sorted(release.sevenths.items())],
        "changed": sorted(changed),
        "references": references,
    }
