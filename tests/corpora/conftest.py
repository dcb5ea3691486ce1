"""Builders of gold notes and codings for the tests of corpora/."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

import pytest

from corpora.schema import GoldNote
from models.coding import Coding, Evidence, Suggestion

DAY = date(2026, 4, 15)

GoldBuilder = Callable[..., GoldNote]
CodingBuilder = Callable[..., Coding]


@pytest.fixture
def make_gold() -> GoldBuilder:
    """A note from lists of accepted codes; forbidden codes are (code, reason)."""

    def build(
        required: Sequence[Sequence[str] | dict[str, Any]] = (),
        *,
        optional: Sequence[str] = (),
        forbidden: Sequence[tuple[str, str]] = (),
        **fields: Any,
    ) -> GoldNote:
        groups = [group if isinstance(group, dict) else {"accept": list(group)} for group in required]
        values: dict[str, Any] = {
            "id": "n",
            "text": "note",
            "required": groups,
            "primary": [group["accept"][0] for group in groups[:1]],
            "optional": [{"code": code} for code in optional],
            "forbidden": [{"code": code, "reason": reason} for code, reason in forbidden],
        }
        return GoldNote.model_validate({**values, **fields})

    return build


@pytest.fixture
def make_coding() -> CodingBuilder:
    """A coding from a string such as ``"M17.11! .9, R26.9 .4, M17.0x .3"``: ``!`` recommends and ``x`` blocks a code."""

    def build(
        line: str = "", *, sequence: Sequence[str] | None = None, evidence: dict[str, tuple[int, int]] | None = None
    ) -> Coding:
        suggestions = []
        for rank, item in enumerate((part.split() for part in line.split(",") if part.strip()), start=1):
            code = item[0].rstrip("!x")
            span = (evidence or {}).get(code)
            suggestions.append(
                Suggestion(
                    rank=rank,
                    code=code,
                    title="",
                    probability=float(item[1]) if len(item) > 1 else 0.5,
                    status="recommended" if item[0].endswith("!") else "blocked" if item[0].endswith("x") else "alternative",
                    role="diagnosis",
                    evidence=[Evidence(start=span[0], end=span[1], text="?")] if span else [],
                    reasons=[],
                )
            )
        in_order = [s.code for s in suggestions if s.status == "recommended"]
        return Coding(
            id="n",
            edition="FY2026-April",
            date_of_service=DAY,
            encounter="subsequent",
            suggestions=suggestions,
            sequence=list(sequence) if sequence is not None else in_order,
            notices=[],
            questions=[],
        )

    return build
