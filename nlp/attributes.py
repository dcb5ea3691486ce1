"""Cause, acuity and qualifiers of findings; phase of care, dominance, age and sex of the note."""

from __future__ import annotations

import re

from spacy.language import Language
from spacy.tokens import Doc

from lexicon.vocabulary import CAUSE, CUE, PHASE, QUALIFIER
from nlp.assertion import Assertion
from nlp.component import TableComponent
from nlp.draft import Draft, FindingDraft, Mention, SiteMention, draft_of

ACUITIES = frozenset({"acute", "chronic", "recurrent", "subacute"})
_LINKS = (
    ("secondary", "to"),
    ("due", "to"),
    ("2/2",),
    ("d/t",),
    ("following",),
    ("after",),
    ("since",),
    ("from",),
    ("status", "post"),
    ("s/p",),
    ("related", "to"),
    ("caused", "by"),
    ("resulting", "from"),
    ("as", "a", "result", "of"),
    ("2", "to"),
    ("post",),
    ("r/t",),
)
_NEAR = 8  # content tokens
_CHRONIC = re.compile(
    r"\b(?:x|for|over|past|last)\s*(?:the\s+)?(?:past\s+|last\s+)?(?:>\s*)?(?:\d+|several|many|few)\s*\+?\s*(?:yrs?|years?)\b",
    re.IGNORECASE,
)
_YEARS = re.compile(
    r"\b(\d{1,3})\s*[- ]?\s*(?:y\.?\s?/?\s?o\.?\b|yo\b|y/o|yrs?\.?[- ]?old|years?[- ]?old|year[- ]old)"
    r"(?!\s+(?:r|l|right|left|injury|fracture|fx|tka|tha|history|problem|pain|scar)\b)",
    re.IGNORECASE,
)
_AGED = re.compile(r"(?<!at )(?<!at the )(?<!since )(?<!from )\bage[d]?:?\s+(\d{1,3})\b", re.IGNORECASE)
_MONTHS = re.compile(r"\b(\d{1,2})\s*[- ]?\s*(?:m\.?/?o\.?\b|mos?\.?[- ]?old|months?[- ]?old)", re.IGNORECASE)
_WEEKS = re.compile(r"\b(\d{1,2})\s*(?:wks?|weeks?)[- ]old", re.IGNORECASE)
_CHILD = re.compile(
    r"\b(?:infant|baby|newborn|toddler|milestones?|tummy time|torticollis|plagiocephaly|preterm|birth|born|breastfe\w+|"
    r"mom|parents?|caregiver|early intervention|nicu)\b",
    re.IGNORECASE,
)
_FEMALE = re.compile(r"\b(?:female|woman|girl|lady|she|her|mrs|ms)\b|\by/?o\s+F\b|\u2640", re.IGNORECASE)
_MALE = re.compile(r"\b(?:male|man|boy|gentleman|he|his|him|mr)\b|\by/?o\s+M\b|\u2642", re.IGNORECASE)


@Language.factory("theracode_attributes", requires=["doc.sents", "doc.user_data"], assigns=["doc.user_data"])
def create_attributes(nlp: Language, name: str) -> Attributes:
    """Factory of :class:`Attributes`."""
    return Attributes()


class Attributes(TableComponent):
    """Links causes, acuity and qualifiers to finding drafts."""

    def __call__(self, doc: Doc) -> Doc:
        """Set ``cause``, ``acuity`` and ``qualifiers`` of the drafts."""
        draft = draft_of(doc)
        by_sentence: dict[int, list[Mention]] = {}
        for mention in draft.mentions:
            if mention.layer in {CAUSE, PHASE, QUALIFIER, CUE}:
                by_sentence.setdefault(draft.sentence_of[mention.start], []).append(mention)
        siblings: dict[int, list[FindingDraft]] = {}
        for finding in draft.findings:
            siblings.setdefault(draft.sentence_of[finding.start], []).append(finding)
        sites: dict[int, list[SiteMention]] = {}
        for site in draft.sites:
            sites.setdefault(draft.sentence_of[site.start], []).append(site)
        for finding in draft.findings:
            number = draft.sentence_of[finding.start]
            near = by_sentence.get(number, [])
            self._qualify(draft, finding, near)
            if self._plural(draft, finding, sites.get(number, [])):
                finding.qualifiers.add("multiple")
            self._cause(draft, finding, near, siblings[number])
        self._causes_of_note(draft)
        self._consciousness(draft)
        return doc

    def _consciousness(self, draft: Draft) -> None:
        """Loss of consciousness is told anywhere in the note and belongs to the head injury."""
        told = set()
        for mention in draft.mentions:
            if mention.layer == QUALIFIER and self.vocabulary.qualifier_groups[mention.value] == "consciousness":
                denied = mention.value == "with_loc" and cause_assertion(draft, mention) == "negated"
                told.add("without_loc" if denied else mention.value)
        if not told:
            return
        value = "without_loc" if "without_loc" in told else sorted(told)[0]
        for finding in draft.findings:
            if any(code.startswith("S06") for code in self.vocabulary.concepts[finding.concept].codes):
                finding.qualifiers = {q for q in finding.qualifiers if self.vocabulary.qualifier_groups[q] != "consciousness"} | {
                    value
                }

    def _plural(self, draft: Draft, finding: FindingDraft, sites: list[SiteMention]) -> bool:
        """Whether an injury is told in the plural: "rib fractures", "fx ribs 4-7", "fracture of the 5th and 6th ribs"."""
        if self.vocabulary.concepts[finding.concept].kind != "injury":
            return False
        ends = [finding.end - 1]
        ends += [
            s.end - 1
            for s in sites
            if s.site in finding.sites and -_NEAR <= s.end - finding.start <= _NEAR + finding.end - finding.start
        ]
        return any(draft.words[end].isalpha() and draft.span_text(end, end + 1).lower() == f"{draft.words[end]}s" for end in ends)

    def _qualify(self, draft: Draft, finding: FindingDraft, near: list[Mention]) -> None:
        for mention in near:
            if mention.layer == QUALIFIER and (mention.start - finding.end <= 10 and finding.start - mention.end <= 10):
                finding.qualifiers.add(mention.value)
            elif mention.layer == PHASE and mention.value in ACUITIES:
                gap = finding.start - mention.end
                if (
                    0 <= gap <= 4
                    or 0 <= mention.start - finding.end <= 6
                    or (mention.start >= finding.start and mention.end <= finding.end)
                ):
                    if not finding.acuity or gap >= 0:
                        finding.acuity = mention.value
                    finding.cues.append(draft.cue("acuity", mention.value, mention.start, mention.end))
        if not finding.acuity:
            low, high = draft.sentences[draft.sentence_of[finding.start]]
            if _CHRONIC.search(draft.span_text(low, high)):
                finding.acuity = "chronic"

    def _cause(self, draft: Draft, finding: FindingDraft, near: list[Mention], siblings: list[FindingDraft]) -> None:
        words = draft.words
        for other in siblings:
            if other is finding or other.start < finding.end or other.concept == finding.concept:
                continue
            gap = tuple(words[finding.end : other.start])
            if len(gap) > 8 or ";" in gap or "." in gap:
                continue
            if self.vocabulary.concepts[other.concept].kind == "diagnosis":  # the term may hold the link: "s/p CVA"
                gap += tuple(words[other.start : other.end - 1])
            if any(_contains(gap, link) for link in _LINKS) and other.assertion in {"present", "historical"}:
                wound = self.vocabulary.concepts[other.concept].kind == "injury"  # "from dog bite" names a mechanism too
                same = (m.value for m in near if wound and m.layer == CAUSE and m.start < other.end and other.start < m.end)
                finding.cause = next(same, other.concept)
                finding.cues.append(draft.cue("cause", finding.cause, other.start, other.end))
                return
        stated = [m for m in near if m.layer == CAUSE and self._kind(m) == "mechanism" and not _denied(draft, m, near)]
        if stated:
            nearest = min(stated, key=lambda m: (abs(m.start - finding.start), m.start))
            finding.cause = nearest.value
            finding.cues.append(draft.cue("cause", nearest.value, nearest.start, nearest.end))

    def _kind(self, mention: Mention) -> str:
        return self.vocabulary.causes[mention.value][0]

    def _causes_of_note(self, draft: Draft) -> None:
        """An injury without a cause of its own takes the note's only mechanism."""
        mechanisms = {m.value: m for m in draft.mentions if m.layer == CAUSE and self._kind(m) == "mechanism"}
        if len(mechanisms) != 1:
            return
        value, mention = next(iter(mechanisms.items()))
        near = _cues_near(draft, mention)
        if _denied(draft, mention, near):
            return
        for finding in draft.findings:
            if not finding.cause and self.vocabulary.concepts[finding.concept].kind == "injury":
                finding.cause = value
                finding.cues.append(draft.cue("cause", value, mention.start, mention.end))


def _cues_near(draft: Draft, mention: Mention) -> list[Mention]:
    """Cues of the mention's sentence."""
    return [m for m in draft.in_sentence.get(draft.sentence_of[mention.start], ()) if m.layer == CUE]


def _contains(words: tuple[str, ...], path: tuple[str, ...]) -> bool:
    length = len(path)
    return any(words[i : i + length] == path for i in range(len(words) - length + 1))


def _denied(draft: Draft, mention: Mention, near: list[Mention]) -> bool:
    chosen = Assertion.strongest(draft, mention.start, mention.end, near)
    return chosen is not None and chosen.value.category in {"negated", "hypothetical", "family", "uncertain"}


def cause_assertion(draft: Draft, mention: Mention) -> str:
    """The assertion of a cause mention."""
    chosen = Assertion.strongest(draft, mention.start, mention.end, _cues_near(draft, mention))
    if chosen is None:
        return "present"
    category: str = chosen.value.category
    return {"resolved": "historical", "normal": "present"}.get(category, category)


def age_in(text: str) -> float | None:
    """The patient's age in years that the note states first, or None.

    A bare number of months is a duration ("pain x 6 mo") unless the note is about an infant; "at age 12" dates something.
    """
    for pattern in (_YEARS, _AGED):
        match = pattern.search(text)
        if match is not None:
            value = float(match.group(1))
            return value if value <= 115 else None
    for match in _MONTHS.finditer(text):
        if "old" in match.group().lower() or _CHILD.search(text):
            return float(match.group(1)) / 12
    match = _WEEKS.search(text)
    return float(match.group(1)) / 52 if match else None


def sex_in(text: str) -> str:
    """``female``, ``male`` or empty: what more words of the note say."""
    female, male = len(_FEMALE.findall(text)), len(_MALE.findall(text))
    return "female" if female > male else "male" if male > female else ""
