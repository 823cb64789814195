"""Write tests/goldens: `python -m tests.make_goldens`. Only after a change that is meant to alter the results.

`python -m tests.make_goldens --restored` writes only what LR files restore to: for new weights.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import fgrn
from fgrn.images import encode_png, read_image
from lab.examples import EXAMPLES
from tests.test_determinism import RESTORED, shipped
from tests.test_train import GOLDEN, TINY_FGRN, TINY_IRN, arguments, losses, write_pictures
from training import run, train
from training.recipes import RECIPES


def main() -> None:
    write_restored()
    if "--restored" not in sys.argv:
        write_training_log()


def write_restored() -> None:
    """An LR file of every network, and what it restores to."""
    RESTORED.mkdir(parents=True, exist_ok=True)
    hr = read_image(EXAMPLES["coffee"]).pixels[64:128, 96:176]
    for method, scale in shipped():
        result = fgrn.rescale(fgrn.load(method, scale, device="cpu"), hr)
        (RESTORED / f"{method}_x{scale}_lr.png").write_bytes(result.lr_png)
        (RESTORED / f"{method}_x{scale}_restored.png").write_bytes(encode_png(result.reconstruction))


def write_training_log() -> None:
    """Loss and learning rate of two small trainings."""
    RECIPES.update(tiny_fgrn=TINY_FGRN, tiny_irn=TINY_IRN)
    run.REPORT_STEPS = 1
    golden = {}
    with tempfile.TemporaryDirectory() as folder:
        data = write_pictures(Path(folder) / "pictures")
        for recipe in ("tiny_fgrn", "tiny_irn"):
            out = Path(folder) / recipe
            train.main(arguments(recipe, data, out, samples=40))
            golden[recipe] = {
                "loss": [loss for _, loss, _ in losses(out)],
                "rate": [rate for _, _, rate in losses(out)],
            }
    GOLDEN.parent.mkdir(exist_ok=True)
    GOLDEN.write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":
    main()
