"""Carry out studies: `python -m training.study --data DIR [DIR ...] --bench DIR --out runs/studies [NAME ...]`.

Every variant is a training run in its own folder below --out; runs that are complete are not repeated, one that was
interrupted goes on. The figures of each study are written to assets/results/study_NAME.json, which `training.report`
turns into tables.
"""

from __future__ import annotations

import argparse
import logging
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fgrn import checkpoint
from fgrn.batch import try_writing
from fgrn.methods import METHODS, RESTORING
from fgrn.models import FGRN
from fgrn.pipeline import Rescaler, load
from training.environment import environment
from training.evaluate import evaluate, image_sets
from training.options import add_hold_out, add_threads, use_threads, write_figures
from training.report import RESULTS
from training.run import Run, stopping_on_sigterm
from training.schedule import Budget
from training.state import has_state
from training.studies import STUDIES, Study, Variant

logger = logging.getLogger(__name__)

CHECKPOINT_MINUTES = 5.0


class Signalled(Exception):
    """A signal came; the run in progress has written its checkpoint."""


def train(key: str, variant: Variant, data: list[Path], folder: Path, hold_out: int) -> Path:
    """Train a variant, unless its run is complete. Returns its averaged weights.

    Raises:
        Signalled: by SIGTERM or SIGINT.
    """
    out = folder / key
    weights = out / f"{key}.safetensors"
    run = Run(key, variant.recipe, data, out, Budget(samples=variant.samples), hold_out)
    if has_state(out):
        run.state.resume()
    elif variant.start:
        source, _ = checkpoint.load(folder / variant.start / f"{variant.start}.safetensors")
        assert isinstance(source, FGRN)
        for net in (run.state.net, run.state.averaged_net):
            assert isinstance(net, FGRN)
            net.downscaler.load_state_dict(source.downscaler.state_dict())
            net.upscaler.load_state_dict(source.upscaler.state_dict())
            if variant.keeps_flow:
                net.flow.load_state_dict(source.flow.state_dict())
        run.state.origin = f"starts from {variant.start}"
    with stopping_on_sigterm(run):
        run.train(CHECKPOINT_MINUTES)
    if run.stopping:
        raise Signalled
    last = run.state.net
    checkpoint.save(
        last, out / f"{key}_last.safetensors", checkpoint.read_card(weights.with_suffix(".json")).provenance
    )
    return weights


def rescaler(variant: Variant, weights: Path) -> Rescaler:
    """The trained variant, ready to use."""
    config = variant.recipe.config
    method = next(name for name in RESTORING if METHODS[name].trained and METHODS[name].matches(config))
    return load(method, config.scale, weights=weights, latent_seed=variant.latent_seed)


def carry_out(
    name: str, study: Study, data: list[Path], bench: Path, folder: Path, hold_out: int
) -> dict[str, Any]:
    """Train and measure all variants of a study; the content of its JSON."""
    rescalers: dict[str, Rescaler] = {}
    described: dict[str, Any] = {}
    for key, variant in study.variants.items():
        run = key.removesuffix("_last") if variant.weights == "last" else key
        logger.info("%s: %s", name, variant.label)
        weights = train(run, variant, data, folder, hold_out)
        if variant.weights == "last":
            weights = weights.with_name(f"{run}_last.safetensors")
        card = checkpoint.read_card(weights.with_suffix(".json"))
        rescalers[key] = rescaler(variant, weights)
        described[key] = {
            "label": variant.label,
            "change": variant.change,
            "sha256": card.sha256,
            "parameters": card.parameters,
            "provenance": asdict(card.provenance),
        }
    measured = evaluate(
        [bench / dataset for dataset in study.sets], rescalers, no_reference=study.no_reference
    )
    return {
        "environment": environment(next(iter(rescalers.values())).device, 1),
        "scale": next(iter(rescalers.values())).scale,
        "study": name,
        "title": study.title,
        "question": study.question,
        "samples": max(variant.samples for variant in study.variants.values()),
        "data": [path.name for path in data],
        "weights": described,
        "datasets": {
            dataset: {key: {"mean": figures["mean"]} for key, figures in variants.items()}
            for dataset, variants in measured["datasets"].items()
        },
    }


def result_file(folder: Path, name: str) -> Path:
    """Where the figures of a study go."""
    return folder / f"study_{name}.json"


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line of this script."""
    parser = argparse.ArgumentParser(
        prog="python -m training.study", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument(
        "studies", nargs="*", metavar="NAME", help=f"which (default: all): {', '.join(STUDIES)}"
    )
    parser.add_argument("--data", required=True, nargs="+", type=Path, help="folders of training images")
    parser.add_argument("--bench", required=True, type=Path, help="folder of Set5, Set14, BSD100")
    parser.add_argument("--out", required=True, type=Path, help="folder of the runs")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where study_NAME.json goes")
    add_hold_out(parser, "images kept for validation")
    add_threads(parser)
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    arguments = parse_arguments(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    use_threads(arguments.threads)
    names = arguments.studies or list(STUDIES)
    unknown = sorted(set(names) - set(STUDIES))
    if unknown:
        logger.error("cannot start: there is no study %r; known are %s", unknown[0], ", ".join(STUDIES))
        return 2
    try:
        for name in names:  # all that they need at their ends
            image_sets([arguments.bench / dataset for dataset in STUDIES[name].sets])
            try_writing(result_file(arguments.results, name))
        for name in names:
            content = carry_out(
                name, STUDIES[name], arguments.data, arguments.bench, arguments.out, arguments.hold_out
            )
            write_figures(result_file(arguments.results, name), content)
    except (ValueError, FileNotFoundError) as error:
        logger.error("cannot go on: %s", error)
        return 2
    except Signalled:
        logger.warning("interrupted; the same command goes on from here")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
