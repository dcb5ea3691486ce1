"""Signing in on a shared server: the file, the roles, and the whole way through a provider that the test itself runs."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import requests
from joserfc import jwt
from joserfc.jwk import RSAKey
from streamlit import net_util
from streamlit.testing.v1 import AppTest
from streamlit.web.server import server_util
from typer.testing import CliRunner

from lexicon.errors import InputError
from ui import cli, serve, signin
from ui.signin import RIGHTS, SignIn, read_sign_in
from ui.store import repository as repo
from ui.store.engine import open_store

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)
SECRET = "s" * 40
FILE = """
[auth]
redirect_uri = "{page}/oauth2callback"
cookie_secret = "{cookie}"
client_id = "theracode"
client_secret = "hush"
server_metadata_url = "{provider}/.well-known/openid-configuration"

[roles]
clinician = ["clio@clinic.example"]
coder = ["Cody@clinic.example"]
admin = ["ada@clinic.example"]
"""


def markup(app: AppTest) -> str:
    return " ".join(element.proto.body for element in app.get("html"))


def sign_in_file(folder: Path, text: str = FILE, **values: str) -> Path:
    path = folder / "sign-in.toml"
    given = {"page": "https://codes.clinic.example", "provider": "https://id.clinic.example", "cookie": SECRET, **values}
    path.write_text(text.format(**given), encoding="utf-8")
    path.chmod(0o600)
    return path


# ------------------------------------------------------------------------------------------------ file and roles


def test_roles_grow_and_only_an_admin_exports_and_manages() -> None:
    clinician, coder, admin = (RIGHTS[role] for role in ("clinician", "coder", "admin"))
    assert clinician < coder < admin
    assert not clinician & {"review", "import", "sign-off", "override", "export", "manage"}
    assert {"sign-off", "override", "import"} <= coder and admin - coder == {"export", "manage"}
    assert signin.LOCAL.may("manage") and not signin.NOBODY.may("suggest")


def test_a_person_gets_the_highest_role_of_a_verified_address(tmp_path: Path) -> None:
    sign_in = read_sign_in(sign_in_file(tmp_path))
    assert sign_in.address == "codes.clinic.example"
    cody = sign_in.person({"sub": "7", "email": "cody@Clinic.example", "email_verified": True})
    assert (cody.name, cody.role, cody.local) == ("cody@clinic.example", "coder", False)
    assert sign_in.person({"sub": "7", "email": "ada@clinic.example"}).role is None, "the provider has not verified the address"
    assert sign_in.person({"sub": "8", "email": "eve@clinic.example", "email_verified": True}).role is None
    assert sign_in.person({}).role is None
    groups = SignIn("host", "groups", {"clinician": frozenset({"a"}), "coder": frozenset(), "admin": frozenset({"b"})})
    assert groups.person({"sub": "7", "groups": ["a", "b"]}) == signin.Person("7", "admin")
    assert groups.person({"sub": "7", "groups": "a"}).role == "clinician" and groups.person({"sub": "7"}).role is None


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("[roles]", "[rolls]", "needs the sections"),
        ('client_id = "theracode"', "", "lacks client_id"),
        (SECRET, "short", "too short"),
        ("https://codes", "http://codes", "redirect_uri .* must begin with https"),
        ("https://id", "http://id", "server_metadata_url .* must begin with https"),
        ("/oauth2callback", "/", "must end with /oauth2callback"),
        ("clinician =", "doctor =", "takes claim and the lists"),
        ('coder = ["Cody@clinic.example"]', 'coder = "Cody"', "takes claim and the lists"),
        ("[auth]", "[auth", "cannot be read"),
    ],
)
def test_an_unsafe_file_is_refused_without_its_secrets(tmp_path: Path, old: str, new: str, told: str) -> None:
    path = sign_in_file(tmp_path)
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    with pytest.raises(InputError, match=told) as caught:
        read_sign_in(path)
    assert "hush" not in str(caught.value)


def test_a_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = sign_in_file(tmp_path)
    path.chmod(0o644)
    with pytest.raises(InputError, match="chmod 600"):
        read_sign_in(path)
    with pytest.raises(InputError, match="cannot be read"):
        read_sign_in(tmp_path / "missing.toml")


def test_the_command_line_refuses_an_unsafe_file_in_one_line(tmp_path: Path) -> None:
    result = CliRunner().invoke(cli.app, ["app", "--no-browser", "--sign-in", str(sign_in_file(tmp_path, cookie="short"))])
    assert result.exit_code == 2 and "cookie_secret of sign-in.toml is too short" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_nobody_gets_in_without_signing_in_or_without_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert signin.person() is signin.LOCAL
    path = sign_in_file(tmp_path)
    monkeypatch.setenv(signin.ENVIRONMENT, str(path))
    app = AppTest.from_file(str(ROOT / "ui" / "app.py"), default_timeout=60).run()
    assert not app.exception and "<h1>Sign in</h1>" in markup(app) and [b.label for b in app.button] == ["Sign in"]
    path.unlink()
    app.run()
    assert "<h1>Sign in</h1>" in markup(app) and "Nobody can sign in" in app.error[0].value and not app.button


def test_the_store_stays_shut_even_to_a_page_that_is_run_directly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THERACODE_DATA_DIR", str(tmp_path))
    monkeypatch.setenv(signin.ENVIRONMENT, str(sign_in_file(tmp_path)))
    app = AppTest.from_file(str(ROOT / "ui" / "screens" / "review.py"), default_timeout=60).run()
    assert not app.exception and app.error[0].value == "Your role does not allow this (review)."
    assert not (tmp_path / "review.sqlite").exists()


def test_an_unknown_origin_is_refused_without_asking_another_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(net_util, "get_external_ip", net_util.get_external_ip)
    monkeypatch.setattr(requests, "get", lambda *_, **__: pytest.fail("another host was asked"))
    serve.stay_local()
    assert not server_util.is_url_from_allowed_origins("https://elsewhere.example")
    assert server_util.is_url_from_allowed_origins("http://127.0.0.1:8501")


# ------------------------------------------------------------------------------------------------ a provider


class Provider(ThreadingHTTPServer):
    """A small OpenID Connect provider: asks who one is, believes it, and signs it. Checks the client and its PKCE proof."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.issuer = f"http://127.0.0.1:{self.server_address[1]}"
        self.key = RSAKey.generate_key(2048, {"kid": "one", "use": "sig", "alg": "RS256"})
        self.codes: dict[str, dict[str, str]] = {}

    def discovery(self) -> dict[str, Any]:
        """What the provider says of itself."""
        ends = {"authorization": "authorize", "token": "token", "end_session": "logout"}
        return {
            "issuer": self.issuer, "jwks_uri": f"{self.issuer}/jwks", "response_types_supported": ["code"],
            "subject_types_supported": ["public"], "id_token_signing_alg_values_supported": ["RS256"],
            "code_challenge_methods_supported": ["S256"],
            **{f"{name}_endpoint": f"{self.issuer}/{path}" for name, path in ends.items()},
        }  # fmt: skip

    def tokens(self, form: dict[str, str], authorization: str) -> dict[str, Any] | None:
        """Signed claims for a code, if the client is ours and proves that it began this."""
        asked = self.codes.pop(form.get("code", ""), None)
        proof = base64.urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest()).rstrip(b"=").decode()
        client = base64.b64decode(authorization.removeprefix("Basic ")).decode()
        if asked is None or proof != asked["code_challenge"] or client != "theracode:hush":
            return None
        now = int(time.time())
        claims = {
            "iss": self.issuer, "aud": "theracode", "sub": asked["who"], "iat": now, "exp": now + 300, "nonce": asked["nonce"],
            "email": f"{asked['who']}@clinic.example", "email_verified": True,
        }  # fmt: skip
        token = jwt.encode({"alg": "RS256", "kid": "one"}, claims, self.key)
        return {"access_token": "opaque", "token_type": "Bearer", "expires_in": 300, "id_token": token}


class Answer(BaseHTTPRequestHandler):
    """The provider's end points."""

    server: Provider

    def send(self, body: str, kind: str = "application/json", status: int = 200, **headers: str) -> None:
        """Answer a request."""
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body.encode())), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body.encode())

    def do_GET(self) -> None:
        """Discovery, keys, the page that asks who one is, and signing out."""
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if parts.path == "/.well-known/openid-configuration":
            self.send(json.dumps(self.server.discovery()))
        elif parts.path == "/jwks":
            self.send(json.dumps({"keys": [self.server.key.as_dict(private=False)]}))
        elif parts.path == "/authorize" and "who" in query:
            code = f"code-{len(self.server.codes)}-{time.monotonic_ns()}"
            self.server.codes[code] = query
            back = f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}"
            self.send("", status=302, Location=back)
        elif parts.path == "/authorize":
            links = "".join(
                f'<p><a href="/authorize?{urlencode({**query, "who": name})}">{name}</a></p>'.replace("&", "&amp;")
                for name in ("clio", "cody", "ada", "eve")
            )
            self.send(f"<h1>Who are you?</h1>{links}", "text/html")
        elif parts.path == "/logout":
            self.send("", status=302, Location=query["post_logout_redirect_uri"])
        else:
            self.send("{}", status=404)

    def do_POST(self) -> None:
        """Tokens."""
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        form = {name: values[0] for name, values in parse_qs(body).items()}
        tokens = self.server.tokens(form, self.headers.get("Authorization", ""))
        self.send(json.dumps(tokens or {"error": "invalid_grant"}), status=200 if tokens else 400)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


# ------------------------------------------------------------------------------------------------ in a browser


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with Provider() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("server")


@pytest.fixture(scope="module")
def address(provider: Provider, folder: Path) -> Iterator[str]:
    """The page of a shared server, started as its operator starts it."""
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed on this machine (apt-get install chromium)")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    file = sign_in_file(folder, page=url, provider=provider.issuer)
    command = [sys.executable, "-m", "ui.cli", "app", "--no-browser", "--port", str(port), "--sign-in", str(file)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "THERACODE_DATA_DIR": str(folder)}
    environment.pop("THERACODE_DATABASE_URL", None)
    process = subprocess.Popen(
        command, cwd=ROOT / "tests", env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
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


def signed_in(browser: Browser, address: str, name: str, hosts: set[str] | None = None) -> Page:
    page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.set_default_timeout(60_000)
    if hosts is not None:
        page.on("request", lambda request: hosts.add(urlsplit(request.url.removeprefix("blob:")).netloc))
    page.goto(f"{address}/review")
    page.get_by_role("heading", name="Sign in").wait_for()
    assert page.get_by_role("link").all_inner_texts() == ["Skip to main content"], "no page is offered before signing in"
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("link", name=name, exact=True).click()
    page.get_by_text("Signed in as").wait_for()
    return page


def offered(page: Page) -> list[str]:
    page.get_by_role("link", name="Suggest").first.wait_for()
    return page.get_by_test_id("stTopNavLink").all_inner_texts()


def test_each_role_sees_its_pages(browser: Browser, address: str, provider: Provider) -> None:
    hosts: set[str] = set()
    page = signed_in(browser, address, "clio", hosts)
    assert offered(page) == ["Suggest", "Audit", "Explore"]
    assert page.get_by_text("Signed in as clio@clinic.example, clinician").is_visible()
    assert page.get_by_text("Everything runs on this server.").is_visible()
    page.goto(f"{address}/review")
    page.get_by_text("Your role, clinician, does not open this page.").wait_for()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("heading", name="Sign in").wait_for()
    page.context.close()
    for name, pages in (("cody", 5), ("ada", 5), ("eve", 0)):
        page = signed_in(browser, address, name, hosts)
        if pages:
            assert len(offered(page)) == pages
        else:
            page.get_by_text("no role on this server is yours").wait_for()
        page.context.close()
    assert hosts == {urlsplit(address).netloc, urlsplit(provider.issuer).netloc}


def test_a_coder_signs_off_under_the_name_of_the_account_and_an_admin_exports(
    browser: Browser, address: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = signed_in(browser, address, "cody")
    page.get_by_role("link", name="Review").click()
    assert page.get_by_label("Coder").is_disabled() and page.get_by_label("Coder").input_value() == "cody@clinic.example"
    page.locator("input[type=file]").set_input_files(
        [{"name": "visit.txt", "mimeType": "text/plain", "buffer": b"R knee OA. L lateral epicondylitis."}]
    )
    page.get_by_role("button", name="Import", exact=True).click()
    page.get_by_text("0 of 1 notes signed off").wait_for()
    assert page.get_by_role("radio", name="Export").count() == 0
    while page.get_by_text("Decide now").count():
        before = page.locator(".st-key-claim .tc-claim").count()
        page.get_by_role("button", name="Accept").first.click()
        page.wait_for_function(f"document.querySelectorAll('.st-key-claim .tc-claim').length > {before}")
        page.locator('.stApp[data-test-script-state="notRunning"]').wait_for()
    page.get_by_role("button", name="Sign off").click()
    page.get_by_text("Signed off by cody@clinic.example").wait_for()
    assert page.get_by_role("button", name="Reopen").count() == 0
    page.context.close()

    page = signed_in(browser, address, "ada")
    page.get_by_role("link", name="Review").click()
    page.get_by_role("button", name="Reopen").wait_for()
    page.get_by_role("radio", name="Export").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Decisions (CSV)").click()
    assert "cody@clinic.example" in Path(download.value.path()).read_text(encoding="utf-8")
    page.context.close()

    monkeypatch.setenv("THERACODE_DATA_DIR", str(folder))
    monkeypatch.delenv("THERACODE_DATABASE_URL", raising=False)
    store = open_store()
    trail = repo.decisions(store)
    store.close()
    assert {decision.who for decision in trail} == {"cody@clinic.example"} and trail[-1].what == "sign-off"


def test_a_role_that_is_taken_away_is_gone_at_the_next_step(browser: Browser, address: str, folder: Path) -> None:
    page = signed_in(browser, address, "cody")
    assert "Review" in offered(page)
    file = folder / "sign-in.toml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("Cody@clinic.example", ""), encoding="utf-8")
    try:
        page.get_by_role("link", name="Review").click()
        page.get_by_text("no role on this server is yours").wait_for()
    finally:
        file.write_text(text, encoding="utf-8")
    page.context.close()
