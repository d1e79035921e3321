// What happens to an account during its life: states, another handle, another PDS, and DIDs of the method `web`.

import http from 'node:http'
import fs from 'node:fs'
import path from 'node:path'
import { randomBytes } from 'node:crypto'
import { Secp256k1Keypair } from '@atproto/crypto'
import { TestPds, mockNetworkUtilities } from '@atproto/dev-env'
import { createServiceJwt } from '@atproto/xrpc-server'

/** Calls a method and gives its output; `body` can be JSON or bytes. */
async function call(origin, nsid, { token, query, body, method, type } = {}) {
  const bytes = body instanceof Uint8Array
  const url = `${origin}/xrpc/${nsid}${query ? `?${new URLSearchParams(query)}` : ''}`
  const response = await fetch(url, {
    method: method ?? (query ? 'GET' : 'POST'),
    headers: {
      ...(token && { authorization: `Bearer ${token}` }),
      ...(body && { 'content-type': type ?? (bytes ? 'application/vnd.ipld.car' : 'application/json') }),
    },
    body: body && !bytes ? JSON.stringify(body) : body,
  })
  if (!response.ok) throw new Error(`${nsid} answered ${response.status}: ${await response.text()}`)
  return response.headers.get('content-type')?.startsWith('application/json')
    ? response.json()
    : new Uint8Array(await response.arrayBuffer())
}

/** The commands about accounts. `start` makes another PDS in the same network. */
export function accountCommands(network, { folder, watch }) {
  /** The second PDS, which is started when something moves there. */
  let second = null
  const passwordSession = (origin, { identifier, password }) =>
    call(origin, 'com.atproto.server.createSession', { body: { identifier, password } })

  async function secondPds() {
    if (second) return second
    const dataDirectory = path.join(folder, 'second-data')
    fs.mkdirSync(dataDirectory, { recursive: true })
    second = await TestPds.create({
      didPlcUrl: network.plc.url,
      dataDirectory,
      blobstoreDiskLocation: path.join(folder, 'second-blobs'),
      blobstoreDiskTmpLocation: path.join(folder, 'second-blobs-unfinished'),
      jwtSecret: randomBytes(16).toString('hex'),
      dpopSecret: randomBytes(32).toString('hex'),
      serviceDid: 'did:web:second.test',
      // Names that end differently, so that accounts that move here keep their handles and new ones can be told apart.
      serviceHandleDomains: ['.second', '.test'],
    })
    mockNetworkUtilities(second)
    watch(second)
    return second
  }

  return {
    /** The second PDS. */
    async secondPds() {
      return { pds: (await secondPds()).url }
    },
    /** Moves an account with its repository to the second PDS, as the tools for that do it. */
    async move({ did, handle, password }) {
      const [from, to] = [network.pds, await secondPds()]
      const old = await passwordSession(from.url, { identifier: did, password })
      const { token: proof } = await call(from.url, 'com.atproto.server.getServiceAuth', {
        token: old.accessJwt,
        query: { aud: to.ctx.cfg.service.did, lxm: 'com.atproto.server.createAccount' },
      })
      const moved = await call(to.url, 'com.atproto.server.createAccount', {
        token: proof,
        body: { did, handle, email: `${did.slice(-8)}@mail.test`, password },
      })
      const repository = await call(from.url, 'com.atproto.sync.getRepo', { token: old.accessJwt, query: { did } })
      await call(to.url, 'com.atproto.repo.importRepo', { token: moved.accessJwt, body: repository })
      const credentials = await call(to.url, 'com.atproto.identity.getRecommendedDidCredentials', {
        token: moved.accessJwt,
        method: 'GET',
      })
      // The token that the old PDS sends by mail.
      const token = await from.ctx.accountManager.createEmailToken(did, 'plc_operation')
      const { operation } = await call(from.url, 'com.atproto.identity.signPlcOperation', {
        token: old.accessJwt,
        body: { token, ...credentials },
      })
      await call(to.url, 'com.atproto.identity.submitPlcOperation', { token: moved.accessJwt, body: { operation } })
      await call(to.url, 'com.atproto.server.activateAccount', { token: moved.accessJwt })
      await call(from.url, 'com.atproto.server.deactivateAccount', { token: old.accessJwt, body: {} })
      return { pds: to.url }
    },
    /** The owner deactivates the account. */
    async deactivate({ did, password }) {
      const { accessJwt: token } = await passwordSession(network.pds.url, { identifier: did, password })
      await call(network.pds.url, 'com.atproto.server.deactivateAccount', { token, body: {} })
    },
    /** The owner activates the account again. */
    async activate({ did, password }) {
      const { accessJwt: token } = await passwordSession(network.pds.url, { identifier: did, password })
      await call(network.pds.url, 'com.atproto.server.activateAccount', { token })
    },
    /** The administrator takes the account down, or undoes it. */
    async takedown({ did, applied }) {
      const { pds } = network
      const response = await fetch(`${pds.url}/xrpc/com.atproto.admin.updateSubjectStatus`, {
        method: 'POST',
        headers: { ...pds.adminAuthHeaders(), 'content-type': 'application/json' },
        body: JSON.stringify({
          subject: { $type: 'com.atproto.admin.defs#repoRef', did },
          takedown: { applied, ref: 'test' },
        }),
      })
      if (!response.ok) throw new Error(`the takedown answered ${response.status}: ${await response.text()}`)
    },
    /** The administrator deletes the account. */
    async deleteAccount({ did }) {
      const { pds } = network
      const response = await fetch(`${pds.url}/xrpc/com.atproto.admin.deleteAccount`, {
        method: 'POST',
        headers: { ...pds.adminAuthHeaders(), 'content-type': 'application/json' },
        body: JSON.stringify({ did }),
      })
      if (!response.ok) throw new Error(`the deletion answered ${response.status}: ${await response.text()}`)
    },
    /** The owner changes the handle. */
    async changeHandle({ did, password, handle }) {
      const { accessJwt: token } = await passwordSession(network.pds.url, { identifier: did, password })
      await call(network.pds.url, 'com.atproto.identity.updateHandle', { token, body: { handle } })
    },
    /** An account whose DID is of the method `web`: its document is on a server of its own. */
    async webAccount({ handle, password }) {
      const { pds } = network
      const key = await Secp256k1Keypair.create({ exportable: true })
      const document = { signingKey: key.did() }
      const server = http.createServer((request, response) => {
        if (request.url !== '/.well-known/did.json') {
          response.writeHead(404).end()
          return
        }
        response.writeHead(200, { 'content-type': 'application/json' })
        response.end(JSON.stringify(didDocument(document)))
      })
      await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
      const did = `did:web:localhost%3A${server.address().port}`
      Object.assign(document, { did, handle, pds: pds.url })
      const proof = await createServiceJwt({
        iss: did,
        aud: pds.ctx.cfg.service.did,
        lxm: 'com.atproto.server.createAccount',
        keypair: key,
      })
      const { accessJwt: token } = await call(pds.url, 'com.atproto.server.createAccount', {
        token: proof,
        body: { did, handle, email: `${handle.split('.')[0]}@mail.test`, password },
      })
      const wanted = await call(pds.url, 'com.atproto.identity.getRecommendedDidCredentials', { token, method: 'GET' })
      document.signingKey = wanted.verificationMethods.atproto
      await call(pds.url, 'com.atproto.server.activateAccount', { token })
      return { did }
    },
  }
}

function didDocument({ did, handle, pds, signingKey }) {
  return {
    '@context': ['https://www.w3.org/ns/did/v1', 'https://w3id.org/security/multikey/v1'],
    id: did,
    alsoKnownAs: [`at://${handle}`],
    verificationMethod: [
      {
        id: `${did}#atproto`,
        type: 'Multikey',
        controller: did,
        publicKeyMultibase: signingKey.slice('did:key:'.length),
      },
    ],
    service: [{ id: '#atproto_pds', type: 'AtprotoPersonalDataServer', serviceEndpoint: pds }],
  }
}
