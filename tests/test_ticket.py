"""Who may draw on a page, and how long things take."""

from __future__ import annotations

import copy
import html
import time
from collections.abc import Iterator

import gradio as gr
import pytest

from lab.asked import RequestError
from lab.lines import status
from lab.models import Interrupted
from lab.pace import Pace, duration
from lab.ticket import SKIP, Ticket, leave

STOPPED, BEFORE_ITS_TURN = (status(text, False) for text in ("Stopped", "Stopped before its turn came"))


def count(up_to: int) -> Iterator[int]:
    yield from range(up_to)


def ended(last: int | None, problem: str) -> str:
    return f"{problem or 'stopped'} after {last}"


def granted(ticket: Ticket, *request: int) -> Ticket:
    """The ticket of a newer request, which is checked in no time."""
    with ticket.apply() as new:
        return new.grant(*request)


def test_a_request_is_served_once_and_of_its_kind() -> None:
    ticket = Ticket(3, kind="count")
    assert list(ticket.serve(count, str, ended)) == [SKIP], "it is of another kind"
    assert list(ticket.serve(count, str, ended, "count")) == ["0", "1", "2"]
    assert list(ticket.serve(count, str, ended, "count")) == [SKIP]


def test_a_newer_request_takes_the_right_away_in_the_middle() -> None:
    old = Ticket(3)
    drawn = old.serve(count, str, ended)
    assert next(drawn) == "0"
    new = granted(old, 2)
    assert list(drawn) == [SKIP] and list(old.serve(count, str, ended)) == [SKIP]
    assert list(new.serve(count, str, ended)) == ["0", "1"]


def test_what_is_made_while_stop_is_pressed_is_not_drawn() -> None:
    ticket = Ticket(3)

    def show(number: int) -> str:
        if number == 1:
            ticket.stop()
        return str(number)

    assert list(ticket.serve(count, show, ended)) == ["0", SKIP]


def test_of_two_requests_that_are_checked_at_once_the_later_one_wins() -> None:
    """Whichever check ends first."""
    for first_ends_first in (True, False):
        old = Ticket(3)
        with old.apply() as first, old.apply() as second:
            order = (first, second) if first_ends_first else (second, first)
            holders = [new.grant(number) for number, new in enumerate(order)]
            assert old.valid is False and holders[-1] is second
        assert (first.valid, second.valid) == (False, True)
        third = granted(first, 5)  # also for the page that still has the overtaken one
        assert third.valid and not second.valid


def test_a_request_that_is_refused_changes_nothing() -> None:
    old = Ticket(3)
    with pytest.raises(gr.Error, match="bad"), old.apply():
        raise RequestError("bad")
    assert old.valid and old.stop() == BEFORE_ITS_TURN
    done = Ticket()
    with pytest.raises(gr.Error, match="bad"), done.apply():
        raise RequestError("bad")
    assert done.stop() is SKIP


def test_stop_ends_what_is_still_checked() -> None:
    old = Ticket()
    with old.apply() as new:
        assert old.stop() == BEFORE_ITS_TURN
        assert new.grant(3) is old
    assert not new.valid and list(new.serve(count, str, ended)) == [SKIP]
    assert granted(old, 2).valid, "the next one is granted"


def test_stop_may_be_there_before_what_it_is_to_stop() -> None:
    """The clicks came in the order of their numbers."""
    old = Ticket()
    assert old.stop(2) is SKIP
    with old.apply(1) as late:
        assert late.grant(3) is old
    assert not late.valid and old.in_place_of_newer == BEFORE_ITS_TURN
    with old.apply(3) as next_one:
        assert next_one.grant(3) is next_one
    assert next_one.stop(4) == BEFORE_ITS_TURN
    assert granted(old, 2).valid, "what is no click has no number"
    with old.apply(5) as first, old.apply(6) as second:
        second.grant(1)
        assert first.grant(1).in_place_of_newer is SKIP, "the second draws by now"


def test_what_is_asked_for_is_known_at_once() -> None:
    ticket = Ticket()
    assert not ticket.asked
    with ticket.apply():
        assert ticket.asked, "also by who has the ticket of before"


def test_visitors_do_not_share_a_line() -> None:
    first = Ticket()
    one, other = copy.deepcopy(first), copy.deepcopy(first)  # as Gradio does
    new = granted(one, 3)
    assert new.valid and not one.valid and other.valid
    assert other.stop() is SKIP and new.valid


def test_stop_says_what_it_stopped() -> None:
    assert Ticket().stop() is SKIP
    waiting = Ticket(3)
    assert waiting.stop() == BEFORE_ITS_TURN and waiting.stop() is SKIP
    running = Ticket(3)
    drawn = running.serve(count, str, ended)
    next(drawn)
    assert running.stop() == STOPPED
    done = Ticket(1)
    list(done.serve(count, str, ended))
    assert done.stop() is SKIP


def test_an_error_is_drawn_and_told_unless_nobody_waits_any_more() -> None:
    def broken(_: int) -> Iterator[int]:
        yield 0
        raise RequestError("There is no more. Ask for less.")

    drawn = Ticket(1).serve(broken, str, ended)
    assert [next(drawn), next(drawn)] == ["0", "There is no more. Ask for less. after 0"]
    with pytest.raises(gr.Error, match="Ask for less"):
        next(drawn)
    ticket = Ticket(1)
    drawn = ticket.serve(broken, str, ended)
    next(drawn)
    granted(ticket, 2)
    assert list(drawn) == [SKIP]


def test_what_has_failed_is_drawn_as_ended() -> None:
    def broken(snapshots: int) -> Iterator[int]:
        yield from range(snapshots)
        raise RequestError("There is no more <yet>.")

    for snapshots, last in (
        (0, "There is no more <yet>. after None"),
        (2, "There is no more <yet>. after 1"),
    ):
        drawn = Ticket(snapshots).serve(broken, str, ended)
        *_, shown = (next(drawn) for _ in range(snapshots + 1))
        assert shown == last
        with pytest.raises(gr.Error, match="There is no more &lt;yet>"):
            next(drawn)


def test_why_a_request_was_refused_outlives_the_message_box() -> None:
    ticket = Ticket()
    for why in ("Choose a larger picture.", "There is no method '<b>'."):
        with pytest.raises(gr.Error, match=why[:12]), ticket.apply():
            raise RequestError(why)
        assert html.escape(why) in ticket.refused()
        assert "see the message" in ticket.refused(), (
            "Gradio's own refusal leaves no reason, nor an older one"
        )
    with pytest.raises(gr.Error), ticket.refusals():
        raise RequestError("There is no LR picture.")
    assert "There is no LR picture." in ticket.refused()
    ticket = granted(ticket, 1)
    with pytest.raises(gr.Error), ticket.apply():
        raise RequestError("Choose a larger picture.")
    assert ticket.refused() == SKIP, "what was asked for before goes on"


def test_an_error_of_others_is_drawn_without_its_links() -> None:
    """As the package of ZeroGPU raises them."""

    def broken(_: int) -> Iterator[int]:
        yield 0
        raise gr.Error('You have used your quota. <a href="https://x.org">More</a>', title="ZeroGPU")

    drawn = Ticket(1).serve(broken, str, ended)
    assert [next(drawn), next(drawn)] == ["0", "You have used your quota. More after 0"]
    with pytest.raises(gr.Error, match="href"):
        next(drawn)


def test_what_cannot_be_drawn_as_ended_says_it_without_its_paths() -> None:
    def broken(_: int) -> Iterator[int]:
        yield 0
        raise OSError(28, "No space left", "/secret")

    def ended(last: int | None, problem: str) -> str:
        raise OSError(28, "No space left", "/secret")

    drawn = Ticket(1).serve(broken, str, ended)
    assert next(drawn) == "0"
    with pytest.raises(gr.Error, match=r"failed \(No space left\)"):
        next(drawn)


def test_stop_knows_of_a_request_from_the_moment_it_is_taken() -> None:
    ticket = Ticket(3)
    assert ticket._take("") == (3,)
    assert ticket.stop() == STOPPED
    assert Ticket(3, kind="other")._take("") is None


def test_stop_is_drawn_again_over_a_snapshot_that_was_on_its_way() -> None:
    for resumes, expected in ((False, [SKIP]), (True, ["stopped after 0"])):
        ticket = Ticket(3)

        def stopping(_: int, ticket: Ticket = ticket, resumes: bool = resumes) -> Iterator[int]:
            yield 0
            if not resumes:  # the snapshot has been sent, and what comes next takes long
                ticket.stop()
            yield 1

        drawn = ticket.serve(stopping, str, ended)
        assert next(drawn) == "0"
        if resumes:
            ticket.stop()
        assert list(drawn) == expected
    ticket = Ticket(3)
    drawn = ticket.serve(count, str, ended)
    next(drawn)
    ticket.stop()
    granted(ticket, 2)
    assert list(drawn) == [SKIP], "a newer request draws by now"


def test_a_page_that_only_lost_its_connection_is_told_that_it_is_stopped() -> None:
    """Nobody has pressed Stop, so nothing else says so."""
    ticket = Ticket(3)

    def leaving(_: int) -> Iterator[int]:
        yield 0
        leave([ticket, "another state"])
        raise Interrupted

    assert list(ticket.serve(leaving, str, ended)) == ["0", "stopped after 0"]
    assert granted(ticket, 2).valid, "it can go on"


def test_any_other_error_is_drawn_too_and_said_without_its_paths(capsys: pytest.CaptureFixture[str]) -> None:
    for error, said in (
        (OSError(28, "No space left", "/secret"), "No space left"),
        (KeyError("x"), "KeyError"),
    ):

        def broken(_: int, error: Exception = error) -> Iterator[int]:
            yield 0
            raise error

        drawn = Ticket(1).serve(broken, str, ended)
        assert next(drawn) == "0"
        line = next(drawn)
        assert said in line and line.endswith("after 0") and "secret" not in line
        with pytest.raises(gr.Error, match=said) as shown:
            next(drawn)
        assert "secret" not in shown.value.message and "Traceback" in capsys.readouterr().err


def test_an_interrupted_run_ends_without_an_error() -> None:
    ticket = Ticket(1)

    def interrupted(_: int) -> Iterator[int]:
        yield 0
        ticket.stop()
        raise Interrupted

    assert list(ticket.serve(interrupted, str, ended)) == ["0", SKIP]


def test_the_pace_is_the_one_measured_last() -> None:
    pace, size = Pace(), Pace.SMALLEST
    assert pace.seconds(["a"], 10 * size) is None and pace.left(["a"], 10 * size) == ""
    with pace.measured("a", size):
        time.sleep(0.02)
    with pytest.raises(ValueError, match="broken"), pace.measured("b", size):
        raise ValueError("broken")
    with pace.measured("b", size - 1):
        pass
    assert pace.seconds(["a", "b"], size) is None, "what broke off, or was tiny, has not been measured"
    seconds = pace.seconds(["a", "a"], 100 * size)
    assert seconds is not None and seconds >= 4
    assert pace.left(["a", "a"], 100 * size) == f", {duration(seconds)} left"
    assert pace.left(["a"], size) == "", "nothing is said about less than a second"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(1.2, "about a second"), (8.6, "about 9 s"), (89, "about 89 s"), (200, "about 3 min")],
)
def test_durations_are_as_exact_as_they_can_be_known(seconds: float, text: str) -> None:
    assert duration(seconds) == text
