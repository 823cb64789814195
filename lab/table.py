"""The comparison table as accessible HTML: one row a method, one column a number."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from fgrn.methods import METHODS
from fgrn.scores import METRICS, Metric, Score, Scores, plain_number
from lab.compare.region import KEYS, Region
from lab.compare.snapshot import Outcome, Run, State
from lab.restore.steps import Restored

COLUMNS = tuple(METRICS.values())
METHOD = '<th scope="col">Method</th>'
"""The head of the first column."""


def trivial(method: str, key: str) -> str:
    """Why a number is what it is by construction, so that being best says nothing; "" for all others."""
    if key.startswith("lr_psnr") and method == "bicubic":
        return "it is the reference itself"
    if key == "x_exact" and not METHODS[method].has_flow:
        return "x is the LR picture itself"
    return ""


def render(run: Run, region: Region | None = None) -> str:
    """The table with its notes; with a region, PSNR and SSIM are its own. What came from outside is escaped."""
    caption = f"{escape(run.name)}, {run.size[1]} × {run.size[0]} pixels, ×{run.scale}"
    if region:
        run = region.over(run)
        *titles, last = (column.name for column in COLUMNS if column.key in KEYS)
        caption += (
            f'<b class="fg-region">{", ".join(titles)} and {last} of the region {region.box}, nothing cut</b>'
        )
    scores = {outcome.method: outcome.scores for outcome in run.outcomes}
    best = {column.key: best_of(scores, column) for column in COLUMNS}
    rows = "".join(_row(run, outcome, best) for outcome in run.outcomes)
    heads = "".join(head(column, "region" if region and column.key in KEYS else "") for column in COLUMNS)
    return boxed("Comparison table", caption, METHOD + heads, rows) + _notes(run)


def restored(of: Restored) -> str:
    """The numbers of what an LR picture was restored to, once it was `restore.measured`; "" before."""
    if not of.scores:
        return ""
    columns = [column for column in COLUMNS if column.key in KEYS]
    best = {column.key: best_of(of.scores, column) for column in columns}
    rows = "".join(
        f'<tr data-method="{method}"><th scope="row">{escape(of.label(method))}</th>'
        + "".join(_number(method, column, scores[column.key], best[column.key]) for column in columns)
        + "</tr>"
        for method, scores in of.scores.items()
    )
    caption = f"Against the original, {of.size[1]} × {of.size[0]} pixels, ×{of.scale}"
    missing = {
        (column.name, scores[column.key].reason) for scores in of.scores.values() for column in columns
    }
    notes = " ".join(f"{title} n/a: {reason}." for title, reason in sorted(missing) if reason)
    table = boxed("Against the original", caption, METHOD + "".join(map(head, columns)), rows)
    return f'{table}<p class="fg-notes">{escape(notes)}</p>'


def boxed(name: str, caption: str, heads: str, rows: str, kind: str = "") -> str:
    """A table that scrolls in a box, `name` for those who do not see it. All else is HTML: nothing is escaped here."""
    return (
        f'<div class="fg-table-box {kind}" role="region" aria-label="{name}" tabindex="0"><table class="fg-table">'
        f"<caption>{caption}</caption><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def head(column: Metric, of: str = "") -> str:
    """The head of a column, with what its numbers are of, in small print; a click opens its line of `tips`."""
    words = ", ".join(filter(None, (column.unit, of)))
    unit = f'<span class="fg-unit">{escape(words)}</span>' if words else ""
    title = escape(column.caveat, quote=True)
    return (
        f'<th scope="col"><button type="button" class="fg-tip" popovertarget="fg-tip-{column.key}" title="{title}">'
        f"{escape(column.name)} {_arrow(column)}</button>{unit}</th>"
    )


def tips() -> str:
    """What the heads of all tables open. Once on the page, and in no tab: nothing opens inside a hidden one."""
    return "".join(
        f'<div popover id="fg-tip-{column.key}" class="fg-tip-box"><b>{escape(column.name)} {_arrow(column)}</b> '
        f"{escape(column.caveat)}</div>"
        for column in COLUMNS
    )


WORSE = 0.005  # from this share of a picture on it is said that a method fails there
NOT_MEASURED = "stopped before it was measured"
PROTOCOL = (
    "8-bit pictures throughout. PSNR and SSIM of the restored picture, with as many pixels as the scale cut from each "
    "side: -Y on the Y channel, -RGB on all three. Bold is the best of the column; what is grey is so by "
    "construction, and does not compete."
)
PICTURES = (
    "HR (high resolution) is the picture itself. Shrunk it is the LR (low resolution) picture, from which alone it is "
    "restored. x is what the encoder of FGRN makes of it, and what the decoder restores from: a flow makes the LR "
    "picture of x, and x recovered of that."
)


def help_text(protocol: str = PROTOCOL) -> str:
    """A line of help for every number, in a box that opens on demand."""
    lines = "".join(
        f"<div><dt>{escape(column.name)} {_arrow(column)}</dt><dd>{escape(column.caveat)}</dd></div>"
        for column in COLUMNS
    )
    methods = "".join(
        f"<div><dt>{escape(method.label)}</dt><dd>{escape(method.summary)}</dd></div>"
        for method in METHODS.values()
    )
    summary = "<summary>What the words and numbers mean</summary>"
    return (
        f'<details class="fg-help">{summary}<p>{escape(PICTURES)}</p><dl>{methods}</dl>'
        f"<p>{escape(protocol)}</p><dl>{lines}</dl></details>"
    )


def plain_rows(run: Run, region: Region | None = None) -> list[dict[str, object]]:
    """The table for programs: numbers, None where there is none (yet), and the reasons; those of a region as well."""
    rows = []
    for outcome in run.outcomes:
        row: dict[str, object] = {
            "method": outcome.method,
            "scale": run.scale,
            "state": outcome.state.value,
            "reason": outcome.reason,
            "weights": outcome.digest,
        }
        reasons = {}
        for column in COLUMNS:
            score = outcome.scores.get(column.key)
            row[column.key] = plain_number(score.value if score else None)
            if score is not None and score.value is None:
                reasons[column.key] = score.reason
        of_region = region.of(run).get(outcome.method, {}) if region else {}
        for key in KEYS if region else ():
            score = of_region.get(key)
            row[f"region_{key}"] = plain_number(score.value if score else None)
            if score is not None and score.value is None:
                reasons[f"region_{key}"] = score.reason
        rows.append({**row, "not_available": reasons})
    return rows


def _arrow(column: Metric) -> str:
    words = f"{column.better} is better"
    return f'<span class="fg-arrow" title="{words}" aria-label="{words}">{column.arrow}</span>'


def _row(run: Run, outcome: Outcome, best: dict[str, str]) -> str:
    name = f'<th scope="row">{escape(outcome.label)}</th>'
    if outcome.state in (State.FAILED, State.STOPPED):
        return f'<tr>{name}<td class="fg-wide" colspan="{len(COLUMNS)}">{escape(outcome.reason)}</td></tr>'
    cells = "".join(_cell(run, outcome, column, best[column.key]) for column in COLUMNS)
    return f'<tr data-method="{outcome.method}">{name}{cells}</tr>'


def _cell(run: Run, outcome: Outcome, column: Metric, best: str) -> str:
    score = outcome.scores.get(column.key)
    if score is not None:
        return _number(outcome.method, column, score, best)
    if run.active:
        return f'<td data-key="{column.key}"><span class="fg-wait" aria-label="still to come"></span></td>'
    return _not_available(column, "n/a", NOT_MEASURED)


def _not_available(column: Metric, text: str, why: str) -> str:
    return f'<td data-key="{column.key}"><span class="fg-na" title="{escape(why, quote=True)}">{text}</span></td>'


def _number(method: str, column: Metric, score: Score, best: str) -> str:
    if score.value is None:
        return _not_available(column, "n/a", score.reason)
    text = escape(column.show(score.value))
    why = trivial(method, column.key)
    if why:
        return _not_available(column, text, why)
    return marked(column.key, text, column.show(score.value) == best)


def best_of(scores: Mapping[str, Scores], column: Metric) -> str:
    """The best of the methods as it is shown, so that equal numbers are equally bold; "" if there is no choice."""
    found = [
        of[column.key].value
        for method, of in scores.items()
        if column.key in of and not trivial(method, column.key)
    ]
    values = [value for value in found if value is not None]
    shown = {column.show(value) for value in values}
    if len(shown) < 2:
        return ""
    choose = max if column.better == "higher" else min
    return column.show(choose(values))


def marked(key: str, html: str, best: bool, more: str = "") -> str:
    """The cell of a number that is the best of its column, or is not; `more` stands below it."""
    if not best:
        return f'<td data-key="{key}">{html}{more}</td>'
    return (
        f'<td data-key="{key}" class="fg-best"><strong>{html}</strong>'
        f'<span class="fg-hidden"> (best)</span>{more}</td>'
    )


def _notes(run: Run) -> str:
    """Why a number is n/a, in visible text: a tooltip is out of reach on a touch screen; and where a method fails."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for outcome in run.outcomes:
        for column in COLUMNS:
            score = outcome.scores.get(column.key)
            missing = score is None and outcome.state is State.DONE and not run.active
            reason = NOT_MEASURED if missing else score.reason if score and score.value is None else ""
            if reason:
                reasons.setdefault((column.name, reason), []).append(METHODS[outcome.method].label)
    lines = []
    for (title, reason), labels in reasons.items():
        who = "" if len(labels) == len(run.outcomes) else f" ({', '.join(labels)})"
        lines.append(f"{title} n/a{who}: {reason}.")
    lines += [
        f"In {100 * outcome.worse:.{0 if outcome.worse >= 0.1 else 1}f} % of the picture {outcome.label} is worse than "
        "bicubic: it knows photographs best."
        for outcome in run.outcomes
        if outcome.worse >= WORSE
    ]
    return f'<p class="fg-notes">{escape(" ".join(lines))}</p>' if lines else '<p class="fg-notes"></p>'
