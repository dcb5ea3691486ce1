"""theracode: from a therapy note to ranked, billable ICD-10-CM codes. The public interface."""

from __future__ import annotations

from models.coder import Coder, load
from models.coding import Coding, Evidence, Note, RuleVerdict, Suggestion

__all__ = ["Coder", "Coding", "Evidence", "Note", "RuleVerdict", "Suggestion", "load"]
