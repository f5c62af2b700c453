// @ts-check
// One's own devices in a call: what opens or closes them anywhere, the call follows.

import { problemText } from '../problems.js';
import { text } from '../text.js';

/** @typedef {import('../app.js').App} App */
/** @typedef {import('../../plexichat-call.js').PlexiCall} PlexiCall */

/**
 * @param {App} app
 * @param {PlexiCall} call
 * @param {object} react
 * @param {(wish: { audio: boolean, video: boolean }) => void} react.onWish what a reload should begin with
 * @param {() => void} react.onCamera another track is one's own picture now, or none
 */
export function ownMedia(app, call, { onWish, onCamera }) {
  const { media } = app;
  const say = (/** @type {import('../text.js').Key} */ key) => app.announce.say(text(key));
  const remember = () => onWish({ audio: !call.state.own.muted, video: call.state.own.camera });
  const report = (/** @type {import('../../plexichat-call.js').Outcome} */ outcome) => {
    if (!outcome.ok && call.state.phase !== 'ended') app.announce.show(problemText(outcome.problem), 'error');
  };

  async function toggleMute() {
    const { own } = call.state;
    if (!own.mayAudio) return;
    const isSilent = own.muted || own.mutedByHost || !own.microphone;
    if (isSilent && !own.microphone && !await media.open({ audio: true, video: false })) return;
    call.setMuted(!isSilent);
    say(isSilent ? 'notice.unmuted' : 'notice.muted');
    remember();
  }

  async function toggleCamera() {
    if (!call.state.own.mayVideo) return;
    if (call.state.own.camera) media.close('camera');
    else if (!await media.open({ audio: false, video: true })) return;
    say(media.store.get().camera === null ? 'notice.cameraOff' : 'notice.cameraOn');
    remember();
  }

  async function toggleShare() {
    if (call.state.own.screen) media.unshare();
    else if (call.state.own.mayVideo) await media.share();
  }

  const unwatch = [
    // What fails, at whosever wish: who is not heard or seen must know it.
    media.store.watch((state) => state.fault, (fault) => {
      if (fault !== null) app.announce.show(text(fault), 'error');
    }),
    media.store.watch((state) => state.microphone, (track) => void call.setMicrophone(track).then(report)),
    media.store.watch((state) => state.camera, (track) => void call.setCamera(track).then(report).then(onCamera)),
    media.store.watch((state) => state.screen, (stream) => void call.setScreen(stream).then(report)),
  ];

  return {
    toggleMute, toggleCamera, toggleShare,
    /** Opens what the call is entered with and is not open yet. @param {{ audio: boolean, video: boolean }} how */
    open: ({ audio, video }) => media.open({
      audio: audio && media.store.get().microphone === null, video: video && media.store.get().camera === null,
    }),
    close() {
      for (const end of unwatch) end();
    },
  };
}
