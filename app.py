"""The page of the rescaling lab: components and wiring. What it does is in `lab`, the methods are in `fgrn`.

python app.py  # http://127.0.0.1:7860, or where GRADIO_SERVER_NAME and GRADIO_SERVER_PORT say
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from lab.quick_import import gradio as gr
from fgrn.memory import keep_freed_memory
from fgrn.methods import METHODS, SCALES
from lab import addresses, api, table, theme, zero_gpu
from lab.asked import LIMITS, MAX_UPLOAD
from lab.assets import KeptAssets
from lab.benchmark import tab as benchmark_tab
from lab.compare import tab as compare_tab
from lab.compare.handlers import SESSIONS, Handlers
from lab.components import CLOSE_MESSAGES, NUMBER_CLICKS, SentNumber, html, upload
from lab.examples import FIRST_SCALE
from lab.files import private_folder
from lab.latent import tab as latent_tab
from lab.limits import Limits
from lab.queues import NETWORK, SERIES
from lab.restore import steps as restore
from lab.restore import tab as restore_tab
from lab.stress import tab as stress_tab
from lab.ticket import leave

LAB = Path(__file__).resolve().parent / "lab"
ABOUT = LAB / "about.md"
DIAGRAMS = LAB / "diagram.svg", LAB / "diagram_narrow.svg"  # of which the width of the screen shows one
DIAGRAM_BOX = '<div class="fg-diagram-box">{}</div>'
TITLE = "Image rescaling lab"
SENTENCE = (
    "Shrink a picture so that it can be restored: bicubic, IRN and FGRN side by side, "
    "with an ordinary PNG in between."
)
# Gradio gives the page a base address, so that a link to a place in it would load the page anew.
TO_PICTURES = (
    '<a class="fg-skip" href="#viewer-stage" '
    "onclick=\"document.querySelector('[role=tab]').click(); "
    "setTimeout(() => document.getElementById('viewer-stage').focus(), 100); return false\">To the pictures</a>"
)
PAPER = '<a href="https://arxiv.org/abs/2111.05133" target="_blank" rel="noopener">The paper</a>'
# The first tab is "selected" before the page has looked at its address, and one that is opened for the first time may
# say so when another is open already.
ADDRESS_OF_TAB = """async () => {
    if (!window.fgrnOpened) return;
    await new Promise(drawn => setTimeout(drawn, 50));
    const open = document.querySelector('[role=tab][aria-selected=true]'), url = new URL(location);
    const tab = open?.dataset.tabId ?? '%s';
    if ((url.searchParams.get('tab') ?? 'compare') === tab) return;
    url.searchParams.set('tab', tab);
    history.pushState(null, '', url);
}"""
# Back and forward lead from tab to tab. What is shown stays, and so does the part of the address that names it.
FOLLOW_HISTORY = """() => addEventListener('popstate', () => {
    const name = NAMES[new URL(location).searchParams.get('tab') ?? 'compare'];
    const tabs = document.querySelectorAll('[role=tab], .overflow-dropdown button'); // on a phone some are in a menu
    [...tabs].find(tab => tab.textContent.trim() === name)?.click();
    window.fgrnShowAddress?.();
})"""


def build_demo(page: Handlers | None = None) -> gr.Blocks:
    """The whole page, not yet started. No network is loaded here."""
    page = page or Handlers()
    demo = gr.Blocks(title=TITLE, analytics_enabled=False, fill_width=True, delete_cache=(3600, 86400))
    with demo:
        with gr.Row(elem_classes="fg-header"):
            html(f"{TO_PICTURES}<h1>{TITLE}</h1><p>{SENTENCE} {PAPER}</p>", scale=3, min_width=280)
            badge = html('<div class="fg-badges"></div>', min_width=280, elem_id="badge")
            html(table.tips(), elem_classes="fg-tips")
        with gr.Tabs() as tabs:
            with gr.Tab("Compare", id="compare"):
                request = compare_tab.build(page, demo, badge, tabs)
            with gr.Tab("Latent x", id="latent") as latent:
                latent_tab.build(page, latent, request.image, request.scale)
            with gr.Tab("Restore", id="restore") as whole:
                restore_tab.build(page, whole, request.seen, request.ran)
            with gr.Tab("Stress", id="stress") as stress:
                stress_tab.build(page, demo, stress, request.image, request.scale, request.methods)
            with gr.Tab("Benchmark", id="benchmark") as benchmark:
                benchmark_tab.build(page, demo, benchmark, request)
            with gr.Tab("About", id="about"):
                html(DIAGRAM_BOX.format("".join(path.read_text(encoding="utf-8") for path in DIAGRAMS)))
                gr.Markdown(
                    ABOUT.read_text(encoding="utf-8").replace("LIMITS", LIMITS), elem_classes="fg-about"
                )
        for tab in tabs.children:
            tab.select(None, None, None, js=ADDRESS_OF_TAB % tab.id, trigger_mode="multiple")
        for script in (NUMBER_CLICKS, CLOSE_MESSAGES):
            demo.load(None, None, None, js=script)
        size_limit = (LAB / "size_limit.js").read_text(encoding="utf-8")
        demo.load(None, None, None, js=size_limit.replace("LIMIT", str(MAX_UPLOAD)))
        demo.load(None, None, None, js=(LAB / "groups.js").read_text(encoding="utf-8"))
        names = {str(tab.id): tab.label for tab in tabs.children}
        demo.load(None, None, None, js=FOLLOW_HISTORY.replace("NAMES", f"({json.dumps(names)})"))
        _add_api(page)

        def left(request: gr.Request) -> None:
            """The visitor's page is closed, or loaded anew."""
            name, holder = request.session_hash or "", demo.state_holder
            session = holder.session_data.get(name)
            leave(session.state_data.copy().values() if session else ())
            # This event was a use of it too, but of all sessions it is to be forgotten first.
            with holder.lock:
                if name in holder.session_data:
                    holder.session_data.move_to_end(name, last=False)

        demo.unload(left)
    # What every visitor's page begins with is in Gradio's cache, among the uploads.
    for block in demo.blocks.values():
        page.store.spared.update(Path(path).parent.name for path in getattr(block, "keep_in_cache", ()))
    return demo


def _add_api(page: Handlers) -> None:
    """Named endpoints. Components and not bare types, because components check that a file is an upload."""
    endpoints = api.Api(page.models, page.store)
    with gr.Group(visible=False):
        image, lr = upload(label="Picture"), upload(label="LR PNG")
        method = gr.Textbox("fgrn", label="Method, one of " + ", ".join(METHODS))
        named = gr.Textbox("", label="Method, if the file does not name it")
        scale = SentNumber(FIRST_SCALE, precision=0, label="Scale, one of " + ", ".join(map(str, SCALES)))
        named_scale = SentNumber(0, precision=0, label="Scale, if the file does not name it")
        several = gr.JSON([], label="Names of methods; empty for all but the refined")
        box = gr.JSON(
            None, label="Region as [left, top, width, height] in pixels; none for the whole picture"
        )
        other = gr.Checkbox(False, label=restore.OTHER_WEIGHTS)
        rows, notices = gr.JSON(label="Rows"), gr.JSON(label="Notices")
        png, pngs = gr.File(label="PNG"), gr.File(label="PNGs", file_count="multiple")
    gr.on([], endpoints.methods, None, rows, api_name="methods", queue=False)
    gr.on([], endpoints.downscale, [image, method, scale], [png, notices], api_name="downscale", **NETWORK)
    gr.on(
        [], endpoints.restore, [lr, named, named_scale, other], [png, notices], api_name="restore", **NETWORK
    )
    gr.on([], endpoints.compare, [image, scale, several, box], [rows, pngs], api_name="compare", **SERIES)


def serve(page: Handlers, demo: gr.Blocks, **options: Any) -> tuple[Any, str, str]:
    """Launch the page with its looks and limits; `options` are those of `gr.Blocks.launch`."""
    addresses.refuse()
    served: tuple[Any, str, str] = demo.queue(max_size=64, api_open=False).launch(
        theme=theme.theme(),
        css_paths=theme.CSS,
        max_file_size=f"{MAX_UPLOAD}mb",
        show_error=True,
        state_session_capacity=SESSIONS,
        run_history=False,
        # Not left to the environment: in front of this process, neither of the two would know what is refused here.
        ssr_mode=False,
        num_workers=0,
        footer_links=["api", "settings"],
        **options,
    )
    application = served[0]
    application.middleware_stack = Limits(KeptAssets(application.middleware_stack), page.store.make_room)
    return served


def main() -> None:
    """Serve the page; its example is being computed meanwhile, or was kept by an earlier start."""
    keep_freed_memory()
    # Of its own, so that the next start finds and deletes what a process that was killed has left.
    os.environ["GRADIO_TEMP_DIR"] = os.environ.get("GRADIO_TEMP_DIR") or str(private_folder("fgrn-files-"))
    page = Handlers(zero_gpu.models() if zero_gpu.is_here() else None)
    with_visitors_alone = zero_gpu.is_here()  # networks need the quota of one
    if not with_visitors_alone:
        page.first.start()
    demo = build_demo(page)
    serve(page, demo, prevent_thread_lock=True)
    page.warm_up()
    if not with_visitors_alone:
        page.compute_examples()
    demo.block_thread()


if __name__ == "__main__":
    main()
