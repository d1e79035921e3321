// Drives the reference client as a plan says: the same protocol as the driver of this SDK, which is described in
// tests/tests/faults/protocol.rs. It has one process: the package brings neither a store that processes can share nor a
// lock for it.

import readline from 'node:readline'
import { NodeOAuthClient } from '@atproto/oauth-client-node'

const COLLECTION = 'app.bsky.feed.post'
const SCOPE = 'atproto transition:generic'
const REDIRECT = 'http://127.0.0.1/callback'
/** A call of this SDK has a limit of its own; here the app sets it. */
const CALL_LIMIT = 30_000
/** How many records a task keeps. */
const MOST_RECORDS = 40

const say = (report) => process.stdout.write(`${JSON.stringify(report)}\n`)
const pause = (millis) => new Promise((resolve) => setTimeout(resolve, millis))
const text = (error) => (error?.cause ? `${error}: ${text(error.cause)}` : String(error))

const lines = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]()
const settings = JSON.parse((await lines.next()).value)
const handles = new Map(settings.accounts.map(({ did, handle }) => [did, handle]))

/** A store in memory, which forgets nothing by itself. */
function memory() {
  const entries = new Map()
  return {
    get: async (key) => entries.get(key),
    set: async (key, value) => void entries.set(key, value),
    del: async (key) => void entries.delete(key),
  }
}

/** One task at a time for each name, in this process. */
const locks = new Map()
async function requestLock(name, work) {
  const before = locks.get(name) ?? Promise.resolve()
  const mine = before.catch(() => {}).then(work)
  locks.set(name, mine.catch(() => {}))
  return mine
}

/** The sessions of an account have no names of their own. */
const numbers = new Map()
const sessionOf = (did) => `${did}#${numbers.get(did) ?? 0}`

function onSessionDeleted(did, cause) {
  // Whoever comes after the end is told again.
  if (String(cause?.message).includes('deleted by another process')) return
  const name = cause?.constructor?.name
  const reason = name === 'TokenRevokedError' ? 'signed-out' : name === 'TokenRefreshError' ? 'revoked' : 'other'
  say({ says: 'ended', did, session: sessionOf(did), reason })
}

const client = new NodeOAuthClient({
  clientMetadata: {
    client_id: `http://localhost?${new URLSearchParams({ redirect_uri: REDIRECT, scope: SCOPE })}`,
    redirect_uris: [REDIRECT],
    scope: SCOPE,
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    application_type: 'native',
    token_endpoint_auth_method: 'none',
    dpop_bound_access_tokens: true,
  },
  stateStore: memory(),
  sessionStore: memory(),
  requestLock,
  onSessionDeleted,
  handleResolver: settings.pds,
  plcDirectoryUrl: settings.plc,
  allowHttp: true,
})

function failureOf(error) {
  const name = error?.constructor?.name
  const ended = name === 'TokenRefreshError' || name === 'TokenInvalidError' || name === 'TokenRevokedError'
  return { kind: ended ? 'sign-in-again' : 'other', ended: ended ? 'not-found' : null, name: error?.xrpc ?? null, message: text(error) }
}

async function signIn(did) {
  try {
    const url = await client.authorize(handles.get(did), { scope: SCOPE })
    say({ says: 'authorize', did, url: String(url) })
  } catch (error) {
    say({ says: 'sign-in-failed', did, error: text(error) })
  }
}

async function callback(did, query) {
  try {
    await client.callback(new URLSearchParams(query))
    numbers.set(did, (numbers.get(did) ?? 0) + 1)
    say({ says: 'signed-in', did, session: sessionOf(did) })
  } catch (error) {
    say({ says: 'sign-in-failed', did, error: text(error) })
  }
}

async function signOut(did) {
  try {
    await (await client.restore(did, false)).signOut()
    say({ says: 'signed-out', did, error: null })
  } catch (error) {
    say({ says: 'signed-out', did, error: text(error) })
  }
}

async function refresh(did) {
  try {
    await client.restore(did, true)
    say({ says: 'refreshed', did, failure: null })
  } catch (error) {
    say({ says: 'refreshed', did, failure: failureOf(error) })
  }
}

/** A call with JSON in both directions. */
async function xrpc(session, method, nsid, fields) {
  const query = method === 'GET' ? `?${new URLSearchParams(fields)}` : ''
  const response = await session.fetchHandler(`/xrpc/${nsid}${query}`, {
    method,
    redirect: 'manual',
    signal: AbortSignal.timeout(CALL_LIMIT),
    ...(method === 'POST' && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(fields) }),
  })
  const body = await response.text()
  if (!response.ok) {
    const error = new Error(`${nsid} answered ${response.status} ${body.slice(0, 200)}`)
    try {
      error.xrpc = JSON.parse(body).error
    } catch {
      // A page of somebody else.
    }
    throw error
  }
  return JSON.parse(body)
}

/** A key in the form of a TID, which records of this kind need. */
let lastTid = 0n
function tid() {
  const now = BigInt(Date.now()) * 1000n
  lastTid = now > lastTid ? now : lastTid + 1n
  const alphabet = '234567abcdefghijklmnopqrstuvwxyz'
  const value = (lastTid << 10n) | 17n
  return Array.from({ length: 13 }, (_, at) => alphabet[Number((value >> BigInt(5 * (12 - at))) & 31n)]).join('')
}

const calls = {
  async create({ did, session, name, number }) {
    const value = `${name}-${number}`
    const record = { $type: COLLECTION, text: value, createdAt: new Date().toISOString() }
    const key = number % 2 === 0 ? { rkey: tid() } : {}
    const fields = { repo: did, collection: COLLECTION, record, ...key }
    const report = { did, kind: 'create', rkey: null, text: value }
    const made = await xrpc(session, 'POST', 'com.atproto.repo.createRecord', fields).catch((error) => ({ error }))
    if (made.error) return { ...report, failure: failureOf(made.error) }
    return { ...report, rkey: made.uri.split('/').pop() }
  },
  async read({ did, session, old }) {
    const fields = { repo: did, collection: COLLECTION, rkey: old.rkey }
    const report = { did, kind: 'read', rkey: old.rkey, text: old.text }
    const found = await xrpc(session, 'GET', 'com.atproto.repo.getRecord', fields).catch((error) => ({ error }))
    return found.error ? { ...report, failure: failureOf(found.error) } : { ...report, read: found.value.text }
  },
  async delete({ did, session, old }) {
    const fields = { repo: did, collection: COLLECTION, rkey: old.rkey }
    const report = { did, kind: 'delete', rkey: old.rkey, text: old.text }
    const gone = await xrpc(session, 'POST', 'com.atproto.repo.deleteRecord', fields).catch((error) => ({ error }))
    return gone.error ? { ...report, failure: failureOf(gone.error) } : report
  },
}

const random = (end) => Math.floor(Math.random() * end)

async function task(number, end) {
  const { read, create, delete: deletes, 'pause-millis': longest } = settings.calls
  const written = []
  let made = 0
  while (Date.now() < end) {
    const chance = random(read + create + deletes)
    const drawn = chance < read ? 'read' : chance < read + create ? 'create' : 'delete'
    const kind = written.length === 0 ? 'create' : written.length >= MOST_RECORDS ? 'delete' : drawn
    const at = random(written.length)
    const old = kind === 'create' ? null : kind === 'delete' ? written.splice(at, 1)[0] : written[at]
    const did = old?.did ?? settings.accounts[random(settings.accounts.length)].did
    let session
    try {
      session = await client.restore(did, false)
    } catch (error) {
      if (kind === 'delete') written.push(old)
      say({ says: 'no-session', did })
      await pause(200)
      continue
    }
    made += 1
    const begun = Date.now()
    const name = `s${settings.seed}-r${number}`
    const report = await calls[kind]({ did, session, old, name, number: made })
    if (kind === 'create' && report.rkey) written.push({ did, rkey: report.rkey, text: report.text })
    say({ says: 'call', ...report, millis: Date.now() - begun })
    await pause(random(longest + 1))
  }
}

async function go() {
  const end = Date.now() + settings.millis
  const tasks = Array.from({ length: settings.apps * settings.tasks }, (_, number) => task(number, end))
  await Promise.all(tasks)
  say({ says: 'done' })
}

say({ says: 'ready' })
for await (const line of lines) {
  const command = JSON.parse(line)
  if (command.do === 'go') go()
  if (command.do === 'sign-in') signIn(command.did)
  if (command.do === 'callback') callback(command.did, command.query)
  if (command.do === 'sign-out') signOut(command.did)
  if (command.do === 'refresh') refresh(command.did)
}
process.exit(0)
