"""What the README promises in code: its examples run as they are written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from fgrn.images import read_image
from lab.stress.uploads import CODED
from tests.conftest import ROOT, Photo


def example(section: str) -> str:
    """The Python code of a section."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return text.partition(f"\n## {section}\n")[2].partition("```python\n")[2].partition("```")[0]


@pytest.fixture
def names(tmp_path: Path, photo: Photo, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Where an example runs: in a folder with a photo.jpg."""
    monkeypatch.chdir(tmp_path)
    Image.fromarray(photo(64, 80)).save("photo.jpg")
    return {}


@pytest.mark.usefixtures("use_tiny_weights")
def test_python(names: dict[str, Any]) -> None:
    exec(example("Python"), names)
    assert names["lr"].shape == (16, 20, 3) and names["hr"].shape == (64, 80, 3)
    assert (names["result"].lr == names["lr"]).all()
    assert read_image("small.png").info is not None


def test_http_api(names: dict[str, Any], url: str) -> None:
    code = example("HTTP API")
    assert "http://127.0.0.1:7860" in code
    exec(code.replace("http://127.0.0.1:7860", url), names)
    assert read_image(names["lr"]).pixels.shape == (16, 20, 3)
    assert read_image(names["back"]).pixels.shape == (64, 80, 3)
    assert names["notices"] == [CODED], "of /bytes: photo.jpg is a JPEG"
    assert {row["method"] for row in names["rows"]} == {"fgrn"}
    assert 0 <= names["figures"]["x_exact"] <= 1
    assert names["summary"] and len(names["files"]) == 3
