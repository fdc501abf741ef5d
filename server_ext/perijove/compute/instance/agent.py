"""The agent: one detached process on an instance's machine.

``python -m perijove.compute.instance.agent [--end] FOLDER``. It calls the hub, forks runners from
a warm zygote, and holds kernels. It outlives hubs and cut lines; runners and kernels outlive it.
``--end`` ends it with everything that was started below it.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import logging
import os
import signal
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from perijove.background import Tasks
from perijove.compute.builds import UvBuilder
from perijove.compute.cluster.usage import Usage as UsageMeter
from perijove.compute.environments import EnvironmentZygotes, warm_attempt
from perijove.compute.gpus import GpuLease, own_gpus
from perijove.compute.instance.courier import ORDER, Courier
from perijove.compute.instance.files import LocalFiles
from perijove.compute.instance.gate import Gate, GateError, Refused
from perijove.compute.instance.kernels import Kernels
from perijove.compute.instance.process import facts, mark
from perijove.compute.instance.verbs import Verbs
from perijove.compute.relay import Relay, connect
from perijove.compute.tidy import remove_unwanted
from perijove.compute.waiting import wait_for_exit
from perijove.compute.zygote import Zygote, start_cold
from perijove.errors import PerijoveError, Unreachable
from perijove.models.agents import (
    AGENT_LOCK,
    AGENT_LOG,
    CONFIG,
    PROCESS,
    RELAY,
    REPORT,
    AgentConfig,
    AgentHello,
    AgentReport,
    Answer,
    AttemptOrder,
    Usage,
)
from perijove.models.attempts import RUNNER, SPEC, RunnerProcess
from perijove.models.kernels import KernelInfo, KernelState
from perijove.models.processes import (
    current_process,
    end_attempt,
    end_marked,
    runtime_dir,
)
from perijove.writing import replace_file

log = logging.getLogger("perijove.agent")

BACK_OFF = (0.2, 5.0)
ATTEMPTS, ENVIRONMENTS = "attempts", "environments"
FORGOTTEN, DISOWNED = 24 * 3600.0, 60.0
"""Seconds until an agent that runs nothing ends, if its hub is away, or says that it has no use
for it. A hub that comes back starts another."""
FIRST_FORK = 10.0
"""Seconds a first attempt waits for the zygote; starting an ordinary process takes longer."""


class Agent:
    """See the module's docstring."""

    def __init__(self, folder: Path) -> None:
        self._began = time.monotonic()
        self._folder = folder
        self._config = self._read()
        self._gate = Gate(self._config.gate, self._config.token)
        warm, preload = self._config.warm_start, self._config.preload
        self._zygote = Zygote(preload, folder / AGENT_LOG) if warm else None
        self._usage = UsageMeter()
        self._couriers: dict[str, Courier] = {}
        self._shared: dict[str, AttemptOrder] = {}
        self._report = AgentReport()
        self._wake = asyncio.Event()
        self._stopping = asyncio.Event()
        self._tasks = Tasks("the agent", log)
        self._poke_path = runtime_dir() / f"agent-{os.getpid()}.poke"
        self._relay: Relay | None = None
        self._tracking_uri: str | None = None
        self._builder = UvBuilder(
            folder / ENVIRONMENTS,
            lambda digest, file: self._gate.wheels(self._config.target, digest, file),
        )
        self._kernels = Kernels(
            folder / "kernels",
            lambda: self._zygote,
            _address(self._config),
            self._kernel_environ,
            self._builder,
        )
        self._verbs = Verbs(self._kernels, LocalFiles(Path.home()))
        self._environments = EnvironmentZygotes(preload) if warm else None
        self._gpus = own_gpus(self._config.gpus)
        self._gpu_free = asyncio.Condition()

    def _kernel_environ(self) -> dict[str, str]:
        """MLflow as it is reached from here."""
        # no git there, and Python's own modules are frozen: that need not be said
        quiet = {"GIT_PYTHON_REFRESH": "quiet", "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
        return quiet | ({"MLFLOW_TRACKING_URI": self._tracking_uri} if self._tracking_uri else {})

    def _read(self) -> AgentConfig:
        return AgentConfig.model_validate_json((self._folder / CONFIG).read_text())

    async def run(self) -> None:
        """Serve until told to stop."""
        replace_file(self._folder / PROCESS, current_process().model_dump_json())
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._stopping.set)
        poke = self._listen()
        self._kernels.adopt()
        if self._zygote is not None:
            await self._zygote.start()
        self._tracking_uri = self._config.tracking_uri
        if self._config.relay:
            self._relay = Relay(lambda: connect(self._config.gate))
            self._tracking_uri = await self._relay.listen_again(self._folder / RELAY)
        for order in (self._folder / ATTEMPTS).glob(f"*/*/{ORDER}"):
            with suppress(OSError, ValueError):
                self._carry(AttemptOrder.model_validate_json(order.read_text()))
        self._tasks.spawn(self._keep_link())
        self._tasks.spawn(self._keep_reporting())
        await self._stopping.wait()
        if "SLURM_JOB_ID" in os.environ:  # its time is over, and so is that of all it has started
            end_marked(mark(self._folder))
        await self._tasks.close()
        asyncio.get_running_loop().remove_reader(poke.fileno())
        poke.close()
        self._poke_path.unlink(missing_ok=True)
        if self._zygote is not None:
            await self._zygote.close()
        if self._relay is not None:
            await self._relay.close()
        await self._gate.close()
        if self._environments is not None:
            self._environments.close()
        (self._folder / PROCESS).unlink(missing_ok=True)

    # the hub

    async def _keep_link(self) -> None:
        """Be linked with the hub; call again as long as it does not answer."""
        delay, heard = BACK_OFF[0], time.monotonic()
        while True:
            patience = FORGOTTEN
            hello = AgentHello(
                process=RunnerProcess.model_validate(current_process().model_dump()),
                facts=facts(),
                attempts=[*self._couriers, *self._shared],
                up=time.monotonic() - self._began,
            )
            try:
                async for command in self._gate.link(self._config.target, hello):
                    delay, heard = BACK_OFF[0], time.monotonic()
                    self._obey(command)
            except Refused as error:
                patience = DISOWNED
                log.warning("The hub does not want this agent (%s)", error)
            except GateError as error:
                log.info("The hub is away: %s", str(error) or "the line ended")
            busy = self._couriers or self._shared or await self._living_kernels()
            if not busy and time.monotonic() - heard > patience:
                log.warning("Nothing runs here, and nobody asks: the agent ends")
                self._stopping.set()
            await asyncio.sleep(delay)
            delay = min(BACK_OFF[1], 2 * delay)
            await self._read_again()

    async def _read_again(self) -> None:
        with suppress(OSError, ValueError):
            found = self._read()
            if (found.gate, found.token) != (self._config.gate, self._config.token):
                before, self._gate = self._gate, Gate(found.gate, found.token)
                await before.close()
            self._config = found

    def _obey(self, command: dict[str, Any]) -> None:
        if "launch" in command:
            self._carry(AttemptOrder.model_validate(command["launch"]))
        elif "cancel" in command or "forget" in command:
            key = command.get("cancel") or command["forget"]
            if key in self._couriers:
                self._couriers[key].end(at_once="forget" in command)
            elif key in self._shared and "forget" in command:
                self._tasks.spawn(self._end_shared(self._shared[key]))
        elif "call" in command:
            self._tasks.spawn(
                self._answer(command["call"], command["do"], command.get("args") or {})
            )
        elif "keep" in command:
            self._tasks.spawn(
                remove_unwanted(
                    self._folder / ENVIRONMENTS,
                    self._builder,
                    self._environments,
                    command["keep"],
                    lambda: {str(courier.environment) for courier in self._couriers.values()},
                )
            )
        elif "stop" in command:
            end_marked(mark(self._folder))
            self._stopping.set()

    async def _answer(self, number: int, verb: str, args: dict[str, Any]) -> None:
        try:
            answer = Answer(id=number, result=await self._verbs.call(verb, args))
        except PerijoveError as error:
            answer = Answer(id=number, error=error.to_json())
        except GateError as error:
            answer = Answer(id=number, error=Unreachable(f"{verb}: {error}.").to_json())
        except (OSError, ValueError, KeyError, TypeError) as error:
            answer = Answer(id=number, error=PerijoveError(f"{verb}: {error}").to_json())
        self._report.answers.append(answer)
        self._wake.set()

    async def _keep_reporting(self) -> None:
        delay = BACK_OFF[0]
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(REPORT):
                    await self._wake.wait()
            self._wake.clear()
            report, self._report = self._report, AgentReport()
            kernels = await self._living_kernels()
            report.usage = await asyncio.to_thread(self._measure)
            report.usage.cpu_percent += sum(kernel.cpu_percent or 0 for kernel in kernels)
            report.usage.memory += sum(kernel.memory_used or 0 for kernel in kernels)
            report.kernels = [
                kernel.model_dump(mode="json", exclude={"connection"}) for kernel in kernels
            ]
            report.busy = [*self._couriers, *self._shared]
            try:
                await self._gate.report(self._config.target, report)
                delay = BACK_OFF[0]
            except GateError:
                # what was not heard is said again
                self._report.gone = report.gone | self._report.gone
                self._report.answers = report.answers + self._report.answers
                await asyncio.sleep(delay)
                delay = min(BACK_OFF[1], 2 * delay)

    async def _living_kernels(self) -> list[KernelInfo]:
        # dead ones are kept, to be started again, until they are ended; nobody may come to do so
        kernels = await self._kernels.list()
        return [kernel for kernel in kernels if kernel.state is not KernelState.DEAD]

    def _measure(self) -> Usage:
        """What jobs use."""
        found = self._usage.figures() if sys.platform == "linux" else {"cpu": 0.0, "memory": 0.0}
        return Usage(cpu_percent=round(found["cpu"], 1), memory=int(found["memory"]))

    # attempts

    def _carry(self, order: AttemptOrder) -> None:
        if order.key in self._couriers or order.key in self._shared:
            return
        if order.folder is not None:
            self._shared[order.key] = order
            self._tasks.spawn(self._run_shared(order))
            return
        folder = self._folder / ATTEMPTS / order.job_id / str(order.attempt)
        courier = Courier(
            order, folder, lambda: self._gate, self._tracking_uri, self._builder.build
        )
        self._couriers[order.key] = courier
        self._tasks.spawn(self._run_carried(order, courier))

    async def _run_shared(self, order: AttemptOrder) -> None:
        """The hub reads and watches the attempt's folder itself."""
        assert order.folder is not None
        lost = None
        try:
            await self._start_runner(order.folder)
        except OSError as error:
            lost = f"The agent could not start a runner: {error}"
        del self._shared[order.key]
        self._say_gone(order.key, lost)

    async def _run_carried(self, order: AttemptOrder, courier: Courier) -> None:
        lost = None
        try:
            await courier.run(self._start_runner, str(self._poke_path))
        except OSError as error:
            lost = f"The machine could not run the job: {error}"
        del self._couriers[order.key]
        with suppress(OSError):
            (self._folder / ATTEMPTS / order.job_id).rmdir()
        self._say_gone(order.key, lost)

    def _say_gone(self, key: str, lost: str | None = None) -> None:
        self._report.gone[key] = lost
        self._wake.set()

    async def _end_shared(self, order: AttemptOrder) -> None:
        runner, folder = None, Path(order.folder or ".")
        with suppress(OSError, ValueError):
            runner = RunnerProcess.model_validate_json((folder / RUNNER).read_text())
        await asyncio.to_thread(end_attempt, order.job_id, order.attempt, runner)

    async def _start_runner(self, folder: str) -> None:
        """Start a runner for the attempt; returns when it has ended."""
        spec = json.loads((Path(folder) / SPEC).read_text())
        async with self._gpu_lease(int(spec.get("resources", {}).get("gpus", 0))) as environ:
            elsewhere = warm_attempt(self._environments, Path(folder), self._config.target, environ)
            pid = process = None
            if self._zygote is not None:
                with suppress(TimeoutError):
                    async with asyncio.timeout(FIRST_FORK):
                        await self._zygote.ready.wait()
                pid = await self._zygote.fork_attempt(folder, kernel=not elsewhere)
            if pid is None:
                process = start_cold(folder)
                pid = process.pid
            self._usage.add(pid, Path(folder))
            try:
                await wait_for_exit(pid)
            finally:
                self._usage.remove(pid)
                if process is not None:
                    process.wait()

    def _gpu_lease(self, count: int) -> GpuLease:
        return GpuLease(self._gpus, self._gpu_free, count, self._config.gpus > 0)

    # pokes

    def _listen(self) -> socket.socket:
        self._poke_path.unlink(missing_ok=True)
        poke = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        poke.bind(str(self._poke_path))
        self._poke_path.chmod(0o600)
        poke.setblocking(False)
        asyncio.get_running_loop().add_reader(poke.fileno(), self._poked, poke)
        return poke

    def _poked(self, poke: socket.socket) -> None:
        with suppress(BlockingIOError):
            while data := poke.recv(1 << 16):
                with suppress(ValueError, KeyError, TypeError):
                    message = json.loads(data)
                    key = f"{message['job_id']}/{message['attempt']}"
                    if key in self._couriers:
                        self._couriers[key].poked.set()


def _address(config: AgentConfig) -> str:
    """Where kernels listen: where the hub reaches them, if it is on another machine."""
    host = urlsplit(config.gate.url).hostname
    if not config.open_kernels or host is None or config.gate.socket is not None:
        return "127.0.0.1"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((host, 9))  # sends nothing: it only chooses the route
        return str(probe.getsockname()[0])


def main() -> None:
    """See the module's docstring."""
    folder = Path(sys.argv[-1])
    if sys.argv[1] == "--end":
        end_marked(mark(folder))
        (folder / PROCESS).unlink(missing_ok=True)
        return
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    logging.getLogger("httpx").setLevel(logging.WARNING)
    lock = os.open(folder / AGENT_LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    asyncio.run(Agent(folder).run())


if __name__ == "__main__":
    main()
