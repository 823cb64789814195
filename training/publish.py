"""Publish the weights, and the page, on the Hugging Face Hub.

`python -m training.publish --repository org/name [--space org/space] [--dry-run]`

The model repository gets, in one commit, METHOD_xSCALE.safetensors with their cards, and a README.md written from them
and from assets/results. The Space gets the page: of `SPACE` what git tracks, with the same weights. All is read and
checked before the first request, and uploaded before the first commit. Nothing is deleted from a repository.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import re
import shutil
import subprocess
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from fgrn.checkpoint import Card, CheckpointError, read_card
from fgrn.methods import (
    METHODS,
    RESTORING,
    SCALES,
    WEIGHTS,
    load_net,
    restored_by,
    weights_folder,
    weights_path,
)
from training import report
from training.markdown import markdown
from training.quality_tables import lr_table, reconstruction_table

logger = logging.getLogger(__name__)

# What the page needs to run: no tests, no training, no runs. README.md has a Space's front matter.
SPACE = ("app.py", "README.md", "LICENSE", "requirements.txt", "assets", "fgrn", "lab")
MODEL_CARD = """\
---
license: other
license_name: trained-on-research-images
license_link: https://huggingface.co/{repository}#licence
library_name: fgrn
pipeline_tag: image-to-image
tags: [image-rescaling, super-resolution, normalizing-flow]
---

# Weights for image rescaling

Shrink a picture to a small one that looks right, and get the big one back almost as it was.

{files}
Each `NAME.safetensors` (float16) needs its card, `NAME.json` with the configuration, the training and the SHA-256. LR
PNGs name their weights by the digest, the beginning of the SHA-256.

## Use

With the code of {lab}:

```python
import fgrn
rescaler = fgrn.load({example})
lr = rescaler.downscale("photo.jpg")  # must stay as it is: saved as JPEG or edited, it restores to something worse
hr = rescaler.upscale(lr)
```

COMMIT is a commit of this repository, best the latest one in its history. A branch such as `main` works too, but it
moves: an LR PNG is restored by the weights that made it, and other ones refuse it.

## Figures

Reconstruction: Y channel, PSNR in dB / SSIM, everything through 8 bit. HR is cropped to a multiple of the scale, and
`scale` pixels are left out on each side. The rows "as the paper reports" are the paper's own figures, for networks
trained on DIV2K and Flickr2K. The second table of a scale is the LR side, which belongs to it: a method can buy
reconstruction with an LR image that looks less like the picture. Not measured: {unmeasured}.

{figures}
## Licence

The weights were trained on images that are free for research use. The code is under the Apache 2.0 licence.

## Citation

{citation}
"""
# What the Hub allows; its client says so only when a request is due.
_NAME = re.compile(r"(?!.*(--|\.\.|\.git$))\b[\w.-]{1,96}\b/\b[\w.-]{1,96}\b", re.ASCII)


class PublishError(ValueError):
    """What cannot be published; the message says what, why, and what to do."""


@dataclass(frozen=True)
class Weights:
    """Verified weights, and the bytes of their two files by name."""

    name: str  # METHOD_xSCALE
    method: str
    scale: int
    card: Card
    files: dict[str, bytes]


@dataclass(frozen=True)
class Upload:
    """What one repository gets, in one commit."""

    kind: str  # "model" or "space", as the Hub calls them
    repository: str
    files: dict[str, bytes]
    message: str


def read_weights(folder: Path) -> list[Weights]:
    """All weights of `folder` that have the name of a method and a scale.

    Raises:
        CheckpointError: if one of them is damaged, incomplete, or that of another method.
        PublishError: if there are none.
    """
    found = []
    with TemporaryDirectory() as copies:
        for method, scale in product((name for name in RESTORING if METHODS[name].trained), SCALES):
            copy = weights_path(method, scale, Path(copies))
            names = [name for name in (copy.name, f"{copy.stem}.json") if (folder / name).exists()]
            for name in names:  # what is checked is what is sent: a run may be writing to the folder
                shutil.copyfile(folder / name, copy.with_name(name))
            if names:
                load_net(method, scale, copy)
                card = read_card(copy.with_suffix(".json"))
                files = {name: copy.with_name(name).read_bytes() for name in names}
                found.append(Weights(copy.stem, method, scale, card, files))
    if not found:
        raise PublishError(f"{folder} holds no METHOD_xSCALE.safetensors: name another folder with --weights")
    return found


def model_card(repository: str, weights: list[Weights], space: str | None = None) -> str:
    """The README.md of the model repository; its figures are those in assets/results of exactly these weights.

    Raises:
        PublishError: if README.md has no citation.
    """
    citation = re.search(r"```bibtex\n.*?\n```", report.README.read_text(encoding="utf-8"), re.DOTALL)
    if not citation:
        raise PublishError("README.md has no ```bibtex block: write the citation for the model card there")
    rows = []
    for entry in weights:
        method, origin = METHODS[entry.method], entry.card.provenance
        training = "; ".join(filter(None, [f"trained on {', '.join(origin.data) or '-'}", origin.notes]))
        file = f"`{entry.name}.safetensors`: {method.label} x{entry.scale}, {method.summary}; {training}"
        effort = [f"{entry.card.parameters / 1e6:.2f} M", f"{origin.samples:,}", f"{origin.minutes / 60:.1f}"]
        rows.append([file, *effort, f"`{entry.card.digest}`"])
    shown = next((entry for entry in weights if entry.name == "fgrn_x4"), weights[0])
    figures, names = _figures(weights)
    return MODEL_CARD.format(
        repository=repository,
        files=markdown(["file", "parameters", "patches seen", "hours", "digest"], rows),
        lab=f"[{space}](https://huggingface.co/spaces/{space})" if space else "the FGRN lab",
        example=f'"{shown.method}", scale={shown.scale}, weights="{repository}@COMMIT"',
        unmeasured=", ".join(entry.name for entry in weights if entry.name not in names) or "none",
        figures=figures,
        citation=citation[0],
    )


def describe(upload: Upload) -> str:
    """What would be sent: every path with its size and SHA-256."""
    lines = [f"{upload.kind} {upload.repository}, one commit: {upload.message}"]
    for path, data in sorted(upload.files.items()):
        lines.append(f"{len(data):>12,}  {hashlib.sha256(data).hexdigest()}  {path}")
    total = sum(map(len, upload.files.values()))
    return "\n".join([*lines, f"{total:>12,}  bytes in {len(upload.files)} files"])


def publish(uploads: list[Upload], *, private: bool) -> list[str]:
    """Create the repositories that do not exist, and commit to each; returns the commits.

    Raises:
        PublishError: if it cannot be done; says which commits were made.
    """
    from huggingface_hub import CommitOperationAdd, HfApi, get_token, is_offline_mode

    if is_offline_mode():
        raise PublishError("HF_HUB_OFFLINE forbids every request to the Hub: set HF_HUB_OFFLINE=0")
    api, upload, made = HfApi(), uploads[0], list[str]()
    try:
        if get_token() is None:
            raise PublishError("no token: run `hf auth login`, or set HF_TOKEN to a token that may write")
        for upload in uploads:
            options: dict[str, Any] = {"space_sdk": "gradio"} if upload.kind == "space" else {}
            options |= {"repo_type": upload.kind, "private": private or None, "exist_ok": True}
            api.create_repo(upload.repository, **options)
            # it leaves the visibility of what exists as it is, in silence
            if private and not api.repo_info(upload.repository, repo_type=upload.kind).private:
                raise PublishError("it is public already: make it private in its settings, or omit --private")
        files = [[CommitOperationAdd(*file) for file in upload.files.items()] for upload in uploads]
        for upload, additions in zip(uploads, files, strict=True):
            # a commit leaves out, in silence, what a .gitignore on the Hub names, unless another one is sent
            options = {"repo_type": upload.kind, "free_memory": False, "gitignore_content": "# nothing"}
            api.preupload_lfs_files(upload.repository, additions, **options)
        for upload, additions in zip(uploads, files, strict=True):
            options = {"repo_type": upload.kind, "commit_message": upload.message}
            made.append(api.create_commit(upload.repository, additions, **options).oid)
    except Exception as error:  # of the HTTP client too, which differs between versions of the Hub's library
        done = ", ".join(f"{u.repository}@{commit}" for u, commit in zip(uploads, made, strict=False))
        where = f"{upload.kind} {upload.repository}"
        raise PublishError(f"{where}: {_explain(error)} (confirmed commits: {done or 'none'})") from error
    return made


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    summary = (__doc__ or "").splitlines()[0]
    parser = argparse.ArgumentParser(prog="python -m training.publish", description=summary)
    parser.add_argument("--repository", required=True, metavar="ORG/NAME", help="model repository")
    parser.add_argument(
        "--weights",
        type=Path,
        metavar="DIR",
        help="default: assets/weights, or the folder that FGRN_WEIGHTS names",
    )
    parser.add_argument("--space", metavar="ORG/SPACE", help="publish the page too, as a Gradio Space")
    parser.add_argument("--private", action="store_true", help="the repositories are to be private")
    parser.add_argument("--message", help="commit message")
    parser.add_argument("--dry-run", action="store_true", help="print what would be sent; no request is made")
    arguments = parser.parse_args(argv)
    logging.basicConfig(format="%(message)s")
    try:
        uploads = _prepare(arguments)
        if arguments.dry_run:
            print("\n\n".join(map(describe, uploads)))
            return 0
        commits = publish(uploads, private=arguments.private)
    except (PublishError, CheckpointError, OSError) as error:
        logger.error("cannot publish: %s", error)
        return 2
    print("\n".join(f"{u.kind} {u.repository}@{commit}" for u, commit in zip(uploads, commits, strict=True)))
    return 0


def _prepare(arguments: argparse.Namespace) -> list[Upload]:
    """Read and check everything that is to be published; makes no request."""
    for name in filter(None, (arguments.repository, arguments.space)):
        if not _NAME.fullmatch(name):
            raise PublishError(f"{name!r} is no name of a repository on the Hub: give org/name, no revision")
    weights = read_weights(arguments.weights or weights_folder())
    files = {name: data for entry in weights for name, data in entry.files.items()}
    files["README.md"] = model_card(arguments.repository, weights, arguments.space).encode()
    uploads = [Upload("model", arguments.repository, files, arguments.message or "Weights and model card")]
    if arguments.space:
        uploads.append(Upload("space", arguments.space, _space_files(weights), arguments.message or "Page"))
    return uploads


def _space_files(weights: list[Weights]) -> dict[str, bytes]:
    """What the Space gets, by path: of `SPACE` what git tracks, as it is on disk, and `weights` as assets/weights."""
    command = ["git", "ls-files", "-z", "--error-unmatch", "--", *SPACE]
    try:
        listed = subprocess.run(command, cwd=report.ROOT, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        reason = (getattr(error, "stderr", "") or str(error)).strip().splitlines()[0]
        raise PublishError(f"git cannot list what the Space needs ({reason}): use a whole checkout") from None
    tracked = {path: report.ROOT / path for path in listed.split("\0")[:-1]}
    files = {path: file.read_bytes() for path, file in tracked.items() if file.parent != WEIGHTS}
    return files | {f"assets/weights/{name}": data for entry in weights for name, data in entry.files.items()}


def _figures(weights: list[Weights]) -> tuple[str, set[str]]:
    """The tables of each scale, and the names of the weights that are in them."""
    paper = json.loads((report.RESULTS / "paper.json").read_text(encoding="utf-8"))
    tables, names = list[str](), set[str]()
    for path in (report.RESULTS / f"benchmark_x{scale}.json" for scale in SCALES):
        results = _measured(json.loads(path.read_text(encoding="utf-8")), weights) if path.exists() else None
        if results:
            tables += [reconstruction_table(results, paper), lr_table(results)]
            names |= {f"{method}_x{results['scale']}" for method in results["weights"]}
    return "\n".join(tables), names


def _measured(results: dict[str, Any], weights: list[Weights]) -> dict[str, Any] | None:
    """`results` with the rows of exactly these weights and of bicubic; None if none of these was measured."""
    ours = {entry.method: entry.card.sha256 for entry in weights if entry.scale == results["scale"]}
    same = {
        name: entry
        for name, entry in results["weights"].items()
        if entry["sha256"] == ours.get(restored_by(name))
    }
    datasets = {
        dataset: {name: row for name, row in rows.items() if name in same or name not in results["weights"]}
        for dataset, rows in results["datasets"].items()
    }
    return {**results, "weights": same, "datasets": datasets} if same else None


def _explain(error: Exception) -> str:
    from huggingface_hub import constants, errors

    said = str(error) if isinstance(error, PublishError) else f"{type(error).__name__}: {error}"
    if isinstance(error, errors.HfHubHTTPError):
        status = error.response.status_code
        return {
            401: "the token is not accepted (401): run `hf auth login`, or set HF_TOKEN to a valid one",
            403: "the token may not write there (403): use one that may, or another name",
        }.get(status, f"the Hub answered {status}: {error.server_message or said}")
    if isinstance(error, ValueError):  # ours, the Hub's on metadata, or an answer that is no JSON
        return said
    return f"no exchange with {constants.ENDPOINT} ({said}): check the network, then run it again"


if __name__ == "__main__":
    raise SystemExit(main())
