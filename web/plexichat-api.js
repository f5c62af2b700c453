// @ts-check
/**
 * PlexiChat's REST interface for pages: accounts, logins with second factors, calls, history, presence. Nothing throws
 * and nothing rejects: each method answers `{ok: true, value}` or `{ok: false, problem}`. docs/web.md shows how to use
 * it. Needs `fetch` and nothing of a page.
 *
 * @module
 */

import {
  readActiveCalls, readCall, readChallenge, readHistory, readIceConfig, readPresence, readProblem, readTokens, readUser,
  readUsers, unwrap,
} from './api/answers.js';
import { makeSession, memoryStore, userOfToken } from './api/session.js';
import { DetailEvent } from './call/events.js';
import { problem } from './call/problems.js';

export { memoryStore, webStore } from './api/session.js';
export { creationOptions, credentialJSON, requestOptions } from './api/passkeys.js';

/** @typedef {import('./call/types.js').CallProblem} CallProblem */
/** @typedef {import('./api/session.js').Session} Session */
/** @typedef {import('./api/session.js').SessionStore} SessionStore */
/** @typedef {import('./api/answers.js').User} User */
/** @typedef {import('./api/answers.js').CallRecord} CallRecord */
/** @typedef {import('./api/answers.js').CallLog} CallLog */
/** @typedef {import('./api/answers.js').Presence} Presence */
/** @typedef {import('./api/answers.js').Challenge} Challenge */
/**
 * @template T
 * @typedef {{ok: true, value: T} | {ok: false, problem: CallProblem}} Result
 */
/** @typedef {{kind: 'signed-in', userId: string} | ({kind: 'mfa'} & Challenge)} LogIn */

/** A server on the other side of the world answers within a second; a dead one never does. */
const REQUEST_TIMEOUT = 20_000;
/** An access token is renewed so long before it ends: a request under way must still find it good. */
const ACCESS_MARGIN = 60_000;
/** The name under which windows agree on who renews. */
const REFRESH_LOCK = 'plexichat.refresh';

/**
 * @typedef {object} APIOptions
 * @property {string} [base] `https://chat.example.org`; the page's own origin where it is not given
 * @property {SessionStore} [store] memory where it is not given
 * @property {typeof fetch} [fetch]
 * @property {() => number} [now] milliseconds since 1970
 * @property {{request: (name: string, run: () => Promise<any>) => Promise<any>}|null} [locks] `navigator.locks`
 */

/**
 * Events: `signed-in` `{userId}`, `signed-out` `{reason: 'left'|'ended'}` (`ended`: the server ended the session).
 */
export class PlexiAPI extends EventTarget {
  /** @type {string} */ #base;
  /** @type {SessionStore} */ #store;
  /** @type {typeof fetch} */ #fetch;
  /** @type {() => number} */ #now;
  /** @type {APIOptions['locks']} */ #locks;
  /** @type {Promise<Result<Session>>|null} */ #refreshing = null;

  /** @param {APIOptions} [options] */
  constructor(options = {}) {
    super();
    this.#base = (options.base ?? '').replace(/\/$/, '');
    this.#store = options.store ?? memoryStore();
    this.#fetch = options.fetch ?? ((...words) => globalThis.fetch(...words));
    this.#now = options.now ?? (() => Date.now());
    this.#locks = options.locks === undefined ? globalThis.navigator?.locks ?? null : options.locks;
  }

  /** Who is signed in, or null. @returns {string|null} */
  get userId() { return this.#store.load()?.userId ?? null; }

  // Accounts

  /**
   * @param {{username: string, email: string, password: string, displayName?: string}} form
   * @returns {Promise<Result<LogIn>>} signed in at once
   */
  async register({ username, email, password, displayName }) {
    const body = { username, email, password, ...(displayName ? { display_name: displayName } : {}) };
    return this.#signIn(await this.#request('POST', '/v1/auth/register', { body, anonymous: true }));
  }

  /**
   * @param {{username: string, password: string, remember?: boolean}} form a name or an e-mail address
   * @returns {Promise<Result<LogIn>>} `mfa` asks for `completeMFA`
   */
  async logIn({ username, password, remember = false }) {
    const body = { username, password, remember_me: remember };
    return this.#signIn(await this.#request('POST', '/api/v1/auth/login', { body, anonymous: true }));
  }

  /**
   * @param {Challenge} challenge of `logIn`
   * @param {'totp'|'sms'|'email'|'recovery_code'|string} method @param {string} code
   * @returns {Promise<Result<LogIn>>}
   */
  async completeMFA(challenge, method, code) {
    if (this.#hasExpired(challenge)) return failed('mfa_expired');
    const body = { temp_token: challenge.temporaryToken, method, code: code.trim() };
    return this.#signIn(await this.#request('POST', '/v1/auth/login/2fa', { body, anonymous: true }));
  }

  /** Has a code sent. @param {Challenge} challenge @param {'sms'|'email'} method @returns {Promise<Result<null>>} */
  async sendCode(challenge, method) {
    const body = { temp_token: challenge.temporaryToken, method };
    return nothing(await this.#request('POST', '/api/v1/auth/mfa/send', { body, anonymous: true }));
  }

  /**
   * What to ask a security key for: as a second step with `challenge`, or instead of a password without one.
   * `requestOptions(value.publicKey)` is for `navigator.credentials.get`.
   * @param {Challenge|null} challenge
   * @returns {Promise<Result<{token: string, publicKey: Record<string, any>}>>}
   */
  async beginKey(challenge) {
    const answer = challenge
      ? await this.#request('POST', '/api/v1/auth/mfa/key', { body: { temp_token: challenge.temporaryToken }, anonymous: true })
      : await this.#request('POST', '/api/v1/auth/passkeys/login', { anonymous: true });
    return read(answer, readCeremony);
  }

  /**
   * @param {Challenge|null} challenge the same as for `beginKey` @param {string} token of `beginKey`
   * @param {Record<string, any>} credential `credentialJSON(…)` of what the browser gave
   * @returns {Promise<Result<LogIn>>}
   */
  async finishKey(challenge, token, credential) {
    const [path, body] = challenge
      ? ['/api/v1/auth/mfa/key/verify', { temp_token: challenge.temporaryToken, credential }]
      : ['/api/v1/auth/passkeys/login/finish', { token, credential }];
    return this.#signIn(await this.#request('POST', path, { body, anonymous: true }));
  }

  /** @param {string} email @returns {Promise<Result<null>>} good whether the address is known or not */
  async forgotPassword(email) {
    return nothing(await this.#request('POST', '/v1/auth/forgot-password', { body: { email }, anonymous: true }));
  }

  /** @param {string} token of the mail @param {string} password @returns {Promise<Result<null>>} */
  async resetPassword(token, password) {
    return nothing(await this.#request('POST', '/v1/auth/reset-password', { body: { token, password }, anonymous: true }));
  }

  /** Forgets the session here, whether or not the server can be told. @returns {Promise<Result<null>>} */
  async logOut() {
    const answer = await this.#request('POST', '/v1/auth/logout');
    this.#signOut('left');
    return nothing(answer);
  }

  /** Ends every session, on all devices. @returns {Promise<Result<null>>} */
  async logOutEverywhere() {
    const answer = await this.#request('POST', '/api/v1/auth/logout-all');
    if (answer.ok) this.#signOut('left');
    return nothing(answer);
  }

  /** @returns {Promise<Result<User>>} */
  async me() { return read(await this.#request('GET', '/v1/auth/me'), (body) => readUser(unwrap(body))); }

  /** @param {{displayName?: string, email?: string, avatarUrl?: string|null}} changes @returns {Promise<Result<User>>} */
  async updateMe({ displayName, email, avatarUrl }) {
    const body = { display_name: displayName, email, avatar_url: avatarUrl };
    return read(await this.#request('PUT', '/v1/auth/me', { body }), (answer) => readUser(unwrap(answer)));
  }

  /** @param {string} current @param {string} next @returns {Promise<Result<null>>} other sessions end */
  async changePassword(current, next) {
    const body = { current_password: current, new_password: next };
    return nothing(await this.#request('POST', '/api/v1/auth/password', { body }));
  }

  // Second factors

  /** @returns {Promise<Result<{id: string, method: string, label: string, isActive: boolean}[]>>} */
  async factors() { return read(await this.#request('GET', '/api/v1/auth/mfa'), readFactors); }

  /** @param {string} [label] @returns {Promise<Result<{factorId: string, secret: string, uri: string, qrSVG: string|null}>>} */
  async beginTOTP(label = '') {
    return read(await this.#request('POST', '/api/v1/auth/mfa/totp', { body: { label } }), readEnrolment);
  }

  /** @param {string} factorId @param {string} code @returns {Promise<Result<string[]>>} recovery codes; empty when they were made before */
  async confirmTOTP(factorId, code) {
    const body = { factor_id: factorId, code: code.trim() };
    return read(await this.#request('POST', '/api/v1/auth/mfa/totp/confirm', { body }), readCodes);
  }

  /** @param {string} factorId @param {string} password @returns {Promise<Result<null>>} */
  async removeFactor(factorId, password) {
    return nothing(await this.#request('POST', `/api/v1/auth/mfa/${encodeURIComponent(factorId)}/remove`, { body: { password } }));
  }

  /** @param {string} password @returns {Promise<Result<string[]>>} the old ones end */
  async makeRecoveryCodes(password) {
    return read(await this.#request('POST', '/api/v1/auth/mfa/recovery-codes', { body: { password } }), readCodes);
  }

  // People

  /** @param {{search?: string, page?: number, size?: number}} [query] @returns {Promise<Result<{users: User[], total: number, hasMore: boolean}>>} */
  async users({ search = '', page = 1, size = 50 } = {}) {
    const query = new URLSearchParams({ page: String(page), per_page: String(size) });
    if (search.trim()) query.set('search', search.trim());
    return read(await this.#request('GET', `/v1/users?${query}`), readUsers);
  }

  /** @param {string} id @returns {Promise<Result<User>>} */
  async user(id) {
    return read(await this.#request('GET', `/v1/users/${encodeURIComponent(id)}`), (body) => readUser(unwrap(body)));
  }

  /** @param {string} id @returns {Promise<Result<Presence>>} */
  async presence(id) {
    return read(await this.#request('GET', `/v1/users/${encodeURIComponent(id)}/presence`), (body) => readPresence(unwrap(body)));
  }

  /**
   * Says that one is there, for a while: to be repeated before `seconds` are over.
   * @param {'online'|'away'|'busy'|'offline'} status @param {number} [seconds] @returns {Promise<Result<Presence>>}
   */
  async setPresence(status, seconds) {
    const id = this.userId;
    if (!id) return failed('signed_out');
    const answer = await this.#request('PUT', `/v1/users/${encodeURIComponent(id)}/presence`, { body: { status, ttl: seconds } });
    return read(answer, (body) => readPresence(unwrap(body)));
  }

  // Calls

  /** @param {{participants: readonly string[], type: 'audio'|'video'}} call @returns {Promise<Result<CallRecord>>} */
  async startCall({ participants, type }) {
    return this.#call(await this.#request('POST', '/v1/calls', { body: { participants, type }, once: true }));
  }

  /** @param {string} id @returns {Promise<Result<CallRecord>>} */
  async call(id) { return this.#call(await this.#request('GET', `/v1/calls/${encodeURIComponent(id)}`)); }

  /** Accepts. `PlexiCall.join` does it by itself, too. @param {string} id @returns {Promise<Result<CallRecord>>} */
  async joinCall(id) { return this.#call(await this.#request('POST', `/v1/calls/${encodeURIComponent(id)}/join`)); }

  /** Leaves, or declines while it rings. @param {string} id @returns {Promise<Result<null>>} */
  async leaveCall(id) { return nothing(await this.#request('DELETE', `/v1/calls/${encodeURIComponent(id)}/leave`)); }

  /** Declines, cancels, hangs up a call of two, or ends for all as the host. @param {string} id @returns {Promise<Result<null>>} */
  async endCall(id) { return nothing(await this.#request('POST', `/api/v1/calls/${encodeURIComponent(id)}/end`)); }

  /** @returns {Promise<Result<CallRecord[]>>} those that are on, ringing ones included */
  async activeCalls() { return read(await this.#request('GET', '/api/v1/calls/'), readActiveCalls); }

  /** @param {{skip?: number, limit?: number}} [page] @returns {Promise<Result<{calls: CallLog[], total: number}>>} */
  async history({ skip = 0, limit = 50 } = {}) {
    return read(await this.#request('GET', `/api/v1/calls/history?skip=${skip}&limit=${limit}`), readHistory);
  }

  /** @returns {Promise<Result<{iceServers: RTCIceServer[], lifetime: number}>>} lifetime in seconds */
  async iceConfig() { return read(await this.#request('GET', '/calls/ice-config'), readIceConfig); }

  /** As docs/protocol/calls.md has it; for the caller of a call. @param {string} id @returns {Promise<Result<Record<string, any>>>} */
  async metrics(id) { return read(await this.#request('GET', `/calls/${encodeURIComponent(id)}/metrics`), (body) => body); }

  // Tokens

  /**
   * A token that is good for a minute at least, renewed where that is needed; null when nobody is signed in any more.
   * @returns {Promise<string|null>} rejects never; while the server cannot be reached, the old token
   */
  async accessToken() {
    const session = this.#store.load();
    if (!session) return null;
    if (session.expiresAt - this.#now() > ACCESS_MARGIN) return session.accessToken;
    const renewed = await this.#refresh(session.accessToken);
    if (renewed.ok) return renewed.value.accessToken;
    return this.#store.load()?.accessToken ?? null;
  }

  /** One renewal at a time, here and in all windows of the store. @param {string} old access token @returns {Promise<Result<Session>>} */
  #refresh(old) {
    this.#refreshing ??= this.#locked(() => this.#refreshNow(old)).finally(() => { this.#refreshing = null; });
    return this.#refreshing;
  }

  /** @template T @param {() => Promise<T>} run @returns {Promise<T>} */
  #locked(run) { return this.#locks ? this.#locks.request(REFRESH_LOCK, run) : run(); }

  /** @param {string} old @returns {Promise<Result<Session>>} */
  async #refreshNow(old) {
    const session = this.#store.load();
    if (!session) return failed('signed_out');
    // Another window was quicker.
    if (session.accessToken !== old) return { ok: true, value: session };
    const body = { refresh_token: session.refreshToken };
    const answer = await this.#request('POST', '/v1/auth/refresh', { body, anonymous: true });
    if (!answer.ok) {
      // Not if somebody has signed in meanwhile, in another window.
      const isPresent = this.#store.load()?.refreshToken === session.refreshToken;
      if (isPresent && ['signed_out', 'account_inactive'].includes(answer.problem.code)) this.#signOut('ended');
      return answer;
    }
    const tokens = readTokens(answer.value);
    if (!tokens) return failed('bad_answer');
    const renewed = makeSession(tokens, session.userId, this.#now());
    this.#store.save(renewed);
    return { ok: true, value: renewed };
  }

  /** @param {Result<any>} answer @returns {Result<LogIn>} */
  #signIn(answer) {
    if (!answer.ok) return answer;
    if (answer.value?.kind === 'mfa') return answer;
    const tokens = readTokens(answer.value);
    const userId = tokens && (readUser(unwrap(answer.value).user)?.id ?? userOfToken(tokens.accessToken));
    if (!tokens || !userId) return failed('bad_answer');
    this.#store.save(makeSession(tokens, userId, this.#now()));
    this.dispatchEvent(new DetailEvent('signed-in', { userId }));
    return { ok: true, value: { kind: 'signed-in', userId } };
  }

  /** @param {'left'|'ended'} reason */
  #signOut(reason) {
    if (!this.#store.load()) return;
    this.#store.save(null);
    this.dispatchEvent(new DetailEvent('signed-out', { reason }));
  }

  /** @param {Challenge} challenge */
  #hasExpired({ expiresAt }) {
    const end = expiresAt === null ? NaN : Date.parse(expiresAt);
    return Number.isFinite(end) && end <= this.#now();
  }

  /** @param {Result<any>} answer @returns {Result<CallRecord>} */
  #call(answer) { return read(answer, (body) => readCall(unwrap(body))); }

  // Requests

  /**
   * For the parts of the SDK that have rows of their own (`ChatAPI`): with the session, its renewal, and errors as values.
   * @param {string} method @param {string} path @param {{body?: object, once?: boolean}} [options]
   * @returns {Promise<Result<any>>} the body as it came
   */
  request(method, path, { body, once } = {}) { return this.#request(method, path, { body, once }); }

  /**
   * For bodies that are no JSON, such as files: with the session, as long as it takes.
   * @param {string} method @param {string} path @param {{headers?: Record<string, string>, body?: Blob, signal?: AbortSignal}} [options]
   * @returns {Promise<Result<Response>>} an answer below 400, its body unread
   */
  async exchange(method, path, { headers = {}, body, signal } = {}) {
    const token = await this.accessToken();
    if (!token) return failed('signed_out');
    try {
      const response = await this.#fetch(this.#base + path, {
        method, headers: { ...headers, Authorization: `Bearer ${token}` }, body, signal, credentials: 'omit', cache: 'no-store',
      });
      if (response.status < 400) return { ok: true, value: response };
      return readAnswer(response.status, await response.text(), response.headers.get('Retry-After'));
    } catch {
      return failed('network');
    }
  }

  /**
   * @param {string} method @param {string} path
   * @param {{body?: object, anonymous?: boolean, once?: boolean}} [options] `once`: a second try has no second effect
   * @returns {Promise<Result<any>>}
   */
  async #request(method, path, { body, anonymous = false, once = false } = {}) {
    /** @type {Record<string, string>} */
    const headers = { Accept: 'application/json' };
    if (body) headers['Content-Type'] = 'application/json';
    if (once) headers['Idempotency-Key'] = globalThis.crypto.randomUUID();
    if (!anonymous) {
      const token = await this.accessToken();
      if (!token) return failed('signed_out');
      headers.Authorization = `Bearer ${token}`;
    }
    const send = () => this.#send(method, path, headers, body);
    let answer = await send();
    // A lost answer: asked again where that does no harm.
    if (!answer.ok && answer.problem.code === 'network' && (method === 'GET' || once)) answer = await send();
    if (answer.ok || anonymous || answer.problem.code !== 'signed_out') return answer;
    // Ended before its time (a key that was discarded, a clock that is off): once anew, or out.
    const renewed = await this.#refresh(headers.Authorization.slice('Bearer '.length));
    if (!renewed.ok) return renewed.problem.code === 'signed_out' ? answer : renewed;
    headers.Authorization = `Bearer ${renewed.value.accessToken}`;
    return send();
  }

  /** @param {string} method @param {string} path @param {Record<string, string>} headers @param {object} [body] @returns {Promise<Result<any>>} */
  async #send(method, path, headers, body) {
    const stop = new AbortController();
    const timer = setTimeout(() => stop.abort(), REQUEST_TIMEOUT);
    try {
      const response = await this.#fetch(this.#base + path, {
        method, headers, body: body && JSON.stringify(body), signal: stop.signal, credentials: 'omit', cache: 'no-store',
      });
      return readAnswer(response.status, await response.text(), response.headers.get('Retry-After'));
    } catch {
      return failed(stop.signal.aborted ? 'timeout' : 'network');
    } finally {
      clearTimeout(timer);
    }
  }
}

/** @param {number} status @param {string} body @param {string|null} retryAfter @returns {Result<any>} */
function readAnswer(status, body, retryAfter) {
  /** @type {unknown} */
  let value = null;
  try {
    value = body === '' ? null : JSON.parse(body);
  } catch {
    // A proxy's page; the status says enough.
    if (status < 400) return failed('bad_answer');
  }
  if (status >= 200 && status < 300) return { ok: true, value };
  const challenge = readChallenge(value);
  if (challenge) return { ok: true, value: { kind: 'mfa', ...challenge } };
  return { ok: false, problem: readProblem(status, value, retryAfter) };
}

/** @param {string} code @returns {{ok: false, problem: CallProblem}} */
function failed(code) { return { ok: false, problem: problem(code) }; }

/** @template T @param {Result<any>} answer @param {(body: any) => T|null} reader @returns {Result<T>} */
function read(answer, reader) {
  if (!answer.ok) return answer;
  const value = reader(answer.value);
  return value === null ? failed('bad_answer') : { ok: true, value };
}

/** @param {Result<any>} answer @returns {Result<null>} */
function nothing(answer) { return answer.ok ? { ok: true, value: null } : answer; }

/** @param {any} body */
function readCeremony(body) {
  const { token, public_key: publicKey } = unwrap(body);
  return typeof token === 'string' && publicKey && typeof publicKey === 'object' ? { token, publicKey } : null;
}

/** @param {any} body @returns {string[]|null} */
function readCodes(body) {
  const codes = unwrap(body).recovery_codes;
  return Array.isArray(codes) ? codes.filter((code) => typeof code === 'string') : null;
}

/** @param {any} body */
function readFactors(body) {
  const { factors } = unwrap(body);
  if (!Array.isArray(factors)) return null;
  return factors.filter((one) => typeof one?.id === 'string').map((one) => ({
    id: one.id, method: String(one.method), label: String(one.label ?? ''), isActive: one.is_active === true,
  }));
}

/** @param {any} body */
function readEnrolment(body) {
  const { factor_id: factorId, secret, otpauth_uri: uri, qr_svg: qrSVG } = unwrap(body);
  if (![factorId, secret, uri].every((one) => typeof one === 'string')) return null;
  return { factorId, secret, uri, qrSVG: typeof qrSVG === 'string' ? qrSVG : null };
}
