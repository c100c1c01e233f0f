"""A candidate's client taken through the scenarios of the catalogue: what its vendor and two patients would click.

Everything goes over HTTP, through the pages that people use: the client is whatever runs at its registered addresses.
"""
