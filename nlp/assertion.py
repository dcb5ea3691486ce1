"""Assertion: whether a finding is present, negated, uncertain, historical, of the family, a goal or the normal side.

After ConText (Harkema et al. 2009): cues look forward or backward inside a sentence until a termination word or the end
of their scope. Unlike ConText every decision keeps its cue, and pseudo cues win by length because all cues are matched
together. "Due to" and its like terminate, so negating a cause does not negate the condition.
"""

from __future__ import annotations

from spacy.language import Language
from spacy.tokens import Doc

from lexicon.tables import read_table, split_cell
from lexicon.vocabulary import CONCEPT, CUE, Cue
from nlp.component import TableComponent
from nlp.draft import BULLETS, Draft, FindingDraft, Mention, draft_of

# What a cue category says of the finding, strongest first: a negated suspicion is negated, a goal of the family is family.
_PRIORITY = {
    "negated": 0,
    "family": 1,
    "hypothetical": 2,
    "planned": 2,
    "uncertain": 3,
    "resolved": 4,
    "historical": 5,
    "normal": 6,
}
_VALUE = {"resolved": "historical", "normal": "normal_side", "planned": "hypothetical"}
_CLAUSE_ENDS = frozenset({";", "-", "\u2013", "\u2014"})
_CLAUSE_STRICT = frozenset({",", ";", ":", "("})


@Language.factory("theracode_assertion", requires=["doc.sents", "doc.user_data"], assigns=["doc.user_data"])
def create_assertion(nlp: Language, name: str) -> Assertion:
    """Factory of :class:`Assertion`."""
    return Assertion()


class Assertion(TableComponent):
    """Decides the assertion of every finding draft and keeps the cue."""

    def __call__(self, doc: Doc) -> Doc:
        """Set ``assertion`` of the drafts."""
        draft = draft_of(doc)
        by_sentence: dict[int, list[Mention]] = {}
        for mention in draft.mentions:
            if mention.layer in {CUE, CONCEPT}:
                by_sentence.setdefault(draft.sentence_of[mention.start], []).append(mention)
        for finding in draft.findings:
            number = draft.sentence_of[finding.start]
            above = by_sentence.get(_lead_in(draft, number), []) if number else []
            self._decide(draft, finding, by_sentence.get(number, []), above)
        return doc

    def _decide(self, draft: Draft, finding: FindingDraft, cues: list[Mention], above: list[Mention]) -> None:
        kind = self.vocabulary.concepts[finding.concept].kind
        best = self.strongest(
            draft, finding.start, finding.end, cues,
            normal=kind in _NORMAL_KINDS, dated=kind not in _DATED_KINDS, planned=kind in _PLANNED_KINDS,
        )  # fmt: skip
        if best is None:
            best = next(
                (m for m in above if m.layer == CUE and m.value.category in _PRIORITY and draft.words[m.end] == ":"), None
            )
        answer = self._answered(draft, finding.end)
        if answer:
            finding.assertion = "negated"
            finding.cues.append(draft.cue("assertion", "negated", finding.end + 1, finding.end + 2))
            return
        if best is not None:
            cue: Cue = best.value
            finding.assertion = _VALUE.get(cue.category, cue.category)
            finding.cues.append(draft.cue("assertion", finding.assertion, best.start, best.end))
            return
        section = draft.section_of[finding.start]
        default, _ = self.vocabulary.section_defaults.get(section, ("present", 0.4))
        if section in {"plan", "goals"} and self._stated(draft, finding.start, sure=section == "goals"):
            default = "present"
        finding.assertion = default

    @staticmethod
    def _stated(draft: Draft, start: int, *, sure: bool) -> bool:
        """Whether a plan states a fact before the finding ("he has a herniated disc") and does not only intend.

        To be ``sure``, which goals need, no word of intent may stand before it ("will have").
        """
        low, _ = draft.sentences[draft.sentence_of[start]]
        words = draft.words[low:start]
        return any(word in _STATING for word in words) and not (sure and not _INTENT.isdisjoint(words))

    @staticmethod
    def _answered(draft: Draft, end: int) -> bool:
        """Whether a form answers the finding with no: "Dizziness: no", "Numbness: 0"."""
        words = draft.words
        if end + 1 >= len(words) or words[end] != ":" or words[end + 1] not in _NO or draft.breaks[end + 1]:
            return False
        after = end + 2
        if after >= len(words) or draft.breaks[after] or words[after] in {",", ";", ".", "/", "("}:
            return True
        return draft.starts[after] - draft.ends[after - 1] >= 2

    @staticmethod
    def strongest(
        draft: Draft, start: int, end: int, near: list[Mention], *, normal: bool = True, dated: bool = True, planned: bool = False
    ) -> Mention | None:
        """The cue that decides the span from ``start`` to ``end``, or None.

        Parameters
        ----------
        draft : Draft
        start, end : int
            Content tokens of the finding.
        near : list of Mention
            Cues, and the concepts between which a backward cue must not jump, of the same sentence.
        normal : bool
            Whether cues of normality count: they speak of signs, not of diseases.
        planned : bool
            Whether cues of intent count ("scheduled for"): they speak of operations, not of the diseases they are for.
        dated : bool
            Whether a time behind the finding ("last year") makes it historical; for a disease it only dates it.
        """
        cues = [m for m in near if m.layer == CUE]
        concepts = [m for m in near if m.layer == CONCEPT]
        best: tuple[int, int] | None = None
        chosen = None
        stops = [m for m in cues if m.value.category == "termination"]
        for mention in cues:
            cue: Cue = mention.value
            rank = _PRIORITY.get(cue.category)
            if rank is None or (start <= mention.start and mention.end <= end):
                continue
            if (cue.category == "normal" and not normal) or (cue.category == "planned" and not planned):
                continue
            if cue.category == "historical" and not dated and (mention.start >= end or cue.text.startswith(_TIMES)):
                continue
            if mention.end <= start and cue.direction in {"forward", "both"}:
                low, high = mention.end, start
            elif mention.start >= end and cue.direction in {"backward", "both"}:
                low, high = end, mention.start
            else:
                continue
            if any(low <= stop.start and stop.end <= high for stop in stops):
                continue
            if not _reaches(draft, low, high, cue.scope):
                continue
            if mention.start >= end and _jumps(draft, low, high, concepts):
                continue
            if cue.category == "normal" and any(draft.words[i] in _NORMAL_STOPS for i in range(low, high)):
                continue
            order = (rank, high - low)
            if best is None or order < best:
                best, chosen = order, mention
        return chosen


_TIMES = ("last ", "yesterday", "this past", "earlier this")
_DATED_KINDS = frozenset({"diagnosis", "procedure", "status", "aftercare"})
_STATING = frozenset(
    {"has", "have", "had", "is", "are", "was", "shows", "showed", "revealed", "confirmed", "diagnosed", "demonstrates"}
)
_INTENT = frozenset({"will", "to", "should", "would", "goal", "until", "if", "able"})
_NO = frozenset({"no", "none", "n", "neg", "negative", "denies", "deny", "denied", "absent", "nil", "never", "0"})
_PLANNED_KINDS = frozenset({"procedure", "status", "aftercare"})
_NORMAL_KINDS = frozenset({"symptom", "function", "measure"})
_NORMAL_STOPS = frozenset({"with", "and", "but", ",", "while", "that"})
_JOINERS = frozenset({",", "and", "or", "/", "&", "nor"})
_LIST_STOPS = frozenset(word for row in read_table("list_stops.tsv") for word in split_cell(row["word"]))


def _lead_in(draft: Draft, number: int) -> int:
    """The sentence whose colon opens the list that sentence ``number`` is an item of ("Denies:" above bullets), or -1."""
    while number > 0:
        start = draft.sentences[number][0]
        if draft.breaks[start] != 1 or not (draft.words[start] in BULLETS or draft.words[start].isdigit()):
            return -1
        number -= 1
        if draft.words[draft.sentences[number][1] - 1] == ":":
            return number
    return -1


def _jumps(draft: Draft, low: int, high: int, concepts: list[Mention]) -> bool:
    """Whether a backward cue would jump over another finding that is not joined to this one by a mere list."""
    for other in concepts:
        if low <= other.start and other.end <= high and any(draft.words[i] not in _JOINERS for i in range(low, other.start)):
            return True
    return False


def _reaches(draft: Draft, low: int, high: int, scope: str) -> bool:
    """Whether nothing between content tokens ``low`` and ``high`` ends the scope."""
    if scope.isdigit():
        return high - low <= int(scope)
    if scope == "sentence":
        return True
    words = draft.words[low:high]
    if scope == "clause":
        return not any(word in _CLAUSE_STRICT for word in words)
    if any(word in _CLAUSE_ENDS for word in words):
        return False
    if "," in words:  # a list goes on behind a comma only with bare items; "A, and B" is no list of two
        commas = [index for index, word in enumerate(words) if word == ","]
        if len(commas) == 1 and commas[0] + 1 < len(words) and words[commas[0] + 1] in {"and", "but"}:
            return False
        return not any(word in _LIST_STOPS for word in words[commas[0] + 1 :])
    return True
