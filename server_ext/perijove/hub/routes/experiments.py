"""MLflow's experiments."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from perijove.hub.context import TheHub
from perijove.models.experiments import (
    Experiment,
    ExperimentChange,
    NewExperiment,
    RunsView,
    View,
    ViewChange,
)
from perijove.models.runs import Column

router = APIRouter(tags=["experiments"])
ExperimentId = Annotated[str, Path(max_length=64, description="an experiment's id")]
ViewName = Annotated[str, Query(max_length=256, description="a view's name")]
Ids = Annotated[list[str], Query(min_length=1, max_length=100, description="experiments' ids")]

Filter = Annotated[str, Query(max_length=4000, description="MLflow's language")]


@router.get("/experiments")
async def list_experiments(
    hub: TheHub, view: View = View.ACTIVE, filter: Filter = ""
) -> list[Experiment]:
    """MLflow's experiments, those used last first."""
    return await hub.experiments.all(view, filter)


@router.post("/experiments", status_code=201)
async def create(hub: TheHub, wish: NewExperiment) -> Experiment:
    """Make an experiment."""
    return await hub.experiments.create(wish)


@router.get("/experiments/columns")
async def columns(hub: TheHub, experiment_id: Ids) -> list[Column]:
    """What the active runs of the experiments have, the most common first."""
    return await hub.experiments.columns(experiment_id)


@router.get("/experiments/{experiment_id}")
async def show(hub: TheHub, experiment_id: ExperimentId) -> Experiment:
    """An experiment."""
    return await hub.experiments.get(experiment_id)


@router.patch("/experiments/{experiment_id}")
async def change(hub: TheHub, experiment_id: ExperimentId, wish: ExperimentChange) -> Experiment:
    """Rename, describe or tag it."""
    return await hub.experiments.change(experiment_id, wish)


@router.post("/experiments/{experiment_id}/delete")
async def delete(hub: TheHub, experiment_id: ExperimentId) -> Experiment:
    """Delete it; it can be restored."""
    return await hub.experiments.delete(experiment_id)


@router.post("/experiments/{experiment_id}/restore")
async def restore(hub: TheHub, experiment_id: ExperimentId) -> Experiment:
    """Bring it back, with its runs."""
    return await hub.experiments.restore(experiment_id)


@router.get("/experiments/{experiment_id}/views")
async def views(hub: TheHub, experiment_id: ExperimentId) -> list[RunsView]:
    """The views of its runs that were saved."""
    return await hub.experiments.views(experiment_id)


@router.post("/experiments/{experiment_id}/views")
async def save_view(hub: TheHub, experiment_id: ExperimentId, view: RunsView) -> list[RunsView]:
    """Save a view under its name, in place of one of that name."""
    return await hub.experiments.save_view(experiment_id, view)


@router.post("/experiments/{experiment_id}/views/rename")
async def rename_view(
    hub: TheHub, experiment_id: ExperimentId, name: ViewName, wish: ViewChange
) -> list[RunsView]:
    """Call a view otherwise."""
    return await hub.experiments.rename_view(experiment_id, name, wish.name)


@router.post("/experiments/{experiment_id}/views/delete")
async def delete_view(hub: TheHub, experiment_id: ExperimentId, name: ViewName) -> list[RunsView]:
    """Forget a view."""
    return await hub.experiments.delete_view(experiment_id, name)
