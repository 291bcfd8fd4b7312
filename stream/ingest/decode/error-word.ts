/** Whole words, in any case, by which a line without a level tells of an error: `0 errors` is none, `ERROR:` is one. */
export const errorWord = /\b(?:error|fatal|panic|severe|critical)\b/i
