"""The endpoints of the Stress tab."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lab import asked
from lab.errors import shown_errors
from lab.models import Models
from lab.stress.damage import KINDS
from lab.stress.rows import Row, rows
from lab.stress.uploads import rate, stress


@dataclass(frozen=True)
class StressApi:
    """The endpoints around the page's models."""

    models: Models

    def stress_rows(
        self, image: str | None, scale: float, methods: list[str] | None, kinds: list[str] | None
    ) -> Iterator[tuple[list[Row], list[str]]]:
        """Restore a picture from damaged LR pictures, as a stream: the rows so far, then one more in each answer.

        A row has method, damage ("none" or one of `kinds`), amount, psnr_y in dB and ssim_y. `kinds` are jpeg,
        jpeg444 (4:4:4), webp, avif (amount: quality), blur, noise (sigma), resize (pixels); empty for all. Notices say
        what was left out.
        """
        with shown_errors():
            names = methods or self._usual(scale)
            for run in stress(self.models, image, scale, names, kinds or list(KINDS)):
                yield rows(run), list(run.notices)

    def rate_rows(
        self, image: str | None, scale: float, methods: list[str] | None
    ) -> Iterator[tuple[list[Row], list[str]]]:
        """Bytes against quality, as a stream: the methods with their LR picture, codecs with the picture itself.

        A row has series (a method, or jpeg, jpeg444, webp, avif), setting, bytes, bits_per_pixel of the picture, psnr_y
        in dB and ssim_y.
        """
        with shown_errors():
            names = methods or self._usual(scale)
            for run in rate(self.models, image, scale, names):
                yield rows(run), list(run.notices)

    def _usual(self, scale: float) -> list[str]:
        return self.models.usual(asked.check_scale(scale))
