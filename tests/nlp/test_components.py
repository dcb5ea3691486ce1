"""Each component: registered, what it declares, and the same findings after saving, loading and in other processes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import spacy
from spacy.language import Language
from spacy.tokens import Doc, DocBin

from nlp import Reader, build_pipeline
from nlp.findings import reading_of
from nlp.mentions import Mentions
from nlp.pipeline import COMPONENTS
from nlp.tokenizer import ClinicalTokenizer

NOTE = """Medical dx: R rotator cuff tear (M75.101), s/p fall from ladder
S: 62 y/o RHD male c/o (R) shoulder pain x 3 wks, denies N/T, HA. Mother had stroke.
O: R shoulder flexion 95 deg, L WNL. Mild radiculopthy?
A: Shoulder stiffness 2/2 immobilization.
P: Goal: decrease pain to 2/10 in 4 wks."""
NOTES = [NOTE, "Pain in the left knee after a fall.", "", "Denies numbness; L hip OA, LBP > 5 yrs."]

Saver = Callable[[Language, Path], Language]


def _by_disk(nlp: Language, folder: Path) -> Language:
    nlp.to_disk(folder)
    return build_pipeline().from_disk(folder)


def _by_bytes(nlp: Language, folder: Path) -> Language:
    return build_pipeline().from_bytes(nlp.to_bytes())


def _by_load(nlp: Language, folder: Path) -> Language:
    nlp.to_disk(folder)
    return spacy.load(folder)


@pytest.mark.parametrize("name", COMPONENTS)
def test_component_is_registered_and_declares_what_it_reads_and_assigns(name: str) -> None:
    meta = Language.get_factory_meta(name)
    assert meta.assigns, name
    assert meta.requires or name == COMPONENTS[0]
    assert meta.default_config == ({"correct_spelling": True} if name == "theracode_mentions" else {})


def test_no_component_requires_what_none_before_it_assigns() -> None:
    analysis: Any = build_pipeline().analyze_pipes()
    assert analysis["problems"] == {name: [] for name in COMPONENTS}
    assert analysis["attrs"]["doc.spans"]["assigns"] == ["theracode_findings"]


def test_findings_stand_in_a_span_group(reader: Reader) -> None:
    doc = reader.nlp(NOTE)
    reading = reading_of(doc)
    assert [(span.start_char, span.end_char, span.label_) for span in doc.spans["findings"]] == [
        (finding.start, finding.end, finding.concept) for finding in reading.findings
    ]
    assert len(reading.findings) >= 6


@pytest.mark.parametrize("name", COMPONENTS)
@pytest.mark.parametrize("how", ["disk", "bytes"])
def test_component_reads_the_same_after_a_round_trip(name: str, how: str, reader: Reader, tmp_path: Path) -> None:
    nlp = build_pipeline()
    saved: Any = reader.nlp.get_pipe(name)
    loaded: Any = nlp.get_pipe(name)
    if how == "disk":
        saved.to_disk(tmp_path / name)
        loaded.from_disk(tmp_path / name)
    else:
        loaded.from_bytes(saved.to_bytes())
    assert reading_of(nlp(NOTE)) == reader.read(NOTE)


@pytest.mark.parametrize("how", ["disk", "bytes"])
def test_a_setting_that_is_not_the_default_survives(how: str, tmp_path: Path) -> None:
    saved, loaded = Mentions(correct_spelling=False), Mentions(correct_spelling=True)
    if how == "disk":
        saved.to_disk(tmp_path / "mentions")
        loaded.from_disk(tmp_path / "mentions")
    else:
        loaded.from_bytes(saved.to_bytes())
    assert loaded.correct_spelling is False


@pytest.mark.parametrize("how", ["disk", "bytes"])
def test_tokenizer_cuts_the_same_after_a_round_trip(how: str, tmp_path: Path) -> None:
    nlp = spacy.blank("en")
    saved, loaded = ClinicalTokenizer(nlp.vocab), ClinicalTokenizer(nlp.vocab)
    if how == "disk":
        saved.to_disk(tmp_path / "tokenizer")
        loaded.from_disk(tmp_path / "tokenizer")
    else:
        loaded.from_bytes(saved.to_bytes())
    assert [token.text for token in loaded(NOTE)] == [token.text for token in saved(NOTE)]


@pytest.mark.parametrize("saver", [_by_disk, _by_bytes, _by_load])
def test_saved_pipeline_reads_the_same(saver: Saver, reader: Reader, tmp_path: Path) -> None:
    loaded = Reader(saver(reader.nlp, tmp_path / "pipeline"))
    assert loaded.nlp.pipe_names == list(COMPONENTS)
    assert [loaded.read(note) for note in NOTES] == [reader.read(note) for note in NOTES]


def test_saved_settings_of_a_pipeline_are_loaded(tmp_path: Path) -> None:
    nlp = build_pipeline()
    nlp.remove_pipe("theracode_mentions")
    nlp.add_pipe("theracode_mentions", config={"correct_spelling": False}, after="theracode_layout")
    nlp.to_disk(tmp_path)
    loaded = Reader(spacy.load(tmp_path))
    assert loaded.read("radiculopthy of the leg").findings == []
    assert Reader().read("radiculopthy of the leg").findings != []


def test_two_processes_read_the_same(reader: Reader) -> None:
    docs = reader.nlp.pipe(NOTES * 2, n_process=2, batch_size=2)
    assert [reading_of(doc) for doc in docs] == [reader.read(note) for note in NOTES * 2]


def test_reading_survives_bytes_and_docbin(reader: Reader) -> None:
    doc, expected = reader.nlp(NOTE), reader.read(NOTE)
    restored = Doc(reader.nlp.vocab).from_bytes(doc.to_bytes())
    binned = DocBin(store_user_data=True, docs=[doc]).to_bytes()
    [again] = DocBin(store_user_data=True).from_bytes(binned).get_docs(reader.nlp.vocab)
    assert reading_of(restored) == expected and reading_of(again) == expected
    assert type(reading_of(restored).findings[0].context) is frozenset


def test_document_of_another_pipeline_is_refused() -> None:
    doc = spacy.blank("en")("R knee pain")
    with pytest.raises(TypeError, match="not read by theracode"):
        reading_of(doc)
    with pytest.raises(ValueError, match="must start with theracode's tokenizer"):
        build_pipeline().get_pipe("theracode_layout")(doc)
