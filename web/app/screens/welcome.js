// @ts-check
// Log in, its second step, and making an account.

import { card } from '../card.js';
import { h } from '../dom.js';
import { form, showProblem } from '../form.js';
import { busy, field, notice, segments } from '../parts.js';
import { problemText } from '../problems.js';
import { formatRoute } from '../router.js';
import { hasText, text } from '../text.js';
import { codeMethods } from '../form-rules.js';

/** @typedef {import('../app.js').App} App */
/** @typedef {import('../app.js').Screen} Screen */
/** @typedef {import('../../api/answers.js').Challenge} Challenge */

/** @param {App} app @param {{ name: 'login', then?: string }} route @returns {Screen} */
export function loginScreen(app, route) {
  const name = field({ label: text('login.name'), input: { name: 'username', autocomplete: 'username', autocapitalize: 'none', spellcheck: false } });
  const password = field({ label: text('login.password'), input: { name: 'password', type: 'password', autocomplete: 'current-password' } });
  const remember = h('input', { class: 'choice__box', type: 'checkbox', id: 'remember' });
  const element = form({
    fields: [{ name: 'username', part: name, rules: { isRequired: true } }, { name: 'password', part: password, rules: { isRequired: true } }],
    more: [h('div', { class: 'choice' }, remember, h('label', { htmlFor: 'remember' }, text('login.remember')))],
    submit: text('login.submit'),
    async onSubmit({ username, password: secret }) {
      const answer = await app.logIn({ username: username ?? '', password: secret ?? '', remember: remember.checked });
      if (!answer.ok) return problemText(answer.problem);
      if (answer.value.kind === 'mfa') showChallenge(app, view, answer.value);
      else app.enter(route.then);
      return null;
    },
  });
  const view = card(text('login.title'), text('login.lead'), element,
    h('p', {}, h('a', { href: formatRoute({ name: 'forgot' }) }, text('login.forgot'))),
    h('p', {}, text('login.new'), ' ', h('a', { href: formatRoute({ name: 'register' }) }, text('login.toRegister'))));
  return { title: text('login.title'), element: view.element, focus: name.input };
}

/** The second step, in the place of the first. @param {App} app @param {ReturnType<typeof card>} view @param {Challenge} challenge */
function showChallenge(app, view, challenge) {
  const methods = codeMethods(challenge.methods);
  const back = h('button', { class: 'button button--quiet', type: 'button', on: { click: () => app.reload() } }, text('mfa.back'));
  const key = challenge.methods.includes('webauthn') && app.canUseKey ? keyButton(app, challenge) : null;
  view.heading.textContent = text('mfa.title');
  view.body.replaceChildren(h('p', {}, text('mfa.lead')));
  if (key !== null) view.body.append(key);
  if (methods.length > 0) view.body.append(codeForm(app, challenge, methods));
  else if (key === null) view.body.append(notice('warning', text('mfa.unsupported')));
  view.body.append(back);
  const input = view.body.querySelector('input[name="code"]');
  (input ?? view.heading).focus();
}

/** @param {App} app @param {Challenge} challenge */
function keyButton(app, challenge) {
  const place = h('div', {});
  const button = h('button', { class: 'button button--primary button--wide', type: 'button' }, text('mfa.key'));
  button.addEventListener('click', () => busy(button, async () => {
    const answer = await app.useKey(challenge);
    if (answer.ok) app.enter();
    else showProblem(place, answer.problem === null ? text('mfa.key.cancelled') : problemText(answer.problem));
  }));
  return h('div', { class: 'stack stack--tight' }, place, button);
}

/** @param {App} app @param {Challenge} challenge @param {string[]} methods */
function codeForm(app, challenge, methods) {
  let method = methods[0] ?? 'totp';
  const code = field({
    label: text('mfa.code'), hint: ' ',
    input: { name: 'code', class: 'input input--code', autocomplete: 'one-time-code', inputMode: 'numeric', spellcheck: false },
  });
  const send = h('button', { class: 'button', type: 'button' }, text('mfa.send'));
  const hint = /** @type {any} */ (code.element.querySelector('.field__hint'));
  const choose = (/** @type {string} */ value) => {
    method = value;
    const isSent = value === 'email' || value === 'sms';
    hint.textContent = text(isSent ? 'mfa.hint.sent' : value === 'recovery_code' ? 'mfa.hint.recovery_code' : 'mfa.hint.totp');
    code.input.inputMode = value === 'recovery_code' ? 'text' : 'numeric';
    send.hidden = !isSent;
  };
  choose(method);
  send.addEventListener('click', () => busy(send, async () => {
    const answer = await app.api.sendCode(challenge, /** @type {any} */ (method));
    if (answer.ok) app.announce.show(text('mfa.sent'), 'good');
    else app.announce.show(problemText(answer.problem), 'error');
  }));
  const label = (/** @type {string} */ value) => (hasText(`mfa.method.${value}`) ? text(/** @type {any} */ (`mfa.method.${value}`)) : value);
  const choice = methods.length < 2 ? null
    : segments({ label: text('mfa.method'), options: methods.map((value) => ({ value, label: label(value) })), value: method, onChange: choose });
  const element = form({
    fields: [{ name: 'code', part: code, rules: { isRequired: true } }],
    more: [send], submit: text('mfa.submit'),
    async onSubmit({ code: value }) {
      const answer = await app.api.completeMFA(challenge, method, value ?? '');
      if (!answer.ok) {
        code.input.value = '';
        code.input.focus();
        return problemText(answer.problem);
      }
      app.enter();
      return null;
    },
  });
  if (choice !== null) element.prepend(choice);
  return element;
}

/** @param {App} app @returns {Screen} */
export function registerScreen(app) {
  const username = field({ label: text('register.username'), hint: text('register.username.hint'), input: { name: 'username', autocomplete: 'username', autocapitalize: 'none', spellcheck: false } });
  const shown = field({ label: text('register.name'), input: { name: 'name', autocomplete: 'name' } });
  const email = field({ label: text('register.email'), input: { name: 'email', type: 'email', autocomplete: 'email' } });
  const password = field({ label: text('register.password'), hint: text('register.password.hint'), input: { name: 'password', type: 'password', autocomplete: 'new-password' } });
  const element = form({
    fields: [
      { name: 'username', part: username, rules: { isRequired: true } },
      { name: 'shown', part: shown, rules: {} },
      { name: 'email', part: email, rules: { isRequired: true, isEmail: true } },
      { name: 'password', part: password, rules: { isRequired: true, minimum: 8 } },
    ],
    submit: text('register.submit'),
    async onSubmit(values) {
      const answer = await app.api.register({
        username: (values.username ?? '').trim(), email: (values.email ?? '').trim(), password: values.password ?? '',
        displayName: (values.shown ?? '').trim(),
      });
      if (!answer.ok) return problemText(answer.problem);
      app.enter();
      return null;
    },
  });
  const view = card(text('register.title'), text('register.lead'), element,
    h('p', {}, text('register.have'), ' ', h('a', { href: formatRoute({ name: 'login' }) }, text('register.toLogin'))));
  return { title: text('register.title'), element: view.element, focus: username.input };
}
