// @ts-check
/**
 * Streams in elements: one stream for each section, kept through reconnects, and browsers that play no sound before
 * somebody has touched the page.
 *
 * @module
 */

/** @typedef {import('./types.js').Environment} Environment */

export class Playback {
  /** @type {Environment} */ #env;
  /** @type {(isBlocked: boolean) => void} */ #blocked;
  /** @type {(reason: unknown) => void} */ #failed;
  /** @type {Map<string, {track: MediaStreamTrack, stream: MediaStream}>} */ #streams = new Map();
  /** @type {Map<HTMLMediaElement, string>} */ #elements = new Map();
  /** @type {Set<HTMLMediaElement>} */ #waiting = new Set();

  /**
   * @param {Environment} env
   * @param {{blocked: (isBlocked: boolean) => void, failed: (reason: unknown) => void}} handlers
   */
  constructor(env, { blocked, failed }) {
    this.#env = env;
    this.#blocked = blocked;
    this.#failed = failed;
  }

  /** @returns {ReadonlySet<string>} sections of which there is a track */
  get mids() { return new Set(this.#streams.keys()); }

  /** @param {string} mid @returns {MediaStream|null} */
  stream(mid) { return this.#streams.get(mid)?.stream ?? null; }

  /** @param {string} mid @param {MediaStreamTrack} track @returns {boolean} whether it is another than before */
  set(mid, track) {
    if (this.#streams.get(mid)?.track === track) return false;
    this.#streams.set(mid, { track, stream: this.#env.makeStream([track]) });
    for (const [element, shown] of this.#elements) if (shown === mid) this.#show(element, mid);
    return true;
  }

  /** Another connection: elements keep their last picture until the section is there again. */
  forget() { this.#streams.clear(); }

  /** @param {HTMLMediaElement} element @param {string} mid @returns {() => void} */
  attach(element, mid) {
    this.#elements.set(element, mid);
    this.#show(element, mid);
    return () => {
      if (this.#elements.get(element) !== mid) return;
      this.#elements.delete(element);
      element.srcObject = null;
      this.#unblock(element);
    };
  }

  end() {
    for (const element of this.#elements.keys()) element.srcObject = null;
    this.#elements.clear();
    this.#streams.clear();
    this.#waiting.clear();
  }

  /** In a gesture's handler. */
  async resume() {
    await Promise.all([...this.#waiting].map((element) => this.#play(element)));
  }

  /** @param {HTMLMediaElement} element @param {string} mid */
  #show(element, mid) {
    const stream = this.stream(mid);
    if (!stream || element.srcObject === stream) return;
    element.srcObject = stream;
    this.#play(element);
  }

  /** @param {HTMLMediaElement} element */
  async #play(element) {
    try {
      await element.play();
      this.#unblock(element);
    } catch (error) {
      const name = /** @type {any} */ (error)?.name;
      // Another stream came in while the first was being loaded.
      if (name === 'AbortError' || !this.#elements.has(element)) return;
      if (name !== 'NotAllowedError') return this.#failed(error);
      this.#waiting.add(element);
      this.#blocked(true);
    }
  }

  /** @param {HTMLMediaElement} element */
  #unblock(element) {
    if (this.#waiting.delete(element) && this.#waiting.size === 0) this.#blocked(false);
  }
}
