"""Sites and sides: which part of the body a finding is at, and on which side.

Order of trust for a site: implied by the term, next to it, in its clause, in its sentence, carried over from the last
finding of the line or paragraph. For a side: at the site, at the term, the only side of the sentence, the heading of
the line, earlier mentions of the same site. Sides that contradict each other are reported, never guessed.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter

from spacy.language import Language
from spacy.tokens import Doc

from lexicon.tables import read_table, split_cell
from lexicon.vocabulary import CUE, SIDE, SITE, SideForm
from nlp.component import TableComponent
from nlp.draft import Draft, FindingDraft, Mention, SiteMention, draft_of

_JOINERS = frozenset({"and", "&", "/", ",", "or", "+", "to", "into", "as", "well"})
_OF = frozenset(
    {"in", "of", "at", "to", "over", "around", "on", "along", "within", "across", "from", "involving", "affecting", "about"}
)
_SMALL = frozenset(
    {
        "the",
        "her",
        "his",
        "their",
        "both",
        "entire",
        "whole",
        ",",
        "area",
        "joint",
        "region",
        "side",
        "mid",
        "lower",
        "upper",
        "(",
    }
)
_ONE_SIDE = frozenset({"right", "left"})
_SIDE_WORDS = frozenset({"right", "left", "r", "l", "bilateral", "(", ")", "b", "rt", "lt", "bil", "bilat"})
_LIMB_PARTS = frozenset({"bone", "muscle", "tendon", "ligament", "nerve", "cartilage"})  # take the side of their limb
_REGIONAL = re.compile(r"disc|spondyl|stenosis|radicul|segmental|somatic|facet|compression|spinal|instability|myelopath")
_SPINE_REGIONS = frozenset({"cervical_spine", "thoracic_spine", "lumbar_spine", "cervicothoracic", "thoracolumbar", "sacrum"})
_SITED_AREAS = frozenset({"pain", "joints", "injuries", "spine", "lymphedema_skin"})
_ORDINAL = re.compile(r"\d{1,2}(?:st|nd|rd|th)?|first|second|third|fourth|fifth|and|&|/|,")


@Language.factory("theracode_laterality", requires=["doc.sents", "doc.user_data"], assigns=["doc.user_data"])
def create_laterality(nlp: Language, name: str) -> Laterality:
    """Factory of :class:`Laterality`."""
    return Laterality()


class Laterality(TableComponent):
    """Gives every finding draft its sites and its side, with the cues that decided them."""

    def __init__(self) -> None:
        super().__init__()
        self._generic = frozenset(row["site"] for row in read_table("generic_sites.tsv"))
        self._paired = {row["site"]: frozenset(split_cell(row["plural"])) for row in read_table("paired_sites.tsv")}
        self._regional = frozenset(
            concept.id
            for concept in self.vocabulary.concepts.values()
            if self.vocabulary.areas[concept.id] == "spine" and not concept.site and _REGIONAL.search(concept.id)
        )

    def __call__(self, doc: Doc) -> Doc:
        """Set ``sites`` and ``side`` of the drafts."""
        draft = draft_of(doc)
        sides = self._usable_sides(draft)
        draft.sites = self._site_mentions(draft, sides)
        by_sentence: dict[int, list[SiteMention]] = {}
        for site in draft.sites:
            by_sentence.setdefault(draft.sentence_of[site.start], []).append(site)
        self._mark_normal(draft, by_sentence)
        siblings: dict[int, list[FindingDraft]] = {}
        for finding in draft.findings:
            siblings.setdefault(draft.sentence_of[finding.start], []).append(finding)
        sides_by_sentence: dict[int, list[Mention]] = {}
        for mention in sides:
            sides_by_sentence.setdefault(draft.sentence_of[mention.start], []).append(mention)
        extra: list[FindingDraft] = []
        for finding in draft.findings:
            number = draft.sentence_of[finding.start]
            extra.extend(
                self._place(draft, finding, by_sentence.get(number, []), sides_by_sentence.get(number, []), siblings[number])
            )
        draft.findings = sorted([*draft.findings, *extra], key=lambda f: (f.start, f.end, f.concept, f.sites))
        self._carry_over(draft)
        return doc

    # ---------------------------------------------------------------- sides and sites in the text

    def _usable_sides(self, draft: Draft) -> list[Mention]:
        """Side mentions; a bare letter counts only beside a body site or a concept."""
        anchors: set[int] = set()
        for mention in draft.mentions:
            if mention.layer in {SITE, "concept"}:
                anchors.update(range(mention.start, mention.end))
        usable = []
        for mention in draft.mentions:
            if mention.layer != SIDE or (draft.heading[mention.start] and mention.value.near):
                continue
            form: SideForm = mention.value
            if form.near:
                before, after = mention.start - 1, mention.end
                while after < min(len(draft.words), mention.end + 4) and _ORDINAL.fullmatch(draft.words[after]):
                    after += 1  # "L 5th and 6th rib"
                if before > 0 and draft.words[before] in {",", "("}:
                    before -= 1
                beside = any(
                    position in anchors and draft.sentence_of[position] == draft.sentence_of[mention.start]
                    for position in (
                        before,
                        after,
                        after + 1
                        if after < len(draft.words) and draft.words[after] in {"/", "&", "and", "knee", "sided"}
                        else after,
                    )
                    if 0 <= position < len(draft.words)
                )
                if not beside:
                    continue
            usable.append(mention)
        return _merged_sides(usable, draft)

    def _site_mentions(self, draft: Draft, sides: list[Mention]) -> list[SiteMention]:
        side_at = {}
        for mention in sides:
            for position in range(mention.start, mention.end):
                side_at[position] = mention
        mentions = []
        for mention in draft.mentions:
            if mention.layer == SITE and not draft.heading[mention.start]:
                mentions.append(SiteMention(mention.start, mention.end, mention.value))
            elif mention.layer == SIDE and mention.value.site:
                form: SideForm = mention.value
                cue = draft.cue("side", form.side, mention.start, mention.end)
                if form.site in self.vocabulary.sites:
                    mentions.append(SiteMention(mention.start, mention.end, form.site, form.side, cue))
        mentions.sort(key=lambda m: (m.start, m.end))
        for index, site in enumerate(mentions):
            if site.side or not self.vocabulary.sites[site.site].sided:
                continue
            found = _beside(draft, side_at, site.start, site.end)
            if found is not None:
                site.side = found.value.side
                site.side_cue = draft.cue("side", found.value.side, found.start, found.end)
            elif (
                index
                and mentions[index - 1].side
                and not self._names_both(draft, site)
                and (mentions[index - 1].end == site.start or self._joined(draft, mentions[index - 1].end, site.start))
            ):
                site.side, site.side_cue = mentions[index - 1].side, mentions[index - 1].side_cue  # "R hip and knee"
        return mentions

    @staticmethod
    def _joined(draft: Draft, low: int, high: int) -> bool:
        return 0 < high - low <= 2 and all(draft.words[position] in _JOINERS for position in range(low, high))

    @staticmethod
    def _mark_normal(draft: Draft, sites: dict[int, list[SiteMention]]) -> None:
        """A side named beside a normal value ("L WNL") is not the affected side."""
        for mention in draft.mentions:
            if mention.layer != CUE or mention.value.category != "normal":
                continue
            for site in sites.get(draft.sentence_of[mention.start], ()):
                if 0 <= mention.start - site.end <= 4 or 0 <= site.start - mention.end <= 2:
                    site.normal = True

    # ---------------------------------------------------------------- one finding

    def _place(
        self,
        draft: Draft,
        finding: FindingDraft,
        sites: list[SiteMention],
        sides: list[Mention],
        siblings: list[FindingDraft],
    ) -> list[FindingDraft]:
        concept = self.vocabulary.concepts[finding.concept]
        others = [f for f in siblings if f is not finding]
        inside = [s for s in sites if s.start < finding.end and finding.start < s.end]
        group = self._sites_for(draft, finding, [s for s in sites if s not in inside], others)
        own = [s.site for s in inside if s.site not in self._generic]
        if concept.site:
            own.append(concept.site)
        more: list[FindingDraft] = []
        if own:  # the words of the term name the place; what stands beside it may only narrow it or give the side
            near = [s for s in group if any(self.vocabulary.related(s.site, name) for name in own)]
            narrower = [s.site for s in near if any(n in self.vocabulary.lineage(s.site)[1:] for n in own)]
            finding.sites = list(dict.fromkeys([*narrower, *own]))
            finding.site_stated = True
            for site in [*inside, *near]:
                if site.side and site.side_cue is not None:
                    finding.side, finding.side_stated = site.side, True
                    finding.cues.append(site.side_cue)
                    break
            group = []
        elif inside and not group:
            group = inside
        if group:
            parts = self._parts([s for s in group if s.site not in self._generic] or group)
            self._take(draft, finding, parts[0])
            for part in parts[1:]:
                copy = FindingDraft(
                    finding.start,
                    finding.end,
                    finding.concept,
                    finding.assertion,
                    corrected=finding.corrected,
                    cues=list(finding.cues),
                )
                self._take(draft, copy, part)
                more.append(copy)
        within = next((m for m in sides if finding.start <= m.start and m.end <= finding.end and m.value.side in _ONE_SIDE), None)
        for target in [finding, *more]:
            if within is not None:  # "spastic left hemiparesis": the term's own side comes before any other
                target.side, target.side_stated = within.value.side, True
                target.cues.append(draft.cue("side", target.side, within.start, within.end))
            elif not target.side:
                self._side_from_sentence(draft, target, sides, sites)
            if not target.side and self._needs_site(target):
                self._side_from_plural(draft, target, [*inside, *group])
        return more

    def _take(self, draft: Draft, finding: FindingDraft, part: list[SiteMention]) -> None:
        first = part[0]
        finding.concept = self.vocabulary.composed(
            finding.concept, draft.words[finding.start : finding.end], first.site, draft.words[first.start : first.end]
        )
        finding.sites = list(dict.fromkeys(site.site for site in part))
        finding.site_stated = True
        finding.cues.extend(draft.cue("site", site.site, site.start, site.end) for site in part[:1])
        for site in part:
            if site.side and site.side_cue is not None:
                finding.side = site.side
                finding.side_stated = True
                finding.cues.append(site.side_cue)
                break

    def _parts(self, group: list[SiteMention]) -> list[list[SiteMention]]:
        """Sites that describe one place together ("medial meniscus of the knee") stay together, others part."""
        parts: list[list[SiteMention]] = []
        for site in group:
            for part in parts:
                if self.vocabulary.related(part[0].site, site.site) and (
                    not site.side or not part[0].side or site.side == part[0].side
                ):
                    part.append(site)
                    part.sort(key=lambda s: -len(self.vocabulary.lineage(s.site)))
                    break
            else:
                parts.append([site])
        return parts

    def _sites_for(
        self, draft: Draft, finding: FindingDraft, sites: list[SiteMention], others: list[FindingDraft]
    ) -> list[SiteMention]:
        """The sites of the finding in its sentence, possibly several of a list."""
        words = draft.words
        left = [s for s in sites if s.end <= finding.start]
        right = [s for s in sites if s.start >= finding.end]
        after = self._run_after(draft, finding, right, others)
        if after:
            return after
        adjacent = self._adjacent(draft, finding, right, others)
        if left:
            last = left[-1]
            gap = words[last.end : finding.start]
            between = [f for f in others if last.end <= f.start and f.end <= finding.start]
            named = any(f.start <= last.start and last.end <= f.end for f in others)
            if adjacent and (between or named):  # "distal radius fracture, stiffness L wrist": the site right behind is its own
                return adjacent
            if (
                len(gap) <= 6
                and not any(w in {".", ";"} for w in gap)
                and (not between or all(w in _JOINERS for w in _gap_words(draft, last.end, finding.start, between)))
            ):
                run = [last]
                for site in reversed(left[:-1]):
                    if self._joined(draft, site.end, run[0].start) or _only_sides(draft, site.end, run[0].start):
                        run.insert(0, site)
                    else:
                        break
                return run
        if adjacent:
            return adjacent
        if right:
            first = right[0]
            gap = words[finding.end : first.start]
            between = [f for f in others if finding.end <= f.start and f.end <= first.start]
            if len(gap) <= (8 if self._needs_site(finding) else 3) and not between and not any(w in {".", ";"} for w in gap):
                return [first]
        if left and self._needs_site(finding) and not any(w in {";"} for w in words[left[-1].end : finding.start]):
            return [left[-1]]
        return []

    def _adjacent(
        self, draft: Draft, finding: FindingDraft, right: list[SiteMention], others: list[FindingDraft]
    ) -> list[SiteMention]:
        """Sites right behind the finding: "SD C5, T4, L5", "Pain: R knee, L hip".

        A site that opens another finding is not its own.
        """
        if not right or right[0].start - finding.end > 2 or not self._needs_site(finding):
            return []
        between = draft.words[finding.end : right[0].start]
        if not all(word in _SIDE_WORDS or word == ":" for word in between):
            return []
        heads = {f.start for f in others}
        run: list[SiteMention] = []
        for site in right:
            if run and not (self._joined(draft, run[-1].end, site.start) or _only_sides(draft, run[-1].end, site.start)):
                break
            if any(position in heads for position in range(site.start, site.end + 1)):
                break
            run.append(site)
        return run

    def _needs_site(self, finding: FindingDraft) -> bool:
        """Whether the codes of the concept differ by site, so that even a distant site is worth taking."""
        return self.vocabulary.areas.get(finding.concept) in _SITED_AREAS

    def _run_after(
        self, draft: Draft, finding: FindingDraft, right: list[SiteMention], others: list[FindingDraft]
    ) -> list[SiteMention]:
        """Sites behind a preposition: "pain in the R hip, knee and foot"."""
        if not right:
            return []
        words = draft.words
        first = right[0]
        gap = words[finding.end : first.start]
        bridge = [f for f in others if f.start >= finding.end and f.end <= first.start]
        gap_words = _gap_words(draft, finding.end, first.start, bridge) if bridge else gap
        if len(gap_words) > 6 or (not gap_words and not gap):
            return []
        if not any(word in _OF for word in gap_words):
            return []
        if not all(word in _OF or word in _SMALL or word in _SIDE_WORDS or word in _JOINERS for word in gap_words):
            return []
        run = [first]
        for site in right[1:]:
            if (
                self._joined(draft, run[-1].end, site.start)
                or _only_sides(draft, run[-1].end, site.start)
                or (
                    all(w in _OF or w in _SMALL or w in _SIDE_WORDS or w in _JOINERS for w in words[run[-1].end : site.start])
                    and site.start - run[-1].end <= 4
                )
            ):
                run.append(site)
            else:
                break
        return run

    def _side_from_sentence(self, draft: Draft, finding: FindingDraft, sides: list[Mention], sites: list[SiteMention]) -> None:
        side_at = {position: mention for mention in sides for position in range(mention.start, mention.end)}
        found = _beside(draft, side_at, finding.start, finding.end)
        if found is None and finding.sites:
            related = [
                s for s in sites if s.side and not s.normal and any(self.vocabulary.related(s.site, own) for own in finding.sites)
            ]
            if len({s.side for s in related}) == 1 and related[0].side_cue is not None:
                finding.side, finding.side_stated = related[0].side, True
                finding.cues.append(related[0].side_cue)
                return
        if found is None:
            values = {m.value.side for m in sides}
            taken = {
                s.side
                for s in sites
                if s.side and finding.sites and not any(self.vocabulary.related(s.site, own) for own in finding.sites)
            }
            if len(values) == 1 and not taken:
                nearest = min(sides, key=lambda m: min(abs(m.start - finding.end), abs(finding.start - m.end)))
                gap = min(abs(nearest.start - finding.end), abs(finding.start - nearest.end))
                if gap <= 8:
                    found = nearest
        if found is not None:
            finding.side, finding.side_stated = found.value.side, True
            finding.cues.append(draft.cue("side", found.value.side, found.start, found.end))

    def _names_both(self, draft: Draft, site: SiteMention) -> bool:
        """Whether a site that a body has once on each side is told in the plural."""
        return draft.span_text(site.end - 1, site.end).lower() in self._paired.get(site.site, ())

    def _side_from_plural(self, draft: Draft, finding: FindingDraft, sites: list[SiteMention]) -> None:
        """Parts that a body has one of on each side, told in the plural, are both: "OA of the knees"."""
        for site in sites:
            if site.site in finding.sites[:1] and self._names_both(draft, site):
                finding.side, finding.side_stated = "bilateral", True
                finding.cues.append(draft.cue("side", "bilateral", site.start, site.end))
                return

    # ---------------------------------------------------------------- across sentences

    def _carry_over(self, draft: Draft) -> None:
        """Give findings without site or side those of the same line's start, the last finding, or the whole note."""
        note_sides = self._sides_of_note(draft)
        last: FindingDraft | None = None
        self._take_spinal_region(draft)
        for finding in draft.findings:
            concept = self.vocabulary.concepts[finding.concept]
            if finding.sites and not finding.side:
                self._side_of_note(draft, finding, note_sides)
            elif (
                not finding.sites
                and last is not None
                and concept.kind in {"symptom", "injury", "diagnosis"}
                and self._needs_site(finding)
            ):
                close = draft.sentence_of[finding.start] - draft.sentence_of[last.start] <= 1
                if close and last.sites and draft.section_of[last.start] == draft.section_of[finding.start]:
                    finding.sites = list(last.sites)
                    if not finding.side:
                        finding.side = last.side
            if finding.sites and finding.site_stated and self.vocabulary.sites[finding.sites[0]].kind != "organ":
                last = finding

    def _take_spinal_region(self, draft: Draft) -> None:
        """A spinal condition without a region ("spinal stenosis", "the disc") takes the nearest region of the note."""
        regions = [
            s
            for s in draft.sites
            if s.site not in self._generic and not s.normal and not _SPINE_REGIONS.isdisjoint(self.vocabulary.lineage(s.site))
        ]
        if not regions:
            return
        for finding in draft.findings:
            if finding.concept not in self._regional or any(s not in self._generic for s in finding.sites):
                continue
            after = bisect_left(regions, finding.start, key=lambda s: s.start)
            nearest = min(regions[max(0, after - 1) : after + 1], key=lambda s: (abs(s.start - finding.start), s.start))
            finding.sites = [nearest.site]
            finding.cues.append(draft.cue("site", nearest.site, nearest.start, nearest.end))

    def _sides_of_note(self, draft: Draft) -> dict[str, Counter[str]]:
        counts: dict[str, Counter[str]] = {}
        for site in draft.sites:
            if not site.side or site.normal:
                continue
            weight = self.vocabulary.section_defaults.get(draft.section_of[site.start], ("present", 0.4))[1]
            for name in self.vocabulary.lineage(site.site):
                counts.setdefault(name, Counter())[site.side] += max(1, round(weight * 10))
        for finding in draft.findings:
            if finding.side and finding.assertion == "present":
                for own in finding.sites[:1]:
                    for name in self.vocabulary.lineage(own):
                        counts.setdefault(name, Counter())[finding.side] += 5
        return counts

    def _side_of_note(self, draft: Draft, finding: FindingDraft, counts: dict[str, Counter[str]]) -> None:
        own = finding.sites[0]
        if not self.vocabulary.sites[own].sided:
            return
        tally = counts.get(own)
        if not tally:
            part = self.vocabulary.sites[own].kind in _LIMB_PARTS
            for name in self.vocabulary.lineage(own)[1 : None if part else 3]:
                if counts.get(name):
                    tally = counts[name]
                    break
        if not tally:
            return
        ordered = tally.most_common(2)
        if len(ordered) == 1 or ordered[0][1] >= 3 * ordered[1][1]:
            finding.side = ordered[0][0]
        elif finding.assertion == "present" and {side for side, _ in ordered} == {"right", "left"}:
            name, place = draft.span_text(finding.start, finding.end), own.replace("_", " ")
            told = f"The note names the right and the left {place}; the side of '{name}' stays open."
            if told not in draft.conflicts:
                draft.conflicts.append(told)


def _gap_words(draft: Draft, low: int, high: int, bridged: list[FindingDraft]) -> list[str]:
    """Words between two places without those of findings in between ("pain and stiffness in the knee")."""
    covered = {position for f in bridged for position in range(f.start, f.end)}
    return [draft.words[position] for position in range(low, high) if position not in covered]


def _only_sides(draft: Draft, low: int, high: int) -> bool:
    words = {"right", "left", "r", "l", "and", "&", ",", "/", "(", ")", "b", "rt", "lt", "bilateral"}
    return 0 < high - low <= 4 and all(draft.words[position] in words for position in range(low, high))


def _merged_sides(sides: list[Mention], draft: Draft) -> list[Mention]:
    """Join two sides to one bilateral mention: "right and left", "R/L", "R > L"."""
    merged: list[Mention] = []
    for mention in sides:
        if merged:
            previous = merged[-1]
            gap = draft.words[previous.end : mention.start]
            both = {previous.value.side, mention.value.side} == {"right", "left"}
            if (
                both
                and 0 < len(gap) <= 2
                and all(w in {"and", "&", "/", ">", "<", "greater", "than", "worse", ">>", "<<"} for w in gap)
            ):
                merged[-1] = Mention(
                    previous.start, mention.end, SIDE, SideForm("bilateral", previous.value.site or mention.value.site)
                )
                continue
        merged.append(mention)
    return merged


def _beside(draft: Draft, side_at: dict[int, Mention], start: int, end: int) -> Mention | None:
    """The side mention that stands at a span: right before it (adjectives may stand between) or right behind it."""
    sentence = draft.sentence_of[start]
    position = start - 1
    steps = 0
    while position >= 0 and steps < 4 and draft.sentence_of[position] == sentence:
        found = side_at.get(position)
        if found is not None:
            return found
        if draft.words[position] in {",", ";", ".", ":", "and", "or", "with", "to"}:
            break
        position -= 1
        steps += 1
    position = end
    steps = 0
    while position < len(draft.words) and steps < 3 and draft.sentence_of[position] == sentence:
        found = side_at.get(position)
        if found is not None:
            nxt = found.end
            own = nxt < len(draft.words) and any(
                m.start == nxt for m in draft.in_sentence.get(draft.sentence_of[nxt], ()) if m.layer == SITE
            )
            return None if own else found
        if draft.words[position] not in {"(", ",", "on", "the", "-", "joint", "region", "area", ":"}:
            break
        position += 1
        steps += 1
    return None


__all__ = ["Laterality"]
