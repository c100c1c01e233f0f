"""Accounts: sign-in of patients, professionals, vendors, reviewers and operators; sessions in PostgreSQL."""

from device_gateway.accounts.account import Account, login_url
from device_gateway.accounts.creation import create_account
from device_gateway.accounts.sessions import signed_in

__all__ = ["Account", "create_account", "login_url", "signed_in"]
