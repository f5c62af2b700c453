// @ts-check
// States of a call as the SDK shows them, with what a test does not care for filled in.

/** @param {any} more @returns {import('../../../web/call/types.js').CallState} */
export function callState({ own = {}, ...more }) {
  return {
    phase: 'joined', callId: 'c', userId: 'me', status: 'ongoing', hostId: 'me', locked: false, recording: null,
    participants: [], tracks: [], speaker: null, quality: null, media: 'connected', reconnect: null,
    encryption: { on: false, failures: 0 }, playBlocked: false, end: null,
    own: {
      muted: false, mutedByHost: false, microphone: true, camera: false, screen: false, hold: false, hand: false,
      mayAudio: true, mayVideo: true, ...own,
    },
    ...more,
  };
}

/** @param {string} userId @param {object} [more] */
export const participant = (userId, more = {}) =>
  ({ userId, audio: true, video: true, hold: false, hand: false, connected: true, state: 'joined', permissions: { audio: true, video: true, receive: true }, ...more });

/** @param {string} mid @param {string} userId @param {import('../../../web/call/types.js').TrackSource} source @param {object} [more] @returns {import('../../../web/call/types.js').RemoteTrack} */
export const track = (mid, userId, source, more = {}) => ({
  mid, userId, source, kind: source === 'camera' || source === 'screen' ? 'video' : 'audio', paused: false, pauseReason: null,
  ready: true, flowing: true, ...more,
});

/** @param {object} more @returns {import('../../../web/call/types.js').TrackStats} */
export const trackStats = (more) => ({
  mid: 'm', direction: 'in', kind: 'video', userId: null, codec: null, bitrate: null, width: null, height: null, fps: null,
  loss: null, jitterMs: null, rttMs: null, freezes: null, limitation: null, layers: [], ...more,
});
