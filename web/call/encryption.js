// @ts-check
/**
 * Puts the worker of `sframe-worker.js` between encoder and network, and network and decoder.
 *
 * @module
 */

/** @typedef {import('./types.js').Environment} Environment */

export class Encryption {
  /** @type {Environment} */ #env;
  /** @type {Worker} */ #worker;

  /**
   * @param {{secret: Uint8Array, makeWorker: () => Worker}} options @param {string} callId @param {Environment} env
   * @param {{failed: (failures: number) => void, broken: () => void}} handlers `failed`: frames that could not be
   *   decrypted so far; `broken`: the worker cannot be loaded, and nothing gets through
   */
  constructor({ secret, makeWorker }, callId, env, { failed, broken }) {
    this.#env = env;
    this.#worker = makeWorker();
    this.#worker.onerror = () => broken();
    this.#worker.onmessage = ({ data }) => {
      if (data?.type === 'failures' && Number.isSafeInteger(data.count)) failed(data.count);
    };
    this.#worker.postMessage({ type: 'start', secret, callId });
  }

  /** @param {Environment} env */
  static isSupported(env) { return typeof env.RTCRtpScriptTransform === 'function'; }

  /** @param {RTCRtpSender} sender @param {'audio'|'video'} kind */
  protect(sender, kind) { this.#set(sender, 'encrypt', kind); }

  /** @param {RTCRtpReceiver} receiver @param {'audio'|'video'} kind */
  reveal(receiver, kind) { this.#set(receiver, 'decrypt', kind); }

  /** @param {any} end @param {'encrypt'|'decrypt'} role @param {'audio'|'video'} kind */
  #set(end, role, kind) {
    if (!end.transform) end.transform = new this.#env.RTCRtpScriptTransform(this.#worker, { role, kind });
  }

  end() { this.#worker.terminate(); }
}
