"""Benchmarks: `python3 -m tests.bench.decode` and its neighbours."""
