"""Write tests/goldens: `python -m tests.make_goldens`. Only after a change that is meant to alter the results."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from tests.test_train import GOLDEN, TINY_FGRN, TINY_IRN, arguments, losses, write_pictures
from training import run, train
from training.recipes import RECIPES


def main() -> None:
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
