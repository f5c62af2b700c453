// @ts-check
// What must be known now, above the stage.

import { h, icon, keyed, setText } from '../dom.js';
import { text } from '../text.js';
import { bannersOf } from './view.js';

/** @typedef {import('./view.js').Banner} Banner */

const words = /** @type {const} */ ({ play: 'call.play', unmute: 'control.unmute', 'copy-link': 'call.copyLink', consent: 'call.recording.answer' });

/**
 * @param {Record<'play' | 'unmute' | 'copy-link' | 'consent', () => void>} actions
 * @param {(words: string, isUrgent: boolean) => void} say
 */
export function createBanners(actions, say) {
  // No live region: a banner that counts seconds would be read aloud each second. It is said once, when it comes.
  const element = h('div', { class: 'call__banners' });

  /** @param {Banner} first */
  function make(first) {
    const { action } = first;
    say(first.words, first.isUrgent);
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
      keyed(element, banners, keyOf, make);
    },
  };
}
