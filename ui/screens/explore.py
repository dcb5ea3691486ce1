"""Explore: search the code set and read a code's anatomy, hierarchy, notes and exclusions."""

from __future__ import annotations

from datetime import date

import streamlit as st

from lexicon.codes.anatomy import anatomy
from lexicon.codes.edition import Edition
from lexicon.codes.registry import load_edition
from lexicon.errors import TheracodeError
from ui import anatomy_view, page

INTRO = (
    "Search the official code set by words or by code. Each code is shown with its parts, its place in the hierarchy, its own "
    "and inherited notes, and what may not be reported beside it. Or start with one of these."
)
EXAMPLES = ("M62.81", "S52.521A", "M54.5", "I69.35")


@st.cache_resource(show_spinner="Loading the code set")
def _edition(name: str) -> Edition:
    return load_edition(name)


def _show(edition: Edition, code: str) -> None:
    try:
        parts = anatomy(edition, code)
    except TheracodeError as error:
        st.error(str(error))
        return
    st.header(f"{parts.code}  {parts.title}", anchor=False)
    st.html(anatomy_view.facts_html(parts))
    tree, notes, graph = st.tabs(["Hierarchy", f"Notes ({len(parts.notes) + len(parts.inherited)})", "Exclusions"])
    with tree:
        st.html(anatomy_view.tree_html(parts))
    with notes:
        if not parts.notes and not parts.inherited:
            st.caption("No instructional note stands at this code or above it.")
        if parts.notes:
            st.subheader("At this code", anchor=False)
            st.html(anatomy_view.notes_html(parts.notes, edition))
        if parts.inherited:
            st.subheader("Inherited", anchor=False)
            st.html(anatomy_view.notes_html(parts.inherited, edition))
    with graph:
        _graph(edition, parts.code)


def _graph(edition: Edition, code: str) -> None:
    outgoing, incoming = anatomy_view.exclusions(edition, code)
    if not outgoing and not incoming:
        st.caption("No exclusion names this code, and it names none.")
        return
    st.caption(
        "Solid lines: Excludes1, never together. Dashed lines: Excludes2, both may be coded. "
        "Arrows lead from where the note stands to what it names; inherited notes count."
    )
    st.graphviz_chart(anatomy_view.graph_dot(edition, code, outgoing, incoming), width="content")
    more = max(0, len(outgoing) - anatomy_view.GRAPH_NODES) + max(0, len(incoming) - anatomy_view.GRAPH_NODES)
    if more:
        st.caption(f"{more} more are not drawn; the list below holds them all.")
    with st.expander(f"As a list ({len(outgoing) + len(incoming)})"):
        st.html(anatomy_view.exclusions_html(edition, outgoing, incoming))


def _pick(code: str) -> None:
    st.query_params["code"] = code


def main() -> None:
    """Draw the page."""
    page.head("Explore the code set", "The official ICD-10-CM release of the date of service, as it is installed here.")
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    query = left.text_input("Words or a code", placeholder="frozen shoulder, or M75.0", key="explore_query")
    day = right.date_input("Date of service", value="today", format="YYYY-MM-DD", key="explore_date")
    info = page.edition_line(day if isinstance(day, date) else date.today())
    edition = _edition(info.name)
    found = anatomy_view.search(edition, query)
    code = st.query_params.get("code", "")
    if query.strip() and not found:
        st.info("Nothing was found. Try fewer or other words, or a code such as M54.5.")
    if found:
        hits, place = st.columns([2, 3], gap="large")
        with hits, st.container(key="explore_hits"):
            for name, title in found:
                st.button(f"**{name}**  {title}", key=f"hit_{name}", type="tertiary", on_click=_pick, args=(name,))
    else:
        place = st.container()
    with place:
        if code:
            _show(edition, code)
        elif found:
            st.caption("Choose a code to see its parts, its notes and its exclusions.")
        elif not query.strip():
            with st.container(border=True):
                st.html(f'<p class="tc-intro">{INTRO}</p>')
                with st.container(horizontal=True):
                    for example in EXAMPLES:
                        st.button(example, on_click=_pick, args=(example,), key=f"example_{example}")


main()
