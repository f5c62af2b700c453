// @ts-check
/**
 * From tiles on the screen to what is asked of the server: which sections to pause, how much of a picture, which
 * before all others. Pure, save for the memory of what was asked.
 *
 * @module
 */

import { control } from './messages.js';

/** @typedef {import('./types.js').Tile} Tile */
/** @typedef {import('./types.js').RemoteTrack} RemoteTrack */

/** Between a change of the screen and the requests: a window that is being resized changes it sixty times a second. */
export const SETTLE_TIME = 200;
/** Requests at once; the server takes 32 that wait. */
export const REQUESTS_AT_ONCE = 16;
/** Pixels of height up to which the lowest and the middle layer look good: a quarter and a half of 720, and a quarter more. */
const LAYER_HEIGHTS = [225, 450];

/**
 * @typedef {object} Wish
 * @property {boolean} paused
 * @property {boolean} pinned
 * @property {number|null} layer the highest wanted; null for all
 */

/** What holds in a section of which nothing was said. @type {Readonly<Wish>} */
const DEFAULT_WISH = Object.freeze({ paused: false, pinned: false, layer: null });

/** @param {Tile} tile @param {number} pixelRatio @returns {number|null} */
export function layerFor(tile, pixelRatio) {
  // A tile of another shape shows the picture cut: the longer side of it counts.
  const height = Math.max(tile.height, (tile.width * 9) / 16) * Math.min(Math.max(pixelRatio, 1), 2);
  const found = LAYER_HEIGHTS.findIndex((limit) => height <= limit);
  return found < 0 ? null : found;
}

/**
 * @param {readonly RemoteTrack[]} tracks @param {readonly Tile[]} tiles @param {number} pixelRatio
 * @returns {Map<string, Wish>} by mid, of pictures only: sound is never paused
 */
export function wishesFor(tracks, tiles, pixelRatio) {
  const byMid = new Map(tiles.map((tile) => [tile.mid, tile]));
  const wishes = new Map();
  for (const { mid, kind, source } of tracks) {
    if (kind !== 'video') continue;
    const tile = byMid.get(mid);
    if (!tile || tile.visible === false || tile.width <= 0 || tile.height <= 0) {
      wishes.set(mid, { ...DEFAULT_WISH, paused: true });
    } else {
      const layer = source === 'screen' ? null : layerFor(tile, pixelRatio);
      wishes.set(mid, { paused: false, pinned: tile.pinned === true, layer });
    }
  }
  return wishes;
}

/**
 * What to say so that `asked` becomes `wanted`; pictures that are to come before those that are to go.
 * @param {ReadonlyMap<string, Wish>} asked @param {ReadonlyMap<string, Wish>} wanted
 * @returns {{mid: string, part: keyof Wish, message: object}[]}
 */
export function requests(asked, wanted) {
  const urgent = [];
  const others = [];
  for (const [mid, wish] of wanted) {
    const old = asked.get(mid) ?? DEFAULT_WISH;
    if (wish.pinned !== old.pinned) urgent.push(request(mid, 'pinned', control('pin', { mid, on: wish.pinned })));
    if (wish.layer !== old.layer && !wish.paused) {
      urgent.push(request(mid, 'layer', control('layer', wish.layer === null ? { mid } : { mid, layer: wish.layer })));
    }
    if (wish.paused !== old.paused) {
      (wish.paused ? others : urgent).push(request(mid, 'paused', control('pause', { mid, on: wish.paused })));
    }
  }
  return [...urgent, ...others];
}

/** @param {string} mid @param {keyof Wish} part @param {object} message */
const request = (mid, part, message) => ({ mid, part, message });

/** The requests of one call, with what was asked before. */
export class Watching {
  /** @type {Map<string, Wish>} */ #asked = new Map();
  /** @type {readonly Tile[]|null} null until the page says: then all is sent */ #tiles = null;

  /** @param {readonly Tile[]} tiles */
  set tiles(tiles) { this.#tiles = tiles.map((tile) => ({ ...tile })); }

  /** Another session, or the server has dropped something: what was asked does not hold. */
  forget() { this.#asked.clear(); }

  /**
   * The next requests, to be sent now, and whether there are more for later.
   * @param {readonly RemoteTrack[]} tracks @param {number} pixelRatio @returns {{messages: object[], more: boolean}}
   */
  next(tracks, pixelRatio) {
    if (!this.#tiles) return { messages: [], more: false };
    const wanted = wishesFor(tracks, this.#tiles, pixelRatio);
    const all = requests(this.#asked, wanted);
    const now = all.slice(0, REQUESTS_AT_ONCE);
    for (const { mid, part } of now) {
      const wish = /** @type {Wish} */ (wanted.get(mid));
      this.#asked.set(mid, { ...(this.#asked.get(mid) ?? DEFAULT_WISH), [part]: wish[part] });
    }
    return { messages: now.map(({ message }) => message), more: all.length > now.length };
  }
}
