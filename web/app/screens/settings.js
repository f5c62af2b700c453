// @ts-check
// One's name, the look, devices, and how calls begin.

import { h, icon } from '../dom.js';
import { deviceList } from '../chat/sealing.js';
import { deviceSettings } from '../device-settings.js';
import { busy, field, segments, toggle } from '../parts.js';
import { problemText } from '../problems.js';
import { securitySettings } from '../security.js';
import { text } from '../text.js';

/** @typedef {import('../app.js').App} App */

/** @param {string} title @param {...any} content */
const section = (title, ...content) => h('section', { class: 'panel' }, h('h2', {}, title), content);

/** @param {App} app @returns {import('../app.js').Screen} */
export function settingsScreen(app) {
  const { preferences } = app.store.get();
  const you = yourName(app);
  const devices = deviceSettings(app, { withCamera: true });
  const security = securitySettings(app);
  const sealing = deviceList(app);
  /** @param {'startsMuted' | 'startsWithoutVideo' | 'mirror' | 'ring' | 'shortcuts'} name @param {string} label @param {string} [hint] */
  const preference = (name, label, hint) =>
    toggle({ label, hint, isOn: preferences[name], onChange: (on) => app.setPreferences({ [name]: on }) }).element;
  const theme = segments({
    label: text('settings.theme'), value: preferences.theme,
    options: [
      { value: 'system', label: text('settings.theme.system') }, { value: 'light', label: text('settings.theme.light') },
      { value: 'dark', label: text('settings.theme.dark') },
    ],
    onChange: (value) => app.setPreferences({ theme: /** @type {any} */ (value) }),
  });
  const element = h('div', { class: 'stack' }, h('h1', { tabindex: '-1' }, text('settings.title')),
    section(text('settings.you'), you.element),
    section(text('settings.look'), theme),
    section(text('settings.devices'), devices.element),
    section(text('settings.calls'),
      preference('startsMuted', text('settings.startsMuted')),
      preference('startsWithoutVideo', text('settings.startsWithoutVideo')),
      preference('mirror', text('settings.mirror'), text('settings.mirror.hint')),
      preference('ring', text('settings.ring')),
      notifications(app),
      preference('shortcuts', text('settings.shortcuts'), text('settings.shortcuts.hint'))),
    section(text('security.title'), security.element),
    section(text('seal.devices'), sealing.element));
  return {
    title: text('settings.title'), element,
    close() {
      you.close();
      devices.close();
      security.close();
      sealing.close();
      app.media.closeAll();
    },
  };
}

/** The system's notifications, which the browser asks about once. @param {App} app */
function notifications(app) {
  const { notifier } = app;
  const isAllowed = () => notifier?.permission === 'granted';
  const part = toggle({
    label: text('settings.notify'), hint: text(notifier === null ? 'settings.notify.none' : 'settings.notify.hint'),
    isOn: app.store.get().preferences.notify && isAllowed(), isDisabled: notifier === null,
    async onChange(on) {
      if (on && !isAllowed()) await notifier?.request();
      part.input.checked = on && isAllowed();
      app.setPreferences({ notify: part.input.checked });
      if (on && !isAllowed()) app.announce.show(text('settings.notify.denied'), 'error');
    },
  });
  return part.element;
}

/** @param {App} app */
function yourName(app) {
  const name = field({ label: text('settings.name'), input: { name: 'name', autocomplete: 'name', maxLength: 100 } });
  const account = h('p', { class: 'field__hint' });
  const save = h('button', { class: 'button button--primary', type: 'submit' }, text('settings.name.save'));
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    const displayName = name.input.value.trim();
    name.setError(displayName === '' ? text('form.required') : null);
    if (displayName === '') {
      name.input.focus();
      return;
    }
    void busy(save, async () => {
      const answer = await app.api.updateMe({ displayName });
      if (!answer.ok) {
        name.setError(problemText(answer.problem));
        return;
      }
      app.directory.learn([answer.value]);
      app.store.set(({ names }) => ({ user: answer.value, names: names + 1 }));
      app.announce.show(text('settings.name.saved'), 'good');
    });
  };
  const leave = h('button', { class: 'button', type: 'button' }, icon('logout'), text('logout.submit'));
  leave.addEventListener('click', () => busy(leave, () => app.logOut()));
  const unwatch = app.store.watch((state) => state.user, (user) => {
    if (user === null) return;
    // What somebody is typing is not taken from them.
    if (document.activeElement !== name.input) name.input.value = user.displayName;
    account.textContent = text('settings.account', { username: user.username });
  });
  const element = h('form', { class: 'form', noValidate: true, on: { submit } }, name.element,
    h('div', { class: 'bar' }, account, h('div', { class: 'row__tools' }, save, leave)));
  return { element, close: unwatch };
}
