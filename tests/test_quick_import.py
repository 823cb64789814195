"""The quick import of Gradio, in processes of its own: only the first import counts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COUNT = """
import ast, inspect
parsed = []
plain = ast.get_source_segment
ast.get_source_segment = lambda source, node: parsed.append(node.name) or plain(source, node)
{imports}
print(len(parsed), inspect.getfile(gradio.Button).endswith("button.py"), len(gradio.Button().get_config()) > 5)
"""


def answer(imports: str) -> list[str]:
    command = [sys.executable, "-c", COUNT.format(imports=imports)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()


def test_no_source_is_parsed_and_all_is_as_before_afterwards() -> None:
    assert answer("from lab.quick_import import gradio") == ["0", "True", "True"]


def test_gradio_still_needs_it() -> None:
    """If this fails, Gradio has become quick by itself: delete lab/quick_import.py."""
    assert int(answer("import gradio")[0]) > 50
