"""The pages of theracode; start them with ``theracode app``. Only navigation here: each page is its own module.

Pages carry no icon: the browser tab would load it from another host.
"""

from __future__ import annotations

import streamlit as st

from lexicon.errors import TheracodeError, unforeseen
from ui import signin

PAGES: dict[signin.Right, str] = {
    "suggest": "Suggest", "audit": "Audit", "review": "Review", "explore": "Explore", "benchmark": "Benchmark",
}  # fmt: skip


def _page(right: signin.Right, person: signin.Person) -> st.Page:
    """A page, or in its place the one that says how to get in: an address that people kept leads somewhere."""
    may = person.may(right)
    return st.Page(
        f"screens/{right}.py" if may else "screens/sign_in.py", title=PAGES[right], url_path=right, default=right == "suggest",
        visibility="visible" if may else "hidden",
    )  # fmt: skip


def main() -> None:
    """Run the page that is asked for, if the person may open it."""
    try:
        person = signin.person()
    except TheracodeError:
        person = signin.NOBODY
    page = st.navigation([_page(right, person) for right in PAGES], position="top")
    try:
        page.run()
    except Exception as error:  # Streamlit would log its message, which may hold note text
        st.error(f"This page cannot be shown: {unforeseen(error, 'while drawing it')}.")


main()
