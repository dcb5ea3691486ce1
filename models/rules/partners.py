"""Codes that belong beside a reported one: use additional code, code first, code also (guidelines I.A.13, I.A.17, I.B.7).

A partner that the note documents is reported too, also where the ranker alone would just not have recommended it. Some
partners are numbers of the note (body mass index, weeks of gestation) or follow from the Alphabetic Index (dementia in
Alzheimer's disease); those are added here. What is not documented is asked for by ``questions``, and only where the
table ``reminders.tsv`` says that it matters for therapy.
"""

from __future__ import annotations

from dataclasses import dataclass

from lexicon.codes.edition import CodeNote, Edition
from models.options import Option
from models.rules.chronicity import is_site_pain
from nlp.finding import Reading

EASE = 0.6  # a partner that a note asks for needs less probability than a code by itself
_KINDS = ("use_additional", "code_first", "code_also")
_INDEX_SOURCE = "I.A.7; I.A.13; Alphabetic Index: Disease, Alzheimer's G30.9 [F02.80]"
_BMI_GUIDE = "I.B.14; I.C.21.c.3"
_ADULT = 20.0  # years; note at Z68
_POSTPARTUM = ("O85", "O86", "O87", "O88", "O90", "O91", "O92", "O00", "O01", "O02", "O03", "O04", "O07", "O08")


def partner_notes(edition: Edition, code: str) -> tuple[CodeNote, ...]:
    """Notes that ask for a second code, at the category of ``code`` or nearer; those of sections and chapters are general."""
    return tuple(n for n in edition.notes(code, kinds=_KINDS) if n.stands_at[:3] == code[:3] and "-" not in n.stands_at)


def documented_partners(
    chosen: list[Option], ranked: list[Option], taken: set[str], bar: float, edition: Edition
) -> list[tuple[Option, str, CodeNote]]:
    """Options that a note at a chosen code asks for and that the note documents.

    Parameters
    ----------
    chosen, ranked : list of Option
        What is recommended so far, and everything proposed, best first.
    taken : set of str
        Codes that a rule blocks.
    bar : float
        The probability from which a code is recommended; a partner needs ``EASE`` of it.
    edition : Edition

    Returns
    -------
    list of (option, code, note)
        At most one for each note: the best one, and none where a chosen code answers the note already.
    """
    found: list[tuple[Option, str, CodeNote]] = []
    codes = {o.code for o in chosen}
    for option in chosen:
        for note in partner_notes(edition, option.code):
            if any(note.names(code) for code in codes if code != option.code):
                continue
            for other in ranked:
                if other.probability < bar * EASE:
                    break
                if other.code in codes or other.code in taken or other.place or other.problem is None:
                    continue
                if note.names(other.code) and not note.names(option.code):
                    found.append((other, option.code, note))
                    codes.add(other.code)
                    break
    return found


@dataclass(frozen=True, slots=True)
class Added:
    """A code that no problem proposes: the reason why it stands, the code that asks for it, and the words of the note."""

    code: str
    beside: str
    reason: str
    evidence: tuple[tuple[int, int], ...]


def implied_partners(
    codes: list[str], chosen: list[Option], reading: Reading, age: float | None, edition: Edition
) -> list[Added]:
    """Partners that follow from a number of the note or from the Alphabetic Index.

    Parameters
    ----------
    codes : list of str
        The codes about to be reported.
    chosen : list of Option
        Their options, for the evidence.
    reading : Reading
    age : float or None
        Years; adult codes of Z68 are for persons of 20 years or more.
    edition : Edition
    """
    found = []
    alzheimers = next((o for o in chosen if o.code.startswith("G30")), None)
    if alzheimers is not None and not any(c.startswith(("F02", "F06.7")) for c in codes):
        reason = f"manifestation of {alzheimers.code}: {_INDEX_SOURCE}"
        found.append(Added("F02.80", alzheimers.code, reason, tuple(alzheimers.evidence)))
    bmi = reading.measure("bmi")
    weight = next((c for c in codes if c.startswith("E66")), None)
    pregnant = any(c[0] == "O" or c.startswith(("Z33", "Z34")) for c in codes)  # no BMI codes then (I.C.21.c.3)
    adult = age is None or age >= _ADULT
    if bmi is not None and weight and adult and not pregnant and not any(c.startswith("Z68") for c in codes):
        reason = f"body mass index {bmi.value:g}: use additional code at E66; {_BMI_GUIDE}"
        found.append(Added(bmi_code(bmi.value), weight, reason, ((bmi.start, bmi.end),)))
    weeks = reading.measure("gestation")
    obstetric = next((c for c in codes if c[0] == "O" and not c.startswith(_POSTPARTUM)), None)
    if weeks is not None and obstetric and not any(c.startswith("Z3A") for c in codes):
        reason = f"weeks of gestation {weeks.value:g}: use additional code at chapter 15; I.C.21.c.11"
        found.append(Added(gestation_code(weeks.value), obstetric, reason, ((weeks.start, weeks.end),)))
    if "pain_control" in reading.phases and not any(c.startswith("G89") for c in codes):
        site = next((o for o in chosen if is_site_pain(o.code) and o.problem is not None and o.problem.acuity == "chronic"), None)
        if site is not None:
            found.append(
                Added("G89.29", site.code, "the visit is for the control of chronic pain (I.C.6.b.1.a)", tuple(site.evidence))
            )
    return [a for a in found if edition.is_billable(a.code)]


def bmi_code(value: float) -> str:
    """The adult code of Z68 for a body mass index in kg/m²."""
    if value < 20:
        return "Z68.1"
    if value < 40:
        return f"Z68.{int(value)}"
    return next(
        code for least, code in ((70, "Z68.45"), (60, "Z68.44"), (50, "Z68.43"), (45, "Z68.42"), (40, "Z68.41")) if value >= least
    )


def gestation_code(weeks: float) -> str:
    """The code of Z3A for completed weeks of gestation."""
    if weeks < 8:
        return "Z3A.01"
    return "Z3A.49" if weeks > 42 else f"Z3A.{int(weeks):02d}"
