"""The command line. Each command imports what it needs when it runs, so that help and short notes are fast.

Exit codes: 0 done, 1 some rows failed (or an audit found faults), 2 bad usage or bad input, 130 interrupted. An error is
one line on standard error.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer.core import TyperGroup

from lexicon.errors import InputError, TheracodeError, unforeseen

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from lexicon.codes.anatomy import Anatomy
    from models.audit import AuditReport
    from models.coder import Coder
    from models.coding import Coding, Note
    from models.rules.catalog import Rule

BAD_INPUT = 2
INTERRUPTED = 130


def _fail(message: str) -> None:
    line = " ".join(message.split())
    sys.stderr.write(f"theracode: {line}\n")


class _Group(TyperGroup):
    """The top-level handler: every expected error becomes one line on standard error and an exit code."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: object,
    ) -> int:
        """Run the command line and exit, or return the exit code if not in standalone mode."""
        code = 0
        try:
            value = super().main(args, prog_name, complete_var, False, windows_expand_args, **extra)
            sys.stdout.flush()
            code = value if isinstance(value, int) else 0
        except BrokenPipeError:  # the reader, such as `head`, has had enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = 0
        except (KeyboardInterrupt, typer.Abort):
            _fail("interrupted")
            code = INTERRUPTED
        except typer.TyperException as error:
            message = error.format_message()
            if message.lstrip().startswith("Usage:"):
                sys.stderr.write(message + "\n")
            else:
                _fail(message)
            code = BAD_INPUT
        except TheracodeError as error:
            _fail(str(error))
            code = BAD_INPUT
        except OSError as error:
            _fail(f"{error.filename}: {error.strerror}" if error.filename else error.strerror or type(error).__name__)
            code = BAD_INPUT
        except Exception as error:
            _fail(unforeseen(error, "in this command"))
            code = BAD_INPUT
        if standalone_mode:
            sys.exit(code)
        return code


app = typer.Typer(
    name="theracode",
    cls=_Group,
    help="From a therapy note to ranked, billable ICD-10-CM codes. Everything runs on this machine.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
edition_app = typer.Typer(name="edition", help="Code-set editions by date of service.", no_args_is_help=True)
app.add_typer(edition_app)


class Encounter(StrEnum):
    """Phase of care."""

    auto = "auto"
    initial = "initial"
    subsequent = "subsequent"
    sequela = "sequela"


class Dominance(StrEnum):
    """Handedness of the patient."""

    right = "right"
    left = "left"
    ambidextrous = "ambidextrous"


class Format(StrEnum):
    """How a result is printed."""

    table = "table"
    json = "json"


def _day(value: str | None) -> date | None:
    return None if value is None else _date(value)


def _date(value: str) -> date:
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise InputError(f"{value[:20]!r} is not a date; write YYYY-MM-DD") from None


DateOption = Annotated[str | None, typer.Option("--date", metavar="YYYY-MM-DD", help="Date of service; today if not given.")]
EncounterOption = Annotated[Encounter, typer.Option(help="Phase of care; auto reads it from the note.")]
DominanceOption = Annotated[Dominance | None, typer.Option(help="Handedness, if the note does not say it.")]
ExternalOption = Annotated[bool, typer.Option("--external/--no-external", help="Also recommend external cause codes.")]
TopOption = Annotated[int, typer.Option(min=1, max=200, help="At most this many suggestions.")]
FormatOption = Annotated[Format, typer.Option("--format", help="A table to read, or JSON.")]
NoteArgument = Annotated[str | None, typer.Argument(metavar="[FILE or -]", help="A UTF-8 text file; - is standard input.")]


# ------------------------------------------------------------------------------------------------ printing


def _console(*, stderr: bool = False, markup: bool = False) -> Console:
    from rich.console import Console

    return Console(stderr=stderr, highlight=False, markup=markup, emoji=False)


def _print_json(value: object) -> None:
    import json

    sys.stdout.write(json.dumps(value, ensure_ascii=True) + "\n")


def _plain(value: object) -> object:
    """A dataclass as JSON values."""
    from pydantic_core import to_jsonable_python

    return to_jsonable_python(value)


def _show_coding(coding: Coding, *, console: Console) -> None:
    from rich.table import Table
    from rich.text import Text

    from ui.view import probability_word

    console.print(
        f"Date of service {coding.date_of_service}, edition {coding.edition}, {coding.encounter} encounter", style="dim"
    )
    if coding.suggestions:
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
        table.add_column(justify="right", style="dim")
        table.add_column(no_wrap=True)
        table.add_column(ratio=1)
        table.add_column(no_wrap=True)
        table.add_column(ratio=1, style="dim")
        headings = {"recommended": "Recommended", "alternative": "Worth a look", "blocked": "Blocked by a rule"}
        for status, heading in headings.items():
            items = [item for item in coding.suggestions if item.status == status]
            if items:
                table.add_row("", "", Text(heading, style="bold"), "", "")
            for item in items:
                quotes = "; ".join(dict.fromkeys(" ".join(piece.text.split()) for piece in item.evidence))
                why = f"{item.rule.text} ({item.rule.source})" if item.rule else quotes
                table.add_row(
                    str(item.rank), Text(item.code), Text(item.title),
                    f"{item.probability:.2f} {probability_word(item.probability)}", Text(why),
                )  # fmt: skip
        console.print(table)
    if coding.sequence:
        console.print(f"Report in this order: {', '.join(coding.sequence)}")
    for notice in coding.notices:
        console.print(f"Notice: {notice}")
    for question in coding.questions:
        console.print(f"Question: {question}")


def _note_of(source: str | None, day: date | None, encounter: Encounter, dominance: Dominance | None, external: bool) -> Note:
    from ui.notes import make_note, read_note_text

    if source is None:
        if sys.stdin is None or sys.stdin.isatty():
            raise InputError("no note was given; name a FILE or pipe the note in")
        source = "-"
    text = read_note_text(source)
    return make_note(
        {
            "id": "note" if source == "-" else Path(source).stem,
            "text": text,
            "date_of_service": day,
            "encounter": encounter.value,
            "dominance": dominance.value if dominance else "",
            "external_causes": external,
        }
    )


# ------------------------------------------------------------------------------------------------ one note


def _prepared(day: date | None) -> Coder:
    """The coder with the edition of a day; a progress bar on standard error while it is compiled for the first time."""
    from models.coder import load

    with _steps() as progress:
        coder = load()
        coder.prepare(day, progress=progress)
    return coder


@contextmanager
def _steps() -> Iterator[Callable[[str, int, int], None]]:
    from rich.progress import BarColumn, Progress, TextColumn

    bar = Progress(TextColumn("{task.description}"), BarColumn(), console=_console(stderr=True), transient=True)
    task = bar.add_task("", total=3)

    def progress(step: str, done: int, total: int) -> None:
        if done == 0 and bar.console.is_terminal:
            bar.start()
        bar.update(task, description=step, completed=done, total=total)

    try:
        yield progress
    finally:
        if bar.live.is_started:
            bar.stop()


@app.command()
def suggest(
    file: NoteArgument = None,
    date_: DateOption = None,
    encounter: EncounterOption = Encounter.auto,
    dominance: DominanceOption = None,
    external: ExternalOption = False,
    top: TopOption = 20,
    format_: FormatOption = Format.table,
) -> None:
    """Suggest codes for one note, with their evidence."""
    note = _note_of(file, _day(date_), encounter, dominance, external)
    coding = _prepared(note.date_of_service).suggest(note, top=top)
    if format_ is Format.json:
        from ui.export import json_line

        sys.stdout.write(json_line(coding) + "\n")
    else:
        _show_coding(coding, console=_console())


@app.command()
def batch(
    input_: Annotated[Path, typer.Argument(metavar="INPUT", help=".jsonl, .csv, .parquet, or a folder of .txt or .parquet.")],
    output: Annotated[
        Path,
        typer.Option(
            help="JSON Lines, one coding for each note; NAME.parquet makes a folder with a file for each row group of a Parquet "
            "input. Goes on where an earlier run stopped."
        ),
    ],
    workers: Annotated[int, typer.Option(min=1, max=256, help="Worker processes.")] = 1,
    engine: Annotated[str, typer.Option(help="Where the work runs: local, or dask for a Dask cluster.")] = "local",
    scheduler: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Of your Dask cluster, which then gets the notes; else one on this machine."),
    ] = None,
    date_: DateOption = None,
    encounter: EncounterOption = Encounter.auto,
    dominance: DominanceOption = None,
    external: ExternalOption = False,
    top: TopOption = 20,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Start again instead of going on.")] = False,
) -> None:
    """Code many notes. Options for a note hold where a row does not say otherwise."""
    from ui.batch import Settings, engine_named, run_batch
    from ui.parts import run_parts

    chosen = engine_named(engine, scheduler)
    run = run_parts if output.suffix == ".parquet" else run_batch
    settings = Settings(
        {
            "date_of_service": _day(date_) or date.today(),
            "encounter": encounter.value,
            "dominance": dominance.value if dominance else "",
            "external_causes": external,
        },
        top,
    )
    with _progress() as report:
        result = run(input_, output, workers=workers, settings=settings, engine=chosen, overwrite=overwrite, progress=report)
    resumed = f", {result.resumed} of them by an earlier run" if result.resumed else ""
    _console(stderr=True).print(f"{result.done} notes coded{resumed}; {output}")
    if result.failed:
        _fail(f"{result.failed} rows failed; {result.errors} names each with its reason")
        raise typer.Exit(1)


@contextmanager
def _progress() -> Iterator[Callable[[int, int, int], None]]:
    """A progress bar on standard error with rate and remaining time, as a callable for ``run_batch``."""
    from rich.progress import (
        BarColumn,
        Progress,
        ProgressColumn,
        Task,
        TaskID,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Rate(ProgressColumn):
        """Notes per second of this run."""

        def render(self, task: Task) -> Text:
            notes = task.fields["notes"] - task.fields["first"]
            return Text(f"{notes / task.elapsed:.0f} notes/s" if task.elapsed and notes else "")

    columns = (
        TextColumn("{task.fields[notes]} notes"), BarColumn(), TaskProgressColumn(), Rate(), TimeRemainingColumn(),
    )  # fmt: skip
    bar = Progress(*columns, console=_console(stderr=True))
    tasks: list[TaskID] = []

    def report(position: int, total: int, notes: int) -> None:
        if not tasks:  # only now is it known that the input can be used
            tasks.append(bar.add_task("", notes=notes, first=notes))
            bar.start()
        bar.update(tasks[0], completed=position, total=max(total, position), notes=notes)

    try:
        yield report
    finally:
        if tasks:
            bar.stop()


# ------------------------------------------------------------------------------------------------ checking, explaining


@app.command()
def audit(
    file: NoteArgument = None,
    codes: Annotated[str, typer.Option(metavar="CODE,CODE", help="Billed codes, first-listed first.")] = "",
    date_: DateOption = None,
    encounter: EncounterOption = Encounter.auto,
    dominance: DominanceOption = None,
    external: ExternalOption = False,
    format_: FormatOption = Format.table,
) -> None:
    """Check billed codes against the note and the rules; exit code 1 if there is an error among the findings."""
    from ui.notes import code_list

    billed = code_list(codes)
    note = _note_of(file, _day(date_), encounter, dominance, external)
    from models.audit import audit as run_audit
    from models.coder import load

    report = run_audit(note, billed, load())
    if format_ is Format.json:
        _print_json(report.model_dump(mode="json"))
    else:
        _show_audit(report, console=_console())
    if report.exit_code:
        raise typer.Exit(1)


def _show_audit(report: AuditReport, *, console: Console) -> None:
    from rich.table import Table

    from ui.view import correction_text

    console.print(f"{', '.join(report.codes)} against the note, edition {report.edition}", style="dim")
    if not report.findings:
        console.print("No findings.")
    for finding in report.findings:
        table = Table.grid(padding=(0, 1))
        style = {"error": "bold red", "warning": "yellow", "info": ""}[finding.severity]
        table.add_row(_styled(finding.severity, style), _styled(finding.code, "bold"), finding.message)
        table.add_row("", "", f"{correction_text(finding.correction, finding.kind)} ({finding.citation})", style="dim")
        console.print(table)
    for notice in report.notices:
        console.print(f"Notice: {notice}")


@app.command()
def explain(
    code: Annotated[str | None, typer.Argument(help="A category, a stem or a complete code.")] = None,
    rules: Annotated[bool, typer.Option("--rules", help="List the rules that theracode applies.")] = False,
    date_: DateOption = None,
    format_: FormatOption = Format.table,
) -> None:
    """Take a code apart: its levels, what each part says, its notes own and inherited, and what stands below it."""
    if rules:
        from models.rules.catalog import rules as all_rules

        if format_ is Format.json:
            _print_json([_plain(rule) for rule in all_rules()])
        else:
            _show_rules(all_rules(), console=_console())
        return
    if not code:
        raise InputError("no code was given; write one, such as S52.521A, or --rules")
    from lexicon.codes.anatomy import anatomy
    from lexicon.codes.registry import edition_for, load_edition
    from lexicon.facets import facets_of

    info, warning = edition_for(_day(date_))
    if warning:
        _fail(warning)
    edition = load_edition(info.name)
    parts = anatomy(edition, code)
    if format_ is Format.json:
        _print_json(_plain(parts))
    else:
        _show_anatomy(parts, facets_of(edition, parts.code), console=_console())


def _show_rules(rules: list[Rule], *, console: Console) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("rule", "statement", "source", "example"):
        table.add_column(name, no_wrap=name == "rule")
    for rule in rules:
        table.add_row(rule.id, rule.statement, rule.source, rule.example)
    console.print(table)


def _show_anatomy(parts: Anatomy, facets: list[tuple[str, str]], *, console: Console) -> None:
    from rich.table import Table

    console.print(f"{parts.code}  {parts.title}", style="bold")
    facts = [("edition", parts.edition), ("billable", f"{'yes' if parts.billable else 'no'}, {parts.reason}")]
    facts += [("category", parts.category), ("detail", parts.detail or "none")]
    if parts.extension:
        facts.append(("7th character", f"{parts.extension}: {parts.extension_meaning}"))
    elif parts.sevenths:
        facts.append(("7th characters", f"{', '.join(letter for letter, _ in parts.sevenths)} (table at {parts.sevenths_at})"))
    if parts.manifestation:
        facts.append(("order", "manifestation code, never first-listed (I.A.13)"))
    if parts.notes_as_of:
        facts.append(("notes as of", parts.notes_as_of))
    grid = Table.grid(padding=(0, 2))
    for label, value in facts:
        grid.add_row(_styled(label, "dim"), value)
    console.print(grid)
    rows: list[tuple[str, list[tuple[str, str]]]] = [
        ("Levels", [(level.code, level.title) for level in parts.levels]),
        ("Facets", facets),
        ("Notes", [(note.label, note.text) for note in parts.notes]),
        ("Inherited notes", [(f"{note.label} at {note.stands_at}", note.text) for note in parts.inherited]),
        ("Below", [(child.code, child.title + ("" if child.billable else " (not billable)")) for child in parts.children]),
    ]
    for heading, items in rows:
        if items:
            console.print(f"\n{heading}", style="bold")
            grid = Table.grid(padding=(0, 2))
            for left, right in items:
                grid.add_row(left, right)
            console.print(grid)


def _styled(text: str, style: str) -> Text:
    from rich.text import Text

    return Text(text, style=style)


# ------------------------------------------------------------------------------------------------ measuring


@app.command()
def bench(
    corpus: Annotated[str, typer.Argument(help="A corpus by name or path.")] = "therapy:test",
    system: Annotated[list[str] | None, typer.Option(help="A system to measure; may be repeated. All if not given.")] = None,
    report: Annotated[Path | None, typer.Option(metavar="FOLDER", help="Write bench.json and bench.html there.")] = None,
    config: Annotated[Path | None, typer.Option(metavar="FILE", help="An experiment in TOML, instead of other options.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the resampling.")] = 0,
    ablation: Annotated[bool, typer.Option("--ablation", help="Theracode with one part after the other switched off.")] = False,
    worst: Annotated[
        int, typer.Option(min=0, help="Show so many notes with the most errors: the stage that failed, ids and codes only.")
    ] = 0,
    format_: FormatOption = Format.table,
) -> None:
    """Measure theracode and the baselines on a corpus, side by side.

    The corpus "negation" measures reading of assertion, "index" how often the terms of the official index find their code.
    """
    if corpus == "negation":
        _bench_negation(report, format_)
        return
    if corpus == "index":
        _bench_index(system or ["theracode"], format_)
        return
    from corpora.bench import BenchConfig, render_ablation, render_table, render_worst, run_bench, run_config
    from corpora.stages import ABLATIONS

    if ablation and (system or config is not None):
        raise InputError("--ablation chooses the systems; leave out --system and --config")
    systems = ["theracode", *ABLATIONS] if ablation else ["theracode"] if worst and not system else system or []
    settings = BenchConfig(worst=worst) if worst else None
    with _bench_progress() as progress:
        if config is not None:
            result = run_config(config, report, progress=progress)
        else:
            result = run_bench(corpus, systems, report, seed, config=settings, progress=progress)
    if format_ is Format.json:
        _print_json(result.model_dump(mode="json"))
        return
    console = _console(markup=True)
    console.print(render_ablation(result) if ablation else render_table(result))
    if worst:
        for table in render_worst(result):
            console.print(table)
    if report is not None:
        _console(stderr=True).print(f"{report / 'bench.html'}")


def _bench_index(systems: list[str], format_: Format) -> None:
    from dataclasses import asdict

    from rich.table import Table

    from corpora.baselines import load_system
    from corpora.index_terms import SHARED_INDEX, evaluate_terms, read_index

    terms = read_index(SHARED_INDEX)
    results = [evaluate_terms(load_system(name), terms) for name in systems]
    if format_ is Format.json:
        _print_json([{**asdict(result), "misses": len(result.misses)} for result in results])
        return
    table = Table("chapter", "terms", *systems, title="index terms with their code among the first five")
    for chapter, (count, _) in results[0].by_chapter.items():
        table.add_row(chapter, str(count), *(f"{result.by_chapter[chapter][1]:.2f}" for result in results))
    table.add_row("all", str(results[0].terms), *(f"{result.share:.2f}" for result in results))
    _console().print(table)


def _bench_negation(report: Path | None, format_: Format) -> None:
    from corpora.negation import measure_assertion, render_table, write_report

    result = measure_assertion()
    if format_ is Format.json:
        _print_json(result.model_dump(mode="json"))
    else:
        console = _console()
        console.print(render_table(result))
        for part in result.sets:
            for miss in part.misses:
                console.print(f"{part.name}: {miss.marked} read as {miss.read}: [{miss.words}] {miss.sentence}")
    for line in result.skipped:
        _console(stderr=True).print(line)
    if report is not None:
        for path in write_report(result, report):
            _console(stderr=True).print(f"{path}")


@app.command()
def speed(
    corpus: Annotated[str, typer.Argument(help="A corpus by name or path; its texts give the notes.")] = "therapy",
    report: Annotated[Path | None, typer.Option(metavar="FOLDER", help="Write speed.json and plots there.")] = None,
    before: Annotated[Path | None, typer.Option(metavar="FILE", help="A speed.json to plot beside this run.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Stages only: no long run, no cold start.")] = False,
    format_: FormatOption = Format.table,
) -> None:
    """Measure the speed of each stage on this machine, as a ratio to bare spaCy in the same run."""
    from corpora.speed import measure, render_table, write_report

    with _bench_progress() as progress:
        result = measure(corpus, whole_program=not quick, progress=progress)
    if format_ is Format.json:
        _print_json(result.model_dump(mode="json"))
    else:
        _console().print(render_table(result))
    if report is not None:
        for path in write_report(result, report, before=before):
            _console(stderr=True).print(f"{path}")


@app.command()
def train(
    extra: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="Gold notes that teach too, for example exported decisions.")
    ] = None,
    format_: FormatOption = Format.table,
) -> None:
    """Refit the ranker from the corpora of this repository; the same corpora give the same files."""
    from corpora.train import train as fit_ranker

    with _console(stderr=True).status("training"):
        card = fit_ranker(extra=extra or [])
    if format_ is Format.json:
        _print_json(card)
        return
    console = _console()
    console.print(f"trained on {card['corpus']['train_notes']} notes, threshold {card['threshold']:.2f}")
    for name, scores in card["cross_validation_on_train"].items():
        console.print(
            f"  {name}: average precision {scores['average_precision']:.3f}, F1 before rules {scores['f1_before_rules']:.3f}"
        )


@contextmanager
def _bench_progress() -> Iterator[Callable[[str, int, int], None]]:
    from rich.progress import Progress, TaskID

    tasks: dict[str, TaskID] = {}
    bar = Progress(console=_console(stderr=True), transient=True)

    def progress(name: str, done: int, total: int) -> None:
        if name not in tasks:
            tasks[name] = bar.add_task(name, total=total)
            bar.start()
        bar.update(tasks[name], completed=done)

    try:
        yield progress
    finally:
        if tasks:
            bar.stop()


# ------------------------------------------------------------------------------------------------ editions


@edition_app.command("list")
def edition_list(format_: FormatOption = Format.table) -> None:
    """The editions that are installed, with the dates of service they hold for."""
    from lexicon.codes.registry import editions

    known = editions()
    if format_ is Format.json:
        _print_json(
            [
                {"name": i.name, "first": i.first.isoformat(), "last": i.last.isoformat(), "source": i.source,
                 "imported": i.path is not None}
                for i in known
            ]
        )  # fmt: skip
        return
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("edition", "from", "to", "source"):
        table.add_column(name)
    for info in known:
        table.add_row(info.name, info.first.isoformat(), info.last.isoformat(), info.source)
    _console().print(table)


@edition_app.command("show")
def edition_show(
    name: Annotated[str | None, typer.Argument(help="Name of an edition; without one, that of --date.")] = None,
    date_: DateOption = None,
    format_: FormatOption = Format.table,
) -> None:
    """One edition: its dates, its source, and how many codes it holds."""
    from lexicon.codes.registry import edition_for, editions, load_edition

    warning = None
    if name is None:
        info, warning = edition_for(_day(date_))
    else:
        edition = load_edition(name)
        info = next(i for i in editions() if i.name == edition.name)
    edition = load_edition(info.name)
    facts = {
        "name": info.name,
        "first": info.first.isoformat(),
        "last": info.last.isoformat(),
        "source": info.source,
        "notes_as_of": edition.notes_as_of,
        "billable_codes": sum(1 for _ in edition.billable()),
    }
    if warning:
        _fail(warning)
    if format_ is Format.json:
        _print_json(facts)
        return
    for label, value in facts.items():
        _console().print(f"{label.replace('_', ' '):<15} {value}")


@edition_app.command("import")
def edition_import(
    files: Annotated[list[Path], typer.Argument(help="Official files: tabular XML, order file, addenda, index XML.")],
    name: Annotated[str, typer.Option(help="Name of the edition, such as FY2027.")],
    first: Annotated[str, typer.Option("--from", metavar="YYYY-MM-DD", help="First date of service.")],
    last: Annotated[str, typer.Option("--to", metavar="YYYY-MM-DD", help="Last date of service.")],
    base: Annotated[str | None, typer.Option(help="Edition that addenda apply to.")] = None,
) -> None:
    """Import an edition from the official release files; it holds for its dates from then on."""
    from lexicon.codes.importer import import_edition

    info = import_edition(files, name=name, first=_date(first), last=_date(last), base=base)
    _console().print(f"{info.name} holds for dates of service from {info.first} to {info.last}; source: {info.source}")


# ------------------------------------------------------------------------------------------------ the page


@app.command("app")
def app_command(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port on this machine.")] = 8501,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in the browser.")] = True,
    sign_in: Annotated[
        Path | None, typer.Option(metavar="FILE", help="For a shared server: provider and roles (docs/shared-server.md).")
    ] = None,
) -> None:
    """Open the pages in a browser, on this machine only."""
    import subprocess

    folder = Path(__file__).resolve().parent
    command = [
        sys.executable, "-m", "ui.serve", "run", str(folder / "app.py"),
        "--server.address=127.0.0.1", f"--server.port={port}",
        f"--server.headless={'false' if browser else 'true'}", "--browser.gatherUsageStats=false",
    ]  # fmt: skip
    paths = [str(folder.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    if sign_in is not None:
        command += _signed_in(sign_in, environment)
    done = subprocess.run(command, env=environment, check=False)  # noqa: S603 - our own arguments, no shell
    if done.returncode:
        raise InputError(f"the page could not be started (port {port} may be taken)")


def _signed_in(file: Path, environment: dict[str, str]) -> list[str]:
    """Check a sign-in file, name it to the pages, and give what Streamlit must know of it."""
    from importlib.util import find_spec

    from ui.signin import ENVIRONMENT, read_sign_in

    if find_spec("authlib") is None:
        raise InputError("signing in needs a library; install it with: pip install 'theracode[server]'")
    address = read_sign_in(file).address
    environment[ENVIRONMENT] = str(file.resolve())
    return [f"--secrets.files={file.resolve()}", f"--browser.serverAddress={address}"]


def main() -> None:
    """Entry point of the command ``theracode``."""
    try:
        app(prog_name="theracode")
    finally:
        gc.freeze()  # the process ends: to look for garbage among what it loaded would take longer than a note


if __name__ == "__main__":
    main()
