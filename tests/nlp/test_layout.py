"""Sections by their headings, sentences by lines, list items and punctuation."""

from __future__ import annotations

import pytest

from nlp import Reader
from nlp.draft import Draft, draft_of

HEADINGS = [
    # SOAP in its spellings
    ("S: knee pain", "subjective"),
    ("S - knee pain", "subjective"),
    ("S) knee pain", "subjective"),
    ("S\nknee pain", "subjective"),
    ("SUBJECTIVE: knee pain", "subjective"),
    ("Subjective\nknee pain", "subjective"),
    ("SUBJECTIVE\n\nknee pain", "subjective"),
    ("# Subjective\nknee pain", "subjective"),
    ("Subj: knee pain", "subjective"),
    ("O: knee pain", "objective"),
    ("Objective Findings: knee pain", "objective"),
    ("Objective (ROM): knee pain", "objective"),
    ("A: knee pain", "assessment"),
    ("A/P: knee pain", "assessment"),
    ("Assessment and Plan: knee pain", "assessment"),
    ("ASSESSMENT\nknee pain", "assessment"),
    ("P: knee pain", "plan"),
    ("Plan of Care: knee pain", "plan"),
    # evaluation templates and physicians
    ("Medical dx: knee pain", "medical_diagnosis"),
    ("Medical Diagnosis: knee pain", "medical_diagnosis"),
    ("Referring Dx: knee pain", "medical_diagnosis"),
    ("Treatment dx: knee pain", "treatment_diagnosis"),
    ("Tx Dx: knee pain", "treatment_diagnosis"),
    ("PT Diagnosis: knee pain", "treatment_diagnosis"),
    ("Dx: knee pain", "diagnosis"),
    ("CC: knee pain", "chief_complaint"),
    ("Chief Complaint: knee pain", "chief_complaint"),
    ("Reason for referral: knee pain", "chief_complaint"),
    ("HPI: knee pain", "history_present"),
    ("HISTORY OF PRESENT ILLNESS: knee pain", "history_present"),
    ("PMH: knee pain", "past_history"),
    ("PMHx: knee pain", "past_history"),
    ("Past Medical History\nknee pain", "past_history"),
    ("PSH: knee pain", "surgical_history"),
    ("FHx: knee pain", "family_history"),
    ("Family History: knee pain", "family_history"),
    ("Social Hx: knee pain", "social_history"),
    ("Medications: knee pain", "medications"),
    ("Allergies: knee pain", "allergies"),
    ("ROS: knee pain", "review_of_systems"),
    ("Red flags: knee pain", "review_of_systems"),
    ("PLOF: knee pain", "prior_level"),
    ("Prior Level of Function: knee pain", "prior_level"),
    ("Precautions: knee pain", "precautions"),
    ("MMT: knee pain", "measurements"),
    ("AROM: knee pain", "measurements"),
    ("X-ray: knee pain", "imaging"),
    ("MRI: knee pain", "imaging"),
    ("Impression: knee pain", "assessment"),
    ("Goals: knee pain", "goals"),
    ("STG: knee pain", "goals"),
    ("LTGs:\nknee pain", "goals"),
    ("Patient Education: knee pain", "education"),
    ("Interventions: knee pain", "interventions"),
    # no heading
    ("A knee pain note", "diagnosis"),
    ("knee pain", "diagnosis"),
    ("S shaped knee pain", "diagnosis"),
    ("The patient says that the knee pain is worse. " * 3, "whole"),
]

SENTENCES = [
    ("Knee pain. Hip pain.", ["Knee pain.", "Hip pain."]),
    ("Seen by Dr. Smith for knee pain.", ["Seen by Dr. Smith for knee pain."]),
    ("Pain 2 yrs. ago in knee", ["Pain 2 yrs. ago in knee"]),
    ("Knee flexion 12.5 deg.Pain at end range", ["Knee flexion 12.5 deg.Pain at end range"]),
    ("knee pain\nhip pain", ["knee pain", "hip pain"]),
    ("Knee pain\n\nhip pain", ["Knee pain", "hip pain"]),
    ("- knee pain\n- hip pain", ["- knee pain", "- hip pain"]),
    ("• knee pain\n• hip pain", ["• knee pain", "• hip pain"]),
    ("1. Knee pain\n2. Hip pain", ["1. Knee pain", "2. Hip pain"]),
    ("1) Knee pain\n2) Hip pain", ["1) Knee pain", "2) Hip pain"]),
    ("Any pain? Yes, in the knee.", ["Any pain?", "Yes, in the knee."]),
    ("Imp: ? radiculopathy", ["Imp:", "? radiculopathy"]),
    (
        "Pt reports pain in the knee when he walks\ndown the stairs of his house",
        ["Pt reports pain in the knee when he walks\ndown the stairs of his house"],
    ),
    (
        "Pt reports pain in the knee, hip and\nankle for two weeks.",
        ["Pt reports pain in the knee, hip and\nankle for two weeks."],
    ),
    (
        "Pt reports pain in the knee when he walks.\nDenies falls.",
        ["Pt reports pain in the knee when he walks.", "Denies falls."],
    ),
    ("", []),
    (" \n\t", []),
]

NOTE = """Pt: 62 y/o
SUBJECTIVE: R knee pain
x 3 wks. Goals: pain < 2/10
PMH:
- stroke
- OA
Plan: continue"""


def draft(reader: Reader, text: str) -> Draft:
    """What tokenizer and layout make of ``text``."""
    return draft_of(reader.nlp.get_pipe("theracode_layout")(reader.nlp.tokenizer(text)))


@pytest.mark.parametrize(("text", "section"), HEADINGS)
def test_heading_gives_the_section(text: str, section: str, reader: Reader) -> None:
    found = draft(reader, text)
    assert found.section_of[found.words.index("knee")] == section


@pytest.mark.parametrize(("text", "sentences"), SENTENCES)
def test_sentences(text: str, sentences: list[str], reader: Reader) -> None:
    found = draft(reader, text)
    assert [found.span_text(start, end) for start, end in found.sentences] == sentences


def test_bare_soap_letters_are_headings_only_where_several_lines_have_them(reader: Reader) -> None:
    several = draft(reader, "S Pt reports knee pain\nO Knee swollen\nA Knee strain\nP Continue")
    assert list(dict.fromkeys(several.section_of)) == ["subjective", "objective", "assessment", "plan"]
    assert set(draft(reader, "A Knee strain").section_of) == {"diagnosis"}


def test_a_template_is_cut_into_its_sections(reader: Reader) -> None:
    found = draft(reader, NOTE)
    assert [section for _, _, section in found.sections] == ["subjective", "goals", "past_history", "plan"]
    assert found.section_of[0] == "header"
    assert [found.words[i] for i, is_heading in enumerate(found.heading) if is_heading] == [
        "subjective", ":", "goal", ":", "pmh", ":", "plan", ":",
    ]  # fmt: skip


@pytest.mark.parametrize("text", [NOTE, "R knee pain, no swelling", "", "\n\n1. OA\n"])
def test_sections_and_sentences_cover_every_token_once(text: str, reader: Reader) -> None:
    found = draft(reader, text)
    count = len(found.words)
    assert [i for start, end in found.sentences for i in range(start, end)] == list(range(count))
    assert [found.sentences[number][0] <= i < found.sentences[number][1] for i, number in enumerate(found.sentence_of)] == [
        True
    ] * count
    assert len(found.section_of) == len(found.heading) == count


def test_list_of_negatives_is_one_list(reader: Reader) -> None:
    reading = reader.read("Denies N/T, HA, dizziness, b/b changes.\nKnee pain with stairs.")
    assertions = {finding.concept: finding.assertion for finding in reading.findings}
    assert assertions["dizziness"] == assertions["headache"] == "negated"
    assert {value for concept, value in assertions.items() if concept != "pain"} == {"negated"} and len(assertions) >= 4
    assert assertions["pain"] == "present"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Pt denies:\n- numbness\n- dizziness", {"numbness": "negated", "dizziness": "negated"}),
        ("Pt denies:\n- numbness\n\n- dizziness", {"numbness": "negated", "dizziness": "present"}),
        ("R/o:\n1. dizziness\n2. numbness", {"numbness": "uncertain", "dizziness": "uncertain"}),
        ("Goals:\n1. decrease dizziness", {"dizziness": "hypothetical"}),
        (
            "PMH: stroke, dizziness\nCC: numbness",
            {"stroke_unspecified": "historical", "dizziness": "historical", "numbness": "present"},
        ),
        ("FHx: dizziness\nS: numbness", {"dizziness": "family", "numbness": "present"}),
    ],
)
def test_section_or_the_line_above_a_list_gives_the_assertion(text: str, expected: dict[str, str], reader: Reader) -> None:
    found = {finding.concept: finding.assertion for finding in reader.read(text).findings}
    assert {concept: found.get(concept) for concept in expected} == expected


WRAPPED = (
    "Patient is a 62 y/o female who reports pain in the right shoulder for three weeks, denies numbness, tingling or dizziness, "
    "and she had a fall from a ladder at home."
)


@pytest.mark.parametrize("width", [40, 60, 80])
def test_wrapping_a_line_does_not_change_what_is_read(width: int, reader: Reader) -> None:
    lines, current = [], ""
    for word in WRAPPED.split():
        if len(current) + len(word) >= width:
            lines.append(current)
            current = word
        else:
            current = f"{current} {word}".strip()
    text = "\n".join([*lines, current])

    def facts(note: str) -> list[tuple[str, str, str, tuple[str, ...], str]]:
        return [(f.concept, f.side, f.assertion, f.sites, f.cause) for f in reader.read(note).findings]

    assert facts(text) == facts(WRAPPED) and len(facts(text)) >= 3
