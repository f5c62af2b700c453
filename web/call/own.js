// @ts-check
/**
 * One's own switches: muted, picture, hold, hand. They hold at once here, are told to the server, and are told again
 * after every reconnect.
 *
 * @module
 */

import { control } from './messages.js';
import { SOURCES } from './publishing.js';

/** @typedef {import('./types.js').Environment} Environment */
/** @typedef {import('./types.js').Own} Own */
/** @typedef {import('./types.js').Participant} Participant */
/** @typedef {import('./types.js').TrackSource} TrackSource */

/** So long the server's word about us may be older than what we have asked for. */
const ASKING_TIME = 2_000;
/** What was asked so long before a loss may have been lost with it: silence is noticed after 15 s. */
const UNSURE_TIME = 20_000;

export class OwnControls {
  /** @type {Environment} */ #env;
  /** @type {import('./publishing.js').Publishing} */ #publishing;
  /** @type {() => Own} */ #read;
  /** @type {(changes: Partial<Own>) => void} */ #change;
  /** @type {(message: object) => boolean} */ #send;
  #askedAt = -Infinity;
  /** What was asked last, confirmed or not. */
  #wishedAt = -Infinity;
  #isUnsaid = false;
  /** The switch before the last one that the server may refuse. @type {Partial<Own>} */ #undo = {};
  #isOver = false;

  /**
   * @param {{env: Environment, publishing: import('./publishing.js').Publishing, own: () => Own,
   *   change: (changes: Partial<Own>) => void, send: (message: object) => boolean}} options
   */
  constructor({ env, publishing, own, change, send }) {
    this.#env = env;
    this.#publishing = publishing;
    this.#read = own;
    this.#change = change;
    this.#send = send;
  }

  /** @param {boolean} on */
  setMuted(on) { this.#switch({ muted: on, mutedByHost: false }, () => this.#tell('mute', on)); }

  /** @param {boolean} on */
  setHold(on) { this.#switch({ hold: on }, () => this.#tell('hold', on)); }

  /** @param {boolean} on */
  setHand(on) { this.#switch({ hand: on }, () => this.#tell('hand', on)); }

  /** A track has come or gone. @param {Partial<Own>} changes */
  have(changes) {
    const before = hasPicture(this.#read());
    this.#change(changes);
    const after = hasPicture(this.#read());
    if (before !== after) this.#tell('video', after);
  }

  /** After a join: the server may know another session's switches. */
  sendAll() {
    const own = this.#read();
    this.#isUnsaid = false;
    // What the host has taken away would be refused.
    if (own.muted || own.mayAudio) this.#tell('mute', own.muted);
    if (!hasPicture(own) || own.mayVideo) this.#tell('video', hasPicture(own));
    this.#tell('hold', own.hold);
    this.#tell('hand', own.hand);
    this.#silence();
  }

  /** Whether the server may not know our last wish, when a connection is back. */
  get isUnsure() { return this.#isUnsaid || this.#env.now() - this.#wishedAt < UNSURE_TIME; }

  /** Whether what the server says may be from before what we asked for. @param {Participant} told */
  isAsking(told) {
    const own = this.#read();
    if (told.audio === !(own.muted || own.hold)) this.#askedAt = -Infinity;
    return this.#env.now() - this.#askedAt < ASKING_TIME;
  }

  /** The host has taken it away. */
  refused() {
    this.#change(this.#undo);
    this.#undo = {};
    this.#silence();
  }

  end() { this.#isOver = true; }

  /** @param {Partial<Own>} changes @param {() => void} tell */
  #switch(changes, tell) {
    if (this.#isOver) return;
    const { muted, mutedByHost, hold, hand } = this.#read();
    this.#undo = { muted, mutedByHost, hold, hand };
    this.#change(changes);
    this.#silence();
    this.#wishedAt = this.#env.now();
    tell();
  }

  /** @param {string} action @param {boolean} on */
  #tell(action, on) {
    if (this.#isOver) return;
    const isSent = this.#send(control(action, { on }));
    if (isSent) this.#askedAt = this.#env.now();
    else this.#isUnsaid = true;
  }

  /** No packet of what is off leaves this machine, whatever the server does. */
  #silence() {
    const { muted, hold } = this.#read();
    /** @type {Set<TrackSource>} */
    const silenced = new Set(hold ? SOURCES : muted ? ['microphone'] : []);
    this.#publishing.silence(silenced);
  }
}

/** For the server a screen is a picture as a camera is. @param {Own} own */
function hasPicture(own) { return own.camera || own.screen; }
