"""``python -m perijove.tracking.upload``: stores files with MLflow's artifact repositories.

Reads ``{"uri", "run_id", "files": [[file, artifact path], …]}`` from standard input. A process of
its own, because it imports mlflow and whatever the storage needs.
"""

from __future__ import annotations

import json
import os
import posixpath
import sys
import tempfile

from mlflow import MlflowClient

if __name__ == "__main__":
    task = json.load(sys.stdin)
    client = MlflowClient(task["uri"])
    for file, path in task["files"]:
        # MLflow keeps a file's own name, so what is stored under another one is linked first
        folder, name = posixpath.split(path)
        if posixpath.basename(file) != name:
            with tempfile.TemporaryDirectory() as made:
                renamed = os.path.join(made, name)
                os.symlink(file, renamed)
                client.log_artifact(task["run_id"], renamed, folder or None)
        else:
            client.log_artifact(task["run_id"], file, folder or None)
