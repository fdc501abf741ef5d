"""A real Slurm of the tests' own: a controller here, and two nodes that are hosts of their own.

Each node is a slurmd in namespaces of its own: network (a bridge joins them), processes, host name,
and a boot id that is not this machine's. They share the file system with it, as nodes do.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import psutil

NODES = ("perinode1", "perinode2")
CPUS, MEMORY, GPUS = 4, 8000, 2
"""Of each node. Its GPUs are declared, not physical."""
# several of these may run at once
OWN = os.getpid() % 5000
PORT = 20000 + 2 * OWN
NETWORK = f"10.{200 + OWN // 250}.{OWN % 250}"
BRIDGE = f"pjslurm{OWN}"
CONTROLLER = f"{NETWORK}.1"

CONFIG = """
ClusterName=perijove
SlurmctldHost=perihead({controller})
SlurmctldPort={port}
SlurmdPort={slurmd}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CryptoType=crypto/munge
SlurmUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=sched_interval=2,batch_sched_delay=0
SlurmdParameters=config_overrides
MpiDefault=none
ReturnToService=2
KillWait=4
SlurmdTimeout=10
OverTimeLimit=0
EnforcePartLimits=ALL
MailProg=/bin/true
DefMemPerCPU=500
GresTypes=gpu
{nodes}
PartitionName=debug Nodes=ALL Default=YES MaxTime=INFINITE State=UP
PartitionName=short Nodes=ALL MaxTime=10 State=UP
PartitionName=closed Nodes=ALL State=DOWN
"""


def missing() -> str | None:
    """What is not here that the bed needs."""
    if os.getuid() != 0:
        return "a Slurm of the tests' own can only be started by root"
    tools = ("munged", "slurmctld", "slurmd", "sbatch", "ip", "unshare")
    if lacking := [tool for tool in tools if shutil.which(tool) is None]:
        return f"not installed: {', '.join(lacking)} (apt-get install slurm-wlm munge iproute2)"
    return None


class Slurm:
    """Starts and stops it; `SLURM_CONF` in the environment makes clients find it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def config(self) -> Path:
        return self.folder / "slurm.conf"

    def start(self) -> None:
        """Start everything, and return when both nodes are idle."""
        (self.folder / "state").mkdir(parents=True)
        self._network()
        nodes = "\n".join(
            f"NodeName={name} NodeAddr={NETWORK}.{11 + at} CPUs={CPUS} RealMemory={MEMORY} "
            f"Gres=gpu:{GPUS}"
            for at, name in enumerate(NODES)
        )
        self._declare_gpus()
        self.config.write_text(
            CONFIG.format(
                folder=self.folder,
                controller=CONTROLLER,
                port=PORT,
                slurmd=PORT + 1,
                nodes=nodes,
            )
        )
        os.environ["SLURM_CONF"] = str(self.config)
        self._munge()
        self._run("slurmctld", "unshare", "--uts", *_named("perihead"), "slurmctld", "-D")
        for name in NODES:
            self.boot(name)
        self._until_idle(*NODES)

    def stop(self) -> None:
        """End everything that was started."""
        for process in self._processes.values():
            process.kill()
        for process in self._processes.values():
            process.wait()
        for at, _ in enumerate(NODES):
            _ip("link", "del", f"{BRIDGE}{at}", check=False)
        _ip("link", "del", BRIDGE, check=False)
        os.environ.pop("SLURM_CONF", None)

    def boot(self, name: str) -> None:
        """Start a node: a host of its own as far as a process can tell."""
        at = NODES.index(name)
        boot_id = self.folder / f"boot-{name}"
        boot_id.write_text(f"{uuid4()}\n")
        script = (
            f"hostname {name}; mount --bind {boot_id} /proc/sys/kernel/random/boot_id; "
            "ip link set lo up; while ! ip addr show dev eth0 2>/dev/null | grep -q inet; "
            "do sleep 0.05; done; slurmd -D & wait"
        )
        process = self._run(
            name,
            *("unshare", "--kill-child", "--mount", "--uts", "--net", "--pid", "--fork"),
            *("--mount-proc", "bash", "-c", script),
        )
        inner = _until(lambda: _inner(process.pid), f"namespace of {name}")
        link = f"{BRIDGE}{at}"
        _ip("link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", str(inner))
        _ip("link", "set", link, "master", BRIDGE, "up")
        inside = ("nsenter", "-t", str(inner), "-n")
        address = f"{NETWORK}.{11 + at}/24"
        subprocess.run([*inside, "ip", "addr", "add", address, "dev", "eth0"], check=True)
        subprocess.run([*inside, "ip", "link", "set", "eth0", "up"], check=True)
        subprocess.run([*inside, "ip", "route", "add", "default", "via", CONTROLLER], check=True)

    def crash(self, name: str) -> None:
        """The node loses its power: every process of its is gone."""
        process = self._processes.pop(name)
        process.kill()
        process.wait()
        _ip("link", "del", f"{BRIDGE}{NODES.index(name)}", check=False)

    def runs(self, name: str) -> bool:
        """Has the node power?"""
        return name in self._processes

    def processes(self, name: str) -> list[psutil.Process]:
        """All of the node's processes, with their pids out here."""
        with suppress(KeyError, psutil.Error):
            return psutil.Process(self._processes[name].pid).children(recursive=True)
        return []

    def boot_id(self, name: str) -> str:
        """Of the node as it is now."""
        return (self.folder / f"boot-{name}").read_text().strip()

    def hide(self, name: str, folder: Path) -> None:
        """The node does not see what is in the folder, as if it were not shared."""
        inside = ("nsenter", "-t", str(_inner(self._processes[name].pid)), "-m")
        command = [*inside, "mount", "-t", "tmpfs", "tmpfs", str(folder)]
        subprocess.run(command, check=True)

    def listeners(self, name: str) -> list[str]:
        """Addresses that the node's processes, slurmd apart, listen on."""
        inside = ("nsenter", "-t", str(_inner(self._processes[name].pid)), "-n")
        found = [line.split() for line in _said(*inside, "ss", "-Hltn").splitlines()]
        return [words[3] for words in found if not words[3].endswith(f":{PORT + 1}")]

    def cut(self, name: str, connected: bool = False) -> None:
        """Cut the node from the network, or join it again."""
        _ip("link", "set", f"{BRIDGE}{NODES.index(name)}", "up" if connected else "down")

    def clear(self) -> None:
        """Cancel whatever is in the queue, and wait until it is empty."""
        subprocess.run(["scancel", "--quiet", "--user=root"], check=False)
        _until(lambda: not self.queue(), "empty queue")

    def recover(self) -> None:
        """Bring nodes that are down back, and wait until they are idle."""
        for name in NODES:
            if name not in self._processes:
                self.boot(name)
        self._until_idle(*NODES)

    def queue(self) -> list[str]:
        """Names of the jobs that Slurm has now."""
        return _said("squeue", "-h", "-o", "%j").split()

    def ids(self, state: str = "R") -> list[str]:
        """Ids of the jobs in this state."""
        return _said("squeue", "-h", "-t", state, "-o", "%i").split()

    def where(self) -> str:
        """The node that the only running job is on."""
        return _said("squeue", "-h", "-t", "R", "-o", "%N").strip()

    def cancel(self, *ids: str) -> None:
        """As a user would."""
        subprocess.run(["scancel", *ids], check=True)

    # details

    def _network(self) -> None:
        _ip("link", "del", BRIDGE, check=False)
        _ip("link", "add", BRIDGE, "type", "bridge")
        _ip("addr", "add", f"{CONTROLLER}/24", "dev", BRIDGE)
        _ip("link", "set", BRIDGE, "up")

    def _declare_gpus(self) -> None:
        for number in range(GPUS):  # any device does as long as nobody opens it
            device = self.folder / f"gpu{number}"
            os.mknod(device, stat.S_IFCHR | 0o600, os.stat(os.devnull).st_rdev)
        devices = f"File={self.folder}/gpu[0-{GPUS - 1}]"
        (self.folder / "gres.conf").write_text(f"Name=gpu Count={GPUS} {devices}\n")

    def _munge(self) -> None:
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        self._run(
            "munged",
            *("munged", "--foreground", "--force", f"--key-file={key}"),
            *(f"--socket={self.folder}/munge.socket", f"--pid-file={self.folder}/munged.pid"),
            *(f"--log-file={self.folder}/munged.log", f"--seed-file={self.folder}/munge.seed"),
        )
        _until(lambda: (self.folder / "munge.socket").exists(), "munged")

    def _run(self, name: str, *command: str) -> subprocess.Popen[bytes]:
        environ = os.environ | {"SLURM_CONF": str(self.config)}
        with (self.folder / f"{name}.out").open("ab") as output:
            self._processes[name] = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=environ,
                start_new_session=True,
            )
        return self._processes[name]

    def _until_idle(self, *names: str) -> None:
        for name in names:
            _until(lambda n=name: _idle(n), f"{name} is idle; see {self.folder}")  # type: ignore[misc]


def _idle(name: str) -> bool:
    # sinfo goes on to say *mixed* for a minute
    return "State=IDLE " in _said("scontrol", "show", "node", "-o", name)


def _named(name: str) -> list[str]:
    return ["bash", "-c", f'hostname {name}; exec "$0" "$@"']


def _inner(pid: int) -> int | None:
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(listed[0]) if listed else None


def _ip(*words: str, check: bool = True) -> None:
    subprocess.run(["ip", *words], check=check, capture_output=not check)


def _said(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def _until(condition, what: str, seconds: float = 60):  # type: ignore[no-untyped-def]
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, (what, _said("sinfo", "-N", "-l"), _said("squeue"))
        time.sleep(0.05)
    return found
