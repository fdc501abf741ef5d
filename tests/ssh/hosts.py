"""Machines with a real sshd each: network, process, mount and host-name namespaces of their own.

A host has its own home folder, /tmp, boot id and host key, and does not see this project or the
virtual environment that the tests run in; the rest of the file system is this machine's. Its
network has no way out. Needs root, and Debian's packages openssh-server and iproute2::

    with Hosts(tmp_path) as hosts:
        box = hosts.add()
        box.cut(), box.restore()        # the network cable
        box.kill_sshd(), box.start_sshd()
        box.reboot()                    # power lost: every process gone, another boot id
        box.address()                   # SshAddress, with the key to log in and the pin
        inner = hosts.add(behind=box)   # reachable through box only

Everything ends with the test process, also when it is killed; names of networks that are left
then are removed by the next `Hosts`.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

import perijove
from perijove.compute.ssh.connection import SshHost
from perijove.compute.ssh.prepare import prepare
from perijove.models.ssh import SshAddress

PREFIX = "pjv"
NAME = re.compile(rf"\b({PREFIX}(\d+)[a-z]\d*)\b")
ENVIRON = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
# where the tests' own Python is mounted, its library is found by this only
INSIDE = {"PATH": f"/srv/python/bin:{ENVIRON['PATH']}", "LD_LIBRARY_PATH": "/srv/python/lib"}
HIDDEN = (Path(perijove.__file__).parents[2], Path(sys.prefix))
BOOT = r"""
set -e
folder="$1"; name="$2"; disk="$3"; hide="$4"; break="$5"; python="$6"; node="$7"
mount --make-rprivate /
mount -t proc proc /proc
mount --bind "$folder/boot_id" /proc/sys/kernel/random/boot_id
mount --bind "$folder/etc" /mnt
mount -t tmpfs none /srv
if [ -n "$python" ]; then mkdir /srv/python; mount --bind "$python" /srv/python; fi
if [ -n "$disk" ]; then mount -t tmpfs -o "size=$disk,mode=700" none /root
else mount --bind "$folder/home" /root; fi
if [ -n "$node" ]; then
  for part in bin venvs; do
    mkdir -p "/root/.perijove-node/$part"
    mount --bind "$node/$part" "/root/.perijove-node/$part"
  done
  chmod 700 /root/.perijove-node
fi
for path in $hide; do [ ! -d "$path" ] || mount -t tmpfs none "$path"; done
for path in $break; do mount --bind /dev/null "$path"; done
mount --bind "$folder/tmp" /tmp
hostname "$name"
cd /
exec perl -e '$| = 1; print "up\n"; while (1) { wait > 0 or select undef, undef, undef, 0.1 }'
"""
"""The first process of a host; at last it only reaps."""


def need_hosts() -> None:
    """Skip the test where no hosts can be made."""
    missing = [name for name in ("sshd", "ip", "unshare", "nsenter") if not _find(name)]
    if os.geteuid() != 0 or missing:
        pytest.skip(f"needs root, openssh-server and iproute2 (missing: {missing})")
    tried = subprocess.run(
        ["unshare", "--net", "--mount", "--uts", "--pid", "--fork", "true"],
        capture_output=True,
        text=True,
        check=False,
    )
    if tried.returncode:
        pytest.skip(f"this machine makes no namespaces: {tried.stderr.strip()}")


class Host:
    """See the module."""

    def __init__(
        self,
        hosts: Hosts,
        name: str,
        folder: Path,
        ip: str,
        cable: tuple[str, ...],
        options: dict[str, Any],
    ) -> None:
        self.hosts, self.name, self.folder, self.ip, self.cable = hosts, name, folder, ip, cable
        self._options = options
        self._boot: subprocess.Popen[bytes] | None = None
        self._init = 0
        for part in ("etc", "home", "tmp"):
            (folder / part).mkdir(parents=True)
        (folder / "home").chmod(0o700)
        self.new_key()
        shutil.copy(hosts.key.with_suffix(".pub"), folder / "etc/authorized_keys")
        self._configure()

    @property
    def home(self) -> Path:
        """Its user's home folder, seen from here."""
        return self.folder / "home"

    @property
    def log(self) -> str:
        """What its sshd has said."""
        return (self.folder / "etc/log").read_text()

    def address(self, **changes: object) -> SshAddress:
        """How to log in there."""
        public = (self.folder / "etc/host_key.pub").read_text()
        found = {
            "host": self.ip,
            "user": "root",
            "identity_file": str(self.hosts.key),
            "host_key": public,
        }
        return SshAddress.model_validate(found | changes)

    def new_key(self) -> None:
        """Make another host key; `start_sshd` is what uses it."""
        key = self.folder / "etc/host_key"
        key.unlink(missing_ok=True)
        _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key))

    def _configure(self) -> None:
        settings = {
            "HostKey": "/mnt/host_key",
            "AuthorizedKeysFile": "/mnt/authorized_keys",
            "PidFile": "none",
            "StrictModes": "no",
            "PasswordAuthentication": "no",
            "KbdInteractiveAuthentication": "no",
            "UsePAM": "no",
            "PrintMotd": "no",
            "PrintLastLog": "no",
            "LogLevel": "VERBOSE",
            "Subsystem": "sftp internal-sftp",
            "SetEnv": " ".join(f"{name}={value}" for name, value in INSIDE.items()),
        } | self._options.get("sshd", {})
        lines = [f"{name} {value}" for name, value in settings.items() if value is not None]
        (self.folder / "etc/sshd_config").write_text("\n".join(lines) + "\n")

    # -- what happens to machines

    def power_on(self) -> None:
        """Power on. The machine ends with the thread that called this."""
        (self.folder / "boot_id").write_text(f"{uuid.uuid4()}\n")
        self._boot = subprocess.Popen(
            [
                *("setpriv", "--pdeathsig", "KILL", "ip", "netns", "exec", self.name),
                *("unshare", "--mount", "--uts", "--pid", "--fork", "--kill-child"),
                *("/bin/sh", "-c", BOOT, "sh", str(self.folder), self.name),
                self._options.get("disk", ""),
                " ".join(str(path) for path in HIDDEN),
                " ".join(str(path) for path in self._options.get("broken", ())),
                sys.base_prefix if self._options.get("python", True) else "",
                str(self._options.get("node", "")),
            ],
            env=ENVIRON,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        assert self._boot.stdout is not None
        if self._boot.stdout.readline() != b"up\n":
            raise RuntimeError(f"Host {self.name} did not start")
        self._init = psutil.Process(self._boot.pid).children()[0].pid
        self.start_sshd()

    def power_off(self) -> None:
        """Power off: every process is killed."""
        if self._boot is not None:
            assert self._boot.stdout is not None
            self._boot.kill()
            self._boot.wait()
            self._boot.stdout.close()
            psutil.wait_procs(self.processes(), timeout=10)
            self._boot = None

    def reboot(self) -> None:
        """Lose power, and start again: nobody is told, /tmp is empty."""
        self.cut()
        self.power_off()
        shutil.rmtree(self.folder / "tmp")
        (self.folder / "tmp").mkdir(mode=0o1777)
        self.restore()
        self.power_on()

    def cut(self) -> None:
        """Pull the network cable."""
        _run(*self.cable, "down")

    def restore(self) -> None:
        """Plug it in again."""
        _run(*self.cable, "up")

    def kill_sshd(self) -> None:
        """kill -9 all of sshd: the listener and whatever serves connections."""
        while found := self._sshd():
            for process in found:
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            psutil.wait_procs(found, timeout=5)

    def _sshd(self) -> list[psutil.Process]:
        found = []
        for process in self.processes():
            with suppress(psutil.NoSuchProcess):
                if process.name().startswith("sshd"):
                    found.append(process)
        return found

    def start_sshd(self) -> None:
        """Have an sshd that listens; one that is there stays."""
        if self._sshd():
            return
        Path("/run/sshd").mkdir(exist_ok=True)
        done = self.exec("/usr/sbin/sshd", "-f", "/mnt/sshd_config", "-E", "/mnt/log")
        assert done.returncode == 0, done.stdout
        # its parent ends before the daemon listens
        while not any(listener.endswith(":22") for listener in self.listeners()):
            assert self._sshd(), self.log
            time.sleep(0.01)

    # -- a look at it from within

    def start(self, *argv: str) -> psutil.Process:
        """Start a program there, without ssh; it ends with the host at the latest."""
        before = set(self.processes())
        self.exec("/bin/sh", "-c", '"$@" </dev/null >/dev/null 2>&1 &', "sh", *argv)
        return (set(self.processes()) - before).pop()

    def exec(self, *argv: str) -> subprocess.CompletedProcess[str]:
        """Run a program there, without ssh."""
        return subprocess.run(
            ["nsenter", "-t", str(self._init), "--all", "--wd=/root", *argv],
            env=INSIDE | {"HOME": "/root"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    def processes(self) -> list[psutil.Process]:
        """All of its processes, with their pids out here."""
        found = _run("ip", "netns", "pids", self.name).split()
        outside = self._boot.pid if self._boot is not None else 0
        processes = []
        for pid in found:
            with suppress(psutil.NoSuchProcess):
                processes.append(psutil.Process(int(pid)))
        return [process for process in processes if process.pid != outside]

    def listeners(self) -> list[str]:
        """The address:port pairs that something there listens on."""
        lines = self.exec("ss", "-Hltn").stdout.splitlines()
        return [line.split()[3] for line in lines]


class Hosts:
    """See the module."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "hosts"
        self.key = self.folder / "id_ed25519"
        self.all: list[Host] = []
        self._prefix = f"{PREFIX}{os.getpid()}"
        self._net = ""
        self._bridge = ""

    def __enter__(self) -> Hosts:
        need_hosts()
        remove_left_ones()
        self.folder.mkdir(parents=True)
        _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.key))
        taken = _run("ip", "-4", "-o", "addr")
        bridges = len(re.findall(rf"{self._prefix}b\d+", _run("ip", "-o", "link")))
        self._bridge = f"{self._prefix}b{bridges}"
        self._net = next(
            net
            for number in range(os.getpid(), os.getpid() + 250)
            if f" {(net := f'10.77.{number % 250 + 1}')}." not in taken
        )
        _run("ip", "link", "add", self._bridge, "type", "bridge")
        _run("ip", "addr", "add", f"{self.gateway}/24", "dev", self._bridge)
        _run("ip", "link", "set", self._bridge, "up")
        return self

    def __exit__(self, *_: object) -> None:
        for host in self.all:
            host.power_off()
            _run("ip", "netns", "del", host.name)
            for part in ("home", "tmp"):
                shutil.rmtree(host.folder / part, ignore_errors=True)
        _run("ip", "link", "del", self._bridge)

    @property
    def gateway(self) -> str:
        """This machine, as the hosts see it."""
        return f"{self._net}.1"

    def add(self, behind: Host | None = None, **options: Any) -> Host:
        """A running host.

        `behind`: only this host reaches it. `sshd`: settings of its sshd (None: leave out).
        `disk`: size of its home folder, such as ``"64m"``. `broken`: programs it cannot run.
        `node`: what `prepared_node` returned: it is prepared already (and shares uv and the
        environment with others of this node).
        `python`: has it the Python that the tests run in, or only what the system has?
        """
        number = len(self.all) + 2
        # bridges and links are counted apart: several `Hosts` may be there at once
        name = f"{self._bridge.replace('b', 'n')}{number}"
        link, ip = f"{self._bridge.replace('b', 'v')}{number}", f"{self._net}.{number}"
        _run("ip", "netns", "add", name)
        _run("ip", "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", name)
        inside, cable = ("ip", "-n", name), ("ip", "link", "set", link)
        _run(*inside, "link", "set", "lo", "up")
        if behind is None:
            _run("ip", "link", "set", link, "master", self._bridge, "up")
        else:
            net = f"10.78.{self._net.rpartition('.')[2]}"
            ip = f"{net}.{number}"
            _run("ip", "link", "set", link, "netns", behind.name)
            outer = ("ip", "-n", behind.name)
            cable = (*outer, "link", "set", link)
            _run(*outer, "addr", "add", f"{net}.1/32", "peer", ip, "dev", link)
            _run(*outer, "link", "set", link, "up")
        _run(*inside, "addr", "add", f"{ip}/24", "dev", "eth0")
        _run(*inside, "link", "set", "eth0", "up")
        host = Host(self, name, self.folder / str(number), ip, cable, options)
        self.all.append(host)
        host.power_on()
        return host


def prepared_node(folder: Path) -> Path:
    """What `prepare` makes on a host, for `Hosts.add(node=…)`: a minute, once a test session."""
    with Hosts(folder) as hosts:
        box = hosts.add()

        async def make() -> None:
            async with SshHost(box.address(), folder / "state") as host:
                await prepare(host)

        asyncio.run(make())
        return (box.home / ".perijove-node").rename(folder / "node")


def remove_left_ones() -> None:
    """Remove what killed test runs have left."""
    names = json.loads(_run("ip", "-j", "netns", "list") or "[]")
    links = json.loads(_run("ip", "-j", "link"))
    for kind, found in (("netns", names), ("link", links)):
        for name in (str(item.get("name", item.get("ifname"))) for item in found):
            ours = NAME.fullmatch(name)
            if ours is None or psutil.pid_exists(int(ours[2])):
                continue
            if kind == "netns":
                for pid in _run("ip", "netns", "pids", name).split():
                    psutil.Process(int(pid)).kill()
            subprocess.run(["ip", kind, "del", name], check=False, capture_output=True)


def _run(*argv: str) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(argv)}: {done.stderr.strip()}")
    return done.stdout


def _find(program: str) -> str | None:
    return shutil.which(program, path=ENVIRON["PATH"])
