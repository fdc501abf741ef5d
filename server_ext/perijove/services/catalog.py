"""What environments there are on this machine, and what jobs mean by their names."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from perijove.abc import EnvironmentBuilder, KernelChoice
from perijove.errors import InvalidInput, NotFound
from perijove.models.environments import (
    BASE,
    BASE_KERNEL,
    EnvironmentContent,
    EnvironmentDetails,
    EnvironmentKind,
    EnvironmentState,
    EnvironmentSummary,
    StoredEnvironment,
)
from perijove.services.kernelspecs import KernelFolder, Kernelspecs, interpreter_of

if TYPE_CHECKING:
    import builtins


@dataclass
class Catalog:
    """See `EnvironmentCatalog`. `rows` are the versions of what was built, deleted ones too."""

    builder: EnvironmentBuilder
    kernelspecs: Kernelspecs
    kernels: KernelFolder
    warm_start: bool = True
    rows: dict[tuple[str, int], StoredEnvironment] = field(default_factory=dict)

    def list(self) -> builtins.list[EnvironmentSummary]:
        """The hub's own Python, the latest versions of what was built, and the kernelspecs."""
        own = {BASE} | {row.name for row in self.live()}
        specs = self.kernelspecs.all().items()
        return [
            self._base(),
            *self.built(),
            *(self._kernelspec(name) for name, _ in specs if name not in own),
        ]

    def built(self) -> builtins.list[EnvironmentSummary]:
        """The latest version of each environment that was created, by name."""
        latest = {row.name: row for row in self.live()}
        return [self.summary(row) for _, row in sorted(latest.items())]

    def content(self, name: str) -> EnvironmentContent | None:
        """What the built environment of this name or reference is made of; None: it is none.

        Raises
        ------
        NotFound: it has no such version.
        """
        plain = name.removesuffix("@latest").partition(":")[0]
        if all(row.name != plain for row in self.live()):
            return None
        row = self.row(self.resolve(name))
        return None if row is None else row.content

    def names(self) -> builtins.list[str]:
        """What a job may name."""
        return [environment.name for environment in self.list()]

    def get(self, name: str) -> EnvironmentDetails:
        """The environment of this name or reference.

        Raises
        ------
        NotFound: there is none.
        """
        found = self.resolve(name, field="name")
        if (row := self.row(found)) is None:
            summary = self._base() if found == f"{BASE}:1" else self._kernelspec(found)
            return EnvironmentDetails(**summary.model_dump())
        versions = [self.summary(other) for other in self.live() if other.name == row.name]
        summary = self.summary(row)
        return EnvironmentDetails(**summary.model_dump(), text=row.text, versions=versions[::-1])

    # what jobs mean

    def resolve(self, name: str, field: str = "environment", kernel: bool = True) -> str:
        """The reference that a name stands for now: ``geo`` → ``geo:3``.

        `kernel`: it is for a notebook, so it must have one.

        Raises
        ------
        NotFound: there is no such environment, or no such version.
        """
        if name.startswith("/"):
            return self._resolve_path(name, field, kernel)
        plain, colon, version = name.removesuffix("@latest").partition(":")
        versions = [row.version for row in self.live() if row.name == plain]
        if not versions and plain == BASE and (name != BASE or not self.kernelspecs.has(BASE)):
            versions = [1]
        if versions and not colon:
            return f"{plain}:{max(versions)}"
        if version in map(str, versions):
            return f"{plain}:{version}"
        if versions:
            raise NotFound(
                f"The environment {plain} has no version {version[:20]!r}.",
                field=field,
                remedy=f"It has: {', '.join(map(str, versions))}.",
            )
        if self.kernelspecs.has(name):
            return name
        raise NotFound(
            f"There is no environment and no kernel named {name[:80]!r} on this machine.",
            field=field,
            remedy=f"Choose one of: {', '.join(self.names())}.",
        )

    def waiting(self, reference: str) -> str | None:
        """What a job in this environment waits for; None: for nothing."""
        row = self.row(reference)
        if row is None or row.state.settled:
            return None
        return f"It waits for the environment {reference}, which is being built."

    def unready(self) -> Mapping[str, str | None]:
        """See `EnvironmentCatalog`."""
        return {
            row.reference: row.message or "its build failed"
            if row.state is EnvironmentState.FAILED
            else None
            for row in self.live()
            if row.state is not EnvironmentState.READY
        }

    def kernel(self, environment: str | None) -> KernelChoice:
        """See `EnvironmentCatalog`."""
        if environment is None:
            return KernelChoice(None, None)
        if environment.startswith("/"):
            return KernelChoice(self.kernels.write_path(environment), None)
        if environment == f"{BASE}:1":
            return KernelChoice(BASE_KERNEL, None)
        plain, colon, version = environment.partition(":")
        if not colon:
            return KernelChoice(environment, None)
        row = self.row(environment)
        if row is None:
            raise NotFound(f"There is no environment {environment} any more.", field="environment")
        result = self.builder.built(row.content)
        return KernelChoice(f"{plain}.{version}", result.python if result else None)

    @property
    def jupyter_path(self) -> str:
        """See `EnvironmentCatalog`."""
        return str(self.kernels.root)

    def write_kernels(self) -> None:
        """Let the kernelspecs be those of what is ready."""
        mine = os.path.abspath(sys.executable)
        wanted = {BASE_KERNEL: (mine, BASE)}
        for row in self.live():
            result = self.builder.built(row.content)
            if row.state is EnvironmentState.READY and result is not None:
                title = f"{row.name} (version {row.version})"
                wanted[f"{row.name}.{row.version}"] = (result.python, title)
                wanted[row.name] = (result.python, row.name)
        for name, (python, title) in wanted.items():
            self.kernels.write(name, python, title)
        self.kernels.keep(wanted)

    def live(self) -> Iterator[StoredEnvironment]:
        """The versions that are not deleted, by name and version."""
        return (row for _, row in sorted(self.rows.items()) if not row.deleted)

    def digests(self) -> Sequence[str]:
        """What the versions that are not deleted are made of."""
        return sorted({row.digest for row in self.live()})

    def row(self, reference: str) -> StoredEnvironment | None:
        """The built environment of this reference; None: it is none."""
        name, colon, version = reference.partition(":")
        row = self.rows.get((name, int(version))) if colon and version.isdecimal() else None
        return None if row is None or row.deleted else row

    def _resolve_path(self, path: str, field: str, kernel: bool) -> str:
        folder = Path(path)
        python = folder / "bin" / "python"
        if not os.access(python, os.X_OK):
            raise NotFound(f"{path} is no virtual environment: it has no bin/python.", field=field)
        try:
            shares = "include-system-site-packages = true" in (folder / "pyvenv.cfg").read_text()
        except OSError:
            shares = True
        if kernel and not shares and not any(folder.glob("lib/python3*/site-packages/ipykernel")):
            raise InvalidInput(
                f"{path} has no ipykernel, and a notebook needs one.",
                field=field,
                remedy=f"Install it: uv pip install --python {python} ipykernel.",
            )
        return str(folder)

    def _base(self) -> EnvironmentSummary:
        return EnvironmentSummary(
            name=BASE,
            display_name=f"{BASE} (Python {platform.python_version()})",
            language="python",
            warm=self.warm_start,
            kind=EnvironmentKind.BASE,
            version=1,
            reference=f"{BASE}:1",
            interpreter=os.path.abspath(sys.executable),
            python=platform.python_version(),
        )

    def _kernelspec(self, name: str) -> EnvironmentSummary:
        if name.startswith("/"):
            return EnvironmentSummary(
                name=name,
                display_name=Path(name).name,
                language="python",
                warm=False,
                reference=name,
                interpreter=f"{name}/bin/python",
            )
        spec = self.kernelspecs.all().get(name, {})
        return EnvironmentSummary(
            name=name,
            display_name=spec.get("display_name", name),
            language=spec.get("language", ""),
            warm=self.kernelspecs.is_warm(spec),
            reference=name,
            interpreter=interpreter_of(spec),
        )

    def summary(self, row: StoredEnvironment) -> EnvironmentSummary:
        """What everybody sees of it."""
        ready = row.state is EnvironmentState.READY
        result = self.builder.built(row.content) if ready else None
        return EnvironmentSummary(
            name=row.name,
            display_name=row.name,
            language="python",
            warm=self.warm_start,
            kind=EnvironmentKind.BUILT,
            version=row.version,
            reference=row.reference,
            state=row.state,
            message=row.message,
            interpreter=result.python if result else None,
            python=result.version if result else row.python,
            source=row.source,
            digest=row.digest,
            size=row.size,
            created_at=row.created_at,
            created_by=row.created_by,
            built_at=row.built_at,
        )
