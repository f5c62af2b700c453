// @ts-check
// The recording of a call: what is read, what is kept, what is told once, what is shown and may be done.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bannersOf, noticeText, peopleOf, recordingText, recordingTools } from '../../web/app/call/view.js';
import { text } from '../../web/app/text.js';
import { readMessage } from '../../web/call/messages.js';
import { initialState, ownConsent, reduce } from '../../web/call/state.js';
import { callState, participant } from './support/app-states.js';
import { CALL, person, welcome } from './support/call.js';

const read = (/** @type {any} */ message) => /** @type {any} */ (readMessage(JSON.stringify(message)));
const told = (/** @type {any} */ more = {}) => ({
  type: 'recording', on: true, state: 'recording', recording_id: 'R1', policy: 'ask', started_by: 'U2', started_at: '2026-01-01T00:00:00Z',
  reason: null, participants: [{ user_id: 'U1', consent: 'asked' }, { user_id: 'U2', consent: 'agreed' }], ...more,
});
const recording = (/** @type {any} */ more = {}) => read(told(more)).recording;
const kinds = (/** @type {any} */ step) => step.notices.map((/** @type {any} */ { kind, userId }) => [kind, userId]);

test('a recording is read member by member, and what is off is nothing', () => {
  const one = recording();
  assert.deepEqual([one.id, one.state, one.on, one.policy, one.startedBy], ['R1', 'recording', true, 'ask', 'U2']);
  assert.deepEqual(one.people, [{ userId: 'U1', consent: 'asked' }, { userId: 'U2', consent: 'agreed' }]);
  assert.ok(Object.isFrozen(one) && Object.isFrozen(one.people) && Object.isFrozen(one.people[0]));
  for (const state of ['off', 'failed']) assert.equal(recording({ state, on: false }), null);
  assert.equal(recording({ state: 'archiving' }).state, 'recording', 'of a later server: better shown than not');
  assert.deepEqual(recording({ participants: [null, 7, { consent: 'agreed' }, { user_id: 'U9' }] }).people, [{ userId: 'U9', consent: 'asked' }]);
  assert.equal(read({ type: 'recording', on: true }).recording.state, 'recording', 'of an earlier server');
  assert.equal(read({ type: 'recording', on: false }).recording, null);
});

test('who joins a call that is recorded knows it at once, and who joins another does not', () => {
  const { type: _, ...members } = told();
  const joined = reduce(initialState(CALL, false), read(welcome({ recording: members }))).state;
  assert.equal(joined.recording?.id, 'R1');
  assert.equal(ownConsent(joined), 'asked');
  assert.equal(reduce(joined, read(welcome({ recording: null, resumed: true }))).state.recording, null);
  assert.equal(reduce(initialState(CALL, false), read(welcome())).state.recording, null);
});

test('begin, refusals and end are told once', () => {
  const start = reduce(initialState(CALL, false), read(welcome({ participants: [person('U2'), person('U3')] }))).state;
  const begun = reduce(start, read(told()));
  assert.deepEqual(kinds(begun), [['recording-started', 'U2']]);
  assert.deepEqual(kinds(reduce(start, read(told({ policy: 'announce' })))), [['recording-announced', 'U2']]);
  assert.equal(reduce(begun.state, read(told())).state, begun.state, 'the same again is the same state');
  const refused = reduce(begun.state, read(told({ participants: [{ user_id: 'U1', consent: 'refused' }, { user_id: 'U3', consent: 'refused' }] })));
  assert.deepEqual(kinds(refused), [['recording-refused', 'U3']], 'not of oneself');
  const withdrawn = reduce(refused.state, read(told({ participants: [{ user_id: 'U1', consent: 'refused' }, { user_id: 'U3', consent: 'withdrawn' }] })));
  assert.deepEqual(kinds(withdrawn), [['recording-refused', 'U3']]);
  assert.deepEqual(kinds(reduce(begun.state, read(told({ state: 'off', on: false, reason: 'stopped' })))), [['recording-ended', null]]);
  assert.deepEqual(kinds(reduce(begun.state, read(told({ state: 'failed', on: false, reason: 'recorder_failed' })))), [['recording-failed', null]]);
  assert.deepEqual(kinds(reduce(start, read(told({ state: 'off', on: false })))), []);
  for (const kind of ['started', 'announced', 'ended', 'failed', 'refused']) {
    assert.ok(noticeText({ kind: `recording-${kind}`, userId: 'U2' }, () => 'Ada'), kind);
  }
});

const shown = (/** @type {string | null} */ consent, /** @type {any} */ more = {}) => callState({
  userId: 'U1', hostId: 'U2', participants: [participant('U2')],
  recording: consent === null ? null : recording({ participants: [{ user_id: 'U1', consent }, { user_id: 'U2', consent: 'refused' }], ...more }),
});

test('the indicator says in words whether one is in the recording', () => {
  assert.equal(recordingText(shown(null)), null);
  for (const consent of ['agreed', 'told', 'assumed']) assert.equal(recordingText(shown(consent)), text('call.recording.with'));
  for (const consent of ['asked', 'refused', 'withdrawn']) assert.equal(recordingText(shown(consent)), text('call.recording.without'));
  const words = ['asking', 'paused', 'stopping'].map((state) => recordingText(shown('asked', { state })));
  assert.equal(new Set(words).size, 3);
});

test('who is asked must answer, who agreed may withdraw, and nobody is asked where it is announced', () => {
  const tools = (/** @type {any} */ state) => {
    const { mustAnswer, canAgree, canWithdraw } = recordingTools(state, false);
    return [mustAnswer, canAgree, canWithdraw];
  };
  assert.deepEqual(tools(shown('asked')), [true, true, false]);
  assert.deepEqual(tools(shown('agreed')), [false, false, true]);
  for (const consent of ['refused', 'withdrawn']) assert.deepEqual(tools(shown(consent)), [false, true, false]);
  assert.deepEqual(tools(shown('told', { policy: 'announce' })), [false, false, false]);
  assert.deepEqual(tools(shown('asked', { policy: 'announce' })), [false, false, false]);
  assert.deepEqual(tools(shown('asked', { state: 'stopping' })), [false, false, false]);
  const banner = bannersOf(shown('asked'), { now: 0, isOnline: true }).find((one) => one.id === 'consent');
  assert.deepEqual([banner?.action, banner?.words], ['consent', text('call.recording.unanswered')]);
  assert.equal(bannersOf(shown('refused'), { now: 0, isOnline: true }).some((one) => one.id === 'consent'), false);
});

test('hosts and administrators begin and end a recording, and who began it ends it', () => {
  const may = (/** @type {any} */ state, isAdmin = false) => {
    const { canBegin, canEnd } = recordingTools(state, isAdmin);
    return [canBegin, canEnd];
  };
  const idle = (/** @type {any} */ more = {}) => callState({ userId: 'U1', hostId: 'U1', ...more });
  assert.deepEqual(may(idle()), [true, false]);
  assert.deepEqual(may(idle({ status: 'ringing' })), [false, false]);
  assert.deepEqual(may(idle({ phase: 'reconnecting' })), [false, false]);
  assert.deepEqual(may(shown(null)), [false, false]);
  assert.deepEqual(may(shown(null), true), [true, false]);
  assert.deepEqual(may(shown('agreed')), [false, false]);
  assert.deepEqual(may(shown('agreed'), true), [false, true]);
  assert.deepEqual(may(shown('agreed', { started_by: 'U1' })), [false, true]);
  assert.deepEqual(may(shown('agreed', { started_by: 'U1', state: 'stopping' })), [false, false]);
});

test('the list of people says who is recorded and who is not', () => {
  const states = peopleOf(shown('agreed'), (id) => id).map((one) => [one.userId, one.states]);
  assert.ok(states.some(([id, words]) => id === 'U1' && words.endsWith(text('side.recorded'))));
  assert.ok(states.some(([id, words]) => id === 'U2' && words.endsWith(text('side.notRecorded'))));
  assert.equal(peopleOf(shown(null), (id) => id).some((one) => one.states.includes(text('side.recorded'))), false);
});
