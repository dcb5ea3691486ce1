"""Audit: the codes that were billed against the note and the rules, each finding with its correction."""

from __future__ import annotations

import streamlit as st

from lexicon.errors import TheracodeError, unforeseen
from models.audit import audit
from ui import page, view
from ui.notes import code_list, make_note


def main() -> None:
    """Draw the page."""
    page.head("Audit billed codes", page.PRIVACY)
    settings = page.note_settings("audit")
    left, right = st.columns([1, 1], gap="large")
    with left:
        page.sample_picker("audit_sample", "audit_text")
        text = st.text_area("Note", key="audit_text", height=300, placeholder="Paste the note that was billed")
        written = st.text_input("Billed codes, first-listed first", key="audit_codes", placeholder="M62.81, R53.1")
        clicked = st.button("Audit", type="primary", icon=":material/fact_check:", width="stretch")
    with right:
        if not clicked:
            with st.container(border=True):
                st.html(
                    '<p class="tc-intro">Paste a note and the codes that were billed for it. Each code is checked: whether it is '
                    "billable on the date of service, supported by the note, as specific as the note allows, and allowed beside "
                    "the others. Every finding names the rule and a correction.</p>"
                )
            return
        try:
            note = make_note({"text": text, **settings})
            with st.spinner("Reading the note"):
                report = audit(note, code_list(written), page.load_coder())
        except TheracodeError as error:
            st.error(page.sentence(error))
            return
        except Exception as error:
            st.error(page.sentence(unforeseen(error, "while reading this note")))
            return
        st.html(view.audit_html(report))


main()
