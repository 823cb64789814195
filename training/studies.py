"""The studies of sections 4.4 and 4.5 and some of our own, as data: what is compared with what, on how many samples.

A study is a few variants that differ in one thing. All see the same samples; sample counts are small, so that the
whole runs on one CPU core in some hours. `training.study` carries them out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from fgrn.models import FGRNConfig, IRNConfig
from training.recipes import RECIPES, Recipe, Stage, without_flow

GAMMAS = (0.0, 1e-4, 1e-3, 1e-2)


@dataclass(frozen=True)
class Variant:
    """One network of a study: a training run, or the weights of another one used otherwise."""

    label: str
    change: str  # what differs, in words
    recipe: Recipe
    samples: int
    start: str = ""  # key of the run whose G_d and G_u (and F, if `keeps_flow`) it starts from
    keeps_flow: bool = False
    latent_seed: int | None = None  # IRN: z is drawn instead of 0
    weights: Literal["averaged", "last"] = "averaged"


@dataclass(frozen=True)
class Study:
    """Variants by the key of their run. Studies may share a run: equal keys are trained once."""

    title: str
    question: str
    variants: dict[str, Variant]
    sets: tuple[str, ...] = ("Set5", "Set14")
    no_reference: bool = False


_SAMPLES = 6000
_FLOW_SAMPLES = 1600
_IRN_SAMPLES = 2400
_TAIL_SAMPLES = 1600
_OPTIMIZER_SAMPLES = 3200

# Of FGRN a network of two thirds of the size, which a short training brings further. All but the study of optimizers
# were carried out with Adam, and go on so: figures within a study stay comparable.
_MUON = Recipe(
    FGRNConfig(scale=4),
    (
        Stage("rescaling", share=0.88, learning_rate=1e-3, patch=80, batch_size=4),
        Stage("flow", share=0.12, learning_rate=1.5e-3, patch=128, batch_size=4),
    ),
)
_FLOW = _MUON.with_adam()
_NONE = without_flow(_FLOW, "none", bicubic_weight=0.0)
_BICUBIC = without_flow(_FLOW, "bicubic", bicubic_weight=1.0)


def _flow_only(gamma: float = 1e-3, rotation: int = 1) -> Recipe:
    """F alone, on a G_d that is trained already."""
    assert isinstance(_FLOW.config, FGRNConfig)
    config = replace(_FLOW.config, flow_rotation=rotation)
    return replace(_FLOW, config=config, gamma=gamma, stages=(replace(_FLOW.stages[1], share=1.0),))


def _tail(objective: Literal["joint", "round-trip"]) -> Recipe:
    """Everything together for a little longer, at a learning rate as low as it ended."""
    stage = replace(_FLOW.stages[0], objective=objective, share=1.0, learning_rate=1e-4)
    return replace(_FLOW, stages=(stage,))


def _small_irn(name: str) -> Recipe:
    """A quarter of IRN's couplings: what z does can be seen at a quarter of the cost."""
    return replace(RECIPES[name].with_adam(), config=IRNConfig(scale=4, blocks=2))


def _flow_variant(label: str, change: str, recipe: Recipe) -> Variant:
    return Variant(label, change, recipe, _FLOW_SAMPLES, start="du_none")


_DU_NONE = Variant("DU_none", "no guidance", _NONE, _SAMPLES)
_DU_FLOW = Variant("DU_flow", "flow guidance, G_d and G_u first, then F", _FLOW, _SAMPLES)
_FLOW_BASE = _flow_variant("gamma 0.001", "the paper's", _flow_only())

STUDIES: dict[str, Study] = {
    "guidance": Study(
        "Downscaling guidance (paper, section 4.4)",
        "What does it cost the reconstruction to make the LR image a picture?",
        {
            "du_none": _DU_NONE,
            "du_bic": Variant("DU_bic", "L1 between x and the bicubic image is added", _BICUBIC, _SAMPLES),
            "du_flow": _DU_FLOW,
        },
        sets=("Set5", "Set14", "BSD100"),
        no_reference=True,
    ),
    "latent": Study(
        "The latent z of IRN (paper, section 4.5), with 2 couplings a level instead of 8",
        "Does a random z carry anything that z = 0 does not?",
        {
            "irn_z": Variant("z", "z ~ N(0, 1)", _small_irn("irn_sampled_x4"), _IRN_SAMPLES, latent_seed=1),
            "irn_z0": Variant("z_0", "z = 0", _small_irn("irn_x4"), _IRN_SAMPLES),
        },
        sets=("Set5", "Set14", "BSD100"),
    ),
    "schedule": Study(
        "Stages against the paper's joint schedule",
        "Is anything lost by training G_d and G_u first and F afterwards?",
        {
            "du_flow": replace(_DU_FLOW, label="staged", change="G_d and G_u on 88 % of the samples, then F"),
            "joint": Variant("joint", "all three in every step", _FLOW.scheduled("joint"), _SAMPLES),
        },
    ),
    "rotation": Study(
        "Rotation of the colours between the cells of F",
        "Does it help that each colour is the conditioning part in turn?",
        {
            "flow": replace(_FLOW_BASE, label="rotated", change="cell k rolls the colours by k"),
            "flow_fixed": _flow_variant(
                "fixed", "red conditions green and blue in all cells", _flow_only(rotation=0)
            ),
        },
        no_reference=True,
    ),
    "gamma": Study(
        "gamma, the weight of the log-determinant in L_guide",
        "What does it do to the LR image and to the exact share of x?",
        {
            ("flow" if gamma == 1e-3 else f"flow_gamma_{gamma:g}"): (
                _FLOW_BASE
                if gamma == 1e-3
                else _flow_variant(f"gamma {gamma:g}", "", _flow_only(gamma=gamma))
            )
            for gamma in GAMMAS
        },
        no_reference=True,
    ),
    "round_trip": Study(
        "A last stage through the 8-bit round trip",
        "Does training through round(F^-1(round(F(x)))) gain more than training on without it?",
        {
            "flow": replace(_FLOW_BASE, label="before", change="the common start"),
            "tail_joint": Variant(
                "joint, longer", "1,600 more samples", _tail("joint"), _TAIL_SAMPLES, "flow", keeps_flow=True
            ),
            "tail_round_trip": Variant(
                "round trip",
                "1,600 more samples, through the round trip",
                _tail("round-trip"),
                _TAIL_SAMPLES,
                "flow",
                keeps_flow=True,
            ),
        },
    ),
    "optimizer": Study(
        "The optimizer",
        "How far do Adam and Muon come with the same samples?",
        {
            "adam": Variant("Adam", "learning rate 4e-4", _NONE, _OPTIMIZER_SAMPLES),
            "muon": Variant(
                "Muon", "learning rate 1e-3", without_flow(_MUON, "none", 0.0), _OPTIMIZER_SAMPLES
            ),
        },
    ),
    "ema": Study(
        "Moving average of the weights",
        "Is the average better than the last weights of the same run?",
        {
            "du_none": replace(_DU_NONE, label="average", change="exponential moving average, 0.999"),
            "du_none_last": replace(
                _DU_NONE, label="last", change="the weights of the last step", weights="last"
            ),
        },
    ),
}
