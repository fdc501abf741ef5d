"""The hub: one detached process a workspace, which puts everything together and answers HTTP."""
