"""What executes on a node: the zygote, the runner of one attempt, the papermill engine, the spool."""
