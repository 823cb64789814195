"""How long a visitor waits: the server's start, the page's opening, and the pictures after Run.

    python -m tests.benchmarks.page [--rounds N] [--json PATH]

Not a test: it measures, and fails for no figure. It runs `python app.py` with the shipped weights several times: the
first start computes the example, later ones find it kept. A start is over when the page answers. Then Chromium opens
the page with a fresh profile, uploads a seeded picture of 512 x 512 pixels, and a second later compares it by bicubic,
FGRN and IRN at x4; a picture counts as shown when its pixels are there. Medians over the rounds.
"""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
import time
from pathlib import Path
from statistics import median

import gradio
import torch
from playwright.sync_api import Browser, Page, sync_playwright

from fgrn.images import encode_png
from fgrn.methods import weights_folder
from tests.benchmarks.figures import report
from tests.conftest import chromium_path
from tests.photos import make_photo
from tests.server import Server, free_port, start

SIDE = 512
METHODS = ("bicubic", "fgrn", "irn")
LOOK = 1000  # milliseconds between the choice of a picture and Run: nobody is faster
REST = 4000  # milliseconds in which server and browser get done with what the first visit has begun
STEPS = ("bicubic shown", "FGRN shown", "IRN shown", "all metrics")

# Seconds from a click on Run until each picture is drawn and until the numbers are complete.
WATCH = """([methods, name]) => new Promise(resolve => {
    const start = performance.now(), seen = {}, since = () => (performance.now() - start) / 1000;
    document.querySelector('#run').click();
    const look = () => {
        const loaded = document.querySelector('#viewer .vw')?.dataset.loaded === 'yes';
        for (const method of methods)
            if (loaded && document.querySelector(`#viewer a[download="${name}_${method}_x4_restored.png"]`))
                seen[method] ??= since();
        const status = document.querySelector('#status [role=status]')?.textContent;
        if (Object.keys(seen).length === methods.length && status === 'Finished') {
            resolve([...methods.map(method => seen[method]), since()]);
        } else setTimeout(look, 10);
    };
    look();
})"""
FIRST_PICTURES = "() => document.querySelector('#viewer .vw')?.dataset.loaded === 'yes'"


def seconds_to_open(browser: Browser, server: Server) -> tuple[float, Page]:
    """From the request until pictures of the example are drawn."""
    page = browser.new_context(viewport={"width": 1440, "height": 1000}).new_page()
    page.set_default_timeout(300_000)
    begin = time.perf_counter()
    page.goto(server.address)
    page.wait_for_selector("#viewer a[download*=_fgrn_]", state="attached")
    page.wait_for_function(FIRST_PICTURES)
    return time.perf_counter() - begin, page


def seconds_after_run(page: Page, picture: Path) -> list[float]:
    """What `STEPS` names, after a click on Run."""
    clear = page.locator("#picture button[aria-label='Remove Image'], #picture button[aria-label='Clear']")
    if clear.count():
        clear.first.click()
    page.locator("#picture input[type=file]").set_input_files(picture)
    page.locator("#facts", has_text=f"{SIDE} × {SIDE}").wait_for()
    for box in page.locator("#methods label").all():
        box.locator("input").set_checked(box.inner_text().strip() in ("Bicubic", "IRN", "FGRN"))
    page.wait_for_timeout(LOOK)
    found: list[float] = page.evaluate(WATCH, [METHODS, picture.stem])
    return found


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.page")
    parser.add_argument("--rounds", type=int, default=3, help="default: 3")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    arguments = parser.parse_args(argv)
    starts, opened, waited = [], [], []
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        top = Path(name)
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=["--no-sandbox"])
        for turn in range(arguments.rounds + 1):
            begin = time.perf_counter()
            server = start(top / str(turn), weights_folder(), free_port(), FGRN_CACHE=str(top / "cache"))
            starts.append(time.perf_counter() - begin)
            try:
                seconds, page = seconds_to_open(browser, server)
                opened.append(seconds)
                page.wait_for_selector("#status [role=status]:text-is('Finished')")
                if turn:
                    page.wait_for_timeout(REST)
                    again, second = seconds_to_open(browser, server)
                    second.context.close()
                    picture = top / f"speed{turn}.png"
                    picture.write_bytes(encode_png(make_photo(SIDE, SIDE, seed=turn)))
                    waited.append([again, *seconds_after_run(page, picture)])
                page.context.close()
            finally:
                server.process.terminate()
                server.process.wait(60)
        browser.close()
    steps = ("page opened again", *STEPS)
    figures = {
        "environment": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "gradio": gradio.__version__,
            "cores": os.cpu_count(),
            "load": os.getloadavg()[0],
            "rounds": arguments.rounds,
        },
        "seconds": {
            "first start": starts[0],
            "page opened after the first start": opened[0],
            "later start": median(starts[1:]),
            "page opened after a later start": median(opened[1:]),
            **{step: median(row[i] for row in waited) for i, step in enumerate(steps)},
        },
    }
    report(figures, arguments.json)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
