// @ts-check
// The call's screen: head, banners, stage, panel, controls; each drawn from the SDK's state and nothing else.

import { openShortcuts } from './keys.js';
import { h, icon, keyed, setText } from '../dom.js';
import { clock } from '../format.js';
import { keepAwake } from '../awake.js';
import { streamOf } from '../media.js';
import { problemText } from '../problems.js';
import { actionOf, takesLetters } from '../shortcuts.js';
import { text } from '../text.js';
import { createBanners } from './banners.js';
import { createControls } from './controls.js';
import { createSide } from './side.js';
import { createStage } from './stage.js';
import { noticeText, soundsOf, titleOf, waitingText } from './view.js';

/** @typedef {import('../app.js').App} App */
/** @typedef {import('../app.js').Entering} Entering */
/** @typedef {import('../../call/types.js').CallState} CallState */
/** @typedef {import('../../call/types.js').CallProblem} CallProblem */
/** @typedef {import('../../plexichat-call.js').PlexiCall} PlexiCall */

/** Notices that are also shown; the others are only spoken, since tiles show them. */
const shownNotices = new Set([
  'muted-by-host', 'locked', 'unlocked', 'reconnected', 'hand-raised', 'host-changed', 'declined', 'missed', 'busy',
  'server-stopping',
]);

/**
 * @param {App} app
 * @param {object} what
 * @param {string} what.id
 * @param {Uint8Array | null} what.secret of end-to-end encryption
 * @param {Entering} what.how
 * @param {(problem: CallProblem, seconds: number | null, status: string | null) => void} what.onEnded `status` of the call
 * @param {(wish: { audio: boolean, video: boolean }) => void} what.onWish what a reload should begin with
 */
export function callView(app, { id, secret, how, onEnded, onWish }) {
  const call = app.makeCall({
    callId: id, kind: how.kind,
    ...(secret === null ? {} : { encryption: { secret, makeWorker: app.encryption.makeWorker } }),
  });
  const nameOf = app.directory.nameOf;
  /** When somebody else was first there; the time in the call. @type {number | null} */
  let since = null;
  let isOver = false;
  let ringback = () => {};

  const stage = createStage({
    nameOf, attach: attachPicture, onTiles: (tiles) => call.setTiles(tiles),
    onDetails: (userId) => side.show('details', userId), isMirrored: () => app.store.get().preferences.mirror,
  });
  const side = createSide(app, call);
  const own = createOwnMedia();
  const actions = {
    mute: own.toggleMute, camera: own.toggleCamera, share: own.toggleShare,
    hand: () => call.setHand(!call.state.own.hand),
    hold: () => call.setHold(!call.state.own.hold),
    layout: () => app.setPreferences({ layout: app.store.get().preferences.layout === 'grid' ? 'speaker' : 'grid' }),
    people: () => side.toggle('people'), details: () => side.toggle('details', call.state.userId ?? undefined),
    devices: () => side.toggle('devices'), help: () => openShortcuts(app), leave: () => void call.leave(),
  };
  const controls = createControls(actions);
  const banners = createBanners({
    play: () => void call.resumePlayback(), unmute: own.toggleMute, 'copy-link': copyLink,
  }, app.announce.say);
  const head = createHead(secret !== null, copyLink);
  const sounds = h('div', { hidden: true });
  const element = h('main', { class: 'call', id: 'main', tabindex: '-1' },
    head.element, stage.element, banners.element, side.element, controls.element, sounds);

  /** @param {HTMLMediaElement} video @param {string} mid */
  function attachPicture(video, mid) {
    if (mid !== 'self' && mid !== 'self-screen') return call.attach(video, mid);
    const { camera, screen } = app.media.store.get();
    video.srcObject = mid === 'self' ? (camera === null ? null : streamOf(camera)) : screen;
    return () => { video.srcObject = null; };
  }

  function createOwnMedia() {
    const say = (/** @type {import('../text.js').Key} */ key) => app.announce.say(text(key));
    const remember = () => onWish({ audio: !call.state.own.muted, video: call.state.own.camera });
    const report = (/** @type {import('../../plexichat-call.js').Outcome} */ outcome) => {
      if (!outcome.ok && !isOver) app.announce.show(problemText(outcome.problem), 'error');
    };
    async function toggleMute() {
      const { own: mine } = call.state;
      if (!mine.mayAudio) return;
      const isSilent = mine.muted || mine.mutedByHost || !mine.microphone;
      if (isSilent && !mine.microphone && !await app.media.open({ audio: true, video: false })) {
        return;
      }
      call.setMuted(!isSilent);
      say(isSilent ? 'notice.unmuted' : 'notice.muted');
      remember();
    }
    async function toggleCamera() {
      if (!call.state.own.mayVideo) return;
      if (call.state.own.camera) app.media.close('camera');
      else if (!await app.media.open({ audio: false, video: true })) return;
      say(app.media.store.get().camera === null ? 'notice.cameraOff' : 'notice.cameraOn');
      remember();
    }
    async function toggleShare() {
      if (call.state.own.screen) app.media.unshare();
      else await app.media.share();
    }
    // Whoever opens or closes a device (a key, a panel, the browser itself), the call follows.
    const unwatch = [
      // What fails, at whosever wish: who is not heard or seen must know it.
      app.media.store.watch((state) => state.fault, (fault) => {
        if (fault !== null) app.announce.show(text(fault), 'error');
      }),
      app.media.store.watch((state) => state.microphone, (track) => void call.setMicrophone(track).then(report)),
      app.media.store.watch((state) => state.camera, (track) => {
        void call.setCamera(track).then(report).then(() => stage.refreshOwn());
      }),
      app.media.store.watch((state) => state.screen, (stream) => void call.setScreen(stream).then(report)),
    ];
    return { toggleMute, toggleCamera, toggleShare, close: () => unwatch.forEach((end) => end()) };
  }

  function draw() {
    const state = call.state;
    if (since === null && state.phase === 'joined' && waitingText(state) === null) since = app.now();
    if (waitingText(state) === null) ringback();
    head.update(state, titleOf(state, nameOf), timeText());
    banners.update(state, { now: app.now(), isOnline: app.store.get().isOnline });
    controls.update(state, { layout: app.store.get().preferences.layout, canShare: app.media.canShare, side: side.shown });
    side.update(state);
    stage.update(state);
    drawSounds(state);
  }

  const timeText = () => waitingText(call.state) ?? (since === null ? '' : clock((app.now() - since) / 1000));

  /** @param {CallState} state */
  function drawSounds(state) {
    // Sorted, so that none is ever moved, which would silence it.
    const tracks = soundsOf(state).sort((a, b) => (a.mid < b.mid ? -1 : 1));
    keyed(sounds, tracks, (track) => track.mid, (track) => {
      const audio = h('audio', { autoplay: true });
      const detach = call.attach(audio, track.mid);
      playOn(audio, app.store.get().preferences.speaker);
      return { element: audio, close: detach };
    });
  }

  async function copyLink() {
    try {
      await navigator.clipboard.writeText(location.href);
      app.announce.show(text('call.linkCopied'), 'good');
    } catch {
      app.announce.show(text('call.linkNotCopied'), 'error');
    }
  }

  /** @param {KeyboardEvent} event */
  function onKey(event) {
    const isOn = app.store.get().preferences.shortcuts && document.querySelector('dialog[open]') === null;
    const action = actionOf(event, { isOn, isTyping: takesLetters(/** @type {any} */ (event.target)) });
    if (action === null) return;
    event.preventDefault();
    void actions[action]();
  }

  /** @param {{ kind: string, userId: string | null }} notice */
  function onNotice(notice) {
    const words = noticeText(notice, nameOf);
    if (words === null) return;
    if (shownNotices.has(notice.kind)) app.announce.show(words);
    else app.announce.say(words);
    if (notice.kind === 'joined' || notice.kind === 'left') app.sounds.play(notice.kind);
  }

  const listen = (/** @type {string} */ type, /** @type {(detail: any) => void} */ react) =>
    call.addEventListener(type, (event) => react(/** @type {CustomEvent} */ (event).detail));
  listen('change', draw);
  listen('stats', (stats) => {
    stage.updateStats(stats);
    side.updateStats(stats);
  });
  listen('problem', (problem) => app.announce.show(problemText(problem), 'error'));
  listen('notice', onNotice);
  listen('ended', finish);

  /** @param {CallProblem} problem */
  function finish(problem) {
    if (isOver) return;
    isOver = true;
    ringback();
    if (problem.code !== 'left') app.sounds.play('ended');
    onEnded(problem, since === null ? null : (app.now() - since) / 1000, call.state.status);
  }

  const tick = setInterval(() => {
    head.setTime(timeText());
    if (call.state.phase === 'reconnecting') banners.update(call.state, { now: app.now(), isOnline: app.store.get().isOnline });
  }, 1000);
  const unwatch = [
    app.store.watch((state) => state.names, draw),
    app.store.watch((state) => state.preferences.layout, (layout) => {
      stage.setLayout(layout);
      draw();
    }),
    app.store.watch((state) => state.preferences.speaker, (device) => {
      for (const audio of sounds.querySelectorAll('audio')) playOn(audio, device);
    }),
    app.store.watch((state) => state.isOnline, (isOnline, before) => {
      if (isOnline && before === false) call.networkChanged();
      draw();
    }),
    side.watch(draw),
    keepAwake(),
  ];
  document.addEventListener('keydown', onKey);
  void begin();

  async function begin() {
    await app.media.open({
      audio: how.audio && app.media.store.get().microphone === null,
      video: how.video && app.media.store.get().camera === null,
    });
    if (isOver) return;
    call.setMuted(!how.audio);
    const outcome = await call.join();
    if (!outcome.ok) finish(outcome.problem);
    else if (waitingText(call.state) !== null && !isOver) ringback = app.sounds.play('ringback');
  }

  return {
    element,
    close() {
      isOver = true;
      ringback();
      clearInterval(tick);
      document.removeEventListener('keydown', onKey);
      for (const end of unwatch) end();
      own.close();
      stage.close();
      side.close();
      if (call.state.phase !== 'ended') void call.leave();
    },
  };
}

/** @param {boolean} isEncrypted @param {() => void} copyLink */
function createHead(isEncrypted, copyLink) {
  const title = h('h1', { class: 'call__title', tabindex: '-1' });
  const time = h('p', { class: 'call__time' });
  const badge = (/** @type {string} */ sign, /** @type {string} */ words) => h('span', { class: 'badge' }, icon(sign), words);
  const locked = badge('lock', text('call.locked'));
  const recording = badge('info', text('call.recording'));
  const link = h('button', { class: 'control', type: 'button', hidden: !isEncrypted, on: { click: copyLink } }, icon('copy'), text('call.copyLink'));
  const element = h('header', { class: 'call__head' }, title, h('div', { role: 'timer', aria: { label: text('call.time') } }, time),
    badge(isEncrypted ? 'shield' : 'info', text(isEncrypted ? 'call.encrypted' : 'call.notEncrypted')), locked, recording, link);
  return {
    element,
    /** @param {CallState} state @param {string} words @param {string} timeWords */
    update(state, words, timeWords) {
      setText(title, words);
      setText(time, timeWords);
      locked.hidden = !state.locked;
      recording.hidden = !state.recording;
    },
    /** @param {string} words */
    setTime: (words) => setText(time, words),
  };
}

/** A loudspeaker that is gone, or a browser that has no choice: the system's is used. @param {any} audio @param {string} device */
function playOn(audio, device) {
  if (typeof audio.setSinkId !== 'function') return;
  audio.setSinkId(device).catch(() => {});
}
