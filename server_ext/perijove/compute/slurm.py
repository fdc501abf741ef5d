"""Slurm's commands, for whoever submits batch jobs: submit, look, cancel.

A job is known by a name that nobody else has, not by the number that `sbatch` prints: a command
may time out after Slurm has accepted the job, print nothing, or print what is not so. Who submits
under a name therefore submits once, looks for the name, and cancels by the name.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import socket
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import psutil

from perijove.errors import Conflict, PerijoveError, Unreachable
from perijove.models.compute import Resources, show_amount
from perijove.models.slurm import SlurmWish, walltime_seconds

PATIENCE = float(os.environ.get("PERIJOVE_SLURM_PATIENCE", "60"))
"""Seconds a command of Slurm may take."""
WAITING = frozenset({"PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD", "SPECIAL_EXIT"})
OVER = frozenset(
    {"BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY"}
    | {"PREEMPTED", "REVOKED", "TIMEOUT"}
)
COLUMNS = "%i %T %L %j %N|%r"
FIELDS = (
    ("partition", "partition"),
    ("account", "account"),
    ("time limit", "walltime"),
    ("option", "directives"),
    ("argument", "directives"),
    ("feature", "directives"),
    ("qos", "directives"),
    ("generic resource", "gpus"),
    ("memory", "memory"),
    ("node configuration", "cpus"),
    ("processors", "cpus"),
    ("cpu count", "cpus"),
)
"""Which field Slurm means when it says so."""
NOT_CONFIGURED = "configuration source"
"""Its programs say this where they know of no cluster."""
ASKS_GPUS = re.compile(r"(^|\s)(--(gres|gpus(-per-(node|task|socket))?)[= ]|-G)")
"""A directive that says which GPUs, such as ``--gres=gpu:a100:2``."""
LOOPBACK = "127.0.0.1"
OWN_SETTINGS = ("SBATCH_", "SCANCEL_", "SINFO_", "SLURM_", "SQUEUE_")
"""Variables that would change what commands do: a hub may itself be run within a batch job."""


@dataclass(frozen=True)
class SlurmJob:
    """A job as `squeue` shows it."""

    id: str
    name: str
    state: str
    reason: str
    node: str
    left: float | None
    """Seconds until Slurm ends it; None: it has no limit."""

    @property
    def waits(self) -> bool:
        """It has not begun."""
        return self.state in WAITING

    @property
    def over(self) -> bool:
        """Nothing of it is left."""
        return self.state in OVER


async def submit(script: str, name: str) -> str | None:
    """Submit the script under a name that no job has, and never had; Slurm's number for it.

    Returns None when the job is there but its number is not known.

    Raises
    ------
    Conflict: Slurm refused it, in its own words.
    Unreachable: it did not answer. The job may come into being all the same: whoever submitted
        goes on looking for the name, or cancels it.
    """
    try:
        said = await _run(["sbatch", "--parsable", f"--job-name={name}"], script)
    except PerijoveError:
        # what is accepted stays accepted, whatever the command came to
        with suppress(PerijoveError):
            if found := await jobs(name):
                return found[0].id
        raise
    number = said.strip().partition(";")[0]
    return number if number.isdecimal() else None


async def jobs(name: str) -> list[SlurmJob]:
    """The user's jobs whose names begin so, those that ended lately too.

    Raises
    ------
    Conflict, Unreachable: Slurm did not answer.
    """
    said = await _run(["squeue", "--noheader", "--me", "--states=all", f"--format={COLUMNS}"])
    found = [_job(line) for line in said.splitlines()]
    return [job for job in found if job is not None and job.name.startswith(name)]


async def cancel(*names: str) -> None:
    """Cancel the user's jobs of these names; those that are not there do not matter.

    Raises
    ------
    Conflict, Unreachable: Slurm did not answer.
    """
    for name in names:
        await _run(["scancel", "--quiet", f"--user={os.getuid()}", f"--name={name}"])


async def end(name: str, patience: float) -> None:
    """Cancel the jobs whose names begin so, and return when there are none.

    Raises
    ------
    Unreachable: that was not so within `patience` seconds.
    """
    left, words = [name], "they do not end"
    with suppress(TimeoutError):
        async with asyncio.timeout(patience):
            while True:
                try:
                    left = [job.name for job in await jobs(name) if not job.over]
                    if not left:
                        return
                    await cancel(*left)
                except PerijoveError as error:
                    words = error.message
                await asyncio.sleep(0.5)
    raise Unreachable(
        f"Slurm may still have jobs named {', '.join(left)}: {words}",
        remedy="Look with squeue, and try again when Slurm answers.",
    )


async def check(wish: SlurmWish, node: Resources) -> None:
    """Would Slurm take such a job? Nothing is submitted.

    Raises
    ------
    Conflict: no, in its own words, with the field at fault; or Slurm is not here.
    Unreachable: it does not answer.
    """
    if shutil.which("sbatch") is None:
        raise Conflict(
            "Slurm is not installed on the hub's machine: there is no sbatch on its PATH.",
            field="on",
            remedy="Run the hub on a login node of the Slurm cluster.",
        )
    if wish.interface is not None:
        interface_address(wish.interface)
    try:
        await _test(wish, node)
    except Conflict as error:
        said = error.message.lower()
        if NOT_CONFIGURED in said:
            raise Conflict(
                "Slurm is installed on the hub's machine and not configured: sbatch finds no "
                "slurm.conf, and no controller to ask for one.",
                field="on",
                remedy="Run the hub where sbatch works, such as a login node.",
            ) from None
        error.field = next((field for word, field in FIELDS if word in said), "on")
        if error.field == "cpus":
            error.field = field = await _too_much(wish, node)
            has = show_amount(field, getattr(node, field))
            error.remedy = f"Ask for less: it seems that no node of the partition has {has}."
        raise


async def _test(wish: SlurmWish, node: Resources) -> None:
    script = ["#!/bin/sh", *(f"#SBATCH {line}" for line in request(wish, node)), "true"]
    await _run(["sbatch", "--test-only"], "\n".join(script))


async def _too_much(wish: SlurmWish, node: Resources) -> str:
    """Without which of these would there be such nodes? Slurm does not say."""
    for field, nothing in (("memory", None), ("gpus", 0)):
        with suppress(Conflict):
            await _test(wish, node.model_copy(update={field: nothing}))
            return field
    return "cpus"


def request(wish: SlurmWish, node: Resources) -> list[str]:
    """What sbatch is asked for, as lines of a job script."""
    lines = ["--nodes=1", "--ntasks=1", f"--cpus-per-task={node.cpus}", "--no-requeue"]
    if wish.partition is not None:
        lines.append(f"--partition={wish.partition}")
    if wish.account is not None:
        lines.append(f"--account={wish.account}")
    if wish.walltime is not None:
        lines.append(f"--time={wish.walltime}")
    if node.memory is not None:
        lines.append(f"--mem={-(-node.memory // 1024)}K")
    if node.gpus and not any(ASKS_GPUS.search(line) for line in wish.directives):
        lines.append(f"--gres=gpu:{node.gpus}")
    return lines + wish.directives


async def listen_address(wish: SlurmWish) -> str:
    """The address of this machine that the partition's nodes reach; loopback if it is the only one.

    Raises
    ------
    Conflict, Unreachable: Slurm did not answer, or the interface is not there.
    """
    if wish.interface is not None:
        return interface_address(wish.interface)
    command = ["sinfo", "--noheader", "--Node", "--format=%o"]
    if wish.partition is not None:
        command.append(f"--partition={wish.partition}")
    for address in dict.fromkeys((await _run(command)).split()):
        with suppress(OSError):
            family, _, _, _, there = (await _resolve(address))[0]
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect(there)  # sends nothing: it only chooses the route
                here = str(probe.getsockname()[0])
            if here != there[0]:
                return here
    return LOOPBACK


async def _resolve(address: str) -> list[tuple[int, int, int, str, tuple[str, int]]]:
    loop = asyncio.get_running_loop()
    return await loop.getaddrinfo(address, 9, type=socket.SOCK_DGRAM)  # type: ignore[return-value]


def interface_address(name: str) -> str:
    """The address of a network interface of this machine.

    Raises
    ------
    Conflict: there is none of that name, or it has no address.
    """
    known = psutil.net_if_addrs()
    for wanted in (socket.AF_INET, socket.AF_INET6):
        for found in known.get(name, ()):
            if found.family == wanted:
                return str(found.address)
    raise Conflict(
        f"This machine has no network interface {name!r} with an address.",
        field="interface",
        remedy=f"Use one of: {', '.join(sorted(known))}.",
    )


async def _run(command: Sequence[str], text: str | None = None) -> str:
    environ = {
        key: value
        for key, value in os.environ.items()
        if key == "SLURM_CONF" or not key.startswith(OWN_SETTINGS)
    }
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL if text is None else asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environ,
            start_new_session=True,
        )
    except OSError as error:
        raise Unreachable(f"{command[0]} cannot be run: {error.strerror}.") from None
    try:
        async with asyncio.timeout(PATIENCE):
            said, complained = await process.communicate(None if text is None else text.encode())
    except TimeoutError:
        raise Unreachable(
            f"{command[0]} did not answer within {PATIENCE:g} s.",
            remedy="Look whether slurmctld is well: scontrol ping.",
        ) from None
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, 9)
            await asyncio.shield(process.wait())
    if process.returncode:
        words = _clean(complained.decode(errors="replace") or said.decode(errors="replace"))
        away = "unable to contact" in words.lower() or "timed out" in words.lower()
        kind = Unreachable if away else Conflict
        raise kind(f"{command[0]}: {words or f'it failed with {process.returncode}'}.")
    return said.decode(errors="replace")


def _clean(text: str) -> str:
    lines = [line.strip().rstrip(".") for line in text.splitlines() if line.strip()]
    for prefix in ("sbatch: ", "squeue: ", "scancel: ", "sinfo: ", "error: ", "fatal: "):
        lines = [line.removeprefix(prefix) for line in lines]
    return "; ".join(line for line in lines if not line.startswith("Try "))[:500]


def _job(line: str) -> SlurmJob | None:
    words, _, reason = line.partition("|")
    parts = words.split()
    if len(parts) not in (4, 5) or not parts[0].isdecimal():
        return None
    number, state, left, name = parts[:4]
    node = parts[4] if len(parts) == 5 else ""
    return SlurmJob(number, name, state, reason.strip(), node, _seconds(left))


def _seconds(left: str) -> float | None:
    try:
        return walltime_seconds(left if ":" in left else f"0:{left}")
    except ValueError:
        return 0.0 if left in ("0:00", "INVALID") else None
