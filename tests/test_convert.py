"""Published IRN files: the converted net computes the same function; anything else is refused with a reason."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from fgrn import checkpoint
from fgrn.checkpoint import CheckpointError
from fgrn.convert import convert, main, net_from_published
from fgrn.methods import SCALES, load_net
from fgrn.models import IRN, IRNConfig
from tests.reference_irn import PublishedIRN, published_code, randomised


def half_rounded(net: PublishedIRN) -> PublishedIRN:
    """Weights that float16 holds exactly, so that the file loses nothing."""
    for parameter in net.parameters():
        parameter.data = parameter.data.half().float()
    return net


def random_published(scale: int, blocks: int = 2, growth: int = 4) -> PublishedIRN:
    return half_rounded(randomised(PublishedIRN(scale, blocks, growth), seed=scale, size=0.05))


def assert_same_function(published: PublishedIRN, net: Any) -> None:
    assert isinstance(net, IRN)
    hr = torch.rand(1, 3, 4 * net.scale, 6 * net.scale, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = published.down(hr)
        lr, z = net(hr)
        assert (expected[:, :3] - torch.nn.functional.avg_pool2d(hr, net.scale)).abs().max() > 0.01
        assert (torch.cat([lr, z], 1) - expected).abs().max() < 1e-5
        assert (net.decode(lr) - published.up(torch.cat([lr, 0 * z], 1))).abs().max() < 1e-5
        assert (net.inverse(lr, z) - hr).abs().max() < 1e-5


@pytest.mark.parametrize("scale", [2, 4])
def test_converted_net_computes_the_same_function(scale: int, tmp_path: Path) -> None:
    published = random_published(scale)
    torch.save(published.state_dict(), tmp_path / "IRN.pth")
    path = convert(tmp_path / "IRN.pth", tmp_path / "out")
    assert path == tmp_path / "out" / f"irn_x{scale}.safetensors"
    net, card = load_net("irn", scale, path)
    assert card is not None and card.config == IRNConfig(scale, blocks=2, growth=4)
    assert "IRN.pth" in card.provenance.notes
    assert_same_function(published, net)


def test_full_size(tmp_path: Path) -> None:
    published = half_rounded(randomised(PublishedIRN(2), size=0.02))
    torch.save(published.state_dict(), tmp_path / "IRN_x2.pth")
    net, card = checkpoint.load(convert(tmp_path / "IRN_x2.pth", tmp_path))
    assert card.config == IRNConfig(2) and card.parameters == 1_667_952
    assert_same_function(published, net)


@pytest.mark.parametrize("scale", SCALES)
def test_published_code_itself(scale: int, tmp_path: Path) -> None:
    """With a checkout of it: weights that it has saved are read, and both it and our restatement agree with our net."""
    published = published_code(scale)
    if published is None:
        pytest.skip("IRN_REPO names no checkout of the published code")
    restated = half_rounded(randomised(PublishedIRN(scale), seed=scale, size=0.02))
    published.load_state_dict(restated.state_dict())
    torch.save(published.state_dict(), tmp_path / f"IRN_x{scale}.pth")
    net, _ = checkpoint.load(convert(tmp_path / f"IRN_x{scale}.pth", tmp_path))
    assert isinstance(net, IRN)
    assert_same_function(restated, net)
    hr = torch.rand(1, 3, 32, 48, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        lr, z = net(hr)
        lr_and_z = published(hr)
        assert (torch.cat([lr, z], 1) - lr_and_z).abs().max() < 1e-5
        assert (net.inverse(lr, z) - published(lr_and_z, rev=True)).abs().max() < 1e-5


Wrap = Callable[[dict[str, Tensor]], Any]
WRAPS: dict[str, Wrap] = {
    "module prefix": lambda tensors: {f"module.{key}": value for key, value in tensors.items()},
    "state_dict": lambda tensors: {"state_dict": tensors, "epoch": 3},
    "params": lambda tensors: {"params": {f"module.{key}": value for key, value in tensors.items()}},
    "ordered": OrderedDict,
    "shuffled": lambda tensors: dict(reversed(tensors.items())),
    "float64": lambda tensors: {key: value.double() for key, value in tensors.items()},
}


@pytest.mark.parametrize("wrap", WRAPS.values(), ids=WRAPS)
def test_forms_in_which_weights_are_saved(wrap: Wrap, tmp_path: Path) -> None:
    published = random_published(4, blocks=1)
    torch.save(wrap(published.state_dict()), tmp_path / "IRN_x4.pth")
    assert_same_function(published, checkpoint.load(convert(tmp_path / "IRN_x4.pth", tmp_path))[0])


def test_files_of_old_torch_versions(tmp_path: Path) -> None:
    """The published files are from 2020: the format before zip."""
    published = random_published(2)
    torch.save(published.state_dict(), tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    assert_same_function(published, checkpoint.load(convert(tmp_path / "old.pth", tmp_path))[0])


def dropped(tensors: dict[str, Tensor], part: str) -> dict[str, Tensor]:
    return {key: tensor for key, tensor in tensors.items() if part not in key}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: dropped(t, "operations.1.F.conv3.bias"), "missing tensors"),
        (lambda t: dropped(t, "operations.1.F.conv1.bias"), "operations.1.F.conv1.bias is missing"),
        (lambda t: dropped(t, "operations.2."), "operations are missing"),
        (lambda t: dropped(t, "operations.5."), "operations are missing"),
        (lambda t: dropped(t, "haar"), "has 0 Haar transforms"),
        (
            lambda t: {**t, "operations.0.haar_weights": -t["operations.0.haar_weights"]},
            "not the weights of the Haar",
        ),
        (lambda t: {**t, "operations.0.haar_weights": torch.zeros(3)}, "not the weights of the Haar"),
        (
            lambda t: {**t, "conv_first.weight": torch.zeros(3)},
            "'conv_first.weight' is no tensor of the published",
        ),
        (lambda t: {**t, "operations.1.F.conv6.bias": torch.zeros(3)}, "is no tensor of the published IRN"),
        (lambda t: {**t, "operations.4.G.conv2.bias": torch.zeros(3)}, r"is \(3,\), needed is \(4,\)"),
        (lambda t: {**t, "operations.4.G.conv2.bias": torch.full((4,), float("nan"))}, "not finite"),
        (lambda t: {**t, "operations.4.G.conv2.bias": "text"}, "is no tensor"),
        (lambda t: {}, "holds no named tensors"),
        (lambda t: [1, 2], "holds no named tensors"),
    ],
)
def test_other_files_are_refused(
    change: Callable[[dict[str, Tensor]], Any], message: str, tmp_path: Path
) -> None:
    torch.save(change(random_published(4).state_dict()), tmp_path / "IRN_x4.pth")
    with pytest.raises(CheckpointError, match=message) as caught:
        convert(tmp_path / "IRN_x4.pth", tmp_path / "out")
    assert "IRN_x4.pth" in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_nothing_in_the_file_is_executed(tmp_path: Path) -> None:
    class Malicious:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(tmp_path / "executed"),)

    torch.save({"state": Malicious()}, tmp_path / "IRN_x4.pth")
    with pytest.raises(CheckpointError, match=r"IRN_x4.pth is damaged, or more than a plain file of weights"):
        convert(tmp_path / "IRN_x4.pth", tmp_path)
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("data", [b"", b"no weights at all", b"PK\x03\x04 broken zip", b"\x80\x02."])
def test_damaged_files(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "IRN_x4.pth").write_bytes(data)
    with pytest.raises(CheckpointError, match=r"IRN_x4.pth (is damaged|holds no)"):
        convert(tmp_path / "IRN_x4.pth", tmp_path)


def test_truncated_file(tmp_path: Path) -> None:
    torch.save(random_published(2).state_dict(), tmp_path / "IRN_x2.pth")
    data = (tmp_path / "IRN_x2.pth").read_bytes()
    (tmp_path / "IRN_x2.pth").write_bytes(data[: len(data) // 2])
    with pytest.raises(CheckpointError, match=r"IRN_x2.pth is damaged"):
        convert(tmp_path / "IRN_x2.pth", tmp_path)


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save(random_published(2).state_dict(), tmp_path / "IRN_x2.pth")
    assert main([str(tmp_path / "IRN_x2.pth"), str(tmp_path)]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "irn_x2.safetensors")
    assert main([str(tmp_path / "missing.pth"), str(tmp_path)]) == 1
    assert capsys.readouterr().err == "error: missing.pth cannot be read (No such file or directory)\n"


def test_wrong_branch_order_would_be_seen() -> None:
    """The test above can fail: exchanging G and H (shift and exponent) changes the function."""
    published = random_published(2)
    exchanged = {
        key.replace(".G.", ".?.").replace(".H.", ".G.").replace(".?.", ".H."): tensor
        for key, tensor in published.state_dict().items()
    }
    net = net_from_published(exchanged, "exchanged")
    with pytest.raises(AssertionError):
        assert_same_function(published, net)
