// @ts-check
// A link that leads nowhere.

import { h } from '../dom.js';
import { formatRoute } from '../router.js';
import { text } from '../text.js';

/** @returns {import('../app.js').Screen} */
export function missingScreen() {
  const element = h('div', { class: 'stack' }, h('h1', { tabindex: '-1' }, text('app.missing.title')),
    h('p', {}, text('app.missing.text')),
    h('p', {}, h('a', { class: 'button', href: formatRoute({ name: 'people' }) }, text('app.missing.back'))));
  return { title: text('app.missing.title'), element };
}
