"""scikit-learn models in skops' format, without the user knowing of its trusted types.

skops loads only types that it is told to trust, and its own list lacks the trees, losses and
neighbourhoods of scikit-learn itself, so that forests, boosting and searches are refused when
they are saved. In a job, the classes of LIBRARIES that a model consists of are noted in its
MLmodel as trusted, one by one. Nothing is trusted that is not a class, and what is loaded
elsewhere is still only what that model's MLmodel lists.

What skops' format cannot hold, above all a class or function of the user's own, is saved with
cloudpickle, as older MLflow did and autologging does, and that is said. Where the user chose the
format, or trusted types, it is refused as MLflow refuses it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import wraps
from importlib import import_module
from inspect import signature
from shutil import rmtree
from typing import Any

from mlflow.exceptions import MlflowException

log = logging.getLogger(__name__)

LIBRARIES = frozenset(["catboost", "imblearn", "lightgbm", "numpy", "scipy", "sklearn", "xgboost"])
SKOPS, CLOUDPICKLE = "skops", "cloudpickle"

_noting = threading.local()


def open_to_formats(log_model: Callable[..., Any]) -> Callable[..., Any]:
    """``mlflow.sklearn.log_model``: notes whether its user chose a format."""
    sign = signature(log_model)

    @wraps(log_model)
    def log(*args: Any, **kwargs: Any) -> Any:
        given = sign.bind_partial(*args, **kwargs).arguments
        _noting.open = given.get("serialization_format") is None
        try:
            return log_model(*args, **kwargs)
        finally:
            _noting.open = False

    return log


def trusting(save_model: Callable[..., None]) -> Callable[..., None]:
    """``mlflow.sklearn.save_model`` with a list of trusted types that is filled on the way."""

    @wraps(save_model)
    def save(*args: Any, **kwargs: Any) -> None:
        if kwargs.get("skops_trusted_types") is not None or len(args) > 2:
            save_model(*args, **kwargs)
            return
        _noting.types, _noting.refused = [], False
        try:
            save_model(*args, **kwargs | {"skops_trusted_types": _noting.types})
        except MlflowException as error:
            chosen = kwargs.get("serialization_format") and not getattr(_noting, "open", False)
            if chosen or not _noting.refused:
                raise
            _again(save_model, error, *args, **kwargs)
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
        try:
            write(sk_model, output_path, serialization_format, skops_trusted_types)
        except MlflowException:
            _noting.refused = True
            raise

    return save


def _again(save_model: Callable[..., None], error: Exception, *args: Any, **kwargs: Any) -> None:
    log.warning(
        "This model is not only of scikit-learn's own parts, so that skops' format does not hold "
        "it; it is saved with cloudpickle, and loading it runs code. %s",
        str(error).partition("Root error: ")[2].partition("\n")[0],
    )
    # it was empty before, or MLflow had refused it
    rmtree(kwargs["path"] if "path" in kwargs else args[1], ignore_errors=True)
    save_model(*args, **kwargs | {"serialization_format": CLOUDPICKLE})


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
