"""What can go wrong with the review store. A message never holds note text."""

from lexicon.errors import TheracodeError


class StoreError(TheracodeError):
    """The review store cannot be opened, read or written."""


class ConflictError(StoreError):
    """Another person changed the same note after it was shown; nothing was written."""
