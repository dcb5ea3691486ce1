"""Archives with the same bytes for the same content: fixed times, order and numbers, so that a model is compared by hash."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path

from lexicon.codes.cache import write_atomically

_TIME = (1980, 1, 1, 0, 0, 0)
_SCHEMA = "schema.json"
_ID = re.compile(r'"__id__": (\d+)')


def write_stable(path: Path, archive: bytes) -> None:
    """Rewrite an archive of skops with fixed times, sorted names and numbered objects, atomically.

    skops names objects, and the files of their arrays, after their addresses in memory; here each gets the number of its
    first place in the schema.

    Raises
    ------
    OSError
        If the folder cannot be written.
    """
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as source, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as out:
        schema = source.read(_SCHEMA).decode()
        numbers = {found: str(number) for number, found in enumerate(dict.fromkeys(_ID.findall(schema)), start=1)}
        schema = re.sub(r'(?<="__id__": )\d+|(?<="file": ")\d+', lambda found: numbers[found[0]], schema)
        content = {_SCHEMA: schema.encode()}
        for name in source.namelist():
            if name != _SCHEMA:
                address, dot, ending = name.partition(".")
                content[f"{numbers[address]}{dot}{ending}"] = source.read(name)
        for name in sorted(content):
            info = zipfile.ZipInfo(name, _TIME)
            info.compress_type = zipfile.ZIP_DEFLATED
            out.writestr(info, content[name])
    write_atomically(path, target.getvalue(), mode=0o644)
