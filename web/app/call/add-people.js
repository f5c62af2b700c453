// @ts-check
// The host of a group calls others to it: a search in the panel of people.

import { h, keyed, replace, setText } from '../dom.js';
import { notice, face } from '../parts.js';
import { problemText } from '../problems.js';
import { text } from '../text.js';
import { invitable } from './view.js';

/** @typedef {import('../app.js').App} App */
/** @typedef {import('../../plexichat-call.js').PlexiCall} PlexiCall */
/** @typedef {import('../../api/answers.js').User} User */

const patience = 250;
/** Beside a call there is little room: who is wanted is found by a longer word. */
const shownMax = 6;

/** @param {App} app @param {PlexiCall} call */
export function addPeople(app, call) {
  /** @type {User[]} */
  let found = [];
  let question = 0;
  /** @type {ReturnType<typeof setTimeout> | null} */
  let typing = null;
  const status = h('p', { class: 'person__state', role: 'status' });
  const list = h('ul', { class: 'side__people', role: 'list' });
  const place = h('div', {});
  const input = h('input', {
    class: 'input', type: 'search', id: 'add-people', autocomplete: 'off', spellcheck: false,
    on: {
      input() {
        if (typing !== null) clearTimeout(typing);
        typing = setTimeout(look, patience);
      },
    },
  });

  async function look() {
    const mine = (question += 1);
    const search = input.value.trim();
    const answer = search === '' ? null : await app.api.users({ search, size: shownMax * 2 });
    if (mine !== question) return;
    replace(place, answer === null || answer.ok ? null : notice('error', problemText(answer.problem)));
    found = answer !== null && answer.ok ? answer.value.users : [];
    app.directory.learn(found);
    draw();
    setText(status, search === '' ? '' : text('people.found', { count: list.children.length }));
  }

  function draw() {
    const people = invitable(call.state, found).slice(0, shownMax);
    keyed(list, people, (user) => user.id, (user) => {
      const ask = h('button', {
        class: 'button', type: 'button', aria: { label: text('people.callAudio', { name: user.displayName }) },
        on: { click: () => call.invite([user.id]) },
      }, text('people.callChosenAudio'));
      return { element: h('li', { class: 'person__line' }, face(user.displayName), h('span', { class: 'person__name' }, user.displayName), ask) };
    });
  }

  return {
    element: h('div', { class: 'stack stack--tight' },
      h('label', { class: 'field__label', htmlFor: 'add-people' }, text('side.add')), input, place, status, list),
    /** Who was called a moment ago is not offered any more. */
    update: draw,
    close() {
      question += 1;
      if (typing !== null) clearTimeout(typing);
    },
  };
}
