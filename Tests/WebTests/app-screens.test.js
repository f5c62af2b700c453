// @ts-check
// Every screen, run in a document of our own (support/app-dom.js): what it shows, what its buttons do, and that each has
// names, labels and one heading. How it looks is not tested here.

import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { createApp } from '../../web/app/app.js';
import { problem } from '../../web/call/problems.js';
import { faultsOf, installDocument, nameOf } from './support/app-dom.js';
import { ChatServer } from './support/chat-server.js';
import { PlexiChat } from '../../web/plexichat-chat.js';
import { callState, participant, track, trackStats } from './support/app-states.js';
import { FakeAPI, FakeCall, FakeLine, fakeDevices, id, settle } from './support/app-world.js';

/** @type {ReturnType<typeof installDocument>} */
let page;
/** @type {any} */
let document;
/** @type {FakeAPI} */
let api;
/** @type {any} */
let app;
/** @type {FakeCall[]} */
let calls;
/** @type {FakeLine[]} */
let lines;
/** @type {string[]} */
let played;
/** @type {any} */
let tab;
/** @type {any} */
let devices;
/** @type {EventTarget & { postMessage: (data: any) => void, sent: any[] }} */
let windows;
/** @type {any} */
let notifier;

beforeEach(() => {
  notifier = { permission: 'default', shown: [], async request() { notifier.permission = notifier.answer; }, show(/** @type {string} */ title) { notifier.shown.push(title); return () => notifier.shown.push(`end ${title}`); } };
  windows = Object.assign(new EventTarget(), { sent: /** @type {any[]} */ ([]), postMessage(/** @type {any} */ data) { windows.sent.push(data); } });
  page = installDocument();
  document = page.document;
  api = new FakeAPI();
  calls = [];
  lines = [];
  played = [];
  devices = fakeDevices();
  const map = new Map();
  tab = { getItem: (/** @type {string} */ key) => map.get(key) ?? null, setItem: map.set.bind(map), removeItem: map.delete.bind(map) };
});

afterEach(() => {
  for (const call of calls) call.end('left');
  app?.stop();
  page.restore();
});

/** @param {{ hash?: string, user?: string | null, canEncrypt?: boolean, media?: any }} [with_] */
async function open({ hash = '', user = id(1), canEncrypt = true, media = devices.source } = {}) {
  api.userId = user;
  location.hash = hash;
  app = createApp({
    api: /** @type {any} */ (api), session: { remember(on) { api.remembered = on; }, save() { api.userId = null; } },
    makeCall: /** @type {any} */ ((/** @type {any} */ options) => { const call = new FakeCall(options); calls.push(call); return call; }),
    makeLine: /** @type {any} */ (() => { const line = new FakeLine(); lines.push(line); return line; }),
    makeChat: () => new PlexiChat({ url: 'wss://chat.example.org/v1/ws/connect', token: async () => 'T', api: new ChatServer(), env: { WebSocket: new ChatServer().Socket } }),
    mediaDevices: media, local: null, tab,
    encryption: { canEncrypt, makeKey: () => 'k'.repeat(43), secretOf: (key) => (key === 'k'.repeat(43) ? new Uint8Array(32) : null), makeWorker: /** @type {any} */ (() => ({})) },
    useKey: null, windows: /** @type {any} */ (windows), notifier,
    sounds: { play(name) { played.push(name); return () => played.push(`end ${name}`); }, useDevice() {} },
    now: () => Date.parse('2026-03-05T10:00:00Z'),
  });
  app.start();
  await settle();
}

const good = () => assert.deepEqual(faultsOf(document), []);
/** @param {string} name @returns {any} */
function button(name) {
  const found = document.querySelectorAll('button, a').filter((/** @type {any} */ one) => !isHidden(one) && nameOf(one, document).trim() === name);
  assert.equal(found.length, 1, `${found.length} buttons named ${name}; there are ${document.querySelectorAll('button, a').filter((/** @type {any} */ one) => !isHidden(one)).map((/** @type {any} */ one) => nameOf(one, document))}`);
  return found[0];
}
/** @param {any} element */
function isHidden(element) {
  for (let node = element; node !== null && node.localName !== undefined; node = node.parentNode) if (node.hidden && node.localName !== 'html') return true;
  return false;
}
const press = async (/** @type {string} */ name) => { button(name).click(); await settle(); };
const input = (/** @type {string} */ label) => {
  const found = document.querySelectorAll('input, select').filter((/** @type {any} */ one) => nameOf(one, document).trim() === label);
  assert.equal(found.length, 1, `${found.length} fields named ${label}`);
  return found[0];
};
const heading = () => document.querySelector('h1').textContent;
const shown = () => document.getElementById('app').textContent;
const toasts = () => document.getElementById('toasts').textContent;

// Login

test('who is not logged in is asked to, and led on to where they wanted to go', async () => {
  await open({ user: null, hash: '#/history' });
  assert.equal(heading(), 'Log in');
  assert.equal(location.hash, '#/login?then=%2Fhistory');
  assert.equal(document.activeElement, input('User name or e-mail address'));
  good();
  input('User name or e-mail address').value = 'ada';
  input('Password').value = 'secret words';
  input('Keep me logged in on this device').checked = true;
  await press('Log in');
  assert.deepEqual(api.asked('logIn'), [[{ username: 'ada', password: 'secret words', remember: true }]]);
  assert.equal(api.remembered, true);
  assert.equal(heading(), 'Calls');
  assert.equal(lines.length, 1, 'the line is open from the login on');
  good();
});

test('an empty form asks nobody, says what is missing and leads there', async () => {
  await open({ user: null });
  input('User name or e-mail address').value = 'ada';
  await press('Log in');
  assert.deepEqual(api.asked('logIn'), []);
  assert.equal(document.activeElement, input('Password'));
  assert.equal(input('Password').getAttribute('aria-invalid'), 'true');
  good();
});

test('a wrong password is told with what to do, and the form stays', async () => {
  await open({ user: null });
  api.answers.logIn = () => ({ ok: false, problem: problem('invalid_credentials') });
  input('User name or e-mail address').value = 'ada';
  input('Password').value = 'wrong';
  await press('Log in');
  assert.match(shown(), /The name or the password is wrong/);
  assert.equal(input('User name or e-mail address').value, 'ada');
  assert.equal(button('Log in').disabled, false);
  good();
});

test('a second factor is asked for, by the method that is chosen', async () => {
  await open({ user: null });
  const challenge = { kind: 'mfa', methods: ['totp', 'sms', 'recovery_code', 'webauthn'], temporaryToken: 't', expiresAt: null };
  api.answers.logIn = () => ({ ok: true, value: challenge });
  input('User name or e-mail address').value = 'ada';
  input('Password').value = 'secret words';
  await press('Log in');
  assert.equal(heading(), 'One more step');
  assert.equal(document.activeElement, input('Code'));
  good();
  const sms = input('Code by text message');
  sms.checked = true;
  sms.dispatchEvent(new Event('change', { bubbles: true }));
  await press('Send a code');
  assert.deepEqual(api.asked('sendCode'), [[challenge, 'sms']]);
  input('Code').value = '123456';
  api.answers.completeMFA = () => ({ ok: false, problem: problem('mfa_invalid') });
  await press('Go on');
  assert.match(shown(), /The code is wrong/);
  assert.equal(input('Code').value, '');
  input('Code').value = '654321';
  api.answers.completeMFA = () => { api.userId = id(1); return { ok: true, value: { kind: 'signed-in', userId: id(1) } }; };
  await press('Go on');
  assert.deepEqual(api.asked('completeMFA').at(-1), [challenge, 'sms', '654321']);
  assert.equal(heading(), 'People');
});

test('an account that takes only a key is told so where there is none', async () => {
  await open({ user: null });
  api.answers.logIn = () => ({ ok: true, value: { kind: 'mfa', methods: ['webauthn'], temporaryToken: 't', expiresAt: null } });
  input('User name or e-mail address').value = 'ada';
  input('Password').value = 'x';
  await press('Log in');
  assert.match(shown(), /takes only a security key/);
  good();
  await press('Begin again');
  assert.equal(heading(), 'Log in');
});

test('an account can be made', async () => {
  await open({ user: null, hash: '#/register' });
  good();
  input('User name').value = ' ada ';
  input('E-mail address').value = 'ada@example.org';
  input('Password').value = 'short';
  await press('Make the account');
  assert.match(shown(), /at least 8 characters/);
  input('Password').value = 'some longer words';
  await press('Make the account');
  assert.deepEqual(api.asked('register'), [[{ username: 'ada', email: 'ada@example.org', password: 'some longer words', displayName: '' }]]);
  assert.equal(heading(), 'People');
});

test('a forgotten password: a mail, the same words for everybody, and the link\'s screen', async () => {
  await open({ user: null });
  button('Forgot the password?');
  app.navigate({ name: 'forgot' });
  good();
  input('E-mail address').value = 'ada@example.org';
  await press('Send the link');
  assert.deepEqual(api.asked('forgotPassword'), [['ada@example.org']]);
  assert.match(shown(), /If the address belongs to an account/);
  good();
  const token = `plp_${'a'.repeat(43)}`;
  location.hash = `#/reset?token=${token}`;
  await settle();
  good();
  api.answers.resetPassword = () => ({ ok: false, problem: problem('reset_invalid') });
  input('New password').value = 'some longer words';
  await press('Change the password');
  assert.match(shown(), /The link is not good any more/);
  delete api.answers.resetPassword;
  await press('Change the password');
  assert.deepEqual(api.asked('resetPassword').at(-1), [token, 'some longer words']);
  assert.equal(location.hash, '#/login');
  assert.match(toasts(), /The password is changed/);
});

test('the link of a reset is good for who is logged in, too, and logs them out', async () => {
  await open({ hash: `#/reset?token=plp_${'a'.repeat(43)}` });
  assert.equal(heading(), 'Choose a new password');
  input('New password').value = 'some longer words';
  await press('Change the password');
  assert.equal(heading(), 'Log in');
  assert.ok(lines[0].isClosed);
});

test('a session that ends leads to the login, and back afterwards', async () => {
  await open({ hash: '#/settings' });
  api.signOut('ended');
  await settle();
  assert.equal(location.hash, '#/login?then=%2Fsettings');
  assert.match(toasts(), /Your session has ended/);
  assert.doesNotMatch(toasts(), /You are logged out/);
  assert.ok(lines[0].isClosed);
});

test('a logout in another window is one here too', async () => {
  await open({ hash: '#/settings' });
  api.userId = null;
  lines[0].emit('problem', problem('signed_out'));
  await settle();
  assert.equal(location.hash, '#/login');
});

test('what could not be read while the server was away is read when it is back', async () => {
  api.answers.me = () => ({ ok: false, problem: problem('network') });
  await open();
  assert.equal(app.store.get().user, null);
  delete api.answers.me;
  lines[0].emit('state', 'open');
  await settle();
  assert.equal(app.store.get().user.displayName, 'Ada');
});

// People

test('people are listed with their presence, and each can be called', async () => {
  await open();
  assert.equal(heading(), 'People');
  good();
  assert.match(shown(), /Ben Bitdiddle@ben · Online/);
  assert.doesNotMatch(shown(), /@ada/, 'oneself is not in the list');
  assert.deepEqual(lines[0].watched, [id(1), id(2), id(3)]);
  await press('Video call with Ben Bitdiddle');
  assert.equal(location.hash, `#/ready?with=${id(2)}&kind=video`);
  good();
});

test('several are called together', async () => {
  await open();
  for (const name of ['Ben Bitdiddle', 'Cy D. Fect']) input(`Select ${name} for a group call`).click();
  assert.match(shown(), /2 people selected: Ben Bitdiddle and Cy D. Fect/);
  good();
  await press('Call');
  assert.equal(location.hash, `#/ready?with=${id(2)},${id(3)}&kind=audio`);
});

test('a search that finds nobody says so; a failure offers another try', async () => {
  await open();
  api.answers.users = () => ({ ok: true, value: { users: [], total: 0, hasMore: false } });
  const search = input('Search people');
  search.value = 'zz';
  search.dispatchEvent(new Event('input', { bubbles: true }));
  await wait(300);
  assert.match(shown(), /Nobody by this name/);
  assert.equal(api.asked('users').at(-1)[0].search, 'zz');
  api.answers.users = () => ({ ok: false, problem: problem('network') });
  search.value = 'b';
  search.dispatchEvent(new Event('input', { bubbles: true }));
  await wait(300);
  assert.match(shown(), /The server cannot be reached/);
  delete api.answers.users;
  await press('Try again');
  assert.match(shown(), /Ben Bitdiddle/);
});

test('a call that is on can be returned to', async () => {
  api.answers.activeCalls = () => ({ ok: true, value: [{ id: id(9), status: 'ongoing', participants: [{ userId: id(1) }, { userId: id(2) }] }] });
  await open();
  assert.match(shown(), /Calls that are on.*Call with Ben Bitdiddle/);
  good();
});

test('a presence that changes is shown without asking again', async () => {
  await open();
  lines[0].emit('presence', { userId: id(2), status: 'in-call', lastSeen: null });
  assert.match(shown(), /Ben Bitdiddle@ben · In a call/);
  const before = api.asked('presence').length;
  app.reload();
  await settle();
  assert.ok(!api.asked('presence').slice(before).flat().includes(id(2)), 'whom the line tells of is not asked for');
});

// History, settings, nothing

test('the history tells of each call, and calls again', async () => {
  await open({ hash: '#/history' });
  assert.match(shown(), /Ben Bitdiddle.*Missed · Video call · Today/);
  good();
  await press('Call Ben Bitdiddle again');
  assert.match(location.hash, /^#\/ready\?with=.*kind=video$/);
});

test('settings are kept, the theme at once', async () => {
  await open({ hash: '#/settings' });
  good();
  const dark = input('Dark');
  dark.dispatchEvent(new Event('change', { bubbles: true }));
  assert.equal(document.documentElement.getAttribute('data-theme'), 'dark');
  input('Begin muted').click();
  assert.equal(app.store.get().preferences.startsMuted, true);
  assert.equal(input('Name that others see').value, 'Ada');
  input('Name that others see').value = ' Ada L. ';
  await press('Save');
  assert.deepEqual(api.asked('updateMe'), [[{ displayName: 'Ada L.' }]]);
  assert.match(toasts(), /The name is saved/);
  await press('Log out');
  assert.equal(location.hash, '#/login');
  assert.match(toasts(), /You are logged out/);
});

test('an authenticator app is added with a first code, and its recovery codes are shown once', async () => {
  await open({ hash: '#/settings' });
  assert.match(shown(), /A login asks for the password only/);
  await press('Add an authenticator app');
  assert.match(document.querySelector('dialog').textContent, /JBSWY3DP/);
  assert.equal(document.querySelector('img').getAttribute('src'), 'data:image/svg+xml,%3Csvg%2F%3E');
  good();
  api.answers.confirmTOTP = () => ({ ok: false, problem: problem('mfa_invalid') });
  input('Code').value = '000000';
  await press('Add it');
  assert.match(document.querySelector('dialog').textContent, /The code is wrong/);
  delete api.answers.confirmTOTP;
  api.answers.factors = () => ({ ok: true, value: [{ id: id(80), method: 'totp', label: '', isActive: true }] });
  input('Code').value = '123456';
  await press('Add it');
  assert.deepEqual(api.asked('confirmTOTP').at(-1), [id(80), '123456']);
  assert.match(document.querySelector('dialog').textContent, /Your recovery codes.*aaaa-bbbb-cccc-dddd/);
  good();
  document.querySelector('dialog').querySelector('button').click();
  await press('Remove Authenticator app');
  good();
  document.querySelector('dialog').querySelector('input').value = 'secret words';
  document.querySelector('dialog').querySelectorAll('button').at(-1).click();
  await settle();
  assert.deepEqual(api.asked('removeFactor'), [[id(80), 'secret words']]);
  assert.equal(document.querySelector('dialog'), null);
});

test('a password is changed with the present one', async () => {
  await open({ hash: '#/settings' });
  input('Present password').value = 'old words';
  input('New password').value = 'short';
  await press('Change the password');
  assert.deepEqual(api.asked('changePassword'), []);
  input('New password').value = 'other longer words';
  await press('Change the password');
  assert.deepEqual(api.asked('changePassword'), [['old words', 'other longer words']]);
  assert.match(toasts(), /Your other devices are logged out/);
  assert.equal(input('New password').value, '');
});

test('a broken link says what to do', async () => {
  await open({ hash: '#/call/1?key=x' });
  assert.equal(heading(), 'There is nothing here');
  good();
});

// Getting ready

test('before a call one sees oneself, and what is off stays off', async () => {
  await open({ hash: `#/ready?with=${id(2)}&kind=video` });
  good();
  assert.equal(heading(), 'Call with Ben Bitdiddle');
  assert.equal(document.querySelector('video').hidden, false);
  await press('Stop video');
  assert.equal(document.querySelector('video').hidden, true);
  assert.deepEqual(devices.running(), ['audio'], 'the camera\'s light is out');
  await press('Mute');
  await press('Start the call');
  assert.deepEqual(api.asked('startCall'), [[{ participants: [id(2)], type: 'video' }]]);
  assert.equal(calls[0].asked('setMuted').at(-1)[0], true);
  assert.equal(calls[0].joined, 1);
  assert.deepEqual(devices.asked.length, 1, 'the microphone that was open is used');
});

test('without devices a call is possible, and what to do is said', async () => {
  devices.refuse = 'NotAllowedError';
  await open({ hash: `#/ready?with=${id(2)}&kind=video` });
  assert.match(shown(), /does not let this page use your microphone/);
  await press('Start the call');
  assert.equal(calls[0].joined, 1);
});

test('a missing camera does not cost the microphone', async () => {
  devices.missing = 'video';
  await open({ hash: `#/ready?with=${id(2)}&kind=video` });
  assert.deepEqual(devices.running(), ['audio']);
  assert.match(shown(), /No microphone or camera was found/);
});

test('who goes back leaves no light on', async () => {
  await open({ hash: `#/ready?with=${id(2)}&kind=video` });
  assert.deepEqual(devices.running(), ['audio', 'video']);
  await press('Back');
  assert.deepEqual(devices.running(), []);
});

test('an encrypted call has its key behind the # and nowhere else', async () => {
  await open({ hash: `#/ready?with=${id(2)}&kind=audio` });
  input('End-to-end encryption').click();
  await press('Start the call');
  assert.equal(location.hash, `#/call/${id(50)}?key=${'k'.repeat(43)}`);
  assert.ok(calls[0].options.encryption.secret instanceof Uint8Array);
  assert.doesNotMatch(JSON.stringify(api.all), /kkkk/);
  assert.match(shown(), /End-to-end encrypted/);
  good();
});

test('a browser that cannot encrypt never sends in the clear what was asked for encrypted', async () => {
  await open({ hash: `#/call/${id(50)}?key=${'k'.repeat(43)}`, canEncrypt: false });
  await press('Join the call');
  assert.equal(calls.length, 0);
  assert.match(shown(), /cannot encrypt end to end/);
  good();
});

test('a refused call says why', async () => {
  await open({ hash: `#/ready?with=${id(2)}&kind=audio` });
  api.answers.startCall = () => ({ ok: false, problem: problem('already_in_call') });
  await press('Start the call');
  assert.match(shown(), /You are in another call/);
  assert.equal(heading(), 'Call with Ben Bitdiddle');
});

// Somebody calls

const incoming = { callId: id(60), callerId: id(2), type: 'video', participants: [id(2), id(1), id(3)] };

test('an incoming call rings, names who calls, and is taken', async () => {
  await open();
  lines[0].emit('incoming', incoming);
  await settle();
  assert.match(document.querySelector('dialog').textContent, /Ben Bitdiddle is calling.*With Cy D. Fect/);
  assert.deepEqual(played, ['ring']);
  assert.equal(document.title, 'Ben Bitdiddle is calling');
  await wait(80);
  assert.equal(document.getElementById('assertive').textContent, 'Ben Bitdiddle is calling');
  assert.equal(document.activeElement.localName, 'h2', 'who is typing answers nothing by mistake');
  good();
  lines[0].emit('incoming', incoming);
  assert.equal(document.querySelectorAll('dialog').length, 1, 'told again after a reconnect');
  await press('Accept without video');
  assert.deepEqual(played.slice(0, 2), ['ring', 'end ring']);
  assert.equal(location.hash, `#/call/${id(60)}`);
  assert.equal(calls[0].joined, 1);
  assert.deepEqual(devices.running(), ['audio']);
  assert.equal(document.querySelector('dialog'), null);
});

test('who takes a call and is not heard is told so', async () => {
  await open();
  devices.refuse = 'NotAllowedError';
  lines[0].emit('incoming', incoming);
  await press('Accept with video');
  assert.equal(calls[0].joined, 1);
  assert.match(toasts(), /does not let this page use your microphone/);
});

test('a page without https joins without devices, and says what is missing', async () => {
  await open({ media: null });
  lines[0].emit('incoming', incoming);
  await press('Accept with video');
  assert.equal(calls[0].joined, 1);
  assert.match(toasts(), /only to pages that come by https/);
});

test('declining tells the server, and so does Escape', async () => {
  await open();
  lines[0].emit('incoming', incoming);
  await press('Decline');
  assert.deepEqual(api.asked('leaveCall'), [[id(60)]]);
  lines[0].emit('incoming', { ...incoming, callId: id(61) });
  document.querySelector('dialog').close();
  await settle();
  assert.deepEqual(api.asked('leaveCall').at(-1), [id(61)]);
  assert.deepEqual(played, ['ring', 'end ring', 'ring', 'end ring']);
});

test('a call is shown by the system only where that was wished for and nobody looks', async () => {
  notifier.answer = 'denied';
  await open({ hash: '#/settings' });
  input('Show calls while I am elsewhere').click();
  await settle();
  assert.equal(input('Show calls while I am elsewhere').checked, false);
  assert.match(toasts(), /does not let this page show notifications/);
  notifier.answer = 'granted';
  input('Show calls while I am elsewhere').click();
  await settle();
  assert.equal(app.store.get().preferences.notify, true);
  lines[0].emit('incoming', incoming);
  assert.deepEqual(notifier.shown, [], 'somebody looks');
  await press('Decline');
  document.hidden = true;
  lines[0].emit('incoming', { ...incoming, callId: id(61) });
  assert.deepEqual(notifier.shown, ['Ben Bitdiddle is calling']);
  await press('Decline');
  assert.equal(notifier.shown.length, 2, 'it goes with the ring');
});

test('windows of one login ring together and stop together', async () => {
  await open();
  lines[0].emit('incoming', incoming);
  windows.dispatchEvent(Object.assign(new Event('message'), { data: { decided: id(60) } }));
  await settle();
  assert.equal(document.querySelector('dialog'), null);
  assert.deepEqual([api.asked('leaveCall'), calls.length], [[], 0], 'what the other window decided is its own to do');
  lines[0].emit('incoming', { ...incoming, callId: id(61) });
  await press('Decline');
  assert.deepEqual(windows.sent, [{ decided: id(61) }]);
});

test('a call that stops ringing goes, and the next one shows', async () => {
  await open();
  lines[0].emit('incoming', incoming);
  lines[0].emit('incoming', { ...incoming, callId: id(61), callerId: id(3), participants: [id(3), id(1)], type: 'audio' });
  lines[0].emit('ringing-stopped', { callId: id(60), reason: 'answered_elsewhere' });
  await settle();
  assert.match(toasts(), /on another device/);
  assert.match(document.querySelector('dialog').textContent, /Cy D. Fect is calling/);
  assert.deepEqual(api.asked('leaveCall'), [], 'nothing was declined');
  good();
});

// The call

async function inCall(more = {}) {
  await open();
  lines[0].emit('incoming', { ...incoming, participants: [id(2), id(1)] });
  await press('Accept with video');
  const [call] = calls;
  call.become(callState({
    userId: id(1), hostId: id(1), participants: [participant(id(2)), participant(id(3), { hand: true })],
    tracks: [track('v2', id(2), 'camera'), track('a2', id(2), 'microphone')], own: { camera: true }, ...more,
  }));
  await settle();
  return call;
}

test('a call has a tile for each, sound for each, and names for everything', async () => {
  const call = await inCall();
  good();
  assert.equal(heading(), 'Call with Ben Bitdiddle and Cy D. Fect');
  assert.deepEqual(document.querySelectorAll('audio').map((/** @type {any} */ one) => one.mid), ['a2']);
  assert.match(shown(), /Cy D. Fect, hand raised/);
  assert.ok(call.options.kind === 'video' && call.options.encryption === undefined);
});

test('the controls do what they say, and what is done is spoken', async () => {
  const call = await inCall();
  await press('Mute');
  assert.deepEqual(call.asked('setMuted').at(-1), [true]);
  await press('Raise hand');
  assert.deepEqual(call.asked('setHand'), [[true]]);
  await press('Hold');
  assert.deepEqual(call.asked('setHold'), [[true]]);
  await press('Stop video');
  assert.equal(call.asked('setCamera').at(-1)[0], null);
  assert.deepEqual(devices.running(), ['audio']);
  await press('Share screen');
  assert.ok(call.asked('setScreen').at(-1)[0] !== null);
  assert.equal(button('Speaker').getAttribute('aria-pressed'), null);
  await press('Speaker');
  assert.equal(app.store.get().preferences.layout, 'speaker');
  await press('Leave');
  assert.equal(location.hash, '#/people');
  assert.equal(app.lastCall, null, 'a link to it asks again');
  assert.deepEqual(devices.running(), []);
  good();
});

test('keys do the same, but not while somebody types or a dialog is open', async () => {
  const call = await inCall();
  const key = (/** @type {object} */ event) => document.dispatchEvent(Object.assign(new Event('keydown', { bubbles: true, cancelable: true }), event));
  key({ key: 'h' });
  assert.equal(call.asked('setHand').length, 1);
  key({ key: '?', shiftKey: true });
  assert.equal(document.querySelectorAll('dialog').length, 1);
  good();
  key({ key: 'h' });
  assert.equal(call.asked('setHand').length, 1);
  document.querySelector('dialog').close();
  app.setPreferences({ shortcuts: false });
  key({ key: 'h' });
  assert.equal(call.asked('setHand').length, 1);
});

test('who is asked whether they may be recorded answers, and takes it back', async () => {
  const call = await inCall();
  const recording = (/** @type {string} */ consent) => Object.freeze({
    id: 'r1', state: 'recording', on: true, policy: 'ask', startedBy: id(2),
    people: [{ userId: id(1), consent }, { userId: id(2), consent: 'agreed' }],
  });
  call.change({ recording: recording('asked') });
  const dialog = () => document.querySelector('dialog');
  assert.match(dialog().textContent, /Ben Bitdiddle wants to record/);
  good();
  dialog().close();
  assert.deepEqual(call.asked('answerRecording'), [], 'closing it is no answer');
  assert.match(shown(), /Being recorded, without you/);
  call.change({ speaker: id(2) });
  assert.equal(dialog(), null, 'it comes by itself once');
  await press('Answer');
  await press('I agree');
  assert.deepEqual(call.asked('answerRecording'), [[true]]);
  call.change({ recording: recording('agreed') });
  assert.match(shown(), /You are being recorded/);
  await press('People');
  good();
  await press('Do not record me any more');
  await press('Cancel');
  assert.equal(call.asked('answerRecording').length, 1);
  await press('Do not record me any more');
  dialog().querySelectorAll('button')[1].click();
  await settle();
  assert.deepEqual(call.asked('answerRecording'), [[true], [false]]);
  await press('End the recording');
  dialog().querySelectorAll('button')[1].click();
  await settle();
  call.change({ recording: null });
  assert.doesNotMatch(shown(), /being recorded/i);
  await press('Record the call');
  assert.deepEqual(call.asked('setRecording'), [[false], [true]]);
});

test('the host mutes, removes after a question, locks, ends for all', async () => {
  const call = await inCall();
  await press('People');
  assert.equal(document.activeElement.textContent, 'People in the call');
  good();
  await press('Mute Ben Bitdiddle');
  assert.deepEqual(call.asked('muteParticipant'), [[id(2)]]);
  await press('Remove Ben Bitdiddle');
  assert.match(document.querySelector('dialog').textContent, /Remove Ben Bitdiddle from the call\?/);
  good();
  await press('Cancel');
  assert.deepEqual(call.asked('removeParticipant'), []);
  await press('Remove Ben Bitdiddle');
  await press('Remove');
  assert.deepEqual(call.asked('removeParticipant'), [[id(2)]]);
  input('Lock the call').click();
  assert.deepEqual(call.asked('setLocked'), [[true]]);
  call.change({ locked: true });
  assert.match(shown(), /Locked/);
  await press('End for everybody');
  document.querySelector('dialog').querySelectorAll('button')[1].click();
  await settle();
  assert.deepEqual(call.asked('endForAll'), [[]]);
});

test('the host calls again who did not come', async () => {
  const call = await inCall({ participants: [participant(id(2)), participant(id(3), { state: 'declined', audio: false })] });
  await press('People');
  await press('Call Cy D. Fect again');
  assert.deepEqual(call.asked('invite'), [[[id(3)]]]);
  assert.match(shown(), /People in the call2 people/);
  good();
});

test('the host of a group calls somebody to it', async () => {
  const call = await inCall({ participants: [participant(id(2)), participant(id(4))] });
  await press('People');
  good();
  input('Call somebody to this call').value = 'cy';
  input('Call somebody to this call').dispatchEvent(new Event('input', { bubbles: true }));
  await wait(300);
  assert.deepEqual(api.asked('users').at(-1)[0], { search: 'cy', size: 12 });
  good();
  await press('Call Cy D. Fect');
  assert.deepEqual(call.asked('invite'), [[[id(3)]]]);
  call.change({ participants: [...call.state.participants, participant(id(3), { state: 'ringing' })] });
  assert.equal(document.querySelectorAll('button').filter((/** @type {any} */ one) => nameOf(one, document) === 'Call Cy D. Fect').length, 0);
  call.change({ participants: [participant(id(2))] });
  assert.ok(isHidden(input('Call somebody to this call')), 'a call of two stays one');
});

test('who is not the host has none of that', async () => {
  await inCall({ hostId: id(2) });
  await press('People');
  assert.equal(document.querySelectorAll('button').filter((/** @type {any} */ one) => !isHidden(one) && /^(Mute|Remove) /.test(nameOf(one, document))).length, 0);
  assert.ok(isHidden(input('Lock the call')));
});

test('details come from a tile, and the focus goes back to it', async () => {
  const call = await inCall();
  call.emit('stats', { at: 0, rttMs: 12, available: null, path: 'host', transport: 'udp', tracks: [trackStats({ mid: 'v2', userId: id(2), codec: 'VP8', loss: 0.09 })] });
  const tool = button('Connection of Ben Bitdiddle: poor');
  tool.focus();
  tool.click();
  await settle();
  assert.match(shown(), /Connection of Ben Bitdiddle.*CodecVP8/);
  good();
  await press('Close');
  assert.equal(document.activeElement, tool);
});

test('a pinned tile is asked for first', async () => {
  const call = await inCall();
  const before = call.asked('setTiles').length;
  await press('Pin Ben Bitdiddle');
  const [tiles] = call.asked('setTiles').at(-1);
  assert.ok(call.asked('setTiles').length > before);
  assert.deepEqual(tiles.map((/** @type {any} */ one) => [one.mid, one.pinned]), [['v2', true]]);
  await press('Unpin Ben Bitdiddle');
});

test('a lost connection shows a banner and keeps the call', async () => {
  const call = await inCall();
  call.change({ phase: 'reconnecting', reconnect: { attempt: 1, at: Date.parse('2026-03-05T10:00:03Z') } });
  assert.match(shown(), /Next try in 3 seconds; you are still in the call/);
  assert.equal(document.querySelectorAll('[role="alert"]').length, 0, 'a countdown is not to be read aloud each second');
  assert.equal(heading(), 'Call with Ben Bitdiddle and Cy D. Fect');
  good();
  call.change({ phase: 'joined', reconnect: null });
  assert.doesNotMatch(shown(), /The connection is lost/);
});

test('a browser that holds back sound gets a click', async () => {
  const call = await inCall();
  call.change({ playBlocked: true });
  await press('Play sound');
  assert.equal(call.asked('resumePlayback').length, 1);
});

test('being muted by the host is told, and can be ended', async () => {
  const call = await inCall();
  call.change({ own: { ...call.state.own, muted: true, mutedByHost: true } });
  call.emit('notice', { kind: 'muted-by-host', userId: null });
  assert.match(toasts(), /The host has muted you/);
  good();
  const [first] = document.querySelectorAll('button').filter((/** @type {any} */ one) => nameOf(one, document) === 'Unmute');
  first.click();
  await settle();
  assert.deepEqual(call.asked('setMuted').at(-1), [false]);
});

test('a step back in the history is no wish to hang up', async () => {
  const call = await inCall();
  location.hash = '#/people';
  await settle();
  assert.equal(location.hash, `#/call/${id(60)}`);
  assert.match(toasts(), /You are in a call/);
  assert.equal(call.left, 0);
});

test('a reload goes back into the call without asking', async () => {
  tab.setItem('plexichat.call', JSON.stringify({ id: id(60), kind: 'video', audio: false, video: true }));
  await open({ hash: `#/call/${id(60)}` });
  assert.equal(calls[0]?.joined, 1);
  assert.equal(calls[0].asked('setMuted').at(-1)[0], true);
});

test('a link to a call asks before it joins', async () => {
  await open({ hash: `#/call/${id(60)}` });
  assert.equal(calls.length, 0);
  assert.equal(heading(), 'Call with Ben Bitdiddle');
  good();
  await press('Join the call');
  assert.equal(calls[0].joined, 1);
});

test('a ring for the call whose link is open is taken there', async () => {
  await open({ hash: `#/call/${id(60)}` });
  lines[0].emit('incoming', incoming);
  await press('Accept with video');
  assert.equal(calls[0]?.joined, 1);
});

test('an end says why, and offers the way back only where there is one', async () => {
  const call = await inCall();
  call.end('removed');
  await settle();
  assert.match(shown(), /The host has removed you/);
  assert.equal(document.querySelectorAll('button').length - document.getElementById('toasts').querySelectorAll('button').length, 0);
  assert.deepEqual(devices.running(), []);
  good();
  calls.length = 0;
});

test('a connection that was lost for too long can be joined again', async () => {
  const call = await inCall();
  call.end('connection_lost');
  await settle();
  await press('Join again');
  good();
  await press('Join the call');
  assert.equal(calls.length, 2);
});

test('a call that nobody took says so', async () => {
  await open({ hash: `#/ready?with=${id(2)}&kind=audio` });
  await press('Start the call');
  const [call] = calls;
  call.become(callState({ userId: id(1), status: 'ringing' }));
  assert.match(shown(), /Ringing…/);
  call.become(callState({ userId: id(1), status: 'missed', phase: 'ended' }));
  call.end('call_over');
  await settle();
  assert.match(shown(), /Nobody took the call/);
});

test('a headset that is unplugged is told, and another microphone goes on', async () => {
  const call = await inCall();
  const track = app.media.store.get().microphone;
  track.stop();
  track.dispatchEvent(new Event('ended'));
  await settle();
  assert.match(toasts(), /is gone: unplugged/);
  assert.notEqual(app.media.store.get().microphone, track);
  assert.ok(call.asked('setMicrophone').at(-1)[0] !== null);
  const camera = app.media.store.get().camera;
  const asked = devices.asked.length;
  camera.stop();
  camera.dispatchEvent(new Event('ended'));
  await settle();
  assert.equal(app.media.store.get().camera, null, 'another camera is not shown without a wish');
  assert.equal(devices.asked.length, asked);
  assert.equal(call.asked('setCamera').at(-1)[0], null);
});

test('a phone that opens one camera at a time changes from one to the other', async () => {
  const call = await inCall();
  const before = app.media.store.get().camera;
  devices.onlyOne = true;
  assert.equal(await app.media.open({ audio: false, video: true }), true);
  await settle();
  assert.equal(before.isRunning, false);
  assert.ok(app.media.store.get().camera.isRunning);
  assert.ok(call.asked('setCamera').at(-1)[0] !== null);
});

test('a device that is refused in the call is told with what to do', async () => {
  const call = await inCall({ own: { camera: false, microphone: true } });
  app.media.close('camera');
  devices.refuse = 'NotReadableError';
  await press('Start video');
  assert.match(toasts(), /in use by another program/);
  assert.equal(call.left, 0);
});
