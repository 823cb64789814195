"""The Latent x tab: the mathematics, what a run keeps, its endpoint, and the tab in a real Chromium."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote

import gradio as gr
import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from playwright.sync_api import Browser, Page, expect

import fgrn
from fgrn.images import encode_png, read_image
from fgrn.metrics import psnr_y
from fgrn.pixels import clamped, noisy
from lab import asked, reader
from lab.asked import RequestError
from lab.files import Store
from lab.latent import brush, changes, markup, plots, studies, views
from lab.latent.brush import Stroke
from lab.latent.changes import Change, after, checked, perturb, read_actions, sentence
from lab.latent.handlers import LatentHandlers
from lab.latent.looks import LookHandlers, Looks, Seen
from lab.latent.painting import Painting
from lab.latent.studies import Study
from lab.latent.views import GREY, View
from lab.models import Interrupted, Models
from lab.ticket import SKIP, Ticket
from tests.conftest import Photo, Visitor, until

pytestmark = pytest.mark.usefixtures("use_tiny_weights")


@pytest.fixture
def picture(tmp_path: Path, photo: Photo) -> str:
    path = tmp_path / "my photo.png"
    path.write_bytes(encode_png(photo(50, 67)))
    return str(path)


def run(store: Store, picture: str, method: str = "fgrn", scale: int = 4) -> Study:
    return studies.study(Models(), store, picture, method, scale)


def random_levels(seed: int = 0) -> np.ndarray:
    """Levels as networks make them: outside 0..255 too, and between the grey levels."""
    return np.random.default_rng(seed).normal(128, 90, (21, 34, 3)).astype(np.float32)


# Views


def test_clamped_is_what_the_pipeline_rounds_to() -> None:
    levels = np.array([[[-3.2, 0.49, 0.5], [1.5, 254.6, 300.0]]], np.float32)
    np.testing.assert_array_equal(clamped(levels), [[[0, 0, 0], [2, 255, 255]]])


def test_stretched_takes_every_channel_from_its_least_to_its_largest() -> None:
    levels = random_levels()
    levels[..., 1] = 77
    shown = views.stretched(levels)
    for c in (0, 2):
        low, high = levels[..., c].min(), levels[..., c].max()
        np.testing.assert_array_equal(shown[..., c], np.rint((levels[..., c] - low) / (high - low) * 255))
        assert views.extent(levels)[c] == (low, high)
    assert (shown[..., 1] == GREY).all(), "a constant channel has no contrast to stretch"


def test_a_difference_is_grey_where_there_is_none_and_signed_elsewhere() -> None:
    a = np.array([[[10, 10, 10], [11, 9, 200]]], np.uint8)
    shown = views.difference(a, np.full_like(a, 10), 8)
    np.testing.assert_array_equal(shown, [[[128, 128, 128], [136, 120, 255]]])


@pytest.mark.parametrize("kind", View)
def test_a_single_channel_is_that_channel_in_grey(kind: View) -> None:
    levels, reference = random_levels(), clamped(random_levels(1))
    colour = views.view(levels, kind, "rgb", reference, 4)
    for c, name in enumerate("rgb"):
        shown = views.view(levels, kind, name, reference, 4)
        assert shown.shape == colour.shape
        np.testing.assert_array_equal(shown, colour[..., c : c + 1].repeat(3, axis=2))


# Histograms and spectra


def test_the_histogram_counts_every_value() -> None:
    pixels = clamped(random_levels())
    counts = views.histogram(pixels)
    for c in range(3):
        np.testing.assert_array_equal(counts[c], np.histogram(pixels[..., c], np.arange(257))[0])


@pytest.mark.parametrize("shape", [(96, 96), (95, 128), (64, 81)])
def test_a_sinusoid_has_its_power_at_its_frequency(shape: tuple[int, int]) -> None:
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    angle, frequency = 0.6, 0.2
    wave = np.sin(2 * np.pi * frequency * (rows * np.sin(angle) + columns * np.cos(angle)))
    pixels = clamped(128 + 100 * wave[..., None].repeat(3, axis=2))
    frequencies, power = views.spectrum(pixels)
    assert abs(frequencies[power[0].argmax()] - frequency) < 0.011
    far = np.abs(frequencies - frequency) > 0.05
    assert views.decibels(power[0]).max() - views.decibels(power[0][far]).max() > 40


@pytest.mark.parametrize("shape", [(40, 40), (41, 59)])
def test_the_spectrum_is_numpys_averaged_over_rings(shape: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    frequencies, power = views.spectrum(pixels)
    window = np.hanning(shape[0])[:, None] * np.hanning(shape[1])
    whole = np.abs(np.fft.fft2((pixels[..., 1] - pixels[..., 1].mean()) * window)) ** 2 / (window**2).sum()
    radius = np.hypot(np.fft.fftfreq(shape[0])[:, None], np.fft.fftfreq(shape[1]))
    half = 0.25 / views.SPECTRUM_BINS
    for frequency, value in zip(frequencies, power[1], strict=True):
        ring = (radius >= frequency - half) & (radius < frequency + half)
        assert np.isclose(value, whole[ring].mean())


def test_white_noise_has_its_variance_at_every_frequency() -> None:
    pixels = clamped(np.random.default_rng(0).normal(128, 10, (256, 256, 3)))
    power = views.spectrum(pixels)[1].mean(axis=0)
    assert np.abs(views.decibels(power[2:]) - 20).max() < 1.5


# Errors


def test_errors_are_counted_by_size(photo: Photo) -> None:
    x = photo(20, 30)
    x = x.clip(10, 240)
    recovered = x.copy()
    recovered[0, 0, 0] += 1
    recovered[3, 4, 2] -= 5
    exact = views.exactness(x, recovered)
    assert exact.share == 1 - 2 / x.size and exact.largest == 5
    assert exact.counts == (x.size - 2, 1, 0, 0, 0, 1)
    shown = views.error_map(x, recovered, "rgb")
    coloured = (shown != shown[..., :1]).any(axis=2)
    assert coloured.sum() == 2 and coloured[0, 0] and coloured[3, 4]
    green = views.error_map(x, recovered, "g")
    assert (green == green[..., :1]).all(), "the errors are in the other colours"


# Changes


def test_changes_of_nothing_change_nothing(photo: Photo) -> None:
    lr = photo(20, 30)
    for change in (Change("level", levels=0), Change("noise", sigma=0), Change("brush")):
        np.testing.assert_array_equal(change.apply(lr), lr)
    np.testing.assert_array_equal(brush.brushed(lr, [Stroke(((3, 3),), 2, 0)]), lr)


def test_a_grey_level_more_stops_at_white() -> None:
    lr = np.array([[[0, 254, 255]]], np.uint8)
    np.testing.assert_array_equal(Change("level", 1).apply(lr), [[[1, 255, 255]]])
    np.testing.assert_array_equal(Change("level", -1).apply(lr), [[[0, 253, 254]]])


def test_noise_depends_on_its_seed_and_grows_with_sigma() -> None:
    lr = np.full((64, 64, 3), 128, np.uint8)
    np.testing.assert_array_equal(noisy(lr, 4, 1), noisy(lr, 4, 1))
    assert (noisy(lr, 4, 1) != noisy(lr, 4, 2)).any()
    assert abs(noisy(lr, 4, 1).astype(float).std() - 4) < 0.1


def test_the_brush_changes_what_it_passes_once() -> None:
    lr = np.full((40, 60, 3), 100, np.uint8)
    stroke = Stroke(((10, 20), (40, 20), (10, 20)), 5, 3)
    changed = brush.brushed(lr, [stroke])
    rows, columns = np.mgrid[:40, :60] + 0.5
    distance = np.hypot(columns - columns.clip(10, 40), rows - 20)
    np.testing.assert_array_equal(changed[..., 0], np.where(distance <= 5, 103, 100))
    np.testing.assert_array_equal(brush.brushed(lr, [stroke, stroke])[20, 20], [106, 106, 106])


def test_strokes_are_those_of_the_distance_to_every_piece() -> None:
    random = np.random.default_rng(3)
    lr = np.full((50, 70, 3), 100, np.uint8)
    strokes = [
        Stroke(tuple(map(tuple, random.uniform(-10, 75, (count, 2)))), radius, levels)
        for count, radius, levels in ((4, 3.0, 2), (1, 6.0, -5), (6, 1.5, 9))
    ]
    rows, columns = np.mgrid[:50, :70] + 0.5
    expected = np.full((50, 70), 100)
    for stroke in strokes:
        near = np.full((50, 70), np.inf)
        for (x0, y0), (x1, y1) in zip(stroke.points, stroke.points[1:] or stroke.points, strict=False):
            share = np.linspace(0, 1, 2000)[:, None, None]
            distances = np.hypot(columns - x0 - share * (x1 - x0), rows - y0 - share * (y1 - y0))
            near = np.minimum(near, distances.min(axis=0))
        expected = expected + stroke.levels * (near <= stroke.radius)
    changed = brush.brushed(lr, strokes)[..., 0]
    assert (changed != expected).mean() < 0.001, "but for pixels at exactly the radius"


def test_a_stroke_may_leave_the_picture_and_a_point_hits_its_pixel() -> None:
    lr = np.full((8, 9, 3), 100, np.uint8)
    for point in ((0.0, 0.0), (8.99, 7.99), (4.5, 4.5)):
        assert (brush.brushed(lr, [Stroke((point,), 0.5, 1)])[int(point[1]), int(point[0])] == 101).all()
    outside = [Stroke(((-50, -50), (-20, 90)), 4, 9), Stroke(((500, 3), (500, 4)), 4, 9)]
    np.testing.assert_array_equal(brush.brushed(lr, outside), lr)


def stroke(points: object, radius: object = 4, levels: object = 1) -> dict[str, object]:
    """A stroke as the browser sends it."""
    return {"points": points, "radius": radius, "levels": levels}


@pytest.mark.parametrize(
    "points", [None, [], "12", [[1]], [[1, 2, 3]], [[1, "2"]], [[1, None]], [[float("nan"), 1]], [[1, 1e9]]]
)
def test_what_the_browser_sends_is_checked(points: object) -> None:
    bad = (stroke([[1, 2]], radius=0), stroke([[1, 2]], levels=99), {"points": [[1, 2]]}, "redo", [[1, 2]])
    for sent in (
        [stroke(points)],
        [stroke([[1, 2]]), stroke(points)],
        *([other] for other in bad),
        "undo",
        None,
    ):
        with pytest.raises(RequestError):
            read_actions(sent)


def test_what_the_brush_did_is_done_in_its_order() -> None:
    a, b, c = (stroke([[number, number]], radius=number + 1) for number in range(3))
    first = after((), read_actions([a, b]))
    assert [(s.points, s.radius) for s in first] == [(((0, 0),), 1), (((1, 1),), 2)]
    for actions, left in (
        (["undo", c], [0, 2]),
        ([c, "undo"], [0, 1]),
        (["undo", "undo", "undo"], []),
        ([c, "clear", c, c, "undo"], [2]),
    ):
        painted = after(first, read_actions(actions))
        assert [s.points[0][0] for s in painted] == left, actions


def test_strokes_have_a_limit() -> None:
    strokes = after((), read_actions([stroke([[1, 2]]), stroke([[1, 2]] * (changes.MAX_POINTS - 1))]))
    assert [len(stroke.points) for stroke in strokes] == [1, changes.MAX_POINTS - 1]
    with pytest.raises(RequestError, match="points"):
        after(strokes, read_actions([stroke([[1, 2]])]))
    assert after(strokes, read_actions([stroke([[1, 2]]), "clear"])) == (), (
        "what is painted in the end counts"
    )
    corners = [[0, 0], [2000, 2000]] * 100
    with pytest.raises(RequestError, match="too long"):
        after((), read_actions([stroke(corners)]))
    with pytest.raises(RequestError, match="list of objects"):
        changes.plain_strokes(5)
    with pytest.raises(RequestError, match="points"):
        changes.plain_strokes([stroke([[1, 2]])] * (changes.MAX_POINTS + 1))
    hand = [[20 * i % 2000, 7 * i % 2000] for i in range(200)]
    assert len(after((), read_actions([stroke(hand, radius=64)]))) == 1


def message(study: Study, number: float, *actions: object) -> gr.EventData:
    """What brush.js sends."""
    return gr.EventData(None, {"study": study.token, "actions": list(actions), "number": number})


def test_refused_strokes_say_why_and_leave_the_others(tmp_path: Path, picture: str) -> None:
    store = Store(tmp_path)
    tab = LatentHandlers(SimpleNamespace(models=Models(), store=store))  # type: ignore[arg-type]
    study = run(store, picture)
    painting = Painting()
    assert painting.begin(study.token)
    drawn = tab.paint(study, painting, message(study, 1, stroke([[3, 3]])))
    first = painting.now.strokes
    assert [stroke.points for stroke in first] == [((3, 3),)] and drawn["answered"] == 1
    refused: tuple[object, ...] = ("redo", {"points": []}, stroke([]), 3)
    for bad in refused:
        drawn = tab.paint(study, painting, message(study, 2, "undo", bad))
        assert painting.now.strokes == first and "fg-problem" in drawn["html"]
        assert drawn["answered"] == 2, "or the brush would wait for ever"
    assert tab.paint(study, painting, gr.EventData(None, None)) == SKIP
    corners = stroke([[0, 0], [2000, 2000]] * 8)
    for number in (3, 4):
        drawn = tab.paint(study, painting, message(study, number, corners))
    assert len(painting.now.strokes) == 2 and "too long" in drawn["html"]
    undone = tab.paint(study, painting, message(study, 5, "undo"))
    assert painting.now.strokes == first and undone["answered"] == 5 and "too long" not in undone["html"]
    Path(study.files["lr"]).unlink()
    drawn = tab.paint(study, painting, message(study, 6, "clear"))
    assert "cleaned up" in drawn["html"] and not drawn["files"]
    assert drawn["answered"] == 6, "this is an answer too"


def test_what_comes_while_a_stroke_is_being_painted_is_not_undone(
    tmp_path: Path, picture: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As from another window of the same session."""
    store = Store(tmp_path)
    tab = LatentHandlers(SimpleNamespace(models=Models(), store=store))  # type: ignore[arg-type]
    study, painting = run(store, picture), Painting()
    painting.begin(study.token)
    brushed = brush.brushed
    newer: list[Any] = []

    def slow(lr: np.ndarray, strokes: tuple[Stroke, ...]) -> np.ndarray:
        if strokes and not newer:
            newer.append(None)
            newer[0] = tab.paint(study, painting, message(study, 2, "clear"))
        return brushed(lr, strokes)

    monkeypatch.setattr("lab.latent.handlers.brushed", slow)
    first = message(study, 1, stroke([[3, 3]]))
    assert tab.paint(study, painting, first) == SKIP, "its picture would cover the newer one"
    assert newer[0]["painted"] == [] and newer[0]["answered"] == 2
    assert painting.now.strokes == ()
    assert len(tab.paint(study, painting, first)["painted"]) == 1


def test_strokes_on_the_picture_before_are_dropped(tmp_path: Path, picture: str) -> None:
    store = Store(tmp_path)
    tab = LatentHandlers(SimpleNamespace(models=Models(), store=store))  # type: ignore[arg-type]
    old, new, painting = run(store, picture), run(store, picture), Painting()
    painting.begin(old.token)
    assert tab.paint(new, painting, message(new, 1, stroke([[3, 3]]))) == SKIP, "it is not drawn yet"
    painting.begin(new.token)
    assert tab.paint(new, painting, message(old, 1, stroke([[3, 3]]))) == SKIP, (
        "the browser does not show it yet"
    )
    assert painting.now.strokes == ()


def test_a_study_is_drawn_once_as_the_controls_are(tmp_path: Path, picture: str) -> None:
    store = Store(tmp_path)
    tab = LatentHandlers(SimpleNamespace(models=Models(), store=store))  # type: ignore[arg-type]
    study = run(store, picture)
    painting = Painting()
    drawn = tab.draw(study, painting, Looks(), "difference", "r", 4)
    expected = tab.views.show_channel(study, Looks(), "difference", "r", 4, 0)
    assert drawn.pair["html"] == expected.pair["html"] and drawn.errors["html"] == expected.errors["html"]
    again = tab.draw(study, painting, Looks(), "clamped", "rgb", 8)
    assert all(value == SKIP for value in again), "it would lose what was painted"
    assert all(value == SKIP for value in tab.draw(None, Painting(), Looks(), "clamped", "rgb", 8))
    before = painting.now
    other = tab.draw(run(store, picture), painting, Looks(), "clamped", "rgb", 8)
    assert painting.now.study != before.study and other.note == "" and other.back is None
    gone = run(store, picture)
    for key in ("lr", "x"):
        Path(gone.files[key]).unlink()
    drawn = tab.draw(gone, painting, Looks(), "clamped", "rgb", 8)
    assert "cleaned up" in drawn.status and "cleaned up" in drawn.brush["html"]
    assert drawn._replace(status=SKIP, brush=SKIP) == type(drawn)(), "it goes no further"


def test_a_slow_answer_does_not_cover_a_newer_one(
    tmp_path: Path, picture: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only where the newer one draws as well: the rest is still wanted."""
    views, study, looks = LookHandlers(Store(tmp_path)), run(Store(tmp_path), picture), Looks()
    render = studies.render
    newer: list[Seen] = []

    def slow(*arguments: Any) -> dict[str, str]:
        if not newer:
            newer.append(views.show_cell(study, looks, "clamped", "rgb", 8, 1))
        return render(*arguments)

    monkeypatch.setattr(studies, "render", slow)
    older = views.show_view(study, looks, "difference", "rgb", 8, 0)
    assert newer[0].path is not SKIP and newer[0].pair is SKIP
    assert older.path is SKIP and older.pair is not SKIP
    assert views.show_view(study, looks, "difference", "rgb", 8, 1).path is not SKIP, "it is the newest"


def test_an_answer_is_not_held_back_for_a_newer_one_that_fails() -> None:
    looks = Looks()

    def failing() -> Seen:
        raise RequestError("cleaned up")

    def slow() -> Seen:
        with pytest.raises(RequestError):
            looks.answer(failing)
        return Seen(pair=1, path=2)

    assert looks.answer(slow) == Seen(pair=1, path=2)

    def failing_late() -> Seen:
        assert looks.answer(lambda: Seen(pair=3)) == Seen(pair=3), "nothing newer is there yet"
        raise RequestError("cleaned up")

    with pytest.raises(RequestError):
        looks.answer(failing_late)


def test_without_a_flow_there_is_no_path_to_see(tmp_path: Path, picture: str) -> None:
    store = Store(tmp_path)
    tab = LatentHandlers(SimpleNamespace(models=Models(), store=store))  # type: ignore[arg-type]
    painting = Painting()
    for method, flow in (("fgrn", True), ("du_none", False), ("fgrn", True)):
        drawn = tab.draw(run(store, picture, method), painting, Looks(), "clamped", "rgb", 8)
        assert drawn.flow.visible == flow and (drawn.path is not None) == flow
        assert ("Back through F" in drawn.errors["html"]) == flow
        assert ("nothing to invert" in drawn.errors["html"]) != flow
    assert drawn.cell.maximum == 2


def test_what_is_shown_is_called_outdated(tmp_path: Path, picture: str, photo: Photo) -> None:
    store = Store(tmp_path)
    tab = LatentHandlers(SimpleNamespace(models=Models(), store=store))  # type: ignore[arg-type]
    study = run(store, picture)
    same, other = tmp_path / "same.png", tmp_path / "other.png"
    same.write_bytes(Path(picture).read_bytes())
    other.write_bytes(encode_png(photo(40, 40)))
    for path, method, scale in (
        (str(other), "fgrn", 4),
        (picture, "du_none", 4),
        (picture, None, 4),
        (picture, "fgrn", 2),
        (None, "fgrn", 4),
    ):
        said = tab.outdated(path, method, scale, study)
        assert "Still shown: my_photo, FGRN ×4. Press Run for what is chosen now." in said
        assert tab.outdated(path, method, scale, None) == "", "nothing is shown"
    assert tab.outdated(picture, "fgrn", 4, study) == tab.outdated(str(same), "fgrn", 4, study) == ""


def test_one_click_reads_the_picture_twice(
    tmp_path: Path, picture: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To check it, and to compute with it."""
    tab = LatentHandlers(SimpleNamespace(models=Models(), store=Store(tmp_path)))  # type: ignore[arg-type]
    opened: list[str] = []
    read = reader.read_upload

    def counted(path: str, **options: Any) -> Any:
        opened.append(path)
        return read(path, **options)

    monkeypatch.setattr(asked, "read_upload", counted)
    ticket, *_ = tab.opened(picture, "fgrn", 4, Ticket(), Ticket(), Painting())
    status, _ = [drawn[1] for drawn in tab.on_run(ticket)]
    assert "Computing FGRN ×4" in status and len(opened) == 2


def test_the_tab_runs_by_itself_what_was_not_asked_for_before(
    tmp_path: Path, picture: str, photo: Photo
) -> None:
    tab = LatentHandlers(SimpleNamespace(models=Models(), store=Store(tmp_path)))  # type: ignore[arg-type]
    ticket = Ticket()

    def nothing(path: str | None, ticket: Ticket) -> None:
        with pytest.raises(gr.Error) as caught:
            tab.opened(path, "fgrn", 4, ticket, Ticket(), Painting())
        assert not caught.value.visible

    nothing(None, ticket)
    with pytest.raises(gr.Error):  # takes long
        tab.opened(picture, "fgrn_refined", 4, ticket, Ticket(), Painting())
    painted = Painting()
    painted.begin("study")
    painted.change("study", lambda now: replace(now, strokes=(Stroke(((1.0, 1.0),), 2.0, 1),)))
    with pytest.raises(gr.Error):  # the strokes would be lost
        tab.opened(picture, "fgrn", 4, ticket, Ticket(), painted)
    first, status, *_ = tab.opened(picture, "fgrn", 4, ticket, Ticket(), Painting())
    assert first is not ticket and "Waiting for its turn" in status
    nothing(picture, first)
    assert tab.opened(picture, "du_none", 4, first, Ticket(), Painting())[0] is not first
    large, broken = tmp_path / "large.png", tmp_path / "broken.png"
    large.write_bytes(encode_png(photo(1001, 1000)))
    broken.write_bytes(b"no picture")
    nothing(str(large), first)
    nothing(str(broken), first)


def test_a_change_of_an_older_study_is_not_drawn(tmp_path: Path, picture: str) -> None:
    store = Store(tmp_path)
    tab = LatentHandlers(SimpleNamespace(models=Models(), store=store))  # type: ignore[arg-type]
    old, new = run(store, picture), run(store, picture)
    for latest, whole in ((new, False), (None, False), (old, True)):
        ticket, note = tab.begin_change(old, "level", 1, 1, 0, Painting(), 8, Ticket())
        assert "Waiting" in note
        *_, last = tab.on_change(ticket, latest)
        assert last[0] == "" and (last[1] != SKIP) == (last[2] != SKIP) == whole
    said = partial(tab.change_outdated, sigma=1, seed=0, painting=Painting(), given=last[2])
    assert said("level", 1) == "" and "Still shown" in said("level", 2), last[2]
    assert "Still shown" in said("brush", 1), "nothing is painted yet"
    assert tab.change_outdated("level", 2, 1, 0, Painting(), None) == "", "nothing is shown"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (("blur", 1, 1, 0), "'blur'"),
        (("level", 300, 1, 0), "Grey levels"),
        (("level", None, 1, 0), "Grey levels must be a number from -[0-9]+ to [0-9]+, but it is empty"),
        (("noise", 1, float("inf"), 0), "Sigma"),
        (("noise", 1, 1, -1), "Seed must be a number from 0 to 2,147,483,647, but it is -1"),
        (("noise", 1, 1, None), "Seed .* it is empty"),
        (("noise", 1, 1, 10**400), "Seed"),
        (("level", float("nan"), 1, 0), "Grey levels"),
        (("brush", 1, 1, 0), "painted"),
    ],
)
def test_bad_changes_say_what_is_wrong(values: tuple[object, object, object, object], words: str) -> None:
    with pytest.raises(RequestError, match=words):
        checked(*values)


def test_fields_that_are_not_shown_do_not_count() -> None:
    stroke = Stroke(((1.0, 1.0),), 1.0, 5)
    assert checked("level", 3, None, -1) == Change("level", 3)
    assert checked("noise", None, 2, 7) == Change("noise", sigma=2.0, seed=7)
    assert checked("brush", None, None, None, (stroke,)) == Change("brush", strokes=(stroke,))


# A run


@pytest.mark.parametrize("method", studies.STUDIED)
def test_a_run_keeps_the_result_bit_for_bit(method: str, store: Store, picture: str) -> None:
    study = run(store, picture, method)
    rescaler = fgrn.load(method, 4)
    result = fgrn.rescale(rescaler, picture)
    for key, array in (
        ("hr", result.hr),
        ("x", result.x),
        ("lr", result.lr),
        ("x_recovered", result.x_recovered),
        ("restored", result.reconstruction),
        ("bicubic", fgrn.load("bicubic", 4).downscale(picture)),
    ):
        np.testing.assert_array_equal(study.pixels(key), array)
    assert Path(study.files["lr"]).read_bytes() == result.lr_png
    assert study.exact.share == result.x_exact
    assert study.exact.largest == np.abs(result.x.astype(int) - result.x_recovered).max()
    assert study.psnr == psnr_y(result.hr, result.reconstruction, 4)


@pytest.mark.parametrize("scale", [2, 4])
def test_the_path_leads_from_x_to_lr(scale: int, store: Store, picture: str) -> None:
    study = run(store, picture, scale=scale)
    assert len(study.steps) == 3, "two cells"
    x, lr = study.pixels("x"), study.pixels("lr")
    images = [study.levels(step.path) for step in study.steps]
    np.testing.assert_allclose(images[0], x, atol=1e-4)
    np.testing.assert_array_equal(clamped(images[-1]), lr)
    for k, step in enumerate(study.steps):
        assert step.extents == tuple(views.extent(images[k]))
        moved = np.sqrt(((images[k] - images[max(k - 1, 0)]) ** 2).mean(axis=(0, 1)))
        np.testing.assert_allclose(step.moved, moved, rtol=1e-4)
        assert step.psnr == psnr_y(clamped(images[k]), study.pixels("bicubic"), 0)
    assert max(study.steps[0].moved) == 0 < max(study.steps[1].moved) > 0


def test_x_before_rounding_is_kept(store: Store, picture: str) -> None:
    study = run(store, picture)
    unrounded = study.unrounded_levels("x")
    np.testing.assert_array_equal(clamped(unrounded), study.pixels("x"))
    assert study.clipped == np.mean((unrounded < -0.5) | (unrounded > 255.5))


def test_extents_are_whole_levels() -> None:
    assert markup.extents([(-0.3, 249.6), (-36.2, 204.4), (0.4, 255.0)]) == "R 0…250, G -36…204, B 0…255"


def test_without_a_flow_x_is_lr(store: Store, picture: str) -> None:
    study = run(store, picture, "du_none")
    assert len(study.steps) == 1 and study.exact.share == 1
    np.testing.assert_array_equal(study.unrounded_levels("lr"), study.unrounded_levels("x"))
    assert "no flow" in markup.summary(study)


def test_a_run_can_be_stopped(store: Store, picture: str) -> None:
    models = Models()
    with pytest.raises(Interrupted):
        studies.study(models, store, picture, "fgrn", 4, lambda: True)
    assert models.idle(0)
    study = run(store, picture)
    with pytest.raises(Interrupted):
        perturb(models, store, study, Change("level"), 8, lambda: True)


def test_a_run_is_stopped_while_it_waits_for_the_network_of_another(store: Store, picture: str) -> None:
    models, ended = Models(), threading.Event()

    def waits() -> None:
        with pytest.raises(Interrupted), models.alone(ended.is_set):
            raise AssertionError("the other network still runs")

    with models.alone(), ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(waits)
        until(lambda: models.wanted)
        ended.set()
        waiting.result(60)
        assert not models.wanted and not models.idle(0)
    assert models.idle(0)


@pytest.mark.parametrize(
    ("method", "scale", "words"),
    [
        ("irn", 4, "no x of its own"),
        ("bicubic", 4, "no x of its own"),
        ("best", 4, "'best'"),
        (None, 4, "No method"),
        ("fgrn", 3, "Scale 3"),
        ("du_none", 2, "DU_none has weights for x4 only"),
    ],
)
def test_bad_requests_say_what_is_wrong(
    method: str | None, scale: int, words: str, store: Store, picture: str
) -> None:
    with pytest.raises(RequestError, match=words):
        studies.study(Models(), store, picture, method, scale)


def test_files_that_are_gone_are_named(store: Store, picture: str) -> None:
    study = run(store, picture)
    Path(study.files["x"]).unlink()
    Path(study.steps[1].path).unlink()
    with pytest.raises(RequestError, match="cleaned up"):
        study.pixels("x")
    with pytest.raises(RequestError, match="cleaned up"):
        studies.render_step(store, study, 1, View.CLAMPED, "rgb", 8)


def test_the_clamped_view_is_the_file(store: Store, picture: str) -> None:
    study = run(store, picture)
    files = studies.render(store, study, ("x", "lr", "bicubic"), View.CLAMPED, "rgb", 8)
    for key, path in files.items():
        np.testing.assert_array_equal(read_image(path).pixels, study.pixels(key))
    shown, moved = studies.render_step(store, study, 2, View.CLAMPED, "rgb", 8)
    np.testing.assert_array_equal(read_image(shown.path).pixels, study.pixels("lr"))
    assert moved is not None and studies.render_step(store, study, 0, View.CLAMPED, "r", 8)[1] is None


def test_the_view_minus_x_shows_what_the_flow_does(store: Store, picture: str) -> None:
    study = run(store, picture)
    x, lr = (study.levels(study.steps[k].path) for k in (0, 2))
    files = studies.render(store, study, ("x", "lr", "bicubic"), View.FROM_X, "rgb", 8)
    np.testing.assert_array_equal(read_image(files["x"]).pixels, study.pixels("x"))
    np.testing.assert_array_equal(
        read_image(files["lr"]).pixels, np.rint(np.clip(128 + 8 * (lr - x), 0, 255))
    )
    page = markup.pair(study, files, View.FROM_X, 8).html
    assert "LR − x" in page and "Bicubic − x" in page and "Grey: the same as x" in page
    for k, title in ((0, "<b>x</b>"), (1, "After cell 1 − x"), (2, "After cell 2 − x")):
        shown, moved = studies.render_step(store, study, k, View.FROM_X, "rgb", 8)
        assert title in markup.path(study, k, shown, moved, View.FROM_X).html
        levels = study.levels(study.steps[k].path)
        expected = 128 + shown.gain * (levels - x) if k else x
        np.testing.assert_array_equal(read_image(shown.path).pixels, np.rint(np.clip(expected, 0, 255)))
    assert study.flow_rms == pytest.approx(float(np.sqrt(np.mean((lr - x) ** 2))), rel=1e-5)
    assert f"moves the values of x by {study.flow_rms:.1f} grey levels" in markup.summary(study)


def test_what_a_cell_changes_has_a_gain_of_its_own(store: Store, picture: str) -> None:
    study = run(store, picture)
    before, after = (study.levels(study.steps[k].path) for k in (1, 2))
    for channel in ("rgb", "g"):
        _, moved = studies.render_step(store, study, 2, View.CLAMPED, channel, 8)
        assert moved
        change = (after - before)[..., views.CHANNELS[channel]]
        shown = read_image(moved.path).pixels
        np.testing.assert_array_equal(
            shown[..., 1], views.difference(after, before, moved.gain)[..., 1], "the gain that it names"
        )
        assert np.mean(np.abs(change) * moved.gain > 127) <= 0.01
        assert moved.gain == 32 or np.mean(np.abs(change) * moved.gain * 2 > 127) >= 0.01
        page = markup.path(study, 2, studies.Moved(study.files["lr"], 8), moved, View.CLAMPED)
        assert f"grey: nothing; gain {moved.gain}<" in page.html


def test_a_view_with_a_reference_is_not_clipped(store: Store, picture: str) -> None:
    study = run(store, picture)
    for view in (View.DIFFERENCE, View.FROM_X):
        assert studies.render_step(store, study, 2, view, "rgb", 32)[0].gain == 32, "as in the pictures above"
        shown, _ = studies.render_step(store, study, 1, view, "rgb", 32)
        change = study.levels(study.steps[1].path) - study.reference(view)
        expected = views.difference(study.levels(study.steps[1].path), study.reference(view), shown.gain)
        np.testing.assert_array_equal(read_image(shown.path).pixels, expected)
        assert shown.gain == 32 or np.mean(np.abs(change) * shown.gain > 127) <= 0.01
        assert f"gain {shown.gain:g}" in markup.path(study, 1, shown, None, view).html
        least, _ = studies.render_step(store, study, 1, view, "rgb", 1)
        assert least.gain == 1, "never more than what was asked for"


@pytest.mark.parametrize(
    ("rms", "gain"), [(0, 32), (1, 32), (3, 16), (6, 8), (12, 4), (24, 2), (36, 1), (200, 1)]
)
def test_the_automatic_gain_clips_a_hundredth_at_most(rms: float, gain: int) -> None:
    change = np.random.default_rng(0).normal(0, rms, (64, 64, 3)).astype(np.float32)
    assert views.automatic_gain(change) == gain


# What comes back


def test_an_unchanged_lr_picture_comes_back_bit_for_bit(store: Store, picture: str) -> None:
    models, study = Models(), run(store, picture)
    back = perturb(models, store, study, Change("level", levels=0), 8)
    np.testing.assert_array_equal(read_image(back.files["restored"]).pixels, study.pixels("restored"))
    assert (back.changed, back.x_rms, back.x_largest, back.restored_rms) == (0, 0, 0, 0)
    assert back.psnr == study.psnr
    assert (read_image(back.files["restored_change"]).pixels == GREY).all()
    assert "same picture" in sentence(study, back)


def test_what_comes_back_is_restored_from_the_changed_lr(store: Store, picture: str) -> None:
    models, study = Models(), run(store, picture)
    rescaler = fgrn.load("fgrn", 4)
    for change in (
        Change("level", levels=1),
        Change("noise", sigma=3, seed=5),
        Change("brush", strokes=(Stroke(((4, 4), (9, 7)), 2, 12),)),
    ):
        back = perturb(models, store, study, change, 8)
        changed = change.apply(study.pixels("lr"))
        expected = rescaler.upscale(changed, study.size)
        np.testing.assert_array_equal(read_image(back.files["lr"]).pixels, changed)
        np.testing.assert_array_equal(read_image(back.files["restored"]).pixels, expected)
        assert back.psnr == psnr_y(study.pixels("hr"), expected, 4)
        assert back.changed == np.mean(changed != study.pixels("lr")) > 0
        said = sentence(study, back)
        assert f"{back.psnr:.2f} dB after" in said
        touched = (changed != study.pixels("lr")).any(axis=2)
        below = np.kron(touched, np.ones((4, 4), bool))[: study.size[0], : study.size[1]]
        then, now = (
            psnr_y(study.pixels("hr")[below][None], whole[below][None], 0)
            for whole in (study.pixels("restored"), expected)
        )
        assert (back.there_before, back.there) == pytest.approx((then, now), abs=1e-9)
        assert (f"Where it was changed: {then:.2f} and {now:.2f} dB" in said) == (change.kind == "brush")


# Figures


def test_plots_have_a_line_for_each_picture_and_no_background(store: Store, picture: str) -> None:
    curves = run(store, picture).curves
    for figure in (plots.histogram_figure, plots.spectrum_figure):
        plain = json.loads(figure(curves, "rgb").to_json())
        assert [line["name"] for line in plain["data"]] == ["x", "LR", "bicubic"]
        assert plain["layout"]["paper_bgcolor"] == plain["layout"]["plot_bgcolor"] == "rgba(0,0,0,0)"
    shares = plots.histogram_figure(curves, "g").data[0].y
    assert np.isclose(sum(share or 0 for share in shares), 100)


def test_the_table_has_a_row_for_every_cell(store: Store, picture: str) -> None:
    study = run(store, picture)
    shown, moved = studies.Moved(study.files["x"], 8), studies.Moved(study.files["lr"], 8)
    page = markup.path(study, 2, shown, moved, View.CLAMPED)
    assert page.html.count("<tr") == 1 + 3 and "class=fg-current" in page.html
    assert "After cell 2: LR before rounding" in page.html and "l2" not in page.html


def test_figures_that_are_not_finite_are_no_words_of_python(store: Store, tmp_path: Path) -> None:
    """A black picture is bicubic exactly, in every step."""
    path = tmp_path / "black.png"
    path.write_bytes(encode_png(np.zeros((48, 48, 3), np.uint8)))
    black = run(store, str(path))
    for psnrs in ((math.inf, math.inf, 30.0), (30.0, 31.5, math.inf)):
        steps = tuple(replace(step, psnr=psnr) for step, psnr in zip(black.steps, psnrs, strict=True))
        study = replace(black, steps=steps)
        html = markup.path(study, 0, studies.Moved(study.files["x"], 8), None, View.CLAMPED).html
        text = html + markup.summary(study) + markup.summary(replace(study, steps=steps[:1]))
        assert "inf" not in text and "nan" not in text and "n/a" not in text and "∞" in text
        rows = [row.split("<td>")[-1].split("</td>")[0] for row in html.split("<tr")[3:]]
        assert rows == (["", "-∞"] if psnrs[0] == math.inf else ["+1.50", "+∞"])


# The tab


@pytest.fixture
def client(url: str, tmp_path: Path) -> Client:
    return Client(url, verbose=False, download_files=str(tmp_path / "received"))


def test_the_endpoint_gives_figures_and_pictures(client: Client, picture: str) -> None:
    figures, files = client.predict(handle_file(picture), "fgrn", 4, api_name="/latent")
    result = fgrn.rescale(fgrn.load("fgrn", 4), picture)
    assert figures["x_exact"] == result.x_exact and sum(figures["errors"]) == result.x.size
    assert figures["ranges"]["x"] == [[int(v.min()), int(v.max())] for v in np.moveaxis(result.x, 2, 0)]
    assert [cell["cell"] for cell in figures["cells"]] == [1, 2]
    total = sum(cell["change_db"] for cell in figures["cells"])
    assert np.isclose(figures["x_psnr_to_bicubic"] + total, figures["cells"][-1]["psnr_to_bicubic"])
    names = [Path(file).name for file in files]
    assert names == [
        f"my_photo_fgrn_x4_{kind}.png" for kind in ("x", "lr", "bicubic", "x_recovered", "restored")
    ]
    assert Path(files[1]).read_bytes() == result.lr_png
    np.testing.assert_array_equal(read_image(files[0]).pixels, result.x)
    json.dumps(figures, allow_nan=False)


def test_the_endpoint_changes_the_lr_picture_as_the_page_does(
    client: Client, picture: str, store: Store
) -> None:
    strokes = [
        {"points": [[4, 4], [9, 7]], "radius": 2, "levels": 12},
        {"points": [[1, 9]], "radius": 1, "levels": -5},
    ]
    figures, files = client.predict(
        handle_file(picture), "fgrn", 4, "brush", 0, 0, 0, strokes, api_name="/change"
    )
    study = run(store, picture)
    painted = brush.brushed(
        study.pixels("lr"), (Stroke(((4.0, 4.0), (9.0, 7.0)), 2, 12), Stroke(((1.0, 9.0),), 1, -5))
    )
    np.testing.assert_array_equal(read_image(files[0]).pixels, painted)
    restored = fgrn.load("fgrn", 4).upscale(painted, study.size)
    np.testing.assert_array_equal(read_image(files[2]).pixels, restored)
    assert figures["psnr_y"] == psnr_y(study.pixels("hr"), restored, 4)
    assert figures["psnr_y_before"] == study.psnr
    bad: list[tuple[str, object]] = [("brush", [{"points": [[1, 1]]}]), ("brush", []), ("blur", [])]
    for kind, sent in bad:
        with pytest.raises(AppError, match="stroke has points|Nothing is painted|no change 'blur'"):
            client.predict(handle_file(picture), "fgrn", 4, kind, 0, 0, 0, sent, api_name="/change")
    with pytest.raises(
        AppError, match="no change 'blur'"
    ):  # before the picture is looked at, which takes longer
        client.predict(None, "fgrn", 4, "blur", 0, 0, 0, [], api_name="/change")
    huge = [{"points": [[4, 4]], "radius": 10**400, "levels": 1}]
    with pytest.raises(RequestError, match="Radius must be a number"):
        changes.plain_strokes(huge)


@pytest.mark.parametrize(
    ("method", "scale", "words"),
    [("irn", 4, "no x of its own"), ("du_none", 2, "DU_none has weights for x4 only")],
)
def test_the_endpoint_explains_itself(
    method: str, scale: int, words: str, client: Client, picture: str
) -> None:
    with pytest.raises(AppError, match=words):
        client.predict(handle_file(picture), method, scale, api_name="/latent")
    described = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    assert "largest_error" in described["/latent"]["description"]


def open_tab(visitor: Visitor, theme: str = "light") -> Page:
    """The tab, which begins to compute by itself."""
    page = visitor.open(theme)
    visitor.tab("Latent x")
    return page


def slide(page: Page, name: str, value: int) -> None:
    page.locator(f"{name} input[type=range]").fill(str(value))


@pytest.mark.browser
def test_run_look_and_change(browser: Browser, url: str) -> None:
    visitor = Visitor(browser, url, 1440, 1000)
    page = open_tab(visitor)
    expect(page.locator("#latent-status [role=status]")).to_have_text("portrait, FGRN ×4")
    expect(page.locator("#latent-pair img")).to_have_count(3)
    expect(page.locator("#latent-histogram .js-plotly-plot, #latent-spectrum .js-plotly-plot")).to_have_count(
        2
    )
    width = page.locator("#latent-spectrum").bounding_box()
    plot = page.locator("#latent-spectrum svg.main-svg").first.bounding_box()
    assert width and plot and 0.8 * width["width"] < plot["width"] <= width["width"]
    expect(page.locator("#latent-errors")).to_contain_text("come back exactly")
    rendering = "e => getComputedStyle(e).imageRendering"
    assert page.locator("#latent-pair img").first.evaluate(rendering) == "pixelated"

    slide(page, "#latent-cell", 2)
    expect(page.locator("#latent-path")).to_contain_text("Changed by cell 2")
    expect(page.locator("#latent-path .fg-current")).to_contain_text("cell 2")
    page.locator("#latent-view").get_by_label("Minus bicubic").check()
    expect(page.locator("#latent-pair")).to_contain_text("x − bicubic")
    expect(page.locator("#latent-pair")).to_contain_text("One grey level is shown as 8")
    before = page.locator("#latent-pair img").first.get_attribute("src") or ""
    page.locator("#latent-channel").get_by_label("G", exact=True).check()
    expect(page.locator("#latent-pair img").first).not_to_have_attribute("src", before)
    expect(page.locator("#latent-errors")).to_contain_text("green channel")

    page.locator("#latent-change").click()
    expect(page.locator("#latent-returned")).to_contain_text(
        "+1 grey level on the whole LR picture changes x by"
    )
    expect(page.locator("#latent-returned img")).to_have_count(4)
    visitor.tab("Compare")
    visitor.tab("Latent x")
    expect(page.locator("#latent-status [role=status]")).to_have_text("portrait, FGRN ×4")
    expect(page.locator("#latent-returned img")).to_have_count(4)
    visitor.tab("Compare")
    page.locator("#examples .gallery-item").nth(1).click()
    expect(page.locator("#numbers caption")).not_to_contain_text("portrait")
    visitor.tab("Latent x")
    expect(page.locator("#latent-status [role=status]")).not_to_contain_text("portrait")
    expect(page.locator("#latent-status [role=status]")).to_contain_text("FGRN ×4")
    visitor.finish()


@pytest.mark.browser
def test_the_scale_decides_which_methods_there_are(browser: Browser, url: str) -> None:
    visitor = Visitor(browser, url, 1440, 1000)
    page = visitor.open()
    page.locator("#scale").get_by_label("2").check()
    visitor.tab("Latent x")
    expect(page.locator("#latent-missing")).to_contain_text("DU_none has weights for x4 only")
    expect(page.locator("#latent-method input")).to_have_count(2)  # FGRN, and FGRN refined
    visitor.tab("Compare")
    page.locator("#scale").get_by_label("4").check()
    visitor.tab("Latent x")
    chosen = page.locator("#latent-method").get_by_label("DU_none", exact=True)
    chosen.check()
    visitor.tab("Compare")
    page.locator("#scale").get_by_label("2").check()
    expect(page.locator("#latent-method input")).to_have_count(2)
    page.locator("#scale").get_by_label("4").check()
    visitor.tab("Latent x")
    expect(chosen).to_be_checked()
    visitor.finish()


@pytest.mark.browser
def test_views_of_files_that_were_cleaned_up_say_so(
    browser: Browser, url: str, tmp_path: Path, photo: Photo
) -> None:
    visitor = Visitor(browser, url, 1440, 1000)
    page = visitor.open()
    path = tmp_path / "soon_gone.png"
    path.write_bytes(encode_png(photo(64, 64)))
    page.locator("#picture button[aria-label='Remove Image']").click()
    page.locator("#picture input[type=file]").set_input_files(path)
    expect(page.locator("#facts")).to_contain_text("64 × 64")
    visitor.tab("Latent x")
    expect(page.locator("#latent-status [role=status]")).to_have_text("soon_gone, FGRN ×4")
    shown = page.locator("#latent-pair img").first.get_attribute("src") or ""
    page.wait_for_function("[...document.images].every(image => image.complete)")  # before its file goes
    stored = Path(unquote(shown.split("file=")[1])).parent.parent
    for file in stored.glob("*/soon_gone_fgrn_x4*"):
        file.unlink()
    acts: list[Callable[[], None]] = [
        lambda: page.locator("#latent-view").get_by_label("Min to max").check(),
        lambda: slide(page, "#latent-cell", 2),
        lambda: page.locator("#latent-channel").get_by_label("G", exact=True).check(),
    ]
    for act in acts:
        act()
        expect(page.locator(".toast-body")).to_contain_text("cleaned up. Run it again")
        page.locator(".toast-close").first.click()
        expect(page.locator(".toast-body")).to_have_count(0)
    page.locator("#latent-run").click()
    expect(page.locator("#latent-path .fg-current")).to_contain_text("x")
    visitor.finish()


@pytest.mark.browser
def test_an_emptied_number_is_no_error_and_another_method_is_called_another(
    browser: Browser, url: str
) -> None:
    visitor = Visitor(browser, url, 1440, 1000)
    page = open_tab(visitor)
    expect(page.locator("#latent-pair img")).to_have_count(3)
    page.locator("#latent-view").get_by_label("Minus bicubic").check()
    expect(page.locator("#latent-pair")).to_contain_text("One grey level is shown as 8")
    number = page.locator("#latent-gain input[type=number]")
    number.fill("16")
    expect(page.locator("#latent-pair")).to_contain_text("One grey level is shown as 16")
    number.fill("")
    expect(page.locator("#latent-pair")).to_contain_text("One grey level is shown as 1;")
    number.fill("99")
    expect(page.locator("#latent-pair")).to_contain_text("One grey level is shown as 32")
    number.fill("4")
    expect(page.locator("#latent-pair")).to_contain_text("One grey level is shown as 4")
    expect(page.locator(".toast-body")).to_have_count(0)

    said = page.locator("#latent-outdated")
    expect(said).to_have_text("")
    expect(page.locator("#latent-flow")).to_be_visible()
    page.locator("#latent-method").get_by_label("DU_none").check()
    expect(said).to_have_text("Still shown: portrait, FGRN ×4. Press Run for what is chosen now.")
    page.locator("#latent-run").click()
    expect(page.locator("#latent-status [role=status]")).to_have_text("portrait, DU_none ×4")
    expect(said).to_have_text("")
    expect(page.locator("#latent-flow")).to_be_hidden()
    expect(page.locator("#latent-results")).not_to_contain_text("The path through F")
    visitor.finish()


@pytest.mark.browser
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(1440, 1000), (390, 844)])
def test_fits_the_screen(browser: Browser, url: str, theme: str, width: int, height: int) -> None:
    """No sideways scrolling; the screenshots in build/screenshots are for people."""
    visitor = Visitor(browser, url, width, height)
    page = open_tab(visitor, theme)
    expect(page.locator("#latent-pair img")).to_have_count(3)
    page.locator("#latent-change").click()
    expect(page.locator("#latent-returned img")).to_have_count(4)
    page.wait_for_timeout(500)
    visitor.screenshot(f"latent_{width}_{theme}")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    visitor.finish()
