// @ts-check
/**
 * The state of a call and how the server's messages change it: pure, one new frozen object for each change, and what
 * did not change stays the same object.
 *
 * @module
 */

/** @typedef {import('./types.js').CallState} CallState */
/** @typedef {import('./types.js').Participant} Participant */
/** @typedef {import('./types.js').Recording} Recording */
/** @typedef {import('./types.js').RemoteTrack} RemoteTrack */
/** @typedef {import('./types.js').TrackSource} TrackSource */
/** @typedef {import('./messages.js').ServerMessage} ServerMessage */

/** To be told to somebody once, not to be kept. @typedef {{kind: string, userId: string|null}} Notice */
/** @typedef {{state: CallState, notices: Notice[]}} Step */

/** @param {string} callId @param {boolean} isEncrypted @returns {CallState} */
export function initialState(callId, isEncrypted) {
  return Object.freeze({
    phase: 'idle', callId, userId: null, status: null, hostId: null, locked: false, recording: null,
    participants: Object.freeze([]),
    own: Object.freeze({
      muted: false, mutedByHost: false, microphone: false, camera: false, screen: false, hold: false, hand: false,
      mayAudio: true, mayVideo: true,
    }),
    tracks: Object.freeze([]), speaker: null, quality: null, media: 'new', reconnect: null,
    encryption: Object.freeze({ on: isEncrypted, failures: 0 }), playBlocked: false, end: null,
  });
}

/** The same object when nothing differs. @template {object} T @param {T} object @param {Partial<T>} changes @returns {T} */
export function changed(object, changes) {
  const differs = Object.entries(changes).some(([key, value]) => /** @type {any} */ (object)[key] !== value);
  return differs ? Object.freeze({ ...object, ...changes }) : object;
}

/**
 * @param {CallState} state @param {ServerMessage} message
 * @param {{readyMids?: ReadonlySet<string>}} [context] sections of which the browser has the track
 * @returns {Step}
 */
export function reduce(state, message, { readyMids = new Set() } = {}) {
  switch (message.kind) {
    case 'joined': return joined(state, message);
    case 'participant-joined': case 'participant-updated': return present(state, message.participant);
    case 'participant-left': return left(state, message.userId, message.reason);
    case 'tracks': return shown(state, message.tracks, readyMids);
    case 'speaker': return quiet(changed(state, { speaker: message.userId }));
    case 'stream': return quiet(track(state, message.mid, {
      paused: message.paused,
      pauseReason: message.paused ? /** @type {RemoteTrack['pauseReason']} */ (message.reason) : null,
    }));
    case 'quality': return quiet(changed(state, { quality: message.quality }));
    case 'recording': return recorded(state, message);
    case 'status': return status(state, message);
    default: return quiet(state);
  }
}

/** @param {CallState} state @returns {Step} */
const quiet = (state) => ({ state, notices: [] });

/** @param {CallState} state @param {Extract<ServerMessage, {kind: 'joined'}>} message @returns {Step} */
function joined(state, message) {
  const known = new Map(state.participants.map((one) => [one.userId, one]));
  const others = message.participants.filter((one) => !GONE.has(one.state) && one.userId !== message.userId);
  const participants = Object.freeze(others.map((one) => same(known.get(one.userId), one)));
  const notices = state.phase === 'reconnecting' ? [{ kind: 'reconnected', userId: null }] : [];
  return {
    state: changed(state, {
      phase: 'joined', userId: message.userId, status: message.status, participants, reconnect: null,
      hostId: message.hostId ?? state.hostId, locked: message.locked ?? state.locked,
      recording: sameRecording(state.recording, message.recording),
      // After a resume the server tells the tracks again; anew, there are none yet.
      ...(message.resumed ? {} : { tracks: Object.freeze([]), speaker: null }),
    }),
    notices,
  };
}

/** @param {CallState} state @param {Extract<ServerMessage, {kind: 'recording'}>} message @returns {Step} */
function recorded(state, message) {
  const [old, next] = [state.recording, sameRecording(state.recording, message.recording)];
  const notices = [];
  if (!old && next) {
    notices.push({ kind: next.policy === 'ask' ? 'recording-started' : 'recording-announced', userId: next.startedBy });
  }
  if (old && !next) notices.push({ kind: message.reason === 'recorder_failed' ? 'recording-failed' : 'recording-ended', userId: null });
  if (old && next) {
    const before = new Map(old.people.map((one) => [one.userId, one.consent]));
    for (const { userId, consent } of next.people) {
      const isNews = before.get(userId) !== consent && (consent === 'refused' || consent === 'withdrawn');
      if (isNews && userId !== state.userId) notices.push({ kind: 'recording-refused', userId });
    }
  }
  return { state: changed(state, { recording: next }), notices };
}

/** The old object where it says the same. @param {Recording|null} old @param {Recording|null} next */
function sameRecording(old, next) {
  return old && next && JSON.stringify(old) === JSON.stringify(next) ? old : next;
}

/** One's own consent to the recording that is on; null where there is none. @param {CallState} state @returns {string|null} */
export function ownConsent({ recording, userId }) {
  return recording?.people.find((one) => one.userId === userId)?.consent ?? null;
}

/** The old object where it says the same. @param {Participant|undefined} old @param {Participant} next */
function same(old, next) {
  if (!old) return next;
  return changed(old, { ...next, permissions: changed(old.permissions, next.permissions) });
}

/** Who is not in the call and not called any more. */
const GONE = new Set(['left', 'declined', 'missed', 'busy', 'removed']);

/** @param {CallState} state @param {Participant} next @returns {Step} */
function present(state, next) {
  if (next.userId === state.userId) return quiet(state);
  if (GONE.has(next.state)) return left(state, next.userId, next.state);
  const old = state.participants.find(({ userId }) => userId === next.userId);
  return old ? updated(state, old, next) : arrived(state, next);
}

/** @param {CallState} state @param {Participant} participant @returns {Step} */
function arrived(state, participant) {
  const participants = Object.freeze([...state.participants, participant]);
  const kind = participant.state === 'joined' ? 'joined' : 'invited';
  return { state: changed(state, { participants }), notices: [{ kind, userId: participant.userId }] };
}

/** @param {CallState} state @param {Participant} old @param {Participant} next @returns {Step} */
function updated(state, old, next) {
  const merged = same(old, next);
  if (merged === old) return quiet(state);
  const participants = Object.freeze(state.participants.map((one) => (one === old ? merged : one)));
  const notices = [];
  if (next.state === 'joined' && old.state !== 'joined') notices.push({ kind: 'joined', userId: next.userId });
  if (next.hand && !old.hand) notices.push({ kind: 'hand-raised', userId: next.userId });
  if (!next.connected && old.connected) notices.push({ kind: 'connection-lost', userId: next.userId });
  return { state: changed(state, { participants }), notices };
}

/** @param {CallState} state @param {string} userId @param {string} reason @returns {Step} */
function left(state, userId, reason) {
  if (!state.participants.some((one) => one.userId === userId)) return quiet(state);
  const kind = reason === 'connection_lost' ? 'connection-lost' : GONE.has(reason) ? reason : 'left';
  return {
    state: changed(state, {
      participants: Object.freeze(state.participants.filter((one) => one.userId !== userId)),
      tracks: keepArray(state.tracks, state.tracks.filter((one) => one.userId !== userId)),
      speaker: state.speaker === userId ? null : state.speaker,
    }),
    notices: [{ kind, userId }],
  };
}

/** @param {CallState} state @param {Extract<ServerMessage, {kind: 'status'}>} message @returns {Step} */
function status(state, message) {
  if (message.callId !== state.callId) return quiet(state);
  const notices = [];
  if (message.hostId && state.hostId && message.hostId !== state.hostId) {
    notices.push({ kind: 'host-changed', userId: message.hostId });
  }
  if (message.locked !== state.locked) notices.push({ kind: message.locked ? 'locked' : 'unlocked', userId: null });
  return {
    state: changed(state, { status: message.status, hostId: message.hostId ?? state.hostId, locked: message.locked }),
    notices,
  };
}

// Tracks

/**
 * @param {CallState} state @param {{mid: string, kind: 'audio'|'video', userId: string, source: string|null}[]} told
 * @param {ReadonlySet<string>} readyMids @returns {Step}
 */
function shown(state, told, readyMids) {
  const known = new Map(state.tracks.map((one) => [`${one.mid} ${one.userId} ${one.kind}`, one]));
  /** @type {RemoteTrack[]} */
  const tracks = told.map(({ mid, kind, userId, source }) => {
    const old = known.get(`${mid} ${userId} ${kind}`);
    const own = old ?? { mid, kind, userId, paused: false, pauseReason: null, ready: false, flowing: false, source: /** @type {any} */ (null) };
    return changed(own, { ready: readyMids.has(mid), source: knownSource(source, kind) ?? own.source });
  });
  const named = nameSources(tracks);
  const notices = screenNotices(state.tracks, named);
  return { state: changed(state, { tracks: keepArray(state.tracks, named) }), notices };
}

/** @param {string|null} source @param {'audio'|'video'} kind @returns {TrackSource|null} */
function knownSource(source, kind) {
  const sources = kind === 'video' ? ['camera', 'screen'] : ['microphone', 'screen-audio'];
  return source !== null && sources.includes(source) ? /** @type {TrackSource} */ (source) : null;
}

/**
 * The server does not say which is a screen. A user's first picture is the camera (`Publishing` makes its section
 * first), and what comes beside it later is a screen; sound likewise. Who was named keeps the name.
 * @param {readonly RemoteTrack[]} tracks
 */
function nameSources(tracks) {
  const taken = new Set(tracks.filter((one) => one.source).map((one) => `${one.userId} ${one.source}`));
  return tracks.map((one) => {
    if (one.source) return one;
    /** @type {TrackSource[]} */
    const [first, second] = one.kind === 'video' ? ['camera', 'screen'] : ['microphone', 'screen-audio'];
    const source = taken.has(`${one.userId} ${first}`) ? second : first;
    taken.add(`${one.userId} ${source}`);
    return changed(one, { source });
  });
}

/** @param {readonly RemoteTrack[]} before @param {readonly RemoteTrack[]} after @returns {Notice[]} */
function screenNotices(before, after) {
  const screens = (/** @type {readonly RemoteTrack[]} */ list) =>
    new Set(list.filter(({ source }) => source === 'screen').map(({ userId }) => userId));
  const [old, next] = [screens(before), screens(after)];
  return [
    ...[...next].filter((userId) => !old.has(userId)).map((userId) => ({ kind: 'screen-started', userId })),
    ...[...old].filter((userId) => !next.has(userId)).map((userId) => ({ kind: 'screen-stopped', userId })),
  ];
}

/** @param {CallState} state @param {string} mid @param {Partial<RemoteTrack>} changes @returns {CallState} */
export function track(state, mid, changes) {
  const tracks = state.tracks.map((one) => (one.mid === mid ? changed(one, changes) : one));
  return changed(state, { tracks: keepArray(state.tracks, tracks) });
}

/** @template T @param {readonly T[]} old @param {readonly T[]} next @returns {readonly T[]} */
function keepArray(old, next) {
  const isSame = old.length === next.length && old.every((one, index) => one === next[index]);
  return isSame ? old : Object.freeze(next);
}

// One's own

/**
 * What the server says of ourselves: a host's hand shows where it differs from what we asked for.
 * @param {CallState} state @param {Participant} told @param {boolean} isAsking a change of ours is under way
 * @returns {Step}
 */
export function toldOfOwn(state, told, isAsking) {
  const may = { mayAudio: told.permissions.audio, mayVideo: told.permissions.video };
  const isOff = !told.audio && !state.own.muted && !state.own.hold && told.permissions.audio;
  if (isOff && !isAsking) {
    const own = changed(state.own, { ...may, muted: true, mutedByHost: true });
    return { state: changed(state, { own }), notices: [{ kind: 'muted-by-host', userId: state.userId }] };
  }
  const isHeard = told.audio && !isAsking;
  const own = changed(state.own, { ...may, ...(isHeard ? { mutedByHost: false } : {}) });
  return quiet(changed(state, { own }));
}
