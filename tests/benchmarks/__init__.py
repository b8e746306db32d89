"""Benchmarks report, they never decide: `make bench`, or `make bench ONLY=clip`.

Each `bench_<name>.py` has a `run()` that returns figures by name.
"""
