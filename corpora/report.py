"""The benchmark as one HTML page: no script, no external host, plots as inline SVG, light and dark."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from corpora.bench import (
    ERROR_KINDS,
    PAIRED_METRICS,
    SETTING_METRICS,
    TABLE_METRICS,
    BadNote,
    BenchResult,
    SystemResult,
    best_systems,
    shown,
)
from corpora.metrics import LEVELS, LOWER_IS_BETTER
from corpora.stages import STAGES

PLOTTED = ("recall@5", "recall@10", "p@1", "f1", "forbidden")
_STYLE = """
:root { color-scheme: light dark; --bg: #fff; --fg: #1b1f24; --soft: #59636e; --line: #d1d9e0; --panel: #f6f8fa;
  --c0: #0b6bcb; --c1: #b35900; --c2: #1a7f37; --c3: #8250df; --c4: #a40e26; --c5: #57606a; --c6: #008080; --c7: #9a6700; }
@media (prefers-color-scheme: dark) { :root { --bg: #0d1117; --fg: #e6edf3; --soft: #9198a1; --line: #3d444d;
  --panel: #151b23; --c0: #4ea1f7; --c1: #f0883e; --c2: #3fb950; --c3: #b692ff; --c4: #ff7b72; --c5: #a5adb8;
  --c6: #39c5cf; --c7: #d4a72c; } }
body { background: var(--bg); color: var(--fg); font: 15px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto;
  padding: 0 1rem; }
h1, h2, h3 { line-height: 1.2; } h2 { margin-top: 2.5rem; }
.scroll { overflow-x: auto; } .plots { display: flex; flex-wrap: wrap; gap: 1rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { border-bottom: 1px solid var(--line); padding: .25rem .6rem; text-align: right; vertical-align: top; }
th:first-child, td:first-child, td.left, th.left { text-align: left; }
caption { text-align: left; color: var(--soft); padding-bottom: .4rem; }
small, .soft { color: var(--soft); } .best { font-weight: 700; }
details { background: var(--panel); border: 1px solid var(--line); border-radius: 6px; padding: .5rem .8rem; margin: .5rem 0; }
svg { display: block; max-width: 100%; height: auto; } svg text { fill: var(--fg); font: 12px system-ui, sans-serif; }
.axis { stroke: var(--line); } .whisker { stroke: var(--fg); stroke-width: 1.2; }
.ok { color: var(--c2); } .bad { color: var(--c4); } q { quotes: "“" "”"; }
"""


def _colour(number: int) -> str:
    return f"var(--c{number % 8})"


def _table(caption: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; header cells are escaped, body cells are HTML."""
    head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in header)
    body = "".join(f'<tr><th scope="row">{row[0]}</th>{"".join(f"<td>{cell}</td>" for cell in row[1:])}</tr>' for row in rows)
    return (
        f'<div class="scroll"><table><caption>{escape(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _metric_name(metric: str) -> str:
    return f"{metric} ↓" if metric in LOWER_IS_BETTER else metric


def _metric_rows(result: BenchResult, metrics: Iterable[str]) -> list[list[str]]:
    rows = []
    for metric in metrics:
        values = {system.name: system.metrics[metric].value for system in result.systems}
        best = best_systems(values, metric)
        row = [escape(_metric_name(metric))]
        for system in result.systems:
            interval = system.metrics[metric]
            mark = ' class="best"' if system.name in best else ""
            ends = f"{shown(metric, interval.low)} to {shown(metric, interval.high)}"
            span = "" if interval.low is None else f"<br><small>{ends}</small>"
            row.append(f"<span{mark}>{shown(metric, interval.value)}</span>{span}")
        rows.append(row)
    return rows


def _bars(result: BenchResult) -> str:
    """Main metrics of every system as bars with 95 % intervals; scale 0 to 1."""
    left, width, bar, gap = 150, 560, 13, 16
    height = len(PLOTTED) * (len(result.systems) * bar + gap) + 40
    parts = [
        (
            f'<svg viewBox="0 0 {left + width + 60} {height}" role="img" width="{left + width + 60}" height="{height}">'
            "<title>Main metrics with 95 % intervals</title>"
        )
    ]
    for tick in range(0, 11, 2):
        x = left + width * tick / 10
        parts.append(f'<line class="axis" x1="{x:.1f}" y1="0" x2="{x:.1f}" y2="{height - 25}"/>')
        parts.append(f'<text x="{x:.1f}" y="{height - 8}" text-anchor="middle">{tick / 10:.1f}</text>')
    y = 6
    for metric in PLOTTED:
        middle = y + len(result.systems) * bar / 2 + 4
        parts.append(f'<text x="{left - 10}" y="{middle:.1f}" text-anchor="end">{escape(_metric_name(metric))}</text>')
        for number, system in enumerate(result.systems):
            interval = system.metrics[metric]
            if interval.value is not None:
                parts.append(
                    f'<rect x="{left}" y="{y}" width="{width * interval.value:.1f}" height="{bar - 2}" '
                    f'fill="{_colour(number)}"><title>{escape(system.name)}: {interval.value:.3f}</title></rect>'
                )
                if interval.low is not None and interval.high is not None:
                    centre = y + (bar - 2) / 2
                    parts.append(
                        f'<line class="whisker" x1="{left + width * interval.low:.1f}" y1="{centre:.1f}" '
                        f'x2="{left + width * interval.high:.1f}" y2="{centre:.1f}"/>'
                    )
            y += bar
        y += gap
    parts.append("</svg>")
    return "".join(parts)


def _legend(names: Sequence[str]) -> str:
    items = "".join(
        f'<span style="margin-right:1.2em"><svg width="12" height="12" style="display:inline" aria-hidden="true">'
        f'<rect width="12" height="12" fill="{_colour(number)}"/></svg> {escape(name)}</span>'
        for number, name in enumerate(names)
    )
    return f"<p>{items}</p>"


def _reliability(system: SystemResult) -> str:
    """Share accepted against mean probability; the size of a point grows with its number of suggestions."""
    size, left, top = 260, 45, 12
    total = sum(point.count for point in system.calibration) or 1
    parts = [
        (
            f'<svg viewBox="0 0 {size + 70} {size + 60}" width="{size + 70}" height="{size + 60}" role="img">'
            f"<title>Reliability of {escape(system.name)}</title>"
            f'<rect class="axis" x="{left}" y="{top}" width="{size}" height="{size}" fill="none"/>'
            f'<line class="axis" x1="{left}" y1="{top + size}" x2="{left + size}" y2="{top}" stroke-dasharray="4 4"/>'
        )
    ]
    for tick in range(0, 11, 5):
        x, y = left + size * tick / 10, top + size - size * tick / 10
        parts.append(f'<text x="{x:.0f}" y="{top + size + 16}" text-anchor="middle">{tick / 10:.1f}</text>')
        parts.append(f'<text x="{left - 6}" y="{y + 4:.0f}" text-anchor="end">{tick / 10:.1f}</text>')
    places = [(left + size * p.mean_probability, top + size * (1 - p.share_accepted)) for p in system.calibration]
    if places:
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(f'<polyline points="{line}" fill="none" stroke="var(--c0)" stroke-width="1.5"/>')
    for point, (x, y) in zip(system.calibration, places, strict=True):
        radius = 3 + 9 * (point.count / total) ** 0.5
        parts.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" fill="var(--c0)" fill-opacity=".6">'
            f"<title>{point.count} suggestions, probability {point.mean_probability:.2f}, "
            f"accepted {point.share_accepted:.2f}</title></circle>"
        )
    parts.append(f'<text x="{left + size / 2:.0f}" y="{top + size + 36}" text-anchor="middle">probability</text></svg>')
    return "".join(parts)


def _error_bars(result: BenchResult) -> str:
    """Kinds of errors of every system as stacked bars on a common scale."""
    left, width, bar = 130, 600, 26
    longest = max((sum(system.errors.values()) for system in result.systems), default=0) or 1
    height = len(result.systems) * bar + 6
    parts = [
        (
            f'<svg viewBox="0 0 {left + width + 60} {height}" width="{left + width + 60}" height="{height}" role="img">'
            "<title>Errors by kind</title>"
        )
    ]
    for row, system in enumerate(result.systems):
        y = row * bar + 4
        x = float(left)
        parts.append(f'<text x="{left - 8}" y="{y + 14}" text-anchor="end">{escape(system.name)}</text>')
        for number, kind in enumerate(ERROR_KINDS):
            count = system.errors[kind]
            share = width * count / longest
            if count:
                parts.append(
                    f'<rect x="{x:.1f}" y="{y}" width="{share:.1f}" height="{bar - 8}" fill="{_colour(number)}">'
                    f"<title>{escape(kind)}: {count}</title></rect>"
                )
            x += share
        parts.append(f'<text x="{x + 6:.1f}" y="{y + 14}">{sum(system.errors.values())}</text>')
    parts.append("</svg>")
    return "".join(parts)


def _bad_note(note: BadNote) -> str:
    expected = "".join(
        f'<li><span class="{"ok" if item.verdict == "hit" else "bad"}">{escape(item.verdict)}</span> '
        f"<b>{escape(' / '.join(item.accept))}</b> {escape(item.title)}"
        + (f" <small>lost in {escape(item.stage)}</small>" if item.stage else "")
        + (f" <q>{escape(item.evidence)}</q>" if item.evidence else "")
        + (f'<br><span class="soft">{escape(item.why)}</span>' if item.why else "")
        + "</li>"
        for item in note.expected
    )
    given = "".join(
        f'<li><span class="{"ok" if item.verdict in {"accepted", "optional"} else "bad"}">{escape(item.verdict)}</span> '
        f"<b>{escape(item.code)}</b> {escape(item.title)}"
        + "".join(f" <q>{escape(quote)}</q>" for quote in item.evidence)
        + "</li>"
        for item in note.given
    )
    setting = f", {escape(note.setting)}" if note.setting else ""
    return (
        f"<details><summary>{escape(note.id)}{setting}: {note.errors} errors</summary>"
        f"<h4>Expected</h4><ul>{expected or '<li>nothing</li>'}</ul>"
        f"<h4>Recommended</h4><ul>{given or '<li>nothing</li>'}</ul></details>"
    )


def _settings_table(result: BenchResult, system: SystemResult) -> str:
    rows = [
        [
            escape(name),
            str(count),
            *(shown(metric, system.by_setting[name][metric]) for metric in SETTING_METRICS),
            *(str(system.errors_by_setting[name][kind]) for kind in ERROR_KINDS),
        ]
        for name, count in result.settings.items()
    ]
    header = ["setting", "notes", *(_metric_name(metric) for metric in SETTING_METRICS), *ERROR_KINDS]
    return _table(f"{system.name}: figures and errors by setting", header, rows)


def _comparisons(result: BenchResult) -> str:
    rows = [
        [
            escape(f"{item.first} minus {item.other}"),
            escape(item.metric),
            "-" if item.difference is None else f"{item.difference:+.3f}",
            "-" if item.low is None or item.high is None else f"{item.low:+.3f} to {item.high:+.3f}",
            "-" if item.p_value is None else f"{item.p_value:.3f}",
        ]
        for item in result.comparisons
    ]
    caption = f"Paired over notes: {', '.join(PAIRED_METRICS)}; interval by bootstrap, p by exchanging the systems"
    return _table(caption, ["systems", "metric", "difference", "95 % interval", "p"], rows)


def render_html(result: BenchResult) -> str:
    """The report as one self-contained page."""
    names = [system.name for system in result.systems]
    levelled = [f"{name}:{level}" for level in LEVELS[1:] for name in ("recall@5", "p@1", "f1")]
    facts = [
        f"{result.notes} notes ({result.notes_without_codes} without codes), {result.groups} required groups",
        f"editions {', '.join(result.editions)}; seed {result.config.seed}, {result.config.resamples} resamples",
        f"corpus SHA-256 {result.corpus_digest}",
        "versions " + ", ".join(f"{name} {version}" for name, version in sorted(result.versions.items())),
    ]
    sections = [
        f"<h1>theracode bench: {escape(result.corpus)}</h1>",
        "<ul>" + "".join(f"<li>{escape(fact)}</li>" for fact in facts) + "</ul>",
        "<h2>Main figures</h2>",
        _legend(names),
        _bars(result),
        _table(
            "95 % bootstrap intervals over notes; ↓ lower is better",
            ["metric", *names],
            _metric_rows(result, TABLE_METRICS),
        ),
        "<h2>What kind of error: by category, without side, without 7th character</h2>",
        _table("The same codes seen more coarsely", ["metric", *names], _metric_rows(result, levelled)),
        "<h2>Errors by kind</h2>",
        _legend(ERROR_KINDS),
        _error_bars(result),
        _table(
            "A required group without a recommended accepted code has one kind; forbidden and extra count recommended codes",
            ["kind", *names],
            [[escape(kind), *(str(system.errors[kind]) for system in result.systems)] for kind in ERROR_KINDS],
        ),
    ]
    staged = [system for system in result.systems if system.lost]
    if staged:
        header = ["stage", *(system.name for system in staged)]
        rows = [[escape(stage), *(str(system.lost[stage]) for system in staged)] for stage in STAGES]
        sections.append(_table("Which stage lost the required groups that are not recommended", header, rows))
    if result.comparisons:
        sections += ["<h2>Paired tests</h2>", _comparisons(result)]
    sections.append("<h2>By setting</h2>")
    sections += [_settings_table(result, system) for system in result.systems]
    sections.append("<h2>Calibration</h2><p>On the diagonal a probability means what it says.</p>")
    plots = "".join(f"<div><h3>{escape(system.name)}</h3>{_reliability(system)}</div>" for system in result.systems)
    sections.append(f'<div class="plots">{plots}</div>')
    first = result.systems[0]
    sections.append(f"<h2>Worst notes of {escape(first.name)}</h2>")
    sections += [_bad_note(note) for note in first.worst] or ["<p>No errors.</p>"]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>theracode bench: {escape(result.corpus)}</title><style>{_STYLE}</style></head>\n<body>\n"
        + "\n".join(sections)
        + "\n</body></html>\n"
    )
