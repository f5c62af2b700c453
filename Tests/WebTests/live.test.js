// The SDK against a real server: register, log in, ring, join, negotiate, resume, host, leave. Needs PLEXI_BINARY.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { FakeStream, FakeTrack, listen } from './support/world.js';
import { SDPPeer } from './support/sdp-peer.js';
import { binary, startServer } from './support/server.js';
import { TestWebSocket } from './support/websocket.js';
import { PlexiAPI } from '../../web/plexichat-api.js';
import { PlexiCall, PlexiLine, signalingURL } from '../../web/plexichat-call.js';

const options = { skip: binary ? false : 'PLEXI_BINARY names no server' };
const PASSWORD = 'correct horse battery staple';
let server;

before(async () => { if (binary) server = await startServer(); });
after(async () => { if (server) assert.equal(await server.stop(), 0); });

async function eventually(condition, what, milliseconds = 8_000) {
  const deadline = Date.now() + milliseconds;
  for (;;) {
    const value = await condition();
    if (value) return value;
    assert.ok(Date.now() < deadline, `it did not come about: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const good = (result) => {
  assert.ok(result.ok, JSON.stringify(result));
  return result.value;
};

/** Somebody with an API, a line, and the sockets and peers of their calls. */
async function person(name) {
  const api = new PlexiAPI({ base: server.url, locks: null });
  const { userId } = good(await api.register({ username: name, email: `${name}@example.org`, password: PASSWORD }));
  const [sockets, peers] = [[], []];
  const env = {
    WebSocket: class extends TestWebSocket { constructor(url) { super(url); sockets.push(this); } },
    RTCPeerConnection: class extends SDPPeer { constructor(configuration) { super(configuration); peers.push(this); } },
    makeStream: (tracks) => new FakeStream(tracks),
  };
  const url = signalingURL(new URL(server.url));
  const token = () => api.accessToken();
  return {
    api, userId, sockets, peers,
    line: () => new PlexiLine({ url, token, env }),
    call: (callId, more = {}) => {
      const call = new PlexiCall({ url, callId, token, env, ...more });
      return { call, problems: listen(call, 'problem'), ended: listen(call, 'ended'), notices: listen(call, 'notice') };
    },
  };
}

test('a call of two: rings, is joined, both see each other, a camera goes on and off, the end reaches both', options, async () => {
  const [alice, bob] = [await person('alice'), await person('bob')];
  const line = bob.line();
  const incoming = listen(line, 'incoming');
  line.open();
  await eventually(() => line.state === 'open', 'the line opens');
  const started = good(await alice.api.startCall({ participants: [bob.userId], type: 'audio' }));
  const a = alice.call(started.id, { kind: 'audio' });
  await a.call.setMicrophone(new FakeTrack('audio'));
  assert.deepEqual(await a.call.join(), { ok: true });
  await eventually(() => incoming.length > 0, 'it rings');
  assert.deepEqual([incoming[0].callId, incoming[0].callerId, incoming[0].type], [started.id, alice.userId, 'audio']);
  const b = bob.call(started.id, { kind: 'audio' });
  await b.call.setMicrophone(new FakeTrack('audio'));
  assert.deepEqual(await b.call.join(), { ok: true });
  for (const [mine, other] of [[a, bob], [b, alice]]) {
    await eventually(() => mine.call.state.tracks.some(({ ready }) => ready), 'the other is heard');
    const [track] = mine.call.state.tracks;
    assert.deepEqual([track.kind, track.userId, track.source], ['audio', other.userId, 'microphone']);
    assert.ok(mine.call.streamOf(track.mid));
    assert.equal(mine.call.state.status, 'ongoing');
  }
  await a.call.setCamera(new FakeTrack('video'));
  await eventually(() => b.call.state.tracks.some(({ kind }) => kind === 'video'), 'the picture comes');
  const picture = b.call.state.tracks.find(({ kind }) => kind === 'video');
  assert.deepEqual([picture.userId, picture.source], [alice.userId, 'camera']);
  await eventually(() => b.call.state.participants[0]?.video, 'it is told');
  b.call.setTiles([{ mid: picture.mid, width: 160, height: 90, pinned: true }]);
  a.call.setMuted(true);
  await eventually(() => b.call.state.participants[0]?.audio === false, 'the mute is told');
  a.call.setHand(true);
  await eventually(() => b.notices.some(({ kind }) => kind === 'hand-raised'), 'the hand is told');
  await a.call.leave();
  await eventually(() => b.call.state.phase === 'ended', 'the other is told');
  assert.equal(b.call.state.end.code, 'call_over');
  assert.deepEqual([a.problems, b.problems], [[], []]);
  line.close();
  const { calls } = good(await bob.api.history());
  assert.deepEqual([calls[0].id, calls[0].status], [started.id, 'ended']);
});

test('a lost socket resumes, a reloaded page joins anew, and the others notice both', options, async () => {
  const [carol, dave] = [await person('carol'), await person('dave')];
  const started = good(await carol.api.startCall({ participants: [dave.userId], type: 'video' }));
  const c = carol.call(started.id);
  await c.call.join();
  const d = dave.call(started.id);
  await d.call.join();
  await eventually(() => c.call.state.tracks.length === 2 && d.call.state.tracks.length === 2, 'both see each other');
  carol.sockets.at(-1).cut();
  await eventually(() => c.call.state.phase === 'reconnecting', 'the loss is noticed');
  await eventually(() => c.call.state.phase === 'joined', 'it is back');
  assert.equal(carol.peers.length, 1, 'with the same connection');
  await eventually(() => c.call.state.tracks.length === 2, 'the tracks are told again');
  // The page is loaded again: the old socket is gone without a word, the new page knows nothing.
  const again = dave.call(started.id);
  dave.sockets.at(-1).cut();
  assert.deepEqual(await again.call.join(), { ok: true });
  await eventually(() => again.call.state.tracks.length === 2, 'the new page sees');
  await eventually(() => d.call.state.phase === 'ended', 'the old one is out');
  assert.equal(d.call.state.end.code, 'replaced');
  await again.call.leave();
  await eventually(() => c.call.state.phase === 'ended', 'the call is over');
  assert.deepEqual(c.problems, []);
});

test('an answerer is offered first', options, async () => {
  const [erin, frank] = [await person('erin'), await person('frank')];
  const started = good(await erin.api.startCall({ participants: [frank.userId], type: 'video' }));
  const e = erin.call(started.id, { role: 'answerer' });
  await e.call.setCamera(new FakeTrack('video'));
  await e.call.join();
  const f = frank.call(started.id);
  await f.call.join();
  await eventually(() => f.call.state.tracks.length === 2, 'what the answerer sends is shown');
  await eventually(() => e.call.state.tracks.length === 2, 'and it sees');
  assert.deepEqual([e.problems, f.problems], [[], []]);
  await e.call.leave();
});

test('what the server refuses comes with its reason', options, async () => {
  const [grace, heidi, ivan] = [await person('grace'), await person('heidi'), await person('ivan')];
  const started = good(await grace.api.startCall({ participants: [heidi.userId], type: 'audio' }));
  const stranger = ivan.call(started.id);
  assert.equal((await stranger.call.join()).problem.code, 'not_found');
  const nobody = ivan.call('018f0000-0000-7000-8000-000000000000');
  assert.equal((await nobody.call.join()).problem.code, 'not_found');
  const second = await grace.api.startCall({ participants: [ivan.userId], type: 'audio' });
  assert.equal(second.problem.code, 'already_in_call');
  good(await heidi.api.leaveCall(started.id));
  const late = heidi.call(started.id);
  assert.equal((await late.call.join()).problem.code, 'call_over');
  assert.equal((await ivan.api.call(started.id)).problem.code, 'not_found');
});

test('accounts: taken names, wrong passwords, who am I, renewal, presence, the end of a session', options, async () => {
  const judy = await person('judy');
  const twice = await judy.api.register({ username: 'judy', email: 'other@example.org', password: PASSWORD });
  assert.deepEqual([twice.problem.code, twice.problem.info.field], ['taken', 'username']);
  const api = new PlexiAPI({ base: server.url, locks: null });
  assert.equal((await api.logIn({ username: 'judy', password: 'wrong wrong' })).problem.code, 'invalid_credentials');
  assert.deepEqual(good(await api.logIn({ username: 'judy', password: PASSWORD })), { kind: 'signed-in', userId: judy.userId });
  const me = good(await api.me());
  assert.deepEqual([me.username, me.email], ['judy', 'judy@example.org']);
  assert.equal(good(await api.updateMe({ displayName: 'Judy J.' })).displayName, 'Judy J.');
  const { users } = good(await judy.api.users({ search: 'jud' }));
  assert.deepEqual(users.map(({ username, email }) => [username, email]), [['judy', null]]);
  assert.equal(good(await api.setPresence('away', 60)).status, 'away');
  assert.equal(good(await judy.api.presence(judy.userId)).status, 'away');
  const { iceServers } = good(await api.iceConfig());
  assert.ok(Array.isArray(iceServers));
  const ended = listen(api, 'signed-out');
  good(await judy.api.logOutEverywhere());
  assert.equal((await api.me()).problem.code, 'signed_out');
  assert.deepEqual(ended, [{ reason: 'ended' }]);
  assert.equal(api.userId, null);
});

test('a second factor: enrolled, asked for, refused, passed', options, async () => {
  const { createHmac } = await import('node:crypto');
  const totp = (secret, at = Date.now()) => {
    const bits = [...secret.replaceAll('=', '')].map((c) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(c).toString(2).padStart(5, '0')).join('');
    const key = Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
    const counter = Buffer.alloc(8);
    counter.writeBigUInt64BE(BigInt(Math.floor(at / 30_000)));
    const mac = createHmac('sha1', key).update(counter).digest();
    return String((mac.readUInt32BE(mac[19] & 15) & 0x7fffffff) % 1_000_000).padStart(6, '0');
  };
  const mallory = await person('mallory');
  const { factorId, secret, qrSVG } = good(await mallory.api.beginTOTP('phone'));
  assert.match(qrSVG, /^<svg/);
  const codes = good(await mallory.api.confirmTOTP(factorId, totp(secret, Date.now() - 30_000)));
  assert.equal(codes.length, 10);
  const api = new PlexiAPI({ base: server.url, locks: null });
  const challenge = good(await api.logIn({ username: 'mallory', password: PASSWORD }));
  assert.equal(challenge.kind, 'mfa');
  assert.ok(challenge.methods.includes('totp') && challenge.methods.includes('recovery_code'), `${challenge.methods}`);
  assert.equal((await api.completeMFA(challenge, 'totp', '000000')).problem.code, 'mfa_invalid');
  assert.equal(good(await api.completeMFA(challenge, 'totp', totp(secret))).userId, mallory.userId);
  assert.deepEqual(good(await api.factors()).filter(({ method }) => method === 'totp').map(({ isActive }) => isActive), [true]);
});

test('a host mutes, permits, locks, removes and ends; nobody else does', options, async (context) => {
  const [host, bob, carol] = [await person('niaj'), await person('olivia'), await person('peggy')];
  const started = good(await host.api.startCall({ participants: [bob.userId, carol.userId], type: 'audio' }));
  const [h, b, c] = [host, bob, carol].map((who) => who.call(started.id, { kind: 'audio' }));
  for (const { call } of [h, b, c]) {
    await call.setMicrophone(new FakeTrack('audio'));
    assert.deepEqual(await call.join(), { ok: true });
  }
  const seen = (userId) => h.call.state.participants.find((one) => one.userId === userId);
  await eventually(() => seen(bob.userId)?.audio && seen(carol.userId)?.audio, 'both are there');
  await new Promise((resolve) => setTimeout(resolve, 2_100));  // what the server says is no echo of the join any more
  h.call.muteParticipant(bob.userId);
  await eventually(() => b.call.state.own.mutedByHost || h.problems.length > 0, 'the muted one is told');
  if (h.problems.some(({ code }) => code === 'protocol_error')) {
    for (const { call } of [h, b, c]) await call.leave();
    return context.skip('a server without host powers over sockets');
  }
  assert.equal(b.call.state.hostId, host.userId);
  await eventually(() => seen(bob.userId)?.audio === false, 'and the host');
  b.call.setMuted(false);
  await eventually(() => seen(bob.userId)?.audio, 'who was muted may come back');
  h.call.permit(bob.userId, { audio: false });
  await eventually(() => !b.call.state.own.mayAudio, 'what is not permitted is told');
  h.call.permit(bob.userId, { audio: true });
  await eventually(() => b.call.state.own.mayAudio, 'and given back');
  h.call.setLocked(true);
  await eventually(() => c.call.state.locked && c.notices.some(({ kind }) => kind === 'locked'), 'the lock is told');
  b.call.removeParticipant(carol.userId);
  await eventually(() => b.problems.some(({ code }) => code === 'forbidden'), 'who is no host is refused');
  h.call.removeParticipant(bob.userId);
  await eventually(() => b.call.state.phase === 'ended', 'who is removed is out');
  assert.equal(b.call.state.end.code, 'removed');
  assert.equal((await bob.call(started.id).call.join()).problem.code, 'removed');
  h.call.endForAll();
  await eventually(() => c.call.state.phase === 'ended' && h.call.state.phase === 'ended', 'it is over for all');
  assert.equal(c.call.state.end.code, 'call_over');
});

test('presence is told on the line', options, async (context) => {
  const [quinn, rupert] = [await person('quinn'), await person('rupert')];
  const line = quinn.line();
  const presence = listen(line, 'presence');
  line.open();
  line.watch([rupert.userId]);
  await eventually(() => line.state === 'open', 'the line opens');
  await new Promise((resolve) => setTimeout(resolve, 300));
  if (presence.length === 0) {
    line.close();
    return context.skip('a server without presence on sockets');
  }
  assert.deepEqual(presence[0], { userId: rupert.userId, status: 'offline', lastSeen: null });
  const other = rupert.line();
  other.open();
  await eventually(() => presence.some(({ status }) => status === 'online'), 'who opens a line is there');
  line.close();
  other.close();
});

test('a server that stops ends the calls, and nobody waits for it to come back', options, async () => {
  const first = server;
  server = await startServer();
  try {
    const [sybil, trent] = [await person('sybil'), await person('trent')];
    const started = good(await sybil.api.startCall({ participants: [trent.userId], type: 'audio' }));
    const [s, t] = [sybil, trent].map((who) => who.call(started.id, { kind: 'audio' }));
    for (const { call } of [s, t]) assert.deepEqual(await call.join(), { ok: true });
    await eventually(() => s.call.state.status === 'ongoing', 'the call is on');
    assert.equal(await server.stop(), 0);
    await eventually(() => s.call.state.phase === 'ended' && t.call.state.phase === 'ended', 'both are told');
    assert.deepEqual([s.call.state.end.code, t.call.state.end.code], ['call_over', 'call_over']);
  } finally {
    await server.stop();
    server = first;
  }
});

test('chat: what one writes the other has, a lost socket misses nothing, threads, reactions, edits, an invitation', options, async () => {
  const { PlexiChat, chatURL } = await import('../../web/plexichat-chat.js');
  const people = await Promise.all(['cora', 'dorian'].map((name) => person(name)));
  const [cora, dave] = people.map(({ api, userId, sockets }) => {
    const env = { WebSocket: class extends TestWebSocket { constructor(url) { super(url); sockets.push(this); } } };
    const chat = new PlexiChat({ url: chatURL(new URL(server.url)), token: () => api.accessToken(), api, env });
    chat.open();
    return { chat, userId, sockets };
  });
  await eventually(() => cora.chat.state.isListed && dave.chat.state.isListed, 'both lists');
  const channel = good(await cora.chat.rest.createChannel({ name: 'plans', visibility: 'private' }));
  const { code } = good(await cora.chat.rest.invite(channel.id, { maxUses: 5, hours: 24 }));
  assert.equal(good(await dave.chat.rest.accept(code)).id, channel.id);
  for (const { chat } of [cora, dave]) {
    await eventually(() => chat.state.conversations.some((one) => one.id === channel.id), 'the channel in the list');
    await chat.show(channel.id);
  }
  const messages = ({ chat }) => chat.state.timelines[channel.id].messages;
  const agree = (what) => eventually(() => {
    const shape = (side) => JSON.stringify(messages(side).map(({ id, text, replyCount, reactions, isEdited, isDeleted, pending }) => [id, text, replyCount, reactions, isEdited, isDeleted, pending]));
    return shape(cora) === shape(dave) && !shape(cora).includes('sending') && messages(cora).length > 0;
  }, what);
  cora.chat.send(channel.id, 'one');
  cora.chat.send(channel.id, 'two');
  await eventually(() => messages(dave).length === 2, 'both messages');
  await agree('both have the same');
  assert.deepEqual(messages(dave).map((one) => one.text), ['one', 'two']);
  assert.equal(dave.chat.state.conversations.find((one) => one.id === channel.id).unread, 2);
  dave.chat.markRead(channel.id);
  await eventually(() => cora.chat.state.reads[channel.id]?.[dave.userId] === messages(cora)[1].id, 'the receipt');
  dave.chat.typing(channel.id);
  await eventually(() => cora.chat.state.typing[channel.id]?.includes(dave.userId), 'the typing');

  dave.sockets.at(-1).cut();
  cora.chat.send(channel.id, 'while you were away');
  assert.equal(await cora.chat.toggleReaction(messages(cora)[0], '👍'), null);
  dave.chat.send(channel.id, 'and I wrote');
  await eventually(() => messages(dave).length === 4 && messages(cora).length === 4, 'what was missed, and what was written');
  await agree('after the loss');
  cora.chat.send(channel.id, 'an answer', { threadId: messages(cora)[0].id });
  await eventually(() => messages(dave)[0].replyCount === 1, 'the thread');
  assert.equal(await cora.chat.edit(messages(cora)[1], 'two, edited'), null);
  assert.equal(await cora.chat.remove(messages(cora).find((one) => one.text === 'while you were away')), null);
  await eventually(() => messages(dave).some((one) => one.isDeleted) && messages(dave).some((one) => one.text === 'two, edited'), 'the edit and the deletion');
  await agree('in the end');
  const { items } = good(await dave.chat.rest.thread(messages(dave)[0].id));
  assert.deepEqual(items.map((one) => one.text), ['an answer']);
  assert.equal(good(await dave.chat.rest.search('edited')).items[0].message.text, 'two, edited');
  assert.equal(good(await dave.chat.rest.members(channel.id)).items.length, 2);
  const direct = good(await dave.chat.rest.direct(cora.userId));
  dave.chat.learn(direct);
  dave.chat.send(direct.id, 'hi');
  await eventually(() => cora.chat.state.conversations.find((one) => one.id === direct.id)?.lastMessage?.text === 'hi', 'the direct message');
  assert.equal(cora.chat.state.conversations.find((one) => one.id === direct.id).other.id, dave.userId);
  assert.equal(good(await cora.chat.rest.joinVoice(channel.id)).type, 'video');
  for (const { chat } of [cora, dave]) chat.close();
});

test('sealed: a direct conversation is sealed by a switch, opened on both sides, and closed to the server', options, async () => {
  const { DeviceAPI, PlexiChat, chatURL } = await import('../../web/plexichat-chat.js');
  const { Sealer, memoryKeyStore } = await import('../../web/plexichat-seal.js');
  const people = await Promise.all(['selma', 'tariq'].map((name) => person(name)));
  const [selma, tariq] = people.map(({ api, userId, sockets }) => {
    const env = { WebSocket: class extends TestWebSocket { constructor(url) { super(url); sockets.push(this); } } };
    const news = [];
    const device = () => new Sealer({ userId, deviceName: 'Node', store: memoryKeyStore(), rows: new DeviceAPI(api), tell: (one) => news.push(one) });
    const chat = new PlexiChat({ url: chatURL(new URL(server.url)), token: () => api.accessToken(), api, env, sealer: device() });
    chat.open();
    return { api, chat, userId, news, device };
  });
  await eventually(() => selma.chat.state.isListed && tariq.chat.state.isListed, 'both lists');
  const direct = good(await selma.chat.rest.direct(tariq.userId));
  assert.equal(direct.isSealed, false);
  selma.chat.learn(direct);
  await eventually(() => tariq.chat.state.conversations.some(({ id }) => id === direct.id), 'it is in the other list');
  await Promise.all([selma, tariq].map(({ chat }) => chat.show(direct.id)));
  assert.equal(good(await tariq.chat.rest.setSealed(direct.id, true)).isSealed, true);
  const sealed = ({ chat }) => chat.state.conversations.find(({ id }) => id === direct.id).isSealed;
  await eventually(() => sealed(selma) && sealed(tariq), 'both are told');
  for (const one of [selma, tariq]) good(await one.chat.sealer.device());

  const lines = ({ chat }) => chat.state.timelines[direct.id].messages.map(({ text, unreadable, pending }) => text ?? unreadable ?? pending);
  const all = (what) => eventually(() => [selma, tariq].every((one) => JSON.stringify(lines(one)) === JSON.stringify(what)), what.join());
  selma.chat.send(direct.id, 'the launch is on Tuesday');
  await all(['the launch is on Tuesday']);
  tariq.chat.send(direct.id, 'agreed');
  await all(['the launch is on Tuesday', 'agreed']);
  assert.equal(await selma.chat.edit(selma.chat.state.timelines[direct.id].messages[0], 'the launch is on Wednesday'), null);
  await all(['the launch is on Wednesday', 'agreed']);
  await eventually(() => tariq.chat.state.conversations[0].lastMessage?.text === 'agreed', 'the list has its last line open');
  const [mine, theirs] = [good(await selma.chat.sealer.safety(tariq.userId)), good(await tariq.chat.sealer.safety(selma.userId))];
  assert.equal(mine.number, theirs.number);

  // What the server holds of it.
  const stored = await selma.api.request('GET', `/v1/channels/${direct.id}/messages`);
  assert.doesNotMatch(JSON.stringify(stored), /launch|Wednesday|agreed/);
  assert.deepEqual(good(await selma.chat.rest.search('launch')).items, []);

  // Another browser of hers reads what is written from now on; the other side is told of it.
  const phone = selma.device();
  const own = good(await phone.device());
  await eventually(async () => good(await selma.chat.devices.own()).length === 2, 'two devices');
  await new Promise((resolve) => setTimeout(resolve, 100));
  tariq.chat.send(direct.id, 'welcome, phone');
  await all(['the launch is on Wednesday', 'agreed', 'welcome, phone']);
  const last = tariq.chat.state.timelines[direct.id].messages.at(-1);
  assert.deepEqual(good(await phone.open(last, last.box)), { text: 'welcome, phone' });
  assert.deepEqual(tariq.news, [{ userId: selma.userId, added: [own.id], rebound: [] }]);
  for (const { chat } of [selma, tariq]) chat.close();
});

test('files: up in pieces with a message, down by who may read it, and by nobody else', options, async () => {
  const { PlexiChat, FileAPI, chatURL } = await import('../../web/plexichat-chat.js');
  const people = await Promise.all(['uma', 'viktor', 'wanda'].map((name) => person(name)));
  const [uma, viktor, wanda] = people.map(({ api, userId, sockets }) => {
    const env = { WebSocket: class extends TestWebSocket { constructor(url) { super(url); sockets.push(this); } } };
    const chat = new PlexiChat({ url: chatURL(new URL(server.url)), token: () => api.accessToken(), api, env });
    chat.open();
    return { api, chat, userId };
  });
  await eventually(() => uma.chat.state.isListed && viktor.chat.state.isListed, 'the lists');
  const direct = good(await uma.chat.rest.direct(viktor.userId));
  uma.chat.learn(direct);
  await eventually(() => viktor.chat.state.conversations.some(({ id }) => id === direct.id), 'it is in the other list');
  await Promise.all([uma, viktor].map(({ chat }) => chat.show(direct.id)));
  const content = new Blob([Uint8Array.from({ length: 5_000_000 }, (_, index) => (index * 7) % 256)]);
  const told = [];
  const file = good(await uma.chat.files.upload(content, { name: 'données.bin', conversationId: direct.id, progress: (bytes) => told.push(bytes) }));
  assert.deepEqual([file.name, file.size, told], ['données.bin', 5_000_000, [4 << 20, 5_000_000]]);
  uma.chat.send(direct.id, 'as promised', { files: [file] });
  const [message] = await eventually(() => viktor.chat.state.timelines[direct.id].messages.filter((one) => one.files.length > 0).length > 0
    && viktor.chat.state.timelines[direct.id].messages, 'the message with its file');
  assert.deepEqual([message.text, message.type, message.files], ['as promised', 'file', [{ id: file.id, name: 'données.bin', type: 'application/octet-stream', size: 5_000_000 }]]);
  const back = good(await viktor.chat.files.content(file.id));
  assert.deepEqual(Buffer.from(await back.arrayBuffer()), Buffer.from(await content.arrayBuffer()));
  const stranger = await wanda.chat.files.content(file.id);
  assert.deepEqual([stranger.ok, stranger.problem.code], [false, 'not_found']);
  // A picture has a small one beside it.
  const png = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==', 'base64');
  const picture = good(await uma.chat.files.upload(new Blob([png], { type: 'image/png' }), { name: 'dot.png', conversationId: direct.id }));
  assert.equal(picture.type, 'image/png');
  const small = good(await viktor.chat.files.thumbnail(picture.id));
  assert.ok(small.size > 0);
  for (const { chat } of [uma, viktor, wanda]) chat.close();
  assert.ok(new FileAPI(uma.api));
});
