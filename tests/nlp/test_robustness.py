"""Whatever the text, reading ends soon, raises nothing and points into the text."""

from __future__ import annotations

import json
import statistics
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lexicon.vocabulary import ASSERTIONS, SIDES, load_vocabulary
from nlp import Reader, Reading
from nlp.pipeline import clean

MTSAMPLES = Path(__file__).resolve().parents[3] / "shared" / "data" / "mtsamples_unlabelled.jsonl"
NOTE = "S: Pt c/o R knee pain x 3 wks after a fall, denies N/T. PMH: stroke.\nA: R knee OA (M17.11), possible meniscus tear.\n"
SLOWEST = 1.0  # seconds for one note

ODD = {
    "empty": "",
    "white space": " \n\t \r\n ",
    "digits": "0123456789 " * 2000,
    "signs": "!?.,;:()[]{}<>/\\|#*-+=~^%$@&" * 200,
    "emoji": "\U0001f9b5 R knee pain \U0001f629 7/10 \U0001f468\u200d\U0001f469\u200d\U0001f467",
    "other languages": "Schmerzen im rechten Knie. Боль в колене. 膝の痛み。 ألم في الركبة. Dolor de rodilla derecha.",
    "NUL bytes": "R knee\x00pain\x00\x00 and\x07 swelling",
    "one long line": "R knee pain and swelling, " * 1000,
    "one long word": "a" * 100_000,
    "one long sentence of one term": "pain " * 5_000,
    "only line breaks": "\n" * 50_000,
    "half a surrogate": "knee \ud800 pain",
    "lone marks": "R\u0300 \u0300 \u02bc knee",
    "combining marks": "k\u0301n\u0302e\u0303e\u0304 " * 500,
    "wide table": "Joint\tR\tL\n" + "knee flexion\t120\t135\n" * 2000,
    "every letter a line": "\n".join("SOAP" * 500),
    "open brackets": "(" * 20_000,
}


def check(text: str, reading: Reading) -> None:
    """Closed values, and offsets that slice to their text."""
    text = clean(text)
    for finding in reading.findings:
        assert text[finding.start : finding.end] == finding.text != ""
        assert finding.side in SIDES and finding.assertion in ASSERTIONS and 0 <= finding.weight <= 1
        assert all(text[cue.start : cue.end] == cue.text for cue in finding.cues)
        assert set(finding.sites) <= load_vocabulary().sites.keys()
    for mention in reading.causes:
        assert text[mention.start : mention.end] == mention.text and mention.assertion in ASSERTIONS
    for phrase in reading.phrases:
        assert text[phrase.start : phrase.end] == phrase.text
    for written in reading.written_codes:
        assert text[written.start : written.end] == written.code
    for cues in reading.phases.values():
        assert all(text[cue.start : cue.end] == cue.text for cue in cues)


@pytest.mark.parametrize("name", ODD)
def test_odd_text_is_read(name: str, reader: Reader) -> None:
    started = time.process_time()
    reading = reader.read(ODD[name])
    assert time.process_time() - started < 10 * SLOWEST
    check(ODD[name], reading)


def test_findings_survive_around_odd_characters(reader: Reader) -> None:
    assert [(f.concept, f.side) for f in reader.read(ODD["emoji"]).findings] == [("pain", "right")]
    assert [f.concept for f in reader.read(ODD["NUL bytes"]).findings] == ["pain", "swelling_local"]
    assert reader.read(ODD["other languages"]).findings == []


def test_a_megabyte_is_read_in_time_that_grows_with_its_length(reader: Reader) -> None:
    def seconds(text: str) -> float:
        started = time.process_time()
        check(text, reader.read(text))
        return time.process_time() - started

    part = (NOTE + "The therapist and the patient went through the exercises of the last week, then the home program. " * 9) * 105
    whole = part * 10
    assert len(whole) > 1_000_000
    short, long = seconds(part), seconds(whole)
    assert long < 25 * short, f"100 kB in {short:.2f} s, 1 MB in {long:.2f} s"


def test_all_sample_notes_are_read_fast(reader: Reader) -> None:
    texts = [json.loads(line)["text"] for line in MTSAMPLES.read_text(encoding="utf-8").splitlines()]
    seconds, found = [], 0
    for text in texts:
        started = time.process_time()
        reading = reader.read(text)
        seconds.append(time.process_time() - started)
        check(text, reading)
        found += len(reading.findings)
    p50, p95 = statistics.median(seconds), statistics.quantiles(seconds, n=20)[-1]
    times = f"p50 {p50 * 1000:.1f} ms, p95 {p95 * 1000:.1f} ms, slowest {max(seconds) * 1000:.0f} ms"
    assert len(texts) > 400 and found > 10 * len(texts), f"{found} findings in {len(texts)} notes; {times}"
    assert max(seconds) < SLOWEST, times


def test_the_same_text_is_always_read_the_same(reader: Reader) -> None:
    assert reader.read(NOTE) == reader.read(NOTE) == Reader().read(NOTE)
    assert list(reader.pipe([NOTE, "", NOTE])) == [reader.read(NOTE), reader.read(""), reader.read(NOTE)]


@given(st.text(max_size=300))
def test_any_text_is_read(text: str) -> None:
    check(text, READER.read(text))


@given(
    st.lists(
        st.sampled_from([*NOTE.split(), "\n", "\n\n", ":", "-", "(R)", "L", "B/L", "no", "denies", "?", ";", "\x00"]), max_size=60
    )
)
def test_any_shuffle_of_clinical_words_is_read(words: list[str]) -> None:
    check(" ".join(words), READER.read(" ".join(words)))


READER = Reader()
