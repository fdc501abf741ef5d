"""Environments."""

from __future__ import annotations

import time
from collections.abc import Iterator
from html import escape
from pathlib import Path

from perijove.client import displays
from perijove.client.http import HubClient, segment
from perijove.client.listed import Listed
from perijove.client.resource import Resource
from perijove.errors import EnvironmentFailed, InvalidInput, WaitTimeout
from perijove.models.environments import (
    DeletedEnvironment,
    EnvironmentDefinition,
    EnvironmentDetails,
    EnvironmentSummary,
    SourceKind,
)
from perijove.models.problems import validated

PIECE = 20.0
"""Seconds of one long poll."""


class Environment(Resource[EnvironmentSummary]):
    """An environment. Its attributes are of the last look; `refresh` and `wait` look again."""

    @property
    def name(self) -> str:
        return self.data.name

    @property
    def reference(self) -> str:
        """``name:version``; what to give a job so that it always means the same."""
        return self.data.reference

    @property
    def state(self) -> str:
        """Looked up now, unless it is ready."""
        if self.data.state.value != "ready":
            self.refresh()
        return self.data.state.value

    def refresh(self) -> Environment:
        """Look again."""
        return self._take(self.client.request("GET", self._path()))

    def wait(self, timeout: float | None = None, raise_on_failure: bool = True) -> Environment:
        """Wait until it is built.

        Parameters
        ----------
        timeout: seconds; None: for ever.
        raise_on_failure: False: return also when the build has failed.

        Raises
        ------
        EnvironmentFailed: it cannot be built; `logs` says all of it.
        WaitTimeout: its build is not over yet.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self.data.state.settled:
            left = PIECE if deadline is None else min(PIECE, deadline - time.monotonic())
            query = {"timeout": max(0.0, left)}
            self._take(self.client.request("GET", self._path("wait"), params=query))
            if left <= 0 and not self.data.state.settled:
                raise WaitTimeout(f"{self.reference} is {self.data.state.value} after {timeout} s.")
        if raise_on_failure and self.data.state.value == "failed":
            raise EnvironmentFailed(
                f"The environment {self.reference} could not be built: {self.data.message}",
                remedy=f"All of it: perijove environment logs {self.reference}.",
            )
        return self

    def logs(self, follow: bool = False) -> Iterator[str] | str:
        """What its build has said; with `follow` an iterator over pieces as they come."""
        return self._log(True) if follow else "".join(self._log(False))

    def _log(self, follow: bool) -> Iterator[str]:
        with self.client.stream(self._path("logs"), follow=follow) as answer:
            yield from answer.iter_text()

    def build(self) -> Environment:
        """Try a build that has failed again."""
        return self._take(self.client.request("POST", self._path("build")))

    def delete(self) -> DeletedEnvironment:
        """Delete this version and free its disk."""
        return DeletedEnvironment.model_validate(self.client.request("DELETE", self._path()))

    def __repr__(self) -> str:
        return f"Environment({self.reference!r}, state={self.data.state.value!r})"

    def _repr_html_(self) -> str:
        rows = {
            "state": self.data.state.value,
            "Python": self.data.python,
            "from": self.data.source and self.data.source.value,
            "interpreter": self.data.interpreter,
            "message": self.data.message,
        }
        cells = "".join(
            f"<tr><td>{key}</td><td>{escape(str(value))}</td></tr>"
            for key, value in rows.items()
            if value
        )
        return f"<b>{escape(self.reference)}</b><table>{cells}</table>"

    def _path(self, part: str = "") -> str:
        return _path(self.reference) + (f"/{part}" if part else "")


class Environments:
    """``workspace.environments``: what jobs can run in."""

    def __init__(self, client: HubClient) -> None:
        self._client = client

    def list(self) -> Listed[Environment]:
        """The hub's own Python, what was built (the latest versions), and the kernelspecs."""
        listed = self._client.request("GET", "/environments")
        made = (Environment(self._client, EnvironmentSummary.model_validate(x)) for x in listed)
        return Listed(made, EnvironmentSummary, displays.environments)

    def get(self, name: str) -> Environment:
        """The environment of this name, ``name:version`` or ``name@latest``; raises NotFound."""
        found = self._client.request("GET", _path(name))
        return Environment(self._client, EnvironmentDetails.model_validate(found))

    def __getitem__(self, name: str) -> Environment:
        return self.get(name)

    def create(
        self,
        name: str,
        *,
        requirements: str | Path | None = None,
        conda: str | Path | None = None,
        pyproject: str | Path | None = None,
        python: str | None = None,
        wait: bool = False,
    ) -> Environment:
        """Build an environment from one file. The same file again gives the version that there
        is; another one makes the next version.

        Parameters
        ----------
        name: 2 to 40 lower-case letters, digits, ``-`` or ``_``, a letter first.
        requirements: a requirements file.
        conda: a conda environment file.
        pyproject: the folder of a ``pyproject.toml``; its dependencies are installed.
        python: for example ``"3.12"``; default: the hub's own.
        wait: return when it is built.

        Raises
        ------
        InvalidInput: something breaks a rule; ``field`` names it.
        Conflict: a kernelspec has the name.
        EnvironmentFailed: with `wait`, it cannot be built.
        """
        source, text = read_source(requirements, conda, pyproject)
        given = {"name": name, "source": source, "text": text, "python": python}
        try:
            body = validated(EnvironmentDefinition, given).model_dump(mode="json")
        except InvalidInput as error:
            if error.field == "text":  # which is what the file has that was given
                file = requirements or conda or pyproject
                error.message = f"{file}{error.message.removeprefix(error.field)}"
                error.field = source.value
            raise
        found = self._client.request("POST", "/environments", json=body)
        made = Environment(self._client, EnvironmentSummary.model_validate(found))
        return made.wait() if wait else made

    def delete(self, name: str) -> DeletedEnvironment:
        """Delete all versions, or with ``name:version`` that one, and free their disk.

        Raises
        ------
        Conflict: a job that is not over uses it.
        """
        return DeletedEnvironment.model_validate(self._client.request("DELETE", _path(name)))


def _path(reference: str) -> str:
    return f"/environments/{segment(reference, 'environment', 'name')}"


def read_source(
    requirements: str | Path | None, conda: str | Path | None, pyproject: str | Path | None
) -> tuple[SourceKind, str]:
    """What kind of file was given, and its text.

    Raises
    ------
    InvalidInput: none or several were given, or it cannot be read.
    """
    given = {"requirements": requirements, "conda": conda, "pyproject": pyproject}
    named = {kind: path for kind, path in given.items() if path is not None}
    if len(named) != 1:
        raise InvalidInput(
            "An environment is built from one file.",
            field=next(iter(named), "requirements"),
            remedy="Give one of: requirements, conda, pyproject.",
        )
    [(kind, path)] = named.items()
    file = Path(path).expanduser()
    if kind == "pyproject" and file.name != "pyproject.toml":
        file /= "pyproject.toml"
    try:
        return SourceKind(kind), file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise InvalidInput(f"{file} cannot be read: {why}.", field=kind) from None
