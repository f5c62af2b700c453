// @ts-check
/**
 * One timer for each purpose: a new one takes the place of the old.
 *
 * @module
 */

/** @typedef {import('./types.js').Environment} Environment */

export class Timers {
  /** @type {Environment} */ #env;
  /** @type {Map<string, unknown>} */ #running = new Map();

  /** @param {Environment} env */
  constructor(env) { this.#env = env; }

  /** @param {string} purpose */
  has(purpose) { return this.#running.has(purpose); }

  /** @param {string} purpose @param {number} wait milliseconds @param {() => void} run */
  after(purpose, wait, run) {
    this.cancel(purpose);
    this.#running.set(purpose, this.#env.setTimeout(() => {
      this.#running.delete(purpose);
      run();
    }, wait));
  }

  /** @param {string} purpose */
  cancel(purpose) {
    this.#env.clearTimeout(this.#running.get(purpose));
    this.#running.delete(purpose);
  }

  end() { for (const purpose of [...this.#running.keys()]) this.cancel(purpose); }
}
