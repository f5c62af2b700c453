// @ts-check
/**
 * The world as the SDK uses it, with tests' parts in the place of the browser's.
 *
 * @module
 */

/** @typedef {import('./types.js').Environment} Environment */

/** @param {Partial<Environment>} [own] @returns {Environment} */
export function environment(own = {}) {
  /** @type {any} */
  const world = globalThis;
  return {
    WebSocket: world.WebSocket,
    RTCPeerConnection: world.RTCPeerConnection,
    RTCRtpScriptTransform: world.RTCRtpScriptTransform,
    now: () => world.performance.now(),
    wallClock: () => Date.now(),
    random: () => Math.random(),
    setTimeout: (callback, milliseconds) => world.setTimeout(callback, milliseconds),
    clearTimeout: (timer) => world.clearTimeout(timer),
    makeStream: (tracks) => new world.MediaStream(tracks),
    codecs: (kind) => world.RTCRtpReceiver?.getCapabilities?.(kind)?.codecs ?? [],
    pixelRatio: () => world.devicePixelRatio ?? 1,
    ...own,
  };
}
