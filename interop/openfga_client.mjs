// OpenFGA's own JavaScript SDK against a relation store: it makes the store, writes model and tuples, asks in every way,
// and reads what changed. Prints what it was told.

import { CredentialsMethod, OpenFgaClient } from '@openfga/sdk'

const { ISSUER, API_TOKEN, MODEL } = process.env
const credentials = { method: CredentialsMethod.ApiToken, config: { token: API_TOKEN } }
const apiUrl = `${ISSUER}/fga`
const { id: storeId } = await new OpenFgaClient({ apiUrl, credentials }).createStore({ name: 'javascript' })
const outer = new OpenFgaClient({ apiUrl, credentials, storeId })
const { authorization_model_id: authorizationModelId } = await outer.writeAuthorizationModel(JSON.parse(MODEL))
const client = new OpenFgaClient({ apiUrl, credentials, storeId, authorizationModelId })

const [anne, bob] = ['user:anne', 'user:bob']
const condition = { name: 'in_office', context: { from: '10.0.0.0/8' } }
await client.write({
  writes: [
    { user: anne, relation: 'viewer', object: 'document:1' },
    { user: bob, relation: 'viewer', object: 'document:2', condition },
  ],
})
const check = async (user, object, context) =>
  (await client.check({ user, relation: 'viewer', object, context })).allowed

const told = {
  anne: await check(anne, 'document:1'),
  nobody: await check('user:dora', 'document:1'),
  'in the office': await check(bob, 'document:2', { address: '10.1.2.3' }),
  elsewhere: await check(bob, 'document:2', { address: '192.0.2.1' }),
}
const checks = [
  { user: anne, relation: 'viewer', object: 'document:1', correlationId: 'one' },
  { user: anne, relation: 'viewer', object: 'document:3', correlationId: 'two' },
]
const { result } = await client.batchCheck({ checks })
told.batch = Object.fromEntries(result.map((answer) => [answer.correlationId, answer.allowed]))
told.objects = (await client.listObjects({ user: anne, relation: 'viewer', type: 'document' })).objects
const of = { object: { type: 'document', id: '1' }, relation: 'viewer', user_filters: [{ type: 'user' }] }
told.users = (await client.listUsers(of)).users.map((user) => user.object.id)
told.expanded = (await client.expand({ relation: 'viewer', object: 'document:1' })).tree.root.leaf.users.users
await client.deleteTuples([{ user: anne, relation: 'viewer', object: 'document:1' }])
told['taken away'] = await check(anne, 'document:1')
const { changes } = await client.readChanges({ type: 'document' })
told.changes = changes.map((one) => [one.operation, one.tuple_key.object])
console.log(JSON.stringify(told))
