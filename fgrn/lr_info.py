"""What an LR PNG says of restoring it, and how that is written into a text chunk of the file."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from typing import Any

from fgrn.srgb import ImageError

INFO_KEY = "fgrn"
INFO_VERSION = 1
_MAX_INFO_CHARS = 1024  # a real chunk is about 150 characters
_MAX_SIDE, _MAX_AREA = 1 << 20, 1 << 30


@dataclass(frozen=True)
class LRInfo:
    """What restoring an LR picture needs: method name, integer scale, HR height and width in pixels, and the
    lower-case hex digest of the weights ("" for a method without weights). Absurd values raise ValueError.
    """

    method: str
    scale: int
    height: int
    width: int
    digest: str

    def __post_init__(self) -> None:
        for key, kind in (("method", str), ("scale", int), ("height", int), ("width", int), ("digest", str)):
            if type(getattr(self, key)) is not kind:  # not isinstance: True is an int
                raise ValueError(f"{key} must be {'text' if kind is str else 'a whole number'}")
        if not re.fullmatch(r"[a-z][a-z0-9_-]{0,31}", self.method):
            raise ValueError("method must be a short lower-case name")
        if not 1 < self.scale <= 16:
            raise ValueError("scale must be 2 to 16")
        if not (0 < self.height <= _MAX_SIDE and 0 < self.width <= _MAX_SIDE):
            raise ValueError(f"height and width must be 1 to {_MAX_SIDE}")
        if self.height * self.width > _MAX_AREA:
            raise ValueError(f"height x width must be at most {_MAX_AREA}")
        if not re.fullmatch(r"[0-9a-f]{0,128}", self.digest):
            raise ValueError("digest must be lower-case hexadecimal")


def format_info(info: LRInfo) -> str:
    """The LR note as compact ASCII JSON, version first."""
    return json.dumps({"version": INFO_VERSION, **asdict(info)}, separators=(",", ":"))


def parse_info(text: str) -> LRInfo:
    """Inverse of `format_info`, strict: a missing, unknown, repeated or absurd value raises ImageError."""
    try:
        if len(text) > _MAX_INFO_CHARS:
            raise ValueError(f"longer than {_MAX_INFO_CHARS} characters")
        fields = json.loads(text, object_pairs_hook=_unique)
        if not isinstance(fields, dict):
            raise ValueError("not a JSON object")
        version = fields.pop("version", None)
        if type(version) is not int or version != INFO_VERSION:
            raise ValueError(f"version is not {INFO_VERSION}")
        if fields.keys() != LRInfo.__dataclass_fields__.keys():
            raise ValueError("it needs exactly method, scale, height, width, digest")
        return LRInfo(**fields)
    except (ValueError, RecursionError) as error:
        why = "not valid JSON" if isinstance(error, json.JSONDecodeError | RecursionError) else str(error)
        raise ImageError(
            f"The note on how to restore this picture is damaged or of another version ({why}), so it is not used. "
            "Name the method and the scale yourself."
        ) from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a key is repeated")
    return fields
