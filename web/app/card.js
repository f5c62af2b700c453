// @ts-check
// The screens of who has not logged in: one card in the middle.

import { h } from './dom.js';

/** @param {string} title @param {string} lead @param {...any} content */
export function card(title, lead, ...content) {
  const heading = h('h1', { tabindex: '-1' }, title);
  const body = h('div', { class: 'stack stack--tight' }, content);
  const element = h('main', { class: 'welcome', id: 'main' },
    h('div', { class: 'card' }, h('div', { class: 'card__head' }, heading, h('p', { class: 'card__lead' }, lead)), body));
  return { element, heading, body };
}
