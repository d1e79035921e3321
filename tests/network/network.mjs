// A PLC directory and a PDS with its authorization server, in memory and temporary files.
//
// Prints one line of JSON when it is ready: {"pds", "plc", "control"}. The control port answers POST requests with a
// JSON body. Ends when its standard input ends, so that nothing is left behind when its parent dies. The argument is a
// folder for its files, which it removes; without one it makes one.

import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import http from 'node:http'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { oauthClientMetadataSchema } from '@atproto/oauth-types'
import { API_ENDPOINT_PREFIX, CSRF_COOKIE_NAME, CSRF_HEADER_NAME } from '@atproto/oauth-provider-api'
import { TestNetworkNoAppView, TestPds, mockNetworkUtilities } from '@atproto/dev-env'
import { accountCommands } from './accounts.mjs'

/** How far the servers' clocks are ahead. */
let ahead = 0
const RealDate = Date
globalThis.Date = class extends RealDate {
  constructor(...parts) {
    if (parts.length === 0) super(RealDate.now() + ahead)
    else super(...parts)
  }
  static now() {
    return RealDate.now() + ahead
  }
}

const folder = process.argv[2] ?? fs.mkdtempSync(path.join(os.tmpdir(), 'atproto-network-'))
const settings = {
  dataDirectory: path.join(folder, 'data'),
  blobstoreDiskLocation: path.join(folder, 'blobs'),
  blobstoreDiskTmpLocation: path.join(folder, 'blobs-unfinished'),
  plcRotationKeyK256PrivateKeyHex: randomBytes(32).toString('hex'),
  jwtSecret: randomBytes(16).toString('hex'),
  dpopSecret: randomBytes(32).toString('hex'),
}
fs.mkdirSync(settings.dataDirectory, { recursive: true })

// What the servers put aside goes with everything else. Not earlier: the ports that they have taken are in the folder for
// temporary files of all processes.
process.env.TMPDIR = folder
const network = await TestNetworkNoAppView.create({ pds: settings })
settings.port = network.pds.port
settings.didPlcUrl = network.plc.url

/** Where the PDS listens, if that is not its public port. */
let behind = null
const PDS = network.pds.server.constructor
const startPds = PDS.prototype.start
PDS.prototype.start = function () {
  // The public URL, and with it the issuer, has been made from the public port by now.
  if (behind !== null) this.ctx.cfg.service.port = behind
  return startPds.call(this)
}

/** Nonces that change with every response; the last ones are good. */
class ChangingNonce {
  issued = []
  constructor(window) {
    this.window = window
  }
  next() {
    const nonce = randomBytes(16).toString('base64url')
    this.issued.push(nonce)
    if (this.issued.length > this.window) this.issued.shift()
    return nonce
  }
  check(nonce) {
    return this.issued.includes(nonce)
  }
}
let nonceWindow = null

let lifetime = null
/** Where client documents of an origin are really fetched: {"https://app.example": "http://127.0.0.1:4000"}. */
const served = {}
const counts = { refreshes: 0, refusedRefreshes: 0, tokens: 0, requests: 0 }
/** Requests by method and path: {"POST /oauth/token": 2}. */
const requests = {}
/** Ids (`jti`) of access tokens that are taken for expired before their time. */
const expired = new Set()

/** Counts what the server sees, and applies what was set before a restart. */
function watch(pds) {
  const provider = pds.ctx.oauthProvider
  const token = provider.token.bind(provider)
  provider.token = async (credentials, metadata, request, ...rest) => {
    const refresh = request.grant_type === 'refresh_token'
    try {
      const answer = await token(credentials, metadata, request, ...rest)
      counts[refresh ? 'refreshes' : 'tokens'] += 1
      return answer
    } catch (error) {
      if (refresh) counts.refusedRefreshes += 1
      throw error
    }
  }
  const { tokenManager } = provider
  const loadTokenClaims = tokenManager.loadTokenClaims.bind(tokenManager)
  tokenManager.loadTokenClaims = async (type, payload) => {
    // The provider makes its `invalid_token` of it. Marking the row in its database would not do: it deletes the whole
    // session when it finds such a row.
    if (expired.has(payload.jti)) throw new Error('Token expired')
    return loadTokenClaims(type, payload)
  }
  const { clientManager } = provider
  const elsewhere = (getter, read) => {
    const get = getter.get.bind(getter)
    getter.get = async (url, ...rest) => {
      const at = served[new URL(url).origin]
      if (!at) return get(url, ...rest)
      const response = await fetch(url.replace(new URL(url).origin, at), { redirect: 'error' })
      const type = response.headers.get('content-type')
      if (response.status !== 200 || !type?.startsWith('application/json')) {
        throw new Error(`${url} answered ${response.status} ${type}`)
      }
      return read(url, await response.json())
    }
  }
  elsewhere(clientManager.metadataGetter, (url, document) =>
    clientManager.validateClientMetadata(url, oauthClientMetadataSchema.parse(document)))
  elsewhere(clientManager.jwks, (_, document) => document)
  pds.server.server.prependListener('request', ({ method, url }) => {
    counts.requests += 1
    const name = `${method} ${url.split('?', 1)[0]}`
    requests[name] = (requests[name] ?? 0) + 1
  })
  if (lifetime !== null) provider.tokenManager.tokenMaxAge = lifetime
  if (nonceWindow !== null) provider.dpopManager.dpopNonce = new ChangingNonce(nonceWindow)
}
watch(network.pds)

/** One request with the headers that browsers set and that `fetch` does not let anybody set. */
function send(method, url, headers, body) {
  return new Promise((resolve, reject) => {
    const request = http.request(url, { method, headers }, (response) => {
      const pieces = []
      response.on('data', (piece) => pieces.push(piece))
      response.on('end', () => {
        const text = Buffer.concat(pieces).toString()
        resolve({ status: response.statusCode, headers: response.headers, text })
      })
    })
    request.on('error', reject)
    request.end(body)
  })
}

/** Does what the provider's sign-in page does, and gives the address to which it sends the browser back. */
async function authorize({ url, username, password, deny }) {
  const cookies = new Map()
  const remember = ({ headers }) => {
    for (const line of headers['set-cookie'] ?? []) {
      const [pair] = line.split(';')
      cookies.set(pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1))
    }
  }
  const page = await send('GET', url, {
    'sec-fetch-mode': 'navigate',
    'sec-fetch-dest': 'document',
    'sec-fetch-site': 'none',
    'accept': 'text/html',
  })
  remember(page)
  if (page.headers.location) return { redirect: page.headers.location }
  if (page.status !== 200) throw new Error(`the sign-in page answered ${page.status}: ${page.text.slice(0, 300)}`)
  const origin = new URL(url).origin
  const post = async (endpoint, body) => {
    const answer = await send(
      'POST',
      `${origin}${API_ENDPOINT_PREFIX}${endpoint}`,
      {
        'content-type': 'application/json',
        'origin': origin,
        'referer': url,
        'sec-fetch-mode': 'same-origin',
        'sec-fetch-site': 'same-origin',
        'sec-fetch-dest': 'empty',
        'cookie': [...cookies].map(([name, value]) => `${name}=${value}`).join('; '),
        [CSRF_HEADER_NAME]: cookies.get(CSRF_COOKIE_NAME),
      },
      JSON.stringify(body),
    )
    remember(answer)
    if (answer.status !== 200) throw new Error(`${endpoint} answered ${answer.status}: ${answer.text.slice(0, 300)}`)
    return JSON.parse(answer.text)
  }
  // The page gets an address of the server, which sends the browser on to the client.
  const leave = async ({ url: next }) => {
    if (!new URL(next).pathname.endsWith('/authorize/redirect')) return { redirect: next }
    const answer = await send('GET', next, {
      'referer': url,
      'sec-fetch-mode': 'navigate',
      'sec-fetch-dest': 'document',
      'sec-fetch-site': 'same-origin',
      'cookie': [...cookies].map(([name, value]) => `${name}=${value}`).join('; '),
    })
    if (!answer.headers.location) throw new Error(`${next} answered ${answer.status}: ${answer.text.slice(0, 300)}`)
    return { redirect: answer.headers.location }
  }
  if (deny) return leave(await post('/reject', {}))
  const signedIn = await post('/sign-in', { locale: 'en', username, password, remember: true })
  return leave(await post('/consent', { did: signedIn.account.did ?? signedIn.account.sub }))
}

const commands = {
  ...accountCommands(network, { folder, watch }),
  async account({ handle, password }) {
    const name = handle.split('.')[0]
    const account = await network.getSeedClient().createAccount(name, { email: `${name}@mail.test`, handle, password })
    return { did: account.did }
  },
  /** How long access tokens live from now on. */
  async lifetime({ millis }) {
    lifetime = millis
    network.pds.ctx.oauthProvider.tokenManager.tokenMaxAge = millis
  },
  /** Puts the servers' clocks forward. */
  async clock({ millis }) {
    ahead += millis
  },
  /** Makes every nonce that was given out so far worthless. */
  async rotateNonces() {
    const manager = network.pds.ctx.oauthProvider.dpopManager
    manager.dpopNonce = new manager.dpopNonce.constructor(nonceWindow ?? undefined)
  },
  /** Gives every response a nonce of its own from now on, of which that many are good. */
  async changeNonces({ window }) {
    nonceWindow = window
    network.pds.ctx.oauthProvider.dpopManager.dpopNonce = new ChangingNonce(window)
  },
  /** Has the PDS listen on another port, as behind a proxy that takes its public one. */
  async stepBehind() {
    const server = net.createServer()
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
    behind = server.address().port
    await new Promise((resolve) => server.close(resolve))
    await commands.restart({})
    return { port: behind }
  },
  /** Ends all OAuth sessions of an account at the server. */
  async endSessions({ did }) {
    await network.pds.ctx.accountManager.db.db.deleteFrom('token').where('did', '=', did).execute()
  },
  /** Makes the access tokens of an account expire now, long before they say so. Their sessions go on. */
  async expireTokens({ did }) {
    const tokens = await network.pds.ctx.oauthProvider.tokenManager.listAccountTokens(did)
    for (const { id } of tokens) expired.add(id)
    return { count: tokens.length }
  },
  /** How many OAuth sessions an account has at the server. */
  async sessions({ did }) {
    const tokens = await network.pds.ctx.oauthProvider.tokenManager.listAccountTokens(did)
    return { count: tokens.length }
  },
  /** Stops the PDS for a while and starts it again with the same data on the same port. */
  async restart({ millis }) {
    await network.pds.close()
    await new Promise((resolve) => setTimeout(resolve, millis ?? 0))
    network.pds = await TestPds.create(settings)
    mockNetworkUtilities(network.pds)
    watch(network.pds)
  },
  /** Has the PDS send the DID document with sessions, as the common servers do, or not. */
  async didDocuments({ on }) {
    settings.enableDidDocWithSession = on
    network.pds.ctx.cfg.identity.enableDidDocWithSession = on
  },
  /** Starts the PDS again with the limits of the common servers, or without them. */
  async rateLimits({ on }) {
    settings.rateLimitsEnabled = on
    await commands.restart({})
  },
  /** Has documents of clients at an https origin fetched from a server on this machine. */
  async serve({ origin, at }) {
    served[origin] = at
  },
  async counts() {
    return counts
  },
  async requests() {
    return requests
  },
  authorize,
}

const control = http.createServer((request, response) => {
  const pieces = []
  request.on('data', (piece) => pieces.push(piece))
  request.on('end', async () => {
    const answer = (status, body) => {
      response.writeHead(status, { 'content-type': 'application/json' })
      response.end(JSON.stringify(body ?? {}))
    }
    const command = Object.hasOwn(commands, request.url.slice(1)) && commands[request.url.slice(1)]
    if (!command) return answer(404, { error: `no such command: ${request.url}` })
    try {
      answer(200, await command(JSON.parse(Buffer.concat(pieces).toString() || '{}')))
    } catch (error) {
      answer(500, { error: String(error?.stack ?? error) })
    }
  })
})
await new Promise((resolve) => control.listen(0, '127.0.0.1', resolve))

/** At once: nobody misses what the servers were doing, and the handlers of `exit` free the ports that were taken. */
function end() {
  fs.rmSync(folder, { recursive: true, force: true })
  process.exit(0)
}
process.on('SIGTERM', end)
process.on('SIGINT', end)
process.stdin.on('end', end).on('close', end).resume()

console.log(
  JSON.stringify({
    pds: network.pds.url,
    plc: network.plc.url,
    control: `http://127.0.0.1:${control.address().port}`,
  }),
)
