"""What `device-gateway` can do, a module per subject."""
