// @ts-check
// One's own microphone, camera and screen: opened, exchanged, closed. What a track is for is the caller's to know; that
// no light stays on after its time is ours.

import { constraintsFor, mediaFault, pickDevice, sortDevices } from './devices.js';
import { createStore } from './store.js';

/**
 * @typedef {object} OwnMedia
 * @property {MediaStreamTrack | null} microphone
 * @property {MediaStreamTrack | null} camera
 * @property {MediaStream | null} screen
 * @property {import('./devices.js').Devices} devices
 * @property {ReturnType<typeof mediaFault> | 'media.insecure' | 'media.screenFailed' | 'media.gone' | null} fault of the last try
 * @property {boolean} isOpening
 */

/**
 * @param {import('./devices.js').MediaSource | null} source `navigator.mediaDevices`, which pages without TLS have not
 * @param {() => import('./preferences.js').Preferences} preferences
 */
export function createMedia(source, preferences) {
  /** @type {import('./store.js').Store<OwnMedia>} */
  const store = createStore({
    microphone: null, camera: null, screen: null, devices: { microphones: [], cameras: [], speakers: [] }, fault: null,
    isOpening: false,
  });
  /** What was asked last: an answer to an older question is closed again. */
  let asked = { microphone: 0, camera: 0 };

  async function look() {
    if (source === null) return;
    try {
      store.set({ devices: sortDevices(await source.enumerateDevices()) });
    } catch {
      // Without a list there is no choice, and the system's devices are used.
    }
  }

  /** @param {'microphone' | 'camera'} kind @param {MediaStreamTrack} track */
  function adopt(kind, track) {
    store.get()[kind]?.stop();
    track.addEventListener('ended', () => {
      if (store.get()[kind] === track) lost(kind);
    });
    store.set({ [kind]: track });
  }

  /** Unplugged, or no longer permitted: nothing comes any more, and the screens must say so. @param {'microphone' | 'camera'} kind */
  function lost(kind) {
    store.set({ [kind]: null, fault: 'media.gone' });
    // Another microphone goes on where the headset's ended. Another camera might show what nobody wanted shown.
    if (kind === 'microphone') void open({ audio: true, video: false });
  }

  /**
   * Opens what is wanted. Where both are refused at once (one may be missing), each is tried by itself.
   * @param {{ audio: boolean, video: boolean }} wish
   * @returns {Promise<boolean>} whether everything that was wanted is there
   */
  async function open({ audio, video }) {
    if (!audio && !video) return true;
    // Only pages of https, or of this machine, have devices at all.
    if (source === null) {
      store.set({ fault: 'media.insecure' });
      return false;
    }
    const questions = { microphone: audio ? (asked.microphone += 1) : 0, camera: video ? (asked.camera += 1) : 0 };
    store.set({ isOpening: true, fault: null });
    try {
      await get(source, { audio, video }, questions);
      return true;
    } catch (error) {
      // Phones open one camera at a time: the present one is given back before the other is asked for again.
      if (!audio && store.get().camera !== null && mediaFault(error) === 'media.busy') {
        close('camera');
        return open({ audio, video });
      }
      store.set({ fault: mediaFault(error) });
      if (!audio || !video) return false;
      // A computer without a camera must not cost the microphone.
      const fault = mediaFault(error);
      if (fault === 'media.denied') return false;
      await open({ audio: true, video: false }) && store.set({ fault });
      return false;
    } finally {
      store.set({ isOpening: false });
      void look();
    }
  }

  /** @param {import('./devices.js').MediaSource} from @param {{ audio: boolean, video: boolean }} wish @param {{ microphone: number, camera: number }} questions */
  async function get(from, wish, questions) {
    const { devices } = store.get();
    const wanted = preferences();
    const stream = await from.getUserMedia(constraintsFor({
      ...wish,
      // Before the first permission the list is empty, and the wish alone is known.
      microphone: devices.microphones.length === 0 ? wanted.microphone : pickDevice(devices.microphones, wanted.microphone),
      camera: devices.cameras.length === 0 ? wanted.camera : pickDevice(devices.cameras, wanted.camera),
    }));
    for (const track of stream.getTracks()) {
      const kind = track.kind === 'audio' ? 'microphone' : 'camera';
      if (questions[kind] === asked[kind]) adopt(kind, track);
      else track.stop();
    }
  }

  /** @param {'microphone' | 'camera'} kind */
  function close(kind) {
    asked[kind] += 1;
    store.get()[kind]?.stop();
    store.set({ [kind]: null });
  }

  /** @returns {Promise<MediaStream | null>} null also when the person changed their mind, which is no fault */
  async function share() {
    if (source === null || typeof source.getDisplayMedia !== 'function') return null;
    try {
      const stream = await source.getDisplayMedia({ video: { frameRate: { ideal: 15, max: 30 } }, audio: true });
      store.set({ screen: stream, fault: null });
      stream.getVideoTracks()[0]?.addEventListener('ended', () => {
        if (store.get().screen === stream) unshare();
      });
      return stream;
    } catch (error) {
      if (mediaFault(error) !== 'media.denied') store.set({ fault: 'media.screenFailed' });
      return null;
    }
  }

  function unshare() {
    for (const track of store.get().screen?.getTracks() ?? []) track.stop();
    store.set({ screen: null });
  }

  const onChange = () => void look();
  source?.addEventListener('devicechange', onChange);

  return {
    store, look, open, close, share, unshare,
    canShare: source !== null && typeof source.getDisplayMedia === 'function',
    closeAll() {
      close('microphone');
      close('camera');
      unshare();
      store.set({ fault: null });
    },
  };
}

/** A stream of one track, for an element that shows it. @param {MediaStreamTrack} track */
export const streamOf = (track) => new MediaStream([track]);
