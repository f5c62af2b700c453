// @ts-check
// The stage: tiles in their places, and what the SDK is told of their sizes.

import { h, keyed, setData, setStyle, setText } from '../dom.js';
import { orderTiles, placeTiles, tilesInSight } from '../layout.js';
import { steadyGrade } from '../quality.js';
import { text } from '../text.js';
import { measuredOf } from './figures.js';
import { createTile } from './tile.js';
import { tilesOf } from './view.js';

/** @typedef {import('./view.js').TileView} TileView */
/** @typedef {import('../../call/types.js').CallState} CallState */
/** @typedef {import('../../call/types.js').CallStats} CallStats */

const unmeasured = /** @type {const} */ ({ grade: 'unknown', bars: 0 });

/**
 * @param {object} what
 * @param {(userId: string) => string} what.nameOf
 * @param {(element: HTMLMediaElement, mid: string) => () => void} what.attach
 * @param {(tiles: import('../../call/types.js').Tile[]) => void} what.onTiles
 * @param {(userId: string) => void} what.onDetails
 * @param {() => boolean} what.isMirrored
 */
export function createStage({ nameOf, attach, onTiles, onDetails, isMirrored }) {
  /** @type {Set<string>} */
  const pinned = new Set();
  /** @type {Map<string, ReturnType<typeof createTile>>} */
  const parts = new Map();
  /** @type {Map<string, { next: ReturnType<typeof steadyGrade>, last: ReturnType<ReturnType<typeof steadyGrade>> }>} */
  const grades = new Map();
  /** @type {CallState | null} */
  let state = null;
  /** @type {CallStats | null} */
  let stats = null;
  /** @type {'grid' | 'speaker'} */
  let layout = 'grid';
  /** Who spoke last keeps the large tile. @type {string | null} */
  let speaker = null;
  let room = { width: 0, height: 0 };

  const list = h('ul', { class: 'tiles', role: 'list' });
  const more = h('p', { class: 'stage__more badge', hidden: true });
  const moreRead = h('span', { class: 'only-read' });
  const moreShown = h('span', { aria: { hidden: true } });
  more.append(moreRead, moreShown);
  const element = h('section', { class: 'stage', aria: { label: text('call.stage') } }, list, more);

  /** @param {TileView} tile */
  function togglePin(tile) {
    if (!pinned.delete(tile.key)) pinned.add(tile.key);
    draw();
  }

  function draw() {
    if (state === null) return;
    if (state.speaker !== null && state.speaker !== state.userId) speaker = state.speaker;
    const all = tilesOf(state, nameOf, pinned);
    const keys = new Set(all.map((tile) => tile.key));
    for (const key of pinned) if (!keys.has(key)) pinned.delete(key);
    for (const key of grades.keys()) if (!keys.has(key)) grades.delete(key);
    const ordered = orderTiles(all, layout, speaker);
    const { boxes, hidden } = placeTiles(ordered.length, room, layout);
    const shown = tilesInSight(ordered, boxes.length, speaker);
    const inSight = new Set(shown.map((tile) => tile.key));
    // In the order in which they came, wherever they are drawn: an element that is moved in its list stops playing.
    keyed(list, all.filter((tile) => inSight.has(tile.key)), (tile) => tile.key, (tile) => {
      const part = createTile({ attach, onPin: togglePin, onDetails: (one) => onDetails(one.userId), isMirrored });
      parts.set(tile.key, part);
      // A new tile appears in its place; only those that were there glide to theirs.
      setData(part.element, { new: true });
      setTimeout(() => setData(part.element, { new: null }), 300);
      return { ...part, close: () => { parts.delete(tile.key); part.close(); } };
    });
    shown.forEach((tile, index) => place(tile, boxes[index]));
    more.hidden = hidden === 0;
    setText(moreRead, text('call.hidden', { count: hidden }));
    setText(moreShown, text('call.hiddenShort', { count: hidden }));
    drawQuality();
    onTiles(shown.flatMap((tile, index) => {
      const box = boxes[index];
      if (tile.isSelf || box === undefined) return [];
      // What is asked for is what is there to be seen, also while the server pauses it: else it would never come back.
      return midsOf(tile).map((mid) => ({ mid, width: box.width, height: box.height, pinned: tile.isPinned }));
    }));
  }

  /** @param {TileView} tile @returns {string[]} */
  function midsOf(tile) {
    const source = tile.isScreen ? 'screen' : 'camera';
    return (state?.tracks ?? [])
      .filter((track) => track.userId === tile.userId && track.kind === 'video' && track.source === source)
      .map((track) => track.mid);
  }

  /** @param {TileView} tile @param {import('../layout.js').Box | undefined} box */
  function place(tile, box) {
    const part = parts.get(tile.key);
    if (part === undefined || box === undefined) return;
    setStyle(part.element, {
      '--tile-x': `${box.x}px`, '--tile-y': `${box.y}px`, '--tile-width': `${box.width}px`, '--tile-height': `${box.height}px`,
    });
  }

  function drawQuality() {
    for (const [key, part] of parts) part.setQuality(grades.get(key)?.last ?? unmeasured);
  }

  /** A grade moves with new measurements only, not with each drawing. */
  function measure() {
    if (state === null) return;
    for (const tile of tilesOf(state, nameOf, pinned)) {
      const next = grades.get(tile.key)?.next ?? steadyGrade();
      grades.set(tile.key, { next, last: next(measuredOf(state, stats, tile.userId)) });
    }
    drawQuality();
  }

  const Observer = globalThis.ResizeObserver;
  const observer = Observer === undefined ? null : new Observer((entries) => {
    const box = entries[entries.length - 1]?.contentRect;
    if (box === undefined) return;
    room = { width: box.width, height: box.height };
    draw();
  });
  observer?.observe(element);

  return {
    element,
    /** @param {CallState} next */
    update(next) {
      state = next;
      draw();
    },
    /** @param {CallStats} next */
    updateStats(next) {
      stats = next;
      measure();
    },
    /** @param {'grid' | 'speaker'} next */
    setLayout(next) {
      layout = next;
      draw();
    },
    /** For a stage that nobody observes. @param {{ width: number, height: number }} next */
    setRoom(next) {
      room = next;
      draw();
    },
    /** One's own camera is another track now under the same name. */
    refreshOwn() {
      for (const part of parts.values()) part.refreshOwn();
      draw();
    },
    close() {
      observer?.disconnect();
      for (const part of parts.values()) part.close();
    },
  };
}
