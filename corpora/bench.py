"""The benchmark: systems side by side on a corpus, with intervals, paired tests, kinds of errors and the worst notes.

Errors of one note, each required group without a recommended accepted code having exactly one kind:

==============  =======================================================================================================
ranking         an accepted code is suggested but not recommended
blocked         an accepted code is suggested but a rule blocks it
wrong side      the accepted code is suggested with another side
wrong 7th       the accepted code is suggested with another 7th character
wrong site      another code of the same category is suggested: wrong site or specificity
reading miss    nothing of the category is suggested
==============  =======================================================================================================

and each recommended code that is not accepted is ``forbidden`` (the gold forbids it) or ``extra``. Of theracode the stage that
lost the group is told too (corpora/stages.py).
"""

from __future__ import annotations

import json
import platform
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from corpora.baselines import BASELINES, System, load_system
from corpora.loaders import load_corpus
from corpora.metrics import (
    LOWER_IS_BETTER,
    METRICS,
    RESAMPLES,
    CodeLevels,
    NoteScore,
    bootstrap,
    levels_for,
    paired_test,
    ranked,
    recommended_codes,
    reliability,
    score_note,
    value_of,
)
from corpora.schema import Corpus, GoldGroup, GoldNote
from corpora.stages import ABLATIONS, STAGES, StagedCoder, Trace, lost_in
from lexicon.codes import edition_for
from lexicon.codes.cache import write_atomically
from lexicon.errors import InputError
from models.coding import Coding

if TYPE_CHECKING:
    from rich.table import Table

GROUP_ERRORS = ("reading miss", "wrong side", "wrong 7th", "wrong site", "ranking", "blocked")
ERROR_KINDS = (*GROUP_ERRORS, "forbidden", "extra")
TABLE_METRICS = (
    "recall@5",
    "recall@10",
    "candidates",
    "recall@5:category",
    "mrr",
    "p@1",
    "precision",
    "recall",
    "f1",
    "f1:category",
    "laterality",
    "seventh",
    "forbidden",
    "excludes1",
    "unbillable",
    "evidence",
    "ece",
    "abstention",
)
SETTING_METRICS = ("recall@5", "recall@10", "p@1", "f1", "forbidden")
ABLATION_METRICS = ("candidates", "recall@5", "mrr", "f1", "forbidden")
PAIRED_METRICS = ("recall@5", "mrr", "f1", "forbidden")
PACKAGES = ("theracode", "bm25s", "numpy", "rapidfuzz", "scikit-learn", "simple-icd-10-cm", "spacy")
WORST_HEADER = ("note", "what failed", "expected", "instead")
DIGITS = 6

Progress = Callable[[str, int, int], None]
"""Called with the system's name, the notes done and the notes in all."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class BenchConfig(_Model):
    """One experiment, as its TOML file states it."""

    corpus: str = "therapy:test"
    systems: tuple[str, ...] = ("theracode", *BASELINES)
    seed: int = 0
    resamples: int = Field(default=RESAMPLES, ge=1)
    worst: int = Field(default=20, ge=0)


class Interval(_Model):
    """A metric with its 95 % bootstrap interval over notes; null where it is not defined."""

    value: float | None
    low: float | None
    high: float | None


class CalibrationBin(_Model):
    """One point of the reliability plot."""

    low: float
    high: float
    count: int
    mean_probability: float
    share_accepted: float


class Given(_Model):
    """A recommended code of a bad note: what it is to the gold, and the words that led to it."""

    code: str
    title: str
    verdict: str
    evidence: tuple[str, ...]


class Expected(_Model):
    """A required group of a bad note: the codes, why, the quote, ``hit`` or the kind of error, and the stage that lost it."""

    accept: tuple[str, ...]
    title: str
    why: str
    evidence: str
    verdict: str
    stage: str = ""


class BadNote(_Model):
    """One of the notes with the most errors."""

    id: str
    setting: str | None
    errors: int
    expected: tuple[Expected, ...]
    given: tuple[Given, ...]


class SystemResult(_Model):
    """Everything measured of one system."""

    name: str
    metrics: dict[str, Interval]
    by_setting: dict[str, dict[str, float | None]]
    errors: dict[str, int]
    errors_by_setting: dict[str, dict[str, int]]
    lost: dict[str, int] = {}
    calibration: tuple[CalibrationBin, ...]
    worst: tuple[BadNote, ...]


class Comparison(_Model):
    """Paired test of the first system against another one (first minus other)."""

    first: str
    other: str
    metric: str
    difference: float | None
    low: float | None
    high: float | None
    p_value: float | None


class BenchResult(_Model):
    """A finished benchmark. It holds no time and no path, so a second run writes the same bytes."""

    corpus: str
    corpus_digest: str
    notes: int
    notes_without_codes: int
    groups: int
    settings: dict[str, int]
    editions: tuple[str, ...]
    config: BenchConfig
    versions: dict[str, str]
    systems: tuple[SystemResult, ...]
    comparisons: tuple[Comparison, ...]

    def to_json(self) -> str:
        """The machine-readable report."""
        return json.dumps(self.model_dump(mode="json"), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


# -------------------------------------------------------------------------------------------------- errors


def group_verdict(group: GoldGroup, coding: Coding, levels: CodeLevels) -> str:
    """``hit``, or the kind of error of one required group (see the head of this module)."""
    if any(levels.any_same(group.accept, code) for code in recommended_codes(coding)):
        return "hit"
    codes = [suggestion.code for suggestion in ranked(coding)]
    if any(levels.any_same(group.accept, code) for code in codes):
        return "ranking"
    if any(levels.any_same(group.accept, s.code) for s in coding.suggestions if s.status == "blocked"):
        return "blocked"
    if any(levels.any_same(group.accept, code, "no_side") for code in codes):
        return "wrong side"
    if any(levels.any_same(group.accept, code, "no_seventh") for code in codes):
        return "wrong 7th"
    if any(levels.any_same(group.accept, code, "category") for code in codes):
        return "wrong site"
    return "reading miss"


def code_verdict(gold: GoldNote, code: str) -> str:
    """What a recommended code is to the gold: ``accepted``, ``optional``, ``forbidden: reason`` or ``extra``."""
    if gold.is_required(code):
        return "accepted"
    if gold.is_accepted(code):
        return "optional"
    forbidden = gold.forbids(code)
    return f"forbidden: {forbidden.reason}" if forbidden else "extra"


def note_errors(gold: GoldNote, coding: Coding, levels: CodeLevels) -> dict[str, int]:
    """How often each kind of error occurs in one note."""
    found = dict.fromkeys(ERROR_KINDS, 0)
    for group in gold.required:
        verdict = group_verdict(group, coding, levels)
        if verdict != "hit":
            found[verdict] += 1
    for code in recommended_codes(coding):
        verdict = code_verdict(gold, code).partition(":")[0]
        if verdict in found:
            found[verdict] += 1
    return found


def _lost(gold: GoldNote, coding: Coding, trace: Trace | None, levels: CodeLevels) -> list[str]:
    """For each required group the stage that lost it; empty for a hit, and for a system that shows no stages."""
    return [
        "" if trace is None or group_verdict(group, coding, levels) == "hit" else lost_in(group, gold.text, trace, levels)
        for group in gold.required
    ]


def _title(levels: CodeLevels, code: str) -> str:
    plain = code.rstrip("-")
    return levels.edition.title(plain) if plain in levels.edition else ""


def _bad_note(gold: GoldNote, coding: Coding, levels: CodeLevels, errors: int, lost: Sequence[str], *, quotes: bool) -> BadNote:
    by_code = {suggestion.code: suggestion for suggestion in coding.suggestions}
    return BadNote(
        id=gold.id,
        setting=gold.setting,
        errors=errors,
        expected=tuple(
            Expected(
                accept=group.accept,
                title=_title(levels, group.best),
                why=group.why,
                evidence=group.evidence if quotes else "",
                verdict=group_verdict(group, coding, levels),
                stage=stage,
            )
            for group, stage in zip(gold.required, lost, strict=True)
        ),
        given=tuple(
            Given(
                code=code,
                title=by_code[code].title,
                verdict=code_verdict(gold, code),
                evidence=tuple(dict.fromkeys(e.text[:120] for e in by_code[code].evidence)) if quotes else (),
            )
            for code in recommended_codes(coding)
        ),
    )


# -------------------------------------------------------------------------------------------------- running


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, DIGITS) + 0.0


def _run_system(
    system: System, corpus: Corpus, config: BenchConfig, progress: Progress | None
) -> tuple[SystemResult, list[NoteScore]]:
    """One system on all notes of a corpus."""
    scores: list[NoteScore] = []
    codings: list[Coding] = []
    errors: list[dict[str, int]] = []
    lost: list[list[str]] = []
    for number, gold in enumerate(corpus, start=1):
        levels = levels_for(gold)
        coding = system.suggest(gold.to_note())
        codings.append(coding)
        trace = system.trace if isinstance(system, StagedCoder) else None
        candidates = [option.code for option in trace.options] if trace else []
        scores.append(score_note(gold, coding, levels, candidates=candidates))
        lost.append(_lost(gold, coding, trace, levels))
        errors.append(note_errors(gold, coding, levels))
        if progress is not None:
            progress(system.name, number, len(corpus))
    settings = sorted({note.setting or "unknown" for note in corpus})
    rows_of = {name: [n for n, note in enumerate(corpus) if (note.setting or "unknown") == name] for name in settings}
    worst = sorted(range(len(scores)), key=lambda n: (-sum(errors[n].values()), scores[n].id))[: config.worst]
    result = SystemResult(
        name=system.name,
        metrics={
            name: Interval(value=_rounded(e.value), low=_rounded(e.low), high=_rounded(e.high))
            for name, e in bootstrap(scores, METRICS, resamples=config.resamples, seed=config.seed).items()
        },
        by_setting={
            name: {metric: _rounded(value_of([scores[n] for n in rows], metric)) for metric in SETTING_METRICS}
            for name, rows in rows_of.items()
        },
        errors={kind: sum(found[kind] for found in errors) for kind in ERROR_KINDS},
        errors_by_setting={
            name: {kind: sum(errors[n][kind] for n in rows) for kind in ERROR_KINDS} for name, rows in rows_of.items()
        },
        lost={stage: sum(found.count(stage) for found in lost) for stage in STAGES} if isinstance(system, StagedCoder) else {},
        calibration=tuple(
            CalibrationBin(
                low=point.low,
                high=point.high,
                count=point.count,
                mean_probability=round(point.mean_probability, DIGITS),
                share_accepted=round(point.share_accepted, DIGITS),
            )
            for point in reliability(scores)
        ),
        worst=tuple(
            _bad_note(
                corpus.notes[n],
                codings[n],
                levels_for(corpus.notes[n]),
                sum(errors[n].values()),
                lost[n],
                quotes=not corpus.restricted,
            )
            for n in worst
            if sum(errors[n].values())
        ),
    )
    return result, scores


def _versions() -> dict[str, str]:
    """Versions of Python and of the packages that the figures depend on."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found


def bench_systems(
    corpus: Corpus, systems: Sequence[System], config: BenchConfig | None = None, *, progress: Progress | None = None
) -> BenchResult:
    """Measure systems that are already loaded.

    Parameters
    ----------
    corpus : Corpus
    systems : sequence of System
        The first one is compared with each of the others.
    config : BenchConfig, optional
        Seed, resamples and number of worst notes; its corpus and systems are replaced by those given.
    progress : callable, optional
    """
    if not systems:
        raise InputError("a benchmark needs at least one system")
    names = tuple(system.name for system in systems)
    if len(set(names)) < len(names):
        raise InputError("a benchmark needs systems with different names")
    config = (config or BenchConfig()).model_copy(update={"corpus": corpus.name, "systems": names})
    results = []
    scores: dict[str, list[NoteScore]] = {}
    for system in systems:
        result, scores[system.name] = _run_system(system, corpus, config, progress)
        results.append(result)
    comparisons = []
    for other in names[1:]:
        for metric in PAIRED_METRICS:
            test = paired_test(scores[names[0]], scores[other], metric, resamples=config.resamples, seed=config.seed)
            comparisons.append(
                Comparison(
                    first=names[0],
                    other=other,
                    metric=metric,
                    difference=_rounded(test.difference),
                    low=_rounded(test.low),
                    high=_rounded(test.high),
                    p_value=_rounded(test.p_value),
                )
            )
    settings = [note.setting or "unknown" for note in corpus]
    return BenchResult(
        corpus=corpus.name,
        corpus_digest=corpus.digest,
        notes=len(corpus),
        notes_without_codes=sum(not note.required for note in corpus),
        groups=sum(len(note.required) for note in corpus),
        settings={name: settings.count(name) for name in sorted(set(settings))},
        editions=tuple(sorted({edition_for(note.date_of_service)[0].name for note in corpus})),
        config=config,
        versions=_versions(),
        systems=tuple(results),
        comparisons=tuple(comparisons),
    )


def write_report(result: BenchResult, folder: Path) -> tuple[Path, ...]:
    """Write ``bench.json`` and ``bench.html`` into a folder and return their paths.

    An ablation adds ``ablation.md``, and theracode as first system ``worst.md`` (ids and codes only).
    """
    from corpora.report import render_html

    try:
        contents = {"bench.json": result.to_json(), "bench.html": render_html(result)}
        if is_ablation(result):
            contents["ablation.md"] = ablation_markdown(result)
        if result.systems[0].lost:
            contents["worst.md"] = worst_markdown(result)
        paths = tuple(folder / name for name in contents)
        for path, content in zip(paths, contents.values(), strict=True):
            write_atomically(path, content.encode())
    except OSError as error:
        raise InputError(f"the report cannot be written to {folder} ({error.strerror})") from None
    return paths


def run_bench(
    corpus: str,
    systems: list[str],
    report: Path | None = None,
    seed: int = 0,
    *,
    config: BenchConfig | None = None,
    progress: Progress | None = None,
) -> BenchResult:
    """Measure systems by name on a corpus by name or path.

    Parameters
    ----------
    corpus : str
        Anything that :func:`corpora.loaders.load_corpus` takes.
    systems : list of str
        Names for :func:`corpora.baselines.load_system`; the first is compared with the others. Empty means theracode and
        all baselines.
    report : Path, optional
        Folder for ``bench.json`` and ``bench.html``.
    seed : int
        Of the bootstrap and the paired tests.
    config : BenchConfig, optional
        For the resamples and the number of worst notes.
    progress : callable, optional
        Called after every note.

    Raises
    ------
    InputError
        If the corpus or a system is not there, before anything is measured.
    """
    loaded = load_corpus(corpus)
    chosen = [load_system(name) for name in (systems or list(BenchConfig().systems))]
    config = (config or BenchConfig()).model_copy(update={"seed": seed})
    result = bench_systems(loaded, chosen, config, progress=progress)
    if report is not None:
        write_report(result, report)
    return result


def load_config(path: Path) -> BenchConfig:
    """Read the TOML file of an experiment.

    Raises
    ------
    InputError
        If it cannot be read or holds a key that is not known.
    """
    try:
        return BenchConfig.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        raise InputError(f"{path} is not a TOML file") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise InputError(f"{path}: {'.'.join(str(part) for part in first['loc'])}: {first['msg']}") from None


def run_config(path: Path, report: Path | None = None, *, progress: Progress | None = None) -> BenchResult:
    """Run the experiment that a TOML file describes."""
    config = load_config(path)
    return run_bench(config.corpus, list(config.systems), report, config.seed, config=config, progress=progress)


# -------------------------------------------------------------------------------------------------- table


def shown(metric: str, value: float | None) -> str:
    """A value as tables show it: counts as whole numbers, shares with two digits, undefined as a hyphen."""
    if value is None:
        return "-"
    return f"{value:.0f}" if metric in {"excludes1", "unbillable"} else f"{value:.2f}"


def best_systems(values: Mapping[str, float | None], metric: str) -> set[str]:
    """Names of the systems with the best value as it is shown."""
    known = {name: float(shown(metric, value)) for name, value in values.items() if value is not None}
    if not known:
        return set()
    target = min(known.values()) if metric in LOWER_IS_BETTER else max(known.values())
    return {name for name, value in known.items() if value == target}


def render_table(result: BenchResult) -> Table:
    """The figures as a table for the terminal: a row for each metric, a column for each system, the best in bold."""
    from rich.table import Table

    table = Table(
        title=f"{result.corpus}: {result.notes} notes, {result.groups} required groups",
        caption="bold: best; recall@k: mean over notes; 95 % intervals in the report",
    )
    table.add_column("metric")
    for system in result.systems:
        table.add_column(system.name, justify="right")
    for metric in TABLE_METRICS:
        values = {system.name: system.metrics[metric].value for system in result.systems}
        best = best_systems(values, metric) if len(values) > 1 else set()
        cells = [
            f"[bold]{shown(metric, value)}[/bold]" if name in best else shown(metric, value) for name, value in values.items()
        ]
        table.add_row(_arrowed(metric), *cells)
    return table


def is_ablation(result: BenchResult) -> bool:
    """Whether the systems are theracode and theracode with parts switched off."""
    return len(result.systems) > 1 and all(system.name in ABLATIONS for system in result.systems[1:])


def ablation_rows(result: BenchResult) -> list[list[str]]:
    """A row for each system: its name and ``ABLATION_METRICS``."""
    return [
        [system.name, *(shown(metric, system.metrics[metric].value) for metric in ABLATION_METRICS)] for system in result.systems
    ]


def ablation_markdown(result: BenchResult) -> str:
    """The ablation as a table in markdown, with what each part adds to recall@5 and F1 and the p-value of it."""
    tests = {(test.other, test.metric): test for test in result.comparisons}

    def loss(other: str, metric: str) -> str:
        test = tests.get((other, metric))
        return "" if test is None or test.difference is None else f"{test.difference:+.2f} (p {test.p_value or 0:.3f})"

    header = ["system", *(_arrowed(metric) for metric in ABLATION_METRICS), "recall@5 lost", "F1 lost"]
    return markdown_table(header, [[*row, loss(row[0], "recall@5"), loss(row[0], "f1")] for row in ablation_rows(result)])


def worst_markdown(result: BenchResult) -> str:
    """The worst notes of the first system and what each stage lost, as two tables in markdown; ids and codes only."""
    system = result.systems[0]
    stages = markdown_table(("stage", "required groups lost"), [(stage, str(count)) for stage, count in system.lost.items()])
    return f"{markdown_table(WORST_HEADER, worst_rows(system))}\n{stages}"


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _arrowed(metric: str) -> str:
    return f"{metric} ↓" if metric in LOWER_IS_BETTER else metric


def render_ablation(result: BenchResult) -> Table:
    """The ablation as a table for the terminal: a row for each system."""
    from rich.table import Table

    table = Table(title=f"{result.corpus}: theracode with parts switched off")
    table.add_column("system")
    for metric in ABLATION_METRICS:
        table.add_column(_arrowed(metric), justify="right")
    for row in ablation_rows(result):
        table.add_row(*row)
    return table


def worst_rows(system: SystemResult) -> list[tuple[str, str, str, str]]:
    """(note, stage or verdict, expected code, recommended instead) of the worst notes: ids and codes, never note text.

    A group that was missed stands with the recommended wrong code of its category, if there is one; other wrong codes
    have rows of their own.
    """
    rows = []
    for note in system.worst:
        wrong = {item.code: item.verdict for item in note.given if item.verdict.partition(":")[0] in {"forbidden", "extra"}}
        for item in note.expected:
            if item.verdict != "hit":
                near = next((code for code in wrong if code[:3] == item.accept[0][:3]), "")
                rows.append((note.id, item.stage or item.verdict, item.accept[0], near))
                wrong.pop(near, None)
        rows += [(note.id, verdict, "", code) for code, verdict in wrong.items()]
    return rows


def render_worst(result: BenchResult) -> list[Table]:
    """The worst notes of the first system and, where it shows its stages, how many required groups each lost over the corpus."""
    from rich.table import Table

    system = result.systems[0]
    table = Table(title=f"worst notes of {system.name}")
    for name in WORST_HEADER:
        table.add_column(name)
    last = ""
    for note, *cells in worst_rows(system):
        table.add_row("" if note == last else note, *cells)
        last = note
    if not system.lost:
        return [table]
    missed = sum(system.lost.values())
    counts = Table(title=f"where {missed} of {result.groups} required groups were lost")
    for name in ("stage", "groups", "share"):
        counts.add_column(name, justify="left" if name == "stage" else "right")
    for stage, count in system.lost.items():
        counts.add_row(stage, str(count), f"{count / missed:.2f}" if missed else "-")
    return [table, counts]
