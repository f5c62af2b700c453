// @ts-check
// The start: the browser's things are put together and handed to the app. Nothing else of the client touches globals
// that a test would have to imitate, but the document itself.

import { credentialJSON, PlexiAPI, requestOptions } from '../plexichat-api.js';
import { PlexiCall, PlexiLine, signalingURL } from '../plexichat-call.js';
import { DeviceAPI, PlexiChat, chatURL } from '../plexichat-chat.js';
import { Sealer, browserKeyStore } from '../plexichat-seal.js';
import { canEncrypt, fragmentOf, makeSecret, makeWorker, secretFrom } from '../sframe.js';
import { createApp } from './app.js';
import { browserName } from './format.js';
import { createNotifier } from './notify.js';
import { storageOf } from './preferences.js';
import { sessionStore } from './session-store.js';
import { createSounds } from './sounds.js';
import { text } from './text.js';

const local = storageOf('localStorage');
const tab = storageOf('sessionStorage');
const session = sessionStore(tab, local);
const api = new PlexiAPI({ store: session });
const url = signalingURL(location);
const token = () => api.accessToken();

/** Pages of addresses without TLS have no keys. @param {(news: import('../seal/book.js').News) => void} tell */
const makeSealer = (tell) => (api.userId === null || globalThis.indexedDB === undefined || globalThis.crypto?.subtle === undefined ? null
  : new Sealer({ userId: api.userId, deviceName: browserName(navigator.userAgent), store: browserKeyStore(indexedDB), rows: new DeviceAPI(api), tell }));

const app = createApp({
  api, session, local, tab,
  makeCall: (options) => new PlexiCall({ ...options, url, token }),
  makeLine: () => new PlexiLine({ url, token }),
  makeChat: (tell) => new PlexiChat({ url: chatURL(location), token, api, sealer: makeSealer(tell) }),
  mediaDevices: navigator.mediaDevices ?? null,
  encryption: {
    canEncrypt: canEncrypt(),
    makeKey: () => new URLSearchParams(fragmentOf(makeSecret()).replace(/^#/, '')).get('key') ?? '',
    secretOf: (key) => secretFrom(`#key=${key}`),
    makeWorker,
  },
  useKey: navigator.credentials === undefined ? null : async (challenge) => {
    const begun = await api.beginKey(challenge);
    if (!begun.ok) return begun;
    try {
      const credential = await navigator.credentials.get({ publicKey: requestOptions(begun.value.publicKey) });
      return await api.finishKey(challenge, begun.value.token, credentialJSON(credential));
    } catch {
      // Cancelled, or no key that fits: the browser has said which.
      return { ok: false, problem: null };
    }
  },
  windows: 'BroadcastChannel' in globalThis ? new BroadcastChannel('plexichat') : null,
  sounds: createSounds(),
  notifier: createNotifier(),
  now: () => Date.now(),
});

// What nobody expected: said in words, instead of a page that does not move.
let hasSaid = false;
const crashed = () => {
  if (hasSaid) return;
  hasSaid = true;
  app.announce.show(text('app.crashed'), 'error');
};
addEventListener('error', (event) => {
  // A file that did not load is no fault in a script, nor is a size that is told one frame later; and what other
  // programs put into the page is not ours.
  if (!(event instanceof ErrorEvent) || event.message.startsWith('ResizeObserver loop')) return;
  if (event.filename.startsWith(location.origin)) crashed();
});
addEventListener('unhandledrejection', crashed);
app.start();
