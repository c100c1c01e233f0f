"""``python -m benchmarks [NAME…]``: measure, print a table, write results.json."""

import sys
from importlib import import_module

from benchmarks.figure import show, write

ALL = ("write_path", "mqtt", "latency", "store_size", "store_window", "ble_decode", "ble_edge", "demo_start", "oauth")


def main(names: list[str]) -> None:
    figures = []
    for name in names or ALL:
        if name not in ALL:
            sys.exit(f"there is no benchmark {name}: there are {', '.join(ALL)}")
        figures += import_module(f"benchmarks.{name}").run()
    show(figures)
    write(figures)


main(sys.argv[1:])
