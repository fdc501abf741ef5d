"""A container of podman or docker, prepared by us like a machine over SSH.

Its home folder and our environment lie in the workspace, so they outlive the container.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import stat
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import IO

from pydantic import JsonValue

from perijove.abc import Workshop
from perijove.compute.instance.machine import Machine
from perijove.compute.instance.process import mark
from perijove.compute.logs import end_of
from perijove.compute.ssh import scripts
from perijove.compute.ssh.facts import Completed, facts_of
from perijove.compute.ssh.prepare import prepare
from perijove.errors import Conflict, InvalidInput, PerijoveError, Unreachable
from perijove.models.agents import AGENT_LOG, CONFIG, AgentConfig, GateAddress
from perijove.models.instances import InstanceDefinition
from perijove.models.ssh import HostFacts, NodeInstall, RemoteFile
from perijove.writing import replace_file

ENGINES = ("podman", "docker")
IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:@-]*")
HOME, GATE = "/perijove", "/perijove-gate"
PATIENCE = 600.0
"""Seconds a command of the engine may take: an image may have to be fetched."""
NETWORK = ("--network", "host")
INIT = ("-c", "trap 'exit 0' TERM; while :; do sleep 3600 & wait; done")
"""What a container's shell does: be there, and take note of processes that end without a parent.
The engines' own ``--init`` wants a program that is not installed everywhere."""
LOOK = "{{.State.Status}} {{.HostConfig.NanoCpus}}"
WAYS: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    ((), ()),
    # crun fails where control groups are of both versions
    (("--runtime", "runc"), ("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024")),
)
"""Options of the engine and of its ``run``, tried in this order."""
SAID = "prepare.log"


def engine() -> str:
    """The engine of this machine.

    Raises
    ------
    Conflict: there is none.
    """
    for name in ENGINES:
        if shutil.which(name):
            return name
    raise Conflict(
        "Neither podman nor docker is installed on the hub's machine.",
        field="on",
        remedy="Install podman, or create the instance on local.",
    )


class Container:
    """One container: what `prepare` needs of a machine."""

    def __init__(self, name: str, home: Path) -> None:
        self._name = name
        self.home = home

    def __str__(self) -> str:
        return f"container {self._name}"

    async def facts(self) -> HostFacts:
        """What it says of itself."""
        return facts_of(str(self), await self.run(scripts.SHELL, input=scripts.FACTS))

    async def run(
        self,
        argv: Sequence[str],
        *,
        input: str | bytes | IO[bytes] | None = None,
        timeout: float = 60.0,
    ) -> Completed:
        """Run a program in it."""
        feed = input.encode() if isinstance(input, str) else input
        if feed is not None and not isinstance(feed, bytes):
            feed = feed.read()
        return await run_engine(
            "exec", "-i", "-e", f"HOME={HOME}", self._name, *argv, input=feed, timeout=timeout
        )

    async def start_detached(
        self, argv: Sequence[str], environ: dict[str, str], log_path: str, cwd: str
    ) -> None:
        """Start a program in a session of its own."""
        script = scripts.detached(argv, environ, log_path, cwd)
        done = await self.run(scripts.SHELL, input=script)
        if done.code:
            raise Unreachable(f"{argv[0]} does not start in {self}: {done.err.strip()[-300:]}")

    # files: its home folder is a folder here

    async def put_file(self, local: Path, path: str, mode: int | None = None) -> None:
        """Copy a file into its home folder."""
        target = self._here(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        await asyncio.to_thread(shutil.copyfile, local, target)
        target.chmod(mode if mode is not None else 0o600)

    async def write(self, path: str, data: bytes, mode: int = 0o600) -> None:
        """Make or replace a file in its home folder."""
        target = self._here(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        target.chmod(mode)

    async def mkdir(self, path: str) -> None:
        """Make a folder in its home folder."""
        self._here(path).mkdir(parents=True, exist_ok=True)

    async def list(self, path: str) -> list[RemoteFile]:
        """What is in a folder of its home folder."""
        return [
            RemoteFile(
                name=found.name,
                path=f"{path}/{found.name}",
                kind="folder" if found.is_dir() else "file",
                size=found.stat().st_size,
                modified=datetime.fromtimestamp(found.stat().st_mtime, UTC),
                mode=stat.S_IMODE(found.stat().st_mode),
            )
            for found in self._here(path).iterdir()
        ]

    def files(self) -> Container:
        """See `NodeHost`."""
        return self

    def _here(self, path: str) -> Path:
        return self.home / PurePosixPath(path).relative_to(HOME)


class ContainerMachine(Machine):
    """See the module's docstring."""

    on = "container"
    relayed = True

    def __init__(self, definition: InstanceDefinition, workshop: Workshop) -> None:
        self._definition = definition
        self._folder = workshop.folder
        self._gate = workshop.gate
        self._name = f"perijove-{workshop.name}"
        self._container = Container(self._name, workshop.files)
        self._install: NodeInstall | None = None
        self._step: str | None = None
        self._limited: bool | None = None

    async def gate(self) -> tuple[GateAddress, str | None]:
        socket = f"{GATE}/{self._gate.name}"
        return GateAddress(url="http://hub", socket=socket), None

    async def start_agent(self, config: AgentConfig) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        try:
            await self._bring_up()
            if self._install is None:
                self._install = await prepare(self._container, self._say)
        except PerijoveError as error:
            if error.field == "host":  # a container is what its image is
                error.field = "image"
            raise
        finally:
            self._step = None
        folder = self._agent_folder()
        here = self._container.home / folder.relative_to(HOME)
        here.mkdir(parents=True, exist_ok=True, mode=0o700)
        replace_file(here / CONFIG, config.model_dump_json())
        name, _, value = mark(Path(folder)).partition("=")
        await self._container.start_detached(
            [self._install.python, "-m", "perijove.compute.instance.agent", str(folder)],
            {name: value, "HOME": HOME},
            str(folder / AGENT_LOG),
            HOME,
        )

    @property
    def waiting(self) -> str | None:
        return self._step

    async def _bring_up(self) -> None:
        state = await self._state()
        if state == "running":
            return
        if state == "paused":
            await run_engine("unpause", self._name)
            return
        self._install = None
        if state is not None:
            done = await run_engine("start", self._name)
            if done.code == 0:
                return
            await run_engine("rm", "-f", self._name)
        self._container.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        made = self._definition
        options = [
            *("--detach", "--name", self._name, *NETWORK),
            *("--volume", f"{self._container.home}:{HOME}"),
            *("--volume", f"{self._gate.parent}:{GATE}"),
            *("--env", f"HOME={HOME}", "--workdir", HOME, "--entrypoint", "/bin/sh"),
            f"--cpus={made.cpus}",
            *(() if made.memory is None else (f"--memory={made.memory}",)),
        ]
        self._say(f"Starting {made.image} with {engine()}.")
        said = ""
        for limits in (options, [word for word in options if not _is_limit(word)]):
            for before, after in WAYS:
                done = await run_engine(
                    *before, "run", *limits, *after, str(made.image), *INIT, timeout=PATIENCE
                )
                if done.code == 0:
                    self._limited = limits is options
                    return
                said = said or done.err.strip()
                await run_engine("rm", "-f", self._name)
        raise Conflict(
            f"The container does not start: {_last_error(said)}",
            field="image",
            remedy=f"Try it by hand: {engine()} run {made.image} sleep 1.",
        )

    async def _state(self) -> str | None:
        done = await run_engine("container", "inspect", "-f", LOOK, self._name)
        if done.code:
            return None
        state, cpus = done.out.split()
        self._limited = cpus != "0"
        return state

    async def alive(self) -> bool:
        return False  # starting what runs does nothing

    async def stop_agent(self) -> None:
        if await self._state() is not None:
            await run_engine("stop", "-t", "2", self._name)

    async def destroy(self) -> None:
        with suppress(PerijoveError):
            await run_engine("rm", "-f", "-t", "2", self._name)
        with suppress(OSError):  # its files stay, if there are any
            self._container.home.rmdir()

    def shell(self) -> list[str]:
        return [engine(), "exec", "-it", "-e", f"HOME={HOME}", self._name, "/bin/sh"]

    def properties(self) -> dict[str, JsonValue]:
        limited = self._limited
        return {
            "image": self._definition.image,
            "container": self._name,
            "files": str(self._container.home),
            "limits": None if limited is None else "enforced" if limited else "not enforced",
            "step": self._step,
        }

    def log_text(self) -> str:
        agent = ""
        if self._install is not None:
            here = self._container.home / self._agent_folder().relative_to(HOME)
            agent = end_of(here / AGENT_LOG)
        return end_of(self._folder / SAID) + agent

    def _say(self, text: str) -> None:
        self._step = text
        with (self._folder / SAID).open("a") as file:
            file.write(text.rstrip("\n") + "\n")
        self.changed()

    def _agent_folder(self) -> PurePosixPath:
        assert self._install is not None
        return PurePosixPath(self._install.home) / "agent"


def _last_error(said: str) -> str:
    """Of all that an engine says when it has tried again and again."""
    lines = said.splitlines() or ["the engine does not say why"]
    errors = [line.partition("rror: ")[2] for line in lines if "rror: " in line]
    return (errors or lines)[-1][:500]


def _is_limit(word: str) -> bool:
    return word.startswith(("--cpus=", "--memory="))


async def run_engine(*words: str, input: bytes | None = None, timeout: float = 60.0) -> Completed:
    """Run a command of the engine.

    Raises
    ------
    Conflict: there is no engine. Unreachable: it does not answer.
    """
    process = await asyncio.create_subprocess_exec(
        engine(),
        *words,
        stdin=asyncio.subprocess.DEVNULL if input is None else asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(timeout):
            out, err = await process.communicate(input)
    except TimeoutError:
        process.kill()
        raise Unreachable(f"{engine()} {words[0]} has not ended within {timeout:.0f} s.") from None
    return Completed(
        process.returncode or 0, out.decode(errors="replace"), err.decode(errors="replace")
    )


def check(definition: InstanceDefinition) -> None:
    """Raises InvalidInput or Conflict, if no container can be made."""
    engine()
    if not definition.image:
        raise InvalidInput(
            "A container needs an image.",
            field="image",
            remedy="Name one with Python or a C library, such as python:3.12-slim.",
        )
    if not IMAGE.fullmatch(definition.image):  # the engine would take some for an option
        raise InvalidInput(
            f"{definition.image[:80]!r} is no name of an image.",
            field="image",
            remedy="Name one such as python:3.12-slim or registry.example.org/team/image:1.",
        )
