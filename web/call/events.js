// @ts-check
/**
 * `CustomEvent` as the SDK needs it: Node 18, in which the tests run, has none.
 *
 * @module
 */

/** @template T */
export class DetailEvent extends Event {
  /** @param {string} type @param {T} [detail] */
  constructor(type, detail) {
    super(type);
    /** @readonly */
    this.detail = detail;
  }
}
