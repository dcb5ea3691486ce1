"""One reader for all tests of reading."""

from __future__ import annotations

import pytest

from nlp import Reader


@pytest.fixture(scope="session")
def reader() -> Reader:
    """The pipeline as it is installed."""
    return Reader()
