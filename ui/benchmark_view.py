"""The figures of benchmark reports as the benchmark page shows them: one run, or two with what changed."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from corpora.bench import TABLE_METRICS, Interval, SystemResult, shown
from corpora.metrics import LOWER_IS_BETTER

NONE = "not defined"


def cell(metric: str, interval: Interval | None) -> str:
    """A figure with its 95 % interval."""
    if interval is None or interval.value is None:
        return NONE
    spread = "" if interval.low is None else f" [{shown(metric, interval.low)}, {shown(metric, interval.high)}]"
    return f"{shown(metric, interval.value)}{spread}"


def change(metric: str, first: Interval | None, second: Interval | None) -> str:
    """What changed from one run to the other: the difference as shown, whether it is better, and whether intervals overlap."""
    if first is None or second is None or first.value is None or second.value is None:
        return NONE
    before, after = (float(shown(metric, value)) for value in (first.value, second.value))
    if before == after:
        return "same"
    better = (after < before) == (metric in LOWER_IS_BETTER)
    told = f"{'+' if after > before else '-'}{shown(metric, abs(after - before))} {'better' if better else 'worse'}"
    if first.low is None or first.high is None or second.low is None or second.high is None:
        return told
    apart = first.high < second.low or second.high < first.low
    return f"{told}, intervals {'apart' if apart else 'overlap'}"


def figures(systems: Mapping[str, SystemResult], others: Mapping[str, SystemResult]) -> pd.DataFrame:
    """A row for each metric, a column for each system; of a system that both reports hold: first, second, and the change."""
    rows = []
    for metric in TABLE_METRICS:
        row = {"metric": f"{metric} ↓" if metric in LOWER_IS_BETTER else metric}
        for name in dict.fromkeys([*systems, *others]):
            runs = [run[name].metrics.get(metric) if name in run else None for run in (systems, others)]
            given = [
                (label, run)
                for label, held, run in zip(("first", "second"), (systems, others), runs, strict=True)
                if name in held
            ]
            for label, run in given:
                row[f"{name}, {label}" if others else name] = cell(metric, run)
            if len(given) == 2:
                row[f"{name}, change"] = change(metric, *runs)
        rows.append(row)
    return pd.DataFrame(rows).set_index("metric")
