"""The review page: its logic without a browser, then the journeys of coders in a real one."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest
from sqlalchemy import URL
from streamlit.testing.v1 import AppTest

from corpora.schema import GoldNote
from models.coding import Coding, Note, RuleVerdict, Suggestion
from ui import review_charts
from ui.store import repository as repo
from ui.store.engine import Store, open_store
from ui.store.repository import Decision

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)
NOTES = (
    b'{"id": "visit 1", "text": "R knee OA, pain with stairs. L lateral epicondylitis.", "date_of_service": "2026-04-15"}\n'
    b'{"id": "visit 2", "text": "<b>L shoulder pain</b>.", "date_of_service": "2026-04-15"}\n'
    b'{"id": "visit 3"}\n'
)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """The store that the page of this test opens."""
    monkeypatch.setenv("THERACODE_DATA_DIR", str(tmp_path))
    monkeypatch.delenv("THERACODE_DATABASE_URL", raising=False)
    opened = open_store()
    yield opened
    opened.close()


def page(who: str = "") -> AppTest:
    app = AppTest.from_file(str(ROOT / "ui" / "screens" / "review.py"), default_timeout=60).run()
    assert not app.exception
    if who:
        app.text_input(key="review_who").set_value(who).run()
    return app


def markup(app: AppTest) -> str:
    return " ".join(element.proto.body for element in app.get("html"))


def click(app: AppTest, label: str) -> AppTest:
    button = next(button for button in app.button if button.label == label)
    assert not button.disabled, label
    button.click().run()
    assert not app.exception
    return app


def show(app: AppTest, view: str) -> AppTest:
    app.session_state["review_view"] = view
    app.run()
    assert not app.exception
    return app


def imported(who: str = "Ann") -> AppTest:
    app = page(who)
    app.file_uploader(key="review_files_list").set_value([("visits.jsonl", NOTES, "application/json")]).run()
    click(app, "Import")
    return app


def imported_second(store: Store) -> AppTest:
    """The page with all batches in view, after another import."""
    app = page("Ann")
    show(app, "Import")
    app.file_uploader(key="review_files_list").set_value([("visits.jsonl", NOTES, "application/json")]).run()
    click(app, "Import")
    app.selectbox(key="review_batch").set_value(0).run()
    assert len(repo.queue(store)) == 3
    return app


def accept_all(app: AppTest) -> AppTest:
    while waiting := [b for b in app.button if b.proto.shortcut == "a"]:
        waiting[0].click().run()
        assert not app.exception
    return app


# ------------------------------------------------------------------------------------------------ without a browser


def test_the_first_run_explains_and_imports_the_samples(store: Store) -> None:
    app = page()
    assert "sign each note off" in markup(app) and store.place in markup(app)
    assert all(button.disabled for button in app.button) and "name" in app.info[0].value
    app.text_input(key="review_who").set_value("Ann").run()
    click(app, "Import the sample notes")
    assert len(repo.queue(store)) == 8 and "8 notes imported" in app.toast[0].value
    assert "tc-note" in markup(app) and "0 of 8 notes signed off" in app.get("progress")[0].proto.text


def test_import_review_sign_off_export(store: Store) -> None:
    app = imported()
    assert [item.name for item in repo.queue(store)] == ["visit 1", "visit 2"]
    assert app.selectbox(key="review_note").options == ["visit 1 · new", "visit 2 · new"]
    first = repo.queue(store)[0].id
    recommended = repo.open_note(store, first).coding.sequence
    assert {"M17.11", "M77.12"} <= set(recommended)
    sign = app.button(key="review_sign")
    assert sign.disabled and sign.label == f"Sign off ({len(recommended)} still to decide)"
    app.button(key=f"reject_{recommended[0]}").click().run()
    assert repo.decisions(store) == [], "a rejection waits for its reason"
    app.button(key="reason_2").click().run()
    assert [(d.what, d.reason) for d in repo.decisions(store)] == [("reject", "negated")]
    app.button(key=f"undo_{recommended[0]}").click().run()
    app.button(key=f"replace_{recommended[0]}").click().run()
    app.text_input(key="review_replacement").set_value("m17.12")
    app.selectbox(key="review_reason_replace").set_value("wrong side")
    click(app, f"Replace {recommended[0]}")
    accept_all(app)
    app.text_input(key="review_add").set_value("Z91.81")
    click(app, "Add")
    click(app, "Sign off")
    assert app.toast[0].value == "visit 1 is signed off." and app.selectbox(key="review_note").value == repo.queue(store)[1].id
    signed = repo.open_note(store, first).reading
    assert signed.signed and signed.codes == ("M17.12", *recommended[1:], "Z91.81")
    app.selectbox(key="review_note").set_value(first).run()
    assert "Signed off by Ann" in app.success[0].value
    app.text_input(key="review_reopen").set_value("")
    click(app, "Reopen")
    assert "reason is missing" in app.error[0].value and repo.open_note(store, first).reading.signed
    show(app, "Export")
    labels = ["Decisions (CSV)", "Decisions (JSON Lines)", "Codes (CSV)", "Training file (JSON Lines)"]
    assert [element.proto.label for element in app.get("download_button")] == labels
    assert f"{len(repo.decisions(store))} rows" in app.caption[0].value and "1 notes" in app.caption[1].value


def test_a_wrong_code_and_a_broken_file_are_told(store: Store) -> None:
    app = imported()
    show(app, "Import")
    assert [warning.value for warning in app.warning] == ["visit 3: there is no text"]
    app.file_uploader(key="review_files_list").set_value([("x.txt", b"\xff\xfe", "text/plain")]).run()
    click(app, "Import")
    assert "no note could be used" in app.error[0].value.lower() and len(repo.batches(store)) == 1
    show(app, "Review")
    app.text_input(key="review_add").set_value("<i>nonsense")
    click(app, "Add")
    assert "not a billable code" in app.error[0].value and repo.decisions(store) == []


def excluded(store: Store) -> int:
    """A note with one code that an Excludes1 note blocks."""
    text = "<b>Muscle weakness</b>, weak all over."
    rule = RuleVerdict(id="excludes1", text="muscle weakness (M62.81)", source="note at R53.1", blocked_by=["M62.81"])
    weak = Suggestion(
        rank=1, code="M62.81", title="Weakness", probability=0.9, status="recommended", role="symptom", evidence=[], reasons=[]
    )
    whole = weak.model_copy(update={"rank": 2, "code": "R53.1", "probability": 0.4, "status": "blocked", "rule": rule})
    coding = Coding(
        id="weak", edition="FY2026-April", date_of_service=date(2026, 4, 15), encounter="initial",
        suggestions=[weak, whole], sequence=["M62.81"], notices=["A notice."], questions=["Since when?"],
    )  # fmt: skip
    repo.import_notes(store, [(Note(id="weak", text=text), coding)], name="weak", who="Ann", model="test")
    return repo.queue(store)[-1].id


def test_an_exclusion_is_overridden_with_its_reason(store: Store) -> None:
    note = excluded(store)
    app = page("Ann")
    assert [label for label in (e.label for e in app.expander) if "rule" in label] == ["Blocked by a rule (1)"]
    assert "&lt;b&gt;Muscle" in markup(app), "a note is never markup"
    assert app.info[0].value == "Since when?" and "A notice." in markup(app)
    click(app, "Override for R53.1")
    assert "reason of an override is missing" in app.error[0].value
    assert app.text_input(key="review_why_R53.1").label == "R53.1 and M62.81 are unrelated conditions, because"
    app.text_input(key="review_why_R53.1").set_value("weak before the illness")
    click(app, "Override for R53.1")
    (row,) = repo.decisions(store)
    reason = "unrelated conditions (I.A.12.a): weak before the illness"
    assert (row.what, row.code, row.reason, row.rule) == ("override", "R53.1", reason, "excludes1")
    assert f"R53.1 overrides excludes1: {reason}" in markup(app)
    click(accept_all(app), "Sign off")
    assert repo.open_note(store, note).reading.codes == ("M62.81", "R53.1")


def test_a_code_that_a_coder_adds_against_an_exclusion_is_overridden_too(store: Store) -> None:
    app = imported()
    note = repo.queue(store)[0].id
    accept_all(app)
    for code in ("M62.81", "R53.1"):
        app.text_input(key="review_add").set_value(code)
        click(app, "Add")
    assert any("R53.1" in warning.value and "say why both hold" in warning.value for warning in app.warning)
    click(app, "Sign off")
    assert "may not be reported together" in app.error[0].value
    (field,) = [field for field in app.text_input if "are unrelated conditions" in field.label]
    field.set_value("one arm, and tired all over")
    click(app, next(button.label for button in app.button if button.label.startswith("Override for")))
    row = repo.decisions(store)[-1]
    assert (row.what, row.rule) == ("override", "excludes1") and row.reason.endswith("tired all over")
    click(app, "Sign off")
    assert {"M62.81", "R53.1"} <= set(repo.open_note(store, note).reading.codes)


def test_filters_and_keys(store: Store) -> None:
    excluded(store)
    app = imported_second(store)
    shortcuts = {button.proto.shortcut: button.label for button in app.button if button.proto.shortcut}
    assert shortcuts == {"n": "Next", "a": "Accept", "x": "Reject", "e": "Replace", "s": app.button(key="review_sign").label}
    for name, expected in (("conflicts", ["weak"]), ("unreviewed", ["weak", "visit 1", "visit 2"]), ("low", [])):
        app.session_state["review_show"] = name
        app.run()
        shown = app.selectbox(key="review_note").options if expected else []
        assert [option.split(" · ")[0] for option in shown] == expected and not app.exception
    assert app.success[0].value == "No note is left here."
    app.session_state["review_show"] = "all"
    click(app.run(), "Next")
    assert app.selectbox(key="review_note").value == repo.queue(store)[1].id


def test_two_coders_on_one_note(store: Store) -> None:
    ann, bob = imported("Ann"), page("Bob")
    assert ann.selectbox(key="review_note").value == bob.selectbox(key="review_note").value
    code = repo.open_note(store, repo.queue(store)[0].id).coding.sequence[0]
    ann.button(key=f"accept_{code}").click().run()
    bob.button(key=f"accept_{code}").click().run()
    assert "Ann changed this note after you opened it" in bob.warning[0].value
    assert [(d.who, d.what) for d in repo.decisions(store)] == [("Ann", "accept")]
    assert f"undo_{code}" in {button.key for button in bob.button}, "the page shows the note as it is now"
    click(accept_all(ann), "Sign off")

    bob.selectbox(key="review_turn").set_value("second").run()
    assert "0 of 1 notes" in bob.get("progress")[0].proto.text and f"undo_{code}" not in {button.key for button in bob.button}
    bob.button(key=f"reject_{code}").click().run()
    bob.button(key="reason_4").click().run()
    click(accept_all(bob), "Sign off")

    show(ann, "Agreement")
    assert {metric.label: metric.value for metric in ann.metric}["Same codes"] == "0%"
    assert any("Bob rejected it: wrong side" in caption.value for caption in ann.caption)
    click(ann, "Adjudicate")
    assert "reason of the adjudication is missing" in ann.error[0].value
    next(box for box in ann.checkbox if code in box.label).check()
    ann.text_input(key="review_final_reason").set_value("the side is written in line 1")
    click(ann, "Adjudicate")
    assert not [box for box in ann.checkbox] and "adjudicated" in ann.toast[0].value
    (final,) = repo.finals(store)
    assert code in final.codes
    show(ann, "Statistics")
    assert {metric.label: metric.value for metric in ann.metric}["Adjudicated"] == "1"
    assert len(ann.get("vega_lite_chart")) == 4


def test_a_store_that_cannot_be_opened_is_one_line(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THERACODE_DATABASE_URL", "mysql://coder:hush@host/base")
    app = page()
    assert "must begin with postgresql" in app.error[0].value and "hush" not in app.error[0].value


def test_figures_are_counted() -> None:
    def row(what: repo.What, code: str, probability: float | None, reason: str = "") -> Decision:
        return Decision("b", "n", "first", datetime.now(UTC), "A", what, code, "", reason, "e", "m", "", probability)

    rows = [row("accept", "M17.11", 1.0), row("reject", "R26.2", 0.9, "negated"), row("replace", "R26.2", 0.1, "wrong side")]
    rows += [row("reject", "M54.2", 0.5, "negated"), row("add", "Z91.81", None)]
    assert review_charts.by_verdict(rows) == {"accepted": 1, "overridden": 0, "replaced": 1, "added": 1, "rejected": 2}
    assert review_charts.by_reason(rows) == {"negated": 2, "wrong side": 1}
    assert review_charts.by_code(rows) == {"R26.2": 2, "M54.2": 1}
    assert review_charts.by_band(rows) == [("0 to 20 %", 0.0, 1), ("40 to 60 %", 0.0, 1), ("80 to 100 %", 0.5, 2)]
    assert review_charts.count_bars({"negated": 2}, "reason").to_dict()["mark"]["type"] == "bar"
    assert review_charts.band_bars(review_charts.by_band(rows)).to_dict()["encoding"]["x"]["scale"]["domain"] == [0, 1]


# ------------------------------------------------------------------------------------------------ in a browser


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of the page in the browser."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    """The page on a free port, with a store of its own."""
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed on this machine (apt-get install chromium)")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "THERACODE_DATA_DIR": str(folder)}
    environment.pop("THERACODE_DATABASE_URL", None)
    process = subprocess.Popen(
        [sys.executable, "-m", "ui.cli", "app", "--no-browser", "--port", str(port)],
        cwd=ROOT / "tests", env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + 60
    while True:
        try:
            with urlopen(f"{url}/_stcore/health", timeout=1):  # noqa: S310 - our own address
                break
        except (URLError, OSError):
            assert process.poll() is None and time.monotonic() < deadline, "the page did not start"
            time.sleep(0.2)
    yield f"{url}/review"
    os.killpg(process.pid, 15)
    process.wait(timeout=20)


def picture(view: Page, path: Path, width: int) -> None:
    view.set_viewport_size({"width": width, "height": 900})
    view.wait_for_timeout(400)
    assert view.evaluate("document.documentElement.scrollWidth") <= width, "nothing is cut off"
    view.screenshot(path=path, full_page=True)
    view.set_viewport_size({"width": 1280, "height": 900})


def press(view: Page, key: str, shown: str) -> None:
    """Press a key outside of any field and wait for what it brings."""
    view.evaluate("document.activeElement.blur()")
    view.keyboard.press(key)
    view.locator(shown).first.wait_for()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        )
        yield chromium
        chromium.close()


def opened(browser: Browser, address: str, who: str, hosts: set[str] | None = None) -> Page:
    """The page in a session of its own, with a coder named."""
    view = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme="light").new_page()
    view.set_default_timeout(30_000)
    if hosts is not None:
        view.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
    view.goto(address)
    view.get_by_label("Coder").fill(who)
    view.keyboard.press("Enter")
    return view


def decide_all(view: Page) -> None:
    """Accept by key until everything recommended is decided, then sign off by key."""
    from playwright.sync_api import TimeoutError

    sign = view.get_by_role("button", name="Sign off")
    view.evaluate("document.activeElement.blur()")
    while "still to decide" in (before := sign.inner_text()):
        view.keyboard.press("a")  # a key that comes while the page is drawn anew may be lost, as for a person
        with suppress(TimeoutError):
            view.wait_for_function("before => !document.body.innerText.includes(before)", arg=before.split("\n")[0], timeout=5000)
    press(view, "s", "[data-testid=stToast]:has-text('is signed off')")


def test_import_review_by_keys_and_export(browser: Browser, address: str, tmp_path: Path) -> None:
    hosts: set[str] = set()
    view = opened(browser, address, "Ann", hosts)
    view.locator("input[type=file]").set_input_files({"name": "visits.jsonl", "mimeType": "application/json", "buffer": NOTES})
    view.get_by_text("visits.jsonl").wait_for()
    view.get_by_role("button", name="Import", exact=True).click()
    view.locator(".tc-note mark").first.wait_for()
    for width in (1280, 390):
        picture(view, tmp_path / f"review-{width}.png", width)
    press(view, "x", ".st-key-review_reasons")
    for width in (1280, 390):
        picture(view, tmp_path / f"reject-{width}.png", width)
    press(view, "4", ".tc-claim:has-text('wrong side')")
    decide_all(view)
    view.get_by_text("1 of 2 notes signed off").wait_for()
    view.get_by_role("radio", name="Statistics").click()
    view.locator("[data-testid=stVegaLiteChart] canvas, [data-testid=stVegaLiteChart] svg").nth(3).wait_for()
    for width in (1280, 390):
        picture(view, tmp_path / f"statistics-{width}.png", width)
    view.get_by_role("radio", name="Export").click()
    with view.expect_download() as download:
        view.get_by_role("button", name="Decisions (JSON Lines)").click()
    rows = [json.loads(line) for line in Path(download.value.path()).read_text(encoding="utf-8").splitlines()]
    assert (rows[0]["what"], rows[0]["reason"], rows[-1]["what"]) == ("reject", "wrong side", "sign-off")
    assert {row["who"] for row in rows} == {"Ann"} and {row["note"] for row in rows} == {"visit 1"}
    with view.expect_download() as download:
        view.get_by_role("button", name="Training file").click()
    gold = GoldNote.model_validate_json(Path(download.value.path()).read_text(encoding="utf-8"))
    assert [item.reason for item in gold.forbidden] == ["wrong side"] and gold.required
    assert hosts == {urlsplit(address).netloc}, "a request left this machine"
    view.context.close()


def choose(view: Page, box: str, option: str) -> None:
    view.get_by_role("combobox", name=box).click()
    view.get_by_role("option", name=option).click()


def test_two_coders_see_each_other_and_then_read_blind(browser: Browser, address: str, folder: Path, tmp_path: Path) -> None:
    store = open_store(URL.create("sqlite", database=str(folder / "review.sqlite")))
    excluded(store)
    store.close()
    ann, bob = opened(browser, address, "Ann"), opened(browser, address, "Bob")
    for view in (ann, bob):
        choose(view, "Batch", "weak (1)")
        view.locator("[class*=st-key-accept_M62] button").wait_for()
    press(ann, "a", ".tc-claim .tc-first")
    press(bob, "a", "[data-testid=stAlert]:has-text('Ann changed this note after you opened it')")
    bob.locator(".tc-claim .tc-first").wait_for()
    decide_all(ann)
    choose(bob, "Reading", "Second reading, blind")
    bob.get_by_text("Nothing accepted yet.").wait_for()
    press(bob, "x", ".st-key-review_reasons")
    press(bob, "2", ".tc-claim:has-text('negated')")
    decide_all(bob)
    ann.get_by_role("radio", name="Agreement").click()
    ann.get_by_role("button", name="Adjudicate").wait_for()
    assert "Bob rejected it: negated" in ann.inner_text("body")
    for width in (1280, 390):
        picture(ann, tmp_path / f"agreement-{width}.png", width)
    ann.get_by_label("Reason").fill("the words are there")
    ann.get_by_role("button", name="Adjudicate").click()
    ann.get_by_text("every difference is settled").wait_for()
    for view in (ann, bob):
        view.context.close()
