"""Many notes: rows in from JSON Lines, CSV, Parquet or a folder of files, codings out as JSON Lines.

The output is a function of the input alone: each input row gives exactly one line, in order, either in the output or in
the file of errors beside it. Because both files are always written for a prefix of the rows, a run that was
killed goes on where it stopped: a torn last line is cut off, complete lines are matched by id, nothing is done twice.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from io import TextIOWrapper
from itertools import accumulate
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, BinaryIO, Protocol, TypeVar

from lexicon.errors import InputError, TheracodeError, WorkerError, unforeseen
from ui.notes import FIELDS, MAX_BYTES, decode, make_note

if TYPE_CHECKING:
    from pyarrow.parquet import ParquetFile

CHUNK_ROWS = 16
CHUNK_CHARACTERS = 200_000
ID_LENGTH = 80  # of an id in the file of errors; a broken row may hold text where the id should be


@dataclass(frozen=True, slots=True)
class Row:
    """One input row: its number from 1, its id, and its fields or the reason why it cannot be used."""

    number: int
    id: str
    fields: Mapping[str, Any] = field(default_factory=dict, repr=False)  # a log may show a row, never its text
    fault: str = ""
    position: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a row: a line of the output, or a fault."""

    number: int
    id: str
    line: str = field(default="", repr=False)
    fault: str = ""
    position: int = 0


@dataclass(frozen=True, slots=True)
class Settings:
    """What holds for rows that do not say otherwise, and how many suggestions are given."""

    defaults: Mapping[str, Any] = field(default_factory=dict)
    top: int = 20


@dataclass(frozen=True, slots=True)
class BatchResult:
    """How many rows are in the output, how many of these an earlier run had done, and how many failed."""

    done: int
    resumed: int
    failed: int
    errors: Path


Progress = Callable[[int, int, int], None]  # position, total, rows finished
Opener = Callable[[], BinaryIO]
Table = tuple[str, Opener]  # what messages call it, and what opens its bytes

T = TypeVar("T")
R = TypeVar("R")


class Engine(Protocol):
    """Where the work runs: a map that keeps the order and looks only some items ahead."""

    def __call__(self, task: Callable[[T], R], items: Iterator[T], workers: int) -> Iterator[R]:
        """What ``task`` gives for each item, in order; ``task`` runs in so many worker processes."""


# ------------------------------------------------------------------------------------------------ rows in


@dataclass(frozen=True, slots=True)
class Source:
    """Where rows come from. ``total`` is in the unit of the rows' ``position``: bytes or rows."""

    rows: Callable[[], Iterator[Row]]
    total: int


def _row(number: int, fields: Mapping[str, Any], position: int) -> Row:
    given = fields.get("id")
    if given is None or given == "":
        return Row(number, f"row-{number}", {**fields, "id": f"row-{number}"}, position=position)
    if isinstance(given, bool | dict | list):
        return Row(number, f"row-{number}", fault="id: it is not a string or a number", position=position)
    return Row(number, str(given), {**fields, "id": str(given)}, position=position)


def _bad(number: int, fault: str, position: int) -> Row:
    return Row(number, f"row-{number}", fault=fault, position=position)


def _jsonl_rows(data: Opener) -> Iterator[Row]:
    with data() as file:
        number = 0
        while line := file.readline(MAX_BYTES):
            complete = line.endswith(b"\n") or len(line) < MAX_BYTES
            while not complete:
                rest = file.readline(MAX_BYTES)
                complete = not rest or rest.endswith(b"\n")
                line = b""
            if number == 0 and line.startswith(b"\xef\xbb\xbf"):
                line = line[3:]
            if line and not line.strip():
                continue
            number += 1
            position = file.tell()
            if not line:
                yield _bad(number, f"the line is longer than {MAX_BYTES // 1_000_000} MB", position)
                continue
            try:
                fields = json.loads(decode(line, "the line"))
            except InputError as error:
                yield _bad(number, str(error), position)
            except (ValueError, RecursionError):
                yield _bad(number, "the line is not JSON", position)
            else:
                if isinstance(fields, dict):
                    yield _row(number, {name: fields.get(name) for name in FIELDS}, position)
                else:
                    yield _bad(number, "the line is not a JSON object", position)


def _csv_text(raw: BinaryIO) -> TextIOWrapper:
    """The text of a table. Bytes that are not UTF-8 become lone surrogates, so that one bad row does not end the file."""
    return TextIOWrapper(raw, encoding="utf-8-sig", errors="surrogateescape", newline="")


def _csv_reader(text: TextIOWrapper) -> Iterator[list[str]]:
    csv.field_size_limit(MAX_BYTES)
    return csv.reader(iter(lambda: text.readline(MAX_BYTES), ""))


def _csv_rows(data: Opener) -> Iterator[Row]:
    with data() as raw, _csv_text(raw) as text:
        reader = _csv_reader(text)
        header = [name.strip() for name in next(reader, [])]
        number = 0
        while True:
            fault = ""
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                cells, fault = [], f"the row is not CSV ({error})"
            if not cells and not fault:
                continue
            number += 1
            position = raw.tell()
            if any("\udc80" <= character <= "\udcff" for cell in cells for character in cell if character > "\ud7ff"):
                fault = "the row is not UTF-8 text"
            elif not fault and len(cells) != len(header):
                fault = f"the row has {len(cells)} cells, the header {len(header)}"
            if fault:
                yield _bad(number, fault, position)
            else:
                named = dict(zip(header, cells, strict=True))
                yield _row(number, {name: named.get(name) for name in FIELDS}, position)


def _csv_header(data: Opener) -> list[str]:
    with data() as raw, _csv_text(raw) as text:
        try:
            return [name.strip() for name in next(_csv_reader(text), [])]
        except csv.Error:
            return []


def parquet_file(name: str, data: Opener) -> ParquetFile:
    """A Parquet table of notes, open.

    Raises
    ------
    InputError
        If it is something else or has no column ``text``.
    """
    import pyarrow
    from pyarrow import parquet

    try:
        file = parquet.ParquetFile(data())
        columns = file.schema_arrow.names
    except (pyarrow.ArrowException, OSError, ValueError):  # ValueError: a name that is not UTF-8
        raise InputError(f"{name} is not a Parquet file") from None
    if "text" not in columns:
        raise InputError(f"{name} has no column named text")
    return file


def parquet_rows(name: str, data: Opener, *, group: int | None = None, before: int = 0) -> Iterator[Row]:
    """Rows of a Parquet table, or of one of its row groups; ``before`` rows of the input stand before them.

    Raises
    ------
    InputError
        If the table is not Parquet, has no column ``text``, or is damaged.
    """
    import pyarrow

    file = parquet_file(name, data)
    columns = [name for name in FIELDS if name in file.schema_arrow.names]
    number = before
    groups = range(file.num_row_groups) if group is None else [group]
    try:
        for table in file.iter_batches(batch_size=CHUNK_ROWS * 4, row_groups=groups, columns=columns):
            for fields in table.to_pylist():
                number += 1
                yield _row(number, fields, number)
    except (pyarrow.ArrowException, OSError, ValueError):  # ValueError: a name that is not UTF-8
        raise InputError(f"{name} is damaged after row {number - before}") from None


def table_at(path: Path) -> Table:
    """The table in a file."""
    return str(path), lambda: path.open("rb")


def parquet_files(path: Path) -> list[Path]:
    """The Parquet files of a folder by name, or the file itself."""
    return sorted(path.glob("*.parquet"), key=lambda name: name.name) if path.is_dir() else [path]


def _parquet_source(tables: list[Table]) -> Source:
    starts = [0, *accumulate(parquet_file(*table).metadata.num_rows for table in tables)]
    return Source(
        lambda: (row for table, before in zip(tables, starts, strict=False) for row in parquet_rows(*table, before=before)),
        starts[-1],
    )


def _folder_rows(names: list[Path]) -> Iterator[Row]:
    for number, path in enumerate(names, start=1):
        try:
            with path.open("rb") as file:
                data = file.read(MAX_BYTES + 1)
            if len(data) > MAX_BYTES:
                raise InputError(f"the file is larger than {MAX_BYTES // 1_000_000} MB")
            text = decode(data, "the file")
        except InputError as error:
            yield Row(number, path.stem, fault=str(error), position=number)
        except OSError as error:
            yield Row(number, path.stem, fault=f"the file cannot be read ({error.strerror})", position=number)
        else:
            yield Row(number, path.stem, {"id": path.stem, "text": text}, position=number)


def open_source(path: Path) -> Source:
    """The rows of a file or folder, chosen by its suffix.

    Raises
    ------
    InputError
        If it does not exist, has an unknown suffix, or has no column ``text``.
    """
    if path.is_dir():
        names = sorted(path.glob("*.txt"), key=lambda name: name.name)
        tables = parquet_files(path)
        if tables and not names:
            return _parquet_source([table_at(table) for table in tables])
        if tables or not names:
            raise InputError(f"{path} holds both .txt and .parquet files" if tables else f"{path} holds no .txt files")
        return Source(lambda: _folder_rows(names), len(names))
    if not path.is_file():
        raise InputError(f"{path} does not exist")
    return source_of(*table_at(path), path.stat().st_size)


def source_of(name: str, data: Opener, size: int) -> Source:
    """The rows of a table that need not be a file: ``data`` opens its bytes, ``size`` is their number. Errors as above."""
    suffix = Path(name).suffix.lower()
    if suffix in {".jsonl", ".ndjson"}:
        return Source(lambda: _jsonl_rows(data), size)
    if suffix == ".csv":
        if "text" not in _csv_header(data):
            raise InputError(f"{name} has no column named text")
        return Source(lambda: _csv_rows(data), size)
    if suffix in {".parquet", ".pq"}:
        return _parquet_source([(name, data)])
    raise InputError(f"{name}: give a .jsonl, .csv or .parquet file, or a folder of .txt or .parquet files")


# ------------------------------------------------------------------------------------------------ coding


def code_rows(rows: Iterable[Row], settings: Settings) -> list[Outcome]:
    """Code some rows in this process. A row that cannot be coded becomes a fault, whatever goes wrong."""
    from models.coder import load
    from ui.export import json_line

    coder = load()
    outcomes = []
    for row in rows:
        line, fault = "", row.fault
        if not fault:
            try:
                given = {name: value for name, value in row.fields.items() if value not in (None, "")}
                note = make_note({**settings.defaults, **given, "text": row.fields.get("text")})
                line = json_line(coder.suggest(note, top=settings.top))
            except TheracodeError as error:
                fault = str(error)
            except Exception as error:
                fault = unforeseen(error, "while coding")
        outcomes.append(Outcome(row.number, row.id, line, fault, row.position))
    return outcomes


def local_engine(task: Callable[[T], R], items: Iterator[T], workers: int) -> Iterator[R]:
    """Work in this process, or in worker processes of this machine."""
    from models.workers import in_order

    try:
        yield from in_order(task, items, workers)
    except WorkerError as error:
        raise InputError(f"{error}; start the same command again, it goes on where it stopped") from None


ENGINES = ("local", "dask")


def engine_named(name: str, scheduler: str | None = None) -> Engine:
    """An engine by its name.

    Parameters
    ----------
    name : str
        ``local`` or ``dask``.
    scheduler : str, optional
        Address of a Dask scheduler; without it the engine ``dask`` starts a cluster on this machine.

    Raises
    ------
    InputError
        If there is no such engine, what it needs is not installed, or a scheduler is given to another one.
    """
    if name == "dask":
        try:
            from ui.cluster import dask_engine
        except ImportError:
            raise InputError("the engine dask is not installed; install theracode[distributed]") from None
        return dask_engine(scheduler)
    if name != "local":
        raise InputError(f"there is no engine {name[:20]!r}; choose one of: {', '.join(ENGINES)}")
    if scheduler is not None:
        raise InputError("a scheduler is for the engine dask; add --engine dask")
    return local_engine


def chunks_of(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Rows in groups, bounded by their number and by their characters."""
    chunk: list[Row] = []
    size = 0
    for row in rows:
        chunk.append(row)
        size += len(str(row.fields.get("text") or ""))
        if len(chunk) >= CHUNK_ROWS or size >= CHUNK_CHARACTERS:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


# ------------------------------------------------------------------------------------------------ lines out


def errors_path(output: Path) -> Path:
    """The file of errors beside an output: ``codes.jsonl`` has ``codes.errors.jsonl``."""
    stem = output.name.removesuffix(".jsonl")
    return output.with_name(f"{stem}.errors.jsonl")


def cut_torn_line(path: Path) -> None:
    """Cut off what follows the last line end, left by a run that was killed while writing."""
    if not path.exists():
        return
    with path.open("r+b") as file:
        end = file.seek(0, 2)
        while end > 0:
            start = max(0, end - 65536)
            file.seek(start)
            newline = file.read(end - start).rfind(b"\n")
            if newline >= 0:
                file.truncate(start + newline + 1)
                return
            end = start
        file.truncate(0)


def _finished(path: Path, name: str) -> Iterator[Any]:
    """The value of ``name`` in each line of a file that an earlier run wrote."""
    if not path.exists():
        return
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            try:
                yield json.loads(line)[name]
            except (ValueError, KeyError, TypeError, RecursionError):
                raise InputError(f"{path}, line {number} was not written by theracode; choose another output") from None


def _pending(rows: Iterator[Row], output: Path, errors: Path, counts: dict[str, int]) -> Iterator[Row]:
    """The rows that no earlier run has finished; the finished ones are counted."""
    failed = set(_finished(errors, "number"))
    ids = _finished(output, "id")
    next_id = next(ids, None)
    for row in rows:
        if row.number in failed:
            counts["failed"] += 1
            failed.discard(row.number)
        elif row.fault:
            yield row
        elif next_id is not None and next_id == row.id:
            counts["resumed"] += 1
            next_id = next(ids, None)
        elif next_id is not None:
            raise InputError(f"{output} belongs to another input (see row {row.number}); choose another output or --overwrite")
        else:
            yield row
    if next_id is not None or failed:
        raise InputError(f"{output} holds more rows than the input; choose another output or --overwrite")


@contextmanager
def _sole_writer(output: Path) -> Iterator[IO[str]]:
    """The output, open for appending and locked against a second run."""
    file = output.open("a", encoding="utf-8", newline="\n")
    try:
        if sys.platform != "win32":
            import fcntl

            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise InputError(f"another run is writing to {output}") from None
        yield file
    finally:
        file.close()


def run_batch(
    source: Path,
    output: Path,
    *,
    workers: int = 1,
    settings: Settings | None = None,
    engine: Engine = local_engine,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> BatchResult:
    """Code every row of ``source`` and append the codings to ``output``.

    Parameters
    ----------
    source : Path
        A .jsonl, .csv or .parquet file with ``id`` and ``text`` and the optional fields of a note, or a folder of .txt.
        A row without an id is called ``row-N``.
    output : Path
        JSON Lines; rows that fail go to ``OUTPUT.errors.jsonl`` with number, id and reason, never with their text.
    workers : int
        Worker processes, at least 1. The output does not depend on it.
    settings : Settings, optional
        Defaults for the rows.
    engine : callable
        Where the work runs.
    overwrite : bool
        Start again instead of going on with an output that exists.
    progress : callable, optional
        Called with position, total and number of finished rows after each chunk.

    Returns
    -------
    BatchResult

    Raises
    ------
    InputError
        If the input cannot be used, or the output belongs to another input or another run.
    """
    rows_of = open_source(source)
    if output.is_dir():
        raise InputError(f"{output} is a folder; give the name of a .jsonl file")
    if not output.parent.is_dir():
        raise InputError(f"the folder {output.parent} does not exist")
    if output.exists() and source.is_file() and output.samefile(source):
        raise InputError("the output is the input; choose another name")
    errors = errors_path(output)
    counts = {"resumed": 0, "failed": 0, "done": 0}
    with _sole_writer(output) as lines, errors.open("a", encoding="utf-8", newline="\n") as faults:
        if overwrite:
            lines.truncate(0)
            faults.truncate(0)
        cut_torn_line(output)
        cut_torn_line(errors)
        pending = _pending(rows_of.rows(), output, errors, counts)
        for outcomes in engine(partial(code_rows, settings=settings or Settings()), chunks_of(pending), workers):
            for outcome in outcomes:
                if outcome.fault:
                    counts["failed"] += 1
                    entry = {"number": outcome.number, "id": outcome.id[:ID_LENGTH], "reason": outcome.fault}
                    faults.write(json.dumps(entry) + "\n")
                    faults.flush()
                else:
                    counts["done"] += 1
                    lines.write(outcome.line + "\n")
            lines.flush()
            if progress is not None and outcomes:
                progress(outcomes[-1].position, rows_of.total, counts["resumed"] + counts["failed"] + counts["done"])
    if counts["failed"] == 0:
        errors.unlink(missing_ok=True)
    return BatchResult(counts["resumed"] + counts["done"], counts["resumed"], counts["failed"], errors)
