"""A comparison as a stream of snapshots: pictures first, then the numbers.

`opened` makes the first snapshot, `compute` runs the networks, `measure` the metrics; each yields the whole `Run` again
after every step, so that the page only ever draws the latest snapshot.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from fgrn import record
from fgrn.checkpoint import CheckpointError
from fgrn.comparison import blind, costs, fidelity
from fgrn.images import encode_png
from fgrn.inputs import RescaleError
from fgrn.memory import memory_errors_as
from fgrn.methods import METHODS
from fgrn.metrics import NIQE_MIN_SIDE, worse_share
from fgrn.pipeline import Result, rescale
from fgrn.pixels import Pixels
from fgrn.record import Input, Record, Settings
from fgrn.scores import Scores
from lab.asked import NO_MEMORY, check_methods, check_scale, files_needed, open_picture
from lab.compare.snapshot import Files, Outcome, Run, State, read, read_picture
from lab.files import Store, shown_name, stem
from lab.lines import FINISHED
from lab.models import Interrupted, Models

AT_ONCE = 1_000_000  # pixels: up to here bicubic waits for no network
MAX_ZIP = 60_000_000  # bytes of PNGs: what is more is downloaded one by one


def opened(models: Models, store: Store, path: str | None, scale: object, methods: Sequence[str]) -> Run:
    """A comparison before any network has run: with the original, and bicubic if the picture is not large.

    Raises:
        RequestError: if picture, scale or methods are not usable.
    """
    number, names = check_scale(scale), check_methods(methods)
    pixels, notices, _ = open_picture(path)
    return begun(models, store, path or "", pixels, notices, number, names)


def begun(
    models: Models,
    store: Store,
    path: str,
    pixels: Pixels,
    notices: tuple[str, ...],
    scale: int,
    methods: Sequence[str],
) -> Run:
    """As `opened`, of a picture that was read already, and with a scale and methods that there are."""
    name = stem(path)
    hr = store.save(encode_png(pixels, quick=True), f"{name}.png")
    outcomes = tuple(Outcome(method) for method in methods)
    source = Input(shown_name(Path(path).name), record.sha256(Path(path).read_bytes()))
    size = (pixels.shape[0], pixels.shape[1])
    run = Run(name, scale, size, hr, notices, outcomes, "Waiting for its turn", source)
    for outcome in outcomes:
        if not METHODS[outcome.method].trained and size[0] * size[1] <= AT_ONCE:
            run = run.with_outcome(_outcome(models, store, run, pixels, outcome), run.status)
    return run


def compute(
    models: Models, store: Store, run: Run, stop: Callable[[], bool] = lambda: False
) -> Iterator[Run]:
    """Run the methods that wait, one after the other, slow ones last. One that fails does not stop the others.

    As soon as `stop()` is true the snapshots end, in the middle of a network if need be.

    Raises:
        RequestError: if the file of the original is gone (it is kept for a day).
    """
    hr = read(run.hr)
    count = run.size[0] * run.size[1]
    waiting = [outcome for outcome in run.outcomes if outcome.state is State.WAITING]
    ordered = sorted(waiting, key=lambda outcome: METHODS[outcome.method].slow)
    for index, outcome in enumerate(ordered):
        if METHODS[outcome.method].slow and count <= AT_ONCE:
            *_, run = run, *measure_fidelity(models, run)  # to be read while the slow one is waited for
        left = models.pace.left(((later.method, run.scale) for later in ordered[index:]), count)
        number = len(run.outcomes) - len(waiting) + index + 1
        status = f"Computing {outcome.label} ({number} of {len(run.outcomes)}){left}"
        run = run.with_outcome(replace(outcome, state=State.RUNNING), status)
        yield run
        try:
            run = run.with_outcome(_outcome(models, store, run, hr, outcome, stop), status)
        except Interrupted:
            return
    yield replace(run, status="Measuring: PSNR and SSIM")


def compare(
    models: Models,
    store: Store,
    path: str | None,
    scale: object,
    methods: Sequence[str],
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[Run]:
    """`compute` of what `opened` makes of a request."""
    yield from compute(models, store, opened(models, store, path, scale, methods), stop)


def measure(models: Models, store: Store, run: Run) -> Iterator[Run]:
    """Fill in the metrics: PSNR and SSIM of all methods first, NIQE and PIQE (slow) after them; then the record.

    Raises:
        RequestError: if the files of the run are gone (they are kept for a day).
    """
    for measured in measure_fidelity(models, run):
        run = measured
        yield run
    for index, outcome in enumerate(run.done):
        lr = read_picture(outcome, "lr")
        count = lr.shape[0] * lr.shape[1]
        kind = ("blind", min(lr.shape[:2]) >= NIQE_MIN_SIDE)
        left = models.pace.left([kind] * (len(run.done) - index), count)
        status = f"Measuring: NIQE and PIQE of {outcome.label}{left}"
        run = replace(run, status=status)
        yield run
        with models.pace.measured(kind, count):
            scores = blind(lr)
        models.touch()
        run = _scored(run, outcome.method, scores, status)
    run = replace(run, record=_record(models, store, run), pictures=_pictures(store, run))
    yield replace(run, status=FINISHED, active=False)


def measure_fidelity(models: Models, run: Run) -> Iterator[Run]:
    """Fill in PSNR and SSIM of the methods that are done and have none yet; raises as `measure`."""
    missing = [outcome for outcome in run.done if "psnr_y" not in outcome.scores]
    if not missing:
        return
    hr, bicubic = read(run.hr), models.get("bicubic", run.scale)
    bicubic_lr = bicubic.downscale(hr)
    plain = bicubic.upscale(bicubic_lr, run.size)
    for outcome in missing:
        lr, reconstruction = read_picture(outcome, "lr"), read_picture(outcome, "reconstruction")
        # PSNR has a value for all that `open_picture` lets in.
        numbers = fidelity(hr, reconstruction, lr, bicubic_lr, run.scale, "too small for SSIM")
        measured = replace(
            outcome,
            scores={**outcome.scores, **numbers},
            worse=worse_share(hr, reconstruction, plain) if METHODS[outcome.method].trained else 0.0,
        )
        run = run.with_outcome(measured, run.status)
        yield run


def _record(models: Models, store: Store, run: Run) -> str:
    """Save the ZIP that repeats the run, of the methods that have their pictures; "" if none has."""
    if not run.done:
        return ""
    settings = Settings(run.scale, tuple(outcome.method for outcome in run.done), "whole", no_reference=True)
    weights = {outcome.method: outcome.digest for outcome in run.done}
    machine = models.machine(models.get(outcome.method, run.scale) for outcome in run.done)
    of = Record(settings, (run.source,), weights, record.versions(), machine)
    figures = {run.source.name: {outcome.method: outcome.scores for outcome in run.done}}
    return store.save(record.pack(of, figures, {}), f"{run.name}_x{run.scale}_run.zip")


def _pictures(store: Store, run: Run) -> str:
    """Save the ZIP of all PNGs of the run; "" if they have more than MAX_ZIP bytes."""
    paths = dict.fromkeys(
        [run.hr, *(path for outcome in run.done if outcome.files for path in outcome.files.paths)]
    )
    buffer = io.BytesIO()
    with files_needed(), zipfile.ZipFile(buffer, "w") as archive:  # PNGs do not become smaller
        if sum(Path(path).stat().st_size for path in paths) > MAX_ZIP:
            return ""
        for path in paths:
            entry = zipfile.ZipInfo(Path(path).name)  # without a time: the same pictures give the same ZIP
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, Path(path).read_bytes())
    return store.save(buffer.getvalue(), f"{run.name}_x{run.scale}_pictures.zip")


def _outcome(
    models: Models,
    store: Store,
    run: Run,
    hr: Pixels,
    waiting: Outcome,
    stop: Callable[[], bool] = lambda: False,
) -> Outcome:
    work, count = (waiting.method, run.scale), hr.shape[0] * hr.shape[1]
    at_once = not METHODS[waiting.method].trained and count <= AT_ONCE
    try:
        with memory_errors_as(RescaleError, NO_MEMORY):
            rescaler = models.get(waiting.method, run.scale)
            with models.pace.measured(work, count) if at_once else models.running(work, count, stop):
                result = rescale(rescaler, hr)
    except (CheckpointError, RescaleError) as error:
        return replace(waiting, state=State.FAILED, reason=str(error))
    return replace(
        waiting,
        state=State.DONE,
        files=_save(store, run.name, result),
        digest=rescaler.digest,
        scores=costs(result),
    )


def _save(store: Store, name: str, result: Result) -> Files:
    prefix = f"{name}_{result.method}_x{result.scale}"
    lr = store.save(result.lr_png, f"{prefix}_lr.png")
    same = (result.x == result.lr).all()
    exact = (result.x_recovered == result.x).all()

    def save(pixels: Pixels, kind: str) -> str:
        return store.save(encode_png(pixels, quick=True), f"{prefix}_{kind}.png")

    x = lr if same else save(result.x, "latent")
    recovered = x if exact else save(result.x_recovered, "latent_recovered")
    return Files(x, lr, recovered, save(result.reconstruction, "restored"))


def _scored(run: Run, method: str, numbers: Scores, status: str) -> Run:
    outcome = next(o for o in run.outcomes if o.method == method)
    return run.with_outcome(replace(outcome, scores={**outcome.scores, **numbers}), status)
