"""The process beside the devices: reads them over Bluetooth, keeps what it read, sends it until the gateway has it."""
