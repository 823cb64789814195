"""Studies: what is shared is trained once, what should be equal is equal, and the figures are those of the weights."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fgrn import checkpoint
from fgrn.models import FGRN, FGRNConfig
from tests.test_train import TINY_FGRN, TINY_IRN, write_pictures
from training import run as training_run
from training import study
from training.evaluate import evaluate
from training.quality_tables import SETS
from training.recipes import Recipe
from training.report import STUDIES as REPORTED
from training.studies import GAMMAS, STUDIES, Study, Variant

FLOW_STAGE = replace(TINY_FGRN.stages[1], share=1.0)
FIRST = Recipe(
    replace(TINY_FGRN.config, guidance="none"),  # type: ignore[arg-type]
    (replace(TINY_FGRN.stages[0], share=1.0),),
    warm_up_steps=2,
)
TINY_STUDIES = {
    "guidance": Study(
        "title",
        "question?",
        {
            "first": Variant("First", "nothing", FIRST, samples=16),
            "first_last": Variant("Last", "last weights", FIRST, samples=16, weights="last"),
            "flow": Variant("Flow", "F alone", replace(TINY_FGRN, stages=(FLOW_STAGE,)), 16, start="first"),
        },
        sets=("bench",),
    ),
    "latent": Study(
        "title",
        "question?",
        {
            "z": Variant("z", "drawn", TINY_IRN, samples=8, latent_seed=1),
            "z0": Variant("z0", "zero", TINY_IRN, samples=8),
        },
        sets=("bench",),
    ),
}


@pytest.fixture(autouse=True)
def tiny_studies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study, "STUDIES", TINY_STUDIES)
    monkeypatch.setattr(training_run, "REPORT_STEPS", 1)


def run(tmp_path: Path, *names: str) -> int:
    if not (tmp_path / "pictures").exists():
        write_pictures(tmp_path / "pictures")
        (tmp_path / "bench").mkdir()
        pixels = np.random.default_rng(1).integers(0, 256, (6, 7, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((44, 40), Image.Resampling.BICUBIC).save(tmp_path / "bench" / "a.png")
    line = f"--data {tmp_path / 'pictures'} --bench {tmp_path} --out {tmp_path / 'runs'} --hold-out 1"
    return study.main([*names, *line.split(), "--results", str(tmp_path / "results")])


def test_a_study_trains_measures_and_writes_what_it_found(tmp_path: Path) -> None:
    assert run(tmp_path) == 0
    content = json.loads((tmp_path / "results" / "study_guidance.json").read_text())
    assert (content["study"], content["scale"], content["samples"]) == ("guidance", 2, 16)
    assert list(content["weights"]) == ["first", "first_last", "flow"]
    for key, entry in content["weights"].items():
        path = tmp_path / "runs" / key.removesuffix("_last") / f"{key}.safetensors"
        assert entry["sha256"] == checkpoint.read_card(path.with_suffix(".json")).sha256
        again = study.rescaler(TINY_STUDIES["guidance"].variants[key], path)
        mean = evaluate([tmp_path / "bench"], {key: again}, no_reference=False)["datasets"]["bench"][key][
            "mean"
        ]
        assert content["datasets"]["bench"][key]["mean"]["psnr_y"] == mean["psnr_y"]
    rows = content["datasets"]["bench"]
    assert rows["first"]["mean"]["psnr_y"] != rows["first_last"]["mean"]["psnr_y"]
    latent = json.loads((tmp_path / "results" / "study_latent.json").read_text())["datasets"]["bench"]
    assert latent["z"]["mean"]["psnr_y"] != latent["z0"]["mean"]["psnr_y"]


def test_a_variant_starts_from_another_ones_weights(tmp_path: Path) -> None:
    assert run(tmp_path, "guidance") == 0
    first, _ = checkpoint.load(tmp_path / "runs" / "first" / "first.safetensors")
    flow, card = checkpoint.load(tmp_path / "runs" / "flow" / "flow.safetensors")
    assert isinstance(first, FGRN) and isinstance(flow, FGRN)
    for name, value in first.state_dict().items():
        assert flow.state_dict()[name].equal(value), name
    assert card.provenance.notes == "starts from first"
    assert bool(flow.state_dict()["flow.cells.0.beta.convs.4.weight"].any())  # zero at the start


def test_what_is_complete_is_not_trained_again(tmp_path: Path) -> None:
    assert run(tmp_path, "guidance") == 0
    logs = {path: path.read_text().count('"step"') for path in (tmp_path / "runs").rglob("log.jsonl")}
    first = (tmp_path / "results" / "study_guidance.json").read_text()
    assert run(tmp_path, "guidance") == 0
    assert {path: path.read_text().count('"step"') for path in (tmp_path / "runs").rglob("log.jsonl")} == logs
    old, new = json.loads(first), json.loads((tmp_path / "results" / "study_guidance.json").read_text())
    assert old["weights"] == new["weights"]


def test_an_interrupted_study_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(tmp_path, "guidance") == 0
    whole = json.loads((tmp_path / "results" / "study_guidance.json").read_text())
    other = tmp_path / "other"
    other.mkdir()
    calls: list[int] = []

    class Stopping(training_run.Run):
        def _agree(self, *arguments: object) -> training_run.Seen:
            calls.append(1)
            self.stop_requested = len(calls) == 3
            return super()._agree(*arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(study, "Run", Stopping)
        assert run(other, "guidance") == 1
    assert not list((other / "results").iterdir())
    assert run(other, "guidance") == 0
    again = json.loads((other / "results" / "study_guidance.json").read_text())
    assert {key: entry["sha256"] for key, entry in again["weights"].items()} == {
        key: entry["sha256"] for key, entry in whole["weights"].items()
    }


def test_what_would_be_missing_at_the_end_is_named_before_the_training(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "results").touch()
    assert run(tmp_path, "guidance") == 2
    assert f"{tmp_path / 'results'} cannot be written" in caplog.text
    (tmp_path / "results").unlink()
    (tmp_path / "bench").rename(tmp_path / "elsewhere")
    assert run(tmp_path, "guidance") == 2
    assert "bench is no folder" in caplog.text and not (tmp_path / "runs").exists()


def test_an_unknown_study_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert run(tmp_path, "nonsense") == 2
    assert "nonsense" in caplog.text and "guidance, latent" in caplog.text


def test_the_real_studies_are_sound() -> None:
    assert set(STUDIES) == set(REPORTED)
    runs: dict[str, Variant] = {}
    for name, entry in STUDIES.items():
        scales = {variant.recipe.config.scale for variant in entry.variants.values()}
        assert len(scales) == 1 and set(entry.sets) <= set(SETS), name
        labels = [variant.label for variant in entry.variants.values()]
        assert len(set(labels)) == len(labels)
        for key, variant in entry.variants.items():
            run_key = key.removesuffix("_last") if variant.weights == "last" else key
            known = runs.setdefault(run_key, variant)
            same = replace(variant, label="", change="", weights="averaged", latent_seed=None)
            assert same == replace(known, label="", change="", weights="averaged", latent_seed=None), key
    for variant in runs.values():
        if variant.start:
            source, config = runs[variant.start].recipe.config, variant.recipe.config
            assert isinstance(source, FGRNConfig) and isinstance(config, FGRNConfig)
            same_nets = replace(source, guidance=config.guidance, flow_rotation=config.flow_rotation)
            assert same_nets == config
    gammas = [variant.recipe.gamma for variant in STUDIES["gamma"].variants.values()]
    assert gammas == list(GAMMAS)
    guidance = STUDIES["guidance"].variants.values()
    assert len({variant.samples for variant in guidance}) == 1
    assert len({variant.recipe.seed for variant in runs.values()}) == 1  # the same samples for all
