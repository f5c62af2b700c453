// @ts-check
/**
 * The messages of docs/protocol/signaling.md in manual's form: what comes is checked member by member, what goes is
 * written here and nowhere else. Pure.
 *
 * @module
 */

import { readIceServers } from '../api/answers.js';
import { canonicalCode, isObject, problem } from './problems.js';

/** @typedef {import('./types.js').Participant} Participant */
/** @typedef {import('./types.js').CallProblem} CallProblem */
/** @typedef {import('./types.js').Recording} Recording */

/** Characters of a message that is looked at. The longest that the server sends is an offer of 128 sections. */
export const MESSAGE_MAX = 1 << 20;
/** Entries of a list in a message: more than there are sections or people in a call. */
const LIST_MAX = 4_096;

/**
 * @typedef {(
 *   {kind: 'joined', callId: string, userId: string, role: string, status: string, hostId: string|null,
 *     locked: boolean|null, resumeToken: string|null, resumeSeconds: number, resumed: boolean,
 *     iceServers: RTCIceServer[], self: Participant|null, participants: Participant[],
 *     recording: Recording|null}
 *   | {kind: 'participant-joined'|'participant-updated', participant: Participant}
 *   | {kind: 'participant-left', userId: string, reason: string}
 *   | {kind: 'offer'|'answer', sdp: string, id: number|null}
 *   | {kind: 'tracks', tracks: {mid: string, kind: 'audio'|'video', userId: string, source: string|null}[]}
 *   | {kind: 'speaker', userId: string|null}
 *   | {kind: 'stream', mid: string, paused: boolean, reason: string|null}
 *   | {kind: 'layers', mid: string, unwatched: number[]}
 *   | {kind: 'quality', quality: import('./types.js').Quality}
 *   | {kind: 'recording', recording: Recording|null, reason: string|null}
 *   | {kind: 'status', callId: string, status: string, userId: string|null, hostId: string|null, locked: boolean}
 *   | {kind: 'incoming', call: import('./types.js').IncomingCall}
 *   | {kind: 'ringing-stopped', callId: string, reason: string}
 *   | {kind: 'reconnect', url: string, seconds: number}
 *   | {kind: 'ice-servers', iceServers: RTCIceServer[]}
 *   | {kind: 'presence', userId: string, status: string, lastSeen: string|null}
 *   | {kind: 'error', problem: CallProblem, ref: number|null}
 *   | {kind: 'pong', id: number|null}
 *   | {kind: 'unknown', type: string}
 * )} ServerMessage
 */

/** @param {unknown} value */
const text = (value) => (typeof value === 'string' ? value : null);
/** @param {unknown} value */
const name = (value) => (typeof value === 'string' && value !== '' ? value : null);
/** @param {unknown} value */
const whole = (value) => (Number.isSafeInteger(value) ? /** @type {number} */ (value) : null);
/** @param {unknown} value */
const measured = (value) => (typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : null);
/** @param {unknown} value @returns {any[]} */
const list = (value) => (Array.isArray(value) ? value.slice(0, LIST_MAX) : []);

/** @param {unknown} value @returns {Participant|null} */
function participant(value) {
  if (!isObject(value)) return null;
  const userId = name(value.user_id);
  if (!userId) return null;
  const may = isObject(value.permissions) ? value.permissions : {};
  return Object.freeze({
    userId, audio: value.audio === true, video: value.video === true, hold: value.hold === true,
    hand: value.hand === true, connected: value.connected !== false, state: name(value.state) ?? 'joined',
    permissions: Object.freeze({ audio: may.audio !== false, video: may.video !== false, receive: may.receive !== false }),
  });
}

/** What may be; the rest is of a later server, and counts as going on unanswered. */
const RECORDING_STATES = new Set(['asking', 'recording', 'paused', 'stopping', 'failed', 'off']);

/** @param {unknown} value @returns {Recording|null} null where nothing is recorded */
function recording(value) {
  if (!isObject(value)) return null;
  // A server of before says no more than whether it is on.
  const told = text(value.state) ?? (value.on === true ? 'recording' : 'off');
  const state = RECORDING_STATES.has(told) ? told : 'recording';
  if (state === 'off' || state === 'failed') return null;
  const people = list(value.participants).filter((one) => isObject(one) && name(one.user_id))
    .map((one) => Object.freeze({ userId: one.user_id, consent: name(one.consent) ?? 'asked' }));
  return Object.freeze({
    id: name(value.recording_id), state: /** @type {Recording['state']} */ (state), on: value.on === true,
    policy: name(value.policy) ?? 'ask', startedBy: name(value.started_by), people: Object.freeze(people),
  });
}

/**
 * How each type is read; null for what lacks something that cannot be done without.
 * @type {Record<string, (body: Record<string, any>) => ServerMessage|null>}
 */
const READERS = {
  joined(body) {
    const [callId, userId] = [name(body.call_id), name(body.user_id)];
    return callId && userId && {
      kind: 'joined', callId, userId, role: text(body.role) ?? 'offerer', status: text(body.status) ?? 'ongoing',
      hostId: name(body.host_id), locked: typeof body.locked === 'boolean' ? body.locked : null,
      resumeToken: name(body.resume_token), resumeSeconds: measured(body.resume_seconds) ?? 0,
      resumed: body.resumed === true, iceServers: readIceServers(body.ice_servers), self: participant(body.self),
      participants: list(body.participants).map(participant).filter((one) => one !== null),
      recording: recording(body.recording),
    };
  },
  'participant:joined': (body) => present('participant-joined', body),
  'participant:updated': (body) => present('participant-updated', body),
  'participant:left'(body) {
    const userId = name(body.user_id);
    return userId && { kind: 'participant-left', userId, reason: text(body.reason) ?? 'left' };
  },
  'sdp:offer': (body) => description('offer', body),
  'sdp:answer': (body) => description('answer', body),
  tracks(body) {
    if (!Array.isArray(body.tracks)) return null;
    const tracks = [];
    for (const one of list(body.tracks)) {
      if (!isObject(one)) continue;
      const [mid, userId] = [name(one.mid), name(one.user_id)];
      if (!mid || !userId || (one.kind !== 'audio' && one.kind !== 'video')) continue;
      tracks.push({ mid, kind: one.kind, userId, source: name(one.source) });
    }
    return { kind: 'tracks', tracks };
  },
  speakers: (body) => ({ kind: 'speaker', userId: name(body.user_id) }),
  stream(body) {
    const mid = name(body.mid);
    return mid && { kind: 'stream', mid, paused: body.paused === true, reason: name(body.reason) };
  },
  layers(body) {
    const mid = name(body.mid);
    if (!mid || !Array.isArray(body.unwatched)) return null;
    return { kind: 'layers', mid, unwatched: list(body.unwatched).filter((one) => whole(one) !== null && one >= 0) };
  },
  quality: (body) => ({
    kind: 'quality',
    quality: Object.freeze({
      rttMs: measured(body.rtt_ms), loss: measured(body.loss), bitrateIn: measured(body.bitrate_in),
      bitrateOut: measured(body.bitrate_out), estimate: measured(body.estimate),
    }),
  }),
  recording: (body) => ({ kind: 'recording', recording: recording(body), reason: name(body.reason) }),
  'call:status'(body) {
    const [callId, status] = [name(body.call_id), name(body.status)];
    return callId && status && {
      kind: 'status', callId, status, userId: name(body.user_id), hostId: name(body.host_id),
      locked: body.locked === true,
    };
  },
  'call:incoming'(body) {
    const [callId, callerId] = [name(body.call_id), name(body.caller_id)];
    const type = body.call_type === 'audio' ? 'audio' : 'video';
    const participants = Object.freeze(list(body.participants).filter((one) => name(one)));
    return callId && callerId && { kind: 'incoming', call: Object.freeze({ callId, callerId, type, participants }) };
  },
  'call:ringing-stopped'(body) {
    const callId = name(body.call_id);
    return callId && { kind: 'ringing-stopped', callId, reason: text(body.reason) ?? 'ended' };
  },
  'reconnect-to'(body) {
    const url = name(body.url);
    return url && { kind: 'reconnect', url, seconds: measured(body.seconds) ?? 0 };
  },
  ice_servers: (body) => ({ kind: 'ice-servers', iceServers: readIceServers(body.ice_servers) }),
  presence(body) {
    const userId = name(body.user_id);
    return userId && {
      kind: 'presence', userId, status: text(body.status) ?? 'offline', lastSeen: text(body.last_seen),
    };
  },
  error(body) {
    const info = isObject(body.info) ? body.info : {};
    const code = canonicalCode(body.code) ?? text(body.code) ?? 'server_error';
    return {
      kind: 'error', problem: problem(code, { text: body.detail, retryAfter: info.retry_after, info }),
      ref: whole(body.ref),
    };
  },
  pong: (body) => ({ kind: 'pong', id: whole(body.id) }),
};

/** @param {'participant-joined'|'participant-updated'} kind @param {Record<string, any>} body @returns {ServerMessage|null} */
function present(kind, body) {
  const found = participant(body);
  return found && { kind, participant: found };
}

/** @param {'offer'|'answer'} kind @param {Record<string, any>} body @returns {ServerMessage|null} */
function description(kind, body) {
  const sdp = name(body.sdp);
  return sdp && { kind, sdp, id: whole(body.id) };
}

/**
 * @param {unknown} data of a WebSocket's message
 * @returns {ServerMessage|null} null for what cannot be read; `unknown` for what a later server may say
 */
export function readMessage(data) {
  if (typeof data !== 'string' || data.length > MESSAGE_MAX) return null;
  let body;
  try {
    body = JSON.parse(data);
  } catch {
    return null;
  }
  if (!isObject(body) || typeof body.type !== 'string') return null;
  if (!Object.hasOwn(READERS, body.type)) return { kind: 'unknown', type: body.type };
  return READERS[body.type](body);
}

// What the client says.

/** @param {string} callId @param {'offerer'|'answerer'} role @param {string|null} resume */
export function join(callId, role, resume) {
  return { type: 'join', call_id: callId, role, ...(resume === null ? {} : { resume }) };
}

/** @param {string} sdp @param {number} id */
export function offer(sdp, id) { return { type: 'sdp:offer', sdp, id }; }

/** @param {string} sdp @param {number|null} id of the server's offer */
export function answer(sdp, id) { return { type: 'sdp:answer', sdp, ...(id === null ? {} : { id }) }; }

/** @param {{candidate?: string, sdpMid?: string|null, sdpMLineIndex?: number|null}|null} found null when all have come */
export function candidate(found) {
  if (found === null) return { type: 'ice:candidate', candidate: null };
  const { candidate: line = '', sdpMid = null, sdpMLineIndex = null } = found;
  return { type: 'ice:candidate', candidate: { candidate: line, sdpMid, sdpMLineIndex } };
}

/** @param {string} [reason] */
export function hangup(reason = 'left') { return { type: 'hangup', reason }; }

/** @param {string} action @param {Record<string, unknown>} [members] */
export function control(action, members = {}) { return { type: 'control', action, ...members }; }

/** @param {number} id */
export function ping(id) { return { type: 'ping', id }; }

/** Whose presence is to be told, beside those of before. @param {readonly string[]} userIds */
export function subscribe(userIds) { return { type: 'presence:subscribe', user_ids: userIds }; }

/** @param {readonly string[]} userIds */
export function unsubscribe(userIds) { return { type: 'presence:unsubscribe', user_ids: userIds }; }
