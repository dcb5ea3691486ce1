"""What reading yields: findings with the cues that decided them, and facts about the whole note."""

from __future__ import annotations

from dataclasses import dataclass, field

TERM_WORDS = 15  # content tokens of the longest term that somebody looks up


@dataclass(frozen=True, slots=True)
class CueUse:
    """A piece of the note that decided an attribute of a finding."""

    attribute: str
    value: str
    start: int
    end: int
    text: str


@dataclass(slots=True)
class Finding:
    """A condition, injury, procedure or status that the note mentions.

    Attributes
    ----------
    concept, kind : str
        Entry of the lexicon and its kind.
    start, end : int
        Character span of the words in the note.
    text : str
        The words themselves.
    sites : tuple of str
        Body sites, nearest first; empty when none is known.
    side : str
        right, left, bilateral or unspecified.
    assertion : str
        present, negated, uncertain, historical, family, hypothetical or normal_side.
    cause : str
        Mechanism or concept that caused it, empty when unknown.
    acuity : str
        acute, chronic, recurrent, subacute or empty.
    qualifiers : frozenset of str
        Qualifiers said of it (complete, nondisplaced, ...).
    context : frozenset of str
        Normal forms of the words of its sentence: what a residual title word may be found in.
    section : str
    weight : float
        0 to 1, how much a finding of this section says what is treated today.
    sentence : int
        Number of its sentence.
    line : int
    site_stated, side_stated : bool
        Whether the site (side) stands in the finding's own sentence; otherwise it was carried over.
    cues : tuple of CueUse
    """

    concept: str
    kind: str
    start: int
    end: int
    text: str
    sites: tuple[str, ...] = ()
    side: str = "unspecified"
    assertion: str = "present"
    cause: str = ""
    acuity: str = ""
    qualifiers: frozenset[str] = frozenset()
    context: frozenset[str] = frozenset()
    section: str = "other"
    weight: float = 0.4
    sentence: int = 0
    line: int = 0
    site_stated: bool = False
    side_stated: bool = False
    corrected: bool = False
    cues: tuple[CueUse, ...] = ()


@dataclass(frozen=True, slots=True)
class WrittenCode:
    """A code that the author of the note wrote down."""

    code: str
    start: int
    end: int
    section: str


@dataclass(frozen=True, slots=True)
class DiagnosisPhrase:
    """A line or item of a diagnosis section, for text retrieval: the net under the lexicon."""

    words: tuple[str, ...]
    start: int
    end: int
    text: str
    side: str
    assertion: str
    section: str
    weight: float


@dataclass(frozen=True, slots=True)
class CauseMention:
    """A mechanism, place, activity or status of an external cause."""

    cause: str
    kind: str
    start: int
    end: int
    text: str
    assertion: str
    sentence: int


@dataclass(frozen=True, slots=True)
class Measure:
    """A number that the note states of the patient: ``bmi`` (kg/m²), ``gestation`` (weeks) or ``unconscious`` (minutes)."""

    kind: str
    value: float
    start: int
    end: int


@dataclass(slots=True)
class Reading:
    """Everything that later stages may know about a note."""

    findings: list[Finding] = field(default_factory=list)
    causes: list[CauseMention] = field(default_factory=list)
    written_codes: list[WrittenCode] = field(default_factory=list)
    phrases: list[DiagnosisPhrase] = field(default_factory=list)
    phases: dict[str, list[CueUse]] = field(default_factory=dict)
    dominance: str = ""
    age: float | None = None
    sex: str = ""
    conflicts: list[str] = field(default_factory=list)
    sections: list[str] = field(default_factory=list)
    words: int = 0
    sentences: int = 0
    measures: list[Measure] = field(default_factory=list)

    def measure(self, kind: str) -> Measure | None:
        """The stated number of a kind, or None."""
        return next((m for m in self.measures if m.kind == kind), None)

    @property
    def is_term(self) -> bool:
        """Whether the note is a single term that somebody looks up, and no note ("cyanosis", "toe, great, fracture")."""
        return self.words <= TERM_WORDS and self.sentences == 1 and bool(self.phrases) and not self.sections
