"""One coder, and the notes that may be looked at, for all tests of deciding."""

from __future__ import annotations

from pathlib import Path

import pytest

import theracode
from corpora.loaders import SHARED_DEV, load_corpus, load_dev
from corpora.schema import GoldNote


@pytest.fixture(scope="session")
def coder() -> theracode.Coder:
    """The coder as it is installed."""
    return theracode.load()


@pytest.fixture(scope="session")
def dev_notes() -> list[GoldNote]:
    """The dev split of our corpus."""
    return list(load_corpus("therapy:dev"))


@pytest.fixture(scope="session")
def seen_notes(dev_notes: list[GoldNote]) -> list[GoldNote]:
    """The train and dev splits: every note that somebody may look at. The test split stays unseen."""
    return [*load_corpus("therapy:train"), *dev_notes]


@pytest.fixture(scope="session")
def all_notes() -> list[GoldNote]:
    """Every note of our corpus, and the shared dev notes where they lie beside the repository."""
    shared = list(load_dev()) if Path(SHARED_DEV).exists() else []
    return [*load_corpus("therapy"), *shared]
