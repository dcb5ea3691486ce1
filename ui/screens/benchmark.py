"""Benchmark: read the report of ``theracode bench`` and compare two runs."""

from __future__ import annotations

from collections.abc import Mapping

import altair as alt
import pandas as pd
import streamlit as st
from pydantic import ValidationError

from corpora.bench import ERROR_KINDS, BenchResult, SystemResult
from ui import benchmark_view, page

ACCENTS = ["#0f8079", "#b3691e", "#4f6f8f", "#7d5ba6", "#8a8f98", "#a34a5b"]
INTRO = (
    "Run <code>theracode bench --report FOLDER</code> and open the <code>bench.json</code> that it writes. Each figure stands "
    "with its interval, with the kinds of errors, the calibration and the worst notes. A second report is compared one by one."
)
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
        "system:N",
        scale=alt.Scale(domain=list(systems), range=ACCENTS),
        legend=alt.Legend(orient="bottom", title=None, columns=2),
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
        page.chart(
            alt.Chart(errors)
            .mark_bar(color=ACCENTS[0])
            .encode(x=alt.X("count:Q", title=None), y=alt.Y("kind:N", sort=list(ERROR_KINDS), title=None))
            .properties(height=280),
            "How often each kind of error occurs",
        )
    with right:
        st.subheader("Calibration", anchor=False)
        if system.calibration:
            page.chart(_calibration(system), "Share of accepted suggestions by their probability")
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
        with st.container(border=True):
            st.html(f'<p class="tc-intro">{INTRO}</p>')
        return
    st.caption(
        f"{first.corpus}: {first.notes} notes, {first.groups} required groups, editions {', '.join(first.editions)}, "
        f"seed {first.config.seed}"
    )
    systems = {system.name: system for system in first.systems}
    others = {system.name: system for system in second.systems} if second is not None else {}
    if second is not None and second.corpus_digest != first.corpus_digest:
        st.warning("The two reports measure different notes; their figures cannot be compared one to one.")
    st.subheader("Figures with 95 % intervals", anchor=False)
    st.caption("↓ means that lower is better.")
    st.dataframe(benchmark_view.figures(systems, others), height="content")
    if others:
        systems = {f"{name}, first": system for name, system in systems.items()}
        systems |= {f"{name}, second": system for name, system in others.items()}
    page.chart(_bars(systems), "The chief figures of each system as bars")
    _details(first)


main()
