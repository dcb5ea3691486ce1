"""What all pages share: head, style, the coder, and the copy button."""

from __future__ import annotations

import html
from collections.abc import Callable
from datetime import date
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from lexicon.codes.registry import EditionInfo, edition_for
from lexicon.errors import TheracodeError
from ui import signin
from ui.samples import Sample, samples

if TYPE_CHECKING:
    import altair as alt

    from models.coder import Coder

PRIVACY = "The note is not stored, not logged and not sent anywhere else; it is gone when you close this page."
PLACES = {True: "Everything runs on this machine. ", False: "Everything runs on this server. "}
NO_SAMPLE = "Your own note"
ENCOUNTERS = {"auto": "Read from the note", "initial": "Initial (A)", "subsequent": "Subsequent (D)", "sequela": "Sequela (S)"}
HANDEDNESS = {"": "Read from the note", "right": "Right", "left": "Left", "ambidextrous": "Ambidextrous"}


def head(title: str, line: str = "") -> None:
    """Title of the browser tab and the page, one line below it, and the style; one element, so that nothing jumps."""
    st.set_page_config(page_title=f"{title} · theracode", page_icon=str(Path(__file__).with_name("icon.svg")), layout="wide")
    try:
        person = signin.person()
    except TheracodeError:
        person = signin.NOBODY
    place = PLACES[person.local] if line == PRIVACY else ""
    style = Path(__file__).with_name("style.css").read_text(encoding="utf-8")
    st.html(f'<h1>{html.escape(title)}</h1><div class="tc-privacy">{place}{line}</div><style>{style}</style>')
    if person.name:
        with st.container(horizontal=True, vertical_alignment="center", gap="small", key="signed_in"):
            st.html(f'<div class="tc-privacy">Signed in as {html.escape(person.name)}, {person.role or "without a role"}</div>')
            st.button("Sign out", on_click=st.logout, type="tertiary", key="sign_out")


def sentence(text: object) -> str:
    """A message, such as that of an error, as a sentence."""
    return f"{str(text)[:1].upper()}{str(text)[1:]}."


def chart(drawn: alt.Chart | alt.LayerChart | alt.FacetChart, label: str) -> None:
    """Show a plot with its text in a colour that is legible on the page as it is, and with words for who cannot see it."""
    ink = "#a9b7b5" if st.context.theme.type == "dark" else "#4d5b59"
    st.altair_chart(
        drawn.configure_axis(labelColor=ink, titleColor=ink).configure_legend(labelColor=ink, titleColor=ink), alt=label
    )


@st.cache_resource(show_spinner="Loading the code set. The first start compiles it, which takes a few seconds.")
def load_coder() -> Coder:
    """The coder, once for all sessions; it keeps no note."""
    from models.coder import load

    return load()


def edition_line(day: date) -> EditionInfo:
    """Show which edition holds on a day, with a warning where none does."""
    info, warning = edition_for(day)
    st.html(f'<div class="tc-edition">Code set <strong>{info.name}</strong>, valid {info.first} to {info.last}</div>')
    if warning:
        st.warning(warning)
    return info


def note_settings(prefix: str) -> dict[str, Any]:
    """The switches above a note: date of service, encounter, dominance, external causes; with the edition below."""
    with st.container(key=f"settings_{prefix}"):
        columns = st.columns([1.1, 1.2, 1.2, 1.3], vertical_alignment="bottom")
    day = columns[0].date_input("Date of service", value="today", format="YYYY-MM-DD", key=f"{prefix}_date")
    encounter = columns[1].selectbox("Encounter", list(ENCOUNTERS), format_func=ENCOUNTERS.__getitem__, key=f"{prefix}_encounter")
    hand = columns[2].selectbox("Dominant hand", list(HANDEDNESS), format_func=HANDEDNESS.__getitem__, key=f"{prefix}_hand")
    external = columns[3].toggle(
        "External cause codes", key=f"{prefix}_external", help="No national rule demands them; some payers do (I.C.20)."
    )
    day = day if isinstance(day, date) else date.today()
    edition_line(day)
    return {"date_of_service": day, "encounter": encounter, "dominance": hand, "external_causes": external}


def sample_picker(key: str, text_key: str) -> None:
    """A box with the sample notes; picking one puts it in the text field."""
    by_title: dict[str, Sample] = {sample.title: sample for sample in samples()}

    def put() -> None:
        picked = by_title.get(st.session_state[key])
        if picked is not None:
            st.session_state[text_key] = picked.text

    st.selectbox("Sample", [NO_SAMPLE, *by_title], key=key, on_change=put)


@cache
def _copy_component() -> Callable[..., object]:
    return st.components.v2.component(
        "theracode_copy",
        html='<button type="button"><span aria-live="polite"></span></button>',
        css="""
button { width: 100%; min-height: 2.5rem; padding: .25rem .9rem; font: inherit; font-weight: 600; cursor: pointer;
  color: #fff; background: var(--st-primary-color); border: 1px solid var(--st-primary-color);
  border-radius: var(--st-button-radius, .5rem); }
button:hover { filter: brightness(1.08); }
button:disabled { opacity: .4; cursor: default; filter: none; }
button:focus-visible { outline: 2px solid var(--st-link-color); outline-offset: 2px; }
""",
        js="""
export default function ({ parentElement, data }) {
  const button = parentElement.querySelector("button");
  const label = button.querySelector("span");
  label.textContent = data.label;
  button.disabled = !data.text;
  button.onclick = async () => {
    let done = true;
    try {
      await navigator.clipboard.writeText(data.text);
    } catch {
      const area = document.createElement("textarea");
      area.value = data.text;
      document.body.append(area);
      area.select();
      done = document.execCommand("copy");
      area.remove();
    }
    label.textContent = done ? "Copied" : "Copying was refused by the browser";
    setTimeout(() => { label.textContent = data.label; }, 1600);
  };
}
""",
    )


def copy_button(text: str, label: str, *, key: str) -> None:
    """A button that puts ``text`` on the clipboard with one click and says so; it is off while there is none."""
    _copy_component()(data={"text": text, "label": label}, key=key)
