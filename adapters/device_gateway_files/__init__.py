"""Files that other products export ▸ readings. Pure: text in, `Entry` out, no I/O, no exception for any text."""
