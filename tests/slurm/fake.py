#!/usr/bin/env python3
"""sbatch, squeue, scancel and sinfo of a Slurm that does as the file ``mode`` beside it says.

A job is a process group of this machine, and a file ``jobs/NUMBER`` with its name and pid.
"""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(sys.argv[0]).parent
JOBS = HERE / "jobs"
COMMAND = Path(sys.argv[0]).name


def mode(name: str) -> bool:
    """Is it on? ``name!`` is on once."""
    words = (HERE / "mode").read_text().split()
    if f"{name}!" in words:
        words.remove(f"{name}!")
        (HERE / "mode").write_text(" ".join(words))
        return True
    return name in words


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def accept(script: str, name: str) -> int:
    JOBS.mkdir(exist_ok=True)
    log = re.search(r"--output=(\S+)", script)
    with open(log[1] if log else os.devnull, "ab") as output:
        process = subprocess.Popen(
            ["bash", "-c", script], stdout=output, stderr=output, start_new_session=True
        )
    (JOBS / str(process.pid)).write_text(name)
    return process.pid


def sbatch() -> None:
    script = sys.stdin.read()
    if "--test-only" in sys.argv:
        return
    name = next(word for word in sys.argv if word.startswith("--job-name=")).partition("=")[2]
    if mode("refuse"):
        sys.exit("sbatch: error: Batch job submission failed: Job violates accounting policy")
    if mode("lie"):
        print(4_000_000)
        return
    if mode("late"):  # it comes into being after the command was given up
        if os.fork() == 0:
            os.setsid()
            for stream in range(3):
                os.dup2(os.open(os.devnull, os.O_RDWR), stream)
            time.sleep(4)
            accept(script, name)
            os._exit(0)
        time.sleep(60)
    if mode("slow"):
        time.sleep(1)
    number = accept(script, name)
    if mode("hang"):
        time.sleep(60)
    if mode("timeout"):
        sys.exit("sbatch: error: Batch job submission failed: Socket timed out on send/recv")
    if not mode("silent"):
        print(number)


def squeue() -> None:
    if mode("away"):
        sys.exit("slurm_load_jobs error: Unable to contact slurm controller (connect failure)")
    if mode("stuck"):
        time.sleep(60)
    if mode("nothing"):
        return
    for file in JOBS.glob("*"):
        state = "RUNNING" if alive(int(file.name)) or mode("stale") else "COMPLETED"
        print(f"{file.name} {state} UNLIMITED {file.read_text()} here|None")


def scancel() -> None:
    name = next(word for word in sys.argv if word.startswith("--name=")).partition("=")[2]
    for file in JOBS.glob("*"):
        if file.read_text() == name and alive(int(file.name)):
            kill_tree(int(file.name))


def kill_tree(pid: int) -> None:
    """As a batch system does: whatever its descendants call themselves."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        os.kill(pid, signal.SIGKILL)
    except OSError:
        return
    for child in children:
        kill_tree(int(child))


def sinfo() -> None:
    print("localhost")


if __name__ == "__main__":
    {"sbatch": sbatch, "squeue": squeue, "scancel": scancel, "sinfo": sinfo}[COMMAND]()
