// @ts-check
/**
 * Sealing and opening one message on WebCrypto (docs/protocol/sealed-messages.md). Knows no server, no store and no
 * clock; what it was given and cannot be opened is null.
 *
 * @module
 */

import * as bytes from './encoding.js';

/** What the server keeps of it; calls' form of a body. */
export const ALGORITHM = 'plexichat-seal-1';
const KEY_ALGORITHM = 'x25519-hkdf-sha256-aes256gcm';
/** Of the server. */
export const DEVICES_MAX = 1_000;

/** @typedef {{id: string, privateKey: CryptoKey, publicKey: Uint8Array}} OwnDevice */
/** @typedef {{userId: string, deviceId: string, publicKey: Uint8Array}} Recipient */
/** Where a message stands, and who wrote it. @typedef {{conversationId: string, authorId: string, clientId: string}} Place */
/**
 * @typedef {{ciphertext: string, ciphertext_nonce: string, encryption_algo: string, encrypted_keys: {
 *   recipient_user_id: string, recipient_device_id: string, encrypted_key: string, key_algo: string, nonce: string}[]}} SealedBody
 */

const subtle = () => globalThis.crypto.subtle;
const random = (/** @type {number} */ count) => globalThis.crypto.getRandomValues(new Uint8Array(count));

/** @returns {Promise<boolean>} whether this browser can seal at all */
export async function canSeal() {
  try {
    await newKeyPair();
    return true;
  } catch {
    return false;
  }
}

/** Its private half stays in the browser's keeping. @returns {Promise<{privateKey: CryptoKey, publicKey: Uint8Array}>} */
export async function newKeyPair() {
  const pair = /** @type {CryptoKeyPair} */ (await subtle().generateKey({ name: 'X25519' }, false, ['deriveBits']));
  return { privateKey: pair.privateKey, publicKey: new Uint8Array(await subtle().exportKey('raw', pair.publicKey)) };
}

/**
 * @param {OwnDevice} own @param {Place} place @param {string} text @param {readonly Recipient[]} recipients
 * @returns {Promise<SealedBody>} for recipients of `DEVICES_MAX` at most, text of `CONTENT_MAX`
 */
export async function seal(own, place, text, recipients) {
  const where = whereOf(place, bytes.idBytes(own.id));
  if (!where) throw new TypeError('a message stands in a conversation and has an author and a device');
  const [key, nonce] = [random(bytes.KEY_BYTES), random(bytes.NONCE_BYTES)];
  const padded = bytes.pad(bytes.utf8(JSON.stringify({ text })));
  const box = await encrypt(key, nonce, padded, boxLabel(where, place.clientId));
  const ephemeral = await newKeyPair();
  const digest = await digestOf(nonce, box);
  const encryptedKeys = [];
  for (const recipient of recipients) {
    const shared = bytes.join(await agree(ephemeral.privateKey, recipient.publicKey), await agree(own.privateKey, recipient.publicKey));
    const info = wrapInfo(where, recipient, ephemeral.publicKey, own.publicKey, digest);
    if (!info) throw new TypeError('a recipient is a device of somebody');
    const wrapNonce = random(bytes.NONCE_BYTES);
    const sealed = await encrypt(await derive(shared, info), wrapNonce, key, new Uint8Array(0));
    encryptedKeys.push({
      recipient_user_id: recipient.userId, recipient_device_id: recipient.deviceId, key_algo: KEY_ALGORITHM, nonce: bytes.toBase64(wrapNonce),
      encrypted_key: bytes.wrapText({ device: /** @type {Uint8Array} */ (bytes.idBytes(own.id)), ephemeral: ephemeral.publicKey, sealed }),
    });
  }
  key.fill(0);
  return { ciphertext: bytes.toBase64(box), ciphertext_nonce: bytes.toBase64(nonce), encryption_algo: ALGORITHM, encrypted_keys: encryptedKeys };
}

/**
 * Which of the author's devices sealed it, by its own word: `open` proves it.
 * @param {unknown} body @param {Pick<OwnDevice, 'id'>} own @returns {string|null} null when it is not sealed for this device
 */
export function authorDevice(body, own) {
  const wrap = bytes.readWrap(entryOf(body, own)?.encrypted_key);
  return wrap && bytes.idText(wrap.device);
}

/**
 * @param {OwnDevice} own @param {string} userId one's own @param {Place} place @param {any} body
 * @param {Uint8Array} authorKey of the device that `authorDevice` named
 * @returns {Promise<string|null>} the text; null for what is not by this device, of this place, or whole
 */
export async function open(own, userId, place, body, authorKey) {
  const entry = entryOf(body, own);
  const wrap = bytes.readWrap(entry?.encrypted_key);
  const [nonce, wrapNonce] = [bytes.fromBase64(body?.ciphertext_nonce, bytes.NONCE_BYTES), bytes.fromBase64(entry?.nonce, bytes.NONCE_BYTES)];
  const box = bytes.fromBase64(body?.ciphertext);
  if (!wrap || !nonce || !wrapNonce || !box || body.encryption_algo !== ALGORITHM || entry.key_algo !== KEY_ALGORITHM) return null;
  const where = whereOf(place, wrap.device);
  const recipient = { userId, deviceId: own.id, publicKey: own.publicKey };
  const info = where && wrapInfo(where, recipient, wrap.ephemeral, authorKey, await digestOf(nonce, box));
  if (!info) return null;
  try {
    const shared = bytes.join(await agree(own.privateKey, wrap.ephemeral), await agree(own.privateKey, authorKey));
    const key = await decrypt(await derive(shared, info), wrapNonce, wrap.sealed, new Uint8Array(0));
    return textOf(bytes.unpad(await decrypt(key, nonce, box, boxLabel(where, place.clientId))));
  } catch {
    return null; // WebCrypto tells no more than that
  }
}

/** @param {any} body @param {Pick<OwnDevice, 'id'>} own @returns {any} */
function entryOf(body, own) {
  if (!Array.isArray(body?.encrypted_keys) || body.encrypted_keys.length > DEVICES_MAX) return null;
  return body.encrypted_keys.find((/** @type {any} */ one) => one?.recipient_device_id === own.id) ?? null;
}

/** @param {Uint8Array|null} content @returns {string|null} */
function textOf(content) {
  if (!content) return null;
  try {
    const { text } = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(content));
    return typeof text === 'string' ? text : null;
  } catch {
    return null;
  }
}

// What is bound to what

/** @param {Place} place @param {Uint8Array|null} device @returns {Uint8Array|null} */
function whereOf({ conversationId, authorId }, device) {
  const [conversation, author] = [bytes.idBytes(conversationId), bytes.idBytes(authorId)];
  return conversation && author && device && bytes.join(conversation, author, device);
}

/** @param {Uint8Array} where @param {string} clientId */
const boxLabel = (where, clientId) => bytes.join(bytes.label('PlexiChat message v1'), where, bytes.utf8(clientId));

/**
 * @param {Uint8Array} where @param {Recipient} recipient @param {Uint8Array} ephemeral @param {Uint8Array} author
 * @param {Uint8Array} digest @returns {Uint8Array|null}
 */
function wrapInfo(where, { userId, deviceId, publicKey }, ephemeral, author, digest) {
  const [user, device] = [bytes.idBytes(userId), bytes.idBytes(deviceId)];
  if (!user || !device || publicKey.length !== bytes.KEY_BYTES || author.length !== bytes.KEY_BYTES) return null;
  return bytes.join(bytes.label('PlexiChat message key v1'), where, user, device, ephemeral, author, publicKey, digest);
}

// Primitives

/** @param {Uint8Array} nonce @param {Uint8Array} box @returns {Promise<Uint8Array>} */
const digestOf = async (nonce, box) => new Uint8Array(await subtle().digest('SHA-256', bytes.join(nonce, box)));

/** Fails for points of small order, as WebCrypto must. @param {CryptoKey} own @param {Uint8Array} other @returns {Promise<Uint8Array>} */
async function agree(own, other) {
  const key = await subtle().importKey('raw', other, { name: 'X25519' }, false, []);
  return new Uint8Array(await subtle().deriveBits({ name: 'X25519', public: key }, own, 256));
}

/** @param {Uint8Array} shared is empty afterwards @param {Uint8Array} info @returns {Promise<Uint8Array>} */
async function derive(shared, info) {
  const secret = await subtle().importKey('raw', shared, 'HKDF', false, ['deriveBits']);
  shared.fill(0);
  return new Uint8Array(await subtle().deriveBits({ name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(0), info }, secret, 256));
}

/** @param {Uint8Array} raw @param {Uint8Array} iv @param {Uint8Array} plain @param {Uint8Array} additionalData */
async function encrypt(raw, iv, plain, additionalData) {
  const key = await subtle().importKey('raw', raw, 'AES-GCM', false, ['encrypt']);
  return new Uint8Array(await subtle().encrypt({ name: 'AES-GCM', iv, additionalData }, key, plain));
}

/** @param {Uint8Array} raw @param {Uint8Array} iv @param {Uint8Array} sealed @param {Uint8Array} additionalData */
async function decrypt(raw, iv, sealed, additionalData) {
  const key = await subtle().importKey('raw', raw, 'AES-GCM', false, ['decrypt']);
  return new Uint8Array(await subtle().decrypt({ name: 'AES-GCM', iv, additionalData }, key, sealed));
}
