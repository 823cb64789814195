"""Train one recipe: `python -m training.train --recipe fgrn_x4 --data DIR [DIR ...] --out RUN --minutes M`.

On several GPUs: `accelerate launch -m training.train ...`. In several processes on the CPU:
`ACCELERATE_USE_CPU=true torchrun --nproc-per-node 2 -m training.train ...`.

RUN holds, at any time after the first checkpoint:

    NAME.safetensors, NAME.json   the averaged (EMA) weights as they would be shipped, with their card
    state.pt                      everything that `--resume` needs
    log.jsonl                     one line per report: loss, figures, learning rate, samples, minutes
"""

from __future__ import annotations

import logging

from fgrn.batch import INTERRUPTED, try_writing
from training.arguments import parse_arguments, recipe_of
from training.options import use_threads
from training.run import Run, stopping_on_sigterm
from training.schedule import Budget
from training.state import STATE, has_state

logger = logging.getLogger(__name__)


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit status: 130 if a signal ended the run."""
    arguments = parse_arguments(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    use_threads(arguments.threads)
    try:
        budget = Budget(arguments.minutes, arguments.samples)
        if has_state(arguments.out) and not arguments.resume:
            raise ValueError(
                f"{arguments.out} holds a run already, which would be lost: give --resume to go on with it, or another "
                "--out"
            )
        if not has_state(arguments.out) and (arguments.out / f"{arguments.recipe}.safetensors").exists():
            raise ValueError(
                f"{arguments.out} holds weights of {arguments.recipe} that no run here has made, which would be lost: "
                "give another --out"
            )
        recipe, notes = recipe_of(arguments)
        try_writing(arguments.out / STATE)
        run = Run(
            arguments.recipe,
            recipe,
            arguments.data,
            arguments.out,
            budget,
            arguments.hold_out,
            cache=arguments.cache,
            memory_limit=round(arguments.memory_limit * 2**30),
            tracker=arguments.track,
            precision=arguments.precision,
            compiled=arguments.compile,
            shrinks=arguments.shrink,
            graphics=arguments.graphics,
            notes=notes,
        )
        if has_state(arguments.out):
            run.state.resume()
            if run.finished:
                logger.warning(
                    "%s is finished, there is nothing to go on with. To train its weights further, start another run: "
                    "--init, with another --out",
                    arguments.out,
                )
        elif arguments.init:
            run.state.start_from(arguments.init)
        if not run.finished:
            _ = run.images, run.validation_images  # after all else that can be wrong: decoding takes minutes
    except (ValueError, OSError, ImportError) as error:
        logger.error("cannot start: %s", error)
        return 2
    with stopping_on_sigterm(run):
        run.train(arguments.checkpoint_minutes)
    if run.accelerator.is_main_process:
        if run.stopping:
            logger.warning("stopped; with --resume the same command goes on")
        logger.info(run.summary)
    return INTERRUPTED if run.stopping else 0


if __name__ == "__main__":
    raise SystemExit(main())
