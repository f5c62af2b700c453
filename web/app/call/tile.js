// @ts-check
// One tile: a picture or a face, a name, its state, and two tools.

import { h, icon, replace, setAria, setData, setText } from '../dom.js';
import { initials } from '../format.js';
import { hasText, text } from '../text.js';
import { tileLabel } from './view.js';

/** @typedef {import('./view.js').TileView} TileView */

const namespace = 'http://www.w3.org/2000/svg';

/** Four bars, the first `bars` of them coloured by the grade. */
export function signalBars() {
  const svg = document.createElementNS(namespace, 'svg');
  svg.setAttribute('class', 'signal');
  svg.setAttribute('viewBox', '0 0 16 16');
  svg.setAttribute('aria-hidden', 'true');
  const bars = [4, 7, 10, 13].map((height, index) => {
    const bar = document.createElementNS(namespace, 'rect');
    for (const [name, value] of Object.entries({ class: 'signal__bar', x: 1 + index * 4, y: 15 - height, width: 3, height, rx: 1 })) {
      bar.setAttribute(name, String(value));
    }
    svg.append(bar);
    return bar;
  });
  return {
    element: svg,
    /** @param {{ grade: string, bars: number }} quality */
    update(quality) {
      setData(svg, { grade: quality.grade });
      bars.forEach((bar, index) => setData(bar, { on: index < quality.bars }));
    },
  };
}

/**
 * @param {object} what
 * @param {(element: HTMLMediaElement, mid: string) => () => void} what.attach shows a track in an element, until told
 * @param {(tile: TileView) => void} what.onPin
 * @param {(tile: TileView) => void} what.onDetails
 * @param {() => boolean} what.isMirrored
 */
export function createTile({ attach, onPin, onDetails, isMirrored }) {
  /** @type {TileView} */
  let shown;
  /** @type {string | null} */
  let mid = null;
  let detach = () => {};
  const video = h('video', { class: 'tile__video', autoplay: true, playsInline: true, muted: true, hidden: true });
  const letters = h('span', { class: 'face face--large' });
  const picture = h('div', { class: 'tile__face', aria: { hidden: true } }, letters);
  const muted = icon('microphone-off');
  const hand = icon('hand');
  hand.setAttribute('class', 'icon tile__hand');
  const name = h('span', { class: 'tile__name' });
  const note = h('p', { class: 'tile__note', hidden: true });
  const signal = signalBars();
  const pin = h('button', { class: 'tile__tool', type: 'button', on: { click: () => onPin(shown) } }, icon('pin'));
  const details = h('button', { class: 'tile__tool', type: 'button', on: { click: () => onDetails(shown) } }, signal.element);
  const element = h('li', { class: 'tile' }, picture, video, note,
    h('div', { class: 'tile__label', aria: { hidden: true } }, muted, hand, name),
    h('div', { class: 'tile__tools' }, details, pin));
  // A list item has no name of its own for screen readers: these words are its text, the picture's label is hidden.
  const words = h('span', { class: 'only-read' });
  element.prepend(words);

  return {
    element,
    /** @param {TileView} tile */
    update(tile) {
      shown = tile;
      if (tile.mid !== mid) {
        detach();
        mid = tile.mid;
        detach = mid === null ? () => {} : attach(video, mid);
        video.hidden = mid === null;
        picture.hidden = mid !== null;
      }
      video.classList.toggle('mirrored', tile.isSelf && !tile.isScreen && isMirrored());
      setText(letters, initials(tile.plainName));
      setText(name, tile.name);
      setText(words, tileLabel(tile));
      muted.toggleAttribute('hidden', !tile.isMuted || tile.isScreen);
      hand.toggleAttribute('hidden', !tile.isHandRaised);
      note.hidden = tile.note === null;
      setText(note, tile.note ?? '');
      setData(element, { speaking: tile.isSpeaking, screen: tile.isScreen, pinned: tile.isPinned });
      const label = text(tile.isPinned ? 'tile.unpin' : 'tile.pin', { name: tile.name });
      setAria(pin, { label, pressed: tile.isPinned });
      pin.title = label;
    },
    /** @param {{ grade: string, bars: number }} quality */
    setQuality(quality) {
      signal.update(quality);
      const key = `grade.${quality.grade}`;
      const label = text('tile.details', { name: shown.name, grade: hasText(key) ? text(key) : '' });
      setAria(details, { label });
      details.title = label;
    },
    refreshOwn() {
      if (mid !== 'self') return;
      detach();
      detach = attach(video, mid);
    },
    close() {
      detach();
      replace(element);
    },
  };
}
