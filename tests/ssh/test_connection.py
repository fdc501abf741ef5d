"""Logging in, staying connected, programs, and tunnels, on real sshds."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from perijove.compute.ssh.connection import SshHost
from perijove.compute.ssh.hostkeys import fingerprint, scan
from perijove.compute.ssh.login import OPTIONS
from perijove.compute.ssh.shell import shell_argv
from perijove.errors import Conflict, InvalidInput, NotFound, PerijoveError, Unreachable
from perijove.models.ssh import SshAddress

from .hosts import Host, Hosts

pytestmark = [pytest.mark.integration, pytest.mark.asyncio]


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cut is noticed within a second."""
    monkeypatch.setitem(OPTIONS, "keepalive_interval", 0.3)
    monkeypatch.setitem(OPTIONS, "connect_timeout", 2)
    monkeypatch.setattr("perijove.compute.ssh.connection.MOST", 0.5)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.05)


@asynccontextmanager
async def connected(box: Host, **changes: object) -> AsyncIterator[SshHost]:
    async with SshHost(box.address(**changes), box.folder / "state") as host:
        yield host


async def refusal(address: SshAddress, folder: Path) -> PerijoveError:
    """Why one cannot connect."""
    with pytest.raises(PerijoveError) as found:
        async with SshHost(address, folder):
            pass
    return found.value


@asynccontextmanager
async def echo(path: Path) -> AsyncIterator[None]:
    """A server on a Unix socket that says everything twice."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        said = await reader.read()
        writer.write(said * 2)
        writer.close()

    server = await asyncio.start_unix_server(serve, path)
    async with server:
        yield


# -- logging in


async def test_the_key_shown_is_the_one_to_pin(box: Host) -> None:
    (key,) = await scan(box.address(host_key=None))
    assert key.line == box.address().host_key
    shown = subprocess.run(
        ["ssh-keygen", "-lf", str(box.folder / "etc/host_key.pub")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert key.fingerprint == fingerprint(key.line) == shown.stdout.split()[1]


async def test_a_changed_key_is_refused(box: Host, tmp_path: Path) -> None:
    address = box.address()
    box.new_key()
    box.kill_sshd()
    box.start_sshd()
    error = await refusal(address, tmp_path / "state")
    assert isinstance(error, Conflict)
    assert error.field == "host_key"
    assert fingerprint(str(address.host_key)) in error.message
    assert fingerprint(str(box.address().host_key)) in error.message
    assert "Accepted" not in box.log


async def test_another_kind_of_key_is_a_changed_key(box: Host, tmp_path: Path) -> None:
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "rsa", "-N", "", "-f", str(tmp_path / "rsa")], check=True
    )
    rsa = (tmp_path / "rsa.pub").read_text()
    error = await refusal(box.address(host_key=rsa), tmp_path / "state")
    assert isinstance(error, Conflict)
    assert fingerprint(str(box.address().host_key)) in error.message


async def test_without_a_pin_nobody_connects(box: Host, tmp_path: Path) -> None:
    assert (await refusal(box.address(host_key=None), tmp_path)).field == "host_key"


async def test_what_keeps_one_out_is_said(hosts: Hosts, box: Host, tmp_path: Path) -> None:
    key = tmp_path / "other"
    subprocess.run(["ssh-keygen", "-q", "-N", "", "-f", str(key)], check=True)
    silent = f"{hosts.gateway.rpartition('.')[0]}.250"
    for changes, kind, field, word in (
        ({"identity_file": str(key)}, InvalidInput, "identity_file", "let the hub in"),
        ({"identity_file": None}, InvalidInput, "host", "let the hub in"),
        ({"user": "nobody-of-this-name"}, InvalidInput, "identity_file", "let the hub in"),
        ({"identity_file": str(tmp_path / "none")}, InvalidInput, "identity_file", "No such file"),
        ({"identity_file": str(tmp_path / "other.pub")}, InvalidInput, "identity_file", "not a"),
        ({"host": "no-such-host.invalid"}, Unreachable, "host", "not known"),
        ({"port": 23}, Unreachable, "host", "refuses"),
        ({"host": silent}, Unreachable, "host", ""),
    ):
        error = await refusal(box.address(**changes), tmp_path / "state")
        assert isinstance(error, kind), (changes, error)
        assert error.field == field, (changes, error)
        assert word in error.message, (changes, error)


async def test_a_port_that_is_not_sshd(hosts: Hosts, box: Host, tmp_path: Path) -> None:
    server = await asyncio.start_server(lambda _, writer: writer.close(), hosts.gateway, 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        error = await refusal(box.address(host=hosts.gateway, port=port), tmp_path / "state")
    assert isinstance(error, Unreachable)


async def test_a_locked_key_needs_an_agent(
    box: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = tmp_path / "locked"
    shutil.copy(box.hosts.key, key)
    shutil.copy(f"{box.hosts.key}.pub", f"{key}.pub")
    subprocess.run(["ssh-keygen", "-q", "-p", "-N", "secret", "-f", str(key)], check=True)
    error = await refusal(box.address(identity_file=str(key)), tmp_path / "state")
    assert isinstance(error, InvalidInput)
    assert "ssh-add" in str(error)
    socket = tmp_path / "agent"
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", str(socket)], stdout=subprocess.DEVNULL)
    try:
        await until(socket.exists)
        monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
        error = await refusal(box.address(identity_file=str(key)), tmp_path / "state")
        assert "ssh-add" in str(error)
        subprocess.run(["ssh-add", "-q", str(box.hosts.key)], check=True, stderr=subprocess.PIPE)
        async with connected(box, identity_file=str(key)) as host:
            # the agent lets us in, and stays here
            done = await host.run(["sh", "-c", "echo :$SSH_AUTH_SOCK:"])
            assert done.out == "::\n"
        async with connected(box, identity_file=None):
            pass
    finally:
        agent.kill()
        agent.wait()


async def test_a_host_behind_another(hosts: Hosts, box: Host, tmp_path: Path) -> None:
    inner = hosts.add(behind=box)
    jump = f"root@{box.ip}"
    error = await refusal(inner.address(proxy_jump=jump), tmp_path / "state")
    assert error.field == "proxy_jump"
    assert "known_hosts" in error.message
    known = Path(os.environ["HOME"]) / ".ssh/known_hosts"
    known.write_text(f"{box.ip} {box.address().host_key}\n")
    async with connected(inner, proxy_jump=jump) as host:
        assert (await host.facts()).hostname == inner.name
    error = await refusal(inner.address(proxy_jump=jump, port=23), tmp_path / "state")
    assert isinstance(error, Unreachable)


async def test_an_alias_of_the_configuration(hosts: Hosts, box: Host) -> None:
    inner = hosts.add(behind=box)
    folder = Path(os.environ["HOME"]) / ".ssh"
    (folder / "known_hosts").write_text(f"{box.ip} {box.address().host_key}\n")
    (folder / "config").write_text(
        f"Host inner\n  HostName {inner.ip}\n  User root\n  ProxyJump outer\n"
        f"Host outer\n  HostName {box.ip}\n  User root\n"
        f"Host *\n  IdentityFile {hosts.key}\n  ForwardAgent yes\n  StrictHostKeyChecking no\n"
    )
    alias = {"host": "inner", "user": None, "identity_file": None}
    async with connected(inner, **alias) as host:
        assert (await host.facts()).hostname == inner.name
    (key,) = await scan(inner.address(**alias, host_key=None))
    assert key.line == inner.address().host_key
    (folder / "config").write_text("Host\n")
    assert "config" in (await refusal(inner.address(**alias), folder)).message


# -- programs and what they say


async def test_programs(box: Host) -> None:
    # the greeting of somebody's shell disturbs nobody
    (box.home / ".bashrc").write_text("echo welcome; echo perijove:home=/nowhere\n")
    async with connected(box) as host:
        facts = await host.facts()
        assert (facts.os, facts.user, facts.home) == ("Linux", "root", "/root")
        assert facts.cpus > 0
        assert facts.memory > 1 << 30
        assert facts.disk_free > 1 << 20
        assert facts.libc.startswith("gnu 2")
        done = await host.run(
            ["sh", "-c", 'cat; printf %s "$1" >&2; exit 3', "sh", "a 'b\" $HOME;\n*"], input="é\n"
        )
        assert done.out.removeprefix("welcome\nperijove:home=/nowhere\n") == "é\n"
        assert (done.code, done.err) == (3, "a 'b\" $HOME;\n*")
        many = await asyncio.gather(*(host.run(["echo", str(n)]) for n in range(30)))
        assert [done.out.split()[-1] for done in many] == [str(n) for n in range(30)]
        with pytest.raises(Unreachable, match="not ended"):
            await host.run(["sleep", "1000"], timeout=0.2)
        with pytest.raises(NotFound, match="program"):
            await host.start_detached(["no-such"], {}, "/root/log", "/")
        with pytest.raises(NotFound, match="folder"):
            await host.start_detached(["true"], {}, "/root/log", "/no/such")
        with pytest.raises(InvalidInput):
            await host.start_detached(["true"], {"A;B": ""}, "/root/log", "/")


async def test_a_detached_program_survives(box: Host) -> None:
    async with connected(box) as host:
        script = 'echo "$SECRET in $PWD"; exec sleep 1000'
        pid = await host.start_detached(
            ["sh", "-c", script], {"SECRET": "it's $1"}, "/root/a log", "/tmp"
        )
        running = asyncio.create_task(host.run(["sleep", "999"]))
        await until(lambda: "sleep 999" in box.exec("ps", "ax").stdout)
        box.kill_sshd()
        with pytest.raises(Unreachable, match="was cut"):
            await running
        await until(lambda: not host.up.is_set())
        with pytest.raises(Unreachable):
            await host.run(["true"])
        box.start_sshd()
        await host.up.wait()
        done = await host.run(["ps", "-o", "sid=,args=", "-p", str(pid)])
        assert done.out.split() == [str(pid), "sleep", "1000"]
        log = box.home / "a log"
        assert log.read_text() == "it's $1 in /tmp\n"
        assert log.stat().st_mode & 0o777 == 0o600
    assert "SECRET" not in box.log
    assert box.exec("ps", "-p", str(pid)).returncode == 0
    box.reboot()
    assert box.exec("ps", "-o", "args=", "-p", str(pid)).stdout.strip() != "sleep 1000"


async def test_the_shell_is_the_same_host(box: Host) -> None:
    argv = shell_argv(box.address(), box.folder / "a state", "hostname")
    shell = await asyncio.create_subprocess_exec(*argv, stdout=asyncio.subprocess.PIPE)
    assert (await shell.communicate())[0].decode().strip() == box.name
    box.new_key()
    box.kill_sshd()
    box.start_sshd()
    shell = await asyncio.create_subprocess_exec(*argv, stderr=asyncio.subprocess.PIPE)
    assert b"verification failed" in (await shell.communicate())[1]


# -- tunnels and cuts


async def ask_back(host: SshHost, port: int) -> str:
    """Say hello through the host's port, from the host."""
    script = (
        "use IO::Socket::INET; $s = IO::Socket::INET->new('127.0.0.1:'.shift) or die $!;"
        "print $s 'hello'; $s->shutdown(1); print <$s>"
    )
    return (await host.run(["perl", "-e", script, str(port)])).out


async def test_the_way_back_keeps_its_port(box: Host, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    seen: list[str] = []
    async with echo(gate), connected(box) as host:
        host.on_up(lambda: seen.append("up"))
        host.on_down(lambda: seen.append("down"))
        port = await host.forward_back(gate)
        assert await ask_back(host, port) == "hellohello"
        assert f"127.0.0.1:{port}" in box.listeners()
        assert not [it for it in box.listeners() if not it.startswith("127.") and ":22" not in it]
        # the old sshd there does not know that its client is gone, and still listens
        box.cut()
        await until(lambda: seen == ["down"])
        assert f"127.0.0.1:{port}" in box.listeners()
        box.restore()
        await until(lambda: seen == ["down", "up"])
        assert await ask_back(host, port) == "hellohello"
        box.kill_sshd()
        await until(lambda: seen == ["down", "up", "down"])
        box.start_sshd()
        await host.up.wait()
        assert await ask_back(host, port) == "hellohello"
        box.reboot()
        await until(lambda: len(seen) == 6)
        assert await ask_back(host, port) == "hellohello"


async def test_the_next_hub_gets_the_same_port(box: Host, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    async with echo(gate):
        async with connected(box) as host:
            port = await host.forward_back(gate)
            box.cut()
        box.restore()
        async with connected(box) as host:
            assert await host.forward_back(gate, port) == port
            assert await ask_back(host, port) == "hellohello"
            with pytest.raises(Conflict, match="port 22 "):
                await host.forward_back(gate, 22)


async def test_a_port_taken_meanwhile_is_asked_for_until_it_is_free(
    box: Host, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    async with echo(gate), connected(box) as host:
        port = await host.forward_back(gate)
        box.kill_sshd()
        script = (
            "use IO::Socket::INET; $s = IO::Socket::INET->new("
            "Listen => 1, LocalAddr => '127.0.0.1:'.shift, ReuseAddr => 1) or die; sleep 1000"
        )
        thief = await asyncio.to_thread(box.start, "perl", "-e", script, str(port))
        await until(lambda: f"127.0.0.1:{port}" in box.listeners())
        box.start_sshd()
        await host.up.wait()
        thief.kill()
        async with asyncio.timeout(30):
            while await ask_back(host, port) != "hellohello":
                await asyncio.sleep(0.1)


async def test_ways_to_the_host(box: Host, tmp_path: Path) -> None:
    server = (
        "use IO::Socket::INET; use IO::Socket::UNIX; my $s = $ARGV[0] =~ /^\\d/ ?"
        "IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1:'.$ARGV[0], ReuseAddr => 1) :"
        "IO::Socket::UNIX->new(Listen => 5, Local => $ARGV[0]);"
        "while ($c = $s->accept) { local $/; print $c scalar(<$c>) x 2; close $c }"
    )

    async def hello(port: int | Path) -> bytes:
        if isinstance(port, int):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        else:
            reader, writer = await asyncio.open_unix_connection(port)
        try:
            writer.write(b"x" * 100_000)
            writer.write_eof()
            return await reader.read()
        except ConnectionError:
            return b""
        finally:
            writer.close()

    async with connected(box) as host:
        for place in ("7001", "/tmp/socket"):
            await host.start_detached(["perl", "-e", server, place], {}, "/root/log", "/")
        await until(lambda: "127.0.0.1:7001" in box.listeners())
        await until((box.folder / "tmp/socket").exists)
        port = await host.forward_port(7001)
        await host.forward_path("/tmp/socket", tmp_path / "socket")
        ends: list[int | Path] = [port, tmp_path / "socket"]
        assert [len(await hello(end)) for end in ends] == [200_000] * 2
        with pytest.raises(Conflict):
            await host.forward_port(7001, port)
        box.kill_sshd()
        await until(lambda: not host.up.is_set())
        assert [await hello(end) for end in ends] == [b""] * 2
        box.start_sshd()
        await host.up.wait()
        assert [len(await hello(end)) for end in ends] == [200_000] * 2
    with pytest.raises(ConnectionRefusedError):
        await hello(port)


async def test_sshd_that_forwards_nothing(hosts: Hosts, tmp_path: Path) -> None:
    box = hosts.add(sshd={"AllowTcpForwarding": "no", "Subsystem": None})
    async with connected(box) as host:
        with pytest.raises(Conflict, match="way back"):
            await host.forward_back(tmp_path / "gate")
        with pytest.raises(InvalidInput, match="SFTP"):
            await host.sftp()


async def test_a_host_that_comes_later(box: Host) -> None:
    box.cut()
    host = SshHost(box.address(), box.folder / "state")
    try:
        host.keep()
        await until(lambda: host.error is not None)
        with pytest.raises(Unreachable, match="not connected"):
            await host.run(["true"])
        box.restore()
        host.retry()
        await host.up.wait()
        assert (await host.run(["true"])).code == 0
    finally:
        await host.close()
    assert not host.up.is_set()
