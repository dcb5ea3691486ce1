"""The logic of each page, run without a browser."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from corpora.bench import BenchConfig, BenchResult, Interval, SystemResult
from lexicon.codes.registry import load_edition
from models.coder import Coder
from ui import anatomy_view, benchmark_view
from ui.samples import FOLDER, TITLES, Sample, samples

SCREENS = Path(__file__).resolve().parents[2] / "ui" / "screens"
NOTE = "L shoulder pain. Generalized weakness. R knee OA, knee stiff."


def page(name: str) -> AppTest:
    return AppTest.from_file(str(SCREENS / f"{name}.py"), default_timeout=60).run()


def markup(app: AppTest) -> str:
    return " ".join(element.proto.body for element in app.get("html"))


def click(app: AppTest, label: str) -> AppTest:
    (button,) = [button for button in app.button if button.label == label]
    return button.click().run()


def suggested(text: str = NOTE) -> AppTest:
    app = page("suggest")
    app.text_area(key="suggest_text").set_value(text)
    click(app, "Suggest codes")
    assert not app.exception
    return app


def claim(app: AppTest) -> list[str]:
    return list(app.session_state["suggest_work"].claim)


def test_the_first_run_explains_in_three_sentences_and_offers_a_sample() -> None:
    app = page("suggest")
    shown = markup(app)
    assert not app.exception
    assert "Paste a therapy note" in shown and "not stored" in shown and "Code set <strong>" in shown
    click(app, "Try a sample note")
    assert not app.exception and "tc-note" in markup(app) and "tc-card" in markup(app)


@pytest.mark.parametrize(("text", "told"), [("", "no note yet"), (" \n", "no note yet")])
def test_an_empty_note_is_told(text: str, told: str) -> None:
    app = page("suggest")
    app.text_area(key="suggest_text").set_value(text)
    click(app, "Suggest codes")
    assert not app.exception and told in app.info[0].value


def test_an_unusable_note_is_an_error_line() -> None:
    app = page("suggest")
    app.text_area(key="suggest_text").set_value("knee\0pain")
    click(app, "Suggest codes")
    assert not app.exception and "NUL" in app.error[0].value


def test_an_unforeseen_error_shows_no_note_text(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: Coder, note: object, **_: object) -> object:
        raise RuntimeError("secretword")

    monkeypatch.setattr(Coder, "suggest", broken)
    app = page("suggest")
    app.text_area(key="suggest_text").set_value("secretword")
    click(app, "Suggest codes")
    assert not app.exception and app.error[0].value.startswith("Unforeseen RuntimeError while reading this note")
    assert "secretword" not in app.error[0].value
    app = page("audit")
    app.text_area(key="audit_text").set_value("secretword")
    app.text_input(key="audit_codes").set_value("M54.50")
    click(app, "Audit")
    assert not app.exception and "RuntimeError" in app.error[0].value and "secretword" not in app.error[0].value


def test_an_error_of_a_page_itself_is_neither_shown_nor_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("secretword")

    monkeypatch.setattr("ui.page.head", broken)
    monkeypatch.setenv("THERACODE_LOG_LEVEL", "debug")
    app = AppTest.from_file(str(SCREENS.parent / "app.py"), default_timeout=60).run()
    assert not app.exception and app.error[0].value.startswith(
        "This page cannot be shown: unforeseen RuntimeError while drawing it"
    )
    told = "".join([caplog.text, *capfd.readouterr(), app.error[0].value])
    assert "test_pages.py" in told and "secretword" not in told


def test_accept_reject_reorder_and_drop() -> None:
    app = suggested()
    work = app.session_state["suggest_work"]
    sequence = list(work.coding.sequence)
    assert len(sequence) >= 2 and claim(app) == []
    click(app, f"Accept all recommended ({len(sequence)})")
    assert claim(app) == sequence
    app.button(key=f"down_{sequence[0]}").click().run()
    assert claim(app)[:2] == [sequence[1], sequence[0]]
    app.button(key=f"drop_{sequence[1]}").click().run()
    assert sequence[1] not in claim(app)
    app.button(key=f"reject_{sequence[1]}").click().run()
    assert sequence[1] in app.session_state["suggest_work"].rejected and "Rejected" in markup(app)
    app.button(key=f"undo_{sequence[1]}").click().run()
    app.button(key=f"accept_{sequence[1]}").click().run()
    assert claim(app)[-1] == sequence[1] and not app.exception


def test_codes_that_exclude_each_other_are_warned_of() -> None:
    app = suggested("Generalized weakness.")
    work = app.session_state["suggest_work"]
    work.claim = ["M62.81", "R53.1"]
    app.run()
    assert any("may not be reported together" in warning.value and "Excludes1" in warning.value for warning in app.warning)


def test_an_external_cause_is_never_first() -> None:
    app = suggested()
    app.session_state["suggest_work"].claim = ["W01.0XXD"]
    app.run()
    assert any("never first-listed" in warning.value for warning in app.warning)


def test_the_date_changes_the_edition_and_keeps_what_is_still_suggested() -> None:
    app = suggested("R knee OA. R plantar fasciitis.")
    app.button(key="accept_M17.11").click().run()
    app.date_input(key="suggest_date").set_value("2026-03-14").run()
    coding = app.session_state["suggest_work"].coding
    assert coding.edition == "FY2026-April" and "M72.2" in coding.sequence and claim(app) == ["M17.11"]
    app.date_input(key="suggest_date").set_value("2026-10-15").run()
    assert "M67.A01" in app.session_state["suggest_work"].coding.sequence
    assert "FY2027" in markup(app)


def test_a_date_outside_every_edition_is_warned_of() -> None:
    app = page("suggest")
    app.date_input(key="suggest_date").set_value("2018-05-01").run()
    assert not app.exception and "No code-set edition covers 2018-05-01" in app.warning[0].value


def test_switches_reach_the_coder() -> None:
    app = suggested("L ankle sprain.")
    app.selectbox(key="suggest_encounter").set_value("initial").run()
    assert app.session_state["suggest_work"].coding.encounter == "initial"
    app.toggle(key="suggest_external").set_value(True).run()
    assert app.session_state["suggest_work"].note.external_causes is True
    app.selectbox(key="suggest_hand").set_value("left").run()
    assert app.session_state["suggest_work"].note.dominance == "left"


def test_a_new_note_starts_a_new_claim() -> None:
    app = suggested()
    click(app, f"Accept all recommended ({len(app.session_state['suggest_work'].coding.sequence)})")
    click(app, "Edit or replace")
    assert app.text_area(key="suggest_text").value == NOTE
    app.text_area(key="suggest_text").set_value("BPPV right ear.")
    click(app, "Suggest codes")
    assert claim(app) == [] and app.session_state["suggest_work"].coding.sequence == ["H81.11"]


def test_nothing_codable_is_said() -> None:
    app = suggested("Patient cancelled the visit.")
    assert not app.exception and "No finding of this note supports a code" in markup(app)


def test_blocked_codes_show_their_rule() -> None:
    app = suggested("Sarcopenia with generalized weakness.")
    assert "tc-blocked" in markup(app) and "Not reported" in markup(app)


def test_sessions_share_no_note() -> None:
    suggested("R knee OA, secretword.")
    other = page("suggest")
    assert "secretword" not in markup(other) and other.text_area(key="suggest_text").value == ""


@pytest.mark.parametrize("sample", samples(), ids=lambda sample: sample.name)
def test_every_sample_has_codes(sample: Sample) -> None:
    text = sample.text
    coding = suggested(text).session_state["suggest_work"].coding
    assert coding.sequence and all(text[p.start : p.end] == p.text for s in coding.suggestions for p in s.evidence)


def test_no_sample_is_left_without_a_title() -> None:
    assert {path.stem for path in FOLDER.glob("*.txt")} == set(TITLES)


def test_audit_shows_findings_and_says_what_is_wrong_with_the_input() -> None:
    app = page("audit")
    assert not app.exception and "Every finding names the rule" in markup(app)
    app.text_area(key="audit_text").set_value(NOTE)
    click(app, "Audit")
    assert "No codes were given" in app.error[0].value
    app.text_input(key="audit_codes").set_value("M54.5")
    click(app, "Audit")
    assert not app.exception and "not billable" in markup(app) and "Correction" in markup(app)
    app.text_area(key="audit_text").set_value("")
    click(app, "Audit")
    assert "empty" in app.error[0].value


def test_explore_finds_and_shows_a_code() -> None:
    app = page("explore")
    assert not app.exception
    app.date_input(key="explore_date").set_value("2026-03-14")
    app.text_input(key="explore_query").set_value("frozen shoulder").run()
    labels = [button.label for button in app.button]
    assert any(label.startswith("**M75.0") for label in labels)
    app.text_input(key="explore_query").set_value("M62.81").run()
    app.button(key="hit_M62.81").click().run()
    assert not app.exception and app.header[0].value.startswith("M62.81")
    assert "Excludes1" in markup(app) and "?code=M62.84" in markup(app)
    app.text_input(key="explore_query").set_value("qqqq zzzz").run()
    assert "Nothing was found" in app.info[0].value


def test_explore_takes_any_code_from_the_address() -> None:
    app = AppTest.from_file(str(SCREENS / "explore.py"), default_timeout=60)
    app.query_params["code"] = "<b>Z9"
    app.run()
    assert not app.exception and app.error


def test_exclusions_go_both_ways_and_skip_the_code_itself() -> None:
    edition = load_edition("FY2026-April")
    outgoing, incoming = anatomy_view.exclusions(edition, "M62.81")
    assert ("excludes1", "M62.84-") in outgoing and ("excludes1", "R53.1") in incoming
    dot = anatomy_view.graph_dot(edition, "M62.81", outgoing, incoming)
    assert dot.startswith("digraph") and '"from R53.1" -> "M62.81"' in dot and dot.endswith("}")
    assert 'tooltip="Weakness"' in dot and [kind for kind, _ in outgoing] == sorted(kind for kind, _ in outgoing)
    rows = anatomy_view.exclusions_html(edition, outgoing, incoming)
    assert rows.count("tc-noterow") == len(outgoing) + len(incoming)
    assert 'Excludes1</strong> is named at <a href="?code=R53.1" target="_self">R53.1</a>' in rows


def test_a_note_links_its_codes_and_escapes_the_rest() -> None:
    edition = load_edition("FY2026-April")
    shown = anatomy_view.linked("<i> sarcopenia (M62.84), Q00.123", edition)
    assert shown == '&lt;i&gt; sarcopenia (<a href="?code=M62.84" target="_self">M62.84</a>), Q00.123'


def report() -> BenchResult:
    figures = {"recall@5": Interval(value=0.9, low=0.8, high=0.95), "f1": Interval(value=None, low=None, high=None)}
    system = SystemResult(
        name="theracode", metrics=figures, by_setting={"ortho": {"recall@5": 0.9}}, errors={"ranking": 2},
        errors_by_setting={}, calibration=(), worst=(),
    )  # fmt: skip
    return BenchResult(
        corpus="therapy:dev", corpus_digest="a", notes=3, notes_without_codes=0, groups=5, settings={"ortho": 3},
        editions=("FY2026-April",), config=BenchConfig(), versions={}, systems=(system,), comparisons=(),
    )  # fmt: skip


def test_benchmark_reads_a_report_and_compares_two() -> None:
    app = page("benchmark")
    assert not app.exception and "theracode bench --report" in markup(app)
    app.file_uploader(key="bench_first").set_value(("bench.json", report().to_json().encode(), "application/json")).run()
    assert not app.exception
    assert app.dataframe[0].value.loc["recall@5", "theracode"] == "0.90 [0.80, 0.95]"
    other = report().model_copy(update={"corpus_digest": "b"}).to_json().encode()
    app.file_uploader(key="bench_second").set_value(("bench.json", other, "application/json")).run()
    assert not app.exception and "different notes" in app.warning[0].value
    assert list(app.dataframe[0].value.columns) == ["theracode, first", "theracode, second", "theracode, change"]
    assert app.dataframe[0].value.loc["recall@5", "theracode, change"] == "same"
    assert app.dataframe[0].value.loc["f1", "theracode, change"] == "not defined"


@pytest.mark.parametrize(
    ("metric", "second", "told"),
    [
        ("recall@5", Interval(value=0.94, low=0.85, high=0.98), "+0.04 better, intervals overlap"),
        ("recall@5", Interval(value=0.5, low=0.4, high=0.6), "-0.40 worse, intervals apart"),
        ("ece", Interval(value=0.5, low=0.4, high=0.6), "-0.40 better, intervals apart"),
        ("excludes1", Interval(value=2.9, low=None, high=None), "+2 worse"),
        ("recall@5", Interval(value=0.901, low=0.8, high=0.95), "same"),
        ("recall@5", Interval(value=None, low=None, high=None), "not defined"),
        ("recall@5", None, "not defined"),
    ],
)
def test_a_change_between_two_runs_is_told_with_its_direction(metric: str, second: Interval | None, told: str) -> None:
    first = Interval(value=0.9, low=0.8, high=0.95)
    assert benchmark_view.change(metric, first, second) == told


def test_benchmark_refuses_another_file() -> None:
    app = page("benchmark")
    app.file_uploader(key="bench_first").set_value(("x.json", b'{"a": 1}', "application/json")).run()
    assert not app.exception and "not a report" in app.error[0].value
