"""What a benchmark tells: printed, and kept if a file is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fgrn.files import write_json


def report(figures: dict[str, Any], file: Path | None) -> None:
    """Print figures as JSON, and write them to `file`."""
    print(json.dumps(figures, indent=2))
    if file:
        write_json(file, figures)
