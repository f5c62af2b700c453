// @ts-check
/**
 * Seals what somebody writes and opens what they read, on one device of theirs (docs/protocol/sealed-messages.md).
 * Errors are values, as everywhere in the SDK.
 *
 * @module
 */

import { canonicalCode, problem } from '../call/problems.js';
import { ALGORITHM, Book, safetyNumber } from './book.js';
import { DEVICES_MAX, authorDevice, canSeal, newKeyPair, open, seal } from './box.js';
import { CONTENT_MAX, toBase64, utf8 } from './encoding.js';

/** @typedef {import('./box.js').OwnDevice} OwnDevice */
/** @typedef {import('./box.js').SealedBody} SealedBody */
/** @typedef {import('./book.js').News} News */
/** @typedef {import('./book.js').Listed} Listed */
/** @typedef {import('../call/types.js').CallProblem} CallProblem */
/** @template T @typedef {import('../plexichat-api.js').Result<T>} Result */
/** Why a message cannot be read. @typedef {'not_for_this_device'|'unknown_device'|'damaged'|'repeated'} Unreadable */
/** @typedef {{conversationId: string, authorId: string, clientId: string|null, id: string}} Envelope */

/**
 * What of the server it needs.
 * @typedef {object} DeviceRows
 * @property {(device: {id: string, name: string, algorithm: string, identityKey: string}) => Promise<Result<unknown>>} registerDevice
 * @property {(userIds: readonly string[]) => Promise<Result<Map<string, Listed[]>>>} devicesOf
 */

/** Names of messages that are remembered, so that one is not shown twice. */
const NAMES_MAX = 10_000;

/**
 * @typedef {object} SealerOptions
 * @property {string} userId
 * @property {string} deviceName what the server calls this browser in its owner's list
 * @property {import('./store.js').KeyStore} store
 * @property {DeviceRows} rows
 * @property {(news: News) => void} [tell] somebody has a device that was not there before, or one with another key
 * @property {() => string} [makeID]
 */

export class Sealer {
  /** @type {SealerOptions} */ #options;
  /** @type {Book} */ #book;
  /** @type {Promise<Result<OwnDevice>>|null} */ #own = null;
  /** By author and name: the message that had the name first. @type {Map<string, string>} */ #names = new Map();

  /** @param {SealerOptions} options */
  constructor(options) {
    this.#options = options;
    const { store, rows, userId } = options;
    this.#book = new Book({ store, name: `book ${userId}`, ask: (ids) => rows.devicesOf(ids), tell: (news) => options.tell?.(news) });
  }

  /** This device, made and registered if it was not. @returns {Promise<Result<OwnDevice>>} `sealing_unsupported` where the browser cannot */
  async device() {
    this.#own ??= this.#prepare();
    const answer = await this.#own;
    // What failed may be tried again.
    if (!answer.ok) this.#own = null;
    return answer;
  }

  /**
   * @param {{conversationId: string, clientId: string}} place @param {string} text
   * @param {readonly string[]} members all of the conversation, oneself or not
   * @returns {Promise<Result<SealedBody>>}
   */
  async seal({ conversationId, clientId }, text, members) {
    if (utf8(JSON.stringify({ text })).length > CONTENT_MAX) return refused('message_too_long');
    const own = await this.device();
    if (!own.ok) return own;
    const { userId } = this.#options;
    const answer = await this.#book.devicesOf([...new Set([...members, userId])]);
    if (!answer.ok) return answer;
    const without = [...answer.value].filter(([, devices]) => devices.length === 0).map(([id]) => id);
    if (without.length > 0) return refused('no_device', { users: without });
    const recipients = [...answer.value.values()].flat();
    if (recipients.length > DEVICES_MAX) return refused('too_many_devices');
    return { ok: true, value: await seal(own.value, { conversationId, authorId: userId, clientId }, text, recipients) };
  }

  /** @param {Envelope} message @param {unknown} body @returns {Promise<Result<{text: string}|{unreadable: Unreadable}>>} a problem: not known yet */
  async open({ conversationId, authorId, clientId, id }, body) {
    const own = await this.device();
    if (!own.ok) return own;
    const deviceId = authorDevice(body, own.value);
    if (deviceId === null || clientId === null) return unreadable('not_for_this_device');
    const key = await this.#book.keyOf(authorId, deviceId);
    if (!key.ok) return key;
    if (key.value === null) return unreadable('unknown_device');
    const text = await open(own.value, this.#options.userId, { conversationId, authorId, clientId }, body, key.value);
    if (text === null) return unreadable('damaged');
    return this.#isFirst(`${authorId} ${clientId}`, id) ? { ok: true, value: { text } } : unreadable('repeated');
  }

  /** @param {string} userId */
  devicesChanged(userId) { this.#book.forgetList(userId); }

  /** The socket was away: nobody told what has changed. */
  mayHaveMissed() { this.#book.forgetLists(); }

  /** @param {string} userId @returns {Promise<Result<{number: string, compared: 'never'|'same'|'changed'}>>} */
  async safety(userId) {
    const own = await this.device();
    if (!own.ok) return own;
    const [mine, theirs] = [await this.#book.print(this.#options.userId), await this.#book.print(userId)];
    if (!mine.ok) return mine;
    if (!theirs.ok) return theirs;
    const number = safetyNumber(mine.value, theirs.value);
    return { ok: true, value: { number, compared: await this.#book.comparison(userId, number) } };
  }

  /** @param {string} userId @param {string} number that both have read out */
  setCompared(userId, number) { return this.#book.setCompared(userId, number); }

  /** The private key is gone for ever, and with it what only this device could read. */
  async forgetDevice() {
    this.#own = null;
    await this.#options.store.remove(this.#ownName);
  }

  get #ownName() { return `device ${this.#options.userId}`; }

  /** @returns {Promise<Result<OwnDevice>>} */
  async #prepare() {
    const { store, rows, deviceName, makeID = () => globalThis.crypto.randomUUID() } = this.#options;
    /** @type {OwnDevice} */
    let own;
    try {
      own = await store.get(this.#ownName);
      if (own === undefined) {
        if (!await canSeal()) return refused('sealing_unsupported');
        own = await store.add(this.#ownName, { id: makeID(), ...await newKeyPair() });
      }
    } catch {
      return refused('sealing_unsupported');
    }
    const answer = await rows.registerDevice({ id: own.id, name: deviceName, algorithm: ALGORITHM, identityKey: toBase64(own.publicKey) });
    return answer.ok ? { ok: true, value: own } : answer;
  }

  /** @param {string} name @param {string} id */
  #isFirst(name, id) {
    const first = this.#names.get(name);
    if (first !== undefined) return first === id;
    this.#names.set(name, id);
    if (this.#names.size > NAMES_MAX) this.#names.delete(/** @type {string} */ (this.#names.keys().next().value));
    return true;
  }
}

/** @param {string} code @param {Record<string, any>} [info] @returns {{ok: false, problem: CallProblem}} */
const refused = (code, info) => ({ ok: false, problem: problem(canonicalCode(code) ?? code, { info }) });

/** @param {Unreadable} why @returns {{ok: true, value: {unreadable: Unreadable}}} */
const unreadable = (why) => ({ ok: true, value: { unreadable: why } });
