"""Files that vendors add to an application, and logos: bounded, known by their bytes, never executed."""
