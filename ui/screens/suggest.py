"""Suggest: a note becomes a claim-ready list of codes, each accepted by the clinician."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import streamlit as st

from lexicon.codes.registry import load_edition
from lexicon.errors import TheracodeError, unforeseen
from models.coding import Coding, Note
from models.rules.excludes import conflicts
from ui import export, page, view
from ui.notes import make_note
from ui.samples import samples

if TYPE_CHECKING:
    from models.coder import Explanation

INTRO = (
    "Paste a therapy note and theracode suggests billable ICD-10-CM codes, each with the words of the note that support it. "
    "You accept what is right, put the list in order, and copy or export it. "
    "Codes that may not be reported together are held back, with the official rule that says so."
)


@dataclass(slots=True)
class Work:
    """What a session has done with one note. It lives in the session and nowhere else."""

    note: Note | None = None
    coding: Coding | None = None
    explanations: dict[str, Explanation] = field(default_factory=dict)
    claim: list[str] = field(default_factory=list)
    rejected: set[str] = field(default_factory=set)
    reordered: bool = False
    fault: str = ""
    editing: bool = True

    def take(self, note: Note, coding: Coding, explanations: dict[str, Explanation]) -> None:
        """Show a new coding; decisions stay where the text is the same and the code is still suggested."""
        if self.note is None or self.note.text != note.text:
            self.claim, self.rejected, self.reordered = [], set(), False
        open_codes = {item.code for item in coding.suggestions if item.status != "blocked"}
        self.claim = [code for code in self.claim if code in open_codes]
        self.note, self.coding, self.explanations, self.fault, self.editing = note, coding, explanations, "", False

    def accept(self, codes: list[str]) -> None:
        """Put codes on the claim list, in the order of the sequence unless the user has set an order."""
        added = [code for code in codes if code not in self.claim]
        self.rejected -= set(codes)
        self.claim += added
        if not self.reordered and self.coding is not None:
            self.claim = view.ordered(self.claim, self.coding.sequence)

    def drop(self, code: str, *, reject: bool = False) -> None:
        """Take a code off the list; rejected codes are marked as such."""
        self.claim = [other for other in self.claim if other != code]
        if reject:
            self.rejected.add(code)

    def restore(self, code: str) -> None:
        """Forget that a code was rejected."""
        self.rejected.discard(code)

    def move(self, code: str, step: int) -> None:
        """Move a code up or down the list."""
        self.claim = view.moved(self.claim, code, step)
        self.reordered = True


def _work() -> Work:
    if "suggest_work" not in st.session_state:
        st.session_state.suggest_work = Work()
    work: Work = st.session_state.suggest_work
    return work


def _code(work: Work, settings: dict[str, Any], text: str) -> None:
    try:
        note = make_note({"text": text, **settings})
        with st.spinner("Reading the note"):
            coder = page.load_coder()
            work.take(note, coder.suggest(note), coder.explain(note))
    except TheracodeError as error:
        work.fault = str(error)
    except Exception as error:
        work.fault = unforeseen(error, "while reading this note")


def _use_sample() -> None:
    st.session_state.suggest_text = samples()[0].text
    st.session_state.suggest_go = True


def _edit(work: Work) -> None:
    st.session_state.suggest_text = work.note.text if work.note else ""
    work.editing = True


def _note_pane(work: Work, settings: dict[str, Any]) -> None:
    if work.coding is not None and work.note is not None and not work.editing:
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            st.subheader("Note", anchor=False)
            st.button("Edit or replace", icon=":material/edit:", on_click=_edit, args=(work,))
        shown = [*work.coding.sequence, *work.claim]
        st.html(view.note_html(work.note.text, work.coding, [code for code in shown if code not in work.rejected]))
        st.caption("The numbers are those of the cards. Point at a card to see its evidence here, and the other way round.")
        return
    page.sample_picker("suggest_sample", "suggest_text")
    text = st.text_area("Note", key="suggest_text", height=340, placeholder="Paste a therapy note here")
    clicked = st.button("Suggest codes", type="primary", icon=":material/search:", width="stretch")
    if clicked or st.session_state.pop("suggest_go", False):
        if text.strip():
            _code(work, settings, text)
            st.rerun()
        else:
            st.info("There is no note yet. Paste one, or pick a sample above.")


def _claim(work: Work, coding: Coding) -> None:
    """The claim-ready list. It shows from the start what may come onto it, so that accepting moves nothing on the page."""
    titles = {item.code: item.title for item in coding.suggestions}
    waiting = [code for code in coding.sequence if code not in work.claim and code not in work.rejected]
    with st.container(border=True, key="claim"):
        st.subheader("Claim list", anchor=False)
        for name, hint, codes in view.claim_lists([*work.claim, *waiting]):
            st.html(view.claim_list_html(name, hint, empty=not codes))
            for code in codes:
                _claim_row(work, code, titles.get(code, ""))
        _warnings(work, coding)
        st.button(
            f"Accept all recommended ({len(waiting)})" if waiting else "Nothing waits for a decision", key="accept_all",
            on_click=work.accept, args=(waiting,), type="secondary" if work.claim else "primary", icon=":material/done_all:",
            width="stretch", disabled=not waiting,
        )  # fmt: skip
        page.copy_button(view.claim_text(work.claim), "Copy codes", key="copy_codes")
        _exports(work, coding)


def _claim_row(work: Work, code: str, title: str) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key=f"claimrow_{code}"):
        if code not in work.claim:
            st.html(view.claim_html("", code, title))
            st.button(f"Accept {code}", icon=":material/check:", key=f"take_{code}", on_click=work.accept, args=([code],),
                      type="tertiary")  # fmt: skip
            return
        place = work.claim.index(code)
        st.html(view.claim_html(view.place_word(place), code, title))
        st.button(f"Move {code} up", icon=":material/arrow_upward:", key=f"up_{code}", on_click=work.move, args=(code, -1),
                  disabled=place == 0, type="tertiary")  # fmt: skip
        st.button(f"Move {code} down", icon=":material/arrow_downward:", key=f"down_{code}", on_click=work.move, args=(code, 1),
                  disabled=place == len(work.claim) - 1, type="tertiary")  # fmt: skip
        st.button(f"Remove {code}", icon=":material/close:", key=f"drop_{code}", on_click=work.drop, args=(code,),
                  type="tertiary")  # fmt: skip


def _warnings(work: Work, coding: Coding) -> None:
    if not work.claim:
        return
    edition = load_edition(coding.edition)
    for conflict in conflicts(edition, work.claim):
        st.warning(
            f"{conflict.code} and {conflict.other} may not be reported together. "
            f"Excludes1 at {conflict.note.stands_at}: {conflict.note.text}"
        )
    first = work.claim[0]
    if edition.is_manifestation(first):
        st.warning(f"{first} is a manifestation code and never first-listed (I.A.13). Move the underlying disease up.")
    elif first[0] in "VWXY":
        st.warning(f"{first} is an external cause code and never first-listed (I.C.20). Move the injury up.")


def _exports(work: Work, coding: Coding) -> None:
    name = f"codes-{coding.date_of_service}"
    with st.container(horizontal=True, gap="small"):
        for label, suffix, mime, make in (
            ("CSV", "csv", "text/csv", export.to_csv),
            ("JSON", "json", "application/json", export.to_json),
            ("Summary to print", "html", "text/html", export.to_html),
            ("FHIR R4", "fhir.json", "application/fhir+json", export.to_fhir),
        ):
            st.download_button(
                label, make(coding, work.claim), f"{name}.{suffix}", mime, on_click="ignore",
                key=f"export_{suffix}", icon=":material/download:", disabled=not work.claim,
            )  # fmt: skip


def _card(work: Work, card: view.Card) -> None:
    decision = "Accepted" if card.code in work.claim else "Rejected" if card.code in work.rejected else ""
    with st.container(border=True, key=f"card_{card.number}"):
        st.html(view.card_html(card, decision))
        if card.status == "blocked":
            return
        with st.container(horizontal=True, gap="small"):
            if decision == "Accepted":
                st.button("Take off", key=f"undo_{card.code}", on_click=work.drop, args=(card.code,), icon=":material/undo:")
            elif decision == "Rejected":
                st.button("Undo", key=f"undo_{card.code}", on_click=work.restore, args=(card.code,), icon=":material/undo:")
            else:
                st.button("Accept", key=f"accept_{card.code}", on_click=work.accept, args=([card.code],), icon=":material/check:",
                          help=f"Put {card.code} on the claim list")  # fmt: skip
                st.button("Reject", key=f"reject_{card.code}", on_click=work.drop, args=(card.code,), kwargs={"reject": True},
                          icon=":material/close:", type="tertiary", help=f"Do not report {card.code}")  # fmt: skip


def _results(work: Work, coding: Coding) -> None:
    cards = view.deck(coding, work.explanations)
    _claim(work, coding)
    for question in cards.questions:
        st.info(question, icon=":material/help:")
    st.subheader(f"Recommended ({len(cards.recommended)})", anchor=False)
    if not cards.recommended:
        st.html('<div class="tc-privacy">No finding of this note supports a code well enough to recommend it.</div>')
    for card in cards.recommended:
        _card(work, card)
    if cards.alternative:
        with st.expander(f"Worth a look ({len(cards.alternative)})", expanded=not cards.recommended):
            for card in cards.alternative:
                _card(work, card)
    if cards.blocked:
        with st.expander(f"Blocked by a rule ({len(cards.blocked)})"):
            for card in cards.blocked:
                _card(work, card)
    if coding.notices:
        with st.expander(f"Notices ({len(coding.notices)})"):
            for notice in coding.notices:
                st.html(view.paragraph(notice))


def _empty() -> None:
    with st.container(border=True):
        st.html(f'<p class="tc-intro">{INTRO}</p>')
        st.button("Try a sample note", on_click=_use_sample, icon=":material/play_arrow:")


def main() -> None:
    """Draw the page."""
    page.head("Suggest codes", page.PRIVACY)
    work = _work()
    settings = page.note_settings("suggest")
    if work.note is not None and not work.editing and work.note != make_note({"text": work.note.text, **settings}):
        _code(work, settings, work.note.text)
    if work.fault:
        st.error(page.sentence(work.fault))
    left, right = st.columns([1, 1], gap="large")
    with left, st.container(key="note_pane"):
        _note_pane(work, settings)
    with right:
        if work.coding is None or work.editing:
            _empty()
        else:
            st.html(view.hover_css(work.coding))
            _results(work, work.coding)


main()
