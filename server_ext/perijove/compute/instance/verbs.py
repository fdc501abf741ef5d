"""What an agent does when the hub calls: its side of `hosted`."""

from __future__ import annotations

import base64
from typing import Any

from pydantic import BaseModel, JsonValue

from perijove.compute.instance.files import LocalFiles
from perijove.compute.instance.kernels import Kernels
from perijove.errors import InvalidInput
from perijove.models.environments import EnvironmentContent
from perijove.models.kernels import KernelRequest


class Verbs:
    """Kernels and files of this machine, by the names of verbs."""

    def __init__(self, kernels: Kernels, files: LocalFiles) -> None:
        self._kernels = kernels
        self._files = files

    async def call(self, verb: str, args: dict[str, Any]) -> JsonValue:
        """Do it; its result as JSON.

        Raises
        ------
        InvalidInput: there is no such verb. Else what the verb raises.
        """
        noun, _, name = verb.partition(".")
        if noun == "kernels" and name == "start":
            request = KernelRequest.model_validate(args["request"])
            return _plain(await self._kernels.start(request))
        if noun == "kernels" and name == "build":
            return await self._kernels.build(EnvironmentContent.model_validate(args["content"]))
        if noun == "kernels" and name in ("signal", "end", "list", "look", "environments"):
            return _plain(await getattr(self._kernels, name)(**args))
        if noun == "files" and name == "read":
            return base64.b64encode(await self._files.read(args["path"])).decode()
        if noun == "files" and name == "write":
            return _plain(await self._files.write(args["path"], base64.b64decode(args["data"])))
        if noun == "files" and name in ("stat", "entries", "mkdir", "rename", "delete"):
            return _plain(await getattr(self._files, name)(**args))
        raise InvalidInput(f"The agent cannot {verb}.")


def _plain(found: object) -> JsonValue:
    if isinstance(found, BaseModel):
        plain: JsonValue = found.model_dump(mode="json")
        return plain
    if isinstance(found, list):
        return [_plain(item) for item in found]
    return None
