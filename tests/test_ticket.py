"""Who may draw on a page, and how long things take."""

from __future__ import annotations

import time
from collections.abc import Iterator

import gradio as gr
import pytest

from lab.asked import RequestError
from lab.models import Interrupted
from lab.pace import Pace, duration
from lab.ticket import SKIP, Ticket


def count(up_to: int) -> Iterator[int]:
    yield from range(up_to)


def test_a_request_is_served_once_and_of_its_kind() -> None:
    ticket = Ticket(3, kind="count")
    assert list(ticket.serve(count, str, "failed")) == [SKIP], "it is of another kind"
    assert list(ticket.serve(count, str, "failed", "count")) == ["0", "1", "2"]
    assert list(ticket.serve(count, str, "failed", "count")) == [SKIP]


def test_a_newer_request_takes_the_right_away_in_the_middle() -> None:
    old = Ticket(3)
    drawn = old.serve(count, str, "failed")
    assert next(drawn) == "0"
    new = old.next(2)
    assert list(drawn) == [SKIP] and list(old.serve(count, str, "failed")) == [SKIP]
    assert list(new.serve(count, str, "failed")) == ["0", "1"]


def test_what_is_made_while_stop_is_pressed_is_not_drawn() -> None:
    ticket = Ticket(3)

    def show(number: int) -> str:
        if number == 1:
            ticket.stop()
        return str(number)

    assert list(ticket.serve(count, show, "failed")) == ["0", SKIP]


def test_stop_says_what_it_stopped() -> None:
    assert Ticket().stop() == "Nothing is running"
    waiting = Ticket(3)
    assert waiting.stop() == "Stopped before its turn came" and waiting.stop() == "Nothing is running"
    running = Ticket(3)
    drawn = running.serve(count, str, "failed")
    next(drawn)
    assert running.stop() == "Stopped"
    done = Ticket(1)
    list(done.serve(count, str, "failed"))
    assert done.stop() == "Nothing is running"


def test_an_error_is_drawn_and_told_unless_nobody_waits_any_more() -> None:
    def broken(_: int) -> Iterator[int]:
        yield 0
        raise RequestError("There is no more. Ask for less.")

    drawn = Ticket(1).serve(broken, str, "failed")
    assert [next(drawn), next(drawn)] == ["0", "failed"]
    with pytest.raises(gr.Error, match="Ask for less"):
        next(drawn)
    ticket = Ticket(1)
    drawn = ticket.serve(broken, str, "failed")
    next(drawn)
    ticket.stop()
    assert list(drawn) == [SKIP]


def test_an_interrupted_run_ends_without_an_error() -> None:
    ticket = Ticket(1)

    def interrupted(_: int) -> Iterator[int]:
        yield 0
        ticket.stop()
        raise Interrupted

    assert list(ticket.serve(interrupted, str, "failed")) == ["0", SKIP]


def test_the_pace_is_the_one_measured_last() -> None:
    pace = Pace()
    assert pace.seconds(["a"], 100) is None and pace.left(["a"], 100) == ""
    with pace.measured("a", 10):
        time.sleep(0.02)
    with pytest.raises(ValueError, match="broken"), pace.measured("b", 10):
        raise ValueError("broken")
    assert pace.seconds(["a", "b"], 100) is None, "what broke off has not been measured"
    seconds = pace.seconds(["a", "a"], 1000)
    assert seconds is not None and seconds >= 4
    assert pace.left(["a", "a"], 1000) == f", {duration(seconds)} left"
    assert pace.left(["a"], 10) == "", "nothing is said about less than a second"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(1.2, "about a second"), (8.6, "about 9 s"), (89, "about 89 s"), (200, "about 3 min")],
)
def test_durations_are_as_exact_as_they_can_be_known(seconds: float, text: str) -> None:
    assert duration(seconds) == text
