"""Codings in the forms that leave theracode: JSON lines, CSV, a printable summary, and FHIR R4 Condition resources."""

from __future__ import annotations

import csv
import html
import io
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ui.view import claim_list_of

if TYPE_CHECKING:
    from models.coding import Coding, Suggestion

ICD10CM = "http://hl7.org/fhir/sid/icd-10-cm"
CONDITION_CATEGORY = "http://terminology.hl7.org/CodeSystem/condition-category"
CONDITION_CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
CONDITION_VERIFIED = "http://terminology.hl7.org/CodeSystem/condition-ver-status"


def json_line(coding: Coding) -> str:
    """One coding on one line, ASCII only, fields in the order of the contract."""
    return json.dumps(coding.model_dump(mode="json"), ensure_ascii=True)


def chosen(coding: Coding, codes: Sequence[str] | None = None) -> list[Suggestion]:
    """The suggestions to export: those of ``codes`` in that order, or the recommended ones."""
    if codes is None:
        return coding.recommended
    by_code = {suggestion.code: suggestion for suggestion in coding.suggestions}
    return [by_code[code] for code in codes if code in by_code]


def to_json(coding: Coding, codes: Sequence[str] | None = None) -> str:
    """The claim list as an indented JSON object: edition, date, and each code with its list (medical, treatment) and evidence."""
    rows = [
        {
            "position": position,
            "list": claim_list_of(item.code),
            **item.model_dump(mode="json", include={"code", "title", "role", "probability", "evidence"}),
        }
        for position, item in enumerate(chosen(coding, codes), start=1)
    ]
    head = coding.model_dump(mode="json", include={"id", "edition", "date_of_service", "encounter"})
    return json.dumps({**head, "codes": rows}, ensure_ascii=True, indent=2) + "\n"


def _cell(value: str) -> str:
    """A cell that a spreadsheet shows and never runs as a formula."""
    return f"'{value}" if value.startswith(("=", "+", "-", "@", "\t", "\r")) else value


def to_csv(coding: Coding, codes: Sequence[str] | None = None) -> str:
    """The claim list as CSV, first-listed code first."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    columns = "position code title list role probability evidence note_id date_of_service edition"
    writer.writerow(columns.split())
    for position, item in enumerate(chosen(coding, codes), start=1):
        evidence = " | ".join(piece.text for piece in item.evidence)
        writer.writerow(
            [
                position, item.code, item.title, claim_list_of(item.code), item.role, f"{item.probability:.4f}", _cell(evidence),
                _cell(coding.id), coding.date_of_service.isoformat(), coding.edition,
            ]
        )  # fmt: skip
    return buffer.getvalue()


_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Coding summary {id}</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; color: #17201f; margin: 2.5rem auto; max-width: 46rem; padding: 0 1rem; }}
h1 {{ font-size: 1.3rem; margin: 0 0 .25rem; }}
p.head {{ color: #4a5755; margin: 0 0 1.5rem; }}
table {{ border-collapse: collapse; width: 100%; }}
th, td {{ border-bottom: 1px solid #cdd6d4; padding: .5rem .6rem .5rem 0; text-align: left; vertical-align: top; }}
th {{ font-weight: 600; color: #4a5755; }}
td.code {{ font-family: ui-monospace, monospace; white-space: nowrap; font-weight: 600; }}
footer {{ margin-top: 2rem; color: #4a5755; font-size: .85rem; }}
@media print {{ body {{ margin: 0; max-width: none; }} tr {{ break-inside: avoid; }} }}
</style>
</head>
<body>
<h1>Coding summary</h1>
<p class="head">Note {id} · date of service {date} · {encounter} encounter · ICD-10-CM {edition}</p>
<table>
<thead><tr><th>#</th><th>Code</th><th>Title</th><th>Diagnosis</th><th>Evidence in the note</th></tr></thead>
<tbody>
{rows}
</tbody>
</table>
{extra}<footer>Chosen by the clinician from the suggestions of theracode. The first code is the first-listed diagnosis.</footer>
</body>
</html>
"""


def to_html(coding: Coding, codes: Sequence[str] | None = None) -> str:
    """A self-contained page to print or keep; every text is escaped."""
    rows = []
    for position, item in enumerate(chosen(coding, codes), start=1):
        evidence = "<br>".join(f"“{html.escape(piece.text)}”" for piece in item.evidence)
        rows.append(
            f"<tr><td>{position}</td><td class='code'>{html.escape(item.code)}</td>"
            f"<td>{html.escape(item.title)}</td><td>{claim_list_of(item.code)}</td><td>{evidence}</td></tr>"
        )
    extra = ""
    if coding.notices:
        items = "".join(f"<li>{html.escape(notice)}</li>" for notice in coding.notices)
        extra = f"<h2 style='font-size:1rem'>Notices</h2>\n<ul>{items}</ul>\n"
    return _PAGE.format(
        id=html.escape(coding.id),
        date=coding.date_of_service.isoformat(),
        encounter=html.escape(coding.encounter),
        edition=html.escape(coding.edition),
        rows="\n".join(rows),
        extra=extra,
    )


def condition(coding: Coding, item: Suggestion, position: int, patient: str = "") -> dict[str, Any]:
    """One FHIR R4 Condition of category ``encounter-diagnosis``.

    Parameters
    ----------
    coding : Coding
        Gives the edition (as ``version`` of the code system) and the date of service.
    item : Suggestion
        The code.
    position : int
        Place on the claim, 1 for first-listed; part of the resource's id.
    patient : str
        Reference such as ``Patient/42``; without one the subject carries only a display text, as R4 allows.
    """
    resource: dict[str, Any] = {
        "resourceType": "Condition",
        "id": f"condition-{position}",
        "clinicalStatus": {"coding": [{"system": CONDITION_CLINICAL, "code": "active"}]},
        "verificationStatus": {"coding": [{"system": CONDITION_VERIFIED, "code": "confirmed"}]},
        "category": [{"coding": [{"system": CONDITION_CATEGORY, "code": "encounter-diagnosis"}]}],
        "code": {
            "coding": [{"system": ICD10CM, "version": coding.edition, "code": item.code, "display": item.title}],
            "text": item.title,
        },
        "subject": {"reference": patient} if patient else {"display": "Patient of the note"},
        "recordedDate": coding.date_of_service.isoformat(),
    }
    evidence = [{"code": [{"text": piece.text}]} for piece in item.evidence if piece.text.strip()]
    if evidence:
        resource["evidence"] = evidence
    return resource


def to_fhir(coding: Coding, codes: Sequence[str] | None = None, *, patient: str = "") -> str:
    """A FHIR R4 Bundle of type ``collection`` with one Condition for each code, first-listed first."""
    entries = [
        {"resource": condition(coding, item, position, patient)} for position, item in enumerate(chosen(coding, codes), start=1)
    ]
    bundle: dict[str, Any] = {"resourceType": "Bundle", "type": "collection"}
    if entries:
        bundle["entry"] = entries
    return json.dumps(bundle, ensure_ascii=True, indent=2) + "\n"
