"""Tables of how fast the program is, from what the scripts in tests/benchmarks have written."""

from __future__ import annotations

from typing import Any

from training.markdown import markdown

Json = dict[str, Any]

NETWORKS = {"fgrn": "FGRN", "irn": "IRN", "plain irn": "IRN, published code"}


def floor_table(figures: Json) -> str:
    """FGRN's way down and up of one picture against the arithmetic of its networks."""
    rows = [
        [
            f"x{row['scale']}, {row['width']} x {row['height']}",
            f"{row['seconds_down']:.2f}",
            f"{row['seconds_up']:.2f}",
            f"{row['gflop']:.0f}",
            f"{row['ceiling_gflops']:.0f}",
            f"{row['times_floor']:.2f}",
        ]
        for row in figures["against_the_floor"]
    ]
    header = ["FGRN", "down (s)", "up (s)", "GFLOP", "GFLOP/s of a convolution", "times the floor"]
    return markdown(header, rows)


def side_by_side_table(figures: Json) -> str:
    """FGRN and IRN on the same tensor in the same run, against the plain IRN."""
    plain = figures["environment"]["plain_irn"]
    names = NETWORKS | ({} if plain == "published code" else {"plain irn": "IRN, restated plainly"})
    rows = [
        [
            f"x{row['scale']}, {names[row['network']]}",
            f"{row['seconds_down']:.2f}",
            f"{row['seconds_up']:.2f}",
            f"{row['times_as_fast_as_plain_irn']:.2f}",
            f"{keeping['times_as_fast_as_plain_irn']:.2f}",
        ]
        for row, keeping in zip(figures["side_by_side"], figures["side_by_side_keeping_memory"], strict=True)
    ]
    side = figures["side_by_side"][0]["side"]
    times = f"times as fast as {names['plain irn']}"
    return markdown(
        [f"{side} x {side}", "down (s)", "up (s)", times, "the same, where all keep freed memory"], rows
    )


def page_table(figures: Json) -> str:
    """What a visitor waits for."""
    return markdown(
        ["page", "seconds"], [[step, f"{value:.1f}"] for step, value in figures["seconds"].items()]
    )


def memory_table(figures: Json) -> str:
    """Peak of the resident memory of the command line."""
    rows = [
        [
            f"{row['width']} x {row['height']} ({row['width'] * row['height'] / 1e6:.0f} MP), "
            f"{NETWORKS.get(row['method'], row['method'])} x{row['scale']}",
            f"{row['peak_megabytes_down'] / 1000:.2f}",
            f"{row['peak_megabytes_up'] / 1000:.2f}",
        ]
        for row in figures["rows"]
    ]
    return markdown(["picture", "downscale (GB)", "upscale (GB)"], rows)
