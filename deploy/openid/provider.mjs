// An OpenID provider on loopback: node provider.mjs PORT FOLDER
//
// FOLDER/users.json   account -> its claims, read anew at each sign-in; any password will do
// FOLDER/jwks.json    the private keys that sign, the first of a kind before the others
// FOLDER/settings.json (optional)  overrides of oidc-provider's configuration
//
// Clients register themselves (POST /reg). PKCE by S256 is demanded of each.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import Provider from 'oidc-provider';

const [port, folder] = process.argv.slice(2);
const read = (name) => JSON.parse(readFileSync(join(folder, name), 'utf8'));

const provider = new Provider(`http://127.0.0.1:${port}`, {
  jwks: read('jwks.json'),
  cookies: { keys: ['for loopback alone'] },
  claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'], groups: ['groups'] },
  features: {
    registration: { enabled: true }, devInteractions: { enabled: true }, backchannelLogout: { enabled: true },
  },
  // Its own does not call clients on loopback, where all of ours are.
  fetch: (url, { dispatcher, ...options }) => fetch(url, options),
  pkce: { required: () => true },
  enabledJWA: { idTokenSigningAlgValues: ['RS256', 'PS256', 'ES256', 'EdDSA', 'Ed25519'] },
  findAccount: (_ctx, accountId) => {
    const claims = read('users.json')[accountId];
    return claims && { accountId, claims: async () => ({ sub: accountId, ...claims }) };
  },
  ...(existsSync(join(folder, 'settings.json')) ? read('settings.json') : {}),
});
provider.listen(Number(port), '127.0.0.1', () => console.log('ready'));
