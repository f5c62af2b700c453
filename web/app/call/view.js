// @ts-check
// What a call's screen shows, computed from the SDK's state: tiles, banners, controls, people. No element, no clock.

import { ownConsent } from '../../call/state.js';
import { nameList } from '../format.js';
import { hasText, text } from '../text.js';

/** @typedef {import('../../call/types.js').CallState} CallState */
/** @typedef {import('../../call/types.js').RemoteTrack} RemoteTrack */
/** @typedef {import('../../call/types.js').Participant} Participant */
/** @typedef {(userId: string) => string} NameOf */

/**
 * @typedef {object} TileView
 * @property {string} key
 * @property {string} userId
 * @property {string} name as on the label
 * @property {string} plainName of the person, for the tools' names
 * @property {boolean} isSelf
 * @property {boolean} isScreen
 * @property {boolean} isPinned
 * @property {boolean} isSpeaking
 * @property {boolean} isMuted
 * @property {boolean} isHandRaised
 * @property {string | null} mid of the picture; null shows the face
 * @property {string | null} note over the picture
 */

/** Who is called and has not come yet; who refused or did not answer is neither here nor waited for. */
const waitedFor = new Set(['invited', 'ringing']);
/** @param {Participant} person */
const isHere = (person) => person.state === 'joined';
/** @param {Participant} person */
const isExpected = (person) => isHere(person) || waitedFor.has(person.state);

/** The key of a person's own tile, and of the screen they share. */
export const tileKey = (/** @type {string} */ userId, isScreen = false) => (isScreen ? `${userId}/screen` : userId);

/**
 * @param {CallState} state
 * @param {NameOf} nameOf
 * @param {ReadonlySet<string>} pinned keys
 * @returns {TileView[]} in the order in which people came, screens behind their owner, oneself first
 */
export function tilesOf(state, nameOf, pinned) {
  const self = state.userId;
  /** @type {TileView[]} */
  const tiles = self === null ? [] : ownTiles(state, self, nameOf, pinned);
  for (const person of state.participants.filter(isExpected)) {
    const name = nameOf(person.userId);
    const camera = pictureOf(state, person.userId, 'camera');
    const screen = pictureOf(state, person.userId, 'screen');
    const base = { userId: person.userId, plainName: name, isSelf: false };
    tiles.push({
      ...base, key: tileKey(person.userId), name, isScreen: false, isPinned: pinned.has(tileKey(person.userId)),
      isSpeaking: state.speaker === person.userId && person.audio && person.connected,
      isMuted: isHere(person) && !person.audio, isHandRaised: person.hand,
      mid: camera !== null && person.video && !person.hold && isShowing(camera) ? camera.mid : null,
      note: noteOf(person, camera),
    });
    if (screen === null) continue;
    const key = tileKey(person.userId, true);
    tiles.push({
      ...base, key, name: text('call.screenOf', { name }), isScreen: true, isPinned: pinned.has(key), isSpeaking: false,
      isMuted: false, isHandRaised: false, mid: isShowing(screen) ? screen.mid : null,
      note: noteOf(person, screen),
    });
  }
  return tiles;
}

/** @param {CallState} state @param {string} self @param {NameOf} nameOf @param {ReadonlySet<string>} pinned @returns {TileView[]} */
function ownTiles(state, self, nameOf, pinned) {
  const plainName = nameOf(self);
  const base = { userId: self, plainName, isSelf: true, note: null };
  /** @type {TileView[]} */
  const tiles = [{
    ...base, key: tileKey(self), name: text('call.you', { name: plainName }), isScreen: false,
    isPinned: pinned.has(tileKey(self)), isSpeaking: state.speaker === self && !isSilent(state),
    isMuted: isSilent(state), isHandRaised: state.own.hand, mid: state.own.camera && !state.own.hold ? 'self' : null,
    note: state.own.hold ? text('tile.onHold') : null,
  }];
  const key = tileKey(self, true);
  if (state.own.screen) {
    tiles.push({
      ...base, key, name: text('call.yourScreen'), isScreen: true, isPinned: pinned.has(key), isSpeaking: false,
      isMuted: false, isHandRaised: false, mid: 'self-screen',
    });
  }
  return tiles;
}

/** Whether others cannot hear us. @param {CallState} state */
const isSilent = ({ own }) => own.muted || own.mutedByHost || !own.microphone || !own.mayAudio;

/** @param {CallState} state @param {string} userId @param {'camera' | 'screen'} source @returns {RemoteTrack | null} */
const pictureOf = (state, userId, source) =>
  state.tracks.find((track) => track.userId === userId && track.kind === 'video' && track.source === source) ?? null;

/** Whether there is something to be looked at, and not a black rectangle. @param {RemoteTrack} track */
const isShowing = (track) => track.ready && track.flowing && !track.paused;

/** @param {Participant} person @param {RemoteTrack | null} track @returns {string | null} */
function noteOf(person, track) {
  if (!isHere(person)) return text(person.state === 'ringing' ? 'tile.ringing' : 'tile.invited');
  if (!person.connected) return text('tile.gone');
  if (person.hold) return text('tile.onHold');
  if (track === null || !track.paused) return null;
  if (track.pauseReason === 'bandwidth') return text('tile.pausedBandwidth');
  // What the screen itself asked for, or that nobody speaks, needs no words.
  return track.pauseReason === null ? text('tile.pausedOther') : null;
}

/** What a tile says to a screen reader. @param {TileView} tile */
export function tileLabel(tile) {
  const states = [
    tile.isSpeaking && text('tile.speaking'), tile.isMuted && text('tile.muted'),
    tile.isHandRaised && text('tile.hand'), tile.note,
  ].filter((word) => typeof word === 'string');
  return [tile.name, ...states].join(', ');
}

/** The sound of the others, which is played whether or not their tile is shown. @param {CallState} state */
export const soundsOf = (state) => state.tracks.filter((track) => track.kind === 'audio' && track.ready);

// The head.

/**
 * @param {CallState} state
 * @param {NameOf} nameOf
 * @returns {string}
 */
export function titleOf(state, nameOf) {
  const names = state.participants.filter(isExpected).map((person) => nameOf(person.userId));
  return names.length === 0 ? text('call.alone') : text('call.with', { names: nameList(names) });
}

/** What stands where the time will be. @param {CallState} state @returns {string | null} null when the time runs */
export function waitingText(state) {
  if (state.phase === 'idle' || state.phase === 'connecting') return text('call.connecting');
  if (state.status === 'initiating' || state.status === 'ringing') return text('call.ringing');
  return null;
}

/** Whose media is written. */
const isWritten = (/** @type {string | null | undefined} */ consent) => consent === 'agreed' || consent === 'told' || consent === 'assumed';

/** What everybody sees of a recording, in words. @param {CallState} state @returns {string | null} null while nothing is recorded */
export function recordingText(state) {
  switch (state.recording?.state) {
    case undefined: return null;
    case 'asking': return text('call.recording.asking');
    case 'paused': return text('call.recording.paused');
    case 'stopping': return text('call.recording.stopping');
    default: return text(isWritten(ownConsent(state)) ? 'call.recording.with' : 'call.recording.without');
  }
}

/**
 * What one may do about a recording.
 * @param {CallState} state
 * @param {boolean} isAdmin
 */
export function recordingTools(state, isAdmin) {
  const { recording } = state;
  const isGoing = recording !== null && recording.state !== 'stopping';
  const isAsked = isGoing && recording.policy === 'ask';
  const own = ownConsent(state);
  const mayRecord = state.phase === 'joined' && (hasPowers(state, isAdmin) || (recording !== null && recording.startedBy === state.userId));
  return {
    canBegin: mayRecord && recording === null && state.status === 'ongoing', canEnd: mayRecord && isGoing,
    mustAnswer: isAsked && own === 'asked', canAgree: isAsked && own !== null && own !== 'agreed',
    canWithdraw: isAsked && own === 'agreed',
  };
}

/**
 * @typedef {{ id: string, words: string, action: 'play' | 'unmute' | 'copy-link' | 'consent' | null, isUrgent: boolean }} Banner
 */

/**
 * What somebody must know now, the most important first.
 * @param {CallState} state
 * @param {{ now: number, isOnline: boolean }} world `now` as `Date.now()`
 * @returns {Banner[]}
 */
export function bannersOf(state, { now, isOnline }) {
  /** @type {Banner[]} */
  const banners = [];
  const add = (/** @type {string} */ id, /** @type {string} */ words, /** @type {Banner['action']} */ action = null, isUrgent = false) =>
    banners.push({ id, words, action, isUrgent });
  if (!isOnline) {
    add('offline', text('app.offline'), null, true);
  } else if (state.phase === 'reconnecting') {
    const seconds = state.reconnect === null ? 0 : Math.ceil((state.reconnect.at - now) / 1000);
    add('reconnecting', seconds > 1 ? text('call.reconnectingIn', { count: seconds }) : text('call.reconnecting'), null, true);
  } else if (state.phase === 'joined' && (state.media === 'failed' || state.media === 'disconnected')) {
    add('media', text('call.mediaLost'), null, true);
  }
  if (state.playBlocked) add('play', text('call.playBlocked'), 'play', true);
  if (recordingTools(state, false).mustAnswer) add('consent', text('call.recording.unanswered'), 'consent');
  if (state.own.mutedByHost) {
    add('muted', text('call.mutedByHost'), state.own.mayAudio ? 'unmute' : null);
  } else if (!state.own.mayAudio) {
    add('may-audio', text('call.mayNotSpeak'));
  }
  if (!state.own.mayVideo) add('may-video', text('call.mayNotShow'));
  if (state.encryption.on && state.encryption.failures > 0) {
    add('encryption', text('call.encryption.failures'), 'copy-link');
  } else if (state.encryption.on && !state.participants.some(isHere)) {
    // The ring brings no key: who takes the call by it alone would neither hear nor see.
    add('send-link', text('call.encryption.send'), 'copy-link');
  }
  return banners;
}

// Controls.

/**
 * @typedef {object} ControlView
 * @property {string} word
 * @property {string} icon
 * @property {boolean | null} isPressed null: no button that stays down
 * @property {boolean} isOff drawn so that it is not overlooked
 * @property {boolean} isDisabled
 */

/**
 * @param {CallState} state
 * @param {{ layout: 'grid' | 'speaker', canShare: boolean, side: string | null }} page
 * @returns {Record<'mute' | 'camera' | 'share' | 'hand' | 'hold' | 'layout' | 'people' | 'details' | 'devices', ControlView>}
 */
export function controlsOf(state, { layout, canShare, side }) {
  const { own } = state;
  const isSilent = own.muted || own.mutedByHost || !own.microphone;
  const plain = { isPressed: null, isOff: false, isDisabled: false };
  return {
    mute: {
      ...plain, word: text(isSilent ? 'control.unmute' : 'control.mute'),
      icon: isSilent ? 'microphone-off' : 'microphone', isOff: isSilent, isDisabled: !own.mayAudio,
    },
    camera: {
      ...plain, word: text(own.camera ? 'control.cameraOff' : 'control.cameraOn'),
      icon: own.camera ? 'camera' : 'camera-off', isOff: !own.camera, isDisabled: !own.mayVideo,
    },
    share: {
      ...plain, word: text(own.screen ? 'control.unshare' : 'control.share'), icon: 'share', isPressed: own.screen,
      isDisabled: !canShare || !own.mayVideo,
    },
    hand: { ...plain, word: text(own.hand ? 'control.lower' : 'control.raise'), icon: 'hand', isPressed: own.hand },
    hold: { ...plain, word: text(own.hold ? 'control.resume' : 'control.hold'), icon: 'pause', isPressed: own.hold },
    layout: {
      ...plain, word: text(layout === 'grid' ? 'control.speaker' : 'control.grid'),
      icon: layout === 'grid' ? 'speaker' : 'grid',
    },
    people: { ...plain, word: text('control.people'), icon: 'people', isPressed: side === 'people' },
    details: { ...plain, word: text('control.details'), icon: 'details', isPressed: side === 'details' },
    devices: { ...plain, word: text('control.devices'), icon: 'settings', isPressed: side === 'devices' },
  };
}

// People.

/**
 * @typedef {object} PersonView
 * @property {string} userId
 * @property {string} name
 * @property {string} states in words
 * @property {boolean} isSelf
 * @property {boolean} canMute
 * @property {boolean} canRemove
 * @property {boolean} canRing once more, who is not in the call
 */

/**
 * @param {CallState} state
 * @param {NameOf} nameOf
 * @param {boolean} isAdmin has the host's powers without being one
 * @returns {PersonView[]}
 */
export function peopleOf(state, nameOf, isAdmin = false) {
  const isHost = hasPowers(state, isAdmin);
  const people = state.participants.map((person) => ({
    userId: person.userId, name: nameOf(person.userId), isSelf: false,
    states: !isHere(person) ? awayText(person.state) : stateWords({
      isHost: person.userId === state.hostId, isMuted: !person.audio, hand: person.hand, hold: person.hold,
      isGone: !person.connected, consent: consentOf(state, person.userId),
    }),
    canMute: isHost && isHere(person) && person.audio, canRemove: isHost && isExpected(person), canRing: isHost && !isExpected(person) && person.state !== 'removed',
  }));
  if (state.userId === null) return people;
  const self = {
    userId: state.userId, name: text('call.you', { name: nameOf(state.userId) }), isSelf: true, canMute: false, canRemove: false, canRing: false,
    states: stateWords({
      isHost: state.userId === state.hostId, isMuted: isSilent(state), hand: state.own.hand, hold: state.own.hold,
      isGone: state.phase === 'reconnecting', consent: ownConsent(state),
    }),
  };
  return [self, ...people];
}

/** @param {CallState} state @param {boolean} isAdmin */
export const hasPowers = (state, isAdmin) => isAdmin || (state.userId !== null && state.userId === state.hostId);

/** A call of two is between these two; only a group can become larger (docs/protocol/calls.md). @param {CallState} state @param {boolean} isAdmin */
export const canInvite = (state, isAdmin) => hasPowers(state, isAdmin) && state.participants.length > 1;

/**
 * Who could be called to this call: not oneself, nor who is in it, called, or was shown out.
 * @template {{ id: string }} Person
 * @param {CallState} state
 * @param {readonly Person[]} people
 * @returns {Person[]}
 */
export function invitable(state, people) {
  const taken = new Set(state.participants.filter((person) => isExpected(person) || person.state === 'removed').map((person) => person.userId));
  return people.filter((person) => person.id !== state.userId && !taken.has(person.id));
}

/** What became of somebody who is not in the call. @param {string} state */
function awayText(state) {
  const key = `away.${state}`;
  return hasText(key) ? text(key) : '';
}

/** @param {CallState} state @param {string} userId @returns {string | null} */
const consentOf = ({ recording }, userId) => recording?.people.find((one) => one.userId === userId)?.consent ?? null;

/** @param {{ isHost: boolean, isMuted: boolean, hand: boolean, hold: boolean, isGone: boolean, consent: string | null }} one */
function stateWords(one) {
  return [
    one.isHost && text('side.host'), one.isGone && text('tile.gone'), one.hold && text('tile.onHold'),
    one.isMuted && text('tile.muted'), one.hand && text('tile.hand'),
    one.consent !== null && text(isWritten(one.consent) ? 'side.recorded' : 'side.notRecorded'),
  ].filter((word) => typeof word === 'string').join(', ');
}

// Once told.

/** @param {{ kind: string, userId: string | null }} notice @param {NameOf} nameOf @returns {string | null} null for what has no words */
export function noticeText(notice, nameOf) {
  const key = `notice.${notice.kind}`;
  return hasText(key) ? text(key, { name: notice.userId === null ? '' : nameOf(notice.userId) }) : null;
}
