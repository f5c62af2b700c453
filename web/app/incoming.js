// @ts-check
// Somebody calls: a dialog with its sound. One at a time; a second call waits behind the first.

import { openDialog } from './dialog.js';
import { h, icon, setText } from './dom.js';
import { nameList } from './format.js';
import { face } from './parts.js';
import { problemText } from './problems.js';
import { text } from './text.js';

/** @typedef {import('./app.js').App} App */
/** @typedef {import('../call/types.js').IncomingCall} IncomingCall */

/** Who calls while somebody is in a call is told so by the server; more than these cannot wait. */
export const waitingMax = 5;

/** @param {App} app */
export function createIncoming(app) {
  /** @type {IncomingCall[]} */
  let waiting = [];
  /** @type {{ call: IncomingCall, close: () => void } | null} */
  let shown = null;

  // The server tells other devices that a call was taken. Windows of one browser are one device: they tell each other.
  app.windows?.addEventListener('message', (event) => {
    if (typeof event.data?.decided === 'string') drop(event.data.decided);
  });
  const decided = (/** @type {string} */ callId) => app.windows?.postMessage({ decided: callId });

  /** @param {string} callId @returns {IncomingCall | null} the one that was shown */
  function drop(callId) {
    waiting = waiting.filter((call) => call.callId !== callId);
    if (shown?.call.callId !== callId) return null;
    const { call } = shown;
    shown.close();
    return call;
  }

  function next() {
    const call = waiting.shift();
    if (call !== undefined) shown = present(call);
  }

  /** @param {IncomingCall} call */
  function present(call) {
    // Who is in another window sees it in the tab.
    const titleBefore = document.title;
    const silence = app.store.get().preferences.ring ? app.sounds.play('ring') : () => {};
    let withdraw = () => {};
    const caller = () => app.directory.nameOf(call.callerId);
    const others = () => call.participants.filter((id) => id !== call.callerId && id !== app.self).map((id) => app.directory.nameOf(id));
    const faceOf = () => face(caller(), 'face--large incoming__face');
    const title = h('h2', { id: 'incoming-title' });
    const group = h('p', {});
    const picture = h('div', {}, faceOf());
    let isDone = false;
    const done = () => {
      if (isDone) return;
      isDone = true;
      silence();
      withdraw();
      unwatch();
      document.title = titleBefore;
      dialog.close();
      shown = null;
      next();
    };
    const accept = (/** @type {boolean} */ video) => () => {
      done();
      decided(call.callId);
      app.enterCall({ id: call.callId, kind: call.type, audio: true, video });
    };
    const decline = async () => {
      done();
      decided(call.callId);
      const answer = await app.api.leaveCall(call.callId);
      if (!answer.ok && answer.problem.code !== 'call_over') app.announce.show(problemText(answer.problem), 'error');
    };
    const button = (/** @type {string} */ sign, /** @type {string} */ word, /** @type {string} */ kind, /** @type {() => void} */ click) =>
      h('button', { class: `button button--${kind}`, type: 'button', on: { click } }, icon(sign), word);
    const isVideo = call.type === 'video';
    const dialog = openDialog({
      title: text(isVideo ? 'incoming.video' : 'incoming.audio'), class: 'incoming', isAlert: true, hasClose: false, comesUnasked: true,
      // Escape declines: a dialog that merely vanishes would leave the caller waiting.
      onClose: () => {
        if (!isDone) void decline();
      },
      content: [
        picture, title, group,
        h('div', { class: 'incoming__tools' },
          button('leave', text('incoming.decline'), 'danger', decline),
          isVideo ? button('call', text('incoming.acceptAudio'), 'quiet', accept(false)) : null,
          button(isVideo ? 'camera' : 'call', text(isVideo ? 'incoming.acceptVideo' : 'incoming.accept'), 'primary', accept(isVideo))),
      ],
    });
    dialog.element.setAttribute('aria-describedby', 'incoming-title');
    const unwatch = app.store.watch((state) => state.names, () => {
      picture.replaceChildren(faceOf());
      setText(title, text('incoming.title', { name: caller() }));
      document.title = text('incoming.title', { name: caller() });
      const names = others();
      setText(group, names.length === 0 ? '' : text('incoming.group', { names: nameList(names) }));
      group.hidden = names.length === 0;
    });
    app.announce.say(text('incoming.title', { name: caller() }), true);
    if (document.hidden && app.store.get().preferences.notify && app.notifier?.permission === 'granted') {
      withdraw = app.notifier.show(text('incoming.title', { name: caller() }), text('app.name'), call.callId, () => globalThis.focus?.());
    }
    return { call, close: done };
  }

  return {
    /** @param {IncomingCall} call */
    ring(call) {
      // The line tells again after a reconnect.
      if (shown?.call.callId === call.callId || waiting.some((one) => one.callId === call.callId)) return;
      if (waiting.length >= waitingMax) return;
      waiting.push(call);
      if (shown === null) next();
    },
    /** @param {string} callId @param {string} reason */
    stopped(callId, reason) {
      const call = drop(callId);
      if (call === null) return;
      const name = app.directory.nameOf(call.callerId);
      app.announce.show(reason === 'answered_elsewhere' ? text('incoming.elsewhere') : text('incoming.stopped', { name }));
    },
    stop() {
      waiting = [];
      shown?.close();
    },
  };
}
