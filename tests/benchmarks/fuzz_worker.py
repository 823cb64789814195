"""What a file with damage goes through: the reader alone, and the functions behind the page's API."""

from __future__ import annotations

import os
import tempfile
import time
import warnings
from multiprocessing.connection import Connection
from pathlib import Path

import gradio as gr
import torch

from fgrn import checkpoint
from fgrn.checkpoint import CheckpointError
from fgrn.images import ImageError, read_image
from lab.api import Api
from lab.asked import MAX_PIXELS, RequestError, open_picture
from lab.files import Store
from lab.models import Models
from tests.mutations import Case

REFUSALS = (ImageError, CheckpointError, RequestError, gr.Error)


class Program:
    """The parts of the program that take files of others, with weights of their own and a folder to write to."""

    def __init__(self, weights: Path, folder: Path) -> None:
        os.environ["FGRN_WEIGHTS"] = str(weights)
        self.folder = folder
        self.api = Api(Models(), Store(folder / "served"))

    def run(self, case: Case) -> str:
        """How it ended: "read" (loaded, restored) or "refused"; anything else is raised."""
        steps = {"picture": self._picture, "note": self._note, "weights": self._weights}
        try:
            steps[case.kind](case)
        except REFUSALS as error:
            assert len(str(error)) > 20, f"not a clear error: {error!r}"
            if "stops the program" in str(error) or "takes too long" in str(error):
                raise RuntimeError(f"only the limits of lab.reader held it: {error}") from error
            return "refused"
        return "read"

    def _picture(self, case: Case) -> None:
        """All that happens to an upload; a picture that one part reads all parts have to read."""
        pixels = read_image(case.data, max_pixels=MAX_PIXELS).pixels
        path = self._written(case.data, f"{case.format.lower()}.{case.format.lower()}")
        if min(pixels.shape[:2]) < 16:
            open_picture(str(path))  # says so
        assert (open_picture(str(path))[0] == pixels).all()
        if pixels.size <= 200_000:  # damage may make it large: then the rest only takes time
            assert Path(self.api.downscale(str(path), "bicubic", 2)[0]).stat().st_size > 0
            self.api.restore(str(path), "bicubic", 2, False)

    def _note(self, case: Case) -> None:
        path = self._written(case.data, "small.png")
        if read_image(case.data).info is None:  # a damaged note does not spoil the picture
            self.api.restore(str(path), "bicubic", 2, False)
        self.api.restore(str(path), "", 0, True)

    def _weights(self, case: Case) -> None:
        path = self._written(case.data, "fgrn_x2.safetensors")
        path.with_suffix(".json").write_bytes(case.card)
        net, _ = checkpoint.load(path)
        assert all(bool(parameter.isfinite().all()) for parameter in net.parameters())

    def _written(self, data: bytes, name: str) -> Path:
        path = self.folder / name
        path.write_bytes(data)
        return path


def peak_memory() -> int:
    """The most memory that this process has had, in bytes; 0 where the system does not say."""
    try:
        import resource
    except ImportError:  # not on Windows
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def serve(connection: Connection, weights: Path) -> None:
    """Answer cases with (outcome, seconds, peak of memory in bytes) until None comes."""
    torch.set_num_threads(1)
    with warnings.catch_warnings(action="ignore"), tempfile.TemporaryDirectory() as folder:
        program = Program(weights, Path(folder))
        connection.send(("started", 0.0, peak_memory()))
        while (case := connection.recv()) is not None:
            start = time.perf_counter()
            try:
                outcome = program.run(case)
            except BaseException as error:  # whatever it is: the cases after it are wanted too
                outcome = f"{type(error).__name__}: {error}"
            connection.send((outcome, time.perf_counter() - start, peak_memory()))
