"""The tokenizer for clinical writing, as a spaCy tokenizer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import spacy
from spacy.tokens import Doc
from spacy.vocab import Vocab

from lexicon.normal import SKIPPED, normal_form, token_pattern
from nlp.draft import KEY, Draft


class ClinicalTokenizer:
    """Cuts a note with the same pattern as the tables and code titles; ``doc.text`` equals the input.

    Parameters
    ----------
    vocab : Vocab
    """

    def __init__(self, vocab: Vocab) -> None:
        self.vocab = vocab
        self._pattern = token_pattern()

    def __call__(self, text: str) -> Doc:
        """Tokenize ``text``.

        Returns
        -------
        Doc
            With a draft of the content tokens in ``doc.user_data``.
        """
        draft = Draft(text)
        words: list[str] = []
        spaces: list[bool] = []
        line = 0
        pending = 0
        for match in self._pattern.finditer(text):
            piece = match[0]
            if match.lastgroup == "space":
                newlines = piece.count("\n")
                if newlines:
                    line += newlines
                    pending = max(pending, 2 if newlines > 1 else 1)
                elif "\r" in piece:
                    line += 1
                    pending = max(pending, 1)
                if piece[0] == " " and words and not spaces[-1]:
                    spaces[-1] = True
                    piece = piece[1:]
                if piece:
                    words.append(piece)
                    spaces.append(False)
                continue
            words.append(piece)
            spaces.append(False)
            start, end = match.span()
            if piece in SKIPPED:
                inside = start > 0 and end < len(text) and not text[start - 1].isspace() and not text[end].isspace()
                if inside or piece not in "-\u2010\u2011\u2012\u2013":
                    continue
            draft.words.append(normal_form(piece))
            draft.starts.append(start)
            draft.ends.append(end)
            draft.lines.append(line)
            draft.breaks.append(pending)
            draft.doc_index.append(len(words) - 1)
            pending = 0
        doc = Doc(self.vocab, words=words, spaces=spaces)
        doc.user_data[KEY] = draft
        return doc

    def to_bytes(self, **_: Any) -> bytes:
        """Nothing is learned, so there is nothing to save."""
        return b""

    def from_bytes(self, _data: bytes, **_: Any) -> ClinicalTokenizer:
        """Nothing to restore."""
        return self

    def to_disk(self, path: str | Path, **_: Any) -> None:
        """Write a marker, so that a saved pipeline is complete."""
        Path(path).write_text("theracode.ClinicalTokenizer\n", encoding="utf-8")

    def from_disk(self, _path: str | Path, **_: Any) -> ClinicalTokenizer:
        """Nothing to restore."""
        return self


@spacy.registry.tokenizers("theracode.ClinicalTokenizer")  # type: ignore[untyped-decorator]
def create_tokenizer() -> Any:
    """Factory for spaCy's configuration."""

    def build(nlp: Any) -> ClinicalTokenizer:
        return ClinicalTokenizer(nlp.vocab)

    return build
