"""The control database: what MLflow cannot hold (who asked for what, which attempt owns it)."""
