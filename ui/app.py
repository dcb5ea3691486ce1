"""The pages of theracode; start them with ``theracode app``. Only navigation here: each page is its own module."""

from __future__ import annotations

import streamlit as st

st.navigation(
    [
        st.Page("pages/suggest.py", title="Suggest", icon=":material/edit_note:", default=True),
        st.Page("pages/audit.py", title="Audit", icon=":material/fact_check:"),
        st.Page("pages/explore.py", title="Explore", icon=":material/account_tree:"),
        st.Page("pages/benchmark.py", title="Benchmark", icon=":material/monitoring:"),
    ]
).run()
