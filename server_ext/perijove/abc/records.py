"""What the studio reads of MLflow's experiments and runs, and changes in them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

from perijove.models.events import TrackingChange
from perijove.models.experiments import Experiment, Lifecycle, View
from perijove.models.runs import Column, HistoryWish, Run, RunSearch


class Records(ABC):
    """Experiments and runs, as they are now: nothing is kept beside MLflow.

    All methods raise `TrackingUnreachable` when the server cannot be reached or answers 5xx,
    `NotFound` for what is not there, `Conflict` where a state or a name forbids it, and
    `InvalidInput` when the server refuses otherwise. All writes may be repeated.
    """

    @abstractmethod
    async def experiments(self, view: View, filter: str = "") -> list[Experiment]:
        """Those used last first, with how many runs they have where that is cheap to know.

        Raises `InvalidInput` of field ``filter``, in MLflow's words.
        """

    @abstractmethod
    async def experiment(self, experiment_id: str) -> Experiment:
        """One of them, deleted or not."""

    @abstractmethod
    async def create_experiment(self, name: str, tags: Mapping[str, str]) -> str:
        """The id of a new one; `Conflict` if there is one of that name, deleted or not."""

    @abstractmethod
    async def rename_experiment(self, experiment_id: str, name: str) -> None:
        """Another name; `Conflict` if it is taken."""

    @abstractmethod
    async def tag_experiment(self, experiment_id: str, tags: Mapping[str, str | None]) -> None:
        """Set tags, and remove those whose value is None."""

    @abstractmethod
    async def move_experiment(self, experiment_id: str, stage: Lifecycle) -> None:
        """Delete it with its runs, or bring it back."""

    @abstractmethod
    async def columns(self, experiment_ids: Sequence[str]) -> list[Column]:
        """What the active runs of the experiments have, the most common first."""

    @abstractmethod
    async def search(self, question: RunSearch) -> bytes:
        """A `RunPage` as JSON.

        In order, ties by start time (newest first) and id; NaN and what has no value come last.
        Raises `InvalidInput` of field ``filter``, ``order_by`` or ``columns``, in MLflow's words.
        """

    @abstractmethod
    async def starting(self, prefix: str) -> list[str]:
        """Ids of runs, deleted or not, that start so: two at most."""

    @abstractmethod
    async def run(self, run_id: str) -> Run:
        """A run, deleted or not."""

    @abstractmethod
    async def artifact_root(self, run_id: str) -> str:
        """The URI below which its artifacts are."""

    @abstractmethod
    async def history(self, wish: HistoryWish) -> bytes:
        """A list of `RunSeries` as JSON, in the order of the wish."""

    @abstractmethod
    async def rename_run(self, run_id: str, name: str) -> None:
        """Another name."""

    @abstractmethod
    async def tag_run(self, run_id: str, tags: Mapping[str, str | None]) -> None:
        """Set tags, and remove those whose value is None."""

    @abstractmethod
    async def move_runs(self, run_ids: Sequence[str], stage: Lifecycle) -> None:
        """Delete runs or bring them back: all, or none if one of them is not there."""

    @abstractmethod
    async def changes(self) -> TrackingChange | None:
        """What others changed since it was asked last; None: this server tells by itself."""
