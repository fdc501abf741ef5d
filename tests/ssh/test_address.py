"""What an address may look like."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from perijove.models.ssh import SshAddress

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJzmCSgHHeogQx+jQQgKEMJeNgsRa1PXcOTMG0CSl0aG"


@pytest.mark.parametrize(
    ("text", "host", "user", "port"),
    [
        ("box", "box", None, None),
        ("me@box.example:2222", "box.example", "me", 2222),
        ("me@corp@box", "box", "me@corp", None),
        ("192.0.2.7:22", "192.0.2.7", None, 22),
        ("me@[2001:db8::1]:22", "2001:db8::1", "me", 22),
        ("2001:db8::1", "2001:db8::1", None, None),
    ],
)
def test_it_is_split(text: str, host: str, user: str | None, port: int | None) -> None:
    found = SshAddress(host=text)
    assert (found.host, found.user, found.port) == (host, user, port)
    assert SshAddress(host=str(found)) == found


@pytest.mark.parametrize(
    "text",
    ["", "-oProxyCommand=x", "a b", "box:", "box:0", "box:65536", "box:x", "-l@box", "@box"],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        SshAddress(host=text)


@pytest.mark.parametrize(
    "text", ["bo\nx", "bo\0x", "[::1", "1::2::3", "bo$x", "[::1]x", "[::1]:", "ba/d", "x" * 300]
)
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        SshAddress(host=text)


def test_what_is_said_twice_must_agree() -> None:
    assert SshAddress(host="me@box", user="me").user == "me"
    with pytest.raises(ValidationError, match="given twice"):
        SshAddress(host="me@box", user="you")


def test_a_pin_is_a_public_key() -> None:
    assert SshAddress(host="box", host_key=f"{KEY} a comment\n").host_key == KEY
    for wrong in ("", "ssh-ed25519", "ssh-rsa " + KEY.split()[1], "ssh-ed25519 AAAA", "x y z"):
        with pytest.raises(ValidationError, match="host key"):
            SshAddress(host="box", host_key=wrong)


def test_jumps_are_addresses_too() -> None:
    assert [str(hop) for hop in SshAddress(host="box", proxy_jump="a, me@b:2").jumps] == [
        "a",
        "me@b:2",
    ]
    with pytest.raises(ValidationError):
        SshAddress(host="box", proxy_jump="-oProxyCommand=x")
