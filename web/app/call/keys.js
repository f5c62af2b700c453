// @ts-check
// The dialog that lists the keys.

import { openDialog } from '../dialog.js';
import { h } from '../dom.js';
import { notice } from '../parts.js';
import { keysOf, shortcuts } from '../shortcuts.js';
import { text } from '../text.js';

/** @param {import('../app.js').App} app */
export function openShortcuts(app) {
  const rows = shortcuts.flatMap((shortcut) => [
    h('dt', {}, keysOf(shortcut).flatMap((key, index) => (index === 0 ? [h('kbd', {}, key)] : [' + ', h('kbd', {}, key)]))),
    h('dd', {}, text(shortcut.label)),
  ]);
  openDialog({
    title: text('shortcut.title'),
    content: [
      ...(app.store.get().preferences.shortcuts ? [] : [notice('warning', text('shortcut.off'))]),
      h('dl', { class: 'keys' }, rows),
    ],
  });
}
