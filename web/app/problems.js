// @ts-check
// What failed, in words that say what to do.

import { hasText, text } from './text.js';

/** @typedef {import('../call/types.js').CallProblem} CallProblem */

/**
 * The client's own sentence for a known code; the server's where the code is of tomorrow. Of a refused form only the
 * server knows what is wrong, so its words are shown.
 * @param {CallProblem} problem
 * @returns {string}
 */
export function problemText(problem) {
  const key = `problem.${problem.code}`;
  return hasText(key) ? text(key, { detail: problem.text }) : problem.text;
}
