"""The main journey in a real browser: paste, accept, copy, export; and no request leaves this machine."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from fhir.resources.R4B.bundle import Bundle

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)
NOTE = "R knee OA, pain with stairs <script>alert(1)</script>. L lateral epicondylitis. Denies falls."

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed on this machine (apt-get install chromium)")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The page, started as a user starts it, on a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "ui.cli", "app", "--no-browser", "--port", str(port)]
    folder = tmp_path_factory.mktemp("data")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "THERACODE_DATA_DIR": str(folder)}
    environment.pop("THERACODE_DATABASE_URL", None)
    process = subprocess.Popen(
        command, cwd=ROOT / "tests", env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    url = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + 60
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                break
        except OSError:
            assert process.poll() is None and time.monotonic() < deadline, "the page did not start"
            time.sleep(0.2)
    yield url
    os.killpg(process.pid, 15)
    process.wait(timeout=20)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        )
        yield chromium
        chromium.close()


def host_of(url: str) -> str:
    """Host and port that a request goes to; what a page makes itself (``blob:``) counts as the page's host."""
    return urlsplit(url.removeprefix("blob:")).netloc


def open_page(browser: Browser, address: str, hosts: set[str], *, width: int = 1280, scheme: str = "light") -> Page:
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme=scheme,
        permissions=["clipboard-read", "clipboard-write"],  # type: ignore[arg-type]
    )
    page = context.new_page()
    page.set_default_timeout(60_000)
    for event in ("request", "websocket"):
        page.on(event, lambda request: hosts.add(host_of(request.url)))  # type: ignore[call-overload]
    page.goto(address)
    page.get_by_role("heading", level=1).wait_for()
    return page


def suggest(page: Page) -> None:
    page.get_by_label("Note", exact=True).fill(NOTE)
    page.get_by_role("button", name="Suggest codes").click()
    page.locator(".tc-note mark").first.wait_for()
    page.locator(".st-key-card_1 .tc-card").wait_for()


def test_paste_accept_copy_export(browser: Browser, address: str) -> None:
    hosts: set[str] = set()
    page = open_page(browser, address, hosts)
    suggest(page)
    assert "<script>alert(1)</script>" in page.locator(".tc-note").inner_text()
    page.get_by_role("button", name="Accept all recommended").click()
    copy = page.get_by_role("button", name="Copy codes")
    copy.click()
    page.get_by_role("button", name="Copied").wait_for()
    codes = page.evaluate("navigator.clipboard.readText()").split(", ")
    assert {"M17.11", "M77.12"} <= set(codes)
    assert page.locator(".tc-claim .tc-code").all_inner_texts() == codes
    page.get_by_role("button", name=f"Move {codes[0]} down").click()
    page.wait_for_function(f"document.querySelector('.tc-claim .tc-code').innerText === {json.dumps(codes[1])}")
    page.locator('.stApp[data-test-script-state="notRunning"]').wait_for()
    with page.expect_download() as download:
        page.get_by_role("button", name="FHIR R4").click()
    bundle = Bundle.model_validate_json(Path(download.value.path()).read_bytes())
    assert bundle.entry[0].resource.code.coding[0].code == codes[1]
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV").click()
    assert download.value.suggested_filename.endswith(".csv")
    assert hosts == {urlsplit(address).netloc}, "a request left this machine"
    page.context.close()


def test_pointing_at_a_card_shows_its_evidence(browser: Browser, address: str) -> None:
    page = open_page(browser, address, set())
    suggest(page)
    evidence = page.locator(".tc-note .tc-e.tc-n1").first
    page.mouse.move(2, 2)
    assert evidence.evaluate("e => getComputedStyle(e).outlineStyle") == "none"
    page.locator(".st-key-card_1").hover()
    assert evidence.evaluate("e => getComputedStyle(e).outlineStyle") == "solid"
    page.context.close()


def test_pointing_at_evidence_shows_its_card(browser: Browser, address: str) -> None:
    page = open_page(browser, address, set())
    suggest(page)
    card = page.locator(".st-key-card_1")
    page.mouse.move(2, 2)
    before = card.evaluate("e => getComputedStyle(e).borderTopColor")
    page.locator(".tc-note mark.tc-n1").first.hover()
    page.wait_for_function("old => getComputedStyle(document.querySelector('.st-key-card_1')).borderTopColor !== old", arg=before)
    page.context.close()


@pytest.mark.parametrize("width", [1280, 390])
def test_accepting_moves_nothing(browser: Browser, address: str, width: int) -> None:
    page = open_page(browser, address, set(), width=width)
    suggest(page)
    settled(page)
    top = "document.querySelector('{}').getBoundingClientRect().top"
    place = f"{top.format('.st-key-card_2')} - {top.format('h1')}"
    before = page.evaluate(place)
    page.locator(".st-key-card_1").get_by_role("button", name="Accept").click()
    page.locator(".tc-claim .tc-code").first.wait_for()
    settled(page)
    assert abs(page.evaluate(place) - before) < 2
    page.context.close()


def settled(page: Page) -> None:
    """Wait until the script has run and fonts and late parts are in place."""
    page.wait_for_timeout(300)
    page.locator('.stApp[data-test-script-state="notRunning"]').wait_for()
    page.wait_for_timeout(500)


def legible(page: Page) -> None:
    """No visible text has less contrast than WCAG AA asks for; what is switched off is exempt there."""
    settled(page)
    contrasts = page.evaluate(CONTRAST)
    assert len(contrasts) > 10
    assert [entry for entry in contrasts if not entry["enough"]] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_cut_off_and_text_has_contrast(browser: Browser, address: str, scheme: str) -> None:
    page = open_page(browser, address, set(), scheme=scheme)
    legible(page)
    suggest(page)
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.set_viewport_size({"width": 1280, "height": 900})
    for summary in page.locator("details summary").all():
        summary.click()
    legible(page)
    for path in ("/explore?code=M62.81", "/audit", "/benchmark", "/review"):
        page.goto(f"{address}{path}")
        page.get_by_role("heading", level=1).wait_for()
        legible(page)
        page.set_viewport_size({"width": 390, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        page.set_viewport_size({"width": 1280, "height": 900})
    page.context.close()


def test_every_page_opens_by_its_address_without_another_host(browser: Browser, address: str) -> None:
    hosts: set[str] = set()
    for path, heading in (("/explore?code=M62.81", "Explore"), ("/audit", "Audit"), ("/benchmark", "Benchmark")):
        page = open_page(browser, f"{address}{path}", hosts)
        assert heading in page.get_by_role("heading", level=1).inner_text()
        page.get_by_role("link", name="Suggest").first.wait_for()
        if "code=" in path:
            page.get_by_role("tab", name="Exclusions").click()
            page.locator("svg text", has_text="R53.1").first.wait_for()
        page.context.close()
    assert hosts == {urlsplit(address).netloc}


def test_the_keyboard_is_enough(browser: Browser, address: str) -> None:
    page = open_page(browser, address, set())
    page.get_by_label("Note", exact=True).focus()
    page.keyboard.insert_text(NOTE)
    page.keyboard.press("Control+Enter")
    page.get_by_role("button", name="Suggest codes").focus()
    page.keyboard.press("Enter")
    page.locator(".tc-note mark").first.wait_for()
    page.get_by_role("button", name="Accept all recommended").focus()
    page.keyboard.press("Enter")
    page.locator("button:not([disabled])", has_text="Copy codes").focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Copied").wait_for()
    page.context.close()


CONTRAST = """() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgb = text => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = text; canvas.fillRect(0, 0, 1, 1);
    const d = canvas.getImageData(0, 0, 1, 1).data; return [d[0], d[1], d[2], d[3] / 255]; };
  const over = (a, b) => [0, 1, 2].map(i => a[i] * a[3] + b[i] * (1 - a[3])).concat(1);
  const linear = v => (v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
  const light = c => { const f = c.slice(0, 3).map(v => linear(v / 255));
    return .2126 * f[0] + .7152 * f[1] + .0722 * f[2]; };
  const found = [];
  for (const e of document.querySelectorAll("body *")) {
    const own = [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
    if (!own || !e.checkVisibility({ visibilityProperty: true, opacityProperty: true })) continue;
    if (e.closest("[disabled], [aria-disabled=true], script, style, svg, canvas, [data-testid=stIconMaterial]")) continue;
    if (e.closest("[data-testid=stSelectbox], [data-testid=stTextInput]")?.querySelector("[disabled]")) continue;
    const box = e.getBoundingClientRect();
    if (box.width < 2 || box.height < 2) continue;
    const stack = []; let opacity = 1;
    for (let n = e; n; n = n.parentElement) {
      const style = getComputedStyle(n);
      stack.push(rgb(style.backgroundColor));
      opacity *= Number(style.opacity);
    }
    let back = rgb(getComputedStyle(document.querySelector(".stApp")).backgroundColor);
    if (back[3] < 1) back = [255, 255, 255, 1];
    for (const c of stack.reverse()) back = over(c, back);
    const s = getComputedStyle(e), t = rgb(s.color); t[3] *= opacity;
    const a = light(over(t, back)), b = light(back);
    const size = parseFloat(s.fontSize), large = size >= 24 || (size >= 18.66 && +s.fontWeight >= 700);
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    const text = e.textContent.trim().slice(0, 40), what = `${e.tagName} ${e.className}`;
    found.push({ text, what, ratio, enough: ratio >= (large ? 3 : 4.5) });
  }
  return found;
}"""
