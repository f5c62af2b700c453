// @ts-check
// The call's screen: head, banners, stage, panel, controls; each drawn from the SDK's state and nothing else.

import { keepAwake } from '../awake.js';
import { h } from '../dom.js';
import { clock } from '../format.js';
import { streamOf } from '../media.js';
import { problemText } from '../problems.js';
import { actionOf, takesLetters } from '../shortcuts.js';
import { text } from '../text.js';
import { createBanners } from './banners.js';
import { createConsent } from './consent.js';
import { createControls } from './controls.js';
import { createHead } from './head.js';
import { openShortcuts } from './keys.js';
import { ownMedia } from './own-media.js';
import { createSide } from './side.js';
import { createSound } from './sound.js';
import { createStage } from './stage.js';
import { noticeText, titleOf, waitingText } from './view.js';

/** @typedef {import('../app.js').App} App */
/** @typedef {import('../app.js').Entering} Entering */
/** @typedef {import('../../call/types.js').CallProblem} CallProblem */

/** Notices that are also shown; the others are only spoken, since tiles show them. */
const shownNotices = new Set([
  'muted-by-host', 'locked', 'unlocked', 'reconnected', 'hand-raised', 'host-changed', 'declined', 'missed', 'busy',
  'server-stopping', 'recording-started', 'recording-announced', 'recording-ended', 'recording-failed',
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
  const own = ownMedia(app, call, { onWish, onCamera: () => stage.refreshOwn() });
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
    play: () => void call.resumePlayback(), unmute: own.toggleMute, 'copy-link': copyLink, consent: () => consent.open(),
  }, app.announce.say);
  const consent = createConsent({ nameOf, answer: (agrees) => call.answerRecording(agrees) });
  const head = createHead(secret !== null, copyLink);
  const sound = createSound(call);
  const element = h('main', { class: 'call', id: 'main', tabindex: '-1' },
    head.element, stage.element, banners.element, side.element, controls.element, sound.element);

  /** @param {HTMLMediaElement} video @param {string} mid */
  function attachPicture(video, mid) {
    if (mid !== 'self' && mid !== 'self-screen') return call.attach(video, mid);
    const { camera, screen } = app.media.store.get();
    video.srcObject = mid === 'self' ? (camera === null ? null : streamOf(camera)) : screen;
    return () => { video.srcObject = null; };
  }

  function draw() {
    const state = call.state;
    if (since === null && state.phase === 'joined' && waitingText(state) === null) since = app.now();
    if (waitingText(state) === null) ringback();
    head.update(state, titleOf(state, nameOf), timeText());
    banners.update(state, { now: app.now(), isOnline: app.store.get().isOnline });
    controls.update(state, { layout: app.store.get().preferences.layout, canShare: app.media.canShare, side: side.shown });
    side.update(state);
    consent.update(state);
    stage.update(state);
    sound.update(state);
  }

  const timeText = () => waitingText(call.state) ?? (since === null ? '' : clock((app.now() - since) / 1000));

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
    consent.close();
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
    app.store.watch((state) => state.preferences.speaker, sound.useDevice),
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
    await own.open(how);
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
      consent.close();
      stage.close();
      side.close();
      if (call.state.phase !== 'ended') void call.leave();
    },
  };
}
