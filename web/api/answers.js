// @ts-check
/**
 * What the server answers, turned into values: pure. Errors of all dialects become one shape, names become ours, and
 * what is missing or of another type is null, never a trap later.
 *
 * @module
 */

import { canonicalCode, isObject, problem } from '../call/problems.js';

/** @typedef {import('../call/types.js').CallProblem} CallProblem */

/**
 * @typedef {object} User
 * @property {string} id
 * @property {string} username
 * @property {string} displayName the user name where none is set
 * @property {string|null} avatarUrl
 * @property {string|null} email own account, or an administrator asks
 * @property {readonly string[]} roles
 * @property {string|null} createdAt
 */

/**
 * @typedef {object} CallMember
 * @property {string} userId
 * @property {'invited'|'ringing'|'joined'|'left'|'declined'|'missed'|'busy'|'removed'|string} state
 * @property {string|null} joinedAt
 * @property {string|null} leftAt
 */

/**
 * @typedef {object} CallRecord
 * @property {string} id
 * @property {string} callerId
 * @property {string|null} hostId
 * @property {'audio'|'video'} type
 * @property {string} status
 * @property {string|null} endReason
 * @property {boolean} locked
 * @property {string|null} startedAt
 * @property {string|null} endedAt
 * @property {number|null} duration seconds from the answer to the end
 * @property {readonly CallMember[]} participants
 * @property {{value: string, expiresAt: string|null}|null} ticket the short-lived signaling token of begin and join
 */

/**
 * @typedef {object} CallLog one line of the history
 * @property {string} id
 * @property {string} callerId
 * @property {string|null} calleeId
 * @property {'audio'|'video'} type
 * @property {string} status
 * @property {string|null} startedAt
 * @property {string|null} endedAt
 * @property {number|null} duration
 * @property {{quality: string|null, path: string|null, bandwidth: string|null, lossPercent: number|null, latencyMs: number|null}|null} measured
 */

/** @typedef {{userId: string, status: 'offline'|'away'|'online'|'busy'|'in-call'|string, lastSeen: string|null}} Presence */
/** @typedef {{accessToken: string, refreshToken: string, lifetime: number}} Tokens lifetime in seconds */
/** @typedef {{methods: readonly string[], temporaryToken: string, expiresAt: string|null}} Challenge */

/** @param {unknown} value @returns {string|null} */
const text = (value) => (typeof value === 'string' ? value : null);
/** @param {unknown} value @returns {number|null} */
const number = (value) => (typeof value === 'number' && Number.isFinite(value) ? value : null);
/** @param {unknown} value @returns {any[]} */
const list = (value) => (Array.isArray(value) ? value : []);
/** @param {unknown} value @returns {string[]} */
const texts = (value) => list(value).filter((item) => typeof item === 'string');

// Errors

/**
 * @param {number} status
 * @param {unknown} body
 * @param {string|null} retryAfter of the header
 * @returns {CallProblem}
 */
export function readProblem(status, body, retryAfter = null) {
  const outer = isObject(body) ? body : {};
  // design and reference: `error: {code, message, details}`; manual: flat; calls: `error_code`, `extra_info`.
  const inner = isObject(outer.error) ? outer.error : outer;
  const told = text(inner.code) ?? text(inner.error_code) ?? text(inner.error);
  const details = [inner.details, inner.info, inner.extra_info].find(isObject) ?? {};
  const wait = number(inner.retry_after) ?? number(details.retry_after) ?? (retryAfter === null ? null : Number(retryAfter));
  return problem(refine(canonicalCode(told) ?? codeOfStatus(status), status, details), {
    text: text(inner.message) ?? text(inner.detail), retryAfter: wait, info: details,
  });
}

/** @param {string} code @param {number} status @param {Record<string, any>} details */
function refine(code, status, details) {
  if (status === 409 && code === 'conflict' && typeof details.field === 'string') return 'taken';
  if (code === 'forbidden' && details.reason === 'registration_closed') return 'registration_closed';
  return code;
}

/** @param {number} status */
function codeOfStatus(status) {
  switch (status) {
    case 400: case 413: case 415: case 422: return 'validation';
    case 401: return 'signed_out';
    case 403: return 'forbidden';
    case 404: case 405: return 'not_found';
    case 409: return 'conflict';
    case 429: return 'rate_limited';
    case 501: return 'not_built_yet';
    case 502: case 503: case 504: return 'unavailable';
    default: return status >= 500 ? 'server_error' : 'bad_answer';
  }
}

// Values: each is null when the answer is not what it should be.

/** @param {unknown} body @returns {Tokens|null} */
export function readTokens(body) {
  const value = unwrap(body);
  const [accessToken, refreshToken] = [text(value.access_token), text(value.refresh_token)];
  const lifetime = number(value.expires_in);
  if (!accessToken || !refreshToken || lifetime === null) return null;
  return { accessToken, refreshToken, lifetime };
}

/** The half of a login. @param {unknown} body @returns {Challenge|null} */
export function readChallenge(body) {
  if (!isObject(body) || body.error !== 'mfa_required') return null;
  const temporaryToken = text(body.temp_token);
  if (!temporaryToken) return null;
  return { methods: texts(body.mfa_methods), temporaryToken, expiresAt: text(body.expires_at) };
}

/** @param {unknown} value @returns {User|null} */
export function readUser(value) {
  if (!isObject(value)) return null;
  const [id, username] = [text(value.id), text(value.username)];
  if (!id || !username) return null;
  return {
    id, username, displayName: text(value.display_name) || username, avatarUrl: text(value.avatar_url),
    email: text(value.email), roles: texts(value.roles), createdAt: text(value.created_at),
  };
}

/** @param {unknown} body @returns {{users: User[], total: number, hasMore: boolean}|null} */
export function readUsers(body) {
  if (!isObject(body) || !Array.isArray(body.data)) return null;
  const page = isObject(body.pagination) ? body.pagination : {};
  const users = body.data.map(readUser).filter((user) => user !== null);
  return { users, total: number(page.total) ?? users.length, hasMore: page.has_next === true };
}

/** @param {unknown} value @returns {CallRecord|null} */
export function readCall(value) {
  if (!isObject(value)) return null;
  const [id, callerId] = [text(value.id), text(value.caller_id)];
  if (!id || !callerId) return null;
  const ticket = text(value.signaling_token);
  return {
    id, callerId, hostId: text(value.host_id), type: kind(value.type), status: text(value.status) ?? 'ongoing',
    endReason: text(value.end_reason), locked: value.is_locked === true, startedAt: text(value.started_at),
    endedAt: text(value.ended_at), duration: number(value.duration),
    participants: list(value.participants).map(readMember).filter((member) => member !== null),
    ticket: ticket ? { value: ticket, expiresAt: text(value.signaling_token_expires_at) } : null,
  };
}

/** calls has ids only; design has objects. @param {unknown} value @returns {CallMember|null} */
function readMember(value) {
  if (typeof value === 'string') return { userId: value, state: 'invited', joinedAt: null, leftAt: null };
  if (!isObject(value) || !text(value.user_id)) return null;
  return {
    userId: value.user_id, state: text(value.state) ?? 'invited', joinedAt: text(value.joined_at),
    leftAt: text(value.left_at),
  };
}

/** @param {unknown} value @returns {'audio'|'video'} */
const kind = (value) => (value === 'audio' ? 'audio' : 'video');

/** @param {unknown} body @returns {CallRecord[]|null} */
export function readActiveCalls(body) {
  if (!isObject(body) || !Array.isArray(body.active_calls)) return null;
  return body.active_calls.map(readCall).filter((call) => call !== null);
}

/** @param {unknown} body @returns {{calls: CallLog[], total: number}|null} */
export function readHistory(body) {
  if (!isObject(body) || !Array.isArray(body.data)) return null;
  const calls = body.data.map(readLog).filter((log) => log !== null);
  return { calls, total: number(body.count) ?? calls.length };
}

/** @param {unknown} value @returns {CallLog|null} */
function readLog(value) {
  if (!isObject(value) || !text(value.id) || !text(value.caller_id)) return null;
  const measured = isObject(value.call_metadata) ? value.call_metadata : null;
  return {
    id: value.id, callerId: value.caller_id, calleeId: text(value.callee_id), type: kind(value.call_type),
    status: text(value.status) ?? 'ended', startedAt: text(value.started_at), endedAt: text(value.ended_at),
    duration: number(value.duration),
    measured: measured && {
      quality: text(measured.quality), path: text(measured.connection_type), bandwidth: text(measured.bandwidth_avg),
      lossPercent: number(measured.packet_loss), latencyMs: number(measured.latency_avg),
    },
  };
}

/** @param {unknown} body @returns {{iceServers: RTCIceServer[], lifetime: number}|null} */
export function readIceConfig(body) {
  if (!isObject(body) || !Array.isArray(body.ice_servers)) return null;
  return { iceServers: readIceServers(body.ice_servers), lifetime: number(body.ttl) ?? 0 };
}

/** Only what `RTCPeerConnection` takes: one bad entry would make its constructor throw. @param {unknown} value @returns {RTCIceServer[]} */
export function readIceServers(value) {
  const servers = [];
  for (const entry of list(value)) {
    if (!isObject(entry)) continue;
    const urls = (typeof entry.urls === 'string' ? [entry.urls] : texts(entry.urls)).filter((url) => /^(stuns?|turns?):\S+$/.test(url));
    const [username, credential] = [text(entry.username), text(entry.credential)];
    const usable = username && credential ? urls : urls.filter((url) => url.startsWith('stun'));
    if (usable.length === 0) continue;
    servers.push(username && credential ? { urls: usable, username, credential } : { urls: usable });
  }
  return servers;
}

/** @param {unknown} value @returns {Presence|null} */
export function readPresence(value) {
  if (!isObject(value) || !text(value.user_id)) return null;
  return { userId: value.user_id, status: text(value.status) ?? 'offline', lastSeen: text(value.last_seen) };
}

/** design's `{success, data}`, or bare. @param {unknown} body @returns {Record<string, any>} */
export function unwrap(body) {
  if (!isObject(body)) return {};
  return body.success === true && isObject(body.data) ? body.data : body;
}
