// @ts-check
// A forgotten password: a mail with a link, and the link's screen.

import { card } from '../card.js';
import { h } from '../dom.js';
import { form } from '../form.js';
import { field, notice } from '../parts.js';
import { problemText } from '../problems.js';
import { formatRoute } from '../router.js';
import { text } from '../text.js';

/** @typedef {import('../app.js').App} App */
/** @typedef {import('../app.js').Screen} Screen */

const toLogin = () => h('p', {}, h('a', { href: formatRoute({ name: 'login' }) }, text('register.toLogin')));

/** @param {App} app @returns {Screen} */
export function forgotScreen(app) {
  const email = field({ label: text('register.email'), input: { name: 'email', type: 'email', autocomplete: 'email' } });
  const ask = form({
    fields: [{ name: 'email', part: email, rules: { isRequired: true, isEmail: true } }],
    submit: text('forgot.submit'),
    async onSubmit(values) {
      const answer = await app.api.forgotPassword((values.email ?? '').trim());
      if (!answer.ok) return problemText(answer.problem);
      // The same words whether there is such an account or not: nobody learns here who has one.
      view.body.replaceChildren(notice('good', text('forgot.sent')), toLogin());
      view.heading.focus();
      return null;
    },
  });
  const view = card(text('forgot.title'), text('forgot.lead'), ask, toLogin());
  return { title: text('forgot.title'), element: view.element, focus: email.input };
}

/** @param {App} app @param {{ name: 'reset', token: string }} route @returns {Screen} */
export function resetScreen(app, route) {
  const password = field({
    label: text('security.password.next'), hint: text('register.password.hint'),
    input: { name: 'new-password', type: 'password', autocomplete: 'new-password' },
  });
  const ask = form({
    fields: [{ name: 'password', part: password, rules: { isRequired: true, minimum: 8 } }],
    submit: text('security.password.change'),
    async onSubmit(values) {
      const answer = await app.api.resetPassword(route.token, values.password ?? '');
      if (!answer.ok) return problemText(answer.problem);
      app.announce.show(text('reset.done'), 'good');
      // The link is used up, and does not stay in the history. All sessions have ended, this window's too.
      app.forgetSession();
      app.navigate({ name: 'login' }, { replace: true });
      return null;
    },
  });
  const view = card(text('reset.title'), text('reset.lead'), ask, toLogin());
  return { title: text('reset.title'), element: view.element, focus: password.input };
}
