"""The pages of theracode; start them with ``theracode app``. Only navigation here: each page is its own module.

Pages carry no icon: the browser tab would load it from another host.
"""

from __future__ import annotations

import streamlit as st

from lexicon.errors import unforeseen

page = st.navigation(
    [
        st.Page("screens/suggest.py", title="Suggest", default=True),
        st.Page("screens/audit.py", title="Audit"),
        st.Page("screens/review.py", title="Review"),
        st.Page("screens/explore.py", title="Explore"),
        st.Page("screens/benchmark.py", title="Benchmark"),
    ],
    position="top",
)
try:
    page.run()
except Exception as error:  # Streamlit would log its message, which may hold note text
    st.error(f"This page cannot be shown: {unforeseen(error, 'while drawing it')}.")
