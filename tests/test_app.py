"""The page without a browser: its pure functions, and every endpoint of its API through gradio_client."""

from __future__ import annotations

import io
import json
import math
import socket
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from html import escape
from pathlib import Path
from typing import Any

import anyio
import gradio as gr
import httpx
import numpy as np
import pytest
import torch
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

import app
import fgrn
from fgrn import metrics, record
from fgrn.batch import Reporter
from fgrn.comparison import against_hr
from fgrn.images import encode_png, read_image
from fgrn.lr_info import LRInfo
from fgrn.methods import METHODS
from fgrn.repeat import repeat
from fgrn.rescalers import Rescalers
from fgrn.scores import METRICS, Score, plain_number, readable_size
from lab import cards, examples, lines, table, viewer
from lab.asked import RequestError
from lab.at_once import complain
from lab.compare import handlers, region, startup
from lab.compare import runs as compare
from lab.compare.shown import Drawn, Shown
from lab.compare.snapshot import Outcome, Run, State
from lab.files import Store, stem
from lab.models import Models, Status
from lab.restore import steps as restore
from lab.restore.tab import Given, RestoreTab
from lab.ticket import Ticket
from tests.conftest import Photo, make_tiny_weights

pytestmark = pytest.mark.usefixtures("use_tiny_weights")
NO_SCORE = Score(None, "made up for the test")


@pytest.fixture(autouse=True)
def quick_blind_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    """NIQE and PIQE load a big package, and have their own tests."""
    monkeypatch.setattr("fgrn.metrics.niqe", lambda image: NO_SCORE)
    monkeypatch.setattr("fgrn.metrics.piqe", lambda image: Score(float(image.shape[0])))


@pytest.fixture
def picture(tmp_path: Path, photo: Photo) -> str:
    path = tmp_path / "my photo (1).png"
    path.write_bytes(encode_png(photo(50, 67)))
    return str(path)


def last(runs: Iterator[Run]) -> Run:
    return list(runs)[-1]


# Comparisons


def test_pictures_come_one_method_after_the_other_and_numbers_after_them(store: Store, picture: str) -> None:
    models = Models()
    runs = list(compare.compare(models, store, picture, 4, ["fgrn", "bicubic", "irn"]))
    assert [o.method for o in runs[0].outcomes] == ["bicubic", "irn", "fgrn"]
    assert [[o.method for o in run.done] for run in runs] == [
        ["bicubic"],
        ["bicubic", "fgrn"],
        ["bicubic", "irn", "fgrn"],
    ], "IRN keeps nobody waiting"
    assert ["psnr_y" in outcome.scores for outcome in runs[0].outcomes] == [False] * 3, "pictures come first"
    before_irn = next(run for run in runs if run.outcomes[1].state is State.RUNNING)
    assert ["psnr_y" in outcome.scores for outcome in before_irn.outcomes] == [True, False, True], (
        "IRN is slow"
    )
    measured = list(compare.measure(models, store, runs[-1]))
    first_blind = next(i for i, run in enumerate(measured) if "niqe" in run.outcomes[0].scores)
    assert all("psnr_y" in o.scores for o in measured[first_blind].outcomes), "fast metrics come first"
    assert all(set(o.scores) == set(METRICS) for o in measured[-1].outcomes)
    assert not measured[-1].active


def test_all_pictures_of_a_run_are_in_a_zip(
    store: Store, picture: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = Models()
    computed = last(compare.compare(models, store, picture, 4, ["bicubic", "fgrn"]))
    run = last(compare.measure(models, store, computed))
    with zipfile.ZipFile(run.pictures) as archive:
        packed = {name: archive.read(name) for name in archive.namelist()}
    paths = {run.hr, *(path for outcome in run.done if outcome.files for path in outcome.files.paths)}
    assert packed == {Path(path).name: Path(path).read_bytes() for path in paths}
    assert "All PNGs as ZIP" in cards.files(run).html
    again = last(compare.measure(models, store, computed))
    assert again.pictures == run.pictures, "the same file: nothing is stored twice"
    monkeypatch.setattr(compare, "MAX_ZIP", 1000)
    large = last(compare.measure(models, store, computed))
    assert large.pictures == "" and "All PNGs" not in cards.files(large).html and large.record


def test_a_run_can_be_repeated_from_its_zip(store: Store, picture: str, tmp_path: Path) -> None:
    models = Models()
    run = last(
        compare.measure(models, store, last(compare.compare(models, store, picture, 4, ["bicubic", "fgrn"])))
    )
    done, _ = record.unpack(Path(run.record))
    assert done.settings == record.Settings(4, ("bicubic", "fgrn"), "whole", no_reference=True)
    assert done.inputs[0].sha256 == record.sha256(Path(picture).read_bytes())
    reporter = Reporter(quiet=True)
    repeat(Path(run.record), [picture], Rescalers(None, torch.device("cpu")), reporter)
    assert reporter.code == 0, "every digit is the same"
    unfinished = last(compare.compare(models, store, picture, 4, ["bicubic"]))
    assert not unfinished.record and "When it is measured" in cards.files(unfinished).html
    assert "Not measured" in cards.files(unfinished.stopped()).html


def test_the_zip_names_the_device_of_the_networks(store: Store, picture: str) -> None:
    models = Models(
        partial(fgrn.load, device="cpu:0")
    )  # bicubic is computed on the CPU wherever the others are
    for methods, device in ((["bicubic", "fgrn"], "cpu:0"), (["bicubic"], "cpu")):
        run = last(compare.measure(models, store, last(compare.compare(models, store, picture, 4, methods))))
        done, _ = record.unpack(Path(run.record))
        assert done.machine["device"] == device


def test_the_status_says_how_long_it_will_take(store: Store, picture: str) -> None:
    models = Models()
    models.pace._seconds |= {("fgrn", 4): 1.0, ("bicubic", 4): 0.0, ("blind", False): 1.0}
    height, width = read_image(picture).pixels.shape[:2]
    runs = list(compare.compare(models, store, picture, 4, ["bicubic", "fgrn"]))
    assert runs[0].status == f"Computing FGRN (2 of 2), about {height * width / 60:.0f} min left"
    measured = list(compare.measure(models, store, runs[-1]))
    assert any("NIQE and PIQE of Bicubic, about" in run.status for run in measured)


def test_a_large_picture_is_shown_before_bicubic_is_ready(
    store: Store, picture: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compare, "AT_ONCE", 0)
    first = next(compare.compare(Models(), store, picture, 4, ["bicubic"]))
    assert first.outcomes[0].state is State.RUNNING and Path(first.hr).is_file()


def test_files_are_the_result_bit_for_bit(store: Store, picture: str) -> None:
    run = last(compare.compare(Models(), store, picture, 4, ["fgrn"]))
    result = fgrn.rescale(fgrn.load("fgrn", 4), picture)
    files = run.outcomes[0].files
    assert files is not None
    assert Path(files.lr).read_bytes() == result.lr_png
    np.testing.assert_array_equal(read_image(files.x).pixels, result.x)
    np.testing.assert_array_equal(read_image(files.x_recovered).pixels, result.x_recovered)
    np.testing.assert_array_equal(read_image(files.reconstruction).pixels, result.reconstruction)
    np.testing.assert_array_equal(read_image(run.hr).pixels, result.hr)
    assert Path(files.lr).name == "my_photo_1_fgrn_x4_lr.png"


def test_without_a_flow_nothing_is_written_twice(store: Store, picture: str) -> None:
    files = last(compare.compare(Models(), store, picture, 4, ["irn"])).outcomes[0].files
    assert files is not None and files.x == files.x_recovered == files.lr


def test_scores_are_those_of_the_protocol(store: Store, picture: str) -> None:
    models = Models()
    run = last(
        compare.measure(models, store, last(compare.compare(models, store, picture, 2, ["bicubic", "fgrn"])))
    )
    result = fgrn.rescale(fgrn.load("fgrn", 2), picture)
    bicubic = fgrn.load("bicubic", 2).downscale(picture)
    scores = run.outcomes[1].scores
    assert scores["psnr_y"].value == fgrn.metrics.psnr_y(result.hr, result.reconstruction, 2)
    assert scores["ssim_y"].value == fgrn.metrics.ssim_y(result.hr, result.reconstruction, 2)
    assert scores["psnr_rgb"].value == fgrn.metrics.psnr_rgb(result.hr, result.reconstruction, 2)
    assert scores["lr_psnr_y"].value == fgrn.metrics.psnr_y(result.lr, bicubic, 0)
    assert scores["lr_psnr_rgb"].value == fgrn.metrics.psnr_rgb(result.lr, bicubic, 0)
    assert scores["x_exact"].value == result.x_exact
    assert scores["lr_bytes"].value == len(result.lr_png)
    assert run.outcomes[0].scores["lr_psnr_y"].value == float("inf")


def test_a_method_that_fails_does_not_stop_the_others(
    store: Store, picture: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = make_tiny_weights(tmp_path / "weights")
    (weights / "irn_x4.safetensors").write_bytes(b"damaged")
    monkeypatch.setenv("FGRN_WEIGHTS", str(weights))
    run = last(compare.compare(Models(), store, picture, 4, ["bicubic", "irn", "fgrn"]))
    assert [o.state for o in run.outcomes] == [State.DONE, State.FAILED, State.DONE]
    assert "damaged" in run.outcomes[1].reason
    assert "damaged" in table.render(run) and "damaged" in cards.files(run).html


def test_methods_without_sound_weights_are_not_offered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = make_tiny_weights(tmp_path / "weights")
    (weights / "fgrn_x4.safetensors").write_bytes(b"damaged")
    (weights / "irn_x4.json").unlink()
    monkeypatch.setenv("FGRN_WEIGHTS", str(weights))
    page = handlers.Handlers()
    update, missing = page.choices(4, None)
    assert [value for _, value in update.choices] == ["bicubic", "du_none", "du_bic"]
    assert update.value == ["bicubic"]
    assert "fgrn_x4.safetensors is damaged" in missing and "irn_x4.json is missing" in missing
    make_tiny_weights(weights)  # put in place while the page runs
    assert page.choices(4, None)[1] == ""


def test_only_a_finished_run_is_marked_as_done() -> None:
    """The mark hides the line once other things are chosen; "Stopped" is to be read then too."""
    assert 'fg-done"' in lines.status("Finished", False, ())
    assert all("fg-done" not in lines.status(text, False) for text in ("Stopped", "Nothing computed"))


def test_methods_of_another_scale_come_back_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = make_tiny_weights(tmp_path / "weights")
    for path in weights.glob("du_*_x2.*"):
        path.unlink()
    monkeypatch.setenv("FGRN_WEIGHTS", str(weights))
    page = handlers.Handlers()
    box, missing, hidden = page.rechoose(2, ["bicubic", "du_none"], [])
    assert (box.value, hidden) == (["bicubic"], ["du_none"])
    assert "DU_none has weights for x4 only: choose x4" in missing
    box, missing, hidden = page.rechoose(4, ["fgrn"], hidden)  # bicubic was unticked meanwhile
    assert (box.value, missing, hidden) == (["fgrn", "du_none"], "", [])
    box, _, hidden = page.rechoose(2, ["du_none"], [])
    assert (box.value, hidden) == (["bicubic", "irn", "fgrn"], ["du_none"]), (
        "nothing that was wanted is there"
    )
    assert page.rechoose(2, [], [])[0].value == [], "nothing is wanted"


def test_names_of_files_keep_letters_of_any_script() -> None:
    assert stem("/tmp/e\u0301te\u0301 foto (1).jpg") == "été_foto_1"
    assert stem("照片.png") == "照片"
    assert stem("../..\\<b>&.png") == "b" and stem("?.png") == "picture"


def test_stop_keeps_what_is_there(store: Store, picture: str) -> None:
    runs = compare.compare(Models(), store, picture, 4, ["bicubic", "irn", "fgrn"])
    run = next(runs).stopped()
    assert [o.state for o in run.outcomes] == [State.DONE, State.STOPPED, State.STOPPED]
    assert not run.active and [o.method for o in run.done] == ["bicubic"]
    assert "fg-wait" not in table.render(run), "nothing may look as if it were still to come"
    assert "Stopped" in cards.files(run).html


def test_stop_ends_a_network_between_two_layers(store: Store, picture: str) -> None:
    models, asked = Models(), 0

    def stop() -> bool:
        nonlocal asked
        asked += 1
        return asked > 3

    runs = list(compare.compare(models, store, picture, 4, ["fgrn"], stop))
    assert asked == 4 and [run.done for run in runs] == [[]]
    assert models.idle(0)
    assert last(compare.compare(models, store, picture, 4, ["fgrn"])).done, "later runs are not stopped"


def test_a_handler_that_lost_its_turn_leaves_the_page_alone(picture: str) -> None:
    page, shown = handlers.Handlers(), Shown()
    old, *_ = page.begin(picture, 4, ["bicubic"], Ticket(), shown)
    new, _, _, status, *_ = page.begin(picture, 2, ["bicubic"], old, shown)
    assert not old.valid and "Waiting" in status
    nothing = [gr.skip()]  # no value at all would empty the page
    assert list(page.on_run(old, shown)) == nothing
    assert len(list(page.on_run(new, shown))) == 1 and shown.run
    assert list(page.measure(Ticket(), shown)) == nothing, "not of a run that another ticket has drawn"
    assert list(page.measure(new, shown)) != nothing and not shown.run.active
    assert list(page.measure(new, shown)) == nothing, "it is measured"


def test_an_event_that_waited_serves_the_newest_request_once(picture: str) -> None:
    page, shown = handlers.Handlers(), Shown()
    first, *_ = page.begin(picture, 4, ["bicubic"], Ticket(), shown)
    second, *_ = page.begin(picture, 2, ["bicubic"], first, shown)
    assert list(page.on_run(second, shown)) != [
        gr.skip()
    ]  # the first event, whose turn comes after the second Run
    assert shown.run and shown.run.scale == 2
    drawn = shown.run
    assert list(page.on_run(second, shown)) == [gr.skip()] and shown.run is drawn


def region_of(shown: Shown) -> region.Region | None:
    return shown.region


def test_a_region_stays_as_long_as_the_pictures(picture: str, tmp_path: Path) -> None:
    page, shown = handlers.Handlers(), Shown()
    portrait = str(examples.EXAMPLES["portrait"])
    ticket = Ticket()

    def run(path: str, scale: int = 4) -> None:
        nonlocal ticket
        ticket, *_ = page.begin(path, scale, ["bicubic", "irn", "fgrn"], ticket, shown)
        list(page.on_run(ticket, shown))

    run(portrait)
    assert shown.run
    sent = {"source": shown.run.source.sha256, "box": [0, 0, 40, 30]}
    assert "of the region" in page.measure_region(shown, gr.EventData(None, sent))
    run(portrait)  # the viewer keeps its box as long as the picture is the same
    assert shown.region is not None
    run(portrait, 2)
    assert shown.run.scale == 2 and shown.region is not None
    of_now = shown.region.of(shown.run)
    assert set(of_now) == {"bicubic", "irn", "fgrn"}
    files = shown.run.done[0].files
    assert files
    hr, restored = (read_image(path).pixels[:30, :40] for path in (shown.run.hr, files.reconstruction))
    assert of_now["bicubic"]["psnr_y"].value == metrics.psnr_y(hr, restored, 0)
    run(picture)
    assert region_of(shown) is None
    assert page.measure_region(shown, gr.EventData(None, sent)) == gr.skip()


@pytest.mark.parametrize("box", [None, [0, 0, 20, 30]])
def test_the_region_that_was_asked_for_last_counts(
    box: list[int] | None, picture: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    page, shown = handlers.Handlers(), Shown()
    page.begin(picture, 4, ["bicubic"], Ticket(), shown)
    assert shown.run
    first = {"source": shown.run.source.sha256, "box": [0, 0, 40, 30], "asked": 1}
    answers: list[str] = []
    measure = region.measure

    def overtaken(run: Run, of: region.Region) -> region.Region:
        monkeypatch.setattr(region, "measure", measure)
        answers.append(page.measure_region(shown, gr.EventData(None, {**first, "box": box, "asked": 2})))
        return measure(run, of)

    monkeypatch.setattr(region, "measure", overtaken)
    assert page.measure_region(shown, gr.EventData(None, first)) == gr.skip()
    assert ("region 20 × 30" in answers[0]) == (box is not None) == (shown.region is not None)
    assert page.measure_region(shown, gr.EventData(None, first)) == gr.skip(), "it comes late"
    assert viewer.sent_box(gr.EventData(None, {**first, "asked": 10**400}))[2] == 0, (
        "no number of the browser's"
    )


def asked_for_a_region(picture: str) -> tuple[handlers.Handlers, Shown, Ticket, dict[str, Any]]:
    """A run of bicubic that has begun, and the message of a box over its picture."""
    page, shown = handlers.Handlers(), Shown()
    ticket, *_ = page.begin(picture, 4, ["bicubic"], Ticket(), shown)
    assert shown.run
    return page, shown, ticket, {"source": shown.run.source.sha256, "box": [0, 0, 40, 30]}


def test_a_region_that_another_run_overtakes_has_the_numbers_of_that_run(
    picture: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    page, shown, ticket, sent = asked_for_a_region(picture)
    measure = region.measure

    def overtaken(run: Run, of: region.Region) -> region.Region:
        monkeypatch.setattr(region, "measure", measure)
        page.begin(picture, 2, ["bicubic"], ticket, shown)
        return measure(run, of)

    monkeypatch.setattr(region, "measure", overtaken)
    table_now = page.measure_region(shown, gr.EventData(None, sent))
    assert "×2" in table_now and "fg-wait" not in table_now.split('data-key="psnr_y"')[1].split("</td>")[0]


def test_what_fails_in_mid_run_does_not_look_as_if_it_went_on(
    picture: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    page, shown = handlers.Handlers(), Shown()
    compute = compare.compute

    def broken(*arguments: Any) -> Iterator[Run]:
        yield next(compute(*arguments))
        raise RequestError("There is no memory. Use a smaller picture.")

    monkeypatch.setattr(compare, "compute", broken)
    ticket, *_ = page.begin(picture, 4, ["bicubic", "fgrn"], Ticket(), shown)
    with pytest.raises(gr.Error, match="no memory"):
        list(page.on_run(ticket, shown))
    assert shown.run and not shown.run.active
    monkeypatch.setattr(compare, "compute", lambda *arguments: 1 / 0)
    ticket, *_ = page.begin(picture, 4, ["bicubic", "fgrn"], ticket, shown)
    with pytest.raises(gr.Error, match="ZeroDivisionError"):
        list(page.on_run(ticket, shown))
    assert not shown.run.active, "it failed after bicubic, which needs no network, was drawn"


def test_stop_is_not_covered_by_a_snapshot_nor_its_figures_lost(picture: str) -> None:
    page, shown = handlers.Handlers(), Shown()
    ticket, *_ = page.begin(picture, 4, ["bicubic", "fgrn"], Ticket(), shown)
    drawn = page.on_run(ticket, shown)
    assert next(drawn).status != gr.skip() and shown.run and shown.run.active
    page.stop(ticket, shown)
    page.measure_stopped(ticket, shown)
    stopped = shown.run
    assert "psnr_y" in stopped.done[0].scores
    (last,) = drawn
    assert shown.run is stopped and last == page.draw(stopped, ticket, shown)


def test_a_bad_request_does_not_end_what_is_running(tmp_path: Path, picture: str) -> None:
    page, ticket = handlers.Handlers(), Ticket()
    with pytest.raises(gr.Error, match="at least one"):
        page.begin(picture, 4, [], ticket, Shown())
    assert ticket.valid


def test_a_refusal_outside_of_the_queue_is_handed_on(picture: str, monkeypatch: pytest.MonkeyPatch) -> None:
    page, ticket = handlers.Handlers(), Ticket()

    def begun(methods: list[str]) -> Any:
        request = partial(page.begin_at_once, picture, 4, methods, ticket, Shown())
        with ThreadPoolExecutor() as other:  # in this thread the browser's loop may be running
            return other.submit(lambda: anyio.run(request)).result()

    refusals = []
    for _ in range(2):
        refusal, *rest = begun([])
        assert rest == [gr.skip()] * 7 and not ticket.stopped()
        with pytest.raises(gr.Error, match="at least one"):
            complain(refusal)
        refusals.append(refusal)
    assert refusals[0] != refusals[1], "the page would not show it again"
    refusal, new, *_ = begun(["bicubic"])
    assert refusal == gr.skip() and not new.stopped() and ticket.stopped()
    monkeypatch.setattr(page, "begin", lambda *request: 1 / 0)
    refusal, *_ = begun(["bicubic"])
    with pytest.raises(gr.Error, match="ZeroDivisionError"):
        complain(refusal)


def test_bicubic_waits_for_no_network(picture: str) -> None:
    """While another visitor's network runs, a request shows the original and bicubic; Stop keeps them."""
    page, shown = handlers.Handlers(), Shown()
    with page.models.alone():
        ticket, _, _, status, _, viewer, _ = page.begin(picture, 4, ["bicubic", "fgrn"], Ticket(), shown)
    assert "Waiting for its turn" in status and viewer != gr.skip()
    assert shown.run and [outcome.method for outcome in shown.run.done] == ["bicubic"]
    begun = shown.run.token
    stopped = page.stop(ticket, shown)
    assert "Stopped" in stopped.status and [outcome.method for outcome in shown.run.done] == ["bicubic"]
    assert not shown.run.outcomes[0].scores.get("psnr_y")
    measured = page.measure_stopped(ticket, shown)
    files = shown.run.done[0].files
    assert files
    hr, restored = (read_image(path).pixels for path in (shown.run.hr, files.reconstruction))
    assert shown.run.outcomes[0].scores["psnr_y"].value == metrics.psnr_y(hr, restored, 4)
    assert "Stopped" in measured.status and page.measure_stopped(ticket, shown) == Drawn()
    ticket, *_ = page.begin(picture, 4, ["bicubic", "fgrn"], ticket, shown)
    list(page.on_run(ticket, shown))
    assert shown.run.computed and shown.run.token != begun and len(shown.run.done) == 2


def test_only_what_has_changed_is_drawn_again(picture: str) -> None:
    page, shown = handlers.Handlers(), Shown()
    ticket, _, _, *begun = page.begin(picture, 4, ["bicubic", "fgrn"], Ticket(), shown)
    steps = [*page.on_run(ticket, shown), *page.measure(ticket, shown)]
    values, client = Drawn(*begun), []
    for step in steps:
        values = Drawn(*(old if new == gr.skip() else new for old, new in zip(values, step, strict=True)))
        client.append(values)
    assert client[-1] == page.draw(shown.run, ticket, shown) if shown.run else False
    assert steps[0].table == gr.skip() and steps[0].status != gr.skip(), "no number has come"
    assert all(step.viewer == gr.skip() for step in steps[-2:]), "numbers change no picture"
    *_, again = page.begin(picture, 4, ["bicubic", "fgrn"], ticket, shown)
    assert again != gr.skip(), "another run draws everything"


def test_stop_tells_what_ran_from_what_did_not(picture: str, store: Store) -> None:
    runs = compare.compare(Models(), store, picture, 4, ["bicubic", "irn", "fgrn"])
    stopped = next(runs).stopped()
    reasons = {outcome.method: outcome.reason for outcome in stopped.outcomes}
    assert reasons == {"bicubic": "", "irn": "Stopped before it ran.", "fgrn": "Stopped while it ran."}
    shown = table.render(stopped)
    assert "PIQE of LR n/a (Bicubic): stopped before it was measured." in shown


def test_a_region_that_is_cleared_while_it_is_measured_stays_cleared(
    picture: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    page, shown, ticket, sent = asked_for_a_region(picture)
    page.measure_region(shown, gr.EventData(None, sent))
    measure = region.measure

    def slow(run: Run, of: region.Region) -> region.Region:
        page.measure_region(shown, gr.EventData(None, {**sent, "box": None}))
        return measure(run, of)

    monkeypatch.setattr(region, "measure", slow)
    assert shown.run and "of the region" not in page.draw(shown.run, ticket, shown).table
    assert shown.region is None


def test_an_original_that_was_cleaned_up_is_named(store: Store, picture: str) -> None:
    models = Models()
    run = compare.opened(models, store, picture, 4, ["fgrn"])
    Path(run.hr).unlink()
    with pytest.raises(RequestError, match="cleaned up"):
        next(compare.compute(models, store, run))


def test_measuring_after_the_files_are_gone_says_so(store: Store, picture: str) -> None:
    run = last(compare.compare(Models(), store, picture, 4, ["bicubic"]))
    Path(run.hr).unlink()
    with pytest.raises(RequestError, match="cleaned up"):
        list(compare.measure(Models(), store, run))


def test_the_example_is_computed_once_and_watched_by_all(store: Store, picture: str) -> None:
    showcase = startup.Showcase(Models(), store, Path(picture), 4, ["bicubic", "fgrn", "no_such_method"])
    showcase.start()
    first, second = last(showcase.watch()), last(showcase.watch())
    assert first is second and not first.active
    assert [o.method for o in first.done] == ["bicubic", "fgrn"]


# Bad input


def bad_files() -> dict[str, tuple[bytes, str]]:
    whole = encode_png(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))
    tiny = encode_png(np.zeros((1, 1, 3), dtype=np.uint8))
    return {
        "truncated": (whole[: len(whole) // 2], "cut off or damaged"),
        "empty": (b"", "empty"),
        "no_picture": (b"Dear Sir or Madam", "not a picture"),
        "one_pixel": (tiny, "at least 16"),
        "too_many_pixels": (_huge(), "16,000,000"),
    }


def _huge() -> bytes:
    buffer = io.BytesIO()
    Image.new("1", (5000, 4000)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize("kind", bad_files())
def test_bad_files_say_what_why_and_what_next(kind: str, tmp_path: Path, store: Store) -> None:
    data, words = bad_files()[kind]
    path = tmp_path / f"{kind}.png"
    path.write_bytes(data)
    with pytest.raises(RequestError, match=words) as caught:
        next(compare.compare(Models(), store, str(path), 4, ["bicubic"]))
    assert str(caught.value).count(". ") >= 1, "a reason and a way out"
    assert words in next(handlers.Handlers().describe(str(path), 4)), "also beside the upload, before Run"
    assert not store.folder.exists(), "nothing was written"


@pytest.mark.parametrize(
    ("mode", "options", "notice"),
    [
        ("I;16", {}, "more than 8 bits"),
        ("CMYK", {}, "CMYK"),
        ("P", {}, None),
        ("RGBA", {}, "Transparent"),
        ("L", {}, None),
    ],
)
def test_other_kinds_of_pictures_work_and_are_announced(
    mode: str, options: dict[str, Any], notice: str | None, tmp_path: Path, store: Store
) -> None:
    values = np.random.default_rng(0).integers(0, 256, (40, 40, 4), dtype=np.uint8)
    if mode == "I;16":
        image = Image.fromarray(values[..., 0].astype(np.uint16) * 257)
    elif mode in ("RGBA", "CMYK"):
        image = Image.fromarray(values, mode)
    else:
        image = Image.fromarray(values[..., :3].copy()).convert(mode)
    path = tmp_path / ("picture.tif" if mode == "CMYK" else "picture.png")
    image.save(path)
    run = last(compare.compare(Models(), store, str(path), 4, ["fgrn"]))
    assert run.outcomes[0].state is State.DONE and run.size == (40, 40)
    text = lines.status(run.status, run.active, run.notices)
    assert (notice in text) if notice else not run.notices


def test_rotated_photographs_are_turned_upright(tmp_path: Path, store: Store) -> None:
    path = tmp_path / "phone.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (60, 40)).save(path, exif=exif)
    run = last(compare.compare(Models(), store, str(path), 2, ["bicubic"]))
    assert run.size == (60, 40) and "upright" in run.notices[0]


@pytest.mark.parametrize(
    ("scale", "methods", "words"),
    [
        (3, ["bicubic"], "Scale 3"),
        ("x", ["bicubic"], "Scale"),
        (None, ["bicubic"], "Scale"),
        (4, ["best"], "'best'"),
        (4, [], "at least one"),
    ],
)
def test_bad_requests_say_what_is_wrong(
    scale: Any, methods: list[str], words: str, store: Store, picture: str
) -> None:
    with pytest.raises(RequestError, match=words):
        next(compare.compare(Models(), store, picture, scale, methods))


# Restoring


@pytest.mark.parametrize("method", ["bicubic", "irn", "fgrn"])
@pytest.mark.parametrize("scale", [2, 4])
def test_restores_from_the_lr_png_alone(
    method: str, scale: int, tmp_path: Path, store: Store, picture: str
) -> None:
    result = fgrn.rescale(fgrn.load(method, scale), picture)
    path = tmp_path / "small.png"
    path.write_bytes(result.lr_png)
    said = restore.FROM_FILE
    assert not restore.run(Models(), store, str(path), said, said, False).paths.keys() - {method}
    done = restore.run(Models(), store, str(path), said, said, False, enlarge=True)
    np.testing.assert_array_equal(read_image(done.path).pixels, result.reconstruction)
    assert done.size == result.hr.shape[:2] and done.notices == ()
    enlarged = fgrn.load("bicubic", scale).upscale(result.lr, done.size)
    assert list(done.paths) == list(dict.fromkeys(["bicubic", method]))
    np.testing.assert_array_equal(read_image(done.paths["bicubic"]).pixels, enlarged)
    assert f"×{scale}" in cards.restored(done).html


@pytest.mark.parametrize("method", ["bicubic", "fgrn"])
def test_the_original_measures_what_was_restored(
    method: str, tmp_path: Path, store: Store, picture: str, photo: Photo
) -> None:
    result = fgrn.rescale(fgrn.load(method, 4), picture)
    path, wrong = tmp_path / "small.png", tmp_path / "wrong.png"
    path.write_bytes(result.lr_png)
    wrong.write_bytes(encode_png(photo(67, 50)))
    done = restore.run(Models(), store, str(path), None, None, False, enlarge=True)
    assert table.restored(done) == ""
    references = {p["key"]: p["reference"] for p in viewer.restored(done)["pictures"]}
    lr = {"lr": ""}
    others = {} if method == "bicubic" else {"fgrn:restored": "bicubic:restored"}
    assert references == {"bicubic:restored": ""} | others | lr
    with pytest.raises(RequestError, match=r"not the original: it has 50 × 67 pixels, .* 67 × 50"):
        restore.measured(store, done, str(wrong))
    measured = restore.measured(store, done, picture)
    assert measured.scores[method] == against_hr(result.hr, result.reconstruction, 4)
    bicubic = fgrn.load("bicubic", 4).upscale(result.lr, done.size)
    assert measured.scores["bicubic"] == against_hr(result.hr, bicubic, 4)
    shown = viewer.restored(measured)["pictures"]
    assert {p["key"]: p["reference"] for p in shown} == {"hr": ""} | {
        f"{m}:restored": "hr" for m in done.paths
    } | lr
    assert [p["label"] for p in shown][1] == (
        "Bicubic restored" if method == "bicubic" else "Bicubic enlarged"
    )
    np.testing.assert_array_equal(read_image(measured.hr_path).pixels, result.hr)
    html = table.restored(measured)
    assert f"{measured.scores[method]['psnr_y'].value:.2f}" in html and html.count("<tr data-method") == len(
        done.paths
    )


def test_a_lr_file_without_its_note_needs_method_and_scale(
    tmp_path: Path, store: Store, picture: str
) -> None:
    result = fgrn.rescale(fgrn.load("fgrn", 4), picture)
    path = tmp_path / "small.png"
    path.write_bytes(encode_png(result.lr))
    assert "does not say" in restore.describe(restore.open_lr(str(path)))
    with pytest.raises(RequestError, match="name the method and the scale"):
        restore.run(Models(), store, str(path), None, None, False)
    done = restore.run(Models(), store, str(path), "fgrn", "4", False)
    height, width = result.hr.shape[:2]
    np.testing.assert_array_equal(read_image(done.path).pixels[:height, :width], result.reconstruction)
    assert "size of the original" in done.notices[0]
    with pytest.raises(RequestError, match="does not say how large its original was"):
        restore.measured(store, done, picture)


def test_a_jpeg_given_as_lr_is_restored_with_a_warning(tmp_path: Path, store: Store, picture: str) -> None:
    result = fgrn.rescale(fgrn.load("fgrn", 4), picture)
    path = tmp_path / "small.jpg"
    Image.fromarray(result.lr).save(path, quality=90)
    done = restore.run(Models(), store, str(path), "fgrn", 4, False)
    assert any("with losses" in notice for notice in done.notices)


def test_a_lr_png_of_another_method_or_scale_is_refused(tmp_path: Path, store: Store, picture: str) -> None:
    path = tmp_path / "small.png"
    path.write_bytes(fgrn.rescale(fgrn.load("irn", 4), picture).lr_png)
    for method, scale in (("fgrn", None), (None, 2)):
        with pytest.raises(RequestError, match="was made by IRN x4"):
            restore.run(Models(), store, str(path), method, scale, False)


def test_a_lr_png_that_names_a_scale_that_does_not_exist_is_refused(
    tmp_path: Path, store: Store, photo: Photo
) -> None:
    path = tmp_path / "small.png"
    path.write_bytes(encode_png(photo(24, 31), LRInfo("fgrn", 3, 72, 93, "")))
    for other_weights in (False, True):
        with pytest.raises(RequestError, match="Scale 3 is not supported"):
            restore.run(Models(), store, str(path), None, None, other_weights)


def test_what_compare_does_not_have_is_not_restored(picture: str) -> None:
    page, shown = handlers.Handlers(), Shown()
    tab = RestoreTab(page)
    with pytest.raises(gr.Error, match="Compare has no LR picture yet"):
        tab.take(shown, ticket := Ticket())
    assert "Compare has no LR picture yet" in ticket.refused()
    page.begin(picture, 4, ["bicubic"], Ticket(), shown)
    assert shown.run and shown.run.done[0].files
    assert tab.take(shown, Ticket()) == (shown.run.done[0].files.lr, "file", "file", False, shown.run.hr)


def test_restore_begins_by_itself_only_once_and_only_if_that_is_quick(
    picture: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    page, shown, fresh = handlers.Handlers(), Shown(), Ticket()
    tab = RestoreTab(page)
    untouched = (None, "file", "file", False, None)
    with pytest.raises(gr.Error, match="Nothing to do"):  # nobody has opened it
        tab.arrived(shown, *untouched, fresh)
    with pytest.raises(gr.Error, match="Nothing to do"):  # Compare has nothing yet
        tab.opened(shown, None, None, fresh)
    page.begin(picture, 4, ["bicubic", "fgrn"], Ticket(), shown)
    with pytest.raises(gr.Error, match="Nothing to do"):  # FGRN's is to come
        tab.opened(shown, None, None, fresh)
    page.begin(picture, 4, ["bicubic"], Ticket(), shown)
    taken = tab.opened(shown, None, None, fresh)
    assert taken == tab.take(shown, fresh) == tab.arrived(shown, *untouched, fresh)
    for scale, chosen in (("2", None), ("file", picture)):
        with pytest.raises(gr.Error, match="Nothing to do"):
            tab.arrived(shown, None, "file", scale, False, chosen, fresh)
    request, original = taken[:4], taken[4]
    ticket, _, said = tab.begin(*request, fresh)
    assert said == "" and tab.outdated(*request, None, shown) == "", "nothing is shown"
    assert tab.measure(original, request[0], None)[0] == gr.skip()
    *_, drawn = tab.on_restore(ticket)
    given = drawn.given
    assert tab.outdated(*request, given, shown) == ""
    chosen_since = tab.outdated(picture, *request[1:], given, shown)
    assert "Still shown: what my_photo_1_bicubic_x4_lr.png gave" in chosen_since
    run, other = shown.run, Shown()
    assert run and run.outcomes[0].files
    files = replace(run.outcomes[0].files, lr=picture)
    done = replace(run.outcomes[0], state=State.DONE, files=files)
    other.run, other.taken = replace(run, name="later", outcomes=(done,)), shown.taken
    assert "other pictures by now, of later at ×4" in tab.outdated(*request, given, other)
    own = Given((picture, *request[1:]), given.done)
    assert tab.outdated(picture, *request[1:], own, other) == "", "a file of the visitor's own"
    value, html, problem = tab.measure(original, request[0], given)
    assert "Against the original" in html and value["pictures"][0]["key"] == "hr" and not problem
    value, html, problem = tab.measure(original, picture, given)  # a file chosen since: what is shown stays
    assert value == html == gr.skip() and "as soon as the LR picture is restored" in problem
    value, html, problem = tab.measure(None, picture, given)
    assert value["pictures"][0]["key"] != "hr" and html == problem == ""
    wrong = str(examples.EXAMPLES[examples.FIRST_EXAMPLE])
    value, html, problem = tab.measure(wrong, request[0], given)
    assert "This is not the original" in problem and not html and len(value["pictures"]) == 2
    for chosen, old in ((picture, fresh), (None, ticket)):
        with pytest.raises(gr.Error, match="Nothing to do"):
            tab.opened(shown, chosen, None, old)
    monkeypatch.setattr("lab.restore.tab.AT_ONCE", 50 * 67 - 1)
    with pytest.raises(gr.Error, match="Nothing to do"):
        tab.opened(shown, None, None, fresh)


def test_refined_has_the_network_of_what_it_refines() -> None:
    models = Models()
    plain, refined = models.get("fgrn", 4), models.get("fgrn_refined", 4)
    assert refined.net is plain.net and refined.digest == plain.digest
    assert plain.refining_steps == 0 and refined == replace(
        plain, method="fgrn_refined", refining_steps=fgrn.load("fgrn_refined", 4).refining_steps
    )


def test_a_refusal_ends_with_the_next_picture(picture: str) -> None:
    page, shown = handlers.Handlers(), Shown()
    assert page.chosen(Ticket(), shown) == gr.skip(), "nothing was drawn yet"
    ticket, *_ = page.begin(picture, 4, ["bicubic"], Ticket(), shown)
    assert page.chosen(ticket, shown) == gr.skip(), "it runs"
    ticket.stop()
    said = page.chosen(ticket, shown)
    assert shown.run and shown.run.status in said


def test_restoring_says_what_it_does_and_can_be_stopped(tmp_path: Path, picture: str) -> None:
    path = tmp_path / "small.png"
    result = fgrn.rescale(fgrn.load("fgrn", 4), picture)
    path.write_bytes(result.lr_png)
    tab = RestoreTab(handlers.Handlers())
    with pytest.raises(gr.Error, match="no LR picture"):
        tab.begin(None, "file", "file", False, Ticket())
    ticket, status, _ = tab.begin(str(path), "file", "file", False, Ticket())
    assert "Waiting" in status
    with pytest.raises(gr.Error, match="no LR picture"):
        tab.begin(None, "file", "file", False, ticket)
    assert ticket.refused() == gr.skip(), "a refusal does not hide what goes on"
    drawn = tab.on_restore(ticket)
    assert "Restoring with FGRN ×4" in next(drawn)[0]
    assert "Stopped" in ticket.stop()
    (status, *others), *more = drawn
    assert "Stopped" in status and others == [gr.skip()] * 5 and not more
    ticket, *_ = tab.begin(str(path), "file", "file", False, ticket)
    *_, (status, shown, files, given, numbers, compared_with) = tab.on_restore(ticket)
    assert numbers == compared_with == "", "those that stand there are of the picture before"
    assert f"Restored from {path.name} alone" in status and given.request == (
        str(path),
        "file",
        "file",
        False,
    )
    (restored,) = files["files"]
    assert restored["path"] == shown["pictures"][1]["file"]["path"] == given.done.path
    np.testing.assert_array_equal(read_image(given.done.path).pixels, result.reconstruction)


def test_other_weights_are_refused_unless_allowed(
    tmp_path: Path, store: Store, picture: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "small.png"
    path.write_bytes(fgrn.rescale(fgrn.load("fgrn", 4), picture).lr_png)
    monkeypatch.setenv("FGRN_WEIGHTS", str(make_tiny_weights(tmp_path / "others", seed=1)))
    models = Models()
    with pytest.raises(RequestError, match="other weights"):
        restore.run(models, store, str(path), None, None, False)
    assert any(
        "other weights" in notice
        for notice in restore.run(models, store, str(path), None, None, True).notices
    )


def test_a_file_that_names_no_weights_needs_no_leave_for_others(
    tmp_path: Path, store: Store, picture: str
) -> None:
    path, restored = tmp_path / "plain.png", []
    path.write_bytes(encode_png(fgrn.load("fgrn", 4).downscale(picture)))  # without a note
    for other_weights in (False, True):
        done = restore.run(Models(), store, str(path), "fgrn", "4", other_weights)
        restored.append(Path(done.path).read_bytes())
    assert restored[0] == restored[1]


def test_a_lr_file_whose_picture_would_be_too_large_is_refused(tmp_path: Path, store: Store) -> None:
    path = tmp_path / "wide.png"
    Image.new("RGB", (2000, 1500)).save(path)
    with pytest.raises(RequestError, match="8000 x 6000"):
        restore.run(Models(), store, str(path), "bicubic", 4, False)


# HTML


def made_up_run(**changes: Any) -> Run:
    outcomes = (
        Outcome(
            "bicubic", State.DONE, scores={"psnr_y": Score(30.0), "niqe": NO_SCORE, "seconds_up": Score(1.0)}
        ),
        Outcome(
            "fgrn", State.DONE, scores={"psnr_y": Score(33.0), "niqe": NO_SCORE, "seconds_up": Score(2.0)}
        ),
    )
    values = {"name": "n", "scale": 4, "size": (32, 48), "hr": "", "notices": (), "outcomes": outcomes}
    return Run(**{**values, "status": "", "source": record.Input("n.png", "0" * 64), **changes})


def test_the_best_value_follows_the_arrow() -> None:
    html = table.render(made_up_run())
    assert '<td data-key="psnr_y" class="fg-best"><strong>33.00</strong>' in html
    assert '<td data-key="seconds_up" class="fg-best"><strong>1.00</strong>' in html


def test_it_is_said_where_a_method_fails() -> None:
    first, second = made_up_run().outcomes
    for worse, said in (
        (0.004, ""),
        (0.006, "In 0.6 % of the picture FGRN"),
        (0.131, "In 13 % of the picture FGRN"),
    ):
        html = table.render(made_up_run(outcomes=(first, replace(second, worse=worse))))
        assert ("worse than bicubic" in html) == bool(said) and said in html


def test_a_drawn_chart_is_one_of_those(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FGRN_WEIGHTS")
    models = Models()
    for name, fails in (("chart", True), ("coffee", False)):
        run = last(compare.compare(models, store, str(examples.EXAMPLES[name]), 4, ["bicubic", "fgrn"]))
        *_, run = compare.measure_fidelity(models, run)
        assert [outcome.worse > table.WORSE for outcome in run.outcomes] == [False, fails], name


def test_the_help_explains_methods_pictures_and_numbers() -> None:
    text = table.help_text()
    words = (word for method in METHODS.values() for word in (method.label, escape(method.summary)))
    assert all(
        word in text for word in (*words, "HR (high resolution) is the picture", "x recovered", "PSNR-RGB")
    )


def test_equal_values_are_not_best() -> None:
    outcomes = tuple(Outcome(m, State.DONE, scores={"psnr_y": Score(30.001)}) for m in ("bicubic", "irn"))
    assert "fg-best" not in table.render(made_up_run(outcomes=outcomes))


def test_a_missing_number_shows_its_reason_as_text() -> None:
    html = table.render(made_up_run())
    assert 'title="made up for the test">n/a' in html
    assert "NIQE of LR n/a: made up for the test." in html


def test_names_and_notices_are_escaped() -> None:
    evil = "<img src=x onerror=alert(1)>"
    run = made_up_run(name=evil, notices=(evil,), outcomes=(Outcome("irn", State.FAILED, reason=evil),))
    drawn = table.render(run) + cards.files(run).html + lines.status(evil, True, run.notices)
    drawn += (
        lines.problem(evil)
        + lines.facts(evil, (evil,))
        + cards.missing([Status("irn", evil, "", evil, "")])
        + cards.badge(evil, {})
    )
    assert evil not in drawn and drawn.count("&lt;img src=x") == 11


def test_every_number_has_an_arrow_and_a_line_of_help() -> None:
    text = table.help_text()
    for column in table.COLUMNS:
        assert escape(METRICS[column.key].caveat) in text
        assert METRICS[column.key].arrow in table.render(made_up_run())


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a/b/photo.jpg", "photo"),
        ("ä ö.png", "ä_ö"),
        ("../../x y.png", "x_y"),
        ("", "picture"),
        ("a" * 99, "a" * 40),
        ("a" * 39 + "_b", "a" * 39),
    ],
)
def test_file_names_are_harmless(name: str, expected: str) -> None:
    assert stem(name) == expected


def test_sizes_are_readable() -> None:
    assert [readable_size(n) for n in (999, 34_100, 2_340_000)] == ["999 bytes", "34.1 kB", "2.3 MB"]


def test_numbers_for_json() -> None:
    numbers = [plain_number(value) for value in (1.5, math.inf, -math.inf, math.nan, None)]
    assert numbers == [1.5, "inf", "-inf", None, None]


# The API


@pytest.fixture(scope="module")
def url(demo_and_url: tuple[gr.Blocks, str]) -> str:
    return demo_and_url[1]


@pytest.fixture(scope="module")
def demo_and_url(tiny_weights: Path) -> Iterator[tuple[gr.Blocks, str]]:
    with pytest.MonkeyPatch.context() as patch, socket.socket() as probe:
        patch.setenv("FGRN_WEIGHTS", str(tiny_weights))
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        page = handlers.Handlers()
        demo = app.build_demo(page)
        _, address, _ = app.serve(
            page, demo, server_name="127.0.0.1", server_port=port, prevent_thread_lock=True, quiet=True
        )
        yield demo, address
        demo.close()


@pytest.fixture
def client(url: str, tmp_path: Path) -> Client:
    return Client(url, verbose=False, download_files=str(tmp_path / "received"))


def test_the_api_names_its_endpoints(client: Client) -> None:
    endpoints = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    names = ("methods", "downscale", "restore", "compare", "latent", "change", "stress", "bytes", "benchmark")
    assert set(endpoints) == {f"/{name}" for name in names}
    for endpoint in endpoints.values():
        assert endpoint["description"] and all(p["parameter_name"] for p in endpoint["parameters"])


def test_no_more_sessions_are_remembered_than_fit(
    demo_and_url: tuple[gr.Blocks, str], client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions = demo_and_url[0].app.state_holder
    assert sessions.capacity == handlers.SESSIONS
    monkeypatch.setattr(sessions, "capacity", 3)
    for number in range(5):
        client.session_hash = f"visitor {number}"
        client.predict(api_name="/methods")
    assert list(sessions.session_data)[-3:] == ["visitor 2", "visitor 3", "visitor 4"]
    assert len(sessions.session_data) <= 3


def test_who_closes_the_page_stops_what_it_runs(demo_and_url: tuple[gr.Blocks, str]) -> None:
    demo, url = demo_and_url
    ticket = next(
        block
        for block in demo.blocks.values()
        if isinstance(block, gr.State) and isinstance(block.value, Ticket)
    )
    visitors = [Client(url, verbose=False) for _ in range(2)]
    tickets = [demo.state_holder[visitor.session_hash][ticket._id] for visitor in visitors]
    time.sleep(1)  # until their connections stand
    assert not any(ticket.stopped() for ticket in tickets)
    visitors[0].close()
    deadline = time.monotonic() + 120
    while not tickets[0].stopped() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert [ticket.stopped() for ticket in tickets] == [True, False]
    sessions = demo.state_holder.session_data
    while next(iter(sessions)) != visitors[0].session_hash:
        assert time.monotonic() < deadline, "of all sessions it is to be forgotten first"
        time.sleep(0.1)
    visitors[1].close()


def test_methods_are_listed_with_reasons(client: Client) -> None:
    rows = {(row["method"], row["scale"]): row for row in client.predict(api_name="/methods")}
    assert rows["fgrn", 4]["available"] and rows["fgrn", 4]["weights"] == fgrn.load("fgrn", 4).digest
    assert not rows["du_none", 2]["available"] and "for x4 only" in rows["du_none", 2]["reason"]


@pytest.mark.parametrize("method", ["bicubic", "irn", "fgrn"])
def test_the_lr_png_received_is_bit_exact(method: str, client: Client, picture: str) -> None:
    received, notices = client.predict(handle_file(picture), method, 4, api_name="/downscale")
    assert notices == []
    expected = fgrn.rescale(fgrn.load(method, 4), picture)
    assert Path(received).read_bytes() == expected.lr_png
    restored, notices = client.predict(handle_file(received), api_name="/restore")
    np.testing.assert_array_equal(read_image(restored).pixels, expected.reconstruction)
    assert notices == []


def test_compare_streams_pictures_first(client: Client, picture: str) -> None:
    job = client.submit(handle_file(picture), 4, ["fgrn", "bicubic"], api_name="/compare")
    updates = [*job]
    assert [row["method"] for row in updates[0][0]] == ["bicubic", "fgrn"]
    counts = [len(files or []) for _, files in updates]
    assert counts == sorted(counts) and counts[0] == 2 and counts[-1] == 5
    first_number = next(i for i, (rows, _) in enumerate(updates) if rows[0]["psnr_y"] is not None)
    assert counts[first_number] == 4, "no number before the last picture"
    rows, files = updates[-1]
    assert record.unpack(Path(files[-1]))[0].settings.methods == ("bicubic", "fgrn")
    by_name = {Path(file).name: Path(file).read_bytes() for file in files}
    assert by_name["my_photo_1_fgrn_x4_lr.png"] == fgrn.rescale(fgrn.load("fgrn", 4), picture).lr_png
    assert rows[0]["lr_psnr_y"] == "inf" and rows[1]["not_available"] == {"niqe": NO_SCORE.reason}
    json.dumps(rows, allow_nan=False)


def test_the_api_says_what_was_changed_on_reading(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "print.tif"
    Image.new("CMYK", (40, 40), (10, 20, 30, 40)).save(path)
    _, notices = client.predict(handle_file(str(path)), "bicubic", 4, api_name="/downscale")
    assert any("CMYK" in notice for notice in notices)


def test_the_api_measures_a_region(client: Client, picture: str) -> None:
    rows, _ = client.predict(handle_file(picture), 4, ["fgrn"], [8, 4, 40, 9], api_name="/compare")
    result = fgrn.rescale(fgrn.load("fgrn", 4), picture)
    part = (slice(4, 13), slice(8, 48))
    expected = metrics.psnr_y(result.hr[part], result.reconstruction[part], 0)
    assert rows[0]["region_psnr_y"] == pytest.approx(expected)
    assert rows[0]["region_ssim_y"] is None and "SSIM needs" in rows[0]["not_available"]["region_ssim_y"]
    with pytest.raises(AppError, match="does not lie in the picture"):
        client.predict(handle_file(picture), 4, ["fgrn"], [8, 4, 4000, 9], api_name="/compare")


@pytest.mark.parametrize("kind", bad_files())
def test_the_api_explains_bad_files(kind: str, client: Client, tmp_path: Path) -> None:
    data, words = bad_files()[kind]
    path = tmp_path / f"{kind}.png"
    path.write_bytes(data)
    with pytest.raises(AppError, match=words):
        client.predict(handle_file(str(path)), "bicubic", 4, api_name="/downscale")


def test_the_api_refuses_unknown_methods_and_missing_weights(client: Client, picture: str) -> None:
    with pytest.raises(AppError, match="no method 'best'"):
        client.predict(handle_file(picture), "best", 4, api_name="/downscale")
    with pytest.raises(AppError, match="DU_none has weights for x4 only"):
        client.predict(handle_file(picture), "du_none", 2, api_name="/downscale")
    for scale in (3, 2.4, "four"):
        with pytest.raises(AppError, match=f"Scale {scale!r} is not supported"):
            client.predict(handle_file(picture), "bicubic", scale, api_name="/downscale")
    files = [
        client.predict(handle_file(picture), "bicubic", scale, api_name="/downscale")[0]
        for scale in (4, 4.0, "4")
    ]
    assert len({Path(file).read_bytes() for file in files}) == 1


def test_the_api_reads_no_file_that_was_not_uploaded(url: str) -> None:
    file = {"path": str(examples.EXAMPLES[examples.FIRST_EXAMPLE]), "meta": {"_type": "gradio.FileData"}}
    call = f"{url}gradio_api/call/downscale"
    event = httpx.post(call, json={"data": [file, "bicubic", 4]}).json()["event_id"]
    assert "event: error" in httpx.get(f"{call}/{event}", timeout=60).text


def test_uploads_over_the_limit_are_refused(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "big.png"
    path.write_bytes(b"\0" * 21_500_000)
    with pytest.raises(Exception, match="maximum"):
        client.predict(handle_file(str(path)), "bicubic", 4, api_name="/downscale")


def test_single_pictures_and_series_have_a_queue_each() -> None:
    single = ("on_run", "on_restore", "on_change", "downscale", "restore", "latent", "change")
    series = ("on_run", "on_stress", "on_bytes", "compare", "stress_rows", "rate_rows", "rows")
    expected = {*((name, "model", 1) for name in single), *((name, "series", 4) for name in series)}
    fns = app.build_demo().fns.values()
    lanes = {(f.name, f.concurrency_id, f.concurrency_limit) for f in fns if f.name in (*single, *series)}
    assert lanes == expected  # on_run is that of Compare and Latent x, and that of Benchmark


def test_no_picture_component_is_lossy() -> None:
    demo = app.build_demo()
    shown = [b for b in demo.blocks.values() if isinstance(b, gr.Image | gr.ImageSlider)]
    assert shown and {block.format for block in shown} == {"png"}
