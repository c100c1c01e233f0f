"""Measurements: each figure beside its limit in the same run, because machines are shared and noisy."""
