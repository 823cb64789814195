"""Failures on one picture, after which a command goes on with the others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fgrn.batch import UNUSABLE, Reporter, UsageError
from fgrn.checkpoint import CheckpointError
from fgrn.images import ImageError
from fgrn.inputs import RescaleError
from fgrn.memory import memory_errors_as

NO_MEMORY = "there is not enough memory for this picture. Use a smaller one, or --device cpu."


@contextmanager
def failures_named(source: Path, reporter: Reporter) -> Iterator[None]:
    """Report an expected failure on one picture, and go on."""
    try:
        with memory_errors_as(RescaleError, NO_MEMORY):
            yield
    except CheckpointError as error:
        reporter.fail(f"{source}: {error}", UNUSABLE)
    except (ImageError, RescaleError, UsageError) as error:
        reporter.fail(f"{source}: {error}")
    except BrokenPipeError:
        raise
    except OSError as error:
        reporter.fail(f"{source}: {error}")
