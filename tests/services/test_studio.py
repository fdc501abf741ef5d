"""Runs' tables, previews and the telling of changes, without a server."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import nbformat
import pytest

from perijove.errors import InvalidInput
from perijove.models.events import TrackingChange
from perijove.models.runs import Run, RunExport, RunSearch
from perijove.runner.tasks import notebook_diff, render, table
from perijove.services.broker import Broker
from perijove.services.changes import Changes
from perijove.services.experiments import check_tags
from perijove.services.lineage import lineage_of
from perijove.services.previews import ROWS, how, preview
from perijove.services.runfiles import RunFiles
from perijove.services.runs import RunService, safe


def show(path: str, content: bytes, size: int | None = None) -> Any:
    return preview(path, len(content) if size is None else size, content[: how(path)[1]])


@pytest.mark.parametrize(
    ("path", "content", "kind"),
    [
        ("a.txt", b"hello", "text"), ("MLmodel", b"flavors: {}", "text"),
        ("a.md", b"# x", "markdown"),
        ("a.json", b"[1]", "json"), ("broken.json", b"{", "text"), ("a.html", b"<b>", "html"),
        ("a.png", b"", "image"), ("a.SVG", b"", "image"), ("a.csv", b"a,b\n1,2\n", "table"),
        ("model.pkl", b"\x80\x04\0", "none"), ("a.bin", b"\xff\xfe", "none"),
        ("a.ipynb", b'{"cells": []}', "notebook"), ("deep.json", b"[" * 100_000, "text"),
    ],
)  # fmt: skip
def test_kinds_of_previews(path: str, content: bytes, kind: str) -> None:
    assert show(path, content).kind == kind


def test_previews_have_bounds() -> None:
    long = show("a.txt", "é".encode() * 10, size=10**10)
    assert long.truncated
    assert show("a.txt", "aé".encode()[:2], size=3).text == "a"  # a character cut in two
    many = show("a.csv", b"n\n" + b"1\n" * 1000)
    assert (len(many.rows), many.total_rows, many.truncated) == (ROWS, 1000, True)
    assert show("a.ipynb", b"{}", size=1 << 30).kind == "none"


def test_tables_and_notebooks_are_read_elsewhere(tmp_path: Any) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"x": range(1000), "y": [None] * 1000}), tmp_path / "t.parquet")
    found = table(str(tmp_path / "t.parquet"), 5, 1, 100)
    assert found["columns"] == ["x"]
    assert (found["rows"], found["total_rows"]) == ([["0"], ["1"], ["2"], ["3"], ["4"]], 1000)
    (tmp_path / "broken.parquet").write_bytes(b"PAR1" * 9)
    with pytest.raises(InvalidInput, match="Parquet"):
        table(str(tmp_path / "broken.parquet"), 5, 1, 100)
    for name, code in (("a", "x = 1"), ("b", "x = 2")):
        made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code, id="c")])
        nbformat.write(made, tmp_path / f"{name}.ipynb")
    found = notebook_diff(str(tmp_path / "a.ipynb"), str(tmp_path / "b.ipynb"))
    assert json.loads(json.dumps(found["diff"]))[0]["key"] == "cells"


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("=1+1", "'=1+1"),
        ("@x", "'@x"),
        ("-1.5", "-1.5"),
        ("-x", "'-x"),
        ("+inf", "+inf"),
        ("a", "a"),
    ],
)
def test_no_formulas_in_tables(text: str, written: str) -> None:
    assert safe(text) == written


def test_our_widgets_are_still_pictures_in_a_page(tmp_path: Path) -> None:
    def shown(data: dict[str, Any]) -> Any:
        widget = {"model_id": "m", "version_major": 2, "version_minor": 1}
        return nbformat.v4.new_output(
            "display_data", data | {"application/vnd.jupyter.widget-view+json": widget}
        )

    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("")])
    view = {"application/vnd.perijove.view+json": {}, "text/html": "<b>our table</b>"}
    state = {"state": {"m": {}}, "version_major": 2, "version_minor": 0}
    for outputs, is_drawn in (([shown(view)], False), ([shown(view), shown({})], True)):
        made.cells[0].outputs = outputs
        made.metadata["widgets"] = {"application/vnd.jupyter.widget-state+json": state}
        nbformat.write(made, tmp_path / "n.ipynb")
        render(str(tmp_path / "n.ipynb"), str(tmp_path / "n.html"), "n")
        page = (tmp_path / "n.html").read_text()
        assert "<b>our table</b>" in page
        assert ("html-manager" in page) == is_drawn


class Answering:
    """Records that answer searches."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int]] = []

    async def search(self, question: RunSearch) -> bytes:
        self.asked.append((question.offset, question.limit))
        common = {"experiment_id": "1", "status": "FINISHED", "started_at": None, "duration": 1.5,
                  "user": None, "source": None, "tags": {}}  # fmt: skip
        runs = [
            {"run_id": "a", "name": "=x", "metrics": {"m": "NaN"}, "params": {"p": "1,2"}},
            {"run_id": "b", "name": "y", "metrics": {}, "params": {}},
            {"run_id": "b", "name": "y", "metrics": {}, "params": {}},  # moved by one that began
            {"run_id": "c", "name": "z", "metrics": {"late": 2.0}, "params": {}},
        ][question.offset : question.offset + question.limit]  # fmt: skip
        return json.dumps({"runs": [common | run for run in runs]}).encode()


@pytest.mark.asyncio
async def test_a_table_of_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    records = Answering()
    service = RunService(records, None)  # type: ignore[arg-type]

    async def lines(**asked: int) -> list[str]:
        pieces = await service.csv(RunExport(experiment_ids=["1"], **asked))
        return b"".join([piece async for piece in pieces]).decode().splitlines()

    async def ids(**asked: int) -> list[str]:
        return [line.split(",")[0] for line in (await lines(**asked))[1:]]

    assert await ids(offset=2) == ["b", "c"]
    assert records.asked == [(2, 50_000)]  # what is one page is asked for once
    monkeypatch.setattr("perijove.services.runs.MOST", 2)
    assert await lines() == [
        "run_id,name,status,start_time,end_time,duration,user,source,experiment_id,parent_run_id,"
        "metrics.late,metrics.m,params.p",
        'a,\'=x,FINISHED,,,1.5,,,1,,,NaN,"1,2"',
        "b,y,FINISHED,,,1.5,,,1,,,,",
        "c,z,FINISHED,,,1.5,,,1,,2.0,,",
    ]
    assert await ids(offset=2, limit=3) == ["b", "c"]
    assert records.asked[-2:] == [(2, 2), (4, 1)]


@pytest.mark.parametrize("key", ["mlflow.user", "perijove.job_id", "", "a\nb", "/a", "a/../b"])
def test_tags_that_are_refused(key: str) -> None:
    with pytest.raises(InvalidInput):
        check_tags({key: "x"}, 100)


def test_a_tag_that_would_be_cut() -> None:
    with pytest.raises(InvalidInput) as error:
        check_tags({"a": "x" * 101}, 100)
    assert error.value.field == "tags.a"


@pytest.mark.asyncio
async def test_changes_are_told_together() -> None:
    broker = Broker()
    changes = Changes(broker)
    with broker.subscribe() as woken:
        for n in range(50):
            changes.add(TrackingChange(runs=[f"r{n % 3}"]))
        await asyncio.wait_for(woken.wait(), 10)
    assert changes.number == 1
    found = changes.since(0)
    assert found is not None
    assert found.runs == ["r0", "r1", "r2"]
    assert changes.since(1) is None
    changes.add(TrackingChange(runs=[str(n) for n in range(1000)]))
    with broker.subscribe() as woken:
        await asyncio.wait_for(woken.wait(), 10)
    assert changes.since(1) == TrackingChange(everything=True)


def test_where_a_run_comes_from() -> None:
    run = Run.model_validate({
        "run_id": "r", "name": "n", "experiment_id": "1", "status": "FINISHED",
        "lifecycle_stage": "active", "experiment_name": "e", "parent_run_id": "p",
        "source_info": {"name": "/a/train.ipynb"},
        "datasets": [{"name": "d", "digest": "1"}],
        "logged_models": [{"model_id": "m-1", "name": "model", "status": "READY"}],
        "model_versions": [{"name": "churn", "version": "3", "aliases": ["best"]}],
    })  # fmt: skip
    found = lineage_of(run)
    assert {node.kind for node in found.nodes} == {"run", "dataset", "notebook", "model", "version"}
    assert ("dataset:d:1", "run:r") in found.edges
    assert ("run:r", "version:churn:3") in found.edges


@pytest.mark.asyncio
async def test_who_takes_all_files_of_a_run_does_not_ask_mlflow_for_each() -> None:
    asked: list[str] = []

    class Here:
        async def artifact_root(self, run_id: str) -> str:
            asked.append(run_id)
            return f"root of {run_id}"

        async def open(self, run_id: str, root: str, *rest: Any) -> Any:
            return root

    here: Any = Here()
    files = RunFiles(here, here, here)
    opened = [await files.open(run_id, "a.txt") for run_id in ("a", "b", "a", "a")]
    assert opened == ["root of a", "root of b", "root of a", "root of a"]
    assert asked == ["a", "b"]


@pytest.mark.asyncio
@pytest.mark.parametrize(("part", "says"), [("filter", "no OR"), ("order_by", "metrics.auc DESC")])
async def test_what_mlflow_does_not_take_of_a_search(part: str, says: str) -> None:
    class Refusing:
        async def search(self, question: RunSearch) -> bytes:
            raise InvalidInput(f"Invalid {'x' * 4000}", field=part)

    service = RunService(Refusing(), None)  # type: ignore[arg-type]
    with pytest.raises(InvalidInput) as refused:
        await service.search(RunSearch(experiment_ids=["1"]))
    assert len(refused.value.message) == 501  # and a full stop
    assert says in str(refused.value.remedy)
