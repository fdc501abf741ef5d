"""Requests of MLflow's client in a job, which may be sent again, make nothing twice.

MLflow's client sends a request again when its answer is lost, and then there are two runs. Here
each request carries a key, the same in all its tries, by which the hub's own MLflow knows it
again (see `perijove.tracking.once`). Another server does not: there what may have been made is
looked for, by a tag or its name, before the request is sent again.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple
from uuid import uuid4

from mlflow.environment_variables import (
    MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR,
    MLFLOW_HTTP_REQUEST_MAX_RETRIES,
)
from mlflow.exceptions import MlflowException
from mlflow.store.model_registry.rest_store import RestStore as ModelRestStore
from mlflow.store.tracking.rest_store import RestStore
from mlflow.tracking.request_header import registry
from mlflow.tracking.request_header.abstract_request_header_provider import RequestHeaderProvider
from mlflow.utils.credentials import get_default_host_creds
from mlflow.utils.proto_json_utils import parse_dict
from mlflow.utils.rest_utils import http_request, verify_rest_response

from ..models.logged import EXISTING_VARIABLE, REQUEST_HEADER, REQUEST_TAG

PASSING = (408, 429, 500, 502, 503, 504)
"""Answers after which MLflow's client tries again."""
LONGEST = 120.0
"""Seconds between two tries, at most."""
API = "/api/2.0/mlflow"
Json = dict[str, Any]
_applied = False


def apply(uri: str) -> None:
    """Send keys, and be careful with other servers' model registry, from now on."""
    global _applied
    if _applied:
        return
    _applied = True
    registry._request_header_provider_registry.register(_Keys)
    if EXISTING_VARIABLE in os.environ:
        from mlflow.tracking._model_registry import utils

        utils._get_store_registry().register(
            uri.partition(":")[0],
            lambda store_uri, **_: CarefulModelStore(lambda: get_default_host_creds(store_uri)),
        )


class _Keys(RequestHeaderProvider):
    def in_context(self) -> bool:
        return True

    def request_headers(self) -> dict[str, str]:
        return {REQUEST_HEADER: uuid4().hex}


class _Careful:
    """Mixed into MLflow's REST stores."""

    def _call_endpoint(self, api: Any, json_body: Any = None, *args: Any, **named: Any) -> Any:
        kind = KINDS.get(api.__name__)
        if kind is None or EXISTING_VARIABLE not in os.environ:
            return super()._call_endpoint(api, json_body, *args, **named)  # type: ignore[misc]
        answer, made = api.Response(), _Creation(self, kind, json.loads(json_body)).made()
        parse_dict(made, answer)
        return answer


class CarefulStore(_Careful, RestStore):
    """MLflow's REST store, which makes no run twice."""


class CarefulModelStore(_Careful, ModelRestStore):
    """MLflow's REST store of models, which makes no version twice."""


class Kind(NamedTuple):
    """Something that can be made.

    find: the method, route and content of the request that finds it, by what was asked for and
        the key of its tag.
    found: the name of what is found in that answer: a list, or one of them.
    drop: how one that was made twice is deleted; None: its name keeps it from being made twice.
    """

    route: str
    find: Callable[[Json, str], tuple[str, str, Json]]
    found: str
    answer: Callable[[Json], Json]
    drop: Callable[[Json], tuple[str, str, Json]] | None = None


def _tagged(key: str) -> str:
    return f"tags.`{REQUEST_TAG}` = '{key}'"


def _quoted(name: str) -> str:
    quote = "'" if "'" not in name else '"'
    return f"name = {quote}{name}{quote}"


KINDS: Mapping[str, Kind] = {
    "CreateRun": Kind(
        "runs/create",
        lambda body, key: (
            "POST",
            "runs/search",
            {
                "experiment_ids": [body["experiment_id"]],
                "filter": _tagged(key),
                "order_by": ["attributes.start_time ASC"],
            },
        ),
        "runs",
        lambda run: {"run": run},
        lambda run: ("POST", "runs/delete", {"run_id": run["info"]["run_id"]}),
    ),
    "CreateLoggedModel": Kind(
        "logged-models",
        lambda body, key: (
            "POST",
            "logged-models/search",
            {"experiment_ids": [body["experiment_id"]], "filter": _tagged(key)},
        ),
        "models",
        lambda model: {"model": model},
        lambda model: ("DELETE", f"logged-models/{model['info']['model_id']}", {}),
    ),
    "CreateModelVersion": Kind(
        "model-versions/create",
        lambda body, key: (
            "GET",
            "model-versions/search",
            {"filter": f"{_quoted(body['name'])} and {_tagged(key)}"},
        ),
        "model_versions",
        lambda version: {"model_version": version},
        lambda version: (
            "DELETE",
            "model-versions/delete",
            {"name": version["name"], "version": version["version"]},
        ),
    ),
    "CreateExperiment": Kind(
        "experiments/create",
        lambda body, _: ("GET", "experiments/get-by-name", {"experiment_name": body["name"]}),
        "experiment",
        lambda experiment: {"experiment_id": experiment["experiment_id"]},
    ),
    "CreateRegisteredModel": Kind(
        "registered-models/create",
        lambda body, _: ("GET", "registered-models/get", {"name": body["name"]}),
        "registered_model",
        lambda model: {"registered_model": model},
    ),
}


class _Creation:
    """One thing that is to be made on a server that may lose answers."""

    def __init__(self, store: Any, kind: Kind, body: Json) -> None:
        self._creds, self._kind = store.get_host_creds(), kind
        self._key = uuid4().hex
        self._body = body
        if kind.drop is not None:
            tag = {"key": REQUEST_TAG, "value": self._key}
            self._body = body | {"tags": [*body.get("tags", []), tag]}

    def made(self) -> Json:
        """What was made, by whichever of the tries."""
        unsure = False
        for wait in _waits():
            made = None
            try:
                made = self._send("POST", self._kind.route, self._body, max_retries=0)
                if not unsure:
                    return made
            except MlflowException as error:
                if not (unsure and error.error_code == "RESOURCE_ALREADY_EXISTS"):
                    if wait is None or error.get_http_status_code() not in PASSING:
                        raise
                    unsure = True
                    time.sleep(wait)
            if found := self._found():
                return self._kind.answer(found)
            if made is not None:
                return made
        raise AssertionError

    def _found(self) -> Json | None:
        """What an earlier try has made after all; of two, which can be by now, one is kept."""
        try:
            answer = self._send(*self._kind.find(self._body, self._key))
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return None
            raise
        found = answer.get(self._kind.found)
        if not isinstance(found, list):
            return found
        if self._kind.drop is not None:
            for other in found[1:]:
                self._send(*self._kind.drop(other))
        return found[0] if found else None

    def _send(self, method: str, route: str, content: Json, **options: Any) -> Json:
        endpoint = f"{API}/{route}"
        given = {"params" if method == "GET" else "json": content}
        answer = http_request(
            host_creds=self._creds,
            endpoint=endpoint,
            method=method,
            raise_on_status=False,
            **given,
            **options,
        )
        said: Json = json.loads(verify_rest_response(answer, endpoint).text)
        return said


def _waits() -> Iterator[float | None]:
    """As often as MLflow's client tries again, and as long."""
    for tried in range(MLFLOW_HTTP_REQUEST_MAX_RETRIES.get()):
        yield min(MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR.get() * 2**tried, LONGEST)
    yield None
