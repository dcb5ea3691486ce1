"""Benchmark: read the report of ``theracode bench`` and compare two runs."""

from __future__ import annotations

from collections.abc import Mapping

import altair as alt
import pandas as pd
import streamlit as st
from pydantic import ValidationError

from corpora.bench import ERROR_KINDS, TABLE_METRICS, BenchResult, SystemResult, shown
from corpora.metrics import LOWER_IS_BETTER
from ui import page

ACCENTS = ["#0f8079", "#b3691e", "#4f6f8f", "#7d5ba6", "#8a8f98", "#a34a5b"]
PLOTTED = ("recall@5", "mrr", "p@1", "f1", "forbidden")


def _load(label: str, key: str) -> BenchResult | None:
    file = st.file_uploader(label, type="json", key=key, help="bench.json, written by theracode bench --report FOLDER")
    if file is None:
        return None
    try:
        return BenchResult.model_validate_json(file.getvalue())
    except ValidationError:
        st.error("This file is not a report of theracode bench, or it was written by another version.")
        return None


def _figures(systems: Mapping[str, SystemResult]) -> pd.DataFrame:
    rows = []
    for metric in TABLE_METRICS:
        row = {"metric": f"{metric} ↓" if metric in LOWER_IS_BETTER else metric}
        for name, system in systems.items():
            interval = system.metrics.get(metric)
            if interval is None or interval.value is None:
                row[name] = "not defined"
            else:
                spread = "" if interval.low is None else f" [{shown(metric, interval.low)}, {shown(metric, interval.high)}]"
                row[name] = f"{shown(metric, interval.value)}{spread}"
        rows.append(row)
    return pd.DataFrame(rows).set_index("metric")


def _bars(systems: Mapping[str, SystemResult]) -> alt.Chart | alt.LayerChart | alt.FacetChart:
    rows = [
        {"metric": metric, "system": name, "value": value.value, "low": value.low, "high": value.high}
        for name, system in systems.items()
        for metric in PLOTTED
        if (value := system.metrics.get(metric)) is not None and value.value is not None
    ]
    base = alt.Chart(pd.DataFrame(rows)).encode(
        x=alt.X("metric:N", sort=list(PLOTTED), title=None, axis=alt.Axis(labelAngle=0)),
        xOffset=alt.XOffset("system:N", sort=list(systems)),
    )
    colour = alt.Color(
        "system:N", scale=alt.Scale(domain=list(systems), range=ACCENTS), legend=alt.Legend(orient="bottom", title=None)
    )
    bars = base.mark_bar().encode(y=alt.Y("value:Q", title=None, scale=alt.Scale(domain=[0, 1])), color=colour)
    spread = base.mark_rule(color=ACCENTS[4]).encode(y="low:Q", y2="high:Q")
    return alt.layer(bars, spread).properties(height=280)


def _calibration(system: SystemResult) -> alt.Chart | alt.LayerChart | alt.FacetChart:
    rows = [
        {"predicted": piece.mean_probability, "accepted": piece.share_accepted, "suggestions": piece.count}
        for piece in system.calibration
        if piece.count
    ]
    points = (
        alt.Chart(pd.DataFrame(rows, columns=["predicted", "accepted", "suggestions"]))
        .mark_line(point={"color": ACCENTS[0]}, color=ACCENTS[0])
        .encode(
            x=alt.X("predicted:Q", scale=alt.Scale(domain=[0, 1]), title="probability"),
            y=alt.Y("accepted:Q", scale=alt.Scale(domain=[0, 1]), title="share accepted"),
            tooltip=["predicted:Q", "accepted:Q", "suggestions:Q"],
        )
    )
    ideal = alt.Chart(pd.DataFrame({"predicted": [0, 1], "accepted": [0, 1]})).mark_line(strokeDash=[4, 4], color="#8a8f98")
    return alt.layer(ideal.encode(x="predicted:Q", y="accepted:Q"), points).properties(height=280)


def _details(result: BenchResult) -> None:
    name = st.selectbox("System", [system.name for system in result.systems], key="bench_system")
    system = next(system for system in result.systems if system.name == name)
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("Kinds of errors", anchor=False)
        errors = pd.DataFrame({"kind": ERROR_KINDS, "count": [system.errors.get(kind, 0) for kind in ERROR_KINDS]})
        st.altair_chart(
            alt.Chart(errors)
            .mark_bar(color=ACCENTS[0])
            .encode(x=alt.X("count:Q", title=None), y=alt.Y("kind:N", sort=list(ERROR_KINDS), title=None))
            .properties(height=280)
        )
    with right:
        st.subheader("Calibration", anchor=False)
        if system.calibration:
            st.altair_chart(_calibration(system))
        else:
            st.caption("The report holds no calibration for this system.")
    if system.by_setting:
        st.subheader("By setting", anchor=False)
        st.dataframe(pd.DataFrame(system.by_setting).T.round(2))
    if system.worst:
        st.subheader("Worst notes", anchor=False)
        for note in system.worst:
            with st.expander(f"{note.id}: {note.errors} errors"):
                st.dataframe(
                    pd.DataFrame([{"accepted": ", ".join(e.accept), "why": e.why, "result": e.verdict} for e in note.expected]),
                    hide_index=True,
                )
                st.dataframe(
                    pd.DataFrame([{"given": g.code, "title": g.title, "result": g.verdict} for g in note.given]), hide_index=True
                )


def main() -> None:
    """Draw the page."""
    page.head("Benchmark", "Reads what <code>theracode bench --report FOLDER</code> wrote. The file stays on this machine.")
    left, right = st.columns(2, gap="large")
    with left:
        first = _load("Report", "bench_first")
    with right:
        second = _load("A second report to compare with (optional)", "bench_second")
    if first is None:
        st.caption("No report is open. Run theracode bench with --report, then open bench.json here.")
        return
    st.caption(
        f"{first.corpus}: {first.notes} notes, {first.groups} required groups, editions {', '.join(first.editions)}, "
        f"seed {first.config.seed}"
    )
    systems = {system.name: system for system in first.systems}
    if second is not None:
        if second.corpus_digest != first.corpus_digest:
            st.warning("The two reports measure different notes; their figures cannot be compared one to one.")
        systems = {f"{name} (first)": system for name, system in systems.items()}
        systems |= {f"{system.name} (second)": system for system in second.systems}
    st.subheader("Figures with 95 % intervals", anchor=False)
    st.caption("↓ means that lower is better.")
    st.dataframe(_figures(systems), height="content")
    st.altair_chart(_bars(systems))
    _details(first)


main()
