"""The errors a user can meet. A message names what is wrong and what to do, and never holds note text."""

from __future__ import annotations

import os
import traceback
from pathlib import Path

FRAMES = 4  # of the place of an unforeseen error that are told


class TheracodeError(Exception):
    """Base of every error that theracode raises on purpose; the command line prints it as one line and exits with 2."""


class EditionError(TheracodeError):
    """An edition is missing, damaged, or its release files cannot be read."""


class CodeError(TheracodeError):
    """A string that was given as a code is not a code of the edition."""


class LexiconError(TheracodeError):
    """A table under lexicon/ is malformed."""


class InputError(TheracodeError):
    """A note, a file or a field that was given cannot be used."""


class ModelError(TheracodeError):
    """A saved model is missing, damaged, or made for another version."""


class WorkerError(TheracodeError):
    """A process that was working on notes died."""


def unforeseen(error: Exception, doing: str) -> str:
    """One line about an error that nobody raised on purpose.

    Its kind and, with ``THERACODE_LOG_LEVEL=debug``, its place: files, lines and functions, the innermost first. Its message
    is never told, for it may hold note text.

    Parameters
    ----------
    error : Exception
        As it was caught, with its traceback.
    doing : str
        What was being done, such as ``while coding``.
    """
    line = f"unforeseen {type(error).__name__} {doing}"
    if os.environ.get("THERACODE_LOG_LEVEL", "").lower() != "debug":
        return f"{line}; THERACODE_LOG_LEVEL=debug shows where"
    frames = traceback.extract_tb(error.__traceback__)[-FRAMES:]
    places = [f"{'/'.join(Path(frame.filename).parts[-2:])}:{frame.lineno} {frame.name}" for frame in reversed(frames)]
    return f"{line}, at {', from '.join(places)}" if places else line
