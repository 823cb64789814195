"""The Benchmark tab: many pictures through every method."""
