"""What vendors and reviewers do on pages, for their programs: JSON under ``/api/catalogue``, by the same functions."""
