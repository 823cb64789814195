"""Damage, the curves it gives, bytes against quality, and what the page says about both."""

from __future__ import annotations

import base64
import csv
import io
import math
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pytest
from PIL import Image, features

import fgrn
from fgrn import metrics
from fgrn.images import encode_png, read_image
from fgrn.methods import METHODS
from fgrn.record import sha256
from lab import charts
from lab.asked import RequestError
from lab.compare import runs as compare
from lab.examples import EXAMPLES, FIRST_EXAMPLE, FIRST_SCALE
from lab.files import Store
from lab.models import Models
from lab.progress import Clock, Progress, line
from lab.stress import damage, kept, plots, runs, uploads, verdicts
from lab.stress.api import StressApi
from lab.stress.damage import CODECS, KINDS, DamageError
from lab.stress.handlers import StressHandlers, _draw_stress
from lab.stress.runs import HR_QUALITIES, UNDAMAGED, Point, RatePoint, RateRun, StressRun
from lab.ticket import SKIP, Ticket
from tests.conftest import Photo

pytestmark = pytest.mark.usefixtures("use_tiny_weights")


@pytest.fixture
def hr(photo: Photo) -> np.ndarray:
    return photo(50, 67)


def error_of(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.mean((a.astype(float) - b.astype(float)) ** 2))


# Damage


@pytest.mark.parametrize("kind", ["blur", "noise", "resize"])
def test_no_damage_changes_nothing(kind: str, hr: np.ndarray) -> None:
    np.testing.assert_array_equal(damage.damage(hr, kind, 0), hr)


@pytest.mark.parametrize("kind", KINDS)
def test_damage_keeps_shape_type_and_its_input(kind: str, hr: np.ndarray) -> None:
    before = hr.copy()
    for amount in KINDS[kind].amounts:
        damaged = damage.damage(hr, kind, amount)
        assert damaged.shape == hr.shape and damaged.dtype == np.uint8
    np.testing.assert_array_equal(hr, before)


@pytest.mark.parametrize("codec", CODECS)
def test_a_codec_at_its_best_is_nearly_exact_in_brightness_and_worse_at_its_worst(
    codec: str, photo: Photo
) -> None:
    picture = photo(96, 128)
    best, worst = (damage.damage(picture, codec, quality) for quality in (100, 30))
    assert metrics.psnr_y(picture, best, 0) > 38
    assert metrics.psnr_y(picture, worst, 0) < metrics.psnr_y(picture, best, 0) - 3


def test_a_codec_is_the_file_that_pillow_writes(hr: np.ndarray) -> None:
    buffer = io.BytesIO()
    Image.fromarray(hr).save(buffer, "JPEG", quality=70)
    assert damage.encode(hr, "jpeg", 70) == buffer.getvalue()
    np.testing.assert_array_equal(damage.damage(hr, "jpeg", 70), np.asarray(Image.open(buffer)))
    full = io.BytesIO()
    Image.fromarray(hr).save(full, "JPEG", quality=70, subsampling=0)
    assert damage.encode(hr, "jpeg444", 70) == full.getvalue() != buffer.getvalue()


def test_noise_has_the_standard_deviation_it_says_and_is_the_same_every_time() -> None:
    grey = np.full((200, 200, 3), 128, np.uint8)
    for sigma in (2, 8):
        noised = damage.damage(grey, "noise", sigma)
        assert np.std(noised.astype(float)) == pytest.approx(sigma, rel=0.03)
        np.testing.assert_array_equal(noised, damage.damage(grey, "noise", sigma))


@pytest.mark.parametrize("kind", ["blur", "noise"])
def test_more_is_worse(kind: str, hr: np.ndarray) -> None:
    errors = [error_of(damage.damage(hr, kind, amount), hr) for amount in KINDS[kind].amounts]
    assert errors == sorted(errors) and errors[1] < errors[-1]


def test_resizing_by_a_pixel_is_a_small_change(hr: np.ndarray) -> None:
    for amount in (-1, 1):
        damaged = damage.damage(hr, "resize", amount)
        assert 0 < error_of(damaged, hr) < 400
    np.testing.assert_array_equal(damage.damage(hr[:1, :1], "resize", -2).shape, (1, 1, 3))


def test_lossless_webp_is_lossless(hr: np.ndarray) -> None:
    np.testing.assert_array_equal(damage.decode(damage.lossless_webp(hr)), hr)


def test_what_cannot_be_done_says_why(hr: np.ndarray) -> None:
    with pytest.raises(ValueError, match="unknown kind of damage 'rain'"):
        damage.damage(hr, "rain", 1)
    with pytest.raises(DamageError, match="WebP cannot hold this picture"):
        damage.encode(np.zeros((16, 17000, 3), np.uint8), "webp", 50)
    with pytest.raises(DamageError, match="WebP cannot hold this picture"):
        damage.lossless_webp(np.zeros((16, 17000, 3), np.uint8))


def test_a_codec_that_cannot_hold_the_picture_is_left_out_and_named() -> None:
    """Pillow has another kind of error for each format."""
    long = np.zeros((16, 65_600, 3), np.uint8)
    for codec in CODECS:
        with pytest.raises(DamageError, match=f"{KINDS[codec].label} cannot hold this picture"):
            damage.encode(long, codec, 50)
    rates = list(runs.rate_distortion(Models(), long, 4, ["bicubic"]))[-1]
    assert {p.series for p in rates.points} == {"bicubic"}
    assert len(rates.notices) == len(CODECS), "once each"
    run = whole(long, "avif", methods=("bicubic",))
    assert {p.kind for p in run.points} == {UNDAMAGED, "avif"}, "a quarter as wide it fits"


# The curves


def whole(hr: np.ndarray, *kinds: str, methods: tuple[str, ...] = ("bicubic", "fgrn")) -> StressRun:
    return list(runs.stress(Models(), hr, 4, methods, kinds))[-1]


def test_an_undamaged_lr_picture_gives_the_figure_of_compare(tmp_path: Path, hr: np.ndarray) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(encode_png(hr))
    models, methods = Models(), ["bicubic", "irn", "fgrn"]
    runs = list(compare.compare(models, Store(tmp_path / "files"), str(path), 4, methods))
    compared = list(compare.measure(models, Store(tmp_path / "files"), runs[-1]))[-1]
    stressed = whole(hr, "noise", "blur", methods=tuple(methods))
    for outcome in compared.outcomes:
        reference = stressed.reference(outcome.method)
        assert reference is not None
        assert reference.psnr_y == outcome.scores["psnr_y"].value
        assert reference.ssim_y == outcome.scores["ssim_y"].value
        untouched = [p for p in stressed.points if p.method == outcome.method and p.amount == 0]
        assert {p.kind for p in untouched} == {UNDAMAGED, "noise", "blur"}
        assert {p.psnr_y for p in untouched} == {reference.psnr_y}


def test_noise_costs_quality(photo: Photo) -> None:
    curves = []
    for seed in range(3):
        run = whole(photo(64, 64, seed), "noise", methods=("fgrn",))
        curves.append([p.psnr_y for p in run.points if p.kind == "noise"])
    mean = np.mean(curves, axis=0)
    assert (np.diff(mean[2:]) < 0).all() and mean[0] > mean[-1]


def test_points_come_one_by_one_and_in_order(hr: np.ndarray) -> None:
    snapshots = list(runs.stress(Models(), hr, 4, ["bicubic", "fgrn"], ["jpeg", "noise"]))
    counts = [len(run.points) for run in snapshots]
    assert counts == sorted(counts) and max(np.diff(counts)) == 1
    last = snapshots[-1]
    points = last.points
    assert [(p.method, p.kind) for p in points[:2]] == [("bicubic", UNDAMAGED), ("fgrn", UNDAMAGED)]
    wanted = [("jpeg", q) for q in KINDS["jpeg"].amounts] + [("noise", s) for s in KINDS["noise"].amounts]
    assert [(p.kind, p.amount) for p in points[2::2]] == wanted
    assert [p.method for p in points[2::2]] == ["bicubic"] * len(wanted)
    assert not last.progress.active and all(run.progress.active for run in snapshots[:-1])
    reused = sum(p.kind == "noise" and p.amount == 0 for p in points)
    assert reused == 2 and last.progress.done == last.progress.total == len(points) + 2 - reused
    left = [run.progress.left for run in snapshots[4:-1]]
    assert None not in left, "all methods have run once: the rest can be estimated"


def test_every_method_shrinks_once(hr: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    shrink = fgrn.Rescaler.downscale

    def counted(self: fgrn.Rescaler, image: np.ndarray) -> np.ndarray:
        calls.append(self.method)
        return shrink(self, image)

    monkeypatch.setattr(fgrn.Rescaler, "downscale", counted)
    whole(hr, "jpeg", "blur", methods=("bicubic", "irn", "fgrn"))
    assert calls == ["bicubic", "irn", "fgrn"]


def test_what_is_not_damaged_is_restored_once(hr: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    restored: list[str] = []
    upscale = fgrn.Rescaler.upscale

    def counted(self: fgrn.Rescaler, lr: np.ndarray, size: tuple[int, int] | None = None) -> np.ndarray:
        restored.append(self.method)
        return upscale(self, lr, size)

    monkeypatch.setattr(fgrn.Rescaler, "upscale", counted)
    run = whole(hr, "noise", "resize", methods=("bicubic", "fgrn"))
    amounts = [amount for kind in ("noise", "resize") for amount in KINDS[kind].amounts]
    assert len(restored) == 2 * (1 + len(amounts) - 2) and len(run.points) == 2 * (1 + len(amounts))


def test_the_time_left_counts_damage_and_metrics(hr: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    damaging, measuring = damage.damage, metrics.ssim_y

    def slow(work: Callable[..., Any], *arguments: Any) -> Any:
        time.sleep(0.05)
        return work(*arguments)

    monkeypatch.setattr(damage, "damage", partial(slow, damaging))
    monkeypatch.setattr(metrics, "ssim_y", partial(slow, measuring))
    snapshots = list(runs.stress(Models(), hr, 4, ["bicubic"], ["jpeg"]))
    progress = snapshots[-2].progress  # before the last step
    assert progress.total - progress.done == 1 and (progress.left or 0) >= 0.09


def test_the_time_left_knows_nothing_of_waiting_for_other_networks(
    hr: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else's network ends a second after each of ours has begun to wait for it."""
    models, counted = Models(), dict[str, float]()
    models.get("bicubic", 4)
    count = Clock.count

    def noted(clock: Clock, kind: str, seconds: float) -> None:
        counted[kind] = seconds
        count(clock, kind, seconds)

    monkeypatch.setattr(Clock, "count", noted)
    for stream in (
        runs.stress(models, hr, 4, ["bicubic"], ["jpeg"]),
        runs.rate_distortion(models, hr, 4, ["bicubic"]),
    ):
        counted.clear()
        next(stream)  # the network comes next
        held, given = threading.Event(), threading.Event()

        def hold(held: threading.Event = held, given: threading.Event = given) -> None:
            with models.alone():
                held.set()
                given.wait(60)

        other = threading.Thread(target=hold)
        other.start()
        held.wait(60)
        threading.Timer(1, given.set).start()
        start = time.perf_counter()
        next(stream)
        taken = time.perf_counter() - start
        assert counted and max(counted.values()) < taken - 0.5
        other.join()


@pytest.mark.parametrize("after", [1, 4, 9])
def test_stop_ends_the_stream_at_once(after: int, hr: np.ndarray) -> None:
    seen: list[StressRun] = []
    for run in runs.stress(Models(), hr, 4, ["fgrn"], ["jpeg"], stop=lambda: len(seen) >= after):
        seen.append(run)
    assert len(seen) == after and seen[-1].progress.active


def test_stop_in_the_middle_of_a_network(hr: np.ndarray) -> None:
    asked = 0

    def stop() -> bool:
        nonlocal asked
        asked += 1
        return asked > 20

    snapshots = list(runs.stress(Models(), hr, 4, ["fgrn"], ["jpeg"], stop))
    assert asked == 21, "the network asks before every layer, and is not asked again"
    assert snapshots[-1].progress.active and len(snapshots[-1].points) < 3


def test_a_format_that_pillow_lacks_is_left_out_and_named(
    hr: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    check = features.check
    monkeypatch.setattr(features, "check", lambda name: name != "avif" and check(name))
    run = whole(hr, "jpeg", "avif", methods=("bicubic",))
    assert run.kinds == ("jpeg",) and {p.kind for p in run.points} == {UNDAMAGED, "jpeg"}
    assert "AVIF is left out" in run.notices[0] and "Pillow" in run.notices[0]
    rates = list(runs.rate_distortion(Models(), hr, 4, ["bicubic"]))[-1]
    assert {p.series for p in rates.points} == {
        "bicubic",
        "jpeg",
        "jpeg444",
        "webp",
    } and rates.notices == run.notices


def test_requests_that_cannot_be_served() -> None:
    with pytest.raises(RequestError, match="no damage 'rain'"):
        uploads.check_kinds(["rain"])
    with pytest.raises(RequestError, match="No damage is chosen"):
        uploads.check_kinds([])
    assert uploads.check_kinds(["noise", "jpeg", "noise"]) == ["jpeg", "noise"]
    with pytest.raises(RequestError, match="DU_none has weights for x4 only"):
        next(runs.stress(Models(), np.zeros((32, 32, 3), np.uint8), 2, ["du_none"], ["jpeg"]))


def test_a_picture_too_large_to_be_restored_many_times_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    Image.new("RGB", (2500, 1700)).save(path)
    with pytest.raises(RequestError, match="2500 x 1700 pixels.*at most 4,000,000"):
        next(uploads.rate(Models(), str(path), 4, ["fgrn"]))
    with pytest.raises(RequestError, match="2500 x 1700 pixels.*at most 4,000,000"):
        uploads.open_subject(str(path))
    with pytest.raises(RequestError, match="no picture yet"):
        uploads.open_subject(None)


def test_a_picture_that_is_a_jpeg_itself_is_named(tmp_path: Path, photo: Photo) -> None:
    for name, count in (("a.jpg", 1), ("a.png", 0)):
        Image.fromarray(photo(48, 64)).save(tmp_path / name)
        first = next(uploads.rate(Models(), str(tmp_path / name), 4, ["bicubic"]))
        assert sum("itself a JPEG" in notice for notice in first.notices) == count


@pytest.mark.parametrize("kinds", [["jpeg"], None], ids=["damage", "bytes"])
def test_a_refused_picture_ends_no_run(kinds: list[str] | None, tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    Image.new("RGB", (2500, 1700)).save(path)
    running = Ticket().grant("picture.png", 4, ["fgrn"], ["jpeg"], kind="stress")
    with pytest.raises(gr.Error, match="at most 4,000,000"):
        StressHandlers(Models()).begin(str(path), 4, ["fgrn"], kinds, running, None)
    assert running.valid


def test_too_little_memory_is_said(hr: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("not enough memory: you tried to allocate 5 GB")

    monkeypatch.setattr(fgrn.Rescaler, "upscale", fail)
    with pytest.raises(RequestError, match="not enough memory"):
        whole(hr, "jpeg")


def test_every_kind_is_in_the_documentation_of_the_endpoints() -> None:
    for text, names in ((StressApi.stress_rows.__doc__, KINDS), (StressApi.rate_rows.__doc__, CODECS)):
        words = set(re.findall(r"\w+", text or ""))
        assert words.issuperset(names)


# Bytes


def test_bytes_are_those_of_the_files(hr: np.ndarray) -> None:
    run = list(runs.rate_distortion(Models(), hr, 4, ["bicubic", "fgrn"]))[-1]
    for name in ("bicubic", "fgrn"):
        result = fgrn.rescale(fgrn.load(name, 4), hr)
        png, webp = [p for p in run.points if p.series == name]
        assert png.bytes == len(result.lr_png) and png.setting == "LR as PNG"
        assert webp.bytes == len(damage.lossless_webp(result.lr))
        assert png.psnr_y == webp.psnr_y == metrics.psnr_y(hr, result.reconstruction, 4)
        assert png.bits_per_pixel == 8 * png.bytes / (50 * 67)
    for codec in CODECS:
        points = [p for p in run.points if p.series == codec]
        assert [p.bytes for p in points] == [len(damage.encode(hr, codec, q)) for q in HR_QUALITIES]
        worst = damage.damage(hr, codec, HR_QUALITIES[0])
        assert points[0].psnr_y == metrics.psnr_y(hr, worst, 4)
        assert points[0].ssim_y == metrics.ssim_y(hr, worst, 4)


def test_bytes_stop_between_codecs(hr: np.ndarray) -> None:
    seen: list[RateRun] = []
    for run in runs.rate_distortion(Models(), hr, 4, ["bicubic"], stop=lambda: len(seen) >= 5):
        seen.append(run)
    assert len(seen) == 5 and seen[-1].progress.active


def test_figures_of_a_run_that_fails_can_be_downloaded(
    tmp_path: Path, photo: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(tmp_path / "a.png")
    Path(path).write_bytes(encode_png(photo(48, 64)))
    half = replace(stress_run([26.0] * 9, [27.0] * 4), progress=Progress("JPEG", 13, 18))

    def broken(*_: Any) -> Iterator[StressRun]:
        yield half
        raise RequestError("There is no memory. Use a smaller picture.")

    monkeypatch.setattr(runs, "stress", broken)
    tab = StressHandlers(Models())
    ticket, *_ = tab.begin(path, 4, ["bicubic"], ["jpeg"], Ticket(), None)
    drawn = tab.on_stress(ticket)
    next(drawn)
    run, status, _, sentences, *_ = next(drawn)
    with pytest.raises(gr.Error, match="no memory"):
        next(drawn)
    assert not run.progress.active and "Broken off" in status and "download" in sentences


def test_a_run_that_another_breaks_off_says_so(tmp_path: Path, photo: Photo) -> None:
    path = str(tmp_path / "a.png")
    Path(path).write_bytes(encode_png(photo(48, 64)))
    tab = StressHandlers(Models())
    half = replace(stress_run([26.0] * 9, [27.0] * 4), progress=Progress("JPEG", 13, 18))
    _, run, _, _, sentences, *_ = tab.begin(path, 4, ["bicubic"], None, Ticket(), half)
    assert not run.progress.active
    assert "Broken off after 13 of 18 steps by another run" in sentences
    rates = RateRun(4, ("bicubic",), (), source="0" * 64, progress=Progress("WebP", 3, 55))
    *_, sentences, _ = tab.begin(path, 4, ["bicubic"], ["jpeg"], Ticket(), rates)
    assert "Broken off after 3 of 55 steps by another run" in sentences
    whole = replace(half, progress=Progress("Finished", 18, 18, active=False))
    assert tab.begin(path, 4, ["bicubic"], None, Ticket(), whole)[4] is SKIP


def test_what_was_left_out_makes_nothing_outdated(
    tmp_path: Path, photo: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(encode_png(photo(48, 64)))
    monkeypatch.setattr(features, "check", lambda name: name != "avif")
    *_, run = uploads.stress(Models(), str(path), 4, ["bicubic"], ["noise", "avif"])
    assert run.kinds == ("noise",) and run.notices
    outdated = partial(StressHandlers(Models()).outdated, run)
    assert outdated(["noise", "avif"], str(path), 4, ["bicubic"]) == ""
    assert "Still shown" in outdated(["noise", "blur"], str(path), 4, ["bicubic"])


# Sentences


def stress_run(bicubic: list[float], fgrn_values: list[float]) -> StressRun:
    amounts = KINDS["jpeg"].amounts
    points = [
        Point(name, "jpeg", amount, value, 0.9)
        for name, values in (("bicubic", bicubic), ("fgrn", fgrn_values))
        for amount, value in zip(amounts, values, strict=False)
    ]
    return StressRun(4, ("bicubic", "fgrn"), ("jpeg",), tuple(points), source="0" * 64)


def linked(words: str) -> tuple[str, list[dict[str, str]]]:
    """Name and rows of the CSV file that is linked below a run's plots."""
    [(data, name)] = re.findall(r'href="data:text/plain;base64,([^"]+)" download="([^"]+)"', words)
    return name, list(csv.DictReader(io.StringIO(base64.b64decode(data).decode())))


def test_what_is_shown_is_called_outdated_by_other_choices(tmp_path: Path) -> None:
    first, other_of_that_name = tmp_path / "1" / "a.png", tmp_path / "2" / "a.png"
    for path in (first, other_of_that_name):
        path.parent.mkdir()
        path.write_text(str(path))
    tab, source = StressHandlers(Models()), sha256(first.read_bytes())
    run = replace(stress_run([26.0], [30.0]), name="a", source=source)
    chosen = list(run.kinds), str(first), 4, list(run.methods)
    assert tab.outdated(None, *chosen) == tab.outdated(run, *chosen) == ""
    copy = tmp_path / "copy.png"
    copy.write_bytes(first.read_bytes())
    assert tab.outdated(run, chosen[0], str(copy), *chosen[2:]) == "", "it is the same picture"
    assert "Still shown" in tab.outdated(run, chosen[0], None, *chosen[2:])
    for place, value in enumerate((["noise", "blur"], str(other_of_that_name), 2, ["du_none"])):
        other = (*chosen[:place], value, *chosen[place + 1 :])
        assert "Still shown: the run of a at ×4" in tab.outdated(run, *other), other  # type: ignore[arg-type]
    weighed = RateRun(4, run.methods, (), name="a", source=source)
    assert tab.outdated(weighed, ["blur"], *chosen[1:]) == "", "it has no damage"


def test_there_are_no_curves_before_there_is_a_point() -> None:
    nothing = replace(stress_run([26.0], [30.0]), points=())
    shown = [figure for figure in _draw_stress(nothing, {}).plots if figure.visible]
    assert not shown
    assert _draw_stress(stress_run([26.0], [30.0]), {}).plots[0].visible


def test_figures_of_a_run_that_was_stopped_are_a_file() -> None:
    """All its points, of the run that was stopped; the other one's words stay."""
    tab = StressHandlers(Models())
    damaged = replace(stress_run([26.0] * 9, [math.inf] * 4), name='a "b"', progress=Progress("", 13, 18))
    run, status, words, others = tab.stop(damaged, Ticket())
    assert not run.progress.active and "Stopped after 13 of 18 steps" in status and others is SKIP
    assert "Stopped after 13 of 18 steps." in words, "the status may become that of the other kind of run"
    name, rows = linked(words)
    assert name == "stress_of_a &quot;b&quot;_at_x4.csv" and len(rows) == 13
    figures = {"method": "fgrn", "damage": "jpeg", "psnr_y": "inf", "ssim_y": "0.9"}
    assert rows[9] == {**figures, "amount": str(KINDS["jpeg"].amounts[0])}
    point = RatePoint("webp", "quality 5", 1234, 0.25, 31.5, 0.875)
    weighed = RateRun(2, ("bicubic",), (point,), name="a", progress=Progress("", 1, 9))
    _, _, others, words = tab.stop(weighed, Ticket())
    figures = {"series": "webp", "setting": "quality 5", "bytes": "1234", "bits_per_pixel": "0.25"}
    assert others is SKIP
    assert linked(words) == ("bytes_of_a_at_x2.csv", [{**figures, "psnr_y": "31.5", "ssim_y": "0.875"}])
    nothing = replace(weighed, points=())
    assert "download" not in tab.stop(nothing, Ticket())[3], "no file without figures"


def test_the_crossing_is_the_first_amount_below_bicubic() -> None:
    flat = [26.0] * 9
    falling = [30.0, 29, 28, 27, 25, 24, 23, 22, 21]
    [text] = verdicts.crossings(stress_run(flat, falling))
    assert "FGRN is below bicubic from quality 70 down (25.00 against 26.00 dB)" in text
    assert "never falls below" in verdicts.crossings(stress_run(flat, [27.0] * 9))[0]
    assert "never falls below" in verdicts.crossings(stress_run(flat, [25.96] * 9))[0], "nobody sees that"
    last = [27.0] * 8 + [20.0]
    assert "at quality 30, the lowest that was tried (20.00" in verdicts.crossings(stress_run(flat, last))[0]
    [text] = verdicts.crossings(stress_run(flat, [30.0, 29, 28, 27, 25, 24, 23, 27, 21]))
    assert "at quality 70, but not at all that follow (25.00 against 26.00 dB)" in text
    assert verdicts.crossings(stress_run(flat, falling[:5])) == [], "not before the curve is whole"


@pytest.mark.parametrize(
    ("fgrn_values", "words"),  # for -2, -1, 0, 1 and 2 pixels
    [
        ([25, 25, 30, 25, 25], "from 1 px on (25.00"),
        ([27, 27, 30, 25, 24], "from +1 px on (25.00"),
        ([24, 27, 30, 27, 27], "at -2 px, the most that was tried (24.00"),
        ([27, 27, 30, 25, 27], "at +1 px, but not at all that follow (25.00"),
        ([24, 24, 25, 24, 24], "from 0 px on (25.00"),
    ],
)
def test_a_pixel_more_and_one_less_are_as_much_damage(fgrn_values: list[float], words: str) -> None:
    points = [
        Point(name, "resize", amount, value, 0.9)
        for name, values in (("bicubic", [26] * 5), ("fgrn", fgrn_values))
        for amount, value in zip(KINDS["resize"].amounts, values, strict=True)
    ]
    [text] = verdicts.crossings(
        StressRun(4, ("bicubic", "fgrn"), ("resize",), tuple(points), source="0" * 64)
    )
    assert f"is below bicubic {words}" in text


def test_codecs_are_compared_at_equal_bytes() -> None:
    def rate(series: str, size: int, psnr: float) -> RatePoint:
        return RatePoint(series, "", size, 1.0, psnr, 0.9)

    curve = [rate("jpeg", 1000, 30), rate("jpeg", 4000, 34)]
    assert verdicts.psnr_at(curve, 2000) == pytest.approx(32)
    assert verdicts.psnr_at(curve, 1000) == 30 and verdicts.psnr_at(curve, 4000) == 34
    assert verdicts.psnr_at(curve, 999) is None and verdicts.psnr_at(curve, 4001) is None
    assert verdicts.psnr_at([*curve, rate("jpeg", 5000, math.inf)], 4500) is None, "the last one has no loss"
    run = RateRun(4, ("fgrn",), (*curve, rate("fgrn", 2500, 33), rate("fgrn", 2000, 33)))
    assert (
        "33.00 dB in 2.0 kB" in verdicts.rates(run)[0]
        and "JPEG 32.00 dB (1.0 less)" in verdicts.rates(run)[0]
    )
    for ours, words in ((30.5, "(1.5 more)"), (32.02, "(as much)"), (math.inf, "JPEG 32.00 dB.")):
        other = RateRun(4, ("fgrn",), (*curve, rate("fgrn", 2000, ours)))
        assert words in verdicts.rates(other)[0]


# Progress


def test_the_time_left_follows_the_kinds_of_steps() -> None:
    clock = Clock(["slow", "slow", "fast", "fast"])
    assert clock.progress("").left is None
    clock.count("slow", 10.0)
    assert clock.progress("").left is None, "nothing is known of the fast ones"
    clock.count("fast", 1.0)
    assert clock.progress("") == Progress("", 2, 4, 11.0)
    clock.skip("slow")
    assert clock.progress("") == Progress("", 2, 3, 1.0)


def test_the_line_is_escaped_and_says_what_is_left() -> None:
    shown = line(Progress("<b>", 3, 12, 75.0), ("<i>",))
    assert "<b>" not in shown and "<i>" not in shown
    assert "3 of 12, about 75 s left" in shown and 'max="12"' in shown
    assert "left" not in line(replace(Progress("", 3, 12, 75.0), active=False))
    assert "progress" not in line(Progress("Waiting"))


# Figures


def test_the_figures_hold_the_points_and_no_background(hr: np.ndarray) -> None:
    run = whole(hr, "jpeg")
    figure = plots.damage_figure(run, "jpeg").to_dict()
    curves = {trace["name"]: trace for trace in figure["data"] if trace["mode"] == "lines+markers"}
    assert set(curves) == {"Bicubic", "FGRN"}
    wanted = [p.psnr_y for p in run.points if p.method == "fgrn" and p.kind == "jpeg"]
    assert list(curves["FGRN"]["y"]) == wanted and list(curves["FGRN"]["x"]) == list(KINDS["jpeg"].amounts)
    assert figure["layout"]["paper_bgcolor"] == figure["layout"]["plot_bgcolor"] == "rgba(0,0,0,0)"
    left, right = figure["layout"]["xaxis"]["range"]
    assert left > 100 and right < 30, "damage grows to the right"
    assert curves["FGRN"]["line"]["color"] == charts.COLOURS["fgrn"]


def test_the_dotted_lines_are_in_the_legend_until_there_are_curves(hr: np.ndarray) -> None:
    for run in runs.stress(Models(), hr, 4, ["bicubic", "fgrn"], ["jpeg"]):
        traces = plots.damage_figure(run, "jpeg").to_dict()["data"]
        named = [t["name"] for t in traces if len(t["x"]) and t.get("showlegend", True)]
        started = dict.fromkeys(p.method for p in run.points)
        assert named == [METHODS[name].label for name in run.methods if name in started], "one entry each"
        groups = {t["legendgroup"] for t in traces if t["name"] == "FGRN"}
        assert groups <= {"fgrn"}


def test_bytes_are_shown_as_bits_per_pixel_on_a_logarithmic_axis(hr: np.ndarray) -> None:
    run = list(runs.rate_distortion(Models(), hr, 4, ["fgrn"]))[-1]
    figure = plots.rate_figure(run).to_dict()
    assert figure["layout"]["xaxis"]["type"] == "log"
    [ours] = [trace for trace in figure["data"] if trace["name"] == "FGRN ×4"]
    assert list(ours["x"]) == [p.bits_per_pixel for p in run.points if p.series == "fgrn"]
    assert next(row[1] for row in ours["customdata"]).endswith(("bytes", "kB"))


@pytest.mark.parametrize("background", [(255, 255, 255), (0x15, 0x1D, 0x2C)])
def test_every_colour_stands_out_on_both_pages(background: tuple[int, int, int]) -> None:
    def luminance(rgb: tuple[int, ...]) -> float:
        linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in np.array(rgb) / 255]
        return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))

    assert len(set(charts.COLOURS.values())) == len(charts.COLOURS)
    for name, colour in charts.COLOURS.items():
        rgb = tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5))
        light, dark = sorted((luminance(rgb), luminance(background)), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 3, name


# The example that is there when the tab opens


def test_there_is_no_example_of_other_weights() -> None:
    assert kept.load() is None
    assert StressHandlers(Models()).first(None, Ticket()) == SKIP


def test_the_example_is_what_the_shipped_weights_give(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FGRN_WEIGHTS")
    example = kept.load()
    assert example, "the weights are others: python -m lab.stress.kept"
    damaged, weighed = example
    pixels = read_image(EXAMPLES[FIRST_EXAMPLE]).pixels
    again = list(runs.stress(Models(), pixels, FIRST_SCALE, ["bicubic"], ["noise"]))[-1]
    assert len(again.points) > 3
    measured = {(p.method, p.kind, p.amount): p for p in damaged.points}
    for point in again.points:
        then = measured[point.method, point.kind, point.amount]
        assert (point.psnr_y, point.ssim_y) == pytest.approx((then.psnr_y, then.ssim_y))
    result = fgrn.rescale(Models().get("fgrn", FIRST_SCALE), pixels)
    whole = damaged.reference("fgrn")
    assert whole and whole.psnr_y == pytest.approx(metrics.psnr_y(pixels, result.reconstruction, 4), abs=0.02)
    png = next(p for p in weighed.points if p.series == "fgrn" and p.setting == "LR as PNG")
    assert png.bytes == pytest.approx(len(result.lr_png), rel=0.01)


def test_the_tab_opens_with_the_example(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FGRN_WEIGHTS")
    tab, ticket = StressHandlers(Models()), Ticket()
    run, status, empty, sentences, *rest = tab.first(None, ticket)
    shown = [figure for figure in rest[: len(KINDS)] if figure.visible]
    assert len(shown) == len(kept.FIRST_KINDS) and rest[-1].visible
    assert "Example: portrait at ×4" in status and empty == "" and "below bicubic" in sentences
    assert "In as many bytes" in rest[-2]
    assert tab.first(run, ticket) == SKIP
