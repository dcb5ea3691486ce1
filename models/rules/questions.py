"""Documentation questions: which missing detail would make a code more specific, and which codes it would lead to."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from lexicon.codes.edition import NOTE_LABELS, Edition
from lexicon.facets import CodeFacets, FacetIndex, load_facets
from lexicon.tables import read_table, split_cell
from lexicon.vocabulary import Vocabulary
from models.options import Option
from models.problems import Problem

MOST = 8
CODES_SHOWN = 4
_SIDED = ("right", "left", "bilateral")
_VAGUE_WEAKNESS = ("M62.81", "R53.1")
_NECESSITY = 9.0
_CAUSE = 9.0
_OPEN = ("unspecified", "without mention of", "status unknown")


@dataclass(frozen=True, slots=True)
class Question:
    """A question with its value: higher is asked earlier."""

    value: float
    text: str


@lru_cache(maxsize=1)
def _details() -> dict[str, tuple[float, str]]:
    return {row["detail"]: (float(row["value"]), row["question"]) for row in read_table("question_details.tsv")}


def questions_for(
    options: list[Option],
    problems: list[Problem],
    edition: Edition,
    vocabulary: Vocabulary,
    *,
    handedness: str | None = None,
) -> list[str]:
    """Questions for the recommended codes, most valuable first.

    Parameters
    ----------
    options : list of Option
        The recommended ones, in the order of the sequence.
    problems : list of Problem
        All problems of the note; uncertain diagnoses are asked about.
    edition : Edition
    vocabulary : Vocabulary
    handedness : str, optional
        What is known of it; an empty string asks about dominance where a code depends on it, None does not ask.

    Returns
    -------
    list of str
        At most eight. A question names only details whose codes exist and are billable in this edition.
    """
    facets = load_facets(edition)
    found: list[Question] = []
    for place, option in enumerate(options):
        if option.code[0] in "VWXY" or option.leaf not in facets:
            continue
        for question in (
            *_missing(option, edition, facets, vocabulary),
            *_dominance(option, edition, facets, handedness),
            *_displacement(option, edition, facets),
            *_necessity(option, options, facets),
        ):
            found.append(Question(question.value - place / 10, question.text))
    found.extend(_reminders([o.code for o in options], edition))
    found.extend(_uncertain(problems, facets, edition, vocabulary))
    found.sort(key=lambda q: -q.value)
    return list(dict.fromkeys(q.text for q in found))[:MOST]


# ---------------------------------------------------------------- what the code itself leaves open


def _missing(option: Option, edition: Edition, facets: FacetIndex, vocabulary: Vocabulary) -> list[Question]:
    """Where on the way from the category to the leaf an unspecified branch was taken, and what its siblings offer."""
    own = facets[option.leaf]
    side = own.side if own.side in _SIDED else (option.problem.side if option.problem else "")
    questions: list[Question] = []
    for node in (option.leaf, *edition.ancestors(option.leaf)):
        if len(node) <= 3 or node not in edition:
            break
        parent = edition.ancestors(node)[0]
        if parent not in edition or not _opens(node, parent, edition):
            continue
        answers: list[str] = []
        details: set[str] = set()
        for sibling in edition.children(parent):
            if sibling == node or _is_other(sibling, parent, edition):
                continue
            leaf = _counterpart(node, sibling, own, side, edition, facets)
            if leaf is None:
                continue
            detail = _detail(own, facets[leaf], edition.title(node), edition.title(sibling), vocabulary)
            if detail:
                details.add(detail)
                answers.append(f"{_says(node, sibling, leaf, edition, facets, detail)}: {_code(leaf, option.code, edition)}")
        if not answers:
            continue
        value = max(_details()[detail][0] for detail in details)
        words = _details()[details.pop() if len(details) == 1 else "type"][1]
        more = f"; and {len(answers) - CODES_SHOWN} more" if len(answers) > CODES_SHOWN else ""
        why = " (payers deny unspecified sides)" if words == _details()["side"][1] else ""
        offers = "; ".join(answers[:CODES_SHOWN])
        questions.append(Question(value, f"{words}? {option.code} leaves it open{why}. {offers}{more}."))
    return questions


def _opens(node: str, parent: str, edition: Edition) -> bool:
    """Whether the step from ``parent`` to ``node`` chose what is not specified."""
    title, above = edition.title(node).lower(), edition.title(parent).lower()
    return any(title.count(words) > above.count(words) for words in _OPEN)


def _is_other(sibling: str, parent: str, edition: Edition) -> bool:
    """Whether a sibling is the rest class "other": it is no answer to a question."""
    words = edition.title(sibling).lower().split()
    return words.count("other") > edition.title(parent).lower().split().count("other")


def _counterpart(node: str, sibling: str, own: CodeFacets, side: str, edition: Edition, facets: FacetIndex) -> str | None:
    """The leaf below ``sibling`` that says the same as ``own`` otherwise: same ending, and no other side."""
    leaves = edition.leaves_below(sibling)
    same = f"{sibling}{own.code[len(node) :]}"
    if same in leaves and _side_fits(facets[same].side, side):
        return same
    fitting = [leaf for leaf in leaves if _side_fits(facets[leaf].side, side)]
    sided = [leaf for leaf in fitting if facets[leaf].side == side] or fitting
    return sided[0] if sided else None


def _side_fits(code_side: str, side: str) -> bool:
    return code_side not in _SIDED or side not in _SIDED or code_side == side


def _detail(own: CodeFacets, other: CodeFacets, title: str, sibling: str, vocabulary: Vocabulary) -> str:
    """The name of the detail in which ``other`` is more specific than ``own``."""
    if other.side in _SIDED and own.side not in _SIDED and own.sites == other.sites:
        return "side"
    groups = {vocabulary.qualifier_groups[q] for q in other.qualifiers - own.qualifiers} - {"rest", "count", "following"}
    known = sorted((g for g in groups if g in _details()), key=lambda g: (-_details()[g][0], g))
    if known:
        return known[0]
    if other.sites and set(other.sites) != set(own.sites):
        return "site"
    return "type" if "unspecified" not in sibling.lower() and sibling != title else ""


def _code(leaf: str, like: str, edition: Edition) -> str:
    """The billable code of ``leaf`` with the 7th character of ``like`` where it may take it."""
    letters = edition.sevenths(leaf)
    if not letters:
        return leaf
    letter = like[-1] if len(like) == 8 and like[-1] in letters else "D" if "D" in letters else sorted(letters)[0]
    return edition.with_seventh(leaf, letter)


def _says(node: str, sibling: str, leaf: str, edition: Edition, facets: FacetIndex, detail: str) -> str:
    """What the sibling's title says beyond the words that it begins with in common with the node's title."""
    if detail == "side":
        return facets[leaf].side
    words, own = edition.title(sibling).split(), edition.title(node).split()
    common = 0
    while common < min(len(words), len(own)) and words[common] == own[common]:
        common += 1
    return " ".join(words[common:] if common > 1 else words)


# ---------------------------------------------------------------- codes that belong beside it


@dataclass(frozen=True, slots=True)
class Reminder:
    """A second code that the tabular list asks for and that matters in therapy; an empty partner is any condition.

    Beside a code of ``unless`` nothing is asked (no body mass index in pregnancy).
    """

    codes: tuple[str, ...]
    kind: str
    partner: tuple[str, ...]
    unless: tuple[str, ...]
    value: float
    question: str
    source: str


@lru_cache(maxsize=1)
def reminders() -> tuple[Reminder, ...]:
    """The rows of reminders.tsv."""
    return tuple(
        Reminder(
            tuple(split_cell(row["codes"])),
            row["kind"],
            () if row["partner"] == "*" else tuple(split_cell(row["partner"])),
            tuple(split_cell(row["unless"])),
            float(row["value"]),
            row["question"],
            row["source"],
        )
        for row in read_table("reminders.tsv")
    )


def _reminders(codes: list[str], edition: Edition) -> list[Question]:
    """Partners that are not documented: of the rows of the table, and the cause of every manifestation."""
    found = []
    for code in codes:
        others = [c for c in codes if c != code]
        for row in reminders():
            if code.startswith(row.codes) and not any(_answers(o, code, row.partner) or o.startswith(row.unless) for o in others):
                shown = f": {_below(row.partner, edition)}" if row.partner else ""
                label = NOTE_LABELS[row.kind].lower()
                found.append(Question(row.value, f"{row.question}? {code} asks for it ({label}, {row.source}){shown}."))
        notes = edition.notes(code, kinds=("code_first",))
        if edition.is_manifestation(code) and not any(n.names(c) for n in notes for c in others):
            found.append(Question(_CAUSE, cause_question(code, edition)))
    return found


def cause_question(code: str, edition: Edition) -> str:
    """What to ask of a manifestation whose cause is not documented."""
    notes = edition.notes(code, kinds=("code_first",))
    named = [ref.text for note in notes for ref in note.references][:CODES_SHOWN]
    where = f"; code first at {notes[0].stands_at}" if notes else ""
    such = f", such as {', '.join(named)}" if named else ""
    return f"Which disease causes it? The code of the cause stands before {code} (I.A.13{where}){such}."


def _answers(other: str, code: str, partner: tuple[str, ...]) -> bool:
    return other.startswith(partner) if partner else other[0] not in "VWXYZ" and other[:3] != code[:3]


def _below(prefixes: tuple[str, ...], edition: Edition) -> str:
    """The billable codes of prefixes where they are few, else the prefixes."""
    leaves = [leaf for prefix in prefixes for leaf in edition.leaves_below(prefix)]
    if len(leaves) <= MOST:
        return ", ".join(leaves)
    return ", ".join(f"{prefix}.-" if len(prefix) == 3 else f"{prefix}-" for prefix in prefixes)


# ---------------------------------------------------------------- defaults, necessity, uncertainty


def _dominance(option: Option, edition: Edition, facets: FacetIndex, handedness: str | None) -> list[Question]:
    own = facets[option.leaf]
    if handedness is None or handedness or own.dominance not in {"dominant", "nondominant"}:
        return []
    wanted = "nondominant" if own.dominance == "dominant" else "dominant"
    for other in facets.below(option.leaf[:-1]):
        if other.side == own.side and other.dominance == wanted and other.sites == own.sites:
            value, words = _details()["dominance"]
            text = (
                f"{words}? Not documented, so the {own.side} side is taken as {own.dominance} (I.C.6.a). "
                f"{wanted}: {_code(other.code, option.code, edition)}."
            )
            return [Question(value, text)]
    return []


def _displacement(option: Option, edition: Edition, facets: FacetIndex) -> list[Question]:
    """A fracture that is not said to be nondisplaced is coded as displaced (I.C.19.c); the note may say which."""
    own = facets[option.leaf]
    if "displaced" not in own.qualifiers or option.problem is None or "displaced" in option.problem.qualifiers:
        return []
    for other in facets.below(option.leaf[:-1]):
        if "nondisplaced" in other.qualifiers and other.side == own.side and other.sites == own.sites:
            value, words = _details()["displacement"]
            text = (
                f"{words}? Not documented, so {option.code} is coded as displaced (I.C.19.c). "
                f"nondisplaced: {_code(other.code, option.code, edition)}."
            )
            return [Question(value - 1, text)]
    return []


def _necessity(option: Option, options: list[Option], facets: FacetIndex) -> list[Question]:
    """A warning where a code of general weakness stands for weakness at one place: payers ask why therapy is needed."""
    if not option.code.startswith(_VAGUE_WEAKNESS) or option.problem is None:
        return []
    problem = option.problem
    focal = problem.side in {"right", "left"} or len(set(problem.sites)) == 1
    if not focal:
        return []
    side = "" if problem.side == "unspecified" else problem.side
    where = f"{side} {problem.site.replace('_', ' ')}".strip()
    text = (
        f"Medical necessity: {option.code} ({option.title}) says general weakness, the note describes it at one place ({where}). "
        "Document weakness of several regions, or report the condition that causes the focal weakness."
    )
    return [Question(_NECESSITY, text)]


def _uncertain(problems: list[Problem], facets: FacetIndex, edition: Edition, vocabulary: Vocabulary) -> list[Question]:
    """An uncertain diagnosis is not coded (IV.H): which codes would follow once it is confirmed."""
    questions = []
    for problem in problems:
        if problem.assertion != "uncertain" or problem.kind not in {"diagnosis", "injury"} or not problem.mentions:
            continue
        codes: list[str] = []
        for stem in vocabulary.concepts[problem.concept].codes:
            rows = facets.at_sites(stem, problem.sites) if problem.sites else facets.below(stem)
            fitting = [row for row in rows if problem.side not in _SIDED or row.side in {"", problem.side}]
            codes.extend(_code(row.code, "", edition) for row in fitting)
        if codes:
            name = problem.concept.replace("_", " ")
            shown = ", ".join(dict.fromkeys(codes[:3]))
            text = f"Is the suspected {name} confirmed? Then {shown} could be reported (IV.H)."
            questions.append(Question(4.5 + problem.weight, text))
    return questions
