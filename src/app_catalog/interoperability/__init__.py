"""What a candidate's client was seen to do in the sandbox: by itself, and in scenarios that the product drives."""
