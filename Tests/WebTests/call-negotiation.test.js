// Perfect negotiation from the impolite side: glare, refusals, silence, order, bounds.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { joinedCall, makeCall, serverOffer, welcome } from './support/call.js';
import { FakeTrack, listen, settle } from './support/world.js';

const descriptions = (world) => world.socket.take().filter(({ type }) => type.startsWith('sdp:'));

async function wanting() {
  const joined = await joinedCall({ kind: 'audio' });
  await joined.call.setCamera(new FakeTrack('video'));
  await settle();
  const [offer] = descriptions(joined.world);
  return { ...joined, offer };
}

test('the server\'s offer that crosses ours is ignored, and the next one answered', async () => {
  const { world, offer } = await wanting();
  world.socket.say({ type: 'sdp:offer', sdp: serverOffer('O2'), id: 2 });
  await settle();
  assert.deepEqual(descriptions(world), []);
  assert.equal(world.peer.signalingState, 'have-local-offer');
  world.socket.say({ type: 'sdp:answer', sdp: 'A3', id: offer.id });
  world.socket.say({ type: 'sdp:offer', sdp: serverOffer('O4'), id: 3 });
  await settle();
  assert.deepEqual(descriptions(world).map(({ type, id }) => [type, id]), [['sdp:answer', 3]]);
  assert.equal(world.peer.signalingState, 'stable');
});

test('what is wanted while an offer is being answered is offered after it', async () => {
  const { world, call } = await joinedCall({ kind: 'audio' });
  world.socket.say({ type: 'sdp:offer', sdp: serverOffer('O2'), id: 1 });
  call.setCamera(new FakeTrack('video'));
  await settle();
  assert.deepEqual(descriptions(world).map(({ type }) => type), ['sdp:answer', 'sdp:offer']);
});

test('what is wanted while our offer is out goes into the next one, all together', async () => {
  const { world, call, offer } = await wanting();
  world.peer.restartIce();
  world.peer.restartIce();
  call.setScreen(null);
  await settle();
  assert.deepEqual(descriptions(world), []);
  world.socket.say({ type: 'sdp:answer', sdp: 'A', id: offer.id });
  await settle();
  assert.equal(descriptions(world).length, 1);
});

test('an answer to another offer, and one to none, are passed over', async () => {
  const { world, offer } = await wanting();
  world.socket.say({ type: 'sdp:answer', sdp: 'old', id: offer.id - 1 });
  await settle();
  assert.equal(world.peer.signalingState, 'have-local-offer');
  world.socket.say({ type: 'sdp:answer', sdp: 'A', id: offer.id });
  world.socket.say({ type: 'sdp:answer', sdp: 'A', id: offer.id });
  world.socket.say({ type: 'sdp:answer', sdp: 'A' });
  await settle();
  assert.equal(world.peer.signalingState, 'stable');
});

test('a refused offer is rolled back, told, and made again after a while', async () => {
  const { world, call, offer } = await wanting();
  const problems = listen(call, 'problem');
  world.socket.say({
    type: 'error', code: 'sdp_invalid', detail: 'Line 3: bad', info: { line: 3, reason: 'bad' }, ref: offer.id,
  });
  await settle();
  assert.equal(world.peer.signalingState, 'stable');
  assert.deepEqual(problems.map(({ code, info }) => [code, info.line]), [['sdp_invalid', 3]]);
  assert.deepEqual(descriptions(world), [], 'not at once, though the browser asks for it');
  await world.clock.pass(1_100);
  const [again] = descriptions(world);
  assert.notEqual(again.id, offer.id);
  assert.equal(call.state.phase, 'joined');
});

test('offers that are refused for their number wait as long as the server says', async () => {
  const { world, call, offer } = await wanting();
  const problems = listen(call, 'problem');
  world.socket.say({ type: 'error', code: 'too_many_requests', detail: '', info: { retry_after: 6 }, ref: offer.id });
  await world.clock.pass(5_900);
  assert.deepEqual(descriptions(world), []);
  await world.clock.pass(200);
  assert.equal(descriptions(world).length, 1);
  assert.deepEqual(problems, []);
});

test('three refusals in a row end the session, and another is tried', async () => {
  const { world, call, offer } = await wanting();
  let last = offer;
  for (let round = 0; round < 3; round += 1) {
    world.socket.say({ type: 'error', code: 'conflict', detail: 'no', info: {}, ref: last.id });
    await world.clock.pass(3_000);
    last = descriptions(world)[0] ?? last;
  }
  assert.equal(world.sockets.length, 2);
  assert.equal(call.state.phase, 'reconnecting');
});

test('an offer that nobody answers is sent again, and in the end another session tried', async () => {
  const { world, offer } = await wanting();
  const socket = world.socket;
  const alive = async () => {
    for (let second = 0; second < 10; second += 1) {
      socket.say({ type: 'quality' });
      await world.clock.pass(1_000);
    }
  };
  await alive();
  assert.deepEqual(descriptions(world), [offer]);
  await alive();
  assert.deepEqual(descriptions(world), [offer]);
  await alive();
  assert.equal(world.peer.signalingState, 'closed');
});

test('what the browser refuses of the server is told, and the next offer is answered', async () => {
  const { world, call } = await joinedCall();
  const problems = listen(call, 'problem');
  world.socket.say({ type: 'sdp:offer', sdp: 'refuse this', id: 1 });
  await settle();
  assert.deepEqual(descriptions(world), []);
  assert.deepEqual(problems.map(({ code }) => code), ['negotiation_failed']);
  world.socket.say({ type: 'error', code: 'negotiation_timeout', detail: '', info: {}, ref: 1 });
  world.socket.say({ type: 'sdp:offer', sdp: serverOffer('O2'), id: 2 });
  await settle();
  assert.deepEqual(descriptions(world).map(({ id }) => id), [2]);
});

test('an answer that the browser refuses takes our offer back, and it is made anew', async () => {
  const { world, offer } = await wanting();
  world.socket.say({ type: 'sdp:answer', sdp: 'refuse', id: offer.id });
  await world.clock.pass(1_100);
  assert.equal(world.peer.rollbacks, 1);
  assert.equal(descriptions(world).length, 1);
});

test('an error about something else leaves our offer alone', async () => {
  const { world, offer } = await wanting();
  world.socket.say({ type: 'error', code: 'forbidden', detail: '', info: {}, ref: offer.id + 50 });
  world.socket.say({ type: 'error', code: 'unexpected_answer', detail: '', info: {}, ref: null });
  await settle();
  assert.equal(world.peer.signalingState, 'have-local-offer');
});

test('candidates go out while there is a socket, and not without', async () => {
  const { world } = await joinedCall();
  const candidate = { toJSON: () => ({ candidate: 'candidate:1 1 udp 1 10.0.0.1 9 typ host', sdpMid: '0', sdpMLineIndex: 0 }) };
  world.peer.onicecandidate({ candidate });
  world.peer.onicecandidate({ candidate: null });
  const sent = world.socket.sent.filter(({ type }) => type === 'ice:candidate');
  assert.deepEqual(sent[0].candidate.sdpMid, '0');
  assert.equal(sent[1].candidate, null);
  const socket = world.socket;
  socket.end(1006);
  world.peer.onicecandidate({ candidate });
  assert.equal(socket.sent.length, sent.length + socket.sent.filter(({ type }) => type !== 'ice:candidate').length);
});

test('ten thousand candidates go out no faster than the server takes them, and the rest is left', async () => {
  const { world } = await joinedCall();
  const candidate = { toJSON: () => ({ candidate: 'candidate:1 1 udp 1 10.0.0.1 9 typ host', sdpMid: '0' }) };
  await world.clock.pass(6_000);
  world.socket.sent = [];
  for (let count = 0; count < 10_000; count += 1) world.peer.onicecandidate({ candidate });
  assert.ok(world.socket.sent.length <= 80, `${world.socket.sent.length} at once`);
  world.socket.say({ type: 'quality' });
  await world.clock.pass(4_000);
  assert.ok(world.socket.sent.length <= 80 + 15 * 4 + 2, `${world.socket.sent.length} after 4 s`);
  for (let second = 0; second < 100; second += 1) {
    world.socket.say({ type: 'quality' });
    await world.clock.pass(1_000);
  }
  assert.ok(world.socket.sent.length < 80 + 512 + 2, `${world.socket.sent.length} in all`);
});

test('no number of ours is one of the server\'s, so an error about its offer is not one about ours', async () => {
  const { world, offer } = await wanting();
  for (let id = 1; id <= 100; id += 1) {
    assert.notEqual(offer.id, id);
    world.socket.say({ type: 'error', code: 'negotiation_timeout', detail: '', info: {}, ref: id });
  }
  await settle();
  assert.equal(world.peer.signalingState, 'have-local-offer');
});

test('a device that comes before the first offer of the server waits for its section', async () => {
  const { world, call } = makeCall({ role: 'answerer' });
  call.join();
  await settle();
  world.socket.open();
  world.socket.say(welcome({ role: 'answerer' }));
  await settle();
  const voice = new FakeTrack('audio');
  await call.setMicrophone(voice);
  await settle();
  assert.deepEqual(descriptions(world), []);
  world.socket.say({ type: 'sdp:offer', sdp: serverOffer('O', [['audio', 's0', 'recvonly']]), id: 1 });
  await settle();
  assert.deepEqual(descriptions(world).map(({ type }) => type), ['sdp:answer']);
  assert.equal(world.peer.transceivers.find(({ mid }) => mid === 's0').sender.track, voice);
  // What the server had no section for is offered then.
  await call.setCamera(new FakeTrack('video'));
  await settle();
  assert.deepEqual(descriptions(world).map(({ type }) => type), ['sdp:offer']);
});

test('a server that floods with offers is bounded', async () => {
  const { world, call } = await joinedCall();
  const problems = listen(call, 'problem');
  for (let id = 1; id <= 200; id += 1) world.socket.say({ type: 'sdp:offer', sdp: serverOffer('O'), id });
  assert.equal(problems.length, 200 - 32);
  await settle();
  assert.equal(call.state.phase, 'joined');
});

test('an offer that is refused before anything came up is told as the end when it stays refused', async () => {
  const { world, call } = makeCall();
  call.join();
  await settle();
  for (let session = 0; session < 5 && call.state.phase !== 'ended'; session += 1) {
    world.socket.open();
    world.socket.say(welcome());
    await settle();
    const [offer] = descriptions(world);
    world.socket.say({ type: 'error', code: 'sdp_unacceptable', detail: 'nothing in common', info: {}, ref: offer.id });
    await world.clock.pass(2_000);
  }
  assert.equal(call.state.end.code, 'sdp_unacceptable');
});
