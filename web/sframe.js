// @ts-check
/**
 * End-to-end encryption for pages: the call's secret in a link's fragment, which browsers never send to a server, and
 * the worker that encrypts frames with it (SFrame, RFC 9605). docs/web.md says what it protects and what not.
 *
 * @module
 */

import { fromBase64URL, toBase64URL } from './api/passkeys.js';

/** Bytes of a call's secret. */
export const SECRET_BYTES = 32;
/** The secret's name in a fragment. */
const NAME = 'key';

/** Whether this browser can encrypt (`RTCRtpScriptTransform`, WebCrypto, workers). @param {any} [world] @returns {boolean} */
export function canEncrypt(world = globalThis) {
  return [world.RTCRtpScriptTransform, world.Worker, world.crypto?.subtle].every(Boolean);
}

/** @returns {Uint8Array} a new secret for a call */
export function makeSecret() { return crypto.getRandomValues(new Uint8Array(SECRET_BYTES)); }

/** `key=…` for a link, after its `#`. @param {Uint8Array} secret @returns {string} */
export function fragmentOf(secret) {
  if (secret.length !== SECRET_BYTES) throw new RangeError(`a secret has ${SECRET_BYTES} bytes`);
  return `${NAME}=${toBase64URL(secret)}`;
}

/** @param {string} fragment of a location, with or without `#` @returns {Uint8Array|null} null without a good key */
export function secretFrom(fragment) {
  const text = new URLSearchParams(fragment.replace(/^#/, '')).get(NAME);
  if (text === null || !/^[A-Za-z0-9_-]{43}$/.test(text)) return null;
  const secret = fromBase64URL(text);
  // The last character has bits to spare: only one of them is the secret's own form.
  return secret.length === SECRET_BYTES && toBase64URL(secret) === text ? secret : null;
}

/** The worker that does it, for `CallOptions.encryption.makeWorker`. @returns {Worker} */
export function makeWorker() { return new Worker(new URL('./sframe-worker.js', import.meta.url), { type: 'module' }); }
