"""Contract suites and in-memory fakes, shipped for plug-in authors."""
