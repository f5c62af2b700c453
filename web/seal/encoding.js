// @ts-check
/**
 * Bytes of sealed messages (docs/protocol/sealed-messages.md): base64, identifiers, padding, the head of a wrapped key.
 * Pure. What is malformed is null.
 *
 * @module
 */

/** A length is hidden up to so many bytes. */
const PADDING = 128;
/** Bytes of text in one message: what is left of the server's 65,536 characters, sealed and written in base64. */
export const CONTENT_MAX = 48_000;
/** Characters of base64 that are looked at. */
const BASE64_MAX = 96 << 10;
/** Of the first byte of a wrapped key. */
const VERSION = 1;
export const [ID_BYTES, KEY_BYTES, NONCE_BYTES, TAG_BYTES] = [16, 32, 12, 16];
const WRAPPED_BYTES = 1 + ID_BYTES + KEY_BYTES + KEY_BYTES + TAG_BYTES;

/** @param {Uint8Array} bytes @returns {string} */
export function toBase64(bytes) {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}

/** @param {unknown} text @param {number} [length] that it must have, in bytes @returns {Uint8Array|null} */
export function fromBase64(text, length) {
  if (typeof text !== 'string' || text.length > BASE64_MAX || !/^[A-Za-z0-9+/]*={0,2}$/.test(text) || text.length % 4 !== 0) return null;
  let raw;
  try {
    raw = atob(text);
  } catch {
    return null;
  }
  if (length !== undefined && raw.length !== length) return null;
  return Uint8Array.from(raw, (character) => character.charCodeAt(0));
}

/** @param {unknown} id a UUID @returns {Uint8Array|null} */
export function idBytes(id) {
  if (typeof id !== 'string' || !/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(id)) return null;
  const digits = id.replaceAll('-', '');
  return Uint8Array.from({ length: ID_BYTES }, (_, index) => Number.parseInt(digits.slice(2 * index, 2 * index + 2), 16));
}

/** @param {Uint8Array} bytes @returns {string} */
export function idText(bytes) {
  const digits = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return [8, 12, 16, 20, 32].map((end, index, ends) => digits.slice(ends[index - 1] ?? 0, end)).join('-');
}

/** @param {...Uint8Array} parts @returns {Uint8Array} */
export function join(...parts) {
  const whole = new Uint8Array(parts.reduce((length, one) => length + one.length, 0));
  let at = 0;
  for (const one of parts) {
    whole.set(one, at);
    at += one.length;
  }
  return whole;
}

/** @param {string} text @returns {Uint8Array} with its closing zero */
export const label = (text) => join(utf8(text), new Uint8Array(1));

/** @param {string} text @returns {Uint8Array} */
export const utf8 = (text) => new TextEncoder().encode(text);

/** @param {Uint8Array} content at most `CONTENT_MAX` @returns {Uint8Array} */
export function pad(content) {
  const padded = new Uint8Array(Math.ceil((4 + content.length) / PADDING) * PADDING);
  new DataView(padded.buffer).setUint32(0, content.length);
  padded.set(content, 4);
  return padded;
}

/** @param {Uint8Array} padded @returns {Uint8Array|null} */
export function unpad(padded) {
  if (padded.length < 4) return null;
  const length = new DataView(padded.buffer, padded.byteOffset).getUint32(0);
  const isWhole = length <= padded.length - 4 && padded.length % PADDING === 0 && padded.subarray(4 + length).every((byte) => byte === 0);
  return isWhole ? padded.subarray(4, 4 + length) : null;
}

/** @param {{device: Uint8Array, ephemeral: Uint8Array, sealed: Uint8Array}} key @returns {string} */
export const wrapText = ({ device, ephemeral, sealed }) => toBase64(join(Uint8Array.of(VERSION), device, ephemeral, sealed));

/** @param {unknown} text @returns {{device: Uint8Array, ephemeral: Uint8Array, sealed: Uint8Array}|null} */
export function readWrap(text) {
  const bytes = fromBase64(text, WRAPPED_BYTES);
  if (!bytes || bytes[0] !== VERSION) return null;
  const [device, ephemeral] = [1 + ID_BYTES, 1 + ID_BYTES + KEY_BYTES];
  return { device: bytes.subarray(1, device), ephemeral: bytes.subarray(device, ephemeral), sealed: bytes.subarray(ephemeral) };
}
