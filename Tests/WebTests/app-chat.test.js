// @ts-check
// The screens of chat on the real SDK and a model of the server, in a document of our own.

import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { createApp } from '../../web/app/app.js';
import { partsOf } from '../../web/app/chat/words.js';
import { rowsOf, typingText } from '../../web/app/chat/view.js';
import { formatRoute, parseRoute } from '../../web/app/router.js';
import { DeviceAPI, PlexiChat } from '../../web/plexichat-chat.js';
import { Sealer, memoryKeyStore } from '../../web/plexichat-seal.js';
import { faultsOf, installDocument, nameOf } from './support/app-dom.js';
import { FakeAPI, FakeCall, FakeLine, fakeDevices, id, settle } from './support/app-world.js';
import { ADA, BEN, CY, ChatServer } from './support/chat-server.js';
import { quiet } from './support/webcrypto.js';

/** @type {ReturnType<typeof installDocument>} */
let page;
/** @type {any} */
let document;
/** @type {ChatServer} */
let server;
/** @type {any} */
let app;
/** @type {any[]} */
let calls;

beforeEach(() => {
  page = installDocument();
  document = page.document;
  server = new ChatServer();
  calls = [];
});
afterEach(() => {
  for (const call of calls) call.end('left');
  app?.stop();
  page.restore();
});

/** @param {string} hash @param {{ canSeal?: boolean }} [page] */
async function open(hash, { canSeal = false } = {}) {
  const api = new FakeAPI();
  api.userId = ADA;
  location.hash = hash;
  let made = 0;
  app = createApp({
    api: /** @type {any} */ (api), session: { remember() {}, save() {} }, makeLine: /** @type {any} */ (() => new FakeLine()),
    makeCall: /** @type {any} */ ((/** @type {any} */ options) => { const call = new FakeCall(options); calls.push(call); return call; }),
    makeChat: (tell) => new PlexiChat({
      sealer: canSeal ? new Sealer({ userId: ADA, deviceName: 'Firefox, Linux', store: memoryKeyStore(), rows: new DeviceAPI(/** @type {any} */ (server)), tell }) : null,
      url: 'wss://h/v1/ws/connect', token: async () => 'T', api: /** @type {any} */ (server), makeID: () => `k${(made += 1)}`, env: { WebSocket: /** @type {any} */ (server.Socket) } }),
    mediaDevices: fakeDevices().source, local: null, tab: null, useKey: null, windows: null, notifier: null,
    encryption: { canEncrypt: false, makeKey: () => '', secretOf: () => null, makeWorker: /** @type {any} */ (() => ({})) },
    sounds: { play: () => () => {}, useDevice() {} }, now: () => Date.parse('2026-03-05T10:00:00Z'),
  });
  app.start();
  await settle();
  server.accept();
  await settle();
  await settle();
}

const good = () => assert.deepEqual(faultsOf(document), []);
const shown = () => document.getElementById('app').textContent;
const toasts = () => document.getElementById('toasts').textContent;
/** @param {any} element */
function isHidden(element) {
  for (let node = element; node?.localName !== undefined; node = node.parentNode) if (node.hidden && node.localName !== 'html') return true;
  return false;
}
const buttons = (/** @type {string} */ name) => document.querySelectorAll('button, a').filter((/** @type {any} */ one) => !isHidden(one) && nameOf(one, document).trim() === name);
async function press(/** @type {string} */ name, which = 0) {
  const found = buttons(name);
  assert.ok(found.length > which, `no button ${name}; there are ${document.querySelectorAll('button, a').map((/** @type {any} */ one) => nameOf(one, document)).join(' | ')}`);
  found[which].click();
  await settle();
}
const field = (/** @type {string} */ label) => document.querySelectorAll('input, textarea').find((/** @type {any} */ one) => nameOf(one, document).trim() === label);
async function key(/** @type {any} */ element, /** @type {any} */ what) {
  const event = Object.assign(new Event('keydown', { cancelable: true }), { shiftKey: false, isComposing: false, ...what });
  element.dispatchEvent(event);
  await settle();
  return event.defaultPrevented;
}
async function write(/** @type {string} */ words, label = 'Message') {
  field(label).value = words;
  field(label).dispatchEvent(new Event('input', { bubbles: true }));
  await key(field(label), { key: 'Enter' });
}
const texts = () => document.querySelectorAll('.message__text').map((/** @type {any} */ one) => one.textContent);

test('the list shows last lines and what is unread, and leads into a conversation, where it is read', async () => {
  const channel = server.channel();
  const direct = server.channel({ type: 'direct', other: BEN });
  server.say(channel, BEN, 'hello\nall');
  server.say(direct, ADA, 'hi Ben');
  await open('#/chats');
  good();
  assert.match(shown(), /Ben Bitdiddle/);
  assert.match(shown(), /Ben Bitdiddle: hello all/);
  assert.match(shown(), /You: hi Ben/);
  assert.match(shown(), /one unread message/);
  app.navigate({ name: 'chat', id: channel });
  await settle();
  good();
  assert.equal(document.querySelector('h1').textContent, 'general');
  assert.deepEqual(texts(), ['hello\nall']);
  assert.equal(server.socket.sent.filter((/** @type {any} */ one) => one.type === 'message_read').length, 1);
  assert.equal(buttons('Send').length, 1);
  const log = document.querySelector('.chat__log');
  assert.deepEqual([log.getAttribute('role'), log.getAttribute('aria-live')], ['log', 'polite']);
});

test('Enter sends, Shift and Enter does not, nor does an input method; what nobody stored can be tried again', async () => {
  const channel = server.channel();
  await open(`#/chat/${channel}`);
  field('Message').value = 'one';
  assert.equal(await key(field('Message'), { key: 'Enter', shiftKey: true }), false);
  assert.equal(await key(field('Message'), { key: 'Enter', isComposing: true }), false);
  assert.equal(server.channels.get(channel).messages.length, 0);
  await write('one');
  assert.deepEqual([texts(), field('Message').value], [['one'], '']);
  await write('   ');
  assert.equal(server.channels.get(channel).messages.length, 1);
  server.isDeaf = true;
  await write('two');
  assert.match(shown(), /Sending…/);
  server.socket.say({ type: 'error', data: { code: 'FORBIDDEN', message: 'no' }, ref: 'send:k2' });
  await settle();
  good();
  server.isDeaf = false;
  await press('Try again');
  assert.deepEqual(server.channels.get(channel).messages.map((/** @type {any} */ one) => one.content), ['one', 'two']);
  assert.doesNotMatch(shown(), /Sending…|Discard/);
  await write('x'.repeat(16_385));
  assert.match(shown(), /too long/);
});

test('a message that becomes stored stays the same element, and so does the focus in it', async () => {
  const channel = server.channel();
  await open(`#/chat/${channel}`);
  server.isDeaf = true;
  await write('one');
  const before = document.querySelector('.message');
  const stored = server.say(channel, ADA, 'one', { client_id: 'k1' });
  await settle();
  assert.equal(document.querySelector('.message'), before);
  server.react(stored, BEN, '👍');
  await settle();
  const thumb = buttons('👍 by Ben Bitdiddle')[0];
  const words = document.querySelector('.message__text');
  thumb.focus();
  server.react(stored, CY, '👍');
  server.react(stored, CY, '🎉');
  await settle();
  assert.equal(nameOf(thumb, document), '👍 by Ben Bitdiddle and Cy D. Fect');
  assert.deepEqual([document.activeElement.isConnected, document.querySelector('.message__text') === words], [true, true], 'nothing is drawn, or read aloud, anew');
});

test('edits, deletions, reactions and replies of one\'s own', async () => {
  const channel = server.channel();
  server.say(channel, BEN, 'question?');
  server.say(channel, ADA, 'anser');
  await open(`#/chat/${channel}`);
  assert.equal(buttons('Edit your message').length, 1, 'not of others');
  await press('Edit your message');
  assert.equal(field('Message').value, 'anser');
  await write('answer');
  assert.match(shown(), /answer \(edited\)/);
  await press('React to Ben Bitdiddle');
  good();
  await press('Heart');
  assert.equal(server.channels.get(channel).messages[0].reactions.length, 1);
  const own = buttons('❤️ by Ada')[0];
  assert.equal(own.getAttribute('aria-pressed'), 'true');
  await press('❤️ by Ada');
  assert.equal(server.channels.get(channel).messages[0].reactions.length, 0);
  await press('Reply to Ben Bitdiddle');
  assert.match(shown(), /You reply to Ben Bitdiddle/);
  await key(field('Message'), { key: 'Escape' });
  assert.doesNotMatch(shown(), /You reply to/);
  await press('Reply to Ben Bitdiddle');
  await write('because');
  assert.equal(server.channels.get(channel).messages.at(-1).reply_to, server.channels.get(channel).messages[0].id);
  assert.equal(document.querySelector('blockquote').textContent, 'Ben Bitdiddle question?');
  await press('Delete the message of Ada');
  await press('Delete');
  assert.match(shown(), /This message was deleted/);
  good();
});

test('an edit that is given up is not sent, one that fails comes back to the line', async () => {
  const channel = server.channel();
  const mine = server.say(channel, ADA, 'mine');
  await open(`#/chat/${channel}`);
  await press('Edit your message');
  await key(field('Message'), { key: 'Escape' });
  assert.equal(field('Message').value, '');
  await press('Edit your message');
  await press('Reply to Ada');
  assert.equal(field('Message').value, '');
  await key(field('Message'), { key: 'Escape' });
  // Another device was faster, and this page has not heard of it.
  await press('Edit your message');
  server.isMute = true;
  server.rewrite(mine, 'mine, by phone');
  await write('mine, by desk');
  assert.match(toasts(), /edited on another device/);
  assert.equal(field('Message').value, 'mine, by desk');
  assert.equal(server.channels.get(channel).messages.length, 1);
  server.isMute = false;
  server.rewrite(mine, 'mine, by phone again');
  await settle();
  await press('Edit your message');
  await write('mine, at last');
  assert.equal(server.channels.get(channel).messages[0].content, 'mine, at last');
});

test('a thread is answered beside the conversation, and closes back to the line', async () => {
  const channel = server.channel();
  server.say(channel, BEN, 'root');
  await open(`#/chat/${channel}`);
  await press('Answer Ben Bitdiddle in a thread');
  good();
  await write('in here', 'Answer in the thread');
  assert.match(document.querySelector('aside').textContent, /root.*in here/s);
  assert.equal(buttons('One answer').length, 1);
  good();
  await press('Close the panel');
  assert.equal(document.querySelectorAll('aside').length, 0);
  assert.equal(document.activeElement, field('Message'));
});

test('members are listed, invited by a link, and can leave', async () => {
  const channel = server.channel();
  await open(`#/chat/${channel}`);
  await press('Members');
  assert.match(document.querySelector('aside').textContent, /Ada.*owner.*Ben Bitdiddle/s);
  await press('Make an invitation link');
  assert.equal(field('Invitation link').value, 'https://chat.example.org/#join=Abcdefghijklmnopqrstuvwx');
  good();
  await press('Leave the conversation');
  assert.equal(location.hash, '#/chats');
  assert.match(shown(), /No conversations yet/);
});

test('an invitation is asked about, then leads in; a bad one is told', async () => {
  server.channel({ name: 'secret', visibility: 'private', isMember: false });
  await open('#join=Abcdefghijklmnopqrstuvwx');
  good();
  assert.match(shown(), /You are invited/);
  await press('Join the conversation');
  assert.match(location.hash, /^#\/chat\//);
  app.navigate({ name: 'join', code: 'Abcdefghijklmnopqrst-xyz' });
  await settle();
  await press('Join the conversation');
  assert.match(shown(), /invitation is used up/);
});

test('a channel is made, a public one joined, somebody written to, a message found', async () => {
  server.channel({ name: 'town square', isMember: false });
  await open('#/chats');
  await press('New channel');
  good();
  field('Name').value = 'plans';
  await press('Make the channel');
  assert.match(location.hash, /^#\/chat\//);
  assert.equal(document.querySelector('h1').textContent, 'plans');
  await write('we meet at noon');
  app.navigate({ name: 'chats' });
  await settle();
  await press('Public channels');
  await press('Join town square');
  assert.equal(document.querySelector('h1').textContent, 'town square');
  app.navigate({ name: 'people' });
  await settle();
  await press('Write to Cy D. Fect');
  assert.equal(document.querySelector('h1').textContent, 'Cy D. Fect');
  app.navigate({ name: 'chats' });
  await settle();
  field('Search messages').value = 'noon';
  field('Search messages').dispatchEvent(new Event('input', { bubbles: true }));
  await new Promise((resolve) => setTimeout(resolve, 350).ref());
  await settle();
  assert.equal(document.querySelector('mark').textContent, 'noon');
  good();
});

test('a call begins from the conversation: it rings for somebody, and is entered for a channel', async () => {
  const direct = server.channel({ type: 'direct', other: BEN });
  const channel = server.channel();
  await open(`#/chat/${direct}`);
  await press('Call');
  assert.equal(location.hash, `#/ready?with=${BEN}&kind=audio`);
  app.navigate({ name: 'chat', id: channel });
  await settle();
  buttons('Call')[0].click();
  await settle();
  assert.ok(server.asked.some(({ method, path }) => `${method} ${path}` === `POST /v1/channels/${channel}/voice/join`));
  assert.equal(location.hash, `#/call/${id(50)}`);
  assert.equal(calls[0].options.callId, id(50));
});

test('who types is said, what is sealed is shown as sealed, markup is text, a failure can be retried', async () => {
  const channel = server.channel();
  server.say(channel, BEN, '<img src=x onerror=alert(1)> see https://example.org/a_(b). ok');
  server.say(channel, BEN, '', { content: null, encrypted: true, sealed: {} });
  server.failing.set(`GET /v1/channels/${channel}/messages`, 'network');
  await open(`#/chat/${channel}`);
  assert.match(shown(), /server cannot be reached/);
  server.failing.clear();
  await press('Try again');
  assert.match(shown(), /<img src=x onerror=alert\(1\)>/);
  assert.match(shown(), /This message is sealed/);
  assert.equal(document.querySelectorAll('img').length, 0);
  const link = document.querySelectorAll('a').find((/** @type {any} */ one) => one.getAttribute('target') === '_blank');
  assert.deepEqual([link.href, link.getAttribute('rel')], ['https://example.org/a_(b)', 'noopener noreferrer']);
  server.tell({ type: 'typing', data: { channel_id: channel, user_id: BEN, is_typing: true } });
  await settle();
  assert.match(shown(), /Ben Bitdiddle is typing…/);
  assert.equal(toasts(), '');
  good();
});

test('earlier messages are loaded, in their order', async () => {
  const channel = server.channel();
  for (let number = 1; number <= 60; number += 1) server.say(channel, BEN, `m${number}`);
  await open(`#/chat/${channel}`);
  assert.equal(texts()[0], 'm11');
  await press('Show earlier messages');
  assert.deepEqual([texts().length, texts()[0]], [60, 'm1']);
  assert.equal(buttons('Show earlier messages').length, 0);
});

test('links are what leads to http and https without another name in front, and nothing else', () => {
  const links = (/** @type {string} */ words) => partsOf(words).filter((part) => part.href !== null).map((part) => part.text);
  assert.deepEqual(links('see (https://a.example/x), http://b.example! and https://c.example/?q=1.'), ['https://a.example/x', 'http://b.example', 'https://c.example/?q=1']);
  for (const bad of ['javascript:alert(1)', 'data:text/html,x', 'https://', 'https://bank.example@evil.example/', 'xhttps://a.example', 'ftp://a.example']) assert.deepEqual(links(bad), [], bad);
  for (const words of ['a https://x.example b', '', 'Noon noon', '((', 'https://a.example))']) assert.equal(partsOf(words, ['noon', '(']).map((part) => part.text).join(''), words);
  assert.deepEqual(partsOf('at Noon (1+1)', ['noon', '1+1']).filter((part) => part.isFound).map((part) => part.text), ['Noon', '1+1']);
});

test('rows: a line for each day, one name for what is said in a breath, who has read where', () => {
  const message = (/** @type {number} */ number, /** @type {string} */ authorId, /** @type {string} */ createdAt) => /** @type {any} */ ({ id: `m${number}`, authorId, createdAt, text: 'x', replyTo: null, threadId: null, replyCount: 0, reactions: [], clientId: null, isDeleted: false, isSealed: false, pending: null });
  const eyes = { self: ADA, nameOf: (/** @type {string} */ one) => (one === BEN ? 'Ben' : one === CY ? 'Cy' : 'Ada'), now: new Date('2026-03-05T10:00:00Z'), zone: 'UTC' };
  const rows = /** @type {any[]} */ (rowsOf([message(1, ADA, '2026-03-04T23:58:00Z'), message(2, ADA, '2026-03-05T00:01:00Z'), message(3, ADA, '2026-03-05T00:04:00Z'), message(4, ADA, '2026-03-05T00:20:00Z'), message(5, BEN, '2026-03-05T00:21:00Z')], { [BEN]: 'm5', [CY]: 'm3', [ADA]: 'm5' }, eyes));
  assert.deepEqual(rows.map((row) => (row.kind === 'day' ? row.words : `${row.message.id} ${row.isContinued} ${row.readBy}`.trim())),
    ['Yesterday', 'm1 false', 'Today', 'm2 false', 'm3 true Read by Cy', 'm4 false Read by Ben', 'm5 false']);
  assert.equal(typingText([BEN, CY], eyes.nameOf), 'Ben and Cy are typing…');
});

test('addresses of chat, and what is none', () => {
  for (const hash of ['#/chats', `#/chat/${id(9)}`, '#join=Abcdefghijklmnopqrstuvwx']) assert.equal(formatRoute(parseRoute(hash)), hash);
  for (const bad of ['#/chat/x', '#join=', '#join=a b', '#join=../../x']) assert.equal(parseRoute(bad).name, 'missing', bad);
});

const KEY = (/** @type {number} */ fill) => Buffer.alloc(32, fill).toString('base64');
const device = (/** @type {number} */ number, /** @type {string} */ key) => ({ id: `10000000-0000-4000-8000-00000000000${number}`, name: 'Phone', algorithm: 'x25519', identity_key: key });

test('a sealed conversation says so, its switch works, and two people compare a number', async () => {
  const direct = server.channel({ type: 'direct', other: BEN });
  server.addDevice(BEN, device(1, KEY(1)));
  await open(`#/chat/${direct}`, { canSeal: true });
  const badge = () => document.querySelectorAll('.badge').some((/** @type {any} */ one) => one.textContent.includes('Sealed') && !one.parentNode.hidden);
  assert.equal(badge(), false);
  await press('Members');
  const [toggle] = document.querySelectorAll('input').filter((/** @type {any} */ one) => nameOf(one, document).trim() === 'Seal messages end to end');
  toggle.checked = true;
  toggle.dispatchEvent(new Event('change'));
  await quiet();
  assert.equal(server.channels.get(direct).isSealed, true);
  assert.equal(badge(), true);
  await press('Safety number');
  await quiet();
  assert.match(document.body.textContent, /(\d{5} ){11}\d{5}/);
  await press('We see the same');
  await quiet();
  await press('Safety number');
  await quiet();
  assert.match(document.body.textContent, /You have compared this number with Ben Bitdiddle/);
  good();
  // A device that was not there before is told.
  server.addDevice(BEN, device(2, KEY(2)));
  await quiet();
  app.chat.send(direct, 'hello');
  await quiet();
  assert.match(toasts(), /Ben Bitdiddle has a new device/);
  server.addDevice(BEN, device(1, KEY(9)));
  await quiet();
  app.chat.send(direct, 'hello again');
  await quiet();
  assert.match(toasts(), /came with another key/);
  assert.deepEqual(server.channels.get(direct).messages.map((/** @type {any} */ one) => one.content), [null, null]);
});

test('the settings list one\'s devices, and the one that is here is forgotten with its key', async () => {
  server.addDevice(ADA, { ...device(3, KEY(3)), name: '' });
  await open('#/settings', { canSeal: true });
  await quiet();
  const names = () => document.querySelectorAll('.row__name').map((/** @type {any} */ one) => one.textContent).filter((/** @type {string} */ one) => /device|Firefox/.test(one));
  // The page registers itself while it looks.
  app.reload();
  await quiet();
  assert.deepEqual(names(), ['A device', 'Firefox, Linux (this one)']);
  good();
  const before = await app.chat.sealer.device();
  await press('Remove Firefox, Linux');
  assert.match(document.body.textContent, /will never again read/);
  await press('Remove');
  await quiet();
  const after = await app.chat.sealer.device();
  assert.notEqual(after.value.id, before.value.id);
  assert.ok(!server.devices.get(ADA)?.some(({ id: one }) => one === before.value.id));
});

test('a page that cannot seal shows the switch, and why it does not work', async () => {
  const channel = server.channel({ isSealed: true });
  await open(`#/chat/${channel}`);
  await press('Members');
  const [toggle] = document.querySelectorAll('input').filter((/** @type {any} */ one) => nameOf(one, document).trim() === 'Seal messages end to end');
  assert.deepEqual([toggle.checked, toggle.disabled], [true, true]);
  assert.match(shown(), /This browser cannot seal messages/);
  good();
});

test('a file is attached, sent with its message, and taken down again; what is sealed takes none', async () => {
  const channel = server.channel();
  await open(`#/chat/${channel}`);
  const [chooser] = document.querySelectorAll('input').filter((/** @type {any} */ one) => one.getAttribute('type') === 'file' || one.type === 'file');
  const file = (/** @type {string} */ name, type = 'text/plain') => Object.assign(new Blob(['what is in it'], { type }), { name });
  chooser.files = [file('plan.txt'), file('game.exe')];
  chooser.dispatchEvent(new Event('change'));
  await settle();
  await settle();
  assert.match(shown(), /plan\.txt.*13 B/);
  field('Message').value = 'look at this';
  await press('Send');
  assert.match(shown(), /A file is still on its way, or could not be sent/);
  assert.equal(server.channels.get(channel).messages.length, 0);
  await press('Take game.exe away');
  await press('Send');
  await settle();
  const [message] = server.channels.get(channel).messages;
  assert.deepEqual([message.content, message.type, message.attachments.map((/** @type {any} */ one) => one.filename)], ['look at this', 'file', ['plan.txt']]);
  assert.equal(buttons('Download plan.txt, 13 B').length, 1);
  assert.equal(buttons('Take plan.txt away').length, 0);
  good();
  await press('Download plan.txt, 13 B');
  assert.ok(server.exchanged.some((one) => /^GET .*\/download$/.test(one)));
  // A picture without words has its name for them.
  chooser.files = [file('cat.png', 'image/png')];
  chooser.dispatchEvent(new Event('change'));
  await settle();
  await settle();
  await press('Send');
  await settle();
  assert.deepEqual([server.channels.get(channel).messages[1].content, server.channels.get(channel).messages[1].type], ['cat.png', 'image']);
  assert.ok(server.exchanged.some((one) => /\/thumbnail$/.test(one)));
  good();
  server.channels.get(channel).isSealed = true;
  server.log(channel, 'channel.updated', { channel_id: channel, name: 'general', description: null, is_archived: false, is_encrypted: true });
  await settle();
  assert.equal(buttons('Attach files').length, 0);
});
