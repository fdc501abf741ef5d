"""What is refused before anything is stored, and how it is said."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from perijove.errors import InvalidInput, NotebookUnreadable, NotFound
from perijove.services.sources import parse_notebook, read_source


def notebook(**changes: object) -> bytes:
    made = {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"kernelspec": {"name": "python3"}},
        "cells": [{"cell_type": "code", "source": "1", "metadata": {}, "outputs": []}],
    }
    return json.dumps(made | changes).encode()


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (notebook()[:-5], "not valid JSON"),
        (b"\xff\xfe\x00", "not plain UTF-8"),
        (b"[" * 100_000, "not valid JSON"),
        (b"[]", "JSON object with an nbformat"),
        (b"{}", "JSON object with an nbformat"),
        (notebook(nbformat=3), "nbformat 3"),
        (notebook(nbformat=99), "nbformat 99"),
        (notebook(nbformat="4"), "nbformat '4'"),
        (notebook(cells=[]), "at least one cell"),
        (notebook(cells={}), "at least one cell"),
        (notebook(cells=[1]), "Cell 1"),
        (notebook(cells=[{"cell_type": "code", "source": 1}]), "Cell 1"),
        (notebook(cells=[{"cell_type": "page", "source": ""}]), "Cell 1"),
        (notebook(cells=[{"cell_type": "code", "source": "1"}]), "metadata"),
        (notebook(nbformat_minor=None), "nbformat_minor"),
        (notebook(nbformat_minor=True), "nbformat_minor"),
        (notebook(metadata=[]), "metadata"),
        (notebook(metadata={"kernelspec": "python3"}), "metadata.kernelspec"),
        (
            notebook(cells=[{"cell_type": "code", "source": "'\ud800'", "metadata": {}}]),
            "lone surrogate",
        ),
    ],
)
def test_a_broken_notebook_is_refused_with_the_rule(content: bytes, rule: str) -> None:
    with pytest.raises(NotebookUnreadable, match=rule) as refused:
        parse_notebook(content, "n.ipynb")
    assert refused.value.field == "path"
    assert "n.ipynb" in refused.value.message


def test_emoji_are_no_lone_surrogates() -> None:
    cell = {"cell_type": "code", "source": "'\U0001f680'", "metadata": {}}
    parse_notebook(notebook(cells=[cell]), "n.ipynb")


def test_ten_thousand_cells_are_fine() -> None:
    cells = [{"cell_type": "code", "source": f"x = {n}", "metadata": {}} for n in range(10_000)]
    assert len(parse_notebook(notebook(cells=cells), "n.ipynb")["cells"]) == 10_000


def test_paths_stay_below_the_root(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "outside.ipynb").write_bytes(notebook())
    (root / "link.ipynb").symlink_to(tmp_path / "outside.ipynb")
    (root / "inside.ipynb").write_bytes(notebook())
    (root / "alias.ipynb").symlink_to(root / "inside.ipynb")
    (root / "loop.ipynb").symlink_to(root / "loop.ipynb")
    (root / "folder.ipynb").mkdir()
    (root / "text.txt").write_text("")
    os.mkfifo(root / "fifo.ipynb")
    for path in (
        "link.ipynb",
        "loop.ipynb",
        "folder.ipynb",
        "fifo.ipynb",
        "none.ipynb",
        "text.txt",
    ):
        with pytest.raises((InvalidInput, NotFound)) as refused:
            read_source(path, str(root))
        assert refused.value.field == "path"
    assert read_source("alias.ipynb", str(root)).code_cells == 1
    for bad in ("", "relative", str(root / "nowhere")):
        with pytest.raises((InvalidInput, NotFound)) as refused:
            read_source("inside.ipynb", bad)
        assert refused.value.field == "root"


@pytest.mark.parametrize(
    ("cell", "experiment"),
    [
        ("import mlflow\nmlflow.set_experiment('churn')", "churn"),
        ("%matplotlib inline\nmlflow.set_experiment(experiment_name='churn')", "churn"),
        ("mlflow.set_experiment(name)", "n"),
        ("mlflow.set_experiment('a/b')", "n"),
        ("this is no python set_experiment(", "n"),
        ("x = 1", "n"),
    ],
)
def test_the_experiment_is_the_one_the_notebook_sets(
    cell: str, experiment: str, tmp_path: Path
) -> None:
    cells = [{"cell_type": "code", "source": cell, "metadata": {}}]
    (tmp_path / "n.ipynb").write_bytes(notebook(cells=cells))
    assert read_source("n.ipynb", str(tmp_path)).experiment == experiment


@pytest.mark.parametrize(
    ("content", "what", "remedy"),
    [
        (b"", "empty", "Save"),
        (b'\xef\xbb\xbf{"nbformat": 4}', "UTF-8", "byte order mark"),
        ('{"nbformat": 4}'.encode("utf-16"), "UTF-8", "byte order mark"),
        (b'{\n<<<<<<< HEAD\n "nbformat": 4}', "merge conflict", "nbdime"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "Git LFS", "git lfs pull"),
        (b"<!DOCTYPE html><html></html>", "web page", "Raw"),
    ],
)
def test_what_is_no_notebook_is_called_by_its_name(content: bytes, what: str, remedy: str) -> None:
    with pytest.raises(NotebookUnreadable, match=what) as refused:
        parse_notebook(content, "n.ipynb")
    assert remedy in (refused.value.remedy or "")
