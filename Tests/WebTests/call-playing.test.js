// Elements and autoplay, tiles in a call, measurements in a call, encryption in a call, and the line.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { PlexiLine } from '../../web/plexichat-call.js';
import { joinedCall, makeCall, person, serverOffer, welcome } from './support/call.js';
import { FakeTrack, FakeWorld, listen, settle } from './support/world.js';

class FakeElement {
  srcObject = null;
  plays = 0;
  error = null;
  async play() {
    this.plays += 1;
    if (this.error) throw Object.assign(new Error(this.error), { name: this.error });
  }
}

async function seeing(options) {
  const joined = await joinedCall(options);
  const { world } = joined;
  world.socket.say({ type: 'participant:joined', ...person('U2') });
  world.socket.say({ type: 'sdp:offer', sdp: serverOffer('O', [['audio', 's0', 'sendonly'], ['video', 's1', 'sendonly']]), id: 1 });
  await settle();
  world.socket.say({ type: 'tracks', tracks: [{ mid: 's0', kind: 'audio', user_id: 'U2' }, { mid: 's1', kind: 'video', user_id: 'U2' }] });
  await settle();
  world.socket.take();
  return joined;
}

test('an element plays a section, from whenever it is there, until it is taken out', async () => {
  const { world, call } = await joinedCall();
  const element = new FakeElement();
  const detach = call.attach(element, 's1');
  assert.equal(element.srcObject, null);
  world.socket.say({ type: 'sdp:offer', sdp: serverOffer('O', [['video', 's1', 'sendonly']]), id: 1 });
  await settle();
  assert.equal(element.srcObject, call.streamOf('s1'));
  assert.equal(element.plays, 1);
  call.attach(element, 's1');
  assert.equal(element.plays, 1, 'the same again does not begin anew');
  detach();
  assert.equal(element.srcObject, null);
});

test('sound that the browser holds back waits for a gesture', async () => {
  const { call } = await seeing();
  const element = new FakeElement();
  element.error = 'NotAllowedError';
  call.attach(element, 's0');
  await settle();
  assert.equal(call.state.playBlocked, true);
  await call.resumePlayback();
  assert.equal(call.state.playBlocked, true, 'not in a gesture');
  element.error = null;
  await call.resumePlayback();
  assert.equal(call.state.playBlocked, false);
});

test('another failure of an element is told, an interrupted load is none', async () => {
  const { call } = await seeing();
  const problems = listen(call, 'problem');
  for (const name of ['AbortError', 'NotSupportedError']) {
    const element = new FakeElement();
    element.error = name;
    call.attach(element, 's0');
    await settle();
  }
  assert.deepEqual(problems.map(({ code }) => code), ['playback_failed']);
});

test('tiles are asked for once they stand still, and again after a resume only what changed', async () => {
  const { world, call } = await seeing();
  for (let width = 100; width < 160; width += 10) call.setTiles([{ mid: 's1', width, height: 90 }]);
  await world.clock.pass(100);
  assert.deepEqual(world.socket.take(), []);
  await world.clock.pass(150);
  assert.deepEqual(world.socket.take(), [{ type: 'control', action: 'layer', mid: 's1', layer: 0 }]);
  call.setTiles([{ mid: 's1', width: 150, height: 90 }]);
  await world.clock.pass(300);
  assert.deepEqual(world.socket.take(), [], 'the same layer');
  call.setTiles([]);
  await world.clock.pass(300);
  assert.deepEqual(world.socket.take(), [{ type: 'control', action: 'pause', mid: 's1', on: true }]);
});

test('what a flooded server dropped is said again', async () => {
  const { world, call } = await seeing();
  call.setTiles([{ mid: 's1', width: 100, height: 90 }]);
  await world.clock.pass(300);
  world.socket.take();
  world.socket.say({ type: 'error', code: 'too_many_requests', detail: '', info: { retry_after: 2 }, ref: null });
  await world.clock.pass(2_100);
  assert.deepEqual(world.socket.take().map(({ action }) => action).sort(), ['hand', 'hold', 'layer', 'mute', 'video']);
});

test('measurements come every two seconds, with people\'s names', async () => {
  const { world, call } = await seeing();
  const digests = listen(call, 'stats');
  world.peer.stats = [{ id: 'I', type: 'inbound-rtp', kind: 'video', mid: 's1', timestamp: 0, bytesReceived: 0 }];
  await world.clock.pass(2_000);
  world.peer.stats = [{ id: 'I', type: 'inbound-rtp', kind: 'video', mid: 's1', timestamp: 2_000, bytesReceived: 50_000 }];
  assert.equal((await call.stats()).tracks[0].bitrate, 200_000, 'asking in between is no new beginning');
  await world.clock.pass(2_000);
  assert.deepEqual(digests.at(-1).tracks.map(({ userId, bitrate }) => [userId, bitrate]), [['U2', 200_000]]);
  await call.leave();
  assert.equal(await call.stats(), null);
});

test('an encrypted call puts the worker at every end, asks for Opus and VP8, and counts what it cannot read', async () => {
  const posted = [];
  const worker = { postMessage: (message) => posted.push(message), terminate: () => posted.push('ended'), onmessage: null };
  const made = [];
  const world = new FakeWorld();
  world.env.RTCRtpScriptTransform = class { constructor(by, options) { made.push([by === worker, options.role, options.kind]); } };
  const secret = new Uint8Array(32);
  const { call } = makeCall({ env: world.env, encryption: { secret, makeWorker: () => worker } });
  call.join();
  await settle();
  world.socket.open();
  world.socket.say(welcome());
  await settle();
  assert.deepEqual(posted, [{ type: 'start', secret, callId: 'C1' }]);
  const offer = world.socket.take().find(({ type }) => type === 'sdp:offer');
  world.socket.say({ type: 'sdp:answer', sdp: 'A', id: offer.id });
  world.socket.say({ type: 'sdp:offer', sdp: serverOffer('O', [['audio', 's0', 'sendonly']]), id: 1 });
  await settle();
  assert.deepEqual(made, [[true, 'encrypt', 'audio'], [true, 'encrypt', 'video'], [true, 'decrypt', 'audio']]);
  assert.deepEqual(world.peer.transceivers.slice(0, 2).map(({ codecs }) => codecs), [['audio/opus'], ['video/VP8', 'video/rtx']]);
  worker.onmessage({ data: { type: 'failures', count: 12 } });
  worker.onmessage({ data: { type: 'failures', count: 'many' } });
  assert.deepEqual(call.state.encryption, { on: true, failures: 12 });
  await call.leave();
  assert.equal(posted.at(-1), 'ended');
});

test('new relays are taken for the next path', async () => {
  const { world } = await joinedCall();
  world.socket.say({ type: 'ice_servers', ice_servers: [{ urls: ['turn:r.example.org'], username: 'u', credential: 'c' }], ttl: 60 });
  assert.deepEqual(world.peer.configuration.iceServers, [{ urls: ['turn:r.example.org'], username: 'u', credential: 'c' }]);
  assert.equal(world.peer.configuration.bundlePolicy, 'max-bundle');
});

test('a device that the browser refuses is an outcome, and the next one works', async () => {
  const { world, call } = await joinedCall();
  const sender = world.peer.transceivers[0].sender;
  const replace = sender.replaceTrack;
  sender.replaceTrack = async () => { throw new Error('InvalidModificationError'); };
  const outcome = await call.setMicrophone(new FakeTrack('audio'));
  assert.equal(outcome.ok, false);
  assert.equal(outcome.problem.code, 'negotiation_failed');
  sender.replaceTrack = replace;
  assert.deepEqual(await call.setMicrophone(new FakeTrack('audio')), { ok: true });
});

// The line

function makeLine() {
  const world = new FakeWorld();
  const line = new PlexiLine({ url: 'wss://chat.example.org/calls/ws', token: async () => 't', env: world.env });
  return { world, line };
}

test('the line tells calls that come in, and that they stopped ringing', async () => {
  const { world, line } = makeLine();
  const [states, incoming, stopped] = ['state', 'incoming', 'ringing-stopped'].map((type) => listen(line, type));
  line.open();
  await settle();
  world.socket.open();
  world.socket.say({ type: 'call:incoming', call_id: 'C1', caller_id: 'U2', call_type: 'audio', participants: ['U2', 'U1'] });
  world.socket.say({ type: 'call:ringing-stopped', call_id: 'C1', reason: 'answered_elsewhere' });
  assert.deepEqual(incoming, [{ callId: 'C1', callerId: 'U2', type: 'audio', participants: ['U2', 'U1'] }]);
  assert.deepEqual(stopped, [{ callId: 'C1', reason: 'answered_elsewhere' }]);
  world.socket.end(1006);
  await world.clock.pass(1_000);
  world.socket.open();
  assert.deepEqual(states, ['connecting', 'open', 'waiting', 'open']);
  line.close();
  assert.equal(world.socket.closedWith, 1000);
  await world.clock.pass(60_000);
  assert.equal(world.clock.pending, 0);
});

test('presence is asked for by difference, in bounded messages, and all of it after a loss', async () => {
  const { world, line } = makeLine();
  const presence = listen(line, 'presence');
  line.watch(['U2']);
  line.open();
  await settle();
  world.socket.open();
  assert.deepEqual(world.socket.take(), [{ type: 'presence:subscribe', user_ids: ['U2'] }]);
  line.watch(['U2', 'U3']);
  line.watch(['U3']);
  assert.deepEqual(world.socket.take(), [{ type: 'presence:subscribe', user_ids: ['U3'] }, { type: 'presence:unsubscribe', user_ids: ['U2'] }]);
  world.socket.say({ type: 'presence', user_id: 'U3', status: 'in-call', last_seen: null });
  assert.deepEqual(presence, [{ userId: 'U3', status: 'in-call', lastSeen: null }]);
  line.watch(Array.from({ length: 900 }, (_, index) => `P${index}`));
  assert.deepEqual(world.socket.take().map(({ user_ids: users }) => users.length), [1, 256, 244]);
  await world.clock.pass(6_000);
  world.socket.end(1006);
  await world.clock.pass(1_000);
  world.socket.open();
  assert.deepEqual(world.socket.take().map(({ user_ids: users }) => users.length), [256, 244]);
});

test('a server without presence is asked once', async () => {
  const { world, line } = makeLine();
  const problems = listen(line, 'problem');
  line.open();
  await settle();
  world.socket.open();
  line.watch(['U2']);
  world.socket.say({ type: 'error', code: 'invalid_message', detail: '`type` is none that is known here', info: {}, ref: null });
  world.socket.take();
  line.watch(['U3']);
  assert.deepEqual([world.socket.take(), problems], [[], []]);
});

test('a line that nobody is signed in for ends, and one of a stopping server moves', async () => {
  const world = new FakeWorld();
  const line = new PlexiLine({ url: 'wss://a/calls/ws', token: async () => null, env: world.env });
  const problems = listen(line, 'problem');
  line.open();
  await settle();
  assert.equal(line.state, 'closed');
  assert.deepEqual(problems.map(({ code }) => code), ['signed_out']);
  const other = makeLine();
  other.line.open();
  await settle();
  other.world.socket.open();
  other.world.socket.say({ type: 'reconnect-to', url: 'https://b.example.org', seconds: 10 });
  await other.world.clock.pass(2_600);
  assert.match(other.world.socket.url, /^wss:\/\/b\.example\.org\/calls\/ws\?/);
});

test('too many windows wait long before they try again', async () => {
  const { world, line } = makeLine();
  line.open();
  await settle();
  world.socket.open();
  world.socket.end(4003, 'too many sockets');
  await world.clock.pass(9_900);
  assert.equal(world.sockets.length, 1);
  await world.clock.pass(200);
  assert.equal(world.sockets.length, 2);
});
