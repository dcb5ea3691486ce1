"""The recipes of CONTRIBUTING.md, followed as they are written, in a copy of the tree."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TREE = ("lexicon", "nlp", "models", "corpora", "ui", "tests", "theracode.py", "pyproject.toml", "CONTRIBUTING.md")
IN_2027 = ("--date", "2027-11-01")

Run = Callable[..., str]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project in which a term, a rule and an edition were added as the recipes say."""
    tree = tmp_path_factory.mktemp("contributing") / "theracode"
    tree.mkdir()
    for name in TREE:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, tree / name)
    # a term: words for a concept that exists, a concept that does not, a sentence
    neuro = (tree / "lexicon/terms/neuro.tsv").read_text(encoding="utf-8")
    assert "\tcarpal tunnel syndrome|" in neuro
    neuro = neuro.replace("\tcarpal tunnel syndrome|", "\tcarpal tunnel syndrome|keyboard wrist|")
    neuro = neuro.rstrip("\n") + "\nzorbel_palsy\tdiagnosis\tzorbel palsy|zorbel's palsy\tG56.2\telbow\t\tinvented for a test\n"
    (tree / "lexicon/terms/neuro.tsv").write_text(neuro, encoding="utf-8")
    with (tree / "tests/nlp/sentences.txt").open("a", encoding="utf-8") as sentences:
        sentences.write("side\tL <f side=left>zorbel palsy</f> x 2 wks.\n")
    # a rule
    with (tree / "lexicon/rules.tsv").open("a", encoding="utf-8") as rules:
        rules.write(
            "plausible-zorbel\tplausibility\tNo ulnar lesion in infants.\tinvented for a test\tG56.22 at 1 year\t"
            "[age 1] L zorbel palsy.\tblocked G56.22\n"
        )
    with (tree / "lexicon/plausibility.tsv").open("a", encoding="utf-8") as rows:
        rows.write("plausible-zorbel\tG56.2\t\t\t2\t\tblock\tan ulnar lesion in an infant\tinvented for a test\n")
    # an edition
    (tree / "lexicon/codes/changes_fy2028.tsv").write_text(
        "action\tcode\tbillable\ttitle\ndelete\tG56.02\t1\tCarpal tunnel syndrome, left upper limb\n"
        "add\tG56.02\t0\tCarpal tunnel syndrome, left upper limb\nadd\tG56.021\t1\tMild carpal tunnel syndrome\n",
        encoding="utf-8",
    )
    with (tree / "lexicon/codes/editions.tsv").open("a", encoding="utf-8") as editions:
        editions.write("FY2028\t2027-10-01\t2028-09-30\tchanges_fy2027.tsv|changes_fy2028.tsv\ta test\tnotes of 2026\n")
    return tree


@pytest.fixture(scope="module")
def run(tree: Path) -> Run:
    """A Python module of the copy, with its own folders; gives what it printed."""

    def run(module: str, *arguments: str, text: str = "", code: int = 0) -> str:
        folders = {f"THERACODE_{name}_DIR": str(tree.parent / name.lower()) for name in ("CACHE", "DATA")}
        done = subprocess.run(
            [sys.executable, "-m", module, *arguments], cwd=tree, input=text, capture_output=True, text=True, check=False,
            env={**os.environ, **folders, "PYTHONPATH": str(tree)},
        )  # fmt: skip
        assert done.returncode == code, done.stdout[-2_000:] + done.stderr[-2_000:]
        return done.stdout

    return run


@pytest.fixture(scope="module")
def coded(run: Run, tree: Path) -> dict[str, dict[str, str]]:
    """Note -> its codes -> their status, or the rule that blocks them."""
    notes = {
        "new": "L zorbel palsy x 2 wks.",
        "known": "R keyboard wrist.",
        "infant": "1-year-old boy with L zorbel palsy.",
        "adult": "30-year-old man with L zorbel palsy.",
    }
    (tree / "in.jsonl").write_text("".join(json.dumps({"id": k, "text": v}) + "\n" for k, v in notes.items()), encoding="utf-8")
    run("ui.cli", "batch", "in.jsonl", "--output", "out.jsonl", *IN_2027)
    codings = [json.loads(line) for line in (tree / "out.jsonl").read_text(encoding="utf-8").splitlines()]
    return {
        coding["id"]: {s["code"]: s["rule"]["id"] if s["rule"] else s["status"] for s in coding["suggestions"]}
        for coding in codings
    }


def test_every_recipe_has_at_most_ten_lines() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    recipes = re.findall(r"^## (Add an? \w+)\n\n(.*?)\n\n(?=##)", text, re.MULTILINE | re.DOTALL)
    assert [name for name, _ in recipes] == ["Add a term", "Add a rule", "Add an edition", "Add a corpus"]
    assert all(lines.count("\n") < 10 for _, lines in recipes)


def test_add_a_term(coded: dict[str, dict[str, str]]) -> None:
    assert coded["new"]["G56.22"] == "recommended"
    assert coded["known"]["G56.01"] == "recommended"


def test_add_a_rule(run: Run, coded: dict[str, dict[str, str]]) -> None:
    assert coded["infant"]["G56.22"] == "plausible-zorbel"
    assert coded["adult"]["G56.22"] == "recommended"
    assert "plausible-zorbel" in run("ui.cli", "explain", "--rules", "--format", "json")


def test_the_tests_that_the_recipes_name_pass(run: Run) -> None:
    run("pytest", "-q", "-p", "no:cacheprovider", "tests/nlp/test_sentences.py", "tests/models/rules/test_catalog.py")


def test_add_an_edition(run: Run) -> None:
    shown = json.loads(run("ui.cli", "edition", "show", "FY2028", "--format", "json"))
    assert (shown["name"], shown["first"]) == ("FY2028", "2027-10-01")
    assert json.loads(run("ui.cli", "explain", "G56.021", *IN_2027, "--format", "json"))["billable"] is True
    assert json.loads(run("ui.cli", "explain", "G56.02", *IN_2027, "--format", "json"))["billable"] is False
    run("ui.cli", "explain", "G56.021", "--date", "2027-01-01", code=2)


def test_add_a_corpus(run: Run, tree: Path) -> None:
    mine = tree / "mine.csv"
    mine.write_text("id,text,codes,date_of_service\na,L zorbel palsy,G56.22,2027-11-01\n", encoding="utf-8")
    note = {
        "id": "zz-1", "setting": "ortho", "kind": "daily", "style": "shorthand", "date_of_service": "2026-03-14",
        "text": "R knee OA, sore after stairs.", "primary": ["M17.11"],
        "required": [{"accept": ["M17.11"], "role": "diagnosis", "evidence": "R knee OA", "why": "stated"}],
        "optional": [], "forbidden": [],
    }  # fmt: skip
    with (tree / "corpora/therapy/mixed.jsonl").open("a", encoding="utf-8") as corpus:
        corpus.write(json.dumps(note) + "\n")
    check = (
        "from corpora.loaders import load_corpus, load_therapy; from corpora.splits import *\n"
        "from corpora.validate import validate_note\n"
        "notes = load_therapy().notes; ids = {name: read_split(name) for name in SPLIT_NAMES}\n"
        "assert len(load_corpus('mine.csv')) == 1\n"
        "assert [validate_note(note) for note in notes if note.id == 'zz-1'] == [[]]\n"
        "assert verify_splits(notes) == ['zz-1 is in no split']\n"
        "ids['train'].append('zz-1'); write_splits(ids, notes); assert verify_splits(notes) == []\n"
    )
    (tree / "check.py").write_text(check, encoding="utf-8")
    run("check")
