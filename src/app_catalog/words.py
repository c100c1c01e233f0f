"""Texts that pages translate where they show them."""


def marked(message: str) -> str:
    """`message`, marked for extraction into the translations."""
    return message
