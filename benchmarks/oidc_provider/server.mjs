// oidc-provider with its in-memory store, one process: tokens of 64 patients for one client with a secret.
// Prints them as JSON, {access: [...], refresh: [...]}, once it listens on the port given.
import Provider from 'oidc-provider';

const port = Number(process.argv[2]);
const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{
    client_id: 'bench', client_secret: 'secret', redirect_uris: ['https://bench.example/cb'],
    grant_types: ['authorization_code', 'refresh_token'], response_types: ['code'],
  }],
  scopes: ['offline_access', 'patient/Observation.rs'],
  features: {
    devInteractions: { enabled: false },
    introspection: { enabled: true, allowedPolicy: () => true },
  },
  findAccount: (_context, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  rotateRefreshToken: false,
  ttl: { AccessToken: 600, RefreshToken: 86400, Grant: 86400 },
});

const client = await provider.Client.find('bench');
const scope = 'offline_access patient/Observation.rs';
const tokens = { access: [], refresh: [] };
for (let n = 0; n < 64; n += 1) {
  const accountId = `patient${n}`;
  const grant = new provider.Grant({ accountId, clientId: 'bench' });
  grant.addOIDCScope(scope);
  const common = { accountId, client, grantId: await grant.save(), gty: 'authorization_code', scope };
  tokens.access.push(await new provider.AccessToken(common).save());
  tokens.refresh.push(await new provider.RefreshToken({ ...common, authTime: Math.floor(Date.now() / 1000) }).save());
}
provider.listen(port, '127.0.0.1', () => console.log(JSON.stringify(tokens)));
