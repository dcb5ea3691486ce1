"""The official code set: editions chosen by date of service, their notes as rules, and the anatomy of a code."""

from lexicon.codes.edition import CodeNote, Edition
from lexicon.codes.references import Reference, parse_references
from lexicon.codes.registry import edition_for, editions, load_edition

__all__ = ["CodeNote", "Edition", "Reference", "edition_for", "editions", "load_edition", "parse_references"]
