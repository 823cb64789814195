"""The page in a real Chromium: upload, run, read, download, restore, stop, bad files; four screenshots to look at.

Every test also fails on a console error, a page error, or a request to another host.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

import fgrn
from fgrn import metrics
from fgrn.images import encode_png, read_image
from fgrn.lr_info import LRInfo
from tests.conftest import SLOW, Photo, Visitor, canvas_pixels

pytestmark = pytest.mark.browser


@pytest.fixture
def picture(tmp_path: Path, photo: Photo) -> Path:
    path = tmp_path / "holiday.png"
    path.write_bytes(encode_png(photo(203, 301)))  # a multiple of no scale
    return path


def finished(page: Page) -> None:
    expect(page.locator("#status [role=status]")).to_have_text("Finished", timeout=SLOW)


def upload(page: Page, where: str, path: Path) -> None:
    """Put a file into an image input, also where one is shown already."""
    clear = page.locator(f"{where} button[aria-label='Remove Image'], {where} button[aria-label='Clear']")
    if clear.count():
        clear.first.click()
    page.locator(f"{where} input[type=file]").set_input_files(path)


def tick(page: Page, *methods: str) -> None:
    """Tick exactly these methods, by label."""
    for box in page.locator("#methods label").all():
        box.locator("input").set_checked(box.inner_text().strip() in methods)


def shown_pixels(visitor: Visitor, key: str) -> np.ndarray:
    """A picture as the viewer has drawn it in flip mode, pixel for pixel."""
    page = visitor.page
    page.locator("#viewer [data-mode=flip]").last.click()
    page.locator(f"#viewer [data-flip='{key}']").click()
    page.keyboard.press("z")
    drawn = canvas_pixels(page, "#viewer canvas")
    rows, columns = np.nonzero(drawn[..., 3])
    return drawn[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1, :3]


def download(page: Page, method: str, text: str, folder: Path) -> Path:
    with page.expect_download() as event:
        page.locator(f"[data-method={method}] a[download]", has_text=text).click()
    path = folder / event.value.suggested_filename
    event.value.save_as(path)
    return path


def test_opens_with_a_computed_example(visitor: Visitor) -> None:
    page = visitor.open()
    expect(page.locator("#files [data-state=done]").first).to_be_visible()
    finished(page)
    expect(page.locator("#files [data-state=done]")).to_have_count(3)
    expect(page.locator("#viewer canvas[role=img]")).to_have_count(8)
    expect(page.locator("#viewer .vw")).to_have_attribute("data-loaded", "yes")
    expect(page.locator("#badge")).to_contain_text("FGRN ×2 ×4")
    reasons = page.locator("#missing li")
    expect(reasons).to_have_count(0)  # at x4 all have weights
    page.get_by_label("DU_none").check()
    page.get_by_label("×2").check()
    expect(page.locator("#missing")).to_contain_text("DU_none has weights for x4 only")
    expect(page.locator("#methods label")).to_have_count(4)  # bicubic, IRN, FGRN and FGRN refined
    expect(page.locator("#outdated")).to_contain_text("Still shown")
    expect(page.get_by_test_id("toast-body")).to_have_count(0)
    page.get_by_label("×4").check()
    expect(reasons).to_have_count(0)
    expect(page.get_by_label("DU_none")).to_be_checked()


def open_restore(visitor: Visitor) -> None:
    """The tab, which restores the LR picture of Compare at first."""
    visitor.tab("Restore")
    expect(visitor.page.locator("#restore-status")).to_contain_text("Restored from")


def test_upload_run_read_download_restore(
    visitor: Visitor, picture: Path, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FGRN_WEIGHTS", str(weights))
    expected = fgrn.rescale(fgrn.load("fgrn", 4), picture)
    page = visitor.open()
    finished(page)
    upload(page, "#picture", picture)
    expect(page.locator("#facts")).to_contain_text("301 × 203 pixels, PNG")
    page.locator("#run").click()
    expect(page.locator("#numbers caption")).to_contain_text("holiday, 301 × 203 pixels, ×4")
    finished(page)

    row = page.locator("#numbers tr[data-method=fgrn]")
    psnr = metrics.psnr_y(expected.hr, expected.reconstruction, 4)
    expect(row.locator("[data-key=psnr_y]")).to_contain_text(f"{psnr:.2f}")
    expect(row.locator("[data-key=x_exact]")).to_contain_text(f"{100 * expected.x_exact:.2f}")
    expect(row.locator("[data-key=niqe]")).to_have_text("n/a")
    expect(page.locator("#numbers")).to_contain_text("LR too small: 51 px")
    assert re.fullmatch(
        r"\d+\.\d", row.locator("[data-key=piqe]").inner_text().replace(" (best)", "").strip()
    )
    expect(page.locator("#numbers .fg-wait")).to_have_count(0)

    page.locator("#viewer button[data-kind=x_recovered]").click()
    page.locator("#viewer [data-act=own]").click()  # LR and x at their own size
    pictures = {"x": expected.x, "lr": expected.lr, "x_recovered": expected.x_recovered}
    for kind, pixels in {**pictures, "restored": expected.reconstruction}.items():
        np.testing.assert_array_equal(shown_pixels(visitor, f"fgrn:{kind}"), pixels, kind)
    np.testing.assert_array_equal(shown_pixels(visitor, "hr"), expected.hr)

    lr_png = download(page, "fgrn", "LR PNG", tmp_path)
    assert lr_png.name == "holiday_fgrn_x4_lr.png" and lr_png.read_bytes() == expected.lr_png
    restored_png = download(page, "fgrn", "Restored PNG", tmp_path)
    np.testing.assert_array_equal(read_image(restored_png).pixels, expected.reconstruction)

    open_restore(visitor)
    upload(page, "#lr", lr_png)
    expect(page.locator("#lr-facts")).to_contain_text("made by FGRN ×4 from 301 × 203")
    page.locator("#restore").click()
    expect(page.locator("#restore-status")).to_contain_text("Restored from holiday_fgrn_x4_lr.png")
    with page.expect_download() as event:
        page.locator("#restore-files a[download]").click()
    assert event.value.suggested_filename == "holiday_fgrn_x4_restored.png"
    np.testing.assert_array_equal(read_image(event.value.path()).pixels, expected.reconstruction)


def test_what_was_restored_is_measured_against_an_original_that_comes_later(
    visitor: Visitor, picture: Path, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FGRN_WEIGHTS", str(weights))
    path = tmp_path / "small.png"
    result = fgrn.rescale(fgrn.load("fgrn", 4), picture)
    path.write_bytes(result.lr_png)
    page = visitor.open()
    finished(page)
    open_restore(visitor)
    numbers, titles = page.locator("#restore-numbers"), page.locator("#restored .vw-title b")
    said = page.locator("#restore-compared")
    expect(numbers).to_contain_text("Against the original, 512 × 512 pixels")  # the picture of Compare
    upload(page, "#lr", path)
    expect(page.locator("#lr-facts")).to_contain_text("from 301 × 203")
    page.locator("#restore").click()
    expect(said).to_contain_text("not the original: it has 512 × 512 pixels, what was restored 301 × 203")
    expect(numbers).to_have_text("")
    page.locator("#restored [data-mode=error]").click()
    expect(titles).to_have_text(["FGRN restored − bicubic"])
    expect(page.locator("#restored [data-of=lr]")).to_be_hidden()
    expect(page.locator("#restored [data-act=region]")).to_be_hidden()
    upload(page, "#restore-original", picture)
    expect(titles).to_have_text(["Bicubic enlarged − HR", "FGRN restored − HR"])
    psnr = metrics.psnr_y(result.hr, result.reconstruction, 4)
    expect(numbers.locator("[data-method=fgrn] [data-key=psnr_y]")).to_contain_text(f"{psnr:.2f}")
    expect(said).to_have_text("")
    page.locator("#restored .vw-stage").press("r")
    expect(page.locator("#restored .vw")).to_have_attribute("data-tool", "pan")
    page.locator("#restore-original").get_by_label("Remove Image").click()
    expect(titles).to_have_text(["FGRN restored − bicubic"])
    expect(numbers).to_have_text("")
    expect(page.locator("#restore-status")).to_contain_text("Restored from small.png alone")


def test_restoring_without_the_note_asks_for_method_and_scale(
    visitor: Visitor, tmp_path: Path, photo: Photo
) -> None:
    path = tmp_path / "plain.png"
    path.write_bytes(encode_png(photo(40, 50)))
    page = visitor.open()
    finished(page)
    open_restore(visitor)
    upload(page, "#lr", path)
    expect(page.locator("#lr-facts")).to_contain_text("name the method and the scale")
    page.locator("#restore").click()
    expect(page.get_by_test_id("toast-body")).to_contain_text("name the method and the scale")
    for name, choice in (("#lr-method", "Bicubic"), ("#lr-scale", "×2")):
        page.locator(f"{name} input").click()
        page.get_by_role("option", name=choice, exact=True).click()
    page.locator("#restore").click()
    expect(page.locator("#restored figure").first).to_contain_text("100 × 80")
    expect(page.locator("#restore-status")).to_contain_text("size of the original is not known")
    expect(page.get_by_test_id("toast-body")).to_have_count(0)  # what was refused before is over


def test_the_lr_picture_of_compare_is_restored_at_first_and_at_a_click(
    visitor: Visitor, picture: Path
) -> None:
    page = visitor.open()
    finished(page)
    open_restore(visitor)
    expect(page.locator("#restored .vw-title b")).to_have_text(
        ["HR", "Bicubic enlarged", "FGRN restored", "LR"]
    )
    expect(page.locator("#lr-facts")).to_contain_text("made by FGRN ×4 from 512 × 512")
    said = page.locator("#restore-outdated")
    expect(said).to_have_text("")
    upload(page, "#lr", picture)
    expect(said).to_contain_text("Still shown: what portrait_fgrn_x4_lr.png gave")
    page.locator("#restore-take").click()
    expect(said).to_have_text("")
    expect(page.locator("#restore-status")).to_contain_text("Restored from portrait_fgrn_x4_lr.png alone")


def test_a_picture_that_stays_is_named_after_the_file_that_gave_it(
    visitor: Visitor, picture: Path, tmp_path: Path
) -> None:
    """Also when the file chosen since could not be restored."""
    info = LRInfo("fgrn", 4, 50, 67, "0" * 64)  # of weights that nobody has
    foreign = tmp_path / "foreign.png"
    foreign.write_bytes(encode_png(np.zeros((13, 17, 3), np.uint8), info))
    page = visitor.open()
    finished(page)
    open_restore(visitor)
    said, status = page.locator("#restore-outdated"), page.locator("#restore-status")
    expect(status).to_contain_text("Restored from portrait_fgrn_x4_lr.png alone")
    for path in (foreign, picture):
        upload(page, "#lr", path)
        expect(said).to_contain_text("Still shown: what portrait_fgrn_x4_lr.png gave")
        if path is foreign:
            page.locator("#restore").click()
            expect(status).to_contain_text(re.compile("Nothing restored. .*other weights"))
            expect(said).to_contain_text("Still shown: what portrait_fgrn_x4_lr.png gave")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_what_is_chosen_is_seen_under_the_mouse_and_has_a_mark_of_focus(visitor: Visitor, theme: str) -> None:
    page = visitor.open(theme)
    radio = page.locator("#scale input:checked")
    colour = "e => getComputedStyle(e).backgroundColor"
    plain = radio.evaluate(colour)
    radio.hover()
    page.wait_for_timeout(500)  # colours move slowly
    assert radio.evaluate(colour) == plain
    page.keyboard.press("Tab")  # from here on the keyboard is in use
    for chosen in (radio, page.locator("#methods input:checked").first):
        chosen.focus()
        outline = "e => getComputedStyle(e.closest('label')).outlineStyle"
        assert chosen.evaluate(outline) == "solid"


def test_examples_run_when_they_are_chosen(visitor: Visitor) -> None:
    page = visitor.open()
    finished(page)
    page.get_by_label("×2").check()
    page.locator("#examples button, #examples .gallery-item").first.click()
    expect(page.locator("#numbers caption")).to_contain_text("cat_341x257, 341 × 257 pixels, ×2")
    finished(page)


def test_the_slider_follows_its_menus(visitor: Visitor) -> None:
    page = visitor.open()
    finished(page)
    page.locator("#viewer button[data-mode=slider]").click()
    titles = page.locator("#viewer .vw-title b")
    expect(titles).to_have_text(["Bicubic restored", "FGRN restored"])
    before = canvas_pixels(page, "#viewer canvas")
    page.locator("#viewer [data-side=left]").select_option("HR")
    expect(titles).to_have_text(["HR", "FGRN restored"])
    middle = before.shape[1] // 2
    after = canvas_pixels(page, "#viewer canvas")
    assert (after[:, :middle] != before[:, :middle]).any()
    np.testing.assert_array_equal(after[:, middle:], before[:, middle:])


def test_a_number_explains_itself_at_a_click(visitor: Visitor) -> None:
    page = visitor.open()
    finished(page)
    for key, words in (("niqe", "statistics of photographs"), ("lr_bytes", "harder to compress")):
        tip, head = page.locator(f"#fg-tip-{key}"), page.locator(f"#numbers [popovertarget=fg-tip-{key}]")
        head.click()
        expect(tip).to_contain_text(words)
        expect(tip).to_be_in_viewport(ratio=1)
        below, above = tip.bounding_box(), head.bounding_box()
        assert below and above and abs(below["y"] - above["y"]) < 120, "it stands beside what it explains"
        page.keyboard.press("Escape")
        expect(tip).to_be_hidden()


def test_the_first_stop_of_the_keyboard_leads_to_the_pictures(visitor: Visitor) -> None:
    page = visitor.open()
    finished(page)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="To the pictures")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#viewer .vw-stage")).to_be_focused()


def test_stop_in_a_run_and_run_again(visitor: Visitor, picture: Path, tmp_path: Path, photo: Photo) -> None:
    large = tmp_path / "large.png"
    large.write_bytes(encode_png(photo(1600, 2400)))
    page = visitor.open()
    finished(page)
    upload(page, "#picture", large)
    expect(page.locator("#facts")).to_contain_text("2400 × 1600")
    tick(page, "Bicubic", "DU_bic")
    page.locator("#run").click()
    expect(page.locator("#files [data-method=du_bic][data-state=running]")).to_be_visible()
    expect(page.locator("#files [data-method=bicubic][data-state=done]")).to_be_visible()
    page.locator("#stop").click()
    expect(page.locator("#status [role=status]")).to_have_text("Stopped")
    expect(page.locator("#files [data-method=du_bic]")).to_have_attribute("data-state", "stopped")
    expect(page.locator("#numbers [data-method=bicubic] [data-key=psnr_y]")).to_have_text(
        re.compile(r"\d\d\.\d\d")
    )
    page.wait_for_timeout(3000)
    expect(page.locator("#status [role=status]")).to_have_text("Stopped")
    upload(page, "#picture", picture)
    expect(page.locator("#facts")).to_contain_text("301 × 203")
    tick(page, "Bicubic", "FGRN")
    page.locator("#run").click()
    expect(page.locator("#numbers caption")).to_contain_text("holiday")
    finished(page)
    expect(page.locator("#files [data-state=done]")).to_have_count(2)


def test_two_visitors_wait_for_each_other_and_get_their_own_pictures(
    browser: Browser, visitor: Visitor, picture: Path, tmp_path: Path, photo: Photo
) -> None:
    large = tmp_path / "large.png"
    large.write_bytes(encode_png(photo(1200, 1600)))
    second = Visitor(browser, visitor.url, 1440, 1000)
    for who, path, method in ((visitor, large, "DU_bic"), (second, picture, "FGRN")):
        page = who.open()
        finished(page)
        upload(page, "#picture", path)
        expect(page.locator("#facts")).to_contain_text("1600 × 1200" if path is large else "301 × 203")
        tick(page, method)
    visitor.page.locator("#run").click()
    expect(visitor.page.locator("#files [data-state=running]")).to_be_visible()
    second.page.locator("#run").click()
    expect(second.page.locator("#status")).to_contain_text("queue: 1/1")
    for who, name, method in ((visitor, "large", "du_bic"), (second, "holiday", "fgrn")):
        finished(who.page)
        expect(who.page.locator("#numbers caption")).to_contain_text(name)
        expect(who.page.locator("#files [data-state=done]")).to_have_attribute("data-method", method)
        link = who.page.locator(f"#files [data-method={method}] a[download]").first
        assert (link.get_attribute("download") or "").startswith(name)
    second.finish()


def test_a_file_over_the_limit_is_refused_before_it_is_sent(
    visitor: Visitor, picture: Path, tmp_path: Path
) -> None:
    large = tmp_path / "scan.tif"
    with large.open("wb") as file:
        file.truncate(21 * 1024 * 1024)
    page = visitor.open()
    finished(page)
    said = page.locator(".fg-too-large")
    for _ in range(2):  # the same file again
        upload(page, "#picture", large)
        expect(said).to_have_count(1)
        expect(said).to_contain_text("scan.tif has 21.0 MB, and this page takes files of up to 20 MB")
    expect(page.locator("#picture input[type=file]")).to_be_enabled()
    upload(page, "#picture", picture)
    expect(page.locator("#facts")).to_contain_text("301 × 203")
    expect(said).to_have_count(0)
    data = page.evaluate_handle(
        "() => { const data = new DataTransfer();"
        " data.items.add(new File([new Uint8Array(21 * 1024 * 1024)], 'set.zip')); return data; }"
    )
    visitor.tab("Restore")
    page.locator("#restore-original").get_by_label("Remove Image").click()  # that of Compare
    upload(page, "#restore-original", large)
    expect(said).to_contain_text("scan.tif has 21.0 MB")
    upload(page, "#restore-original", picture)
    expect(said).to_have_count(0)
    visitor.tab("Benchmark")
    page.locator("#bench-files button").first.dispatch_event("drop", {"dataTransfer": data})
    expect(said).to_contain_text("set.zip has 21.0 MB")
    expect(page.get_by_test_id("toast-body")).to_have_count(0)


def test_a_bad_file_says_why_and_leaves_the_page_usable(
    visitor: Visitor, picture: Path, tmp_path: Path
) -> None:
    bad = tmp_path / "broken.png"
    bad.write_bytes(picture.read_bytes()[:3000])
    page = visitor.open()
    finished(page)
    upload(page, "#picture", bad)
    expect(page.locator("#facts [role=alert]")).to_contain_text("cut off or damaged")
    page.locator("#run").click()
    expect(page.get_by_test_id("toast-body")).to_contain_text("broken.png")
    expect(page.locator("#status [role=status]")).to_contain_text("it is cut off or damaged")
    expect(page.locator("#files [data-state=done]")).to_have_count(3)  # the example is still there
    upload(page, "#picture", picture)
    expect(page.locator("#facts")).to_contain_text("301 × 203")
    expect(page.locator("#status [role=status]")).to_have_text("Finished")  # of what is still shown
    page.locator("#run").click()
    expect(page.locator("#numbers caption")).to_contain_text("holiday")
    finished(page)


def test_what_is_no_picture_is_never_opened_by_the_server_itself(visitor: Visitor, tmp_path: Path) -> None:
    """Gradio would, for a visitor whose copy of the component it has made anew."""
    letter = tmp_path / "letter.png"
    letter.write_text("Dear Sir or Madam")
    page = visitor.open()
    finished(page)
    upload(page, "#picture", letter)
    expect(page.locator("#facts [role=alert]")).to_contain_text("is not a picture")
    expect(page.get_by_test_id("toast-body")).to_have_count(0)


def test_run_is_acknowledged_before_the_picture_is_read(
    visitor: Visitor, tmp_path: Path, photo: Photo
) -> None:
    large = tmp_path / "large.png"
    large.write_bytes(encode_png(np.tile(photo(300, 400), (10, 10, 1)), quick=True))
    page = visitor.open()
    finished(page)
    upload(page, "#picture", large)
    expect(page.locator("#facts")).to_contain_text("4000 × 3000")
    page.evaluate("document.querySelector('#run').click()")
    assert page.evaluate("document.querySelector('#status .fg-asked') !== null")
    expect(page.locator("#status [role=status]")).to_contain_text("Computing")
    expect(page.locator("#status .fg-asked")).to_have_count(0)
    page.locator("#stop").click()
    expect(page.locator("#status [role=status]")).to_contain_text("Stopped")
    page.locator("#examples .gallery-item").first.click()
    finished(page)
    page.locator("#run").click()  # the answer is what stands there already
    expect(page.locator("#status .fg-asked")).to_have_count(0)


def test_what_is_shown_is_called_outdated_until_run(visitor: Visitor, picture: Path) -> None:
    page = visitor.open()
    finished(page)
    said = page.locator("#outdated")
    expect(said).to_have_text("")
    upload(page, "#picture", picture)
    expect(said).to_contain_text("Press Run for the ")
    page.locator("#run").click()
    expect(page.locator("#numbers caption")).to_contain_text("holiday")
    expect(said).to_have_text("")
    page.get_by_label("×2").check()
    expect(said).to_contain_text("Still shown: holiday at ×4")
    page.get_by_label("×4").check()
    expect(said).to_have_text("")
    finished(page)
    line = page.locator("#status [role=status]")
    page.locator("#stop").click()  # nothing is running
    page.wait_for_timeout(300)
    expect(line).to_have_text("Finished")
    page.get_by_label("×2").check()
    expect(line).to_be_hidden()  # that was of something else
    line.evaluate("line => { line.className = 'fg-status'; line.textContent = 'Stopped' }")
    expect(line).to_be_visible()


def test_a_refused_restore_does_not_pass_for_a_restored_picture(visitor: Visitor, picture: Path) -> None:
    page = visitor.open()
    finished(page)
    open_restore(visitor)
    upload(page, "#lr", picture)
    page.locator("#restore").click()
    expect(page.get_by_test_id("toast-body")).to_contain_text("name the method")
    expect(page.locator("#restore-status [role=status]")).to_contain_text("name the method")


def test_pictures_keep_their_place_while_the_rest_arrives(visitor: Visitor, picture: Path) -> None:
    page = visitor.open()
    finished(page)
    upload(page, "#picture", picture)
    expect(page.locator("#facts")).to_contain_text("301 × 203")
    page.locator("#run").click()
    expect(page.locator("#numbers caption")).to_contain_text("holiday")
    names = "#viewer .vw, #viewer .vw-stage, .fg-file, #numbers table"
    place = f"() => [...document.querySelectorAll('{names}')].map(e => e.offsetTop + e.offsetHeight)"
    first = page.evaluate(place)
    finished(page)
    moved = np.abs(np.subtract(page.evaluate(place), first))
    assert moved.max() <= 24, f"moved by {moved} px"  # a line of reasons under the table


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(1440, 1000), (390, 844)])
def test_fits_the_screen(browser: Browser, url: str, theme: str, width: int, height: int) -> None:
    """No sideways scrolling; the screenshots in build/screenshots are for people."""
    visitor = Visitor(browser, url, width, height)
    page = visitor.open(theme)
    finished(page)
    for tab in ("Compare", "Restore", "About"):
        visitor.tab(tab)
        page.wait_for_timeout(300)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, tab
        visitor.screenshot(f"{tab.lower()}_{width}_{theme}")
    visitor.finish()
