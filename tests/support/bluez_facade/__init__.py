"""An `org.bluez` for tests: BlueZ's objects on a private bus, and the virtual radio behind them.

What a program sees on D-Bus (objects, properties, errors, the order of signals) is what bleak expects of BlueZ 5.66;
the radio is Bumble on the air of `device_simulators.radio`. So bleak's own BlueZ backend runs unmodified. It is no
Bluetooth stack: no classic Bluetooth, no advertising, no file descriptors.
"""
