"""The REST routes of experiments and runs under ``<base>/perijove/api/``."""

from __future__ import annotations

from urllib.parse import urlencode

from jupyter_server.auth.decorator import authorized
from tornado.web import authenticated

from perijove.jupyter.handlers import HubHandler, quoted

EXPERIMENTS, RUNS = "perijove:experiments", "perijove:runs"
EXPERIMENT = r"(?P<experiment_id>[^/]+)"
RUN = r"(?P<run_id>[^/]+)"


class ExperimentsHandler(HubHandler):
    @authenticated
    @authorized(action="read", resource=EXPERIMENTS)
    async def get(self) -> None:
        await self.forward("GET", "/experiments")

    @authenticated
    @authorized(action="write", resource=EXPERIMENTS)
    async def post(self) -> None:
        await self.forward("POST", "/experiments", self.body())


class ColumnsHandler(HubHandler):
    @authenticated
    @authorized(action="read", resource=EXPERIMENTS)
    async def get(self) -> None:
        await self.forward("GET", "/experiments/columns")


class ExperimentHandler(HubHandler):
    @authenticated
    @authorized(action="read", resource=EXPERIMENTS)
    async def get(self, experiment_id: str) -> None:
        await self.forward("GET", f"/experiments/{quoted(experiment_id)}")

    @authenticated
    @authorized(action="write", resource=EXPERIMENTS)
    async def patch(self, experiment_id: str) -> None:
        await self.forward("PATCH", f"/experiments/{quoted(experiment_id)}", self.body())


class ExperimentVerbHandler(HubHandler):
    """Delete, restore."""

    @authenticated
    @authorized(action="write", resource=EXPERIMENTS)
    async def post(self, experiment_id: str, verb: str) -> None:
        await self.forward("POST", f"/experiments/{quoted(experiment_id)}/{verb}")


class ViewsHandler(HubHandler):
    @authenticated
    @authorized(action="read", resource=EXPERIMENTS)
    async def get(self, experiment_id: str) -> None:
        await self.forward("GET", f"/experiments/{quoted(experiment_id)}/views")

    @authenticated
    @authorized(action="write", resource=EXPERIMENTS)
    async def post(self, experiment_id: str) -> None:
        await self.forward("POST", f"/experiments/{quoted(experiment_id)}/views", self.body())


class RenameViewHandler(HubHandler):
    @authenticated
    @authorized(action="write", resource=EXPERIMENTS)
    async def post(self, experiment_id: str) -> None:
        path = f"/experiments/{quoted(experiment_id)}/views/rename"
        await self.forward("POST", path, self.body())


class DeleteViewHandler(HubHandler):
    @authenticated
    @authorized(action="write", resource=EXPERIMENTS)
    async def post(self, experiment_id: str) -> None:
        await self.forward("POST", f"/experiments/{quoted(experiment_id)}/views/delete")


class RunsQuestionHandler(HubHandler):
    """What is asked with a body, and changes nothing: search, csv, history."""

    @authenticated
    @authorized(action="read", resource=RUNS)
    async def post(self, question: str) -> None:
        await self.forward("POST", f"/runs/{question}", self.body())


class RunsVerbHandler(HubHandler):
    """Delete, restore."""

    @authenticated
    @authorized(action="write", resource=RUNS)
    async def post(self, verb: str) -> None:
        await self.forward("POST", f"/runs/{verb}", self.body())


class NotebookDiffHandler(HubHandler):
    @authenticated
    @authorized(action="read", resource=RUNS)
    async def get(self) -> None:
        await self.forward("GET", "/runs/notebook-diff")


class RunHandler(HubHandler):
    @authenticated
    @authorized(action="read", resource=RUNS)
    async def get(self, run_id: str) -> None:
        await self.forward("GET", f"/runs/{quoted(run_id)}")

    @authenticated
    @authorized(action="write", resource=RUNS)
    async def patch(self, run_id: str) -> None:
        await self.forward("PATCH", f"/runs/{quoted(run_id)}", self.body())


class RunPartHandler(HubHandler):
    """What of a run is only read: lineage, artifacts, a preview."""

    @authenticated
    @authorized(action="read", resource=RUNS)
    async def get(self, run_id: str, part: str) -> None:
        await self.forward("GET", f"/runs/{quoted(run_id)}/{part}")


class RunFileHandler(HubHandler):
    @authenticated
    @authorized(action="read", resource=RUNS)
    async def get(self, run_id: str) -> None:
        query = urlencode(
            {
                "path": self.get_query_argument("path", "", strip=False),
                "download": self.get_query_argument("download", "false"),
            }
        )
        await self.stream(f"/runs/{quoted(run_id)}/artifacts/file?{query}")


STUDIO: list[tuple[str, type[HubHandler]]] = [
    (r"experiments", ExperimentsHandler),
    (r"experiments/columns", ColumnsHandler),
    (rf"experiments/{EXPERIMENT}", ExperimentHandler),
    (rf"experiments/{EXPERIMENT}/(?P<verb>delete|restore)", ExperimentVerbHandler),
    (rf"experiments/{EXPERIMENT}/views", ViewsHandler),
    (rf"experiments/{EXPERIMENT}/views/rename", RenameViewHandler),
    (rf"experiments/{EXPERIMENT}/views/delete", DeleteViewHandler),
    (r"runs/(?P<question>search|csv|history)", RunsQuestionHandler),
    (r"runs/(?P<verb>delete|restore)", RunsVerbHandler),
    (r"runs/notebook-diff", NotebookDiffHandler),
    (rf"runs/{RUN}", RunHandler),
    (rf"runs/{RUN}/(?P<part>lineage|artifacts|artifacts/preview)", RunPartHandler),
    (rf"runs/{RUN}/artifacts/file", RunFileHandler),
]
