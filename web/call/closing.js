// @ts-check
/**
 * What follows when a socket closes, by its code, by what the server said before, and by how often it happened. Pure.
 *
 * @module
 */

import { problem } from './problems.js';

/** @typedef {import('./types.js').CallProblem} CallProblem */

/**
 * - `end`: nothing more; `problem` says why.
 * - `retry`: open again after `wait` milliseconds at least, and resume.
 * - `rejoin`: at once, and anew: the place is gone, the call may be there.
 * @typedef {{kind: 'end', problem: CallProblem}
 *   | {kind: 'retry', wait: number, problem: CallProblem}
 *   | {kind: 'rejoin'}} Verdict
 */

/** Codes of ours. 1000 would mean a hang-up, so it is for that alone. */
export const CLOSE = Object.freeze({ hangUp: 1000, noAnswer: 3001, moving: 3002, tooSlow: 3003 });

/** After a refusal for too many messages or sockets: long enough that the next try is no part of the flood. */
const FLOOD_WAIT = 10_000;

/** Why a join, or what followed it, is refused for good. */
const FINAL = new Set([
  'call_over', 'call_locked', 'removed', 'not_found', 'already_in_call', 'answered_elsewhere', 'call_full', 'forbidden',
  'sdp_unacceptable',
]);

/** Whether an `error` to a join ends the matter. @param {CallProblem} told */
export function isFinal(told) { return FINAL.has(told.code); }

/**
 * @param {number} code
 * @param {string} reason
 * @param {{told: CallProblem|null, refusals: number, resuming: boolean}} context `told`: why the join
 *   was refused, or how long to wait; `refusals`: closures with 4001 in a row, this one not counted; `resuming`: a resume token was presented
 * @returns {Verdict}
 */
export function verdictOf(code, reason, { told, refusals, resuming }) {
  switch (code) {
    case 1000:
      return end(reason === 'replaced' ? 'replaced' : 'left', null);
    case 1002: case 1003: case 1007: case 1009: case 1010: case 4002:
      return end('protocol_error', told);
    case 4001:
      // The token may have ended on the way; a fresh one is tried once.
      return refusals === 0 ? retry('signed_out', 0) : end('signed_out', null);
    case 4003:
      return retry(reason === 'too many sockets' ? 'too_many_sockets' : 'rate_limited', FLOOD_WAIT);
    case 4004:
      if (told?.code === 'resume_invalid' || (resuming && told === null)) return { kind: 'rejoin' };
      return end(told && isFinal(told) ? told.code : 'call_over', told);
    case 4005:
      return end(told && isFinal(told) ? told.code : denial(reason), told);
    default:
      return retry('network', 0);
  }
}

/** @param {string} reason */
function denial(reason) { return reason.startsWith('removed') ? 'removed' : 'forbidden'; }

/** @param {string} code @param {CallProblem|null} told @returns {Verdict} */
function end(code, told) {
  return { kind: 'end', problem: told?.code === code ? told : problem(code) };
}

/** @param {string} code @param {number} wait @returns {Verdict} */
function retry(code, wait) { return { kind: 'retry', wait, problem: problem(code) }; }

/** The first wait; half of it is left to chance, so that a thousand clients of one server do not come at once. */
const FIRST_DELAY = 300;
/** Longer waits keep people out after the network is back; shorter ones burden a server that starts. */
const LONGEST_DELAY = 10_000;

/**
 * Milliseconds before a try.
 * @param {number} attempt from 1 @param {() => number} random from 0 to below 1
 */
export function delayBefore(attempt, random) {
  const whole = Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** Math.min(attempt - 1, 10));
  return Math.round(whole / 2 + random() * (whole / 2));
}
