"""The coder: one note in, one coding out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from threading import Lock

from lexicon.codes.edition import Edition
from lexicon.codes.registry import edition_for, load_edition
from lexicon.errors import InputError
from lexicon.vocabulary import Vocabulary, load_vocabulary
from models.candidates import CandidateFinder
from models.coding import Coding, Evidence, Note, Role, RuleVerdict, Suggestion
from models.combine import Combiner
from models.derive import Deriver
from models.options import Option, Proposer
from models.problems import Problem, problems_of
from models.ranker import Part, Ranker, load_ranker
from models.retrieval import load_titles
from models.rules import decide
from models.rules.encounter import encounter_of
from nlp.finding import Reading
from nlp.pipeline import Reader

Progress = Callable[[str, int, int], None]
Lap = Callable[[str], None]
MAX_CHARACTERS = 1_100_000
TOP = 20


@dataclass(frozen=True, slots=True)
class Explanation:
    """What carried a probability: the features with what they add to the log-odds, heaviest first."""

    probability: float
    parts: tuple[Part, ...]


@dataclass(slots=True)
class _Engine:
    edition: Edition
    proposer: Proposer


class Coder:
    """Suggests codes for notes. Make it once with :func:`load`; it is safe to use for many notes and from many threads.

    Examples
    --------
    >>> coder = load()
    >>> coding = coder.suggest("R knee OA.", date_of_service=date(2026, 3, 14))
    >>> coding.sequence
    ['M17.11']
    """

    def __init__(self, ranker: Ranker | None = None) -> None:
        self.vocabulary: Vocabulary = load_vocabulary()
        self.reader = Reader()
        self.combiner = Combiner(self.vocabulary)
        self.deriver = Deriver(self.vocabulary)
        self._ranker = ranker
        self._engines: dict[str, _Engine] = {}
        self._loading = Lock()
        self.lap: Lap = lambda stage: None
        """Called with the name of each stage of a note when it ends: how corpora/speed.py measures them."""

    @property
    def ranker(self) -> Ranker:
        """The trained ranker, loaded when it is first needed."""
        if self._ranker is None:
            self._ranker = load_ranker()
        return self._ranker

    @ranker.setter
    def ranker(self, ranker: Ranker) -> None:
        self._ranker = ranker

    def _engine(self, name: str, progress: Progress | None = None) -> _Engine:
        engine = self._engines.get(name)
        if engine is not None:
            return engine
        with self._loading:  # of many threads that start at once one loads, the others wait
            if name in self._engines:
                return self._engines[name]
            report = progress or (lambda step, done, total: None)
            report("code list and notes", 0, 3)
            edition = load_edition(name)
            report("facets of the titles", 1, 3)
            finder = CandidateFinder(edition, self.vocabulary)
            report("words of the titles", 2, 3)
            engine = _Engine(edition, Proposer(edition, self.vocabulary, finder, load_titles(edition)))
            report("ready", 3, 3)
            self._engines[name] = engine
        return engine

    def prepare(self, day: date | None = None, *, progress: Progress | None = None) -> None:
        """Load the edition of a date of service; the first time on a machine it is compiled, which takes some seconds.

        Parameters
        ----------
        day : date, optional
            Today if omitted.
        progress : callable, optional
            Called with the name of a step, how many are done and how many there are.
        """
        self._engine(edition_for(day)[0].name, progress)

    def suggest(
        self,
        note: Note | str,
        *,
        date_of_service: date | None = None,
        encounter: str = "auto",
        top: int = TOP,
        unrelated: Iterable[tuple[str, str]] = (),
    ) -> Coding:
        """Code one note.

        Parameters
        ----------
        note : Note or str
            The note; a plain text takes the other arguments.
        date_of_service : date, optional
            Chooses the edition when ``note`` is a text; today if omitted.
        encounter : str
            ``auto``, ``initial``, ``subsequent`` or ``sequela`` when ``note`` is a text.
        top : int
            How many suggestions at most.
        unrelated : iterable of (str, str)
            Pairs of codes that a reviewer declares to be unrelated conditions: an Excludes1 note does not part them, and
            a notice says so (I.A.12.a).

        Returns
        -------
        Coding

        Raises
        ------
        InputError
            If the text is longer than about one million characters.
        """
        if isinstance(note, str):
            note = Note(text=note, date_of_service=date_of_service, encounter=encounter)  # type: ignore[arg-type]
        if len(note.text) > MAX_CHARACTERS:
            raise InputError(f"the note has {len(note.text)} characters; theracode reads up to {MAX_CHARACTERS}")
        day = note.date_of_service or date.today()
        info, warning = edition_for(day)
        engine = self._engine(info.name)
        notices = [warning] if warning else []
        reading, problems, options, phase, phase_reason = self._propose(note, engine)
        self.ranker.score(options)
        self.lap("ranking")
        verdict = decide.decide(
            options,
            problems=problems,
            reading=reading,
            edition=engine.edition,
            vocabulary=self.vocabulary,
            threshold=self.ranker.threshold,
            note=note,
            encounter=phase,
            phase_reason=phase_reason,
            handedness=note.dominance or reading.dominance,
            unrelated=frozenset(frozenset(pair) for pair in unrelated),
        )
        self.lap("rules")
        established = any(role_of(i.option.code) in _ESTABLISHED for i in verdict.items if i.status == "recommended")
        suggestions = [
            Suggestion(
                rank=rank,
                code=item.option.code,
                title=item.option.title,
                probability=round(item.option.probability, 4),
                status=item.status,
                role=role_of(item.option.code, established=established and item.status == "recommended"),
                evidence=[Evidence(start=s, end=e, text=note.text[s:e]) for s, e in item.option.evidence],
                reasons=item.option.reasons,
                rule=item.rule,
            )
            for rank, item in enumerate(verdict.items[:top], start=1)
        ]
        shown = {s.code for s in suggestions}
        return Coding(
            id=note.id,
            edition=info.name,
            date_of_service=day,
            encounter=phase,  # type: ignore[arg-type]
            suggestions=suggestions,
            sequence=[code for code in verdict.sequence if code in shown],
            notices=[*notices, *verdict.notices],
            questions=verdict.questions,
        )

    def _propose(self, note: Note, engine: _Engine) -> tuple[Reading, list[Problem], list[Option], str, str]:
        """Everything before ranking: reading, problems, options with features, phase of care and its reason."""
        reading = self.reader.read(note.text)
        self.lap("reading")
        phase, phase_reason = encounter_of(reading, note.encounter, self.vocabulary.section_visits)
        acute = phase == "initial" and (note.encounter == "initial" or "initial" in reading.phases)
        year = (note.date_of_service or date.today()).year
        problems = self.combiner.combine(problems_of(reading, self.vocabulary), acute=acute)
        problems = self.deriver.derive(problems, acute=acute, reading=reading, year=year)
        self.lap("problems")
        handedness = note.dominance or reading.dominance
        options = engine.proposer.options(problems, reading, phase, handedness)
        decide.mark_explained(options, self.vocabulary)
        self.lap("candidates")
        return reading, problems, options, phase, phase_reason

    def options_for(self, note: Note) -> list[Option]:
        """The unranked options of a note with their features: what the ranker learns from."""
        info, _ = edition_for(note.date_of_service or date.today())
        return self._propose(note, self._engine(info.name))[2]

    def explain(self, note: Note) -> dict[str, Explanation]:
        """Which features carried the probability of each option of a note, by code.

        It stands beside the coding, whose form is a contract. A code that a rule added after ranking has no explanation.
        """
        info, _ = edition_for(note.date_of_service or date.today())
        options = self._propose(note, self._engine(info.name))[2]
        self.ranker.score(options)
        return {o.code: Explanation(round(o.probability, 4), self.ranker.explain(o)) for o in options}

    def pipe(self, notes: Iterable[Note], *, workers: int = 1) -> Iterator[Coding]:
        """Code many notes, in order; only some are read ahead.

        Parameters
        ----------
        notes : iterable of Note
        workers : int
            One: this process. More: so many processes, each with a coder of its own and the ranker of this one. A script asks
            for them below ``if __name__ == "__main__":``.

        Raises
        ------
        InputError
            If there are no workers, or a note is too long.
        WorkerError
            If a worker process died.
        """
        from models.workers import in_order

        if workers < 1:
            raise InputError(f"{workers} workers cannot code notes; give at least 1")
        return in_order(self.suggest if workers == 1 else _suggest, iter(notes), workers, ranker=self._ranker)


_ESTABLISHED = frozenset({"diagnosis", "injury", "aftercare"})


def role_of(code: str, *, established: bool = False) -> Role:
    """The role that the code plays on a claim.

    A symptom that is reported beside an ``established`` diagnosis is what therapy treats: the treatment diagnosis, after
    the medical one (Medicare Benefit Policy Manual ch. 15, 220.3). Integral symptoms never get that far (I.B.5, I.B.6).
    """
    if code[0] in "VWXY":
        return "external"
    if code[0] in "ST" and code < "T36":
        return "injury"
    if code.startswith(("Z47", "Z48", "Z51", "Z44", "Z46")):
        return "aftercare"
    if code[0] == "Z":
        return "status"
    if code[0] == "R" or code.startswith(("M25.5", "M25.6", "M79.6", "M54.2", "M54.5", "M54.6", "M62.81", "M25.4")):
        return "treatment" if established else "symptom"
    return "diagnosis"


@lru_cache(maxsize=1)
def load() -> Coder:
    """The coder of this installation; compiled lexicon and ranker are loaded once per process."""
    return Coder()


def _suggest(note: Note) -> Coding:
    """The task of a worker process."""
    return load().suggest(note)


__all__ = ["Coder", "RuleVerdict", "load"]
