"""The contracts between services and the parts that do the work. No implementation here.

Every implementation of a contract passes the same suite in ``perijove.testing``.
"""

from __future__ import annotations

from perijove.abc.environments import EnvironmentBuilder, EnvironmentCatalog, KernelChoice
from perijove.abc.machines import InstanceFiles, KernelHost
from perijove.abc.registry import ModelRegistry, Place
from perijove.abc.stores import EnvironmentStore, JobStore, OutboxStep, TargetStore
from perijove.abc.targets import (
    AgentTarget,
    AttemptSink,
    ComputeTarget,
    ManagedTarget,
    TargetMaker,
    Workshop,
)
from perijove.abc.tracking import TaskRunner, Tracker

__all__ = [
    "AgentTarget",
    "AttemptSink",
    "ComputeTarget",
    "EnvironmentBuilder",
    "EnvironmentCatalog",
    "EnvironmentStore",
    "InstanceFiles",
    "JobStore",
    "KernelChoice",
    "KernelHost",
    "ManagedTarget",
    "ModelRegistry",
    "OutboxStep",
    "Place",
    "TargetMaker",
    "TargetStore",
    "TaskRunner",
    "Tracker",
    "Workshop",
]
