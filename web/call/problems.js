// @ts-check
/**
 * Everything that can fail, by name: one list for REST, sockets and the browser, whatever a dialect calls it.
 *
 * @module
 */

/** @typedef {import('./types.js').CallProblem} CallProblem */

/**
 * Each code with the SDK's own sentence, for where the server sent none, and whether trying again later may help.
 * @type {Readonly<Record<string, {text: string, retry: boolean}>>}
 */
export const PROBLEMS = Object.freeze({
  // The way to the server.
  network: { text: 'The server cannot be reached', retry: true },
  timeout: { text: 'The server did not answer in time', retry: true },
  bad_answer: { text: 'The server answered with something that is not understood', retry: true },
  rate_limited: { text: 'Too many requests; wait a moment', retry: true },
  unavailable: { text: 'The server cannot do this at the moment', retry: true },
  server_full: { text: 'The server has no room at the moment', retry: true },
  server_error: { text: 'The server failed to do this', retry: true },
  not_built_yet: { text: 'This server cannot do this yet', retry: false },
  // Who somebody is.
  signed_out: { text: 'The session has ended; sign in again', retry: false },
  invalid_credentials: { text: 'The name or the password is wrong', retry: false },
  mfa_invalid: { text: 'The code is wrong or was used before', retry: false },
  mfa_expired: { text: 'This login has expired; begin again', retry: false },
  account_inactive: { text: 'The account is deactivated', retry: false },
  registration_closed: { text: 'Registration is closed on this server', retry: false },
  reset_invalid: { text: 'The reset token is not valid or has expired', retry: false },
  // What was asked.
  validation: { text: 'Something in the form is not valid', retry: false },
  taken: { text: 'This is taken', retry: false },
  conflict: { text: 'This does not fit to what is there', retry: false },
  too_many_watched: { text: 'The presence of so many people cannot be looked at', retry: false },
  limit_reached: { text: 'There are as many of these as there may be', retry: false },
  forbidden: { text: 'This is not permitted', retry: false },
  not_found: { text: 'There is nothing of this kind', retry: false },
  user_not_found: { text: 'Somebody who is to be called does not exist', retry: false },
  // A call, and why it is over.
  already_in_call: { text: 'You are in another call', retry: false },
  answered_elsewhere: { text: 'Another device of yours has taken this call', retry: false },
  call_over: { text: 'The call is over', retry: false },
  call_locked: { text: 'The host has locked the call', retry: false },
  call_full: { text: 'The call has all the people it may have', retry: true },
  removed: { text: 'The host has removed you from the call', retry: false },
  left: { text: 'You have left the call', retry: false },
  replaced: { text: 'The call goes on in another window', retry: false },
  connection_lost: { text: 'The connection was lost for too long', retry: true },
  // Its recording.
  recording_not_allowed: { text: 'This server does not let you record this call', retry: false },
  call_not_ongoing: { text: 'Only a call that is ongoing is recorded', retry: false },
  recording_in_progress: { text: 'The call is being recorded', retry: false },
  not_recording: { text: 'The call is not being recorded', retry: false },
  consent_not_asked: { text: 'This server announces recordings and asks nobody', retry: false },
  too_many_answers: { text: 'You have agreed too often to this recording', retry: false },
  // Conversations.
  message_too_long: { text: 'The message is longer than the server takes', retry: false },
  edited_since: { text: 'The message was edited meanwhile', retry: false },
  archived: { text: 'The conversation is archived', retry: false },
  invitation_invalid: { text: 'The invitation is not known, or not good any more', retry: false },
  conversation_full: { text: 'The conversation has all the members it may have', retry: false },
  // Sealed ones.
  sealing_unsupported: { text: 'This browser cannot seal messages', retry: false },
  no_device: { text: 'Somebody here has no device yet that can read sealed messages', retry: false },
  too_many_devices: { text: 'The conversation has too many devices to seal for', retry: false },
  last_owner: { text: 'The last owner cannot go without handing over', retry: false },
  // What is spoken.
  participant_absent: { text: 'Whom you mean is not in the call', retry: false },
  not_joined: { text: 'This needs somebody who is in the call', retry: false },
  protocol_error: { text: 'The server did not understand this page; load it again', retry: false },
  too_many_sockets: { text: 'Too many windows of yours are connected; close some', retry: true },
  sdp_invalid: { text: 'The server cannot read what this browser offers', retry: false },
  sdp_unacceptable: { text: 'This browser and the server have nothing in common to speak', retry: false },
  negotiation_timeout: { text: 'The browser took too long to answer the server', retry: true },
  negotiation_failed: { text: 'The browser refused what the server offers', retry: true },
  media_failed: { text: 'Sound and picture do not get through; the network may block them', retry: true },
  media_ended: { text: 'The server has ended sound and picture', retry: true },
  playback_failed: { text: 'The browser cannot play what it receives', retry: true },
  encryption_unsupported: { text: 'This browser cannot encrypt end to end', retry: false },
});

/**
 * @param {string} code one of `PROBLEMS`; another is kept, and counts as a failure of the server
 * @param {{text?: unknown, retryAfter?: unknown, info?: unknown}} [more]
 * @returns {CallProblem}
 */
export function problem(code, more = {}) {
  const known = Object.hasOwn(PROBLEMS, code) ? PROBLEMS[code] : PROBLEMS.server_error;
  const retryAfter = Number(more.retryAfter);
  return Object.freeze({
    code,
    text: typeof more.text === 'string' && more.text !== '' ? more.text : known.text,
    retry: known.retry,
    retryAfter: Number.isFinite(retryAfter) && retryAfter > 0 ? retryAfter : null,
    info: isObject(more.info) ? more.info : {},
  });
}

/** @param {unknown} value @returns {value is Record<string, any>} */
export function isObject(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What five dialects call the same thing. @type {Readonly<Record<string, string>>} */
const NAMES = Object.freeze({
  authentication_required: 'signed_out', unauthorized: 'signed_out', invalid_token: 'signed_out',
  token_expired: 'signed_out', invalid_refresh_token: 'signed_out',
  invalid_code: 'mfa_invalid', insufficient_permissions: 'forbidden', insufficient_scope: 'forbidden',
  invalid_reset_token: 'reset_invalid', validation_error: 'validation', invalid_payload: 'validation',
  bad_request: 'validation', invalid_message: 'protocol_error', resource_already_exists: 'taken',
  resource_not_found: 'not_found', rate_limit_exceeded: 'rate_limited', too_many_requests: 'rate_limited',
  limit_exceeded: 'limit_reached', quota_exceeded: 'limit_reached', service_unavailable: 'unavailable',
  not_implemented: 'not_built_yet', internal_error: 'server_error', internal_server_error: 'server_error',
  user_already_in_call: 'already_in_call', call_ended: 'call_over', removed_from_call: 'removed',
  version_conflict: 'edited_since', channel_full: 'conversation_full', chatroom_full: 'conversation_full',
  chatroom_invite_invalid: 'invitation_invalid', not_in_call: 'not_joined', idempotency_pending: 'conflict', idempotency_mismatch: 'conflict',
});

/**
 * The one name for what a dialect calls `TOKEN_EXPIRED`, `invalid_token`, …
 * @param {unknown} code @returns {string|null}
 */
export function canonicalCode(code) {
  if (typeof code !== 'string') return null;
  const name = code.toLowerCase();
  if (Object.hasOwn(NAMES, name)) return NAMES[name];
  return Object.hasOwn(PROBLEMS, name) ? name : null;
}
