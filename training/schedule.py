"""How long a run lasts, where it stands, how fast it learns, and which steps it refuses."""

from __future__ import annotations

import math
from dataclasses import dataclass

from training.recipes import HALVING_STEPS, Stage

MOST_SKIPS_IN_A_ROW = 10  # then the loss has really moved, and the running mean has to follow
LOSS_MEMORY = 50  # steps over which the running mean of the loss looks back
HEALTHY_RATIO = 1.15
SETTLED_STEPS = (
    200  # from here on the best mean counts: a run with --init begins below where its rate will hold it
)
BROKEN_RATIO = 1.35  # a running mean this far above its best: the run goes back to its last good checkpoint


@dataclass(frozen=True)
class Budget:
    """How long a run lasts: wall minutes, or HR patches seen.

    By patches a run is a pure function of its seed, unless its loss breaks away: the checkpoint that it goes back to
    is placed by time.
    """

    minutes: float | None = None
    samples: int | None = None

    def __post_init__(self) -> None:
        if (self.minutes is None) == (self.samples is None):
            raise ValueError("give --minutes or --samples, and not both")

    def progress(self, position: Position, stage: Stage) -> float:
        """Share of the stage's budget that is used, from 0 on; 1 and above: the stage is over. 0 is none to use."""
        if not (self.samples or self.minutes):
            return 1.0
        if self.samples is not None:
            return position.stage_samples / max(self.samples * stage.share, 1)
        assert self.minutes is not None
        return position.stage_minutes / max(self.minutes * stage.share, 1e-9)


@dataclass
class Position:
    """Where a run stands; all that a checkpoint stores besides tensors."""

    stage: int = 0
    stage_step: int = 0
    stage_samples: int = 0
    stage_minutes: float = 0.0
    step: int = 0
    samples: int = 0
    minutes: float = 0.0
    skipped: int = 0
    skips_in_a_row: int = 0
    loss_mean: float = 0.0
    best_loss_mean: float = math.inf
    rate_factor: float = 1.0
    rollbacks: int = 0

    def enter_next_stage(self, *, same_objective: bool) -> None:
        """Start the next stage: its own clock, its own idea of a normal loss, and no brake by what others trained."""
        self.stage += 1
        if not same_objective:
            self.rate_factor = 1.0
        self.stage_step, self.stage_samples, self.stage_minutes = 0, 0, 0.0
        self.loss_mean, self.best_loss_mean, self.skips_in_a_row = 0.0, math.inf, 0

    def accepts(self, loss: float, gradient_norm: float, jump_ratio: float) -> bool:
        """False if either is not finite, or the loss far above its running mean; updates the mean and the counts."""
        finite = math.isfinite(loss) and math.isfinite(gradient_norm)
        settled = self.stage_step >= LOSS_MEMORY  # before, nothing is known of what is normal
        jumped = settled and loss > jump_ratio * self.loss_mean
        if not finite or (jumped and self.skips_in_a_row < MOST_SKIPS_IN_A_ROW):
            self.skipped += 1
            self.skips_in_a_row += 1
            return False
        self.skips_in_a_row = 0
        self.loss_mean = (
            self.loss_mean + (loss - self.loss_mean) / LOSS_MEMORY if self.loss_mean > 0 else loss
        )
        if self.stage_step >= SETTLED_STEPS:
            self.best_loss_mean = min(self.best_loss_mean, self.loss_mean)
        return True

    @property
    def broken(self) -> bool:
        """Whether the loss has left its best level for good, or is no number any more."""
        lost = self.skips_in_a_row > MOST_SKIPS_IN_A_ROW  # a mere jump is accepted before
        return lost or self.loss_mean > BROKEN_RATIO * self.best_loss_mean

    @property
    def healthy(self) -> bool:
        """Whether the loss is near its best: only then is a checkpoint worth going back to."""
        return self.loss_mean <= HEALTHY_RATIO * self.best_loss_mean

    def roll_back(self) -> None:
        """Count a return to the last good checkpoint, and go on more slowly from there."""
        self.rollbacks += 1
        self.rate_factor /= 2
        self.loss_mean, self.skips_in_a_row = min(self.loss_mean, self.best_loss_mean), 0

    def advance(self, samples: int, minutes: float) -> None:
        """Count one step."""
        self.stage_step, self.step = self.stage_step + 1, self.step + 1
        self.stage_samples, self.samples = self.stage_samples + samples, self.samples + samples
        self.stage_minutes, self.minutes = self.stage_minutes + minutes, self.minutes + minutes


def learning_rate(stage: Stage, progress: float, stage_step: int, warm_up_steps: int) -> float:
    """Linear warm-up in steps, then the stage's decay: none, half a cosine down to 1 % at the end, or halving.

    `progress` is the used share of the stage's budget.
    """
    match stage.decay:
        case "none":
            decay = 1.0
        case "halving":
            decay = 0.5 ** (stage_step // HALVING_STEPS)
        case "cosine":
            decay = 0.01 + 0.99 * (1 + math.cos(math.pi * min(progress, 1.0))) / 2
    return stage.learning_rate * decay * min(1.0, (stage_step + 1) / max(warm_up_steps, 1))
