// Lost sockets, resuming, rejoining, closing codes, silence.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { delayBefore, verdictOf } from '../../web/call/closing.js';
import { problem } from '../../web/call/problems.js';
import { socketAt } from '../../web/call/socket.js';
import { PlexiCall } from '../../web/plexichat-call.js';
import { CALL, joinedCall, makeCall, person, serverOffer, welcome } from './support/call.js';
import { FakeTrack, FakeWorld, listen, settle } from './support/world.js';

/** The next try, open. */
async function reopen(world, wait = 1_000) {
  const before = world.sockets.length;
  await world.clock.pass(wait);
  assert.equal(world.sockets.length, before + 1, 'one try');
  world.socket.open();
  return world.socket;
}

test('a lost socket resumes: the same connection, the switches told again', async () => {
  const { world, call } = await joinedCall();
  const notices = listen(call, 'notice');
  call.setHand(true);
  await world.clock.pass(6_000);
  world.socket.end(1006);
  assert.equal(call.state.phase, 'reconnecting');
  assert.equal(call.state.reconnect.attempt, 1);
  call.setMuted(true);  // told when it is back
  const socket = await reopen(world);
  assert.deepEqual(socket.take(), [{ type: 'join', call_id: CALL, role: 'offerer', resume: 'T1' }]);
  socket.say(welcome({ resumed: true, resume_token: 'T2', participants: [person('U2')] }));
  await settle();
  assert.equal(call.state.phase, 'joined');
  assert.equal(call.state.reconnect, null);
  assert.equal(world.peers.length, 1);
  assert.deepEqual(socket.take().map(({ action, on }) => [action, on]),
    [['mute', true], ['video', false], ['hold', false], ['hand', true]]);
  assert.deepEqual(notices.map(({ kind }) => kind), ['reconnected']);
  socket.end(1006);
  assert.equal((await reopen(world)).take()[0].resume, 'T2', 'a token is good once');
});

test('a host\'s mute during a loss holds after it; our own wish of that time counts more', async () => {
  for (const wishes of [false, true]) {
    const { world, call } = await joinedCall();
    await world.clock.pass(30_000);
    world.socket.say({ type: 'quality' });
    world.socket.end(1006);
    if (wishes) {
      call.setMuted(true);
      call.setMuted(false);
    }
    const socket = await reopen(world);
    socket.take();
    socket.say(welcome({ resumed: true, resume_token: 'T2', self: person('U1', { audio: false }) }));
    await settle();
    assert.equal(call.state.own.mutedByHost, !wishes);
    assert.deepEqual(socket.take().filter(({ action }) => action === 'mute').map(({ on }) => on), [!wishes]);
  }
});

test('relays that come with a resume are taken', async () => {
  const { world } = await joinedCall();
  world.socket.end(1006);
  const socket = await reopen(world);
  socket.say(welcome({ resumed: true, resume_token: 'T2', ice_servers: [{ urls: ['turn:n'], username: 'u', credential: 'c' }] }));
  assert.deepEqual(world.peer.configuration.iceServers, [{ urls: ['turn:n'], username: 'u', credential: 'c' }]);
});

test('a loss while the relays are being asked for leads to one connection that works', async () => {
  const gives = [];
  const { world, call } = makeCall({ iceServers: () => new Promise((resolve) => { gives.push(resolve); }) });
  const joining = call.join();
  await settle();
  world.socket.open();
  world.socket.say(welcome());
  world.socket.end(1006);
  const socket = await reopen(world);
  assert.equal(socket.take()[0].resume, undefined, 'there is nothing to resume yet');
  socket.say(welcome({ resume_token: 'T2' }));
  for (let round = 0; round < 4; round += 1) {
    gives.splice(0).forEach((give) => give([]));
    await settle();
  }
  assert.deepEqual(await joining, { ok: true });
  assert.equal(call.state.phase, 'joined');
  assert.equal(socket.take().filter(({ type }) => type === 'sdp:offer').length, 1);
  assert.equal(world.peers.filter(({ signalingState }) => signalingState !== 'closed').length, 1);
});

test('an offer without an answer goes again after the resume, as it was', async () => {
  const { world, call } = await joinedCall({ kind: 'audio' });
  await call.setCamera(/** @type {any} */ (new FakeTrack('video')));
  await settle();
  const [offer] = world.socket.take().filter(({ type }) => type === 'sdp:offer');
  world.socket.end(1006);
  const socket = await reopen(world);
  socket.say(welcome({ resumed: true, resume_token: 'T2' }));
  await settle();
  const again = socket.take().filter(({ type }) => type === 'sdp:offer');
  assert.deepEqual(again, [offer]);
  socket.say({ type: 'sdp:answer', sdp: 'A', id: offer.id });
  await settle();
  assert.equal(world.peer.signalingState, 'stable');
});

test('a resume that comes too late joins anew, with another connection and the same tracks', async () => {
  const { world, call } = await joinedCall();
  const voice = new FakeTrack('audio');
  await call.setMicrophone(/** @type {any} */ (voice));
  const old = world.peer;
  world.socket.end(1006);
  while (world.clock.now < 40_000) {
    await world.clock.pass(1_000);
    if (world.clock.now < 40_000) world.socket.end(1006);
  }
  world.socket.end(1006);
  const socket = await reopen(world, 10_000);
  socket.say({ type: 'error', code: 'resume_invalid', detail: 'join anew', info: {}, ref: null });
  socket.end(4004, 'the call was not joined');
  assert.equal(call.state.phase, 'reconnecting');
  const next = await reopen(world);
  assert.equal(next.take()[0].resume, undefined);
  next.say(welcome({ resume_token: 'T9' }));
  await settle();
  assert.equal(old.signalingState, 'closed');
  assert.equal(world.peers.length, 2);
  assert.equal(world.peer.transceivers[0].sender.track, voice);
  assert.equal(call.state.phase, 'joined');
});

test('a place that is gone before its time was taken by another window, and is left to it', async () => {
  const { world, call } = await joinedCall();
  world.socket.end(1006);
  const socket = await reopen(world);
  socket.say({ type: 'error', code: 'resume_invalid', detail: 'join anew', info: {}, ref: null });
  socket.end(4004, 'the call was not joined');
  assert.equal(call.state.end.code, 'replaced');
  await world.clock.pass(60_000);
  assert.equal(world.sockets.length, 2);
});

test('a session that ends while the call goes on was replaced; a call that ends says so first', async () => {
  for (const [status, wanted] of [['ongoing', 'replaced'], ['ended', 'call_over']]) {
    const { world, call } = await joinedCall();
    world.socket.say({ type: 'call:status', call_id: CALL, status, user_id: 'U2', host_id: 'U2', locked: false });
    world.socket.end(4004, 'the call is over');
    assert.equal(call.state.end.code, wanted);
  }
});

test('a server that stops says so: the call stays, and tries after its loss go to the other', async () => {
  const { world, call } = await joinedCall();
  const notices = listen(call, 'notice');
  world.socket.say({ type: 'reconnect-to', url: 'https://b.example.org/base/', seconds: 30 });
  await world.clock.pass(5_000);
  assert.deepEqual([call.state.phase, world.sockets.length], ['joined', 1]);
  assert.deepEqual(notices.map(({ kind }) => kind), ['server-stopping']);
  world.socket.end(1006);
  const socket = await reopen(world);
  assert.match(socket.url, /^wss:\/\/b\.example\.org\/base\/calls\/ws\?token=secret/);
  assert.equal(socket.take()[0].resume, 'T1');
  // It knows no such token: no sign of another window.
  socket.say({ type: 'error', code: 'resume_invalid', detail: '', info: {}, ref: null });
  socket.end(4004, 'the call was not joined');
  const next = await reopen(world);
  next.say(welcome());
  await settle();
  assert.equal(call.state.phase, 'joined');
});

test('a server that stopped has ended the call: no try is made', async () => {
  const { world, call } = await joinedCall();
  world.socket.say({ type: 'call:status', call_id: CALL, status: 'ended', user_id: null, host_id: 'U2', locked: false });
  world.socket.end(1001, '');
  assert.equal(call.state.end.code, 'call_over');
  await world.clock.pass(60_000);
  assert.equal(world.sockets.length, 1);
});

test('the address of another server is a base, and never less safe', () => {
  const at = (base, current = 'wss://a.example.org/calls/ws') => socketAt(base, current);
  assert.equal(at('https://b.example.org'), 'wss://b.example.org/calls/ws');
  assert.equal(at('wss://b.example.org:8443/x'), 'wss://b.example.org:8443/x/calls/ws');
  assert.equal(at('http://127.0.0.1:9', 'ws://127.0.0.1:8/calls/ws'), 'ws://127.0.0.1:9/calls/ws');
  for (const bad of ['http://b.example.org', 'ws://b', 'javascript:1', '', 'b.example.org', '/x']) assert.equal(at(bad), null, bad);
  assert.equal(at('file:///x', 'ws://a/calls/ws'), null);
});

test('a call that ends after a resume is over, and no reason to join anew', async () => {
  const { world, call } = await joinedCall();
  world.socket.end(1006);
  const socket = await reopen(world);
  socket.say(welcome({ resumed: true, resume_token: 'T2' }));
  await settle();
  socket.say({ type: 'call:status', call_id: CALL, status: 'ended', user_id: 'U2', host_id: 'U2', locked: false });
  socket.end(4004, 'the call has ended');
  assert.equal(call.state.end.code, 'call_over');
  await world.clock.pass(60_000);
  assert.equal(world.sockets.length, 2);
});

test('tries grow apart, and after two minutes it is over', async () => {
  const { world, call } = await joinedCall();
  world.socket.end(1006);
  const waits = [];
  for (;;) {
    const at = world.clock.now;
    const before = world.sockets.length;
    while (world.sockets.length === before && call.state.phase !== 'ended') await world.clock.pass(100);
    if (call.state.phase === 'ended') break;
    waits.push(world.clock.now - at);
    world.socket.end(1006);
  }
  assert.equal(call.state.end.code, 'connection_lost');
  assert.ok(waits[0] <= 600 && waits.at(-1) >= 7_000, `${waits}`);
  assert.ok(waits.length > 10 && waits.length < 40, `${waits.length} tries`);
  assert.equal(world.clock.pending, 0);
});

test('a network that the page has heard of is tried at once, and an open socket has to prove itself', async () => {
  const { world, call } = await joinedCall();
  for (let loss = 0; loss < 6; loss += 1) {
    world.socket.end(1006);
    await world.clock.pass(3_000);
  }
  const count = world.sockets.length;
  world.socket.end(1006);
  call.networkChanged();
  await settle();
  assert.equal(world.sockets.length, count + 1);
  world.socket.open();
  world.socket.say(welcome({ resumed: true, resume_token: 'T3' }));
  await settle();
  const socket = world.socket;
  call.networkChanged();
  assert.equal(socket.sent.filter(({ type }) => type === 'ping').length, 1);
  await world.clock.pass(11_000);
  assert.equal(world.peer.restarts, 1, 'a new path is asked for, once');
  assert.notEqual(world.socket, socket, 'the old one did not answer');
  assert.equal(socket.closedWith, 3001, 'not 1000, which would be a hang-up');
});

test('silence is answered with a ping, and a ping that nobody answers with another socket', async () => {
  const { world } = await joinedCall();
  const socket = world.socket;
  await world.clock.pass(10_000);
  const pings = socket.sent.filter(({ type }) => type === 'ping');
  assert.equal(pings.length, 1);
  socket.say({ type: 'pong', id: pings[0].id });
  await world.clock.pass(9_000);
  assert.equal(socket.closedWith, null);
  await world.clock.pass(9_000);
  assert.equal(socket.closedWith, 3001);
});

test('an unanswered join and an unopened socket are tried again, not for ever', async () => {
  const { world, call } = makeCall();
  const joining = call.join();
  await world.clock.pass(10_000);
  assert.equal(world.sockets[0].closedWith, 3001, 'never opened');
  await world.clock.pass(1_000);
  world.socket.open();
  await world.clock.pass(30_000);
  const outcome = await joining;
  assert.equal(outcome.ok, false);
  assert.equal(outcome.problem.code, 'timeout');
  assert.equal(world.clock.pending, 0);
});

test('what keeps somebody out ends the join with the server\'s reason', async () => {
  for (const [code, closing] of [['call_locked', 4005], ['not_found', 4004], ['already_in_call', null], ['call_full', null]]) {
    const { world, call } = makeCall();
    const joining = call.join();
    await settle();
    world.socket.open();
    world.socket.say({ type: 'error', code, detail: `because ${code}`, info: {}, ref: null });
    if (closing) world.socket.end(closing, 'the call was not joined');
    const outcome = await joining;
    assert.deepEqual([outcome.problem.code, outcome.problem.text], [code, `because ${code}`]);
    await world.clock.pass(60_000);
    assert.equal(world.sockets.length, 1);
  }
});

test('what was refused in the call is not why it ends', async () => {
  for (const [code, reason, wanted] of [[4005, 'removed from the call', 'removed'], [4004, 'the call has ended', 'call_over']]) {
    const { world, call } = await joinedCall();
    world.socket.say({ type: 'error', code: 'forbidden', detail: 'Only the host may do this', info: {}, ref: 7 });
    world.socket.say({ type: 'call:status', call_id: CALL, status: code === 4004 ? 'ended' : 'ongoing', host_id: 'U2', locked: false });
    world.socket.end(code, reason);
    assert.equal(call.state.end.code, wanted);
  }
});

test('a server without room is asked again after the time that it names', async () => {
  const { world, call } = makeCall();
  const joining = call.join();
  await settle();
  world.socket.open();
  world.socket.say({ type: 'error', code: 'too_many_requests', detail: 'slow', info: { retry_after: 7 }, ref: null });
  await world.clock.pass(6_900);
  assert.equal(world.sockets.length, 1);
  await world.clock.pass(200);
  assert.equal(world.sockets.length, 2);
  world.socket.open();
  world.socket.say(welcome());
  assert.deepEqual(await joining, { ok: true });
});

test('a refused token is fetched anew once', async () => {
  const world = new FakeWorld();
  let fetched = 0;
  const call = new PlexiCall({ url: 'ws://x/calls/ws', callId: CALL, env: world.env, token: async () => `t${++fetched}` });
  const joining = call.join();
  await settle();
  world.socket.open();
  world.socket.end(4001, 'the token is not valid');
  await reopen(world);
  assert.match(world.socket.url, /token=t2/);
  world.socket.end(4001, 'the token is not valid');
  assert.equal((await joining).problem.code, 'signed_out');
  assert.equal(fetched, 2);
});

test('nobody signed in, a page that may not connect: told at once', async () => {
  const signedOut = makeCall({ token: async () => null });
  assert.equal((await signedOut.call.join()).problem.code, 'signed_out');
  const world = new FakeWorld();
  world.env.WebSocket = class { constructor() { throw new Error('SecurityError'); } };
  const forbidden = new PlexiCall({ url: 'ws://x/calls/ws', callId: CALL, env: world.env, token: async () => 't' });
  assert.equal((await forbidden.join()).problem.code, 'network');
});

test('the token stands in no error, event or state', async () => {
  const { world, call } = makeCall();
  const told = ['change', 'problem', 'ended', 'notice'].map((type) => listen(call, type));
  const joining = call.join();
  await settle();
  world.socket.open();
  world.socket.end(4002, 'no messages that can be read');
  const outcome = await joining;
  assert.equal(outcome.problem.code, 'protocol_error');
  assert.doesNotMatch(JSON.stringify([told, outcome, call.state]), /secret token/);
});

test('a path that breaks is repaired by a restart, and one that stays broken by another session', async () => {
  const { world, call } = await joinedCall();
  world.peer.become('disconnected');
  await world.clock.pass(500);
  world.peer.become('connected');
  await world.clock.pass(5_000);
  assert.equal(world.peer.restarts, 0, 'it came back by itself');
  world.peer.become('disconnected');
  await world.clock.pass(1_100);
  assert.equal(world.peer.restarts, 1);
  const first = world.peer;
  const problems = listen(call, 'problem');
  for (let failure = 0; failure < 5; failure += 1) {
    first.become('failed', 'failed');
    await world.clock.pass(3_100);
    const offer = world.socket.take().find(({ type }) => type === 'sdp:offer');
    if (offer && world.peer === first) world.socket.say({ type: 'sdp:answer', sdp: 'A', id: offer.id });
    await settle();
  }
  assert.deepEqual(problems.map(({ code }) => code), ['media_failed']);
  assert.equal(first.signalingState, 'closed');
  world.socket.open();
  assert.equal(world.socket.take()[0].resume, undefined, 'a new session, not the old one');
});

test('sessions that never come up end the call', async () => {
  const { world, call } = await joinedCall();
  for (let round = 0; round < 10 && call.state.phase !== 'ended'; round += 1) {
    world.peer.become('failed', 'connected');  // DTLS
    await world.clock.pass(1_000);
    if (call.state.phase === 'ended') break;
    world.socket.open();
    world.socket.say(welcome());
    await settle();
  }
  assert.equal(call.state.end.code, 'media_failed');
  assert.equal(world.peers.length, 4);
});

test('an offer that comes while the relays are being asked for waits for the connection', async () => {
  let give;
  const { world, call } = makeCall({ role: 'answerer', iceServers: () => new Promise((resolve) => { give = resolve; }) });
  call.join();
  await settle();
  world.socket.open();
  world.socket.say(welcome({ ice_servers: [{ urls: 'stun:s.example.org' }, { urls: 'http://x' }, { urls: ['turn:t'] }] }));
  world.socket.say({ type: 'sdp:offer', sdp: serverOffer('O1', [['audio', 's0', 'recvonly']]), id: 1 });
  await settle();
  assert.equal(world.peers.length, 0);
  give([{ urls: ['turn:r.example.org'], username: 'u', credential: 'c' }]);
  await settle();
  assert.deepEqual(world.peer.configuration.iceServers,
    [{ urls: ['stun:s.example.org'] }, { urls: ['turn:r.example.org'], username: 'u', credential: 'c' }]);
  assert.equal(world.socket.take().pop().type, 'sdp:answer');
});

test('relays that do not come are done without', async () => {
  const { world, call } = makeCall({ iceServers: () => new Promise(() => {}) });
  call.join();
  await settle();
  world.socket.open();
  world.socket.say(welcome());
  await world.clock.pass(3_100);
  assert.equal(world.peers.length, 1);
});

test('a join that was lost with its answer is made anew: the token may have been taken', async () => {
  const { world, call } = await joinedCall();
  await world.clock.pass(6_000);
  world.socket.end(1006);
  const socket = await reopen(world);
  assert.equal(socket.take()[0].resume, 'T1');
  socket.end(1006);
  const next = await reopen(world);
  assert.equal(next.take()[0].resume, undefined);
  next.say(welcome({ resume_token: 'T5' }));
  await settle();
  assert.deepEqual([call.state.phase, world.peers.length], ['joined', 2]);
});

test('another session knows no tracks, no streams and no wishes of the one before', async () => {
  const { world, call } = await joinedCall();
  const tracks = { type: 'tracks', tracks: [{ mid: 's0', kind: 'video', user_id: 'U2' }] };
  const show = async (socket) => {
    socket.say({ type: 'sdp:offer', sdp: serverOffer('O', [['video', 's0', 'sendonly']]), id: 1 });
    await settle();
    socket.say(tracks);
  };
  call.setTiles([{ mid: 's0', width: 100, height: 60 }]);
  await show(world.socket);
  const old = call.streamOf('s0');
  const shown = { srcObject: null, play: async () => {} };
  call.attach(shown, 's0');
  assert.equal(shown.srcObject, old);
  await world.clock.pass(300);
  world.peer.become('failed', 'connected');
  await world.clock.pass(1_000);
  world.socket.open();
  world.socket.say(welcome());
  await settle();
  assert.deepEqual([call.state.tracks, call.streamOf('s0')], [[], null]);
  const offer = world.socket.take().find(({ type }) => type === 'sdp:offer');
  world.socket.say({ type: 'sdp:answer', sdp: 'A', id: offer.id });
  await show(world.socket);
  await world.clock.pass(300);
  assert.notEqual(call.streamOf('s0'), old);
  assert.equal(shown.srcObject, call.streamOf('s0'), 'the element follows');
  assert.deepEqual(world.socket.take().filter(({ action }) => action === 'layer').map(({ layer }) => layer), [0]);
  await call.leave();
  assert.equal(shown.srcObject, null);
});

test('a call whose path fails now and then and recovers is not given up', async () => {
  const { world, call } = await joinedCall();
  for (let hour = 0; hour < 8; hour += 1) {
    world.peer.become('failed', 'failed');
    await world.clock.pass(3_100);
    const offer = world.socket.take().find(({ type }) => type === 'sdp:offer');
    world.socket.say({ type: 'sdp:answer', sdp: 'A', id: offer.id });
    await settle();
    world.peer.become('connected');
  }
  assert.equal(world.peers.length, 1);
  for (let day = 0; day < 6; day += 1) {
    world.peer.become('failed', 'connected');
    await world.clock.pass(1_000);
    world.socket.open();
    world.socket.say(welcome());
    await settle();
    world.peer.become('connected');
  }
  assert.deepEqual([call.state.phase, world.peers.length], ['joined', 7]);
});

test('a wait that is longer than anybody waits is told at once', async () => {
  const { world, call } = makeCall();
  const joining = call.join();
  await settle();
  world.socket.open();
  world.socket.say({ type: 'error', code: 'server_full', detail: 'full', info: { retry_after: 60 }, ref: null });
  const outcome = await joining;
  assert.deepEqual([outcome.problem.code, outcome.problem.retryAfter], ['server_full', 60]);
});

test('a flood that is closed for waits as long as it was told', async () => {
  const { world } = await joinedCall();
  world.socket.say({ type: 'error', code: 'too_many_requests', detail: '', info: { retry_after: 25 }, ref: null });
  world.socket.end(4003, 'too many messages');
  await world.clock.pass(24_900);
  assert.equal(world.sockets.length, 1);
  await world.clock.pass(200);
  assert.equal(world.sockets.length, 2);
});

test('a network that takes nothing any more is left', async () => {
  const { world, call } = await joinedCall();
  const socket = world.socket;
  socket.bufferedAmount = 2 << 20;
  call.setHand(true);
  assert.equal(socket.closedWith, 3003);
  assert.equal(call.state.phase, 'reconnecting');
});

test('each closing code has its consequence', () => {
  const none = { told: null, refusals: 0, resuming: false };
  const told = (code) => ({ ...none, told: problem(code) });
  const kinds = [
    [1000, 'replaced', none, 'replaced'], [1000, 'hung up', none, 'left'], [1009, '', none, 'protocol_error'],
    [4002, '', none, 'protocol_error'], [4001, '', { ...none, refusals: 1 }, 'signed_out'],
    [4004, 'the call has ended', none, 'call_over'], [4004, '', told('not_found'), 'not_found'],
    [4005, 'removed from the call', none, 'removed'], [4005, '', told('call_locked'), 'call_locked'],
    [4005, 'the token does not permit calls', none, 'forbidden'],
  ];
  for (const [code, reason, context, wanted] of kinds) {
    const verdict = verdictOf(code, reason, context);
    assert.deepEqual([verdict.kind, verdict.problem.code], ['end', wanted], `${code} ${reason}`);
  }
  for (const code of [1001, 1005, 1006, 1008, 1011, 1012, 1013, 4000]) {
    assert.equal(verdictOf(code, '', none).kind, 'retry', `${code}`);
  }
  assert.equal(verdictOf(4003, 'too many sockets', none).wait, 10_000);
  assert.equal(verdictOf(4004, '', { ...none, resuming: true }).kind, 'rejoin');
  assert.equal(verdictOf(4004, '', told('resume_invalid')).kind, 'rejoin');
});

test('waits grow, are bounded, and leave half to chance', () => {
  assert.deepEqual([delayBefore(1, () => 0), delayBefore(1, () => 0.999_9)], [150, 300]);
  assert.ok(delayBefore(3, () => 0) > delayBefore(2, () => 0));
  assert.equal(delayBefore(1_000, () => 1), 10_000);
});
