// @ts-check
// The parts of the screens that need no document: layout, grades, routes, state, words for numbers.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { constraintsFor, mediaFault, pickDevice, sortDevices } from '../../web/app/devices.js';
import { bitrate, clock, dayAndTime, initials, milliseconds, nameList, percent, picture, spokenDuration } from '../../web/app/format.js';
import { checkForm, codeMethods } from '../../web/app/form-rules.js';
import { aspect, fitGrid, gap, gridBoxes, gridCapacity, narrowestAspect, orderTiles, placeTiles, shownMax, speakerBoxes, tilesInSight } from '../../web/app/layout.js';
import { ballistics, barOf, decibels } from '../../web/app/meter.js';
import { historyLine, presenceText, sortPeople, createDirectory } from '../../web/app/people.js';
import { defaults, preferencesIn, readPreferences } from '../../web/app/preferences.js';
import { gradeOf, steadyGrade } from '../../web/app/quality.js';
import { formatRoute, isPublic, parseRoute, peopleMax } from '../../web/app/router.js';
import { sessionStore } from '../../web/app/session-store.js';
import { actionOf, keysOf, shortcuts, takesLetters } from '../../web/app/shortcuts.js';
import { createSounds, lengthOf, patterns } from '../../web/app/sounds.js';
import { createStore } from '../../web/app/store.js';
import { text } from '../../web/app/text.js';

const id = (/** @type {number} */ number) => `00000000-0000-7000-8000-${String(number).padStart(12, '0')}`;

// Layout

const rooms = [[1920, 1080], [1280, 600], [390, 700], [844, 390], [320, 568], [800, 800]].map(([width, height]) => ({ width, height }));

test('tiles of a grid lie inside the room, have one size, and touch nowhere', () => {
  for (const room of rooms) {
    for (let count = 1; count <= 30; count += 1) {
      const boxes = gridBoxes(count, room);
      assert.equal(boxes.length, count);
      for (const box of boxes) {
        const where = `${count} in ${room.width}×${room.height}: ${JSON.stringify(box)}`;
        assert.ok(box.width > 0 && box.height > 0, where);
        assert.ok(box.x >= 0 && box.y >= 0 && box.x + box.width <= room.width && box.y + box.height <= room.height, where);
        const form = box.width / box.height;
        assert.ok(form <= aspect + 0.05 && form >= narrowestAspect(room) - 0.05, where);
        assert.deepEqual([box.width, box.height], [boxes[0].width, boxes[0].height]);
      }
      for (const [index, a] of boxes.entries()) {
        for (const b of boxes.slice(index + 1)) {
          const apart = a.x + a.width + gap - 1 <= b.x || b.x + b.width + gap - 1 <= a.x || a.y + a.height + gap - 1 <= b.y || b.y + b.height + gap - 1 <= a.y;
          assert.ok(apart, `${count}: ${JSON.stringify([a, b])}`);
        }
      }
    }
  }
});

test('no other number of columns gives larger tiles', () => {
  for (const room of rooms) {
    for (let count = 1; count <= 25; count += 1) {
      const best = fitGrid(count, room);
      for (let columns = 1; columns <= count; columns += 1) {
        const rows = Math.ceil(count / columns);
        const width = (room.width - gap * (columns - 1)) / columns;
        const height = (room.height - gap * (rows - 1)) / rows;
        const form = Math.min(aspect, Math.max(narrowestAspect(room), width / height));
        const area = width / height > form ? height * form * height : width * width / form;
        // What is rounded to whole pixels costs a little.
        assert.ok(best.width * best.height >= area * 0.97 - 300, `${count} in ${room.width}×${room.height}: ${columns} columns`);
      }
    }
  }
});

test('two people on a wide screen stand beside each other, on a phone one above the other', () => {
  assert.deepEqual([fitGrid(2, rooms[0]).columns, fitGrid(2, rooms[2]).columns], [2, 1]);
});

test('a last row that is not full stands in the middle', () => {
  const room = { width: 1600, height: 900 };
  const boxes = gridBoxes(3, room);
  const last = boxes[2];
  assert.equal(Math.round(last.x + last.width / 2), room.width / 2);
});

test('the speaker is larger than everybody else, and the strip stays inside', () => {
  for (const room of rooms) {
    for (let count = 2; count <= 20; count += 1) {
      const boxes = speakerBoxes(count, room);
      assert.ok(boxes.length >= 2 && boxes.length <= count);
      for (const box of boxes) {
        assert.ok(box.x >= 0 && box.x + box.width <= room.width + 1, JSON.stringify([room, box]));
        assert.ok(box.y >= -1 && box.y + box.height <= room.height + 1, JSON.stringify([room, box]));
      }
      for (const box of boxes.slice(1)) assert.ok(box.width * box.height < boxes[0].width * boxes[0].height);
    }
  }
});

test('who does not fit is counted, and nobody is lost', () => {
  const room = { width: 390, height: 500 };
  for (const layout of /** @type {const} */ (['grid', 'speaker'])) {
    for (let count = 0; count <= 120; count += 1) {
      const { boxes, hidden } = placeTiles(count, room, layout);
      assert.equal(boxes.length + hidden, count);
    }
  }
  assert.ok(placeTiles(120, room, 'grid').boxes.length <= gridCapacity(room));
  assert.ok(placeTiles(120, room, 'grid').hidden > 0);
});

test('a large screen does not show more pictures than a computer decodes', () => {
  assert.equal(placeTiles(120, { width: 3840, height: 2160 }, 'grid').boxes.length, shownMax);
});

test('who speaks is in sight, in the place of the last, also where not all fit', () => {
  const tiles = ['a', 'b', 'c', 'd'].map((key) => tile(key));
  assert.equal(keys(tilesInSight(tiles, 2, 'd')), 'a d');
  assert.equal(keys(tilesInSight(tiles, 2, 'a')), 'a b');
  assert.equal(keys(tilesInSight(tiles, 4, 'd')), 'a b c d');
  assert.equal(keys(tilesInSight(tiles, 2, null)), 'a b');
  assert.equal(keys(tilesInSight(tiles, 0, 'a')), '');
});

test('a room of no size makes no trouble: the page is not laid out yet', () => {
  for (const layout of /** @type {const} */ (['grid', 'speaker'])) {
    for (const box of placeTiles(5, { width: 0, height: 0 }, layout).boxes) {
      assert.ok(Object.values(box).every(Number.isFinite), JSON.stringify(box));
    }
  }
});

const tile = (/** @type {string} */ key, /** @type {object} */ more = {}) =>
  ({ key, isPinned: false, isScreen: false, isSelf: false, isSpeaking: false, ...more });
const keys = (/** @type {{ key: string }[]} */ tiles) => tiles.map((one) => one.key).join(' ');

test('pinned before screens before speakers before the rest, oneself last', () => {
  const tiles = [tile('me', { isSelf: true }), tile('a'), tile('b', { isSpeaking: true }), tile('b/screen', { isScreen: true }), tile('c', { isPinned: true })];
  assert.equal(keys(orderTiles(tiles, 'speaker', 'b')), 'c b/screen b a me');
});

test('in a grid nobody moves when somebody speaks', () => {
  const tiles = [tile('me', { isSelf: true }), tile('a'), tile('b'), tile('c')];
  assert.equal(keys(orderTiles(tiles, 'grid', 'c')), keys(orderTiles(tiles, 'grid', 'a')));
});

test('one\'s own screen does not push the others away', () => {
  const tiles = [tile('me', { isSelf: true }), tile('me/screen', { isSelf: true, isScreen: true }), tile('a')];
  assert.equal(keys(orderTiles(tiles, 'speaker', null)), 'a me me/screen');
});

// Quality

test('grades follow the bounds of calls.md', () => {
  const grade = (/** @type {object} */ measured) => gradeOf(measured).grade;
  assert.equal(grade({ loss: 0, rtt: 149 }), 'good');
  assert.equal(grade({ loss: 0.01, rtt: 20 }), 'fair');
  assert.equal(grade({ loss: 0, rtt: 299 }), 'fair');
  assert.equal(grade({ loss: 0.079, rtt: 499 }), 'fair');
  assert.equal(grade({ loss: 0.08, rtt: 10 }), 'poor');
  assert.equal(grade({ loss: 0, rtt: 500 }), 'poor');
  assert.equal(grade({ loss: 0, rtt: 10, jitter: 51 }), 'fair');
  assert.equal(grade({ connected: false, loss: 0, rtt: 1 }), 'lost');
});

test('what was not measured has no grade, and nonsense is not measured', () => {
  for (const measured of [null, undefined, {}, { loss: null, rtt: null }, { loss: NaN }, { rtt: -1 }]) {
    assert.deepEqual(gradeOf(/** @type {any} */ (measured)), { grade: 'unknown', bars: 0 });
  }
});

test('a grade falls at once and rises after three good measurements', () => {
  const next = steadyGrade();
  assert.equal(next({ loss: 0, rtt: 20 }).bars, 4);
  assert.equal(next({ loss: 0.2, rtt: 20 }).bars, 1);
  assert.deepEqual([1, 2, 3].map(() => next({ loss: 0, rtt: 20 }).bars), [1, 1, 4]);
  next({ loss: 0.2 });
  next({ loss: 0 });
  next({ loss: 0.2 });
  assert.deepEqual([1, 2, 3].map(() => next({ loss: 0, rtt: 20 }).bars), [1, 1, 4], 'a relapse begins the count anew');
});

// Routes

test('every route is read back as it was written', () => {
  /** @type {import('../../web/app/router.js').Route[]} */
  const routes = [
    { name: 'login' }, { name: 'login', then: `/call/${id(1)}?key=${'k'.repeat(43)}` }, { name: 'register' },
    { name: 'forgot' }, { name: 'reset', token: `plp_${'a-_Z'.repeat(11)}` }, { name: 'people' }, { name: 'history' }, { name: 'settings' }, { name: 'ready', people: [id(1), id(2)], kind: 'audio' },
    { name: 'call', id: id(3) }, { name: 'call', id: id(3), key: 'A-_z'.repeat(10) },
  ];
  for (const route of routes) assert.deepEqual(parseRoute(formatRoute(route)), route);
});

test('links that are broken lead nowhere, and never into a call without its key', () => {
  for (const hash of ['#/nothing', '#/call', '#/call/1', `#/call/${id(1)}?key=`, `#/call/${id(1)}?key=short`, `#/call/${id(1)}?key=${'%20'.repeat(20)}`, `#/call/${id(1)}/more`, '#/ready', '#/ready?with=x', '#/ready?with=', `#/ready?with=${Array.from({ length: peopleMax + 1 }, (_, n) => id(n)).join(',')}`, '#/people/1', '#main', '#/reset', '#/reset?token=', '#/reset?token=%3Cscript%3Ealert%3C/script%3E', '#/reset?token=short']) {
    assert.deepEqual(parseRoute(hash), { name: 'missing' }, hash);
  }
  assert.deepEqual(parseRoute(''), { name: 'people' });
  assert.deepEqual(parseRoute('#/'), { name: 'people' });
});

test('a login leads on to places of this page only', () => {
  assert.deepEqual(parseRoute('#/login?then=https://evil.example'), { name: 'login' });
  assert.deepEqual(parseRoute('#/login?then=/history'), { name: 'login', then: '/history' });
  assert.ok(isPublic({ name: 'login' }) && isPublic({ name: 'register' }) && !isPublic({ name: 'people' }));
});

// The store

test('watchers hear of what they select, once, and of nothing else', () => {
  const store = createStore({ a: 1, b: 1 });
  /** @type {unknown[]} */
  const heard = [];
  const end = store.watch((state) => state.a, (value, before) => heard.push([value, before]));
  store.set({ b: 2 });
  store.set({ a: 1 });
  store.set(({ a }) => ({ a: a + 1 }));
  end();
  store.set({ a: 9 });
  assert.deepEqual(heard, [[1, undefined], [2, 1]]);
});

test('a watcher that sets the state tells nobody an old value last', () => {
  const store = createStore({ a: 0, b: 0 });
  store.watch((state) => state.a, (a) => store.set({ b: a * 10 }));
  /** @type {number[]} */
  const heard = [];
  store.watch((state) => state.b, (b) => heard.push(b));
  store.set({ a: 1 });
  store.set({ a: 2 });
  assert.deepEqual(heard, [0, 10, 20]);
});

test('states are not changed in place', () => {
  const store = createStore({ a: 1 });
  assert.throws(() => { /** @type {any} */ (store.get()).a = 2; });
});

// Preferences

test('preferences of another version or of somebody else are sorted out', () => {
  assert.deepEqual(readPreferences(null), defaults);
  assert.deepEqual(readPreferences('x'), defaults);
  const read = readPreferences({ theme: 'purple', layout: 'speaker', ring: 'yes', camera: 'x'.repeat(300), microphone: 'm', other: 1, startsMuted: true });
  assert.deepEqual(read, { ...defaults, layout: 'speaker', microphone: 'm', startsMuted: true });
});

test('a storage that refuses costs nothing but the memory', () => {
  const broken = preferencesIn({ getItem() { throw new Error('no'); }, setItem() { throw new Error('full'); } });
  assert.deepEqual(broken.load(), defaults);
  broken.save({ ...defaults, theme: 'dark' });
  assert.deepEqual(preferencesIn({ getItem: () => '{', setItem() {} }).load(), defaults);
  assert.deepEqual(preferencesIn(null).load(), defaults);
});

test('preferences come back', () => {
  let kept = /** @type {string | null} */ (null);
  const one = preferencesIn({ getItem: () => kept, setItem: (_, value) => { kept = value; } });
  one.save({ ...defaults, theme: 'dark', mirror: false });
  assert.deepEqual(one.load(), { ...defaults, theme: 'dark', mirror: false });
});

// Sessions

const storage = () => {
  const map = new Map();
  return /** @type {any} */ ({ getItem: (/** @type {string} */ key) => map.get(key) ?? null, setItem: (/** @type {string} */ key, /** @type {string} */ value) => map.set(key, value), removeItem: (/** @type {string} */ key) => map.delete(key), map });
};
const session = (/** @type {string} */ token) => ({ userId: id(1), accessToken: token, refreshToken: 'r', expiresAt: 1 });

test('a login stays in its window unless it is to be remembered, and a renewal stays where it was', () => {
  const tab = storage();
  const local = storage();
  const store = sessionStore(tab, local);
  store.save(session('a'));
  assert.deepEqual([tab.map.size, local.map.size], [1, 0]);
  store.save(null);
  store.remember(true);
  store.save(session('b'));
  assert.deepEqual([tab.map.size, local.map.size], [0, 1]);
  const other = sessionStore(storage(), local);
  other.save(session('c'));
  assert.equal(store.load()?.accessToken, 'c', 'the other window renewed what this one has');
  store.save(null);
  assert.deepEqual([tab.map.size, local.map.size], [0, 0]);
});

test('without any storage a session lasts as long as the page', () => {
  const store = sessionStore(null, null);
  store.save(session('a'));
  assert.equal(store.load()?.accessToken, 'a');
  store.save(null);
  assert.equal(store.load(), null);
});

// Keys

test('single keys act in a call, and never while somebody types or holds another key', () => {
  const free = { isTyping: false, isOn: true };
  assert.equal(actionOf({ key: 'm' }, free), 'mute');
  assert.equal(actionOf({ key: 'M' }, free), 'mute');
  assert.equal(actionOf({ key: 'M', shiftKey: true }, free), null);
  assert.equal(actionOf({ key: 'Q', shiftKey: true }, free), 'leave');
  assert.equal(actionOf({ key: 'q' }, free), null, 'nobody hangs up by one slip');
  assert.equal(actionOf({ key: '?', shiftKey: true }, free), 'help');
  for (const held of [{ ctrlKey: true }, { altKey: true }, { metaKey: true }, { repeat: true }, { isComposing: true }]) {
    assert.equal(actionOf({ key: 'm', ...held }, free), null);
  }
  assert.equal(actionOf({ key: 'm' }, { isTyping: true, isOn: true }), null);
  assert.equal(actionOf({ key: 'm' }, { isTyping: false, isOn: false }), null);
});

test('every key does one thing', () => {
  assert.equal(new Set(shortcuts.map((one) => one.key)).size, shortcuts.length);
  assert.deepEqual(keysOf(/** @type {any} */ (shortcuts.find((one) => one.action === 'leave'))), ['Shift', 'Q']);
});

test('fields take letters, switches do not', () => {
  assert.ok(takesLetters({ tagName: 'INPUT', type: 'text' }));
  assert.ok(takesLetters({ tagName: 'SELECT' }));
  assert.ok(takesLetters({ tagName: 'DIV', isContentEditable: true }));
  assert.ok(!takesLetters({ tagName: 'INPUT', type: 'checkbox' }));
  assert.ok(!takesLetters({ tagName: 'BUTTON' }));
  assert.ok(!takesLetters(null));
});

// Words

test('times of a call', () => {
  assert.deepEqual([0, 7.9, 754, 3723, -3].map(clock), ['0:00', '0:07', '12:34', '1:02:03', '0:00']);
  assert.equal(spokenDuration(3723), 'one hour 2 minutes 3 seconds');
  assert.equal(spokenDuration(0), '0 seconds');
});

test('days as one speaks of them', () => {
  const now = new Date('2026-03-05T10:00:00Z');
  assert.equal(dayAndTime('2026-03-05T09:05:00Z', now, 'UTC'), 'Today, 09:05');
  assert.equal(dayAndTime('2026-03-04T23:59:00Z', now, 'UTC'), 'Yesterday, 23:59');
  assert.match(dayAndTime('2026-03-01T18:00:00Z', now, 'UTC'), /^Sun.*1 ?.*March|March 1.*18:00$/);
  assert.match(dayAndTime('2025-03-01T18:00:00Z', now, 'UTC'), /2025/);
  assert.equal(dayAndTime('never', now, 'UTC'), '');
});

test('figures, and a dash for what was not measured', () => {
  assert.deepEqual([bitrate(640_000), bitrate(2_440_000), bitrate(null)], ['640 kbit/s', '2.4 Mbit/s', '–']);
  assert.deepEqual([percent(0), percent(0.0123), percent(0.25), percent(undefined)], ['0 %', '1.2 %', '25 %', '–']);
  assert.deepEqual([milliseconds(12.6), milliseconds(NaN)], ['13 ms', '–']);
  assert.deepEqual([picture(1280, 720, 29.8), picture(1280, 720, null), picture(null, 720, 30), picture(0, 0, 0)], ['1280 × 720, 30/s', '1280 × 720', '–', '–']);
});

test('names', () => {
  assert.deepEqual(['Ada Lovelace', 'ben', '  ', 'Ännchen von Tharau', '😀 x'].map(initials), ['AL', 'B', '?', 'ÄT', '😀X']);
  assert.deepEqual([[], ['Ada'], ['Ada', 'Ben'], ['Ada', 'Ben', 'Cy'], ['Ada', 'Ben', 'Cy', 'Di']].map((names) => nameList(names)),
    ['nobody', 'Ada', 'Ada and Ben', 'Ada, Ben and Cy', 'Ada, Ben and 2 others']);
});

test('words follow the number', () => {
  assert.equal(text('people.found', { count: 1 }), 'One person.');
  assert.equal(text('people.found', { count: 0 }), '0 people.');
  assert.equal(text('incoming.title', { name: '{count} <b>$&</b>' }), '{count} <b>$&</b> is calling', 'a name is never a template');
});

// Devices

test('devices without ids and doubles are no choice', () => {
  const info = (/** @type {MediaDeviceKind} */ kind, /** @type {string} */ deviceId, label = '') => ({ kind, deviceId, label });
  const found = sortDevices([
    info('audioinput', 'default', 'Default'), info('audioinput', 'communications'), info('audioinput', 'a', 'Desk'), info('audioinput', 'a', 'Desk'),
    info('audioinput', 'b'), info('videoinput', ''), info('audiooutput', 'o', 'Loud'),
  ]);
  assert.deepEqual(found, { microphones: [{ id: 'a', label: 'Desk' }, { id: 'b', label: 'Microphone 2' }], cameras: [], speakers: [{ id: 'o', label: 'Loud' }] });
  assert.equal(pickDevice(found.microphones, 'b'), 'b');
  assert.equal(pickDevice(found.microphones, 'unplugged'), '');
});

test('what is not wanted is not asked for', () => {
  const wish = constraintsFor({ audio: true, video: false, microphone: 'a', camera: 'c' });
  assert.equal(wish.video, false);
  assert.deepEqual(/** @type {any} */ (wish.audio).deviceId, { ideal: 'a' });
  assert.equal(/** @type {any} */ (constraintsFor({ audio: false, video: true, microphone: '', camera: '' }).video).deviceId, undefined);
});

test('each refusal of the browser has its advice', () => {
  const named = (/** @type {string} */ name) => mediaFault(Object.assign(new Error(), { name }));
  assert.deepEqual(['NotAllowedError', 'NotFoundError', 'OverconstrainedError', 'NotReadableError', 'AbortError', 'TypeError'].map(named),
    ['media.denied', 'media.none', 'media.none', 'media.busy', 'media.busy', 'media.failed']);
  assert.equal(mediaFault(null), 'media.failed');
});

// The meter, the ring

test('silence is nothing, full scale is everything', () => {
  assert.equal(decibels([0, 0]), -Infinity);
  assert.equal(decibels([]), -Infinity);
  assert.equal(Math.round(decibels([1, -1])), 0);
  assert.deepEqual([barOf(-Infinity), barOf(-60), barOf(-30), barOf(3)], [0, 0, 0.5, 1]);
});

test('the meter rises at once and falls slowly', () => {
  const next = ballistics(1);
  assert.equal(next(0.8, 0), 0.8);
  assert.ok(Math.abs(next(0, 500) - 0.3) < 1e-9);
  assert.equal(next(0, 5000), 0);
  assert.equal(next(0.5, 4000), 0.5, 'a clock that goes back does no harm');
});

test('a pattern ends before it begins again, and is never loud', () => {
  for (const pattern of Object.values(patterns)) {
    if (pattern.period !== null) assert.ok(lengthOf(pattern) < pattern.period);
    for (const note of pattern.notes) assert.ok(note.gain > 0 && note.gain <= 0.2 && note.hertz > 100 && note.hertz < 4000 && note.for > 0.1);
  }
});

test('a ring stops when it is told to', () => {
  let sounding = 0;
  const param = () => ({ value: 0, setValueAtTime() {}, linearRampToValueAtTime() {}, setTargetAtTime() {} });
  const context = /** @type {any} */ ({
    currentTime: 0, destination: {}, resume: () => Promise.resolve(),
    createGain: () => ({ gain: param(), connect() {} }),
    createOscillator: () => {
      let stopsAt = Infinity;
      return { frequency: param(), connect: (/** @type {any} */ to) => to, start() { sounding += 1; }, stop(when = 0) { if (when === 0 && stopsAt !== 0) sounding -= 1; stopsAt = when; } };
    },
  });
  const end = createSounds(() => context).play('ring');
  assert.equal(sounding, patterns.ring.notes.length);
  end();
  assert.equal(sounding, 0);
  assert.doesNotThrow(createSounds(() => null).play('ring'));
});

// Forms, people

test('a form says what is missing before the server is asked', () => {
  const rules = { name: { isRequired: true }, mail: { isRequired: true, isEmail: true }, word: { isRequired: true, minimum: 8 } };
  assert.deepEqual(checkForm({ name: 'a', mail: 'a@b.example', word: 'längerer Satz' }, rules), {});
  const faults = checkForm({ name: ' ', mail: 'a@', word: '😀😀😀' }, rules);
  assert.deepEqual(Object.keys(faults), ['name', 'mail', 'word']);
  assert.equal(faults.word, text('form.tooShort', { count: 8 }));
  assert.deepEqual(checkForm({ mail: 'a@localhost' }, { mail: { isEmail: true } }), {});
});

test('methods that are a code, the easiest first', () => {
  assert.deepEqual(codeMethods(['recovery_code', 'webauthn', 'sms', 'totp', 'tomorrow']), ['totp', 'sms', 'recovery_code']);
});

const user = (/** @type {number} */ number, /** @type {string} */ displayName) =>
  /** @type {any} */ ({ id: id(number), username: `u${number}`, displayName, avatarUrl: null, email: null, roles: [], createdAt: null });

test('who can be reached stands first, oneself nowhere', () => {
  const users = [user(1, 'Zoe'), user(2, 'ada'), user(3, 'Ben'), user(4, 'Me'), user(5, 'Cy')];
  const presences = new Map([[id(1), 'online'], [id(3), 'busy'], [id(5), 'tomorrow']].map(([who, status]) => [who, { userId: who, status, lastSeen: null }]));
  assert.deepEqual(sortPeople(users, presences, id(4)).map((one) => one.displayName), ['Zoe', 'Ben', 'ada', 'Cy']);
});

test('presence in words', () => {
  const now = new Date('2026-03-05T10:00:00Z');
  assert.equal(presenceText(undefined, now), 'Offline');
  assert.equal(presenceText({ userId: '', status: 'in-call', lastSeen: null }, now), 'In a call');
  assert.match(presenceText({ userId: '', status: 'offline', lastSeen: '2026-03-05T09:00:00Z' }, now), /^Offline, last seen Today/);
  assert.equal(presenceText({ userId: '', status: 'dancing', lastSeen: null }, now), 'Offline');
});

test('a line of the history tells whose call it was and how it went', () => {
  const log = /** @type {any} */ ({ id: id(9), callerId: id(1), calleeId: id(2), type: 'video', status: 'missed', startedAt: '2026-03-05T09:00:00Z', endedAt: null, duration: null, measured: null });
  const now = new Date('2026-03-05T10:00:00Z');
  const line = (/** @type {object} */ more, self = id(2)) => historyLine({ ...log, ...more }, self, (who) => `name of ${who.slice(-1)}`, now);
  assert.deepEqual([line({}).way, line({}).name, line({}).isMissed, line({}).icon], ['Missed', 'name of 1', true, 'call-missed']);
  assert.deepEqual([line({}, id(1)).way, line({}, id(1)).name, line({}, id(1)).isMissed], ['Not answered', 'name of 2', false]);
  assert.equal(line({ calleeId: null }, id(1)).name, 'Somebody');
  const over = line({ status: 'ended', duration: 65, measured: { quality: 'good' } });
  assert.deepEqual([over.way, over.duration, over.quality], ['Incoming', { shown: '1:05', seconds: 65 }, 'Good quality']);
  assert.equal(line({ status: 'ended', measured: { quality: 'superb' } }).quality, null);
});

test('a name is asked for once, however often it is drawn', async () => {
  let asked = 0;
  let changed = 0;
  const directory = createDirectory({ async user(who) { asked += 1; return { ok: true, value: { ...user(1, 'Ada'), id: who } }; } }, () => { changed += 1; });
  assert.equal(directory.nameOf(id(1)), 'Somebody');
  directory.nameOf(id(1));
  await Promise.resolve();
  await Promise.resolve();
  assert.deepEqual([directory.nameOf(id(1)), asked, changed], ['Ada', 1, 1]);
});
