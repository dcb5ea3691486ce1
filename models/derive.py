"""Problems that follow from others: deficits after a stroke, aftercare after a procedure, symptoms of a suspicion."""

from __future__ import annotations

from dataclasses import replace

from lexicon.tables import read_table
from lexicon.vocabulary import Vocabulary
from models.candidates import UNNAMED_INJURY
from models.problems import Problem
from nlp.finding import Finding, Reading

# Stroke concepts and the I69 subcategory of their sequelae. Stroke NOS goes to I69.3 (inclusion "Sequelae of stroke NOS").
STROKE_SUBCATEGORY = {
    "stroke_infarction": "I69.3",
    "stroke_hemorrhage": "I69.1",
    "stroke_subarachnoid": "I69.0",
    "stroke_other_intracranial": "I69.2",
    "stroke_unspecified": "I69.3",
    "history_of_stroke": "I69.3",
    "stroke_sequela_unspecified": "I69.3",
}
_CONDITIONS = frozenset({"diagnosis", "symptom", "injury", "aftercare"})
TRAUMATIC_BLEEDING = {"stroke_subarachnoid": ("S06.6X",), "subdural_hematoma": ("S06.5X",), "stroke_hemorrhage": ("S06.3",)}
ORTHOPEDIC_AFTERCARE = "aftercare_orthopedic_other"
_GENERAL_AFTERCARE = frozenset({ORTHOPEDIC_AFTERCARE, "aftercare_surgical_other"})
_PAST_SECTIONS = frozenset({"past_history", "surgical_history", "social_history", "medications", "prior_level", "allergies"})


_WEAKNESS = frozenset({"weakness", "focal_muscle_weakness"})


def _one_sided(problem: Problem, vocabulary: Vocabulary) -> list[str]:
    """I69 subcategories for weakness of one side: hemiparesis, or monoplegia where only one limb is named."""
    if problem.concept not in _WEAKNESS or problem.side not in {"right", "left"}:
        return []
    limbs = {
        limb for site in problem.sites for limb in ("upper_extremity", "lower_extremity") if limb in vocabulary.lineage(site)
    }
    if limbs == {"upper_extremity"}:
        return ["5", "3"]
    if limbs == {"lower_extremity"}:
        return ["5", "4"]
    return ["5"]


class Deriver:
    """Adds derived problems; what they replace is marked, so that it is shown as blocked and never reported."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self._sequelae: dict[str, list[str]] = {}
        for row in read_table("stroke_sequelae.tsv"):
            self._sequelae.setdefault(row["concept"], []).append(row["suffix"])

    def derive(
        self, problems: list[Problem], *, acute: bool = False, reading: Reading | None = None, year: int | None = None
    ) -> list[Problem]:
        """Apply all derivations, in a fixed order.

        Parameters
        ----------
        problems : list of Problem
        acute : bool
            Whether the note is of the acute event itself: a stroke is then I63 and not its sequelae (I.C.9.d).
        reading : Reading, optional
            For accidents without a named injury.
        year : int, optional
            Of service: an operation of an earlier year is history.
        """
        problems = self._stroke(problems, acute)
        problems = self._operated(problems)
        problems = self._aftercare(problems, year)
        problems = self._diabetes_type(self._ulcers(problems))
        if reading is None:
            return problems
        problems = _consciousness(problems, reading, self.vocabulary)
        problems = self._pregnancy(problems, reading)
        problems = late_effects(problems, reading)
        return self._unnamed_injury(problems, reading)

    # ---------------------------------------------------------------- an accident without a named injury

    def _unnamed_injury(self, problems: list[Problem], reading: Reading) -> list[Problem]:
        """A note that tells an accident and nothing else is about an injury of unspecified kind (T14.90)."""
        if UNNAMED_INJURY not in self.vocabulary.concepts:
            return problems
        if any(p.assertion == "present" and p.kind in _CONDITIONS and not p.replaced_by for p in problems):
            return problems
        for mention in reading.causes:
            codes = self.vocabulary.causes[mention.cause][1]
            if mention.kind == "mechanism" and mention.assertion == "present" and codes and codes[0][0] in "VW":
                finding = Finding(UNNAMED_INJURY, "injury", mention.start, mention.end, mention.text, weight=0.8, section="whole")
                return [
                    *problems,
                    Problem(UNNAMED_INJURY, "injury", mentions=[finding], cause=mention.cause, derived=mention.cause),
                ]
        return problems

    # ---------------------------------------------------------------- stroke (I.C.9.d)

    def _stroke(self, problems: list[Problem], acute: bool) -> list[Problem]:
        problems = self._traumatic_bleeding(problems)
        strokes = [
            p for p in problems if p.concept in STROKE_SUBCATEGORY and p.assertion in {"present", "historical"} and not p.stems
        ]
        if acute:
            return [self._event(p) if p in strokes else p for p in problems]
        if not strokes:
            return problems
        strokes.sort(
            key=lambda p: (p.concept in {"stroke_unspecified", "history_of_stroke", "stroke_sequela_unspecified"}, -p.weight)
        )
        subcategory = STROKE_SUBCATEGORY[strokes[0].concept]
        result: list[Problem] = []
        deficits = 0
        stroke_ids = {id(p) for p in strokes}
        for problem in problems:
            if id(problem) in stroke_ids:
                continue
            suffixes = self._sequelae.get(problem.concept)
            specific = _one_sided(problem, self.vocabulary) or list(suffixes or ())
            if specific == ["98"] and not self._after_stroke(problem):
                specific = []  # "other sequela" only where the note links it
            if problem.assertion == "present" and specific:
                deficits += 1
                side = problem.side
                if side == "unspecified" and suffixes and suffixes[0][0] in "345":
                    side = next((s.side for s in strokes if s.side in {"right", "left"} and "hemi" in " ".join(s.context)), side)
                result.append(
                    replace(
                        problem,
                        side=side,
                        stems=tuple(f"{subcategory}{suffix}" for suffix in specific),
                        derived=f"{problem.concept} after {strokes[0].concept}",
                        kind="diagnosis",
                    )
                )
                # I69.x91 and I69.x98 ask for a second code that says which dysphagia or other sequela it is
                keeps_own = set(specific) <= {"91", "98"}
                result.append(problem if keeps_own else replace(problem, replaced_by="stroke"))
            else:
                result.append(problem)
        for stroke in strokes:
            if deficits:
                result.append(replace(stroke, replaced_by="stroke"))
            elif stroke.concept == "history_of_stroke" or stroke.assertion == "historical":
                result.append(replace(stroke, stems=("Z86.73",), kind="status"))
            else:
                result.append(replace(stroke, stems=(f"{subcategory}98", f"{subcategory}0"), derived="stroke in rehabilitation"))
        return result

    def _event(self, stroke: Problem) -> Problem:
        """A stroke that is happening: the codes of the event without those of its sequelae."""
        stems = tuple(code for code in self.vocabulary.concepts[stroke.concept].codes if not code.startswith(("I69", "Z86")))
        return replace(stroke, stems=stems)

    @staticmethod
    def _after_stroke(problem: Problem) -> bool:
        return any(m.cause in STROKE_SUBCATEGORY or "stroke" in m.cause for m in problem.mentions)

    def _traumatic_bleeding(self, problems: list[Problem]) -> list[Problem]:
        """Bleeding in the head beside a head injury is traumatic: S06, not a stroke (Excludes1 at I60-I69)."""
        injured = any(
            p.kind == "injury" and p.assertion == "present" and any(c.startswith(("S02", "S06")) for c in self._lead_codes(p))
            for p in problems
        )
        if not injured:
            return problems
        return [
            replace(p, stems=TRAUMATIC_BLEEDING[p.concept], kind="injury", derived="head injury")
            if p.concept in TRAUMATIC_BLEEDING and p.assertion == "present"
            else p
            for p in problems
        ]

    def _lead_codes(self, problem: Problem) -> tuple[str, ...]:
        codes = self.vocabulary.concepts[problem.concept].codes
        at_head = any("head" in self.vocabulary.lineage(site) for site in problem.sites)
        return codes if at_head else codes[:1]

    # ---------------------------------------------------------------- aftercare (I.C.21.c.7, II.K)

    def _operated(self, problems: list[Problem]) -> list[Problem]:
        """A disease that is named only together with the operation that treated it is gone (II.K)."""
        operations = [
            p
            for p in problems
            if p.kind == "procedure"
            and p.assertion in {"present", "historical"}
            and any(code.startswith(("Z47", "Z48", "Z98.1", "Z96.6")) for code in self.vocabulary.concepts[p.concept].codes[:2])
        ]
        if not operations:
            return problems
        sentences = {m.sentence: p for p in operations for m in p.mentions}
        result = []
        for problem in problems:
            gone = (
                problem.kind == "diagnosis"
                and problem.assertion == "present"
                and not problem.replaced_by
                and self.vocabulary.areas.get(problem.concept) in {"spine", "joints", "neuro", "injuries"}
                and all(m.sentence in sentences and self._related(problem, sentences[m.sentence]) for m in problem.mentions)
            )
            result.append(replace(problem, replaced_by="operated") if gone else problem)
        return result

    @staticmethod
    def _is_old(procedure: Problem, year: int | None) -> bool:
        """Whether the note dates the operation to an earlier year."""
        if year is None:
            return False
        years = [
            int(word)
            for m in procedure.mentions
            for word in m.context
            if len(word) == 4 and word.isdigit() and word[:2] in {"19", "20"}
        ]
        return bool(years) and max(years) < year - 1

    def _aftercare(self, problems: list[Problem], year: int | None) -> list[Problem]:
        """Add aftercare: Z47.1 first after a joint replacement, unless it was done for an injury.

        The arthritis of the replaced joint is gone and no longer coded.
        """
        result = list(problems)
        injuries = [p for p in problems if p.kind == "injury" and p.assertion == "present"]
        aftercare_added = False
        for procedure in problems:
            if procedure.kind != "procedure" or procedure.assertion not in {"present", "historical"}:
                continue
            if self._adds_orthopedic_aftercare(procedure, injuries, year) and not any(
                p.concept == ORTHOPEDIC_AFTERCARE for p in result
            ):
                result.append(
                    replace(
                        procedure,
                        concept=ORTHOPEDIC_AFTERCARE,
                        kind="aftercare",
                        sites=(),
                        side="unspecified",
                        assertion="present",
                        derived=f"{procedure.concept} in rehabilitation",
                    )
                )
            replaced_joint = any(code.startswith("Z96.6") for code in self.vocabulary.concepts[procedure.concept].codes[:1])
            if not replaced_joint:
                continue
            treated = any(m.section not in _PAST_SECTIONS for m in procedure.mentions) and not self._is_old(procedure, year)
            injured = any(self._related(i, procedure) for i in injuries)
            if treated and not injured and not aftercare_added and "aftercare_joint_replacement" in self.vocabulary.concepts:
                aftercare_added = True
                result.append(
                    replace(
                        procedure,
                        concept="aftercare_joint_replacement",
                        kind="aftercare",
                        sites=(),
                        side="unspecified",
                        assertion="present",
                        derived=f"{procedure.concept} in rehabilitation",
                    )
                )
            for index, problem in enumerate(result):
                if (
                    problem.concept.startswith(("osteoarthritis", "arthritis"))
                    and problem.assertion == "present"
                    and not problem.replaced_by
                    and self._related(problem, procedure)
                    and (problem.side == procedure.side or "unspecified" in {problem.side, procedure.side})
                ):
                    result[index] = replace(problem, replaced_by="joint_replaced")
        if aftercare_added:  # the specific aftercare says what the general words say
            result = [
                replace(p, replaced_by="combination") if p.concept in _GENERAL_AFTERCARE and not p.replaced_by else p
                for p in result
            ]
        return result

    def _adds_orthopedic_aftercare(self, procedure: Problem, injuries: list[Problem], year: int | None) -> bool:
        """Aftercare Z47.89 after an operation on bone, joint or disc that was not done for an injury (I.C.21.c.7)."""
        return (
            self.vocabulary.areas.get(procedure.concept) == "procedures"
            and "Z47.89" in self.vocabulary.concepts[procedure.concept].codes
            and ORTHOPEDIC_AFTERCARE in self.vocabulary.concepts
            and any(m.section not in _PAST_SECTIONS for m in procedure.mentions)
            and not injuries
            and not self._is_old(procedure, year)
        )

    # ---------------------------------------------------------------- diabetes, pregnancy

    def _ulcers(self, problems: list[Problem]) -> list[Problem]:
        """A diabetic ulcer is two codes: the diabetes (E11.621) and, where the note says where it is, the ulcer (L97)."""
        result = []
        told = any(
            p.assertion == "present" and _codes_of(self.vocabulary, p)[:1] and _codes_of(self.vocabulary, p)[0].startswith("L97")
            for p in problems
        )
        for problem in problems:
            codes = _codes_of(self.vocabulary, problem)
            disease = tuple(code for code in codes if code.startswith(_DIABETES))
            ulcer = tuple(code for code in codes if code.startswith("L97"))
            if problem.assertion != "present" or problem.replaced_by or not disease or not ulcer:
                result.append(problem)
                continue
            result.append(replace(problem, stems=disease))
            if problem.sites and not told:
                result.append(replace(problem, stems=ulcer, derived="diabetic ulcer"))
        return result

    def _diabetes_type(self, problems: list[Problem]) -> list[Problem]:
        """Complications of a diabetes that is stated as type 1 are sought in E10 (E11 is for unstated types, I.C.4.a.2)."""
        if not any(p.concept == "diabetes_type1" and p.assertion == "present" for p in problems):
            return problems
        result = []
        for problem in problems:
            codes = _codes_of(self.vocabulary, problem)
            if problem.concept == "diabetes_type1" or not any(code.startswith("E11") for code in codes):
                result.append(problem)
                continue
            stems = tuple(dict.fromkeys(f"E10{code[3:]}" if code.startswith("E11") else code for code in codes))
            result.append(replace(problem, stems=tuple(s for s in stems if not s.startswith("E13"))))
        return result

    def _pregnancy(self, problems: list[Problem], reading: Reading) -> list[Problem]:
        """A condition of pregnancy is sought in chapter 15, which comes before other chapters (I.C.15.a.1)."""
        weeks = reading.measure("gestation")
        others = frozenset[str]() if weeks is None else _TRIMESTERS  # "first pregnancy" tells no trimester
        trimester = frozenset[str]() if weeks is None else frozenset({_trimester(weeks.value), "trimester"})
        result = []
        for problem in problems:
            codes = self.vocabulary.concepts[problem.concept].codes
            own = tuple(code for code in codes if code.startswith("O"))
            if problem.assertion == "present" and own and codes[0].startswith("O") and not problem.stems:
                problem = replace(problem, stems=own, context=problem.context - others | trimester)
            result.append(problem)
        return result

    def _related(self, first: Problem, second: Problem) -> bool:
        return (
            not first.sites or not second.sites or any(self.vocabulary.related(a, b) for a in first.sites for b in second.sites)
        )


_TRIMESTERS = frozenset({"first", "second", "third"})


_DIABETES = ("E08", "E09", "E10", "E11", "E13")


def _codes_of(vocabulary: Vocabulary, problem: Problem) -> tuple[str, ...]:
    return problem.stems or vocabulary.concepts[problem.concept].codes


def _trimester(weeks: float) -> str:
    """Chapter 15 counts: first to 13 weeks 6 days, second to 27 weeks 6 days, third from 28 weeks 0 days."""
    return "first" if weeks < 14 else "second" if weeks < 28 else "third"


# ---------------------------------------------------------------- loss of consciousness (S06)

# Upper bounds of minutes and the 6th character that S06 gives them; concussion (S06.0) knows only 0, 1, 9 and A.
_UNCONSCIOUS = ((0.0, "0"), (30.0, "1"), (59.0, "2"), (359.0, "3"), (1440.0, "4"))
_CONCUSSION = "S06.0"


def _consciousness(problems: list[Problem], reading: Reading, vocabulary: Vocabulary) -> list[Problem]:
    """A head injury with the 6th character of S06 for how long consciousness was lost, where the note says so."""
    measure = reading.measure("unconscious")
    result = []
    for problem in problems:
        stems = _codes_of(vocabulary, problem)
        heads = dict.fromkeys(_head_of(code) for code in stems if code.startswith("S06") and code[:5] != "S06.3")
        said = problem.qualifiers & {"with_loc", "without_loc"}
        if not heads or problem.kind != "injury" or not (measure or len(said) == 1):
            result.append(problem)
            continue
        if measure is not None:
            letter = next((letter for most, letter in _UNCONSCIOUS if measure.value <= most), "5")
        else:
            letter = "9" if "with_loc" in said else "0"
        wanted = tuple(f"{head}{'9' if head.startswith(_CONCUSSION) and letter > '1' else letter}" for head in heads)
        result.append(replace(problem, stems=wanted))
    return result


def _head_of(code: str) -> str:
    return code[:6] if len(code) >= 6 else f"{code:X<6}"


# ---------------------------------------------------------------- late effects (I.B.10, I.C.19.a)

LATE_EFFECT = "late_effect"
_REACH = 40  # characters between the words that say "late effect of" and the injury


def late_effects(problems: list[Problem], reading: Reading) -> list[Problem]:
    """Mark injuries that the note names as the cause of a late effect: they take the 7th character S.

    The words stand before the injury ("contracture after an old fracture") or right behind it ("fracture, sequela"). A
    residual condition must be there, since it stands first; an injury that is healed otherwise stays uncoded.
    """
    cues = reading.phases.get("sequela", [])
    residual = any(p.assertion == "present" and p.kind in {"diagnosis", "symptom"} and not p.replaced_by for p in problems)
    if not cues or not residual:
        return problems
    result = []
    for problem in problems:
        near = [
            m
            for m in [*problem.mentions, *problem.against]
            if m.assertion in {"present", "historical"}
            and any(
                0 <= m.start - c.end <= _REACH or 0 <= c.start - m.end <= 3 or (c.start < m.end and m.start < c.end) for c in cues
            )
        ]
        if problem.kind != "injury" or not near:
            result.append(problem)
            continue
        mentions = [*near, *(m for m in problem.mentions if m not in near)]
        result.append(
            replace(problem, assertion="present", mentions=mentions, qualifiers=problem.qualifiers | {LATE_EFFECT}, derived="")
        )
    return result
