"""The command line: `python -m fgrn downscale | upscale | compare | repeat`.

Only options are handled here; the work is in `fgrn.commands`, imported when it is needed, since it loads torch.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from fgrn import __version__
from fgrn.batch import INTERRUPTED, UNUSABLE, UsageError, drop_stdout

# As in fgrn.methods and fgrn.record, which load torch.
METHODS = ("bicubic", "irn", "fgrn", "fgrn_refined", "du_none", "du_bic")
SCALES = (2, 4)
PROTOCOLS = ("paper", "whole")

EPILOG = """\
exit codes:
  0    all pictures done
  1    some pictures failed; each is named on stderr, the others are done
       (repeat: or a figure differs)
  2    wrong usage, or weights that cannot be used
  130  interrupted by Ctrl-C

examples:
  python -m fgrn downscale photo.jpg -o small.png --scale 4 --method fgrn
  python -m fgrn upscale small.png -o back.png
  python -m fgrn downscale photos/ -o small/         every picture below photos/
  python -m fgrn compare photo.jpg --scale 4 --json out.json
  python -m fgrn repeat benchmark.zip photos/        the run of a ZIP from the page, once more

The weights are looked for in assets/weights, or in the folder that FGRN_WEIGHTS names.
"""


def make_parser() -> argparse.ArgumentParser:
    """The parser with its four commands."""
    parser = argparse.ArgumentParser(
        prog="python -m fgrn",
        description="Shrink pictures so that they can be restored, restore them, and compare methods.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"fgrn {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    down = commands.add_parser(
        "downscale",
        help="shrink pictures to LR PNGs",
        description="Shrink pictures to LR PNGs. Each PNG says how to restore it (method, scale, size, weights).",
    )
    _add_files(down, "picture files or folders", "LR PNG, or a folder for several pictures")
    down.add_argument("--scale", type=int, choices=SCALES, default=4, help="default: 4")
    down.add_argument("--method", choices=METHODS, default="fgrn", help="default: fgrn")
    _add_common(down)

    up = commands.add_parser(
        "upscale",
        help="restore pictures from LR PNGs",
        description="Restore pictures from LR PNGs. Method, scale and size are read from the file.",
    )
    _add_files(up, "LR files or folders", "restored PNG, or a folder for several pictures")
    up.add_argument("--method", choices=METHODS, help="for an LR file that does not say it")
    up.add_argument("--scale", type=int, choices=SCALES, help="for an LR file that does not say it")
    up.add_argument(
        "--allow-other-weights", action="store_true", help="restore although other weights made the LR file"
    )
    _add_seed(up)
    _add_common(up)

    compare = commands.add_parser(
        "compare",
        help="shrink and restore by several methods, and print a table of quality",
        description="Shrink and restore pictures by several methods and print a table of quality on stdout: PSNR-Y, "
        "SSIM-Y and PSNR-RGB of the restored picture, PSNR-Y and PSNR-RGB of LR against bicubic, share of x recovered "
        "exactly, seconds, bytes.",
    )
    compare.add_argument("inputs", nargs="+", metavar="INPUT", help="picture files or folders")
    compare.add_argument("--scale", type=int, choices=SCALES, default=4, help="default: 4")
    compare.add_argument(
        "--methods",
        nargs="+",
        type=_method,
        metavar="METHOD",
        help=f"of {', '.join(METHODS)}; default: bicubic irn fgrn, those that have weights",
    )
    compare.add_argument(
        "--protocol",
        choices=PROTOCOLS,
        default="whole",
        help="sides that are no multiple of the scale: whole pictures, padded (default), or cut, as in papers",
    )
    compare.add_argument("--json", metavar="FILE", help="also write all figures to this file")
    compare.add_argument(
        "--no-reference-metrics",
        action="store_true",
        help="also NIQE and PIQE of the LR images, which need no reference (some seconds each)",
    )
    _add_seed(compare)
    _add_common(compare)

    repeat = commands.add_parser(
        "repeat",
        help="repeat a run of the page from its ZIP",
        description="Measure the pictures of a recorded run once more and say whether the figures are equal, timings "
        "apart. Pictures and weights are recognised by their digests.",
    )
    repeat.add_argument("archive", metavar="ZIP", help="a ZIP that the page made in Compare or Benchmark")
    repeat.add_argument("inputs", nargs="+", metavar="INPUT", help="the picture files, or folders with them")
    _add_common(repeat)
    return parser


def _add_files(parser: argparse.ArgumentParser, inputs: str, output: str) -> None:
    parser.add_argument("inputs", nargs="+", metavar="INPUT", help=inputs)
    parser.add_argument("-o", "--output", required=True, metavar="OUTPUT", help=output)
    parser.add_argument("--force", action="store_true", help="allow an output to replace an input")


def _add_seed(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--seed",
        type=_seed,
        help="IRN: draw z at random with this seed (default: z = 0); for weights that were trained so, not the shipped",
    )


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--weights", metavar="W", help="a *.safetensors file, or org/name@revision on the Hub"
    )
    parser.add_argument("--device", help="cpu, cuda, cuda:1, mps, ... (default: a GPU if there is one)")
    parser.add_argument("-q", "--quiet", action="store_true", help="only errors on stderr, no progress bar")


def _method(text: str) -> str:
    if text not in METHODS:
        hint = ""
        if "," in text:
            hint = "; separate them by spaces"
        elif "." in text or "/" in text:
            hint = "; pictures go before --methods"
        raise argparse.ArgumentTypeError(f"{text!r} is no method: choose among {', '.join(METHODS)}{hint}")
    return text


def _seed(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) >= 2**63:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 0 to 2^63 - 1")
    return int(text)


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code.

    Raises:
        SystemExit: by argparse, for --help, --version and wrong options.
    """
    arguments = make_parser().parse_args(argv)
    try:
        from fgrn import commands

        code = commands.run(arguments)
        sys.stdout.flush()
        return code
    except UsageError as error:
        print(f"fgrn: {error}", file=sys.stderr)
        return UNUSABLE
    except KeyboardInterrupt:
        print("fgrn: interrupted; every picture that is written is whole.", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # `python -m fgrn compare ... | head`: the reader has enough
        drop_stdout()
        return 0
