"""The pictures, legends and tables of the Latent x tab as HTML."""

from __future__ import annotations

import math
from html import escape

from fgrn.scores import format_score
from lab import lines
from lab.latent.changes import Returned, sentence
from lab.latent.studies import PICTURES, Moved, Step, Study
from lab.latent.views import ERROR_COLOURS, View
from lab.page import Page

_IDEA = (
    "FGRN's encoder makes a representation x from which the picture is restored best; the flow F turns x into the LR "
    "picture to look at"
)
EMPTY = (
    f'<div class="fg-empty"><p><b>What is inside the small picture?</b> {_IDEA}. This tab shows both side by side, the '
    "path from one to the other, what rounding loses on the way back, and what comes back when the LR picture is "
    "changed. Pictures of more than a megapixel wait for Run.</p><p>{why}</p></div>"
)
EXPLAINED = (
    f'<details class="fg-help"><summary>What this tab shows</summary><p>{_IDEA}, and its inverse makes x of it again '
    "before the decoder restores. The encoder was trained with a small weight on being near bicubic, so x looks like a "
    "picture already, and F has the rest to do.</p><p>{why}</p></details>"
)
BACK = "LR is rounded to 8 bit, so the way back through F can miss values of x by a grey level or more."
BACK_WITHOUT_FLOW = "Without a flow the LR picture is x itself, rounded, and there is nothing to invert."
_RGB = ("R", "G", "B")
_COLOURS = {"r": "red", "g": "green", "b": "blue"}


def heading(title: str, text: str) -> str:
    """The head of a section and what it shows."""
    return f'<div class="fg-section"><h2>{escape(title)}</h2><p>{escape(text)}</p></div>'


def summary(of: Study) -> str:
    """What there is to know about x, before one looks at it."""
    x, lr = (
        f"{format_score(step.psnr)} / {format_score(step.psnr_rgb)} dB"
        for step in (of.steps[0], of.steps[-1])
    )
    if of.has_flow:
        text = (
            f"Against bicubic (PSNR-Y / PSNR-RGB): x {x}, LR {lr}. F moves the values of x by {of.flow_rms:.1f} grey "
            "levels (root mean square); View: Minus x shows where."
        )
    else:
        text = f"{of.title} has no flow: x is the LR picture itself, {x} (PSNR-Y / PSNR-RGB) from bicubic."
    clipped = (
        f"{100 * of.clipped:.2f} % of the values that the encoder made lay outside 0 to 255 and were clipped."
    )
    return f'<p class="fg-said">{escape(text)} {clipped}</p>'


def pair(of: Study, files: dict[str, str], view: View, gain: float) -> Page:
    """x, LR and bicubic in a view."""
    page = Page()
    unrounded = {
        "x": of.ranges["x_unrounded"],
        "lr": of.steps[-1].extents if of.has_flow else of.ranges["x_unrounded"],
        "bicubic": of.ranges["bicubic"],
    }
    size = f"{of.lr_size[1]} × {of.lr_size[0]}"
    figures = "".join(
        page.picture(
            path,
            _title(key, view),
            extents(unrounded[key]) if view is View.STRETCHED else size,
            "lr",
            of.lr_size,
        )
        for key, path in files.items()
    )
    page.html = _figures(of, figures) + legend(view, gain, view.reference)
    return page


def path(of: Study, k: int, shown: Moved, moved: Moved | None, view: View) -> Page:
    """l_k in a view, what cell k changed, and the table of all cells."""
    page = Page()
    last = len(of.steps) - 1
    name, note = (f"After cell {k}" if k else "x"), extents(of.steps[k].extents)
    if view.reference and name != view.reference:
        name, note = f"{name} − {view.reference}", f"grey: the same; gain {shown.gain:g}"
    elif k == last:
        name = f"{name}: LR before rounding"
    figures = page.picture(shown.path, name, note, "lr", of.lr_size)
    if moved:
        grey = f"grey: nothing; gain {moved.gain:g}"
        figures += page.picture(moved.path, f"Changed by cell {k}", grey, "lr", of.lr_size)
    else:
        figures += (
            '<figure class="fg-figure"><div class="fg-frame fg-none"><span>x goes into cell 1</span></div>'
            "<figcaption><b>Changed so far</b><span>nothing</span></figcaption></figure>"
        )
    page.html = f'<div class="fg-path">{_figures(of, figures)}{_cells(of.steps, k)}</div>'
    return page


def errors(of: Study, shown: str, channel: str) -> Page:
    """The section about the way back: where x did not come back, and how often by how much."""
    page = Page()
    exact = of.exact
    figure = page.picture(
        shown, "Errors of x", f"{100 * exact.share:.2f} % exact, all channels", "lr", of.lr_size
    )
    total = sum(exact.counts)
    edges = [0, *(least for least, _ in ERROR_COLOURS), 256]
    names = ["exact", "1 grey level", "2 or 3", "4 or more"]
    colours = ["", *(colour for _, colour in ERROR_COLOURS)]
    rows = "".join(
        f'<tr><th scope="row"><span class="fg-key" style="--key:{colour or "var(--fg-frame)"}"></span>{name}</th>'
        f"<td>{sum(exact.counts[low:high]):,}</td><td>{100 * sum(exact.counts[low:high]) / total:.3f} %</td></tr>"
        for low, high, name, colour in zip(edges, edges[1:], names, colours, strict=False)
    )
    if of.has_flow:
        head = heading("Back through F", BACK)
        text = (
            f"{100 * exact.share:.4f} % of the values of x come back exactly; the largest error is "
            f"{exact.largest} grey level{'' if exact.largest == 1 else 's'}. "
        )
    else:
        head = heading("Back to x", BACK_WITHOUT_FLOW)
        text = "All values of x come back exactly. "
    text += f"Restored from that: {format_score(of.psnr)} dB (PSNR-Y)."
    which = "it, the worst of R, G and B" if channel == "rgb" else f"the {_COLOURS[channel]} channel"
    page.html = (
        f'{head}<div class="fg-beside">{_figures(of, figure)}<div><p class="fg-said">{text}</p>'
        '<div class="fg-table-box"><table class="fg-table fg-small"><thead><tr>'
        '<th scope="col">Error of a value</th><th scope="col">values</th>'
        f'<th scope="col">share</th></tr></thead><tbody>{rows}</tbody></table></div>'
        f'<p class="fg-legend">The map: x in grey, and in these colours what did not come back of {which}.</p>'
        "</div></div>"
    )
    return page


def returned(of: Study, back: Returned, gain: float) -> Page:
    """A changed LR picture and what came back from it."""
    page = Page()
    small = f"{of.lr_size[1]} × {of.lr_size[0]}"
    figures = (
        page.picture(
            back.files["lr"], "Changed LR", f"{100 * back.changed:.3g} % of its values", "lr", of.lr_size
        )
        + page.picture(back.files["x_change"], "Change of x", small, "lr", of.lr_size)
        + page.picture(
            back.files["restored"], "Restored from it", f"{format_score(back.psnr)} dB", "hr", of.size
        )
        + page.picture(
            back.files["restored_change"], "Change of the restored", f"gain {gain:g}", "hr", of.size
        )
    )
    said = f'<p class="fg-said">{escape(sentence(of, back))}</p>'
    page.html = said + _figures(of, figures) + legend(View.DIFFERENCE, gain, "what comes back unchanged")
    return page


def canvas(of: Study, lr: str, problem: str = "") -> Page:
    """The LR picture to paint on, and why what was done last was refused."""
    page = Page()
    height, width = of.lr_size
    page.html = (
        f'{lines.problem(problem) if problem else ""}<div class="fg-brush" '
        f'style="--ratio:{width / height:.4f}">'
        f'<img src="{page.address(lr)}" alt="LR picture, to paint on" draggable="false">'
        f'<canvas width="{width}" height="{height}" role="img" aria-label="What is painted"></canvas></div>'
        '<p class="fg-info">Draw on it with a mouse, a pen or a finger.</p>'
    )
    return page


def legend(view: View, gain: float, reference: str) -> str:
    """What a colour means."""
    if view is View.CLAMPED:
        text = "Values as they are saved: rounded, and clipped to 0 to 255."
    elif view is View.STRETCHED:
        text = (
            "Before rounding, but for x that was refined; the smallest value of each channel is shown as 0, the "
            "largest as 255."
        )
    else:
        text = (
            f"Grey: the same as {reference}. Lighter: more of that colour, darker: less. One grey level is shown as "
            f"{gain:g}; differences of more than {127 / gain:.0f} look alike."
        )
    return f'<p class="fg-legend">{escape(text)}</p>'


def extents(ranges: tuple[tuple[float, float], ...] | list[tuple[float, float]]) -> str:
    """The smallest and the largest level of the channels, "R -3...258, G ..."."""
    return ", ".join(
        f"{name} {round(low)}…{round(high)}" for name, (low, high) in zip(_RGB, ranges, strict=True)
    )


def _title(key: str, view: View) -> str:
    name = PICTURES[key] if key != "bicubic" else "Bicubic"
    return f"{name} − {view.reference}" if view.reference and key != view.reference else name


def _figures(of: Study, figures: str) -> str:
    ratio = of.lr_size[1] / of.lr_size[0]
    return f'<div class="fg-views" style="--ratio:{ratio:.4f}">{figures}</div>'


def _cells(steps: tuple[Step, ...], current: int) -> str:
    rows = []
    for k, step in enumerate(steps):
        gain = _gain(step.psnr - steps[k - 1].psnr) if k else ""
        moved = "".join(f"<td>{value:.2f}</td>" for value in step.moved) if k else "<td></td>" * 3
        name = f"cell {k}" if k else "x"
        rows.append(
            f'<tr{" class=fg-current" if k == current else ""}><th scope="row">{name}</th>{moved}'
            f"<td>{format_score(step.psnr)}</td><td>{gain}</td></tr>"
        )
    head = "".join(f'<th scope="col">{name}</th>' for name in ("image", *_RGB, "dB to bicubic", "change"))
    return (
        '<div class="fg-table-box" tabindex="0"><table class="fg-table fg-small"><caption>How far each cell moves R, G '
        "and B (root mean square, grey levels), and how close its image is to bicubic (PSNR-Y)</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _gain(change: float) -> str:
    """A change in dB with its sign; "" between two images that are both exactly bicubic."""
    if math.isnan(change):
        return ""
    return f"{change:+.2f}" if math.isfinite(change) else ("+" if change > 0 else "-") + format_score(change)
