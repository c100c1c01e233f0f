"""Histories from files: what other products export goes into a patient's space, through the same `put` as all else."""
