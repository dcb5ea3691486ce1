"""A code's anatomy as the explore page shows it: search, facts, hierarchy, notes with links, and the graph of exclusions."""

from __future__ import annotations

import html
import json
import re
from operator import itemgetter
from urllib.parse import quote

from lexicon.codes.anatomy import Anatomy, written
from lexicon.codes.edition import CodeNote, Edition
from lexicon.normal import phrase
from models.retrieval import load_titles

GRAPH_NODES = 14  # on each side; more than that cannot be read
NEAR = 0.6  # a hit is shown if its score reaches this share of the best one
_CODE = re.compile(r"(?<![\w.])[A-Z][0-9][0-9A-Z](?:\.[0-9A-Z]{1,4})?(?![\w])")
_COLOURS = {"excludes1": "#b3541e", "excludes2": "#4f6f8f"}


def search(edition: Edition, query: str, *, top: int = 25) -> list[tuple[str, str]]:
    """Codes for a query, each with its title.

    A query with the form of a code gives that code and what stands below it; other words are searched in titles and
    inclusion terms, best first.
    """
    query = query.strip()[:200]
    if not query:
        return []
    code = written(query)
    if code in edition:
        found = [code, *edition.children(edition.stem(code))] if code == edition.stem(code) else [code]
    elif re.fullmatch(r"[A-Z][0-9][0-9A-Z.]*", code):
        found = edition.leaves_below(code)
    else:
        hits = load_titles(edition).search(tuple(phrase(query)), top=top, alone=True)
        found = [leaf for leaf, score in hits if score >= NEAR * hits[0][1]]
    return [(name, edition.title(name)) for name in found[:top]]


def link(code: str) -> str:
    """A link of the explore page to a code."""
    return f'<a href="?code={quote(code)}" target="_self">{html.escape(code)}</a>'


def linked(text: str, edition: Edition) -> str:
    """A note's text, escaped, in which each code of the edition is a link."""

    def swap(match: re.Match[str]) -> str:
        return link(match.group()) if match.group() in edition else match.group()

    return _CODE.sub(swap, html.escape(text))


def facts_html(code: Anatomy) -> str:
    """The parts of the code as a list of terms."""
    rows = [
        ("Billable", f"{'yes' if code.billable else 'no'}, {code.reason}"),
        ("Category (characters 1 to 3)", code.category),
        ("Detail (characters 4 to 6)", code.detail or "none"),
    ]
    if code.placeholders:
        rows.append(("Placeholders X", str(code.placeholders)))
    if code.extension:
        rows.append(("7th character", f"{code.extension}: {code.extension_meaning}"))
    if code.sevenths:
        letters = "; ".join(f"{letter} {meaning}" for letter, meaning in code.sevenths)
        rows.append(("7th characters allowed", f"{letters} (table at {code.sevenths_at})"))
    if code.manifestation:
        rows.append(("Order", "manifestation code, never first-listed (I.A.13)"))
    if code.billable_below > 1:
        rows.append(("Billable codes below", str(code.billable_below)))
    if code.notes_as_of:
        rows.append(("Notes as of", code.notes_as_of))
    terms = "".join(f"<dt>{html.escape(term)}</dt><dd>{html.escape(value)}</dd>" for term, value in rows)
    return f'<dl class="tc-facts">{terms}</dl>'


def tree_html(code: Anatomy) -> str:
    """From the chapter down to the code and what stands below it, each a link where it is a code."""
    rows = []
    for depth, level in enumerate(code.levels):
        name = link(level.code) if depth >= 2 else html.escape(level.code)
        here = ' aria-current="true"' if level.code == code.code else ""
        label = f"<strong>{name}</strong>" if here else name
        rows.append(f'<li style="--level:{depth}"{here}>{label} {html.escape(level.title)}</li>')
    if code.extension:
        rows.append(
            f'<li style="--level:{len(code.levels)}" aria-current="true"><strong>{link(code.code)}</strong> '
            f"{html.escape(code.extension_meaning)}</li>"
        )
    for child in code.children:
        note = "" if child.billable else " (not billable)"
        rows.append(f'<li style="--level:{len(code.levels)}">{link(child.code)} {html.escape(child.title)}{note}</li>')
    return f'<ul class="tc-tree">{"".join(rows)}</ul>'


def notes_html(notes: tuple[CodeNote, ...], edition: Edition) -> str:
    """Notes with their kind, text and where they stand."""
    return "".join(
        f'<div class="tc-noterow"><strong>{note.label}</strong> {linked(note.text, edition)} '
        f'<span class="tc-source">stands at {linked(note.stands_at, edition)}</span></div>'
        for note in notes
    )


def exclusions(edition: Edition, code: str) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """What a code excludes, and what excludes it.

    Returns
    -------
    (outgoing, incoming)
        Lists of (kind, name): the references of its own and inherited notes, and the places whose notes name it.
    """
    kinds = ("excludes1", "excludes2")
    outgoing = dict.fromkeys(
        (note.kind, reference.text)
        for note in edition.notes(code, kinds=kinds)
        if not note.names(code)
        for reference in note.references
    )
    incoming = dict.fromkeys(
        (note.kind, note.stands_at)
        for note in edition.all_notes()
        if note.kind in kinds and note.names(code) and not code.startswith(note.stands_at)
    )
    return sorted(outgoing, key=itemgetter(0)), sorted(incoming, key=itemgetter(0))


def _title(edition: Edition, name: str) -> str:
    name = name.rstrip("-.")
    return edition.title(name) if name in edition else ""


def exclusions_html(edition: Edition, outgoing: list[tuple[str, str]], incoming: list[tuple[str, str]]) -> str:
    """The exclusions as rows with links, for those who cannot use a drawing; here none is left out."""
    rows = []
    for way, pairs in (("names", outgoing), ("is named at", incoming)):
        for kind, name in pairs:
            label = "Excludes1" if kind == "excludes1" else "Excludes2"
            rows.append(
                f'<div class="tc-noterow"><strong>{label}</strong> {way} {linked(name, edition)} '
                f'<span class="tc-source">{html.escape(_title(edition, name))}</span></div>'
            )
    return "".join(rows)


def graph_dot(edition: Edition, code: str, outgoing: list[tuple[str, str]], incoming: list[tuple[str, str]]) -> str:
    """The exclusions as a graph in the DOT language; colours are legible on light and dark, lines differ by kind."""
    lines = [
        'digraph { rankdir=LR; bgcolor="transparent"; nodesep=0.12; ranksep=0.9;',
        'node [shape=box, style="rounded,filled", fillcolor="#eef3f2", color="#8fa3a0", fontcolor="#17201f", '
        'fontname="sans-serif", fontsize=11, height=0.3];',
        'edge [fontname="sans-serif", fontsize=9];',
        f'{json.dumps(code)} [fillcolor="#0b6e69", fontcolor="#ffffff", color="#0b6e69"];',
    ]
    for prefix, pairs in (("to", outgoing), ("from", incoming)):
        for kind, name in pairs[:GRAPH_NODES]:
            node = json.dumps(f"{prefix} {name}")
            ends = f"{json.dumps(code)} -> {node}" if prefix == "to" else f"{node} -> {json.dumps(code)}"
            style = "solid" if kind == "excludes1" else "dashed"
            lines.append(f"{node} [label={json.dumps(name)}, tooltip={json.dumps(_title(edition, name) or name)}];")
            lines.append(f'{ends} [color="{_COLOURS[kind]}", style={style}];')
    lines.append("}")
    return "\n".join(lines)
