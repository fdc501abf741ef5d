"""scikit-learn models in skops' format, without the user knowing of its trusted types.

skops loads only types that it is told to trust, and its own list lacks the trees, losses and
neighbourhoods of scikit-learn itself, so that forests, boosting and searches are refused when
they are saved. In a job, the classes of LIBRARIES that a model consists of are noted in its
MLmodel as trusted, one by one; anything else, above all a class or function of the user's own,
is refused as MLflow refuses it. Nothing is trusted that is not a class, and what is loaded
elsewhere is still only what that model's MLmodel lists.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import wraps
from importlib import import_module
from typing import Any

LIBRARIES = frozenset(["catboost", "imblearn", "lightgbm", "numpy", "scipy", "sklearn", "xgboost"])
SKOPS = "skops"

_noting = threading.local()


def trusting(save_model: Callable[..., None]) -> Callable[..., None]:
    """``mlflow.sklearn.save_model`` with a list of trusted types that is filled on the way."""

    @wraps(save_model)
    def save(*args: Any, **kwargs: Any) -> None:
        if kwargs.get("skops_trusted_types") is not None or len(args) > 2:
            save_model(*args, **kwargs)
            return
        _noting.types = kwargs["skops_trusted_types"] = []
        try:
            save_model(*args, **kwargs)
        finally:
            _noting.types = None

    return save


def noting(write: Callable[..., None]) -> Callable[..., None]:
    """``mlflow.sklearn._save_model``: looks at what it is about to write."""

    @wraps(write)
    def save(
        sk_model: Any, output_path: str, serialization_format: str, skops_trusted_types: Any
    ) -> None:
        ours = getattr(_noting, "types", None)
        if serialization_format == SKOPS and ours is not None and skops_trusted_types is ours:
            ours.extend(_classes(sk_model))
        write(sk_model, output_path, serialization_format, skops_trusted_types)

    return save


def _classes(model: Any) -> list[str]:
    """Classes of LIBRARIES in the model that skops does not trust by itself."""
    try:
        skops = import_module("skops.io")
        found = skops.get_untrusted_types(data=skops.dumps(model))
    except Exception:
        return []  # saving it says why
    return [name for name in found if _is_class(name)]


def _is_class(name: str) -> bool:
    module, _, attribute = name.rpartition(".")
    if module.partition(".")[0] not in LIBRARIES:
        return False
    try:
        return isinstance(getattr(import_module(module), attribute), type)
    except (ImportError, AttributeError):
        return False
