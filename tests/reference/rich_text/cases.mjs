// Writes what the reference clients find in texts, and what they make of texts that are changed, for the tests in
// sdk/src/bsky/rich_text/tests. The packages do not belong to the project; install them in any folder:
//
//     npm install @atproto/api@0.21.0 @bsky/sdk@1.1.4
//     node tests/reference/rich_text/cases.mjs FOLDER sdk/src/bsky/rich_text/tests
//
// Both packages have to find the same, or nothing is written.

import { createRequire } from 'node:module'
import { writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { differences as otherPieces, edits, uncleaned } from './edits.mjs'
import { differences, texts } from './texts.mjs'

const [folder, output] = process.argv.slice(2)
const packages = [
  await import(pathToFileURL(createRequire(join(resolve(folder), 'x.js')).resolve('@atproto/api'))),
  await import(pathToFileURL(join(resolve(folder), 'node_modules/@bsky/sdk/dist/rich-text/index.js'))),
]

/** What both packages return. */
function agreed(about, ask) {
  const [one, two] = packages.map((api) => JSON.stringify(ask(api)))
  if (one !== two) throw new Error(`${JSON.stringify(about)}: ${one} and ${two}`)
  return JSON.parse(one)
}

// What cannot be seen, or is shown elsewhere than it stands, would be hard to review: it is escaped.
const HIDDEN =
  /[\u0080-\u00a0\u00ad\u0300-\u036f\u0590-\u08ff\u2000-\u200f\u2028-\u202f\u205f-\u206f\u20d0-\u20ff\u3000\ufe00-\ufe0f\ufeff]/g
const line = (value) =>
  `  ${JSON.stringify(value).replace(HIDDEN, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`)}`
const write = (file, values) => writeFileSync(join(output, file), `[\n${values.map(line).join(',\n')}\n]\n`)

// What is found.

function found({ RichText }, text) {
  const rich = new RichText({ text })
  rich.detectFacetsWithoutResolution()
  return (rich.facets ?? []).map(({ index, features: [feature] }) => [
    index.byteStart, index.byteEnd, feature.$type.split('#')[1], feature.did ?? feature.uri ?? feature.tag,
  ])
}

const known = new Map(Object.entries(differences).flatMap(([why, rows]) => rows.map(([text, ours]) => [text, { ours, why }])))
const cases = texts.map((text) => ({ text, reference: agreed(text, (api) => found(api, text)), ...known.get(text) }))
for (const text of known.keys()) {
  if (!texts.includes(text)) throw new Error(`a difference in a text that is not there: ${JSON.stringify(text)}`)
}

// What changes make of texts.

const bytes = (text) => new TextEncoder().encode(text).length
const TAG = 'app.bsky.richtext.facet#tag'

/** The clients count what is inserted in UTF-16, so it is inserted as so many bytes of ASCII, and then written over. */
function insert(rich, index, text) {
  rich.insert(index, 'x'.repeat(bytes(text)))
  const written = Buffer.from(rich.text)
  written.write(text, index)
  rich.unicodeText = new rich.unicodeText.constructor(written.toString())
}

function changed({ RichText }, { text, facets, ...change }) {
  const rich = new RichText({
    text,
    facets: facets.map(([byteStart, byteEnd, tag]) => ({ index: { byteStart, byteEnd }, features: [{ $type: TAG, tag }] })),
  }, { cleanNewlines: change.clean ?? false })
  if (change.insert) insert(rich, ...change.insert)
  if (change.delete) rich.delete(...change.delete)
  return {
    result: rich.text,
    result_facets: (rich.facets ?? []).map(({ index, features: [{ tag }] }) => [index.byteStart, index.byteEnd, tag]),
    segments: [...rich.segments()].map((segment) => [segment.text, segment.tag?.tag ?? null]),
  }
}

const changes = [
  ...edits.flatMap(({ text, facets, ...kinds }) =>
    ['insert', 'delete'].flatMap((kind) => kinds[kind].map((how) => ({ text, facets, [kind]: how })))),
  ...uncleaned.map(([text, facets]) => ({ text, facets, clean: true })),
].map((change) => {
  const result = agreed(change, (api) => changed(api, change))
  return { ...change, ...result, ...otherPieces[result.result] }
})

write('cases.json', cases)
write('edits.json', changes)
console.log(`${cases.length} texts, ${changes.length} changes`)
