// @ts-check
// Microphones, cameras, loudspeakers: which there are, which is wanted, and what to ask the browser for.

/**
 * @typedef {{ id: string, label: string }} Device
 * @typedef {{ microphones: Device[], cameras: Device[], speakers: Device[] }} Devices
 * @typedef {Pick<MediaDevices, 'enumerateDevices' | 'getUserMedia' | 'getDisplayMedia' | 'addEventListener' | 'removeEventListener'>} MediaSource
 */

import { text } from './text.js';

/** What a camera is asked for; simulcast makes the smaller layers of it. */
export const cameraSize = Object.freeze({ width: 1280, height: 720, rate: 30 });

/**
 * @param {Pick<MediaDeviceInfo, 'kind' | 'deviceId' | 'label'>[]} infos
 * @returns {Devices}
 */
export function sortDevices(infos) {
  /** @param {MediaDeviceKind} kind @param {'device.microphone' | 'device.camera' | 'device.speaker'} word */
  const of = (kind, word) => {
    const seen = new Set();
    /** @type {Device[]} */
    const found = [];
    for (const info of infos) {
      // Before a permission is given, browsers list devices without ids: nothing to choose from. Chromium lists the
      // system's choice twice more, as "default" and "communications"; the empty choice stands for both.
      if (info.kind !== kind || info.deviceId === '' || info.deviceId === 'default') continue;
      if (info.deviceId === 'communications' || seen.has(info.deviceId)) continue;
      seen.add(info.deviceId);
      found.push({ id: info.deviceId, label: info.label || text(word, { number: found.length + 1 }) });
    }
    return found;
  };
  return {
    microphones: of('audioinput', 'device.microphone'),
    cameras: of('videoinput', 'device.camera'),
    speakers: of('audiooutput', 'device.speaker'),
  };
}

/** The wanted device where it is there, else the system's choice. @param {Device[]} devices @param {string} wanted */
export const pickDevice = (devices, wanted) => (devices.some((device) => device.id === wanted) ? wanted : '');

/**
 * What to ask `getUserMedia` for. A device that is gone is no failure (`ideal`): another is better than none.
 * @param {{ audio: boolean, video: boolean, microphone: string, camera: string }} wish
 * @returns {MediaStreamConstraints}
 */
export function constraintsFor(wish) {
  const device = (/** @type {string} */ id) => (id === '' ? {} : { deviceId: { ideal: id } });
  return {
    audio: wish.audio && {
      ...device(wish.microphone), echoCancellation: true, noiseSuppression: true, autoGainControl: true,
    },
    video: wish.video && {
      ...device(wish.camera),
      width: { ideal: cameraSize.width }, height: { ideal: cameraSize.height }, frameRate: { ideal: cameraSize.rate },
    },
  };
}

/**
 * What a refusal of the browser means to a person (the names are of Media Capture and Streams, §10.3).
 * @param {unknown} error
 * @returns {'media.denied' | 'media.none' | 'media.busy' | 'media.failed'}
 */
export function mediaFault(error) {
  const name = error instanceof Error || (typeof error === 'object' && error !== null && 'name' in error)
    ? String(/** @type {{ name: unknown }} */ (error).name) : '';
  switch (name) {
    case 'NotAllowedError': case 'SecurityError': return 'media.denied';
    case 'NotFoundError': case 'OverconstrainedError': return 'media.none';
    case 'NotReadableError': case 'AbortError': return 'media.busy';
    default: return 'media.failed';
  }
}
