"""Pictures of where things came from."""

from __future__ import annotations

from perijove.models.runs import Lineage, LineageNode, Run


def lineage_of(run: Run) -> Lineage:
    """What a run used and made: datasets, source and parent run to it, models and versions from
    it."""
    me = LineageNode(
        id=f"run:{run.run_id}",
        kind="run",
        label=run.name,
        detail=run.status,
        ref={"run_id": run.run_id},
    )
    nodes, edges = [me], []

    def into(node: LineageNode) -> None:
        nodes.append(node)
        edges.append((node.id, me.id))

    def out_of(node: LineageNode) -> None:
        nodes.append(node)
        edges.append((me.id, node.id))

    for data in run.datasets:
        size = None if data.rows is None else f"{data.rows} rows"
        detail = ", ".join(part for part in (data.context, size, data.digest) if part)
        into(
            LineageNode(
                id=f"dataset:{data.name}:{data.digest}",
                kind="dataset",
                label=data.name,
                detail=detail,
                ref={"name": data.name, "digest": data.digest},
            )
        )
    if run.source_info.name:
        ref = {"job_id": run.job_id} if run.job_id else {}
        into(
            LineageNode(
                id="source",
                kind="notebook",
                label=run.source_info.name.rsplit("/", 1)[-1],
                detail=run.source_info.commit,
                ref={"name": run.source_info.name, **ref},
            )
        )
    if run.parent_run_id:
        into(
            LineageNode(
                id=f"run:{run.parent_run_id}",
                kind="run",
                label=run.parent_run_id[:8],
                detail="parent",
                ref={"run_id": run.parent_run_id},
            )
        )
    for model in run.logged_models:
        out_of(
            LineageNode(
                id=f"model:{model.model_id}",
                kind="model",
                label=model.name,
                detail=model.model_type,
                ref={"model_id": model.model_id},
            )
        )
    for version in run.model_versions:
        out_of(
            LineageNode(
                id=f"version:{version.name}:{version.version}",
                kind="version",
                label=f"{version.name} {version.version}",
                detail=", ".join(f"@{alias}" for alias in version.aliases) or None,
                ref={"name": version.name, "version": version.version},
            )
        )
    return Lineage(nodes=nodes, edges=edges)
