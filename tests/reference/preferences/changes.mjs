// The preferences that are read and changed, and the changes: each change of each list of preferences.

const kind = (name, fields) => ({ $type: `app.bsky.actor.defs#${name}`, ...fields })

const BOB = 'did:web:bob.test'
const LABELER = 'did:web:labeler.test'
const SECOND = 'did:web:second.test'
const POST = `at://${BOB}/app.bsky.feed.post/3kabcdefgh22a`
const OTHER = `at://${BOB}/app.bsky.feed.post/3kabcdefgh33b`
const CATS = `at://${BOB}/app.bsky.feed.generator/cats`
const DOGS = `at://${BOB}/app.bsky.feed.generator/dogs`
const LIST = `at://${BOB}/app.bsky.graph.list/3klist222222a`

const label = (name, visibility, labelerDid) =>
  kind('contentLabelPref', { ...(labelerDid && { labelerDid }), label: name, visibility })
const feed = (id, type, value, pinned) => ({ id, type, value, pinned })
const words = (items) => kind('mutedWordsPref', { items })

export const starts = {
  'nothing': [],
  'one of each': [
    kind('adultContentPref', { enabled: true }),
    label('porn', 'warn'), label('nsfw', 'warn'), label('rude', 'hide', LABELER), label('other', 'warn', SECOND),
    kind('labelersPref', { labelers: [{ did: LABELER }] }),
    kind('savedFeedsPrefV2', { items: [
      feed('1', 'timeline', 'following', true), feed('2', 'feed', CATS, true), feed('3', 'list', LIST, false)] }),
    kind('personalDetailsPref', { birthDate: '2000-01-02T00:00:00.000Z' }),
    kind('feedViewPref', { feed: 'home', hideReplies: true }),
    kind('threadViewPref', { sort: 'newest' }),
    kind('interestsPref', { tags: ['books'], updatedAt: '2020-01-02T03:04:05.000Z' }),
    words([{ id: '1', value: 'cat', targets: ['content', 'tag'], actorTarget: 'all' },
      { id: '2', value: 'dog', targets: ['tag'], actorTarget: 'exclude-following', expiresAt: '2030-01-02T03:04:05.000Z' }]),
    kind('hiddenPostsPref', { items: [POST] }),
    kind('verificationPrefs', { hideBadges: false }),
    kind('liveEventPreferences', { hiddenFeedIds: ['a'], hideAllFeeds: false }),
  ],
  'fields and kinds of newer apps': [
    kind('somethingNew', { value: { deep: [1, 2] } }),
    kind('adultContentPref', { enabled: false, since: 'long' }),
    { ...label('porn', 'hide'), strength: 3 },
    { ...words([{ id: '1', value: 'cat', targets: ['content'], actorTarget: 'all', color: 'red' }]), sorted: true },
    kind('hiddenPostsPref', { items: [POST], note: 'x' }),
    kind('labelersPref', { labelers: [{ did: LABELER, since: 'long' }], note: 'x' }),
    kind('feedViewPref', { feed: 'home', hideReposts: true, lab_mergeFeedEnabled: true }),
    kind('threadViewPref', { sort: 'upside-down', lab_treeViewEnabled: true }),
    kind('interestsPref', { tags: ['books'], note: 'x' }),
    kind('savedFeedsPrefV2', { items: [{ ...feed('1', 'orbit', 'x', true), color: 'red' }], note: 'x' }),
    kind('verificationPrefs', { hideBadges: true, note: 'x' }),
  ],
  'labels with older names': [
    label('nsfw', 'show'), label('suggestive', 'hide'), label('gore', 'warn'), label('graphic-media', 'hide'),
    label('porn', 'hide', LABELER), kind('labelersPref', { labelers: [{ did: LABELER }, { did: SECOND }] }),
  ],
  'muted words of older apps': [
    words([{ value: 'cat', targets: ['content'] }, { value: 'Cat', targets: ['tag'] }, { id: '1', value: 'dog', targets: [] },
      { value: 'cat', targets: ['content', 'tag'] }, { id: '', value: 'fish', targets: ['tag'] }]),
  ],
  'the same muted word twice': [
    words([{ id: '1', value: 'cat', targets: ['content'], actorTarget: 'all' },
      { id: '2', value: 'CAT', targets: ['tag'], actorTarget: 'exclude-following' }]),
  ],
  'empty preferences': [
    words([]), kind('hiddenPostsPref', { items: [] }), kind('labelersPref', { labelers: [] }), kind('interestsPref', { tags: [] }),
    kind('savedFeedsPrefV2', { items: [] }), kind('threadViewPref', {}), kind('feedViewPref', { feed: 'home' }),
    kind('verificationPrefs', {}), kind('personalDetailsPref', {}), kind('liveEventPreferences', {}),
  ],
  'feeds of the older form': [kind('savedFeedsPref', { pinned: [CATS, LIST], saved: [DOGS, CATS, LIST], timelineIndex: 0 })],
  'feeds of the older form with others': [kind('savedFeedsPref', { pinned: [POST, CATS, CATS], saved: [POST, OTHER, DOGS] })],
  'empty feeds of the older form': [kind('savedFeedsPref', { pinned: [], saved: [] })],
  'feeds of both forms': [
    kind('savedFeedsPref', { pinned: [CATS], saved: [CATS, DOGS] }),
    kind('savedFeedsPrefV2', { items: [
      feed('2', 'feed', CATS, true), feed('1', 'timeline', 'following', true), feed('3', 'feed', DOGS, false)] }),
  ],
  'pinned feeds behind others': [
    kind('savedFeedsPrefV2', { items: [
      feed('3', 'list', LIST, false), feed('2', 'feed', CATS, true), feed('4', 'feed', DOGS, false),
      feed('1', 'timeline', 'following', true)] }),
  ],
  'several of a kind': [
    kind('adultContentPref', { enabled: true }), kind('adultContentPref', { enabled: false }),
    label('porn', 'warn'), label('porn', 'hide'),
    words([{ id: '1', value: 'cat', targets: ['tag'], actorTarget: 'all' }]),
    words([{ id: '2', value: 'dog', targets: ['tag'], actorTarget: 'all' }]),
    kind('hiddenPostsPref', { items: [POST] }), kind('hiddenPostsPref', { items: [OTHER] }),
    kind('labelersPref', { labelers: [{ did: LABELER }] }), kind('labelersPref', { labelers: [{ did: SECOND }] }),
    kind('interestsPref', { tags: ['books'] }), kind('interestsPref', { tags: ['science'] }),
    kind('feedViewPref', { feed: 'home', hideReplies: true }), kind('feedViewPref', { feed: CATS, hideQuotePosts: true }),
    kind('feedViewPref', { feed: 'home', hideReposts: true }),
    kind('threadViewPref', { sort: 'oldest' }), kind('threadViewPref', { sort: 'most-likes' }),
    kind('savedFeedsPrefV2', { items: [feed('1', 'timeline', 'following', true)] }),
    kind('savedFeedsPrefV2', { items: [feed('2', 'feed', CATS, false)] }),
  ],
  'all feeds shown in full': [
    kind('feedViewPref', { feed: 'home', hideReplies: false, hideRepliesByUnfollowed: false, hideRepliesByLikeCount: 5,
      hideReposts: true, hideQuotePosts: true }),
    kind('threadViewPref', { sort: 'random' }),
  ],
}

/** Each is the name of what the clients call it, and what it is given. */
export const changes = {
  'adult content on': ['adultContent', true],
  'adult content off': ['adultContent', false],
  'porn warned of': ['label', { key: 'porn', value: 'warn' }],
  'sexual ignored': ['label', { key: 'sexual', value: 'ignore' }],
  'graphic media hidden': ['label', { key: 'graphic-media', value: 'hide' }],
  'nudity hidden': ['label', { key: 'nudity', value: 'hide' }],
  'rude of the labeler warned of': ['label', { key: 'rude', value: 'warn', labelerDid: LABELER }],
  'porn of the labeler ignored': ['label', { key: 'porn', value: 'ignore', labelerDid: LABELER }],
  'a labeler subscribed to': ['addLabeler', LABELER],
  'another labeler subscribed to': ['addLabeler', SECOND],
  'a labeler left': ['removeLabeler', LABELER],
  'a word muted': ['addWord', { value: 'bird', targets: ['content', 'tag'], actorTarget: 'all' }],
  'a word muted for strangers': ['addWord', {
    value: 'bird', targets: ['tag'], actorTarget: 'exclude-following', expiresAt: '2030-01-02T03:04:05.000Z' }],
  'a word muted without a target': ['addWord', { value: 'bird', targets: [] }],
  'a word muted that may be muted': ['addWord', { value: 'cat', targets: ['tag'], actorTarget: 'all' }],
  'a word changed': ['updateWord', { id: '1', value: 'cat', targets: ['tag'], actorTarget: 'exclude-following' }],
  'a word changed to end': ['updateWord', {
    id: '1', value: 'cat', targets: ['tag'], actorTarget: 'all', expiresAt: '2031-01-02T03:04:05.000Z' }],
  'a word changed to another': ['updateWord', { id: '1', value: 'kitten', targets: ['tag'], actorTarget: 'all' }],
  'a word changed to one that is muted': ['updateWord', { id: '1', value: 'dog', targets: ['content'], actorTarget: 'all' }],
  'a word changed to nothing': ['updateWord', { id: '1', value: '#', targets: ['tag'], actorTarget: 'all' }],
  'a word without an identifier changed': ['updateWord', { value: 'cat', targets: ['tag'], actorTarget: 'all' }],
  'an unknown word changed': ['updateWord', { id: '9', value: 'bird', targets: ['tag'], actorTarget: 'all' }],
  'a word unmuted': ['removeWord', { id: '1', value: 'cat', targets: [] }],
  'another word unmuted': ['removeWord', { id: '2', value: 'dog', targets: [] }],
  'a word without an identifier unmuted': ['removeWord', { value: 'cat', targets: [] }],
  'an unknown word unmuted': ['removeWord', { id: '9', value: 'bird', targets: [] }],
  'a post hidden': ['hidePost', POST],
  'another post hidden': ['hidePost', OTHER],
  'a post shown': ['unhidePost', POST],
  'interests set': ['interests', { tags: ['science', 'art'] }],
  'interests emptied': ['interests', { tags: [] }],
  'home without reposts': ['feedView', { feed: 'home', hideReposts: true }],
  'home with replies of all': ['feedView', { feed: 'home', hideReplies: false, hideRepliesByUnfollowed: false }],
  'a feed without quotes': ['feedView', { feed: CATS, hideQuotePosts: true }],
  'threads sorted': ['threadView', { sort: 'most-likes' }],
  'a feed saved': ['addFeed', { type: 'feed', value: DOGS, pinned: false }],
  'a feed pinned': ['addFeed', { type: 'feed', value: DOGS, pinned: true }],
  'a list saved': ['addFeed', { type: 'list', value: LIST, pinned: false }],
  'a saved feed unpinned': ['updateFeed', feed('2', 'feed', CATS, false)],
  'a saved list pinned': ['updateFeed', feed('3', 'list', LIST, true)],
  'an unknown feed pinned': ['updateFeed', feed('9', 'list', LIST, true)],
  'a saved feed removed': ['removeFeed', '2'],
  'the timeline removed': ['removeFeed', '1'],
  'an unknown feed removed': ['removeFeed', '9'],
  'feeds replaced': ['replaceFeeds', [feed('7', 'feed', DOGS, false), feed('8', 'timeline', 'following', true)]],
  'badges hidden': ['verification', { hideBadges: true }],
  'a date of birth set': ['birthDate', '1999-12-31T00:00:00.000Z'],
  'a live event hidden': ['hideLiveEvent', 'b'],
}

/** Words as they are typed, of which each is muted on its own. */
export const typed = [
  'bird', 'Bird of prey', '  bird ', '#bird', '  #Bird of prey ', '##bird', '# bird', '#', ' # ', '', ' ',
  '@bird', '$BIRD', '#\ufe0f\u20e3', '\u{1f426}', '\u{1f468}\u200d\u{1f469}\u200d\u{1f467}', '日本', 'e\u0301',
  '\u200b', '\u200b\u00ad', '\u200bbird', 'bird\u200b', 'bird\u200d', 'b\u200bird', 'b\u200bir\u00add',
  'bir\u2060\u200cd', 'b\u00adir\u200b\u200bd', 'a\nbird', 'a\r\nbird', 'a\n\nbird\n\nflies', 'a\tbird',
  'a  bird', '\ufeffbird', 'bird#', '#bird #prey', 'https://bird.example', '*', 'a.b', '#1',
]
