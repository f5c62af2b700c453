// @ts-check
// Above the stage: with whom, how long, and what kind of call it is.

import { h, icon, setText } from '../dom.js';
import { text } from '../text.js';
import { recordingText } from './view.js';

/** @param {boolean} isEncrypted @param {() => void} copyLink */
export function createHead(isEncrypted, copyLink) {
  const title = h('h1', { class: 'call__title', tabindex: '-1' });
  const time = h('p', { class: 'call__time' });
  const badge = (/** @type {string} */ sign, /** @type {string} */ words) => h('span', { class: 'badge' }, icon(sign), words);
  const locked = badge('lock', text('call.locked'));
  const recordingWord = h('span', {});
  const recording = h('span', { class: 'badge' }, icon('info'), recordingWord);
  const link = h('button', { class: 'control', type: 'button', hidden: !isEncrypted, on: { click: copyLink } }, icon('copy'), text('call.copyLink'));
  const element = h('header', { class: 'call__head' }, title, h('div', { role: 'timer', aria: { label: text('call.time') } }, time),
    badge(isEncrypted ? 'shield' : 'info', text(isEncrypted ? 'call.encrypted' : 'call.notEncrypted')), locked, recording, link);
  return {
    element,
    /** @param {import('../../call/types.js').CallState} state @param {string} words @param {string} timeWords */
    update(state, words, timeWords) {
      setText(title, words);
      setText(time, timeWords);
      locked.hidden = !state.locked;
      const recordingWords = recordingText(state);
      recording.hidden = recordingWords === null;
      setText(recordingWord, recordingWords ?? '');
    },
    /** @param {string} words */
    setTime: (words) => setText(time, words),
  };
}
