"""Files compiled once and loaded fast: written atomically, rebuilt when the source or the code changes."""

from __future__ import annotations

import gc
import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import srsly
from platformdirs import user_cache_dir, user_data_dir


def cache_folder() -> Path:
    """Folder of compiled files: ``THERACODE_CACHE_DIR`` or the user's cache folder."""
    return Path(os.environ.get("THERACODE_CACHE_DIR") or user_cache_dir("theracode"))


def data_folder() -> Path:
    """Folder of what the user brings and saves: ``THERACODE_DATA_DIR`` or the user's data folder."""
    return Path(os.environ.get("THERACODE_DATA_DIR") or user_data_dir("theracode"))


def file_digest(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextmanager
def without_collecting() -> Iterator[None]:
    """Leave the garbage collector off while lasting objects are built; also a decorator.

    Building makes no garbage but so many objects that looking for it would double the time.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def load_compiled(name: str, key: str) -> Any | None:
    """The object stored under ``name`` if it was compiled for ``key``, else None. A damaged file counts as absent."""
    path = cache_folder() / f"{name}-{key[:16]}.msgpack"
    try:
        stored = srsly.msgpack_loads(path.read_bytes())
    except Exception:
        return None
    if not isinstance(stored, dict) or stored.get("key") != key:
        return None
    return stored["value"]


def store_compiled(name: str, key: str, value: Any) -> bool:
    """Store an object atomically. Returns False where the folder cannot be written; the caller goes on without."""
    content = srsly.msgpack_dumps({"key": key, "value": value})
    try:
        write_atomically(cache_folder() / f"{name}-{key[:16]}.msgpack", content)
    except OSError:
        return False
    return True


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that a reader sees the old content or the new one, never a part (also after a crash).

    Raises
    ------
    OSError
        If the folder cannot be made or written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
