"""How much is tried: ``pytest tests/test_fuzz.py`` as CI does it, ``--hypothesis-profile=long`` for a night (``make fuzz``)."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "ci",
    max_examples=70,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.register_profile("long", settings.get_profile("ci"), max_examples=5_000, derandomize=False, print_blob=True)
settings.load_profile("ci")

SHARES = pytest.StashKey[list[tuple[str, float, int]]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--every-note``: metamorphic relations over every corpus."""
    parser.addoption("--every-note", action="store_true", help="measure metamorphic relations over every note of every corpus")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Report the shares that metamorphic tests measured."""
    for name, share, notes in config.stash.get(SHARES, []):
        terminalreporter.write_line(f"{share:7.3f} of {notes:4}  {name}")
