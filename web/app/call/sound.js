// @ts-check
// The others' sound: an element for each track, also of those whose tile is not in sight.

import { h, keyed } from '../dom.js';
import { soundsOf } from './view.js';

/** @param {import('../../plexichat-call.js').PlexiCall} call */
export function createSound(call) {
  let device = '';
  const element = h('div', { hidden: true });
  return {
    element,
    /** @param {import('../../call/types.js').CallState} state */
    update(state) {
      // Sorted, so that none is ever moved, which would silence it.
      const tracks = soundsOf(state).sort((a, b) => (a.mid < b.mid ? -1 : 1));
      keyed(element, tracks, (track) => track.mid, (track) => {
        const audio = h('audio', { autoplay: true });
        const detach = call.attach(audio, track.mid);
        playOn(audio, device);
        return { element: audio, close: detach };
      });
    },
    /** @param {string} id of a loudspeaker, or "" for the system's choice */
    useDevice(id) {
      device = id;
      for (const audio of element.querySelectorAll('audio')) playOn(audio, device);
    },
  };
}

/** A loudspeaker that is gone, or a browser that has no choice: the system's is used. @param {any} audio @param {string} device */
function playOn(audio, device) {
  if (typeof audio.setSinkId !== 'function') return;
  audio.setSinkId(device).catch(() => {});
}
