"""The catalogue: complete, cited, and its citations stand in the official guidelines."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import theracode
from lexicon.codes.registry import load_edition
from lexicon.errors import LexiconError
from lexicon.tables import split_cell
from models.audit import AuditFinding, audit
from models.rules.catalog import Rule, Ruling, rule, rules

GUIDELINES = Path(__file__).resolve().parents[4] / "shared" / "data" / "icd10cm_guidelines_fy2026.txt"
REFERENCE = re.compile(r"\b(?:II|IV|I)\.[A-Z](?:\.\w+)*")
SECTIONS = {"I": "Section I.", "II": "Section II.", "III": "Section III.", "IV": "Section IV."}


def test_ids_are_unique_and_every_rule_is_complete() -> None:
    listed = rules()
    assert len({r.id for r in listed}) == len(listed) > 40
    assert all(r.statement.endswith(".") and "\n" not in r.statement for r in listed)


@pytest.mark.parametrize(
    "rule_id",
    ["combination-code", "stroke-sequela", "condition-gone", "integral-symptom", "excludes1", "excludes2", "code-first"],
)
def test_rules_that_verdicts_name_exist(rule_id: str) -> None:
    assert rule(rule_id).id == rule_id


def test_unknown_rule_is_one_clear_line() -> None:
    with pytest.raises(LexiconError, match="there is no rule 'nonsense'"):
        rule("nonsense")


def test_ruling_becomes_a_verdict() -> None:
    verdict = Ruling("falls", "prefer", "R29.6", "why", "I.C.18.d", ("Z91.81",)).verdict()
    assert (verdict.id, verdict.text, verdict.source, verdict.blocked_by) == ("falls", "why", "I.C.18.d", ["Z91.81"])


def test_codes_of_the_examples_exist() -> None:
    known = [load_edition(name) for name in ("FY2026-April", "FY2027")]
    for entry in rules():
        for code in re.findall(r"\b[A-Z]\d[0-9A-Z]\.[0-9A-Z]+", entry.example):
            assert any(code in edition for edition in known), (entry.id, code)


OPTION = re.compile(r"\[(\w+)(?: ([^\]]+))?\] ")


@pytest.mark.parametrize("entry", rules(), ids=lambda entry: entry.id)
def test_the_example_of_each_rule(entry: Rule) -> None:
    """The note of the table gives what the table says that it shows."""
    options: dict[str, str] = {name: value or "yes" for name, value in OPTION.findall(entry.note)}
    fields: dict[str, Any] = {
        "text": OPTION.sub("", entry.note),
        "date_of_service": options.get("date", "2026-03-14"),
        "external_causes": "external" in options,
        "age": float(options["age"]) if "age" in options else None,
        "sex": options.get("sex", ""),
    }
    coder = theracode.load()
    note = theracode.Note.model_validate(fields)
    coding = coder.suggest(note, top=100)
    findings = audit(note, options["audit"].split(","), coder).findings if "audit" in options else []
    for claim in split_cell(entry.shows):
        assert holds(claim, entry.id, coding, findings), (claim, coding.sequence, coding.notices, coding.questions, findings)


def holds(claim: str, rule_id: str, coding: theracode.Coding, findings: list[AuditFinding]) -> bool:
    """Whether a coding shows what a claim says: see ``Rule`` for the forms."""
    words = claim.split(" ")
    match words[0]:
        case "not":
            return words[1] not in coding.sequence
        case "blocked":
            return any(s.code == words[1] and s.rule is not None and s.rule.id == rule_id for s in coding.suggestions)
        case "asks" | "tells":
            said = coding.questions if words[0] == "asks" else coding.notices
            return any(" ".join(words[1:]) in text for text in said)
        case "finds":
            return any(f.kind == words[1] and set(words[2:]) <= set(f.correction) and f.citation for f in findings)
    if words[-1] == "first":
        return coding.sequence[:1] == words[:1]
    places = [coding.sequence.index(code) if code in coding.sequence else -1 for code in words[::2]]
    return min(places) >= 0 and places == sorted(places)


def headings(text: str) -> set[str]:
    """Every section of the guidelines as a path such as I.C.19.a.

    The running text numbers its levels A., 1., a., 1), (a), (i). A heading continues its level or begins one; a line that
    does neither (a list item of prose) is passed over.
    """
    body = text[text.index("\nA. Conventions for the ICD-10-CM\nThe conventions") :]
    found: set[str] = set()
    section, path = "I", [""] * 5
    levels = (r"([A-Z])\. \S", r"(\d+)\. \S", r"([a-z])\. \S", r"(\d+)\) \S", r"\(([a-z])\) \S")
    for line in body.splitlines():
        for number, name in (("II", "Section II. "), ("III", "Section III. "), ("IV", "Section IV. ")):
            if line.startswith(name):
                section, path = number, [""] * 5
        for depth, pattern in enumerate(levels):
            match = re.match(pattern, line)
            if match is None or not _continues(path[depth], match.group(1)):
                continue
            path = [*path[:depth], match.group(1), *[""] * (4 - depth)]
            found.add(".".join([section, *(part for part in path if part)]))
            break
    return found


def _continues(before: str, now: str) -> bool:
    if not before:
        return now in {"1", "a", "A"}
    if now.isdigit() and before.isdigit():
        return int(now) == int(before) + 1
    return now.isalpha() and before.isalpha() and ord(now) == ord(before) + 1


@pytest.mark.skipif(not GUIDELINES.exists(), reason="the text of the guidelines is not beside the repository")
def test_cited_sections_stand_in_the_guidelines() -> None:
    """Every section that a rule cites is a heading of the FY2026 guidelines."""
    known = headings(GUIDELINES.read_text(encoding="utf-8"))
    cited = {(entry.id, reference) for entry in rules() for reference in REFERENCE.findall(entry.source)}
    assert len(cited) > 50
    assert len(known) > 250
    assert {"I.C.18.z", "I.C.23", "II.Z"}.isdisjoint(known)
    assert {(name, reference) for name, reference in cited if reference not in known} == set()
