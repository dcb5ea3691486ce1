"""Audit: each kind of finding with its severity, citation and correction, and the exit code of a pipeline."""

from __future__ import annotations

from datetime import date

import pytest

from lexicon.codes.registry import load_edition
from lexicon.errors import InputError
from models.audit import AuditFinding, AuditReport, audit
from models.coder import Coder, load
from models.coding import Note

MARCH = date(2026, 3, 14)


@pytest.fixture(scope="module")
def coder() -> Coder:
    return load()


def report(coder: Coder, text: str, codes: list[str], day: date = MARCH, **known: object) -> AuditReport:
    return audit(Note(text=text, date_of_service=day, **known), codes, coder)  # type: ignore[arg-type]


def of(found: AuditReport, kind: str, code: str = "") -> AuditFinding:
    matching = [f for f in found.findings if f.kind == kind and (not code or f.code == code)]
    assert matching, [(f.kind, f.code) for f in found.findings]
    return matching[0]


def test_a_letter_of_another_table_is_named(coder: Coder) -> None:
    finding = of(report(coder, "torus fx R distal radius, cast off", ["S52.521B"]), "seventh_character")
    assert finding.message == "B is not a 7th character of the code; the nearest table, at S52.52, has A, D, G, K, P, S"


def test_a_partner_cites_the_note_that_asks_for_it(coder: Coder) -> None:
    finding = of(report(coder, "Diabetic foot ulcer right heel", ["E11.621"]), "missing")
    assert finding.citation.endswith("use additional code at E11.621")


def test_right_codes_have_no_findings(coder: Coder) -> None:
    found = report(coder, "Dx: R knee OA.", ["m1711"])
    assert found.codes == ["M17.11"]
    assert found.findings == []
    assert found.exit_code == 0


@pytest.mark.parametrize(
    ("text", "codes", "kind", "severity", "correction"),
    [
        ("Dx: R knee OA.", ["M17.12"], "wrong_side", "error", "M17.11"),
        ("Dx: R knee OA.", ["M17.9"], "less_specific", "warning", "M17.11"),
        ("R knee pain.", ["M25.569"], "less_specific", "warning", "M25.561"),
        ("R knee pain.", ["M25.5"], "not_billable", "error", "M25.561"),
        ("L ankle sprain, PT visit.", ["S93.402A"], "seventh_character", "error", "S93.402D"),
        ("L ankle sprain, PT visit.", ["S93.402"], "seventh_character", "error", "S93.402D"),
        ("Whiplash, PT visit.", ["S13.4D"], "seventh_character", "error", "S13.4XXD"),
        ("Fell down stairs. L ankle sprain, PT visit.", ["S93.402D", "W10.9XXA"], "seventh_character", "error", "W10.9XXD"),
        ("torus fx R distal radius, cast off", ["S52.521B"], "seventh_character", "error", "S52.521D"),
        ("Bilateral knee OA.", ["M17.11", "M17.12"], "wrong_side", "error", "M17.0"),
        ("Alzheimer's disease with dementia", ["F02.80"], "order", "error", "G30.9"),
        ("Diabetic foot ulcer right heel", ["E11.621"], "missing", "warning", "L97.419"),
        ("statin myopathy", ["G72.0"], "missing", "warning", "T46.6X5D"),
        ("Type 1 diabetes with polyneuropathy", ["E11.42"], "unsupported", "warning", "E10.42"),
    ],
)
def test_a_code_and_its_correction(coder: Coder, text: str, codes: list[str], kind: str, severity: str, correction: str) -> None:
    found = report(coder, text, codes)
    finding = of(found, kind)
    assert finding.severity == severity
    assert finding.correction[0] == correction
    assert finding.citation
    assert found.exit_code == int(severity == "error")


@pytest.mark.parametrize(
    ("text", "code", "day", "successor"),
    [
        ("Plantar fasciitis R.", "M72.2", date(2026, 10, 15), "M67.A01"),
        ("Patient with MS, gait training.", "G35", date(2025, 11, 1), "G35.D"),
    ],
)
def test_a_code_of_another_year_and_its_successor(coder: Coder, text: str, code: str, day: date, successor: str) -> None:
    finding = of(report(coder, text, [code], day), "not_in_edition")
    assert finding.severity == "error"
    assert "billable in" in finding.message
    assert successor in finding.correction


def test_the_same_code_is_right_in_its_year(coder: Coder) -> None:
    assert report(coder, "Plantar fasciitis R.", ["M72.2"], date(2026, 9, 15)).exit_code == 0


def test_no_such_code(coder: Coder) -> None:
    assert of(report(coder, "R knee pain.", ["M25.561", "M99.XX"]), "not_in_edition").code == "M99.XX"


def test_unsupported(coder: Coder) -> None:
    finding = of(report(coder, "R knee pain.", ["M25.561", "G81.91"]), "unsupported")
    assert (finding.code, finding.severity, finding.correction) == ("G81.91", "error", [])


def test_integral_symptom_is_cited(coder: Coder) -> None:
    finding = of(report(coder, "Dx: R knee OA with R knee pain.", ["M17.11", "M25.561"]), "unsupported", "M25.561")
    assert "integral-symptom" in finding.citation
    assert finding.correction == ["M17.11"]


def test_excluded_pair_with_its_note(coder: Coder) -> None:
    finding = of(report(coder, "Generalized muscle weakness.", ["M62.81", "R53.1"]), "excluded_pair")
    assert (finding.code, finding.severity, finding.correction) == ("R53.1", "error", ["M62.81"])
    assert "Excludes1 at R53.1: muscle weakness (generalized) (M62.81)" in finding.message


def test_official_notes_that_disagree_are_shown(coder: Coder) -> None:
    finding = of(report(coder, "Sarcopenia, statin myopathy.", ["G72.0", "M62.84"]), "excluded_pair")
    assert finding.severity == "warning"
    assert "Code first at M62.84" in finding.message


@pytest.mark.parametrize(
    ("codes", "code", "severity", "right"),
    [
        (["W19.XXXD", "S93.402D"], "W19.XXXD", "error", ["S93.402D", "W19.XXXD"]),
        (["F02.80", "G20.A1"], "F02.80", "error", ["G20.A1", "F02.80"]),
        (["Z96.651", "M25.661"], "Z96.651", "warning", ["M25.661", "Z96.651"]),
        (["S52.501S", "M24.531"], "S52.501S", "error", ["M24.531", "S52.501S"]),
        (["R13.12", "M17.11", "I69.391"], "R13.12", "error", ["I69.391", "R13.12", "M17.11"]),
        (["S93.402D", "W19.XXXD", "M17.11"], "W19.XXXD", "warning", ["S93.402D", "M17.11", "W19.XXXD"]),
    ],
)
def test_order_of_the_claim(coder: Coder, codes: list[str], code: str, severity: str, right: list[str]) -> None:
    finding = of(report(coder, "PT visit.", codes), "order", code)
    assert finding.severity == severity
    assert finding.correction == right


@pytest.mark.parametrize("codes", [["Z47.1", "Z96.651"], ["G20.A1", "F02.80"], ["S93.402D", "W19.XXXD"], ["Z96.651"]])
def test_an_order_that_is_right(coder: Coder, codes: list[str]) -> None:
    assert [f for f in report(coder, "PT visit.", codes).findings if f.kind == "order"] == []


def test_missing_and_duplicate(coder: Coder) -> None:
    found = report(coder, "Dx: R knee OA. BPPV right ear.", ["M17.11", "M17.11"])
    missing = of(found, "missing")
    assert missing.code == "H81.11"
    assert missing.severity in {"warning", "info"}
    assert of(found, "duplicate").code == "M17.11"


def test_external_causes_need_an_injury_and_their_encounter(coder: Coder) -> None:
    assert "no injury" in of(report(coder, "R knee OA.", ["M17.11", "W19.XXXD"]), "unsupported", "W19.XXXD").message
    late = report(coder, "Fell down stairs. L ankle sprain, PT visit.", ["S93.402D", "W10.9XXD", "Y92.009"])
    assert [f.code for f in late.findings] == ["Y92.009"]
    assert "once" in late.findings[0].message


def test_a_code_that_cannot_apply_to_the_patient(coder: Coder) -> None:
    finding = of(report(coder, "R knee OA.", ["M17.11", "N81.4"], sex="male", age=70), "implausible")
    assert (finding.code, finding.severity) == ("N81.4", "error")


def test_errors_stand_first_and_texts_hold_no_note(coder: Coder) -> None:
    found = report(coder, "Zanzibarsmith has R knee pain.", ["M25.569", "G81.91", "M25.5"])
    severities = [f.severity for f in found.findings]
    assert len(set(severities)) > 1
    assert severities == sorted(severities, key=["error", "warning", "info"].index)
    assert "Zanzibarsmith" not in found.model_dump_json()


def test_corrections_are_billable(coder: Coder) -> None:
    edition = load_edition("FY2026-April")
    found = report(coder, "L hip fracture s/p ORIF. R knee pain.", ["S72.0", "M25.5", "S72.002A", "M25.569"])
    corrections = [code for finding in found.findings for code in finding.correction]
    assert corrections
    assert all(edition.is_billable(code) for code in corrections)


@pytest.mark.parametrize(
    ("codes", "message"), [([], "no codes"), (["knee"], "not shaped like"), (["M17.11;R26"], "not shaped like")]
)
def test_bad_input_is_one_clear_line(coder: Coder, codes: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        audit("R knee pain.", codes, coder)
