"""Assertion: is the finding present, negated, uncertain, historical, of the family, only a goal, or the normal side?

After ConText (Harkema et al. 2009): cues look forward or backward inside a sentence until a termination word or the end
of their scope. Unlike ConText every decision keeps its cue, and pseudo cues win by length because all cues are matched
together. "Due to" and its like terminate, so negating a cause does not negate the condition.
"""

from __future__ import annotations

from spacy.language import Language
from spacy.tokens import Doc

from lexicon.vocabulary import CUE, Cue
from nlp.component import TableComponent
from nlp.draft import Draft, FindingDraft, Mention, draft_of

# What a cue category says of the finding, strongest first: a negated suspicion is negated, a goal of the family is family.
_PRIORITY = {"negated": 0, "family": 1, "hypothetical": 2, "uncertain": 3, "resolved": 4, "historical": 5, "normal": 6}
_VALUE = {"resolved": "historical", "normal": "normal_side"}
_CLAUSE_ENDS = frozenset(";")
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
            if mention.layer == CUE:
                by_sentence.setdefault(draft.sentence_of[mention.start], []).append(mention)
        for finding in draft.findings:
            self._decide(draft, finding, by_sentence.get(draft.sentence_of[finding.start], []))
        return doc

    def _decide(self, draft: Draft, finding: FindingDraft, cues: list[Mention]) -> None:
        best = self.strongest(draft, finding.start, finding.end, cues)
        if best is not None:
            cue: Cue = best.value
            finding.assertion = _VALUE.get(cue.category, cue.category)
            finding.cues.append(draft.cue("assertion", finding.assertion, best.start, best.end))
            return
        default, _ = self.vocabulary.section_defaults.get(draft.section_of[finding.start], ("present", 0.4))
        finding.assertion = default

    @staticmethod
    def strongest(draft: Draft, start: int, end: int, cues: list[Mention]) -> Mention | None:
        """The cue that decides the span from ``start`` to ``end``, or None."""
        best: tuple[int, int] | None = None
        chosen = None
        stops = [m for m in cues if m.value.category == "termination"]
        for mention in cues:
            cue: Cue = mention.value
            rank = _PRIORITY.get(cue.category)
            if rank is None or (mention.start < end and start < mention.end):
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
            order = (rank, high - low)
            if best is None or order < best:
                best, chosen = order, mention
        return chosen


def _reaches(draft: Draft, low: int, high: int, scope: str) -> bool:
    """Whether nothing between content tokens ``low`` and ``high`` ends the scope."""
    if scope.isdigit():
        return high - low <= int(scope)
    if scope == "sentence":
        return True
    ends = _CLAUSE_STRICT if scope == "clause" else _CLAUSE_ENDS
    return not any(draft.words[position] in ends for position in range(low, high))
