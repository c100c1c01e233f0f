"""The table of readings as a store: its pieces, compression, archives, retention, and the way onto TimescaleDB."""
