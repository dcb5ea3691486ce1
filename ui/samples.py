"""Sample notes for a first try. All are invented; none comes from a patient."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).with_name("samples")
TITLES = {
    "knee_replacement": "Orthopaedic: knee replacement",
    "stroke": "Neurology: stroke, hand and swallowing",
    "low_back": "Spine: low back pain with sciatica",
    "wrist_fracture": "Hand therapy: wrist fracture",
    "vertigo": "Vestibular: positional vertigo",
    "child_speech": "Paediatric: speech sounds",
    "lymphedema": "Lymphedema after breast surgery",
    "falls": "Older adult: falls and frailty",
}


@dataclass(frozen=True, slots=True)
class Sample:
    """A sample note with its name and the title that pages show."""

    name: str
    title: str
    text: str


@cache
def samples() -> tuple[Sample, ...]:
    """All sample notes in the order of ``TITLES``."""
    return tuple(Sample(name, title, (FOLDER / f"{name}.txt").read_text(encoding="utf-8")) for name, title in TITLES.items())
