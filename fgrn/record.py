"""What repeating a run needs, and its figures: `run.json`, `figures.csv` and `figures.json` in one ZIP.

The page writes such a ZIP, `python -m fgrn repeat` reads it. A ZIP comes from anywhere: `parse` takes nothing that
`as_json` would not have written, and `unpack` reads no more than it must.
"""

from __future__ import annotations

import hashlib
import io
import json
import platform
import re
import zipfile
import zlib
from dataclasses import asdict, dataclass, fields
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from fgrn import __version__
from fgrn.devices import computes_in_bf16
from fgrn.figures import Figures, Notices, figures_csv, figures_json
from fgrn.methods import METHODS, SCALES
from fgrn.pixels import Pixels, crop_to_multiple

RECORD_FORMAT = 1
PROTOCOLS = {
    "paper": "Cut to a multiple of the scale, as in the literature",
    "whole": "Whole pictures, padded as in Compare",
}
"""What happens to a picture whose sides are no multiple of the scale."""

PACKAGES = ("torch", "gradio", "numpy", "pillow", "pyiqa")
RUN, FIGURES, TABLE = "run.json", "figures.json", "figures.csv"
ZIP_ERRORS = (
    OSError,
    EOFError,
    RuntimeError,
    UnicodeDecodeError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What reading a damaged ZIP raises."""
BOUNDED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""How a file in a ZIP may be packed: of others zipfile unpacks all there is, however little it is asked for."""

_MAX_BYTES = 16_000_000  # of one file in the ZIP: 2000 pictures with all methods have about 4 MB
_MAX_INPUTS = 10_000
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the same run gives the same ZIP


class RecordError(ValueError):
    """A recorded run that cannot be used; the message says what, why and what next."""


@dataclass(frozen=True)
class Settings:
    """How pictures are measured. `no_reference` stands for NIQE and PIQE of the LR pictures."""

    scale: int
    methods: tuple[str, ...]
    protocol: str = "paper"
    no_reference: bool = False

    def __post_init__(self) -> None:
        if type(self.scale) is not int or self.scale not in SCALES:
            raise ValueError(f"scale must be one of {', '.join(map(str, SCALES))}, not {self.scale!r}")
        if not self.methods or not all(isinstance(m, str) and m in METHODS for m in self.methods):
            raise ValueError(f"methods must be some of {', '.join(METHODS)}")
        if len(set(self.methods)) < len(self.methods):
            raise ValueError("methods holds one twice")
        if not isinstance(self.protocol, str) or self.protocol not in PROTOCOLS:
            raise ValueError(f"protocol must be one of {', '.join(PROTOCOLS)}, not {self.protocol!r}")
        if type(self.no_reference) is not bool:
            raise ValueError("no_reference must be true or false")

    def prepare(self, pixels: Pixels) -> Pixels:
        """The part of a picture (H, W, 3) that is measured."""
        return prepared(pixels, self.scale, self.protocol)


def prepared(pixels: Pixels, scale: int, protocol: str) -> Pixels:
    """The part of a picture (H, W, 3) that is measured by one of PROTOCOLS."""
    return pixels if protocol == "whole" else crop_to_multiple(pixels, scale)


@dataclass(frozen=True)
class Input:
    """A picture of a run: what it was called, and the SHA-256 of its file."""

    name: str
    sha256: str

    def __post_init__(self) -> None:
        if not _printable(self.name) or not isinstance(self.sha256, str):
            raise ValueError("an input needs a name that can be printed, and a SHA-256")
        if not re.fullmatch(r"[0-9a-f]{64}", self.sha256):
            raise ValueError(f"the SHA-256 of {self.name!r} is none")


@dataclass(frozen=True)
class Record:
    """A run without its figures. `weights` holds the digest of every method, "" for bicubic."""

    settings: Settings
    inputs: tuple[Input, ...]
    weights: dict[str, str]
    versions: dict[str, str]
    machine: dict[str, str]
    dataset: str = ""  # the named set that was measured


def sha256(data: bytes) -> str:
    """The digest by which a file is recognised."""
    return hashlib.sha256(data).hexdigest()


def versions() -> dict[str, str]:
    """Versions of this program and of what the figures may depend on."""
    found = {"fgrn": __version__, "python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:  # the command line needs no gradio, and pyiqa is optional
            continue
    return found


def machine(device: torch.device) -> dict[str, str]:
    """What the networks run on: sums in another order may round differently, other gradients refine another x."""
    return {
        "device": str(device),
        "threads": str(torch.get_num_threads()),
        "processor": platform.machine(),
        "gradients": "bfloat16" if computes_in_bf16(device) else "float32",
    }


def as_json(record: Record) -> dict[str, Any]:
    """A record as the content of run.json."""
    return {"format": RECORD_FORMAT, **asdict(record)}


def parse(content: Any) -> Record:
    """The inverse of `as_json`, strict.

    Raises:
        RecordError: for a missing, unknown or ill-typed value.
    """
    try:
        _keys(content, {"format", *(entry.name for entry in fields(Record))}, RUN)
        if type(content["format"]) is not int or content["format"] != RECORD_FORMAT:
            raise ValueError(f"its format is {content['format']!r}, this version reads {RECORD_FORMAT}")
        _keys(content["settings"], {entry.name for entry in fields(Settings)}, "settings")
        if not isinstance(content["settings"]["methods"], list) or not isinstance(content["inputs"], list):
            raise ValueError("methods and inputs must be lists")
        if not 0 < len(content["inputs"]) <= _MAX_INPUTS:
            raise ValueError(f"it names {len(content['inputs'])} pictures; 1 to {_MAX_INPUTS} are possible")
        for entry in content["inputs"]:
            _keys(entry, {"name", "sha256"}, "an input")
        for key in ("weights", "versions", "machine"):
            _texts(content[key], key)
        values = content["settings"]
        settings = Settings(**{**values, "methods": tuple(values["methods"])})
        inputs = tuple(Input(**entry) for entry in content["inputs"])
        if set(content["weights"]) != set(settings.methods):
            raise ValueError("weights must hold a digest for every method")
        if len({entry.name for entry in inputs}) < len(inputs):
            raise ValueError("two pictures have the same name")
        if not _printable(content["dataset"]):
            raise ValueError("dataset must be text that can be printed")
    except ValueError as error:
        raise RecordError(f"{RUN} is damaged or of another version: {error}.") from error
    texts = {key: content[key] for key in ("weights", "versions", "machine")}
    return Record(settings, inputs, **texts, dataset=content["dataset"])


def about(settings: Settings, weights: dict[str, str], dataset: str) -> dict[str, Any]:
    """How figures came about, for the JSON that holds them."""
    return {
        "dataset": dataset,
        "scale": settings.scale,
        "protocol": settings.protocol,
        "weights": weights,
    }


def pack(record: Record, figures: Figures, skipped: dict[str, str], notices: Notices | None = None) -> bytes:
    """The ZIP of a run; the same run gives the same bytes."""
    settings = record.settings
    made = about(settings, record.weights, record.dataset)
    files = {
        RUN: _text(as_json(record)),
        FIGURES: _text(figures_json(made, figures, settings.methods, skipped, notices)),
        TABLE: figures_csv(figures, settings.scale, settings.protocol),
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, text.encode(), zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def unpack(path: Path) -> tuple[Record, dict[str, Any]]:
    """Read the ZIP of a run: its record, and the figures of every picture as `fgrn.figures.figures_json` has them.

    Raises:
        RecordError: if it is no such ZIP.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            record = parse(_load(archive, RUN))
            content = _load(archive, FIGURES)
    except FileNotFoundError:
        raise RecordError(f"{path} does not exist. Name the ZIP that was downloaded.") from None
    except ZIP_ERRORS as error:
        raise RecordError(f"{path} cannot be read as a ZIP ({error}). Download it again.") from error
    images = content.get("images") if isinstance(content, dict) else None
    if not isinstance(images, dict) or set(images) != {entry.name for entry in record.inputs}:
        raise RecordError(f"{path}: {FIGURES} does not hold the pictures of {RUN}. Download the ZIP again.")
    for rows in images.values():
        if not isinstance(rows, dict) or not all(map(_is_row, rows.values())):
            raise RecordError(f"{path}: {FIGURES} is damaged. Download the ZIP again.")
    return record, images


def _load(archive: zipfile.ZipFile, name: str) -> Any:
    try:
        entry = archive.getinfo(name)
    except KeyError:
        raise RecordError(
            f"There is no {name} in this ZIP. Use one that Compare or Benchmark of the page made."
        ) from None
    if entry.compress_type not in BOUNDED:
        raise RecordError(
            f"{name} in this ZIP is packed in another way than the page does it. Download it again."
        )
    with archive.open(entry) as stream:
        data = stream.read(_MAX_BYTES + 1)
    if len(data) > _MAX_BYTES:
        raise RecordError(f"{name} in this ZIP is larger than any that the page makes.")
    try:
        return json.loads(data, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise RecordError(f"{name} in this ZIP is no JSON. Download it again.") from error


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


def _text(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _keys(content: Any, expected: set[str], what: str) -> None:
    if not isinstance(content, dict) or set(content) != expected:
        raise ValueError(f"{what} must have exactly the keys {', '.join(sorted(expected))}")


def _texts(content: Any, what: str) -> None:
    if not isinstance(content, dict) or not all(map(_printable, [*content, *content.values()])):
        raise ValueError(f"{what} must hold texts that can be printed")


def _is_row(row: Any) -> bool:
    """Whether it is a row of `fgrn.figures.figures_json`."""
    if not isinstance(row, dict) or not all(map(_printable, row)):
        return False
    return all(
        value is None or type(value) in (int, float) or value in ("inf", "-inf") for value in row.values()
    )


def _printable(value: object) -> bool:
    """Whether it is text without control characters: a terminal would obey them, and a ZIP comes from anywhere."""
    return isinstance(value, str) and value.isprintable()
