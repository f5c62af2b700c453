// @ts-check
/**
 * A signaling socket that stays open by itself: connects with a fresh token, pings, notices silence, keeps within the
 * server's limits, and comes back after a loss. It knows nothing of calls.
 *
 * @module
 */

import { CLOSE, delayBefore, verdictOf } from './closing.js';
import { ping, readMessage } from './messages.js';
import { problem } from './problems.js';

/** @typedef {import('./types.js').Environment} Environment */
/** @typedef {import('./types.js').CallProblem} CallProblem */
/** @typedef {import('./messages.js').ServerMessage} ServerMessage */
/**
 * What is spoken on the socket; signaling where nothing else is named. `read` answers null for what is no message, and
 * objects with a `kind`, of which the socket itself looks at `unknown`, `pong` and `error` (with a `problem`).
 * @typedef {{read: (data: unknown) => any, ping: (id: number) => object}} Language
 */

/** A phone that wakes needs seconds to open a socket; a network that swallows packets never does it. */
export const OPEN_TIMEOUT = 10_000;
/** Between two pings while nothing comes. A server that is gone is noticed after this and `PONG_TIMEOUT`. */
export const PING_INTERVAL = 10_000;
export const PONG_TIMEOUT = 5_000;
/** So long a connection has to last, for the next loss to be the first again. */
export const SETTLED_AFTER = 5_000;
/** The server takes 120 messages at once and 20 a second (docs/protocol/signaling.md); we stay below. */
export const SEND_BURST = 80;
export const SENDS_PER_SECOND = 15;
/** Messages that wait for their turn: more than a page can mean at once. */
export const QUEUE_MAX = 512;
/** Bytes that the network has not taken; a socket that is so far behind is of no use. */
export const UNSENT_MAX = 1 << 20;

/**
 * @typedef {object} SocketHandlers
 * @property {() => void} opened
 * @property {(message: ServerMessage) => void} received
 * @property {(attempt: number, at: number, why: CallProblem) => void} waiting a try begins at `at` (wall clock)
 * @property {(why: CallProblem) => void} ended
 * @property {() => void} [rejoin] the place that was to be resumed is gone; the socket opens again by itself
 * @property {() => boolean} [resuming] whether a resume token was presented on this socket
 */

export class SignalSocket {
  /** @type {Environment} */ #env;
  /** @type {string} */ #url;
  /** @type {() => Promise<string|null>} */ #token;
  /** @type {SocketHandlers} */ #handlers;
  /** @type {Language} */ #language;

  /** @type {WebSocket|null} */ #socket = null;
  /** Each try has a number: what an older one still says is not heard. */
  #generation = 0;
  #attempt = 0;
  #refusals = 0;
  #openedAt = 0;
  /** @type {any} */ #timer = null;
  /** @type {any} */ #heartbeat = null;
  #heardAt = 0;
  /** @type {number|null} */ #pingedAt = null;
  #pingID = 0;
  #isOver = false;
  #isAccepted = false;
  /** @type {CallProblem|null} */ #told = null;

  /** @type {object[]} */ #queue = [];
  #tokens = SEND_BURST;
  #filledAt = 0;
  /** @type {any} */ #drain = null;

  /** @param {{url: string, token: () => Promise<string|null>, env: Environment, handlers: SocketHandlers, language?: Language}} options */
  constructor({ url, token, env, handlers, language = { read: readMessage, ping } }) {
    this.#url = url;
    this.#token = token;
    this.#env = env;
    this.#handlers = handlers;
    this.#language = language;
  }

  get url() { return this.#url; }
  get isOpen() { return this.#socket !== null && this.#openedAt > 0; }
  get isOver() { return this.#isOver; }

  /** Begins; again after a wait that is under way. */
  connect() {
    if (this.#isOver || this.#socket) return;
    this.#stopTimer();
    const generation = ++this.#generation;
    this.#attempt += 1;
    this.#timer = this.#env.setTimeout(() => this.#lost(generation, 1006, ''), OPEN_TIMEOUT);
    this.#fetchToken().then((token) => {
      if (generation !== this.#generation || this.#isOver) return;
      if (token === null) this.#end(problem('signed_out'));
      else this.#open(generation, token);
    });
  }

  async #fetchToken() {
    try {
      return await this.#token();
    } catch {
      return '';  // the page's own failure; the server refuses it and says so
    }
  }

  /** @param {number} generation @param {string} token */
  #open(generation, token) {
    let socket;
    try {
      const url = new URL(this.#url);
      url.searchParams.set('token', token);
      socket = new this.#env.WebSocket(url.href);
    } catch {
      // A page with a policy against it, or an address that is none: no try will do better.
      return this.#end(problem('network', { text: 'The browser does not permit a connection to the server' }));
    }
    this.#socket = socket;
    [this.#told, this.#isAccepted] = [null, false];
    const isOurs = () => generation === this.#generation;
    socket.onopen = () => { if (isOurs()) this.#opened(); };
    socket.onmessage = (event) => { if (isOurs()) this.#received(event.data); };
    socket.onclose = (event) => this.#lost(generation, event.code, event.reason ?? '');
  }

  #opened() {
    this.#stopTimer();
    this.#openedAt = Math.max(this.#env.now(), 1);
    [this.#heardAt, this.#pingedAt] = [this.#env.now(), null];
    [this.#tokens, this.#filledAt] = [SEND_BURST, this.#env.now()];
    this.#beat();
    this.#handlers.opened();
  }

  // Silence

  #beat() {
    this.#heartbeat = this.#env.setTimeout(() => {
      const now = this.#env.now();
      // Measured from the ping, not from the silence: a hidden page's timers come once a minute.
      const isUnanswered = this.#pingedAt !== null && this.#heardAt < this.#pingedAt;
      if (isUnanswered && now - /** @type {number} */ (this.#pingedAt) >= PONG_TIMEOUT) return this.#drop(CLOSE.noAnswer);
      if (!isUnanswered && now - this.#heardAt >= PING_INTERVAL) this.#ping();
      if (this.#socket) this.#beat();
    }, PONG_TIMEOUT);
  }

  #ping() {
    this.#pingedAt = this.#env.now();
    this.#write(this.#language.ping(++this.#pingID));
  }

  /** Ends this socket, not the session, and opens another. @param {number} code */
  #drop(code) {
    this.#lost(this.#generation, 1006, '', code);
  }

  // Messages

  /** @param {unknown} data */
  #received(data) {
    this.#heardAt = this.#env.now();
    const message = this.#language.read(data);
    // What cannot be read is passed over: a join or an answer that is missed has its own timeout.
    if (message === null || message.kind === 'unknown' || message.kind === 'pong') return;
    // Once joined, an error is about one message and no reason for a closing, save a flood.
    if (message.kind === 'error' && (!this.#isAccepted || message.problem.code === 'rate_limited')) {
      this.#told = message.problem;
    }
    this.#handlers.received(message);
  }

  /** @param {object} message @returns {boolean} false when it cannot be sent: no socket, or too much waits */
  send(message) {
    if (!this.isOpen || this.#queue.length >= QUEUE_MAX) return false;
    this.#queue.push(message);
    this.#flush();
    return true;
  }

  #flush() {
    const now = this.#env.now();
    this.#tokens = Math.min(SEND_BURST, this.#tokens + ((now - this.#filledAt) / 1_000) * SENDS_PER_SECOND);
    this.#filledAt = now;
    while (this.#queue.length > 0 && this.#tokens >= 1 && this.#socket) {
      this.#tokens -= 1;
      this.#write(/** @type {object} */ (this.#queue.shift()));
    }
    if (this.#queue.length === 0 || this.#drain !== null) return;
    const wait = ((1 - this.#tokens) / SENDS_PER_SECOND) * 1_000;
    this.#drain = this.#env.setTimeout(() => { this.#drain = null; this.#flush(); }, Math.max(1, Math.ceil(wait)));
  }

  /** @param {object} message */
  #write(message) {
    if (!this.#socket) return;
    if (this.#socket.bufferedAmount > UNSENT_MAX) return this.#drop(CLOSE.tooSlow);
    this.#socket.send(JSON.stringify(message));
  }

  // Loss

  /** @param {number} generation @param {number} code @param {string} reason @param {number} farewell where it is still open */
  #lost(generation, code, reason, farewell = CLOSE.noAnswer) {
    if (generation !== this.#generation || this.#isOver) return;
    const socket = this.#socket;
    if (this.#openedAt > 0 && this.#env.now() - this.#openedAt >= SETTLED_AFTER) this.#attempt = 0;
    this.#detach();
    close(socket, farewell);
    const verdict = verdictOf(code, reason, {
      told: this.#told, refusals: this.#refusals, resuming: this.#handlers.resuming?.() ?? false,
    });
    this.#refusals = code === 4001 ? this.#refusals + 1 : 0;
    if (verdict.kind === 'end') return this.#end(verdict.problem);
    if (verdict.kind === 'rejoin') {
      this.#handlers.rejoin?.();
      return this.#retryAfter(delayBefore(1, this.#env.random), problem('connection_lost'));
    }
    const told = this.#told?.retryAfter ?? 0;
    const wait = Math.max(verdict.wait, told * 1_000, delayBefore(this.#attempt + 1, this.#env.random));
    this.#retryAfter(wait, verdict.problem);
  }

  /** @param {number} wait @param {CallProblem} why */
  #retryAfter(wait, why) {
    if (this.#isOver) return;  // a handler had enough
    this.#timer = this.#env.setTimeout(() => this.connect(), wait);
    this.#handlers.waiting(this.#attempt + 1, this.#env.wallClock() + wait, why);
  }

  /** The join has succeeded: a 4001 after it is the first again. */
  accepted() { [this.#isAccepted, this.#refusals, this.#told] = [true, 0, null]; }

  /** Tries at once: the page has heard of a network, or of another one. An open socket has to prove itself. */
  networkChanged() {
    if (this.#isOver) return;
    if (!this.isOpen) {
      this.#restart();
    } else {
      this.#heardAt -= 1;  // older than the ping, however soon that is
      this.#ping();
    }
  }

  /** Leaves this socket for another try, at another address where one is given. @param {string} [url] */
  move(url) {
    if (this.#isOver) return;
    if (url !== undefined) this.#url = url;
    this.#restart();
  }

  /** Where the next try goes. @param {string} url */
  redirect(url) { this.#url = url; }

  #restart() {
    const socket = this.#socket;
    this.#detach();
    close(socket, CLOSE.moving);
    this.#attempt = 0;
    this.connect();
  }

  #detach() {
    this.#generation += 1;
    this.#socket = null;
    this.#openedAt = 0;
    this.#queue.length = 0;
    this.#stopTimer();
    this.#env.clearTimeout(this.#heartbeat);
    this.#env.clearTimeout(this.#drain);
    [this.#heartbeat, this.#drain] = [null, null];
  }

  #stopTimer() {
    this.#env.clearTimeout(this.#timer);
    this.#timer = null;
  }

  /** @param {CallProblem} why */
  #end(why) {
    if (this.#isOver) return;
    this.close(CLOSE.moving);
    this.#handlers.ended(why);
  }

  /** For good. 1000 leaves the call at once; every other code leaves the place open for the grace time. @param {number} code */
  close(code = CLOSE.hangUp) {
    if (this.#isOver) return;
    this.#isOver = true;
    const socket = this.#socket;
    this.#detach();
    close(socket, code);
  }
}

/** @param {WebSocket|null} socket @param {number} code */
function close(socket, code) {
  if (!socket) return;
  [socket.onopen, socket.onmessage, socket.onclose] = [null, null, null];
  try {
    socket.close(code);
  } catch {
    // It was closed before.
  }
}

/**
 * The same socket at another server: the path of the one that is, at the base that the server names.
 * @param {string} base @param {string} current @returns {string|null} null for what is no address, and never from wss to ws
 */
export function socketAt(base, current) {
  try {
    const [target, old] = [new URL(base), new URL(current)];
    const isSecure = target.protocol === 'https:' || target.protocol === 'wss:';
    if (!isSecure && (old.protocol === 'wss:' || !['http:', 'ws:'].includes(target.protocol))) return null;
    return `${isSecure ? 'wss' : 'ws'}://${target.host}${target.pathname.replace(/\/$/, '')}${old.pathname}`;
  } catch {
    return null;
  }
}
