// @ts-check
// Keys and what they do. Single letters count only in a call and never while somebody types (WCAG 2.1.4: they can be
// switched off in the settings).

/** @typedef {'mute' | 'camera' | 'share' | 'hand' | 'layout' | 'people' | 'details' | 'leave' | 'help'} Action */

/** In the order of the dialog that lists them. */
export const shortcuts = /** @type {const} */ ([
  { action: 'mute', key: 'm', label: 'shortcut.mute' },
  { action: 'camera', key: 'v', label: 'shortcut.camera' },
  { action: 'share', key: 's', label: 'shortcut.share' },
  { action: 'hand', key: 'h', label: 'shortcut.hand' },
  { action: 'layout', key: 'l', label: 'shortcut.layout' },
  { action: 'people', key: 'p', label: 'shortcut.people' },
  { action: 'details', key: 'd', label: 'shortcut.details' },
  { action: 'leave', key: 'q', label: 'shortcut.leave', shift: true },
  { action: 'help', key: '?', label: 'shortcut.help' },
]);

/**
 * @typedef {object} Pressed What is looked at of a keyboard event.
 * @property {string} key
 * @property {boolean} [shiftKey]
 * @property {boolean} [ctrlKey]
 * @property {boolean} [altKey]
 * @property {boolean} [metaKey]
 * @property {boolean} [repeat]
 * @property {boolean} [isComposing]
 */

/**
 * @param {Pressed} event
 * @param {{ isTyping: boolean, isOn: boolean }} where
 * @returns {Action | null}
 */
export function actionOf(event, where) {
  if (!where.isOn || where.isTyping || event.repeat || event.isComposing) return null;
  if (event.ctrlKey || event.altKey || event.metaKey) return null;
  const key = event.key.toLowerCase();
  for (const shortcut of shortcuts) {
    if (shortcut.key !== key) continue;
    // Where `?` stands on a keyboard, and whether with shift, differs: the sign counts.
    if (key !== '?' && Boolean(event.shiftKey) !== ('shift' in shortcut)) continue;
    return shortcut.action;
  }
  return null;
}

/** How a shortcut is written: 'Shift + Q'. @param {typeof shortcuts[number]} shortcut @returns {string[]} */
export const keysOf = (shortcut) =>
  'shift' in shortcut ? ['Shift', shortcut.key.toUpperCase()] : [shortcut.key.toUpperCase()];

/** Whether an element takes letters. @param {{ tagName?: string, type?: string, isContentEditable?: boolean } | null} element */
export function takesLetters(element) {
  if (element === null) return false;
  if (element.isContentEditable === true) return true;
  const tag = (element.tagName ?? '').toLowerCase();
  if (tag === 'textarea' || tag === 'select') return true;
  return tag === 'input' && !['checkbox', 'radio', 'range', 'button'].includes(element.type ?? 'text');
}
