"""What an app is asked before it enters the catalogue: versioned sets of criteria, and the vendor's answers to them."""
