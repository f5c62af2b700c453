// @ts-check
// Before a call: how one looks, whether one is heard, with whom it will be, and whether it is encrypted end to end.

import { deviceSettings } from '../device-settings.js';
import { h, icon, replace, setIcon, setText } from '../dom.js';
import { nameList } from '../format.js';
import { streamOf } from '../media.js';
import { busy, iconButton, notice, toggle } from '../parts.js';
import { problemText } from '../problems.js';
import { text } from '../text.js';

/** @typedef {import('../app.js').App} App */
/** @typedef {{ audio: boolean, video: boolean }} Wish */

/** @param {App} app @param {{ name: 'ready', people: string[], kind: 'audio' | 'video' }} route @returns {import('../app.js').Screen} */
export function readyScreen(app, route) {
  let isEncrypted = false;
  let isStarted = false;
  const encrypt = toggle({
    label: text('ready.encrypt'),
    hint: app.encryption.canEncrypt ? text('ready.encrypt.hint') : text('ready.encrypt.unsupported'),
    isOn: false, isDisabled: !app.encryption.canEncrypt,
    onChange: (on) => { isEncrypted = on; },
  });
  const view = readyView(app, {
    kind: route.kind, more: [encrypt.element], action: text('ready.start'),
    title: () => text('ready.with', { names: nameList(route.people.map((id) => app.directory.nameOf(id))) }),
    onBack: () => app.navigate({ name: 'people' }),
    async onGo(wish) {
      const key = isEncrypted ? app.encryption.makeKey() : undefined;
      const problem = await app.startCall(route.people, route.kind, wish, key);
      if (problem !== null) return problemText(problem);
      isStarted = true;
      return null;
    },
  });
  return {
    title: text('ready.title'), element: view.element,
    close() {
      view.close();
      // The call goes on with what was opened here: the camera's light does not blink.
      if (!isStarted) app.media.closeAll();
    },
  };
}

/**
 * @param {App} app
 * @param {object} what
 * @param {'audio' | 'video'} what.kind
 * @param {() => string} what.title
 * @param {any[]} what.more
 * @param {string} what.action
 * @param {() => void} what.onBack
 * @param {(wish: Wish) => Promise<string | null>} what.onGo answers what failed
 */
export function readyView(app, { kind, title, more, action, onBack, onGo }) {
  const { preferences } = app.store.get();
  const wish = { audio: !preferences.startsMuted, video: kind === 'video' && !preferences.startsWithoutVideo };
  const heading = h('h1', { tabindex: '-1' });
  const preview = previewOf(app, wish, kind);
  const devices = deviceSettings(app, { withCamera: kind === 'video' });
  const place = h('div', {});
  const go = h('button', { class: 'button button--primary button--wide', type: 'button' }, icon(kind === 'video' ? 'camera' : 'call'), action);
  go.addEventListener('click', () => busy(go, async () => {
    const words = await onGo({ ...wish });
    replace(place, words === null ? null : notice('error', words));
  }));
  const back = h('button', { class: 'button button--wide', type: 'button', on: { click: onBack } }, text('ready.back'));
  const element = h('div', { class: 'stack' }, heading,
    h('div', { class: 'ready' },
      h('div', { class: 'stack' }, preview.element, h('section', { class: 'panel', aria: { label: text('settings.devices') } }, devices.element)),
      h('div', { class: 'panel' }, more, place, go, back)));
  const unwatch = app.store.watch((state) => state.names, () => setText(heading, title()));
  void app.media.open({ audio: true, video: wish.video });
  return {
    element,
    close() {
      unwatch();
      preview.close();
      devices.close();
    },
  };
}

/** One's own picture with its two switches. @param {App} app @param {Wish} wish changed in place @param {'audio' | 'video'} kind */
function previewOf(app, wish, kind) {
  const { media } = app;
  const video = h('video', { class: 'preview__video', muted: true, autoplay: true, playsInline: true, aria: { label: text('ready.preview') } });
  video.classList.toggle('mirrored', app.store.get().preferences.mirror);
  const off = h('p', { class: 'preview__off' }, text('ready.cameraOff'));
  const microphone = iconButton('microphone', text('control.mute'), { class: 'control' });
  const camera = iconButton('camera', text('control.cameraOff'), { class: 'control' });
  const draw = () => {
    label(microphone, wish.audio, ['microphone', 'control.mute'], ['microphone-off', 'control.unmute']);
    label(camera, wish.video, ['camera', 'control.cameraOff'], ['camera-off', 'control.cameraOn']);
  };
  microphone.addEventListener('click', () => {
    wish.audio = !wish.audio;
    draw();
  });
  camera.addEventListener('click', () => {
    wish.video = !wish.video;
    if (wish.video) void media.open({ audio: false, video: true });
    else media.close('camera');
    draw();
  });
  const unwatch = media.store.watch((state) => state.camera, (track) => {
    video.srcObject = track === null ? null : streamOf(track);
    video.hidden = track === null;
    off.hidden = track !== null;
  });
  draw();
  const element = h('figure', { class: 'preview' }, video, off,
    h('div', { class: 'preview__tools' }, microphone, kind === 'video' ? camera : null));
  return {
    element,
    close() {
      unwatch();
      video.srcObject = null;
    },
  };
}

/**
 * @param {any} button
 * @param {boolean} isOn
 * @param {[string, import('../text.js').Key]} on sign and words while it is on
 * @param {[string, import('../text.js').Key]} off
 */
function label(button, isOn, on, off) {
  const [sign, key] = isOn ? on : off;
  setIcon(button.firstElementChild, sign);
  button.setAttribute('aria-label', text(key));
  button.title = text(key);
  button.dataset.off = String(!isOn);
}
