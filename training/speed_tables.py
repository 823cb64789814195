"""Tables of how fast and how sturdy the program is, from what the scripts in tests/benchmarks have written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from training.markdown import markdown

Json = dict[str, Any]

NETWORKS = {"fgrn": "FGRN", "irn": "IRN", "plain irn": "IRN, published code"}


def _seconds(value: float) -> str:
    return f"{value:.2f}" if value >= 0.1 else f"{value:.3f}"


def floor_table(figures: Json) -> str:
    """FGRN's way down and up of one picture against the arithmetic of its networks."""
    rows = [
        [
            f"x{row['scale']}, {row['width']} x {row['height']}",
            _seconds(row["seconds_down"]),
            _seconds(row["seconds_up"]),
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
            _seconds(row["seconds_down"]),
            _seconds(row["seconds_up"]),
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


def gpu_memory_table(figures: Json) -> str:
    """What torch reserves of a GPU's memory, below several limits; "-" where a limit was too low."""
    measured = [f"{name}_{way}" for name in ("peak_gigabytes", "seconds") for way in ("down", "up")]
    rows = [
        [
            f"{row['width']} x {row['height']}, {NETWORKS.get(row['method'], row['method'])} x{row['scale']}",
            "-" if row["limit"] is None else f"{row['limit']:g}",
            *(f"{row[name]:.2f}" if name in row else "-" for name in measured),
        ]
        for row in figures["rows"]
    ]
    header = ["picture", "limit (GB)", "downscale (GB)", "upscale (GB)", "downscale (s)", "upscale (s)"]
    return markdown(header, rows)


def metrics_table(figures: Json) -> str:
    """PSNR and SSIM of a picture of 4K."""
    height, width = figures["size"]
    seconds = figures["seconds"]
    cells = [seconds["psnr_y"], seconds["ssim_y"], figures["seconds_both"]]
    row = [f"{width} x {height}", *(f"{value:.2f}" for value in cells), f"{figures['memory_mb']:.0f}"]
    return markdown(["picture", "PSNR (s)", "SSIM (s)", "both (s)", "memory (MB)"], [row])


def fuzz_table(figures: Json) -> str:
    """Damaged files by their format: how many were read, refused with a clear error, or anything else."""
    rows = [
        [name, *(f"{counts.get(outcome, 0):,}" for outcome in ("read", "refused", "finding"))]
        for name, counts in figures["outcomes"].items()
    ]
    return markdown(["damaged", "read", "refused", "crash, hang, other error"], rows)


def load_table(figures: Json) -> str:
    """Many clients at once."""
    outcomes = ("right", "queue_full", "wrong", "error")
    row = [
        f"{figures['clients']}",
        f"{figures['seconds']:.0f}",
        *(f"{figures[name]:,}" for name in outcomes),
        f"{figures['median_seconds']:.1f}",
    ]
    header = ["clients", "seconds", "right", "queue full", "wrong", "other error", "median wait (s)"]
    return markdown(header, [row])


def growth_table(figures: Json) -> str:
    """A server after many requests."""
    row = [
        f"{figures['requests']:,}",
        f"{figures['memory_growth_mb']:+.1f}",
        f"{figures['memory_bound_mb']:.0f}",
        f"{figures['new_files']:,}",
        f"{figures['new_file_bytes'] / 1e6:.1f}",
    ]
    header = ["requests", "growth of memory (MB)", "bound (MB)", "new files", "their size (MB)"]
    return markdown(header, [row])


def exactness_table(figures: Json) -> str:
    """How many 8-bit values depend on tiles and threads, or on the device."""
    device = figures["environment"].get("device", "")
    kinds = {
        "tiles": "in tiles",
        "threads": "on two threads instead of one",
        "single steps": f"step by step, {device} against CPU",
        "LR to picture": f"restored from the LR of a CPU, {device} against CPU",
    }
    rows = [
        [
            f"{NETWORKS.get(row['method'], row['method'])} x{row['scale']}, {kinds[row['kind']]}",
            f"{row['values']:,}",
            f"{row['different']:,}",
            f"{row['largest']:g}",
        ]
        for row in figures["rows"]
    ]
    return markdown(["computed", "values", "that differ", "by at most (grey levels)"], rows)


def variants_table(figures: Json) -> str:
    """What torch.compile and bfloat16 would bring, and cost."""
    rows = [
        [
            f"x{row['scale']}, {row['variant']}",
            f"{row['first_seconds']:.1f}",
            f"{row['seconds']:.2f}",
            f"{row['times_as_fast']:.2f}",
            f"{100 * row['different_values']:.2f}",
            f"{row['psnr_change_db']:+.4f}",
        ]
        for row in figures["variants"]
    ]
    header = ["FGRN", "first picture (s)", "later ones (s)", "times as fast", "8-bit values that differ (%)"]
    return markdown([*header, "change (dB)"], rows)


def refining_table(figures: Json) -> str:
    """What gradient steps on x bring and take."""
    rows = [
        [
            f"x{row['scale']}, {row['steps'] or 'no'} steps",
            _seconds(row["seconds_down"]),
            f"{row['psnr_y']:.2f}",
            f"{row['lr_psnr_y']:.2f}",
        ]
        for row in figures["rows"]
    ]
    return markdown(["FGRN", "down (s)", "reconstruction (dB)", "LR against bicubic (dB)"], rows)


def dependencies_table(figures: Json) -> str:
    """How many packages there are, and of how many a known vulnerability was asked for and found."""
    audit = figures["audit"]
    row = [
        str(len(figures["packages"])),
        str(audit["audited"]),
        str(len(audit["vulnerable"])) if audit["audited"] else "-",
        audit["not_audited_because"] or "-",
    ]
    return markdown(["packages", "audited", "with known vulnerabilities", "why not audited"], [row])


SPEED_TABLES: dict[str, tuple[str, Callable[[Json], str]]] = {
    "speed-floor": ("speed.json", floor_table),
    "speed-floor-gpu": ("speed_gpu.json", floor_table),
    "speed-side-by-side": ("speed.json", side_by_side_table),
    "speed-page": ("page.json", page_table),
    "memory": ("memory.json", memory_table),
    "memory-gpu": ("gpu_memory.json", gpu_memory_table),
    "metrics": ("metrics_4k.json", metrics_table),
    "fuzz": ("fuzz.json", fuzz_table),
    "load": ("load.json", load_table),
    "growth": ("growth.json", growth_table),
    "exactness": ("exactness.json", exactness_table),
    "exactness-gpu": ("exactness_gpu.json", exactness_table),
    "variants": ("variants.json", variants_table),
    "refining": ("refining.json", refining_table),
    "refining-gpu": ("refining_gpu.json", refining_table),
    "dependencies": ("dependencies.json", dependencies_table),
}
"""The file in assets/results, and how it is shown, of each table."""
