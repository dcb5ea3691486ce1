"""What leaves theracode: JSON, CSV, a page to print, and FHIR resources that validate."""

from __future__ import annotations

import csv
import io
import json
from datetime import date

import pytest
from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.condition import Condition

from models.coding import Coding, Evidence, Suggestion
from ui import export

TEXT = "=cmd <script> R knee Ⓡ"
CODING = Coding(
    id="n<1>", edition="FY2026-April", date_of_service=date(2026, 3, 14), encounter="subsequent",
    suggestions=[
        Suggestion(rank=1, code="M17.11", title="Unilateral primary osteoarthritis, right knee", probability=0.93,
                   status="recommended", role="diagnosis", evidence=[Evidence(start=0, end=len(TEXT), text=TEXT)], reasons=[]),
        Suggestion(rank=2, code="R26.2", title="Difficulty in walking, not elsewhere classified", probability=0.4,
                   status="alternative", role="symptom", evidence=[], reasons=[]),
    ],
    sequence=["M17.11"], notices=["a & b"], questions=[],
)  # fmt: skip
BOTH = ["R26.2", "M17.11"]


def test_a_json_line_is_ascii_and_gives_the_coding_back() -> None:
    line = export.json_line(CODING)
    assert "\n" not in line and line.isascii()
    assert Coding.model_validate_json(line) == CODING
    assert list(json.loads(line)) == [
        "id", "edition", "date_of_service", "encounter", "suggestions", "sequence", "notices", "questions",
    ]  # fmt: skip


def test_the_order_of_the_claim_is_kept() -> None:
    assert [item.code for item in export.chosen(CODING)] == ["M17.11"]
    assert [item.code for item in export.chosen(CODING, [*BOTH, "Z00.0"])] == BOTH
    assert [row["code"] for row in json.loads(export.to_json(CODING, BOTH))["codes"]] == BOTH


def test_csv_cells_cannot_run_as_formulas() -> None:
    rows = list(csv.DictReader(io.StringIO(export.to_csv(CODING, BOTH), newline="")))
    assert [(row["position"], row["code"]) for row in rows] == [("1", "R26.2"), ("2", "M17.11")]
    assert rows[1]["evidence"] == f"'{TEXT}" and rows[1]["edition"] == "FY2026-April"


def test_the_page_to_print_escapes_and_loads_nothing() -> None:
    page = export.to_html(CODING)
    assert "<script>" not in page and "&lt;script&gt;" in page and "n&lt;1&gt;" in page and "a &amp; b" in page
    assert "http" not in page and "src=" not in page


@pytest.mark.parametrize("patient", ["", "Patient/42"])
def test_each_code_is_a_valid_fhir_condition(patient: str) -> None:
    bundle = Bundle.model_validate_json(export.to_fhir(CODING, BOTH, patient=patient))
    assert bundle.type == "collection" and len(bundle.entry) == 2
    resource = bundle.entry[1].resource
    assert isinstance(resource, Condition)
    coded = resource.code.coding[0]
    assert (coded.system, coded.code, coded.version) == ("http://hl7.org/fhir/sid/icd-10-cm", "M17.11", "FY2026-April")
    assert resource.subject.reference == (patient or None)
    assert resource.evidence[0].code[0].text == TEXT
    assert resource.category[0].coding[0].code == "encounter-diagnosis"


def test_an_empty_claim_is_a_bundle_without_entries() -> None:
    text = export.to_fhir(CODING, [])
    assert "entry" not in json.loads(text), "FHIR forbids empty lists"
    assert Bundle.model_validate_json(text).entry is None
