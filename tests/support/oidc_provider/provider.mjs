// A certified OpenID Connect provider with one client; whoever signs in is the account in accounts.json of that name.
import fs from 'node:fs'
import { Provider } from 'oidc-provider'

const { port, callback, signedOut, accounts, secret } = JSON.parse(process.argv[2])
const issuer = `http://127.0.0.1:${port}`

const provider = new Provider(issuer, {
  clients: [{
    client_id: 'bellbuoy',
    client_secret: secret,
    redirect_uris: [callback],
    post_logout_redirect_uris: [signedOut],
    response_types: ['code'],
    grant_types: ['authorization_code'],
  }],
  claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'], groups: ['groups'] },
  scopes: ['openid', 'email', 'profile', 'groups'],
  pkce: { required: () => true },
  cookies: { keys: ['of this test alone'] },
  findAccount: (_ctx, id) => {
    const known = JSON.parse(fs.readFileSync(accounts))[id]
    return known && { accountId: id, claims: async () => ({ sub: id, ...known }) }
  },
})

provider.listen(port, '127.0.0.1', () => console.log('ready'))
