"""Deciding on applications, and watching over the apps that were approved."""
