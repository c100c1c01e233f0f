"""Properties are checked without a deadline: a busy machine is no defect of a codec."""

from hypothesis import settings

settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")
