// SFrame against an implementation of its own: node's crypto (OpenSSL by another way than WebCrypto), written from the
// text of RFC 9605. Then bad input, the worker, and the secret in a link.
import assert from 'node:assert/strict';
import { createCipheriv, createDecipheriv, createHmac, hkdfSync } from 'node:crypto';
import { test } from 'node:test';

import './support/world.js';
import { SUITES, concatenate, decryptFrame, deriveKey, encryptFrame } from '../../web/sframe/cipher.js';
import { decodeHeader, encodeHeader, fixedBytes } from '../../web/sframe/header.js';
import { FrameReceiver, FrameSender, clearBytes, senderKey } from '../../web/sframe/media.js';
import { canEncrypt, fragmentOf, makeSecret, secretFrom } from '../../web/sframe.js';

const hex = (text) => Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'));
const shown = (bytes) => Buffer.from(bytes).toString('hex');

/** A generator of our own, so that a failure can be had again: xorshift32. */
function chance(seed) {
  let state = seed;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

/** §4.4.2 and §4.4.3, by node's crypto. */
const oracle = {
  expand(hash, prk, info, length) {
    let [block, whole] = [Buffer.alloc(0), Buffer.alloc(0)];
    for (let count = 1; whole.length < length; count += 1) {
      block = createHmac(hash, prk).update(Buffer.concat([block, info, Buffer.from([count])])).digest();
      whole = Buffer.concat([whole, block]);
    }
    return whole.subarray(0, length);
  },
  keys({ id, hash, keyBytes }, kid, base) {
    const name = hash.replace('-', '').toLowerCase();
    const prk = createHmac(name, Buffer.alloc(0)).update(base).digest();
    const tail = Buffer.alloc(10);
    tail.writeBigUInt64BE(kid);
    tail.writeUInt16BE(id, 8);
    const info = (label) => Buffer.concat([Buffer.from(label), tail]);
    return {
      key: this.expand(name, prk, info('SFrame 1.0 Secret key '), keyBytes),
      salt: this.expand(name, prk, info('SFrame 1.0 Secret salt '), 12),
    };
  },
  nonce(salt, ctr) {
    const nonce = Buffer.from(salt);
    for (let index = 11, rest = ctr; index >= 0; index -= 1, rest >>= 8n) nonce[index] ^= Number(rest & 255n);
    return nonce;
  },
  seal(suite, kid, ctr, base, header, metadata, plaintext) {
    const { key, salt } = this.keys(suite, kid, base);
    const cipher = createCipheriv(`aes-${suite.keyBytes * 8}-gcm`, key, this.nonce(salt, ctr));
    cipher.setAAD(Buffer.concat([header, metadata]));
    return Buffer.concat([header, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
  },
  open(suite, kid, ctr, base, header, metadata, sealed) {
    const { key, salt } = this.keys(suite, kid, base);
    const cipher = createDecipheriv(`aes-${suite.keyBytes * 8}-gcm`, key, this.nonce(salt, ctr));
    cipher.setAAD(Buffer.concat([header, metadata]));
    cipher.setAuthTag(sealed.subarray(sealed.length - 16));
    return Buffer.concat([cipher.update(sealed.subarray(header.length, sealed.length - 16)), cipher.final()]);
  },
};

test('headers have the form of the diagram', () => {
  const cases = [
    [0n, 0n, '00'], [7n, 7n, '77'], [8n, 0n, '80 08'], [0n, 8n, '08 08'], [0xffn, 0x100n, '89 ff 0100'],
    [0x123n, 0x4567n, '99 0123 4567'], [(1n << 64n) - 1n, 1n << 56n, 'ff ffffffffffffffff 0100000000000000'],
  ];
  for (const [kid, ctr, wanted] of cases) {
    assert.equal(shown(encodeHeader(kid, ctr)), wanted.replaceAll(' ', ''));
    assert.deepEqual(decodeHeader(concatenate(hex(wanted), hex('aabb'))), { kid, ctr, length: hex(wanted).length });
  }
  assert.throws(() => encodeHeader(1n << 64n, 0n), RangeError);
  assert.throws(() => encodeHeader(-1n, 0n), RangeError);
});

test('ten thousand random numbers come back from their headers, and no cut header is read', () => {
  const next = chance(9605);
  const number = () => {
    let value = 0n;
    for (let byte = next(9); byte > 0; byte -= 1) value = (value << 8n) | BigInt(next(256));
    return value;
  };
  for (let round = 0; round < 10_000; round += 1) {
    const [kid, ctr] = [number(), number()];
    const header = encodeHeader(kid, ctr);
    assert.deepEqual(decodeHeader(header), { kid, ctr, length: header.length });
    for (let length = 0; length < header.length; length += 1) {
      assert.equal(decodeHeader(header.subarray(0, length)), null, shown(header));
    }
  }
});

test('whatever the bytes, a header is read within them or not at all', () => {
  const next = chance(1);
  for (let round = 0; round < 50_000; round += 1) {
    const data = Uint8Array.from({ length: next(24) }, () => next(256));
    const header = decodeHeader(data);
    if (header) assert.ok(header.length <= data.length && header.kid >= 0n && header.ctr < 1n << 64n);
    else assert.ok(data.length < 17, shown(data));
  }
});

test('both suites seal what another implementation opens, and the other way round', async () => {
  const next = chance(42);
  for (const suite of Object.values(SUITES)) {
    for (let round = 0; round < 40; round += 1) {
      const bytes = (length) => Uint8Array.from({ length }, () => next(256));
      const [base, metadata, plaintext] = [bytes(16 + next(32)), bytes(next(20)), bytes(next(1_500))];
      const kid = BigInt(next(1 << 30)) << BigInt(next(34));
      const ctr = BigInt(next(1 << 30));
      const key = await deriveKey(suite, kid, base, ['encrypt', 'decrypt']);
      const header = encodeHeader(kid, ctr);
      const ours = await encryptFrame(key, ctr, metadata, plaintext);
      assert.equal(shown(ours), shown(oracle.seal(suite, kid, ctr, base, header, metadata, plaintext)));
      assert.equal(shown(oracle.open(suite, kid, ctr, base, header, metadata, Buffer.from(ours))), shown(plaintext));
      const back = await decryptFrame(async () => key, metadata, ours);
      assert.equal(shown(back.plaintext), shown(plaintext));
    }
  }
});

test('a changed bit anywhere, a cut, other metadata, another key: nothing comes out', async () => {
  const suite = SUITES.AES_256_GCM_SHA512_128;
  const key = await deriveKey(suite, 300n, makeSecret(), ['encrypt', 'decrypt']);
  const other = await deriveKey(suite, 300n, makeSecret(), ['encrypt', 'decrypt']);
  const metadata = hex('010203');
  const frame = await encryptFrame(key, 5n, metadata, hex('00112233445566778899'));
  const open = (data, with_ = metadata, by = key) => decryptFrame(async () => by, with_, data);
  assert.equal(shown((await open(frame)).plaintext), '00112233445566778899');
  for (let bit = 0; bit < frame.length * 8; bit += 1) {
    const changed = Uint8Array.from(frame);
    changed[bit >> 3] ^= 1 << (bit & 7);
    assert.equal(await open(changed), null, `bit ${bit}`);
  }
  for (let length = 0; length < frame.length; length += 1) assert.equal(await open(frame.subarray(0, length)), null);
  assert.equal(await open(frame, hex('010204')), null);
  assert.equal(await open(frame, metadata, other), null);
});

test('a key is not used beyond its frames', async () => {
  const key = await deriveKey(SUITES.AES_128_GCM_SHA256_128, 1n, makeSecret(), ['encrypt']);
  await assert.rejects(encryptFrame(key, 1n << 32n, hex(''), hex('00')), RangeError);
});

test('the key of a sender depends on the secret, the call and the sender', async () => {
  const secret = hex('00'.repeat(32));
  const keys = await Promise.all([
    senderKey(secret, 'C1', 1n), senderKey(secret, 'C1', 2n), senderKey(secret, 'C2', 1n), senderKey(makeSecret(), 'C1', 1n),
  ]);
  assert.equal(new Set(keys.map(shown)).size, 4);
  const info = Buffer.concat([Buffer.from('PlexiChat call sender v1\0C1\0'), Buffer.from(fixedBytes(1n, 8))]);
  assert.equal(shown(keys[0]), shown(new Uint8Array(hkdfSync('sha512', secret, Buffer.alloc(0), info, 32))));
});

test('of a picture only what tells a key frame stays readable, of sound nothing', async () => {
  const [key, other] = [hex('10 00 00 9d 01 2a 80 02 e0 01').subarray(), hex('11 22 33 44')];
  assert.deepEqual([clearBytes('video', concatenate(key, hex('aa'))), clearBytes('video', other)], [10, 3]);
  assert.deepEqual([clearBytes('audio', other), clearBytes('audio', hex(''))], [0, 0]);
  // The other side could not tell how much of it is in the clear.
  assert.deepEqual([clearBytes('video', hex('10 00')), clearBytes('video', hex('11 22')), clearBytes('video', hex(''))], [null, null, null]);
});

test('what one sends another opens, in both kinds and many frames, and nobody without the secret', async () => {
  const secret = makeSecret();
  const [sender, receiver] = [new FrameSender(secret, 'C1'), new FrameReceiver(secret, 'C1')];
  const strangers = [new FrameReceiver(makeSecret(), 'C1'), new FrameReceiver(secret, 'C2')];
  const next = chance(7);
  const seen = new Set();
  for (let round = 0; round < 100; round += 1) {
    const kind = round % 2 === 0 ? 'audio' : 'video';
    const frame = Uint8Array.from({ length: (kind === 'audio' ? 0 : 10) + next(400) }, () => next(256));
    const sealed = await sender.encrypt(kind, frame);
    const clear = clearBytes(kind, frame);
    assert.equal(shown(sealed.subarray(0, clear)), shown(frame.subarray(0, clear)));
    assert.equal(shown(await receiver.decrypt(kind, sealed)), shown(frame));
    for (const stranger of strangers) assert.equal(await stranger.decrypt(kind, sealed), null);
    seen.add(decodeHeader(sealed.subarray(clear)).ctr);
  }
  assert.equal(seen.size, 100, 'a counter is never used twice');
  await assert.rejects(sender.encrypt('video', hex('10 00')), RangeError);
});

test('a key is derived once, and not at all remembered for who cannot prove it', async () => {
  const secret = makeSecret();
  const [sender, receiver] = [new FrameSender(secret, 'C1'), new FrameReceiver(secret, 'C1')];
  const frames = [];
  for (let count = 0; count < 20; count += 1) frames.push(await sender.encrypt('audio', hex('0011')));
  const { subtle } = globalThis.crypto;
  const derive = subtle.deriveBits;
  let count = 0;
  subtle.deriveBits = function (...words) { count += 1; return derive.apply(this, words); };
  try {
    for (const frame of frames) assert.ok(await receiver.decrypt('audio', frame));
    assert.equal(count, 3, 'one base key, one key, one salt');
  } finally {
    delete subtle.deriveBits;
  }
});

test('frames that are none are refused, whatever they are', async () => {
  const receiver = new FrameReceiver(makeSecret(), 'C1');
  const next = chance(3);
  for (let round = 0; round < 500; round += 1) {
    const frame = Uint8Array.from({ length: next(80) }, () => next(256));
    assert.equal(await receiver.decrypt(round % 2 ? 'audio' : 'video', frame), null);
  }
});

test('the secret travels in a fragment, and only a whole one is taken', () => {
  const secret = makeSecret();
  const fragment = fragmentOf(secret);
  assert.match(fragment, /^key=[A-Za-z0-9_-]{43}$/);
  assert.equal(shown(secretFrom(`#${fragment}`)), shown(secret));
  assert.equal(shown(secretFrom(`room=7&${fragment}`)), shown(secret));
  const text = fragment.slice(4);
  const spare = text.slice(0, 42) + String.fromCharCode(text.charCodeAt(42) + 1);
  for (const bad of ['', '#', 'key=', `key=${text.slice(1)}`, `key=${text}A`, `key=${text.slice(1)}!`, `key=${spare}`, `k=${text}`]) {
    assert.equal(secretFrom(bad), null, bad);
  }
  assert.throws(() => fragmentOf(new Uint8Array(16)), RangeError);
  assert.notEqual(shown(makeSecret()), shown(makeSecret()));
});

test('a browser without transforms cannot encrypt', () => {
  const world = { RTCRtpScriptTransform: class {}, Worker: class {}, crypto: { subtle: {} } };
  assert.equal(canEncrypt(world), true);
  for (const name of Object.keys(world)) assert.equal(canEncrypt({ ...world, [name]: undefined }), false, name);
});

test('the worker lets nothing out in the clear, opens what it made, and counts what it could not', async () => {
  const told = [];
  globalThis.postMessage = (message) => told.push(message);
  await import('../../web/sframe-worker.js');
  const run = async (options, frames) => {
    const out = [];
    const readable = new ReadableStream({ start(c) { frames.forEach((one) => c.enqueue(one)); c.close(); } });
    const done = new Promise((resolve) => {
      const writable = new WritableStream({ write: (frame) => { out.push(frame); }, close: resolve });
      globalThis.onrtctransform({ transformer: { options, readable, writable } });
    });
    await done;
    return out;
  };
  const frame = () => ({ data: hex('0102030405').buffer });
  assert.deepEqual(await run({ role: 'encrypt', kind: 'audio' }, [frame()]), [], 'without a key nothing leaves');
  globalThis.onmessage({ data: { type: 'start', secret: makeSecret(), callId: 'C1' } });
  const [sealed] = await run({ role: 'encrypt', kind: 'audio' }, [frame()]);
  assert.doesNotMatch(shown(new Uint8Array(sealed.data)), /0102030405/);
  const copy = { data: sealed.data.slice(0) };
  const [opened] = await run({ role: 'decrypt', kind: 'audio' }, [copy]);
  assert.equal(shown(new Uint8Array(opened.data)), '0102030405');
  assert.deepEqual(await run({ role: 'decrypt', kind: 'audio' }, [frame(), frame()]), []);
  await new Promise((resolve) => setTimeout(resolve, 1_100));
  assert.deepEqual(told, [{ type: 'failures', count: 2 }]);
});
