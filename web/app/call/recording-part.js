// @ts-check
// The recording in the panel of people: what is written, one's own consent, and its begin and end for who may.

import { confirm } from '../dialog.js';
import { h, setText } from '../dom.js';
import { busy } from '../parts.js';
import { text } from '../text.js';
import { recordingText, recordingTools } from './view.js';

/** @typedef {import('../../call/types.js').CallState} CallState */
/** @typedef {import('../../plexichat-call.js').PlexiCall} PlexiCall */

/** @param {PlexiCall} call */
export function recordingPart(call) {
  const words = h('p', { class: 'person__state' });
  const agree = h('button', { class: 'button', type: 'button', on: { click: () => call.answerRecording(true) } }, text('side.agree'));
  const withdraw = h('button', { class: 'button', type: 'button' }, text('side.withdraw'));
  withdraw.addEventListener('click', () => busy(withdraw, async () => {
    const isSure = await confirm({ title: text('side.withdraw.sure'), words: text('side.withdraw.text'), action: text('side.withdraw') });
    if (isSure) call.answerRecording(false);
  }));
  const begin = h('button', { class: 'button', type: 'button', on: { click: () => call.setRecording(true) } }, text('side.record'));
  const end = h('button', { class: 'button', type: 'button' }, text('side.recordEnd'));
  end.addEventListener('click', () => busy(end, async () => {
    if (await confirm({ title: text('side.recordEnd.sure'), action: text('side.recordEnd') })) call.setRecording(false);
  }));
  const element = h('section', { class: 'stack stack--tight', aria: { label: text('side.recording') } }, words, agree, withdraw, begin, end);
  return {
    element,
    /** @param {CallState} state @param {boolean} isAdmin */
    update(state, isAdmin) {
      const tools = recordingTools(state, isAdmin);
      const shown = recordingText(state);
      setText(words, shown ?? '');
      words.hidden = shown === null;
      agree.hidden = !tools.canAgree;
      withdraw.hidden = !tools.canWithdraw;
      begin.hidden = !tools.canBegin;
      end.hidden = !tools.canEnd;
      element.hidden = shown === null && !tools.canBegin;
    },
  };
}
