// The settings and subjects whose decisions are compared: each setting with each subject.

const ME = 'did:web:me.test'
const BOB = 'did:web:bob.test'
const CARLA = 'did:web:carla.test'
const LABELER = 'did:web:labeler.test'
const SECOND = 'did:web:second.test'
const STRANGER = 'did:web:stranger.test'
const CID = 'bafyreiclp443lavogvhj3d2ob2cxbfuscni2k5jk7bebjzg7khl3esabwq'
const AT = '2026-01-02T03:04:05.678Z'

const post = (did, key = '3kabcdefgh22a') => `at://${did}/app.bsky.feed.post/${key}`

// Settings.

const GLOBAL = ['porn', 'sexual', 'nudity', 'graphic-media', 'gore']
const all = (setting) => Object.fromEntries([...GLOBAL, 'spoiler', 'rude', 'quiet', 'note'].map((label) => [label, setting]))
const subscribed = [{ did: LABELER, labels: {} }]

const DEFINED = []
for (const severity of ['alert', 'inform', 'none']) {
  for (const blurs of ['content', 'media', 'none']) {
    for (const adultOnly of [false, true]) {
      DEFINED.push({
        identifier: `${severity}-${blurs}${adultOnly ? '-adult' : ''}`, severity, blurs, adultOnly,
        defaultSetting: adultOnly ? 'hide' : 'warn', locales: [],
      })
    }
  }
}
const MORE = [
  { identifier: 'spoiler', severity: 'inform', blurs: 'content', defaultSetting: 'hide', locales: [] },
  { identifier: 'quiet', severity: 'alert', blurs: 'none', defaultSetting: 'ignore', locales: [] },
  // A labeler may define what is defined for all, but not what begins with an exclamation mark.
  { identifier: 'porn', severity: 'alert', blurs: 'content', defaultSetting: 'warn', locales: [] },
  { identifier: '!hide', severity: 'none', blurs: 'none', defaultSetting: 'ignore', locales: [] },
  { identifier: 'with1digit', severity: 'alert', blurs: 'content', defaultSetting: 'hide', locales: [] },
  { identifier: 'no-default', severity: 'alert', blurs: 'media', locales: [] },
]

export const settings = {
  'standard': { viewer: ME, adultContent: false, labelers: subscribed },
  'adult content': { viewer: ME, adultContent: true, labelers: subscribed },
  'adult content, everything ignored': { viewer: ME, adultContent: true, labels: all('ignore'), labelers: subscribed },
  'adult content, everything warned of': { viewer: ME, adultContent: true, labels: all('warn'), labelers: subscribed },
  'adult content, everything hidden': { viewer: ME, adultContent: true, labels: all('hide'), labelers: subscribed },
  'everything ignored': { viewer: ME, adultContent: false, labels: all('ignore'), labelers: subscribed },
  'signed out': { adultContent: false, labelers: subscribed },
  'no labelers': { viewer: ME, adultContent: true },
  'a setting for the labeler': {
    viewer: ME, adultContent: true, labels: all('hide'),
    labelers: [{ did: LABELER, labels: { porn: 'ignore', sexual: 'warn', 'alert-content': 'hide', 'none-none': 'hide', '!hide': 'ignore' } }],
  },
  'definitions': {
    viewer: ME, adultContent: true, labelers: [...subscribed, { did: SECOND, labels: {} }],
    definitions: { [LABELER]: [...DEFINED, ...MORE], [SECOND]: [{ identifier: 'rude', severity: 'alert', blurs: 'none', locales: [] }] },
  },
  'definitions, no adult content': {
    viewer: ME, adultContent: false, labelers: subscribed, definitions: { [LABELER]: [...DEFINED, ...MORE] },
  },
  'definitions, other choices': {
    viewer: ME, adultContent: true, labels: { spoiler: 'ignore', quiet: 'hide', porn: 'hide' },
    labelers: [{ did: LABELER, labels: Object.fromEntries(DEFINED.map(({ identifier }, i) => [identifier, ['ignore', 'warn', 'hide'][i % 3]])) }],
    definitions: { [LABELER]: [...DEFINED, ...MORE] },
  },
  'muted words and hidden posts': {
    viewer: ME, adultContent: true, labelers: subscribed,
    mutedWords: [
      { value: 'Spiders', targets: ['content', 'tag'] },
      { value: 'onlytag', targets: ['tag'] },
      { value: 'over', targets: ['content'], expiresAt: '2020-01-01T00:00:00.000Z' },
      { value: 'strangers', targets: ['content'], actorTarget: 'exclude-following' },
    ],
    hiddenPosts: [post(BOB, '3khidden22222'), post(CARLA, '3khidden22222')],
  },
  'own content': { viewer: BOB, adultContent: false, labels: all('hide'), labelers: subscribed,
    mutedWords: [{ value: 'spiders', targets: ['content', 'tag'] }], hiddenPosts: [post(BOB, '3khidden22222')] },
}

// Subjects.

const label = (val, uri, src = LABELER) => ({ src, uri, val, cts: AT })
const profile = (did, fields = {}) => ({ did, handle: did.replace('did:web:', ''), ...fields })
const profileView = profile
const moderators = (name) => ({
  uri: `at://${CARLA}/app.bsky.graph.list/3klist22222222`.slice(0, -1), cid: CID, name, purpose: 'app.bsky.graph.defs#modlist',
})
const block = (from) => `at://${from}/app.bsky.graph.block/3kblock222222`

const VIEWERS = {
  'muted': { muted: true },
  'muted by a list': { muted: true, mutedByList: moderators('Mutes') },
  'listed, but not muted': { mutedByList: moderators('Mutes') },
  'blocked': { blocking: block(ME) },
  'blocked by a list': { blocking: block(ME), blockingByList: moderators('Blocks') },
  'only a list that blocks': { blockingByList: moderators('Blocks') },
  'blocking me': { blockedBy: true },
  'both blocking': { blocking: block(ME), blockedBy: true },
  'muted and blocked': { muted: true, blocking: block(ME) },
  'followed': { following: `at://${ME}/app.bsky.graph.follow/3kfollow22222` },
  'reposts muted': { mutedOnlyReposts: true },
  'quotes muted': { mutedOnlyQuoteposts: true },
  'nothing': { muted: false, blockedBy: false },
}

const record = (text, fields = {}) => ({ $type: 'app.bsky.feed.post', text, createdAt: AT, ...fields })
const postView = (author, fields = {}) => ({
  uri: post(author.did), cid: CID, author, record: record('Hello'), indexedAt: AT, ...fields,
})
const quoted = (author, fields = {}) => ({
  $type: 'app.bsky.embed.record#viewRecord', uri: post(author.did), cid: CID, author, value: record('Hello'), indexedAt: AT, ...fields,
})
const quoteOf = (view) => ({ $type: 'app.bsky.embed.record#view', record: view })
const image = { image: { $type: 'blob', ref: { $link: CID.replace('bafyrei', 'bafkrei') }, mimeType: 'image/png', size: 10 } }
const images = (alt) => ({ $type: 'app.bsky.embed.images', images: [{ ...image, alt: 'a cat' }, { ...image, alt }] })
const gallery = (alt) => ({ $type: 'app.bsky.embed.gallery', items: [
  { $type: 'app.bsky.embed.gallery#image', ...image, alt, aspectRatio: { width: 1, height: 1 } }] })
const video = (alt) => ({ $type: 'app.bsky.embed.video', video: { ...image.image, mimeType: 'video/mp4' }, alt })
const link = (title, description) => ({ $type: 'app.bsky.embed.external', external: { uri: 'https://web.example', title, description } })
const linkView = (title, description) => ({ ...link(title, description), $type: 'app.bsky.embed.external#view' })
const imagesView = (alt) => ({ $type: 'app.bsky.embed.images#view', images: [
  { thumb: 'https://cdn.example/t', fullsize: 'https://cdn.example/f', alt }] })
const mediaView = (view, media) => ({ $type: 'app.bsky.embed.recordWithMedia#view', record: quoteOf(view), media })
const withMedia = (media) => ({
  $type: 'app.bsky.embed.recordWithMedia', media,
  record: { $type: 'app.bsky.embed.record', record: { uri: post(CARLA), cid: CID } },
})
const tag = (text) => ({ index: { byteStart: 0, byteEnd: 5 }, features: [{ $type: 'app.bsky.richtext.facet#tag', tag: text }] })

const feed = (creator, fields = {}) => ({
  uri: `at://${creator.did}/app.bsky.feed.generator/feed`, cid: CID, did: 'did:web:feed.test', creator, displayName: 'A feed', indexedAt: AT, ...fields,
})
const list = (creator, fields = {}) => ({
  uri: `at://${BOB}/app.bsky.graph.list/3klist2222222`, cid: CID, name: 'A list', purpose: 'app.bsky.graph.defs#curatelist',
  ...(creator && { creator }), indexedAt: AT, ...fields,
})
const notification = (author, fields = {}) => ({
  uri: post(author.did), cid: CID, author, reason: 'reply', reasonSubject: post(ME), record: record('Hello'), isRead: false, indexedAt: AT, ...fields,
})
const status = (fields = {}) => ({ uri: `at://${BOB}/app.bsky.actor.status/self`, cid: CID, status: 'app.bsky.actor.status#live', record: {}, ...fields })

export const subjects = {}
const add = (name, kind, view) => {
  if (subjects[name]) throw new Error(name)
  subjects[name] = { kind, view }
}

const PROFILE = (did) => `at://${did}/app.bsky.actor.profile/self`
const SOURCES = { 'the labeler': LABELER, 'itself': BOB, 'somebody else': STRANGER }
const bob = (fields) => profile(BOB, fields)

for (const val of ['!hide', '!warn', '!no-unauthenticated', ...GLOBAL, 'bot', 'unheard-of', 'spoiler', 'quiet', 'rude', 'with1digit',
  'no-default', ...DEFINED.map(({ identifier }) => identifier)]) {
  add(`account labelled ${val}`, 'profile', bob({ labels: [label(val, BOB)] }))
  add(`profile labelled ${val}`, 'profile', bob({ labels: [label(val, PROFILE(BOB))] }))
  add(`post labelled ${val}`, 'post', postView(bob(), { labels: [label(val, post(BOB))] }))
}
for (const val of ['!hide', '!warn', '!no-unauthenticated', 'porn', 'nudity', 'bot', 'spoiler']) {
  for (const [by, src] of Object.entries(SOURCES).slice(1)) {
    add(`account labelled ${val} by ${by}`, 'profile', bob({ labels: [label(val, BOB, src)] }))
    add(`profile labelled ${val} by ${by}`, 'profile', bob({ labels: [label(val, PROFILE(BOB), src)] }))
    add(`post labelled ${val} by ${by}`, 'post', postView(bob(), { labels: [label(val, post(BOB), src)] }))
  }
  add(`post whose author is labelled ${val}`, 'post', postView(bob({ labels: [label(val, BOB)] })))
  add(`post whose profile is labelled ${val}`, 'post', postView(bob({ labels: [label(val, PROFILE(BOB))] })))
  add(`quote of a post labelled ${val}`, 'post', postView(bob(), {
    embed: quoteOf(quoted(profile(CARLA), { labels: [label(val, post(CARLA))] })) }))
  add(`quote of a post whose author is labelled ${val}`, 'post', postView(bob(), {
    embed: quoteOf(quoted(profile(CARLA, { labels: [label(val, CARLA), label(val, PROFILE(CARLA))] }))) }))
  add(`feed labelled ${val}`, 'feed', feed(bob(), { labels: [label(val, `at://${BOB}/app.bsky.feed.generator/feed`)] }))
  add(`feed whose creator is labelled ${val}`, 'feed', feed(bob({ labels: [label(val, BOB), label(val, PROFILE(BOB))] })))
  add(`list labelled ${val}`, 'list', list(bob(), { labels: [label(val, `at://${BOB}/app.bsky.graph.list/3klist2222222`)] }))
  add(`list without its creator labelled ${val}`, 'list', list(undefined, { labels: [label(val, `at://${BOB}/app.bsky.graph.list/3klist2222222`)] }))
  add(`list without its creator labelled ${val} by itself`, 'list', list(undefined, { labels: [label(val, `at://${BOB}/app.bsky.graph.list/3klist2222222`, BOB)] }))
  add(`notification labelled ${val}`, 'notification', notification(bob(), { labels: [label(val, post(BOB))] }))
  add(`notification by an account labelled ${val}`, 'notification', notification(bob({ labels: [label(val, BOB), label(val, PROFILE(BOB))] })))
  add(`status labelled ${val}`, 'status', bob({ status: status({ labels: [label(val, `at://${BOB}/app.bsky.actor.status/self`)] }) }))
  add(`status of an account labelled ${val}`, 'status', bob({ status: status(), labels: [label(val, BOB), label(val, PROFILE(BOB))] }))
}
add('no status', 'status', bob())
add('no status of a muted account', 'status', bob({ viewer: { muted: true }, labels: [label('!warn', BOB)] }))
for (const [how, viewer] of Object.entries(VIEWERS)) {
  add(`account ${how}`, 'profile', bob({ viewer }))
  add(`post by an account ${how}`, 'post', postView(bob({ viewer })))
  add(`feed by an account ${how}`, 'feed', feed(bob({ viewer })))
  add(`list by an account ${how}`, 'list', list(bob({ viewer })))
  add(`notification by an account ${how}`, 'notification', notification(bob({ viewer })))
  add(`status of an account ${how}`, 'status', bob({ viewer, status: status() }))
  add(`quote of an account ${how}`, 'post', postView(bob(), { embed: quoteOf(quoted(profile(CARLA, { viewer }))) }))
  add(`quote with media of an account ${how}`, 'post', postView(bob(), { embed: mediaView(quoted(profile(CARLA, { viewer })), imagesView('a cat')) }))
  const hidden = { $type: 'app.bsky.embed.record#viewBlocked', uri: post(CARLA), blocked: true, author: { did: CARLA, viewer } }
  add(`blocked quote of an account ${how}`, 'post', postView(bob(), { embed: quoteOf(hidden) }))
  add(`blocked quote with media of an account ${how}`, 'post', postView(bob(), { embed: mediaView(hidden, imagesView('a cat')) }))
}
const gone = { uri: post(CARLA), $type: 'app.bsky.embed.record#viewNotFound', notFound: true }
add('blocked quote without more', 'post', postView(bob(), { embed: quoteOf({
  $type: 'app.bsky.embed.record#viewBlocked', uri: post(CARLA), blocked: true, author: { did: CARLA } }) }))
add('quote of a post that is gone', 'post', postView(bob(), { embed: quoteOf(gone) }))
add('quote of a detached post', 'post', postView(bob(), { embed: quoteOf({ $type: 'app.bsky.embed.record#viewDetached', uri: post(CARLA), detached: true }) }))
add('quote of a feed of a labelled account', 'post', postView(bob(), { embed: quoteOf({
  $type: 'app.bsky.feed.defs#generatorView', ...feed(profileView(CARLA, { viewer: { muted: true }, labels: [label('!hide', CARLA)] })) }) }))
add('quote of a hidden post', 'post', postView(bob(), { embed: quoteOf(quoted(profile(CARLA), { uri: post(CARLA, '3khidden22222') })) }))
add('quote with media of a hidden post', 'post', postView(bob(), {
  embed: mediaView(quoted(profile(CARLA), { uri: post(CARLA, '3khidden22222') }), imagesView('a cat')) }))
add('hidden post', 'post', postView(bob(), { uri: post(BOB, '3khidden22222') }))
add('notification about a hidden post', 'notification', notification(bob(), { uri: post(BOB, '3khidden22222') }))
add('quote of my own post', 'post', postView(bob(), { embed: quoteOf(quoted(profile(ME, { labels: [label('!hide', ME)] }))) }))

// Several causes at once: their order counts.
const many = [label('porn', BOB), label('!warn', BOB), label('sexual', PROFILE(BOB)), label('!hide', BOB), label('spoiler', BOB)]
add('account with many labels', 'profile', bob({ labels: many, viewer: { muted: true, blocking: block(ME) } }))
add('post with many labels', 'post', postView(bob({ labels: many, viewer: { muted: true } }), {
  labels: [label('graphic-media', post(BOB)), label('!warn', post(BOB)), label('porn', post(BOB))], uri: post(BOB, '3khidden22222'),
  record: record('spiders'), embed: quoteOf(quoted(profile(CARLA, { viewer: { muted: true } }), { labels: [label('sexual', post(CARLA))] })) }))
add('notification with many labels', 'notification', notification(bob({ labels: many }), { labels: [label('graphic-media', post(BOB))] }))
add('one label by two labelers', 'profile', bob({ labels: [label('rude', BOB, LABELER), label('rude', BOB, SECOND), label('spoiler', BOB, SECOND)] }))

// Muted words, wherever they are.
const said = (name, fields, author = bob()) => add(name, 'post', postView(author, fields))
said('muted word in the text', { record: record('I like spiders.') })
said('muted word in a tag of the text', { record: record('#tag', { facets: [tag('onlytag')] }) })
said('muted word in a tag', { record: record('Hello', { tags: ['OnlyTag'] }) })
said('word muted only as a tag', { record: record('an onlytag here') })
said('word muted in the past', { record: record('it is over') })
said('word muted for strangers', { record: record('hello strangers') })
said('word muted for strangers, by a followed account', { record: record('hello strangers') },
  bob({ viewer: { following: `at://${ME}/app.bsky.graph.follow/3kfollow22222` } }))
said('muted word in an alternative text', { record: record('look', { embed: images('spiders!') }) })
said('muted word in the alternative text of a gallery', { record: record('look', { embed: gallery('spiders!') }) })
said('muted word in the alternative text of a video', { record: record('look', { embed: video('spiders!') }) })
said('muted word in the title of a link', { record: record('look', { embed: link('Spiders', '') }), embed: linkView('Spiders', '') })
said('muted word in the description of a link', { record: record('look', { embed: link('', 'All about spiders') }), embed: linkView('', 'All about spiders') })
said('muted word in a link of the record only', { record: record('look', { embed: link('Spiders', '') }) })
said('muted word in a link of the view only', { record: record('look'), embed: linkView('Spiders', '') })
said('muted word in an image of the view only', { record: record('look'), embed: imagesView('spiders') })
said('muted word in media beside a quote', {
  record: record('look', { embed: withMedia(images('spiders')) }), embed: mediaView(quoted(profile(CARLA)), imagesView('spiders')) })
said('muted word in a link beside a quote', {
  record: record('look', { embed: withMedia(link('spiders', '')) }), embed: mediaView(quoted(profile(CARLA)), linkView('spiders', '')) })
said('muted word in a video beside a quote', {
  record: record('look', { embed: withMedia(video('spiders')) }), embed: mediaView(quoted(profile(CARLA)), imagesView('x')) })
for (const [how, value] of Object.entries({
  'text': record('spiders'), 'tag': record('Hello', { tags: ['spiders'] }), 'alternative text': record('look', { embed: images('spiders') }),
  'link': record('look', { embed: link('spiders', '') }), 'description': record('look', { embed: link('', 'spiders') }),
  'media beside a quote': record('look', { embed: withMedia(images('spiders')) }),
  'link beside a quote': record('look', { embed: withMedia(link('spiders', '')) }),
  'text for strangers': record('strangers'),
})) {
  said(`muted word in the ${how} of a quoted post`, { embed: quoteOf(quoted(profile(CARLA), { value })) })
  said(`muted word in the ${how} of a quoted post beside media`, { embed: mediaView(quoted(profile(CARLA), { value }), imagesView('x')) })
}
said('muted word in the name of the author', {}, bob({ displayName: 'spiders', description: 'spiders' }))
said('muted word in the text of a followed author who is muted', { record: record('spiders') }, bob({ viewer: { muted: true } }))
add('muted word in a notification', 'notification', notification(bob(), { record: record('spiders') }))
add('muted word in a profile', 'profile', bob({ displayName: 'spiders', description: 'spiders' }))
add('muted word in a list', 'list', list(bob(), { name: 'spiders', description: 'spiders' }))
add('muted word in a feed', 'feed', feed(bob(), { displayName: 'spiders' }))
