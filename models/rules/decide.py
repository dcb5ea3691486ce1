"""All rules applied to the scored options of a note: statuses, sequence, notices and questions."""

from __future__ import annotations

import re
from collections.abc import Set
from dataclasses import dataclass, field, replace

from lexicon.codes.edition import CodeNote, Edition
from lexicon.vocabulary import Vocabulary
from models.candidates import UNNAMED_INJURY
from models.coding import Note, RuleVerdict, Status
from models.options import Option
from models.problems import Problem
from models.rules.adverse import adverse_effects
from models.rules.catalog import Ruling, rule
from models.rules.chronicity import coded_of, is_site_pain, rulings, sole_mechanism
from models.rules.excludes import conflicts, contradiction, keeper, parted_by
from models.rules.external import external_causes, has_external_cause
from models.rules.notices import notices_of
from models.rules.partners import Added, documented_partners, implied_partners
from models.rules.plausibility import implausible, maternal_record
from models.rules.questions import cause_question, questions_for
from models.rules.sequencing import may_lead, order
from models.rules.symptoms import explains, rows_of
from nlp.finding import Reading
from nlp.layout import DIAGNOSIS_LINE

ALTERNATIVE_FLOOR = 0.02
NAMED = 0.95  # score of the text from which a title says the whole term
DIAGNOSIS_LINE_EASE = 0.6  # a bare diagnosis line says what is meant; the ranker learned from whole notes
LEAST = 1e-5  # enough to stand behind another code
RULE_PROBABILITY = 0.5  # codes that follow from rules, not from the ranker: neither likely nor unlikely
REPLACED = {
    "combination": "combination-code",
    "stroke": "stroke-sequela",
    "joint_replaced": "condition-gone",
    "operated": "condition-gone",
}


@dataclass(slots=True)
class Item:
    """An option with its status and, when blocked, the rule."""

    option: Option
    status: Status
    rule: RuleVerdict | None = None


@dataclass(slots=True)
class Verdict:
    """What the rules decided for a note."""

    items: list[Item] = field(default_factory=list)
    sequence: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    questions: list[str] = field(default_factory=list)


def mark_explained(options: list[Option], vocabulary: Vocabulary) -> None:
    """Set the feature ``explained`` of symptoms for which the note names a disease that they are part of."""
    standing = [(option, option.problem) for option in options if option.problem is not None and not option.problem.replaced_by]
    diseases = [(option, problem) for option, problem in standing if option.place <= 0 and problem.assertion == "present"]
    for symptom, own in standing:
        if not rows_of(symptom.code):
            continue
        for disease, problem in diseases:
            if problem is not own and explains(
                symptom.code, own.sites, own.side, disease.code, problem.sites, problem.side, vocabulary
            ):
                symptom.features["explained"] = max(symptom.features.get("explained", 0.0), 0.5 + problem.weight / 2)


def decide(
    options: list[Option],
    *,
    problems: list[Problem],
    reading: Reading,
    edition: Edition,
    vocabulary: Vocabulary,
    threshold: float,
    note: Note,
    encounter: str,
    phase_reason: str,
    handedness: str,
    unrelated: Set[frozenset[str]] = frozenset(),
) -> Verdict:
    """Turn scored options into a verdict.

    The order of the rules: what a combination replaced or the patient cannot have is blocked, then the best code of each
    problem is recommended if its probability reaches the threshold, then integral symptoms, injury against chronic
    disease and Excludes1 pairs are resolved, codes that belong beside the others are added, what may not be first alone
    goes, and the rest is ordered; external causes come last. ``unrelated`` are pairs that a reviewer declared to be
    unrelated conditions (I.A.12.a).
    """
    verdict = Verdict()
    ranked = sorted(options, key=lambda o: (-round(o.probability, 6), -o.features.get("text_score", 0.0), o.code))
    probability = {o.code: o.probability for o in ranked}
    position = {o.code: i for i, o in enumerate(ranked)}
    blocked: dict[str, RuleVerdict] = {}
    for option in ranked:
        if option.problem is not None and option.problem.replaced_by:
            blocked[option.code] = rule(REPLACED[option.problem.replaced_by]).verdict()
    age = note.age if note.age is not None else reading.age
    for option in ranked:
        ruling = implausible(option.code, age=age, sex=note.sex or reading.sex, edition=edition)
        if ruling is not None and ruling.action == "block":
            blocked.setdefault(option.code, ruling.verdict())
    bar = threshold * DIAGNOSIS_LINE_EASE if reading.words <= DIAGNOSIS_LINE else threshold
    chosen = [
        o
        for o in ranked
        if o.code not in blocked and o.probability >= bar and (o.place == 0) and (o.code[0] not in "VWXY" or note.external_causes)
    ]
    if not chosen and all(_unnamed(o.problem) for o in ranked if o.problem is not None):
        # an accident without a named injury has no other code, however likely
        chosen = [o for o in ranked if o.code not in blocked and o.place == 0 and o.problem is not None]
    if reading.is_term and not chosen:
        chosen = [o for o in ranked if o.code not in blocked and o.features.get("text_score", 0.0) >= NAMED][:1]
    chosen = _one_code_per_text(chosen)
    chosen = _most_specific(chosen, blocked)
    chosen = _drop_integral(chosen, blocked, vocabulary)
    mechanism = sole_mechanism(reading)
    coded = [coded_of(o, encounter=encounter, vocabulary=vocabulary, mechanism=mechanism) for o in chosen]
    pain_control = "pain_control" in reading.phases
    found = rulings(coded, edition, vocabulary, pain_management=pain_control)
    chosen, remarks = _apply(found, chosen, blocked, ranked, edition)
    chosen, contradictions = _resolve_excludes(chosen, blocked, edition, probability, position, unrelated)
    chosen = _on_maternal_record(chosen, blocked)
    chosen = _with_partners(chosen, ranked, blocked, bar, reading, age, encounter, edition, vocabulary, unrelated)
    chosen = _grounded(chosen, blocked, edition)
    _block_integral(ranked, chosen, blocked, vocabulary)
    _block_alternatives(ranked, chosen, blocked, edition, unrelated)
    _place_pain(chosen, pain_control)
    sequence, order_reasons = order([o.code for o in chosen], {o.code: o.lead for o in chosen}, edition)
    by_code = {o.code: o for o in [*ranked, *chosen]}
    for reason in order_reasons:
        moved = reason.split(" ", 1)[0]
        by_code[moved].reasons.append(reason)
    recommended = set(sequence)
    verdict.items = [Item(by_code[code], "recommended") for code in sequence]
    others = [o for o in ranked if o.code not in recommended and o.code not in blocked]
    if reading.is_term:  # a term is looked up: what the titles say of it goes before what the ranker learned from notes
        others.sort(key=lambda o: -max(o.features.get("text_score", 0.0), o.probability))
    verdict.items += [
        Item(o, "alternative") for o in others if o.probability >= ALTERNATIVE_FLOOR or (reading.is_term and o.source == "text")
    ]
    verdict.items += [Item(o, "blocked", blocked[o.code]) for o in ranked if o.code in blocked]
    verdict.sequence = list(sequence)
    _add_external(verdict, reading, encounter, edition, vocabulary, wanted=note.external_causes)
    verdict.notices = [
        *notices_of(
            verdict.sequence,
            problems,
            reading,
            edition,
            encounter=encounter,
            phase_reason=phase_reason,
            age=age,
            sex=note.sex or reading.sex,
            unrelated=unrelated,
        ),
        *contradictions,
        *(r.text for r in remarks if r.action == "notice" and r.code in recommended),
    ]
    verdict.questions = [
        *(r.text for r in remarks if r.action == "ask"),
        *(cause_question(code, edition) for code, why in blocked.items() if why.id == "manifestation-not-first"),
        *questions_for([by_code[c] for c in sequence], problems, edition, vocabulary, handedness=handedness),
    ]
    return verdict


def _apply(
    remarks: list[Ruling], chosen: list[Option], blocked: dict[str, RuleVerdict], ranked: list[Option], edition: Edition
) -> tuple[list[Option], list[Ruling]]:
    """Take out what a ruling blocks; where it prefers another proposed code, or replaces it, that one takes its place."""
    by_code = {o.code: o for o in ranked}
    kept = list(chosen)
    asked: list[Ruling] = []
    for ruling in remarks:
        if ruling.action not in {"block", "prefer", "replace"} or ruling.code in blocked:
            continue
        if ruling.action == "replace":
            code, gone = ruling.other[0], by_code[ruling.code]
            instead = by_code.get(code) or replace(gone, code=code, leaf=edition.stem(code), title=edition.title(code))
            instead.probability = max(instead.probability, gone.probability)
            instead.lead = max(instead.lead, gone.lead)
            instead.reasons = [*gone.reasons, f"instead of {ruling.code}: {ruling.text} ({ruling.source})"]
            kept += [] if instead in kept else [instead]
            blocked.pop(code, None)
        if ruling.action == "prefer":
            better = [by_code[code] for code in ruling.other if code in by_code and code not in blocked]
            if not better:  # nothing in the note proposes it: the clinician says which one
                codes = ", ".join(
                    f"{code}-" if code not in edition or not edition.is_billable(code) else code for code in ruling.other
                )
                asked.append(replace(ruling, action="ask", text=f"{ruling.text} ({codes}): is {ruling.code} right?"))
                continue
            kept += [o for o in better[:1] if o not in kept]
        blocked[ruling.code] = ruling.verdict()
        kept = [o for o in kept if o.code != ruling.code]
    return kept, [*remarks, *asked]


def _with_partners(
    chosen: list[Option],
    ranked: list[Option],
    blocked: dict[str, RuleVerdict],
    bar: float,
    reading: Reading,
    age: float | None,
    encounter: str,
    edition: Edition,
    vocabulary: Vocabulary,
    unrelated: Set[frozenset[str]],
) -> list[Option]:
    """The chosen options with the codes that the tabular list or the Index puts beside them, where they are documented."""
    kept = list(chosen)

    def fits(code: str) -> bool:
        pairs = conflicts(edition, [*(o.code for o in kept), code], unrelated=unrelated)
        return code not in blocked and not any(code in {c.code, c.other} for c in pairs)

    for option, beside, note in documented_partners(kept, ranked, set(blocked), bar, edition):
        if fits(option.code):
            option.reasons.append(f"asked for by {beside}: {note.label.lower()} note at {note.stands_at} ('{note.text}')")
            kept.append(option)
    codes = [o.code for o in kept]
    added = implied_partners(codes, kept, reading, age, edition)
    added += [
        Added(e.code, e.disease, f"use additional code at {e.note.stands_at}: {e.note.text}", ((e.mention.start, e.mention.end),))
        for e in adverse_effects(reading, codes, encounter, edition, vocabulary)
    ]
    by_code = {o.code: o for o in ranked}
    for item in added:
        if any(o.code == item.code for o in kept) or not fits(item.code):
            continue
        option = by_code.get(item.code) or Option(
            item.code, edition.stem(item.code), edition.title(item.code), None, 0, "partner"
        )
        option.probability = max(option.probability, RULE_PROBABILITY)
        option.evidence = list(dict.fromkeys([*item.evidence, *option.evidence]))
        option.reasons.append(item.reason)
        kept.append(option)
    return kept


def _place_pain(chosen: list[Option], pain_control: bool) -> None:
    """G89 first where the visit is for pain control, else behind the code of the painful site (I.C.6.b.1.b.ii)."""
    sites = [o.lead for o in chosen if is_site_pain(o.code)]
    for option in chosen:
        if option.code.startswith("G89") and (pain_control or sites):
            option.lead = 1.0 if pain_control else min(option.lead, min(sites) - LEAST)


def _on_maternal_record(chosen: list[Option], blocked: dict[str, RuleVerdict]) -> list[Option]:
    """Codes of the newborn do not stand on the record of a pregnant patient."""
    for ruling in maternal_record([o.code for o in chosen]):
        blocked[ruling.code] = ruling.verdict()
    return [o for o in chosen if o.code not in blocked]


def _grounded(chosen: list[Option], blocked: dict[str, RuleVerdict], edition: Edition) -> list[Option]:
    """Without external causes that explain no injury, and without manifestations if no code could stand before them."""
    codes = [o.code for o in chosen]
    injured = any(has_external_cause(code) for code in codes)
    leader = any(may_lead(code, edition) and code[0] != "Z" for code in codes)
    for code in codes:
        if code[0] in "VWXY" and not injured:
            blocked[code] = rule("external-cause-last").verdict()
        elif not leader and edition.is_manifestation(code):
            blocked[code] = rule("manifestation-not-first").verdict()
    return [o for o in chosen if o.code not in blocked]


def _add_external(
    verdict: Verdict, reading: Reading, encounter: str, edition: Edition, vocabulary: Vocabulary, *, wanted: bool
) -> None:
    """External causes behind everything else (I.C.20): reported when wanted, otherwise only shown."""
    for cause in external_causes(reading, verdict.sequence, encounter, edition, vocabulary):
        option = Option(cause.code, edition.stem(cause.code), cause.title, None, 0, "external")
        option.probability = RULE_PROBABILITY if wanted else ALTERNATIVE_FLOOR
        option.evidence = [(cause.start, cause.end)]
        option.reasons = [cause.reason]
        last = sum(1 for item in verdict.items if item.status == "recommended")
        against = next((c for c in conflicts(edition, [*verdict.sequence, cause.code]) if cause.code in {c.code, c.other}), None)
        if wanted and against is not None:
            verdict.items.append(
                Item(option, "blocked", _excluded(against.note, *({against.code, against.other} - {cause.code})))
            )
        elif wanted:
            verdict.items.insert(last, Item(option, "recommended"))
            verdict.sequence.append(cause.code)
        else:
            place = sum(1 for item in verdict.items if item.status != "blocked")
            verdict.items.insert(place, Item(option, "alternative"))


def _excluded(note: CodeNote, by: str) -> RuleVerdict:
    """The verdict on a code that an Excludes1 note keeps from standing beside ``by``."""
    return RuleVerdict(
        id="excludes1",
        text=f"Excludes1 at {note.stands_at}: {note.text}",
        source=f"I.A.12.a; note at {note.stands_at}",
        blocked_by=[by],
    )


def _one_code_per_text(chosen: list[Option]) -> list[Option]:
    """Codes from text retrieval only where no facet code has the same evidence; one code for each phrase."""
    kept: list[Option] = []
    for option in chosen:
        if option.source == "text" and any(
            start < end2 and start2 < end for start, end in option.evidence for other in kept for start2, end2 in other.evidence
        ):
            continue
        kept.append(option)
    return kept


def _most_specific(chosen: list[Option], blocked: dict[str, RuleVerdict]) -> list[Option]:
    """Of codes of one subcategory for one place the specific one stays; an unnamed injury goes beside a named one."""
    known = rule("most-specific")
    named = any(o.code[0] == "S" and not _UNNAMED.match(o.code) for o in chosen)
    kept: list[Option] = []
    for option in sorted(chosen, key=lambda o: (_vague(o), -o.probability, o.code)):
        better = next((o for o in kept if o.code[:5] == option.code[:5] and _same_place(o, option)), None)
        if better is None and named and _UNNAMED.match(option.code):
            better = next((o for o in chosen if o.code[0] == "S" and not _UNNAMED.match(o.code)), None)
        if better is not None and (_vague(option) > _vague(better) or _UNNAMED.match(option.code)):
            blocked[option.code] = known.verdict(better.code)
        else:
            kept.append(option)
    return [o for o in chosen if o in kept]


def _unnamed(problem: Problem) -> bool:
    return problem.concept == UNNAMED_INJURY


_UNNAMED = re.compile(r"T14|T07|S\d9\.9")


def _vague(option: Option) -> int:
    title = option.title.lower()
    side_open = "side:" in " ".join(option.reasons) and "not stated" in " ".join(option.reasons)
    return 0 if side_open else int("unspecified" in title or title.endswith("nos")) + int("without mention" in title)


def _same_place(first: Option, second: Option) -> bool:
    if first.problem is None or second.problem is None:
        return True
    sides = {first.problem.side, second.problem.side}
    return not {"right", "left"} <= sides


def _drop_integral(chosen: list[Option], blocked: dict[str, RuleVerdict], vocabulary: Vocabulary) -> list[Option]:
    kept = []
    for option in chosen:
        ruling = _integral(option, chosen, vocabulary)
        if ruling is None:
            kept.append(option)
        else:
            blocked[option.code] = ruling
    return kept


def _resolve_excludes(
    chosen: list[Option],
    blocked: dict[str, RuleVerdict],
    edition: Edition,
    probability: dict[str, float],
    position: dict[str, int],
    unrelated: Set[frozenset[str]],
) -> tuple[list[Option], list[str]]:
    kept = list(chosen)
    notices: list[str] = []
    tolerated: set[frozenset[str]] = set(unrelated)
    while True:
        found = conflicts(edition, [o.code for o in kept], unrelated=tolerated)
        if not found:
            return kept, notices
        conflict = found[0]
        against = contradiction(edition, conflict)
        if against is not None:
            notices.append(
                f"Official notes disagree on {conflict.code} with {conflict.other}: Excludes1 at {conflict.note.stands_at} "
                f"('{conflict.note.text}') against {against.label} at {against.stands_at} ('{against.text}'). A reviewer decides."
            )
            tolerated.add(frozenset((conflict.code, conflict.other)))
            continue
        stays, goes = keeper(edition, conflict, probability, position)
        blocked[goes] = _excluded(conflict.note, stays)
        kept = [o for o in kept if o.code != goes]


def _block_integral(ranked: list[Option], chosen: list[Option], blocked: dict[str, RuleVerdict], vocabulary: Vocabulary) -> None:
    """Show symptoms that a recommended disease explains as blocked, also where they were not likely anyway."""
    for option in ranked:
        if option in chosen or option.code in blocked or option.place > 0:
            continue
        ruling = _integral(option, chosen, vocabulary)
        if ruling is not None:
            blocked[option.code] = ruling


def _integral(symptom: Option, diseases: list[Option], vocabulary: Vocabulary) -> RuleVerdict | None:
    """The verdict on a symptom that is a routine part of one of the diseases, or None."""
    own = symptom.problem
    if own is None or not rows_of(symptom.code):
        return None
    for disease in diseases:
        problem = disease.problem
        if problem is None or problem is own:
            continue
        row = explains(symptom.code, own.sites, own.side, disease.code, problem.sites, problem.side, vocabulary)
        if row is not None:
            return RuleVerdict(
                id="integral-symptom",
                text=f"a routine part of {disease.code} ({disease.title})",
                source=row.source,
                blocked_by=[disease.code],
            )
    return None


def _block_alternatives(
    ranked: list[Option],
    chosen: list[Option],
    blocked: dict[str, RuleVerdict],
    edition: Edition,
    unrelated: Set[frozenset[str]],
) -> None:
    codes = [o.code for o in chosen]
    parting = {code: edition.notes(code, kinds=("excludes1",)) for code in codes}
    for option in ranked:
        if option.code in parting or option.code in blocked or option.place > 0:
            continue
        own = edition.notes(option.code, kinds=("excludes1",))
        for other in codes:
            if frozenset((option.code, other)) in unrelated:
                continue
            note = parted_by(parting[other], other, option.code) or parted_by(own, option.code, other)
            if note is not None:
                blocked[option.code] = _excluded(note, other)
                break
