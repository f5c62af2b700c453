// @ts-check
// What stands around the screens: the rail with the tabs, and the focus that goes to each new screen.

import { h, icon, replace } from './dom.js';
import { face } from './parts.js';
import { formatRoute } from './router.js';
import { text } from './text.js';

/** @typedef {import('./app.js').Screen} Screen */
/** @typedef {import('./router.js').Route} Route */

const tabs = /** @type {const} */ ([
  { name: 'chats', icon: 'chat', label: 'chats.title' },
  { name: 'people', icon: 'people', label: 'people.title' },
  { name: 'history', icon: 'history', label: 'history.title' },
  { name: 'settings', icon: 'settings', label: 'settings.title' },
]);

/** Screens that fill the window. */
const bare = new Set(['login', 'register', 'forgot', 'reset', 'call']);

/** @param {import('./store.js').Store<import('./app.js').AppState>} store */
export function createShell(store) {
  const root = /** @type {HTMLElement} */ (document.getElementById('app'));
  const skip = /** @type {HTMLElement} */ (document.getElementById('skip'));
  const unread = h('span', {});
  const links = tabs.map((tab) => ({
    name: tab.name,
    element: h('a', { class: 'tabs__link', href: formatRoute({ name: tab.name }) }, icon(tab.icon), h('span', {}, text(tab.label)), tab.name === 'chats' ? unread : null),
  }));
  const me = h('div', { class: 'rail__me' });
  const warning = h('div', { role: 'status' });
  const sign = icon('sign');
  sign.setAttribute('class', 'icon wordmark__sign');
  const main = h('main', { class: 'content', id: 'main', tabindex: '-1' });
  const content = h('div', {}, warning, main);
  const shell = h('div', { class: 'shell' },
    h('header', { class: 'rail' },
      h('p', { class: 'wordmark' }, sign, text('app.name')),
      h('nav', { class: 'tabs', aria: { label: text('app.tabs') } }, links.map((link) => link.element)), me),
    content);

  // The address behind `#` is the screen's, so this link cannot be left to the browser.
  skip.addEventListener('click', (event) => {
    event.preventDefault();
    focusOn(/** @type {HTMLElement | null} */ (document.getElementById('main')));
  });

  store.watch((state) => state.user, (user) => {
    replace(me, user === null ? null : face(user.displayName), user === null ? null : h('span', {}, user.displayName));
  });
  store.watch((state) => (state.chat?.conversations ?? []).filter((one) => one.unread > 0 && !one.isMuted).length, (count) => {
    replace(unread, count === 0 ? null : [h('span', { class: 'badge', aria: { hidden: true } }, count), h('span', { class: 'only-read' }, text('chats.unreadIn', { count }))]);
  });
  store.watch((state) => (state.isOnline ? state.line : 'offline'), (line) => {
    const words = line === 'offline' ? text('app.offline') : line === 'waiting' ? text('app.lineLost') : null;
    replace(warning, words === null ? null : h('p', { class: 'notice notice--warning' }, icon('warning'), h('span', { class: 'notice__words' }, words)));
  });

  return {
    /** @param {Screen} screen @param {Route} route */
    show(screen, route) {
      if (bare.has(route.name)) {
        replace(root, screen.element);
      } else {
        replace(main, screen.element);
        if (!shell.isConnected) replace(root, shell);
      }
      for (const link of links) {
        if (link.name === (route.name === 'chat' ? 'chats' : route.name)) link.element.setAttribute('aria-current', 'page');
        else link.element.removeAttribute('aria-current');
      }
      globalThis.scrollTo?.(0, 0);
      focusOn(screen.focus ?? screen.element.querySelector('h1'));
    },
  };
}

/** @param {HTMLElement | null} element */
function focusOn(element) {
  if (element === null) return;
  if (!element.matches('a, button, input, select, [tabindex]')) element.tabIndex = -1;
  element.focus();
}
