"""What a review shows in figures: what is rejected and why, and whether probabilities hold. Counts and plots, no note text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import altair as alt
import pandas as pd

from ui.store.models import What
from ui.store.repository import Decision

ACCENT = "#0f8079"
LABELS: dict[What, str] = {
    "accept": "accepted",
    "override": "overridden",
    "replace": "replaced",
    "add": "added",
    "reject": "rejected",
}
BANDS = ("0 to 20 %", "20 to 40 %", "40 to 60 %", "60 to 80 %", "80 to 100 %")
MOST = 10
THICK, STEP = 14, 26  # of a bar and from bar to bar, in pixels


def by_verdict(verdicts: Iterable[Decision]) -> dict[str, int]:
    """How many codes were accepted, overridden, replaced, added, rejected."""
    counts = Counter(decision.what for decision in verdicts)
    return {label: counts[what] for what, label in LABELS.items()}


def by_reason(verdicts: Iterable[Decision]) -> dict[str, int]:
    """Why codes were rejected or replaced, most frequent first."""
    counts = Counter(decision.reason for decision in verdicts if decision.what in ("reject", "replace"))
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:MOST])


def by_code(verdicts: Iterable[Decision]) -> dict[str, int]:
    """Which codes were rejected or replaced, most frequent first."""
    counts = Counter(decision.code for decision in verdicts if decision.what in ("reject", "replace"))
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:MOST])


def by_band(verdicts: Iterable[Decision]) -> list[tuple[str, float, int]]:
    """Share of suggestions that were kept as they are, by band of probability: (band, share in 0 to 1, how many)."""
    bands: dict[int, list[bool]] = {}
    for decision in verdicts:
        if decision.probability is not None:
            band = min(int(decision.probability * len(BANDS)), len(BANDS) - 1)
            bands.setdefault(band, []).append(decision.what in ("accept", "override"))
    return [(BANDS[band], sum(kept) / len(kept), len(kept)) for band, kept in sorted(bands.items())]


def count_bars(counts: dict[str, int], what: str) -> alt.Chart:
    """Counts as bars, in the order given, with their figures."""
    table = pd.DataFrame({what: list(counts), "codes": list(counts.values())})
    chart: alt.Chart = (
        alt.Chart(table)
        .mark_bar(color=ACCENT, size=THICK)
        .encode(
            x=alt.X("codes:Q", title=None, axis=alt.Axis(tickMinStep=1, format="d")),
            y=alt.Y(f"{what}:N", sort=list(counts), title=None, axis=alt.Axis(labelLimit=160, labelOverlap=False)),
            tooltip=[f"{what}:N", "codes:Q"],
        )
        .properties(height=alt.Step(STEP))
    )
    return chart


def band_bars(bands: Sequence[tuple[str, float, int]]) -> alt.Chart:
    """Share kept by band of probability."""
    table = pd.DataFrame(bands, columns=["probability", "kept", "codes"])
    chart: alt.Chart = (
        alt.Chart(table)
        .mark_bar(color=ACCENT, size=THICK)
        .encode(
            x=alt.X("kept:Q", title=None, scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format="%", tickCount=5)),
            y=alt.Y("probability:N", sort=list(reversed(BANDS)), title=None),
            tooltip=["probability:N", alt.Tooltip("kept:Q", format=".0%"), "codes:Q"],
        )
        .properties(height=alt.Step(STEP))
    )
    return chart
