"""Reading a note: a spaCy pipeline from text to findings."""

from nlp.finding import CueUse, Finding, Reading
from nlp.pipeline import Reader, build_pipeline

__all__ = ["CueUse", "Finding", "Reader", "Reading", "build_pipeline"]
