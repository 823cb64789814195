"""The endpoints of the Latent x tab."""

from __future__ import annotations

from dataclasses import dataclass

from fgrn.scores import plain_number
from lab.errors import shown_errors
from lab.files import Store
from lab.latent import changes
from lab.latent.studies import Study, study
from lab.models import Models


@dataclass(frozen=True)
class LatentApi:
    """The endpoints around the page's models and files."""

    models: Models
    store: Store

    def latent(self, image: str | None, method: str, scale: float) -> tuple[dict[str, object], list[str]]:
        """Look at x of a picture: fgrn, fgrn_refined, du_none or du_bic at a scale
        for which it has weights (see /methods).

        Figures: x_exact (share of the values of x that come back through 8-bit LR), largest_error (grey levels),
        errors (number of values by error: 0, 1, 2, ...), clipped (share outside 0..255 before rounding), psnr_y (of
        the restored picture, dB), ranges (smallest and largest level of x before rounding, x, lr and bicubic, for R,
        G and B), flow_rms (by how much F moves x, root mean square, grey levels), and cells: for each cell of F how
        far it moves R, G and B, the smallest and largest level after it, psnr_to_bicubic (dB of Y),
        psnr_rgb_to_bicubic, and change_db, what the cell adds to the former. Of fgrn_refined, clipped is of the x
        that the gradient steps begin with, and x is not made unrounded.

        The files are PNGs, named after picture, method and scale: x, lr, bicubic, x_recovered and restored.
        """
        with shown_errors():
            found = study(self.models, self.store, image, method, scale)
        return figures(found), [found.files[k] for k in ("x", "lr", "bicubic", "x_recovered", "restored")]

    def change(
        self,
        image: str | None,
        method: str,
        scale: float,
        kind: str,
        levels: float,
        sigma: float,
        seed: float,
        strokes: list[dict[str, object]] | None,
    ) -> tuple[dict[str, object], list[str]]:
        """Change the LR picture and see what comes back; methods and scales are those of /latent.

        `kind` is "level" (`levels` added to every value), "noise" (`sigma` in grey levels, `seed`) or "brush"
        (`strokes`: [{"points": [[x, y], ...], "radius": pixels, "levels": grey levels}, ...] in LR pixels).

        Figures: changed (share of the values of LR), lr_rms, x_rms and restored_rms (how far LR, x and the restored
        picture have moved, grey levels, root mean square), x_largest, psnr_y_before and psnr_y (dB), and the same over
        the pixels whose LR pixel was changed, psnr_y_there_before and psnr_y_there. The files are PNGs: the changed LR
        picture, the x that comes back from it, and what is restored from that.
        """
        with shown_errors():
            change = changes.checked(kind, levels, sigma, seed, changes.plain_strokes(strokes or []))
            of = study(self.models, self.store, image, method, scale)
            back = changes.perturb(self.models, self.store, of, change, gain=1)
        measured = {
            "method": of.method,
            "scale": of.scale,
            "changed": back.changed,
            "lr_rms": back.lr_rms,
            "x_rms": back.x_rms,
            "x_largest": back.x_largest,
            "restored_rms": back.restored_rms,
            "psnr_y_before": plain_number(of.psnr),
            "psnr_y": plain_number(back.psnr),
            "psnr_y_there_before": plain_number(back.there_before),
            "psnr_y_there": plain_number(back.there),
        }
        return measured, [back.files[key] for key in ("lr", "x", "restored")]


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
        "x_psnr_rgb_to_bicubic": plain_number(steps[0].psnr_rgb),
        "flow_rms": of.flow_rms,
        "cells": [
            {
                "cell": k,
                "moved": list(step.moved),
                "range": [list(pair) for pair in step.extents],
                "psnr_to_bicubic": plain_number(step.psnr),
                "psnr_rgb_to_bicubic": plain_number(step.psnr_rgb),
                "change_db": plain_number(step.psnr - steps[k - 1].psnr),
            }
            for k, step in enumerate(steps)
            if k
        ],
        "notices": list(of.notices),
    }
