"""Named training recipes: frozen configs, one per weight set, and the schedules in which they can be trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from fgrn.models import FGRN, IRN, Config, FGRNConfig, IRNConfig
from training.losses import (
    ErrorName,
    FlowObjective,
    IRNObjective,
    JointObjective,
    Objective,
    RescalingObjective,
    RoundTripObjective,
)

ObjectiveName = Literal["rescaling", "flow", "joint", "round-trip", "irn", "irn-coarse"]
ScheduleName = Literal["staged", "joint", "paper"]
OptimizerName = Literal["muon", "adam"]
SCHEDULES: tuple[ScheduleName, ...] = ("staged", "joint", "paper")
OPTIMIZERS: tuple[OptimizerName, ...] = ("muon", "adam")

HALVING_STEPS = 200_000  # paper, section 4.1
ADAM_RATE = 0.4  # of the learning rates of Muon, which run away with Adam


@dataclass(frozen=True)
class Stage:
    """One stage of a run, which gets `share` of the budget."""

    objective: ObjectiveName
    share: float
    learning_rate: float
    patch: int  # HR pixels
    batch_size: int  # per process
    clip_norm: float = 0.5
    decay: Literal["cosine", "halving", "none"] = "cosine"  # to the stage's end, or every HALVING_STEPS


@dataclass(frozen=True)
class Recipe:
    """What is trained and how. Stages follow each other; shares add up to 1."""

    config: Config
    stages: tuple[Stage, ...]
    optimizer: OptimizerName = "muon"
    gamma: float = 1e-3  # equation 9; paper, section 4.1
    exactness: float = 0.0  # weight in L_guide of what the 8-bit round trip loses of x
    overshoot_weight: float = 0.0  # of what F(x) goes beyond [0, 1] beside L_guide, in stages for F alone
    bicubic_weight: float = 0.0  # of L1 between x and y_bic beside equation 7: DU_bic, or a little of it
    chroma_weight: float = 0.0  # of the squared colour of x - y_bic beside equation 7
    luma_weight: float = 0.0  # of the error of luma beside equation 7, or beside IRN's
    error: ErrorName = "l1"  # how equation 7 measures it
    sampled_latent: bool = False  # IRN: z ~ N(0, 1) on the way up instead of z = 0
    warm_up_steps: int = 100
    ema_decay: float = 0.999
    jump_ratio: float = 2.5  # a step whose loss exceeds this multiple of its running mean is skipped
    seed: int = 2021

    def __post_init__(self) -> None:
        if abs(sum(stage.share for stage in self.stages) - 1) > 1e-9:
            raise ValueError(f"the shares of the stages do not add up to 1: {self.stages}")
        if any(stage.patch % self.config.scale for stage in self.stages):
            sides = " ".join(str(stage.patch) for stage in self.stages)
            raise ValueError(f"patches of {sides} pixels: choose multiples of the scale, {self.config.scale}")
        if all(stage.objective != "rescaling" for stage in self.stages):
            of_irn = isinstance(self.config, IRNConfig)  # whose objective can weigh luma too
            for name in ("bicubic", "chroma") if of_irn else ("bicubic", "chroma", "luma"):
                if weight := getattr(self, f"{name}_weight"):
                    raise ValueError(f"a {name} weight of {weight} has no effect: no stage is for G_d alone")
            if self.error != "l1":
                raise ValueError(f"{self.error} as the error has no effect: no stage is for G_d alone")
        if self.overshoot_weight and all(stage.objective != "flow" for stage in self.stages):
            raise ValueError(
                f"an overshoot weight of {self.overshoot_weight} has no effect: no stage is for F alone"
            )

    def objective(self, net: FGRN | IRN, stage: Stage) -> Objective:
        """The objective of a stage on `net`."""
        if isinstance(net, IRN):
            coarse = stage.objective == "irn-coarse"
            return IRNObjective(net, coarse=coarse, sampled=self.sampled_latent, luma_weight=self.luma_weight)
        match stage.objective:
            case "flow":
                return FlowObjective(net, self.gamma, self.exactness, self.overshoot_weight)
            case "joint":
                return JointObjective(net, self.gamma, self.exactness)
            case "round-trip":
                return RoundTripObjective(net, self.gamma, self.exactness)
            case _:
                return RescalingObjective(
                    net, self.bicubic_weight, self.luma_weight, self.error, self.chroma_weight
                )

    def scheduled(self, name: ScheduleName) -> Recipe:
        """This recipe in another schedule.

        "staged": as it is. "joint": one stage that trains everything at once, with patches, batch and learning rate
        of the first, annealed to its end. "paper": section 4.1, Adam, batch 36, patches of 192, learning rate 3e-4
        halved every 2e5 steps.
        """
        if name == "staged":
            return self
        first = self.stages[0]
        objective = _joint_objective(self.config, first.objective)
        if name == "joint":
            return replace(self, stages=(replace(first, objective=objective, share=1.0, decay="cosine"),))
        stage = Stage(objective, share=1.0, learning_rate=3e-4, patch=192, batch_size=36, decay="halving")
        return replace(self, stages=(stage,), optimizer="adam")

    def with_adam(self) -> Recipe:
        """This recipe with Adam, and the lower learning rates that it needs."""
        if self.optimizer == "adam":
            return self
        stages = tuple(replace(stage, learning_rate=ADAM_RATE * stage.learning_rate) for stage in self.stages)
        return replace(self, stages=stages, optimizer="adam")

    def with_blocks(self, down: int, up: int) -> Recipe:
        """This recipe with other numbers of residual blocks in G_d and G_u.

        Raises:
            ValueError: if it is one of IRN, which has none.
        """
        if not isinstance(self.config, FGRNConfig):
            raise ValueError("residual blocks are FGRN's: IRN has none")
        return replace(self, config=replace(self.config, down_blocks=down, up_blocks=up))

    def only(self, objective: str) -> Recipe:
        """This recipe with the stages of one objective alone, say to fit F again to weights that are there.

        Raises:
            ValueError: if it has none.
        """
        stages = [stage for stage in self.stages if stage.objective == objective]
        if not stages:
            known = ", ".join(dict.fromkeys(stage.objective for stage in self.stages))
            raise ValueError(f"the recipe has no stage {objective!r}; its stages are {known}")
        total = sum(stage.share for stage in stages)
        return replace(self, stages=tuple(replace(stage, share=stage.share / total) for stage in stages))

    def annealed(self) -> Recipe:
        """This recipe with a learning rate that falls from the start on: of each objective the last stage alone.

        For weights that have been annealed before, which gain little at a level rate (training/README.md).
        """
        last = {stage.objective: stage for stage in self.stages}
        shares = {name: sum(s.share for s in self.stages if s.objective == name) for name in last}
        stages = (replace(stage, share=shares[name], decay="cosine") for name, stage in last.items())
        return replace(self, stages=tuple(stages))

    def with_stages(self, **values: Sequence[float] | None) -> Recipe:
        """This recipe with other patches, batches or learning rates: fields of `Stage` by name.

        One value is for all stages, several are for one stage each.

        Raises:
            ValueError: if there are neither one nor as many as stages.
        """
        stages = list(self.stages)
        for name, given in values.items():
            if given is None:
                continue
            if len(given) not in (1, len(stages)):
                numbers = " ".join(map(str, given))
                raise ValueError(f"{name} {numbers}: give one value, or {len(stages)}, one for each stage")
            for index, stage in enumerate(stages):
                stages[index] = replace(stage, **{name: given[index % len(given)]})  # type: ignore[arg-type]
        return replace(self, stages=tuple(stages))


def _joint_objective(config: Config, first: ObjectiveName) -> ObjectiveName:
    if isinstance(config, IRNConfig):
        return "irn"
    return "joint" if config.guidance == "flow" else first


# Budgets of hours on a few CPU cores: small patches and batches, learning rates that anneal to the budget's end.
# G_d and G_u first, F on the frozen x afterwards: L_guide does not reach G_d, so the order loses nothing and saves
# the float32 work of F in most of the run. A deviation from the paper's joint schedule.
_FGRN_X4 = Recipe(
    FGRNConfig(scale=4, down_blocks=10, up_blocks=32, leak=0.1),  # 3.35 M parameters, as many as the paper's
    (
        # Most pixels of a small patch are near its border, which G_u never sees in a picture: the end has larger ones.
        Stage("rescaling", share=0.48, learning_rate=5e-4, patch=80, batch_size=4, decay="none"),
        Stage("rescaling", share=0.40, learning_rate=5e-4, patch=128, batch_size=4),
        Stage("flow", share=0.12, learning_rate=1.5e-3, patch=128, batch_size=4),
    ),
)
_FGRN_X2 = Recipe(
    FGRNConfig(scale=2, down_blocks=5, up_blocks=10, leak=0.1),
    (
        Stage("rescaling", share=0.46, learning_rate=1e-3, patch=64, batch_size=4, decay="none"),
        Stage("rescaling", share=0.40, learning_rate=1e-3, patch=96, batch_size=4),
        Stage("flow", share=0.14, learning_rate=1.5e-3, patch=64, batch_size=4),
    ),
)
_IRN_X2 = Recipe(IRNConfig(scale=2), (Stage("irn", share=1.0, learning_rate=1e-3, patch=64, batch_size=2),))
# The couplings of the first level cost 70 % of the time at x4 and start as the identity: they join later.
_IRN_X4 = Recipe(
    IRNConfig(scale=4),
    (
        Stage("irn-coarse", share=0.6, learning_rate=1e-3, patch=64, batch_size=2),
        Stage("irn", share=0.4, learning_rate=5e-4, patch=64, batch_size=2),
    ),
)


def without_flow(recipe: Recipe, guidance: Literal["bicubic", "none"], bicubic_weight: float) -> Recipe:
    """The ablations of section 4.4: FGRN's G_d and G_u alone, in the stages that train them.

    DU_none is what an FGRN is before F is fitted: `--init` takes one for the other.
    """
    assert isinstance(recipe.config, FGRNConfig)
    config = replace(recipe.config, guidance=guidance)
    return replace(recipe.only("rescaling"), config=config, bicubic_weight=bicubic_weight)


RECIPES: dict[str, Recipe] = {
    "fgrn_x2": _FGRN_X2,
    "fgrn_x4": _FGRN_X4,
    "irn_x2": _IRN_X2,
    "irn_x4": _IRN_X4,
    "irn_sampled_x2": replace(_IRN_X2, sampled_latent=True),
    "irn_sampled_x4": replace(_IRN_X4, sampled_latent=True),
    "du_none_x4": without_flow(_FGRN_X4, "none", bicubic_weight=0.0),
    "du_bic_x4": without_flow(_FGRN_X4, "bicubic", bicubic_weight=1.0),
}
