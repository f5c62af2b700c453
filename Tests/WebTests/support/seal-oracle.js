// @ts-check
/**
 * Sealed messages once more, on Node's own crypto and after docs/protocol/sealed-messages.md only: what contradicts
 * web/seal/ in the tests.
 *
 * @module
 */

import crypto from 'node:crypto';

const label = (/** @type {string} */ text) => Buffer.from(`${text}\0`);
const idBytes = (/** @type {string} */ id) => Buffer.from(id.replaceAll('-', ''), 'hex');
/** RFC 8410's wrapping of a raw key. */
const [PUBLIC, PRIVATE] = ['302a300506032b656e032100', '302e020100300506032b656e04220420'].map((hex) => Buffer.from(hex, 'hex'));

/** @param {Buffer} [seed] @returns {{privateKey: crypto.KeyObject, raw: Buffer, seed: Buffer}} */
export function keyPair(seed = crypto.randomBytes(32)) {
  const privateKey = crypto.createPrivateKey({ key: Buffer.concat([PRIVATE, seed]), format: 'der', type: 'pkcs8' });
  const raw = crypto.createPublicKey(privateKey).export({ format: 'der', type: 'spki' }).subarray(PUBLIC.length);
  return { privateKey, raw, seed };
}

/** For web/seal. @param {Buffer} seed @param {string} id */
export async function ownDevice(seed, id) {
  const { raw } = keyPair(seed);
  const privateKey = await globalThis.crypto.subtle.importKey('pkcs8', Buffer.concat([PRIVATE, seed]), { name: 'X25519' }, false, ['deriveBits']);
  return { id, privateKey, publicKey: new Uint8Array(raw) };
}

/** @param {crypto.KeyObject} own @param {Buffer} other */
const agree = (own, other) => crypto.diffieHellman({
  privateKey: own, publicKey: crypto.createPublicKey({ key: Buffer.concat([PUBLIC, other]), format: 'der', type: 'spki' }),
});

/** @param {Buffer} key @param {Buffer} nonce @param {Buffer} plain @param {Buffer} more */
export function gcm(key, nonce, plain, more) {
  const cipher = crypto.createCipheriv('aes-256-gcm', key, nonce);
  cipher.setAAD(more);
  return Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

/** @param {Buffer} key @param {Buffer} nonce @param {Buffer} sealed @param {Buffer} more */
function ungcm(key, nonce, sealed, more) {
  const cipher = crypto.createDecipheriv('aes-256-gcm', key, nonce);
  cipher.setAAD(more);
  cipher.setAuthTag(sealed.subarray(-16));
  return Buffer.concat([cipher.update(sealed.subarray(0, -16)), cipher.final()]);
}

/** @param {any} place @param {string} device */
const whereOf = (place, device) => Buffer.concat([idBytes(place.conversationId), idBytes(place.authorId), idBytes(device)]);
/** @param {any} place @param {string} device */
export const boxLabel = (place, device) => Buffer.concat([label('PlexiChat message v1'), whereOf(place, device), Buffer.from(place.clientId)]);

/** @param {any} shared @param {any} place @param {string} device @param {any} recipient @param {Buffer} ephemeral @param {Buffer} author @param {Buffer} nonce @param {Buffer} box */
function wrapKey(shared, place, device, recipient, ephemeral, author, nonce, box) {
  const digest = crypto.createHash('sha256').update(nonce).update(box).digest();
  const info = Buffer.concat([label('PlexiChat message key v1'), whereOf(place, device), idBytes(recipient.userId), idBytes(recipient.deviceId), ephemeral, author, recipient.raw, digest]);
  return Buffer.from(crypto.hkdfSync('sha256', shared, Buffer.alloc(0), info, 32));
}

/** @param {string} text @param {number} [block] */
export function padded(text, block = 128) {
  const content = Buffer.from(JSON.stringify({ text }));
  const whole = Buffer.alloc(Math.ceil((4 + content.length) / block) * block);
  whole.writeUInt32BE(content.length);
  content.copy(whole, 4);
  return whole;
}

/**
 * @param {{id: string, pair: ReturnType<typeof keyPair>}} own @param {any} place @param {Buffer} plain
 * @param {{userId: string, deviceId: string, raw: Buffer}[]} recipients @param {(count: number) => Buffer} [random]
 */
export function seal(own, place, plain, recipients, random = (count) => crypto.randomBytes(count)) {
  const [key, nonce, ephemeral] = [random(32), random(12), keyPair(random(32))];
  const box = gcm(key, nonce, plain, boxLabel(place, own.id));
  return {
    ciphertext: box.toString('base64'), ciphertext_nonce: nonce.toString('base64'), encryption_algo: 'plexichat-seal-1',
    encrypted_keys: recipients.map((recipient) => {
      const shared = Buffer.concat([agree(ephemeral.privateKey, recipient.raw), agree(own.pair.privateKey, recipient.raw)]);
      const wrap = wrapKey(shared, place, own.id, recipient, ephemeral.raw, own.pair.raw, nonce, box);
      const m = random(12);
      return {
        recipient_user_id: recipient.userId, recipient_device_id: recipient.deviceId, key_algo: 'x25519-hkdf-sha256-aes256gcm', nonce: m.toString('base64'),
        encrypted_key: Buffer.concat([Buffer.of(1), idBytes(own.id), ephemeral.raw, gcm(wrap, m, key, Buffer.alloc(0))]).toString('base64'),
      };
    }),
  };
}

/** @param {{id: string, pair: ReturnType<typeof keyPair>, userId: string}} own @param {any} place @param {any} body @param {Buffer} authorRaw @param {string} authorDevice @returns {{text: string, key: Buffer}} */
export function open(own, place, body, authorRaw, authorDevice) {
  const entry = body.encrypted_keys.find((/** @type {any} */ one) => one.recipient_device_id === own.id);
  const wrapped = Buffer.from(entry.encrypted_key, 'base64');
  const ephemeral = wrapped.subarray(17, 49);
  const [nonce, box] = [Buffer.from(body.ciphertext_nonce, 'base64'), Buffer.from(body.ciphertext, 'base64')];
  const shared = Buffer.concat([agree(own.pair.privateKey, ephemeral), agree(own.pair.privateKey, authorRaw)]);
  const wrap = wrapKey(shared, place, authorDevice, { userId: own.userId, deviceId: own.id, raw: own.pair.raw }, ephemeral, authorRaw, nonce, box);
  const key = ungcm(wrap, Buffer.from(entry.nonce, 'base64'), wrapped.subarray(49), Buffer.alloc(0));
  const plain = ungcm(key, nonce, box, boxLabel(place, authorDevice));
  return { text: JSON.parse(plain.subarray(4, 4 + plain.readUInt32BE()).toString()).text, key };
}
