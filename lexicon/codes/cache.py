"""Files compiled once and loaded fast: written atomically, rebuilt when the source or the code changes.

A file is named after its key, so programs of several versions can share the folder; files that none of them has used for
long are removed when a new one is written.
"""

from __future__ import annotations

import gc
import glob
import hashlib
import os
import tempfile
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import srsly
from platformdirs import user_cache_dir, user_data_dir

KEPT = 6  # compiled files of one name that stay beside each other, one for each state of sources and code
STALE_SECONDS = 86_400  # age at which what a killed writer left behind is removed
_SUM = 4  # bytes of the checksum that a compiled file begins with


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


def _compiled_path(name: str, key: str) -> Path:
    return cache_folder() / f"{name}-{key[:16]}.bin"


def load_compiled(name: str, key: str) -> Any | None:
    """The object stored under ``name`` if it was compiled for ``key``, else None. A damaged file counts as absent."""
    path = _compiled_path(name, key)
    try:
        content = path.read_bytes()
        if content[:_SUM] != _checksum(content[_SUM:]):
            return None
        stored = srsly.msgpack_loads(content[_SUM:])
    except Exception:
        return None
    if not isinstance(stored, dict) or stored.get("key") != key:
        return None
    with suppress(OSError):
        os.utime(path)  # the time of last use, for pruning
    return stored["value"]


def _checksum(content: bytes) -> bytes:
    return zlib.crc32(content).to_bytes(_SUM, "big")


def store_compiled(name: str, key: str, value: Any) -> bool:
    """Store an object atomically. Returns False where the folder cannot be written; the caller goes on without."""
    content = srsly.msgpack_dumps({"key": key, "value": value})
    try:
        write_atomically(_compiled_path(name, key), _checksum(content) + content)
    except OSError:
        return False
    _prune(name)
    return True


def _prune(name: str) -> None:
    """Remove all compiled files of a name but those used last, and torn pieces. A reader that comes too late compiles anew."""
    folder = cache_folder()
    used: list[tuple[float, Path]] = []
    for path in folder.glob(f"{glob.escape(name)}-{'?' * 16}.*"):
        with suppress(OSError):
            used.append((path.stat().st_mtime, path))
    for path in folder.glob(".*-*.tmp"):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > STALE_SECONDS:
                path.unlink()
    for _, path in sorted(used)[:-KEPT]:
        with suppress(OSError):
            path.unlink()


def write_atomically(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Write a file so that a reader sees the old content or the new one, never a part (also after a crash).

    Parameters
    ----------
    mode : int
        Permissions of the file; only its owner may read it unless more is said.

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
        Path(name).chmod(mode)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
