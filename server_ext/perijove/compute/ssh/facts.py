"""What programs on a machine have said, and what it says of itself."""

from __future__ import annotations

from dataclasses import dataclass

from perijove.compute.ssh import scripts
from perijove.errors import InvalidInput
from perijove.models.ssh import HostFacts


@dataclass(frozen=True)
class Completed:
    """A program that has ended."""

    code: int
    out: str
    err: str


def facts_of(host: str, done: Completed) -> HostFacts:
    """What `scripts.FACTS` has found out on a host.

    Raises
    ------
    InvalidInput: the host runs no shell for us.
    """
    said = scripts.answers(done.out)
    if "os" not in said:
        raise InvalidInput(
            f"{host} runs no POSIX shell for this user:"
            f" {(done.err or done.out).strip()[:200] or 'it says nothing'}",
            field="host",
        )
    return HostFacts(
        **{name: said.get(name, "") for name in ("os", "machine", "libc", "hostname")},
        **{name: said.get(name) or None for name in ("python", "python_version", "uv")},
        **{name: _number(said.get(name)) for name in ("memory", "gpus", "disk_free")},
        cpus=max(1, _number(said.get("cpus"))),
        user=said.get("user", ""),
        home=said.get("home", ""),
    )


def _number(text: str | None) -> int:
    return int(text) if text and text.isdigit() else 0
