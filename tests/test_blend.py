"""Between two F: the ends are the two, the middle is the mean, and what is written says what it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from fgrn import checkpoint
from fgrn.images import encode_png
from fgrn.models import FGRN, FGRNConfig
from tests.conftest import Photo, make_tiny_weights
from training import blend

CONFIG = FGRNConfig(2, channels=4, down_blocks=1, up_blocks=1, flow_cells=2, flow_growth=2)


def random_net(seed: int) -> FGRN:
    torch.manual_seed(seed)
    net = FGRN(CONFIG)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(torch.randn(parameter.shape), alpha=0.05)
    return net.eval()


def test_the_ends_are_the_two_flows_and_the_middle_is_their_mean() -> None:
    new, old = random_net(1), random_net(2)
    x = torch.rand(1, 3, 8, 8)
    with torch.no_grad():
        assert torch.equal(blend.blend(new, old, 1.0).to_lr(x), new.to_lr(x))
        assert torch.equal(blend.blend(new, old, 0.0).to_lr(x), old.to_lr(x))
        middle = blend.blend(new, old, 0.25)
        assert torch.equal(middle.decode(x), new.decode(x)), "G_u is never blended"
        assert (middle.from_lr(middle.to_lr(x)) - x).abs().max() < 1e-5, "any mean of weights is invertible"
    beyond = blend.blend(new, old, 1.5)
    for name, parameter in beyond.flow.named_parameters():
        pair = old.flow.get_parameter(name), new.flow.get_parameter(name)
        assert torch.allclose(parameter, 1.5 * pair[1] - 0.5 * pair[0], atol=1e-6), name
    for name, parameter in middle.flow.named_parameters():
        pair = old.flow.get_parameter(name), new.flow.get_parameter(name)
        assert torch.allclose(parameter, 0.75 * pair[0] + 0.25 * pair[1], atol=1e-7), name


def test_the_other_way_round_the_flow_stays() -> None:
    new, old = random_net(1), random_net(2)
    x, hr = torch.rand(1, 3, 8, 8), torch.rand(1, 3, 16, 16)
    with torch.no_grad():
        ends = [blend.blend(new, old, share, blend.RESCALING) for share in (0.0, 1.0)]
        for end, whole in zip(ends, (old, new), strict=True):
            assert torch.equal(end.decode(x), whole.decode(x)) and torch.equal(
                end.encode(hr), whole.encode(hr)
            )
            assert torch.equal(end.to_lr(x), new.to_lr(x))


def test_networks_without_a_common_flow_are_refused() -> None:
    other = FGRN(FGRNConfig(2, channels=4, down_blocks=1, up_blocks=1, flow_cells=1, flow_growth=2))
    with pytest.raises(ValueError, match="no F between"):
        blend.blend(random_net(1), other, 0.5)


def test_figures_and_weights_are_written(
    tmp_path: Path, photo: Photo, caplog: pytest.LogCaptureFixture
) -> None:
    new, old = (
        make_tiny_weights(tmp_path / name, seed) / "fgrn_x2.safetensors"
        for name, seed in (("n", 1), ("o", 2))
    )
    data = tmp_path / "data"
    data.mkdir()
    for seed in range(3):
        (data / f"{seed}.png").write_bytes(encode_png(photo(48, 48, seed)))
    options = [
        "--data",
        str(data),
        "--hold-out",
        "2",
        "--shares",
        "0",
        "1",
        "--json",
        str(tmp_path / "out.json"),
    ]
    arguments = [str(new), "--flow-of", str(old), *options, "--share", "0.5", "--out", str(tmp_path / "out")]
    assert blend.main(arguments) == 0
    assert blend.main([*arguments[:-1], str(new.parent)]) == 2
    assert "would be lost" in caplog.text
    (tmp_path / "file").touch()
    assert blend.main([*arguments[:-1], str(tmp_path / "file")]) == 2
    assert f"{tmp_path / 'file'} cannot be written: File exists" in caplog.text
    figures = json.loads((tmp_path / "out.json").read_text())
    assert [row["share"] for row in figures["rows"]] == [0, 1] and figures["images"] == 2
    assert figures["rows"][0]["psnr_y_direct"] == figures["rows"][1]["psnr_y_direct"]
    assert figures["rows"][0]["lr_psnr_y"] != figures["rows"][1]["lr_psnr_y"]
    _, card = checkpoint.load(tmp_path / "out" / "fgrn_x2.safetensors")
    assert f"F: 0.5 of those of {figures['old']}, 0.5 of those of {figures['new']}" in card.provenance.notes
    assert card.provenance.metrics["validation"]["psnr_y_direct"] == figures["rows"][0]["psnr_y_direct"]


def test_weights_are_there_although_the_figures_cannot_be_written(
    tmp_path: Path, photo: Photo, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    new = make_tiny_weights(tmp_path / "n", 1) / "fgrn_x2.safetensors"
    (tmp_path / "data").mkdir()
    for seed in range(3):
        (tmp_path / "data" / f"{seed}.png").write_bytes(encode_png(photo(48, 48, seed)))
    monkeypatch.setattr("training.options.write_json", full)
    line = f"--flow-of {new} --data {tmp_path / 'data'} --hold-out 1 --shares 1 --json {tmp_path / 'a.json'}"
    assert blend.main([str(new), *line.split(), "--share", "1", "--out", str(tmp_path / "out")]) == 2
    assert "No space left" in caplog.text
    assert checkpoint.load(tmp_path / "out" / "fgrn_x2.safetensors")


@pytest.mark.parametrize("share", ["-0.1", "3.5", "nan"])
def test_a_share_far_beyond_both_is_refused(share: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        blend.main(["a", "--flow-of", "b", "--data", "c", "--share", share, "--out", "d"])
    assert "is not a number from 0 to 3" in capsys.readouterr().err
