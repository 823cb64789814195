"""The tables of the Benchmark tab as accessible HTML: a summary by method, and a row for every picture."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

from fgrn.figures import TIMINGS, by_method, left_out
from fgrn.methods import METHODS
from fgrn.scores import BLIND, METRICS, Score
from lab.benchmark.runs import PAPER_KEYS, Bench, paper_row
from lab.table import COLUMNS, METHOD, best_of, boxed, head, marked, trivial


def summary(bench: Bench) -> str:
    """Mean and spread of every figure, a row a method, and under it what the paper reports."""
    if not bench.done and not bench.progress.active:
        return ""
    means, spreads = bench.means, bench.spreads
    keys = _keys(bench)
    heads = "".join(head(column) for column in COLUMNS if column.key in keys)
    best = {column.key: best_of(means, column) for column in COLUMNS}
    rows = []
    for name in bench.settings.methods:
        label = escape(METHODS[name].label)
        cells = "".join(
            _mean(bench, key, name, means[name].get(key), spreads[name].get(key), best) for key in keys
        )
        rows.append(f'<tr data-method="{name}"><th scope="row">{label}</th>{cells}</tr>')
        paper = paper_row(bench.dataset, bench.settings.scale, name)
        if paper:
            cells = "".join(_paper_cell(key, paper) for key in keys)
            rows.append(
                f'<tr class="fg-paper" data-paper="{name}"><th scope="row">{label}, paper</th>{cells}</tr>'
            )
    done, of = len(bench.done), bench.settings
    counted = f"{done} picture{'' if done == 1 else 's'}"
    if done < len(bench.names):
        counted = f"{done} of {len(bench.names)} pictures"
    sizes = f"cut to multiples of {of.scale}" if of.protocol == "paper" else "whole pictures"
    caption = f"Mean ± standard deviation over {counted}, ×{of.scale}, {sizes}"
    if bench.dataset:
        caption = f"{bench.dataset}: {caption}"
    return boxed("Summary", escape(caption), METHOD + heads, "".join(rows)) + _reasons(bench)


def pictures(bench: Bench) -> str:
    """PSNR-Y and SSIM-Y of every picture: the rows that are there already."""
    methods = bench.settings.methods
    heads = "".join(
        f'<th scope="col" colspan="2" class="fg-span">{escape(METHODS[m].label)}</th>' for m in methods
    )
    titles = [title for _ in methods for title in ("PSNR-Y", "SSIM-Y")]
    units = "".join(f'<th scope="col">{_sorts(number, title)}</th>' for number, title in enumerate(titles, 1))
    rows = "".join(
        f'<tr><th scope="row" title="{escape(name, quote=True)}">{_opens(bench, name)}</th>'
        + "".join(_pair(scores.get(m), bench.progress.active) for m in methods)
        + "</tr>"
        for name, scores in bench.figures.items()
    )
    lists = _list("Left out", {name: [reason] for name, reason in bench.skipped.items()})
    lists += _list("Changed on reading", bench.notices)
    if not rows:
        return lists
    columns = f'<th scope="col" rowspan="2">{_sorts(0, "Picture")}</th>{heads}</tr><tr>{units}'
    caption = f"{len(bench.done)} of {len(bench.names)} pictures measured"
    return boxed("Pictures", caption, columns, rows, "fg-tall") + lists


def _opens(bench: Bench, name: str) -> str:
    """The name of a picture, which opens it in Compare if it is here, by rows.js."""
    text = escape(name)
    if bench.kept:
        return text
    title = f"Open {text} in Compare, which takes pictures whole"
    return f'<button type="button" class="fg-opens fg-requests" title="{title}">{text}</button>'


def _sorts(column: int, title: str) -> str:
    """A head that sorts the rows, by rows.js."""
    hint = "Sort by this column"
    return f'<button type="button" class="fg-sort" data-column="{column}" title="{hint}">{title}</button>'


def _mean(
    bench: Bench, key: str, method: str, mean: Score | None, spread: Score | None, best: Mapping[str, str]
) -> str:
    if mean is None or spread is None:
        if not bench.progress.active:
            return f'<td data-key="{key}"><span class="fg-na" title="not measured">n/a</span></td>'
        wait = '<span class="fg-wait" aria-label="still to come"></span>'
        return f'<td data-key="{key}">{wait}{_spread(bench, key)}</td>'
    if mean.value is None:
        title = escape(mean.reason, quote=True)
        return f'<td data-key="{key}"><span class="fg-na" title="{title}">n/a</span></td>'
    text, shown = METRICS[key].show(mean.value), spread if math.isfinite(mean.value) else None
    why, below = trivial(method, key), _spread(bench, key, shown)
    if why:
        return f'<td data-key="{key}"><span class="fg-na" title="{why}">{escape(text)}</span>{below}</td>'
    return marked(key, escape(text), text == best[key], below)


def _spread(bench: Bench, key: str, spread: Score | None = None) -> str:
    """The line of the standard deviation; empty as long as there is none, so that rows are as high as they will be."""
    if len(bench.names) < 2:
        return ""
    value = spread.value if spread else None
    text = "&nbsp;" if value is None else f"± {escape(METRICS[key].show(value))}"
    return f'<span class="fg-spread">{text}</span>'


def _paper_cell(key: str, paper: dict[str, float]) -> str:
    if key not in PAPER_KEYS:
        return "<td></td>"
    return f'<td data-key="{key}">{METRICS[key].show(paper[key])}</td>'


def _pair(scores: dict[str, Score] | None, active: bool) -> str:
    if scores is None:
        wait = '<span class="fg-wait" aria-label="still to come"></span>' if active else ""
        return f"<td>{wait}</td><td>{wait}</td>"
    return "".join(
        f"<td>{'n/a' if (value := scores[key].value) is None else METRICS[key].show(value)}</td>"
        for key in PAPER_KEYS
    )


def _reasons(bench: Bench) -> str:
    """How many pictures a mean leaves out, and why, and what was not measured at all."""
    lines = left_out(by_method(bench.counted, bench.settings.methods))
    said = [f"Left out of means, for all methods: {'. '.join(lines)}."] if lines else []
    for method, means in bench.means.items():
        missing = [METRICS[key].name for key in _keys(bench) if key not in means]
        if missing and means and not bench.progress.active:
            said.append(f"Not measured of {METHODS[method].label}: {', '.join(missing)}.")
    return f'<p class="fg-notes">{escape(" ".join(said))}</p>' if said else ""


def _keys(bench: Bench) -> list[str]:
    """The figures that have a column in the summary."""
    left_out = () if bench.settings.no_reference else BLIND
    known = (column.key for column in COLUMNS if column.key not in left_out)
    return [key for key in known if not (bench.kept and key in TIMINGS)]


def _list(title: str, lines: Mapping[str, Sequence[str]]) -> str:
    """What there is to say about files, by their names."""
    if not lines:
        return ""
    items = "".join(
        f"<li><b>{escape(name)}</b>: {escape(' '.join(said))}</li>" for name, said in lines.items()
    )
    return f'<p class="fg-info">{title}:</p><ul class="fg-notices">{items}</ul>'
