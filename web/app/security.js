// @ts-check
// In the settings: another password, authenticator apps, recovery codes.

import { openDialog } from './dialog.js';
import { h, replace } from './dom.js';
import { form } from './form.js';
import { busy, field, notice } from './parts.js';
import { problemText } from './problems.js';
import { hasText, text } from './text.js';

/** @typedef {import('./app.js').App} App */
/** @typedef {{ id: string, method: string, label: string, isActive: boolean }} Factor */

const passwordInput = { name: 'password', type: 'password', autocomplete: 'current-password' };

/** @param {App} app */
export function securitySettings(app) {
  const place = h('div', {});
  let isOpen = true;

  async function look() {
    const answer = await app.api.factors();
    if (!isOpen) return;
    if (!answer.ok) {
      replace(place, notice('error', problemText(answer.problem)));
      return;
    }
    replace(place, factorList(app, answer.value.filter((factor) => factor.isActive), look));
  }

  void look();
  return {
    element: h('div', { class: 'stack' }, passwordForm(app), h('div', { class: 'stack stack--tight' }, h('h3', {}, text('security.factors')), place)),
    close() { isOpen = false; },
  };
}

/** @param {App} app */
function passwordForm(app) {
  const current = field({ label: text('security.password.current'), input: passwordInput });
  const next = field({
    label: text('security.password.next'), hint: text('register.password.hint'),
    input: { name: 'new-password', type: 'password', autocomplete: 'new-password' },
  });
  return form({
    fields: [
      { name: 'current', part: current, rules: { isRequired: true } },
      { name: 'next', part: next, rules: { isRequired: true, minimum: 8 } },
    ],
    submit: text('security.password.change'), isNarrow: true,
    async onSubmit(values) {
      const answer = await app.api.changePassword(values.current ?? '', values.next ?? '');
      if (!answer.ok) return problemText(answer.problem);
      current.input.value = '';
      next.input.value = '';
      app.announce.show(text('security.password.changed'), 'good');
      return null;
    },
  });
}

/** @param {App} app @param {Factor[]} factors @param {() => Promise<void>} look */
function factorList(app, factors, look) {
  const nameOf = (/** @type {Factor} */ factor) => {
    const key = `mfa.method.${factor.method}`;
    const method = hasText(key) ? text(key) : text('security.key');
    // Without a label of its own a factor has its method's name.
    return ['', factor.method].includes(factor.label) ? method : `${method}: ${factor.label}`;
  };
  const rows = factors.map((factor) => {
    const name = nameOf(factor);
    const remove = h('button', { class: 'button', type: 'button', aria: { label: text('security.remove', { name }) } }, text('security.removeShort'));
    remove.addEventListener('click', () => askPassword(app, {
      title: text('security.remove', { name }), action: text('security.removeShort'),
      run: (password) => app.api.removeFactor(factor.id, password), onDone: () => void look(),
    }));
    return h('li', { class: 'row' }, h('span', { class: 'row__words row__name' }, name), remove);
  });
  const add = h('button', { class: 'button button--primary', type: 'button' }, text('security.addApp'));
  add.addEventListener('click', () => busy(add, async () => {
    const answer = await app.api.beginTOTP();
    if (answer.ok) enrolApp(app, answer.value, look);
    else app.announce.show(problemText(answer.problem), 'error');
  }));
  const renew = h('button', { class: 'button', type: 'button' }, text('security.newCodes'));
  renew.addEventListener('click', () => askPassword(app, {
    title: text('security.newCodes'), words: text('security.newCodes.hint'), action: text('security.newCodes'),
    run: (password) => app.api.makeRecoveryCodes(password), onDone: showCodes,
  }));
  return h('div', { class: 'stack stack--tight' },
    rows.length === 0 ? h('p', { class: 'field__hint' }, text('security.none')) : h('ul', { class: 'rows', role: 'list' }, rows),
    h('div', { class: 'chosen__tools' }, add, rows.length === 0 ? null : renew));
}

/**
 * @template T
 * @param {App} app
 * @param {object} what
 * @param {string} what.title
 * @param {string} [what.words]
 * @param {string} what.action
 * @param {(password: string) => Promise<{ ok: true, value: T } | { ok: false, problem: import('../call/types.js').CallProblem }>} what.run
 * @param {(value: T) => void} what.onDone
 */
function askPassword(app, { title, words, action, run, onDone }) {
  const password = field({ label: text('login.password'), input: passwordInput });
  const ask = form({
    fields: [{ name: 'password', part: password, rules: { isRequired: true } }], submit: action,
    async onSubmit(values) {
      const answer = await run(values.password ?? '');
      if (!answer.ok) return problemText(answer.problem);
      dialog.close();
      onDone(answer.value);
      return null;
    },
  });
  const dialog = openDialog({ title, content: [...(words === undefined ? [] : [h('p', {}, words)]), ask] });
  password.input.focus();
}

/** @param {App} app @param {{ factorId: string, secret: string, qrSVG: string | null }} enrolment @param {() => Promise<void>} look */
function enrolApp(app, enrolment, look) {
  const code = field({
    label: text('mfa.code'), hint: text('security.app.code'),
    input: { name: 'code', class: 'input input--code', autocomplete: 'one-time-code', inputMode: 'numeric', spellcheck: false },
  });
  // As a picture: nothing that an answer brings becomes a part of the page.
  const picture = enrolment.qrSVG === null ? null
    : h('img', { class: 'code-picture', alt: text('security.app.picture'), src: `data:image/svg+xml,${encodeURIComponent(enrolment.qrSVG)}` });
  const ask = form({
    fields: [{ name: 'code', part: code, rules: { isRequired: true } }], submit: text('security.app.confirm'),
    async onSubmit(values) {
      const answer = await app.api.confirmTOTP(enrolment.factorId, values.code ?? '');
      if (!answer.ok) {
        code.input.value = '';
        return problemText(answer.problem);
      }
      dialog.close();
      app.announce.show(text('security.app.added'), 'good');
      if (answer.value.length > 0) showCodes(answer.value);
      void look();
      return null;
    },
  });
  const dialog = openDialog({
    title: text('security.addApp'),
    content: [
      h('p', {}, text('security.app.scan')), ...(picture === null ? [] : [picture]),
      h('p', {}, text('security.app.secret')), h('p', { class: 'secret' }, enrolment.secret), ask,
    ],
  });
}

/** @param {readonly string[]} codes */
function showCodes(codes) {
  openDialog({
    title: text('security.codes'),
    content: [
      h('p', {}, text('security.codes.hint')),
      h('ol', { class: 'secret', role: 'list' }, codes.map((code) => h('li', {}, code))),
    ],
  });
}
