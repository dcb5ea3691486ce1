"""Review: a coder goes through many notes, decides about every suggestion, and signs off; a second coder may read blind."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import streamlit as st

from lexicon.codes.registry import load_edition
from lexicon.errors import TheracodeError
from ui import page, review_charts, signin, view
from ui.samples import samples
from ui.store import export, importer
from ui.store import repository as repo
from ui.store.engine import Store, database_url, open_store
from ui.store.errors import ConflictError
from ui.store.models import Turn

if TYPE_CHECKING:
    from models.coder import Explanation

INTRO = (
    "Import notes and theracode suggests codes for each. You accept, reject or replace every suggestion, with the keyboard "
    "if you like, and sign each note off. Every decision is kept with who made it, when, and on which edition and model."
)
REASONS = {
    "not documented": "1", "negated": "2", "uncertain": "3", "wrong side": "4", "less specific": "5", "integral symptom": "6",
    "excluded": "7", "history": "8", "resolved": "9", "goal": "0", "family": "f", "not billable": "b",
}  # fmt: skip
SHOWS: dict[repo.Show, str] = {"all": "All", "unreviewed": "Unreviewed", "low": "Low confidence", "conflicts": "Conflicts"}
TURNS: dict[Turn, str] = {"first": "First reading", "second": "Second reading, blind"}
VIEWS: dict[str, signin.Right] = {
    "Review": "review", "Agreement": "review", "Statistics": "review", "Export": "export", "Import": "import",
}  # fmt: skip
NEEDED: dict[Callable[..., repo.Ticket], signin.Right] = {
    repo.override: "override", repo.reopen: "manage", repo.adjudicate: "manage",
}  # fmt: skip
UNRELATED = "unrelated conditions (I.A.12.a): "
ALL = 0  # the number that stands for all batches
STATES = {"new": "new", "begun": "begun", "signed": "signed off"}


@st.cache_resource(show_spinner=False)
def _opened(url: str) -> Store:
    """The store at an address, once for all sessions; it keeps connections and no note."""
    del url  # the address of now; a password must not be a key that is shown
    return open_store()


def _store() -> Store:
    return _opened(database_url().render_as_string(hide_password=True))


# ------------------------------------------------------------------------------------------------ what buttons do


def _do(action: Callable[..., repo.Ticket], ticket: repo.Ticket, done: str = "", **given: Any) -> None:
    """Write a decision; whatever speaks against it is kept for the next run to show."""
    st.session_state.review_asking = None
    try:
        person = signin.require(NEEDED.get(action, "sign-off"))
        if not person.local:
            given["who"] = person.name
        action(_store(), ticket, **given)
    except ConflictError as error:
        st.session_state.review_told = ("warning", f"{error}.")
    except TheracodeError as error:
        st.session_state.review_told = ("error", page.sentence(error))
    else:
        st.session_state.review_told = ("toast", done) if done else None


def _ask(what: str, code: str) -> None:
    st.session_state.review_asking = (what, code)


def _sign_off(ticket: repo.Ticket, who: str, name: str, following: int | None) -> None:
    _do(repo.sign_off, ticket, f"{name} is signed off.", who=who)
    if st.session_state.review_told[0] == "toast" and following is not None:
        st.session_state.review_note = following


def _from_form(
    action: Callable[..., repo.Ticket], ticket: repo.Ticket, fields: dict[str, str], begin: str = "", **given: Any
) -> None:
    """Write a decision whose other values stand in the fields of a form; ``begin`` is put before each that is filled."""
    filled = {name: (st.session_state[key] or "").strip() for name, key in fields.items()}
    _do(action, ticket, **given, **{name: f"{begin}{text}" if text else "" for name, text in filled.items()})


def _tell() -> None:
    kind, text = st.session_state.pop("review_told", None) or ("", "")
    if kind:
        getattr(st, kind)(text)


# ------------------------------------------------------------------------------------------------ head


def _who() -> str:
    """The person at the keyboard: as signed in, or as they name themselves."""
    person = signin.person()
    if person.local:
        return str(st.text_input("Coder", key="review_who", placeholder="Your name or initials")).strip()
    st.text_input("Coder", value=person.name, disabled=True)
    return person.name


def _head(store: Store) -> tuple[str, int | None, Turn]:
    known = {batch.id: batch for batch in repo.batches(store)}
    if st.session_state.get("review_batch") not in known:
        st.session_state.review_batch = ALL
    with st.container(key="settings_review"):
        columns = st.columns([1, 1.3, 1.2])
    with columns[0]:
        who = _who()
    batch = columns[1].selectbox(
        "Batch", [ALL, *known], key="review_batch", disabled=not known,
        format_func=lambda number: f"{known[number].name} ({known[number].notes})" if number in known else "All batches",
    )  # fmt: skip
    turn = columns[2].selectbox("Reading", list(TURNS), format_func=TURNS.__getitem__, key="review_turn")
    return who, batch or None, turn


# ------------------------------------------------------------------------------------------------ one note


def _pick(items: list[repo.QueueItem]) -> repo.QueueItem:
    by_id = {item.id: item for item in items}
    if st.session_state.get("review_note") not in by_id:
        st.session_state.review_note = repo.next_note(items) or items[0].id
    with st.container(horizontal=True, vertical_alignment="bottom"):
        number = st.selectbox(
            "Note", list(by_id), key="review_note",
            format_func=lambda number: f"{by_id[number].name} · {STATES[by_id[number].state]}",
        )  # fmt: skip
        following = repo.next_note(items, number)
        st.button("Next", key="review_next", icon=":material/skip_next:", shortcut="n", disabled=following in (None, number),
                  on_click=st.session_state.update, args=({"review_note": following, "review_asking": None},))  # fmt: skip
    return by_id[number]


def _reasons(opened: repo.OpenNote, who: str, code: str) -> None:
    """Why a code is rejected: a button with a key for each reason, and a field for another one."""
    ticket = opened.reading.ticket
    st.html(f'<div class="tc-label">Why is {html.escape(code)} rejected?</div>')
    with st.container(horizontal=True, gap="small", key="review_reasons"):
        for reason, key in REASONS.items():
            st.button(reason.capitalize(), key=f"reason_{key}", shortcut=key, on_click=_do, args=(repo.decide, ticket),
                      kwargs={"who": who, "code": code, "verdict": "reject", "reason": reason})  # fmt: skip
    with st.form(f"form_reject_{code}", border=False):
        st.text_input("Another reason", key="review_reason")
        st.form_submit_button("Reject", on_click=_from_form, args=(repo.decide, ticket, {"reason": "review_reason"}),
                              kwargs={"who": who, "code": code, "verdict": "reject"})  # fmt: skip
    st.button("Cancel", key="review_cancel", shortcut="Escape", type="tertiary", on_click=_ask, args=("", ""))


def _replacement(opened: repo.OpenNote, who: str, code: str) -> None:
    with st.form(f"form_replace_{code}", border=False):
        st.text_input("Code to report instead", key="review_replacement", placeholder="for example M17.12")
        st.selectbox("Reason", list(REASONS), index=list(REASONS).index("less specific"), key="review_reason_replace",
                     accept_new_options=True)  # fmt: skip
        st.form_submit_button(
            f"Replace {code}", type="primary", on_click=_from_form, kwargs={"who": who, "code": code},
            args=(repo.replace, opened.reading.ticket, {"replacement": "review_replacement", "reason": "review_reason_replace"}),
        )  # fmt: skip
    st.button("Cancel", key="review_cancel", shortcut="Escape", type="tertiary", on_click=_ask, args=("", ""))


def _override(opened: repo.OpenNote, who: str, code: str, other: str, *, excluded: bool) -> None:
    """A field for the reason why a code is reported against a rule; an exclusion yields to unrelated conditions only."""
    if not signin.person().may("override"):
        st.caption("Your role does not allow an override.")
        return
    begin = UNRELATED if excluded else ""
    label = f"{code} and {other} are unrelated conditions, because" if excluded else f"{code} is reported all the same, because"
    with st.form(f"form_override_{code}", border=False):
        st.text_input(label, key=f"review_why_{code}", placeholder="for example: the other knee, another cause")
        st.form_submit_button(
            f"Override for {code}", on_click=_from_form, kwargs={"who": who, "code": code, "begin": begin},
            args=(repo.override, opened.reading.ticket, {"reason": f"review_why_{code}"}),
        )  # fmt: skip


def _card(opened: repo.OpenNote, who: str, card: view.Card, *, current: bool) -> None:
    """A suggestion that waits for a decision; the keys belong to the current one."""
    asking, asked = st.session_state.get("review_asking") or ("", "")
    ticket, code = opened.reading.ticket, card.code
    with st.container(border=True, key=f"card_{card.number}"):
        st.html(view.card_html(card, "Decide now" if current else ""))
        if card.status == "blocked":
            _override(opened, who, code, " and ".join(card.blocked_by) or "the other", excluded=card.rule_id == "excludes1")
        elif asked == code:
            (_reasons if asking == "reject" else _replacement)(opened, who, code)
        else:
            keys = ("a", "x", "e") if current else (None, None, None)
            with st.container(horizontal=True, gap="small"):
                st.button("Accept", key=f"accept_{code}", icon=":material/check:", shortcut=keys[0], on_click=_do,
                          args=(repo.decide, ticket), kwargs={"who": who, "code": code, "verdict": "accept"})  # fmt: skip
                st.button("Reject", key=f"reject_{code}", icon=":material/close:", shortcut=keys[1], on_click=_ask,
                          args=("reject", code))  # fmt: skip
                st.button("Replace", key=f"replace_{code}", icon=":material/swap_horiz:", shortcut=keys[2], on_click=_ask,
                          args=("replace", code))  # fmt: skip


def _report(opened: repo.OpenNote, who: str, following: int | None) -> None:
    """The codes that follow from the decisions, what was rejected, and the sign-off."""
    reading, edition = opened.reading, load_edition(opened.coding.edition)
    origins = {decision.replacement or code: code for code, decision in reading.verdicts.items() if decision.what != "reject"}
    with st.container(border=True, key="claim"):
        st.subheader(f"Codes of this note ({len(reading.codes)})", anchor=False)
        if not reading.codes:
            st.html('<div class="tc-privacy">Nothing accepted yet.</div>')
        for name, hint, codes in view.claim_lists(reading.codes) if reading.codes else ():
            st.html(view.claim_list_html(name, hint, empty=not codes))
            for code in codes:
                place = view.place_word(reading.codes.index(code))
                _row(opened, who, origins[code], view.claim_html(place, code, edition.title(code)))
        for code, decision in reading.verdicts.items():
            if decision.what == "reject":
                _row(opened, who, code, view.claim_html("rejected", code, decision.reason))
            elif decision.what == "override":
                st.html(view.paragraph(f"{code} overrides {decision.rule or 'a rule'}: {decision.reason}"))
        for found in repo.open_conflicts(opened):
            st.warning(f"{repo.conflict_line(found)}. Take one of them back, or say why both hold.")
            if not reading.signed and who:
                _override(opened, who, found.code, found.other, excluded=True)
        if reading.signed:
            st.success(f"Signed off by {reading.coder}.", icon=":material/task_alt:")
            if not signin.person().may("manage"):
                return
            with st.form("form_reopen", border=False):
                st.text_input("Reason to reopen", key="review_reopen")
                st.form_submit_button("Reopen", on_click=_from_form, kwargs={"who": who},
                                      args=(repo.reopen, reading.ticket, {"reason": "review_reopen"}))  # fmt: skip
        else:
            waiting = len(opened.undecided)
            label = f"Sign off ({waiting} still to decide)" if waiting else "Sign off"
            st.button(label, key="review_sign", type="primary", width="stretch", shortcut="s", icon=":material/task_alt:",
                      disabled=waiting > 0 or not who, on_click=_sign_off,
                      args=(reading.ticket, who, opened.name, following))  # fmt: skip


def _row(opened: repo.OpenNote, who: str, code: str, row: str) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key=f"claimrow_{code}"):
        st.html(row)
        if not opened.reading.signed:
            st.button(f"Undo {code}", key=f"undo_{code}", icon=":material/undo:", type="tertiary", on_click=_do,
                      args=(repo.withdraw, opened.reading.ticket), kwargs={"who": who, "code": code})  # fmt: skip


def _explanations(opened: repo.OpenNote) -> dict[str, Explanation]:
    """What carried the probabilities of a note, worked out once for the note that is open in this session."""
    number, found = st.session_state.get("review_explained", (None, {}))
    if number != opened.id:
        try:
            found = page.load_coder().explain(opened.note)
        except Exception:  # an explanation is not worth an error, and the message of one may hold note text
            found = {}
        st.session_state.review_explained = (opened.id, found)
    return found  # type: ignore[no-any-return]


def _decide(opened: repo.OpenNote, who: str, following: int | None) -> None:
    cards = view.deck(opened.coding, _explanations(opened))
    reading = opened.reading
    waiting = [card for card in cards.recommended if card.code not in reading.verdicts]
    rest = {
        "Worth a look": [card for card in cards.alternative if card.code not in reading.verdicts],
        "Blocked by a rule": [card for card in cards.blocked if card.code not in reading.verdicts],
    }
    if reading.signed or not who:
        if not who:
            st.info("Enter your name above; every decision is kept with the name of who made it.")
        _report(opened, who, following)
        return
    _, asked = st.session_state.get("review_asking") or ("", "")
    current = next((card.code for card in waiting if card.code == asked), waiting[0].code if waiting else "")
    for question in cards.questions:
        st.info(question, icon=":material/help:")
    for card in waiting:
        _card(opened, who, card, current=card.code == current)
    _report(opened, who, following)
    for label, others in rest.items():
        if others:
            with st.expander(f"{label} ({len(others)})", expanded=any(card.code == asked for card in others)):
                for card in others:
                    _card(opened, who, card, current=False)
    with st.expander("Add a code that was not suggested"), st.form("form_add", border=False, clear_on_submit=True):
        st.text_input("Code", key="review_add")
        st.form_submit_button("Add", on_click=_from_form, kwargs={"who": who},
                              args=(repo.add, reading.ticket, {"code": "review_add"}))  # fmt: skip


def _review(store: Store, who: str, batch: int | None, turn: Turn) -> None:
    whole = repo.queue(store, turn=turn, who=who, batch=batch)
    finished = sum(item.state == "signed" for item in whole)
    if not whole:
        st.info("There is nothing to read a second time: no note is signed off by another coder yet.")
        return
    st.session_state.setdefault("review_show", "all")
    left, right = st.columns([1, 1], gap="large", vertical_alignment="center")
    with left:
        show = st.segmented_control(
            "Show", list(SHOWS), format_func=SHOWS.__getitem__, required=True, key="review_show", label_visibility="collapsed"
        )
    right.progress(finished / len(whole), text=f"{finished} of {len(whole)} notes signed off")
    items = repo.shown(whole, show or "all")
    if not items:
        st.success("No note is left here.", icon=":material/done_all:")
        return
    left, right = st.columns([1, 1], gap="large")
    with left, st.container(key="note_pane"):
        item = _pick(items)
        opened = repo.open_note(store, item.id, turn)
        coding = opened.coding
        st.html(
            f'<div class="tc-edition">Code set <strong>{html.escape(coding.edition)}</strong>, date of service '
            f"{coding.date_of_service}, {coding.encounter} encounter</div>"
        )
        st.html(view.note_html(opened.note.text, coding, [*coding.sequence, *opened.reading.codes]))
        if coding.notices:
            with st.expander(f"Notices ({len(coding.notices)})"):
                for notice in coding.notices:
                    st.html(view.paragraph(notice))
    with right:
        st.html(view.hover_css(coding))
        _decide(opened, who, repo.next_note(items, item.id))


# ------------------------------------------------------------------------------------------------ two coders


def _agreement(store: Store, who: str, batch: int | None) -> None:
    measured = repo.agreement_of(store, batch=batch)
    if measured is None:
        st.info("No note has two readings yet. A second coder chooses “Second reading, blind” above and signs notes off.")
        return
    _figures(
        {
            "Notes read twice": str(measured.notes),
            "F1 of the codes": f"{measured.f1:.2f}",
            "Cohen's kappa": f"{measured.kappa:.2f}",
            "Same codes": f"{measured.exact_notes:.0%}",
        }
    )
    disputed = [item for item in repo.queue(store, turn="final", batch=batch) if item.disputed]
    st.subheader(f"To adjudicate ({len(disputed)})", anchor=False)
    if not disputed:
        st.html('<div class="tc-privacy">The two readings agree, or every difference is settled.</div>')
        return
    names = {item.id: item.name for item in disputed}
    number = st.selectbox("Note", list(names), format_func=names.__getitem__, key="review_disputed")
    first, second, final = repo.both_readings(store, number)
    left, right = st.columns([1, 1], gap="large")
    both = list(dict.fromkeys([*first.reading.codes, *second.reading.codes]))
    with left:
        st.html(view.note_html(first.note.text, first.coding, both))
    may = bool(who) and signin.person().may("manage")
    with right, st.form("form_adjudicate"):
        edition = load_edition(first.coding.edition)
        for code in both:
            givers = [opened.reading.coder for opened in (first, second) if code in opened.reading.codes]
            st.checkbox(
                f"**{code}** {edition.title(code)}", value=len(givers) == 2, key=f"final_{number}_{code}", disabled=not may
            )
            against = [
                f"{opened.reading.coder} rejected it: {opened.reading.verdicts[code].reason}"
                for opened in (first, second)
                if code in opened.reading.verdicts and opened.reading.verdicts[code].what == "reject"
            ]
            st.caption("; ".join([f"reported by {' and '.join(givers)}", *against]))
        st.text_input("Reason", key="review_final_reason")
        st.form_submit_button("Adjudicate", type="primary", disabled=not may, on_click=_settle,
                              args=(final.reading.ticket, who, number, both))  # fmt: skip
    if not may:
        st.info("Your role does not allow adjudication." if who else "Enter your name above to adjudicate.")


def _settle(ticket: repo.Ticket, who: str, number: int, both: list[str]) -> None:
    codes = [code for code in both if st.session_state[f"final_{number}_{code}"]]
    _do(repo.adjudicate, ticket, "The note is adjudicated.", who=who, codes=codes, reason=st.session_state.review_final_reason)


# ------------------------------------------------------------------------------------------------ figures, files


def _figures(figures: dict[str, str]) -> None:
    with st.container(horizontal=True, gap="large"):
        for label, figure in figures.items():
            st.metric(label, figure, width="content")


def _statistics(store: Store, batch: int | None) -> None:
    found = repo.statistics(store, batch=batch)
    figures = {
        "Notes": found.notes, "Signed off": found.signed, "Read twice": found.second_signed, "To adjudicate": found.disputed,
        "Adjudicated": found.adjudicated,
    }  # fmt: skip
    _figures({label: str(figure) for label, figure in figures.items()})
    if not found.verdicts:
        st.info("There is no decision yet.")
        return
    reasons, codes = review_charts.by_reason(found.verdicts), review_charts.by_code(found.verdicts)
    plots = [
        ("What was decided", review_charts.count_bars(review_charts.by_verdict(found.verdicts), "verdict")),
        ("Suggestions kept, by their probability", review_charts.band_bars(review_charts.by_band(found.verdicts))),
    ]
    if reasons:
        plots += [
            ("Why codes were rejected or replaced", review_charts.count_bars(reasons, "reason")),
            ("Which codes were rejected or replaced", review_charts.count_bars(codes, "code")),
        ]
    columns = st.columns(2, gap="large")
    for number, (label, chart) in enumerate(plots):
        with columns[number % 2]:
            st.subheader(label, anchor=False)
            page.chart(chart, label)


def _export(store: Store, batch: int | None) -> None:
    trail, finals = repo.decisions(store, batch=batch), repo.finals(store, batch=batch)
    if not trail:
        st.info("There is no decision to export yet.")
        return
    st.subheader("Decisions", anchor=False)
    st.caption(f"The audit trail: {len(trail)} rows with who, when, what, reason, edition, model and rule; no note text.")
    with st.container(horizontal=True, gap="small"):
        st.download_button("Decisions (CSV)", export.decisions_csv(trail), "decisions.csv", "text/csv", on_click="ignore",
                           key="export_decisions_csv", icon=":material/download:")  # fmt: skip
        st.download_button("Decisions (JSON Lines)", export.decisions_jsonl(trail), "decisions.jsonl", "application/x-ndjson",
                           on_click="ignore", key="export_decisions_jsonl", icon=":material/download:")  # fmt: skip
    st.subheader("Codes of signed notes", anchor=False)
    st.caption(f"{len(finals)} notes whose codes hold. Notes that two coders coded differently wait for adjudication.")
    st.download_button("Codes (CSV)", export.codes_csv(finals), "codes.csv", "text/csv", on_click="ignore",
                       key="export_codes_csv", icon=":material/download:", disabled=not finals)  # fmt: skip
    st.subheader("Train on my decisions", anchor=False)
    st.caption("A training file for theracode train --extra FILE. It holds the texts of the signed notes.")
    st.download_button("Training file (JSON Lines)", export.training_jsonl(finals), "training.jsonl", "application/x-ndjson",
                       on_click="ignore", key="export_training", icon=":material/download:", disabled=not finals)  # fmt: skip


def _import(store: Store, who: str, *, first: bool) -> None:
    with st.container(border=True):
        if first:
            st.html(f'<p class="tc-intro">{INTRO}</p>')
        folder = st.toggle("A whole folder", key="review_folder")
        files = st.file_uploader(
            "Notes", type=list(importer.SUFFIXES), accept_multiple_files="directory" if folder else True,
            key=f"review_files_{'folder' if folder else 'list'}",
            help="JSON Lines, CSV or Parquet with id and text, or one .txt or .docx for each note",
        )  # fmt: skip
        name = st.text_input("Name of the batch", key="review_name", placeholder="for example: clinic A, week 12")
        with st.container(horizontal=True, gap="small"):
            clicked = st.button("Import", type="primary", icon=":material/upload_file:", disabled=not who or not files)
            sampled = st.button("Import the sample notes", icon=":material/play_arrow:", disabled=not who)
        if not who:
            st.info("Enter your name above first.")
    if clicked and files:
        _take(store, [(file.name, file.getvalue()) for file in files], name.strip() or files[0].name, who)
    elif sampled:
        _take(store, [(f"{sample.name}.txt", sample.text.encode()) for sample in samples()], "Samples", who)
    for row, reason in st.session_state.get("review_faults", ()):
        st.warning(f"{row}: {reason}")


def _take(store: Store, files: list[tuple[str, bytes]], name: str, who: str) -> None:
    coder = page.load_coder()
    bar = st.progress(0.0, text="Coding the notes")
    try:
        signin.require("import")
        done = importer.import_uploads(store, files, coder, name=name, who=who, progress=lambda rows: _advance(bar, rows))
    except TheracodeError as error:
        bar.empty()
        st.error(page.sentence(error))
        return
    skipped = f"; {len(done.faults)} could not be used (see Import)" if done.faults else ""
    st.session_state.review_goto = done.batch
    st.session_state.review_told = ("toast", f"{done.notes} notes imported{skipped}.")
    st.session_state.review_faults = done.faults
    st.rerun()


def _advance(bar: Any, rows: int) -> None:
    bar.progress(1 - 1 / (1 + rows / 20), text=f"{rows} notes coded")


def main() -> None:
    """Draw the page."""
    try:
        signin.require("review")
        store = _store()
    except TheracodeError as error:
        page.head("Review")
        st.error(page.sentence(error))
        return
    page.head(
        "Review",
        "Notes that you import here and your decisions are stored until you delete them, in "
        f"<code>{html.escape(store.place)}</code>, and go nowhere else.",
    )
    if (batch := st.session_state.pop("review_goto", None)) is not None:
        st.session_state.update(review_batch=batch, review_view="Review", review_show="all", review_note=None)
    try:
        who, chosen, turn = _head(store)
        person = signin.person()
        views = [name for name, right in VIEWS.items() if person.may(right)]
        if not repo.batches(store):
            _import(store, who, first=True)
            return
        if st.session_state.get("review_view") not in views:
            st.session_state.review_view = views[0]
        picked = st.segmented_control("View", views, required=True, key="review_view", label_visibility="collapsed")
        _tell()
        if picked == "Agreement":
            _agreement(store, who, chosen)
        elif picked == "Statistics":
            _statistics(store, chosen)
        elif picked == "Export":
            _export(store, chosen)
        elif picked == "Import":
            _import(store, who, first=False)
        else:
            _review(store, who, chosen, turn)
    except TheracodeError as error:
        st.error(page.sentence(error))


main()
