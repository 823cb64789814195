"""The rescalers of the page: loaded once, shared by all visitors."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from fgrn import record
from fgrn.checkpoint import CheckpointError
from fgrn.devices import default_device
from fgrn.methods import METHODS, RESTORING, SCALES, cards
from fgrn.pipeline import Rescaler, device_of, load, refining
from lab.pace import Pace

_ASK_EVERY = 0.2  # seconds: whether to wait on for the network of another


@dataclass(frozen=True)
class Status:
    """Whether a method can be used at a scale; `reason` is "" if it can, else says why not."""

    method: str
    label: str
    summary: str
    reason: str
    digest: str = ""


class Models:
    """Rescalers by (method, scale), as `load` makes them; `device` is the name of where they run, if that is known.

    A method that refines another's x has that one's network: `load` is never asked for it. A failure is not
    remembered: weights that are put in place later are found without a restart. `pace` knows how long networks
    take.
    """

    def __init__(self, load: Callable[[str, int], Rescaler] = load, device: str | None = None) -> None:
        self._load, self._device = load, device
        self._loaded: dict[tuple[str, int], Rescaler] = {}
        self._lock = threading.Lock()
        self._running = threading.Lock()  # held while a network runs
        self._waiting: set[int] = set()  # threads that have a network to run
        self._ended = float("-inf")  # when the last one ended
        self.pace = Pace()

    def get(self, method: str, scale: int) -> Rescaler:
        """The rescaler of a method.

        Raises:
            ValueError: for an unknown method or scale.
            CheckpointError: if its weights cannot be used.
        """
        with self._lock:
            return self._get(method, scale)

    def _get(self, method: str, scale: int) -> Rescaler:
        key = (method, scale)
        if key not in self._loaded:
            refines = METHODS[method].refines if method in METHODS else ""
            self._loaded[key] = (
                refining(self._get(refines, scale), method) if refines else self._load(method, scale)
            )
        return self._loaded[key]

    @contextmanager
    def alone(self, stop: Callable[[], bool] = lambda: False) -> Iterator[None]:
        """Within it no other network runs.

        Raises:
            Interrupted: as soon as `stop()` is true, in the middle of a network if need be.
        """
        thread = threading.get_ident()
        self._waiting.add(thread)
        try:
            while not self._running.acquire(timeout=_ASK_EVERY):
                if stop():
                    raise Interrupted
        finally:
            self._waiting.discard(thread)
        try:
            if stop():
                raise Interrupted
            with interruptible(stop):
                yield
        finally:
            self._ended = time.monotonic()
            self._running.release()

    @contextmanager
    def running(
        self, work: Hashable, pixels: int, stop: Callable[[], bool] = lambda: False
    ) -> Iterator[None]:
        """As `alone`; what it takes is remembered as that of `work` on a picture of so many pixels."""
        with self.alone(stop), self.pace.measured(work, pixels):
            yield

    def touch(self) -> None:
        """Something that is as good as a network has just run: `idle` counts from now."""
        self._ended = time.monotonic()

    @property
    def wanted(self) -> bool:
        """Whether somebody waits for a network that runs to end."""
        return bool(self._waiting)

    def idle(self, seconds: float) -> bool:
        """Whether no network has run for so long."""
        return not self._running.locked() and time.monotonic() - self._ended >= seconds

    def status(self, scale: int) -> list[Status]:
        """All methods at a scale. Loads the weights: only that tells whether they are sound."""
        found = []
        for method in METHODS.values():
            reason, digest = "", ""
            try:
                digest = self.get(method.name, scale).digest
            except CheckpointError as error:
                reason = str(error)
            found.append(Status(method.name, method.label, method.summary, reason, digest))
        return found

    def digests(self, scale: int) -> dict[str, str]:
        """Of the weights of each method that seems to have some, as their cards say it; nothing is loaded."""
        return {method: card.digest if card else "" for method, card in cards(scale).items()}

    def available(self, scale: int) -> list[str]:
        """Names of the methods that can be used at a scale."""
        return [status.method for status in self.status(scale) if not status.reason]

    def usual(self, scale: int) -> list[str]:
        """`available`, without those that refine x: on a CPU they take too long to be run unasked."""
        return [name for name in self.available(scale) if name in RESTORING]

    def machine(self, rescalers: Iterable[Rescaler]) -> dict[str, str]:
        """What the networks of a comparison run on (`fgrn.record.machine`); of a lent GPU only that it is one."""
        used = list(rescalers)
        if self._device and any(METHODS[rescaler.method].trained for rescaler in used):
            return {"device": self._device}
        return record.machine(device_of(used))

    def summary(self) -> tuple[str, dict[str, list[int]]]:
        """The device in words, and for every trained method the scales that have sound weights."""
        name = self._device or _device_name()
        sound = {scale: self.available(scale) for scale in SCALES}
        scales = {
            METHODS[name].label: [s for s in SCALES if name in sound[s]]
            for name in RESTORING
            if METHODS[name].trained
        }
        return name, scales


def _device_name() -> str:
    device = default_device()
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return device.type.upper()


class Interrupted(Exception):
    """A network was stopped before its end."""


_interruptible = threading.local()


@contextmanager
def interruptible(stop: Callable[[], bool]) -> Iterator[None]:
    """A network that runs in this thread ends before its next layer when `stop()` is true, by Interrupted.

    One that runs elsewhere (`lab.zero_gpu`) asks `check_stop` itself.
    """
    before = getattr(_interruptible, "stop", None)
    _interruptible.stop = stop
    handle = torch.nn.modules.module.register_module_forward_pre_hook(lambda module, inputs: check_stop())
    try:
        yield
    finally:
        handle.remove()
        _interruptible.stop = before


def check_stop() -> None:
    """Raise Interrupted if this thread is `interruptible`, and is to stop."""
    stop = getattr(_interruptible, "stop", None)
    if stop is not None and stop():
        raise Interrupted
