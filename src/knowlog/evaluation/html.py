"""A report as one page of HTML that needs nothing else: plots are SVG in it, and no address is called."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from knowlog.kernel.wording import counted

_STYLE = """
:root{color-scheme:light dark;--ink:#1b1f24;--dim:#6a737d;--line:#d0d7de;--bar:#4c78a8;--bad:#c0392b;--good:#2e7d32;
--bg:#fff}
@media (prefers-color-scheme:dark){:root{--ink:#e6edf3;--dim:#8b949e;--line:#30363d;--bar:#6ea8dc;--bad:#ff7b72;
--good:#7ee787;--bg:#0d1117}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--bg);max-width:70rem;margin:2rem auto;
padding:0 1rem}
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2.2rem}table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:.35rem .6rem;border-bottom:1px solid var(--line);vertical-align:top}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}.dim{color:var(--dim)}
.worse{color:var(--bad)}.better{color:var(--good)}
.mark{display:inline-block;border:1px solid var(--bad);color:var(--bad);padding:0 .5rem;border-radius:.3rem}
.plots{display:flex;flex-wrap:wrap;gap:1.2rem}figure{margin:0}figcaption{font-size:.85rem}details{margin:.3rem 0}
svg text{fill:var(--dim);font:11px system-ui,sans-serif}.bar{fill:var(--bar)}.axis{stroke:var(--line)}
.whisker{stroke:var(--ink);stroke-width:2}
"""
_SYNTHETIC = (
    '<p><span class="mark">synthetic</span> '
    "These questions are drafts made from documents, not asked by people.</p>"
)
_HEAD = (
    '<tr><th>Metric</th><th class="n">Mean</th><th class="n">95 % interval</th>'
    '<th class="n">Questions</th><th>Meaning</th></tr>'
)
_WIDTH, _ROW, _LEFT = 640, 26, 160


def render_report(report: Mapping[str, Any]) -> str:
    """Return the page. Everything that came from outside is escaped."""
    run = report["run"]
    title = f"{run['dataset']}: {run['label'] or run['run_id']}"
    parts = [
        f"<h1>{_text(title)}</h1>", _origin(run), _facts(run),
        "<h2>Figures</h2>", _means(report["metrics"]), _table(report["metrics"]),
        "<h2>How they are spread over the questions</h2>", _spreads(report["metrics"]),
        _differences(report), "<h2>The worst questions</h2>", *map(_question, report["worst"]),
    ]  # fmt: skip
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{_text(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head>'
        f"<body>{''.join(parts)}</body></html>\n"
    )


def _origin(run: Mapping[str, Any]) -> str:
    if run["origin"] == "real":
        return ""
    return _SYNTHETIC


def _facts(run: Mapping[str, Any]) -> str:
    made = run["made_with"] or {}
    facts = {
        "Collection": run["collection"], "Questions": run["question_count"], "Profile version": run["profile_version"],
        "Data version": run["digest"], "Code version": run["code_version"], "Seed": run["seed"],
        "Model": made.get("embedding_key"), "Judge": made.get("judge"),
        "Answers": (made.get("answers") or {}).get("told"), "Finished": run["finished_at"],
        "Run": run["run_id"],
    }  # fmt: skip
    rows = "".join(f"<tr><th>{_text(name)}</th><td>{_text(value)}</td></tr>" for name, value in facts.items())
    return f"<table>{rows}</table>"


def _means(metrics: Sequence[Mapping[str, Any]]) -> str:
    """A bar for each metric of quality, with a whisker for its interval."""
    shown = [each for each in metrics if each["quality"]]
    height = _ROW * len(shown) + 24
    rows = "".join(_bar(number * _ROW, each) for number, each in enumerate(shown))
    ticks = "".join(
        f'<line class="axis" x1="{_x(tick)}" x2="{_x(tick)}" y1="0" y2="{height - 20}"/>'
        f'<text x="{_x(tick)}" y="{height - 6}" text-anchor="middle">{tick:g}</text>'
        for tick in (0, 0.25, 0.5, 0.75, 1)
    )
    box = f'viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}"'
    return (
        f'<figure><svg role="img" aria-label="Means with 95 % intervals" {box}>{ticks}{rows}</svg></figure>'
    )


def _bar(top: int, metric: Mapping[str, Any]) -> str:
    middle = top + _ROW / 2
    return (
        f'<text x="{_LEFT - 8}" y="{middle + 4}" text-anchor="end">{_text(metric["title"])}</text>'
        f'<rect class="bar" x="{_x(0)}" y="{top + 5}" width="{_x(metric["mean"]) - _x(0):.1f}" height="{_ROW - 10}"/>'
        f'<line class="whisker" x1="{_x(metric["low"])}" x2="{_x(metric["high"])}" y1="{middle}" y2="{middle}"/>'
    )


def _x(value: float) -> float:
    return round(_LEFT + max(0.0, min(1.0, value)) * (_WIDTH - _LEFT - 20), 1)


def _table(metrics: Sequence[Mapping[str, Any]]) -> str:
    rows = "".join(
        f'<tr><td>{_text(each["title"])}</td><td class="n">{_figure(each["mean"], each)}</td>'
        f'<td class="n">{_figure(each["low"], each)} to {_figure(each["high"], each)}</td>'
        f'<td class="n">{each["count"]}</td><td class="dim">{_text(each["meaning"])}</td></tr>'
        for each in metrics
    )
    return f"<table>{_HEAD}{rows}</table>"


def _spreads(metrics: Sequence[Mapping[str, Any]]) -> str:
    return f'<div class="plots">{"".join(map(_spread, metrics))}</div>'


def _spread(metric: Mapping[str, Any]) -> str:
    counts, edges = metric["histogram"]["counts"], metric["histogram"]["edges"]
    heights = [60 * count / (max(counts) or 1) for count in counts]
    bars = "".join(
        f'<rect class="bar" x="{4 + 18 * number}" y="{64 - height:.1f}" width="16" height="{height:.1f}">'
        f"<title>{counted(count, 'question')} from {edges[number]:g} to {edges[number + 1]:g}</title></rect>"
        for number, (count, height) in enumerate(zip(counts, heights, strict=True))
    )
    ends = (
        f'<text x="4" y="78">{edges[0]:g}</text><text x="184" y="78" text-anchor="end">{edges[-1]:g}</text>'
    )
    title = _text(metric["title"])
    return (
        f'<figure><svg role="img" aria-label="{title}" width="190" height="82">{bars}{ends}</svg>'
        f"<figcaption>{title}</figcaption></figure>"
    )


def _differences(report: Mapping[str, Any]) -> str:
    against = report["compared_with"]
    if against is None:
        return ""
    rows = "".join(
        f'<tr><td class="{_text(each["outcome"].partition(" ")[0])}">{_text(each["verdict"])}</td></tr>'
        for each in report["differences"]
    )
    rows += "".join(
        f'<tr><td class="dim">Not compared: {_text(", ".join(each["metrics"]))}. {_text(each["reason"])}</td></tr>'
        for each in report["left_out"]
    )
    name = _text(against["label"] or against["run_id"])
    return f"<h2>Compared with {name} (A); this run is B</h2><table>{rows}</table>"


def _question(result: Mapping[str, Any]) -> str:
    detail = result["detail"]
    truth = detail["truth"]
    scores = ", ".join(f"{name} {value:g}" for name, value in result["scores"].items())
    told = {
        "Known answers": "; ".join(truth["answers"]), "Known documents": ", ".join(truth["documents"]),
        "Nothing answers it": "yes" if truth["unanswerable"] else "",
        "Found": ", ".join(each["document"] for each in detail["found"]), "Answer": detail.get("answer", ""),
        "Unsupported": "; ".join(f"{each['claim']} ({each['reason']})" for each in detail.get("unsupported", ())),
        "Scores": scores,
    }  # fmt: skip
    rows = "".join(
        f"<tr><th>{_text(name)}</th><td>{_text(value)}</td></tr>" for name, value in told.items() if value
    )
    return (
        f"<details><summary>{result['worth']:.2f} {_text(detail['question'])} "
        f'<span class="dim">{_text(result["question_id"])}</span></summary><table>{rows}</table></details>'
    )


def _figure(value: float, metric: Mapping[str, Any]) -> str:
    return f"{value:.3f}" if metric["quality"] else f"{value:,.4g} {_text(metric['unit'])}".strip()


def _text(value: object) -> str:
    return escape("-" if value is None else str(value))
