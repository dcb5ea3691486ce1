"""The command line: what it prints, its exit codes, and one clear line for every fault."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from models.coder import Coder
from models.coding import Coding
from ui.cli import app

ROOT = Path(__file__).resolve().parents[2]
NOTE = "67 y/o F, R knee OA, pain with stairs. Denies falls. Ⓡ knee ROM 5-110."


@pytest.fixture
def note(tmp_path: Path) -> Path:
    path = tmp_path / "visit.txt"
    path.write_text(NOTE, encoding="utf-8")
    return path


def run(*arguments: str | Path, stdin: str | bytes | None = None) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], input=stdin)


def process(*arguments: str | Path, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([sys.executable, "-m", "ui.cli", *map(str, arguments)], input=stdin, capture_output=True, cwd=ROOT)


def fails(result: Result, part: str) -> None:
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert len(lines) == 1 and lines[0].startswith("theracode: ") and part in lines[0]
    assert "Traceback" not in result.output


def test_suggest_prints_the_contract_on_one_ascii_line(note: Path) -> None:
    result = run("suggest", note, "--date", "2026-03-14", "--format", "json")
    assert result.exit_code == 0 and result.stdout.count("\n") == 1 and result.stdout.isascii()
    coding = Coding.model_validate_json(result.stdout)
    assert coding.id == "visit" and coding.edition == "FY2026-April" and coding.sequence[0] == "M17.11"
    assert all(NOTE[piece.start : piece.end] == piece.text for item in coding.suggestions for piece in item.evidence)


def test_suggest_reads_standard_input_and_keeps_line_ends() -> None:
    text = "Plan.\r\nR knee OA\r\n"
    result = run("suggest", "-", "--date", "2026-03-14", "--format", "json", stdin=text.encode())
    coding = Coding.model_validate_json(result.stdout)
    assert coding.id == "note"
    assert [text[piece.start : piece.end] == piece.text for item in coding.suggestions for piece in item.evidence]


def test_the_table_groups_by_status(note: Path) -> None:
    result = run("suggest", note, "--date", "2026-03-14")
    assert result.exit_code == 0
    assert "Recommended" in result.stdout and "M17.11" in result.stdout and "likely" in result.stdout
    assert "Report in this order: M17.11" in result.stdout and "FY2026-April" in result.stdout


def test_options_reach_the_coder(note: Path) -> None:
    note.write_text("L wrist sprain after fall on ice, first visit. R hemiparesis after stroke.", encoding="utf-8")
    common = ("suggest", note, "--date", "2026-03-14", "--format", "json", "--top", "3")
    first = Coding.model_validate_json(run(*common, "--encounter", "initial").stdout)
    assert first.encounter == "initial" and len(first.suggestions) <= 3
    left = run(*common, "--dominance", "left", "--external")
    assert left.exit_code == 0 and Coding.model_validate_json(left.stdout).encounter == "subsequent"


@pytest.mark.parametrize(
    ("data", "part"),
    [
        (b"", "is empty"),
        (b" \n\t", "is empty"),
        (b"knee\0pain", "NUL"),
        (b"\xff\xfek\0", "UTF-16"),
        (b"knee \xe9 pain", "byte 5"),
    ],
)
def test_unusable_text_is_one_line(tmp_path: Path, data: bytes, part: str) -> None:
    path = tmp_path / "note.txt"
    path.write_bytes(data)
    fails(run("suggest", path), part)
    fails(run("suggest", "-", stdin=data), part)


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("suggest", "missing.txt"), "missing.txt cannot be read"),
        (("suggest", "."), "is a folder"),
        (("suggest", "note\0.txt"), "cannot be read"),
        (("suggest", "-", "--date", "14.03.2026"), "write YYYY-MM-DD"),
        (("suggest", "-", "--encounter", "later"), "--encounter"),
        (("suggest", "-", "--top", "0"), "--top"),
        (("suggest", "--bogus"), "--bogus"),
        (("bogus",), "bogus"),
        (("audit", "-", "--codes", " , "), "no codes"),
        (("audit", "-", "--codes", "not-a-code"), "not shaped like"),
        (("explain",), "no code was given"),
        (("explain", "Q99.999"), "not a code of edition"),
        (("edition", "show", "FY1999"), "FY1999"),
        (("edition", "import", "missing.xml", "--name", "x", "--from", "2026-01-01", "--to", "2026-12-31"), "missing.xml"),
        (("edition", "import", "a.xml", "--name", "x", "--from", "soon", "--to", "2026-12-31"), "soon"),
        (("batch", "missing.jsonl", "--output", "o.jsonl"), "does not exist"),
        (("batch", ".", "--output", "o.jsonl", "--engine", "steam"), "local"),
        (("bench", "no-such-corpus", "--system", "exact-phrase"), "no-such-corpus"),
        (("bench", "--ablation", "--system", "exact-phrase"), "leave out --system"),
    ],
)
def test_bad_usage_is_one_line(arguments: tuple[str, ...], part: str) -> None:
    fails(run(*arguments, stdin="R knee OA"), part)


def test_long_text_is_refused_and_its_text_is_not_shown(tmp_path: Path) -> None:
    path = tmp_path / "long.txt"
    path.write_text("secretword " * 110_000, encoding="utf-8")
    result = run("suggest", path)
    fails(result, "1210000 characters")
    assert "secretword" not in result.output


@pytest.mark.parametrize("level", ["", "debug", "DEBUG"])
def test_an_unforeseen_error_is_one_line_without_its_message(note: Path, monkeypatch: pytest.MonkeyPatch, level: str) -> None:
    def broken(self: Coder, note: object, **_: object) -> object:
        raise RuntimeError("secretword")

    monkeypatch.setattr(Coder, "suggest", broken)
    monkeypatch.setenv("THERACODE_LOG_LEVEL", level)
    result = run("suggest", note)
    fails(result, "unforeseen RuntimeError in this command")
    assert "secretword" not in result.output
    place = "at ui/test_cli.py:"
    assert (place in result.stderr, "THERACODE_LOG_LEVEL=debug shows where" in result.stderr) == (bool(level), not level)


@pytest.mark.parametrize("text", ["12345 678", "😀😀", "Der Patient klagt über Knieschmerzen.", "a" * 5000])
def test_odd_text_is_a_coding(text: str) -> None:
    result = run("suggest", "-", "--format", "json", "--date", "2026-03-14", stdin=text)
    assert result.exit_code == 0
    assert Coding.model_validate_json(result.stdout).edition == "FY2026-April"


def test_audit_tells_errors_by_its_exit_code(note: Path) -> None:
    clean = run("audit", note, "--codes", "M17.11", "--date", "2026-03-14")
    assert clean.exit_code == 0
    wrong = run("audit", note, "--codes", "M17.1;M17.12", "--date", "2026-03-14", "--format", "json")
    assert wrong.exit_code == 1
    report = json.loads(wrong.stdout)
    assert {finding["code"] for finding in report["findings"] if finding["severity"] == "error"} >= {"M17.1"}
    table = run("audit", note, "--codes", "M17.1", "--date", "2026-03-14")
    assert table.exit_code == 1 and "error M17.1" in table.stdout


def test_explain_takes_a_code_apart() -> None:
    shown = run("explain", "s52521a", "--date", "2026-03-14")
    assert shown.exit_code == 0 and "A: initial encounter for closed fracture" in shown.stdout
    parts = json.loads(run("explain", "S52.521A", "--date", "2026-03-14", "--format", "json").stdout)
    assert (parts["category"], parts["detail"], parts["extension"], parts["billable"]) == ("S52", "521", "A", True)


def test_explain_lists_the_rules() -> None:
    rules = json.loads(run("explain", "--rules", "--format", "json").stdout)
    assert all(rule["source"] and rule["statement"] for rule in rules)
    assert rules[0]["id"] in run("explain", "--rules").stdout


def test_bench_prints_a_table_and_writes_a_report(tmp_path: Path) -> None:
    corpus = tmp_path / "own.jsonl"
    gold = {"id": "a", "text": "R knee OA", "primary": ["M17.11"], "required": [{"accept": ["M17.11"], "role": "diagnosis",
            "evidence": "R knee OA", "why": "stated"}], "optional": [], "forbidden": []}  # fmt: skip
    corpus.write_text(json.dumps(gold) + "\n", encoding="utf-8")
    result = run("bench", corpus, "--system", "theracode", "--report", tmp_path / "report")
    assert result.exit_code == 0 and "recall@5" in result.stdout and "[bold]" not in result.stdout
    assert (tmp_path / "report" / "bench.json").exists() and "bench.html" in "".join(result.stderr.split())
    shown = json.loads(run("bench", corpus, "--system", "theracode", "--format", "json").stdout)
    assert shown["notes"] == 1 and shown["systems"][0]["name"] == "theracode"
    worst = run("bench", corpus, "--worst", "3").stdout
    assert "where 0 of 1 required groups were lost" in " ".join(worst.split()) and "candidates" in worst


def test_bench_shows_parts_switched_off(tmp_path: Path) -> None:
    corpus = tmp_path / "own.jsonl"
    corpus.write_text(json.dumps({"id": "a", "text": "R knee OA", "required": [{"accept": ["M17.11"]}]}) + "\n", encoding="utf-8")
    result = run("bench", corpus, "--ablation", "--report", tmp_path / "report")
    assert result.exit_code == 0 and "without-facets" in result.stdout
    assert "| without-rules | 1.00 |" in (tmp_path / "report" / "ablation.md").read_text(encoding="utf-8")


def test_bench_negation_measures_marked_sentences(tmp_path: Path) -> None:
    result = run("bench", "negation", "--report", tmp_path)
    assert result.exit_code == 0 and "held out" in result.stdout and "hypothetical" in result.stdout
    sets = {part["name"]: part for part in json.loads((tmp_path / "negation.json").read_text(encoding="utf-8"))["sets"]}
    assert sets["development"]["readers"]["theracode"]["negated"]["f1"] >= 0.97
    assert sets["development"]["readers"]["theracode"]["historical"]["f1"] >= 0.8


def test_editions_are_listed_and_shown() -> None:
    listed = json.loads(run("edition", "list", "--format", "json").stdout)
    assert {"FY2026-April", "FY2027"} <= {edition["name"] for edition in listed}
    assert "FY2027" in run("edition", "list").stdout
    shown = json.loads(run("edition", "show", "--date", "2026-03-14", "--format", "json").stdout)
    assert shown["name"] == "FY2026-April" and shown["billable_codes"] == 74719
    outside = run("edition", "show", "--date", "1999-01-01")
    assert outside.exit_code == 0 and "No code-set edition covers 1999-01-01" in outside.stderr


def test_help_is_fast_and_loads_no_model() -> None:
    script = "import sys, ui.cli; print([m for m in ('spacy', 'streamlit', 'pydantic', 'pandas', 'sklearn') if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, cwd=ROOT, check=True)
    assert result.stdout.strip() == b"[]"
    shown = process("--help")
    assert shown.returncode == 0 and b"suggest" in shown.stdout and b"batch" in shown.stdout


def test_suggest_imports_neither_pages_nor_tables() -> None:
    script = (
        "import sys; from ui.cli import app\n"
        "try: app(['suggest', '-', '--date', '2026-03-14', '--format', 'json'])\n"
        "except SystemExit as end: assert end.code == 0\n"
        "bad = [m for m in ('streamlit', 'pandas', 'pyarrow', 'altair', 'sqlalchemy') if m in sys.modules]\n"
        "print(bad, file=sys.stderr)"
    )
    result = subprocess.run([sys.executable, "-c", script], input=b"R knee OA", capture_output=True, cwd=ROOT, check=True)
    assert result.stderr.strip() == b"[]"


@pytest.mark.parametrize(("arguments", "code"), [(("suggest", "missing"), 2), (("--nope",), 2), ((), 2)])
def test_the_process_ends_with_the_exit_code(arguments: tuple[str, ...], code: int) -> None:
    result = process(*arguments)
    assert result.returncode == code and b"Traceback" not in result.stderr and result.stderr


def test_a_reader_that_stops_early_is_no_error() -> None:
    command = f"{sys.executable} -m ui.cli explain --rules --format json | head -c 10; exit ${{PIPESTATUS[0]}}"
    result = subprocess.run(["/bin/bash", "-c", command], capture_output=True, cwd=ROOT)
    assert b"Traceback" not in result.stderr and result.returncode == 0
