// @ts-check
// The client as one object: who is logged in, which screen is shown, which call is on. What it needs of the browser is
// handed to it (main.js), so that tests bring a world of their own.

import { createAnnouncer } from './announce.js';
import { createMedia } from './media.js';
import { createDirectory } from './people.js';
import { preferencesIn } from './preferences.js';
import { problemText } from './problems.js';
import { formatRoute, isForStrangers, isPublic, parseRoute } from './router.js';
import { createPresence } from './presence.js';
import { screenFor } from './screens/index.js';
import { createShell } from './shell.js';
import { createStore } from './store.js';
import { tellNews } from './chat/sealing.js';
import { createIncoming } from './incoming.js';
import { text } from './text.js';

/** @typedef {import('./router.js').Route} Route */
/** @typedef {import('../plexichat-api.js').PlexiAPI} PlexiAPI */
/** @typedef {import('../plexichat-call.js').PlexiCall} PlexiCall */
/** @typedef {import('../plexichat-call.js').PlexiLine} PlexiLine */
/** @typedef {import('../plexichat-call.js').CallOptions} CallOptions */
/** @typedef {import('../plexichat-chat.js').PlexiChat} PlexiChat */
/** @typedef {import('../api/answers.js').User} User */
/** @typedef {import('../api/answers.js').Challenge} Challenge */
/** @typedef {import('./preferences.js').Preferences} Preferences */

/**
 * @typedef {object} World
 * @property {PlexiAPI} api
 * @property {{ remember: (on: boolean) => void, save: (session: null) => void }} session where tokens are kept after the next login
 * @property {(options: Pick<CallOptions, 'callId' | 'kind' | 'encryption'>) => PlexiCall} makeCall
 * @property {() => PlexiLine} makeLine
 * @property {(tell: (news: import('../seal/book.js').News) => void) => PlexiChat} makeChat `tell`: somebody's devices are others
 * @property {import('./devices.js').MediaSource | null} mediaDevices
 * @property {{ canEncrypt: boolean, makeKey: () => string, secretOf: (key: string) => Uint8Array | null, makeWorker: () => Worker }} encryption
 * @property {((challenge: Challenge) => Promise<{ ok: true } | { ok: false, problem: any }>) | null} useKey asks for a security key
 * @property {ReturnType<typeof import('./sounds.js').createSounds>} sounds
 * @property {Pick<BroadcastChannel, 'postMessage' | 'addEventListener'> | null} windows reaches the other windows of this login
 * @property {Pick<Storage, 'getItem' | 'setItem'> | null} local
 * @property {Pick<Storage, 'getItem' | 'setItem' | 'removeItem'> | null} tab storage of this window only
 * @property {import('./notify.js').Notifier | null} notifier
 * @property {() => number} now milliseconds since 1970
 */

/**
 * @typedef {object} Screen
 * @property {string} title
 * @property {HTMLElement} element
 * @property {HTMLElement} [focus] what takes the focus; the heading otherwise
 * @property {() => void} [close]
 */

/** How a call is entered that was decided on elsewhere. @typedef {{ id: string, audio: boolean, video: boolean, kind: 'audio' | 'video' }} Entering */

/**
 * @typedef {object} AppState
 * @property {User | null} user
 * @property {boolean} isOnline
 * @property {'connecting' | 'open' | 'waiting' | 'closed'} line
 * @property {Preferences} preferences
 * @property {import('../chat/types.js').ChatState | null} chat null while nobody is logged in
 * @property {number} names counts up when a name has become known
 */

/** @typedef {ReturnType<typeof createApp>} App */

/** @param {World} world */
export function createApp(world) {
  const stored = preferencesIn(world.local);
  /** @type {import('./store.js').Store<AppState>} */
  const store = createStore({
    user: null, isOnline: globalThis.navigator?.onLine !== false, line: 'closed', preferences: stored.load(), names: 0, chat: null,
  });
  const announce = createAnnouncer(document);
  const directory = createDirectory(world.api, () => store.set(({ names }) => ({ names: names + 1 })));
  const media = createMedia(world.mediaDevices, () => store.get().preferences);
  const shell = createShell(store);
  /** @type {PlexiLine | null} */
  let line = null;
  /** @type {PlexiChat | null} */
  let chat = null;
  /** @type {Screen | null} */
  let screen = null;
  /** @type {Route} */
  let route = { name: 'people' };
  /** @type {Entering | null} */
  let entering = null;
  /** The call that is on: while there is one, no other screen is. @type {string | null} */
  let callOn = null;

  const app = {
    api: world.api, store, announce, directory, media, encryption: world.encryption, sounds: world.sounds, now: world.now,
    windows: world.windows, notifier: world.notifier,
    presence: createPresence(world.api),
    canUseKey: world.useKey !== null,
    makeCall: world.makeCall,
    get line() { return line; },
    get chat() { return chat; },
    /** Through which the screens of chat look at people and times. @returns {import('./chat/view.js').Eyes} */
    get eyes() { return { self: world.api.userId, nameOf: directory.nameOf, now: new Date(world.now()) }; },
    get self() { return world.api.userId; },

    /** @param {Route} to @param {{ replace?: boolean }} [options] */
    navigate(to, { replace = false } = {}) {
      const hash = formatRoute(to);
      if (replace) {
        history.replaceState(null, '', hash);
        show();
      } else if (location.hash === hash) show(true);
      else location.hash = hash;
    },

    /** Shows the present screen anew. */
    reload: () => show(true),

    /** @param {Partial<Preferences>} change */
    setPreferences(change) {
      const preferences = { ...store.get().preferences, ...change };
      store.set({ preferences });
      stored.save(preferences);
    },

    /** @param {{ username: string, password: string, remember: boolean }} form */
    logIn(form) {
      world.session.remember(form.remember);
      return world.api.logIn(form);
    },

    /** @param {Challenge} challenge */
    useKey: (challenge) => (world.useKey === null ? Promise.resolve({ ok: /** @type {const} */ (false), problem: null }) : world.useKey(challenge)),

    /** After a login: to where somebody wanted to go. @param {string} [then] */
    enter(then) {
      signedIn();
      const to = then === undefined ? null : parseRoute(then);
      app.navigate(to === null || isPublic(to) || to.name === 'missing' ? { name: 'people' } : to);
    },

    /** The server has ended it already. */
    forgetSession() {
      if (world.api.userId === null) return;
      app.leaveLine();
      world.session.save(null);
      directory.clear();
      store.set({ user: null });
    },

    async logOut() {
      app.leaveLine();
      await world.api.logOut();
    },

    /** Calls people, or says why not. @param {readonly string[]} people @param {'audio' | 'video'} kind @param {Omit<Entering, 'id' | 'kind'>} wish @param {string} [key] */
    async startCall(people, kind, wish, key) {
      const answer = await world.api.startCall({ participants: people, type: kind });
      if (!answer.ok) return answer.problem;
      app.enterCall({ id: answer.value.id, kind, ...wish }, key);
      return null;
    },

    /** @param {Entering} how @param {string} [key] */
    enterCall(how, key) {
      entering = how;
      app.navigate(key === undefined ? { name: 'call', id: how.id } : { name: 'call', id: how.id, key });
    },

    /** How the call of `id` was decided to be entered, once. @param {string} id */
    takeEntering(id) {
      const taken = entering?.id === id ? entering : null;
      entering = null;
      return taken;
    },

    /** The call that this window was in before it was loaded again. */
    get lastCall() { return readTab(world.tab); },

    /** @param {string | null} id @param {{ audio: boolean, video: boolean, kind: 'audio' | 'video' } | null} how */
    setCallOn(id, how) {
      callOn = id;
      writeTab(world.tab, id === null || how === null ? null : { id, ...how });
    },

    leaveLine() {
      line?.close();
      line = null;
      chat?.close();
      chat = null;
      store.set({ chat: null });
      app.presence.stop();
      incoming.stop();
    },

    /** Leaves everything: the line, the screen, the devices. */
    stop() {
      app.leaveLine();
      screen?.close?.();
      screen = null;
      media.closeAll();
    },

    start() {
      addEventListener('hashchange', () => show());
      addEventListener('online', () => {
        store.set({ isOnline: true });
        line?.networkChanged();
        chat?.networkChanged();
      });
      addEventListener('offline', () => store.set({ isOnline: false }));
      document.addEventListener('visibilitychange', () => app.presence.setVisible(!document.hidden));
      world.api.addEventListener('signed-out', (event) => signedOut(/** @type {CustomEvent} */ (event).detail?.reason));
      store.watch((state) => state.preferences.theme, applyTheme);
      store.watch((state) => state.preferences.speaker, (id) => world.sounds.useDevice(id));
      if (world.api.userId !== null) signedIn();
      show();
    },
  };

  const incoming = createIncoming(app);

  function signedIn() {
    openLine();
    openChat();
    app.presence.start(!document.hidden);
    void readAccount();
  }

  async function readAccount() {
    const answer = await world.api.me();
    if (!answer.ok) return;
    directory.learn([answer.value]);
    store.set(({ names }) => ({ user: answer.value, names: names + 1 }));
  }

  /** @param {'left' | 'ended' | undefined} reason */
  function signedOut(reason) {
    app.leaveLine();
    directory.clear();
    store.set({ user: null });
    announce.show(reason === 'ended' ? text('problem.signed_out') : text('logout.done'), reason === 'ended' ? 'error' : 'info');
    const wanted = isPublic(route) || reason !== 'ended' ? undefined : formatRoute(route).slice(1);
    callOn = null;
    app.navigate(wanted === undefined ? { name: 'login' } : { name: 'login', then: wanted });
  }

  function openLine() {
    line?.close();
    const opened = world.makeLine();
    line = opened;
    const on = (/** @type {string} */ type, /** @type {(detail: any) => void} */ react) =>
      opened.addEventListener(type, (event) => opened === line && react(/** @type {CustomEvent} */ (event).detail));
    on('state', () => {
      if (opened.state !== 'open') app.presence.unfollow();
      // What failed while the server was away.
      else if (store.get().user === null) void readAccount();
      store.set({ line: opened.state });
    });
    on('incoming', (call) => incoming.ring(call));
    on('ringing-stopped', ({ callId, reason }) => incoming.stopped(callId, reason));
    on('presence', (presence) => app.presence.follow(presence));
    on('problem', (problem) => {
      // Logged out in another window, which shares the session.
      if (world.api.userId === null) signedOut('left');
      else if (problem.code !== 'network') announce.show(problemText(problem), 'error');
    });
    opened.open();
  }

  function openChat() {
    chat?.close();
    const opened = world.makeChat((news) => { if (opened === chat) tellNews(app, news); });
    chat = opened;
    store.set({ chat: opened.state });
    opened.addEventListener('change', () => { if (opened === chat) store.set({ chat: opened.state }); });
    opened.addEventListener('problem', (event) => {
      const { detail } = /** @type {CustomEvent} */ (event);
      // That the server is away the line says already, and the end of the session too.
      if (opened === chat && !['network', 'signed_out'].includes(detail.code)) announce.show(problemText(detail), 'error');
    });
    opened.open();
  }

  function show(isForced = false) {
    const next = parseRoute(location.hash);
    if (world.api.userId === null && !isPublic(next)) {
      const then = formatRoute(next).slice(1);
      app.navigate(then === '/people' ? { name: 'login' } : { name: 'login', then }, { replace: true });
      return;
    }
    if (world.api.userId !== null && isForStrangers(next)) {
      app.navigate({ name: 'people' }, { replace: true });
      return;
    }
    if (!isForced && callOn !== null && !(next.name === 'call' && next.id === callOn)) {
      // A step back in the browser's history is no wish to hang up.
      history.pushState(null, '', formatRoute(route));
      announce.show(text('call.stay'));
      return;
    }
    if (!isForced && screen !== null && formatRoute(next) === formatRoute(route)) return;
    route = next;
    draw();
  }

  function draw() {
    screen?.close?.();
    const made = screenFor(app, route);
    screen = made;
    shell.show(made, route);
    document.title = text('app.title', { screen: made.title });
  }

  /** @param {string} theme */
  function applyTheme(theme) {
    if (theme === 'system') document.documentElement.removeAttribute('data-theme');
    else document.documentElement.setAttribute('data-theme', theme);
  }

  return app;
}

const tabName = 'plexichat.call';

/** @param {Pick<Storage, 'getItem'> | null} tab @returns {Entering | null} */
function readTab(tab) {
  try {
    const value = JSON.parse(tab?.getItem(tabName) ?? 'null');
    if (typeof value?.id !== 'string') return null;
    return { id: value.id, audio: value.audio === true, video: value.video === true, kind: value.kind === 'audio' ? 'audio' : 'video' };
  } catch {
    return null;
  }
}

/** @param {Pick<Storage, 'setItem' | 'removeItem'> | null} tab @param {Entering | null} value */
function writeTab(tab, value) {
  try {
    if (value === null) tab?.removeItem(tabName);
    else tab?.setItem(tabName, JSON.stringify(value));
  } catch {
    // Without it, a reload asks once more before it joins.
  }
}
