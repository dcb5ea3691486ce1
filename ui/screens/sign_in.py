"""Sign in: what a shared server shows in place of a page that the person may not open."""

from __future__ import annotations

import streamlit as st

from lexicon.errors import TheracodeError
from ui import page, signin

INTRO = (
    "This server reads therapy notes and suggests ICD-10-CM codes. Sign in with the account of your organisation. "
    "What you may do here depends on your role: clinician, coder or admin."
)


def main() -> None:
    """Draw the page."""
    try:
        person = signin.person()
    except TheracodeError as error:
        page.head("Sign in")
        st.error(f"{page.sentence(error)} Nobody can sign in until this is mended.")
        return
    page.head("No access" if person.name else "Sign in")
    with st.container(border=True):
        if person.role:
            st.html(f'<p class="tc-intro">Your role, {person.role}, does not open this page.</p>')
        elif person.name:
            st.html('<p class="tc-intro">You are signed in, but no role on this server is yours. Ask who runs it for one.</p>')
        else:
            st.html(f'<p class="tc-intro">{INTRO}</p>')
            st.button("Sign in", type="primary", on_click=st.login, icon=":material/login:")


main()
