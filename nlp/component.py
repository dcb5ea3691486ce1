"""What the components of the pipeline share: tables as knowledge, nothing learned, safe to save and load."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import srsly
from spacy.tokens import Doc

from lexicon.vocabulary import Vocabulary, load_vocabulary


class TableComponent:
    """Base of the pipeline's components.

    A subclass implements :meth:`__call__`. Its knowledge is the vocabulary of the installed tables, so saving writes
    the settings only and loading restores them.
    """

    settings: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.vocabulary: Vocabulary = load_vocabulary()

    def __call__(self, doc: Doc) -> Doc:
        """Read the draft of ``doc``, add what this component finds, and return ``doc``."""
        raise NotImplementedError

    def _state(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.settings}

    def to_bytes(self, **_: Any) -> bytes:
        """The settings, serialised."""
        data: bytes = srsly.msgpack_dumps(self._state())
        return data

    def from_bytes(self, data: bytes, **_: Any) -> TableComponent:
        """Restore the settings."""
        for name, value in srsly.msgpack_loads(data).items():
            setattr(self, name, value)
        return self

    def to_disk(self, path: str | Path, **_: Any) -> None:
        """Write the settings as JSON."""
        srsly.write_json(Path(path), self._state())

    def from_disk(self, path: str | Path, **_: Any) -> TableComponent:
        """Restore the settings from JSON."""
        for name, value in srsly.read_json(Path(path)).items():
            setattr(self, name, value)
        return self
