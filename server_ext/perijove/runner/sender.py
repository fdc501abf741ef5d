"""Sends what user code logs to MLflow while it runs, and what is left when it has ended."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Mapping, MutableMapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from perijove.models.logged import (
    LOGGED,
    SPOOL_VARIABLE,
    URI_VARIABLE,
    LoggedSpool,
    Refused,
    Request,
)

if TYPE_CHECKING:
    import httpx

SOON, LOOK, MUCH = 0.05, 0.2, 50_000
"""Seconds between two looks at the spool while there is nothing in it, and between two requests,
for which more is gathered; bytes in it that are sent without waiting."""
AWAY = (0.5, 5.0)
"""Seconds between two tries while MLflow does not answer: the first, the longest."""
PATIENCE, PATIENCE_STOPPED = 5.0, 2.0
"""Seconds an attempt that has ended waits for a server that does not answer; what is left then
is sent by the hub. The second: after it was canceled, or its time is over."""
TIMEOUT = 30.0
API = "/api/2.0/mlflow/"
LATER = (401, 403, 408, 429)
"""Not the request's fault: a token, a server that is busy."""
CREDENTIALS = "~/.mlflow/credentials"
OTHERS = (
    "MLFLOW_TRACKING_AUTH",
    "MLFLOW_TRACKING_AWS_SIGV4",
    "MLFLOW_TRACKING_CLIENT_CERT_PATH",
    "MLFLOW_WORKSPACE",
)
"""Ways to a server that only MLflow's own client knows; so is what it reads from CREDENTIALS."""


class MlflowAway(Exception):
    """MLflow does not answer, or not now."""


def offer(folder: Path, environ: MutableMapping[str, str]) -> None:
    """Tell user code of the spool in the attempt's folder, where its MLflow can be reached by
    the runner, too; everywhere else logging is plain HTTP."""
    uri = environ.get("MLFLOW_TRACKING_URI", "")
    for name in (SPOOL_VARIABLE, URI_VARIABLE):
        environ.pop(name, None)
    strange = any(map(environ.get, OTHERS)) or (
        not _is_local(uri) and Path(CREDENTIALS).expanduser().exists()
    )
    if uri.startswith(("http://", "https://")) and not strange:
        environ[SPOOL_VARIABLE] = str(folder / LOGGED)
        environ[URI_VARIABLE] = uri
        # before it prints where a run is, MLflow asks the server for it, at the end of every run
        environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")


class Sender:
    """One attempt's; a thread, once it was started."""

    def __init__(
        self, folder: Path, environ: Mapping[str, str], say: Callable[[str], None]
    ) -> None:
        self._spool = LoggedSpool(folder / LOGGED)
        self._environ = dict(environ)
        self._say = say
        self._stop = threading.Event()
        self._client: httpx.Client | None = None
        self._progress = 0.0
        self._thread = threading.Thread(target=self._run, name="mlflow", daemon=True)

    def start(self) -> None:
        """Begin to look for what user code logs."""
        if URI_VARIABLE in self._environ:
            self._thread.start()

    @property
    def is_used(self) -> bool:
        """Has user code logged, as far as can be told? Without a spool it cannot."""
        return URI_VARIABLE not in self._environ or self._spool.path.exists()

    def finish(self, stopped: bool) -> bool:
        """Everything that logs has ended: send the rest; False: some of it is left."""
        patience = PATIENCE_STOPPED if stopped else PATIENCE
        self._stop.set()
        self._progress = time.monotonic()
        if self._thread.ident is not None:
            self._thread.join(patience)
        if URI_VARIABLE not in self._environ or not self._spool.path.exists():
            return True
        why = "MLflow does not answer"
        while (left := self._progress + patience - time.monotonic()) > 0:
            try:
                if self._drain(wait=False, timeout=left):
                    return True
            except (MlflowAway, OSError) as error:
                why = str(error)
            time.sleep(min(AWAY[0], left))
        with suppress(OSError):
            self._say(f"The hub sends to MLflow what is left: {why}")
        return False

    def _run(self) -> None:
        delay, pause = AWAY[0], SOON
        while not self._stop.wait(pause):
            before, pause = self._progress, SOON
            try:
                self._drain(wait=False, timeout=TIMEOUT)
                delay = AWAY[0]
                if self._progress != before:
                    pause = 0 if self._spool.pending() > MUCH else LOOK
            except (MlflowAway, OSError):
                self._stop.wait(delay)
                delay = min(AWAY[1], 2 * delay)

    def _drain(self, wait: bool, timeout: float) -> bool:
        def send(path: str, body: Request) -> None:
            self._post(path, body, timeout)
            self._progress = time.monotonic()
            if self._stop.is_set() and threading.current_thread() is self._thread:
                raise MlflowAway("the attempt ends")  # `finish` goes on where this stops

        return self._spool.drain(send, self._say, wait)

    def _post(self, path: str, body: Request, timeout: float) -> None:
        import httpx

        if self._client is None:
            self._client = _client(self._environ)
        try:
            answer = self._client.post(API + path, json=body, timeout=timeout)
        except httpx.HTTPError as error:
            raise MlflowAway(f"MLflow does not answer ({type(error).__name__})") from None
        if answer.is_success:
            return
        # its own run is made by the hub, maybe a moment later
        early = answer.status_code == 404 and body["run_id"] == self._environ.get("PERIJOVE_RUN_ID")
        later = early or answer.status_code in LATER
        if answer.status_code in range(400, 500) and not later:
            raise Refused(_message(answer))
        raise MlflowAway(f"MLflow answered {answer.status_code}: {_message(answer)}")


def _message(answer: httpx.Response) -> str:
    with suppress(ValueError, KeyError, TypeError):
        return str(answer.json()["message"])
    return answer.reason_phrase


def _client(environ: Mapping[str, str]) -> httpx.Client:
    """As MLflow's own client is told to by the environment."""
    import httpx

    uri = environ[URI_VARIABLE].rstrip("/")
    verify: bool | ssl.SSLContext = False  # without TLS, loading certificates only takes time
    if uri.startswith("https:"):
        insecure = environ.get("MLFLOW_TRACKING_INSECURE_TLS", "").lower() in ("true", "1")
        verify = (
            False
            if insecure
            else ssl.create_default_context(cafile=environ.get("MLFLOW_TRACKING_SERVER_CERT_PATH"))
        )
    headers, auth = {}, None
    if user := environ.get("MLFLOW_TRACKING_USERNAME"):
        auth = httpx.BasicAuth(user, environ.get("MLFLOW_TRACKING_PASSWORD", ""))
    elif token := environ.get("MLFLOW_TRACKING_TOKEN"):
        headers["Authorization"] = f"Bearer {token}"
    # proxies and .netrc are for servers elsewhere
    return httpx.Client(
        base_url=uri, headers=headers, auth=auth, verify=verify, trust_env=not _is_local(uri)
    )


def _is_local(uri: str) -> bool:
    return urlsplit(uri).hostname in ("127.0.0.1", "localhost", "::1")
