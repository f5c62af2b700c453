// @ts-check
/**
 * Where each conversation's log stands for this page, and what to do with an event by its place in it: pure, but for the
 * memory of what was asked.
 *
 * @module
 */

/** @typedef {import('./types.js').Place} Place */
/** `next`: to be played; `old`: played before; `gap`: something is missing in between, to be asked for or waited for. @typedef {'next'|'old'|'gap'} Turn */

export class LogPlaces {
  /** @type {Map<string, Place>} */ #places = new Map();
  /** At which offset a gap was asked about. @type {Map<string, {offset: number, isAnswered: boolean}>} */ #gaps = new Map();

  /** @returns {{id: string, place: Place}[]} */
  get all() { return [...this.#places].map(([id, place]) => ({ id, place })); }

  /** Another socket: nothing is asked on it yet. */
  connected() { this.#gaps.clear(); }

  /** @param {string} id */
  forget(id) { this.#places.delete(id); }

  /** The log is followed from `place`. @param {string} id @param {Place} place @param {boolean} isRecovered @returns {boolean} whether nothing is missing */
  followed(id, place, isRecovered) {
    const [old, gap] = [this.#places.get(id), this.#gaps.get(id)];
    if (gap) gap.isAnswered = true;
    const isGapless = isRecovered && old !== undefined && old.epoch === place.epoch && old.offset >= place.offset;
    if (!isGapless) this.#places.set(id, place);
    return isGapless;
  }

  /**
   * @param {string} id @param {Place|null} place of an event; null for what is in no log
   * @param {(from: Place) => boolean} ask false when it could not be asked now
   * @returns {Turn}
   */
  take(id, place, ask) {
    if (place === null) return 'next';
    const old = this.#places.get(id);
    if (old !== undefined && place.epoch === old.epoch) {
      if (place.offset <= old.offset) return 'old';
      if (place.offset > old.offset + 1 && !this.#isHole(id, old, ask)) return 'gap';
    }
    this.#places.set(id, place);
    return 'next';
  }

  /**
   * Whether what is missing after `place` was asked for and not given: then there is nothing. Until the answer, what
   * comes is left alone; it comes again with it.
   * @param {string} id @param {Place} place @param {(from: Place) => boolean} ask
   */
  #isHole(id, place, ask) {
    const asked = this.#gaps.get(id);
    if (asked?.offset === place.offset) return asked.isAnswered;
    this.#gaps.set(id, { offset: place.offset, isAnswered: false });
    // Too much waits to be sent: the next event asks.
    if (!ask(place)) this.#gaps.delete(id);
    return false;
  }
}
