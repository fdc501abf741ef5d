"""How a signal ends an attempt: as an exception, once, and never in the middle of a write.

SIGTERM cancels, SIGALRM says that the attempt's time is over. The exception may be swallowed on
its way (by a callback of C code, by a finalizer), so `Stops.came` is what decides the verdict.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Stopped(KeyboardInterrupt):
    """A signal ended the attempt. asyncio lets only KeyboardInterrupt through at once."""


class Canceled(Stopped):
    """SIGTERM: the job was canceled."""


class TimedOut(Stopped):
    """The attempt's time is over."""


class Stops:
    """The signals of this process; the first one that comes counts."""

    def __init__(self) -> None:
        self.came: Stopped | None = None
        self._armed = False
        self._held = 0
        self._interrupt: Callable[[], None] = lambda: None

    def arm(self, timeout: float | None, interrupt: Callable[[], None]) -> None:
        """From now on a signal raises `Stopped`, after calling `interrupt`.

        `timeout` is in seconds from now.
        """
        self._armed, self._interrupt = True, interrupt
        for number in (signal.SIGINT, signal.SIGHUP):
            # not SIG_IGN, which a script would inherit: its KeyboardInterrupt would never come
            signal.signal(number, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: self._stop(Canceled()))
        signal.signal(signal.SIGALRM, lambda *_: self._stop(TimedOut()))
        if timeout is not None:
            signal.setitimer(signal.ITIMER_REAL, timeout)

    def disarm(self) -> None:
        """From now on the attempt finishes, whatever comes."""
        self._armed = False
        signal.setitimer(signal.ITIMER_REAL, 0)

    @contextmanager
    def held(self) -> Iterator[None]:
        """What is done inside is done completely; a signal raises at its end."""
        if threading.current_thread() is not threading.main_thread():
            yield  # signals are handled in the main thread only
            return
        self._held += 1
        before = self.came
        try:
            yield
        finally:
            self._held -= 1
        if self.came is not before and not self._held:
            assert self.came is not None
            raise self.came

    def _stop(self, why: Stopped) -> None:
        if not self._armed:
            return
        self.disarm()
        self.came = why
        self._interrupt()
        if not self._held:
            raise why


stops = Stops()
"""Signals belong to the process, and so does this."""
