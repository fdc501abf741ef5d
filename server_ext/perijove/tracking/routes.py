"""Routes of our own in MLflow's process, for what its API answers slowly."""

from __future__ import annotations

from fastapi import APIRouter
from mlflow.server import handlers
from mlflow.store.model_registry.dbmodels.models import SqlModelVersion
from sqlalchemy import func, select

router = APIRouter(prefix="/perijove")


@router.get("/versions")
def versions() -> dict[str, dict[str, int]]:
    """How many versions each registered model has; MLflow would list them all."""
    store = handlers._get_model_registry_store()
    query = (
        select(SqlModelVersion.name, func.count())
        .where(SqlModelVersion.current_stage != "Deleted_Internal")
        .group_by(SqlModelVersion.name)
    )
    with store.engine.connect() as connection:
        return {"counts": {name: count for name, count in connection.execute(query)}}
