"""From features to probabilities.

:class:`TransparentRanker` is the untrained start: its weights stand here, in one place. A trained model
(``theracode train``) replaces it; both map the named features of an option to a probability.
"""

from __future__ import annotations

from math import exp

from models.options import Option

WEIGHTS: dict[str, float] = {
    "fit": 0.9,
    "first_place": 1.6,
    "weight": 2.6,
    "mentions": 0.5,
    "in_diagnosis": 0.8,
    "in_assessment": 0.6,
    "in_chief_complaint": 0.4,
    "kind_diagnosis": 0.4,
    "kind_injury": 0.5,
    "kind_aftercare": 0.8,
    "only_past": -1.6,
    "only_objective": -0.8,
    "only_plan": -0.6,
    "negated": -0.8,
    "uncertain": -0.8,
    "replaced": -4.0,
    "explained": -1.6,
    "unsupported": -1.0,
    "written": 1.5,
    "source_text": -1.2,
    "text_score": 0.8,
    "order": 0.8,
}
BIAS = -5.2


class TransparentRanker:
    """A fixed weighted sum through the logistic function."""

    threshold = 0.5

    def score(self, options: list[Option]) -> None:
        """Set ``probability`` and ``lead`` of every option."""
        for option in options:
            total = BIAS + sum(WEIGHTS[name] * value for name, value in option.features.items() if name in WEIGHTS)
            option.probability = 1 / (1 + exp(-total))
            option.lead = option.probability
