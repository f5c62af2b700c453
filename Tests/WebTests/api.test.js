// The REST client against answers of all dialects: values, errors as values, renewal, windows that share a session.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import './support/world.js';
import { listen, settle } from './support/world.js';
import { readActiveCalls, readCall, readHistory, readIceServers, readProblem, readUsers } from '../../web/api/answers.js';
import { creationOptions, credentialJSON, fromBase64URL, requestOptions, toBase64URL } from '../../web/api/passkeys.js';
import { memoryStore, userOfToken, webStore } from '../../web/api/session.js';
import { PlexiAPI } from '../../web/plexichat-api.js';

const NOW = 1_800_000_000_000;
const claims = (sub) => `h.${Buffer.from(JSON.stringify({ sub })).toString('base64url')}.s`;
const tokens = (name, lifetime = 1_800) => ({ access_token: name, refresh_token: `refresh ${name}`, token_type: 'bearer', expires_in: lifetime });
const design = (data) => ({ success: true, data, meta: { timestamp: 't', request_id: 'r' } });
const user = { id: 'U1', username: 'alice', display_name: '', email: 'a@example.org', roles: ['user'] };

/** A server of one function; what it was asked is kept. */
function world(answer, options = {}) {
  const asked = [];
  let now = NOW;
  const api = new PlexiAPI({
    base: 'https://chat.example.org/', locks: null, now: () => now, ...options,
    fetch: async (url, request) => {
      asked.push({ path: url.slice('https://chat.example.org'.length), ...request, body: request.body && JSON.parse(request.body) });
      const given = await answer(asked.at(-1), asked.length);
      if (given instanceof Error) throw given;
      const [status, body, headers = {}] = given;
      return { status, text: async () => (typeof body === 'string' ? body : JSON.stringify(body)), headers: { get: (name) => headers[name] ?? null } };
    },
  });
  return { api, asked, later: (milliseconds) => { now += milliseconds; } };
}

/** Signed in with a store. */
function signedIn(answer, lifetime = 1_800_000, options = {}) {
  const store = memoryStore();
  store.save({ userId: 'U1', accessToken: 'A1', refreshToken: 'R1', expiresAt: NOW + lifetime });
  return { ...world(answer, { store, ...options }), store };
}

test('registering signs in', async () => {
  const { api, asked } = world(() => [201, design({ user, ...tokens('A') })]);
  const told = listen(api, 'signed-in');
  const result = await api.register({ username: 'alice', email: 'a@example.org', password: 'p' });
  assert.deepEqual(result, { ok: true, value: { kind: 'signed-in', userId: 'U1' } });
  assert.deepEqual([asked[0].method, asked[0].path], ['POST', '/v1/auth/register']);
  assert.deepEqual(asked[0].body, { username: 'alice', email: 'a@example.org', password: 'p' });
  assert.equal(asked[0].credentials, 'omit');
  assert.equal(asked[0].headers.Authorization, undefined);
  assert.deepEqual([told, api.userId, await api.accessToken()], [[{ userId: 'U1' }], 'U1', 'A']);
});

test('a login is finished by a second factor, while its time lasts', async () => {
  const expires = new Date(NOW + 300_000).toISOString();
  const { api, asked, later } = world(({ path }) => (path === '/api/v1/auth/login'
    ? [401, { error: 'mfa_required', message: 'm', mfa_methods: ['totp'], temp_token: 'T', expires_at: expires }]
    : [200, design({ user, ...tokens('A') })]));
  const { value } = await api.logIn({ username: 'alice', password: 'p', remember: true });
  assert.deepEqual(value, { kind: 'mfa', methods: ['totp'], temporaryToken: 'T', expiresAt: expires });
  assert.equal(asked[0].body.remember_me, true);
  assert.equal(api.userId, null);
  assert.equal((await api.completeMFA(value, 'totp', ' 123456 ')).value.userId, 'U1');
  assert.deepEqual(asked[1].body, { temp_token: 'T', method: 'totp', code: '123456' });
  later(300_001);
  const late = await api.completeMFA(value, 'totp', '123456');
  assert.deepEqual([late.problem.code, asked.length], ['mfa_expired', 2]);
});

test('who is signed in is read from the token where the answer does not say', async () => {
  const { api } = world(() => [200, tokens(claims('U7'))]);
  assert.equal((await api.logIn({ username: 'a', password: 'p' })).value.userId, 'U7');
  for (const bad of ['', 'x', 'a.b.c', `h.${Buffer.from('{}').toString('base64url')}.s`]) assert.equal(userOfToken(bad), null);
  const other = world(() => [200, tokens('no token')]);
  assert.equal((await other.api.logIn({ username: 'a', password: 'p' })).problem.code, 'bad_answer');
});

test('errors of every dialect are one shape', () => {
  const cases = [
    [400, { success: false, error: { code: 'VALIDATION_ERROR', message: 'username too short', details: { field: 'username' } } }, 'validation'],
    [422, { error: { code: 'VALIDATION_ERROR', message: 'm', details: { field: 'password' } } }, 'validation'],
    [401, { error: { code: 'INVALID_CREDENTIALS', message: 'wrong', details: {} } }, 'invalid_credentials'],
    [401, { code: 'invalid_token', detail: 'd', info: {} }, 'signed_out'],
    [401, { detail: 'd', error_code: 'TOKEN_EXPIRED', extra_info: {} }, 'signed_out'],
    [400, { detail: 'd', error_code: 'USER_ALREADY_IN_CALL', extra_info: { call_id: 'C' } }, 'already_in_call'],
    [409, { success: false, error: { code: 'CONFLICT', message: 'taken', details: { field: 'email' } } }, 'taken'],
    [409, { success: false, error: { code: 'CALL_ENDED', message: 'm', details: { status: 'ended' } } }, 'call_over'],
    [403, { success: false, error: { code: 'FORBIDDEN', message: 'm', details: { reason: 'registration_closed' } } }, 'registration_closed'],
    [429, { error: { code: 'RATE_LIMIT_EXCEEDED', message: 'm', details: {}, retry_after: 9 } }, 'rate_limited'],
    [501, { code: 'not_implemented', detail: 'd', info: {} }, 'not_built_yet'],
    [502, '<html>', 'unavailable'], [418, null, 'bad_answer'], [500, [], 'server_error'], [404, { error: 7 }, 'not_found'],
  ];
  for (const [status, body, code] of cases) assert.equal(readProblem(status, body).code, code, JSON.stringify(body));
  assert.equal(readProblem(429, cases[9][1]).retryAfter, 9);
  assert.equal(readProblem(503, {}, '12').retryAfter, 12);
  assert.equal(readProblem(409, cases[6][1]).info.field, 'email');
  assert.equal(readProblem(400, cases[0][1]).text, 'username too short');
});

test('no network, no answer and no JSON are values, too', async () => {
  const gone = signedIn(() => new TypeError('fetch failed'));
  assert.equal((await gone.api.endCall('C')).problem.code, 'network');
  assert.equal(gone.asked.length, 1, 'what changes something is not said twice');
  assert.equal((await gone.api.me()).problem.code, 'network');
  assert.equal(gone.asked.length, 3, 'what changes nothing is');
  const proxy = signedIn(() => [200, '<html>']);
  assert.equal((await proxy.api.me()).problem.code, 'bad_answer');
  const odd = signedIn(() => [200, design([])]);
  assert.equal((await odd.api.me()).problem.code, 'bad_answer');
});

test('a call is begun once, however often the answer is lost', async () => {
  const { api, asked } = signedIn((_, count) => (count === 1 ? new TypeError('reset') : [201, design({
    id: 'C1', caller_id: 'U1', host_id: 'U1', type: 'audio', status: 'initiating', is_locked: false, participants: [{ user_id: 'U2', state: 'ringing' }],
    signaling_token: 'S', signaling_token_expires_at: 'later',
  })]));
  const { value } = await api.startCall({ participants: ['U2'], type: 'audio' });
  assert.deepEqual([value.id, value.ticket.value, value.participants[0].state], ['C1', 'S', 'ringing']);
  assert.equal(asked.length, 2);
  assert.match(asked[0].headers['Idempotency-Key'], /^[0-9a-f-]{36}$/);
  assert.equal(asked[0].headers['Idempotency-Key'], asked[1].headers['Idempotency-Key']);
});

test('a token is renewed a minute before its end, once for all who ask', async () => {
  const { api, asked, later, store } = signedIn(({ path }) => (path === '/v1/auth/refresh' ? [200, design(tokens('A2'))] : [200, design(user)]));
  assert.equal(await api.accessToken(), 'A1');
  later(1_741_000);
  assert.deepEqual(await Promise.all([api.accessToken(), api.accessToken(), api.me().then(({ ok }) => ok)]), ['A2', 'A2', true]);
  assert.deepEqual(asked.map(({ path }) => path), ['/v1/auth/refresh', '/v1/auth/me']);
  assert.deepEqual(asked[0].body, { refresh_token: 'R1' });
  assert.equal(asked[1].headers.Authorization, 'Bearer A2');
  assert.equal(store.load().refreshToken, 'refresh A2');
});

test('a token that ended before its time is renewed, and what was asked is asked again', async () => {
  const { api, asked } = signedIn(({ path, headers }) => {
    if (path === '/v1/auth/refresh') return [200, design(tokens('A2'))];
    return headers.Authorization === 'Bearer A2' ? [200, design(user)] : [401, { success: false, error: { code: 'TOKEN_EXPIRED', message: 'm', details: {} } }];
  });
  assert.equal((await api.me()).value.username, 'alice');
  assert.equal(asked.length, 3);
});

test('a session that the server has ended is over here, and told once', async () => {
  const { api, asked, store } = signedIn(() => [401, { success: false, error: { code: 'INVALID_REFRESH_TOKEN', message: 'm', details: {} } }]);
  const told = listen(api, 'signed-out');
  assert.equal((await api.me()).problem.code, 'signed_out');
  assert.deepEqual([told, store.load(), await api.accessToken()], [[{ reason: 'ended' }], null, null]);
  assert.equal((await api.me()).problem.code, 'signed_out');
  assert.equal(asked.length, 2, 'nothing is asked without a token');
  assert.equal(told.length, 1);
});

test('a login in another window is not ended by the old session\'s end', async () => {
  const { api, store } = signedIn(() => {
    store.save({ userId: 'U2', accessToken: 'B1', refreshToken: 'S1', expiresAt: NOW + 1_800_000 });
    return [401, { success: false, error: { code: 'INVALID_REFRESH_TOKEN', message: 'm', details: {} } }];
  }, 1_000);
  assert.equal(await api.accessToken(), 'B1');
  assert.equal(api.userId, 'U2');
});

test('a server that is away ends no session', async () => {
  const { api, store, later } = signedIn(() => [503, '']);
  later(1_750_000);
  assert.equal(await api.accessToken(), 'A1', 'the old token, while there is no other');
  assert.notEqual(store.load(), null);
  assert.equal((await api.me()).problem.code, 'unavailable');
});

test('windows that share a store renew once: whoever comes second takes what is there', async () => {
  const store = memoryStore();
  store.save({ userId: 'U1', accessToken: 'A1', refreshToken: 'R1', expiresAt: NOW });
  let chain = Promise.resolve();
  const locks = { request: (_, run) => { const done = chain.then(run); chain = done.catch(() => {}); return done; } };
  let renewals = 0;
  const answer = async () => { await settle(); renewals += 1; return [200, design(tokens(`A${renewals + 1}`))]; };
  const windows = [1, 2, 3].map(() => world(answer, { store, locks }).api);
  assert.deepEqual(await Promise.all(windows.map((api) => api.accessToken())), ['A2', 'A2', 'A2']);
  assert.equal(renewals, 1);
});

test('logging out forgets, whether or not the server hears of it', async () => {
  const { api, store } = signedIn(() => new TypeError('offline'));
  const told = listen(api, 'signed-out');
  assert.equal((await api.logOut()).problem.code, 'network');
  assert.deepEqual([store.load(), told], [null, [{ reason: 'left' }]]);
});

test('a store of the browser survives what others put there, and refuses nothing', () => {
  const kept = new Map();
  const storage = { getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => kept.set(key, value), removeItem: (key) => kept.delete(key) };
  const store = webStore(storage, 'k');
  const session = { userId: 'U', accessToken: 'A', refreshToken: 'R', expiresAt: 1 };
  store.save(session);
  assert.deepEqual(store.load(), session);
  for (const bad of ['', '{', 'null', '7', '{"userId":1}', '{"userId":"U","accessToken":"A","refreshToken":"R","expiresAt":null}']) {
    kept.set('k', bad);
    assert.equal(store.load(), null, bad);
  }
  store.save(null);
  assert.equal(kept.size, 0);
  const full = webStore({ ...storage, setItem: () => { throw new Error('QuotaExceededError'); } });
  full.save(session);
});

test('paths and queries carry what they are given as one value', async () => {
  const { api, asked } = signedIn(() => [200, design([])]);
  await api.users({ search: ' a&b ', page: 2, size: 10 });
  await api.user('../me?x');
  await api.call('C/1');
  await api.presence('U 1');
  assert.deepEqual(asked.map(({ path }) => path), [
    '/v1/users?page=2&per_page=10&search=a%26b', '/v1/users/..%2Fme%3Fx', '/v1/calls/C%2F1', '/v1/users/U%201/presence',
  ]);
});

test('lists leave out what is none', () => {
  assert.equal(readUsers({ data: {} }), null);
  assert.deepEqual(readUsers({ data: [null, { id: 'U' }, user] }).users.map(({ displayName }) => displayName), ['alice']);
  assert.deepEqual(readActiveCalls({ active_calls: [{ id: 'C', caller_id: 'U', type: 'audio', participants: ['U', 'V'] }, 7] })[0].participants.map(({ userId }) => userId), ['U', 'V']);
  const history = readHistory({ data: [{ id: 'C', caller_id: 'U', call_type: 'video', call_metadata: { quality: 'good', packet_loss: 'x' } }], count: 9 });
  assert.deepEqual([history.total, history.calls[0].measured.quality, history.calls[0].measured.lossPercent], [9, 'good', null]);
  assert.equal(readCall({ id: 'C' }), null);
  assert.equal(readCall({ id: 'C', caller_id: 'U' }).ticket, null);
});

test('only ICE servers that a browser takes are handed on', () => {
  const told = [
    { urls: 'stun:a' }, { urls: ['turn:b', 'http://c', 7] }, { urls: ['turns:d', 'stun:e'], username: 'u', credential: 'c' }, null, { urls: [] },
    { urls: ['turn:f', 'stun:g'] },
  ];
  assert.deepEqual(readIceServers(told), [
    { urls: ['stun:a'] }, { urls: ['turns:d', 'stun:e'], username: 'u', credential: 'c' }, { urls: ['stun:g'] },
  ]);
  assert.deepEqual(readIceServers('x'), []);
});

test('keys go to the browser as bytes and come back as text', async () => {
  const bytes = Uint8Array.from({ length: 256 }, (_, index) => index);
  assert.equal(toBase64URL(bytes), Buffer.from(bytes).toString('base64url'));
  assert.deepEqual(fromBase64URL(toBase64URL(bytes)), bytes);
  const asked = requestOptions({ challenge: 'AQI', rpId: 'x', allowCredentials: [{ type: 'public-key', id: 'Aw' }] });
  assert.deepEqual([asked.challenge, asked.allowCredentials[0].id], [Uint8Array.of(1, 2), Uint8Array.of(3)]);
  const made = creationOptions({ challenge: 'AQI', user: { id: 'BA', name: 'a' }, rp: { id: 'x' } });
  assert.deepEqual([made.user.id, made.excludeCredentials], [Uint8Array.of(4), []]);
  const credential = { rawId: Uint8Array.of(9).buffer, type: 'public-key', response: { clientDataJSON: Uint8Array.of(1).buffer, signature: Uint8Array.of(2).buffer } };
  assert.deepEqual(credentialJSON(credential), { id: 'CQ', type: 'public-key', response: { clientDataJSON: 'AQ', signature: 'Ag' } });
  const { api, asked: requests } = world(({ path }) => (path.endsWith('key') ? [200, { token: 'K', public_key: { challenge: 'AQI' } }] : [200, tokens(claims('U1'))]));
  const challenge = { methods: ['webauthn'], temporaryToken: 'T', expiresAt: null };
  assert.deepEqual((await api.beginKey(challenge)).value, { token: 'K', publicKey: { challenge: 'AQI' } });
  assert.equal((await api.finishKey(challenge, 'K', credentialJSON(credential))).value.userId, 'U1');
  assert.deepEqual(requests.map(({ path }) => path), ['/api/v1/auth/mfa/key', '/api/v1/auth/mfa/key/verify']);
});

test('a request that nobody answers is given up', async (context) => {
  context.mock?.timers?.enable?.(['setTimeout']);
  if (!context.mock?.timers) return context.skip('this node cannot move time');
  const api = new PlexiAPI({
    base: 'https://x', locks: null,
    fetch: (_, { signal }) => new Promise((_resolve, reject) => { signal.addEventListener('abort', () => reject(new Error('AbortError'))); }),
  });
  const answer = api.logIn({ username: 'a', password: 'p' });
  await Promise.resolve();
  context.mock.timers.tick(20_001);
  assert.equal((await answer).problem.code, 'timeout');
});
