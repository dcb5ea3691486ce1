"""The phase of care: what the user says, then cues, then the headings of the visit."""

from __future__ import annotations

from datetime import date

import pytest

import theracode

DAY = date(2026, 3, 14)
VISIT = "CHIEF COMPLAINT: Ankle pain.\nMEDICATIONS: Lisinopril.\nALLERGIES: None.\nSOCIAL HISTORY: Works as a cook.\n"


@pytest.mark.parametrize(
    ("text", "phase"),
    [
        ("L ankle sprain, therapy 2x/wk.", "subsequent"),
        (f"{VISIT}ASSESSMENT: Left ankle sprain.", "initial"),
        (
            f"{VISIT}GOALS: Walk 1 mile.\nINTERVENTIONS: Gait training.\nPLOF: Independent.\nASSESSMENT: Left ankle sprain.",
            "subsequent",
        ),
        (f"{VISIT}ASSESSMENT: Left ankle sprain, healing well. Follow up for recheck of the fracture clinic.", "subsequent"),
        ("Cast applied today for L distal radius fx.", "initial"),
    ],
)
def test_phase_of_care(coder: theracode.Coder, text: str, phase: str) -> None:
    assert coder.suggest(text, date_of_service=DAY).encounter == phase


def test_the_users_word_wins(coder: theracode.Coder) -> None:
    assert (
        coder.suggest(f"{VISIT}ASSESSMENT: Left ankle sprain.", date_of_service=DAY, encounter="subsequent").encounter
        == "subsequent"
    )


def test_headings_of_a_visit_do_not_make_an_old_stroke_acute(coder: theracode.Coder) -> None:
    codes = coder.suggest(f"{VISIT}ASSESSMENT: Left hemiparesis after a stroke last year.", date_of_service=DAY).sequence
    assert [code[:3] for code in codes] == ["I69"]


def test_an_acute_stroke_is_not_coded_as_its_sequelae(coder: theracode.Coder) -> None:
    codes = coder.suggest(
        f"{VISIT}ASSESSMENT: Stroke in progress with left hemiparesis. Will admit.", date_of_service=DAY, encounter="initial"
    ).suggestions
    assert not any(s.code.startswith("I69") and s.status == "recommended" for s in codes)
