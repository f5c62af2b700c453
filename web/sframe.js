// @ts-check
/**
 * SFrame (RFC 9605): end-to-end encryption of media frames, and the call's secret in a link's fragment, which browsers
 * never send to a server. docs/web.md says what it protects and what not.
 *
 * @module
 */

/** Bytes of a call's secret. */
export const SECRET_BYTES = 32;

/** Whether this browser can encrypt (`RTCRtpScriptTransform`, WebCrypto, workers). @param {any} [world] @returns {boolean} */
export function canEncrypt(world = globalThis) {
  return [world.RTCRtpScriptTransform, world.Worker, world.crypto?.subtle].every(Boolean);
}

/** @returns {Uint8Array} a new secret for a call */
export function makeSecret() { return crypto.getRandomValues(new Uint8Array(SECRET_BYTES)); }

/** `#key=…` of a link. @param {Uint8Array} secret @returns {string} */
export function fragmentOf(secret) { throw new Error(`not built yet: ${secret.length}`); }

/** @param {string} fragment of a location, with or without `#` @returns {Uint8Array|null} null without a good key */
export function secretFrom(fragment) { throw new Error(`not built yet: ${fragment.length}`); }

/** The worker that does it, for `CallOptions.encryption.makeWorker`. @returns {Worker} */
export function makeWorker() { return new Worker(new URL('./sframe-worker.js', import.meta.url), { type: 'module' }); }
