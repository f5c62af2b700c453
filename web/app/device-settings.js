// @ts-check
// Choosing devices, with a meter that shows whether the microphone hears anything: in the settings, before a call, and
// in it.

import { pickDevice } from './devices.js';
import { h, replace, setData, setStyle } from './dom.js';
import { streamOf } from './media.js';
import { watchLevel } from './meter.js';
import { deviceChoice, notice } from './parts.js';
import { text } from './text.js';

/** @typedef {import('./app.js').App} App */

/**
 * @param {App} app
 * @param {{ withCamera: boolean }} what
 */
export function deviceSettings(app, { withCamera }) {
  const { media } = app;
  const chosen = () => app.store.get().preferences;
  const meter = levelMeter(app);
  const microphone = deviceChoice({
    label: text('ready.microphone'), devices: [], value: '',
    onChange(id) {
      app.setPreferences({ microphone: id });
      if (media.store.get().microphone !== null) void media.open({ audio: true, video: false });
    },
  });
  const camera = deviceChoice({
    label: text('ready.camera'), devices: [], value: '',
    onChange(id) {
      app.setPreferences({ camera: id });
      if (media.store.get().camera !== null) void media.open({ audio: false, video: true });
    },
  });
  const speaker = deviceChoice({
    label: text('ready.speaker'), devices: [], value: '',
    onChange: (id) => app.setPreferences({ speaker: id }),
  });
  const allow = h('div', { class: 'stack stack--tight' },
    h('p', { class: 'field__hint' }, text('settings.devices.hint')),
    h('button', { class: 'button', type: 'button', on: { click: () => media.open({ audio: true, video: false }) } }, text('settings.devices.allow')));
  const fault = h('div', {});
  const test = h('button', { class: 'button', type: 'button', on: { click: () => app.sounds.play('joined') } }, text('ready.testSound'));
  const element = h('div', { class: 'stack stack--tight' }, fault, allow, microphone.element, meter.element,
    withCamera ? camera.element : null, speaker.element, test);

  const unwatch = [
    media.store.watch((state) => state.devices, (devices) => {
      microphone.update(devices.microphones, pickDevice(devices.microphones, chosen().microphone));
      camera.update(devices.cameras, pickDevice(devices.cameras, chosen().camera));
      // Only Chromium, and Firefox by now, can play elsewhere than the system does.
      const canChoose = 'setSinkId' in (globalThis.HTMLMediaElement?.prototype ?? {});
      speaker.update(canChoose ? devices.speakers : [], pickDevice(devices.speakers, chosen().speaker));
      allow.hidden = devices.microphones.length > 0;
    }),
    media.store.watch((state) => state.fault, (key) => replace(fault, key === null ? null : notice('warning', text(key)))),
  ];
  void media.look();
  return {
    element,
    close() {
      for (const end of unwatch) end();
      meter.close();
    },
  };
}

/** @param {App} app */
export function levelMeter(app) {
  const bar = h('div', { class: 'meter__bar' });
  const element = h('div', { class: 'meter', role: 'meter', aria: { label: text('ready.level'), valuemin: 0, valuemax: 100, valuenow: 0 } }, bar);
  let end = () => {};
  let told = 0;
  const unwatch = app.media.store.watch((state) => state.microphone, (track) => {
    end();
    end = () => {};
    setStyle(bar, { '--level': '0' });
    element.hidden = track === null;
    if (track === null) return;
    end = watchLevel(streamOf(track), (level, isLoud) => {
      setStyle(bar, { '--level': level.toFixed(3) });
      setData(bar, { loud: isLoud });
      // Sixty numbers a second are for eyes only.
      const rounded = Math.round(level * 10) * 10;
      if (rounded !== told) element.setAttribute('aria-valuenow', String((told = rounded)));
    });
  });
  return {
    element,
    close() {
      unwatch();
      end();
    },
  };
}
