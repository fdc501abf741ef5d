"""The REST routes under ``<base>/perijove/api/``: the hub's, behind Jupyter's own login.

Each verb says who may do it: `@authenticated`, and `@authorized` with action and resource both
spelled out, because left out they are taken from whichever verb was called first.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from tornado.web import authenticated

from perijove.errors import InvalidInput, NotFound, PerijoveError
from perijove.jupyter.gateway import Gateway, unreachable

JOBS, WORKSPACE, NOTEBOOKS = "perijove:jobs", "perijove:workspace", "perijove:notebooks"
BODY_BYTES = 16 * 1024 * 1024
ID = r"(?P<job_id>[^/]+)"
TARGET = r"(?P<name>[^/]+)"
PASSED_ON = (
    "Content-Type",
    "Content-Disposition",
    "Content-Security-Policy",
    "X-Content-Type-Options",
)


class HubHandler(APIHandler):
    """What all handlers do: forward, and answer errors the hub's way."""

    @property
    def gateway(self) -> Gateway:
        gateway: Gateway = self.settings["perijove_gateway"]
        return gateway

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Errors are ``{"error": {code, message, field, remedy}}``, here as in the hub."""
        error = kwargs.get("exc_info", (None, None, None))[1]
        if not isinstance(error, PerijoveError):
            reason = getattr(error, "log_message", None) or self._reason
            error = _Refused(str(reason))
        else:
            status_code = error.status
        self.set_status(status_code)
        self.set_header("Content-Type", "application/json")
        self.finish(json.dumps({"error": error.to_json()}))

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        """What is said to the user is not also a traceback in the server's log."""
        if not isinstance(value, PerijoveError):
            super().log_exception(typ, value, tb)

    async def forward(self, method: str, path: str, body: Any = None, **options: Any) -> None:
        """Answer with the hub's answer. `options`: httpx's."""
        query = self.request.query_arguments.items()
        params = [(k, v.decode("utf-8", "replace")) for k, vs in query for v in vs if k != "token"]
        content = {} if body is None else {"json": body}
        answer = await self.gateway.send(method, path, params=params, **content, **options)
        self.answer(answer)

    def refuse_to_follow(self) -> None:
        """Answers are passed on when they are complete.

        Raises
        ------
        InvalidInput: it is asked for one that goes on.
        """
        if self.get_query_argument("follow", "false") not in ("false", "0", ""):
            raise InvalidInput("follow is for the events route.", field="follow")

    def answer(self, answer: httpx.Response) -> None:
        """Pass on the status, the body and the headers that matter."""
        self.set_status(answer.status_code)
        self.pass_headers_on(answer)
        self.finish(answer.content)

    async def stream(self, path: str, policy: str | None = None) -> None:
        """Answer with a file of the hub's as it comes, because it may be large.

        `policy`: its Content-Security-Policy, in place of the hub's.
        """
        client = await self.gateway.client()
        try:
            await self._copy(client, f"/api{path}", policy)
        except httpx.TransportError as error:
            await self.gateway.forget(client)
            raise unreachable(error) from None

    async def _copy(self, client: httpx.AsyncClient, url: str, policy: str | None) -> None:
        asked = self.request.headers.get("Range")
        headers = {"Range": asked} if asked else {}
        async with client.stream("GET", url, headers=headers) as answer:
            if answer.status_code not in (200, 206):
                await answer.aread()
                self.clear_header("Content-Disposition")
                self.answer(answer)
                return
            self.set_status(answer.status_code)
            self.pass_headers_on(answer)
            for header in ("Content-Length", "Content-Range", "Accept-Ranges"):
                # without its length a file that breaks off would look complete
                if header in answer.headers:
                    self.set_header(header, answer.headers[header])
            if policy is not None:
                self.set_header("Content-Security-Policy", policy)
            self.set_header("X-Content-Type-Options", "nosniff")
            async for piece in answer.aiter_bytes():
                self.write(piece)
                await self.flush()
        self.finish()

    def pass_headers_on(self, answer: httpx.Response) -> None:
        """Those that matter."""
        for name in PASSED_ON:
            if name in answer.headers:
                self.set_header(name, answer.headers[name])

    def finish(self, *args: Any, **kwargs: Any) -> Any:
        """With the content type that was set: Jupyter's own would make it JSON."""
        kwargs.setdefault("set_content_type", self._headers.get("Content-Type", "application/json"))
        return super().finish(*args, **kwargs)

    def body(self) -> dict[str, Any]:
        """The request's JSON object.

        Raises
        ------
        InvalidInput: it is none, or too large.
        """
        if len(self.request.body) > BODY_BYTES:
            raise InvalidInput(f"A body must have at most {BODY_BYTES >> 20} MiB.", field="body")
        try:
            data = json.loads(self.request.body)
        except (ValueError, RecursionError) as error:
            raise InvalidInput(f"The body is no valid JSON: {error}.", field="body") from None
        if not isinstance(data, dict):
            raise InvalidInput("The body must be a JSON object.", field="body")
        return data

    def rooted(self) -> dict[str, Any]:
        """The body with the server's own folder as root: nothing else can be reached."""
        data = self.body()
        manager = self.contents_manager
        root = getattr(manager, "root_dir", None) or self.settings.get("server_root_dir")
        data["root"] = str(Path(str(root)).expanduser().resolve())
        if isinstance(data.get("path"), str):
            # drives of JupyterLab name their files "RTC:x.ipynb"
            data["path"] = data["path"].removeprefix("RTC:").lstrip("/")
        return data


class _Refused(InvalidInput):
    code = "refused"


class StatusHandler(HubHandler):
    @authenticated
    @authorized(action="read", resource=WORKSPACE)
    async def get(self) -> None:
        await self.forward("GET", "/status")


class EnvironmentsHandler(HubHandler):
    @authenticated
    @authorized(action="read", resource=WORKSPACE)
    async def get(self) -> None:
        await self.forward("GET", "/environments")

    @authenticated
    @authorized(action="write", resource=WORKSPACE)
    async def post(self) -> None:
        await self.forward("POST", "/environments", self.body())


class EnvironmentHandler(HubHandler):
    @authenticated
    @authorized(action="read", resource=WORKSPACE)
    async def get(self, name: str) -> None:
        await self.forward("GET", f"/environments/{quoted(name)}")

    @authenticated
    @authorized(action="write", resource=WORKSPACE)
    async def delete(self, name: str) -> None:
        await self.forward("DELETE", f"/environments/{quoted(name)}")


class EnvironmentPartHandler(HubHandler):
    """What of an environment is only read: wait, logs."""

    @authenticated
    @authorized(action="read", resource=WORKSPACE)
    async def get(self, name: str, part: str) -> None:
        self.refuse_to_follow()
        await self.forward("GET", f"/environments/{quoted(name)}/{part}")


class BuildHandler(HubHandler):
    @authenticated
    @authorized(action="write", resource=WORKSPACE)
    async def post(self, name: str) -> None:
        await self.forward("POST", f"/environments/{quoted(name)}/build")


class RunLinkHandler(HubHandler):
    @authenticated
    @authorized(action="execute", resource=WORKSPACE)
    async def get(self, job_id: str) -> None:
        """Where the job's run is in MLflow's own UI; the token in it signs the browser in."""
        job = (await self.gateway.send("GET", f"/jobs/{quoted(job_id)}")).json()
        if not job.get("run_id") or not job.get("experiment_id"):
            raise NotFound(f"Job {job_id} has no MLflow run yet.", field="job_id")
        tracking = (await self.gateway.send("GET", "/tracking")).json()
        info = self.gateway.info
        sign_in = f"?token={info.token}" if tracking["embedded"] and info is not None else ""
        run = f"/#/experiments/{job['experiment_id']}/runs/{job['run_id']}"
        self.finish({"url": f"{tracking['url']}/{sign_in}{run[1:]}"})


class JobsHandler(HubHandler):
    @authenticated
    @authorized(action="read", resource=JOBS)
    async def get(self) -> None:
        await self.forward("GET", "/jobs")

    @authenticated
    @authorized(action="execute", resource=JOBS)
    async def post(self) -> None:
        await self.forward("POST", "/jobs", self.rooted())


class JobHandler(HubHandler):
    @authenticated
    @authorized(action="read", resource=JOBS)
    async def get(self, job_id: str) -> None:
        await self.forward("GET", f"/jobs/{quoted(job_id)}")

    @authenticated
    @authorized(action="write", resource=JOBS)
    async def delete(self, job_id: str) -> None:
        await self.forward("DELETE", f"/jobs/{quoted(job_id)}")


class CancelHandler(HubHandler):
    @authenticated
    @authorized(action="execute", resource=JOBS)
    async def post(self, job_id: str) -> None:
        await self.forward("POST", f"/jobs/{quoted(job_id)}/cancel")


class RerunHandler(HubHandler):
    @authenticated
    @authorized(action="execute", resource=JOBS)
    async def post(self, job_id: str) -> None:
        await self.forward("POST", f"/jobs/{quoted(job_id)}/rerun", self.body())


class JobPartHandler(HubHandler):
    """What of a job is only read: wait, events, log, files, metrics."""

    @authenticated
    @authorized(action="read", resource=JOBS)
    async def get(self, job_id: str, part: str) -> None:
        self.refuse_to_follow()
        await self.forward("GET", f"/jobs/{quoted(job_id)}/{part}")


class JobFileHandler(HubHandler):
    @authenticated
    @authorized(action="read", resource=JOBS)
    async def get(self, job_id: str, path: str) -> None:
        """A file of the job; pages and scripts in it must not run as if they were ours."""
        if self.get_query_argument("download", "") == "1":
            name = quoted(Path(path).name)
            self.set_header("Content-Disposition", f"attachment; filename*=UTF-8''{name}")
        url = f"/jobs/{quoted(job_id)}/files/{quoted(path, safe='/')}"
        await self.stream(url, policy="sandbox allow-scripts")


class PruneHandler(HubHandler):
    @authenticated
    @authorized(action="write", resource=JOBS)
    async def post(self) -> None:
        await self.forward("POST", "/prune", self.body())


class InspectHandler(HubHandler):
    @authenticated
    @authorized(action="read", resource=NOTEBOOKS)
    async def post(self) -> None:
        await self.forward("POST", "/notebooks/inspect", self.rooted())


class DefinitionsHandler(HubHandler):
    @authenticated
    @authorized(action="write", resource=NOTEBOOKS)
    async def post(self) -> None:
        await self.forward("POST", "/definitions", self.rooted())


def quoted(text: str, safe: str = "") -> str:
    """As part of a URL's path."""
    return quote(text, safe=safe)


ROUTES: list[tuple[str, type[HubHandler]]] = [
    (r"status", StatusHandler),
    (r"environments", EnvironmentsHandler),
    (rf"environments/{TARGET}", EnvironmentHandler),
    (rf"environments/{TARGET}/(?P<part>wait|logs)", EnvironmentPartHandler),
    (rf"environments/{TARGET}/build", BuildHandler),
    (r"jobs", JobsHandler),
    (rf"jobs/{ID}", JobHandler),
    (rf"jobs/{ID}/cancel", CancelHandler),
    (rf"jobs/{ID}/rerun", RerunHandler),
    (rf"jobs/{ID}/run-link", RunLinkHandler),
    (rf"jobs/{ID}/(?P<part>wait|events|log|files|metrics)", JobPartHandler),
    (rf"jobs/{ID}/files/(?P<path>.+)", JobFileHandler),
    (r"prune", PruneHandler),
    (r"notebooks/inspect", InspectHandler),
    (r"definitions", DefinitionsHandler),
]
