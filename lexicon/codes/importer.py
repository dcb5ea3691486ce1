"""Import of the official release files that a user downloads: checked against each other, stored whole or not at all.

Accepted, in any combination that makes an edition: the tabular list (XML), the order file (every code, billable or
header), the order-file addenda (changes from the year before), the alphabetic index and the external-cause index (XML).
The codes come from the tabular list, or else from an edition at hand plus the addenda; whatever else is given must agree.
"""

from __future__ import annotations

import re
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

import srsly

from lexicon.codes.cache import write_atomically
from lexicon.codes.changes import Change, dotted
from lexicon.codes.edition import Edition
from lexicon.codes.index import INDEX_FILE, IndexPhrase, known_phrases, parse_index
from lexicon.codes.registry import (
    EditionInfo,
    edition_info,
    editions,
    editions_folder,
    load_edition,
    open_edition,
    source_path,
)
from lexicon.errors import EditionError
from lexicon.tables import ROOT

MAX_BYTES = 100_000_000
"""Largest file that is read; the official ones have up to 14 million bytes."""
STALE_SECONDS = 86_400
"""Age at which what an interrupted import left behind is removed."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
_ORDER_LINE = re.compile(r"(\d{5}) ([A-Z][0-9A-Z]{2,6}) +([01]) (.{60}) (\S.*)")
_ADDENDA_LINE = re.compile(r"(Add|Delete|Revise from|Revise to|No change): +([01]) ([A-Z][0-9A-Z]{2,6}) +(.{60}) (\S.*)")
_TRAILER_COUNT = re.compile(r"(\d+) (headers|codes) in \S+|(\d+) (additions|deletions|revisions)")
_ACTIONS = {"Add": "add", "Delete": "delete", "Revise to": "revise"}


@dataclass(frozen=True, slots=True)
class Addenda:
    """Changes of an order-file addenda with the sizes of the code set before and after, without and with headers."""

    changes: tuple[Change, ...]
    codes: tuple[int, int]
    headers: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Order:
    """An order file: billable codes and headers."""

    billable: frozenset[str]
    headers: frozenset[str]


@dataclass(slots=True)
class _Files:
    """The given files by what they turned out to be."""

    names: list[str] = field(default_factory=list)
    tabular: Path | None = None
    order: Order | None = None
    addenda: Addenda | None = None
    phrases: list[IndexPhrase] = field(default_factory=list)


def import_edition(paths: Sequence[Path], *, name: str, first: date, last: date, base: str | None = None) -> EditionInfo:
    """Import an edition from official release files.

    Parameters
    ----------
    paths : sequence of Path
        The downloaded files, recognised by their content. Without a tabular list or addenda the files are laid beside
        the codes of the edition that already has this name.
    name : str
        Label of the edition: letters, digits, dot, dash, underscore; at most 40.
    first, last : date
        Dates of service that it holds for, both included.
    base : str, optional
        Edition that addenda apply to. By default the nearest earlier one of the size that the addenda start from.

    Returns
    -------
    EditionInfo

    Raises
    ------
    EditionError
        If a file is unusable or the files do not agree. Editions imported before are then as they were.
    """
    if not _NAME.fullmatch(name):
        raise EditionError("the name of an edition has letters, digits, '.', '-', '_', and at most 40 of them")
    if first > last:
        raise EditionError(f"the edition cannot end ({last}) before it begins ({first})")
    files = _read_files(paths)
    origin, tables, changes = _origin(files, name=name, first=first, base=base)

    folder = editions_folder()
    number = _number(name)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _remove_stale(folder)
        workplace = Path(tempfile.mkdtemp(dir=folder, prefix=".import-"))
    except OSError as error:
        raise EditionError(f"the data folder cannot be written ({error.strerror}); set THERACODE_DATA_DIR") from None
    try:
        write_atomically(workplace / "tabular.xml", (files.tabular or source_path(origin)).read_bytes())
        written = []
        contents = [*((ROOT / table).read_bytes() for table in tables), *([_table(changes)] if changes else [])]
        for place, content in enumerate(contents, start=1):
            written.append(f"changes_{place}.tsv")
            write_atomically(workplace / written[-1], content)
        draft = EditionInfo(
            name,
            first,
            last,
            f"imported: {', '.join(files.names)}" + ("" if files.tabular else f"; on top of {origin.name}"),
            tuple(str(workplace / table) for table in written),
            workplace,
            name if files.tabular else origin.notes_as_of,
        )
        edition = _open(draft, files)
        _check(edition, files, load_edition(origin.name) if changes else None)
        phrases = known_phrases(files.phrases, edition)
        if phrases:
            write_atomically(workplace / INDEX_FILE, srsly.json_dumps({"phrases": phrases}).encode())
        description = {
            "name": name,
            "first": first.isoformat(),
            "last": last.isoformat(),
            "source": draft.source,
            "changes": written,
            "notes_as_of": draft.notes_as_of,
            "imported": number,
        }
        write_atomically(workplace / "edition.json", srsly.json_dumps(description).encode())
        final = folder / f"{name}.{number}"
        workplace.rename(final)
    except OSError as error:
        raise EditionError(f"the edition cannot be stored ({error.strerror})") from None
    finally:
        shutil.rmtree(workplace, ignore_errors=True)
    _remove_older(folder, name, number)
    load_edition.cache_clear()
    return replace(draft, path=final, changes=tuple(str(final / table) for table in written))


# ---------------------------------------------------------------- reading


def _read_files(paths: Sequence[Path]) -> _Files:
    files = _Files()
    kinds: list[str] = []
    for path in paths:
        head = _head(path)
        if b"<ICD10CM.tabular" in head:
            kinds.append("tabular list")
            files.tabular = path
        elif b"<ICD10CM.index" in head:
            phrases = parse_index(path)
            kinds.append(f"{phrases[0].kind} index")
            files.phrases.extend(phrases)
        elif re.match(rb"\s*\d{5} [A-Z]", head):
            kinds.append("order file")
            files.order = read_order(path)
        elif re.match(rb"\s*(?:Add|Delete|Revise from|Revise to|No change):", head):
            kinds.append("order addenda")
            files.addenda = read_addenda(path)
        else:
            raise EditionError(f"{path.name} is none of the official ICD-10-CM release files")
        files.names.append(path.name)
    if not kinds:
        raise EditionError("no release file was given")
    for kind, count in Counter(kinds).items():
        if count > 1:
            raise EditionError(f"{count} files are each a complete {kind}; give one")
    return files


def _head(path: Path) -> bytes:
    """The beginning of a file, after a look at its size."""
    try:
        if not path.is_file():
            raise EditionError(f"{path.name} is not a file")
        size = path.stat().st_size
        if size == 0:
            raise EditionError(f"{path.name} is empty; download it again")
        if size > MAX_BYTES:
            raise EditionError(f"{path.name} has {size:,} bytes; an official file has less than {MAX_BYTES:,}")
        with path.open("rb") as stream:
            return stream.read(65_536)
    except OSError as error:
        raise EditionError(f"{path.name} cannot be read ({error.strerror})") from None


def _lines(path: Path) -> list[str]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise EditionError(f"{path.name} cannot be read ({error.strerror})") from None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    return [line.rstrip() for line in text.split("\n")]


def read_order(path: Path) -> Order:
    """Read an order file: number, code, 0 (header) or 1 (billable), short title, long title in fixed columns.

    Raises
    ------
    EditionError
        If a line is malformed, the numbers have a gap, or a code stands twice.
    """
    found: dict[str, bool] = {}
    number = 0
    for place, line in enumerate(_lines(path), start=1):
        if not line:
            continue
        match = _ORDER_LINE.fullmatch(line)
        if match is None:
            raise EditionError(f"{path.name}, line {place}: not a line of an order file; download it again")
        number += 1
        if int(match.group(1)) != number:
            raise EditionError(f"{path.name}, line {place}: number {match.group(1)} where {number:05} is due; lines are missing")
        code = dotted(match.group(2))
        if code in found:
            raise EditionError(f"{path.name}, line {place}: {code} stands twice")
        found[code] = match.group(3) == "1"
    return Order(
        frozenset(code for code, billable in found.items() if billable),
        frozenset(code for code, billable in found.items() if not billable),
    )


def read_addenda(path: Path) -> Addenda:
    """Read order-file addenda and compare them with the counts at their end.

    Raises
    ------
    EditionError
        If a line is malformed, a change stands twice, or the counts are missing or differ (a truncated file).
    """
    changes: list[Change] = []
    seen: set[tuple[str, str, str]] = set()
    sizes: dict[str, list[int]] = {"headers": [], "codes": []}
    stated: dict[str, dict[str, int]] = {"headers": {}, "codes": {}}
    block = ""
    for place, line in enumerate(_lines(path), start=1):
        if line in {"Headers", "Codes"}:
            block = line.lower()
        elif block:
            match = _TRAILER_COUNT.fullmatch(line.strip())
            if match and match.group(2):
                sizes[match.group(2)].append(int(match.group(1)))
            elif match:
                stated[block].setdefault(match.group(4), int(match.group(3)))
        elif line:
            match = _ADDENDA_LINE.fullmatch(line)
            if match is None:
                raise EditionError(f"{path.name}, line {place}: not a line of order addenda; download it again")
            action, billable, code = match.group(1), match.group(2), dotted(match.group(3))
            if (action, billable, code) in seen:
                raise EditionError(f"{path.name}, line {place}: {code} is changed twice in the same way")
            seen.add((action, billable, code))
            if action in _ACTIONS:
                changes.append(Change(_ACTIONS[action], code, billable == "1", " ".join(match.group(5).split())))
    counted = Counter((change.billable, change.action) for change in changes)
    for block, billable in (("headers", False), ("codes", True)):
        if len(sizes[block]) != 2 or len(stated[block]) != 3:
            raise EditionError(f"{path.name}: the counts at the end are missing; download it again")
        for word, action in (("additions", "add"), ("deletions", "delete"), ("revisions", "revise")):
            here = counted[(billable, action)]
            if stated[block].get(word) != here:
                raise EditionError(f"{path.name}: {here} {word} of {block}, but its end states {stated[block].get(word)}")
        before, after = sizes[block]
        if before + counted[(billable, "add")] - counted[(billable, "delete")] != after:
            raise EditionError(f"{path.name}: its sizes do not add up ({before} to {after} {block})")
    (codes, codes_after), (headers, headers_after) = sizes["codes"], sizes["headers"]
    return Addenda(tuple(changes), (codes, codes_after), (headers, headers_after))


# ---------------------------------------------------------------- building


def _origin(
    files: _Files, *, name: str, first: date, base: str | None
) -> tuple[EditionInfo, tuple[str, ...], tuple[Change, ...]]:
    """The edition whose files are taken over, its change tables, and the changes to apply on top."""
    if files.tabular is not None:
        return EditionInfo(name, first, first, ""), (), ()
    if files.addenda is not None:
        origin = _base(files.addenda, name=name, first=first, base=base)
        return origin, origin.changes, files.addenda.changes
    known = next((info for info in editions() if info.name == name), None)
    if known is None:
        raise EditionError(f"there is no edition {name!r} to add to; give its tabular list (XML) or its order addenda too")
    return known, known.changes, ()


def _base(addenda: Addenda, *, name: str, first: date, base: str | None) -> EditionInfo:
    if base is not None:
        candidates = [edition_info(base)]
    else:
        candidates = sorted((i for i in editions() if i.first < first and i.name != name), key=lambda i: i.first, reverse=True)
    for info in candidates:
        if sum(1 for _ in load_edition(info.name).billable()) == addenda.codes[0]:
            return info
    raise EditionError(
        f"the addenda start from {addenda.codes[0]} codes; "
        + (f"edition {base} has another number" if base else "no earlier edition here has that many: import its tabular list")
    )


def _table(changes: Iterable[Change]) -> bytes:
    rows = [f"{change.action}\t{change.code}\t{int(change.billable)}\t{change.title}" for change in changes]
    return ("\n".join(["action\tcode\tbillable\ttitle", *rows]) + "\n").encode()


def _open(draft: EditionInfo, files: _Files) -> Edition:
    try:
        return open_edition(draft)
    except EditionError as error:
        given = files.tabular.name if files.tabular else "the base edition"
        raise EditionError(str(error).replace("tabular.xml", given)) from None


# ---------------------------------------------------------------- checking


def _check(edition: Edition, files: _Files, before: Edition | None) -> None:
    """Compare the edition with the order file and the addenda, and with the edition that it was made from."""
    billable, headers = frozenset(edition.billable()), edition.headers()
    if files.order is not None:
        _same("billable codes", billable, files.order.billable, "the order file")
        _same("headers", headers, files.order.headers, "the order file")
    if files.addenda is None:
        return
    changed = {
        (action, flag): {change.code for change in files.addenda.changes if (change.action, change.billable) == (action, flag)}
        for action in ("add", "delete", "revise")
        for flag in (True, False)
    }
    if before is not None:
        old = frozenset(before.billable())
        _every("deleted", changed["delete", True], old, before.name)
        _every("revised", changed["revise", True], old, before.name)
        _every("deleted", changed["delete", False], before.headers(), before.name)
        twice = min(changed["add", True] & old - changed["delete", True], default=None)
        if twice:
            raise EditionError(f"{twice} is to be added but is in {before.name} already")
        _same("billable codes", billable, (old - changed["delete", True]) | changed["add", True], "what the addenda ask for")
    _every("added", changed["add", True], billable, edition.name)
    _every("added", changed["add", False], headers, edition.name)
    for code in sorted(changed["add", True] | changed["add", False]):
        if len(code) > 3 and code[:3] not in headers:
            raise EditionError(f"{code} is added, but its category {code[:3]} does not exist in {edition.name}")
    remains = min((changed["delete", True] - changed["add", True]) & billable, default=None)
    if remains:
        raise EditionError(f"{remains} is to be deleted but is in {edition.name}")
    for what, here, stated in (("billable codes", billable, files.addenda.codes), ("headers", headers, files.addenda.headers)):
        if len(here) != stated[1]:
            raise EditionError(f"{edition.name} has {len(here)} {what}, but the addenda state {stated[1]}")


def _same(what: str, here: frozenset[str], there: Iterable[str], where: str) -> None:
    there = frozenset(there)
    if here == there:
        return
    missing, surplus = sorted(there - here), sorted(here - there)
    example = (missing or surplus)[0]
    raise EditionError(
        f"the {what} differ from {where}: {len(missing)} missing, {len(surplus)} too many (first: {example}); "
        "the files are of different releases"
    )


def _every(what: str, codes: set[str], among: frozenset[str], where: str) -> None:
    stray = min(codes - among, default=None)
    if stray:
        raise EditionError(f"{stray} is {what} by the addenda but is not in {where} as stated; the files do not fit")


# ---------------------------------------------------------------- numbers, cleaning


def _number(name: str) -> int:
    """The number of an import: the time, but above every earlier one of this name, for a clock may be set back."""
    folder = editions_folder()
    earlier = [path.name.removeprefix(f"{name}.") for path in folder.glob(f"{name}.*")] if folder.is_dir() else []
    return max([time.time_ns(), *(int(place) + 1 for place in earlier if place.isdecimal())])


def _remove_older(folder: Path, name: str, number: int) -> None:
    """Remove earlier imports of the same name; a later one, by another process, stays and counts."""
    for path in folder.glob(f"{name}.*"):
        place = path.name.removeprefix(f"{name}.")
        if place.isdecimal() and int(place) < number:
            shutil.rmtree(path, ignore_errors=True)


def _remove_stale(folder: Path) -> None:
    for path in folder.glob(".import-*"):
        if time.time() - path.stat().st_mtime > STALE_SECONDS:
            shutil.rmtree(path, ignore_errors=True)
