"""What a vendor submits for review: an app's description, its purposes, its redirect URIs."""
