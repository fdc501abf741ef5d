"""MLflow: our plug-ins for its server and client, and the hub's client of its REST API.

The only package that imports mlflow, and only in processes that are MLflow's own: the hub talks
to it over HTTP, because importing mlflow costs seconds and 200 MB.
"""
