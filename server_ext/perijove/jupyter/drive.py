"""Drives: the files of an instance behind the routes of Jupyter's own contents API.

``<base>/perijove/drives/<instance>/contents/<path>`` answers as ``<base>/api/contents/<path>``
does, and ``…/files/<path>`` as ``<base>/files/<path>``, so that JupyterLab's own drive speaks to
it. Jupyter's handlers do the work, on a contents manager that asks the hub.
"""

from __future__ import annotations

import base64
import hashlib
import mimetypes
from datetime import UTC, datetime
from tempfile import TemporaryFile
from typing import IO, Any
from urllib.parse import quote

import nbformat
from jupyter_server.files.handlers import FilesHandler
from jupyter_server.services.contents.checkpoints import AsyncCheckpoints
from jupyter_server.services.contents.handlers import (
    CheckpointsHandler,
    ContentsHandler,
    ModifyCheckpointsHandler,
)
from jupyter_server.services.contents.manager import AsyncContentsManager
from tornado.web import HTTPError

from perijove.errors import PerijoveError, from_json
from perijove.jupyter.gateway import Gateway
from perijove.models.files import FILE_BYTES

FOLDER = "folder"
HASH = "sha256"
UPLOADS = 8
"""Files that arrive at once."""


class NoCheckpoints(AsyncCheckpoints):
    """An instance keeps none: what is saved is saved."""

    async def create_checkpoint(self, contents_mgr: Any, path: str) -> dict[str, Any]:
        return {"id": "none", "last_modified": (await contents_mgr.get(path, False))["created"]}

    async def restore_checkpoint(self, contents_mgr: Any, checkpoint_id: str, path: str) -> None:
        raise HTTPError(404, "Instances keep no checkpoints.")

    async def rename_checkpoint(self, checkpoint_id: str, old_path: str, new_path: str) -> None:
        return

    async def delete_checkpoint(self, checkpoint_id: str, path: str) -> None:
        return

    async def list_checkpoints(self, path: str) -> list[dict[str, Any]]:
        return []


class Uploads:
    """Large files, which JupyterLab sends in pieces: gathered on disk until the last has come."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, str], IO[bytes]] = {}

    def add(self, key: tuple[str, str], number: int, data: bytes) -> bytes | None:
        """Take a piece: 1 is the first, -1 the last; the whole file after that.

        Raises
        ------
        HTTPError: the first piece is missing, or the file is too large.
        """
        if number == 1:
            self._drop(key)
            while len(self._open) >= UPLOADS:  # the oldest was given up
                self._drop(next(iter(self._open)))
            self._open[key] = TemporaryFile()
        if (file := self._open.get(key)) is None:
            raise HTTPError(400, f"The beginning of {key[1]} has not been uploaded.")
        file.write(data)
        if file.tell() > FILE_BYTES:
            self._drop(key)
            raise HTTPError(413, f"{key[1]} is larger than {FILE_BYTES >> 20} MiB.")
        if number != -1:
            return None
        file.seek(0)
        whole = file.read()
        self._drop(key)
        return whole

    def _drop(self, key: tuple[str, str]) -> None:
        if (file := self._open.pop(key, None)) is not None:
            file.close()


class InstanceContents(AsyncContentsManager):
    """A contents manager on the files of one instance."""

    gateway: Gateway
    instance: str
    uploads: Uploads

    def _checkpoints_class_default(self) -> type:
        return NoCheckpoints

    # what Jupyter's handlers ask for

    async def get(
        self,
        path: str,
        content: bool = True,
        type: str | None = None,
        format: str | None = None,
        require_hash: bool = False,
    ) -> dict[str, Any]:
        path = path.strip("/")
        found = await self._hub("GET", "", params={"path": path})
        if found["type"] == FOLDER:
            if type not in (None, "directory"):
                raise HTTPError(400, f"{path} is a folder, not a {type}.", reason="bad type")
            return _folder(found, content, self._shown)
        if type == "directory":
            raise HTTPError(400, f"{path} is not a folder.", reason="bad type")
        model = _file(found, type)
        if content or require_hash:
            data = await self._bytes(path)
            if content:
                _fill(model, data, format)
                if model["type"] == "notebook":
                    self.mark_trusted_cells(model["content"], path)
            if require_hash:
                model |= {"hash": hashlib.sha256(data).hexdigest(), "hash_algorithm": HASH}
        return model

    async def save(self, model: dict[str, Any], path: str = "") -> dict[str, Any]:
        path = path.strip("/")
        if model.get("type") == "directory":
            found = await self._hub("POST", "/folder", json={"path": path})
            return _folder(found, False, self._shown)
        data = _data(model)
        if model.get("chunk"):
            whole = self.uploads.add((self.instance, path), int(model["chunk"]), data)
            if whole is None:
                return _file(_arriving(path), "file")
            data = whole
        if model.get("type") == "notebook":
            notebook = nbformat.from_dict(model["content"])
            self.check_and_sign(notebook, path)
        found = await self._hub("PUT", "/content", params={"path": path}, content=data)
        return _file(found, model.get("type"))

    async def delete_file(self, path: str) -> None:
        await self._hub("DELETE", "", params={"path": path.strip("/")})

    async def rename_file(self, old_path: str, new_path: str) -> None:
        wish = {"path": old_path.strip("/"), "to": new_path.strip("/")}
        await self._hub("POST", "/rename", json=wish)

    async def file_exists(self, path: str = "") -> bool:
        return await self._is(path, "file")

    async def dir_exists(self, path: str) -> bool:
        return await self._is(path, FOLDER)

    async def is_hidden(self, path: str) -> bool:
        return any(part.startswith(".") for part in path.split("/") if part)

    # details

    def _shown(self, entry: dict[str, Any]) -> bool:
        name = _name(entry["path"])
        return self.should_list(name) and (self.allow_hidden or not name.startswith("."))

    async def _is(self, path: str, type: str) -> bool:
        try:
            found = await self._hub("GET", "", params={"path": path.strip("/")})
        except HTTPError as error:
            if error.status_code == 404:
                return False
            raise
        return bool(found["type"] == type)

    async def _hub(self, method: str, part: str, **content: Any) -> dict[str, Any]:
        answer = await self._send(method, part, **content)
        found: dict[str, Any] = answer.json()
        return found

    async def _bytes(self, path: str) -> bytes:
        data: bytes = (await self._send("GET", "/content", params={"path": path})).content
        return data

    async def _send(self, method: str, part: str, **content: Any) -> Any:
        route = f"/compute/{quote(self.instance, safe='')}/files{part}"
        try:
            answer = await self.gateway.send(method, route, **content)
            if answer.status_code >= 400:
                raise from_json(answer.json()["error"])
        except PerijoveError as error:
            raise HTTPError(error.status, str(error)) from None
        return answer


class _OnInstance:
    """Takes the instance out of the address, and gives Jupyter's handler its contents."""

    settings: dict[str, Any]
    path_kwargs: dict[str, str]

    async def prepare(self) -> None:
        contents = InstanceContents(parent=self.settings["contents_manager"])
        contents.gateway = self.settings["perijove_gateway"]
        contents.uploads = self.settings.setdefault("perijove_uploads", Uploads())
        contents.instance = self.path_kwargs.pop("instance")
        self._contents = contents
        await super().prepare()  # type: ignore[misc]

    @property
    def contents_manager(self) -> InstanceContents:
        return self._contents


class DriveHandler(_OnInstance, ContentsHandler):
    """Files and folders. Authorised as Jupyter's own: resource *contents*."""


class DriveFilesHandler(_OnInstance, FilesHandler):
    """A file as it is, for downloads and for pictures in Markdown; scripts in it see no page of
    ours. Authorised as Jupyter's own."""

    def initialize(self) -> None:
        """No folder of this machine is served."""
        super().initialize(path="")


class DriveCheckpointsHandler(_OnInstance, CheckpointsHandler):
    """None, but JupyterLab asks."""


class DriveCheckpointHandler(_OnInstance, ModifyCheckpointsHandler):
    """As above."""


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def _arriving(path: str) -> dict[str, Any]:
    return {"path": path, "writable": True, "modified_at": datetime.now(UTC).isoformat()}


def _model(found: dict[str, Any], type: str, mimetype: str | None) -> dict[str, Any]:
    return {
        "name": _name(found["path"]),
        "path": found["path"],
        "type": type,
        "writable": found["writable"],
        "created": found["modified_at"],
        "last_modified": found["modified_at"],
        "mimetype": mimetype,
        "size": found.get("size"),
        "content": None,
        "format": None,
    }


def _folder(found: dict[str, Any], content: bool, shown: Any) -> dict[str, Any]:
    model = _model(found, "directory", None)
    if content:
        entries = [entry for entry in found.get("entries") or () if shown(entry)]
        model["format"] = "json"
        model["content"] = [
            _model(entry, "directory", None) if entry["type"] == FOLDER else _file(entry, None)
            for entry in entries
        ]
    return model


def _file(found: dict[str, Any], type: str | None) -> dict[str, Any]:
    notebook = type == "notebook" or (type is None and found["path"].endswith(".ipynb"))
    mimetype = None if notebook else mimetypes.guess_type(found["path"])[0]
    return _model(found, "notebook" if notebook else "file", mimetype)


def _fill(model: dict[str, Any], data: bytes, format: str | None) -> None:
    if model["type"] == "notebook":
        try:
            model["content"] = nbformat.reads(data.decode(), as_version=4)
        except Exception as error:
            text = f"{model['path']} is no notebook that can be read: {error}"
            raise HTTPError(400, text, reason="bad notebook") from None
        model["format"] = "json"
        return
    if format in (None, "text"):
        try:
            model |= {"content": data.decode(), "format": "text"}
            model["mimetype"] = model["mimetype"] or "text/plain"
            return
        except UnicodeDecodeError:
            if format == "text":
                text = f"{model['path']} is not UTF-8 text"
                raise HTTPError(400, text, reason="bad format") from None
    model |= {"content": base64.b64encode(data).decode(), "format": "base64"}
    model["mimetype"] = model["mimetype"] or "application/octet-stream"


def _data(model: dict[str, Any]) -> bytes:
    content = model.get("content")
    if model.get("type") == "notebook":
        notebook = nbformat.from_dict(content)
        return str(nbformat.writes(notebook, version=nbformat.NO_CONVERT)).encode()
    if not isinstance(content, str):
        raise HTTPError(400, "A file's content must be text.")
    try:
        return base64.b64decode(content) if model.get("format") == "base64" else content.encode()
    except ValueError as error:
        raise HTTPError(400, f"The content is no base64: {error}") from None


INSTANCE = r"(?P<instance>[^/]+)"
PATH = r"(?P<path>(?:(?:/[^/]+)+|/?))"
DRIVES: list[tuple[str, type]] = [
    (
        rf"{INSTANCE}/contents{PATH}/checkpoints/(?P<checkpoint_id>[\w-]+)",
        DriveCheckpointHandler,
    ),
    (rf"{INSTANCE}/contents{PATH}/checkpoints", DriveCheckpointsHandler),
    (rf"{INSTANCE}/contents{PATH}", DriveHandler),
    (rf"{INSTANCE}/files{PATH}", DriveFilesHandler),
]
