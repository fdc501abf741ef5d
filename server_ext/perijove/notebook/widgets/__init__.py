"""``pj.widgets``: what the extension shows, in a notebook's output and in dashboards.

``table = pj.widgets.RunTable("churn")``, ``traitlets.link((table, "selected"), (chart, "runs"))``.
"""

from __future__ import annotations

from perijove.notebook.widgets.base import PerijoveWidget
from perijove.notebook.widgets.compute import ComputeView
from perijove.notebook.widgets.figures import Figures
from perijove.notebook.widgets.jobs import JobCard, JobTable
from perijove.notebook.widgets.lineage import LineageView
from perijove.notebook.widgets.models import ModelRegistry
from perijove.notebook.widgets.prediction import PredictionForm
from perijove.notebook.widgets.runs import (
    CompareRuns,
    MetricChart,
    RunTable,
    RunView,
    best_order,
)

__all__ = [
    "CompareRuns",
    "ComputeView",
    "Figures",
    "JobCard",
    "JobTable",
    "LineageView",
    "MetricChart",
    "ModelRegistry",
    "PerijoveWidget",
    "PredictionForm",
    "RunTable",
    "RunView",
    "best_order",
]
