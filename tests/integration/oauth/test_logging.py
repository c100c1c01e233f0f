"""No secret reaches a log, however talkative the logging is."""

import logging

from catalogue_host import patient

from app_catalog import revoke_pairing


async def test_no_code_token_or_secret_is_logged_at_any_level(host, caplog):
    caplog.set_level(logging.DEBUG)
    app, ana = await host.approved("smart-secret"), patient()
    code, verifier = await app.code(ana)
    token = (await app.redeem(code, verifier)).json()
    refreshed = (await app.refresh(token["refresh_token"])).json()
    await app.redeem(code, verifier)
    await app.refresh("a wrong token of some length")
    async with host.pool.connection() as connection:
        await revoke_pairing(connection, ana.subject, app.app_id, ana, host.journal, host.data_plane)
    secrets = [code, verifier, app.secret, token["access_token"], token["refresh_token"], refreshed["access_token"]]
    text = "\n".join(f"{record.getMessage()} {record.args}" for record in caplog.records)
    assert not any(secret in text for secret in secrets)
    assert logging.getLogger("authlib").getEffectiveLevel() >= logging.INFO
