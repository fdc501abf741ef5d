"""Perijove: managed machine-learning services inside JupyterLab, on machines the user owns."""

from __future__ import annotations

__version__ = "0.1.0"
