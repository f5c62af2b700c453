// Joining, media, resuming, ending: PlexiCall against a server that is the test.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { PlexiCall } from '../../web/plexichat-call.js';
import { CALL, joinedCall, makeCall, person, serverOffer, welcome } from './support/call.js';
import { FakeStream, FakeTrack, FakeWorld, listen, settle } from './support/world.js';

const types = (messages) => messages.map(({ type, action }) => (action ? `${type} ${action}` : type));

test('a join says who and what, and offers once it is let in', async () => {
  const { world, call } = makeCall();
  const joining = call.join();
  await settle();
  assert.equal(world.socket.url, 'wss://chat.example.org/calls/ws?token=secret+token');
  world.socket.open();
  assert.deepEqual(world.socket.take(), [{ type: 'join', call_id: CALL, role: 'offerer' }]);
  assert.equal(world.peers.length, 0, 'no connection before the join');
  world.socket.say(welcome({ participants: [person('U2')], host_id: 'U2' }));
  assert.deepEqual(await joining, { ok: true });
  await settle();
  const [mute, video, hold, hand, offer] = world.socket.take();
  assert.deepEqual([mute.on, video.on, hold.on, hand.on], [false, false, false, false]);
  assert.equal(offer.type, 'sdp:offer');
  assert.match(offer.sdp, /m=audio.*a=sendonly.*m=video.*a=sendonly/s);
  assert.equal(call.state.phase, 'joined');
  assert.equal(call.state.hostId, 'U2');
  assert.deepEqual(call.state.participants.map(({ userId }) => userId), ['U2']);
});

test('an audio call has no section for a camera until one is switched on', async () => {
  const { world, call, offer } = await joinedCall({ kind: 'audio' });
  assert.doesNotMatch(offer.sdp, /m=video/);
  await call.setCamera(/** @type {any} */ (new FakeTrack('video')));
  await settle();
  const [video, second] = world.socket.take();
  assert.deepEqual([video.action, video.on], ['video', true]);
  assert.match(second.sdp, /m=video/);
});

test('tracks that are set before the join are in the first offer, a camera with three layers', async () => {
  const { world, call } = makeCall();
  const [voice, picture] = [new FakeTrack('audio'), new FakeTrack('video')];
  await call.setMicrophone(/** @type {any} */ (voice));
  await call.setCamera(/** @type {any} */ (picture));
  call.join();
  await settle();
  world.socket.open();
  world.socket.say(welcome());
  await settle();
  const [audio, video] = world.peer.transceivers;
  assert.deepEqual([audio.sender.track, video.sender.track], [voice, picture]);
  assert.deepEqual(video.sender.encodings.map(({ rid }) => rid), ['q', 'h', 'f']);
  const told = world.socket.take().find(({ action }) => action === 'video');
  assert.equal(told.on, true);
});

test('an answerer waits for the offer, and takes its sections for its own tracks', async () => {
  const { world, call } = makeCall({ role: 'answerer' });
  const voice = new FakeTrack('audio');
  call.setMicrophone(/** @type {any} */ (voice));
  call.join();
  await settle();
  world.socket.open();
  assert.equal(world.socket.take()[0].role, 'answerer');
  world.socket.say(welcome({ role: 'answerer' }));
  await settle();
  assert.deepEqual(types(world.socket.take()).filter((type) => type.startsWith('sdp')), []);
  const sections = [['audio', 's0', 'recvonly'], ['video', 's1', 'recvonly'], ['audio', 's2', 'sendonly']];
  world.socket.say({ type: 'sdp:offer', sdp: serverOffer('O1', sections), id: 1 });
  await settle();
  const [answer] = world.socket.take();
  assert.deepEqual([answer.type, answer.id], ['sdp:answer', 1]);
  const byMid = new Map(world.peer.transceivers.map((one) => [one.mid, one]));
  assert.equal(byMid.get('s0').sender.track, voice);
  assert.equal(byMid.get('s0').direction, 'sendonly');
  assert.equal(byMid.get('s2').sender.track, null);
  assert.equal(world.peer.transceivers.length, 3, 'no sections of ours beside those that were offered');
});

test('what others send is named, found and flows', async () => {
  const { world, call } = await joinedCall();
  const notices = listen(call, 'notice');
  world.socket.say({ type: 'participant:joined', ...person('U2') });
  world.socket.say({ type: 'sdp:offer', sdp: serverOffer('O2', [['audio', 's0', 'sendonly'], ['video', 's1', 'sendonly']]), id: 1 });
  await settle();
  assert.deepEqual(world.socket.take().map(({ type, id }) => [type, id]), [['sdp:answer', 1]]);
  world.socket.say({
    type: 'tracks', tracks: [{ mid: 's0', kind: 'audio', user_id: 'U2' }, { mid: 's1', kind: 'video', user_id: 'U2' }],
  });
  await settle();
  assert.deepEqual(
    call.state.tracks.map(({ mid, userId, source, ready, flowing }) => [mid, userId, source, ready, flowing]),
    [['s0', 'U2', 'microphone', true, false], ['s1', 'U2', 'camera', true, false]]);
  const track = world.peer.transceivers.find(({ mid }) => mid === 's1').receiver.track;
  assert.equal(call.streamOf('s1').getVideoTracks()[0], track);
  assert.equal(call.streamOf('s1'), call.streamOf('s1'));
  track.muted = false;
  track.onunmute();
  assert.equal(call.state.tracks[1].flowing, true);
  assert.deepEqual(notices, [{ kind: 'joined', userId: 'U2' }]);
});

test('a second picture of somebody is a screen, and goes when its section does', async () => {
  const { world, call } = await joinedCall();
  const notices = listen(call, 'notice');
  const [camera, screen] = [{ mid: 's1', kind: 'video', user_id: 'U2' }, { mid: 's0', kind: 'video', user_id: 'U2' }];
  world.socket.say({ type: 'tracks', tracks: [camera] });
  // A section that was free before: the list's order says nothing.
  world.socket.say({ type: 'tracks', tracks: [screen, camera] });
  assert.deepEqual(call.state.tracks.map(({ mid, source }) => [mid, source]), [['s0', 'screen'], ['s1', 'camera']]);
  world.socket.say({ type: 'tracks', tracks: [camera] });
  assert.deepEqual(notices.map(({ kind }) => kind), ['screen-started', 'screen-stopped']);
});

test('muting stops the packets here and tells the server, and both end together', async () => {
  const { world, call } = await joinedCall();
  const voice = new FakeTrack('audio');
  await call.setMicrophone(/** @type {any} */ (voice));
  const [audio] = world.peer.transceivers;
  assert.equal(audio.sender.track, voice);
  call.setMuted(true);
  await settle();
  assert.equal(audio.sender.track, null);
  assert.deepEqual(world.socket.take().pop(), { type: 'control', action: 'mute', on: true });
  const other = new FakeTrack('audio');
  await call.setMicrophone(/** @type {any} */ (other));
  assert.equal(audio.sender.track, null, 'another device while muted stays silent');
  call.setMuted(false);
  await settle();
  assert.equal(audio.sender.track, other);
  assert.deepEqual(world.socket.take().pop(), { type: 'control', action: 'mute', on: false });
});

test('who is muted by the host sees it, and may come back; an old word of the server is no host', async () => {
  const { world, call } = await joinedCall();
  const notices = listen(call, 'notice');
  await world.clock.pass(3_000);
  world.socket.say({ type: 'participant:updated', ...person('U1', { audio: false }) });
  assert.deepEqual([call.state.own.muted, call.state.own.mutedByHost], [true, true]);
  assert.deepEqual(notices.map(({ kind }) => kind), ['muted-by-host']);
  call.setMuted(false);
  // Was on its way when we asked.
  world.socket.say({ type: 'participant:updated', ...person('U1', { audio: false }) });
  assert.deepEqual([call.state.own.muted, call.state.own.mutedByHost], [false, false]);
});

test('a host\'s hand right after the server has confirmed ours is the host\'s', async () => {
  const { world, call } = await joinedCall();
  call.setMuted(true);
  call.setMuted(false);
  world.socket.say({ type: 'participant:updated', ...person('U1', { audio: true }) });
  world.socket.say({ type: 'participant:updated', ...person('U1', { audio: false }) });
  assert.equal(call.state.own.mutedByHost, true);
});

test('on hold nothing leaves, and what was on comes back after it', async () => {
  const { world, call } = await joinedCall();
  const [voice, picture] = [new FakeTrack('audio'), new FakeTrack('video')];
  await call.setMicrophone(voice);
  await call.setCamera(picture);
  call.setHold(true);
  await settle();
  assert.deepEqual(world.peer.transceivers.map(({ sender }) => sender.track), [null, null]);
  assert.deepEqual(world.socket.take().pop(), { type: 'control', action: 'hold', on: true });
  call.setHold(false);
  await settle();
  assert.deepEqual(world.peer.transceivers.map(({ sender }) => sender.track), [voice, picture]);
});

test('what the host has taken away before is not asked for at the join', async () => {
  const { world, call } = makeCall();
  call.join();
  await settle();
  world.socket.open();
  world.socket.take();
  world.socket.say(welcome({ self: person('U1', { audio: false, permissions: { audio: false, video: true, receive: true } }) }));
  await settle();
  assert.equal(call.state.own.mayAudio, false);
  assert.deepEqual(world.socket.take().filter(({ action }) => action === 'mute'), []);
});

test('what the host took away cannot be switched on: it goes back, and the page is told', async () => {
  const { world, call } = await joinedCall();
  const problems = listen(call, 'problem');
  call.setMuted(true);
  call.setMuted(false);
  world.socket.say({ type: 'error', code: 'forbidden', detail: 'The host has switched this off', info: {}, ref: null });
  assert.equal(call.state.own.muted, true);
  assert.deepEqual(problems.map(({ code, text }) => [code, text]), [['forbidden', 'The host has switched this off']]);
});

test('a screen gets a section after the camera, one stream, and stops when the browser stops it', async () => {
  const { world, call } = await joinedCall({ kind: 'audio' });
  const picture = new FakeTrack('video');
  await call.setScreen(/** @type {any} */ (new FakeStream([picture])), { hint: 'text' });
  await settle();
  const offer = world.socket.take().find(({ type }) => type === 'sdp:offer');
  world.socket.say({ type: 'sdp:answer', sdp: 'A', id: offer.id });
  await settle();
  const [, camera, screen] = world.peer.transceivers;
  assert.deepEqual([camera.sender.encodings.length, screen.sender.encodings.length], [3, 1]);
  assert.equal(screen.sender.track, picture);
  assert.equal(picture.contentHint, 'text');
  assert.equal(call.state.own.screen, true);
  picture.dispatchEvent(new Event('ended'));
  await settle();
  assert.equal(call.state.own.screen, false);
  assert.equal(screen.direction, 'inactive');
  assert.match(world.socket.take().find(({ type }) => type === 'sdp:offer').sdp, /a=inactive/);
});

test('a camera that goes while a screen is shown leaves the picture on at the server', async () => {
  const { world, call } = await joinedCall();
  await call.setCamera(/** @type {any} */ (new FakeTrack('video')));
  await call.setScreen(/** @type {any} */ (new FakeStream([new FakeTrack('video')])));
  await settle();
  world.socket.take();
  await call.setCamera(null);
  assert.deepEqual(world.socket.take().filter(({ action }) => action === 'video'), []);
  await call.setScreen(null);
  assert.deepEqual(world.socket.take().filter(({ action }) => action === 'video').map(({ on }) => on), [false]);
});

test('layers that nobody looks at are not encoded, and come back', async () => {
  const { world } = await joinedCall();
  const camera = world.peer.transceivers[1];
  world.socket.say({ type: 'layers', mid: camera.mid, unwatched: [1, 2] });
  await settle();
  assert.deepEqual(camera.sender.encodings.map(({ active }) => active), [true, false, false]);
  world.socket.say({ type: 'layers', mid: camera.mid, unwatched: [] });
  await settle();
  assert.deepEqual(camera.sender.encodings.map(({ active }) => active), [true, true, true]);
  world.socket.say({ type: 'layers', mid: 'nobody', unwatched: [0] });
  await settle();
  assert.deepEqual(camera.sender.encodings.map(({ active }) => active), [true, true, true]);
});

test('hanging up says so, closes with 1000, and nothing runs on', async () => {
  const { world, call } = await joinedCall();
  const ended = listen(call, 'ended');
  const [socket, peer] = [world.socket, world.peer];
  await call.leave();
  assert.deepEqual(socket.take(), [{ type: 'hangup', reason: 'left' }]);
  assert.equal(socket.closedWith, 1000);
  assert.equal(peer.signalingState, 'closed');
  assert.deepEqual(ended.map(({ code }) => code), ['left']);
  await world.clock.pass(200_000);
  assert.equal(world.clock.pending, 0);
  assert.equal(world.sockets.length, 1);
});

test('a hang-up in the middle of a negotiation ends it quietly', async () => {
  const { world, call } = await joinedCall();
  const problems = listen(call, 'problem');
  world.socket.say({ type: 'sdp:offer', sdp: serverOffer('O2', [['audio', 's0', 'sendonly']]), id: 1 });
  call.leave();
  await settle();
  await world.clock.pass(60_000);
  assert.deepEqual(problems, []);
  assert.equal(call.state.end.code, 'left');
});

test('changes of one turn are one event with the state before', async () => {
  const { world, call } = await joinedCall();
  const changes = listen(call, 'change');
  const before = call.state;
  world.socket.say({ type: 'participant:joined', ...person('U2') });
  world.socket.say({ type: 'speakers', user_id: 'U2' });
  world.socket.say({ type: 'speakers', user_id: 'U2' });
  await settle();
  assert.equal(changes.length, 1);
  assert.equal(changes[0].previous, before);
  assert.equal(changes[0].state.speaker, 'U2');
  assert.ok(Object.isFrozen(call.state));
  world.socket.say({ type: 'speakers', user_id: 'U2' });
  await settle();
  assert.equal(changes.length, 1, 'what says nothing new is no change');
});

test('host powers are messages with an id', async () => {
  const { world, call } = await joinedCall();
  assert.ok(call.muteParticipant('U2'));
  call.permit('U2', { audio: false });
  call.removeParticipant('U2');
  call.setLocked(true);
  call.invite(['U3']);
  call.endForAll();
  const sent = world.socket.take();
  assert.deepEqual(sent.map(({ action }) => action), ['mute_participant', 'permissions', 'remove', 'lock', 'invite', 'end']);
  assert.deepEqual(sent[1], { type: 'control', action: 'permissions', participant_id: 'U2', audio: false, id: sent[1].id });
  assert.equal(new Set(sent.map(({ id }) => id)).size, sent.length);
  await call.leave();
  assert.equal(call.setLocked(false), false);
});

test('a recording is begun and answered by messages with an id', async () => {
  const { world, call } = await joinedCall();
  assert.ok(call.setRecording(true) && call.answerRecording(false));
  const [record, consent] = world.socket.take();
  assert.deepEqual(record, { type: 'control', action: 'record', on: true, id: record.id });
  assert.deepEqual(consent, { type: 'control', action: 'consent', agree: false, id: consent.id });
  await call.leave();
  assert.equal(call.answerRecording(true), false);
});

test('a worker that cannot be made, or not be loaded, ends an encrypted call', async () => {
  const secret = new Uint8Array(32);
  const transform = { RTCRtpScriptTransform: class {} };
  const world = new FakeWorld();
  Object.assign(world.env, transform);
  const call = new PlexiCall({
    url: 'ws://x/calls/ws', callId: CALL, token: async () => 't', env: world.env,
    encryption: { secret, makeWorker: () => { throw new Error('SecurityError'); } },
  });
  assert.equal((await call.join()).problem.code, 'encryption_unsupported');
  const worker = { postMessage() {}, terminate() {}, onerror: null };
  const other = new PlexiCall({
    url: 'ws://x/calls/ws', callId: CALL, token: async () => 't', env: world.env, encryption: { secret, makeWorker: () => worker },
  });
  const joining = other.join();
  worker.onerror({});
  assert.equal((await joining).problem.code, 'encryption_unsupported');
});

test('without a browser that can encrypt, an encrypted call is not joined', async () => {
  const { world, call } = makeCall({ encryption: { secret: new Uint8Array(32), makeWorker: () => { throw new Error(); } } });
  const outcome = await call.join();
  assert.equal(outcome.ok, false);
  assert.equal(outcome.problem.code, 'encryption_unsupported');
  assert.equal(world.sockets.length, 0);
});
