"""Reading of the TSV tables under lexicon/."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

from lexicon.errors import LexiconError

ROOT = Path(__file__).resolve().parent


def read_table(name: str) -> list[dict[str, str]]:
    """Read one table.

    Parameters
    ----------
    name : str
        Path below lexicon/, for example ``"sites.tsv"``.

    Returns
    -------
    list of dict
        One dict for each row, keyed by the header line. Cells are stripped.

    Raises
    ------
    LexiconError
        If the table is missing, is not UTF-8, or a row has another number of cells than the header.
    """
    path = ROOT / name
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise LexiconError(f"lexicon table {name} cannot be read ({error.strerror}); reinstall theracode") from None
    except UnicodeDecodeError:
        raise LexiconError(f"lexicon table {name} is not UTF-8; reinstall theracode") from None
    if not lines:
        raise LexiconError(f"lexicon table {name} is empty")
    header = [cell.strip() for cell in lines[0].split("\t")]
    rows = []
    for number, line in enumerate(lines[1:], start=2):
        if not line.strip():
            continue
        cells = [cell.strip() for cell in line.split("\t")]
        if len(cells) < len(header):
            cells += [""] * (len(header) - len(cells))
        if len(cells) > len(header):
            raise LexiconError(f"lexicon table {name}, line {number}: {len(cells)} cells, expected {len(header)}")
        rows.append(dict(zip(header, cells, strict=True)))
    return rows


def tables_below(folder: str) -> Iterator[str]:
    """Names of the TSV tables in a folder below lexicon/, in a stable order."""
    for path in sorted((ROOT / folder).glob("*.tsv")):
        yield f"{folder}/{path.name}"


def split_cell(cell: str) -> list[str]:
    """The parts of a list cell: ``"a | b"`` gives ``["a", "b"]``."""
    return [part.strip() for part in cell.split("|") if part.strip()]


# What reading a code title depends on; the terms of notes are not among it.
TITLE_SOURCES = (
    "sites.tsv",
    "qualifiers.tsv",
    "spellings.tsv",
    "joined_forms.tsv",
    "normal.py",
    "facets.py",
    "vocabulary.py",
    "codes/edition.py",
    "codes/tabular.py",
    "codes/references.py",
    "codes/changes.py",
)


@cache
def tables_digest(*names: str) -> str:
    """SHA-256 of files under lexicon/: what a compiled cache depends on.

    Parameters
    ----------
    *names : str
        Paths below lexicon/; every table and module where none is named.
    """
    import hashlib

    paths = [ROOT / name for name in names] or [
        path for path in sorted(ROOT.rglob("*")) if path.suffix in {".tsv", ".py"} and "__pycache__" not in path.parts
    ]
    digest = hashlib.sha256()
    for path in paths:
        digest.update(str(path.relative_to(ROOT)).encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()
