"""Parquet in, Parquet out, part by part: an archive that no single process reads or writes.

Each row group of the input is a part. A worker reads its part from the shared disk and writes ``part-00000.parquet`` in the
output folder, whole or not at all, so a run that was stopped, and a part whose worker was lost, are simply done again. A row of
the output has the number and id of its input row and either its coding, the same line that the JSON Lines output has, or the
reason why it has none.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from lexicon.codes.cache import write_atomically
from lexicon.errors import InputError
from ui.batch import (
    ID_LENGTH,
    BatchResult,
    Engine,
    Progress,
    Settings,
    code_rows,
    local_engine,
    parquet_file,
    parquet_files,
    parquet_rows,
    table_at,
)

_KEY = b"theracode"


@dataclass(frozen=True, slots=True)
class Part:
    """A row group of a file, how many rows of the input stand before it, and where its codings go."""

    path: Path
    group: int
    before: int
    rows: int
    output: Path


@dataclass(frozen=True, slots=True)
class PartResult:
    """What became of a part."""

    last: int
    done: int
    failed: int
    resumed: bool = False


def _origin(part: Part, settings: Settings) -> str:
    """What a part was made from, as its file states it."""
    defaults = {name: str(value) for name, value in settings.defaults.items()}
    return json.dumps([part.path.name, part.group, part.before, part.rows, defaults, settings.top])


def parts_of(source: Path, output: Path) -> Iterator[Part]:
    """The parts of a Parquet file or a folder of such files, in order.

    Raises
    ------
    InputError
        If there is none, or a file is not Parquet or has no column ``text``.
    """
    if not source.exists():
        raise InputError(f"{source} does not exist")
    paths = parquet_files(source)
    if not paths:
        raise InputError(f"{source} holds no .parquet files")
    before = number = 0
    for path in paths:
        metadata = parquet_file(*table_at(path)).metadata
        for group in range(metadata.num_row_groups):
            rows = metadata.row_group(group).num_rows
            yield Part(path, group, before, rows, output / f"part-{number:05d}.parquet")
            before, number = before + rows, number + 1


def _finished(part: Part, settings: Settings) -> PartResult | None:
    """What an earlier run made of a part, or None."""
    import pyarrow
    from pyarrow import parquet

    if not part.output.exists():
        return None
    try:
        file = parquet.ParquetFile(part.output)
        origin = (file.schema_arrow.metadata or {})[_KEY].decode()
        errors = file.read(["error"])["error"]
    except (pyarrow.ArrowException, OSError, KeyError, ValueError):  # ValueError: a name that is not UTF-8
        raise InputError(f"{part.output} was not written by theracode; choose another output") from None
    if origin != _origin(part, settings):
        raise InputError(f"{part.output} belongs to another input or other options; choose another output or --overwrite")
    failed = part.rows - errors.null_count
    return PartResult(part.before + part.rows, part.rows - failed, failed, resumed=True)


def code_part(part: Part, settings: Settings) -> PartResult:
    """Code one part and write its file; the same part gives the same bytes."""
    import io

    import pyarrow
    from pyarrow import parquet

    outcomes = code_rows(parquet_rows(*table_at(part.path), group=part.group, before=part.before), settings)
    table = pyarrow.table(
        {
            "number": pyarrow.array([o.number for o in outcomes], pyarrow.int64()),
            "id": pyarrow.array([o.id[:ID_LENGTH] if o.fault else o.id for o in outcomes], pyarrow.string()),
            "coding": pyarrow.array([o.line or None for o in outcomes], pyarrow.string()),
            "error": pyarrow.array([o.fault or None for o in outcomes], pyarrow.string()),
        }
    ).replace_schema_metadata({_KEY: _origin(part, settings).encode()})
    content = io.BytesIO()
    parquet.write_table(table, content, compression="zstd")
    write_atomically(part.output, content.getvalue())
    failed = sum(bool(o.fault) for o in outcomes)
    return PartResult(part.before + part.rows, len(outcomes) - failed, failed)


def run_parts(
    source: Path,
    output: Path,
    *,
    workers: int = 1,
    settings: Settings | None = None,
    engine: Engine = local_engine,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> BatchResult:
    """Code every row group of ``source`` into a file of its own in the folder ``output``.

    The arguments are those of :func:`ui.batch.run_batch`; ``output`` is a folder. With workers on other machines both paths must
    lead to the same shared disk everywhere.

    Raises
    ------
    InputError
        If the input cannot be used, or the output belongs to another input.
    """
    settings = settings or Settings()
    source, output = source.resolve(), output.resolve()  # a worker may stand in another folder
    parts = list(parts_of(source, output))
    if output.exists() and not output.is_dir():
        raise InputError(f"{output} is a file; give the name of a folder")
    if not output.parent.is_dir():
        raise InputError(f"the folder {output.parent} does not exist")
    if output.exists() and source.is_dir() and output.samefile(source):
        raise InputError("the output is the input; choose another name")
    known = [None if overwrite else _finished(part, settings) for part in parts]
    stray = set(output.glob("part-*.parquet")) - {part.output for part in parts}
    if stray and not overwrite:
        raise InputError(f"{output} holds more parts than the input; choose another output or --overwrite")
    for path in stray:
        path.unlink()
    output.mkdir(exist_ok=True)
    results = engine(
        partial(code_part, settings=settings),
        (part for part, result in zip(parts, known, strict=True) if result is None),
        workers,
    )
    total = parts[-1].before + parts[-1].rows if parts else 0
    done = resumed = failed = 0
    for result in known:
        found = result or next(results)
        done, failed = done + found.done, failed + found.failed
        resumed += found.done if found.resumed else 0
        if progress is not None:
            progress(found.last, total, done + failed)
    return BatchResult(done, resumed, failed, output)
