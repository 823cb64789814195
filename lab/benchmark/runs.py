"""A benchmark as a stream of snapshots: every picture through every method, then mean and spread.

What is measured, and how a run is recorded, is `fgrn.record`, which `python -m fgrn repeat` uses too.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache

from fgrn import comparison, record
from fgrn.figures import Figures, by_method, figures_csv, figures_json, means, spreads
from fgrn.files import ASSETS
from fgrn.images import ImageError
from fgrn.inputs import RescaleError
from fgrn.memory import memory_errors_as
from fgrn.methods import METHODS
from fgrn.pipeline import MIN_SIDE, Rescaler, rescale
from fgrn.pixels import Pixels
from fgrn.record import PROTOCOLS, Input, Record, Settings
from fgrn.scores import Scores, plain
from lab.asked import MAX_PIXELS, NO_MEMORY, RequestError, check_methods, check_scale, rescalers
from lab.benchmark.archive import Collected, PictureFile
from lab.files import stem
from lab.lines import FINISHED, STOPPED
from lab.models import Interrupted, Models, interruptible
from lab.progress import STARTING, Clock, Progress
from lab.reader import read_upload

PAPER = ASSETS / "results" / "paper.json"
PAPER_KEYS = ("psnr_y", "ssim_y")


@dataclass(frozen=True)
class Bench:
    """A snapshot of a benchmark. A picture counts in the means as soon as all methods have done it."""

    settings: Settings
    names: tuple[str, ...]  # of all pictures, in order
    dataset: str = ""
    files: tuple[PictureFile, ...] = ()  # of the same pictures, if these are here
    figures: Figures = field(default_factory=dict)
    done: tuple[str, ...] = ()  # the pictures that all methods have done
    digests: dict[str, str] = field(default_factory=dict)  # SHA-256 of their files, if these are here
    skipped: dict[str, str] = field(default_factory=dict)
    notices: dict[str, tuple[str, ...]] = field(default_factory=dict)  # what was changed on reading
    uploads: tuple[str, ...] = ()  # the files that hold the pictures, unless they are those of a set
    weights: dict[str, str] = field(default_factory=dict)
    machine: dict[str, str] = field(default_factory=dict)
    progress: Progress = STARTING

    @property
    def kept(self) -> bool:
        """Whether its figures were measured beforehand, of pictures that are not here."""
        return bool(self.done) and not self.digests

    @property
    def counted(self) -> Figures:
        """The figures of the pictures that all methods have done."""
        return {name: self.figures[name] for name in self.done}

    @property
    def means(self) -> dict[str, Scores]:
        """The mean of every figure by method; nothing before the first picture is done."""
        return means(by_method(self.counted, self.settings.methods))

    @property
    def spreads(self) -> dict[str, Scores]:
        """The standard deviation (n - 1) of every figure by method."""
        return spreads(by_method(self.counted, self.settings.methods))

    @property
    def file_name(self) -> str:
        """What its files are called, without an ending."""
        uploads = [stem(path) for path in self.uploads]
        what = stem(self.dataset) if self.dataset else uploads[0] if len(uploads) == 1 else ""
        part = f"{len(self.done)}of{len(self.names)}" if len(self.done) < len(self.names) else ""
        return "_".join(filter(None, ("benchmark", what, f"x{self.settings.scale}", part)))

    @property
    def record(self) -> Record:
        """What repeating it needs."""
        inputs = tuple(Input(name, self.digests[name]) for name in self.done)
        return Record(
            self.settings, inputs, self.weights, record.versions(), self.machine, dataset=self.dataset
        )


def check_settings(
    scale: object, methods: Sequence[str], protocol: object = "paper", no_reference: object = False
) -> Settings:
    """The settings of a request, checked as Compare checks them.

    Raises:
        RequestError: for anything that is not offered.
    """
    number, names = check_scale(scale), check_methods(methods)
    if protocol not in PROTOCOLS:
        raise RequestError(f"There is no protocol {protocol!r}. Choose one of {', '.join(PROTOCOLS)}.")
    return Settings(number, tuple(names), str(protocol), bool(no_reference))


def benchmark(
    models: Models,
    settings: Settings,
    collected: Collected,
    dataset: str = "",
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[Bench]:
    """Measure every picture with every method; a snapshot after each of them.

    A picture that cannot be measured is named and left out, for all methods, and so is a file that came before under
    another name. As soon as `stop()` is true the snapshots end, in the middle of a network if need be.

    Raises:
        RequestError: before the first snapshot, if a method cannot be used.
    """
    loaded = rescalers(models, settings.scale, settings.methods)
    bicubic = models.get("bicubic", settings.scale)
    bench = Bench(
        settings,
        tuple(source.name for source in collected.sources),
        dataset,
        collected.sources,
        skipped=dict(collected.skipped),
        uploads=collected.uploads,
        weights={name: rescaler.digest for name, rescaler in loaded.items()},
        machine=models.machine(loaded.values()),
    )
    clock = Clock([name for _ in collected.sources for name in loaded])
    for index, source in enumerate(collected.sources):
        text = f"Picture {index + 1} of {len(collected.sources)}"
        bench = replace(bench, progress=clock.progress(text))
        yield bench
        rows: dict[str, Scores] = {}
        try:
            data = source.read()
            digest = record.sha256(data)
            _refuse_twin(digest, bench.digests)
            hr, notices = _picture(data, settings)
            if notices:
                bench = replace(bench, notices={**bench.notices, source.name: notices})
            bicubic_lr = bicubic.downscale(hr)
            for name, rescaler in loaded.items():
                rows[name], seconds = _measured(models, rescaler, bicubic_lr, hr, settings, stop)
                clock.count(name, seconds)
                figures = {**bench.figures, source.name: dict(rows)}
                bench = replace(bench, figures=figures, progress=clock.progress(text))
                if len(rows) == len(loaded):
                    digests = {**bench.digests, source.name: digest}
                    bench = replace(bench, done=(*bench.done, source.name), digests=digests)
                yield bench
        except Interrupted:
            return
        except (ImageError, RescaleError, RequestError) as error:
            for name in list(loaded)[len(rows) :]:
                clock.skip(name)
            bench = _left_out(bench, source, str(error))
    text = FINISHED if bench.done else "No picture could be measured"
    yield replace(bench, progress=replace(clock.progress(text), active=False))


def stopped(bench: Bench) -> Bench:
    """The benchmark as it is shown after Stop: a picture that not all methods have done is left out."""
    text = f"{STOPPED} after {len(bench.done)} of {len(bench.names)} pictures"
    notices = {name: said for name, said in bench.notices.items() if name in bench.done}
    progress = replace(bench.progress, text=text, active=False)
    return replace(bench, figures=bench.counted, notices=notices, progress=progress)


def read_again(bench: Bench, name: object) -> tuple[PictureFile, bytes]:
    """One of the pictures that were measured here, and the content of its file.

    Raises:
        RequestError: if it is none of them, or not as it was any more.
    """
    found = next((file for file in bench.files if file.name == name), None)
    if found is None:
        raise RequestError("This picture is not of the run that is shown. Run it again.")
    try:
        data = found.read()
    except ImageError as error:
        raise RequestError(f"{name}: {error}") from error
    if found.name in bench.digests and bench.digests[found.name] != record.sha256(data):
        raise RequestError(f"{name} is another picture than the one that was measured. Run it again.")
    return found, data


def documents(bench: Bench) -> dict[str, bytes]:
    """The files of a run by their endings: CSV, JSON, and a ZIP of both with run.json, if it can be repeated.

    Empty without a picture.
    """
    if not bench.done:
        return {}
    of = bench.settings
    made = record.about(of, bench.weights, bench.dataset)
    content = figures_json(made, bench.counted, of.methods, bench.skipped, bench.notices)
    files = {
        "csv": figures_csv(bench.counted, of.scale, of.protocol).encode(),
        "json": (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode(),
    }
    if bench.kept:
        return files
    return files | {"zip": record.pack(bench.record, bench.counted, bench.skipped, bench.notices)}


def paper_row(dataset: str, scale: int, method: str) -> dict[str, float]:
    """What the paper reports for a method on a set, by the keys of PAPER_KEYS; empty if it does not."""
    row = _paper()["reconstruction"].get(f"x{scale}", {}).get(METHODS[method].label, {})
    values = row.get(dataset)
    return dict(zip(PAPER_KEYS, values, strict=True)) if isinstance(values, list) else {}


def plain_rows(bench: Bench) -> list[dict[str, object]]:
    """The figures for programs, one row for a picture and a method; shares are 0 to 1, no number is None."""
    return [
        {"image": name, "method": method, "scale": bench.settings.scale, **values}
        for name, rows in bench.figures.items()
        for method, values in plain(rows).items()
    ]


def plain_summary(bench: Bench) -> dict[str, object]:
    """Mean, spread and the paper's figures by method, what was left out and why, and what was changed on reading."""
    methods = bench.settings.methods
    paper = {name: paper_row(bench.dataset, bench.settings.scale, name) for name in methods}
    return {
        "pictures": len(bench.done),
        "mean": plain(bench.means),
        "spread": plain(bench.spreads),
        "paper": {name: row for name, row in paper.items() if row},
        "skipped": bench.skipped,
        "notices": {name: list(said) for name, said in bench.notices.items()},
        "weights": bench.weights,
    }


@cache
def _paper() -> dict[str, dict[str, dict[str, dict[str, object]]]]:
    content: dict[str, dict[str, dict[str, dict[str, object]]]] = json.loads(
        PAPER.read_text(encoding="utf-8")
    )
    return content


def _picture(data: bytes, settings: Settings) -> tuple[Pixels, tuple[str, ...]]:
    """Decode a picture and take the part that is measured; and what was changed on reading."""
    loaded = read_upload(data, max_pixels=MAX_PIXELS)
    hr = settings.prepare(loaded.pixels)
    if min(hr.shape[:2]) < MIN_SIDE:
        height, width = loaded.pixels.shape[:2]
        raise RescaleError(f"The picture is {width} x {height} pixels, but each side needs {MIN_SIDE}.")
    return hr, loaded.notices


def _refuse_twin(digest: str, measured: dict[str, str]) -> None:
    """A picture that was uploaded twice would weigh twice in the means."""
    twin = next((name for name, other in measured.items() if other == digest), None)
    if twin is not None:
        raise RequestError(f"This is the same file as {twin}, which is measured already.")


def _measured(
    models: Models,
    rescaler: Rescaler,
    bicubic_lr: Pixels,
    hr: Pixels,
    settings: Settings,
    stop: Callable[[], bool],
) -> tuple[Scores, float]:
    work, count = (rescaler.method, rescaler.scale), hr.shape[0] * hr.shape[1]
    with memory_errors_as(RequestError, NO_MEMORY):
        with models.running(work, count, stop):
            start = time.perf_counter()
            result = rescale(rescaler, hr)
        with interruptible(stop):
            scores = comparison.measure(result, bicubic_lr, no_reference=settings.no_reference)
        return scores, time.perf_counter() - start


def _left_out(bench: Bench, source: PictureFile, reason: str) -> Bench:
    figures = {name: rows for name, rows in bench.figures.items() if name != source.name}
    notices = {name: said for name, said in bench.notices.items() if name != source.name}
    return replace(bench, figures=figures, notices=notices, skipped={**bench.skipped, source.name: reason})
