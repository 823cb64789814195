"""The endpoint of the Latent x tab."""

from __future__ import annotations

from dataclasses import dataclass

from lab.components import shown_errors
from lab.files import Store
from lab.latent.studies import Study, study
from lab.models import Models
from lab.plain import plain_number


@dataclass(frozen=True)
class LatentApi:
    """The endpoint around the page's models and files."""

    models: Models
    store: Store

    def latent(self, image: str | None, method: str, scale: float) -> tuple[dict[str, object], list[str]]:
        """Look at x of a picture: fgrn, du_none or du_bic at scale 2 or 4.

        Figures: x_exact (share of the values of x that come back through 8-bit LR), largest_error (grey levels),
        errors (number of values by error: 0, 1, 2, ...), clipped (share outside 0..255 before rounding), psnr_y (of
        the restored picture, dB), ranges (smallest and largest level of x before rounding, x, lr and bicubic, for R,
        G and B), and cells: for each cell of F how far it moves R, G and B (root mean square, grey levels), the
        smallest and largest level after it, psnr_to_bicubic (dB of Y) and change_db, what the cell adds to that.

        The files are PNGs, named after picture, method and scale: x, lr, bicubic, x_recovered and restored.
        """
        with shown_errors():
            found = study(self.models, self.store, image, method, scale)
        return figures(found), [found.files[k] for k in ("x", "lr", "bicubic", "x_recovered", "restored")]


def figures(of: Study) -> dict[str, object]:
    """The numbers of a study for JSON."""
    steps = of.steps
    return {
        "method": of.method,
        "scale": of.scale,
        "x_exact": of.exact.share,
        "largest_error": of.exact.largest,
        "errors": list(of.exact.counts),
        "clipped": of.clipped,
        "psnr_y": plain_number(of.psnr),
        "ranges": {key: [list(pair) for pair in pairs] for key, pairs in of.ranges.items()},
        "x_psnr_to_bicubic": plain_number(steps[0].psnr),
        "cells": [
            {
                "cell": k,
                "moved": list(step.moved),
                "range": [list(pair) for pair in step.extents],
                "psnr_to_bicubic": plain_number(step.psnr),
                "change_db": plain_number(step.psnr - steps[k - 1].psnr),
            }
            for k, step in enumerate(steps)
            if k
        ],
        "notices": list(of.notices),
    }
