// @ts-check
// Words for everybody: a short message that goes by itself, also spoken by screen readers.

import { h, icon, replace, setText } from './dom.js';
import { text } from './text.js';

/** Long enough to be read twice. */
const shownFor = 6_000;
/** More at once cover the page; the oldest goes. */
const shownAtOnce = 3;

/** @param {Document} document */
export function createAnnouncer(document) {
  const place = /** @type {Element} */ (document.getElementById('toasts'));
  const polite = /** @type {Element} */ (document.getElementById('polite'));
  const assertive = /** @type {Element} */ (document.getElementById('assertive'));

  /** Spoken only. @param {string} words @param {boolean} [isUrgent] */
  function say(words, isUrgent = false) {
    const region = isUrgent ? assertive : polite;
    // The same words twice are spoken twice only if the region was empty in between.
    setText(region, '');
    setTimeout(() => setText(region, words), 50);
  }

  /** @param {string} words @param {'info' | 'error' | 'good'} [kind] */
  function show(words, kind = 'info') {
    const toast = h('div', { class: `toast notice${kind === 'info' ? '' : ` notice--${kind}`}` },
      icon(kind === 'error' ? 'warning' : 'info'), h('p', { class: 'notice__words' }, words));
    const close = h('button', { class: 'button button--quiet button--icon', type: 'button', aria: { label: text('app.close') }, on: { click: () => toast.remove() } }, icon('close'));
    toast.append(close);
    place.append(toast);
    while (place.children.length > shownAtOnce) place.firstElementChild?.remove();
    // An error stays until it was closed, or three newer ones came: who needs time to read has it.
    if (kind !== 'error') setTimeout(() => toast.remove(), shownFor);
    say(words, kind === 'error');
  }

  return { say, show, clear: () => replace(place) };
}
