"""SMART App Launch 2.2 scopes: grammar, normal form, narrowing and evaluation. Pure code, no I/O."""
