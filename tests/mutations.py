"""Files with damage at random, from fixed seeds: pictures of every format, LR notes, weights and their cards."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from fgrn.images import encode_png
from fgrn.lr_info import LRInfo
from tests.crafted import chunk

HEADER = 100  # bytes in which most formats say what follows
WILD_NUMBERS: tuple[int, ...] = (
    0,
    1,
    2,
    3,
    7,
    0x7F,
    0x80,
    0xFF,
    0x7FFF,
    0x8000,
    0xFFFE,
    0xFFFF,
    0x10000,
    0xFFFFFF,
)
WILD_NUMBERS += (0x7FFFFFFF, 0x80000000, 0xFFFFFFF0, 0xFFFFFFFF, 65_500, 16_383, 4_000)
WILD_VALUES: tuple[Any, ...] = (0, 1, -1, 2, 3, 4, 1024, 1025, 2**31, 2**63, 10**400, 0.5, 1e308, True, None)
WILD_VALUES += ("", "x", "4", "../../x", "0" * 5000, "\ud800", "<b>", [], [1], {}, {"scale": 4}, float("nan"))

Random = np.random.Generator
Mutation = Callable[[bytes, Random], bytes]


def flip_bits(data: bytes, random: Random) -> bytes:
    changed = bytearray(data)
    end = min(HEADER, len(data)) if random.random() < 0.5 else len(data)
    for at in random.integers(0, end, int(random.integers(1, 17))):
        changed[at] ^= 1 << int(random.integers(8))
    return bytes(changed)


def _slice(data: bytes, random: Random) -> tuple[int, int]:
    start = int(random.integers(len(data)))
    return start, min(len(data), start + int(random.integers(1, max(2, len(data) // 4))))


def overwrite_run(data: bytes, random: Random) -> bytes:
    start, end = _slice(data, random)
    runs = (bytes(end - start), b"\xff" * (end - start), random.bytes(end - start))
    return data[:start] + runs[int(random.integers(3))] + data[end:]


def truncate(data: bytes, random: Random) -> bytes:
    return data[: int(random.integers(len(data)))]


def duplicate_slice(data: bytes, random: Random) -> bytes:
    start, end = _slice(data, random)
    return data[:end] + data[start:end] * int(random.integers(1, 5)) + data[end:]


def remove_slice(data: bytes, random: Random) -> bytes:
    start, end = _slice(data, random)
    return data[:start] + data[end:]


def insert_noise(data: bytes, random: Random) -> bytes:
    at = int(random.integers(len(data)))
    return data[:at] + random.bytes(int(random.integers(1, 64))) + data[at:]


def wild_number(data: bytes, random: Random) -> bytes:
    """A whole number of the header becomes an extreme one."""
    at = int(random.integers(min(HEADER, len(data))))
    size = (1, 2, 4, 8)[int(random.integers(4))]
    value = int(random.choice(np.array(WILD_NUMBERS))) % (1 << 8 * size)
    number = value.to_bytes(size, "little" if random.random() < 0.5 else "big")
    return (data[:at] + number + data[at + size :])[: max(len(data), at + size)]


COMMON: tuple[Mutation, ...] = (flip_bits, overwrite_run, truncate, duplicate_slice, remove_slice)
COMMON += (insert_noise, wild_number)


def png_chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    """Kinds and contents of the chunks of a sound PNG."""
    chunks, at = [], 8
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        chunks.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += 12 + length
    return chunks


PNG_KINDS = (
    b"IHDR PLTE IDAT IEND tRNS cHRM gAMA iCCP sRGB pHYs tEXt zTXt iTXt eXIf acTL fcTL fdAT cICP".split()
)


def wild_chunk(data: bytes, random: Random) -> bytes:
    """A chunk is changed, added, moved or removed; all checksums are right."""
    chunks = png_chunks(data)
    at = int(random.integers(len(chunks)))
    kind, content = chunks[at]
    choice = int(random.integers(5))
    if choice == 0 and content:
        chunks[at] = kind, COMMON[int(random.integers(len(COMMON)))](content, random)
    elif choice == 1:
        new = PNG_KINDS[int(random.integers(len(PNG_KINDS)))]
        chunks.insert(at, (new, random.bytes(int(random.integers(0, 40)))))
    elif choice == 2:
        chunks.insert(int(random.integers(len(chunks))), chunks.pop(at))
    elif choice == 3:
        chunks[at] = PNG_KINDS[int(random.integers(len(PNG_KINDS)))], content
    else:
        del chunks[at]
    return data[:8] + b"".join(chunk(*part) for part in chunks)


def wild_tag(data: bytes, random: Random) -> bytes:
    """A number of an entry of a TIFF's first directory becomes an extreme one."""
    order = "<" if data[:2] == b"II" else ">"
    start = struct.unpack(order + "I", data[4:8])[0]
    count = struct.unpack(order + "H", data[start : start + 2])[0]
    at = start + 2 + 12 * int(random.integers(count))
    tag, kind, number, value = struct.unpack(order + "HHII", data[at : at + 12])
    wild = int(random.choice(np.array(WILD_NUMBERS)))
    fields = [
        (wild & 0xFFFF, kind, number, value),
        (tag, int(random.integers(20)), number, value),
        (tag, kind, wild, value),
        (tag, kind, number, wild),
        (tag, kind, number, int(random.integers(len(data)))),
    ][int(random.integers(5))]
    return data[:at] + struct.pack(order + "HHII", *fields) + data[at + 12 :]


def wild_segment(data: bytes, random: Random) -> bytes:
    """The content or the length of a JPEG segment, which entropy coding does not hide, is changed."""
    marks = [i for i in range(len(data) - 12) if data[i] == 0xFF and data[i + 1] >= 0xC0]
    at = marks[int(random.integers(len(marks)))] + int(random.integers(1, 12))
    return data[:at] + random.bytes(int(random.integers(1, 4))) + data[at + 1 :]


SPECIAL: dict[str, Mutation] = {"PNG": wild_chunk, "TIFF": wild_tag, "JPEG": wild_segment}


@dataclass(frozen=True)
class Case:
    """A file to be read, and the name of what was done to it. `card` is the JSON beside a weight file."""

    kind: str  # "picture", "note" or "weights"
    format: str
    what: str
    data: bytes
    card: bytes = b""


def picture(sound: dict[str, list[bytes]], index: int, seed: int) -> Case:
    """The mutated picture of a number; the formats take turns."""
    random = np.random.default_rng([seed, index])
    name = list(sound)[index % len(sound)]
    data, done = sound[name][int(random.integers(len(sound[name])))], []
    if name in SPECIAL and random.random() < 0.5:
        data = SPECIAL[name](data, random)
        done.append(SPECIAL[name].__name__)
    while data and (not done or random.random() < 0.3):
        mutation = COMMON[int(random.integers(len(COMMON)))]
        data = mutation(data, random)
        done.append(mutation.__name__)
    return Case("picture", name, " + ".join(done), data)


def _wild_json(text: str, random: Random) -> str:
    """JSON with a value, or a key, that does not belong there."""
    content = json.loads(text)
    inside = [value for value in content.values() if isinstance(value, dict) and value]
    target = inside[int(random.integers(len(inside)))] if inside and random.random() < 0.7 else content
    key = list(target)[int(random.integers(len(target)))]
    if random.random() < 0.2:
        del target[key]
    else:
        target[key if random.random() < 0.9 else key + "x"] = WILD_VALUES[
            int(random.integers(len(WILD_VALUES)))
        ]
    return json.dumps(content)


def note(index: int, seed: int) -> Case:
    """An LR PNG whose note is damaged, its checksum right."""
    random = np.random.default_rng([seed, 1, index])
    sides = random.integers(16, 40, 2)
    lr = random.integers(0, 256, (int(sides[0]), int(sides[1]), 3), dtype=np.uint8)
    method = ("bicubic", "irn", "fgrn")[int(random.integers(3))]
    chunks = png_chunks(encode_png(lr, LRInfo(method, 2, int(sides[0]) * 2, int(sides[1]) * 2, "ab12")))
    at = next(i for i, (kind, _) in enumerate(chunks) if kind == b"tEXt")
    key, _, text = chunks[at][1].partition(b"\0")
    what = "wild_json"
    if random.random() < 0.7:
        text = _wild_json(text.decode(), random).encode("latin-1", "replace")
    else:
        mutation = COMMON[int(random.integers(len(COMMON)))]
        text, what = mutation(text, random), mutation.__name__
    chunks[at] = b"tEXt", key + b"\0" + text
    return Case("note", "LR note", what, b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in chunks))


def weights(sound: list[tuple[bytes, bytes]], index: int, seed: int) -> Case:
    """Damaged weights or a damaged card. The digest is made right, so that more than the digest is asked for."""
    random = np.random.default_rng([seed, 2, index])
    data, card = sound[int(random.integers(len(sound)))]
    choice = int(random.integers(4))
    if choice == 0:
        return Case("weights", "card", "wild_json", data, _wild_json(card.decode(), random).encode())
    mutation = COMMON[int(random.integers(len(COMMON)))]
    if choice == 1:
        return Case("weights", "card", mutation.__name__, data, mutation(card, random))
    header = 8 + int(struct.unpack("<Q", data[:8])[0])
    if (
        choice == 2
    ):  # the JSON that says where the tensors are; its length, in front, is made right in half the cases
        changed = mutation(data[8:header], random)
        length = len(changed) if random.random() < 0.5 else header - 8
        data = struct.pack("<Q", length) + changed + data[header:]
    else:
        data = mutation(data, random)
    content = json.loads(card)
    content["sha256"] = hashlib.sha256(data).hexdigest()
    name = ("tensor names, " if choice == 2 else "") + mutation.__name__
    return Case("weights", "safetensors", name, data, json.dumps(content).encode())
