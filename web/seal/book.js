// @ts-check
/**
 * Which devices people have, as this one remembers it: a device that was seen once keeps its key for ever
 * (docs/protocol/sealed-messages.md). Lists are asked for again when the server says that they have changed.
 *
 * @module
 */

import { KEY_BYTES, fromBase64, idBytes, join, label, toBase64 } from './encoding.js';

/** @typedef {import('./store.js').KeyStore} KeyStore */
/** @typedef {import('./box.js').Recipient} Recipient */
/** @typedef {import('../call/types.js').CallProblem} CallProblem */
/** @template T @typedef {import('../plexichat-api.js').Result<T>} Result */
/** A device as the server lists it. @typedef {{id: string, algorithm: string, identityKey: string}} Listed */
/** @typedef {(userIds: readonly string[]) => Promise<Result<Map<string, Listed[]>>>} Ask */
/**
 * What is remembered of somebody: keys by device; the print that was compared by people; when it was last looked at.
 * @typedef {{keys: Record<string, string>, compared: string|null, seen: number}} Page
 */
/** What a list told that was not known. @typedef {{userId: string, added: string[], rebound: string[]}} News */

export const ALGORITHM = 'x25519';
/** People who are remembered: more than a browser's user writes to. */
export const PEOPLE_MAX = 5_000;

export class Book {
  /** @type {KeyStore} */ #store;
  /** @type {string} */ #name;
  /** @type {Ask} */ #ask;
  /** @type {(news: News) => void} */ #tell;
  /** @type {Map<string, Page>} */ #pages = new Map();
  /** Devices in use now, by person; absent where the list has to be asked for. @type {Map<string, Recipient[]>} */ #current = new Map();
  #isRead = false;
  #clock = 0;

  /** @param {{store: KeyStore, name: string, ask: Ask, tell: (news: News) => void}} options */
  constructor({ store, name, ask, tell }) {
    [this.#store, this.#name, this.#ask, this.#tell] = [store, name, ask, tell];
  }

  /** The devices of people, each with the key that is remembered. @param {readonly string[]} userIds @returns {Promise<Result<Map<string, Recipient[]>>>} */
  async devicesOf(userIds) {
    await this.#read();
    const missing = userIds.filter((id) => !this.#current.has(id));
    if (missing.length > 0) {
      const answer = await this.#ask(missing);
      if (!answer.ok) return answer;
      for (const id of missing) this.#learn(id, answer.value.get(id) ?? []);
      await this.#save();
    }
    return { ok: true, value: new Map(userIds.map((id) => [id, this.#current.get(id) ?? []])) };
  }

  /** The key that a device had when it was first seen; asked for when it was not. @param {string} userId @param {string} deviceId @returns {Promise<Result<Uint8Array|null>>} null: no device of this person */
  async keyOf(userId, deviceId) {
    await this.#read();
    const known = this.#pages.get(userId)?.keys[deviceId];
    if (known === undefined) {
      this.#current.delete(userId);
      const answer = await this.devicesOf([userId]);
      if (!answer.ok) return answer;
    }
    return { ok: true, value: fromBase64(this.#pages.get(userId)?.keys[deviceId], KEY_BYTES) };
  }

  /** The server says that somebody's devices are others now. @param {string} userId */
  forgetList(userId) { this.#current.delete(userId); }

  /** Everybody's: events may have been missed. */
  forgetLists() { this.#current.clear(); }

  /** Somebody's half of a safety number: thirty digits. @param {string} userId @returns {Promise<Result<string>>} */
  async print(userId) {
    const answer = await this.devicesOf([userId]);
    if (!answer.ok) return answer;
    return { ok: true, value: await printOf(userId, answer.value.get(userId) ?? []) };
  }

  /** People have compared the number. @param {string} userId @param {string} print */
  async setCompared(userId, print) {
    await this.#read();
    this.#page(userId).compared = print;
    await this.#save();
  }

  /** @param {string} userId @param {string} print @returns {Promise<'never'|'same'|'changed'>} */
  async comparison(userId, print) {
    await this.#read();
    const compared = this.#pages.get(userId)?.compared ?? null;
    return compared === null ? 'never' : compared === print ? 'same' : 'changed';
  }

  /** @param {string} userId @param {readonly Listed[]} listed */
  #learn(userId, listed) {
    const page = this.#page(userId);
    const isKnown = Object.keys(page.keys).length > 0;
    /** @type {News} */
    const news = { userId, added: [], rebound: [] };
    /** @type {Recipient[]} */
    const current = [];
    for (const { id, algorithm, identityKey } of listed) {
      const key = fromBase64(identityKey, KEY_BYTES);
      // Devices of other programs, with keys of another kind, cannot be sealed for.
      if (algorithm !== ALGORITHM || !key || !idBytes(id)) continue;
      const text = toBase64(key);
      if (!Object.hasOwn(page.keys, id)) {
        page.keys[id] = text;
        if (isKnown) news.added.push(id);
      }
      if (page.keys[id] === text) current.push({ userId, deviceId: id, publicKey: key });
      else news.rebound.push(id);
    }
    this.#current.set(userId, current);
    if (news.added.length + news.rebound.length > 0) this.#tell(news);
  }

  /** @param {string} userId @returns {Page} */
  #page(userId) {
    const page = this.#pages.get(userId) ?? { keys: {}, compared: null, seen: 0 };
    page.seen = this.#clock += 1;
    this.#pages.set(userId, page);
    return page;
  }

  async #read() {
    if (this.#isRead) return;
    const stored = await this.#store.get(this.#name);
    if (this.#isRead) return;
    this.#isRead = true;
    for (const [userId, page] of stored ?? []) {
      this.#pages.set(userId, page);
      this.#clock = Math.max(this.#clock, page.seen);
    }
  }

  async #save() {
    if (this.#pages.size > PEOPLE_MAX) {
      const oldest = [...this.#pages].sort(([, a], [, b]) => a.seen - b.seen).slice(0, this.#pages.size - PEOPLE_MAX);
      for (const [userId] of oldest) this.#pages.delete(userId);
    }
    await this.#store.put(this.#name, structuredClone([...this.#pages]));
  }
}

/** @param {string} userId @param {readonly Recipient[]} devices @returns {Promise<string>} */
export async function printOf(userId, devices) {
  const user = idBytes(userId);
  if (!user) throw new TypeError('a print is of somebody');
  const inOrder = [...devices].sort((a, b) => (a.deviceId.toLowerCase() < b.deviceId.toLowerCase() ? -1 : 1));
  const parts = inOrder.flatMap(({ deviceId, publicKey }) => [/** @type {Uint8Array} */ (idBytes(deviceId)), publicKey]);
  const hash = new Uint8Array(await globalThis.crypto.subtle.digest('SHA-256', join(label('PlexiChat safety number v1'), user, ...parts)));
  return Array.from({ length: 6 }, (_, group) => {
    const number = hash.subarray(5 * group, 5 * group + 5).reduce((sum, byte) => sum * 256 + byte, 0);
    return String(number % 100_000).padStart(5, '0');
  }).join('');
}

/** The number that two people compare, in groups of five. @param {string} one @param {string} other @returns {string} */
export const safetyNumber = (one, other) => ([one, other].sort().join('').match(/.{5}/g) ?? []).join(' ');
