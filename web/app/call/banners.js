// @ts-check
// What must be known now, above the stage.

import { h, icon, keyed, setText } from '../dom.js';
import { text } from '../text.js';
import { bannersOf } from './view.js';

/** @typedef {import('./view.js').Banner} Banner */

const words = /** @type {const} */ ({ play: 'call.play', unmute: 'control.unmute', 'copy-link': 'call.copyLink' });

/** @param {Record<'play' | 'unmute' | 'copy-link', () => void>} actions */
export function createBanners(actions) {
  // Two regions: what is urgent interrupts a screen reader, the rest waits for a pause.
  const urgent = h('div', { class: 'stack stack--tight', role: 'alert' });
  const calm = h('div', { class: 'stack stack--tight', role: 'status' });
  const element = h('div', { class: 'call__banners' }, urgent, calm);

  /** @param {Banner} first */
  function make(first) {
    const { action } = first;
    const line = h('p', {});
    const button = action === null ? null
      : h('button', { class: 'control', type: 'button', on: { click: () => actions[action]() } }, text(words[action]));
    const banner = h('div', { class: `banner${first.isUrgent ? ' banner--warning' : ''}` }, icon(first.isUrgent ? 'warning' : 'info'), line, button);
    return { element: banner, update: (/** @type {Banner} */ next) => setText(line, next.words) };
  }

  return {
    element,
    /** @param {import('../../call/types.js').CallState} state @param {{ now: number, isOnline: boolean }} world */
    update(state, world) {
      const banners = bannersOf(state, world);
      // One with another button is another banner.
      const keyOf = (/** @type {Banner} */ banner) => `${banner.id} ${banner.action}`;
      keyed(urgent, banners.filter((banner) => banner.isUrgent), keyOf, make);
      keyed(calm, banners.filter((banner) => !banner.isUrgent), keyOf, make);
    },
  };
}
