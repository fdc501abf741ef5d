"""Training clusters: each is a Dask cluster in a detached process of its own.

::

    hub ── processtarget.py ── unix socket ── process.py (Dask scheduler, scaling) ── TLS ── nodes
    runners on the nodes write into the attempts' folders, and outlive hub, cluster and node
"""
