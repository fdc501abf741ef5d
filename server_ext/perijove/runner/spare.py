"""A spare: a runner with a kernel that is up, kept by the zygote for the next attempt.

Forking costs milliseconds; what takes time is the start of ipykernel: sockets, threads, traits.
None of that depends on the attempt, so it is done beforehand, and the attempt's working folder,
environment and log are put in place when it comes. A spare serves one attempt and ends.
"""

from __future__ import annotations

import os
import select
import signal
import socket
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from perijove.models.processes import runtime_dir
from perijove.runner import state
from perijove.runner.kernel import ForkedKernel

CONFIGS = ("py", "json")


class Spare:
    """The zygote's side."""

    def __init__(self, pid: int, channel: socket.socket) -> None:
        self.pid = pid
        self._channel = channel

    def give(self, folder: str) -> bool:
        """Hand it the attempt in `folder`; False: it is gone."""
        with self._channel:
            try:
                self._channel.send(folder.encode())
            except OSError:
                return False
        return True

    def close(self) -> None:
        """Let it end."""
        self._channel.close()


def fork_spare() -> Spare | None:
    """Make one; None: this machine cannot fork now."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        pid = os.fork()
    except OSError:
        ours.close()
        theirs.close()
        return None
    if pid == 0:
        _wait(theirs.detach())
    theirs.close()
    return Spare(pid, ours)


def _wait(channel: int) -> NoReturn:
    """The child's side: bring a kernel up, wait for the attempt, run it."""
    try:
        os.setsid()
        state.close_files(keep=(channel,))
        state.restore(state.origin.environ)
        os.chdir(runtime_dir())
        kernel = ForkedKernel(None, state.origin.environ)
        attempt = _attempt(channel, kernel)
        os.close(channel)
        if attempt is None:
            kernel.end(0)
        else:
            from perijove.runner.attempt import run_attempt

            run_attempt(Path(attempt), warm=True, kernel=kernel)
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        os._exit(0)


def _attempt(channel: int, kernel: ForkedKernel) -> str | None:
    """The attempt's folder; None: the zygote does not want this spare any more."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with suppress(OSError):
        readable, _, _ = select.select([channel, kernel.pidfd], [], [])
        if channel in readable:
            return os.read(channel, 1 << 16).decode() or None
    return None


def is_plain() -> bool:
    """Has the user no IPython settings? Those may look at the working folder and environment
    while a kernel starts, where a spare does not have the attempt's yet."""
    from IPython.core.application import ENV_CONFIG_DIRS, SYSTEM_CONFIG_DIRS
    from IPython.paths import get_ipython_dir

    if os.environ.get("PYTHONSTARTUP") or os.environ.get("IPYTHON_CONFIG"):
        return False
    profile = Path(get_ipython_dir()) / "profile_default"
    folders = (profile, *map(Path, (*ENV_CONFIG_DIRS, *SYSTEM_CONFIG_DIRS)))
    names = [
        f"{app}_config.{end}" for app in ("ipython", "ipython_kernel") for end in ("py", "json")
    ]
    if any((folder / name).exists() for folder in folders for name in names):
        return False
    with suppress(OSError):
        return not any(name.endswith((".py", ".ipy")) for name in os.listdir(profile / "startup"))
    return True
