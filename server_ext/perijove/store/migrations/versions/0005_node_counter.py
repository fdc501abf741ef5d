"""How much of what a target counts is kept already."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "targets", sa.Column("node_counter", sa.Float, nullable=False, server_default="0")
    )


def downgrade() -> None:
    with op.batch_alter_table("targets") as targets:
        targets.drop_column("node_counter")
