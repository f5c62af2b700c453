// The pure parts of the SDK: messages, state, tiles, measurements.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { MESSAGE_MAX, candidate, readMessage } from '../../web/call/messages.js';
import { PROBLEMS, canonicalCode, problem } from '../../web/call/problems.js';
import { receivingSections } from '../../web/call/publishing.js';
import { changed, initialState, reduce, toldOfOwn } from '../../web/call/state.js';
import { digest } from '../../web/call/stats.js';
import { Watching, layerFor, requests, wishesFor } from '../../web/call/watching.js';
import { person, welcome } from './support/call.js';

const read = (message) => readMessage(JSON.stringify(message));

// Messages

test('what is no message is null, and what a later server may say is unknown', () => {
  for (const bad of ['', 'null', '[]', '7', '"x"', '{', '{}', '{"type":7}', '{"type":"__proto__"', new ArrayBuffer(4), undefined, 'x'.repeat(MESSAGE_MAX + 1)]) {
    assert.equal(readMessage(bad), null);
  }
  assert.deepEqual(readMessage('{"type":"dance"}'), { kind: 'unknown', type: 'dance' });
  for (const name of ['__proto__', 'constructor', 'toString']) assert.equal(read({ type: name }).kind, 'unknown');
});

test('a message that lacks what it is about is null', () => {
  const about = [
    ['joined', { user_id: 'U' }], ['joined', { call_id: 'C' }], ['participant:joined', {}], ['participant:left', {}],
    ['sdp:offer', {}], ['sdp:offer', { sdp: 7 }], ['sdp:answer', { sdp: '' }], ['tracks', { tracks: {} }], ['stream', {}],
    ['layers', { mid: '1' }], ['call:status', { call_id: 'C' }], ['call:incoming', { call_id: 'C' }], ['reconnect-to', {}],
    ['presence', {}], ['call:ringing-stopped', {}],
  ];
  for (const [type, members] of about) assert.equal(read({ type, ...members }), null, `${type} ${JSON.stringify(members)}`);
});

test('members of another type are left out, not passed on', () => {
  const tracks = [null, 7, { mid: 1, kind: 'audio', user_id: 'U' }, { mid: 'a', kind: 'smell', user_id: 'U' }, { mid: 'b', kind: 'video', user_id: 'U' }];
  assert.deepEqual(read({ type: 'tracks', tracks }).tracks.map(({ mid }) => mid), ['b']);
  assert.deepEqual(read({ type: 'layers', mid: 'm', unwatched: [0, '1', -1, 2.5, 2] }).unwatched, [0, 2]);
  const { quality } = read({ type: 'quality', rtt_ms: '9', loss: -1, bitrate_in: 5, estimate: null });
  assert.deepEqual(quality, { rttMs: null, loss: null, bitrateIn: 5, bitrateOut: null, estimate: null });
  const { participant } = read({ type: 'participant:joined', user_id: 'U', audio: 'yes', permissions: 'all' });
  assert.deepEqual([participant.audio, participant.state, participant.permissions.audio], [false, 'joined', true]);
});

test('no text makes the reader throw', () => {
  let state = 5;
  const next = (below) => { state ^= state << 13; state ^= state >>> 17; state ^= state << 5; return (state >>> 0) % below; };
  const values = [null, true, 0, -1, 1e99, '', 'x', [], {}, [null], { user_id: 1 }, [[]], '__proto__'];
  const types = ['joined', 'tracks', 'participant:joined', 'participant:left', 'sdp:offer', 'layers', 'stream', 'quality', 'call:status',
    'call:incoming', 'reconnect-to', 'ice_servers', 'presence', 'error', 'pong', 'speakers', 'recording', 'call:ringing-stopped'];
  const members = ['call_id', 'user_id', 'participants', 'tracks', 'sdp', 'id', 'mid', 'unwatched', 'url', 'ice_servers', 'info', 'ref', 'code', 'self', 'status'];
  for (let round = 0; round < 20_000; round += 1) {
    const message = { type: types[next(types.length)] };
    for (let count = next(6); count > 0; count -= 1) message[members[next(members.length)]] = values[next(values.length)];
    const found = read(message);
    if (found) reduce(initialState('C1', false), found);
    const text = JSON.stringify(message);
    readMessage(text.slice(0, next(text.length)));
  }
});

test('errors of all dialects have one name, and unknown ones are kept', () => {
  const error = (code, more = {}) => read({ type: 'error', code, detail: 'd', info: {}, ref: null, ...more }).problem;
  assert.equal(error('too_many_requests', { info: { retry_after: 3 } }).code, 'rate_limited');
  assert.equal(error('too_many_requests', { info: { retry_after: 3 } }).retryAfter, 3);
  assert.equal(error('something_new').code, 'something_new');
  assert.equal(error(7).code, 'server_error');
  assert.equal(canonicalCode('TOKEN_EXPIRED'), 'signed_out');
  for (const [code, { text }] of Object.entries(PROBLEMS)) {
    assert.equal(canonicalCode(code), code);
    assert.ok(text.length > 10, code);
    assert.equal(problem(code).code, code);
  }
});

test('the end of candidates is null', () => {
  assert.deepEqual(candidate(null), { type: 'ice:candidate', candidate: null });
  assert.equal(candidate({}).candidate.candidate, '');
});

// State

const joined = (more) => reduce(initialState('C1', false), read(welcome(more))).state;

test('what did not change stays the same object', () => {
  const state = joined({ participants: [person('U2'), person('U3')] });
  const { state: next } = reduce(state, read({ type: 'participant:updated', ...person('U3', { hand: true }) }));
  assert.notEqual(next, state);
  assert.equal(next.participants[0], state.participants[0]);
  assert.equal(next.tracks, state.tracks);
  assert.equal(reduce(next, read({ type: 'participant:updated', ...person('U3', { hand: true }) })).state, next);
  assert.ok(Object.isFrozen(next) && Object.isFrozen(next.participants) && Object.isFrozen(next.participants[1]));
  assert.equal(changed(state, { phase: state.phase }), state);
});

test('people come, are called, decline, are lost and leave, each said once', () => {
  let state = joined({ host_id: 'U1', participants: [person('U2'), person('U5', { state: 'declined' })] });
  assert.deepEqual(state.participants.map(({ userId }) => userId), ['U2'], 'who declined is not among them');
  const told = [];
  const say = (message) => {
    const step = reduce(state, read(message));
    state = step.state;
    told.push(...step.notices.map(({ kind, userId }) => `${userId} ${kind}`));
  };
  say({ type: 'participant:updated', ...person('U4', { state: 'invited', connected: false }) });
  say({ type: 'participant:updated', ...person('U4', { state: 'ringing', connected: false }) });
  say({ type: 'participant:joined', ...person('U4') });
  say({ type: 'participant:joined', ...person('U4') });
  say({ type: 'participant:updated', ...person('U2', { connected: false }) });
  say({ type: 'participant:left', user_id: 'U2', reason: 'connection_lost' });
  say({ type: 'participant:left', user_id: 'U2', reason: 'left' });
  say({ type: 'participant:updated', ...person('U6', { state: 'ringing' }) });
  say({ type: 'participant:updated', ...person('U6', { state: 'declined' }) });
  say({ type: 'participant:left', user_id: 'U4', reason: 'removed' });
  say({ type: 'participant:joined', ...person('U1') });
  assert.deepEqual(told, ['U4 invited', 'U4 joined', 'U2 connection-lost', 'U2 connection-lost', 'U6 invited', 'U6 declined', 'U4 removed']);
  assert.deepEqual(state.participants, []);
});

test('who leaves takes tracks and the floor along', () => {
  let state = joined({ participants: [person('U2')] });
  state = reduce(state, read({ type: 'tracks', tracks: [{ mid: 'a', kind: 'audio', user_id: 'U2' }] })).state;
  state = reduce(state, read({ type: 'speakers', user_id: 'U2' })).state;
  state = reduce(state, read({ type: 'participant:left', user_id: 'U2', reason: 'left' })).state;
  assert.deepEqual([state.tracks, state.speaker], [[], null]);
});

test('a paused track says why, and a section that is used again is another track', () => {
  let state = joined();
  const tracks = (...list) => read({ type: 'tracks', tracks: list.map(([mid, userId]) => ({ mid, kind: 'video', user_id: userId })) });
  state = reduce(state, tracks(['a', 'U2'])).state;
  state = reduce(state, read({ type: 'stream', mid: 'a', paused: true, reason: 'bandwidth' })).state;
  assert.deepEqual([state.tracks[0].paused, state.tracks[0].pauseReason], [true, 'bandwidth']);
  assert.equal(reduce(state, tracks(['a', 'U2'])).state, state, 'the same list again changes nothing');
  state = reduce(state, tracks(['a', 'U3'])).state;
  assert.deepEqual([state.tracks[0].paused, state.tracks[0].userId], [false, 'U3']);
  state = reduce(state, read({ type: 'stream', mid: 'a', paused: false, reason: null })).state;
  assert.equal(state.tracks[0].pauseReason, null);
});

test('a server that names the source is believed', () => {
  const tracks = [{ mid: 'a', kind: 'video', user_id: 'U2', source: 'screen' }, { mid: 'b', kind: 'video', user_id: 'U2', source: 'camera' }];
  const { state } = reduce(joined(), read({ type: 'tracks', tracks }));
  assert.deepEqual(state.tracks.map(({ source }) => source), ['screen', 'camera']);
  const odd = reduce(joined(), read({ type: 'tracks', tracks: [{ ...tracks[0], source: 'microphone' }] })).state;
  assert.equal(odd.tracks[0].source, 'camera', 'but not that a picture is a sound');
});

test('what the host permits is kept, and is no mute', () => {
  const state = joined();
  const told = (more) => read({ type: 'participant:updated', ...person('U1', more) }).participant;
  const taken = toldOfOwn(state, told({ audio: false, permissions: { audio: false, video: true, receive: true } }), false);
  assert.deepEqual([taken.state.own.mayAudio, taken.state.own.muted, taken.notices], [false, false, []]);
  const given = toldOfOwn(taken.state, told({ permissions: { audio: true, video: true, receive: true } }), false);
  assert.equal(given.state.own.mayAudio, true);
});

test('host and lock are said when they change', () => {
  const state = joined({ host_id: 'U1', locked: false });
  const { state: next, notices } = reduce(state, read({ type: 'call:status', call_id: 'C1', status: 'ongoing', host_id: 'U2', locked: true }));
  assert.deepEqual(notices, [{ kind: 'host-changed', userId: 'U2' }, { kind: 'locked', userId: null }]);
  assert.equal(next.hostId, 'U2');
  assert.equal(reduce(state, read({ type: 'call:status', call_id: 'C9', status: 'ended' })).state, state, 'another call');
});

// Tiles

const video = (mid, source = 'camera') => ({ mid, kind: 'video', userId: 'U', source, paused: false, pauseReason: null, ready: true, flowing: true });

test('a tile gets the layer that fills it, and no more', () => {
  const layer = (width, height, ratio = 1) => layerFor({ mid: 'm', width, height }, ratio);
  assert.deepEqual([layer(160, 90), layer(320, 180), layer(640, 360), layer(1280, 720)], [0, 0, 1, null]);
  assert.deepEqual([layer(320, 180, 2), layer(320, 180, 9)], [1, 1], 'finer screens count twice at most');
  assert.equal(layer(200, 600), null, 'a tall tile shows the middle of a wide picture');
});

test('what is not on the screen is paused, sound never, and a screen is whole', () => {
  const tracks = [video('a'), video('b'), video('c', 'screen'), { ...video('s'), kind: 'audio' }];
  const wishes = wishesFor(tracks, [{ mid: 'a', width: 160, height: 90, pinned: true }, { mid: 'b', width: 100, height: 100, visible: false }, { mid: 'c', width: 100, height: 56 }], 1);
  assert.deepEqual([...wishes.entries()], [
    ['a', { paused: false, pinned: true, layer: 0 }], ['b', { paused: true, pinned: false, layer: null }],
    ['c', { paused: false, pinned: false, layer: null }],
  ]);
});

test('only what changed is asked for, what comes before what goes, a few at a time', () => {
  const watching = new Watching();
  const tracks = Array.from({ length: 40 }, (_, index) => video(`m${index}`));
  assert.deepEqual(watching.next(tracks, 1), { messages: [], more: false }, 'nothing before the page says something');
  watching.tiles = [{ mid: 'm39', width: 160, height: 90 }];
  const first = watching.next(tracks, 1);
  assert.deepEqual(first.messages[0], { type: 'control', action: 'layer', mid: 'm39', layer: 0 });
  assert.deepEqual([first.messages.length, first.more], [16, true]);
  const rest = [watching.next(tracks, 1), watching.next(tracks, 1), watching.next(tracks, 1)];
  assert.deepEqual(rest.map(({ messages }) => messages.length), [16, 8, 0]);
  watching.tiles = [{ mid: 'm39', width: 1280, height: 720 }];
  assert.deepEqual(watching.next(tracks, 1).messages, [{ type: 'control', action: 'layer', mid: 'm39' }]);
  watching.forget();
  assert.equal(watching.next(tracks, 1).messages.length, 16, 'another session knows nothing');
});

test('a layer that is not looked at is not asked for before it is', () => {
  const asked = new Map([['a', { paused: false, pinned: false, layer: 0 }]]);
  const gone = requests(asked, new Map([['a', { paused: true, pinned: false, layer: null }]]));
  assert.deepEqual(gone.map(({ part }) => part), ['paused']);
});

// Descriptions

test('sections in which the other side receives are found, rejected ones left out', () => {
  const sdp = 'v=0\r\nm=audio 9 x\r\na=mid:s0\r\na=recvonly\r\nm=video 0 x\r\na=mid:s1\r\na=recvonly\r\nm=video 9 x\r\na=mid:s2\r\na=sendonly\r\nm=audio 9 x\r\na=recvonly';
  assert.deepEqual(receivingSections(sdp), [{ mid: 's0', kind: 'audio' }]);
  assert.deepEqual(receivingSections(''), []);
});

// Measurements

const report = (at, sent, received, lost) => [
  { id: 'T', type: 'transport', selectedCandidatePairId: 'P' },
  { id: 'P', type: 'candidate-pair', localCandidateId: 'L', currentRoundTripTime: 0.05, availableOutgoingBitrate: 2e6 },
  { id: 'L', type: 'local-candidate', candidateType: 'relay', protocol: 'udp' },
  { id: 'V', type: 'codec', mimeType: 'video/VP8' },
  { id: 'I', type: 'inbound-rtp', kind: 'video', mid: 's1', codecId: 'V', timestamp: at, bytesReceived: received * 1_000, packetsReceived: received, packetsLost: lost, jitter: 0.004, frameWidth: 640, frameHeight: 360, framesPerSecond: 25, freezeCount: 1 },
  { id: 'q', type: 'outbound-rtp', kind: 'video', mid: '1', rid: 'q', codecId: 'V', timestamp: at, bytesSent: sent, frameWidth: 320, frameHeight: 180, framesPerSecond: 30, remoteId: 'R' },
  { id: 'f', type: 'outbound-rtp', kind: 'video', mid: '1', rid: 'f', codecId: 'V', timestamp: at, bytesSent: sent * 4, frameWidth: 1280, frameHeight: 720, framesPerSecond: 30, qualityLimitationReason: 'bandwidth', active: true },
  { id: 'R', type: 'remote-inbound-rtp', fractionLost: 0.02, jitter: 0.01, roundTripTime: 0.06 },
];

test('a digest is what happened between two reports', () => {
  const first = digest(report(1_000, 10_000, 100, 0), null, 1, () => 'U2');
  assert.deepEqual(first.stats.tracks.map(({ bitrate }) => bitrate), [null, null], 'nothing to compare with');
  const { stats } = digest(report(3_000, 35_000, 190, 10), first.report, 2, (mid) => (mid === 's1' ? 'U2' : null));
  assert.deepEqual([stats.rttMs, stats.available, stats.path, stats.transport], [50, 2e6, 'relay', 'udp']);
  const [incoming, outgoing] = stats.tracks;
  assert.deepEqual([incoming.userId, incoming.codec, incoming.bitrate, incoming.loss, incoming.jitterMs], ['U2', 'VP8', 360_000, 0.1, 4]);
  assert.deepEqual([incoming.width, incoming.height, incoming.fps, incoming.freezes], [640, 360, 25, 1]);
  assert.deepEqual([outgoing.bitrate, outgoing.width, outgoing.loss, outgoing.rttMs, outgoing.limitation], [500_000, 1280, 0.02, 60, 'bandwidth']);
  assert.deepEqual(outgoing.layers.map(({ rid, bitrate }) => [rid, bitrate]), [['q', 100_000], ['f', 400_000]]);
});

test('what was not measured is null, and counters that begin anew are no negative rates', () => {
  const empty = digest([{ id: 'I', type: 'inbound-rtp' }, { id: 'O', type: 'outbound-rtp' }], null, 1, () => null).stats;
  assert.deepEqual([empty.rttMs, empty.path, empty.tracks[0].codec, empty.tracks[0].loss, empty.tracks[1].bitrate], [null, null, null, null, null]);
  const before = digest(report(1_000, 99_000, 500, 50), null, 1, () => null).report;
  const { tracks } = digest(report(2_000, 1_000, 10, 0), before, 2, () => null).stats;
  assert.deepEqual([tracks[0].bitrate, tracks[0].loss, tracks[1].bitrate], [null, null, null]);
});
