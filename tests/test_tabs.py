"""The Stress and Benchmark tabs: their endpoints through gradio_client, and both in a real Chromium."""

from __future__ import annotations

import csv
import json
import zipfile
from pathlib import Path

import httpx
import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import features
from playwright.sync_api import Browser, Page, expect

import fgrn
from fgrn import metrics
from fgrn.cli import main
from fgrn.images import encode_png, read_image
from lab.stress.damage import KINDS, damage
from tests.conftest import ROOT, Photo, Visitor


@pytest.fixture(scope="module")
def client(url: str, tmp_path_factory: pytest.TempPathFactory) -> Client:
    return Client(url, verbose=False, download_files=str(tmp_path_factory.mktemp("received")))


@pytest.fixture
def picture(tmp_path: Path, photo: Photo) -> Path:
    path = tmp_path / "holiday.png"
    path.write_bytes(encode_png(photo(64, 80)))
    return path


@pytest.fixture(autouse=True)
def same_weights(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is computed here has the weights of the server."""
    monkeypatch.setenv("FGRN_WEIGHTS", str(weights))


# Endpoints


def test_stress_streams_rows(client: Client, picture: Path) -> None:
    job = client.submit(handle_file(str(picture)), 4, ["fgrn", "bicubic"], ["noise"], api_name="/stress")
    updates = [rows for rows, _ in job]
    counts = [len(rows) for rows in updates]
    assert counts == sorted(counts) and counts[0] == 0 and len(counts) > 5
    rows = updates[-1]
    assert len(rows) == 2 * (1 + len(KINDS["noise"].amounts))
    rescaler, hr = fgrn.load("fgrn", 4), read_image(picture).pixels
    damaged = damage(rescaler.downscale(hr), "noise", 4)
    expected = metrics.psnr_y(hr, rescaler.upscale(damaged, (64, 80)), 4)
    [row] = [r for r in rows if (r["method"], r["damage"], r["amount"]) == ("fgrn", "noise", 4)]
    assert row["psnr_y"] == expected


def test_bytes_streams_rows(client: Client, picture: Path) -> None:
    rows, notices = client.predict(handle_file(str(picture)), 4, ["fgrn"], api_name="/bytes")
    result = fgrn.rescale(fgrn.load("fgrn", 4), picture)
    assert rows[0]["series"] == "fgrn" and rows[0]["bytes"] == len(result.lr_png)
    written = {
        name
        for name, module in {"jpeg": "jpg", "jpeg444": "jpg", "webp": "webp", "avif": "avif"}.items()
        if features.check(module)
    }
    assert {row["series"] for row in rows} == {"fgrn", *written} and len(notices) == 4 - len(written)


def test_benchmark_streams_rows_and_gives_files_that_repeat(
    client: Client, tmp_path: Path, photo: Photo, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for seed in range(3):
        (folder / f"{seed}.png").write_bytes(encode_png(photo(50, 60, seed)))
    archive = tmp_path / "set.zip"
    with zipfile.ZipFile(archive, "w") as target:
        for path in (folder / "1.png", folder / "2.png"):
            target.write(path, f"nested/{path.name}")
    files = [handle_file(str(folder / "0.png")), handle_file(str(archive))]
    job = client.submit(files, "", 4, ["bicubic", "fgrn"], "paper", False, api_name="/benchmark")
    updates = [*job]
    counts = [len(rows) for rows, _, _ in updates]
    assert counts == sorted(counts) and counts[0] == 0 and counts[-1] == 6
    rows, summary, paths = updates[-1]
    assert [row["image"] for row in rows[::2]] == ["0.png", "nested/1.png", "nested/2.png"]
    values = [row["psnr_y"] for row in rows if row["method"] == "fgrn"]
    assert summary["mean"]["fgrn"]["psnr_y"] == pytest.approx(np.mean(values), rel=1e-12)
    assert summary["spread"]["fgrn"]["psnr_y"] == pytest.approx(np.std(values, ddof=1), rel=1e-12)
    json.dumps(rows, allow_nan=False)
    assert [Path(path).name for path in paths] == [
        f"benchmark_x4.{ending}" for ending in ("csv", "json", "zip")
    ]
    assert main(["repeat", paths[2], str(folder), "--device", "cpu"]) == 0
    assert "Equal: 3 of 3 pictures" in capsys.readouterr().out


def test_a_named_set_has_the_papers_figures(client: Client) -> None:
    rows, summary, _ = client.predict(None, "Set5", 4, ["fgrn"], "paper", False, api_name="/benchmark")
    assert len(rows) == 3 and summary["paper"] == {"fgrn": {"psnr_y": 36.97, "ssim_y": 0.9505}}


def test_the_endpoints_explain_what_they_refuse(client: Client, picture: Path, tmp_path: Path) -> None:
    file = handle_file(str(picture))
    with pytest.raises(AppError, match="no damage 'rain'"):
        client.predict(file, 4, ["fgrn"], ["rain"], api_name="/stress")
    with pytest.raises(AppError, match="Scale 3"):
        client.predict(file, 3, [], [], api_name="/stress")
    with pytest.raises(AppError, match="no picture set '../Set5'"):
        client.predict(None, "../Set5", 4, [], "paper", False, api_name="/benchmark")
    broken = tmp_path / "set.zip"
    broken.write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(AppError, match=r"set\.zip is cut off or damaged"):
        client.predict([handle_file(str(broken))], "", 4, [], "paper", False, api_name="/benchmark")
    text = tmp_path / "text.png"
    text.write_text("Dear Sir or Madam")
    with pytest.raises(AppError, match=r"text\.png.* is not a picture"):
        client.predict([handle_file(str(text))], "", 4, [], "paper", False, api_name="/benchmark")
    with pytest.raises(AppError, match="no protocol"):
        client.predict([file], "", 4, [], "mine", False, api_name="/benchmark")


def test_the_benchmark_reads_no_file_that_was_not_uploaded(url: str) -> None:
    path = str(ROOT / "assets" / "examples" / "portrait.png")
    file = {"path": path, "meta": {"_type": "gradio.FileData"}}
    call = f"{url}gradio_api/call/benchmark"
    event = httpx.post(call, json={"data": [[file], "", 4, ["bicubic"], "paper", False]}).json()["event_id"]
    assert "event: error" in httpx.get(f"{call}/{event}", timeout=60).text


# Chromium


def status(page: Page, tab: str) -> str:
    return page.locator(f"#{tab}-status [role=status]").inner_text()


def ended(page: Page, tab: str) -> None:
    expect(page.locator(f"#{tab}-status [role=status]")).to_have_text("Finished")


def choose(page: Page, path: Path) -> None:
    page.locator(
        "#picture button[aria-label='Remove Image'], #picture button[aria-label='Clear']"
    ).first.click()
    page.locator("#picture input[type=file]").set_input_files(path)


@pytest.mark.browser
def test_curves_grow_and_stay_when_stopped(visitor: Visitor, tmp_path: Path, photo: Photo) -> None:
    large = tmp_path / "large.png"
    large.write_bytes(encode_png(photo(700, 900)))  # a minute of work: a busy browser shows points late
    page = visitor.open()
    choose(page, large)
    page.get_by_role("checkbox", name="du_bic").check()  # the slow one
    visitor.tab("Stress")
    expect(page.locator("#stress-subject")).to_contain_text("large.png, ×4, Bicubic, IRN, FGRN, DU_bic")
    page.locator("#stress-run").click()
    expect(page.locator("#stress-jpeg .js-plotly-plot .points path").nth(3)).to_be_attached()
    expect(page.locator("#stress-status progress")).to_be_visible()
    assert "Restoring" in status(page, "stress")
    page.locator("#stress-stop").click()
    expect(page.locator("#stress-status [role=status]")).to_contain_text("Stopped after")
    text, points = status(page, "stress"), page.locator("#stress-jpeg .points path").count()
    page.wait_for_timeout(3000)
    assert status(page, "stress") == text and page.locator("#stress-jpeg .points path").count() == points
    with page.expect_download() as event:
        page.locator("#stress-sentences a[download]").click()
    assert event.value.suggested_filename == "stress_of_large_at_x4.csv"
    assert {row["method"] for row in csv.DictReader(event.value.path().open())} <= {
        "bicubic",
        "irn",
        "fgrn",
        "du_bic",
    }
    page.locator("#stress-stop").click()  # nothing is running
    page.wait_for_timeout(500)
    assert status(page, "stress") == text


@pytest.mark.browser
def test_no_point_is_missing_of_a_quick_stress_run(visitor: Visitor, tmp_path: Path, photo: Photo) -> None:
    """Bicubic on a small picture takes milliseconds for each of 57 steps: the browser gets many at a time."""
    small = tmp_path / "small.png"
    small.write_bytes(encode_png(photo(20, 20)))
    page = visitor.open()
    choose(page, small)
    for name in ("IRN", "FGRN"):
        page.get_by_role("checkbox", name=name, exact=True).uncheck()
    visitor.tab("Stress")
    for name in KINDS:
        page.locator(f"#stress-kinds input[name={name}]").check()
    page.locator("#stress-run").click()
    ended(page, "stress")
    for name, kind in KINDS.items():
        points = page.locator(f"#stress-{name} .points path")
        expect(points).to_have_count(len(kind.amounts))


# Looking now and then would miss rows that are quick to come.
COUNT_ROWS = """() => {
    const rows = document.querySelector('#bench-rows');
    window.counts = new Set();
    new MutationObserver(() => counts.add(rows.querySelectorAll('tbody tr').length))
        .observe(rows, { childList: true, subtree: true });
}"""


@pytest.mark.browser
def test_rows_stream_and_files_come_down(visitor: Visitor, bench_folder: Path, tmp_path: Path) -> None:
    page = visitor.open()
    visitor.tab("Benchmark")
    page.locator("#bench-files input[type=file]").set_input_files(sorted((bench_folder / "Set5").iterdir()))
    expect(page.locator("#bench-files")).to_contain_text("img_2")
    page.get_by_role("checkbox", name="DU_bic").check()
    page.evaluate(COUNT_ROWS)
    page.locator("#bench-run").click()
    rows = page.locator("#bench-rows tbody tr")
    expect(rows.first).to_be_visible()
    expect(page.locator("#bench-plot svg.main-svg").first).to_be_visible()
    place = "() => ['summary', 'plot', 'rows'].map(e => document.querySelector(`#bench-${e}`).offsetTop)"
    first = page.evaluate(place)
    ended(page, "bench")
    assert np.abs(np.subtract(page.evaluate(place), first)).max() <= 4, "nothing moves"
    expect(rows).to_have_count(3)
    assert {1, 3} <= set(page.evaluate("[...window.counts]")), "rows come one after the other"
    expect(page.locator("#bench-summary tbody tr")).to_have_count(4)
    result = fgrn.rescale(fgrn.load("fgrn", 4), bench_folder / "Set5" / "img_1.png")
    psnr = metrics.psnr_y(result.hr, result.reconstruction, 4)
    expect(rows.nth(1)).to_contain_text(f"{psnr:.2f}")
    column = page.locator("#bench-rows [data-column='2']")  # SSIM-Y of bicubic
    numbers = "rows => rows.map(row => Number.parseFloat(row.cells[2].textContent))"
    names = rows.locator("th").all_inner_texts()
    for direction, reverse in (("ascending", False), ("descending", True)):
        column.click()
        expect(page.locator("#bench-rows th[aria-sort]")).to_have_attribute("aria-sort", direction)
        assert (found := rows.evaluate_all(numbers)) == sorted(found, reverse=reverse) and len(set(found)) > 1
    page.locator("#bench-rows [data-column='0']").click()
    expect(rows.locator("th")).to_have_text(sorted(names))
    page.locator("#scale").get_by_label("×2").evaluate("radio => radio.click()")  # in the hidden tab
    page.locator("#bench-rows").get_by_role("button", name="img_1.png").click()
    expect(page.get_by_role("tab", name="Compare")).to_have_attribute("aria-selected", "true")
    expect(page.locator("#numbers caption")).to_contain_text("img_1, ")
    expect(page.locator("#numbers caption")).to_contain_text("×4")
    expect(page.locator("#numbers tr[data-method=du_bic]")).to_be_visible()
    expect(page.locator("#status [role=status]")).to_have_text("Finished")
    expect(page.locator("#outdated")).to_have_text("")
    visitor.tab("Benchmark")
    for ending, text in (("csv", "CSV"), ("zip", "ZIP")):
        with page.expect_download() as event:
            page.locator("#bench-links a[download]", has_text=text).click()
        assert event.value.suggested_filename == f"benchmark_x4.{ending}"
        event.value.save_as(tmp_path / event.value.suggested_filename)
    lines = list(csv.DictReader((tmp_path / "benchmark_x4.csv").open()))
    [line] = [line for line in lines if (line["image"], line["method"]) == ("img_1.png", "fgrn")]
    assert float(line["psnr_y"]) == psnr
    assert main(["repeat", str(tmp_path / "benchmark_x4.zip"), str(bench_folder), "--device", "cpu"]) == 0


@pytest.mark.browser
def test_a_benchmark_stops_and_starts_again(visitor: Visitor, tmp_path: Path, photo: Photo) -> None:
    archive = tmp_path / "many.zip"
    with zipfile.ZipFile(archive, "w") as target:
        for seed in range(40):  # half a minute of work: a busy browser may show rows some seconds late
            target.writestr(f"{seed:02}.png", encode_png(photo(400, 400, seed)))
    page = visitor.open()
    visitor.tab("Benchmark")
    page.locator("#bench-files input[type=file]").set_input_files(archive)
    expect(page.locator("#bench-files")).to_contain_text("many")
    page.get_by_role("checkbox", name="DU_bic").check()
    page.locator("#bench-run").click()
    expect(page.locator("#bench-rows tbody tr").nth(1)).to_be_visible()
    page.locator("#bench-stop").click()
    expect(page.locator("#bench-status [role=status]")).to_contain_text("Stopped after")
    text, count = status(page, "bench"), page.locator("#bench-rows tbody tr").count()
    assert 0 < count < 40 and f"after {count} of 40" in text
    expect(page.locator("#bench-links a[download]")).to_have_count(3)
    page.wait_for_timeout(3000)
    assert status(page, "bench") == text and page.locator("#bench-rows .fg-wait").count() == 0
    for name in ("DU_bic", "IRN"):
        page.get_by_role("checkbox", name=name).uncheck()
    page.locator("#bench-set input").click()
    page.get_by_role("option", name="Set5", exact=True).click()
    page.locator("#bench-run").click()
    ended(page, "bench")
    expect(page.locator("#bench-summary")).to_contain_text("FGRN, paper")


@pytest.mark.browser
def test_stop_right_after_run_stops_it(visitor: Visitor, tmp_path: Path, photo: Photo) -> None:
    """Both within one turn of the browser: they may reach the server in either order."""
    large = tmp_path / "large.png"
    large.write_bytes(encode_png(photo(1600, 2400)))
    page = visitor.open()
    expect(page.locator("#status [role=status]")).to_have_text("Finished")
    choose(page, large)
    expect(page.locator("#facts")).to_contain_text("2400 × 1600")
    page.locator("#methods").get_by_label("DU_bic").check()
    both = "([run, stop]) => { document.querySelector(run).click(); document.querySelector(stop).click(); }"
    runs = [
        ("Compare", "run", "stop", "status"),
        ("Latent x", "latent-run", "latent-stop", "latent-status"),
        ("Stress", "stress-run", "stress-stop", "stress-status"),
        ("Benchmark", "bench-run", "bench-stop", "bench-status"),
    ]
    for name, run, stop, line in runs:
        visitor.tab(name)
        if name == "Benchmark":
            page.locator("#bench-files input[type=file]").set_input_files(large)
            expect(page.locator("#bench-files")).to_contain_text("large")
            page.wait_for_timeout(500)
        page.evaluate(both, [f"#{run}", f"#{stop}"])
        expect(page.locator(f"#{line} [role=status]")).to_contain_text("Stopped")
        page.wait_for_timeout(1000)
        expect(page.locator(f"#{line} [role=status]")).to_contain_text("Stopped")


@pytest.mark.browser
def test_a_benchmark_is_called_outdated_until_run(visitor: Visitor, bench_folder: Path) -> None:
    page = visitor.open()
    visitor.tab("Benchmark")
    page.locator("#bench-run").click()
    expect(page.get_by_test_id("toast-body")).to_contain_text("There is no picture yet")
    expect(page.locator("#bench-status [role=status]")).to_contain_text("There is no picture yet")
    files = sorted((bench_folder / "Set5").iterdir())
    page.locator("#bench-files input[type=file]").set_input_files(files)
    expect(page.locator("#bench-files")).to_contain_text("img_2")
    page.get_by_role("checkbox", name="IRN").uncheck()
    page.locator("#bench-run").click()
    ended(page, "bench")
    said = page.locator("#bench-outdated")
    expect(said).to_have_text("")
    scale = page.locator("#bench-scale")
    scale.get_by_label("×2").check()
    expect(said).to_have_text("Still shown: 3 pictures at ×4. Press Run for what is chosen now.")
    scale.get_by_label("×4").check()
    expect(said).to_have_text("")
    page.locator("#bench-files").get_by_label("Clear").click()
    expect(said).to_contain_text("Still shown: 3 pictures")
    page.locator("#bench-set input").click()
    page.get_by_role("option", name="Set5", exact=True).click()
    page.locator("#bench-run").click()
    expect(page.locator("#bench-summary caption")).to_contain_text("Set5")
    ended(page, "bench")
    expect(said).to_have_text("")
    fills = (
        "[...document.querySelectorAll('#bench-plot .bars .point > path')].map(e => getComputedStyle(e).fill)"
    )
    shown = page.evaluate(fills)
    assert len(shown) == 8 and all(fill.startswith("rgb") for fill in shown), shown
    page.locator("#bench-protocol").get_by_label("Whole pictures").check()
    expect(said).to_contain_text("Still shown: Set5 at ×4")


@pytest.mark.browser
def test_a_bad_upload_says_why(visitor: Visitor, tmp_path: Path) -> None:
    bad = tmp_path / "set.zip"
    bad.write_bytes(b"hello")
    page = visitor.open()
    visitor.tab("Benchmark")
    page.locator("#bench-files input[type=file]").set_input_files(bad)
    expect(page.locator("#bench-files")).to_contain_text("set")
    page.locator("#bench-run").click()
    expect(page.get_by_test_id("toast-body")).to_contain_text("set.zip is cut off or damaged")


@pytest.mark.browser
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(1440, 1000), (390, 844)])
def test_the_tabs_fit_the_screen(
    browser: Browser, url: str, picture: Path, theme: str, width: int, height: int
) -> None:
    """No sideways scrolling; the screenshots in build/screenshots are for people."""
    visitor = Visitor(browser, url, width, height)
    page = visitor.open(theme)

    def shot(name: str) -> None:
        page.mouse.move(0, 0)
        page.wait_for_timeout(500)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        visitor.screenshot(f"{name}_{width}_{theme}")

    choose(page, picture)
    visitor.tab("Stress")
    expect(page.locator("#stress-subject")).to_contain_text("holiday.png")
    shot("stress_empty")
    page.locator("#stress-run").click()
    ended(page, "stress")
    page.locator("#stress-bytes").click()
    expect(page.locator("#stress-rate .js-plotly-plot")).to_be_visible()
    ended(page, "stress")
    expect(page.locator("#stress-rate-sentences li")).to_have_count(3)
    shot("stress")
    visitor.tab("Benchmark")
    expect(page.locator("#bench-set")).to_be_visible()
    shot("benchmark_empty")
    page.locator("#bench-set input").click()
    page.get_by_role("option", name="Set5", exact=True).click()
    page.locator("#bench-run").click()
    ended(page, "bench")
    expect(page.locator("#bench-plot .js-plotly-plot")).to_be_visible()
    shot("benchmark")
    box = page.locator("#bench-plot .main-svg").first.bounding_box()
    assert box is not None and 250 < box["width"] <= width
    visitor.finish()
