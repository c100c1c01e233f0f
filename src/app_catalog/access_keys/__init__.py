"""Access keys: by which programs of vendors and reviewers prove for whom they ask `/api/catalogue`."""
