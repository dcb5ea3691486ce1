"""Audit: billed codes against the note, the code set and the rules. Every finding cites its source and its correction."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field

from lexicon.codes.changes import dotted
from lexicon.codes.edition import Edition
from lexicon.codes.registry import editions, load_edition
from lexicon.errors import InputError
from lexicon.facets import load_facets
from lexicon.vocabulary import Vocabulary
from models.coding import Coding, Note, Suggestion
from models.rules.excludes import conflicts, contradiction, keeper
from models.rules.external import NEVER, external_causes, has_external_cause
from models.rules.partners import partner_notes
from models.rules.plausibility import implausible
from models.rules.sequencing import AFTERCARE, group_of, is_sequela
from nlp.finding import Reading

if TYPE_CHECKING:
    from models.coder import Coder

Kind = Literal[
    "not_in_edition",
    "not_billable",
    "seventh_character",
    "wrong_side",
    "less_specific",
    "unsupported",
    "excluded_pair",
    "implausible",
    "duplicate",
    "order",
    "missing",
]
Severity = Literal["error", "warning", "info"]

_SHOWN = 5
_LOOKED_AT = 200
_LIKELY = 0.5
_RANK = {"error": 0, "warning": 1, "info": 2}
_SHAPE = re.compile(r"[A-Z][0-9][0-9A-Z](?:\.[0-9A-Z]{1,4})?")


class AuditFinding(BaseModel):
    """One thing that is wrong, or may be wrong, with the billed codes.

    Attributes
    ----------
    code : str
        The billed code that the finding is about; for a missing code the one that is missing.
    kind : str
    severity : str
        error (a claim would be wrong or denied), warning (the documentation speaks against it), info.
    message : str
        What is wrong; it never holds note text.
    citation : str
        Section of the guidelines or place of the tabular note.
    correction : list of str
        Codes to report instead, best first; for ``order`` the codes in their right order. Empty: remove the code.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    code: str
    kind: Kind
    severity: Severity
    message: str
    citation: str
    correction: list[str] = Field(default_factory=list)


class AuditReport(BaseModel):
    """The findings of an audit, errors first."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    edition: str
    codes: list[str]
    findings: list[AuditFinding]
    notices: list[str] = Field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """0 without an error, 1 with one: what a pipeline acts on."""
        return int(any(finding.severity == "error" for finding in self.findings))


def audit(note: Note | str, codes: Sequence[str], coder: Coder) -> AuditReport:
    """Compare billed codes with what the note supports and the rules allow.

    Parameters
    ----------
    note : Note or str
        A plain text is a note of today.
    codes : sequence of str
        Billed codes in the order of the claim, with or without dot, in any case.
    coder : Coder

    Returns
    -------
    AuditReport

    Raises
    ------
    InputError
        If no code is given, or one is not shaped like a code.
    """
    if isinstance(note, str):
        note = Note(text=note)
    billed = [_normal(code) for code in codes]
    if not billed:
        raise InputError("no codes to audit; give them with --codes, separated by commas")
    coding = coder.suggest(note, top=_LOOKED_AT)
    reading = coder.reader.read(note.text)
    checker = _Checker(coding, load_edition(coding.edition), coder.vocabulary, reading, billed)
    age = reading.age if note.age is None else note.age
    sex = note.sex or reading.sex

    findings: list[AuditFinding] = []
    seen: list[str] = []
    for code in billed:
        if code in seen:
            findings.append(_finding(code, "duplicate", "error", "the code stands twice", "I.B.12"))
            continue
        seen.append(code)
        findings.extend(checker.code(code))
        findings.extend(checker.patient(code, age, sex))
    valid = [code for code in seen if checker.edition.is_billable(code)]
    findings.extend(checker.pairs(valid))
    findings.extend(checker.order(valid))
    findings.extend(checker.missing(seen, findings))
    place = {code: index for index, code in enumerate(seen)}
    findings.sort(key=lambda f: (_RANK[f.severity], place.get(f.code, len(seen))))
    return AuditReport(id=coding.id, edition=coding.edition, codes=billed, findings=findings, notices=coding.notices)


def _normal(code: str) -> str:
    plain = dotted(code)
    if not _SHAPE.fullmatch(plain):
        raise InputError(f"{code.strip()[:12]!r} is not shaped like an ICD-10-CM code")
    return plain


def _finding(
    code: str, kind: Kind, severity: Severity, message: str, citation: str, correction: Iterable[str] = ()
) -> AuditFinding:
    shown = list(dict.fromkeys(correction))
    return AuditFinding(
        code=code,
        kind=kind,
        severity=severity,
        message=message,
        citation=citation,
        correction=shown if kind == "order" else shown[:_SHOWN],
    )


class _Checker:
    """The checks, with what they share: the coding of the note and the code set of its date."""

    def __init__(self, coding: Coding, edition: Edition, vocabulary: Vocabulary, reading: Reading, billed: list[str]) -> None:
        self.coding = coding
        self.edition = edition
        self.vocabulary = vocabulary
        self.facets = load_facets(edition)
        self.suggestions = {s.code: s for s in coding.suggestions}
        self.recommended = coding.recommended
        self.billed = billed
        injuries = [c for c in billed if has_external_cause(c)]
        self.injuries = [self._of_this_phase(c) if edition.is_billable(c) else c for c in injuries]
        self.causes = external_causes(reading, self.injuries, coding.encounter, edition, vocabulary)

    # ---------------------------------------------------------------- one code

    def code(self, code: str) -> list[AuditFinding]:
        """Whether the code exists, is complete, fits the phase of care, and is what the note supports."""
        if not self.edition.is_billable(code):
            return [self._invalid(code)]
        if code[0] in "VWXY":
            return self._external(code)
        right = self._of_this_phase(code)
        if right == code:
            return self._support(code)
        text = f"7th character {code[-1]} does not fit the phase of care ({self.coding.encounter})"
        late = _finding(code, "seventh_character", "error", text, "I.C.19.a", [right])
        return [late, *(f.model_copy(update={"code": code}) for f in self._support(right))]

    def _of_this_phase(self, code: str) -> str:
        """The code with the 7th character of the phase of care, where its letters tell phases."""
        stem = self._stem(code)
        letters = self.edition.sevenths(stem)
        if not {"A", "D"} <= set(letters):
            return code
        active, later = code[-1] in "ABC", self.coding.encounter != "initial"
        if active != later or code[-1] == "S":
            return code
        wanted = self._letter()
        return self.edition.with_seventh(stem, wanted) if wanted in letters else code

    def _support(self, code: str) -> list[AuditFinding]:
        suggestion = self.suggestions.get(code)
        if suggestion is not None and suggestion.status == "recommended":
            return []
        better = self._kin(code)
        if suggestion is not None and suggestion.status == "blocked" and suggestion.rule is not None:
            rule = suggestion.rule
            instead = [c for c in rule.blocked_by if c in self.suggestions]
            return [_finding(code, "unsupported", "warning", rule.text, f"{rule.id}: {rule.source}", instead)]
        for other in better:
            finding = self._against(code, other)
            if finding is not None:
                return [finding]
        return [self._unsupported(code, suggestion, better)]

    def _external(self, code: str) -> list[AuditFinding]:
        """External causes: their injury, their encounter, and the words of the note (I.C.20)."""
        if not self.injuries:
            text = "no injury is billed that it could be the cause of"
            return [_finding(code, "unsupported", "error", text, "I.C.20.a.1")]
        if code.startswith(NEVER):
            return [_finding(code, "unsupported", "error", "not reported when it is not stated", "I.C.20.b; I.C.20.c; I.C.20.k")]
        if code.startswith(("Y92", "Y93", "Y99")) and self.coding.encounter != "initial":
            text = "place, activity and status are reported once, at the initial encounter"
            return [_finding(code, "unsupported", "error", text, "I.C.20.b; I.C.20.c; I.C.20.k")]
        known = [cause.code for cause in self.causes]
        if code in known:
            return []
        alike = [c for c in known if self._stem(c) == self._stem(code)]
        if alike:
            text = "the 7th character of an external cause is that of its injury"
            return [_finding(code, "seventh_character", "error", text, "I.C.20.a.2", alike)]
        alike = [c for c in known if c[:3] == code[:3] or (c[0] != "Y" and code[0] != "Y")]
        return [_finding(code, "unsupported", "warning", "no such external cause is documented", "I.C.20.a.5", alike)]

    def _invalid(self, code: str) -> AuditFinding:
        """A code that may not be reported: a stem, a missing or wrong 7th character, or a code of another year."""
        repaired = self._repaired(code)
        if repaired:
            text = "the 7th character is missing or does not stand in the seventh place of a code that takes it"
            where, letters = self.edition.seventh_table(self._stem(repaired[0]))
            if len(code) == 8 and code[-1] not in letters:
                text = f"{code[-1]} is not a 7th character of the code; the nearest table, at {where}, has {', '.join(letters)}"
            return _finding(code, "seventh_character", "error", text, "I.A.4; I.A.5; I.C.19.a", repaired)
        below = self._below(code)
        elsewhere = self._other_edition(code)
        if elsewhere:
            text = f"the code is billable in {elsewhere}, not in {self.edition.name}"
            known = self._kin(code) or below or self._successors(code)
            return _finding(code, "not_in_edition", "error", text, f"code set {self.edition.name}", known)
        if code in self.edition:
            text = f"{self.edition.title(code)} is divided further; {len(below)} codes below it are billable"
            return _finding(code, "not_billable", "error", text, "I.A.3; I.B.2", below)
        text = f"there is no such code in {self.edition.name}"
        return _finding(code, "not_in_edition", "error", text, f"code set {self.edition.name}", self._kin(code))

    def _below(self, code: str) -> list[str]:
        """Billable codes below a stem: what the note supports first, then the rest."""
        rank = {s.code: s.rank for s in self.coding.suggestions if s.status != "blocked"}
        codes = [c for leaf in self.edition.leaves_below(code) for c in self._complete(leaf)]
        return sorted(codes, key=lambda c: (rank.get(c, 9999), c))

    def _complete(self, leaf: str) -> list[str]:
        letters = self.edition.sevenths(leaf)
        if not letters:
            return [leaf]
        wanted = self._letter()
        letter = wanted if wanted in letters else sorted(letters)[0]
        return [self.edition.with_seventh(leaf, letter)]

    def _letter(self) -> str:
        return {"initial": "A", "subsequent": "D", "sequela": "S"}[self.coding.encounter]

    def _repaired(self, code: str) -> list[str]:
        """The code with its 7th character put right, where that is all that is wrong; note's own choice first."""
        bare = code.rstrip("X")
        for stem, letter in ((code, ""), (bare.rstrip("."), ""), (code[:-1].rstrip("X").rstrip("."), code[-1])):
            if stem not in self.edition:
                continue
            letters = self.edition.sevenths(stem)
            if not letters:
                continue
            supported = [s.code for s in self.coding.suggestions if s.status == "recommended" and self._stem(s.code) == stem]
            wanted = letter if letter in letters else self._letter()
            chosen = wanted if wanted in letters else sorted(letters)[0]
            return [*supported, self.edition.with_seventh(stem, chosen)]
        return []

    def _other_edition(self, code: str) -> str:
        """The name of an edition in which the code is billable, the latest one; empty if there is none."""
        names = [info.name for info in reversed(editions()) if info.name != self.edition.name]
        return next((name for name in names if load_edition(name).is_billable(code)), "")

    def _successors(self, code: str) -> list[str]:
        """Codes that may follow a deleted one: those of its nearest stem that still stands."""
        for length in range(len(code) - 1, 2, -1):
            stem = code[:length].rstrip(".")
            if stem in self.edition:
                return self._below(stem)
        return []

    # ---------------------------------------------------------------- support by the note

    def _kin(self, code: str) -> list[str]:
        """Recommended codes of the same category or of the same condition of the lexicon, best first."""
        return [
            s.code for s in self.recommended if s.code != code and (s.code[:3] == code[:3] or self._share_concept(code, s.code))
        ]

    def _share_concept(self, first: str, second: str) -> bool:
        return any(
            any(first.startswith(stem) or stem.startswith(first) for stem in concept.codes[:4])
            and any(second.startswith(stem) for stem in concept.codes[:4])
            for concept in self.vocabulary.concepts.values()
        )

    def _stem(self, code: str) -> str:
        return self.edition.stem(code)

    def _against(self, code: str, other: str) -> AuditFinding | None:
        """What is wrong with a billed code beside a recommended one of the same kind."""
        stem, better = self._stem(code), self._stem(other)
        if stem == better:
            text = f"7th character {code[-1]} does not fit what the note says of the phase of care or the healing: {other[-1]}"
            return _finding(code, "seventh_character", "error", text, "I.C.19.a", [other])
        own, noted = self.facets[stem], self.facets[better]
        if noted.side == "bilateral" and own.side in {"right", "left"} and own.sites == noted.sites:
            halves = {self.facets[self._stem(c)].side for c in self.billed if c[:3] == code[:3] and self.edition.is_billable(c)}
            text = (
                "right and left are billed apart, and one code says both" if {"right", "left"} <= halves else "the note says both"
            )
            return _finding(code, "wrong_side", "error", text, "I.B.13", [other])
        if own.sites == noted.sites and {own.side, noted.side} == {"right", "left"}:
            text = f"the code says {own.side}, the note {noted.side}"
            return _finding(code, "wrong_side", "error", text, "I.B.13", [other])
        if self._vaguer(stem, better):
            text = f"the note documents more: {self.edition.title(other)}"
            return _finding(code, "less_specific", "warning", text, "I.B.2; IV.F.3", [other])
        return None

    def _vaguer(self, stem: str, better: str) -> bool:
        own, noted = self.facets[stem], self.facets[better]
        if own.side == "unspecified" and noted.side in {"right", "left", "bilateral"}:
            return True
        title, other = self.edition.title(stem).lower(), self.edition.title(better).lower()
        return "unspecified" in title and title.count("unspecified") > other.count("unspecified")

    def _unsupported(self, code: str, suggestion: Suggestion | None, better: list[str]) -> AuditFinding:
        if suggestion is not None:
            text = f"the note supports it weakly (probability {suggestion.probability:.2f})"
            severity: Severity = "info" if suggestion.probability >= _LIKELY else "warning"
            return _finding(code, "unsupported", severity, text, "I.B.2; IV.G", better)
        if better:
            text = "the note supports another code of the same kind"
            return _finding(code, "unsupported", "warning", text, "I.A.19; I.B.2", better)
        return _finding(code, "unsupported", "error", "nothing in the note supports it", "I.A.19; IV.J")

    def patient(self, code: str, age: float | None, sex: str) -> list[AuditFinding]:
        """Whether the code can apply to a patient of this age and sex."""
        if code not in self.edition:
            return []
        ruling = implausible(code, age=age, sex=sex, edition=self.edition)
        if ruling is None:
            return []
        severity: Severity = "error" if ruling.action == "block" else "info"
        return [_finding(code, "implausible", severity, ruling.text, f"{ruling.rule}: {ruling.source}")]

    # ---------------------------------------------------------------- codes together

    def pairs(self, codes: list[str]) -> list[AuditFinding]:
        """Excludes1 pairs among the billed codes, each with the note and where it stands."""
        probability = {s.code: s.probability for s in self.coding.suggestions}
        rank = {code: index for index, code in enumerate(codes)}
        findings = []
        for conflict in conflicts(self.edition, codes):
            stays, goes = keeper(self.edition, conflict, probability, rank)
            note = conflict.note
            text = f"not with {stays}: Excludes1 at {note.stands_at}: {note.text}"
            citation = f"I.A.12.a; Excludes1 at {note.stands_at}"
            allowing = contradiction(self.edition, conflict)
            if allowing is not None:
                text += f"; but {allowing.label} at {allowing.stands_at}: {allowing.text}. A reviewer decides"
                citation += f"; {allowing.label} at {allowing.stands_at}"
                findings.append(_finding(goes, "excluded_pair", "warning", text, citation, [stays]))
            else:
                findings.append(_finding(goes, "excluded_pair", "error", text, citation, [stays]))
        return findings

    def order(self, codes: list[str]) -> list[AuditFinding]:
        """Codes that stand before another one that must come first; the correction is the whole right order."""
        broken: list[tuple[str, Severity, str, str]] = []
        if codes and codes[0][0] in "VWXY":
            broken.append((codes[0], "error", "an external cause code is never first", "I.C.20.a.6"))
        if codes and self.edition.is_manifestation(codes[0]):
            broken.append((codes[0], "error", "a manifestation code is never first", "I.A.13"))
        status_first = bool(codes) and codes[0][0] == "Z" and not codes[0].startswith(AFTERCARE)
        if status_first and any(c[0] not in "ZVWXY" for c in codes):
            broken.append((codes[0], "warning", "a status or history code follows the reason for the visit", "I.C.21.c.3"))
        before: list[tuple[str, str]] = []
        for index, code in enumerate(codes):
            for later in codes[index + 1 :]:
                note = next((n for n in self.edition.notes(code, kinds=("code_first",)) if n.names(later)), None)
                if note is not None and not any(n.names(code) for n in self.edition.notes(later, kinds=("code_first",))):
                    before.append((later, code))
                    text = f"{later} stands before it: code first note at {note.stands_at}"
                    broken.append((code, "error", text, f"I.A.13; code first at {note.stands_at}"))
                elif is_sequela(code) and _is_residual(later):
                    before.append((later, code))
                    text = f"the residual condition {later} stands before the sequela code"
                    broken.append((code, "error", text, "I.B.10; I.C.19.a"))
                elif code[0] in "VWXY" and later[0] not in "VWXY" and index:
                    broken.append((code, "warning", f"external causes stand after all other codes, so after {later}", "I.C.20"))
        right = self._right(codes, before)
        if right and self.edition.is_manifestation(right[0]):  # nothing billed can stand before it
            notes = self.edition.notes(right[0], kinds=("code_first",))
            right = [*(s.code for s in self.recommended if any(n.names(s.code) for n in notes)), *right]
        return [_finding(code, "order", severity, text, source, right) for code, severity, text, source in dict.fromkeys(broken)]

    def _right(self, codes: list[str], before: list[tuple[str, str]]) -> list[str]:
        """The billed codes in an order that keeps the claim's own wherever no rule moves a code."""
        right = sorted(codes, key=lambda c: group_of(c, self.edition))
        for _ in codes:
            for first, second in before:
                if right.index(first) > right.index(second):
                    right.remove(first)
                    right.insert(right.index(second), first)
        return right

    def missing(self, billed: list[str], findings: list[AuditFinding]) -> list[AuditFinding]:
        """Recommended codes that the claim lacks and that no other finding offers already."""
        offered = {code for finding in findings for code in finding.correction}
        result = []
        for suggestion in self.recommended:
            code = suggestion.code
            if code in billed or code in offered or code[0] in "VWXY":
                continue
            if any(b in self.edition and self.edition.is_billable(b) and self._stem(b) == self._stem(code) for b in billed):
                continue
            first = self.coding.sequence[0] == code
            severity: Severity = "warning" if first or suggestion.probability >= 0.8 else "info"
            text = f"documented and not billed: {suggestion.title} (probability {suggestion.probability:.2f})"
            citation = "IV.G; IV.J"
            asked = next(
                ((b, n) for b in billed if b in self.edition for n in partner_notes(self.edition, b) if n.names(code)), None
            )
            if asked is not None:
                beside, note = asked
                severity, text = "warning", f"documented, and {beside} asks for it: {suggestion.title}"
                citation = f"I.A.13; I.A.17; I.B.7; {note.label.lower()} at {note.stands_at}"
            result.append(_finding(code, "missing", severity, text, citation, [code]))
        return result


def _is_residual(code: str) -> bool:
    return code[0] not in "STVWXYZ"
