"""The functions behind the page's API. Every file they return is served byte for byte."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from fgrn.checkpoint import CheckpointError
from fgrn.images import encode_png
from fgrn.memory import memory_errors_as
from fgrn.methods import SCALES
from lab import table
from lab.asked import NO_MEMORY, RequestError, check_methods, check_scale, open_picture
from lab.compare import region
from lab.compare.region import Region
from lab.compare.runs import compare, measure
from lab.compare.snapshot import Run
from lab.errors import shown_errors
from lab.files import Store, stem
from lab.models import Models
from lab.restore import steps


@dataclass(frozen=True)
class Api:
    """Endpoints that share the page's models and files."""

    models: Models
    store: Store

    def methods(self) -> list[dict[str, object]]:
        """The methods at every scale: method, scale, label, summary, available, the reason if not, weight digest."""
        return [
            {
                "method": status.method,
                "scale": scale,
                "label": status.label,
                "summary": status.summary,
                "available": not status.reason,
                "reason": status.reason,
                "weights": status.digest,
            }
            for scale in SCALES
            for status in self.models.status(scale)
        ]

    def downscale(self, image: str | None, method: str, scale: float) -> tuple[str, list[str]]:
        """Shrink a picture.

        Returns the LR PNG, whose text chunk says how to restore it, and notices about what was changed on reading.
        """
        with shown_errors():
            number, (name,) = check_scale(scale), check_methods([method])
            pixels, notices, _ = open_picture(image)
            try:
                rescaler = self.models.get(name, number)
            except CheckpointError as error:
                raise RequestError(str(error)) from error
            height, width = pixels.shape[:2]
            work = (name, number, "down")
            with memory_errors_as(RequestError, NO_MEMORY), self.models.running(work, height * width):
                lr = rescaler.downscale(pixels)
            png = encode_png(lr, rescaler.info((height, width)))
            return self.store.save(png, f"{stem(image or '')}_{name}_x{number}_lr.png"), list(notices)

    def restore(
        self, lr: str | None, method: str | None, scale: float | None, other_weights: bool
    ) -> tuple[str, list[str]]:
        """Restore a picture from an LR PNG. `method` and `scale` are needed only if the file does not name them.

        Returns the picture as PNG, and notices about anything that makes it worse than it could be.
        """
        with shown_errors():
            done = steps.run(self.models, self.store, lr, method, scale, other_weights)
            return done.path, list(done.notices)

    def compare(
        self, image: str | None, scale: float, methods: list[str] | None, box: list[int] | None = None
    ) -> Iterator[tuple[list[dict[str, object]], list[str]]]:
        """Compare methods, as a stream: one row of numbers a method, filled in step by step.

        With `box`, [left, top, width, height] in pixels of the picture, the rows also have region_psnr_y,
        region_ssim_y and region_psnr_rgb, of that part alone. The files are the LR PNG and the restored PNG of every
        method that is done, named after method and scale, and at the end the ZIP that `python -m fgrn repeat` takes.
        """
        with shown_errors():
            number = check_scale(scale)
            names = check_methods(methods or self.models.usual(number))
            part: Region | None = None
            for run in self._runs(image, number, names):
                if box:
                    part = region.measure(run, part or Region(region.read_box(box, run)))
                yield table.plain_rows(run, part), _files(run)

    def _runs(self, image: str | None, scale: int, methods: list[str]) -> Iterator[Run]:
        run = None
        for run in compare(self.models, self.store, image, scale, methods):
            yield run
        if run is not None:
            yield from measure(self.models, self.store, run)


def _files(run: Run) -> list[str]:
    pictures = [path for o in run.done if o.files for path in (o.files.lr, o.files.reconstruction)]
    return [*pictures, run.record] if run.record else pictures
