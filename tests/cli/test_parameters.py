"""Parameters on the command line mean what they mean to papermill."""

from __future__ import annotations

import base64

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from papermill.cli import _resolve_type
from papermill.iorw import NoDatesSafeLoader

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
    "text", ["a: 2024-01-01", "a: 2024-01-01T10:00:00Z", "a: 017", "a: yes", "a: 1e3", "", "# a"]
)
def test_yaml_means_what_it_means_to_papermill(text: str) -> None:
    theirs = yaml.load(text, Loader=NoDatesSafeLoader) or {}  # noqa: S506
    encoded = base64.encodebytes(text.encode()).decode()
    assert collect((), (), (text,), ()) == theirs
    assert collect((), (), (), (encoded,)) == theirs


def test_base64_may_be_wrapped() -> None:
    encoded = base64.encodebytes(b"a: " + b"x" * 200).decode()
    assert encoded.count("\n") > 1
    assert collect((), (), (), (encoded,)) == {"a": "x" * 200}


@pytest.mark.parametrize(
    "refused",
    ["[1]", "a: &x 1\nb: *x", "a: !!python/object:os.system 1", "a: [", "x: &a [1]\ny: [*a, *a]"],
)
def test_yaml_is_plain(refused: str) -> None:
    with pytest.raises(InvalidInput):
        collect((), (), (refused,), ())


@pytest.mark.parametrize("given_", [("novalue",), ("=1",)])
def test_a_parameter_needs_a_name_and_a_value(given_: tuple[str, ...]) -> None:
    with pytest.raises(InvalidInput, match="name=value"):
        collect(given_, (), (), ())


def test_base64_is_checked() -> None:
    with pytest.raises(InvalidInput, match="base64"):
        collect((), (), (), ("§",))
