"""What the program needs, package by package, and which of it has known vulnerabilities.

    python -m tests.benchmarks.dependencies [--json PATH]

Lists every package that `requirements.txt` brings, with its version and licence as installed, and asks pip-audit (if it
is installed; `make audit` sees to that) about them. Where its data cannot be reached, the list says so.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import sysconfig
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from fgrn.files import write_atomic

REQUIREMENTS = Path(__file__).resolve().parent.parent.parent / "requirements.txt"
SECONDS = 600.0  # for pip-audit


def needed(requirements: Path = REQUIREMENTS) -> dict[str, Distribution]:
    """Every installed package that the requirements bring on this platform, by name."""
    lines = (line.partition("#")[0].strip() for line in requirements.read_text(encoding="utf-8").splitlines())
    waiting = [Requirement(line) for line in lines if line]
    found: dict[str, Distribution] = {}
    done: set[str] = set()
    while waiting:
        requirement = waiting.pop()
        if str(requirement) in done:
            continue
        done.add(str(requirement))
        try:
            package = distribution(requirement.name)
        except PackageNotFoundError:  # for another platform, or optional
            continue
        found[canonicalize_name(requirement.name)] = package
        for line in package.requires or ():
            brought = Requirement(line)
            extras = requirement.extras or {""}
            if brought.marker is None or any(brought.marker.evaluate({"extra": extra}) for extra in extras):
                waiting.append(brought)
    return dict(sorted(found.items()))


def licence(package: Distribution) -> str:
    """As the package states it: the SPDX expression, a classifier, or the first line of the field."""
    meta = package.metadata
    if "License-Expression" in meta:
        return str(meta["License-Expression"])
    classifiers = [line for line in meta.get_all("Classifier") or () if line.startswith("License ::")]
    if classifiers:
        return " / ".join(line.rsplit(" :: ", 1)[-1] for line in classifiers)
    stated = str(meta["License"]).strip() if "License" in meta else ""
    return stated.splitlines()[0][:60] if stated else "not stated"


def audit(names: set[str]) -> tuple[list[dict[str, Any]], int, str]:
    """Known vulnerabilities of the packages, of how many it could tell, and why not of the others."""
    folder = sysconfig.get_paths()["purelib"]
    command = [
        sys.executable,
        "-m",
        "pip_audit",
        "--path",
        folder,
        "--format",
        "json",
        "--progress-spinner",
        "off",
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
        answers = json.loads(done.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, ValueError, KeyError):
        return [], 0, "pip-audit is not installed, or its data cannot be reached"
    answers = [answer for answer in answers if canonicalize_name(answer["name"]) in names]
    told = [answer for answer in answers if "skip_reason" not in answer]
    skipped = {answer["skip_reason"] for answer in answers if "skip_reason" in answer}
    reasons = sorted({re.sub(r": .*", "", reason) for reason in skipped})
    if not told:  # what it then says of each package, such as that torch is unknown, is not so
        return [], 0, "pip-audit could not reach its data"
    vulnerable = [answer for answer in told if answer.get("vulns")]
    return vulnerable, len(told), "; ".join(reasons)


def main(argv: list[str] | None = None) -> int:
    """Entry point; the exit status is 1 if a package has a known vulnerability."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.dependencies")
    parser.add_argument("--json", type=Path, help="where to write the list")
    arguments = parser.parse_args(argv)
    packages = needed()
    vulnerable, told, reason = audit(set(packages))
    figures = {
        "packages": [
            {"name": name, "version": package.version, "licence": licence(package)}
            for name, package in packages.items()
        ],
        "audit": {"audited": told, "vulnerable": vulnerable, "not_audited_because": reason},
    }
    text = json.dumps(figures, indent=2)
    print(text)
    if arguments.json:
        write_atomic(arguments.json, (text + "\n").encode())
    return 1 if vulnerable else 0


if __name__ == "__main__":
    raise SystemExit(main())
