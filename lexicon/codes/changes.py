"""Code-list changes from one fiscal year to another, applied to a parsed release.

The order-file addenda name every code that was added, deleted or revised. The tables ``changes_*.tsv`` restate them;
instructional notes are not part of an order file, so they stay those of the release that the changes were applied to.
"""

from __future__ import annotations

from dataclasses import dataclass

from lexicon.codes.edition import Edition
from lexicon.codes.tabular import Release
from lexicon.errors import EditionError


@dataclass(frozen=True, slots=True)
class Change:
    """One line of an addenda: ``action`` is add, delete or revise; ``billable`` as in the order file."""

    action: str
    code: str
    billable: bool
    title: str


def dotted(code: str) -> str:
    """An order-file code with its dot: ``M7220`` -> ``M72.20``."""
    code = code.strip().upper()
    return code if len(code) <= 3 or "." in code else f"{code[:3]}.{code[3:]}"


def apply_changes(base: Release, changes: list[Change], name: str) -> Release:
    """A new release: ``base`` with the changes applied.

    Raises
    ------
    EditionError
        If a change does not fit the base release (a deleted code that is not there, an added one without parent).
    """
    edition = Edition(base, source="")
    deleted_billable = {change.code for change in changes if change.action == "delete" and change.billable}
    added_headers = {change.code for change in changes if change.action == "add" and not change.billable}
    removed: set[str] = set()
    for change in changes:
        if change.action != "delete":
            continue
        if not change.billable:
            if change.code not in added_headers:
                removed.add(change.code)
            continue
        if change.code not in edition:
            raise EditionError(f"change table {name}: {change.code} is to be deleted but is not in {base.name}")
        stem = edition.stem(change.code)
        if stem != change.code:
            letters = edition.sevenths(stem)
            if all(edition.with_seventh(stem, letter) in deleted_billable for letter in letters):
                removed.add(stem)
        elif change.code not in added_headers:
            removed.add(stem)
    kept_headers = {change.code for change in changes if change.action == "add"}
    removed -= kept_headers

    release = Release(name)
    moved: dict[int, int] = {}
    for row, code in enumerate(base.codes):
        if base.levels[row] == "code" and code in removed:
            continue
        parent = base.parents[row]
        if parent >= 0 and parent not in moved:
            raise EditionError(f"change table {name}: {code} would lose its parent")
        moved[row] = release.add(code, base.titles[row], moved.get(parent, -1), base.levels[row])
    release.sevenths = {moved[row]: table for row, table in base.sevenths.items() if row in moved}
    release.notes = [(moved[row], kind, text) for row, kind, text in base.notes if row in moved]

    rows = {code: row for row, code in enumerate(release.codes) if release.levels[row] == "code"}
    sections = _sections(release)
    for change in sorted((c for c in changes if c.action != "delete"), key=lambda c: (len(c.code), c.code)):
        title = change.title
        code = change.code
        if change.action == "revise":
            if code in rows:
                release.titles[rows[code]] = title
            continue
        if code in rows:
            release.titles[rows[code]] = title
            continue
        if change.billable and len(code) == 8:
            stem = code[:7].rstrip("X").rstrip(".")
            parent = _longest_prefix(rows, code[:7])
            table = _table(release, parent)
            if code[7] in table:
                if stem not in rows:
                    suffix = f", {table[code[7]]}"
                    stem_title = title.removesuffix(suffix) if title.endswith(suffix) else title.rsplit(",", 1)[0]
                    rows[stem] = release.add(stem, stem_title, _parent(rows, sections, stem), "code")
                continue
        rows[code] = release.add(code, title, _parent(rows, sections, code), "code")
    return release


def _sections(release: Release) -> list[tuple[str, str, int]]:
    spans = []
    for row, name in enumerate(release.codes):
        if release.levels[row] == "section":
            low, _, high = name.partition("-")
            spans.append((low, high or low, row))
    return spans


def _longest_prefix(rows: dict[str, int], code: str) -> int:
    for length in range(len(code), 2, -1):
        row = rows.get(code[:length].rstrip("."))
        if row is not None:
            return row
    return -1


def _parent(rows: dict[str, int], sections: list[tuple[str, str, int]], code: str) -> int:
    row = _longest_prefix(rows, code[:-1])
    if row >= 0:
        return row
    before = [(low, section) for low, _, section in sections if low <= code[:3] and low[0] == code[0]]
    if before:  # a new category may lie just behind the printed end of its section (J4B after J40-J4A)
        return max(before)[1]
    raise EditionError(f"{code} has no parent in the code set")


def _table(release: Release, row: int) -> dict[str, str]:
    while row >= 0:
        if row in release.sevenths:
            return release.sevenths[row]
        row = release.parents[row]
    return {}
