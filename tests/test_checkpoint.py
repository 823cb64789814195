"""Weight files: round trip, strictness, damage, atomic writing. Wrong weights must never run."""

from __future__ import annotations

import hashlib
import json
import os
import struct
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from fgrn import checkpoint
from fgrn.checkpoint import CheckpointError, Provenance
from fgrn.methods import load_net, unavailable, weights_path
from fgrn.models import FGRN, IRN, Config, FGRNConfig, IRNConfig, build

CONFIG = FGRNConfig(scale=2, channels=4, down_blocks=1, up_blocks=1, flow_cells=1, flow_growth=2)
PROVENANCE = Provenance("tiny", ("folder",), 10, 20, 1.5, "cpu", {"Set5": {"psnr_y": 30.0}}, "for tests")


def random_net(config: Config = CONFIG, seed: int = 0) -> FGRN | IRN:
    net, generator = build(config), torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(0.1 * torch.randn(parameter.shape, generator=generator))
    return net


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "fgrn_x2.safetensors"
    checkpoint.save(random_net(), path, PROVENANCE)
    return path


def rewrite_tensors(path: Path, tensors: dict[str, Tensor]) -> None:
    """Replace the weights and correct the digest, so that only what the tensors hold can be wrong."""
    rewrite_bytes(path, safetensors.torch.save(tensors))


def rewrite_bytes(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    rewrite_card(path, {"sha256": hashlib.sha256(data).hexdigest()})


def rewrite_card(path: Path, changes: dict[str, Any]) -> None:
    """Change keys of the card; None removes a key. A dotted key goes one level down."""
    card = path.with_suffix(".json")
    content = json.loads(card.read_text())
    for key, value in changes.items():
        *outer, last = key.split(".")
        target = content[outer[0]] if outer else content
        if value is None:
            del target[last]
        else:
            target[last] = value
    card.write_text(json.dumps(content))


# What is right


@pytest.mark.parametrize("config", [CONFIG, FGRNConfig(4, 4, 1, 1, guidance="none"), IRNConfig(4, 1, 2)])
def test_round_trip_is_the_net_rounded_to_float16(tmp_path: Path, config: Config) -> None:
    net, path = random_net(config), tmp_path / "some.safetensors"
    saved = checkpoint.save(net, path, PROVENANCE)
    loaded, card = checkpoint.load(path)
    assert card == saved == checkpoint.read_card(tmp_path / "some.json")
    assert card.config == config and card.provenance == PROVENANCE
    assert not loaded.training
    assert loaded.state_dict().keys() == net.state_dict().keys()
    for name, tensor in loaded.state_dict().items():
        assert tensor.dtype == torch.float32 and tensor.device.type == "cpu", name
        assert torch.equal(tensor, net.state_dict()[name].half().float()), name
    assert all(parameter.requires_grad for parameter in loaded.parameters())
    with torch.no_grad():
        image = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(1))
        net.load_state_dict({name: tensor.half().float() for name, tensor in net.state_dict().items()})
        assert torch.equal(loaded.encode(image), net.encode(image))


def test_file_is_float16_and_the_digest_is_its_sha256(weights: Path) -> None:
    tensors = safetensors.torch.load(weights.read_bytes())
    assert {tensor.dtype for tensor in tensors.values()} == {torch.float16}
    card = checkpoint.read_card(weights.with_suffix(".json"))
    assert card.sha256 == hashlib.sha256(weights.read_bytes()).hexdigest()
    assert card.digest == card.sha256[:16]
    assert card.parameters == sum(tensor.numel() for tensor in tensors.values())


def test_saving_twice_gives_the_same_file(tmp_path: Path) -> None:
    for name in ("a", "b"):
        checkpoint.save(random_net(), tmp_path / f"{name}.safetensors", PROVENANCE)
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


def test_loading_does_not_touch_the_random_state(weights: Path) -> None:
    state = torch.random.get_rng_state()
    checkpoint.load(weights)
    assert torch.equal(state, torch.random.get_rng_state())


def test_other_float_types_load(weights: Path) -> None:
    """Weights that somebody stored in float32 or bfloat16 are fine: computing is in float32."""
    net = random_net()
    for dtype in (torch.float32, torch.bfloat16, torch.float64):
        rewrite_tensors(weights, {name: tensor.to(dtype) for name, tensor in net.state_dict().items()})
        loaded, _ = checkpoint.load(weights)
        for name, tensor in loaded.state_dict().items():
            assert torch.equal(tensor, net.state_dict()[name].to(dtype).float())


# What is wrong with the weights


def test_missing_unknown_and_misshapen_tensors(weights: Path) -> None:
    tensors = safetensors.torch.load(weights.read_bytes())
    name = "downscaler.head.weight"
    rewrite_tensors(weights, {key: tensor for key, tensor in tensors.items() if key != name})
    with pytest.raises(CheckpointError, match=rf"missing tensors \['{name}'\]"):
        checkpoint.load(weights)
    rewrite_tensors(weights, {**tensors, "extra": torch.zeros(1)})
    with pytest.raises(CheckpointError, match=r"unknown tensors \['extra'\]"):
        checkpoint.load(weights)
    rewrite_tensors(weights, {**tensors, name: tensors[name].flatten()})
    with pytest.raises(CheckpointError, match=rf"{name} is \(432,\), needed is \(4, 12, 3, 3\)"):
        checkpoint.load(weights)
    rewrite_tensors(weights, {**tensors, name: tensors[name][..., :1].contiguous()})  # would broadcast
    with pytest.raises(CheckpointError, match="needed is"):
        checkpoint.load(weights)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_values_that_are_not_finite(weights: Path, value: float) -> None:
    tensors = safetensors.torch.load(weights.read_bytes())
    tensors["downscaler.head.bias"][2] = value
    rewrite_tensors(weights, tensors)
    with pytest.raises(CheckpointError, match="downscaler.head.bias .* not finite"):
        checkpoint.load(weights)


@pytest.mark.parametrize("dtype", [torch.int16, torch.bool, torch.complex64, torch.float8_e4m3fn])
def test_tensors_of_other_types(weights: Path, dtype: torch.dtype) -> None:
    tensors = safetensors.torch.load(weights.read_bytes())
    tensors["downscaler.head.bias"] = tensors["downscaler.head.bias"].to(dtype)
    rewrite_tensors(weights, tensors)
    with pytest.raises(CheckpointError, match="downscaler.head.bias"):
        checkpoint.load(weights)


@pytest.mark.parametrize("keep", [0, 7, 100, -1])
def test_truncated_file(weights: Path, keep: int) -> None:
    data = weights.read_bytes()
    weights.write_bytes(data[:keep])
    with pytest.raises(CheckpointError, match="damaged"):
        checkpoint.load(weights)
    rewrite_bytes(weights, data[:keep])  # even with a digest that fits
    with pytest.raises(CheckpointError, match="no valid safetensors file"):
        checkpoint.load(weights)


def test_a_single_flipped_bit_is_seen(weights: Path) -> None:
    data = bytearray(weights.read_bytes())
    data[-100] ^= 1
    weights.write_bytes(data)
    with pytest.raises(CheckpointError, match=r"fgrn_x2.safetensors is damaged.*SHA-256"):
        checkpoint.load(weights)


def test_missing_files(weights: Path) -> None:
    card = weights.with_suffix(".json")
    text = card.read_text()
    card.unlink()
    with pytest.raises(CheckpointError, match=r"fgrn_x2.json is missing"):
        checkpoint.load(weights)
    card.write_text(text)
    weights.unlink()
    with pytest.raises(CheckpointError, match=r"fgrn_x2.safetensors cannot be read \(No such file"):
        checkpoint.load(weights)


def test_pickles_are_not_opened(weights: Path) -> None:
    """A pickle under our name is refused before anything in it could run."""
    torch.save(random_net(), weights)
    rewrite_bytes(weights, weights.read_bytes())
    with pytest.raises(CheckpointError, match="no valid safetensors"):
        checkpoint.load(weights)


# What is wrong with the card


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"extra": 1}, "exactly the keys"),
        ({"sha256": None}, "exactly the keys"),
        ({"format": 2}, "has format 2, this version reads 1"),
        ({"format": "1"}, "has format '1'"),
        ({"format": True}, "has format True"),
        ({"architecture": "rrdb"}, "unknown architecture 'rrdb'"),
        ({"architecture": 7}, "unknown architecture '7'"),
        ({"config": [1]}, "config an object"),
        ({"config.extra": 1}, r"unknown keys \['extra'\]"),
        ({"config.scale": None}, r"missing keys \['scale'\]"),
        ({"config.scale": "2"}, "scale must be int"),
        ({"config.guidance": "strong"}, "none of flow, bicubic, none"),
        ({"config.channels": 10**12}, "channels = 1000000000000 is beyond 1024"),
        ({"config.down_blocks": 10**9}, "down_blocks = 1000000000 is beyond 1024"),
        ({"sha256": 5}, "sha256 must be a string"),
        ({"provenance": "me"}, "provenance needs a recipe"),
        ({"provenance.recipe": None}, "provenance needs a recipe"),
        ({"provenance.extra": 1}, "only the keys"),
        ({"provenance.recipe": 1}, "recipe must be str"),
        ({"provenance.data": 5}, "data must be a list"),
        ({"provenance.data": "folder"}, "data must be a list"),
        ({"provenance.data": [1]}, "data must be a list"),
        ({"provenance.steps": "10"}, "steps must be int"),
        ({"provenance.metrics": []}, "metrics must be dict"),
    ],
)
def test_wrong_cards(weights: Path, changes: dict[str, Any], message: str) -> None:
    rewrite_card(weights, changes)
    with pytest.raises(CheckpointError, match=message) as caught:
        checkpoint.load(weights)
    assert "fgrn_x2.json" in str(caught.value)  # names the file


def test_card_of_another_size(weights: Path) -> None:
    """The card is well-formed and the digest fits, but the weights are those of another network."""
    # 0.8 G values: nothing is allocated
    rewrite_card(weights, {"config.channels": 1024, "config.down_blocks": 40})
    with pytest.raises(CheckpointError, match="missing tensors"):
        checkpoint.load(weights)
    rewrite_card(weights, {"config.channels": 1024, "config.down_blocks": 1})
    with pytest.raises(CheckpointError, match="needed is"):
        checkpoint.load(weights)


@pytest.mark.parametrize("key", ["down_blocks", "up_blocks", "flow_cells"])
def test_no_network_is_built_that_the_file_cannot_hold(
    weights: Path, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Building a thousand cells takes ten seconds, even without memory for them."""
    rewrite_card(weights, {f"config.{key}": 1024})
    monkeypatch.setattr(checkpoint, "build", lambda config: pytest.fail("it is built"))
    with pytest.raises(CheckpointError, match="missing tensors.*asks for 1024 blocks"):
        checkpoint.load(weights)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"x"', "[" * 100_000, "\ufeff{}"])
def test_cards_that_are_no_json_object(weights: Path, text: str) -> None:
    weights.with_suffix(".json").write_text(text, encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"fgrn_x2.json"):
        checkpoint.load(weights)


def test_card_that_is_no_text(weights: Path) -> None:
    weights.with_suffix(".json").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(CheckpointError, match=r"fgrn_x2.json cannot be read"):
        checkpoint.load(weights)


# Damage at random: a CheckpointError or the very same weights, nothing else

mutation = st.tuples(
    st.floats(0, 1, exclude_max=True), st.integers(0, 255), st.sampled_from(["set", "cut", "insert"])
)
FUZZ = settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])


def mutated(data: bytes, mutations: list[tuple[float, int, str]]) -> bytes:
    for where, value, kind in mutations:
        at = int(where * len(data))
        tail = {"set": data[at + 1 :], "cut": data[at + 1 :], "insert": data[at:]}[kind]
        data = data[:at] + (b"" if kind == "cut" else bytes([value])) + tail
    return data


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes, bytes]:
    path = tmp_path_factory.mktemp("fuzz") / "fgrn_x2.safetensors"
    checkpoint.save(random_net(), path, PROVENANCE)
    return path, path.read_bytes(), path.with_suffix(".json").read_bytes()


@FUZZ
@given(mutations=st.lists(mutation, min_size=1, max_size=4))
def test_mutated_cards(pristine: tuple[Path, bytes, bytes], mutations: list[tuple[float, int, str]]) -> None:
    path, data, card = pristine
    path.write_bytes(data)
    path.with_suffix(".json").write_bytes(mutated(card, mutations))
    try:
        net, _ = checkpoint.load(path)
    except CheckpointError:
        return
    assert all(
        torch.equal(a, b.half()) for a, b in zip(net.parameters(), random_net().parameters(), strict=True)
    )


@FUZZ
@given(
    mutations=st.lists(mutation, min_size=1, max_size=4), header_only=st.booleans(), digest_fits=st.booleans()
)
def test_mutated_weights(
    pristine: tuple[Path, bytes, bytes],
    mutations: list[tuple[float, int, str]],
    header_only: bool,
    digest_fits: bool,
) -> None:
    path, data, card = pristine
    path.with_suffix(".json").write_bytes(card)
    header = 8 + struct.unpack("<Q", data[:8])[0]
    changed = mutated(data[:header], mutations) + data[header:] if header_only else mutated(data, mutations)
    (rewrite_bytes if digest_fits else Path.write_bytes)(path, changed)
    try:
        net, _ = checkpoint.load(path)
    except CheckpointError:
        return
    assert digest_fits or changed == data
    assert all(parameter.isfinite().all() for parameter in net.parameters())


# Writing


def test_nothing_is_written_if_a_weight_overflows_float16(tmp_path: Path) -> None:
    net = random_net()
    next(net.parameters()).data.flatten()[0] = 1e6
    with pytest.raises(CheckpointError, match="not finite in float16, nothing was written"):
        checkpoint.save(net, tmp_path / "some.safetensors", PROVENANCE)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("room", [0, 1])
def test_failed_write_keeps_the_old_pair(weights: Path, room: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the weights nor their card: one without the other could not be loaded."""
    before = {path.name: path.read_bytes() for path in weights.parent.iterdir()}
    written: list[int] = []

    def full_disk(descriptor: int) -> None:
        written.append(descriptor)
        if len(written) > room:
            raise OSError("No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)  # the last step before new files take the place of old ones
    with pytest.raises(OSError, match="No space left"):
        checkpoint.save(random_net(seed=1), weights, PROVENANCE)
    monkeypatch.undo()
    assert {path.name: path.read_bytes() for path in weights.parent.iterdir()} == before


def test_saving_makes_the_folder_and_leaves_no_temporary_file(tmp_path: Path) -> None:
    checkpoint.save(random_net(), tmp_path / "deep" / "down" / "some.safetensors", PROVENANCE)
    names = {path.name for path in (tmp_path / "deep" / "down").iterdir()}
    assert names == {"some.safetensors", "some.json"}


# Methods


def test_weights_of_another_method_or_scale_are_refused(tmp_path: Path) -> None:
    configs: dict[str, Config] = {
        "fgrn": CONFIG,
        "du_none": FGRNConfig(2, 4, 1, 1, guidance="none"),
        "du_bic": FGRNConfig(2, 4, 1, 1, guidance="bicubic"),
        "irn": IRNConfig(2, 1, 2),
    }
    for name, config in configs.items():
        checkpoint.save(random_net(config), weights_path(name, 2, tmp_path), PROVENANCE)
    for held in configs:
        path = weights_path(held, 2, tmp_path)
        for wanted in configs:
            if wanted == held:
                net, card = load_net(wanted, 2, path)
                assert card is not None and card.config == configs[held] and net.scale == 2
            else:
                with pytest.raises(CheckpointError, match="choose the method and scale it was trained for"):
                    load_net(wanted, 2, path)
        with pytest.raises(CheckpointError, match=r"x2, not .* x4"):
            load_net(held, 4, path)


def test_unknown_methods_and_scales() -> None:
    with pytest.raises(ValueError, match="unknown method 'edsr'; choose one of bicubic, irn, fgrn"):
        load_net("edsr", 2)
    with pytest.raises(ValueError, match="scale 3 is not supported; choose one of 2, 4"):
        load_net("fgrn", 3)


def test_missing_weights_disable_the_method(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"fgrn_x2.json is missing"):
        load_net("fgrn", 2, tmp_path / "fgrn_x2.safetensors")
    assert unavailable("bicubic", 2) == ""
    net, card = load_net("bicubic", 2)
    assert card is None and net.scale == 2


def test_unavailable_names_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "fgrn.methods.weights_path", lambda method, scale: weights_path(method, scale, tmp_path)
    )
    assert "fgrn_x2.json is missing" in unavailable("fgrn", 2)
    path = weights_path("fgrn", 2, tmp_path)
    checkpoint.save(random_net(), path, PROVENANCE)
    assert unavailable("fgrn", 2) == ""
    checkpoint.save(random_net(IRNConfig(2, 1, 2)), path, PROVENANCE)
    assert "fgrn_x2.safetensors holds IRN x2" in unavailable("fgrn", 2)
    checkpoint.save(random_net(), path, PROVENANCE)
    path.unlink()
    assert "fgrn_x2.safetensors is missing" in unavailable("fgrn", 2)
