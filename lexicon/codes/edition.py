"""One edition of the code set, ready to be asked: titles, billability, hierarchy, notes and 7th characters."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from lexicon.codes.references import Reference, parse_references
from lexicon.codes.tabular import Release, seventh_exceptions
from lexicon.errors import CodeError

NOTES_KEPT = 8192  # answers of Edition.notes kept in memory
NOTE_LABELS = {
    "includes": "Includes",
    "inclusion": "Inclusion term",
    "excludes1": "Excludes1",
    "excludes2": "Excludes2",
    "code_first": "Code first",
    "use_additional": "Use additional code",
    "code_also": "Code also",
    "note": "Note",
    "seventh_note": "7th character",
}


@dataclass(frozen=True, slots=True)
class CodeNote:
    """An instructional note, with where it stands and the codes it names."""

    kind: str
    text: str
    stands_at: str
    references: tuple[Reference, ...] = ()

    @property
    def label(self) -> str:
        """The kind as the tabular list writes it."""
        return NOTE_LABELS[self.kind]

    def names(self, code: str) -> bool:
        """Whether one of the note's references means ``code``."""
        for reference in self.references:  # noqa: SIM110 - a loop is twice as fast here as any()
            if reference.matches(code):
                return True
        return False


class Edition:
    """A code set that is valid over a span of dates.

    Parameters
    ----------
    release : Release
        Parsed nodes and notes.
    source : str
        Where the codes and notes come from, shown to users.
    changed : iterable of str
        Codes whose instructional notes are older than the code list itself (see ``notes_as_of``).
    notes_as_of : str
        Label of the release that the instructional notes were taken from.
    references : dict, optional
        Parsed references by note number, from the compiled cache; parsed on demand when absent.
    key : str, optional
        Changes whenever the content of the edition does; what is derived from an edition is stored under it.
    """

    def __init__(
        self,
        release: Release,
        *,
        source: str,
        notes_as_of: str = "",
        changed: Iterable[str] = (),
        references: dict[int, Any] | None = None,
        key: str = "",
    ) -> None:
        self.name = release.name
        self.key = key
        self.source = source
        self.notes_as_of = notes_as_of or release.name
        self.changed = frozenset(changed)
        self._changed = tuple(sorted(self.changed))
        self._release = release
        # A section may bear the name of a category (B20, F99, P84, R99, Z66): the category keeps the plain name.
        self._row = {code: row for row, code in enumerate(release.codes) if release.levels[row] == "code"}
        self._children: list[list[int]] = [[] for _ in release.codes]
        for row, parent in enumerate(release.parents):
            if parent >= 0:
                self._children[parent].append(row)
        self._notes_at: dict[int, list[int]] = {}
        for number, (row, _, _) in enumerate(release.notes):
            self._notes_at.setdefault(row, []).append(number)
        self._compiled_references = references
        self._exceptions = seventh_exceptions()
        self._notes_cache: dict[tuple[int, bool, frozenset[str] | None], tuple[CodeNote, ...]] = {}
        self._letters_cache: dict[int, dict[str, str]] = {}

    # ---------------------------------------------------------------- names and billability

    def __contains__(self, code: str) -> bool:
        return code in self._row or self._split(code) is not None

    def __repr__(self) -> str:
        return f"Edition({self.name!r})"

    def _split(self, code: str) -> tuple[int, str] | None:
        """Row of the stem and 7th character of a seven-character code, or None."""
        if len(code) != 8 or code[3] != "." or code in self._row:
            return None
        stem = code[:7].rstrip("X")
        for candidate in (code[:7], stem, stem.rstrip(".")):
            row = self._row.get(candidate)
            if row is not None and not self._children[row] and code[7] in self._letters(row):
                return (row, code[7]) if self.with_seventh(candidate, code[7]) == code else None
        return None

    def _locate(self, code: str) -> tuple[int, str]:
        row = self._row.get(code)
        if row is not None:
            return row, ""
        split = self._split(code)
        if split is None:
            raise CodeError(f"{code[:12]!r} is not a code of edition {self.name}; see `theracode explain`")
        return split

    def stem(self, code: str) -> str:
        """The code without its 7th character and placeholders, as the tabular list names it.

        Raises
        ------
        CodeError
            If ``code`` is not in this edition.
        """
        return self._release.codes[self._locate(code)[0]]

    def is_billable(self, code: str) -> bool:
        """Whether ``code`` may be reported: complete, with the 7th character where one is required."""
        row = self._row.get(code)
        if row is not None:
            return not self._children[row] and not self._letters(row)
        return self._split(code) is not None

    def title(self, code: str) -> str:
        """The official title; for a code with 7th character the meaning of the character is appended."""
        row, letter = self._locate(code)
        title = self._release.titles[row]
        return f"{title}, {self._letters(row)[letter]}" if letter else title

    def _table_row(self, row: int) -> int:
        """Row whose 7th-character table governs ``row`` (the nearest definition wins), or -1."""
        while row >= 0:
            if row in self._release.sevenths:
                return row
            row = self._release.parents[row]
        return -1

    def _letters(self, row: int) -> dict[str, str]:
        letters = self._letters_cache.get(row)
        if letters is None:
            letters = self._letters_cache[row] = self._find_letters(row)
        return letters

    def _find_letters(self, row: int) -> dict[str, str]:
        table = self._table_row(row)
        if table < 0 or self._children[row]:
            return {}
        letters = self._release.sevenths[table]
        code = self._release.codes[row]
        bare = code.replace(".", "")
        if len(bare) > 6:
            return {}
        for prefix, position, characters, forbidden in self._exceptions:
            if code.startswith(prefix) and len(bare) >= position and bare[position - 1] in characters:
                letters = {letter: meaning for letter, meaning in letters.items() if letter not in forbidden}
        return letters

    def sevenths(self, code: str) -> dict[str, str]:
        """Allowed 7th characters of a stem with their meanings; empty if the code takes none."""
        return dict(self._letters(self._locate(code)[0]))

    def seventh_table(self, code: str) -> tuple[str, dict[str, str]]:
        """Where the 7th-character table of ``code`` stands (empty if there is none), and the table."""
        row, _ = self._locate(code)
        table = self._table_row(row)
        return ("", {}) if table < 0 else (self._release.codes[table], dict(self._release.sevenths[table]))

    @staticmethod
    def with_seventh(stem: str, letter: str) -> str:
        """The reportable code: ``stem``, placeholders X up to the sixth place, and the 7th character (I.A.4-5)."""
        padded = stem if "." in stem else f"{stem}."
        return f"{padded:X<7}{letter}"

    @cached_property
    def leaves(self) -> list[str]:
        """Every node without children that is a code, in the order of codes: billable, or a stem that needs a 7th."""
        return sorted(
            code
            for row, code in enumerate(self._release.codes)
            if self._release.levels[row] == "code" and not self._children[row]
        )

    def billable(self) -> Iterator[str]:
        """Every billable code, sorted by stem."""
        for code in self.leaves:
            letters = self._letters(self._row[code])
            if letters:
                yield from (self.with_seventh(code, letter) for letter in letters)
            else:
                yield code

    def headers(self) -> frozenset[str]:
        """Every code that may not be reported: it has codes below it or needs a 7th character."""
        return frozenset(code for code, row in self._row.items() if self._children[row] or self._letters(row))

    def leaves_below(self, prefix: str) -> list[str]:
        """Leaves whose code starts with ``prefix``, sorted."""
        leaves = self.leaves
        start = bisect_left(leaves, prefix)
        end = start
        while end < len(leaves) and leaves[end].startswith(prefix):
            end += 1
        return leaves[start:end]

    # ---------------------------------------------------------------- hierarchy

    def children(self, code: str) -> list[str]:
        """Direct children of a node, sorted; empty for a leaf."""
        return sorted(self._release.codes[child] for child in self._children[self._locate(code)[0]])

    def ancestors(self, code: str) -> list[str]:
        """Names from the parent up to the chapter. For a code with 7th character the stem comes first."""
        row, letter = self._locate(code)
        names = [self._release.codes[row]] if letter else []
        row = self._release.parents[row]
        while row >= 0:
            names.append(self._release.codes[row])
            row = self._release.parents[row]
        return names

    def lineage_titles(self, code: str) -> list[tuple[str, str]]:
        """(name, title) from the chapter down to the node itself."""
        row, _ = self._locate(code)
        levels = []
        while row >= 0:
            levels.append((self._release.codes[row], self._release.titles[row]))
            row = self._release.parents[row]
        return levels[::-1]

    def is_manifestation(self, code: str) -> bool:
        """Whether the title makes it a manifestation code, never first-listed (I.A.13).

        The words are "in (other, infectious, ...) diseases" or "conditions classified elsewhere"; agents "as the cause of
        diseases classified elsewhere" (B95-B97) are no manifestations.
        """
        title = self._release.titles[self._locate(code)[0]].lower()
        return re.search(r"(?<!not )classified elsewhere", title) is not None and "as the cause of" not in title

    def has_older_notes(self, code: str) -> bool:
        """Whether the code changed after the release that its instructional notes come from."""
        return code.startswith(self._changed)

    # ---------------------------------------------------------------- notes

    def _note(self, number: int) -> CodeNote:
        row, kind, text = self._release.notes[number]
        if kind in {"inclusion", "includes", "seventh_note", "note"}:
            references: tuple[Reference, ...] = ()
        else:
            references = self._references_of(number, text)
        return CodeNote(kind, text, self._release.codes[row], references)

    def _references_of(self, number: int, text: str) -> tuple[Reference, ...]:
        if self._compiled_references is None:
            return parse_references(text)
        return tuple(
            Reference(low, high, tuple(positions), frozenset(characters), tuple(endings), anchored)
            for low, high, positions, characters, endings, anchored in self._compiled_references.get(number, ())
        )

    def notes(self, code: str, *, inherited: bool = True, kinds: Iterable[str] | None = None) -> tuple[CodeNote, ...]:
        """Instructional notes of a code.

        Parameters
        ----------
        code : str
            Any node, with or without 7th character.
        inherited : bool
            Also the notes of every ancestor (subcategory, category, section, chapter); nearest first. Inclusion terms
            are never inherited.
        kinds : iterable of str, optional
            Only these kinds (keys of ``NOTE_LABELS``).

        Returns
        -------
        tuple of CodeNote
        """
        row, _ = self._locate(code)
        wanted = None if kinds is None else frozenset(kinds)
        known = self._notes_cache.get((row, inherited, wanted))
        if known is not None:
            return known
        if wanted is not None:
            notes = tuple(note for note in self.notes(code, inherited=inherited) if note.kind in wanted)
        else:
            gathered = [self._note(number) for number in self._notes_at.get(row, ())]
            parent = self._release.parents[row] if inherited else -1
            while parent >= 0:
                above = (self._note(number) for number in self._notes_at.get(parent, ()))
                gathered += [note for note in above if note.kind != "inclusion"]
                parent = self._release.parents[parent]
            notes = tuple(gathered)
        if len(self._notes_cache) > NOTES_KEPT:
            self._notes_cache.clear()
        self._notes_cache[row, inherited, wanted] = notes
        return notes

    def inclusion_terms(self, code: str) -> list[str]:
        """Official synonyms that stand at the node itself."""
        return [note.text for note in self.notes(code, inherited=False, kinds=("inclusion",))]

    def all_notes(self) -> Iterator[CodeNote]:
        """Every note of the edition in tabular order."""
        for number in range(len(self._release.notes)):
            yield self._note(number)
