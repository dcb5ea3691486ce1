"""The benchmark end to end with small systems: kinds of errors, reports, reproducibility."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from corpora import bench
from corpora.baselines import FunctionSystem
from corpora.bench import (
    ERROR_KINDS,
    BenchConfig,
    bench_systems,
    best_systems,
    group_verdict,
    load_config,
    note_errors,
    render_table,
    run_bench,
    run_config,
    shown,
    write_report,
)
from corpora.metrics import levels_of
from corpora.report import render_html
from corpora.schema import Corpus, GoldGroup
from lexicon.errors import InputError

LEVELS = levels_of("FY2026-April")
FAST = BenchConfig(resamples=50, worst=2)


@pytest.mark.parametrize(
    ("accept", "line", "verdict"),
    [
        ("M17.11", "M17.11!", "hit"),
        ("M17.11", "M17.12!, M17.11", "ranking"),
        ("M17.11", "M17.12!, M17.11x", "blocked"),
        ("M17.11", "M17.12", "wrong side"),
        ("S83.511D", "S83.511A", "wrong 7th"),
        ("S83.511D", "S83.521D", "wrong site"),
        ("S83.511D", "S83.512A", "wrong site"),
        ("M54.16", "M54.50", "wrong site"),
        ("M54.16", "R52!", "reading miss"),
        ("M54.16", "M54.50x", "reading miss"),
        ("M54.16", "", "reading miss"),
    ],
)
def test_group_verdict(make_coding: Any, accept: str, line: str, verdict: str) -> None:
    assert group_verdict(GoldGroup(accept=(accept,)), make_coding(line), LEVELS) == verdict


def test_note_errors(make_gold: Any, make_coding: Any) -> None:
    gold = make_gold([["M17.11"], ["R26.9"], ["R52"]], optional=["Z91.81"], forbidden=[("M17.12", "wrong side")])
    found = note_errors(gold, make_coding("M17.12!, R52!, Z91.81!, M62.81!"), LEVELS)
    assert {kind: count for kind, count in found.items() if count} == {
        "wrong side": 1,
        "reading miss": 1,
        "forbidden": 1,
        "extra": 1,
    }
    assert set(found) == set(ERROR_KINDS)


@pytest.fixture
def corpus(make_gold: Any) -> Corpus:
    text = "R knee OA <b>with</b> & swelling"
    quote = {"accept": ["M17.11"], "evidence": "R knee OA <b>", "why": "stated"}
    notes = [make_gold([quote], id=f"n{number}", text=text, setting="ortho") for number in range(6)]
    return Corpus("small", (*notes, make_gold(id="n6", text="no show")))


@pytest.fixture
def systems(make_coding: Any) -> list[FunctionSystem]:
    good = FunctionSystem("good", lambda note: make_coding("M17.11! .9" if "OA" in note.text else ""))
    poor = FunctionSystem("poor", lambda note: make_coding("M17.12! .9, M17.11 .2", evidence={"M17.12": (0, 6)}))
    return [good, poor]


def test_result(corpus: Corpus, systems: list[FunctionSystem]) -> None:
    calls: list[tuple[str, int, int]] = []
    result = bench_systems(corpus, systems, FAST, progress=lambda *call: calls.append(call))
    good, poor = result.systems
    assert (result.notes, result.groups, result.notes_without_codes) == (7, 6, 1)
    assert result.settings == {"ortho": 6, "unknown": 1}
    assert result.editions == ("FY2026-April",)
    assert (good.metrics["f1"].value, poor.metrics["f1"].value) == (1, 0)
    assert (good.metrics["abstention"].value, poor.metrics["abstention"].value) == (1, 0)
    assert poor.errors == {**dict.fromkeys(ERROR_KINDS, 0), "ranking": 6, "extra": 7}
    assert poor.by_setting["ortho"]["recall@5"] == 1
    assert poor.errors_by_setting["unknown"]["extra"] == 1
    assert good.worst == ()
    assert [note.id for note in poor.worst] == ["n0", "n1"]
    assert (poor.worst[0].expected[0].verdict, poor.worst[0].given[0].evidence) == ("ranking", ("?",))
    f1 = next(item for item in result.comparisons if item.metric == "f1")
    assert (f1.first, f1.other, f1.difference) == ("good", "poor", 1)
    assert calls == [(name, number, 7) for name in ("good", "poor") for number in range(1, 8)]


def test_second_run_is_byte_identical(corpus: Corpus, systems: list[FunctionSystem], tmp_path: Path) -> None:
    pages = []
    for folder in (tmp_path / "a", tmp_path / "b"):
        pages.append([path.read_bytes() for path in write_report(bench_systems(corpus, systems, FAST), folder)])
    assert pages[0] == pages[1]
    report = json.loads(pages[0][0])
    assert report["config"]["seed"] == 0
    assert report["versions"]["python"].count(".") == 2
    assert not re.search(rb"20\d\d-\d\d-\d\dT|\d\d:\d\d:\d\d", pages[0][0]), "no time stamps"
    assert str(tmp_path).encode() not in pages[0][0] + pages[0][1]


class _Checker(HTMLParser):
    """Collects what a page would load and whether its elements are closed."""

    VOID = frozenset({"meta", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.stack: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.loads += [f"{tag} {name}" for name, _ in attrs if name in {"src", "href", "srcset", "action"}]
        if tag in {"script", "iframe", "link", "img", "object"}:
            self.loads.append(tag)
        if tag not in self.VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.stack.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop() == tag


def test_page_is_self_contained_and_escaped(corpus: Corpus, systems: list[FunctionSystem]) -> None:
    page = render_html(bench_systems(corpus, systems[::-1], FAST))
    checker = _Checker()
    checker.feed(page)
    assert (checker.loads, checker.stack) == ([], [])
    assert "http" not in page.replace("http-equiv", "")
    assert "url(" not in page
    assert "prefers-color-scheme: dark" in page
    assert "<q>R knee OA &lt;b&gt;</q>" in page
    assert "<b>with" not in page
    assert page.count("<svg") >= 4


def test_restricted_corpora_are_not_quoted(corpus: Corpus, systems: list[FunctionSystem]) -> None:
    restricted = Corpus(corpus.name, corpus.notes, restricted=True)
    result = bench_systems(restricted, systems, FAST)
    assert "knee OA" not in result.to_json()
    assert result.systems[1].worst[0].given[0].evidence == ()


def test_table(corpus: Corpus, systems: list[FunctionSystem]) -> None:
    console = Console(width=100, record=True, file=None, quiet=True)
    console.print(render_table(bench_systems(corpus, systems, FAST)))
    table = render_table(bench_systems(corpus, systems, FAST))
    assert [column.header for column in table.columns] == ["metric", "good", "poor"]
    cells = list(zip(*(list(column.cells) for column in table.columns), strict=True))
    assert ("f1", "[bold]1.00[/bold]", "0.00") in cells
    assert shown("f1", None) == "-"
    assert shown("excludes1", 3.0) == "3"
    assert best_systems({"a": 0.1, "b": 0.2, "c": None}, "forbidden") == {"a"}
    assert best_systems({"a": None}, "f1") == set()


def test_run_by_name_and_by_config(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    path.write_text(
        '{"id": "a", "text": "Low back pain, unspecified.", "required": [{"accept": ["M54.50"]}], "primary": ["M54.50"]}\n'
    )
    result = run_bench(str(path), ["exact-phrase"], tmp_path / "report", seed=5)
    assert (result.config.seed, result.config.systems) == (5, ("exact-phrase",))
    assert (tmp_path / "report" / "bench.html").is_file()
    assert json.loads((tmp_path / "report" / "bench.json").read_text())["systems"][0]["metrics"]["recall@5"]["value"] == 1
    config = tmp_path / "experiment.toml"
    config.write_text(f'corpus = "{path}"\nsystems = ["exact-phrase"]\nseed = 5\n')
    assert run_config(config) == result


@pytest.mark.parametrize(
    ("text", "message"), [("seed = ", "not a TOML file"), ("sede = 1", "sede: Extra"), ("resamples = 0", "resamples: Input")]
)
def test_bad_config(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        load_config(path)
    with pytest.raises(InputError, match="cannot be read"):
        load_config(tmp_path / "none.toml")


def test_bad_use(corpus: Corpus, systems: list[FunctionSystem], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="at least one"):
        bench_systems(corpus, [])
    with pytest.raises(InputError, match="different names"):
        bench_systems(corpus, [systems[0], systems[0]])
    blocker = tmp_path / "file"
    blocker.write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        write_report(bench_systems(corpus, systems, FAST), blocker / "x")
    assert bench.BenchConfig().systems[0] == "theracode"
