// @ts-check
// The link of an invitation: asked about first, because following a link is not yet a wish to be seen somewhere.

import { h, replace } from '../dom.js';
import { busy, notice } from '../parts.js';
import { problemText } from '../problems.js';
import { text } from '../text.js';

/** @param {import('../app.js').App} app @param {{ name: 'join', code: string }} route @returns {import('../app.js').Screen} */
export function joinScreen(app, { code }) {
  const place = h('div', {});
  const button = h('button', { class: 'button button--primary', type: 'button' }, text('join.submit'));
  button.addEventListener('click', () => busy(button, async () => {
    const answer = await app.chat?.rest.accept(code);
    if (answer === undefined) return;
    if (answer.ok) app.navigate({ name: 'chat', id: answer.value.id }, { replace: true });
    else replace(place, notice('error', problemText(answer.problem)));
  }));
  const element = h('div', { class: 'stack' }, h('h1', { tabindex: '-1' }, text('join.title')), h('p', {}, text('join.lead')), place, h('div', {}, button));
  return { title: text('join.title'), element };
}
