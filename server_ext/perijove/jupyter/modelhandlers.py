"""The REST routes of registered models; see `perijove.jupyter.handlers`."""

from __future__ import annotations

from urllib.parse import urlencode

from jupyter_server.auth.decorator import authorized
from tornado.web import authenticated

from perijove.errors import InvalidInput
from perijove.jupyter.handlers import BODY_BYTES, HubHandler

MODELS = "perijove:models"


class ModelsHandler(HubHandler):
    @authenticated
    @authorized(action="read", resource=MODELS)
    async def get(self) -> None:
        await self.forward("GET", "/models")


class ModelHandler(HubHandler):
    @authenticated
    @authorized(action="read", resource=MODELS)
    async def get(self) -> None:
        await self.forward("GET", "/model")

    @authenticated
    @authorized(action="write", resource=MODELS)
    async def patch(self) -> None:
        await self.forward("PATCH", "/model", self.body())


class ModelUsesHandler(HubHandler):
    @authenticated
    @authorized(action="read", resource=MODELS)
    async def get(self) -> None:
        await self.forward("GET", "/model/uses")


class DeleteModelHandler(HubHandler):
    @authenticated
    @authorized(action="write", resource=MODELS)
    async def post(self) -> None:
        await self.forward("POST", "/model/delete")


class VersionsHandler(HubHandler):
    @authenticated
    @authorized(action="read", resource=MODELS)
    async def get(self) -> None:
        await self.forward("GET", "/model/versions")

    @authenticated
    @authorized(action="write", resource=MODELS)
    async def post(self) -> None:
        await self.forward("POST", "/model/versions", self.body())


class VersionHandler(HubHandler):
    @authenticated
    @authorized(action="read", resource=MODELS)
    async def get(self) -> None:
        await self.forward("GET", "/model/version")

    @authenticated
    @authorized(action="write", resource=MODELS)
    async def patch(self) -> None:
        await self.forward("PATCH", "/model/version", self.body())


class DeleteVersionHandler(HubHandler):
    @authenticated
    @authorized(action="write", resource=MODELS)
    async def post(self) -> None:
        await self.forward("POST", "/model/version/delete")


class VersionPartHandler(HubHandler):
    """What of a version is only read: facts, lineage, files, preview."""

    @authenticated
    @authorized(action="read", resource=MODELS)
    async def get(self, part: str) -> None:
        await self.forward("GET", f"/model/version/{part}")


class VersionBytesHandler(HubHandler):
    """A file of a version, or all of them; streamed, because they may be large."""

    @authenticated
    @authorized(action="read", resource=MODELS)
    async def get(self, part: str) -> None:
        query = {key: self.get_query_argument(key) for key in self.request.query_arguments}
        query.pop("token", None)
        name = query.get("path", "").rpartition("/")[2]
        await self.stream(f"/model/version/{part}?{urlencode(query)}", name)


class AliasHandler(HubHandler):
    @authenticated
    @authorized(action="write", resource=MODELS)
    async def put(self) -> None:
        await self.forward("PUT", "/model/alias", self.body())

    @authenticated
    @authorized(action="write", resource=MODELS)
    async def delete(self) -> None:
        await self.forward("DELETE", "/model/alias")


class UploadsHandler(HubHandler):
    @authenticated
    @authorized(action="write", resource=MODELS)
    async def post(self) -> None:
        """A piece of a file that is brought in."""
        if len(self.request.body) > BODY_BYTES:
            raise InvalidInput(f"A piece has at most {BODY_BYTES >> 20} MiB.", field="body")
        query = {key: self.get_query_argument(key) for key in self.request.query_arguments}
        query.pop("token", None)
        content = {"content": self.request.body, "params": query}
        self.answer(await self.gateway.send("POST", "/model/uploads", **content))


MODEL_ROUTES: list[tuple[str, type[HubHandler]]] = [
    (r"models", ModelsHandler),
    (r"model", ModelHandler),
    (r"model/uses", ModelUsesHandler),
    (r"model/delete", DeleteModelHandler),
    (r"model/versions", VersionsHandler),
    (r"model/version", VersionHandler),
    (r"model/version/delete", DeleteVersionHandler),
    (r"model/version/(?P<part>facts|lineage|files|preview)", VersionPartHandler),
    (r"model/version/(?P<part>file|download)", VersionBytesHandler),
    (r"model/alias", AliasHandler),
    (r"model/uploads", UploadsHandler),
]
