"""What executes on a node: the zygote, the runner of one attempt, the engine, the spool."""
