"""matplotlib, put away by a zygote: a fork that imports it finds what an ordinary process does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration

BEGIN = """
import importlib.util, os, sys
from perijove.runner.plots import put_away
put_away()
assert not [name for name in sys.modules if name.startswith(("matplotlib", "mpl_toolkits"))]
hidden = sys.meta_path[0]
assert importlib.util.find_spec("matplotlib").origin.endswith("__init__.py")
os.environ["MPLBACKEND"] = "svg"
"""
END = """
import matplotlib
assert matplotlib.rcParams["backend"] == "svg"
assert type(matplotlib.__spec__.loader).__name__ == "SourceFileLoader"
assert "matplotlib.pyplot" not in sys.modules and not hasattr(matplotlib, "pyplot")
import matplotlib.pyplot as plt
assert sys.modules["matplotlib.pyplot"] is matplotlib.pyplot is plt
assert type(plt.__spec__.loader).__name__ == "SourceFileLoader"
from mpl_toolkits.mplot3d import Axes3D
figure = plt.figure()
figure.add_subplot(projection="3d").plot([1, 2], [1, 2], [1, 2])
figure.savefig("figure.png")
assert isinstance(figure.axes[0], Axes3D) and isinstance(figure, matplotlib.figure.Figure)
"""


CHECK = """
assert pyplot is own and own._REPL_DISPLAYHOOK.name == "NONE"
assert not [finder for finder in sys.meta_path if "plots" in type(finder).__module__]
"""


def run(code: str, cwd: Path, end: str = END) -> None:
    subprocess.run([sys.executable, "-c", BEGIN + code + end], cwd=cwd, check=True)


def test_it_is_handed_out_when_it_is_imported(tmp_path: Path) -> None:
    run("import matplotlib\nassert matplotlib is hidden._modules['matplotlib']", tmp_path)
    assert (tmp_path / "figure.png").stat().st_size > 1000


def test_pyplot_is_handed_out_with_it(tmp_path: Path) -> None:
    run("import matplotlib\nown = hidden._pyplot\nfrom matplotlib import pyplot", tmp_path, CHECK)


def test_pyplot_is_imported_where_it_would_look_for_windows(tmp_path: Path) -> None:
    code = """
import matplotlib
matplotlib.use("TkAgg")
from matplotlib import pyplot
assert matplotlib.rcParams["backend"].lower() == "tkagg" and pyplot is not hidden._pyplot
"""
    run(code, tmp_path, "")


def test_settings_in_the_working_folder_are_read(tmp_path: Path) -> None:
    (tmp_path / "job").mkdir()
    (tmp_path / "job/matplotlibrc").write_text("lines.linewidth: 7\n")
    run(
        "os.chdir('job')\nimport matplotlib\nassert matplotlib.rcParams['lines.linewidth'] == 7",
        tmp_path,
    )
