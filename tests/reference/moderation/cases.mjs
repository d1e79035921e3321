// Writes what the reference clients decide about combinations of settings and subjects, for the tests in
// sdk/src/bsky/moderation/tests. The packages do not belong to the project; install them in any folder:
//
//     npm install @atproto/api@0.21.0 @bsky/sdk@1.1.4
//     node tests/reference/moderation/cases.mjs FOLDER sdk/src/bsky/moderation/tests
//
// Both packages have to decide the same, or nothing is written.

import { createRequire } from 'node:module'
import { writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { settings, subjects } from './decisions.mjs'
import { texts, words } from './words.mjs'

const [folder, output] = process.argv.slice(2)
const load = async (name) => {
  const found = createRequire(join(resolve(folder), 'x.js')).resolve(name)
  return import(pathToFileURL(found))
}
const packages = [await load('@atproto/api'), (await import(pathToFileURL(
  join(resolve(folder), 'node_modules/@bsky/sdk/dist/moderation/index.js'))))]

const CONTEXTS = ['profileList', 'profileView', 'avatar', 'banner', 'displayName', 'contentList', 'contentView', 'contentMedia']

/** A cause as one word or two. */
const named = (cause) => {
  const source = cause.source.type === 'user' ? '' : ` ${cause.source.type === 'list' ? cause.source.list.name : cause.source.did}`
  if (cause.type === 'label') return `label ${cause.label.val} ${cause.target}${source}`
  if (cause.type === 'mute-word') return `muted-word ${cause.matches.map((match) => match.word.value).join('|')}`
  return `${cause.type}${source}`
}

const DECIDE = {
  profile: 'moderateProfile', post: 'moderatePost', notification: 'moderateNotification',
  feed: 'moderateFeedGenerator', list: 'moderateUserList', status: 'moderateStatus',
}

function decide({ LABELS, interpretLabelValueDefinitions, ...api }, subject, setting) {
  const labelDefs = Object.fromEntries(Object.entries(setting.definitions ?? {}).map(([did, definitions]) => [
    did, interpretLabelValueDefinitions({ creator: { did }, policies: { labelValues: [], labelValueDefinitions: definitions } }),
  ]))
  const decision = api[DECIDE[subject.kind]](subject.view, {
    userDid: setting.viewer,
    prefs: {
      adultContentEnabled: setting.adultContent, labels: setting.labels ?? {}, labelers: setting.labelers ?? [],
      mutedWords: setting.mutedWords ?? [], hiddenPosts: setting.hiddenPosts ?? [],
    },
    labelDefs,
  })
  const found = {}
  if (decision.blocked) found.blocked = true
  if (decision.muted) found.muted = true
  for (const context of CONTEXTS) {
    const ui = decision.ui(context)
    const shown = {}
    for (const part of ['filters', 'blurs', 'alerts', 'informs']) {
      if (ui[part].length) shown[part] = ui[part].map(named)
    }
    if (ui.noOverride) shown.noOverride = true
    if (Object.keys(shown).length) found[context] = shown
  }
  return found
}

/** One entry on each line. */
const lines = (object) => `{\n${Object.entries(object).map(([key, value]) =>
  `${JSON.stringify(key)}: ${JSON.stringify(value)}`).join(',\n')}\n}`

// What is decided, each decision once; and for each subject the number of the decision with each setting.
const decisions = []
const expected = {}
let cases = 0
for (const [which, subject] of Object.entries(subjects)) {
  expected[which] = Object.entries(settings).map(([how, setting]) => {
    const [one, two] = packages.map((api) => JSON.stringify(decide(api, subject, setting)))
    if (one !== two) throw new Error(`${which} with ${how}: ${one} and ${two}`)
    cases += 1
    const known = decisions.indexOf(one)
    return known >= 0 ? known : decisions.push(one) - 1
  })
}
writeFileSync(join(output, 'decisions.json'),
  `{"settings": ${lines(settings)},\n"subjects": ${lines(subjects)},\n"decisions": [\n${
    decisions.join(',\n')}\n],\n"expected": ${lines(expected)}}\n`)

const matched = []
let pairs = 0
for (const text of texts) {
  const found = {}
  for (const word of words) {
    const [one, two] = packages.map(({ matchMuteWords }) => JSON.stringify(matchMuteWords({
      mutedWords: [word], text: text.text, facets: text.facets, outlineTags: text.tags, languages: text.languages,
      actor: text.actor,
    }) ?? null))
    if (one !== two) throw new Error(`${text.text} with ${word.value}: ${one} and ${two}`)
    pairs += 1
    const matches = JSON.parse(one)
    if (matches) found[word.id] = matches[0].predicate
  }
  matched.push({ ...text, matches: found })
}
writeFileSync(join(output, 'muted_words.json'),
  `{"words": [\n${words.map((word) => JSON.stringify(word)).join(',\n')}\n],\n"texts": [\n${
    matched.map((text) => JSON.stringify(text)).join(',\n')}\n]}\n`)
console.log(`${cases} decisions, ${pairs} pairs of a word and a text`)
