"""The page of the rescaling lab: components and wiring. What it does is in `lab`, the methods are in `fgrn`.

python app.py  # http://127.0.0.1:7860, or where GRADIO_SERVER_NAME and GRADIO_SERVER_PORT say
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from fgrn.methods import METHODS, SCALES
from lab import api, cards, restore, table, theme, viewer
from lab.components import html, pictures, upload
from lab.handlers import EXAMPLES, FIRST_EXAMPLE, FIRST_SCALE, Handlers, Ticket

ABOUT = Path(__file__).resolve().parent / "lab" / "about.md"
TITLE = "Image rescaling lab"
SENTENCE = (
    "Shrink a picture so that it can be restored: bicubic, IRN and FGRN side by side, "
    "with an ordinary PNG in between."
)

# Networks wait for each other, metrics for each other: a slow metric never delays a picture.
NETWORK: dict[str, Any] = {"concurrency_id": "model", "concurrency_limit": 1}
METRIC: dict[str, Any] = {"concurrency_id": "metrics", "concurrency_limit": 1}
QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}


def build_demo(page: Handlers | None = None) -> gr.Blocks:
    """The whole page, not yet started. No network is loaded here."""
    page = page or Handlers()
    demo = gr.Blocks(title=TITLE, analytics_enabled=False, fill_width=True, delete_cache=(3600, 86400))
    with demo:
        with gr.Row(elem_classes="fg-header"):
            html(f"<h1>{TITLE}</h1><p>{SENTENCE}</p>", scale=3, min_width=280)
            badge = html('<div class="fg-badges"></div>', min_width=280, elem_id="badge")
        with gr.Tabs():
            with gr.Tab("Compare", id="compare"):
                _compare_tab(page, demo, badge)
            with gr.Tab("Restore", id="restore"):
                _restore_tab(page)
            with gr.Tab("About", id="about"):
                gr.Markdown(ABOUT.read_text(encoding="utf-8"), elem_classes="fg-about")
        _add_api(page)
    return demo


def _compare_tab(page: Handlers, demo: gr.Blocks, badge: gr.HTML) -> None:
    run, ticket = gr.State(), gr.State(Ticket())
    with gr.Row():
        with gr.Column(scale=1, min_width=300, elem_classes="fg-controls"):
            image = upload(
                value=str(FIRST_EXAMPLE),
                label="Picture",
                sources=["upload", "clipboard"],
                height=220,
                elem_id="picture",
                buttons=[],
            )
            facts = html(page.describe(str(FIRST_EXAMPLE)), elem_id="facts")
            examples = gr.Examples(
                [[str(path)] for path in sorted(EXAMPLES.glob("*.png"))],
                image,
                label="Examples",
                elem_id="examples",
            )
            scale = gr.Radio(
                [(f"×{s}", s) for s in SCALES], value=FIRST_SCALE, label="Scale", elem_id="scale"
            )
            methods = gr.CheckboxGroup(
                [(METHODS["bicubic"].label, "bicubic")], value=["bicubic"], label="Methods", elem_id="methods"
            )
            missing = html(elem_id="missing")
            with gr.Row():
                start = gr.Button("Run", variant="primary", elem_id="run", scale=2, min_width=120)
                stop = gr.Button("Stop", elem_id="stop", scale=1, min_width=80)
        with gr.Column(scale=3, min_width=320, elem_classes="fg-results"):
            status = html(cards.status("Computing the example", True), elem_id="status")
            shots = viewer.component(elem_id="viewer")
            numbers = html(elem_id="numbers")
            html(table.help_text())
            files = pictures(elem_id="files")

    drawn = [run, status, numbers, shots, files]
    request = [image, scale, methods, ticket]
    demo.load(page.watch_example, ticket, drawn, concurrency_limit=None, **QUIET)
    for begins in (start.click, examples.load_input_event.success):
        begun = begins(page.begin, request, [ticket, status], concurrency_limit=4, **QUIET)
        ran = begun.success(page.on_run, request, drawn, trigger_mode="multiple", **NETWORK, **QUIET)
        ran.success(page.measure, [run, ticket], drawn, trigger_mode="multiple", **METRIC, **QUIET)
    stop.click(page.stop, [run, ticket], drawn, queue=False, **QUIET)
    shots.select(
        page.measure_region, ticket, numbers, concurrency_limit=4, trigger_mode="always_last", **QUIET
    )

    demo.load(page.opened, None, [badge, methods, missing], queue=False, **QUIET)
    scale.change(page.choices, [scale, methods], [methods, missing], queue=False, **QUIET)
    image.change(page.describe, image, facts, concurrency_limit=4, **QUIET)


def _restore_tab(page: Handlers) -> None:
    methods = [("As the file says", restore.FROM_FILE), *((m.label, name) for name, m in METHODS.items())]
    scales = [("As the file says", restore.FROM_FILE), *((f"×{s}", str(s)) for s in SCALES)]
    with gr.Row():
        with gr.Column(scale=1, min_width=300, elem_classes="fg-controls"):
            lr = upload(
                label="LR PNG",
                sources=["upload", "clipboard"],
                height=220,
                elem_id="lr",
                buttons=[],
                elem_classes="fg-pixelated",
            )
            facts = html(page.describe_lr(None), elem_id="lr-facts")
            method = gr.Dropdown(methods, value=restore.FROM_FILE, label="Method", elem_id="lr-method")
            scale = gr.Dropdown(scales, value=restore.FROM_FILE, label="Scale", elem_id="lr-scale")
            other = gr.Checkbox(
                label=restore.OTHER_WEIGHTS,
                info="Restore although the file was made with other weights than these.",
                elem_id="lr-other",
            )
            start = gr.Button("Restore", variant="primary", elem_id="restore")
        with gr.Column(scale=3, min_width=320, elem_classes="fg-results"):
            status = html(
                cards.status("Upload a LR PNG: nothing else is needed", False), elem_id="restore-status"
            )
            picture = pictures(elem_id="restored")
    lr.change(page.describe_lr, lr, facts, concurrency_limit=4, **QUIET)
    start.click(page.on_restore, [lr, method, scale, other], [status, picture], **NETWORK, **QUIET)


def _add_api(page: Handlers) -> None:
    """Named endpoints. Components and not bare types, because components check that a file is an upload."""
    endpoints = api.Api(page.models, page.store)
    with gr.Group(visible=False):
        image, lr = upload(label="Picture"), upload(label="LR PNG")
        method = gr.Textbox("fgrn", label="Method, one of " + ", ".join(METHODS))
        named = gr.Textbox("", label="Method, if the file does not name it")
        scale = gr.Number(FIRST_SCALE, precision=0, label="Scale, one of " + ", ".join(map(str, SCALES)))
        named_scale = gr.Number(0, precision=0, label="Scale, if the file does not name it")
        several = gr.JSON([], label="Names of methods; empty for all that are available")
        other = gr.Checkbox(False, label=restore.OTHER_WEIGHTS)
        rows, notices = gr.JSON(label="Rows"), gr.JSON(label="Notices")
        png, pngs = gr.File(label="PNG"), gr.File(label="PNGs", file_count="multiple")
    gr.on([], endpoints.methods, None, rows, api_name="methods", queue=False)
    gr.on([], endpoints.downscale, [image, method, scale], png, api_name="downscale", **NETWORK)
    gr.on(
        [], endpoints.restore, [lr, named, named_scale, other], [png, notices], api_name="restore", **NETWORK
    )
    gr.on([], endpoints.compare, [image, scale, several], [rows, pngs], api_name="compare", **NETWORK)


def serve(demo: gr.Blocks, **options: Any) -> tuple[Any, str, str]:
    """Launch the page with its looks and limits; `options` are those of `gr.Blocks.launch`."""
    served: tuple[Any, str, str] = demo.queue(max_size=64).launch(
        theme=theme.theme(),
        css_paths=theme.CSS,
        max_file_size="20mb",
        show_error=True,
        run_history=False,
        footer_links=["api", "settings"],
        **options,
    )
    return served


def main() -> None:
    """Serve the page, the pictures of its example already computed."""
    page = Handlers()
    page.showcase.wait_for_pictures()
    serve(build_demo(page))


if __name__ == "__main__":
    main()
