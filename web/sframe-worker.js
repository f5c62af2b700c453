// @ts-check
/**
 * Encrypts and decrypts frames off the page's thread. Between its page and it: `{type: 'start', secret, callId}` first,
 * then transforms with `{role: 'encrypt'|'decrypt', kind: 'audio'|'video'}`; back come `{type: 'failures', count}`.
 * What cannot be encrypted is dropped, never sent as it is.
 *
 * @module
 */

import { FrameReceiver, FrameSender } from './sframe/media.js';

/** Between two reports of failures: each frame may be one. */
const REPORT_INTERVAL = 1_000;

/** @type {any} */
const worker = globalThis;
/** @type {{sender: FrameSender, receiver: FrameReceiver}|null} */
let ends = null;
let failures = 0;
let isReporting = false;

worker.onmessage = (/** @type {MessageEvent} */ { data }) => {
  if (data?.type !== 'start' || ends) return;
  ends = { sender: new FrameSender(data.secret, data.callId), receiver: new FrameReceiver(data.secret, data.callId) };
};

worker.onrtctransform = (/** @type {any} */ { transformer }) => {
  const { role, kind } = transformer.options;
  const transform = role === 'encrypt' ? encrypt : decrypt;
  const stream = new TransformStream({ transform: (frame, controller) => transform(frame, kind, controller) });
  // A track that ends breaks the pipe; there is nobody to tell.
  transformer.readable.pipeThrough(stream).pipeTo(transformer.writable).catch(() => {});
};

/** @param {any} frame @param {'audio'|'video'} kind @param {TransformStreamDefaultController} controller */
async function encrypt(frame, kind, controller) {
  if (!ends) return;
  try {
    frame.data = bufferOf(await ends.sender.encrypt(kind, new Uint8Array(frame.data)));
  } catch {
    return fail();
  }
  controller.enqueue(frame);
}

/** @param {any} frame @param {'audio'|'video'} kind @param {TransformStreamDefaultController} controller */
async function decrypt(frame, kind, controller) {
  const plain = await ends?.receiver.decrypt(kind, new Uint8Array(frame.data)).catch(() => null);
  if (!plain) return fail();
  frame.data = bufferOf(plain);
  controller.enqueue(frame);
}

/** @param {Uint8Array} bytes @returns {ArrayBuffer} */
function bufferOf(bytes) { return /** @type {ArrayBuffer} */ (bytes.buffer); }

function fail() {
  failures += 1;
  if (isReporting) return;
  isReporting = true;
  setTimeout(() => {
    isReporting = false;
    worker.postMessage({ type: 'failures', count: failures });
  }, REPORT_INTERVAL);
}
