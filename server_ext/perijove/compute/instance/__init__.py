"""Compute instances: long-lived machines for kernels, terminals and jobs."""
