"""What a patient agreed to, per app and purpose; and how that ends, for everything that was built on it."""
