"""The curves of runs: what is read from a log, what is drawn, and that the page needs nothing else."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from training import curves
from training.curves import COLOURS, Axis, figure, page, read_run

Line = dict[str, Any]


def step(number: int, objective: str = "rescaling", **figures: Any) -> Line:
    counts = {"step": number, "samples": 4 * number, "minutes": number / 100}
    return {"event": "step", "objective": objective, **counts, "loss": 1 / number, "rate": 4e-4, **figures}


def checkpoint(number: int | None, **figures: Any) -> Line:
    counts = {} if number is None else {"step": number, "samples": 4 * number}
    scores = {"psnr_y": 30.0, "psnr_y_direct": 30.5, "lr_psnr_y": 38.0, "lr_psnr_rgb": 31.0, "x_exact": 0.9}
    return {
        "event": "checkpoint",
        "stage": 0,
        "minutes": (number or 100) / 100,
        **counts,
        **scores,
        **figures,
    }


def write(folder: Path, lines: Iterable[Line | str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    written = [line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines]
    (folder / "log.jsonl").write_text("".join(written))
    return folder


def drawn(drawing: Any, hover: str) -> list[Any]:
    """The curves of a figure whose hover text begins with `hover`, without the names of the stages."""
    return [trace for trace in drawing.data if trace.hovertemplate.startswith(hover) and trace.text is None]


def steps_of(run: curves.RunLog) -> list[int]:
    return [line["step"] for line in run.steps]


@pytest.mark.parametrize(
    ("against", "x"), [("samples", [200, 400]), ("minutes", [0.5, 1.0]), ("steps", [50, 100])]
)
def test_figures_are_drawn_where_they_were_logged(against: Axis, x: list[float], tmp_path: Path) -> None:
    lines = [step(50), step(100), checkpoint(50), checkpoint(100, psnr_y=31.0)]
    lines.sort(key=lambda line: line["step"])
    drawing = figure([read_run(write(tmp_path / "run", lines))], against)
    expected = {
        "loss": [0.02, 0.01],
        "learning rate": [4e-4, 4e-4],
        "through F": [30.0, 31.0],
        "direct": [30.5, 30.5],
        "Y of LR against bicubic": [38.0, 38.0],
        "RGB of LR against bicubic": [31.0, 31.0],
        "x exact, validation": [0.9, 0.9],
    }
    for hover, y in expected.items():
        (trace,) = drawn(drawing, hover)
        assert (list(trace.x), list(trace.y), trace.name) == (x, y, "run"), hover
    assert drawn(drawing, "x exact, last batch") == []
    assert drawing.layout.yaxis.type == "log"
    assert sum(trace.showlegend for trace in drawing.data) == 1


def test_each_run_has_one_colour_and_a_name_of_its_own(tmp_path: Path) -> None:
    folders = [
        write(tmp_path / name, [step(50), step(100), checkpoint(100)]) for name in ("a", "b/run", "c/run")
    ]
    names = curves._names(folders)
    assert names == [str(folder) for folder in folders]
    assert curves._names(folders[:2]) == ["a", "run"]
    drawing = figure([read_run(folder, name) for folder, name in zip(folders, names, strict=True)])
    colours = [{trace.line.color for trace in drawing.data if trace.name == name} for name in names]
    assert colours == [{colour} for colour in COLOURS[:3]]


def test_colours_are_readable_on_a_light_and_on_a_dark_page() -> None:
    def luminance(colour: str) -> float:
        values = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        red, green, blue = (v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in values)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    for colour in COLOURS:
        own = luminance(colour)
        assert (1 + 0.05) / (own + 0.05) >= 3, colour
        assert (own + 0.05) / (luminance("#121212") + 0.05) >= 3, colour


def test_a_new_stage_breaks_the_curve_and_is_marked(tmp_path: Path) -> None:
    lines = [step(50), step(100), step(150, "flow", x_exact=0.8), step(200, "flow", x_exact=0.9)]
    drawing = figure([read_run(write(tmp_path / "run", lines))], "steps")
    for hover in ("loss", "learning rate"):
        (trace,) = drawn(drawing, hover)
        assert trace.x == (50, 100, 150, 150, 200)
        assert trace.y[2] is None and None not in trace.y[:2] + trace.y[3:]
        assert not trace.connectgaps
    (names,) = [trace for trace in drawing.data if trace.text is not None]
    assert (names.x, names.text) == ((50, 150), ("rescaling", "flow"))
    assert {line.x0 for line in drawing.layout.shapes} == {150}
    assert len(drawing.layout.shapes) == len(curves.PANELS)
    (exact,) = drawn(drawing, "x exact, last batch")
    assert exact.y == (None, None, None, 0.8, 0.9)


def test_speed_is_taken_over_long_enough_a_time_and_within_a_stage(tmp_path: Path) -> None:
    # 0.04 minutes between lines: 4 samples each time in the first stage, 8 in the second
    lines = [step(i) | {"samples": 4 * i, "minutes": round(0.04 * i, 3)} for i in range(1, 8)]
    lines += [
        step(i, "flow") | {"samples": 28 + 8 * (i - 7), "minutes": round(0.04 * i, 3)} for i in range(8, 15)
    ]
    speeds = [line["speed"] for line in read_run(write(tmp_path / "run", lines)).steps]
    assert speeds[:3] == speeds[7:10] == [None] * 3
    assert speeds[3:7] == pytest.approx([100 / 60] * 4)
    assert speeds[10:] == pytest.approx([200 / 60] * 4)


def test_no_speed_without_time(tmp_path: Path) -> None:
    lines = [step(i) | {"minutes": 0.001} for i in (1, 2, 3)]
    assert [line["speed"] for line in read_run(write(tmp_path / "run", lines)).steps] == [None] * 3


def test_a_resumed_run_supersedes_what_lay_beyond_its_checkpoint(tmp_path: Path) -> None:
    first = [step(50), step(100), checkpoint(100), step(150), step(200), checkpoint(200, psnr_y=99.0)]
    again = [step(150, loss=7.0), checkpoint(160, psnr_y=31.0)]
    run = read_run(write(tmp_path / "run", [*first, *again]))
    assert steps_of(run) == [50, 100, 150]
    assert run.steps[-1]["loss"] == 7
    assert [(line["step"], line["psnr_y"]) for line in run.checkpoints] == [(100, 30.0), (160, 31.0)]


def test_the_second_checkpoint_of_a_step_counts(tmp_path: Path) -> None:
    lines = [step(100), checkpoint(100), checkpoint(100, stage=1)]
    run = read_run(write(tmp_path / "run", lines))
    assert steps_of(run) == [100]
    assert [line["stage"] for line in run.checkpoints] == [1]


def test_checkpoints_of_old_logs_stand_where_the_step_before_them_does(tmp_path: Path) -> None:
    old = [checkpoint(None), step(50), checkpoint(None), step(100), checkpoint(None)]
    run = read_run(write(tmp_path / "run", old))
    assert [line.get("samples") for line in run.checkpoints] == [None, 200, 400]
    (trace,) = drawn(figure([run], "samples"), "through F")
    assert trace.x == (None, 200, 400)


def test_a_line_in_the_making_is_left_out_and_a_broken_one_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole = json.dumps(step(150))
    folder = write(tmp_path / "run", [step(50), whole[:30] + "\n", "[1]\n", "\n", step(100), whole[:-5]])
    with caplog.at_level(logging.WARNING):
        assert steps_of(read_run(folder)) == [50, 100]
    assert [int(number) for number in re.findall(r"line (\d+)", caplog.text)] == [2, 3, 4]


def test_figures_that_are_no_numbers_leave_a_gap(tmp_path: Path) -> None:
    lines = [step(50, loss=float("nan")), step(100, loss=None), step(150, loss="x"), step(200, loss=0.5)]
    (trace,) = drawn(figure([read_run(write(tmp_path / "run", lines))]), "loss")
    assert trace.y == (None, None, None, 0.5)


class References(HTMLParser):
    """Every attribute of a page that makes a browser load or open something."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        loads = {"src", "href", "srcset", "data", "action", "poster"}
        self.found += [f"{tag} {name}={value}" for name, value in attrs if name in loads]


def test_the_page_refers_to_nothing_outside_it(tmp_path: Path) -> None:
    out = tmp_path / "curves.html"
    folders = [
        write(tmp_path / "a", [step(50), checkpoint(50), step(100, "flow")]),
        write(tmp_path / "b", []),
    ]
    assert curves.main([*map(str, folders), "--out", str(out), "--against", "minutes"]) == 0
    text = out.read_text(encoding="utf-8")
    references = References()
    references.feed(text)
    assert references.found == []
    styles = "".join(re.findall(r"<style>(.*?)</style>", text, re.DOTALL))
    assert "url(" not in styles and "@import" not in styles
    assert "Plotly.newPlot" in text and len(text) > 1_000_000  # plotly.js is in the page


def test_an_empty_log_is_no_error(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder, out = write(tmp_path / "fresh", []), tmp_path / "curves.html"
    with caplog.at_level(logging.WARNING):
        assert curves.main([str(folder), "--out", str(out)]) == 0
    assert "fresh has logged nothing yet" in caplog.text
    assert "<title>Training curves" in page(figure([]))


def test_a_folder_without_a_log_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    run, out = write(tmp_path / "run", [step(50)]), tmp_path / "curves.html"
    for missing in (tmp_path / "nowhere", tmp_path):
        caplog.clear()
        assert curves.main([str(run), str(missing), "--out", str(out)]) == 2
        assert str(missing) in caplog.text
    assert not out.exists()


def test_a_page_that_cannot_be_written_is_an_error(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    run = write(tmp_path / "run", [step(50)])
    (tmp_path / "file").write_text("")
    assert curves.main([str(run), "--out", str(tmp_path / "file" / "curves.html")]) == 2
    assert "cannot draw" in caplog.text
    assert curves.main([str(run), "--out", str(tmp_path / "new" / "curves.html")]) == 0
