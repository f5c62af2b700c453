// @ts-check
// The screens on the real SDK against a real server: what each believes of the next is true. Needs PLEXI_BINARY.

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { after, before, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { createApp } from '../../web/app/app.js';
import { sessionStore } from '../../web/app/session-store.js';
import { PlexiAPI } from '../../web/plexichat-api.js';
import { PlexiChat, chatURL } from '../../web/plexichat-chat.js';
import { PlexiCall, PlexiLine, signalingURL } from '../../web/plexichat-call.js';
import { faultsOf, installDocument, nameOf } from './support/app-dom.js';
import { fakeDevices } from './support/app-world.js';
import { SDPPeer } from './support/sdp-peer.js';
import { binary, startServer } from './support/server.js';
import { TestWebSocket } from './support/websocket.js';
import { FakeStream, FakeTrack } from './support/world.js';

const options = { skip: binary ? false : 'PLEXI_BINARY names no server' };
const password = 'correct horse battery staple';
/** @type {any} */
let server;
/** @type {ReturnType<typeof installDocument>} */
let page;
/** @type {any} */
let app;
/** Howard, on the SDK alone. @type {any} */
let other;

before(async () => {
  if (!binary) return;
  server = await startServer([`web.folder=${new URL('../../web', import.meta.url).pathname}`]);
  page = installDocument();
});
after(async () => {
  if (!binary) return;
  app?.stop();
  page.restore();
  assert.equal(await server.stop(), 0);
});

const env = /** @type {any} */ ({ WebSocket: TestWebSocket, RTCPeerConnection: SDPPeer, makeStream: (/** @type {any} */ tracks) => new FakeStream(tracks) });

/** @param {any} api */
function partsFor(api) {
  const url = signalingURL(/** @type {any} */ (new URL(server.url)));
  const token = () => api.accessToken();
  return {
    makeCall: (/** @type {any} */ more) => new PlexiCall({ ...more, url, token, env }),
    makeLine: () => new PlexiLine({ url, token, env }),
    makeChat: () => new PlexiChat({ url: chatURL(/** @type {any} */ (new URL(server.url))), token, api, env }),
  };
}

/** @param {() => any} condition @param {string} what */
async function eventually(condition, what) {
  for (const deadline = Date.now() + 10_000; ;) {
    const value = await condition();
    if (value) return value;
    assert.ok(Date.now() < deadline, `it did not come about: ${what}; the page shows: ${shown()} ${toasts()}`);
    await wait(20);
  }
}

const document_ = () => page.document;
const shown = () => document_().getElementById('app').textContent;
const toasts = () => document_().getElementById('toasts').textContent;
const find = (/** @type {string} */ tags, /** @type {string} */ name) =>
  document_().querySelectorAll(tags).find((/** @type {any} */ one) => nameOf(one, document_()).trim() === name);
const press = async (/** @type {string} */ name) => (await eventually(() => find('button, a', name), `a button ${name}`)).click();

test('an account is made, somebody calls, is answered, seen, and stands in the history', options, async () => {
  const session = sessionStore(null, null);
  const api = new PlexiAPI({ base: server.url, store: session, locks: null });
  const devices = fakeDevices();
  app = createApp({
    api, session, ...partsFor(api), mediaDevices: /** @type {any} */ (devices.source), local: null, tab: null,
    encryption: { canEncrypt: false, makeKey: () => '', secretOf: () => null, makeWorker: /** @type {any} */ (() => null) },
    useKey: null, windows: null, notifier: null, sounds: { play: () => () => {}, useDevice() {} }, now: () => Date.now(),
  });
  location.hash = '#/register';
  app.start();

  for (const [label, value] of [['User name', 'grace'], ['Name that others see', 'Grace'], ['E-mail address', 'grace@example.org'], ['Password', password]]) {
    find('input', label).value = value;
  }
  await press('Make the account');
  await eventually(() => shown().includes('Nobody else is here yet') || shown().includes('@'), 'the list of people');

  other = new PlexiAPI({ base: server.url, locks: null });
  const made = await other.register({ username: 'howard', email: 'howard@example.org', password, displayName: 'Howard' });
  assert.ok(made.ok, JSON.stringify(made));
  app.reload();
  await eventually(() => shown().includes('Howard@howard'), 'Howard in the list');
  assert.deepEqual(faultsOf(document_()), []);
  await eventually(() => app.store.get().line === 'open', 'the line');

  const begun = await other.startCall({ participants: [String(api.userId)], type: 'video' });
  assert.ok(begun.ok, JSON.stringify(begun));
  const call = partsFor(other).makeCall({ callId: begun.value.id, kind: 'video' });
  await call.setMicrophone(/** @type {any} */ (new FakeTrack('audio')));
  await call.setCamera(/** @type {any} */ (new FakeTrack('video')));
  const joined = await call.join();
  assert.ok(joined.ok, JSON.stringify(joined));

  await eventually(() => document_().querySelector('dialog')?.textContent.includes('Howard is calling'), 'the ring');
  await press('Accept with video');
  await eventually(() => shown().includes('Call with Howard'), 'the call with its head');
  await eventually(() => /0:0\d/.test(shown()), 'the time runs');
  assert.deepEqual(faultsOf(document_()), []);
  await eventually(() => document_().querySelectorAll('audio').length === 1, 'the sound of Howard');

  call.setHand(true);
  await eventually(() => shown().includes('Howard, hand raised') || shown().includes('hand raised'), 'Howard\'s hand');
  await press('Mute');
  await eventually(() => call.state.participants[0]?.audio === false, 'the mute is told to Howard');

  await press('Leave');
  await eventually(() => call.state.phase === 'ended', 'the call of two is over for Howard');
  await eventually(() => location.hash === '#/people', 'the people');
  app.navigate({ name: 'history' });
  await eventually(() => shown().includes('Howard') && shown().includes('Incoming'), 'the call in the history');
  assert.equal(toasts().includes('failed'), false, toasts());
});

test('somebody writes: it is in the list, is read, answered, and edited where both see it', options, async () => {
  const chat = partsFor(other).makeChat();
  chat.open();
  const direct = await other.request('POST', '/v1/dm/conversations', { body: { user_id: app.self } });
  assert.ok(direct.ok, JSON.stringify(direct));
  const id = direct.value.data.id;
  await chat.show(id);
  chat.send(id, 'Are you there?');
  app.navigate({ name: 'chats' });
  await eventually(() => shown().includes('Are you there?') && shown().includes('one unread message'), 'the message in the list');
  assert.deepEqual(faultsOf(document_()), []);
  app.navigate({ name: 'chat', id });
  await eventually(() => document_().querySelector('.message__text')?.textContent === 'Are you there?', 'the message');
  await eventually(() => chat.state.reads[id]?.[app.self] !== undefined, 'the receipt');
  const line = document_().querySelector('textarea');
  line.value = 'Yes';
  line.dispatchEvent(Object.assign(new Event('keydown', { cancelable: true }), { key: 'Enter' }));
  const answer = await eventually(() => chat.state.timelines[id].messages[1], 'the answer');
  assert.equal(answer.text, 'Yes');
  assert.equal(await chat.edit(chat.state.timelines[id].messages[0], 'Were you there?'), null);
  await eventually(() => shown().includes('Were you there? (edited)') && !shown().includes('Sending'), 'the edit');
  assert.deepEqual(faultsOf(document_()), []);
  chat.close();
});

/** RFC 6238 with what the server's apps use: SHA-1, 30 seconds, six digits. @param {string} secret in Base32 */
function codeNow(secret) {
  const bits = [...secret.replace(/[\s=]/g, '')].map((letter) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(letter).toString(2).padStart(5, '0')).join('');
  const key = Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000)));
  const digest = createHmac('sha1', key).update(counter).digest();
  return String((digest.readUInt32BE(digest[19] & 15) & 0x7fffffff) % 1_000_000).padStart(6, '0');
}

test('a call that is declined ends with words that fit, and so does one that is given up', options, async () => {
  app.navigate({ name: 'ready', people: [other.userId], kind: 'audio' });
  await eventually(() => shown().includes('Call with Howard'), 'the screen before a call');
  await press('Start the call');
  await eventually(() => shown().includes('Ringing…'), 'the ring');
  assert.deepEqual(faultsOf(document_()), []);
  const id = location.hash.slice('#/call/'.length);
  assert.ok((await other.leaveCall(id)).ok);
  await eventually(() => shown().includes('Nobody took the call.'), 'the refusal');
  assert.deepEqual(faultsOf(document_()), []);

  app.navigate({ name: 'ready', people: [other.userId], kind: 'audio' });
  await press('Start the call');
  await eventually(() => shown().includes('Ringing…'), 'the ring');
  await press('Leave');
  await eventually(() => location.hash === '#/people', 'the people');
  await eventually(async () => {
    const history = await other.history();
    return history.ok && history.value.calls[0]?.status === 'missed';
  }, 'a missed call of Howard');
  app.navigate({ name: 'history' });
  await eventually(() => shown().includes('Declined') && shown().includes('Not answered'), 'both in the history');
});

test('an authenticator app is added, and the next login asks for a second step', options, async () => {
  app.navigate({ name: 'settings' });
  await eventually(() => shown().includes('A login asks for the password only'), 'the settings');
  await press('Add an authenticator app');
  const dialog = await eventually(() => document_().querySelector('dialog'), 'the secret');
  assert.match(dialog.querySelector('img').getAttribute('src'), /^data:image\/svg\+xml,%3Csvg%20xmlns/);
  dialog.querySelector('input').value = codeNow(dialog.querySelector('.secret').textContent);
  await press('Add it');
  const codes = await eventually(() => document_().querySelector('ol')?.children.map((/** @type {any} */ one) => one.textContent), 'recovery codes');
  assert.equal(codes.length, 10);
  document_().querySelector('dialog').querySelector('button').click();
  await eventually(() => find('button', 'Remove Authenticator app'), 'the app in the list');

  await app.logOut();
  await eventually(() => location.hash.startsWith('#/login'), 'the login');
  for (const [label, value] of [['User name or e-mail address', 'grace@example.org'], ['Password', password]]) find('input', label).value = value;
  await press('Log in');
  await eventually(() => shown().includes('One more step'), 'the second step');
  assert.deepEqual(faultsOf(document_()), []);
  find('input', 'Recovery code').dispatchEvent(new Event('change', { bubbles: true }));
  find('input', 'Code').value = 'wrong-code-that-never';
  await press('Go on');
  await eventually(() => shown().includes('The code is wrong'), 'the refusal');
  find('input', 'Code').value = codes[0].toUpperCase();
  await press('Go on');
  await eventually(() => shown().includes('Howard@howard'), 'the people');
});

test('what the server refuses is told in words of ours', options, async () => {
  app.navigate({ name: 'call', id: '00000000-0000-7000-8000-000000000001' });
  await eventually(() => shown().includes('There is nothing here (any more)'), 'no such call');
  assert.deepEqual(faultsOf(document_()), []);
  await app.logOut();
  await eventually(() => location.hash.startsWith('#/login'), 'the login');
  for (const [label, value] of [['User name or e-mail address', 'grace'], ['Password', 'wrong']]) find('input', label).value = value;
  await press('Log in');
  await eventually(() => shown().includes('The name or the password is wrong'), 'the refusal');
});

test('the server gives out every file of the client, under its policy', options, async () => {
  const first = await fetch(`${server.url}/`);
  assert.equal(first.status, 200);
  const seen = new Set();
  const waiting = [...(await first.text()).matchAll(/(?:src|href)="(\/[^"#]+)"/g)].map((match) => match[1]);
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (seen.has(path)) continue;
    seen.add(path);
    const answer = await fetch(server.url + path);
    assert.equal(answer.status, 200, path);
    const body = await answer.text();
    if (!path.endsWith('.js')) continue;
    assert.match(String(answer.headers.get('content-type')), /^text\/javascript/);
    for (const [, from] of body.matchAll(/(?:^import|^export)[^;]*?from '(\.[^']+)'/gms)) waiting.push(new URL(from, `http://x${path}`).pathname);
  }
  assert.ok(seen.has('/strings.js') && seen.has('/app/call/view.js') && seen.has('/plexichat-call.js'), [...seen].join(' '));
});
