"""Failures on one picture, after which a command goes on with the others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fgrn.batch import UNUSABLE, Reporter
from fgrn.checkpoint import CheckpointError
from fgrn.images import ImageError
from fgrn.memory import memory_errors_as
from fgrn.pipeline import RescaleError

NO_MEMORY = "there is not enough memory for this picture. Use a smaller one, or --device cpu."


@contextmanager
def failures_named(source: Path, reporter: Reporter, target: Path | None = None) -> Iterator[None]:
    """Report an expected failure on one picture, which is to be written to `target`, and go on."""
    try:
        with memory_errors_as(RescaleError, NO_MEMORY):
            yield
    except CheckpointError as error:
        reporter.fail(f"{source}: {error}", UNUSABLE)
    except (ImageError, RescaleError) as error:
        reporter.fail(f"{source}: {error}")
    except BrokenPipeError:
        raise
    except OSError as error:
        what = error.filename or "the result"
        if target and Path(what) not in target.parents:  # the temporary file, which is gone
            what = target
        reporter.fail(f"{source}: {what} cannot be written: {error.strerror or error}")
