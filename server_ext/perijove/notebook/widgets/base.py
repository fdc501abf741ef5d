"""What all widgets have in common.

The code of the front end is one bundle built from the extension's own components. It travels to a
page once, in a widget of its own that all others refer to; what a widget itself brings is only
the few lines that fetch it there. Data comes from the kernel, through traits: the browser never
talks to the hub, so widgets work in Voila, in Notebook and on kernels far away.
"""

from __future__ import annotations

import hashlib
import threading
from functools import cache
from importlib.resources import files
from typing import Any

import anywidget
import ipywidgets
import traitlets as t

from perijove.client.http import HubClient
from perijove.client.workspace import Workspace
from perijove.errors import InvalidInput, PerijoveError
from perijove.notebook.widgets.live import Live

LOADER = """
const loaded = (globalThis.perijoveWidgets ??= new Map());
async function code(model) {
  const id = model.get("_bundle").slice("IPY_MODEL_".length);
  const bundle = await model.widget_manager.get_model(id);
  const digest = bundle.get("digest");
  if (!loaded.has(digest)) {
    const source = new Blob([bundle.get("code")], { type: "text/javascript" });
    const url = URL.createObjectURL(source);
    loaded.set(digest, import(url).finally(() => URL.revokeObjectURL(url)));
  }
  return loaded.get(digest);
}
export default {
  async render(context) {
    return (await code(context.model)).render(context);
  }
};
"""

VIEW = "application/vnd.perijove.view+json"
"""With it the extension shows the widget's HTML where no kernel has the widget any more; others
look at the widget's own type, which they would prefer to HTML even then."""


class Bundle(ipywidgets.Widget):
    """The code, once for all widgets of a kernel."""

    code = t.Unicode().tag(sync=True)
    digest = t.Unicode().tag(sync=True)


_bundle: Bundle | None = None


def bundle() -> Bundle:
    """The one of this kernel; made anew after ``Widget.close_all()``."""
    global _bundle
    if _bundle is None or _bundle.comm is None:
        code = _code()
        _bundle = Bundle(code=code, digest=hashlib.sha256(code.encode()).hexdigest())
    return _bundle


@cache
def _code() -> str:
    file = files("perijove.notebook") / "static" / "widgets.js"
    try:
        return file.read_text("utf-8")
    except FileNotFoundError:
        raise InvalidInput(
            "The widgets' front end is not built here.",
            remedy="Build the extension: make lab, or npm run build in extension/.",
        ) from None


class PerijoveWidget(anywidget.AnyWidget):
    """A view of something in a workspace, live while it is displayed.

    Parameters
    ----------
    workspace: whose; default: the current one.
    """

    _esm = LOADER
    _bundle = t.Instance(ipywidgets.Widget).tag(sync=True, **ipywidgets.widget_serialization)
    view = t.Unicode("").tag(sync=True)
    """Which view of the bundle draws it."""
    data = t.Dict().tag(sync=True)
    """What it draws, in the shapes of the hub's API."""
    problem = t.Unicode("").tag(sync=True)
    """Why it may not be up to date; empty: it is."""

    questions: tuple[str, ...] = ()
    """Traits whose change asks for other data."""

    def __init__(self, workspace: Workspace | None = None, **traits: Any) -> None:
        if not isinstance(workspace, Workspace | None):
            raise InvalidInput(
                f"{workspace!r} is no workspace.",
                field="workspace",
                remedy='Give one, as pj.Workspace("NAME").',
            )
        if unknown := sorted(set(traits) - set(self.trait_names())):
            raise InvalidInput(
                f"{type(self).__name__} has no {unknown[0]!r}.",
                field=unknown[0],
                remedy=f"Look at help(pj.widgets.{type(self).__name__}).",
            )
        self._workspace = workspace or Workspace()
        self._looking = threading.Lock()
        self._views = 0
        super().__init__(_bundle=bundle(), **traits)
        # what is wrong with what was asked for is raised here, to whoever asked
        self.data = self.fetch(self._workspace.client)
        self.on_msg(self._on_message)
        if self.questions:
            self.observe(self._asked_anew, names=list(self.questions))

    def fetch(self, client: HubClient) -> dict[str, Any]:
        """What it draws, from the hub.

        Raises
        ------
        PerijoveError: the hub's refusal.
        """
        raise NotImplementedError

    def concerns(self, kind: str, data: Any) -> bool:
        """Does a message of the hub's stream change what it shows?"""
        return kind == "everything"

    def act(self, verb: str, content: dict[str, Any]) -> None:
        """What a user did in it that is no change of a trait."""

    def html(self) -> str:
        """What it shows, where no kernel runs."""
        raise NotImplementedError

    def refresh(self) -> None:
        """Look now."""
        self.look(self._workspace.client)

    def look(self, client: HubClient) -> None:
        """Show what the hub says now; what goes wrong is said in the widget."""
        with self._looking:
            try:
                found = self.fetch(client)
            except PerijoveError as error:
                self.lose(error)
                return
            with self.hold_sync():
                self.data, self.problem = found, ""

    def lose(self, error: PerijoveError) -> None:
        """Say what is wrong; what was there stays."""
        self.problem = " ".join(filter(None, (error.message, error.remedy)))

    @property
    def is_live(self) -> bool:
        """Is it kept up to date?"""
        return self in self._live._viewers

    @property
    def _live(self) -> Live:
        return Live.of(self._workspace.client.folder)

    def close(self) -> None:
        """End it; Python does so with what was refused before it began, too."""
        if hasattr(self, "_workspace"):
            self._live.remove(self)
        super().close()

    def _asked_anew(self, _change: Any) -> None:
        self.refresh()

    def _on_message(self, _widget: Any, content: Any, _buffers: Any) -> None:
        verb = content.get("do") if isinstance(content, dict) else None
        if verb == "shown":
            self._views += 1
            if not self.is_live:
                self._live.add(self)
        elif verb == "hidden":
            self._views -= 1
            if self._views <= 0:
                self._views = 0
                self._live.remove(self)
        elif isinstance(verb, str):
            try:
                self.act(verb, content)
            except PerijoveError as error:
                self.lose(error)
            else:
                self.refresh()

    def _repr_mimebundle_(self, **options: Any) -> Any:
        # live from now on: while a cell runs the page cannot tell that it shows the widget
        if self.comm is not None:
            self._live.add(self)
        found = super()._repr_mimebundle_(**options)
        parts, metadata = found if isinstance(found, tuple) else (found, {})
        return {VIEW: {}, "text/html": self.html()} | (parts or {}), metadata

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    def __hash__(self) -> int:
        return id(self)
