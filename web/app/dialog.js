// @ts-check
// Modal dialogs on the browser's own <dialog>: it keeps the focus inside, closes on Escape, and gives the focus back.

import { h, icon, uniqueId } from './dom.js';
import { text } from './text.js';

/**
 * @param {object} what
 * @param {string} what.title
 * @param {any[]} what.content
 * @param {string} [what.class]
 * @param {boolean} [what.isAlert] it interrupts: `alertdialog`
 * @param {boolean} [what.hasClose]
 * @param {boolean} [what.comesUnasked] nobody pressed for it: what somebody is typing must press none of its buttons
 * @param {() => void} [what.onClose] also after Escape
 */
export function openDialog({ title, content, class: name = '', isAlert = false, hasClose = true, comesUnasked = false, onClose }) {
  const id = uniqueId('dialog');
  const head = h('h2', { id, tabindex: '-1' }, title);
  const dialog = h('dialog', { class: `dialog ${name}`.trim(), aria: { labelledby: id }, role: isAlert ? 'alertdialog' : null });
  const close = () => {
    if (!dialog.isConnected) return;
    if (dialog.open) dialog.close();
    dialog.remove();
    onClose?.();
  };
  const cross = hasClose
    ? h('button', { class: 'button button--quiet button--icon', type: 'button', aria: { label: text('app.close') }, on: { click: close } }, icon('close'))
    : null;
  dialog.append(h('div', { class: 'dialog__head' }, head, cross), ...content);
  // `close` comes after Escape too.
  dialog.addEventListener('close', close);
  document.body.append(dialog);
  dialog.showModal();
  if (comesUnasked) head.focus();
  return { element: dialog, close };
}

/**
 * Asks before something that cannot be taken back.
 * @param {{ title: string, words?: string, action: string }} what
 * @returns {Promise<boolean>}
 */
export function confirm({ title, words, action }) {
  return new Promise((resolve) => {
    let answer = false;
    const decide = () => {
      answer = true;
      dialog.close();
    };
    const cancel = h('button', { class: 'button', type: 'button', autofocus: true, on: { click: () => dialog.close() } }, text('app.cancel'));
    const act = h('button', { class: 'button button--danger', type: 'button', on: { click: decide } }, action);
    const dialog = openDialog({
      title, isAlert: true, hasClose: false, onClose: () => resolve(answer),
      content: [words === undefined ? null : h('p', {}, words), h('div', { class: 'dialog__tools' }, cancel, act)].filter((part) => part !== null),
    });
  });
}
