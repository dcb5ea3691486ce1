"""Editions known to theracode, chosen by date of service.

FY2026 (April 2026) is compiled from the tabular list that simple-icd-10-cm carries. FY2027 and FY2025 are that release
with the code-list changes of the year applied, so their codes are exact while their instructional notes are those of
April 2026. Editions that a user imports (``theracode edition import``) stand beside them and win for their dates.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import srsly

from lexicon.codes.cache import data_folder, file_digest, load_compiled, store_compiled
from lexicon.codes.changes import Change, apply_changes
from lexicon.codes.edition import Edition
from lexicon.codes.tabular import Release, packaged_release_path, parse_tabular
from lexicon.errors import EditionError
from lexicon.tables import ROOT, read_table

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
    changes : str
        Change table applied to the base release, empty for none.
    path : Path or None
        Folder of an imported edition.
    """

    name: str
    first: date
    last: date
    source: str
    changes: str = ""
    path: Path | None = None


def editions() -> list[EditionInfo]:
    """All editions, packaged and imported, by first date; an imported one stands before a packaged one."""
    known = [
        EditionInfo(
            row["name"], date.fromisoformat(row["first"]), date.fromisoformat(row["last"]), row["source"], row["changes"]
        )
        for row in read_table("codes/editions.tsv")
    ]
    imported = []
    folder = data_folder() / "editions"
    for path in sorted(folder.glob("*/edition.json")) if folder.is_dir() else []:
        try:
            meta = srsly.read_json(path)
            imported.append(
                EditionInfo(
                    meta["name"],
                    date.fromisoformat(meta["first"]),
                    date.fromisoformat(meta["last"]),
                    meta["source"],
                    path=path.parent,
                )
            )
        except (ValueError, KeyError, TypeError):
            continue
    taken = {info.name for info in imported}
    return sorted([*imported, *(info for info in known if info.name not in taken)], key=lambda i: (i.first, i.path is None))


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
    for info in known:
        if info.first <= day <= info.last:
            return info, None
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
    for info in editions():
        if info.name == name:
            return _load(info)
    raise EditionError(f"there is no edition {name!r}; `theracode edition list` shows those that exist")


@cache
def _code_digest() -> str:
    import hashlib

    digest = hashlib.sha256(str(FORMAT).encode())
    for path in sorted((ROOT / "codes").glob("*")):
        if path.suffix in {".py", ".tsv"}:
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _source_path(info: EditionInfo) -> Path:
    return packaged_release_path() if info.path is None else info.path / "tabular.xml"


def edition_key(info: EditionInfo) -> str:
    """What a compiled file of this edition depends on."""
    return f"{file_digest(_source_path(info))[:24]}{_code_digest()[:24]}{info.name}"


def _load(info: EditionInfo) -> Edition:
    import hashlib

    key = hashlib.sha256(edition_key(info).encode()).hexdigest()
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
        notes_as_of=BASE_NAME if info.changes else info.name,
        changed=stored["changed"],
        references=dict(stored["references"]),
    )


def _compile(info: EditionInfo) -> dict[str, Any]:
    release = parse_tabular(_source_path(info), info.name)
    changed: list[str] = []
    if info.changes:
        changes = [
            Change(row["action"], row["code"], row["billable"] == "1", row["title"])
            for row in read_table(f"codes/{info.changes}")
        ]
        release = apply_changes(release, changes, info.name)
        changed = sorted({change.code for change in changes})
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
        "changed": changed,
        "references": references,
    }
