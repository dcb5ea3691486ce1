"""Stages in view: the trace, the parts switched off, and which stage lost a code."""

from __future__ import annotations

from typing import Any

import pytest

from corpora.baselines import load_system
from corpora.bench import (
    ABLATION_METRICS,
    BenchConfig,
    ablation_markdown,
    bench_systems,
    is_ablation,
    render_ablation,
    render_worst,
    worst_rows,
    write_report,
)
from corpora.metrics import levels_of, score_note
from corpora.schema import Corpus, GoldGroup
from corpora.stages import ABLATIONS, STAGES, StagedCoder, Trace, lost_in
from lexicon.errors import InputError
from models.coder import load
from models.coding import Note
from models.options import Option
from nlp.finding import CauseMention, Finding, Reading

LEVELS = levels_of("FY2026-April")
TEXT = "PT evaluation.\nDx: L knee OA, adhesive capsulitis.\nDenies dizziness. Gait is unsteady."
NOTE = Note(id="n", text=TEXT, date_of_service="2026-04-15")  # type: ignore[arg-type]
GROUP = GoldGroup(accept=("M17.12",), evidence="L knee OA")


@pytest.fixture(scope="module")
def coder() -> StagedCoder:
    return StagedCoder()


def test_with_all_stages_it_is_the_coder(coder: StagedCoder) -> None:
    assert coder.suggest(NOTE) == load().suggest(NOTE)
    assert coder.trace is not None and {"M17.12"} <= {option.code for option in coder.trace.options}
    assert coder.trace.bar < coder.ranker.threshold  # a short note that is hardly more than its diagnosis line
    assert coder.suggest("R knee OA").sequence == ["M17.11"]


@pytest.mark.parametrize(
    ("name", "gone", "come"),
    [
        ("without-facets", "M75.02", "M75.00"),
        ("without-terms", "R26.81", ""),
        ("without-assertion", "", "R42"),
        ("without-specificity", "M17.12", "M17.10"),
    ],
)
def test_a_part_switched_off_changes_what_it_decides(coder: StagedCoder, name: str, gone: str, come: str) -> None:
    whole, part = coder.suggest(NOTE), load_system(name).suggest(NOTE)
    assert not gone or (gone in whole.sequence and gone not in part.sequence)
    likely = {suggestion.code for suggestion in whole.suggestions if suggestion.probability > 0.3}
    assert not come or (come in {suggestion.code for suggestion in part.suggestions} and come not in likely)


def test_without_training_the_order_is_that_of_the_fit() -> None:
    system = load_system("without-training")
    assert isinstance(system, StagedCoder)
    system.suggest(NOTE)
    assert system.trace is not None
    options = [option for option in system.trace.options if option.problem is not None and not option.features["text_score"]]
    by_fit = sorted(options, key=lambda option: option.features["fit"])
    assert len(options) > 3 and by_fit == sorted(by_fit, key=lambda option: option.probability)


def test_every_part_has_its_switch() -> None:
    assert len(ABLATIONS) == 8
    with pytest.raises(InputError, match="without-rules"):
        load_system("without-anything")


def test_without_text_nothing_is_found_by_its_words() -> None:
    system = load_system("without-text")
    assert isinstance(system, StagedCoder)
    system.suggest(NOTE)
    assert system.trace is not None and {option.source for option in system.trace.options} == {"facets"}


def test_without_sections_nothing_weighs_more() -> None:
    system = load_system("without-sections")
    assert isinstance(system, StagedCoder)
    system.suggest(Note(text="PMH: gout.\nAssessment: R knee pain. Denies vertigo."))
    assert system.trace is not None
    reading = system.trace.reading
    assert {finding.weight for finding in reading.findings} == {0.4} and reading.phrases == []
    assert {"present", "negated"} == {finding.assertion for finding in reading.findings}


def test_without_rules_the_likeliest_stands_first() -> None:
    coding = load_system("without-rules").suggest(NOTE)
    values = [suggestion.probability for suggestion in coding.suggestions]
    assert values == sorted(values, reverse=True) and coding.notices == coding.questions == []
    assert all(TEXT[e.start : e.end] == e.text for suggestion in coding.suggestions for e in suggestion.evidence)


def option(code: str, *, place: int = 0, probability: float = 0.2) -> Option:
    return Option(code, code, "", None, place, "facets", probability=probability)


FINDING = Finding("osteoarthritis", "diagnosis", 19, 28, "L knee OA")


@pytest.mark.parametrize(
    ("options", "reading", "stage"),
    [
        ([option("M17.12", probability=0.9)], Reading(), "rules"),
        ([option("M17.12")], Reading(), "ranking"),
        ([option("M17.12", place=1, probability=0.9), option("M17.11")], Reading(), "specificity"),
        ([option("M17.11")], Reading(), "specificity"),
        ([option("R52")], Reading(findings=[FINDING]), "candidates"),
        ([option("R52")], Reading(findings=[Finding("gout", "diagnosis", 60, 64, "gout")]), "reading"),
        ([], Reading(findings=[Finding("osteoarthritis", "diagnosis", 19, 28, "", assertion="negated")]), "reading"),
    ],
)
def test_stage_that_lost_a_group(options: list[Option], reading: Reading, stage: str) -> None:
    assert stage in STAGES
    assert lost_in(GROUP, TEXT, Trace(reading, [], options, "subsequent", 0.5), LEVELS) == stage


def test_an_external_cause_that_is_read_is_lost_by_rules() -> None:
    cause = CauseMention("fall", "mechanism", 0, 4, "fell", "present", 0)
    group = GoldGroup(accept=("W19.XXXD",), evidence="fell")
    assert lost_in(group, "fell", Trace(Reading(causes=[cause]), [], [], "subsequent", 0.5), LEVELS) == "rules"
    assert lost_in(group, "fell", Trace(Reading(), [], [], "subsequent", 0.5), LEVELS) == "reading"


def test_candidate_recall(make_gold: Any, make_coding: Any) -> None:
    gold = make_gold([["M17.11"], ["R26.9"], ["R52"]])
    coding = make_coding("M17.11!, R52x")
    assert score_note(gold, coding, LEVELS).parts["candidates"] == (2, 3)
    assert score_note(gold, coding, LEVELS, candidates=["R26.9"]).parts["candidates"] == (3, 3)


def test_ablation_and_worst_notes_in_a_report(make_gold: Any, tmp_path: Any) -> None:
    text = "Dx: L knee OA, wordofnote."
    notes = (
        make_gold([{"accept": ["M17.12"], "evidence": "L knee OA"}], id="a", text=text),
        make_gold([["M17.11"], ["G35.A"]], id="b", text=text),
    )
    systems = [load_system("theracode"), load_system("without-terms")]
    result = bench_systems(Corpus("small", notes), systems, BenchConfig(resamples=20, worst=5))
    assert is_ablation(result) and not is_ablation(result.model_copy(update={"systems": result.systems[:1]}))
    first = result.systems[0]
    assert first.metrics["candidates"].value == round(1 / 3, 6)
    assert first.lost == {"reading": 1, "candidates": 0, "specificity": 1, "ranking": 0, "rules": 0}
    assert worst_rows(first) == [("b", "specificity", "M17.11", "M17.12"), ("b", "reading", "G35.A", "")]
    table, counts = render_worst(result)
    assert (table.row_count, counts.row_count) == (2, len(STAGES))
    stageless = result.model_copy(update={"systems": (first.model_copy(update={"lost": {}}),)})
    assert len(render_worst(stageless)) == 1
    assert [column.header for column in render_ablation(result).columns][1:-1] == list(ABLATION_METRICS[:-1])
    lines = ablation_markdown(result).splitlines()
    assert len(lines) == 4 and lines[2].startswith("| theracode | 0.33 |") and "(p " in lines[3]
    paths = {path.name: path.read_text() for path in write_report(result, tmp_path)}
    assert set(paths) == {"bench.json", "bench.html", "ablation.md", "worst.md"}
    assert "wordofnote" not in paths["worst.md"] and "lost in specificity" in paths["bench.html"]
