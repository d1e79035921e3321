// The threads whose order is compared. A reply is its author, its key, its likes, the minute in which it was seen, and the
// replies to it. `op` has written the first post, `me` looks at it, and follows those whose names begin with `f`.

const reply = (author, key, likes, minute, ...replies) => ({ author, key, likes, minute, replies })

export const threads = {
  'no replies': [],
  'one reply': [reply('a', '1', 0, 1)],
  'replies of strangers': [
    reply('a', '1', 2, 3), reply('b', '2', 5, 1), reply('c', '3', 0, 4), reply('d', '4', 1, 2)],
  'as many likes': [reply('a', '1', 2, 3), reply('b', '2', 2, 1), reply('c', '3', 2, 4), reply('d', '4', 1, 2)],
  'one person more than once': [reply('a', '1', 2, 3), reply('a', '2', 5, 1), reply('b', '3', 3, 2)],
  'replies to replies': [
    reply('a', '1', 1, 1, reply('b', '2', 3, 5), reply('c', '3', 4, 4), reply('d', '4', 0, 6)),
    reply('b', '5', 7, 2, reply('e', '6', 0, 8, reply('c', '7', 2, 10), reply('d', '8', 9, 9)), reply('d', '9', 1, 7)),
    reply('c', '10', 3, 3)],
  'a reply of the author': [reply('a', '1', 9, 1), reply('op', '2', 0, 2), reply('b', '3', 4, 3)],
  'a reply of the viewer': [reply('a', '1', 9, 1), reply('me', '2', 0, 2), reply('b', '3', 4, 3)],
  'replies of the author and the viewer': [
    reply('a', '1', 9, 1), reply('me', '2', 0, 2), reply('b', '3', 4, 3), reply('op', '4', 1, 4)],
  'the author goes on': [
    reply('a', '1', 9, 1), reply('op', '2', 0, 2, reply('b', '3', 5, 5), reply('op', '4', 0, 6, reply('op', '5', 0, 7)))],
  'the viewer answers a reply': [reply('a', '1', 9, 1, reply('b', '2', 4, 3), reply('me', '3', 0, 4)), reply('c', '4', 1, 2)],
  'several replies of the author': [
    reply('op', '1', 3, 3), reply('a', '2', 9, 1), reply('op', '3', 1, 4), reply('op', '4', 2, 2)],
  'several replies of the viewer': [
    reply('me', '1', 3, 3), reply('a', '2', 9, 1), reply('me', '3', 1, 4), reply('me', '4', 2, 2)],
  'the author answers a reply': [reply('a', '1', 9, 1, reply('b', '2', 4, 3), reply('op', '3', 0, 4)), reply('c', '4', 1, 2)],
  'somebody answers themselves': [reply('a', '1', 9, 1, reply('b', '2', 4, 3), reply('a', '3', 0, 4)), reply('c', '4', 1, 2)],
  'a reply of somebody followed': [reply('a', '1', 9, 1), reply('friend', '2', 0, 2), reply('b', '3', 4, 3)],
}

// Threads of strangers, of any form.
let state = 7
const random = (below) => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0
  return (state >>> 8) % below
}
for (let n = 1; n <= 20; n += 1) {
  // Each is seen in another minute.
  const minutes = Array.from({ length: 40 }, (_, minute) => minute)
  let count = 0
  const some = (depth) => Array.from({ length: depth === 1 ? 2 + random(4) : random(4) }, () => {
    if (minutes.length === 0) return undefined
    const [minute] = minutes.splice(random(minutes.length), 1)
    const key = String(count += 1)
    return reply('abcdeg'[random(6)] + depth, key, random(5), minute, ...(depth < 3 ? some(depth + 1) : []))
  }).filter(Boolean)
  threads[`any thread ${n}`] = some(1)
}
