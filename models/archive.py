"""Archives with the same bytes for the same content: fixed times and order, so that a model can be compared by hash."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

from lexicon.codes.cache import write_atomically

_TIME = (1980, 1, 1, 0, 0, 0)


def write_stable(path: Path, archive: bytes) -> None:
    """Rewrite a zip archive with fixed times and sorted names, atomically.

    Raises
    ------
    OSError
        If the folder cannot be written.
    """
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as source, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as out:
        for name in sorted(source.namelist()):
            info = zipfile.ZipInfo(name, _TIME)
            info.compress_type = zipfile.ZIP_DEFLATED
            out.writestr(info, source.read(name))
    write_atomically(path, target.getvalue())
