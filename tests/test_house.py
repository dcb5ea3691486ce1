"""The house itself: imports point one way, the documents tell the truth, and tracked files speak of the project alone."""

from __future__ import annotations

import ast
import doctest
import importlib
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from docs import dependencies
from models.coding import Coding
from ui.cli import app

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("lexicon", "nlp", "models", "corpora", "ui")
DOCUMENTS = (
    "README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/architecture.md", "docs/robustness.md", "docs/scale.md",
    "docs/security.md", "docs/benchmark.md", "docs/corpus.md", "docs/shared-server.md",
)  # fmt: skip
# In pieces, so that this file does not hold what it forbids.
FORBIDDEN = re.compile(
    "|".join(
        [
            r"(?<![\w.])/wor" + "k/",
            "/roo" + "t/",
            r"/hom" + r"e/\w+/",
            "py" + r"pi\.org",
            "python" + "hosted",
            "registry" + r"\.npmjs",
        ]
    )
)


def tracked() -> list[Path]:
    """Files under version control; in an unpacked sdist, all files of the project."""
    if (ROOT / ".git").exists():
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True).stdout  # noqa: S607
        return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]
    return [path for folder in (*PACKAGES, "tests", "docs") for path in (ROOT / folder).rglob("*") if path.is_file()]


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def modules() -> list[str]:
    """Importable names of every module of the packages, and the front door."""
    names = ["theracode"]
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            if "screens" not in parts and path.name != "app.py":  # scripts that Streamlit runs
                names.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return names


def test_imports_point_one_way() -> None:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_front_door_only_hands_on() -> None:
    tree = ast.parse((ROOT / "theracode.py").read_text(encoding="utf-8"))
    sources = {node.module.split(".")[0] for node in tree.body if isinstance(node, ast.ImportFrom) and node.module}
    assert sources <= {"__future__", "models", "nlp", "lexicon"}
    kinds = {type(node) for node in tree.body}
    assert kinds <= {ast.Expr, ast.ImportFrom, ast.Assign}
    door = importlib.import_module("theracode")
    assert all(hasattr(door, name) for name in door.__all__)


@pytest.mark.parametrize("name", modules())
def test_every_module_can_be_imported(name: str) -> None:
    assert isinstance(importlib.import_module(name), ModuleType)


def test_help_names_every_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ui.cli", "--help"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0
    for command in get_command(app).commands:  # type: ignore[attr-defined]
        assert re.search(rf"^  {command}\b", done.stdout, re.MULTILINE), command


def test_the_console_script_is_the_command_line() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    module, _, function = project["scripts"]["theracode"].partition(":")
    assert callable(getattr(importlib.import_module(module), function))


@pytest.mark.parametrize("document", [*DOCUMENTS, ".ci/run"])
def test_commands_in_documents_exist(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    for line in re.findall(r"(?:^ {4}|`|exec )make ([a-z][a-z ]*)", text, re.MULTILINE):
        assert set(line.split("  ")[0].split()) <= make_targets(), line
    known = get_command(app).commands  # type: ignore[attr-defined]
    for command in re.findall(r"(?:`|bin/)theracode ([a-z]+)", text):
        assert command in known, command


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_in_documents_lead_somewhere(document: str) -> None:
    path = ROOT / document
    for target in re.findall(r"\]\(([^)#:]+)\)", path.read_text(encoding="utf-8")):
        assert (path.parent / target).exists(), target


def test_paths_named_in_documents_exist() -> None:
    named = {
        name
        for document in DOCUMENTS
        for name in re.findall(
            r"`((?:lexicon|nlp|models|corpora|ui|tests|docs)/[\w./]+)`", (ROOT / document).read_text(encoding="utf-8")
        )
    }
    assert named
    missing = {name for name in named if not (ROOT / name).exists() and "fy2028" not in name}  # the edition of an example
    assert not missing


def test_the_python_of_the_readme_runs() -> None:
    failed, tried = doctest.testfile(str(ROOT / "README.md"), module_relative=False)
    assert tried > 0
    assert failed == 0


def test_the_commands_of_the_readme_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command of the table, as it stands there; what trains, measures for minutes or opens a page is tested elsewhere."""
    monkeypatch.chdir(tmp_path)
    Path("note.txt").write_text("R knee OA, generalized weakness.", encoding="utf-8")
    Path("notes.csv").write_text("id,text\na,R knee OA\n", encoding="utf-8")
    commands = re.findall(r"^\| `theracode ([^`]+)`", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    run = [command for command in commands if command.split()[0] not in {"bench", "speed", "train", "app"}]
    assert len(run) >= 5
    for command in run:
        result = CliRunner().invoke(app, command.replace("--workers 2", "--workers 1").split())
        assert result.exit_code == (1 if command.startswith("audit") else 0), command
    assert Path("codes.jsonl").read_text(encoding="utf-8").count("\n") == 1


def test_the_json_of_the_readme_is_a_coding() -> None:
    blocks = re.findall(r"```json\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert blocks
    for block in blocks:
        coding = Coding.model_validate_json(block)
        assert coding.sequence[0] == coding.suggestions[0].code


def test_tracked_files_speak_of_the_project_alone() -> None:
    found = []
    for path in tracked():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{path.relative_to(ROOT)}: {match.group()}" for match in FORBIDDEN.finditer(text)]
    assert found == []


def test_ci_runs_only_what_a_user_could_run() -> None:
    script = ROOT / ".ci" / "run"
    lines = script.read_text(encoding="utf-8").splitlines()
    assert lines[-1] == "exec make lint test"
    assert os.access(script, os.X_OK)


def test_every_locked_package_has_a_hash_and_a_licence_that_permits() -> None:
    """The licence page and the bill of materials are those of the lock."""
    permits = {
        "MIT",
        "MIT-0",
        "Apache-2.0",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "ISC",
        "PSF-2.0",
        "MPL-2.0",
        "MIT-CMU",
        "0BSD",
        "Zlib",
        "CC0-1.0",
    }
    packages = dependencies.locked()
    page = (ROOT / "docs" / "licences.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([\w.-]+) \| ([\d.]+) \| (.+) \|$", page, re.MULTILINE)
    assert [(name, version) for name, version, _ in rows] == [(name, version) for name, version, _ in packages]
    assert all(sums for _, _, sums in packages)
    assert {word for _, _, licence in rows for word in re.split(r" (?:AND|OR) ", licence)} <= permits
    bill = json.loads(dependencies.bill())
    assert [item["name"] for item in bill["components"]] == [name for name, _, _ in packages]


def test_the_lock_holds_everything_that_the_project_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = {re.split(r"[^\w.-]", name)[0] for name in project["dependencies"]}
    assert asked <= {name for name, _, _ in dependencies.locked()}


def test_no_code_is_run_from_data() -> None:
    """No pickle, no eval: neither ours nor, where models are read, that of a library."""
    forbidden = {"pickle", "cPickle", "dill", "shelve", "marshal", "joblib", "cloudpickle"}
    found = []
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                called = node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""
                found += [f"{path.name}: {name}" for name in names if name.split(".")[0] in forbidden]
                found += [f"{path.name}: {called}"] if called in {"eval", "exec", "compile"} else []
    assert found == []


def test_the_lock_has_the_versions_of_the_constraints() -> None:
    def pins(name: str) -> dict[str, str]:
        found = re.findall(r"^([\w.-]+)==(\S+)", (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE)
        return {re.sub(r"[-_.]+", "-", package).lower(): version for package, version in found}

    constraints, lock = pins("constraints.txt"), pins("requirements.lock")
    assert lock
    assert lock.items() <= constraints.items()
