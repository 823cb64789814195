"""Repeating a recorded run on the same pictures with the same weights, and comparing the figures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from fgrn import comparison, record
from fgrn.batch import FAILED, Reporter, UsageError, find_pictures
from fgrn.failures import failures_named
from fgrn.figures import TIMINGS
from fgrn.images import ImageError, read_bytes, read_image
from fgrn.methods import METHODS
from fgrn.pipeline import Rescaler, device_of
from fgrn.record import Input, Record, RecordError
from fgrn.rescalers import Rescalers
from fgrn.scores import Plain, plain

SHOWN = 20  # differences that are printed


def repeat(archive: Path, inputs: Sequence[str], rescalers: Rescalers, reporter: Reporter) -> None:
    """Measure the pictures of a recorded run once more and say whether the figures are equal, all digits of them.

    Pictures are found by their SHA-256, whatever they are called now. The timings are not compared.

    Raises:
        UsageError: if the ZIP cannot be used, or the weights here are others.
        fgrn.checkpoint.CheckpointError: if weights are missing.
    """
    try:
        done, figures = record.unpack(archive)
    except RecordError as error:
        raise UsageError(str(error)) from error
    settings = done.settings
    chosen = {method: rescalers.get(method, settings.scale) for method in settings.methods}
    rescalers.check_used("the run is of", "Leave them out, or name a ZIP that was made with them.")
    check_weights(done, chosen)
    _tell_versions(done, device_of(chosen.values()), reporter)
    files = locate(done.inputs, inputs, reporter)
    different, compared, repeated = list[str](), 0, 0
    with reporter.progress(len(files) * len(chosen), "run") as advance:
        for name, path in files.items():
            with failures_named(path, reporter):
                hr = settings.prepare(read_image(path).pixels)
                rows = comparison.measure_all(chosen, hr, advance, no_reference=settings.no_reference)
                found, count = differences(name, figures[name], plain(rows))
                different += found
                compared, repeated = compared + count, repeated + 1
    if repeated:
        reporter.result(_verdict(different, compared, repeated, len(done.inputs)))
    if different:
        reporter.code = max(reporter.code, FAILED)


def check_weights(done: Record, rescalers: dict[str, Rescaler]) -> None:
    """Refuse other weights than those of the record.

    Raises:
        UsageError: naming each method whose weights differ.
    """
    others = [
        f"{METHODS[name].label} x{rescaler.scale} was run with {done.weights[name] or 'none'}, here is "
        f"{rescaler.digest or 'none'}"
        for name, rescaler in rescalers.items()
        if rescaler.digest != done.weights[name]
    ]
    if others:
        raise UsageError(
            f"The weights are not those of the recorded run: {'; '.join(others)}. Put those weights into the folder "
            "that FGRN_WEIGHTS names."
        )


def locate(wanted: Sequence[Input], inputs: Sequence[str], reporter: Reporter) -> dict[str, Path]:
    """The file of every picture of the record, found by its SHA-256; what is not there is reported."""
    digests: dict[str, Path] = {}
    names: dict[str, Path] = {}
    for picture in find_pictures(inputs, reporter):
        path = picture.source
        try:
            _, data = read_bytes(path)
        except ImageError as error:
            reporter.fail(f"{path}: {error}")
            continue
        digests.setdefault(record.sha256(data), path)
        names.setdefault(path.name, path)
    found = {}
    for entry in wanted:
        path_here = digests.get(entry.sha256)
        if path_here is not None:
            found[entry.name] = path_here
        elif (other := names.get(Path(entry.name).name)) is not None:
            reporter.fail(
                f"{entry.name}: {other} is another file than the one that was measured (SHA-256 differs)."
            )
        else:
            reporter.fail(f"{entry.name}: no file here has its SHA-256. Name the folder that holds it too.")
    return found


def differences(
    name: str, then: dict[str, dict[str, Any]], now: dict[str, dict[str, Plain]]
) -> tuple[list[str], int]:
    """A line for every figure of one picture that differs, and how many figures were compared.

    What no method had then, an earlier version did not measure: there is nothing to compare it with.
    """
    measured = {key for row in then.values() for key in row}
    lines, count = [], 0
    for method, row in now.items():
        before = then.get(method, {})
        for key in dict.fromkeys([*row, *before]):
            if key in TIMINGS or key not in measured:
                continue
            count += 1
            old, new = before.get(key), row.get(key)
            if key not in before or key not in row or old != new:
                lines.append(f"{name}: {METHODS[method].label}, {key}: {_shown(old)} then, {_shown(new)} now")
    return lines, count


def _verdict(differences: list[str], compared: int, repeated: int, total: int) -> str:
    what = f"{repeated} of {total} pictures, {compared} figures"
    if not differences:
        return f"Equal: {what}, every digit the same."
    shown = differences[:SHOWN]
    if len(differences) > SHOWN:
        shown.append(f"... and {len(differences) - SHOWN} more")
    return "\n".join([f"Different: {len(differences)} of {compared} figures ({what}).", *shown])


def _tell_versions(done: Record, device: torch.device, reporter: Reporter) -> None:
    """Note what is not as it was: it may explain a difference in the last digits."""
    here = record.versions() | record.machine(device)
    changes = [
        f"{key} {value} then, {here.get(key, 'none')} now"
        for key, value in (done.versions | done.machine).items()
        if key != "gradio" and here.get(key) != value
    ]
    if changes:
        reporter.note(f"Last digits may differ: {'; '.join(changes)}.")


def _shown(value: object) -> str:
    return "no number" if value is None else str(value)
