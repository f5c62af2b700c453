// @ts-check
/**
 * The line that calls come in on, for as long as somebody is signed in: a signaling socket that joins no call.
 *
 * @module
 */

import { CLOSE } from './closing.js';
import { environment } from './environment.js';
import { DetailEvent } from './events.js';
import * as say from './messages.js';
import { SignalSocket, socketAt } from './socket.js';

/** @typedef {import('./types.js').Environment} Environment */
/** @typedef {import('./types.js').CallProblem} CallProblem */
/** People that a socket is told of; the server refuses more. */
export const WATCH_MAX = 500;
/** People in one message. */
const WATCH_AT_ONCE = 256;

/** @typedef {'connecting'|'open'|'waiting'|'closed'} LineState */

/**
 * @typedef {object} LineOptions
 * @property {string} url
 * @property {() => Promise<string|null>} token
 * @property {Partial<Environment>} [env]
 */

/**
 * Events (with a `detail`):
 * - `state` `LineState`
 * - `incoming` `IncomingCall`: again after a reconnect while it still rings.
 * - `ringing-stopped` `{callId, reason}`: `answered_elsewhere`, `cancelled`, …
 * - `call-status` `{callId, status, userId, hostId, locked}` of a call that is not this page's own
 * - `presence` `{userId, status, lastSeen}`
 * - `problem` `CallProblem`; with `signed_out` the line is closed for good.
 */
export class PlexiLine extends EventTarget {
  /** @type {SignalSocket} */ #socket;
  /** @type {LineState} */ #state = 'closed';
  /** @type {Environment} */ #env;
  /** @type {ReadonlySet<string>} */ #watched = new Set();
  /** @type {any} */ #move = null;
  /** A server that does not know the question counts it as nonsense: it is not asked again. */
  #hasPresence = true;
  #isAsking = false;

  /** @param {LineOptions} options */
  constructor({ url, token, env }) {
    super();
    this.#env = environment(env);
    this.#socket = new SignalSocket({
      url, token, env: this.#env,
      handlers: {
        opened: () => {
          this.#set('open');
          this.#subscribe([...this.#watched]);
        },
        received: (message) => this.#received(message),
        waiting: (attempt, at, why) => {
          this.#set('waiting');
          this.#tell('problem', why);
        },
        ended: (why) => {
          this.#set('closed');
          this.#tell('problem', why);
        },
      },
    });
  }

  /** @returns {LineState} */
  get state() { return this.#state; }

  /** Opens, and stays open by itself. @returns {void} */
  open() {
    if (this.#state !== 'closed' || this.#socket.isOver) return;
    this.#set('connecting');
    this.#socket.connect();
  }

  /** For good: a new sign-in makes a new line. @returns {void} */
  close() {
    this.#env.clearTimeout(this.#move);
    this.#socket.close(CLOSE.hangUp);
    this.#set('closed');
  }

  /** Whose presence is looked at from now on: these and nobody else, the first 500. @param {readonly string[]} userIds @returns {void} */
  watch(userIds) {
    const [before, next] = [this.#watched, new Set(userIds.slice(0, WATCH_MAX))];
    this.#watched = next;
    const gone = [...before].filter((userId) => !next.has(userId));
    if (gone.length > 0 && this.#hasPresence) this.#socket.send(say.unsubscribe(gone));
    this.#subscribe([...next].filter((userId) => !before.has(userId)));
  }

  /** After a change of network that the page knows of: tries now. @returns {void} */
  networkChanged() { if (this.#state !== 'closed') this.#socket.networkChanged(); }

  /** @param {readonly string[]} userIds */
  #subscribe(userIds) {
    if (!this.#hasPresence) return;
    for (let at = 0; at < userIds.length; at += WATCH_AT_ONCE) {
      this.#isAsking = this.#socket.send(say.subscribe(userIds.slice(at, at + WATCH_AT_ONCE)));
    }
  }

  /** @param {import('./messages.js').ServerMessage} message */
  #received(message) {
    switch (message.kind) {
      case 'incoming': return this.#tell('incoming', message.call);
      case 'ringing-stopped': return this.#tell('ringing-stopped', { callId: message.callId, reason: message.reason });
      case 'status': {
        const { callId, status, userId, hostId, locked } = message;
        return this.#tell('call-status', { callId, status, userId, hostId, locked });
      }
      case 'presence': {
        const { userId, status, lastSeen } = message;
        return this.#tell('presence', { userId, status, lastSeen });
      }
      case 'reconnect': {
        const target = socketAt(message.url, this.#socket.url);
        // Everybody goes, but not in the same moment.
        if (target) this.#move = this.#env.setTimeout(() => this.#socket.move(target), this.#env.random() * message.seconds * 500);
        return;
      }
      case 'error':
        if (this.#isAsking && message.problem.code === 'protocol_error') {
          [this.#hasPresence, this.#isAsking] = [false, false];
          return;
        }
        return this.#tell('problem', message.problem);
    }
  }

  /** @param {LineState} state */
  #set(state) {
    if (this.#state === state) return;
    this.#state = state;
    this.#tell('state', state);
  }

  /** @param {string} type @param {unknown} detail */
  #tell(type, detail) { this.dispatchEvent(new DetailEvent(type, detail)); }
}
