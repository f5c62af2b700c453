// @ts-check
// Where one writes. Enter sends, Shift and Enter break the line; while an input method composes, Enter is its own.

import { h, icon, replace } from '../dom.js';
import { iconButton } from '../parts.js';
import { text } from '../text.js';

/** The server's bound of plain text (docs/chat/model.md), in bytes. */
const bytesMax = 16_384;

/**
 * @param {object} what
 * @param {string} what.label
 * @param {(words: string) => boolean | string} what.onSend false keeps what was written; so do words, which say why
 * @param {(isTyping: boolean) => void} what.onTyping
 * @param {(() => void)} [what.onCancel] of a quote or an edit
 * @param {string} what.id
 * @param {() => boolean} [what.hasMore] there is something to be sent beside words
 * @param {(files: FileList) => void} [what.onFiles] pasted
 * @param {any} [what.tools]
 */
export function composer({ label, onSend, onTyping, onCancel, id, hasMore = () => false, onFiles, tools = null }) {
  const context = h('div', { class: 'composer__context', hidden: true });
  const fault = h('p', { class: 'field__error', role: 'alert', hidden: true });
  const input = h('textarea', {
    class: 'input composer__input', id, rows: 2,
    on: {
      input: () => {
        fault.hidden = true;
        onTyping(input.value.trim() !== '');
      },
      paste(/** @type {ClipboardEvent} */ event) {
        const files = event.clipboardData?.files;
        if (!onFiles || !files || files.length === 0) return;
        event.preventDefault();
        onFiles(files);
      },
      keydown(/** @type {KeyboardEvent} */ event) {
        if (event.key === 'Escape' && !context.hidden) {
          event.preventDefault();
          cancel();
        }
        if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
        event.preventDefault();
        submit();
      },
    },
  });
  const element = h('form', { class: 'composer', noValidate: true, on: { submit(/** @type {Event} */ event) { event.preventDefault(); submit(); } } },
    context, fault, h('label', { class: 'only-read', htmlFor: id }, label),
    h('div', { class: 'composer__line' }, tools, input,
      h('button', { class: 'button button--primary button--icon', type: 'submit', aria: { label: text('chat.send') }, title: text('chat.send') }, icon('send'))));

  function submit() {
    const words = input.value.trim();
    if (words === '' && !hasMore()) return;
    if (new TextEncoder().encode(words).length > bytesMax) return say(text('problem.message_too_long'));
    const answer = onSend(words);
    if (answer !== true) return say(answer === false ? text('chat.tooManyWait') : answer);
    input.value = '';
    setContext(null);
    input.focus();
  }

  /** @param {string} words */
  function say(words) {
    replace(fault, words);
    fault.hidden = false;
  }

  function cancel() {
    setContext(null);
    onCancel?.();
    input.focus();
  }

  /** What it will be: an answer to something, an edit. @param {string | null} words */
  function setContext(words) {
    context.hidden = words === null;
    replace(context, words === null ? null : [h('span', {}, words), iconButton('close', text('app.cancel'), { on: { click: cancel } })]);
  }

  return { element, input, setContext };
}
