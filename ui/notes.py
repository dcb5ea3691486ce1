"""Notes as people hand them over: files, pipes, table rows. Messages name the fault and never hold note text."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lexicon.errors import InputError

if TYPE_CHECKING:
    from models.coding import Note

MAX_BYTES = 16_000_000  # of a file or a row, far above what the coder reads; keeps memory bounded
FIELDS = ("id", "text", "date_of_service", "encounter", "dominance", "age", "sex", "external_causes")


def decode(data: bytes, name: str) -> str:
    """Text of a UTF-8 file; a byte order mark is dropped and line ends stay as they are.

    Raises
    ------
    InputError
        If the bytes are not UTF-8.
    """
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise InputError(f"{name} is UTF-16 text; save it as UTF-8")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{name} is not UTF-8 text (byte {error.start}); save it as UTF-8") from None


def check_text(text: str, name: str = "the note") -> str:
    """The text itself, if it can be a note.

    Raises
    ------
    InputError
        If it is empty or holds NUL characters, as binary files do.
    """
    if "\0" in text:
        raise InputError(f"{name} holds NUL characters; it is not plain text")
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        raise InputError(f"{name} holds halves of characters; it is not valid Unicode text")
    if not text.strip():
        raise InputError(f"{name} is empty")
    return text


def read_note_text(source: str) -> str:
    """The note in a file, or on standard input for ``-``.

    Raises
    ------
    InputError
        If it cannot be read, is too large, is not UTF-8 text, or is empty.
    """
    if source == "-":
        name = "standard input"
        data = sys.stdin.buffer.read(MAX_BYTES + 1)
    else:
        name = source
        path = Path(source)
        if path.is_dir():
            raise InputError(f"{name} is a folder; give one note, or use `theracode batch` for many")
        try:
            with path.open("rb") as file:
                data = file.read(MAX_BYTES + 1)
        except (OSError, ValueError) as error:
            raise InputError(f"{name} cannot be read ({getattr(error, 'strerror', None) or error})") from None
    return note_text(data, name)


def note_text(data: bytes, name: str) -> str:
    """The note in the bytes of a text file. Errors as of :func:`read_note_text`."""
    if len(data) > MAX_BYTES:
        raise InputError(f"{name} is larger than {MAX_BYTES // 1_000_000} MB; that is not one note")
    return check_text(decode(data, name), name)


def make_note(fields: Mapping[str, Any]) -> Note:
    """A note from named fields; an empty field counts as not given, a field of another name is left out.

    Raises
    ------
    InputError
        If the text is missing or a field has a value that it cannot have.
    """
    from pydantic import ValidationError

    from models.coding import Note

    given = {name: fields[name] for name in FIELDS if fields.get(name) not in (None, "")}
    text = given.get("text", fields.get("text"))
    if text is None:
        raise InputError("there is no text")
    if not isinstance(text, str):
        raise InputError("the text is not a string")
    given["text"] = check_text(text, "the text")
    try:
        return Note(**given)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        raise InputError(f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}") from None


def code_list(written: str) -> list[str]:
    """Codes as people list them, apart by commas, semicolons or space, in their order.

    Raises
    ------
    InputError
        If there is none.
    """
    codes = re.split(r"[\s,;]+", written.strip(" \t\r\n,;"))
    if codes == [""]:
        raise InputError("no codes were given; write them separated by commas, first-listed first")
    return codes
