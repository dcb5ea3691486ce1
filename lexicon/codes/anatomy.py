"""The anatomy of a code: what each part of it says, what may be reported, and every note that bears on it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from lexicon.codes.edition import CodeNote, Edition
from lexicon.errors import CodeError

_FORM = re.compile(r"[A-Z][0-9A-Z]{2}(?:\.[0-9A-Z]{1,4})?")
_LISTED = 8
"""How many codes a message names at most."""


@dataclass(frozen=True, slots=True)
class Level:
    """One step from the chapter down to the code; ``kind`` is chapter, section, category, subcategory or code."""

    code: str
    title: str
    kind: str


@dataclass(frozen=True, slots=True)
class Child:
    """A code right below, or one of the reportable codes that a 7th character makes."""

    code: str
    title: str
    billable: bool


@dataclass(frozen=True, slots=True)
class Anatomy:
    """Everything an edition says of one code.

    Attributes
    ----------
    code, title, edition : str
        The code as the edition writes it, its full official title, the name of the edition.
    levels : tuple of Level
        Chapter, section, category, subcategories and the code or its stem, in this order.
    category : str
        Characters 1 to 3.
    detail : str
        Characters 4 to 6 (etiology, site, severity) without placeholders; empty for a category.
    placeholders : int
        How many X fill places so that the 7th character is the seventh (guideline I.A.4).
    extension, extension_meaning : str
        The 7th character and what it says; empty where the code has none.
    billable : bool
    reason : str
        Why it may or may not be reported, one clause.
    sevenths : tuple of (character, meaning)
        The 7th characters that the stem takes.
    sevenths_at : str
        Where their table stands; the nearest definition governs. Empty where there is none.
    manifestation : bool
        A manifestation code, never first-listed (guideline I.A.13).
    notes, inherited : tuple of CodeNote
        Instructional notes at the code itself, and those of its ancestors, nearest first; each knows where it stands.
    children : tuple of Child
        The codes right below; for a stem that needs a 7th character the codes that it makes.
    billable_below : int
        How many reportable codes the code stands for, itself included.
    notes_as_of : str
        Release that the notes come from where the code has changed since; else empty.
    """

    code: str
    title: str
    edition: str
    levels: tuple[Level, ...]
    category: str
    detail: str
    placeholders: int
    extension: str
    extension_meaning: str
    billable: bool
    reason: str
    sevenths: tuple[tuple[str, str], ...]
    sevenths_at: str
    manifestation: bool
    notes: tuple[CodeNote, ...]
    inherited: tuple[CodeNote, ...]
    children: tuple[Child, ...]
    billable_below: int
    notes_as_of: str


def anatomy(edition: Edition, code: str) -> Anatomy:
    """Take a code apart.

    Parameters
    ----------
    edition : Edition
    code : str
        Category, subcategory, stem or complete code; case and a missing dot do not matter.

    Returns
    -------
    Anatomy

    Raises
    ------
    CodeError
        If the edition has no such code; the message names the nearest one and what is missing.
    """
    code = written(code)
    if code not in edition:
        raise CodeError(unknown_reason(edition, code))
    stem = edition.stem(code)
    letters = edition.sevenths(stem)
    letter = "" if code == stem else code[-1]
    table_at, _ = edition.seventh_table(stem)
    bare = stem.replace(".", "")
    own = edition.notes(stem, inherited=False)
    children = edition.children(stem)
    return Anatomy(
        code=code,
        title=edition.title(code),
        edition=edition.name,
        levels=_levels(edition, stem),
        category=bare[:3],
        detail=bare[3:6],
        placeholders=6 - len(bare) if letter else 0,
        extension=letter,
        extension_meaning=letters.get(letter, ""),
        billable=edition.is_billable(code),
        reason=_reason(edition, code, stem, letters, table_at),
        sevenths=tuple(letters.items()),
        sevenths_at=table_at if letters else "",
        manifestation=edition.is_manifestation(stem),
        notes=own,
        inherited=tuple(
            note
            for note in edition.notes(stem)[len(own) :]
            if note.kind != "seventh_note" or note.stands_at == table_at  # the nearest table governs
        ),
        children=() if letter else _children(edition, stem, letters, children),
        billable_below=1 if letter else sum(len(edition.sevenths(leaf)) or 1 for leaf in edition.leaves_below(stem)),
        notes_as_of=edition.notes_as_of if edition.has_older_notes(code) else "",
    )


def written(code: str) -> str:
    """A code in the official spelling: capitals, no spaces, the dot after the third character.

    Examples
    --------
    >>> written(" s52521a ")
    'S52.521A'
    """
    bare = "".join(code.split()).upper().replace(".", "")
    return bare if len(bare) <= 3 else f"{bare[:3]}.{bare[3:]}"


def _levels(edition: Edition, stem: str) -> tuple[Level, ...]:
    lineage = edition.lineage_titles(stem)
    levels = []
    for depth, (name, title) in enumerate(lineage):
        if depth < 2:
            kind = ("chapter", "section")[depth]
        elif depth == 2:
            kind = "category"
        else:
            kind = "code" if depth == len(lineage) - 1 and not edition.children(stem) else "subcategory"
        levels.append(Level(name, title, kind))
    return tuple(levels)


def _reason(edition: Edition, code: str, stem: str, letters: dict[str, str], table_at: str) -> str:
    if code != stem:
        return f"complete with the 7th character {code[-1]}, from the table at {table_at}"
    children = edition.children(stem)
    if children:
        return f"not complete: {_count(len(children), 'more specific code')} right below ({_some(children)})"
    if letters:
        return f"not complete: needs a 7th character, {_some(list(letters))}, from the table at {table_at}"
    return "complete: no code stands below it and it takes no 7th character"


def _children(edition: Edition, stem: str, letters: dict[str, str], children: list[str]) -> tuple[Child, ...]:
    if letters:
        children = [edition.with_seventh(stem, letter) for letter in letters]
    return tuple(Child(child, edition.title(child), edition.is_billable(child)) for child in children)


def unknown_reason(edition: Edition, code: str) -> str:
    """Why a string is no code of the edition and what to write instead: one sentence.

    Parameters
    ----------
    edition : Edition
    code : str
        As :func:`written` gives it; not in the edition.
    """
    shown = repr(code[:12])
    if not _FORM.fullmatch(code):
        return f"{shown} has not the form of an ICD-10-CM code (a letter, a digit, a character, a dot, up to four more)"
    missing = f"{shown} is not a code of edition {edition.name}"
    near = next((code[:length] for length in range(len(code) - 1, 2, -1) if code[:length] in edition), None)
    if near is None:
        return f"{missing}; it has no category {code[:3]}"
    letters = edition.sevenths(near)
    if letters:
        table_at, _ = edition.seventh_table(near)
        rest = code[len(near) :].lstrip(".X")
        if rest in letters:
            return f"{missing}; the 7th character stands in the seventh place: {edition.with_seventh(near, rest)}"
        return f"{missing}; {near} needs a 7th character, {_some(list(letters))} (table at {table_at})"
    children = edition.children(near)
    if not children:
        return f"{missing}; {near} ({edition.title(near)}) is complete as it is"
    return f"{missing}; the nearest is {near} ({edition.title(near)}), with {_some(children)} below"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _some(codes: list[str]) -> str:
    return ", ".join(codes[:_LISTED]) + (f" and {len(codes) - _LISTED} more" if len(codes) > _LISTED else "")
