"""How much is tried: ``pytest tests/test_fuzz.py`` as CI does it, ``--hypothesis-profile=long`` for a night (``make fuzz``)."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile(
    "ci",
    max_examples=100,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.register_profile("long", settings.get_profile("ci"), max_examples=5_000, derandomize=False, print_blob=True)
settings.load_profile("ci")
