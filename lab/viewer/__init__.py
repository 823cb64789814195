"""The viewer of Compare and Restore: the pictures of a run, drawn in the browser by the scripts in this folder.

Python says which pictures there are and where their PNGs lie; the scripts fetch each PNG once and draw its pixels.
`gr.HTML` makes one function of the scripts, so they share their names, and each of them is a file by concept.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr
from gradio.data_classes import FileData

from fgrn.methods import METHODS
from lab.compare.snapshot import Outcome, Run, State
from lab.restore.steps import Restored

FOLDER = Path(__file__).resolve().parent
SCRIPTS = (
    "view.js",
    "pictures.js",
    "errors.js",
    "draw.js",
    "modes.js",
    "panes.js",
    "loupe.js",
    "region.js",
    "toolbar.js",
    "keys.js",
    "pointer.js",
    "painter.js",
    "main.js",
)
KINDS = {"restored": "restored", "x": "x", "lr": "LR", "x_recovered": "x recovered"}
"""The pictures of a method, in the order in which the viewer shows them, with their titles."""


def component(elem_id: str, *, regions: bool, **options: Any) -> gr.HTML:
    """An output for the `value` of a run, or what was `restored`.

    With `regions` a box can be drawn, which its event `select` brings, see `sent_box`.
    """
    template = _source("viewer.html").replace("STAGE", f"{elem_id}-stage")
    return gr.HTML(
        html_template=template.replace("REGIONS", "yes" if regions else "no"),
        css_template=_source("viewer.css"),
        js_on_load="\n".join(map(_source, SCRIPTS)),
        apply_default_css=False,
        elem_id=elem_id,
        **options,
    )


def value(run: Run) -> dict[str, Any]:
    """What the viewer shows of a snapshot.

    Sizes are in pixels of the picture, `factor` is HR pixels per pixel, and `reference` the key of the picture that it
    is compared with.
    """
    height, width = run.size
    hr = _picture("hr", "", State.DONE, (height, width), 1, run.hr)
    pictures = [
        _of_method(run, outcome, kind)
        for kind in KINDS
        for outcome in run.outcomes
        if kind in ("restored", "lr") or _has_latent(outcome)
    ]
    return {
        "run": run.token,
        "source": run.source.sha256,  # a box or a point belongs to the picture, whatever is done with it
        "width": width,
        "height": height,
        "scale": run.scale,
        "methods": [{"name": o.method, "label": o.label} for o in run.outcomes],
        "pictures": [hr, *pictures],
    }


def restored(of: Restored) -> dict[str, Any]:
    """The same of what an LR picture was restored to: beside bicubic, and beside the original if there is one."""
    original = "hr" if of.hr_path else ""
    lr = _picture("lr", "", State.DONE, of.lr_size, of.scale, of.lr_path)
    pictures = [_picture("hr", "", State.DONE, of.size, 1, of.hr_path)] if original else []
    for method, path in of.paths.items():
        only_enlarged = of.enlarged and method == "bicubic"
        reference = original or ("bicubic:restored" if of.enlarged and not only_enlarged else "")
        picture = _picture("restored", method, State.DONE, of.size, 1, path, reference=reference)
        pictures.append(picture | {"label": of.label(method)} if only_enlarged else picture)
    return {
        "run": of.path,
        "source": of.path,
        "width": of.size[1],
        "height": of.size[0],
        "scale": of.scale,
        "methods": [{"name": method, "label": METHODS[method].label} for method in of.paths],
        "pictures": [*pictures, lr],
    }


def sent_box(event: gr.EventData) -> tuple[Any, Any, float]:
    """The `source` of a value, and the box over it, both as they were sent: to be checked; and when that was."""
    data = event._data
    if not isinstance(data, dict):
        return None, None, 0.0
    asked = data.get("asked")
    try:
        when = float(asked) if isinstance(asked, int | float) else 0.0
    except OverflowError:
        when = 0.0
    return data.get("source"), data.get("box"), when


def _has_latent(outcome: Outcome) -> bool:
    """Whether x has pictures of its own: foreseen by the method, so that the place for them is there from the start."""
    return METHODS[outcome.method].has_flow or bool(outcome.files and outcome.files.x != outcome.files.lr)


def _of_method(run: Run, outcome: Outcome, kind: str) -> dict[str, Any]:
    files = outcome.files
    path = getattr(files, "reconstruction" if kind == "restored" else kind) if files else None
    if kind == "restored":
        return _picture(kind, outcome.method, outcome.state, run.size, 1, path, outcome.reason, "hr")
    size = (-(-run.size[0] // run.scale), -(-run.size[1] // run.scale))
    reference = "" if (kind, outcome.method) == ("lr", "bicubic") else "bicubic:lr"
    return _picture(kind, outcome.method, outcome.state, size, run.scale, path, outcome.reason, reference)


def _picture(
    kind: str,
    method: str,
    state: State,
    size: tuple[int, int],
    factor: int,
    path: str | None,
    reason: str = "",
    reference: str = "",
) -> dict[str, Any]:
    """One picture; its label is shown as text, never as HTML."""
    return {
        "key": f"{method}:{kind}" if method else kind,
        "kind": kind,
        "method": method,
        "label": f"{METHODS[method].label} {KINDS[kind]}" if method else kind.upper(),
        "state": state.value,
        "reason": reason,
        "width": size[1],
        "height": size[0],
        "factor": factor,
        "reference": reference,
        "name": Path(path).name if path else "",
        "file": FileData(path=path).model_dump() if path else None,
    }


def _source(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")
