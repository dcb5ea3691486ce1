"""What the pages show of a coding, as pure functions: words for figures, highlighted notes, cards, the claim list.

All HTML made here escapes every text that comes from a note or a code set.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from lexicon.tables import read_table

if TYPE_CHECKING:
    from models.audit import AuditReport
    from models.coder import Explanation
    from models.coding import Coding, Suggestion

WORDS = ((0.8, "very likely"), (0.6, "likely"), (0.4, "even chance"), (0.2, "possible"), (0.0, "unlikely"))
ROLES = {
    "diagnosis": "Diagnosis",
    "treatment": "Treatment diagnosis",
    "symptom": "Symptom",
    "injury": "Injury",
    "status": "Status",
    "aftercare": "Aftercare",
    "external": "External cause",
}

LISTS = {
    "medical": ("Medical diagnosis", "None: no established condition is on this list."),
    "treatment": ("Treatment diagnosis", "None: a symptom that belongs to an established condition is not coded beside it."),
}


def probability_word(probability: float) -> str:
    """A word for a probability in [0, 1], so that a bar is never the only sign."""
    return next(word for floor, word in WORDS if probability >= floor)


@cache
def _feature_words() -> dict[tuple[str, bool], str]:
    """What a feature says in words, by its name and whether its value is above the average."""
    table = read_table(str(Path(__file__).with_name("feature_words.tsv")))
    return {(row["feature"], side == "above"): row[side] for row in table for side in ("above", "below")}


def carried(explanation: Explanation | None, probability: float, *, top: int = 3) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What carried a probability, in words: what spoke for the code and what against it, ``top`` phrases in all.

    Nothing is said where the explanation belongs to another probability, as after a change of the model.
    """
    if explanation is None or explanation.probability != probability:
        return (), ()
    told = [(_feature_words().get((part.feature, part.above), ""), part.amount > 0) for part in explanation.parts]
    told = [item for item in dict.fromkeys(told) if item[0]][:top]
    return tuple(words for words, up in told if up), tuple(words for words, up in told if not up)


# ------------------------------------------------------------------------------------------------ highlighted note


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of the note that the same numbers cover; ``ending`` are the numbers whose span ends with it."""

    text: str
    numbers: tuple[int, ...] = ()
    ending: tuple[int, ...] = ()


def segments(text: str, spans: Sequence[tuple[int, int, int]]) -> list[Segment]:
    """Cut a text at the borders of spans, which may overlap, touch or repeat.

    Parameters
    ----------
    text : str
        The note.
    spans : sequence of (start, end, number)
        Offsets in characters; what lies outside the text or is empty is left out.

    Returns
    -------
    list of Segment
        In order; their texts joined give ``text`` again.
    """
    valid = sorted({(start, end, number) for start, end, number in spans if 0 <= start < end <= len(text)})
    borders = sorted({0, len(text), *(start for start, _, _ in valid), *(end for _, end, _ in valid)})
    pieces = []
    active: list[tuple[int, int, int]] = []
    upcoming = 0
    for start, end in pairwise(borders):
        active = [span for span in active if span[1] > start]
        while upcoming < len(valid) and valid[upcoming][0] <= start:
            active.append(valid[upcoming])
            upcoming += 1
        covering = sorted({number for _, _, number in active})
        ending = sorted({number for _, stop, number in active if stop == end})
        pieces.append(Segment(text[start:end], tuple(covering), tuple(ending)))
    return pieces


def note_html(text: str, coding: Coding, marked: Sequence[str] = ()) -> str:
    """The note with its evidence highlighted.

    Parameters
    ----------
    text : str
        The text that was coded.
    coding : Coding
        Its suggestions; their rank is the number that stands beside the highlight and on the card.
    marked : sequence of str
        Codes that are highlighted at once; the evidence of the others shows only when their card is hovered.
    """
    strong = {item.rank for item in coding.suggestions if item.code in marked}
    spans = [(piece.start, piece.end, item.rank) for item in coding.suggestions for piece in item.evidence]
    parts = []
    for piece in segments(text, spans):
        escaped = html.escape(piece.text)
        if not piece.numbers:
            parts.append(escaped)
            continue
        visible = [number for number in piece.numbers if number in strong]
        classes = " ".join(f"tc-n{number}" for number in piece.numbers)
        tag = "mark" if visible else "span"
        parts.append(f'<{tag} class="tc-e {classes}">{escaped}</{tag}>')
        parts.extend(
            f'<sup class="tc-num tc-n{number}" aria-label="evidence for suggestion {number}">{number}</sup>'
            for number in piece.ending
            if number in strong
        )
    return f'<div class="tc-note" role="region" aria-label="Note with evidence" tabindex="0">{"".join(parts)}</div>'


# ------------------------------------------------------------------------------------------------ cards


@dataclass(frozen=True, slots=True)
class Card:
    """One suggestion as a card shows it."""

    number: int
    code: str
    title: str
    status: str
    role: str
    percent: int
    word: str
    quotes: tuple[str, ...]
    reasons: tuple[str, ...]
    missing: tuple[str, ...] = ()
    raised: tuple[str, ...] = ()
    lowered: tuple[str, ...] = ()
    rule_id: str = ""
    rule: str = ""
    source: str = ""
    blocked_by: tuple[str, ...] = ()


@dataclass(slots=True)
class Deck:
    """The cards of a coding by status, and the questions that belong to no card."""

    recommended: list[Card] = field(default_factory=list)
    alternative: list[Card] = field(default_factory=list)
    blocked: list[Card] = field(default_factory=list)
    questions: list[str] = field(default_factory=list)


def names_code(text: str, code: str) -> bool:
    """Whether a sentence names a code as a whole word (M17.1 is not named by M17.11)."""
    return re.search(rf"(?<![\w.]){re.escape(code)}(?![\w]|\.\w)", text) is not None


def _card(item: Suggestion, questions: Sequence[str], explanation: Explanation | None) -> Card:
    raised, lowered = carried(explanation, item.probability)
    quotes = dict.fromkeys(" ".join(piece.text.split()) for piece in item.evidence)
    return Card(
        number=item.rank,
        code=item.code,
        title=item.title,
        status=item.status,
        role=ROLES[item.role],
        percent=round(item.probability * 100),
        word=probability_word(item.probability),
        quotes=tuple(quotes),
        reasons=tuple(item.reasons),
        missing=tuple(questions),
        raised=raised,
        lowered=lowered,
        rule_id=item.rule.id if item.rule else "",
        rule=item.rule.text if item.rule else "",
        source=item.rule.source if item.rule else "",
        blocked_by=tuple(item.rule.blocked_by) if item.rule else (),
    )


def deck(coding: Coding, explanations: Mapping[str, Explanation] | None = None) -> Deck:
    """Cards for every suggestion. A question goes to the first recommended code that it names."""
    explanations = explanations or {}
    of_code: dict[str, list[str]] = {}
    result = Deck()
    for question in coding.questions:
        owner = next((code for code in coding.sequence if names_code(question, code)), None)
        if owner is None:
            result.questions.append(question)
        else:
            of_code.setdefault(owner, []).append(question)
    for item in coding.suggestions:
        card = _card(item, of_code.get(item.code, ()), explanations.get(item.code))
        getattr(result, item.status).append(card)
    return result


def _list(label: str, items: Sequence[str], css: str) -> str:
    if not items:
        return ""
    rows = "".join(f"<li>{html.escape(item)}</li>" for item in items)
    return f'<div class="{css}"><span class="tc-label">{label}</span><ul>{rows}</ul></div>'


def card_html(card: Card, decision: str = "") -> str:
    """The body of a card: number, code, title, probability as bar and word, evidence, reasons, gaps, rule."""
    quotes = "".join(f"<q>{html.escape(quote if len(quote) <= 90 else quote[:87] + '…')}</q>" for quote in card.quotes[:4])
    badge = f'<span class="tc-decision">{html.escape(decision)}</span>' if decision else ""
    parts = [
        f'<div class="tc-card tc-{card.status} tc-n{card.number}">',
        f'<div class="tc-head"><span class="tc-num">{card.number}</span><span class="tc-code">{html.escape(card.code)}</span>',
        f'<span class="tc-role">{card.role}</span>{badge}</div>',
        f'<div class="tc-title">{html.escape(card.title)}</div>',
    ]
    if card.status == "blocked":
        beside = f" beside {html.escape(', '.join(card.blocked_by))}" if card.blocked_by else ""
        parts.append(
            f'<div class="tc-rule"><strong>Not reported{beside}:</strong> {html.escape(card.rule)} '
            f'<span class="tc-source">({html.escape(card.source)})</span></div>'
        )
    else:
        parts.append(
            f'<div class="tc-prob" role="img" aria-label="probability {card.percent} percent, {card.word}">'
            f'<span class="tc-bar"><span style="width:{card.percent}%"></span></span>'
            f'<span class="tc-word">{card.percent} % · {card.word}</span></div>'
        )
        sides = (("For it", card.raised), ("Against it", card.lowered))
        told = " · ".join(f"<strong>{side}:</strong> {html.escape(', '.join(words))}" for side, words in sides if words)
        if told:
            parts.append(f'<div class="tc-carried">{told}</div>')
    if quotes:
        parts.append(f'<div class="tc-quotes"><span class="tc-label">Evidence</span>{quotes}</div>')
    parts.append(_list("Why", card.reasons, "tc-why"))
    parts.append(_list("Missing", card.missing, "tc-missing"))
    parts.append("</div>")
    return "".join(parts)


# ------------------------------------------------------------------------------------------------ the claim list


def ordered(accepted: Sequence[str], sequence: Sequence[str]) -> list[str]:
    """Accepted codes in the order of the coding's sequence; codes outside of it follow as they were accepted."""
    place = {code: position for position, code in enumerate(sequence)}
    return sorted(dict.fromkeys(accepted), key=lambda code: place.get(code, len(place)))


def moved(codes: Sequence[str], code: str, step: int) -> list[str]:
    """The list with ``code`` moved by ``step`` places, kept inside the list; unchanged if it is not in it."""
    result = list(codes)
    if code not in result:
        return result
    here = result.index(code)
    there = max(0, min(len(result) - 1, here + step))
    result.insert(there, result.pop(here))
    return result


def claim_text(codes: Sequence[str]) -> str:
    """What the copy button puts on the clipboard: the codes, first-listed first."""
    return ", ".join(codes)


def place_word(position: int) -> str:
    """How the place of a code on the claim is written; the first is named first-listed."""
    return "first-listed" if position == 0 else str(position + 1)


def claim_list_of(code: str) -> str:
    """The list that payers expect a code on: ``treatment`` for signs, symptoms and impairments, else ``medical``."""
    from models.coder import role_of

    return "treatment" if role_of(code) in ("symptom", "treatment") else "medical"


def claim_lists(codes: Sequence[str]) -> list[tuple[str, str, list[str]]]:
    """Codes as the two lists that payers ask for, with the name of each and what it says when it is empty.

    Medicare asks for a medical (established) diagnosis and a treatment diagnosis (Benefit Policy Manual, chapter 15, 220.3);
    the established one stands first, and a symptom that belongs to it is not coded beside it (I.B.5).
    """
    return [(name, hint, [code for code in codes if claim_list_of(code) == key]) for key, (name, hint) in LISTS.items()]


def claim_list_html(name: str, hint: str, *, empty: bool) -> str:
    """The heading of one of the two lists; an empty one says what that means."""
    return f'<div class="tc-list"><span class="tc-label">{name}</span>{f"<span>{hint}</span>" if empty else ""}</div>'


def claim_html(place: str, code: str, title: str) -> str:
    """One row of the claim list; a code without a place waits for its acceptance."""
    if not place:
        return (
            f'<div class="tc-waiting"><span class="tc-place">waits</span><span class="tc-code">{html.escape(code)}</span>'
            f'<span class="tc-claim-title">{html.escape(title)}</span></div>'
        )
    css = "tc-place tc-first" if place == "first-listed" else "tc-place"
    return (
        f'<div class="tc-claim"><span class="{css}">{place}</span><span class="tc-code">{html.escape(code)}</span>'
        f'<span class="tc-claim-title">{html.escape(title)}</span></div>'
    )


def paragraph(text: str) -> str:
    """A text from a note or code set as a paragraph, escaped."""
    return f'<p class="tc-source">{html.escape(text)}</p>'


def hover_css(coding: Coding) -> str:
    """Style rules that show a card's evidence in the note while the card is pointed at or has focus, and the other way."""
    rules = []
    for item in coding.suggestions:
        number = item.rank
        rules.append(
            f".stApp:has(.st-key-card_{number}:hover, .st-key-card_{number}:focus-within) .tc-note .tc-e.tc-n{number}"
            "{outline:2px solid var(--tc-accent);outline-offset:1px;border-radius:2px}"
            f".stApp:has(.tc-note .tc-n{number}:hover) .st-key-card_{number}{{border-color:var(--tc-accent)}}"
        )
    return f"<style>{''.join(rules)}</style>"


# ------------------------------------------------------------------------------------------------ audit

SEVERITIES = {"error": "Error", "warning": "Warning", "info": "For information"}


def correction_text(codes: Sequence[str], kind: str) -> str:
    """What to do about an audit finding, in a few words."""
    if not codes:
        return "remove the code"
    if kind == "order":
        return f"report in this order: {', '.join(codes)}"
    return f"{'add' if kind == 'missing' else 'report'} {' or '.join(codes)}"


def audit_html(report: AuditReport) -> str:
    """The findings of an audit as cards, errors first, and a line that sums them up."""
    counts = {name: sum(f.severity == name for f in report.findings) for name in SEVERITIES}
    told = ", ".join(f"{count} {name if count == 1 or name == 'info' else name + 's'}" for name, count in counts.items() if count)
    billed = html.escape(", ".join(report.codes))
    parts = [f'<p class="tc-audit-sum"><strong>{told or "No findings"}</strong> for {billed} ({html.escape(report.edition)})</p>']
    for finding in report.findings:
        correction = correction_text(finding.correction, finding.kind)
        parts.append(
            f'<div class="tc-finding tc-{finding.severity}"><div class="tc-head">'
            f'<span class="tc-severity">{SEVERITIES[finding.severity]}</span>'
            f'<span class="tc-code">{html.escape(finding.code)}</span>'
            f'<span class="tc-role">{html.escape(finding.kind.replace("_", " "))}</span></div>'
            f"<div>{html.escape(finding.message[:1].upper() + finding.message[1:])}</div>"
            f'<div><span class="tc-label">Correction</span>{html.escape(correction[:1].upper() + correction[1:])}</div>'
            f'<div class="tc-source">{html.escape(finding.citation)}</div></div>'
        )
    parts.extend(paragraph(notice) for notice in report.notices)
    return "".join(parts)
