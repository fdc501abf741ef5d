"""Created compute targets, and what jobs need of a node."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

MOMENT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("jobs", sa.Column("cpus", sa.Integer, nullable=False, server_default="1"))
    op.add_column("jobs", sa.Column("memory", sa.BigInteger))
    op.add_column("jobs", sa.Column("gpus", sa.Integer, nullable=False, server_default="0"))
    op.create_table(
        "targets",
        sa.Column("key", sa.String(24), primary_key=True),
        sa.Column("name", sa.String(24), nullable=False),
        sa.Column("definition", sa.JSON, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("message", sa.Text),
        sa.Column("last_operation", sa.JSON),
        sa.Column("node_seconds", sa.Float, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("created_by", sa.String(256), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("targets")
    for name in ("cpus", "memory", "gpus"):
        op.drop_column("jobs", name)
