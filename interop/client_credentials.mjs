// openid-client as an agent: discovery in both forms, client credentials by each way of authenticating, introspection
// and revocation. It registers the agents that sign assertions itself, with keys that never leave this process.

import * as client from 'openid-client'

const { ISSUER, API, API_TOKEN, OWNER, CLIENT_ID, CLIENT_SECRET, RESOURCE, SCOPE } = process.env
const execute = [client.allowInsecureRequests]

async function registered(name, algorithm) {
  const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const { kty, crv, x, y } = await crypto.subtle.exportKey('jwk', keys.publicKey)
  const jwks = { keys: [{ kty, crv, x, y, kid: name, use: 'sig' }] }
  const body = { name, owner: OWNER, scope_ceiling: [SCOPE], auth: { method: 'private_key_jwt', jwks } }
  const headers = { authorization: `Bearer ${API_TOKEN}`, 'content-type': 'application/json' }
  const answer = await fetch(`${API}/agents`, { method: 'POST', headers, body: JSON.stringify(body) })
  if (answer.status !== 201) throw new Error(await answer.text())
  return [(await answer.json()).client_id, client.PrivateKeyJwt({ key: keys.privateKey, kid: name })]
}

async function through(form, id, authentication) {
  const server = await client.discovery(new URL(ISSUER), id, undefined, authentication, { algorithm: form, execute })
  const granted = await client.clientCredentialsGrant(server, { resource: RESOURCE, scope: SCOPE })
  const before = await client.tokenIntrospection(server, granted.access_token)
  await client.tokenRevocation(server, granted.access_token)
  const after = await client.tokenIntrospection(server, granted.access_token)
  return { client: id, type: granted.token_type, scope: granted.scope, before, after }
}

const ways = {
  client_secret_basic: [CLIENT_ID, client.ClientSecretBasic(CLIENT_SECRET)],
  client_secret_post: [CLIENT_ID, client.ClientSecretPost(CLIENT_SECRET)],
  private_key_jwt_eddsa: await registered('edwards', { name: 'Ed25519' }),
  private_key_jwt_es256: await registered('curve', { name: 'ECDSA', namedCurve: 'P-256' }),
}
const done = {}
for (const [way, [id, authentication]] of Object.entries(ways)) {
  for (const form of ['oidc', 'oauth2']) done[`${way} ${form}`] = await through(form, id, authentication)
}
console.log(JSON.stringify(done))
