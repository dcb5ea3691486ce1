"""Readers of corpora: our own format and the common formats of others, all returning a :class:`Corpus`.

A code that a corpus lists for a note becomes a required group that accepts exactly that code, in the order given; where
the corpus ranks its codes, the first is the primary one. Codes may be written with or without dot.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError

from corpora.schema import Corpus, GoldNote, Kind, Setting, Style, normal_code
from corpora.splits import SPLIT_NAMES, read_split
from lexicon.errors import InputError

THERAPY = Path(__file__).resolve().parent / "therapy"
SHARED_DEV = Path(__file__).resolve().parents[2] / "shared" / "data" / "notes_dev_gold.jsonl"

_CODE = re.compile(r"(?<![A-Za-z0-9])([A-Za-z][0-9][0-9A-Za-z](?:\.[0-9A-Za-z]{1,4}|[0-9A-Za-z]{0,4}))(?![A-Za-z0-9.])")
_SEPARATOR = re.compile(r"[;|,\s]+")


# -------------------------------------------------------------------------------------------------- helpers


def _read(path: Path) -> str:
    """Text of a file, plain or gzipped; a byte-order mark is dropped, line ends stay as they are."""
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        return content.decode("utf-8-sig")
    except (OSError, EOFError, gzip.BadGzipFile) as error:
        raise InputError(f"{path} cannot be read ({getattr(error, 'strerror', None) or 'damaged'})") from None
    except UnicodeDecodeError:
        raise InputError(f"{path} is not UTF-8") from None


def _short(name: str) -> str:
    """A name that a file gives, for a message: one line, and not long, for a broken file may hold text in its place."""
    return " ".join(name.split())[:40]


def _invalid(where: str, error: ValidationError) -> InputError:
    """One line that names the field and what is wrong, without any text of the note."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    field = _short(".".join(str(part) for part in first["loc"])) or "the note"
    return InputError(f"{where}: {field}: {first['msg']}")


def _note(where: str, fields: Mapping[str, Any]) -> GoldNote:
    try:
        return GoldNote.model_validate(fields)
    except ValidationError as error:
        raise _invalid(where, error) from None


def _corpus(name: str, notes: Iterable[GoldNote], *, restricted: bool = False) -> Corpus:
    """The corpus, after a check that it holds notes and every id once."""
    kept = tuple(notes)
    if not kept:
        raise InputError(f"corpus {name} holds no notes")
    seen: set[str] = set()
    for note in kept:
        if note.id in seen:
            raise InputError(f"corpus {name} holds the id {_short(note.id)!r} twice")
        seen.add(note.id)
    return Corpus(name, kept, restricted)


def _groups(codes: Sequence[str], evidence: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
    """Fields of required groups, to be checked as part of their note."""
    quotes = evidence or {}
    return [{"accept": (code,), "evidence": quotes.get(code, "")} for code in dict.fromkeys(codes)]


def _split_codes(cell: str) -> list[str]:
    """Codes of a cell, separated by semicolons, bars, commas or spaces."""
    return [normal_code(code) for code in _SEPARATOR.split(cell.strip()) if code]


def _rows(path: Path, *, delimiter: str = ",") -> Iterator[tuple[int, dict[str, str]]]:
    """(line number, row) of a table with a header line; missing cells are empty."""
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))  # clinical notes exceed the default of 128 KiB
    reader = csv.DictReader(io.StringIO(_read(path), newline=""), delimiter=delimiter, restval="")
    for row in reader:
        yield (
            reader.line_num,
            {(key or "").strip(): value or "" for key, value in row.items() if isinstance(value, str)},
        )


def _known(value: str, allowed: object) -> str | None:
    """``value`` where it is one of the closed values, else None: outside corpora name settings as they like."""
    return value if value in get_args(allowed) else None


# -------------------------------------------------------------------------------------------------- our formats


def _load_lines(path: Path, needed: Sequence[str]) -> Corpus:
    notes = []
    for number, line in enumerate(_read(path).split("\n"), start=1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            raise InputError(f"{where}: not JSON") from None
        if not isinstance(row, dict):
            raise InputError(f"{where}: not a JSON object")
        absent = [field for field in needed if not row.get(field)]
        if absent:
            raise InputError(f"{where}: {', '.join(absent)} missing")
        notes.append(_note(where, row))
    return _corpus(path.stem, notes)


def load_jsonl(path: Path | str) -> Corpus:
    """Our own format: one :class:`GoldNote` a line, with setting, kind, style and date of service.

    Raises
    ------
    InputError
        If the file cannot be read or a line is not a valid note; the message names the line and the field.
    """
    return _load_lines(Path(path), ("id", "text", "setting", "kind", "style", "date_of_service"))


def load_dev(path: Path | str = SHARED_DEV) -> Corpus:
    """The format of the shared dev notes: like ours, but with a source and without setting, kind, style and date."""
    return _load_lines(Path(path), ("id", "text"))


def load_therapy(split: str | None = None, folder: Path = THERAPY) -> Corpus:
    """The corpus of this project, whole or one frozen split of it."""
    files = sorted(folder.glob("*.jsonl"))
    if not files:
        raise InputError(f"the therapy corpus is missing: no .jsonl file in {folder}")
    notes = [note for file in files for note in load_jsonl(file)]
    if split is None:
        return _corpus("therapy", notes)
    if split not in SPLIT_NAMES:
        raise InputError(f"there is no split {split!r}; choose one of {', '.join(SPLIT_NAMES)}")
    ids = set(read_split(next(name for name in SPLIT_NAMES if name == split)))
    return _corpus(f"therapy:{split}", (note for note in notes if note.id in ids))


# -------------------------------------------------------------------------------------------------- formats of others


def load_csv(path: Path | str) -> Corpus:
    """A table with the columns ``id``, ``text`` and ``codes``.

    ``codes`` holds codes separated by semicolons, bars, commas or spaces, the first-listed one first. Optional columns:
    ``primary``, ``optional`` and ``date_of_service``; ``setting``, ``kind`` and ``style`` count where their value is one
    of ours. Other columns are left alone. A file named ``.tsv`` is separated by tabs.
    """
    path = Path(path)
    notes = []
    for number, row in _rows(path, delimiter="\t" if ".tsv" in path.suffixes else ","):
        where = f"{path}, line {number}"
        absent = [column for column in ("id", "text", "codes") if column not in row]
        if absent:
            raise InputError(f"{where}: column {', '.join(absent)} missing")
        codes = _split_codes(row["codes"])
        fields: dict[str, Any] = {
            "id": row["id"],
            "text": row["text"],
            "source": path.stem,
            "primary": _split_codes(row.get("primary", "")) or codes[:1],
            "required": _groups(codes),
            "optional": [{"code": code} for code in _split_codes(row.get("optional", ""))],
            "setting": _known(row.get("setting", ""), Setting),
            "kind": _known(row.get("kind", ""), Kind),
            "style": _known(row.get("style", ""), Style),
        }
        if row.get("date_of_service"):
            fields["date_of_service"] = row["date_of_service"]
        notes.append(_note(where, fields))
    return _corpus(path.stem, notes)


def load_text_folder(folder: Path | str, codes_file: Path | str | None = None) -> Corpus:
    """A folder of ``.txt`` notes and a table of codes.

    Parameters
    ----------
    folder : path
        The name of a file without ``.txt`` is the id of its note.
    codes_file : path, optional
        Lines of an id and codes, separated by tab, comma, semicolon or space; several lines for one id add up; a header
        line (no code in it) and lines starting with ``#`` are skipped. By default the ``codes.tsv``, ``codes.csv`` or
        ``codes.txt`` of the folder. A note without a line has no codes.
    """
    folder = Path(folder)
    if codes_file is None:
        candidates = [folder / f"codes.{ending}" for ending in ("tsv", "csv", "txt")]
        found = next((path for path in candidates if path.is_file()), None)
        if found is None:
            raise InputError(f"{folder} holds no codes.tsv, codes.csv or codes.txt")
        codes_file = found
    codes_path = Path(codes_file)
    texts = {path.stem: _read(path) for path in sorted(folder.glob("*.txt")) if path.resolve() != codes_path.resolve()}
    codes: dict[str, list[str]] = {}
    for number, line in enumerate(_read(codes_path).splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        note_id, *cells = [cell for cell in re.split(r"[\t,;|]+", line.strip(), maxsplit=1) if cell]
        if not cells and " " in note_id:
            note_id, *cells = note_id.split(maxsplit=1)
        note_id = note_id.strip().removesuffix(".txt")
        listed = _CODE.findall(cells[0]) if cells else []
        if number == 1 and not listed and note_id not in texts:
            continue
        if note_id not in texts:
            raise InputError(f"{codes_path}, line {number}: there is no note {_short(note_id)}.txt")
        codes.setdefault(note_id, []).extend(normal_code(code) for code in listed)
    return _corpus(
        folder.name,
        (
            _note(
                f"{note_id}.txt",
                {
                    "id": note_id,
                    "text": text,
                    "source": folder.name,
                    "primary": codes.get(note_id, [])[:1],
                    "required": _groups(codes.get(note_id, [])),
                },
            )
            for note_id, text in texts.items()
        ),
    )


def load_codiesp(folder: Path | str, *, english: bool = True) -> Corpus:
    """One part (train, dev or test) of CodiEsp: ``text_files_en`` (or ``text_files``) and its TSV files.

    Diagnoses are read from the ``X`` file (id, label, code, quote, positions) where there is one, else from the ``D``
    file (id, code). Quotes are Spanish, so with the machine-translated English texts they are kept only where they stand
    in the text word for word. The codes are CIE10-ES 2018: some are no longer billable. They are not ranked, so
    no note has a primary code. Format: https://zenodo.org/record/3837305.
    """
    folder = Path(folder)
    texts_folder = folder / ("text_files_en" if english else "text_files")
    tables = sorted(folder.glob("*.tsv"))
    table = next((t for ending in ("X", "D") for t in tables if t.stem.endswith(ending)), None)
    if table is None or not texts_folder.is_dir():
        raise InputError(f"{folder} is not a part of CodiEsp: {texts_folder.name} and a table ...X.tsv or ...D.tsv are needed")
    texts = {path.stem: _read(path) for path in sorted(texts_folder.glob("*.txt"))}
    codes: dict[str, dict[str, str]] = {note_id: {} for note_id in texts}
    for number, line in enumerate(_read(table).splitlines(), start=1):
        cells = line.split("\t")
        if len(cells) < 2 or cells[0] not in texts:
            if line.strip() and number > 1:
                raise InputError(f"{table}, line {number}: no text for this line")
            continue
        if len(cells) == 2:
            codes[cells[0]].setdefault(normal_code(cells[1]), "")
        elif cells[1] == "DIAGNOSTICO":
            code = normal_code(cells[2])
            quote = cells[3] if len(cells) > 3 and cells[3] in texts[cells[0]] else ""
            codes[cells[0]][code] = codes[cells[0]].get(code) or quote
    return _corpus(
        f"codiesp-{folder.name}",
        (
            _note(note_id, {"id": note_id, "text": text, "source": "CodiEsp", "required": _groups(list(listed), listed)})
            for (note_id, text), listed in zip(texts.items(), codes.values(), strict=True)
        ),
    )


def _mimic_table(folder: Path, names: Sequence[str]) -> Path:
    for name in names:
        for base in (folder, folder / "note", folder / "hosp"):
            for path in (base / f"{name}.csv", base / f"{name}.csv.gz"):
                if path.is_file():
                    return path
    raise InputError(f"{folder} holds no {names[0]}.csv or {names[0]}.csv.gz")


def load_mimic(folder: Path | str) -> Corpus:
    """Tables in the style of MIMIC-IV and MIMIC-IV-Note, plain or gzipped, in one folder or under ``note`` and ``hosp``.

    ``discharge`` (or ``notes``) has ``note_id``, ``hadm_id`` and ``text``; ``diagnoses_icd`` has ``hadm_id``, ``seq_num``,
    ``icd_code`` without dot and ``icd_version``. Only version 10 counts; the code with the lowest ``seq_num`` is the
    primary one. Stays without version-10 codes are left out: their codes are ICD-9, not absent. The dates of MIMIC
    are shifted into the future, so the default date of service is used. Reports must not quote these notes.
    """
    folder = Path(folder)
    notes_path = _mimic_table(folder, ("discharge", "notes"))
    codes_path = _mimic_table(folder, ("diagnoses_icd",))
    codes: dict[str, list[tuple[int, str]]] = {}
    for number, row in _rows(codes_path):
        try:
            if row["icd_version"].strip() == "10":
                codes.setdefault(row["hadm_id"], []).append((int(row["seq_num"]), normal_code(row["icd_code"])))
        except (KeyError, ValueError):
            raise InputError(f"{codes_path}, line {number}: hadm_id, seq_num, icd_code or icd_version missing") from None
    notes = []
    for number, row in _rows(notes_path):
        where = f"{notes_path}, line {number}"
        if not {"note_id", "hadm_id", "text"} <= set(row):
            raise InputError(f"{where}: note_id, hadm_id or text missing")
        listed = [code for _, code in sorted(codes.get(row["hadm_id"], []))]
        if listed:
            fields = {"id": row["note_id"], "text": row["text"], "source": "MIMIC-IV"}
            notes.append(_note(where, {**fields, "primary": listed[:1], "required": _groups(listed)}))
    return _corpus(folder.name, notes, restricted=True)


def load_brat(folder: Path | str) -> Corpus:
    """Stand-off annotation of brat: pairs of ``.txt`` and ``.ann``.

    The code of a text-bound annotation (``T``) is taken from its normalisation (``N1 Reference T1 ICD10CM:M17.11``), else
    from its note (``#1 AnnotatorNotes T1 M17.11``), else from its type where that is a code (``M17_11``). An annotation
    with an attribute ``Negated`` (or ``Negation``) makes its code forbidden. Evidence is the first fragment of the span.
    Format: https://brat.nlplab.org/standoff.html.
    """
    folder = Path(folder)
    notes = []
    for path in sorted(folder.glob("*.ann")):
        text = _read(path.with_suffix(".txt"))
        spans: dict[str, tuple[str, str]] = {}
        codes: dict[str, str] = {}
        negated = set()
        for number, line in enumerate(_read(path).splitlines(), start=1):
            key, _, rest = line.partition("\t")
            try:
                if key.startswith("T"):
                    kind, start, end = rest.split("\t")[0].split(";")[0].split(" ")
                    spans[key] = (kind, text[int(start) : int(end)])
                elif key.startswith("N"):
                    _, target, reference = rest.split("\t")[0].split(" ", maxsplit=2)
                    codes[target] = reference.rpartition(":")[2]
                elif key.startswith("#"):
                    head, _, remark = rest.partition("\t")
                    match = _CODE.search(remark)
                    if match:
                        codes.setdefault(head.split(" ")[1], match.group(1))
                elif key.startswith(("A", "M")) and rest.split(" ")[0].lower() in {"negated", "negation"}:
                    negated.add(rest.split(" ")[1])
            except (ValueError, IndexError):
                raise InputError(f"{path}, line {number}: not a line of brat's stand-off format") from None
        for target, (kind, _) in spans.items():
            match = _CODE.fullmatch(kind.replace("_", "."))
            if match:
                codes.setdefault(target, match.group(1))
        present: dict[str, str] = {}
        absent: dict[str, str] = {}
        for target in spans:
            if target in codes:
                side = absent if target in negated else present
                side.setdefault(normal_code(codes[target]), spans[target][1])
        forbidden = [{"code": c, "reason": "negated", "evidence": q} for c, q in absent.items() if c not in present]
        notes.append(
            _note(
                str(path),
                {
                    "id": path.stem,
                    "text": text,
                    "source": folder.name,
                    "required": _groups(list(present), present),
                    "forbidden": forbidden,
                },
            )
        )
    return _corpus(folder.name, notes)


# -------------------------------------------------------------------------------------------------- detection


def _detect_folder(folder: Path) -> Callable[[Path], Corpus]:
    if (folder / "text_files_en").is_dir():
        return load_codiesp
    if (folder / "text_files").is_dir():
        return lambda path: load_codiesp(path, english=False)
    if any(folder.glob("diagnoses_icd.csv*")) or any(folder.glob("hosp/diagnoses_icd.csv*")):
        return load_mimic
    if any(folder.glob("*.ann")):
        return load_brat
    if any(folder.glob("*.jsonl")):
        return lambda path: _corpus(path.name, [n for file in sorted(path.glob("*.jsonl")) for n in load_dev(file)])
    if any(folder.glob("*.txt")):
        return load_text_folder
    raise InputError(f"the format of {folder} is not known; see corpora/loaders.py for those that are")


def load_corpus(path_or_name: Path | str) -> Corpus:
    """Load a corpus by name or path; the format of a path is detected.

    Names: ``therapy``, ``therapy:train``, ``therapy:dev``, ``therapy:test`` (also ``train``, ``dev``, ``test``), and
    ``real-dev`` for the shared dev notes where they are at hand.

    Raises
    ------
    InputError
        If there is no such corpus, its format is not known, or it is damaged.
    """
    name = str(path_or_name)
    path = Path(path_or_name)
    if path.is_dir():
        return _detect_folder(path)(path)
    if path.is_file():
        if path.suffix == ".jsonl":
            return load_dev(path)
        if {".csv", ".tsv"} & set(path.suffixes):
            return load_csv(path)
        raise InputError(f"the format of {path} is not known; .jsonl, .csv, .tsv or a folder are")
    if name == "therapy":
        return load_therapy(None)
    if name in SPLIT_NAMES or name.startswith("therapy:"):
        return load_therapy(name.removeprefix("therapy:"))
    if name == "real-dev":
        corpus = load_dev()
        return Corpus(name, corpus.notes)
    raise InputError(f"there is no corpus {name!r}: neither a file nor a folder, nor therapy, train, dev, test or real-dev")
