"""Twenty people at once: the page with 20 sessions, the review store with 20 writers. ``make load`` prints what it measured.

The sessions speak the page's own protocol over 20 connections, so that the server is measured and not 20 browsers. Each
pastes a note of its own, and nothing of another session may reach it.
"""

from __future__ import annotations

import asyncio
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import websockets
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

ROOT = Path(__file__).resolve().parents[1]
PEOPLE = 20
NOTES = ("R knee OA, pain with stairs.", "L lateral epicondylitis.", "BPPV right ear.", "Low back pain since lifting a box.")
CODES = ("M17.11", "M77.12", "H81.11", "M54.50")


def told(name: str, seconds: list[float], rest: str) -> str:
    """One line of figures."""
    p50, p95 = statistics.median(seconds), statistics.quantiles(seconds, n=20)[-1]
    return f"{name}: {len(seconds)} measured, p50 {p50:.3f} s, p95 {p95:.3f} s, slowest {max(seconds):.3f} s; {rest}"


# ------------------------------------------------------------------------------------------------ the page


class Session:
    """One open page."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.note = f"{NOTES[number % len(NOTES)]} Visit marker{number:02}."
        self.seconds: list[float] = []
        self.widgets: dict[str, str] = {}
        self.shown = ""

    async def run(self, socket_: websockets.ClientConnection, message: BackMsg, until: str) -> None:
        """Send a message and read until the page that it makes is complete."""
        await socket_.send(message.SerializeToString())
        self.shown = ""
        while True:
            data = await asyncio.wait_for(socket_.recv(), timeout=120)
            assert isinstance(data, bytes)
            answer = ForwardMsg.FromString(data)
            if answer.WhichOneof("type") == "delta":
                element = answer.delta.new_element
                kind = element.WhichOneof("type")
                if kind in ("text_area", "button"):
                    widget = getattr(element, kind)
                    self.widgets[widget.label] = widget.id
                self.shown += str(element) if kind else ""
            elif answer.WhichOneof("type") == "script_finished" and until in self.shown:
                return

    async def use(self, url: str, gate: asyncio.Barrier, rounds: int) -> None:
        """Open the page, wait for all others, and paste a note again and again."""
        async with websockets.connect(url, subprotocols=["streamlit"], max_size=None, ping_interval=None) as socket_:  # type: ignore[list-item]
            first = BackMsg()
            first.rerun_script.query_string = ""
            await self.run(socket_, first, "Suggest codes")
            await gate.wait()
            for _ in range(rounds):
                message = BackMsg()
                states = message.rerun_script.widget_states.widgets
                states.add(id=self.widgets["Note"], string_value=self.note)
                states.add(id=self.widgets["Suggest codes"], trigger_value=True)
                started = time.monotonic()
                await self.run(socket_, message, "Claim list")
                self.seconds.append(time.monotonic() - started)
                assert CODES[self.number % len(CODES)] in self.shown and f"marker{self.number:02}" in self.shown
                assert self.shown.count("marker") == self.shown.count(f"marker{self.number:02}"), "a note of another session"
                edit = BackMsg()
                edit.rerun_script.widget_states.widgets.add(id=self.widgets["Edit or replace"], trigger_value=True)
                await self.run(socket_, edit, "Suggest codes")


def page_load(rounds: int = 3) -> str:
    """The page as a user starts it, with 20 sessions that all press the button at once."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "streamlit",
        "run",
        str(ROOT / "ui/app.py"),
        f"--server.port={port}",
        "--server.headless=true",
    ]
    quiet = subprocess.DEVNULL
    server = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=quiet, stderr=quiet)

    async def all_sessions() -> list[float]:
        gate = asyncio.Barrier(PEOPLE)
        sessions = [Session(number) for number in range(PEOPLE)]
        await asyncio.gather(*(session.use(f"ws://127.0.0.1:{port}/_stcore/stream", gate, rounds) for session in sessions))
        return [second for session in sessions for second in session.seconds]

    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                assert server.poll() is None and time.monotonic() < deadline, "the page did not start"
                time.sleep(0.2)
        seconds = asyncio.run(all_sessions())
        memory = Path(f"/proc/{server.pid}/status").read_text(encoding="utf-8").split("VmRSS:")[1].split()[0]
    finally:
        server.terminate()
        server.wait(timeout=20)
    return told("page, 20 sessions", seconds, f"no note in another session; server {int(memory) // 1024} MB")


# ------------------------------------------------------------------------------------------------ the store


def store_load(name: str, decisions: int = 30) -> str:
    """20 writers, each with a connection of its own and notes of its own, in the store that the environment names."""
    from tests.ui.test_store import MODEL, pair
    from ui.store import repository as repo
    from ui.store.engine import open_store

    store = open_store()
    batch = repo.import_notes(store, [pair(f"n{number}") for number in range(PEOPLE)], name=name, who="A", model=MODEL)
    notes = [item.id for item in repo.queue(store, batch=batch)]

    def write(number: int) -> list[float]:
        mine = open_store()
        ticket = repo.open_note(mine, notes[number]).reading.ticket
        seconds = []
        for _ in range(decisions):
            started = time.monotonic()
            ticket = repo.decide(mine, ticket, who=f"coder {number}", code="M17.11", verdict="accept")
            seconds.append(time.monotonic() - started)
        mine.close()
        return seconds

    with ThreadPoolExecutor(PEOPLE) as pool:
        seconds = [second for found in pool.map(write, range(PEOPLE)) for second in found]
    kept = len(repo.decisions(store, batch=batch))
    store.close()
    assert kept == PEOPLE * decisions, f"{PEOPLE * decisions - kept} writes are lost"
    return told(f"store on {name}, 20 writers", seconds, f"{kept} of {PEOPLE * decisions} writes kept")


def main(say: Callable[[str], object] = sys.stdout.write) -> None:
    """Measure everything; PostgreSQL where ``THERACODE_DATABASE_URL`` names one."""
    if os.environ.get("THERACODE_DATABASE_URL"):
        say(store_load("PostgreSQL") + "\n")
        return
    with tempfile.TemporaryDirectory() as folder:
        os.environ["THERACODE_DATA_DIR"] = folder
        say(store_load("SQLite") + "\n")
        say(page_load() + "\n")


if __name__ == "__main__":
    main()
