// @ts-check
// A call from its link to its end: getting ready where nobody said so before, the call itself, and what stands there
// when it is over.

import { callView } from '../call/screen.js';
import { h } from '../dom.js';
import { nameList, spokenDuration } from '../format.js';
import { notice, waitingNote } from '../parts.js';
import { problemText } from '../problems.js';
import { formatRoute } from '../router.js';
import { text } from '../text.js';
import { readyView } from './ready.js';

/** @typedef {import('../app.js').App} App */
/** @typedef {import('../app.js').Entering} Entering */
/** @typedef {{ name: 'call', id: string, key?: string }} CallRoute */

/** @param {App} app @param {CallRoute} route @returns {import('../app.js').Screen} */
export function callScreen(app, route) {
  const element = h('div', {});
  let close = () => {};
  let isOpen = true;
  const put = (/** @type {{ element: HTMLElement, close: () => void }} */ view) => {
    close();
    close = view.close;
    element.replaceChildren(view.element);
    view.element.querySelector('h1')?.focus();
  };
  const page = (/** @type {...any} */ ...content) => ({
    element: h('main', { class: 'content stack', id: 'main' }, content), close: () => {},
  });

  /** @param {Entering} how */
  function enter(how) {
    const secret = route.key === undefined ? null : app.encryption.secretOf(route.key);
    if (route.key !== undefined && (secret === null || !app.encryption.canEncrypt)) {
      // Never in the clear what was asked for encrypted.
      refuse(text(secret === null ? 'app.missing.text' : 'problem.encryption_unsupported'));
      return;
    }
    app.setCallOn(route.id, how);
    put(callView(app, { id: route.id, secret, how, onEnded: ended, onWish: (wish) => app.setCallOn(route.id, { ...how, ...wish }) }));
  }

  /** @param {string} words */
  function refuse(words) {
    app.setCallOn(null, null);
    app.media.closeAll();
    put(page(h('h1', { tabindex: '-1' }, text('call.title')), notice('error', words), backLink()));
  }

  /** @param {import('../../call/types.js').CallProblem} problem @param {number | null} seconds @param {string | null} status */
  function ended(problem, seconds, status) {
    app.setCallOn(null, null);
    app.media.closeAll();
    if (!isOpen) return;
    if (problem.code === 'left') {
      app.navigate({ name: 'people' });
      return;
    }
    const again = h('button', { class: 'button button--primary', type: 'button', on: { click: () => void getReady() } }, text('ended.rejoin'));
    put(page(h('h1', { tabindex: '-1' }, text('ended.title')), h('p', { role: 'status' }, endText(problem, status)),
      seconds === null ? null : h('p', {}, text('ended.lasted', { duration: spokenDuration(seconds) })),
      h('div', { class: 'row__tools' }, backLink(), canRejoin(problem.code) ? again : null)));
  }

  async function getReady() {
    put(page(h('h1', { tabindex: '-1' }, text('call.title')), waitingNote('app.loading')));
    const answer = await app.api.call(route.id);
    if (!isOpen) return;
    if (!answer.ok) {
      refuse(problemText(answer.problem));
      return;
    }
    const { type, participants, endedAt } = answer.value;
    if (endedAt !== null) {
      refuse(text('problem.call_over'));
      return;
    }
    const others = participants.map((one) => one.userId).filter((id) => id !== app.self);
    const view = readyView(app, {
      kind: type, action: text('ready.join'),
      title: () => text('ready.with', { names: nameList(others.map((id) => app.directory.nameOf(id))) }),
      more: route.key === undefined ? [] : [notice('good', text('ready.encrypt.given'))],
      onBack() {
        app.media.closeAll();
        app.navigate({ name: 'people' });
      },
      async onGo(wish) {
        enter({ id: route.id, kind: type, ...wish });
        return null;
      },
    });
    put({ element: h('main', { class: 'content', id: 'main' }, view.element), close: view.close });
  }

  // Decided on a moment ago, or before the page was loaded again: no need to ask.
  const last = app.lastCall;
  const how = app.takeEntering(route.id) ?? (last?.id === route.id ? last : null);
  if (how !== null) enter(how);
  else void getReady();
  return {
    title: text('call.title'), element,
    close() {
      isOpen = false;
      close();
      app.media.closeAll();
    },
  };
}

/** After these somebody may come back. @param {string} code */
const canRejoin = (code) => !['removed', 'call_over', 'declined', 'answered_elsewhere', 'replaced', 'not_found', 'forbidden', 'signed_out'].includes(code);

/** @param {import('../../call/types.js').CallProblem} problem @param {string | null} status */
const endText = (problem, status) =>
  (status === 'declined' || status === 'missed' ? text('ended.declined') : problemText(problem));

const backLink = () => h('a', { class: 'button', href: formatRoute({ name: 'people' }) }, text('ended.back'));
