"""The speed command: what it measures, its report, and a gate against gross regressions."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path
from xml.etree import ElementTree

import pytest
from rich.console import Console
from typer.testing import CliRunner

from corpora import speed
from corpora.speed import STAGES, SpeedResult, bar_chart, load_result, measure, render_table, texts_of, write_report
from lexicon.errors import InputError
from models.coder import load
from ui.cli import app

GATE = 20.0  # times bare spaCy; about 7 when this was written
COLD_GATE = 6.0  # times `import spacy`; about 2 when this was written


@pytest.fixture(scope="module")
def result() -> SpeedResult:
    return measure("therapy:train", words=60, notes=12, rounds=3, whole_program=False, coder=load())


def test_the_whole_path_is_within_a_few_times_bare_spacy(result: SpeedResult) -> None:
    assert 0 < result.whole.ratio < GATE
    assert result.spacy.ratio == 1.0


def test_every_stage_is_measured_and_none_twice(result: SpeedResult) -> None:
    assert tuple(result.stages) == STAGES
    assert all(stage.ms > 0 for stage in result.stages.values())
    assert 0.5 < sum(stage.ms for stage in result.stages.values()) / result.whole.ms < 2


def test_a_word_of_a_long_note_costs_no_more(result: SpeedResult) -> None:
    costs = [length.ms_per_1000_words for length in result.lengths]
    assert [length.times for length in result.lengths] == [1, 10, 100]
    assert max(costs) < 4 * min(costs), "ten or a hundred times the cost would be a square"


def test_measuring_leaves_no_trace_in_the_coder() -> None:
    coder = load()
    silent = coder.lap
    measure("therapy:train", words=40, notes=2, rounds=1, whole_program=False, coder=coder)
    assert coder.lap is silent


def test_notes_have_exactly_the_words_asked_for() -> None:
    found = list(islice(texts_of(["one two\nthree", "four  five"], 3), 4))
    assert [text.split() for text in found] == [
        ["one", "two", "three"], ["four", "five", "one"], ["two", "three", "four"], ["five", "one", "two"],
    ]  # fmt: skip
    assert found[0] == "one two\nthree", "layout stays"
    assert len(next(texts_of(["one two"], 50)).split()) == 50
    with pytest.raises(InputError, match="no words"):
        next(texts_of(["  "], 3))


def test_a_cold_start_is_within_a_few_times_the_import_of_spacy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed, "COLD_STARTS", 2)
    cold = speed.cold_start()
    assert 1 < cold.ratio < COLD_GATE
    assert cold.peak_mb is None or cold.peak_mb < 500


def test_later_notes_cost_no_more(result: SpeedResult) -> None:
    texts = list(islice(texts_of(["R knee OA. L shoulder pain, denies numbness."], 40), 5))
    steady = speed._steady(load(), texts, 100, None)
    assert 0.2 < steady.last_to_first < 3


def test_the_report_can_be_read_again_and_plotted_beside_another(tmp_path: Path, result: SpeedResult) -> None:
    paths = write_report(result, tmp_path / "first")
    assert load_result(paths[0]) == result
    again = write_report(result, tmp_path / "second", before=paths[0])
    for path in again[1:]:
        root = ElementTree.fromstring(path.read_text(encoding="utf-8"))  # noqa: S314 - our own file
        words = {element.text for element in root.iter() if element.text}
        assert {"before", "after"} <= words
    with pytest.raises(InputError, match="not a speed"):
        load_result(paths[1])
    with pytest.raises(InputError, match="cannot be read"):
        load_result(tmp_path / "gone.json")


def test_bars_are_as_long_as_their_values() -> None:
    chart = ElementTree.fromstring(bar_chart("a < b", {"x": {"one": 1.0, "two": 4.0}}))  # noqa: S314 - our own text
    bars = [float(r.attrib["width"]) for r in chart.iter("{http://www.w3.org/2000/svg}rect") if r.attrib.get("x") == "150"]
    assert bars[-1] == 4 * bars[-2]


def test_the_table_names_every_stage(result: SpeedResult) -> None:
    console = Console(width=120, record=True)
    console.print(render_table(result))
    text = console.export_text()
    assert all(stage in text for stage in (*STAGES, "whole path", "bare spaCy"))


def test_the_command_prints_json(monkeypatch: pytest.MonkeyPatch, result: SpeedResult, tmp_path: Path) -> None:
    monkeypatch.setattr(speed, "measure", lambda *_, **__: result)
    done = CliRunner().invoke(app, ["speed", "--format", "json", "--report", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert SpeedResult.model_validate(json.loads(done.stdout)) == result
    assert sorted(path.name for path in tmp_path.iterdir()) == ["speed-length.svg", "speed-stages.svg", "speed.json"]
