// @ts-check
// What a call's screen shows, from the SDK's state.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { figuresOf, measuredOf } from '../../web/app/call/figures.js';
import {
  bannersOf, canInvite, controlsOf, hasPowers, invitable, noticeText, peopleOf, soundsOf, tileLabel, tilesOf, titleOf, waitingText,
} from '../../web/app/call/view.js';
import { gradeOf } from '../../web/app/quality.js';
import { problemText } from '../../web/app/problems.js';
import { text } from '../../web/app/text.js';
import { PROBLEMS, problem } from '../../web/call/problems.js';
import { callState, participant, track, trackStats } from './support/app-states.js';

const names = /** @type {Record<string, string>} */ ({ me: 'Me', ada: 'Ada', ben: 'Ben' });
const nameOf = (/** @type {string} */ id) => names[id] ?? 'Somebody';
const none = new Set();
const calm = { now: 0, isOnline: true };
const page = { layout: /** @type {const} */ ('grid'), canShare: true, side: null };

test('everybody has a tile, and a shared screen has one behind its owner', () => {
  const state = callState({
    participants: [participant('ada'), participant('ben')],
    tracks: [track('v1', 'ada', 'camera'), track('s1', 'ada', 'screen'), track('v2', 'ben', 'camera')],
  });
  assert.deepEqual(tilesOf(state, nameOf, none).map((tile) => [tile.key, tile.mid]),
    [['me', null], ['ada', 'v1'], ['ada/screen', 's1'], ['ben', 'v2']]);
});

test('a picture that does not come is a face, with the reason where there is one', () => {
  const shown = (/** @type {object} */ trackMore, personMore = {}) => {
    const state = callState({ participants: [participant('ada', personMore)], tracks: [track('v1', 'ada', 'camera', trackMore)] });
    const tile = tilesOf(state, nameOf, none)[1];
    return [tile.mid, tile.note];
  };
  assert.deepEqual(shown({}), ['v1', null]);
  assert.deepEqual(shown({ ready: false }), [null, null]);
  assert.deepEqual(shown({ flowing: false }), [null, null], 'a camera that is just off is no black rectangle');
  assert.deepEqual(shown({ paused: true, pauseReason: 'bandwidth' }), [null, text('tile.pausedBandwidth')]);
  assert.deepEqual(shown({ paused: true, pauseReason: 'preference' }), [null, null]);
  assert.deepEqual(shown({}, { video: false }), [null, null]);
  assert.deepEqual(shown({}, { hold: true }), [null, text('tile.onHold')]);
  assert.deepEqual(shown({}, { connected: false }), ['v1', text('tile.gone')]);
});

test('a tile says in words what it shows in signs', () => {
  const state = callState({ participants: [participant('ada', { audio: false, hand: true })], speaker: 'ada' });
  const [, tile] = tilesOf(state, nameOf, none);
  assert.equal(tile.isSpeaking, false, 'who is muted does not speak');
  assert.equal(tileLabel(tile), 'Ada, muted, hand raised');
  const speaking = tilesOf(callState({ participants: [participant('ada')], speaker: 'ada' }), nameOf, none)[1];
  assert.equal(tileLabel(speaking), 'Ada, speaking');
});

test('one\'s own tile shows what others get of it', () => {
  const tile = (/** @type {object} */ own) => tilesOf(callState({ own }), nameOf, none)[0];
  assert.deepEqual([tile({}).isMuted, tile({}).mid], [false, null]);
  assert.equal(tile({ camera: true }).mid, 'self');
  assert.equal(tile({ camera: true, hold: true }).mid, null);
  for (const own of [{ muted: true }, { mutedByHost: true }, { microphone: false }, { mayAudio: false }]) assert.ok(tile(own).isMuted, JSON.stringify(own));
  assert.equal(tilesOf(callState({ own: { screen: true } }), nameOf, none)[1].mid, 'self-screen');
});

test('who is called has a tile until it is clear that they do not come', () => {
  const called = (/** @type {string} */ one) => participant('ada', { state: one, audio: false, connected: false });
  const tiles = (/** @type {string} */ one) => tilesOf(callState({ participants: [called(one)] }), nameOf, none).slice(1).map((tile) => [tile.note, tile.isMuted]);
  assert.deepEqual(tiles('invited'), [[text('tile.invited'), false]]);
  assert.deepEqual(tiles('ringing'), [[text('tile.ringing'), false]]);
  for (const one of ['declined', 'missed', 'busy', 'left', 'removed', 'of tomorrow']) assert.deepEqual(tiles(one), [], one);
  assert.equal(titleOf(callState({ participants: [called('declined')] }), nameOf), text('call.alone'));
});

test('the host can call again who did not come', () => {
  const people = peopleOf(callState({ participants: [participant('ada', { state: 'missed', audio: false }), participant('ben', { state: 'ringing', audio: false })] }), nameOf);
  assert.deepEqual(people.map((one) => [one.states, one.canMute, one.canRemove, one.canRing]),
    [['Host', false, false, false], ['did not answer', false, false, true], ['ringing…', false, true, false]]);
});

test('who can be called to a call is nobody who is in it, called to it, or was removed from it', () => {
  const state = callState({ participants: [participant('a'), participant('b', { state: 'ringing' }), participant('c', { state: 'left' }), participant('d', { state: 'removed' })] });
  assert.deepEqual(invitable(state, ['me', 'a', 'b', 'c', 'd', 'e'].map((id) => ({ id }))).map((one) => one.id), ['c', 'e']);
  assert.ok(canInvite(state, false));
  assert.ok(!canInvite(callState({ participants: [participant('a')] }), false));
  assert.ok(!canInvite({ ...state, hostId: 'a' }, false));
  const rung = peopleOf(state, nameOf).filter((one) => one.canRing).map((one) => one.userId);
  assert.deepEqual(rung, ['c'], 'there is no way back for who was removed');
});

test('pins hold on to the tile they were made for', () => {
  const state = callState({ participants: [participant('ada')], tracks: [track('s1', 'ada', 'screen')] });
  assert.deepEqual(tilesOf(state, nameOf, new Set(['ada/screen'])).map((tile) => tile.isPinned), [false, false, true]);
});

test('sound is played also for who is not in sight', () => {
  const state = callState({ participants: [participant('ada')], tracks: [track('a1', 'ada', 'microphone'), track('a2', 'ada', 'screen-audio'), track('v1', 'ada', 'camera'), track('a3', 'ada', 'microphone', { ready: false })] });
  assert.deepEqual(soundsOf(state).map((one) => one.mid), ['a1', 'a2']);
});

test('the head says with whom, and what one waits for', () => {
  assert.equal(titleOf(callState({}), nameOf), text('call.alone'));
  assert.equal(titleOf(callState({ participants: [participant('ada'), participant('ben')] }), nameOf), 'Call with Ada and Ben');
  assert.equal(waitingText(callState({ phase: 'connecting' })), text('call.connecting'));
  assert.equal(waitingText(callState({ status: 'ringing' })), text('call.ringing'));
  assert.equal(waitingText(callState({})), null);
  assert.equal(waitingText(callState({ phase: 'reconnecting' })), null, 'the time goes on');
});

// Banners

test('a lost connection is told with the time of the next try, and the call is not left', () => {
  const state = callState({ phase: 'reconnecting', reconnect: { attempt: 3, at: 5_400 } });
  assert.deepEqual(bannersOf(state, { now: 1_000, isOnline: true }).map((banner) => [banner.id, banner.isUrgent, banner.words]),
    [['reconnecting', true, text('call.reconnectingIn', { count: 5 })]]);
  assert.equal(bannersOf(state, { now: 6_000, isOnline: true })[0].words, text('call.reconnecting'));
  assert.equal(bannersOf(state, { now: 0, isOnline: false })[0].id, 'offline', 'without a network nothing is tried');
});

test('each thing that wants a click has its button', () => {
  const actions = (/** @type {object} */ state) => bannersOf(callState(state), calm).map((banner) => [banner.id, banner.action]);
  assert.deepEqual(actions({}), []);
  assert.deepEqual(actions({ playBlocked: true }), [['play', 'play']]);
  assert.deepEqual(actions({ own: { mutedByHost: true } }), [['muted', 'unmute']]);
  assert.deepEqual(actions({ own: { mutedByHost: true, mayAudio: false } }), [['muted', null]]);
  assert.deepEqual(actions({ own: { mayAudio: false } }), [['may-audio', null]]);
  assert.deepEqual(actions({ own: { mayVideo: false } }), [['may-video', null]]);
  assert.deepEqual(actions({ encryption: { on: true, failures: 2 } }), [['encryption', 'copy-link']]);
  assert.deepEqual(actions({ encryption: { on: true, failures: 0 } }), [['send-link', 'copy-link']]);
  assert.deepEqual(actions({ encryption: { on: true, failures: 0 }, participants: [participant('ada')] }), []);
  assert.deepEqual(actions({ encryption: { on: true, failures: 0 }, participants: [participant('ada', { state: 'ringing' })] }), [['send-link', 'copy-link']]);
  assert.deepEqual(actions({ encryption: { on: false, failures: 2 } }), []);
  assert.deepEqual(actions({ media: 'failed' }), [['media', null]]);
  assert.deepEqual(actions({ phase: 'connecting', media: 'failed' }), []);
});

// Controls

test('a button says what it does next', () => {
  const words = (/** @type {object} */ own) => {
    const views = controlsOf(callState({ own }), page);
    return [views.mute.word, views.camera.word, views.share.word, views.hand.word];
  };
  assert.deepEqual(words({}), ['Mute', 'Start video', 'Share screen', 'Raise hand']);
  assert.deepEqual(words({ muted: true, camera: true, screen: true, hand: true }), ['Unmute', 'Stop video', 'Stop sharing', 'Lower hand']);
  assert.equal(words({ microphone: false })[0], 'Unmute');
});

test('what the host has taken away, and what the browser has not, cannot be used', () => {
  const disabled = (/** @type {object} */ own, more = {}) => Object.entries(controlsOf(callState({ own }), { ...page, ...more })).filter(([, view]) => view.isDisabled).map(([name]) => name);
  assert.deepEqual(disabled({}), []);
  assert.deepEqual(disabled({ mayAudio: false }), ['mute']);
  assert.deepEqual(disabled({ mayVideo: false }), ['camera', 'share']);
  assert.deepEqual(disabled({}, { canShare: false }), ['share']);
});

test('the open panel\'s button is down', () => {
  const views = controlsOf(callState({}), { ...page, side: 'details' });
  assert.deepEqual([views.people.isPressed, views.details.isPressed, views.mute.isPressed], [false, true, null]);
});

// People

test('only the host and administrators have the host\'s tools', () => {
  const state = (/** @type {string} */ hostId) => callState({ hostId, participants: [participant('ada'), participant('ben', { audio: false })] });
  const tools = (/** @type {any} */ one, isAdmin = false) => peopleOf(one, nameOf, isAdmin).map((person) => [person.canMute, person.canRemove]);
  assert.deepEqual(tools(state('me')), [[false, false], [true, true], [false, true]]);
  assert.deepEqual(tools(state('ada')), [[false, false], [false, false], [false, false]]);
  assert.deepEqual(tools(state('ada'), true), [[false, false], [true, true], [false, true]]);
  assert.ok(!hasPowers(callState({ userId: null, hostId: null }), false), 'before the join nobody is host');
});

test('people with their states in words', () => {
  const people = peopleOf(callState({ hostId: 'ada', participants: [participant('ada', { hand: true, connected: false })] }), nameOf);
  assert.deepEqual(people.map((one) => [one.name, one.states]), [['Me (you)', ''], ['Ada', 'Host, connection lost, hand raised']]);
});

// Quality

test('a tile\'s grade is that of its worst track, one\'s own that of what one sends', () => {
  const state = callState({ participants: [participant('ada')], tracks: [track('a1', 'ada', 'microphone')] });
  const stats = /** @type {any} */ ({ at: 0, rttMs: 20, available: 1, path: null, transport: null, tracks: [
    trackStats({ mid: 'a1', userId: 'ada', kind: 'audio', loss: 0 }), trackStats({ mid: 'v1', userId: 'ada', loss: 0.05 }),
    trackStats({ mid: 'o1', direction: 'out', userId: null, loss: 0.2 }),
  ] });
  const gradeFor = (/** @type {any} */ one, /** @type {any} */ two, /** @type {string} */ who) => gradeOf(measuredOf(one, two, who));
  assert.deepEqual([gradeFor(state, stats, 'ada').bars, gradeFor(state, stats, 'me').bars], [2, 1]);
  assert.equal(gradeFor(state, null, 'ada').grade, 'unknown');
  assert.deepEqual([measuredOf(state, stats, 'ada').rtt, measuredOf(state, stats, 'ben').rtt], [20, null], 'who sends nothing has no grade of ours');
  assert.equal(gradeFor(callState({ participants: [participant('ada', { connected: false })] }), stats, 'ada').grade, 'lost');
});

test('the details panel has codec, picture, loss, round trip and estimate', () => {
  const state = callState({
    participants: [participant('ada')], tracks: [track('v1', 'ada', 'camera'), track('s1', 'ada', 'screen')],
    quality: { rttMs: 31, loss: 0.02, bitrateIn: 1, bitrateOut: 2, estimate: 2_500_000 },
  });
  const stats = /** @type {any} */ ({ at: 0, rttMs: null, available: null, path: 'relay', transport: 'udp', tracks: [
    trackStats({ mid: 'v1', userId: 'ada', codec: 'VP8', width: 640, height: 360, fps: 25, loss: 0.013, bitrate: 700_000, freezes: 2, limitation: 'cpu' }),
    trackStats({ mid: 's1', userId: 'ada', codec: 'VP9' }),
  ] });
  const shown = Object.fromEntries(figuresOf(state, stats, 'ada').map((group) => [group.title, Object.fromEntries(group.rows.map((row) => [row.name, row.value]))]));
  assert.deepEqual(shown['Your connection'], { 'Round trip': '31 ms', Loss: '2.0 %', 'Room in the network to you': '2.5 Mbit/s', 'Room in the network from you': '–', Path: 'over a relay, UDP' });
  assert.deepEqual(shown.Picture, { Codec: 'VP8', 'Bit rate': '700 kbit/s', Loss: '1.3 %', Picture: '640 × 360, 25/s', Freezes: '2', 'Reduced because of': 'this computer' });
  assert.equal(shown['Share screen'].Codec, 'VP9');
});

test('one\'s own layers are told', () => {
  const layers = [{ rid: 'q', active: true, bitrate: 1, width: 320, height: 180, fps: 15 }, { rid: 'f', active: false, bitrate: 0, width: 1280, height: 720, fps: 0 }];
  const stats = /** @type {any} */ ({ at: 0, rttMs: 1, available: 1, path: null, transport: null, tracks: [trackStats({ direction: 'out', userId: null, layers })] });
  const rows = figuresOf(callState({}), stats, 'me')[1].rows;
  assert.equal(rows.find((row) => row.name === text('figure.layers'))?.value, '320 × 180');
});

// Words

test('every problem of the SDK has advice of ours, and one of tomorrow has the server\'s words', () => {
  for (const code of Object.keys(PROBLEMS)) assert.notEqual(problemText(problem(code)), PROBLEMS[code].text, code);
  assert.equal(problemText(problem('of_tomorrow', { text: 'The moon is full' })), 'The moon is full');
  assert.match(problemText(problem('validation', { text: 'username: too short' })), /username: too short/);
});

test('notices name the person; unknown ones are silent', () => {
  assert.equal(noticeText({ kind: 'joined', userId: 'ada' }, nameOf), 'Ada has come.');
  assert.equal(noticeText({ kind: 'locked', userId: null }, nameOf), text('notice.locked'));
  assert.equal(noticeText({ kind: 'of-tomorrow', userId: null }, nameOf), null);
});
