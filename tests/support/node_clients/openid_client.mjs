// An app made with openid-client. Line in: what it is told. Line out: the URL to open. Line in: where the patient came
// back to. Line out: what became of it.
import { createInterface } from "node:readline";

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const told = JSON.parse((await lines.next()).value);
const client = await import(`${told.packages}/openid-client/build/index.js`);

const authentication = async () => {
  if (told.secret) return client.ClientSecretBasic(told.secret);
  if (!told.jwk) return client.None();
  const parameters =
    told.jwk.kty === "EC" ? { name: "ECDSA", namedCurve: told.jwk.crv } : { name: "RSA-PSS", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("jwk", told.jwk, parameters, false, ["sign"]);
  return client.PrivateKeyJwt({ key, kid: told.jwk.kid });
};
const app = new client.Configuration(told.server, told.clientId, undefined, await authentication());
client.allowInsecureRequests(app);

const verifier = client.randomPKCECodeVerifier();
const state = client.randomState();
const parameters = {
  redirect_uri: told.redirectUri,
  scope: told.scope,
  state,
  aud: told.audience,
  code_challenge: await client.calculatePKCECodeChallenge(verifier),
  code_challenge_method: "S256",
};
const url = told.push
  ? await client.buildAuthorizationUrlWithPAR(app, parameters)
  : client.buildAuthorizationUrl(app, parameters);
console.log(url.href);

const back = new URL((await lines.next()).value);
const token = await client.authorizationCodeGrant(app, back, { pkceCodeVerifier: verifier, expectedState: state });
const refreshed = await client.refreshTokenGrant(app, token.refresh_token);
const about = told.jwk || told.secret ? await client.tokenIntrospection(app, refreshed.access_token) : null;
await client.tokenRevocation(app, refreshed.refresh_token ?? token.refresh_token);
console.log(JSON.stringify({ token, refreshed, about }));
process.exit(0);
