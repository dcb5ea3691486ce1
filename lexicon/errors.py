"""The errors a user can meet. A message names what is wrong and what to do, and never holds note text."""


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
