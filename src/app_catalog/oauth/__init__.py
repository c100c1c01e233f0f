"""The authorization server: RFC 6749, 7009, 7636, 7662, 8414, 9207, 9700 and SMART App Launch 2.2 on Authlib.

Authlib runs as pure code: an endpoint reads what it needs from PostgreSQL in one transaction, lets Authlib decide on
it, writes what was decided, and answers after the commit.
"""
