// @ts-check
/**
 * How calls use SFrame: a key for each sender out of the call's one secret, and what of a picture stays readable for
 * those who forward it. docs/web.md is normative.
 *
 * @module
 */

import { SUITES, concatenate, decryptFrame, deriveKey, encryptFrame } from './cipher.js';
import { fixedBytes } from './header.js';

/** @typedef {import('./cipher.js').FrameKey} FrameKey */

const SUITE = SUITES.AES_256_GCM_SHA512_128;
/** What the key of a sender is for; another use of the secret would have another. */
const LABEL = 'PlexiChat call sender v1';
/** Senders of one call, people who come back counted anew. More are forgotten, the oldest first, and derived again. */
const KEYS_MAX = 256;
/** Bytes of VP8 in front of what a decoder reads (RFC 6386 §9.1): with the dimensions in a key frame, without in others. */
const VP8_KEY_FRAME_BYTES = 10;
const VP8_OTHER_FRAME_BYTES = 3;

/**
 * How much of a frame stays in the clear: a server, and a browser's own packets, look whether a picture stands alone.
 * @param {'audio'|'video'} kind @param {Uint8Array} frame
 * @returns {number|null} null for what is too short to be a picture
 */
export function clearBytes(kind, frame) {
  if (kind === 'audio') return 0;
  const bytes = (frame[0] & 1) === 0 ? VP8_KEY_FRAME_BYTES : VP8_OTHER_FRAME_BYTES;
  return frame.length < bytes ? null : bytes;
}

/** @param {Uint8Array} secret @param {string} callId @param {bigint} kid @returns {Promise<Uint8Array>} */
export async function senderKey(secret, callId, kid) {
  const root = await crypto.subtle.importKey('raw', secret, 'HKDF', false, ['deriveBits']);
  const info = concatenate(new TextEncoder().encode(`${LABEL}\0${callId}\0`), fixedBytes(kid, 8));
  const algorithm = { name: 'HKDF', hash: 'SHA-512', salt: new Uint8Array(0), info };
  return new Uint8Array(await crypto.subtle.deriveBits(algorithm, root, SUITE.keyBytes * 8));
}

/** Everything that this page sends in one connection: one key, one counter. */
export class FrameSender {
  /** @type {Promise<FrameKey>} */ #key;
  #ctr = 0n;

  /** @param {Uint8Array} secret @param {string} callId */
  constructor(secret, callId) {
    // By chance, so that nobody has to agree on it, and a page that comes back never uses a counter again.
    const kid = crypto.getRandomValues(new BigUint64Array(1))[0];
    this.#key = senderKey(secret, callId, kid).then((base) => deriveKey(SUITE, kid, base, ['encrypt']));
    this.#key.catch(() => {});  // told where a frame is encrypted
  }

  /** @param {'audio'|'video'} kind @param {Uint8Array} frame @returns {Promise<Uint8Array>} rejects rather than letting a frame pass */
  async encrypt(kind, frame) {
    const key = await this.#key;
    const length = clearBytes(kind, frame);
    if (length === null) throw new RangeError('no frame of VP8 is so short');
    const ctr = this.#ctr;
    this.#ctr += 1n;
    const clear = frame.subarray(0, length);
    return concatenate(clear, await encryptFrame(key, ctr, clear, frame.subarray(clear.length)));
  }
}

export class FrameReceiver {
  /** @type {Map<bigint, FrameKey>} those that have opened a frame */ #keys = new Map();
  /** @type {Uint8Array} */ #secret;
  /** @type {string} */ #callId;

  /** @param {Uint8Array} secret @param {string} callId */
  constructor(secret, callId) { [this.#secret, this.#callId] = [secret, callId]; }

  /** @param {'audio'|'video'} kind @param {Uint8Array} frame @returns {Promise<Uint8Array|null>} null for what was not made with the secret */
  async decrypt(kind, frame) {
    const length = clearBytes(kind, frame);
    if (length === null) return null;
    const clear = frame.subarray(0, length);
    /** @type {FrameKey|null} */
    let used = null;
    const opened = await decryptFrame(async (kid) => (used = await this.#key(kid)), clear, frame.subarray(clear.length));
    if (!opened || !used) return null;
    this.#keep(used);
    return concatenate(clear, opened.plaintext);
  }

  /** @param {bigint} kid @returns {Promise<FrameKey>} */
  async #key(kid) {
    return this.#keys.get(kid) ?? deriveKey(SUITE, kid, await senderKey(this.#secret, this.#callId, kid), ['decrypt']);
  }

  /** Numbers that somebody made up push out nobody's key. @param {FrameKey} key */
  #keep(key) {
    if (this.#keys.has(key.kid)) return;
    if (this.#keys.size >= KEYS_MAX) this.#keys.delete(/** @type {bigint} */ (this.#keys.keys().next().value));
    this.#keys.set(key.kid, key);
  }
}
