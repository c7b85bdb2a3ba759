from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest

from agent.fair_queue import FairQueue, Ticket
from core.errors import TooBusy, ToolCancelled


def order_served(queue: FairQueue, tickets: Sequence[Ticket], first: Ticket) -> list[str]:
    """Owners in the order in which one running place is given to them once the first one leaves it."""
    served: list[str] = []
    places = {id(ticket): queue.position(ticket) for ticket in tickets}

    def take(ticket: Ticket) -> None:
        with queue.place(ticket, threading.Event(), lambda position: None):
            served.append(f"{ticket.owner}{places[id(ticket)]}")

    threads = [threading.Thread(target=take, args=(ticket,)) for ticket in tickets]
    for thread in threads:
        thread.start()
    queue.give_up(first)
    for thread in threads:
        thread.join(10)
    return served


def test_owners_take_turns_and_the_told_places_are_the_served_ones() -> None:
    queue = FairQueue(running=1, waiting=10, per_owner=10)
    first = queue.enter("a")
    waiting = [queue.enter(owner) for owner in ("a", "a", "a", "b", "b", "c")]
    assert order_served(queue, waiting, first) == ["a1", "b2", "c3", "a4", "b5", "a6"]
    assert (queue.running, queue.waiting) == (0, 0)


def test_the_queue_is_bounded_as_a_whole_and_per_owner() -> None:
    queue = FairQueue(running=1, waiting=2, per_owner=2)
    queue.enter("a")
    queue.enter("a")
    with pytest.raises(TooBusy, match="At most 2 questions of one user"):
        queue.enter("a")
    queue.enter("b")
    with pytest.raises(TooBusy, match="All 1 places") as caught:
        queue.enter("c")
    assert caught.value.retry_after_s >= 1


def test_places_are_told_as_they_change_and_a_wait_can_be_given_up() -> None:
    queue = FairQueue(running=1, waiting=5, per_owner=5)
    first, second = queue.enter("a"), queue.enter("b")
    third = queue.enter("c")
    told: list[int] = []
    stop = threading.Event()

    def wait() -> None:
        with pytest.raises(ToolCancelled), queue.place(third, stop, told.append):
            raise AssertionError("it was given up")

    waiter = threading.Thread(target=wait)
    waiter.start()
    while told != [2]:
        pass
    queue.give_up(second)
    while told != [2, 1]:
        pass
    stop.set()
    waiter.join(10)
    assert queue.waiting == 0
    queue.give_up(first)
    assert queue.running == 0


def test_no_place_is_lost_or_given_twice_under_many_threads() -> None:
    queue = FairQueue(running=3, waiting=200, per_owner=200)
    lock = threading.Lock()
    now, most, done = 0, 0, 0

    def work(owner: str) -> None:
        nonlocal now, most, done
        with queue.place(queue.enter(owner), threading.Event(), lambda position: None):
            with lock:
                now += 1
                most = max(most, now)
            with lock:
                now -= 1
                done += 1

    threads = [threading.Thread(target=work, args=(f"u{number % 7}",)) for number in range(120)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert done == 120
    assert most <= 3
    assert (queue.running, queue.waiting) == (0, 0)
