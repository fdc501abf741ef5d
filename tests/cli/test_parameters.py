"""Parameters on the command line mean what they mean to papermill."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from papermill.cli import _resolve_type

from perijove.cli.parameters import collect, resolve
from perijove.errors import InvalidInput


@pytest.mark.parametrize(
    "text",
    [
        "True",
        "False",
        "None",
        "true",
        "1",
        "-3",
        "1_0",
        "1.5",
        "1e3",
        ".5",
        "0x10",
        "",
        " 1",
        "a=b",
    ],
)
def test_values_are_typed_as_papermill_does(text: str) -> None:
    assert resolve(text) == _resolve_type(text)
    assert type(resolve(text)) is type(_resolve_type(text))


@given(st.text(max_size=12))
def test_any_text_is_typed_as_papermill_does(text: str) -> None:
    ours, theirs = resolve(text), _resolve_type(text)
    assert repr(ours) == repr(theirs)


def test_the_plainer_way_wins() -> None:
    encoded = base64.b64encode(b"{a: 1, b: 1, c: 1, d: 1}").decode()
    found = collect(("c=3", "d=3"), ("d=4",), ("{b: 2, c: 2, d: 2}",), (encoded,))
    assert found == {"a": 1, "b": 2, "c": 3, "d": "4"}


@pytest.mark.parametrize(
    "yaml",
    ["[1]", "a: &x 1\nb: *x", "a: !!python/object:os.system 1", "a: [", "x: &a [1]\ny: [*a, *a]"],
)
def test_yaml_is_plain(yaml: str) -> None:
    with pytest.raises(InvalidInput):
        collect((), (), (yaml,), ())


@pytest.mark.parametrize("given_", [("novalue",), ("=1",)])
def test_a_parameter_needs_a_name_and_a_value(given_: tuple[str, ...]) -> None:
    with pytest.raises(InvalidInput, match="name=value"):
        collect(given_, (), (), ())


def test_base64_is_checked() -> None:
    with pytest.raises(InvalidInput, match="base64"):
        collect((), (), (), ("§",))
