// @ts-check
/**
 * Keys and encryption of SFrame (RFC 9605 §4.4) on WebCrypto, with the suites of AES-GCM.
 *
 * @module
 */

import { decodeHeader, encodeHeader, fixedBytes } from './header.js';

/** @typedef {{id: number, hash: string, keyBytes: number}} Suite */
/** @typedef {{kid: bigint, key: CryptoKey, salt: Uint8Array}} FrameKey */

/** @type {Readonly<Record<string, Suite>>} */
export const SUITES = Object.freeze({
  AES_128_GCM_SHA256_128: Object.freeze({ id: 4, hash: 'SHA-256', keyBytes: 16 }),
  AES_256_GCM_SHA512_128: Object.freeze({ id: 5, hash: 'SHA-512', keyBytes: 32 }),
});
/** Nn: bytes of a nonce. Nt: bytes of a tag. */
const NONCE_BYTES = 12;
export const TAG_BYTES = 16;
/** Frames under one key: the limit of AES-GCM for random ones, far below that of counted ones, and a year of a call. */
export const COUNTER_MAX = 1n << 32n;

/**
 * @param {Suite} suite @param {bigint} kid @param {Uint8Array} baseKey
 * @param {KeyUsage[]} usages @returns {Promise<FrameKey>}
 */
export async function deriveKey(suite, kid, baseKey, usages) {
  const secret = await crypto.subtle.importKey('raw', baseKey, 'HKDF', false, ['deriveBits']);
  const expand = async (/** @type {string} */ label, /** @type {number} */ length) => {
    const info = concatenate(new TextEncoder().encode(label), fixedBytes(kid, 8), fixedBytes(BigInt(suite.id), 2));
    const algorithm = { name: 'HKDF', hash: suite.hash, salt: new Uint8Array(0), info };
    return new Uint8Array(await crypto.subtle.deriveBits(algorithm, secret, length * 8));
  };
  const keyBytes = await expand('SFrame 1.0 Secret key ', suite.keyBytes);
  const salt = await expand('SFrame 1.0 Secret salt ', NONCE_BYTES);
  const key = await crypto.subtle.importKey('raw', keyBytes, 'AES-GCM', false, usages);
  keyBytes.fill(0);
  return { kid, key, salt };
}

/** @param {FrameKey} key @param {bigint} ctr @returns {Uint8Array} */
function nonce({ salt }, ctr) {
  const bytes = fixedBytes(ctr, NONCE_BYTES);
  for (let index = 0; index < NONCE_BYTES; index += 1) bytes[index] ^= salt[index];
  return bytes;
}

/**
 * @param {FrameKey} key @param {bigint} ctr never twice under one key
 * @param {Uint8Array} metadata that is sent along in the clear, and is authenticated
 * @param {Uint8Array} plaintext @returns {Promise<Uint8Array>} header, ciphertext, tag
 */
export async function encryptFrame(key, ctr, metadata, plaintext) {
  if (ctr >= COUNTER_MAX) throw new RangeError('the key has encrypted all the frames that it may');
  const header = encodeHeader(key.kid, ctr);
  const algorithm = { name: 'AES-GCM', iv: nonce(key, ctr), additionalData: concatenate(header, metadata) };
  return concatenate(header, new Uint8Array(await crypto.subtle.encrypt(algorithm, key.key, plaintext)));
}

/**
 * @param {(kid: bigint) => Promise<FrameKey>} keyOf
 * @param {Uint8Array} metadata @param {Uint8Array} frame header, ciphertext, tag
 * @returns {Promise<{kid: bigint, plaintext: Uint8Array}|null>} null for what is no frame, or not of this key
 */
export async function decryptFrame(keyOf, metadata, frame) {
  const header = decodeHeader(frame);
  if (!header || frame.length < header.length + TAG_BYTES) return null;
  const key = await keyOf(header.kid);
  const additionalData = concatenate(frame.subarray(0, header.length), metadata);
  const algorithm = { name: 'AES-GCM', iv: nonce(key, header.ctr), additionalData };
  try {
    const plaintext = await crypto.subtle.decrypt(algorithm, key.key, frame.subarray(header.length));
    return { kid: header.kid, plaintext: new Uint8Array(plaintext) };
  } catch {
    return null;
  }
}

/** @param {...Uint8Array} parts @returns {Uint8Array} */
export function concatenate(...parts) {
  const whole = new Uint8Array(parts.reduce((length, one) => length + one.length, 0));
  let at = 0;
  for (const one of parts) {
    whole.set(one, at);
    at += one.length;
  }
  return whole;
}
