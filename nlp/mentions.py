"""Matching the vocabulary in a note: terms, sites, sides, cues, causes; ambiguous short forms; misspelled terms."""

from __future__ import annotations

from functools import cached_property

from rapidfuzz import process
from rapidfuzz.distance import OSA
from spacy.language import Language
from spacy.tokens import Doc

from lexicon.tables import read_table, split_cell
from lexicon.vocabulary import CAUSE, CONCEPT, CUE, SHORT, SIDE, SITE, Cue, scan
from nlp.component import TableComponent
from nlp.draft import Draft, FindingDraft, Mention, draft_of

_CORRECTION_LIMIT = 50_000
_POSSESSIVES = frozenset({"the", "her", "his", "their", "my", "a"})
_STOPS = frozenset({",", ".", ";", ":"})
_CUES = frozenset({CUE})
_COORDINATORS = frozenset({"and", "&", ",", "/", "+", "or"})
_ORDINALS = frozenset(
    {f"{n}{'st' if n == 1 else 'nd' if n == 2 else 'rd' if n == 3 else 'th'}" for n in range(1, 13)}
    | {"first", "second", "third", "fourth", "fifth", "index", "middle", "ring", "little", "small", "long"}
    | {"c", "t", "l", "cervical", "thoracic", "lumbar", "upper", "lower", "medial", "lateral", "anterior", "posterior"}
)
_TERM_LAYERS = frozenset({CONCEPT, SITE})
_MEDICAL_ENDINGS = ("itis", "osis", "pathy", "plasty", "algia", "plegia", "esis", "phagia", "asia", "ectomy", "edema")
_ADJECTIVE_ENDINGS = ("ic", "al", "ed", "ly", "oid", "ing")


@Language.factory(
    "theracode_mentions", assigns=["doc.user_data"], requires=["doc.sents"], default_config={"correct_spelling": True}
)
def create_mentions(nlp: Language, name: str, correct_spelling: bool) -> Mentions:
    """Factory of :class:`Mentions`."""
    return Mentions(correct_spelling=correct_spelling)


class Mentions(TableComponent):
    """Finds every term of the tables in the content tokens of a note.

    Parameters
    ----------
    correct_spelling : bool
        Whether long unknown words may stand for a lexicon word that is one or two letters away.
    """

    settings = ("correct_spelling",)

    def __init__(self, *, correct_spelling: bool) -> None:
        super().__init__()
        self.correct_spelling = correct_spelling
        self._corrections: dict[str, str] = {}
        self._caps_only = frozenset(form for row in read_table("caps_only.tsv") for form in split_cell(row["form"]))

    def __call__(self, doc: Doc) -> Doc:
        """Add mentions and finding drafts."""
        draft = draft_of(doc)
        words, changed = self.corrected(draft.words) if self.correct_spelling else (draft.words, set())
        sentence_of = draft.sentence_of
        mentions: list[Mention] = []
        for start, end, layer, value in scan(self.vocabulary.trie, words):
            if sentence_of[start] != sentence_of[end - 1]:
                continue
            if end - start == 1 and words[start] in self._caps_only and not self._in_capitals(draft, start):
                continue
            if layer == CUE and words[start] == "if" and end - start == 1 and self._in_capitals(draft, start):
                continue  # the index finger
            if layer == SHORT:
                mentions.extend(self._short_form(draft, words, start, end, value))
            else:
                mentions.append(Mention(start, end, layer, value, bool(changed) and any(i in changed for i in range(start, end))))
        mentions += self._across_sides(draft, words, mentions)
        mentions += self._coordinated(draft, words)
        mentions += self._cues_behind(draft, words, mentions)
        draft.mentions = self._without_shadowed(mentions, words)
        for mention in draft.mentions:
            draft.in_sentence.setdefault(sentence_of[mention.start], []).append(mention)
        drafts = {
            (mention.start, mention.end, mention.value): FindingDraft(
                mention.start, mention.end, mention.value, corrected=mention.corrected
            )
            for mention in draft.mentions
            if mention.layer == CONCEPT and not draft.heading[mention.start]
        }
        draft.findings = list(drafts.values())
        return doc

    def _across_sides(self, draft: Draft, words: list[str], mentions: list[Mention]) -> list[Mention]:
        """Terms with a side or an article in between: "neck of the left femur", "fractured her right wrist"."""
        fillers = {i for m in mentions if m.layer == SIDE and m.value.side and not m.value.site for i in range(m.start, m.end)}
        if not fillers:
            return []
        fillers |= {i - 1 for i in fillers if i and words[i - 1] in _POSSESSIVES}
        kept = [i for i in range(len(words)) if i not in fillers]
        found = []
        for start, end, layer, value in scan(self.vocabulary.trie, [words[i] for i in kept], _TERM_LAYERS):
            first, last = kept[start], kept[end - 1]
            if last - first == end - 1 - start or draft.sentence_of[first] != draft.sentence_of[last]:
                continue
            if not any(words[i] in _STOPS for i in range(first, last)):
                found.append(Mention(first, last + 1, layer, value))
        return found

    def _cues_behind(self, draft: Draft, words: list[str], mentions: list[Mention]) -> list[Mention]:
        """Cues that look forward and start in one that looks backward: "negative for" of "tests are negative for vertigo"."""
        found = []
        for mention in mentions:
            if mention.layer != CUE or mention.value.direction != "backward":
                continue
            for start in range(mention.start + 1, mention.end):
                near = words[start : mention.end + 4]
                for low, high, _, value in scan(self.vocabulary.trie, near, _CUES):
                    inside = draft.sentence_of[start] == draft.sentence_of[start + high - 1]
                    if low == 0 and start + high > mention.end and value.direction == "forward" and inside:
                        found.append(Mention(start, start + high, CUE, value))
        return found

    def _coordinated(self, draft: Draft, words: list[str]) -> list[Mention]:
        """Sites and terms that share their noun: "third and fourth metacarpals", "neck and lumbar sprain"."""
        found = []
        for index in range(len(words) - 3):
            if words[index] not in _ORDINALS or words[index + 1] not in _COORDINATORS:
                continue
            last = index + 2
            while (
                last + 2 < len(words)
                and words[last] in _COORDINATORS | _ORDINALS
                and words[last + 1] in _COORDINATORS | _ORDINALS
            ):
                last += 1
            if words[last] not in _ORDINALS or draft.sentence_of[index] != draft.sentence_of[last]:
                continue
            for start, _, layer, value in scan(self.vocabulary.trie, [words[index], *words[last + 1 : last + 4]], _TERM_LAYERS):
                if start == 0:
                    found.append(Mention(index, index + 1, layer, value))
        return found

    @staticmethod
    def _in_capitals(draft: Draft, index: int) -> bool:
        """Whether the token is written in capitals while the words around it are not."""
        if not draft.text[draft.starts[index] : draft.ends[index]].isupper():
            return False
        low, high = max(0, index - 4), min(len(draft.words), index + 5)
        return (
            any(
                any(letter.islower() for letter in draft.text[draft.starts[i] : draft.ends[i]])
                for i in range(low, high)
                if i != index
            )
            or high - low <= 4
        )

    # ---------------------------------------------------------------- short forms

    def _short_form(self, draft: Draft, words: list[str], start: int, end: int, form: str) -> list[Mention]:
        line = draft.lines[start]
        low, high = start, end
        while low > 0 and line - draft.lines[low - 1] <= 1 and start - low < 60:
            low -= 1
        while high < len(words) and draft.lines[high] - line <= 1 and high - end < 60:
            high += 1
        around = [*words[low:start], "\0", *words[end:high]]
        near = [*words[max(0, start - 3) : start], "\0", *words[end : end + 3]]
        for short in self.vocabulary.short_forms[form]:
            if any(_holds(near, path) for path in short.against):
                continue
            if short.default or any(_holds(around, path) for path in short.context):
                return [Mention(start, end, layer, value) for layer, value in self.vocabulary.meanings(short.means)]
        return []

    def _without_shadowed(self, mentions: list[Mention], words: list[str]) -> list[Mention]:
        """Drop concepts, causes and cues that lie inside a longer concept or cause.

        A negation that opens a cause stays where a list goes on behind it: "no trauma/fever" negates both. A drug in the
        name of a disease stays: "statin myopathy" tells both.
        """
        covering: dict[int, list[tuple[int, int]]] = {}  # by token
        for start, end in {(m.start, m.end) for m in mentions if m.layer in {CONCEPT, CAUSE} and m.end - m.start > 1}:
            for position in range(start, end):
                covering.setdefault(position, []).append((start, end))
        kept = []
        for mention in mentions:
            width = mention.end - mention.start
            drug = mention.layer == CAUSE and self.vocabulary.causes[mention.value][0] == "drug"
            if (
                not drug
                and mention.layer in {CONCEPT, CAUSE, CUE}
                and any(
                    start <= mention.start
                    and mention.end <= end
                    and end - start > width
                    and not (
                        mention.layer == CUE and mention.start == start and self._goes_on(mention.value, words[end : end + 1])
                    )
                    for start, end in covering.get(mention.start, ())
                )
            ):
                continue
            kept.append(mention)
        return kept

    @staticmethod
    def _goes_on(cue: Cue, follower: list[str]) -> bool:
        """Whether a cue that opens a term reaches the list behind it: "no trauma/fever", "family history of stroke and gout"."""
        return follower in (["/"], ["or"], ["nor"]) or (cue.category == "family" and follower in (["and"], [","], ["&"]))

    # ---------------------------------------------------------------- spelling

    @cached_property
    def _targets(self) -> dict[str, list[str]]:
        """Words that may be meant, by their first letter."""
        targets: dict[str, list[str]] = {}
        for word in sorted(self.vocabulary.words):
            if len(word) >= 7:
                targets.setdefault(word[0], []).append(word)
        return targets

    @cached_property
    def _medical_targets(self) -> dict[str, list[str]]:
        return {letter: [word for word in words if word.endswith(_MEDICAL_ENDINGS)] for letter, words in self._targets.items()}

    @cached_property
    def _known(self) -> frozenset[str]:
        known = set(self.vocabulary.words)
        stack = [self.vocabulary.trie]
        while stack:
            for word, child in stack.pop().items():
                if word:
                    known.add(word)
                    stack.append(child)
        for heading in self.vocabulary.headings:
            known.update(heading)
        known.update(word for row in read_table("never_corrected.tsv") for word in split_cell(row["word"]))
        return frozenset(known)

    def corrected(self, words: list[str]) -> tuple[list[str], set[int]]:
        """The words with misspelled ones replaced, and the positions of those; ``words`` itself where nothing changed."""
        known = self._known
        changed: set[int] = set()
        result = words
        for index, word in enumerate(words):
            if len(word) < 6 or word in known or not word.isalpha():
                continue
            correction = self._corrections.get(word)
            if correction is None:
                correction = self._correct(word)
                if len(self._corrections) >= _CORRECTION_LIMIT:
                    self._corrections.clear()
                self._corrections[word] = correction
            if correction != word:
                if result is words:
                    result = list(words)
                result[index] = correction
                changed.add(index)
        return result, changed

    def _correct(self, word: str) -> str:
        """The lexicon word that ``word`` misspells, or ``word`` itself.

        It has the same first letter and is one letter off; a long word, or one with a medical ending, may be two letters
        off a word with a medical ending, which no ordinary word resembles by chance.
        """
        targets = self._targets.get(word[0], [])
        near = process.extract(word, targets, scorer=OSA.distance, score_cutoff=1, limit=2)
        if not near and (len(word) >= 9 or (len(word) >= 7 and word.endswith(_MEDICAL_ENDINGS))):
            medical = self._medical_targets.get(word[0], [])
            near = process.extract(word, medical, scorer=OSA.distance, score_cutoff=2, limit=2)
        found = [item for item in near if not _inflection(word, item[0])]
        if not found or (len(found) > 1 and found[0][1] == found[1][1]):
            return word
        return str(found[0][0])


def _inflection(word: str, target: str) -> bool:
    """Whether the two differ only in an ending, as two real words do (fracture, fractured; arthritis, arthritic)."""
    shared = 0
    for first, second in zip(word, target, strict=False):
        if first != second:
            break
        shared += 1
    if shared < min(len(word), len(target)) - 1:
        return False
    return not target.endswith(_MEDICAL_ENDINGS) or word.endswith(_ADJECTIVE_ENDINGS)


def _holds(words: list[str], path: tuple[str, ...]) -> bool:
    if len(path) == 1:
        return path[0] in words
    length = len(path)
    return any(tuple(words[i : i + length]) == path for i in range(len(words) - length + 1))


__all__ = ["CONCEPT", "SITE", "Mentions"]
