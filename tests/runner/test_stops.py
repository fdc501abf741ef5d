"""Signals end an attempt once, and never in the middle of a write."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

import pytest

from perijove.runner.stops import Canceled, Stops, TimedOut

NUMBERS = (signal.SIGINT, signal.SIGHUP, signal.SIGTERM, signal.SIGALRM)


@pytest.fixture
def stops() -> Iterator[Stops]:
    before = {number: signal.getsignal(number) for number in NUMBERS}
    made = Stops()
    yield made
    made.disarm()
    for number, handler in before.items():
        signal.signal(number, handler)


def _signal(number: int) -> None:
    os.kill(os.getpid(), number)


def test_a_signal_raises_after_the_interrupt(stops: Stops) -> None:
    called: list[str] = []
    stops.arm(None, lambda: called.append("interrupted"))
    with pytest.raises(Canceled):
        _signal(signal.SIGTERM)
    assert called == ["interrupted"]
    assert isinstance(stops.came, Canceled)


def test_the_first_signal_counts(stops: Stops) -> None:
    stops.arm(None, lambda: None)
    with pytest.raises(TimedOut):
        _signal(signal.SIGALRM)
    _signal(signal.SIGTERM)
    assert isinstance(stops.came, TimedOut)


def test_what_is_held_is_done_completely(stops: Stops) -> None:
    done = []
    stops.arm(None, lambda: None)

    def work() -> None:
        with stops.held():
            with stops.held():
                _signal(signal.SIGTERM)
                done.append("inner")
            done.append("outer")

    with pytest.raises(Canceled):
        work()
    assert done == ["inner", "outer"]


def test_what_is_held_after_the_end_does_not_raise_again(stops: Stops) -> None:
    stops.arm(None, lambda: None)
    with pytest.raises(Canceled):
        _signal(signal.SIGTERM)
    with stops.held():
        pass


def test_a_disarmed_signal_is_ignored(stops: Stops) -> None:
    stops.arm(0.001, lambda: None)
    stops.disarm()
    _signal(signal.SIGTERM)
    assert stops.came is None


def test_the_time_ends_it(stops: Stops) -> None:
    stops.arm(0.01, lambda: None)
    with pytest.raises(TimedOut):
        time.sleep(60)
