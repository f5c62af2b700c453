// @ts-check
// Asks whether one may be recorded: once for each recording by itself, and again from the banner.

import { openDialog } from '../dialog.js';
import { h } from '../dom.js';
import { text } from '../text.js';
import { recordingTools } from './view.js';

/** @typedef {import('../../call/types.js').CallState} CallState */

/**
 * @param {object} what
 * @param {(userId: string) => string} what.nameOf
 * @param {(agrees: boolean) => void} what.answer
 */
export function createConsent({ nameOf, answer }) {
  /** @type {ReturnType<typeof openDialog> | null} */
  let dialog = null;
  /** For which it has come by itself. @type {string | null} */
  let asked = null;
  /** @type {CallState | null} */
  let state = null;

  /** @param {boolean} comesUnasked */
  function open(comesUnasked) {
    if (dialog !== null || !state?.recording) return;
    const decide = (/** @type {boolean} */ agrees) => {
      dialog?.close();
      answer(agrees);
    };
    // Neither is the default, and closing it answers nothing: no answer is no.
    const refuse = h('button', { class: 'button', type: 'button', on: { click: () => decide(false) } }, text('consent.refuse'));
    const agree = h('button', { class: 'button', type: 'button', on: { click: () => decide(true) } }, text('consent.agree'));
    const { startedBy } = state.recording;
    dialog = openDialog({
      title: text('consent.title'), isAlert: true, comesUnasked, onClose: () => { dialog = null; },
      content: [
        ...(startedBy === null ? [] : [h('p', {}, text('consent.by', { name: nameOf(startedBy) }))]),
        h('p', {}, text('consent.text')), h('div', { class: 'dialog__tools' }, refuse, agree),
      ],
    });
  }

  return {
    open: () => open(false),
    /** @param {CallState} next */
    update(next) {
      state = next;
      if (!recordingTools(next, false).mustAnswer) return dialog?.close();
      if (next.recording === null || asked === next.recording.id) return;
      asked = next.recording.id;
      open(true);
    },
    close: () => dialog?.close(),
  };
}
