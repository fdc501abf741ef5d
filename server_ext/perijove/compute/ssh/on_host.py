"""Makes the virtual environment of a node: run on the host by its own Python, from its stdin.

Imports nothing but the standard library. Of several that make the same environment at once, one
does it and the others wait. One that was killed leaves no mark, and is begun anew.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

DONE = "done"
SIGNS = {
    "full": ("No space left on device", "os error 28", "Disk quota exceeded", "os error 122"),
    "no_index": (
        *("dns error", "error sending request", "tcp connect error", "Network is unreachable"),
        *("Failed to fetch", "client error (Connect)", "operation timed out", "Could not connect"),
    ),
    "denied": ("Permission denied", "os error 13", "Read-only file system", "os error 30"),
}
"""What uv and the system say, and what it means."""


class Failed(Exception):
    """uv did not do it."""


def main(text: str) -> None:
    """Do what the plan says; the last line of the output is what came of it."""
    plan = json.loads(text)
    os.umask(0o077)
    try:
        result = {"state": "ready"} | make(plan)
    except (Failed, OSError) as error:
        said = str(error)
        signs = (state for state, words in SIGNS.items() if any(word in said for word in words))
        result = {"state": next(signs, "failed"), "message": said[-2000:]}
    print("perijove:result=" + json.dumps(result))


def make(plan: dict[str, Any]) -> dict[str, Any]:
    home = Path(plan["home"])
    for name in ("venvs", "logs"):
        (home / name).mkdir(mode=0o700, exist_ok=True)
    folder = home / "venvs" / plan["digest"]
    lock = os.open(home / "venvs" / f"{plan['digest']}.lock", os.O_CREAT | os.O_RDWR, 0o600)
    # uv inherits the lock: if it outlives this process, the next one waits for it too
    os.set_inheritable(lock, True)
    fcntl.flock(lock, fcntl.LOCK_EX)
    if (folder / DONE).exists() and os.access(folder / "bin/python", os.X_OK):
        return {"made": False}
    first = not any((home / "venvs").glob(f"*/{DONE}"))
    shutil.rmtree(folder, ignore_errors=True)
    try:
        with (home / "logs" / f"{plan['digest']}.log").open("a") as log:
            differing = install(plan, home, folder, log)
        (folder / DONE).touch(mode=0o600)
    except (Failed, OSError):
        shutil.rmtree(folder, ignore_errors=True)
        if first:  # nobody else needs what was fetched
            shutil.rmtree(home / "cache", ignore_errors=True)
        raise
    return {"made": True, "differing": differing}


def install(plan: dict[str, Any], home: Path, folder: Path, log: Any) -> list[str]:
    """Make the environment; packages of other versions than the hub's."""
    wheels = Path(plan["wheels"])
    uv(plan, log, "venv", "--python", plan["python"], str(folder))
    asked, locked, overrides = folder / "asked.in", folder / "locked.txt", folder / "overrides.txt"
    asked.write_text(f"{wheels / plan['wheel']}\n")
    overrides.write_text(plan["overrides"])
    # what is in the output already is preferred: the hub's own versions, where they fit
    locked.write_text(plan["pins"])
    python = str(folder / "bin/python")
    source = ["--no-index", "--find-links", str(wheels)] if plan["offline"] else []
    uv(
        plan,
        log,
        *("pip", "compile", "--quiet", "--no-header", "--no-annotate", "--python", python),
        *("--overrides", str(overrides), *source, "--output-file", str(locked), str(asked)),
    )
    uv(
        plan,
        log,
        *("pip", "install", "--python", python, "--no-deps", "--compile-bytecode", *source),
        *("--requirements", str(locked)),
    )
    pins = set(plan["pins"].lower().split())
    made = (line for line in locked.read_text().lower().split("\n") if "==" in line)
    return sorted(line for line in made if line.split(" ;")[0].strip() not in pins)


def uv(plan: dict[str, Any], log: Any, *words: str) -> None:
    """Run uv; what it says goes into the log."""
    log.write(f"$ uv {' '.join(words)}\n")
    log.flush()
    environ = dict(os.environ, UV_CACHE_DIR=f"{plan['home']}/cache", UV_NO_PROGRESS="1")
    # where there is no way to an index, the hub has one more
    environ.setdefault("UV_HTTP_RETRIES", "1")
    environ["UV_PYTHON_INSTALL_DIR"] = f"{plan['home']}/python"
    for name in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"):
        environ.pop(name, None)
    done = subprocess.run(
        [plan["uv"], *words],
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        close_fds=False,
        text=True,
        errors="replace",
        check=False,
    )
    log.write(done.stdout)
    log.flush()
    if done.returncode:
        raise Failed(done.stdout.strip() or f"uv ended with {done.returncode}")


if __name__ == "__main__":
    main(sys.argv[1])
