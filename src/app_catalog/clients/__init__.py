"""How apps prove who they are without a shared secret: keys, where they are published, assertions, certificates."""
