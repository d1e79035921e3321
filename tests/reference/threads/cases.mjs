// Writes in which order the reference server shows the replies to a post, for the tests in sdk/src/bsky/threads/tests. The package
// with it is part of the local network for tests (tests/network/install.sh), or installed in any folder:
//
//     npm install @atproto/bsky@0.0.280
//     node tests/reference/threads/cases.mjs FOLDER sdk/src/bsky/threads/tests
//
// The server has two orders, of which it tries out the second. Where they differ, both are written.

import { writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { threads } from './threads.mjs'

const [folder, output] = process.argv.slice(2)
const { sortTrimFlattenThreadTree } = await import(
  pathToFileURL(join(resolve(folder), 'node_modules/@atproto/bsky/dist/views/threads-v2.js')))

const did = (name) => `did:web:${name}.test`
const at = (minute) => `2026-01-02T03:${String(minute).padStart(2, '0')}:00.000Z`

function node({ author, key, likes, minute, replies }, depth) {
  const viewer = author.startsWith('f') ? { following: `at://${did('me')}/app.bsky.graph.follow/${author}` } : {}
  const post = { author: { did: did(author), viewer }, likeCount: likes, indexedAt: at(minute) }
  return {
    type: 'post', tags: new Set(), hasOPLike: false, item: { uri: key, depth, value: { post } },
    replies: replies.map((reply) => node(reply, depth + 1)),
  }
}

function order(replies, sort, tried) {
  const anchor = node({ author: 'op', key: 'anchor', likes: 0, minute: 0, replies }, 0)
  const options = {
    sort, opDid: did('op'), viewer: did('me'), branchingFactor: 100, threadTagsBumpDown: [], threadTagsHide: [],
  }
  return sortTrimFlattenThreadTree(anchor, options, tried).slice(1).map(({ uri }) => uri).join(' ')
}

const lines = Object.entries(threads).map(([name, replies]) => {
  const orders = ['oldest', 'newest', 'top'].map((sort) => {
    const both = [false, true].map((tried) => order(replies, sort, tried))
    return [sort, both[0] === both[1] ? both.slice(0, 1) : both]
  })
  return `${JSON.stringify(name)}: ${JSON.stringify({ replies, orders: Object.fromEntries(orders) })}`
})
writeFileSync(join(output, 'reference.json'), `{\n${lines.join(',\n')}\n}\n`)
console.log(`${3 * lines.length} orders`)
