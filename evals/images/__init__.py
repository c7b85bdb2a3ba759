"""Image encoders judged alike (BenchX): the same splits, probes and disturbances for every one."""
