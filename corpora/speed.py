"""How fast theracode is, in the unit of a tool that everyone has: bare spaCy (tokenizer and sentencizer) in the same run.

Seconds differ between machines and, on a busy one, from minute to minute; the ratio to bare spaCy on the same notes, taken in
turns, hardly does. Times are CPU times of this process unless a name says ``wall``. A ratio is the median over rounds.

Notes of a given length are made from a corpus: all its notes one after the other, cut after so many words. Its notes are dense
(a code for every 45 words), so the figures are those of a hard case.
"""

from __future__ import annotations

import gc
import json
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from html import escape
from importlib import metadata
from itertools import cycle, islice
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from corpora.loaders import load_corpus
from corpora.schema import DEFAULT_DATE
from lexicon.errors import InputError
from models.coder import Coder
from models.coding import Note
from nlp.pipeline import clean

if TYPE_CHECKING:
    from rich.table import Table
    from spacy.language import Language

WORDS = 430  # of a note; a typical daily or evaluation note
TYPED = 500  # words of the note whose latency is told
NOTES = 100
ROUNDS = 5
TIMES_LONGER = (1, 10, 100)
STEADY = 2000  # notes in a row, to see whether later ones take longer
COLD_STARTS = 3
READING = {
    "theracode_layout": "sections, sentences",
    "theracode_mentions": "match",
    "theracode_assertion": "assertion",
    "theracode_laterality": "site, side",
    "theracode_attributes": "attributes",
    "theracode_findings": "findings",
}
STAGES = ("tokenise", *READING.values(), "problems", "candidates", "ranking", "rules", "result")
_WORD = re.compile(r"\S+")

Progress = Callable[[str, int, int], None]
"""Called with what is measured, the steps done and the steps in all."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Stage(_Model):
    """One stage of the path of a note; ``ratio`` is its time over that of bare spaCy on the same notes."""

    ms: float
    ratio: float

    @property
    def notes_per_second(self) -> float:
        """How many notes a second pass this stage alone."""
        return 1000 / self.ms if self.ms else float("inf")


class Length(_Model):
    """A note so many times as long: CPU milliseconds for each 1,000 of its words."""

    times: int
    words: int
    ms_per_1000_words: float


class Steady(_Model):
    """Many notes in a row: time of the last fifth over that of the first, and how much memory grew in MB."""

    notes: int
    last_to_first: float
    grown_mb: float | None


class Latency(_Model):
    """Wall time of one note in a warm process, in milliseconds."""

    words: int
    p50_wall_ms: float
    p95_wall_ms: float
    p95_cpu_ms: float


class ColdStart(_Model):
    """A new process until its first suggestion: best wall time, ratio to ``import spacy``, peak memory of the process."""

    wall_s: float
    ratio: float
    peak_mb: float | None


class SpeedResult(_Model):
    """Everything measured in one run."""

    corpus: str
    words: int
    notes: int
    rounds: int
    versions: dict[str, str]
    spacy: Stage
    whole: Stage
    stages: dict[str, Stage]
    lengths: tuple[Length, ...]
    latency: Latency
    steady: Steady | None
    cold: ColdStart | None

    def to_json(self) -> str:
        """The machine-readable report."""
        return json.dumps(self.model_dump(mode="json"), indent=1) + "\n"


def texts_of(texts: Sequence[str], words: int) -> Iterator[str]:
    """Texts of exactly ``words`` words without end: the given ones one after the other, cut anywhere between two words.

    Raises
    ------
    InputError
        If there is no word in them.
    """
    whole = "\n\n".join(texts) + "\n\n"
    count = len(_WORD.findall(whole))
    if not count:
        raise InputError("the corpus holds no words")
    whole *= 2 + words // count
    starts = [match.start() for match in _WORD.finditer(whole)]
    first = 0
    while True:
        yield whole[starts[first] : starts[first + words]].rstrip()
        first = (first + words) % count


# -------------------------------------------------------------------------------------------------- measuring


class _Clock:
    """CPU time by stage. ``lap`` ends a stage, as :attr:`models.coder.Coder.lap` does."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = {}
        self._last = time.process_time()

    def start(self) -> None:
        """Begin now; what came before is not counted."""
        self._last = time.process_time()

    def lap(self, stage: str) -> None:
        """Count the time since the last lap for ``stage``."""
        now = time.process_time()
        self.spent[stage] = self.spent.get(stage, 0.0) + now - self._last
        self._last = now

    def take(self) -> dict[str, float]:
        """What was counted; the clock is empty then."""
        spent, self.spent = self.spent, {}
        return spent


def bare_spacy() -> Language:
    """The reference: a blank English pipeline with a sentencizer."""
    import spacy

    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    nlp.max_length = 10_000_000
    return nlp


def _read(coder: Coder, text: str, clock: _Clock) -> None:
    """The stages of reading one by one, as ``Reader.read`` takes them together."""
    nlp = coder.reader.nlp
    clock.start()
    doc = nlp.make_doc(clean(text))
    clock.lap("tokenise")
    for name, component in nlp.pipeline:
        doc = component(doc)
        clock.lap(READING[name])


def _code(coder: Coder, text: str, clock: _Clock) -> None:
    clock.start()
    coding = coder.suggest(Note(text=text, date_of_service=DEFAULT_DATE))
    coding.model_dump_json()
    clock.lap("result")


def _stages(coder: Coder, texts: Sequence[str], rounds: int, progress: Progress | None) -> tuple[Stage, Stage, dict[str, Stage]]:
    """Bare spaCy, the whole path and each stage."""
    reference = bare_spacy()
    clock = _Clock()
    silent, coder.lap = coder.lap, clock.lap
    samples: dict[str, list[tuple[float, float]]] = {}
    try:
        for number in range(rounds + 1):  # the first round warms up and is not counted
            clock.start()
            for text in texts:
                reference(text)
            clock.lap("spacy")
            bare = clock.take()["spacy"]
            for text in texts:
                _code(coder, text, clock)
            spent = clock.take()
            spent["whole"] = sum(spent.values())
            for text in texts:
                _read(coder, text, clock)
            spent |= clock.take()
            if number:
                for name, seconds in [*spent.items(), ("spacy", bare)]:
                    samples.setdefault(name, []).append((seconds, seconds / bare))
            if progress is not None:
                progress("stages", number + 1, rounds + 1)
    finally:
        coder.lap = silent
    stages = {
        name: Stage(
            ms=round(1000 * median(seconds for seconds, _ in pairs) / len(texts), 4),
            ratio=round(median(ratio for _, ratio in pairs), 4),
        )
        for name, pairs in samples.items()
    }
    return stages["spacy"], stages["whole"], {name: stages[name] for name in STAGES}


def _lengths(coder: Coder, texts: Sequence[str], words: int, rounds: int) -> tuple[Length, ...]:
    """The cost of a word in notes of different length, each the least of some rounds."""
    result = []
    clock = _Clock()
    for times in TIMES_LONGER:
        long = list(islice(texts_of(texts, words * times), max(1, max(TIMES_LONGER) // times // 4)))
        spent = []
        for _ in range(rounds):
            for text in long:
                _code(coder, text, clock)
            spent.append(clock.take()["result"] / len(long))
        result.append(Length(times=times, words=words * times, ms_per_1000_words=round(1e6 * min(spent) / (words * times), 3)))
    return tuple(result)


def _latency(coder: Coder, texts: Sequence[str], rounds: int) -> Latency:
    walls, times = [], []
    for _ in range(rounds):
        for text in texts:
            wall, cpu = time.perf_counter(), time.process_time()
            coder.suggest(Note(text=text, date_of_service=DEFAULT_DATE)).model_dump_json()
            walls.append(1000 * (time.perf_counter() - wall))
            times.append(1000 * (time.process_time() - cpu))
    return Latency(
        words=TYPED,
        p50_wall_ms=round(median(walls), 2),
        p95_wall_ms=round(quantiles(walls, n=20)[-1], 2),
        p95_cpu_ms=round(quantiles(times, n=20)[-1], 2),
    )


def _peak_mb() -> float | None:
    """The most memory that this process held, in MB; None where the system does not tell."""
    if sys.platform == "win32":
        return None
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def _steady(coder: Coder, texts: Sequence[str], notes: int, progress: Progress | None) -> Steady:
    """Notes in a row against bare spaCy, fifth by fifth, to see whether a later note costs more."""
    reference = bare_spacy()
    clock = _Clock()
    shares: list[float] = []
    before = _peak_mb()
    source = cycle(texts)
    for fifth in range(5):
        for text in islice(source, notes // 5):
            _code(coder, text, clock)
            reference(text)
            clock.lap("spacy")
        spent = clock.take()
        shares.append(spent["result"] / spent["spacy"])
        if progress is not None:
            progress("many notes", fifth + 1, 5)
    after = _peak_mb()
    grown = None if before is None or after is None else round(after - before, 1)
    return Steady(notes=notes, last_to_first=round(shares[-1] / shares[0], 3), grown_mb=grown)


# What a process tells of its own peak: the kernel counts the parent's in the figures of getrusage until the program is replaced.
_TELL_PEAK = (
    "import pathlib, re; status = pathlib.Path('/proc/self/status'); "
    "print(re.search(r'VmHWM:\\s+(\\d+)', status.read_text()).group(1) if status.exists() else '')"
)


def cold_start() -> ColdStart:
    """New processes until their first suggestion, and new processes that only ``import spacy``, in turns."""
    first = f"import gc; from models.coder import load; load().suggest('R knee OA'); gc.freeze(); {_TELL_PEAK}"
    paths = [str(Path(__file__).resolve().parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    spent: dict[str, list[float]] = {first: [], "import spacy": []}
    told = ""
    for _ in range(COLD_STARTS):
        for code, walls in spent.items():
            begin = time.perf_counter()
            done = subprocess.run(  # noqa: S603 - our own arguments, no shell
                [sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True
            )
            walls.append(time.perf_counter() - begin)
            told = done.stdout.strip() or told
    ours, bare = (min(walls) for walls in spent.values())
    peak = int(told) * 1024 / 1e6 if told else None
    return ColdStart(wall_s=round(ours, 2), ratio=round(ours / bare, 2), peak_mb=None if peak is None else round(peak))


def measure(
    corpus: str = "therapy",
    *,
    words: int = WORDS,
    notes: int = NOTES,
    rounds: int = ROUNDS,
    whole_program: bool = True,
    coder: Coder | None = None,
    progress: Progress | None = None,
) -> SpeedResult:
    """Measure the speed of theracode on this machine.

    Parameters
    ----------
    corpus : str
        Anything that :func:`corpora.loaders.load_corpus` takes; its texts give the notes.
    words, notes : int
        Length and number of the notes.
    rounds : int
        How often all is measured; figures are medians.
    whole_program : bool
        Also what takes a minute: many notes in a row, and the start of new processes.
    coder : Coder, optional
    progress : callable, optional
        Called after each step.

    Returns
    -------
    SpeedResult

    Raises
    ------
    InputError
        If the corpus is not there.
    """
    loaded = load_corpus(corpus)
    source = [note.text for note in loaded]
    cold = cold_start() if whole_program else None
    coder = coder or Coder()
    coder.prepare(DEFAULT_DATE)
    gc.freeze()
    texts = list(islice(texts_of(source, words), notes))
    spacy, whole, stages = _stages(coder, texts, rounds, progress)
    return SpeedResult(
        corpus=loaded.name,
        words=words,
        notes=notes,
        rounds=rounds,
        versions={"python": platform.python_version(), "spacy": metadata.version("spacy"), "machine": platform.machine()},
        spacy=spacy,
        whole=whole,
        stages=stages,
        lengths=_lengths(coder, source, words, rounds if whole_program else 1),
        latency=_latency(coder, list(islice(texts_of(source, TYPED), notes)), rounds if whole_program else 1),
        steady=_steady(coder, texts, STEADY, progress) if whole_program else None,
        cold=cold,
    )


# -------------------------------------------------------------------------------------------------- showing


def render_table(result: SpeedResult) -> Table:
    """The stages as a table for the terminal."""
    from rich.table import Table

    table = Table(title=f"{result.notes} notes of {result.words} words from {result.corpus}, one core", caption=caption(result))
    for name in ("stage", "ms a note", "notes/s", "times bare spaCy"):
        table.add_column(name, justify="left" if name == "stage" else "right")
    rows = [("bare spaCy", result.spacy), *result.stages.items(), ("whole path", result.whole)]
    for name, stage in rows:
        table.add_row(name, f"{stage.ms:.2f}", f"{stage.notes_per_second:.0f}", f"{stage.ratio:.2f}")
    return table


def caption(result: SpeedResult) -> str:
    """What the table of stages does not tell, as sentences."""
    base = result.lengths[0].ms_per_1000_words
    lines = [
        f"{length.times} times as long: {length.ms_per_1000_words / base:.2f} of the cost of a word"
        for length in result.lengths[1:]
    ]
    latency = result.latency
    lines.append(f"{latency.words} words: p50 {latency.p50_wall_ms:.1f} ms, p95 {latency.p95_wall_ms:.1f} ms")
    if result.steady is not None:
        lines.append(f"last fifth of {result.steady.notes} notes: {result.steady.last_to_first:.2f} of the first")
    if result.cold is not None:
        memory = "" if result.cold.peak_mb is None else f", {result.cold.peak_mb:.0f} MB"
        lines.append(f"cold start {result.cold.wall_s:.2f} s ({result.cold.ratio:.1f} times import spacy{memory})")
    return "; ".join(lines)


_COLOURS = ("#8c959f", "#0f8079", "#b35900", "#0b6bcb")
_BAR, _GAP, _LEFT, _WIDTH = 11, 9, 150, 520


def bar_chart(title: str, series: Mapping[str, Mapping[str, float]]) -> str:
    """Bars of one or more series side by side, as SVG; labels in the order of the first series, a bar ends in its figure."""
    labels = list(next(iter(series.values())))
    most = max(value for values in series.values() for value in values.values()) or 1.0
    height = 50 + len(labels) * (len(series) * _BAR + _GAP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_LEFT + _WIDTH + 70} {height}" role="img" '
        f'font-family="system-ui, sans-serif" font-size="11"><title>{escape(title)}</title>'
        f'<rect width="100%" height="100%" fill="#fff"/>'
        f'<text x="8" y="16" font-size="13" font-weight="600">{escape(title)}</text>'
    ]
    for number, name in enumerate(series):
        x = _LEFT + 130 * number
        parts.append(f'<rect x="{x}" y="25" width="9" height="9" fill="{_COLOURS[number % len(_COLOURS)]}"/>')
        parts.append(f'<text x="{x + 14}" y="34">{escape(name)}</text>')
    y = 44
    for label in labels:
        middle = y + len(series) * _BAR / 2 + 4
        parts.append(f'<text x="{_LEFT - 8}" y="{middle:.1f}" text-anchor="end">{escape(label)}</text>')
        for number, values in enumerate(series.values()):
            width = _WIDTH * values.get(label, 0.0) / most
            parts.append(
                f'<rect x="{_LEFT}" y="{y}" width="{width:.1f}" height="{_BAR - 2}" fill="{_COLOURS[number % len(_COLOURS)]}"/>'
                f'<text x="{_LEFT + width + 5:.1f}" y="{y + _BAR - 3}" font-size="9">{values.get(label, 0.0):.2f}</text>'
            )
            y += _BAR
        y += _GAP
    return "\n".join([*parts, "</svg>"]) + "\n"


def charts(results: Mapping[str, SpeedResult]) -> dict[str, str]:
    """Plots of one or more runs by the name of their file: the stages, and the cost of a word by the length of the note."""
    stages = {
        name: {**{stage: found.ratio for stage, found in run.stages.items()}, "whole path": run.whole.ratio}
        for name, run in results.items()
    }
    lengths = {
        name: {f"{length.words} words": length.ms_per_1000_words for length in run.lengths} for name, run in results.items()
    }
    return {
        "speed-stages.svg": bar_chart("Time of each stage, times bare spaCy on the same notes", stages),
        "speed-length.svg": bar_chart("CPU milliseconds for 1,000 words, by the length of the note", lengths),
    }


def load_result(path: Path) -> SpeedResult:
    """A run that :func:`write_report` wrote.

    Raises
    ------
    InputError
        If it cannot be read or is something else.
    """
    try:
        return SpeedResult.model_validate_json(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror})") from None
    except ValueError:
        raise InputError(f"{path} is not a speed.json of theracode") from None


def write_report(result: SpeedResult, folder: Path, *, before: Path | None = None) -> list[Path]:
    """Write ``speed.json`` and the plots into a folder, beside an earlier run if one is given; returns their paths.

    Raises
    ------
    InputError
        If the folder cannot be written or the earlier run cannot be read.
    """
    runs = {"before": load_result(before), "after": result} if before is not None else {"theracode": result}
    files = {"speed.json": result.to_json(), **charts(runs)}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (folder / name).write_text(content, encoding="utf-8")
    except OSError as error:
        raise InputError(f"the report cannot be written to {folder} ({error.strerror})") from None
    return [folder / name for name in files]
