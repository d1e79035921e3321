// Muted words and texts; each word is looked for in each text.

const id = (value, more = {}) => ({
  id: [value, ...Object.entries(more).map(([name, one]) => `${name} ${JSON.stringify(one)}`)].join(', '),
  value, targets: ['content', 'tag'], ...more,
})

export const words = [
  ...['cat', 'Cat', 'CAT', 'cats', 'a', 'é', 'É', 'ё', 'ß', 'STRASSE', 'İ', 'Σ', 'ς', '希', '希望', '日本', '고양이', 'แมว', 'xin', 'xin chào',
    'hello world', 'hello  world', 'Hello, World', 'dog-walk', 'dog walk', 'dogwalk', 'walk', 'and/or', 'andor', 'or', 'and', 's@ssy', 'sssy',
    '!', '!!', '...', '.', ':)', '#cat', '@cat', 'cat.example', 'example', 'c.a.t', 'tv', "don't", 'dont', 'don', 't', '(cat)', '[cat', '🐈', '👨‍👩‍👧',
    '👨', '❤️', '❤', 'café', 'cafe\u0301', 'a\u00a0b', 'b', 'the quick brown fox', 'new york', 'New-York', 'york', '100', '1,000', '1000', '$5', '5', '%',
    'C++', 'C', 'c#', 'under_score', 'under', 'score', 'naïve', 'Ελλάδα', 'привет', 'שלום', 'مرحبا', 'नमस्ते', '–', 'long\nline', 'line', '「猫」', '猫',
    'ｃａｔ', 'bluesky', 'bsky.app', 'https://bsky.app', 'rock’n’roll', "rock'n'roll", 'rocknroll', 'n', 'e-mail', 'email', 'mail', 'x', 'xx',
  ].map((value) => id(value)),
  id('cat', { targets: ['content'] }),
  id('cat', { targets: ['tag'] }),
  id('cat', { targets: ['unheard-of'] }),
  id('cat', { targets: [] }),
  id('cat', { actorTarget: 'all' }),
  id('cat', { actorTarget: 'exclude-following' }),
  id('cat', { actorTarget: 'unheard-of' }),
  id('cat', { expiresAt: '2020-01-01T00:00:00.000Z' }),
  id('cat', { expiresAt: '2999-01-01T00:00:00.000Z' }),
  id('cat', { expiresAt: '2020-01-01T00:00:00.000Z', actorTarget: 'exclude-following' }),
]

const tag = (text) => ({ index: { byteStart: 0, byteEnd: 1 }, features: [{ $type: 'app.bsky.richtext.facet#tag', tag: text }] })
const link = { index: { byteStart: 0, byteEnd: 1 }, features: [{ $type: 'app.bsky.richtext.facet#link', uri: 'https://cat.example' }] }
const me = (following) => ({ did: 'did:web:bob.test', handle: 'bob.test', viewer: following ? { following: 'at://did:web:me.test/app.bsky.graph.follow/3kfollow22222' } : {} })

export const texts = [
  ...['', ' ', 'cat', 'Cat', 'a cat', 'cats', 'concatenate', 'cat.', '(cat)', '"cat"', '“cat”', '¿cat?', '#cat', '@cat', '@cat.example', 'cat/dog', 'cat-dog',
    'cat_dog', "cat's", 'cat’s', 'ca t', 'c.a.t', 'c-a-t', 'cat!!!', '...cat...', '🐈cat🐈', 'cat🐈', '🐈', 'a 🐈 b', 'family 👨‍👩‍👧', '👨', 'I ❤️ you', 'i❤you',
    'hello world', 'Hello, World!', 'hello   world', 'hello\nworld', 'helloworld', 'say hello world now', 'dog-walk', 'a dog-walking day', 'dog walk', 'dogwalk',
    'and/or', 'this and/or that', 'andor', 'Andor', 'this and that', 'or', 's@ssy', 's@@ssy!', 'sassy', '!', 'wow!', 'wow!!', '...', 'well...', ':)', 'nice :)', 'TV', 'T.V.', 't.v',
    "don't", 'don’t', 'dont', 'do not', 'café', 'cafe', 'cafe\u0301', 'CAFÉ', 'é', 'été', 'Straße', 'STRASSE', 'strasse', 'İstanbul', 'istanbul', 'İ', 'ΟΔΟΣ', 'οδος', 'Σ', 'ς',
    'ёлка', 'ё', '希望', '私は希望があります', '希', '日本語', '日本 の 猫', '「猫」', '猫。犬', '고양이가 좋아', '고양이', 'แมวน่ารัก', 'xin chào các bạn', 'xin',
    'the quick brown fox jumps', 'the quick, brown fox', 'New York', 'new-york', 'newyork', 'in New York.', '100', '100%', '$100', '1,000', '1000', '1.000', '$5', '5', '5%',
    'C++', 'C++ is fine', 'C# and C', 'c', 'under_score', 'underscore', 'under score', 'naïve', 'Ελλάδα μου', 'Привет, мир', 'שלום עולם', 'مرحبا، عالم', 'नमस्ते।',
    'a–b', 'a — b', 'long\nline', 'long line', 'line\tbreak', 'a\u00a0b', 'a\u3000b', 'a\u200bb', 'a\ufeffb', 'a\u0085b', 'ｃａｔ', 'bsky.app', 'see https://bsky.app/profile/cat', 'https://bsky.app', 'bluesky/bsky',
    "rock'n'roll", 'rock’n’roll', 'rock n roll', 'e-mail', 'email', 'E-Mail!', 'x', 'xx', 'xxx', 'a x b', 'b', 'a.b', 'a/b', '/cat/', 'cat/', '/cat', '-cat-', '--', '$cat', '+cat+', '`cat`', '^cat', '~cat~', '<cat>', '=cat', '|cat|', 'cat·dog', 'cat•dog', '§cat', '¶cat',
  ].map((text) => ({ text })),
  ...['ja', 'zh', 'ko', 'th', 'vi', 'en', 'ja-JP', 'JA', ''].flatMap((language) => ['concatenate', '私は希望があります', 'xin chàocác', 'แมวน่ารัก'].map((text) => ({ text, languages: [language] }))),
  { text: 'concatenate', languages: ['en', 'ja'] },
  { text: 'concatenate', languages: [] },
  { text: 'nothing', tags: ['cat'] },
  { text: 'nothing', tags: ['CAT', 'dog walk'] },
  { text: 'nothing', tags: ['cats'] },
  { text: 'nothing', tags: ['#cat'] },
  { text: 'nothing', tags: ['a'] },
  { text: 'nothing', facets: [tag('cat')] },
  { text: 'nothing', facets: [link, tag('Cat')] },
  { text: 'nothing', facets: [tag('concat')] },
  { text: 'nothing', facets: [link] },
  { text: 'cat', facets: [tag('cat')], tags: ['cat'] },
  { text: 'a cat', actor: me(true) },
  { text: 'a cat', actor: me(false) },
  { text: 'nothing', tags: ['cat'], actor: me(true) },
]
