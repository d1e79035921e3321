// Changes of texts with facets, each a range and its tag.

// What is inserted and where, and which range is deleted, each on its own.
export const edits = [
  {
    text: 'one two three', facets: [[4, 7, 'b'], [8, 13, 'c']],
    insert: [
      [0, 'XY'], [0, 'é👍'], [3, 'XY'], [3, 'é👍'], [4, 'XY'], [4, 'é👍'], [5, 'XY'], [5, 'é👍'], [6, 'XY'], [6, 'é👍'],
      [7, 'XY'], [7, 'é👍'], [8, 'XY'], [8, 'é👍'], [10, 'XY'], [10, 'é👍'], [13, 'XY'], [13, 'é👍'],
    ],
    delete: [
      [0, 13], [0, 4], [0, 3], [0, 5], [4, 7], [5, 6], [5, 7], [4, 6], [3, 8], [6, 9], [7, 8], [0, 9], [2, 12],
      [8, 13], [9, 11], [12, 13], [0, 0], [5, 5], [4, 13], [0, 7],
    ],
  },
  {
    text: 'aé 日本 👍🏽 e\u0301', facets: [[4, 10, 'x'], [11, 19, 'y'], [20, 23, 'z']],
    insert: [
      [0, 'ß'], [3, 'ß'], [4, 'ß'], [7, 'ß'], [10, 'ß'], [11, 'ß'], [15, 'ß'], [19, 'ß'], [20, 'ß'], [23, 'ß'],
    ],
    delete: [
      [0, 4], [1, 7], [4, 10], [7, 11], [10, 11], [11, 15], [15, 19], [3, 20], [20, 23], [0, 23],
    ],
  },
]

// What is cleaned of line breaks.
export const uncleaned = [
  ['a\n\n\nb', []],
  ['a\n\nb', []],
  ['a\n \n \nb', []],
  ['a\r\n\r\nb', []],
  ['\n\n\na', []],
  ['a\n\n\n', []],
  ['x\n\n\n\n\ny\n\n\nz', []],
  ['a\n\u200b\n\u00ad\nb', []],
  [' a\n\n\n b', []],
  ['a\n\n b\n\n c', []],
  ['a\u2028\u2028\u2028b', []],
  ['a\n\n\nb #c', [[5, 7, 'c']]],
  ['a b\n\n\nc\n \n\nd', [[0, 3, 'x'], [6, 7, 'y'], [11, 12, 'z']]],
  ['ab\n\n\ncd', [[0, 7, 'x']]],
]

// Where there are other pieces than those of the reference, by the text that is left.
export const differences = {
  '': { ours: [], why: 'a text of nothing has no piece' },
}
