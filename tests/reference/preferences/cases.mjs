// Writes what the reference clients make of preferences, for the tests in sdk/src/bsky/preferences/tests. The packages do not
// belong to the project; install them in any folder:
//
//     npm install @atproto/api@0.21.0 @bsky/sdk@1.1.4
//     node tests/reference/preferences/cases.mjs FOLDER sdk/src/bsky/preferences/tests
//
// The packages do not agree about everything: where they differ, both results are written, first that of @atproto/api. A change
// results in preferences that are removed and others that are added; their order in the list has no meaning.
//
// Neither package has code for the order of replies (see ../threads) or for what is left out of feeds, only the settings for both,
// which are read here like all others.

import { createRequire } from 'node:module'
import { writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { changes, starts, typed } from './changes.mjs'

const [folder, output] = process.argv.slice(2)
const require = createRequire(join(resolve(folder), 'x.js'))
const { Agent } = await import(pathToFileURL(require.resolve('@atproto/api')))
const sdk = join(resolve(folder), 'node_modules/@bsky/sdk')
const actions = await import(pathToFileURL(join(sdk, 'dist/actions/preferences.js')))
const { Client } = await import(pathToFileURL(createRequire(join(sdk, 'x.js')).resolve('@atproto/lex')))
Agent.configure({ appLabelers: [] })

/** A server that keeps preferences. */
class Server {
  did = 'did:web:me.test'

  constructor(preferences) {
    this.preferences = structuredClone(preferences)
  }

  fetchHandler = async (path, init) => {
    const json = (body) => new Response(JSON.stringify(body), { headers: { 'content-type': 'application/json' } })
    if (path.includes('getPreferences')) return json({ preferences: this.preferences })
    this.preferences = JSON.parse(await new Response(init.body).text()).preferences
    return new Response(null)
  }
}

// How each package makes the changes.

const API = {
  adultContent: (agent, on) => agent.setAdultContentEnabled(on),
  label: (agent, { key, value, labelerDid }) => agent.setContentLabelPref(key, value, labelerDid),
  addLabeler: (agent, did) => agent.addLabeler(did),
  removeLabeler: (agent, did) => agent.removeLabeler(did),
  addWord: (agent, word) => agent.addMutedWord(word),
  updateWord: (agent, word) => agent.updateMutedWord(word),
  removeWord: (agent, word) => agent.removeMutedWord(word),
  hidePost: (agent, uri) => agent.hidePost(uri),
  unhidePost: (agent, uri) => agent.unhidePost(uri),
  interests: (agent, interests) => agent.setInterestsPref(interests),
  feedView: (agent, { feed, ...view }) => agent.setFeedViewPrefs(feed, view),
  threadView: (agent, view) => agent.setThreadViewPrefs(view),
  addFeed: (agent, feed) => agent.addSavedFeeds([feed]),
  updateFeed: (agent, feed) => agent.updateSavedFeeds([feed]),
  removeFeed: (agent, id) => agent.removeSavedFeeds([id]),
  replaceFeeds: (agent, feeds) => agent.overwriteSavedFeeds(feeds),
  verification: (agent, settings) => agent.setVerificationPrefs(settings),
  birthDate: (agent, birthDate) => agent.setPersonalDetails({ birthDate }),
  hideLiveEvent: (agent, id) => agent.updateLiveEventPreferences({ type: 'hideFeed', id }),
}
const SDK = {
  adultContent: 'setAdultContentEnabled', label: 'setContentLabelPref', addLabeler: 'addLabeler', removeLabeler: 'removeLabeler',
  addWord: 'addMutedWord', updateWord: 'updateMutedWord', removeWord: 'removeMutedWord', hidePost: 'hidePost',
  unhidePost: 'unhidePost', interests: 'setInterestsPref', feedView: 'setFeedViewPrefs', threadView: 'setThreadViewPrefs',
  verification: 'setVerificationPrefs',
}
const SDK_OTHERWISE = {
  addFeed: (client, feed) => client.call(actions.addSavedFeeds, [feed]),
  updateFeed: (client, feed) => client.call(actions.updateSavedFeeds, [feed]),
  removeFeed: (client, id) => client.call(actions.removeSavedFeeds, [id]),
  replaceFeeds: (client, feeds) => client.call(actions.overwriteSavedFeeds, feeds),
  birthDate: (client, birthDate) => client.call(actions.setPersonalDetails, { birthDate }),
  hideLiveEvent: (client, id) => client.call(actions.updateLiveEventPreferences, { type: 'hideFeed', id }),
}

const PACKAGES = [
  {
    change: (server, [name, value]) => API[name](new Agent(server), value),
    read: (server) => new Agent(server).getPreferences(),
  },
  {
    change: (server, [name, value]) => {
      const client = new Client(server)
      return SDK[name] ? client.call(actions[SDK[name]], value) : SDK_OTHERWISE[name](client, value)
    },
    read: (server) => new Client(server).call(actions.getPreferences),
  },
]

// What a lexicon has as its default is the same with and without it. @bsky/sdk writes defaults that it has read.
const DEFAULTS = { hideRepliesByUnfollowed: true, actorTarget: 'all', hideBadges: false, hideAllFeeds: false }

/** Without defaults, and without what is another one each time: new identifiers, and the time of a change. */
function steady(value, key) {
  if (Array.isArray(value)) return value.map((one) => steady(one))
  if (value && typeof value === 'object') {
    return Object.fromEntries(Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1))
      .filter(([name, one]) => one !== undefined && DEFAULTS[name] !== one).map(([name, one]) => [name, steady(one, name)]))
  }
  if (key === 'id' && /^[2-7a-z]{13}$/.test(value)) return 'new'
  if (key === 'updatedAt' && value > '2026') return 'now'
  return value
}

/** What is not in the other list, in the order of its text, as often as it is missing there. */
function without(list, other) {
  const rest = other.map((one) => JSON.stringify(one))
  return list.map((one) => JSON.stringify(one)).sort()
    .filter((one) => !rest.includes(one) || !rest.splice(rest.indexOf(one), 1)).map((one) => JSON.parse(one))
}

async function changed({ change, read }, start, what) {
  const server = new Server(start)
  // What apps do before they change feeds: reading converts those of the older form.
  if (what[0].endsWith('Feed') || what[0].endsWith('Feeds')) await read(server)
  await change(server, what)
  const [before, after] = [start, server.preferences].map((list) => list.map((one) => steady(one)))
  return { removed: without(before, after), added: without(after, before) }
}

async function read({ read }, start) {
  const found = JSON.parse(JSON.stringify(await read(new Server(start))))
  const { adultContentEnabled, labels, labelers, mutedWords, hiddenPosts } = found.moderationPrefs
  return steady({
    adultContent: adultContentEnabled, labels, labelers: Object.fromEntries(labelers.map(({ did, labels }) => [did, labels])),
    mutedWords, hiddenPosts, savedFeeds: found.savedFeeds, feedViews: found.feedViewPrefs,
    sort: found.threadViewPrefs.sort, interests: found.interests.tags, birthDate: found.birthDate,
    hideBadges: found.verificationPrefs.hideBadges, liveEvents: found.liveEventPreferences,
  })
}

/** One result, or two if the packages do not agree. */
async function results(ask) {
  const both = await Promise.all(PACKAGES.map(ask))
  return JSON.stringify(both[0]) === JSON.stringify(both[1]) ? both.slice(0, 1) : both
}

/** One entry on each line. */
const lines = (object) => `{\n${Object.entries(object).map(([key, value]) =>
  `${JSON.stringify(key)}: ${JSON.stringify(value)}`).join(',\n')}\n}`

const readings = {}
// What changes result in, each result once; and for each change, what results from each of the starts.
const all = []
const expected = {}
let apart = 0
const number = (result) => {
  const text = JSON.stringify(result)
  const known = all.indexOf(text)
  return known >= 0 ? known : all.push(text) - 1
}
for (const [name, start] of Object.entries(starts)) {
  readings[name] = await results((one) => read(one, start))
}
for (const [name, what] of Object.entries(changes)) {
  expected[name] = []
  for (const start of Object.values(starts)) {
    const found = await results((one) => changed(one, start, what))
    apart += found.length - 1
    expected[name].push(found.map(number))
  }
}

// What each word is stored as; null if it is not.
const words = []
for (const value of typed) {
  const found = await results((one) => changed(one, [], ['addWord', { value, targets: ['content'] }]))
  if (found.length > 1) throw new Error(`${JSON.stringify(value)}: ${JSON.stringify(found)}`)
  words.push([value, found[0].added[0]?.items[0].value ?? null])
}

// What cannot be seen would be hard to review: it is escaped.
const HIDDEN = /[\u0080-\u00a0\u00ad\u0300-\u036f\u200b-\u200f\u2028-\u202f\u2060\u20d0-\u20ff\ufe00-\ufe0f\ufeff]/g
const visible = (text) => text.replace(HIDDEN, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`)

const rows = (array) => `[\n${array.map((one) => (typeof one === 'string' ? one : JSON.stringify(one))).join(',\n')}\n]`
writeFileSync(join(output, 'reference.json'), visible([
  `{"starts": ${rows(Object.entries(starts))}`, `"readings": ${lines(readings)}`, `"changes": ${lines(changes)}`,
  `"results": ${rows(all)}`, `"expected": ${lines(expected)}`, `"typed": ${rows(words)}}`,
].join(',\n') + '\n'))
const count = Object.keys(starts).length
console.log(`${count} readings, ${count * Object.keys(changes).length} changes, of which the packages differ in ${apart}; ${
  words.length} words`)
