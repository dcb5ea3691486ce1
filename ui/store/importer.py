"""Notes for review from files that a browser sent: JSON Lines, CSV, Parquet, text, Word documents. None touches the disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from io import BytesIO
from pathlib import PurePosixPath
from typing import TYPE_CHECKING
from zipfile import ZipFile

from lexicon.errors import InputError, TheracodeError, unforeseen
from ui.batch import Row, source_of
from ui.notes import MAX_BYTES, check_text, make_note, note_text
from ui.store.engine import Store
from ui.store.repository import import_notes

if TYPE_CHECKING:
    from models.coder import Coder
    from models.coding import Coding, Note

MAX_UNPACKED = 10 * MAX_BYTES  # of a Word document, which is an archive
SUFFIXES = ("jsonl", "ndjson", "csv", "parquet", "pq", "txt", "docx")
Progress = Callable[[int], None]  # rows read
File = tuple[str, bytes]  # name and content


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
        If python-docx is not installed, the file is no Word document, or it unpacks to too much.
    """
    try:
        from docx import Document
        from docx.table import Table
    except ImportError:
        raise InputError(f"{name}: Word documents need a library; install it with: pip install 'theracode[docx]'") from None
    try:
        with ZipFile(BytesIO(data)) as archive:
            size = sum(part.file_size for part in archive.infolist())
        blocks = list(Document(BytesIO(data)).iter_inner_content()) if size <= MAX_UNPACKED else None
    except Exception:  # a broken archive fails in many ways, and its messages may quote it
        raise InputError(f"{name} is not a Word document") from None
    if blocks is None:
        raise InputError(f"{name} is larger than {MAX_UNPACKED // 1_000_000} MB when unpacked; that is not one note")
    lines = []
    for block in blocks:
        if isinstance(block, Table):
            lines += ["\t".join(dict.fromkeys(cell.text for cell in row.cells)) for row in block.rows]
        else:
            lines.append(block.text)
    return check_text("\n".join(lines), name)


def _rows(file: str, data: bytes) -> Iterator[Row]:
    path = PurePosixPath(" ".join(PurePosixPath(file.replace("\\", "/")).name.split()) or "file")
    suffix = path.suffix.lower()
    if suffix in {".txt", ".docx"}:
        try:
            if len(data) > MAX_BYTES:
                raise InputError(f"{path} is larger than {MAX_BYTES // 1_000_000} MB; that is not one note")
            text = docx_text(data, path.name) if suffix == ".docx" else note_text(data, path.name)
        except InputError as error:
            yield Row(1, path.stem, fault=str(error))
        else:
            yield Row(1, path.stem, {"id": path.stem, "text": text})
    else:
        yield from source_of(path.name, lambda: BytesIO(data), len(data)).rows()


def read_notes(files: Sequence[File]) -> Iterator[Note | tuple[str, str]]:
    """Notes from files; what cannot be used comes as its id and the reason.

    Raises
    ------
    InputError
        If a file has an unknown suffix or no column ``text``.
    """
    seen: set[str] = set()
    for file, data in files:
        for row in _rows(file, data):
            fault = row.fault or ("the id holds NUL characters" if "\0" in row.id else "")
            fault = fault or ("another row has the same id" if row.id in seen else "")
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
    return f"theracode {release}, model {coder.ranker.version}"


def import_uploads(
    store: Store, files: Sequence[File], coder: Coder, *, name: str, who: str, progress: Progress | None = None
) -> Imported:
    """Read, code and store notes as one batch.

    Raises
    ------
    InputError
        If no note can be used, or the same notes are in the store already.
    """
    coded: list[tuple[Note, Coding]] = []
    faults: list[tuple[str, str]] = []
    for item in read_notes(files):
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
