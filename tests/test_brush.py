"""The brush of Latent x in the browser: where it paints, and in which order strokes, Undo and Clear are done."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import pytest
from playwright.sync_api import Page, Route, expect

from tests.conftest import SLOW, Visitor
from tests.test_latent import open_tab, slide

pytestmark = pytest.mark.browser
RUN = "**/gradio_api/run/**"  # what is answered outside of the queue


def test_the_brush_paints_where_the_pointer_was(visitor: Visitor) -> None:
    page = open_tab(visitor)
    expect(page.locator("#latent-pair img")).to_have_count(3)
    page.locator("#latent-kind").get_by_label("Brush").check()
    slide(page, "#latent-levels", 30)
    brush = page.locator("#latent-brush .fg-brush")
    brush.scroll_into_view_if_needed()
    plain = shown(page)
    box = brush.bounding_box()
    assert box
    page.mouse.move(box["x"] + 0.25 * box["width"], box["y"] + 0.5 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.5 * box["height"], steps=5)
    before = brush.locator("img").get_attribute("src") or ""
    page.mouse.up()
    expect(brush.locator("img")).not_to_have_attribute("src", before)
    strongest = (
        "c => c.getContext('2d').getImageData(0, 0, c.width, c.height).data"
        ".reduce((most, value, i) => i % 4 === 3 ? Math.max(most, value) : most, 0)"
    )
    trace = round(0.3 * 255)
    assert abs(brush.locator("canvas").evaluate(strongest) - trace) <= 1, "the stroke is in the picture now"
    changed = (shown(page) != plain).any(axis=2)
    rows, columns = np.nonzero(changed)
    side = changed.shape[0]
    assert abs(columns.min() - (side / 4 - 4)) <= 1 and abs(columns.max() - (side / 2 + 4)) <= 1
    assert abs(rows.mean() + 0.5 - side / 2) <= 1

    page.locator("#latent-change").click()
    expect(page.locator("#latent-returned")).to_contain_text("The brush, over")
    page.locator("#latent-undo").click()
    expect(brush.locator("img")).to_have_attribute("src", before)
    assert brush.locator("canvas").evaluate(strongest) == 0
    expect(page.locator("#latent-change-outdated")).to_contain_text("Still shown")
    page.locator("#latent-change").click()
    expect(page.get_by_test_id("toast-body")).to_contain_text("Nothing is painted yet")
    expect(page.locator("#latent-note")).to_contain_text("Nothing is painted yet")
    page.locator("#latent-kind").get_by_label("Grey level").check()
    page.locator("#latent-change").click()
    expect(page.locator("#latent-returned")).to_contain_text("grey level")
    expect(page.locator("#latent-change-outdated")).to_have_text("")
    expect(page.locator("#latent-note")).to_have_text("")


def test_no_stroke_is_lost_while_the_server_is_busy(visitor: Visitor) -> None:
    page = open_brush(visitor)
    plain, places = shown(page), [(part, part) for part in (0.2, 0.4, 0.6, 0.8)]
    with one_message_held(page):
        stroke(page, *places)
    eventually(page, lambda: all(painted(page, plain, places)))


def test_undo_and_clear_take_back_what_has_not_been_sent(visitor: Visitor) -> None:
    page = open_brush(visitor)
    plain, places = shown(page), [(part, 0.5) for part in (0.2, 0.4, 0.6)]
    with one_message_held(page):
        stroke(page, *places)  # the first is on its way, the others wait
        page.locator("#latent-undo").click()
    eventually(page, lambda: painted(page, plain, places) == [True, True, False])
    page.locator("#latent-undo").click()
    eventually(page, lambda: painted(page, plain, places) == [True, False, False])


def test_undo_and_clear_wait_for_the_strokes_before_them(visitor: Visitor) -> None:
    """Else the server could get them first, and take back another stroke."""
    page = open_brush(visitor)
    plain, places = shown(page), [(part, 0.5) for part in (0.2, 0.4, 0.6)]

    def traces() -> int:
        script = "c => c.getContext('2d').getImageData(0, 0, c.width, c.height).data.filter(v => v).length"
        return int(page.locator("#latent-brush canvas").evaluate(script))

    with one_message_held(page):
        stroke(page, places[0])
        assert traces(), "a click leaves one too"
        page.locator("#latent-undo").click()  # the stroke is on its way
        assert not traces(), "it is seen at once"
        stroke(page, *places[1:])
    eventually(page, lambda: painted(page, plain, places) == [False, True, True])
    stroke(page, (0.8, 0.8))
    page.locator("#latent-clear").click()
    eventually(page, lambda: not (shown(page) != plain).any())
    assert not traces()


def test_a_stroke_is_as_thick_as_the_brush_was(visitor: Visitor) -> None:
    page = open_brush(visitor)
    plain = shown(page)
    with one_message_held(page):
        stroke(page, (0.2, 0.5), (0.5, 0.2))  # the second waits
        slide(page, "#latent-radius", 20)
        slide(page, "#latent-levels", -30)
    eventually(page, lambda: all(painted(page, plain, [(0.2, 0.5), (0.5, 0.2)])))
    picture = shown(page).astype(int)
    assert not (picture < plain).any() and (picture != plain).any(axis=2).sum() < 3 * 4 * 4 * 2.2

    page.locator("#latent-kind").get_by_label("Noise").check()
    expect(page.locator("#latent-brush canvas")).to_be_hidden()
    page.locator("#latent-kind").get_by_label("Brush").check()  # another element
    slide(page, "#latent-levels", 30)
    stroke(page, (0.8, 0.8))
    eventually(page, lambda: painted(page, plain, [(0.2, 0.5), (0.8, 0.8)]) == [True, True])
    page.locator("#latent-undo").click()
    eventually(page, lambda: painted(page, plain, [(0.2, 0.5), (0.8, 0.8)]) == [True, False])


def open_brush(visitor: Visitor) -> Page:
    """The tab with a brush of 30 grey levels."""
    page = open_tab(visitor)
    expect(page.locator("#latent-pair img")).to_have_count(3)
    page.locator("#latent-kind").get_by_label("Brush").check()
    slide(page, "#latent-levels", 30)
    page.locator("#latent-brush").scroll_into_view_if_needed()
    return page


def stroke(page: Page, *places: tuple[float, float]) -> None:
    """A click on each place: shares of the width and the height."""
    for across, down in places:
        page.locator("#latent-brush canvas").scroll_into_view_if_needed()
        box = page.locator("#latent-brush canvas").bounding_box()
        assert box
        page.mouse.click(box["x"] + across * box["width"], box["y"] + down * box["height"])


def eventually(page: Page, holds: Callable[[], bool]) -> None:
    until = time.monotonic() + SLOW / 1000
    while not holds():
        assert time.monotonic() < until
        page.wait_for_timeout(50)


@contextmanager
def one_message_held(page: Page) -> Iterator[None]:
    """Within, nothing reaches the server: its one message is on its way, and only then goes on."""
    held: list[Route] = []
    page.route(RUN, lambda route: held.append(route))
    yield
    eventually(page, lambda: bool(held))
    page.wait_for_timeout(300)
    assert len(held) == 1, "one message at a time"
    page.unroute(RUN)  # what was held goes on


def painted(page: Page, plain: np.ndarray, places: Sequence[tuple[float, float]]) -> list[bool]:
    """Where the picture differs from a plain one."""
    changed = (shown(page) != plain).any(axis=2)
    height, width = changed.shape
    return [bool(changed[int(down * height), int(across * width)]) for across, down in places]


def shown(page: Page) -> np.ndarray:
    """The pixels of the picture that is painted on."""
    script = """async image => {
        for (let again = 20; ; again--) {
            try { await image.decode(); break; } // it fails where another picture takes its place meanwhile
            catch (error) { if (!again) throw error; await new Promise(done => setTimeout(done, 50)); }
        }
        const c = document.createElement('canvas');
        c.width = image.naturalWidth; c.height = image.naturalHeight; const x = c.getContext('2d');
        x.drawImage(image, 0, 0); return [c.height, c.width, [...x.getImageData(0, 0, c.width, c.height).data]]; }"""
    height, width, values = page.locator("#latent-brush img").evaluate(script)
    return np.array(values, dtype=np.uint8).reshape(height, width, 4)[..., :3]
