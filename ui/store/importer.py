"""Notes for review from files: JSON Lines, CSV, Parquet, text, Word documents, or a folder of texts and documents."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from lexicon.errors import InputError, TheracodeError, unforeseen
from ui.batch import Row, open_source
from ui.notes import MAX_BYTES, check_text, make_note, read_note_text
from ui.store.engine import Store
from ui.store.repository import import_notes

if TYPE_CHECKING:
    from models.coder import Coder
    from models.coding import Coding, Note

SUFFIXES = ("jsonl", "ndjson", "csv", "parquet", "pq", "txt", "docx")
Progress = Callable[[int], None]  # rows read


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import brought: the batch, how many notes, and which rows could not be used, with the reason."""

    batch: int
    notes: int
    faults: tuple[tuple[str, str], ...]


def docx_text(data: bytes, name: str) -> str:
    """The text of a Word document: paragraphs and the cells of tables, in their order.

    Raises
    ------
    InputError
        If python-docx is not installed or the file is no Word document.
    """
    try:
        from docx import Document
        from docx.table import Table
    except ImportError:
        raise InputError(f"{name}: Word documents need a library; install it with: pip install 'theracode[docx]'") from None
    try:
        blocks = list(Document(BytesIO(data)).iter_inner_content())
    except Exception:  # a broken archive fails in many ways, and its messages may quote it
        raise InputError(f"{name} is not a Word document") from None
    lines = []
    for block in blocks:
        if isinstance(block, Table):
            lines += ["\t".join(dict.fromkeys(cell.text for cell in row.cells)) for row in block.rows]
        else:
            lines.append(block.text)
    return check_text("\n".join(lines), name)


def _file_text(path: Path) -> str:
    if path.suffix.lower() != ".docx":
        return read_note_text(str(path))
    if path.stat().st_size > MAX_BYTES:
        raise InputError(f"{path.name} is larger than {MAX_BYTES // 1_000_000} MB; that is not one note")
    return docx_text(path.read_bytes(), path.name)


def _rows(path: Path) -> Iterator[Row]:
    if path.is_dir():
        names = sorted(name for name in path.rglob("*") if name.suffix.lower() in {".txt", ".docx"})
        if not names:
            raise InputError(f"{path.name} holds no .txt or .docx files")
        for name in names:
            yield from _rows(name)
    elif path.suffix.lower() in {".txt", ".docx"}:
        try:
            yield Row(1, path.stem, {"id": path.stem, "text": _file_text(path)})
        except InputError as error:
            yield Row(1, path.stem, fault=str(error).replace(str(path), path.name))
    else:
        yield from open_source(path).rows()


def read_notes(paths: Sequence[Path]) -> Iterator[Note | tuple[str, str]]:
    """Notes from files and folders; what cannot be used comes as its id and the reason.

    Raises
    ------
    InputError
        If a path does not exist or has an unknown suffix.
    """
    seen: set[str] = set()
    for path in paths:
        for row in _rows(path):
            fault = row.fault or ("the id holds NUL characters" if "\0" in row.id else "")
            fault = fault or (f"the id {row.id[:40]!r} occurs twice" if row.id in seen else "")
            if not fault:
                try:
                    note = make_note(row.fields)
                except InputError as error:
                    fault = str(error)
                else:
                    seen.add(row.id)
                    yield note
                    continue
            yield (row.id.replace("\0", "")[:40], fault)


def model_version(coder: Coder) -> str:
    """What gave the suggestions: the version of theracode and its ranker."""
    try:
        release = version("theracode")
    except PackageNotFoundError:
        release = "source"
    ranker = coder.ranker
    return f"theracode {release}, {getattr(ranker, 'version', type(ranker).__name__)}"


def import_paths(
    store: Store, paths: Sequence[Path], coder: Coder, *, name: str, who: str, progress: Progress | None = None
) -> Imported:
    """Read, code and store notes as one batch.

    Raises
    ------
    InputError
        If no note can be used, or the same notes are in the store already.
    """
    coded: list[tuple[Note, Coding]] = []
    faults: list[tuple[str, str]] = []
    for item in read_notes(paths):
        if isinstance(item, tuple):
            faults.append(item)
            continue
        try:
            coded.append((item, coder.suggest(item)))
        except TheracodeError as error:
            faults.append((item.id[:40], str(error)))
        except Exception as error:
            faults.append((item.id[:40], unforeseen(error, "while coding")))
        if progress is not None:
            progress(len(coded) + len(faults))
    if not coded and faults:
        raise InputError(f"no note could be used; the first fault: {faults[0][0]}: {faults[0][1]}")
    batch = import_notes(store, coded, name=name, who=who, model=model_version(coder))
    return Imported(batch, len(coded), tuple(faults))


def import_uploads(
    store: Store, files: Sequence[tuple[str, bytes]], coder: Coder, *, name: str, who: str, progress: Progress | None = None
) -> Imported:
    """Import files that a browser sent; they pass through a private folder that is removed at once."""
    with tempfile.TemporaryDirectory(prefix="theracode-") as folder:
        paths = []
        for number, (file, data) in enumerate(files):
            place = Path(folder, str(number))
            place.mkdir()
            paths.append(place / (Path(file.replace("\\", "/")).name or "file"))
            paths[-1].write_bytes(data)
        return import_paths(store, paths, coder, name=name, who=who, progress=progress)
