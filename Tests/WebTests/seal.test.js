// @ts-check
// Sealed messages: against a second implementation, against everybody who would like to read or change them, and in the
// chat of the SDK.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { ADA, BEN, CY, ChatServer } from './support/chat-server.js';
import { FakeClock, settle } from './support/world.js';
import { quiet } from './support/webcrypto.js';
import * as oracle from './support/seal-oracle.js';
import { Book, PEOPLE_MAX, printOf, safetyNumber } from '../../web/seal/book.js';
import { authorDevice, newKeyPair, open, seal } from '../../web/seal/box.js';
import * as bytes from '../../web/seal/encoding.js';
import { PlexiChat } from '../../web/plexichat-chat.js';
import { DeviceAPI } from '../../web/api/devices.js';
import { Sealer, memoryKeyStore } from '../../web/plexichat-seal.js';

const uuid = (/** @type {number} */ number) => `10000000-0000-4000-8000-${String(number).padStart(12, '0')}`;
const place = { conversationId: uuid(1), authorId: ADA, clientId: 'k1' };
const [adaDevice, benDevice] = [uuid(11), uuid(12)];
const base64 = (/** @type {Uint8Array} */ raw) => Buffer.from(raw).toString('base64');

async function two() {
  const [a, b] = [oracle.keyPair(), oracle.keyPair()];
  return {
    a, b, ada: await oracle.ownDevice(a.seed, adaDevice), ben: await oracle.ownDevice(b.seed, benDevice),
    toBen: { userId: BEN, deviceId: benDevice, publicKey: new Uint8Array(b.raw), raw: b.raw },
    toAda: { userId: ADA, deviceId: adaDevice, publicKey: new Uint8Array(a.raw), raw: a.raw },
  };
}

test('what one implementation seals the other opens, both ways', async () => {
  const { a, b, ada, ben, toBen, toAda } = await two();
  for (const text of ['', 'Hello', 'ü 🎈 \u0000 "quoted"', 'x'.repeat(40_000)]) {
    const ours = await seal(ada, place, text, [toBen, toAda]);
    assert.equal(oracle.open({ id: benDevice, pair: b, userId: BEN }, place, ours, a.raw, adaDevice).text, text);
    const theirs = oracle.seal({ id: adaDevice, pair: a }, place, oracle.padded(text), [toBen, toAda]);
    assert.equal(await open(ben, BEN, place, theirs, ada.publicKey), text);
    assert.equal(await open(ada, ADA, place, ours, ada.publicKey), text, 'one reads one\'s own');
    assert.equal(authorDevice(ours, ben), adaDevice);
  }
});

test('the vector is opened, and made again from the same numbers', async () => {
  const vector = JSON.parse(readFileSync(new URL('../Vectors/sealed-messages/message.json', import.meta.url), 'utf8'));
  const [author, reader] = [vector.author, vector.reader].map((one) => oracle.keyPair(Buffer.from(one.private_key, 'hex')));
  const own = await oracle.ownDevice(reader.seed, vector.reader.device);
  const where = { conversationId: vector.conversation, authorId: vector.author.user, clientId: vector.client_id };
  assert.equal(await open(own, vector.reader.user, where, vector.body, new Uint8Array(author.raw)), vector.text);
  const numbers = vector.random.map((/** @type {string} */ hex) => Buffer.from(hex, 'hex'));
  const recipient = { userId: vector.reader.user, deviceId: vector.reader.device, raw: reader.raw };
  const again = oracle.seal({ id: vector.author.device, pair: author }, where, oracle.padded(vector.text), [recipient], () => numbers.shift());
  assert.deepEqual(again, vector.body);
  const devices = [{ userId: vector.reader.user, deviceId: vector.reader.device, publicKey: new Uint8Array(reader.raw) }];
  assert.equal(await printOf(vector.reader.user, devices), vector.reader.print);
});

test('nothing opens that was changed, moved, or is by somebody else', async () => {
  const { a, b, ada, ben, toBen, toAda } = await two();
  const body = await seal(ada, place, 'to you', [toBen, toAda]);
  const reads = (/** @type {any} */ changed, where = place, key = ada.publicKey) => open(ben, BEN, where, changed, key);
  assert.equal(await reads(body), 'to you');
  for (const where of [{ conversationId: uuid(2) }, { authorId: CY }, { clientId: 'k2' }, { clientId: '' }, { conversationId: 'x' }]) {
    assert.equal(await reads(body, { ...place, ...where }), null, JSON.stringify(where));
  }
  assert.equal(await open(ben, CY, place, body, ada.publicKey), null, 'sealed for another person');
  assert.equal(await reads(body, place, (await newKeyPair()).publicKey), null, 'by another device');
  for (const small of [new Uint8Array(32), Uint8Array.of(1, ...new Uint8Array(31))]) assert.equal(await reads(body, place, small), null, 'a point of small order');

  // Each byte of each part.
  const flip = (/** @type {string} */ text, /** @type {number} */ at) => {
    const raw = Buffer.from(text, 'base64');
    raw[at] ^= 1;
    return raw.toString('base64');
  };
  const entry = body.encrypted_keys[0];
  for (let at = 0; at < Buffer.from(body.ciphertext, 'base64').length; at += 7) assert.equal(await reads({ ...body, ciphertext: flip(body.ciphertext, at) }), null);
  for (let at = 0; at < 12; at += 1) assert.equal(await reads({ ...body, ciphertext_nonce: flip(body.ciphertext_nonce, at) }), null);
  for (let at = 0; at < 97; at += 1) assert.equal(await reads({ ...body, encrypted_keys: [{ ...entry, encrypted_key: flip(entry.encrypted_key, at) }] }), null, `byte ${at}`);
  for (const change of [{ encryption_algo: 'plexichat-seal-2' }, { ciphertext: `${body.ciphertext}=` }, { ciphertext: 7 }, { ciphertext_nonce: null }, { encrypted_keys: [] }, { encrypted_keys: null }]) {
    assert.equal(await reads({ ...body, ...change }), null);
  }
  assert.equal(await reads({ ...body, encrypted_keys: [{ ...entry, key_algo: 'none' }] }), null);
  for (const nothing of [null, undefined, 7, 'x', [], {}]) assert.equal(await reads(nothing), null);

  // A key of another message, and a member who works with the server: they know the key and cannot put other words under it.
  const other = await seal(ada, { ...place, clientId: 'k9' }, 'something else', [toBen]);
  assert.equal(await reads({ ...body, encrypted_keys: other.encrypted_keys }), null);
  const { key } = oracle.open({ id: benDevice, pair: b, userId: BEN }, place, body, a.raw, adaDevice);
  const forged = oracle.gcm(key, Buffer.from(body.ciphertext_nonce, 'base64'), oracle.padded('I owe you'), oracle.boxLabel(place, adaDevice)).toString('base64');
  assert.equal(await open(ada, ADA, place, { ...body, ciphertext: forged }, ada.publicKey), null);
});

test('lengths are hidden up to 128 bytes; padding that is not whole is refused', async () => {
  const { ada, toBen } = await two();
  const lengths = await Promise.all(['', 'a', 'x'.repeat(100)].map(async (text) => Buffer.from((await seal(ada, place, text, [toBen])).ciphertext, 'base64').length));
  assert.deepEqual(lengths, [144, 144, 144]);
  assert.deepEqual([...bytes.unpad(bytes.pad(Uint8Array.of(1, 2, 3))) ?? []], [1, 2, 3]);
  const whole = bytes.pad(Uint8Array.of(1));
  whole[100] = 1;
  assert.equal(bytes.unpad(whole), null, 'more than zeros after the end');
  assert.equal(bytes.unpad(Uint8Array.of(0, 0, 0, 1)), null);
  assert.equal(bytes.unpad(new Uint8Array(127)), null);
  assert.equal(bytes.unpad(Uint8Array.of(255, 255, 255, 255, ...new Uint8Array(124))), null);
  assert.equal(bytes.fromBase64('AAA'), null);
  assert.equal(bytes.fromBase64('A-_='), null);
  assert.equal(bytes.idBytes('0'), null);
  assert.equal(bytes.idText(/** @type {Uint8Array} */ (bytes.idBytes(uuid(9)))), uuid(9));
});

/** A server's lists of devices, as a test has them. */
function lists() {
  /** @type {Map<string, any[]>} */
  const devices = new Map();
  let asked = 0;
  return {
    devices, get asked() { return asked; },
    ask: async (/** @type {readonly string[]} */ ids) => {
      asked += 1;
      return { ok: /** @type {const} */ (true), value: new Map(ids.map((id) => [id, devices.get(id) ?? []])) };
    },
  };
}
const listed = (/** @type {string} */ id, /** @type {Uint8Array} */ key) => ({ id, algorithm: 'x25519', identityKey: base64(key) });
const key32 = (/** @type {number} */ fill) => new Uint8Array(32).fill(fill);

test('a device keeps the key it was first seen with; new ones are told, those of others kinds left out', async () => {
  const [store, server] = [memoryKeyStore(), lists()];
  /** @type {any[]} */
  const told = [];
  const make = () => new Book({ store, name: 'book', ask: server.ask, tell: (news) => told.push(news) });
  const book = make();
  const ids = async (/** @type {Book} */ one) => {
    const answer = await one.devicesOf([BEN]);
    assert.ok(answer.ok);
    return answer.value.get(BEN)?.map(({ deviceId }) => deviceId);
  };
  server.devices.set(BEN, [listed(uuid(1), key32(1)), { id: uuid(2), algorithm: 'curve448', identityKey: 'AAAA' }, listed('no uuid', key32(2)), listed(uuid(3), new Uint8Array(31))]);
  assert.deepEqual([await ids(book), await ids(book), server.asked, told], [[uuid(1)], [uuid(1)], 1, []], 'who is met first is no news, and asked for once');
  server.devices.set(BEN, [listed(uuid(1), key32(9)), listed(uuid(4), key32(4))]);
  assert.deepEqual(await ids(book), [uuid(1)]);
  book.forgetList(BEN);
  assert.deepEqual(await ids(book), [uuid(4)], 'the one with another key is not sealed for');
  assert.deepEqual(told, [{ userId: BEN, added: [uuid(4)], rebound: [uuid(1)] }]);
  // Another page, later: what was learnt is kept.
  server.devices.set(BEN, [listed(uuid(4), key32(5))]);
  const later = make();
  assert.deepEqual(await ids(later), []);
  const known = await later.keyOf(BEN, uuid(1));
  assert.ok(known.ok);
  assert.deepEqual(known.value, key32(1), 'a device that is gone still has its key for what it wrote');
  const unknown = await later.keyOf(BEN, uuid(77));
  assert.deepEqual(unknown, { ok: true, value: null });
});

test('people who were not seen longest are forgotten first', async () => {
  const [store, server] = [memoryKeyStore(), lists()];
  const people = Array.from({ length: PEOPLE_MAX + 2 }, (_, number) => uuid(1_000 + number));
  for (const one of people) server.devices.set(one, [listed(uuid(1), key32(1))]);
  const book = new Book({ store, name: 'book', ask: server.ask, tell: () => {} });
  await book.devicesOf(people.slice(0, PEOPLE_MAX));
  book.forgetList(people[0]);
  await book.devicesOf([people[0], ...people.slice(PEOPLE_MAX)]);
  const kept = new Map(await store.get('book'));
  assert.deepEqual([kept.size, kept.has(people[0]), kept.has(people[1]), kept.has(people[2]), kept.has(people[3])], [PEOPLE_MAX, true, false, false, true]);
});

test('two people see one number, and another when one of them has another device', async () => {
  const [ada, ben] = [[{ userId: ADA, deviceId: uuid(1), publicKey: key32(1) }], [{ userId: BEN, deviceId: uuid(2), publicKey: key32(2) }, { userId: BEN, deviceId: uuid(3), publicKey: key32(3) }]];
  const number = safetyNumber(await printOf(ADA, ada), await printOf(BEN, ben));
  assert.match(number, /^(\d{5} ){11}\d{5}$/);
  assert.equal(number, safetyNumber(await printOf(BEN, [...ben].reverse()), await printOf(ADA, ada)));
  assert.notEqual(number, safetyNumber(await printOf(ADA, ada), await printOf(BEN, ben.slice(1))));
});

/** Somebody's sealer on the model of the server, which speaks for Ada only. */
function sealerOf(/** @type {ChatServer} */ server, /** @type {string} */ userId, store = memoryKeyStore(), /** @type {any[]} */ told = []) {
  const rows = userId === ADA ? new DeviceAPI(/** @type {any} */ (server)) : {
    registerDevice: async (/** @type {any} */ { id, identityKey, algorithm }) => {
      server.addDevice(userId, { id, identity_key: identityKey, algorithm });
      return { ok: /** @type {const} */ (true), value: null };
    },
    devicesOf: (/** @type {readonly string[]} */ ids) => new DeviceAPI(/** @type {any} */ (server)).devicesOf(ids),
  };
  let made = 0;
  return new Sealer({ userId, deviceName: 'A browser', store, rows, tell: (news) => told.push(news), makeID: () => uuid(Number(userId.slice(-1)) * 100 + (made += 1)) });
}

test('one device for all windows of a browser; a message under a used name is not shown; who has no device is named', async () => {
  const server = new ChatServer();
  const store = memoryKeyStore();
  const [one, two_] = [sealerOf(server, ADA, store), sealerOf(server, ADA, store)];
  const [first, second] = await Promise.all([one.device(), two_.device()]);
  assert.ok(first.ok && second.ok);
  assert.equal(first.value.id, second.value.id);
  const alone = await one.seal(place, 'x', [BEN]);
  assert.ok(!alone.ok);
  assert.deepEqual([alone.problem.code, alone.problem.info], ['no_device', { users: [BEN] }]);
  const ben = sealerOf(server, BEN);
  await ben.device();
  one.devicesChanged(BEN);
  const body = await one.seal(place, 'x', [BEN]);
  assert.ok(body.ok);
  const read = (/** @type {string} */ id, where = place) => ben.open({ ...where, id }, body.value);
  assert.deepEqual(await read('m1'), { ok: true, value: { text: 'x' } });
  assert.deepEqual(await read('m1'), { ok: true, value: { text: 'x' } });
  assert.deepEqual(await read('m2'), { ok: true, value: { unreadable: 'repeated' } });
  assert.deepEqual(await read('m3', { ...place, authorId: CY }), { ok: true, value: { unreadable: 'unknown_device' } });
  assert.deepEqual(await read('m4', { ...place, clientId: 'other' }), { ok: true, value: { unreadable: 'damaged' } });
  assert.deepEqual(await sealerOf(server, CY).open({ ...place, id: 'm5' }, body.value), { ok: true, value: { unreadable: 'not_for_this_device' } });
  const long = await one.seal(place, '"'.repeat(24_001), [BEN]);
  assert.ok(!long.ok);
  assert.equal(long.problem.code, 'message_too_long');
});

test('compared numbers are remembered, and that they have changed is said', async () => {
  const server = new ChatServer();
  const [ada, ben] = [sealerOf(server, ADA), sealerOf(server, BEN)];
  await ben.device();
  const [mine, theirs] = [await ada.safety(BEN), await ben.safety(ADA)];
  assert.ok(mine.ok && theirs.ok);
  assert.deepEqual([mine.value.number, mine.value.compared], [theirs.value.number, 'never']);
  await ada.setCompared(BEN, mine.value.number);
  const again = await ada.safety(BEN);
  assert.ok(again.ok);
  assert.equal(again.value.compared, 'same');
  server.addDevice(BEN, { id: uuid(500), identity_key: base64(key32(5)), algorithm: 'x25519' });
  ada.devicesChanged(BEN);
  const changed = await ada.safety(BEN);
  assert.ok(changed.ok);
  assert.deepEqual([changed.value.compared, changed.value.number === mine.value.number], ['changed', false]);
});

/** Ada's chat on the model, and Ben's sealer. */
async function world({ withSealer = true } = {}) {
  const [server, clock] = [new ChatServer(), new FakeClock()];
  /** @type {any[]} */
  const told = [];
  let made = 0;
  const ben = sealerOf(server, BEN);
  await ben.device();
  const chat = new PlexiChat({
    url: 'wss://chat.example.org/v1/ws/connect', token: async () => 'T', api: /** @type {any} */ (server), makeID: () => `k${(made += 1)}`,
    sealer: withSealer ? sealerOf(server, ADA, memoryKeyStore(), told) : null,
    env: /** @type {any} */ ({ WebSocket: server.Socket, now: () => clock.now, wallClock: () => clock.now, random: () => 0, setTimeout: clock.setTimeout, clearTimeout: clock.clearTimeout }),
  });
  const start = async () => {
    chat.open();
    await settle();
    server.accept();
    await quiet();
  };
  const said = () => JSON.stringify([...server.sockets.map((one) => one.sent), ...server.asked.map(({ body }) => body ?? null)]);
  const lines = (/** @type {string} */ id) => chat.state.timelines[id].messages.map(({ text, unreadable, pending }) => text === null ? unreadable : pending ?? text);
  return { server, chat, ben, told, start, quiet, said, lines, clock };
}

test('what is written in a sealed conversation leaves the page sealed, and what is read in it is opened', async () => {
  const { server, chat, ben, start, quiet, said, lines } = await world();
  const id = server.channel({ type: 'direct', other: BEN, isSealed: true });
  await start();
  await chat.show(id);
  chat.send(id, 'meet me at noon');
  await quiet();
  const [stored] = server.channels.get(id).messages;
  assert.deepEqual([stored.content, stored.encrypted, lines(id)], [null, true, ['meet me at noon']]);
  const body = stored.sealed;
  assert.deepEqual(await ben.open({ conversationId: id, authorId: ADA, clientId: stored.client_id, id: stored.id }, body), { ok: true, value: { text: 'meet me at noon' } });
  // Ben answers, and edits; the list has it, too.
  const answer = await ben.seal({ conversationId: id, clientId: 'b1' }, 'at one', [ADA]);
  assert.ok(answer.ok);
  const message = server.say(id, BEN, /** @type {any} */ (null), { encrypted: true, sealed: answer.value, client_id: 'b1' });
  await quiet();
  assert.deepEqual(lines(id), ['meet me at noon', 'at one']);
  assert.equal(chat.state.conversations[0].lastMessage?.text, 'at one');
  const edited = await ben.seal({ conversationId: id, clientId: 'b1' }, 'at two', [ADA]);
  assert.ok(edited.ok);
  server.rewrite(message, null, edited.value);
  await quiet();
  assert.deepEqual(lines(id), ['meet me at noon', 'at two']);
  // So is what Ada edits, and what she answers in a thread.
  const own = chat.state.timelines[id].messages[0];
  assert.equal(await chat.edit(own, 'meet me at dusk'), null);
  chat.send(id, 'and bring the plans', { threadId: own.id });
  await quiet();
  assert.deepEqual(lines(id), ['meet me at dusk', 'at two', 'and bring the plans']);
  assert.doesNotMatch(said(), /noon|dusk|plans/, 'no word of it went to the server');
});

test('nothing is sent while somebody cannot read it, and never in the clear', async () => {
  const { server, chat, start, quiet, said } = await world();
  const id = server.channel({ isSealed: true });
  server.channels.get(id).members.push(CY);
  await start();
  await chat.show(id);
  chat.send(id, 'for all of us');
  await quiet();
  const [message] = chat.state.timelines[id].messages;
  assert.deepEqual([message.pending, message.problem?.code, server.channels.get(id).messages], ['failed', 'no_device', []]);
  const cy = sealerOf(server, CY);
  await cy.device();
  await quiet();
  assert.ok(chat.retry(message));
  await quiet();
  const [stored] = server.channels.get(id).messages;
  assert.deepEqual(await cy.open({ conversationId: id, authorId: ADA, clientId: stored.client_id, id: stored.id }, stored.sealed), { ok: true, value: { text: 'for all of us' } });
  assert.doesNotMatch(said(), /for all/);
});

test('a page that cannot seal says so and sends nothing', async () => {
  const { server, chat, start, quiet } = await world({ withSealer: false });
  const id = server.channel({ isSealed: true });
  await start();
  await chat.show(id);
  chat.send(id, 'hello');
  await quiet();
  assert.deepEqual([chat.state.timelines[id].messages[0].problem?.code, server.channels.get(id).messages], ['sealing_unsupported', []]);
});

test('a lost server is not a lost message, and unreadable ones stay so with their reason', async () => {
  const { server, chat, ben, told, start, quiet, lines, clock } = await world();
  const id = server.channel({ isSealed: true });
  await start();
  await chat.show(id);
  server.failing.set('POST /api/v1/chat/devices/query', 'network');
  chat.send(id, 'later');
  await quiet();
  assert.deepEqual(lines(id), ['sending']);
  server.failing.clear();
  await clock.pass(10_100);
  await quiet();
  assert.deepEqual(lines(id), ['later']);
  const strange = await ben.seal({ conversationId: server.channel(), clientId: 'b1' }, 'moved', [ADA]);
  assert.ok(strange.ok);
  server.say(id, BEN, /** @type {any} */ (null), { encrypted: true, sealed: strange.value, client_id: 'b1' });
  server.say(id, BEN, /** @type {any} */ (null), { encrypted: true, sealed: { encrypted_data: 'x', iv: 'y', key_version: 1 }, client_id: 'b2' });
  await quiet();
  assert.deepEqual(lines(id), ['later', 'damaged', 'not_for_this_device']);
  server.addDevice(BEN, { id: uuid(600), identity_key: base64(key32(6)), algorithm: 'x25519' });
  await quiet();
  chat.send(id, 'now for both');
  await quiet();
  assert.deepEqual(told, [{ userId: BEN, added: [uuid(600)], rebound: [] }]);
  assert.equal(server.channels.get(id).messages.at(-1).sealed.encrypted_keys.length, 3);
});
