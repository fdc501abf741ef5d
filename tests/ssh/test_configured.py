"""What the user's ~/.ssh says is heeded as ssh heeds it, and said where it does not work."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from perijove.compute.kinds import show_key
from perijove.compute.ssh.connection import SshHost
from perijove.errors import Conflict, InvalidInput, PerijoveError
from perijove.models.instances import HostQuestion
from perijove.models.ssh import SshAddress

from .hosts import Host, Hosts

pytestmark = [pytest.mark.integration, pytest.mark.asyncio]


class User:
    """Whoever runs the hub."""

    def __init__(self) -> None:
        self.folder = Path(os.environ["HOME"]) / ".ssh"

    def configure(self, text: str) -> None:
        (self.folder / "config").write_text(text)

    def know(self, **hosts: Host) -> None:
        """Have keys in known_hosts: those of other hosts too."""
        lines = [f"{name} {host.address().host_key}" for name, host in hosts.items()]
        (self.folder / "known_hosts").write_text("\n".join(lines) + "\n")


@pytest.fixture
def user(_own_home: None) -> User:
    return User()


async def name_of(address: SshAddress, folder: Path) -> str:
    async with SshHost(address, folder) as host:
        return (await host.facts()).hostname


async def refusal(address: SshAddress, folder: Path) -> PerijoveError:
    with pytest.raises(PerijoveError) as found:
        await name_of(address, folder)
    return found.value


def alias(name: str, box: Host) -> SshAddress:
    """The host by its name in the configuration, which says the rest."""
    return box.address(host=name, user=None, identity_file=None)


async def test_the_way_is_the_one_that_ssh_goes(hosts: Hosts, user: User, tmp_path: Path) -> None:
    first, mid = hosts.add(), hosts.add()
    inner = hosts.add(behind=mid)
    user.know(**{first.ip: first, mid.ip: mid})
    everywhere = f"Host *\n  User root\n  IdentityFile ~/none\n  IdentityFile {hosts.key}\n"
    user.configure(
        f"Host deep\n  HostName {inner.ip}\n  ProxyJump mid\n"
        f"Host mid\n  HostName {mid.ip}\n  ProxyJump first\n"
        f"Host first\n  HostName {first.ip}\n{everywhere}"
    )
    assert await name_of(alias("deep", inner), tmp_path) == inner.name
    assert "Accepted" in first.log
    # what is said of all hosts is said of the one in between too
    user.configure(f"{everywhere}  ProxyJump {mid.ip}\n")
    assert await name_of(alias(inner.ip, inner), tmp_path) == inner.name
    assert await name_of(alias(mid.ip, mid), tmp_path) == mid.name
    user.configure(
        f"Host mid\n  HostName {mid.ip}\n  ProxyJump first\n"
        f"Host first\n  HostName {first.ip}\n  ProxyJump mid\n{everywhere}"
    )
    error = await refusal(alias("mid", mid), tmp_path)
    assert isinstance(error, InvalidInput)
    assert f"{mid.ip} → {first.ip} → {mid.ip}" in error.message
    # the machine that is asked for its key may be behind another, with the same key for both
    user.configure("")
    question = {"host": f"root@{inner.ip}", "proxy_jump": f"root@{mid.ip}"}
    with pytest.raises(InvalidInput, match="does not let the hub in"):
        await show_key(HostQuestion(**question))
    shown = await show_key(HostQuestion(**question, identity_file=str(hosts.key)))
    assert shown.line == inner.address().host_key
    # somebody else answers on the way
    user.know(**{mid.ip: first})
    error = await refusal(inner.address(proxy_jump=f"root@{mid.ip}"), tmp_path)
    assert isinstance(error, Conflict)
    assert error.field == "proxy_jump"
    assert "Somebody" in error.message


async def test_a_key_that_is_known_is_not_asked_for_and_another_one_is_refused(
    hosts: Hosts, box: Host, user: User
) -> None:
    user.configure(f"Host mine\n  HostName {box.ip}\n")
    for name in (f"root@{box.ip}", "mine"):
        user.know()
        assert not (await show_key(HostQuestion(host=name))).known
        user.know(**{box.ip: box})
        assert (await show_key(HostQuestion(host=name))).known
        user.know(**{box.ip: hosts.add()})
        with pytest.raises(Conflict) as raised:
            await show_key(HostQuestion(host=name))
        assert raised.value.field == "host_key"
        assert f"ssh-keygen -R {box.ip}," in str(raised.value.remedy)


async def test_what_is_wrong_with_the_configuration_is_said(
    box: Host, user: User, tmp_path: Path
) -> None:
    (user.folder / "more").write_text(f"Match host m\n  HostName {box.ip}\n  User root\n")
    user.configure(f"Include none/*\nInclude more\nIdentityFile {box.hosts.key}\n")
    assert await name_of(alias("m", box), tmp_path) == box.name
    for text, words in (
        ("Include ~/.ssh/config\n", "includes itself"),
        ("Match bogus x\n", "line 1: Invalid match condition bogus"),
        ('Match exec "test a = a"\n', 'may have no "="'),
        ("Port abc\n", "line 1: Invalid Port"),
        ("ProxyCommand /no/such %h\n", "/no/such cannot be used"),
        ("\udcff\n", "cannot be read"),
    ):
        (user.folder / "config").write_bytes(text.encode(errors="surrogateescape"))
        error = await refusal(box.address(), tmp_path)
        assert isinstance(error, InvalidInput), (text, error)
        assert words in str(error), (text, error)


@pytest.mark.parametrize("named", [False, True])
async def test_a_locked_key_that_nobody_named(
    box: Host, user: User, tmp_path: Path, named: bool
) -> None:
    key = user.folder / ("mine" if named else "id_ed25519")
    shutil.copy(box.hosts.key, key)
    subprocess.run(["ssh-keygen", "-q", "-p", "-N", "secret", "-f", str(key)], check=True)
    user.configure(f"IdentityFile {key}\n" if named else "")
    error = await refusal(box.address(identity_file=None), tmp_path)
    assert isinstance(error, InvalidInput)
    assert error.field == "identity_file"
    assert f"{key} is locked" in error.message
    assert f"ssh-add {key}" in str(error.remedy)
