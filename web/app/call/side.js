// @ts-check
// The panel beside the stage: people and the host's tools, the connection's figures, devices.

import { confirm } from '../dialog.js';
import { deviceSettings } from '../device-settings.js';
import { h, keyed, replace, setText } from '../dom.js';
import { busy, iconButton, toggle } from '../parts.js';
import { text } from '../text.js';
import { addPeople } from './add-people.js';
import { figuresOf } from './figures.js';
import { recordingPart } from './recording-part.js';
import { canInvite, hasPowers, peopleOf } from './view.js';

/** @typedef {import('../app.js').App} App */
/** @typedef {import('../../call/types.js').CallState} CallState */
/** @typedef {import('../../call/types.js').CallStats} CallStats */
/** @typedef {import('../../plexichat-call.js').PlexiCall} PlexiCall */
/** @typedef {'people' | 'details' | 'devices'} Panel */
/** @typedef {{ title: () => string, element: HTMLElement, update: (state: CallState, stats: CallStats | null) => void, close?: () => void }} Content */

/** @param {App} app @param {PlexiCall} call */
export function createSide(app, call) {
  /** @type {Panel | null} */
  let shown = null;
  /** Whose figures. @type {string | null} */
  let who = null;
  /** @type {CallStats | null} */
  let stats = null;
  /** @type {Content | null} */
  let content = null;
  /** What had the focus before, and gets it back. @type {any} */
  let opener = null;
  let tell = () => {};

  const title = h('h2', { tabindex: '-1', id: 'side-title' });
  const body = h('div', { class: 'stack' });
  const cross = iconButton('close', text('app.close'), { class: 'tile__tool', on: { click: () => hide() } });
  const element = h('aside', { class: 'side', hidden: true, aria: { labelledby: 'side-title' }, on: {
    keydown(/** @type {KeyboardEvent} */ event) {
      if (event.key === 'Escape') hide();
    },
  } }, h('div', { class: 'side__head' }, title, cross), body);

  /** @param {Panel} panel @param {string} [userId] */
  function show(panel, userId) {
    content?.close?.();
    if (shown === null) opener = document.activeElement;
    shown = panel;
    who = userId ?? call.state.userId;
    content = panel === 'people' ? peoplePanel(app, call) : panel === 'details' ? detailsPanel(app, () => who) : devicesPanel(app);
    replace(body, content.element);
    element.hidden = false;
    draw();
    title.focus();
    tell();
  }

  function hide() {
    if (shown === null) return;
    content?.close?.();
    content = null;
    shown = null;
    element.hidden = true;
    if (opener?.isConnected) opener.focus();
    tell();
  }

  function draw() {
    if (content === null) return;
    content.update(call.state, stats);
    setText(title, content.title());
  }

  return {
    element,
    get shown() { return shown; },
    show,
    /** @param {Panel} panel @param {string} [userId] */
    toggle: (panel, userId) => (shown === panel ? hide() : show(panel, userId)),
    update: (/** @type {CallState} */ _state) => draw(),
    /** @param {CallStats} next */
    updateStats(next) {
      stats = next;
      if (shown === 'details') draw();
    },
    /** @param {() => void} react @returns {() => void} */
    watch(react) {
      tell = react;
      return () => { tell = () => {}; };
    },
    close: () => content?.close?.(),
  };
}

/** @param {App} app @param {PlexiCall} call @returns {Content} */
function peoplePanel(app, call) {
  const count = h('p', { class: 'person__state' });
  const list = h('ul', { class: 'side__people', role: 'list' });
  const lock = toggle({
    label: text('side.lock'), hint: text('side.lock.hint'), isOn: call.state.locked, onChange: (on) => call.setLocked(on),
  });
  const endAll = h('button', { class: 'button button--danger', type: 'button' }, text('side.endForAll'));
  endAll.addEventListener('click', () => busy(endAll, async () => {
    const people = call.state.participants.filter((person) => person.state === 'joined').length + 1;
    const isSure = await confirm({ title: text('side.endForAll.sure', { count: people }), action: text('side.endForAll.do') });
    if (isSure) call.endForAll();
  }));
  const add = addPeople(app, call);
  const tools = h('section', { class: 'stack', aria: { label: text('side.hostTools') } }, add.element, lock.element, endAll);
  const recording = recordingPart(call);
  const element = h('div', { class: 'stack' }, count, list, recording.element, tools);
  const isAdmin = () => app.store.get().user?.roles.includes('admin') === true;

  /** @param {import('./view.js').PersonView} first */
  function row(first) {
    let person = first;
    const name = h('span', { class: 'person__name' });
    const states = h('span', { class: 'person__state' });
    const mute = h('button', { class: 'button', type: 'button', on: { click: () => call.muteParticipant(person.userId) } }, text('side.muteShort'));
    const ring = h('button', { class: 'button', type: 'button', on: { click: () => call.invite([person.userId]) } }, text('side.ringShort'));
    const remove = h('button', { class: 'button', type: 'button' }, text('side.removeShort'));
    remove.addEventListener('click', () => busy(remove, async () => {
      const isSure = await confirm({
        title: text('side.remove.sure', { name: person.name }), words: text('side.remove.text'), action: text('side.remove.do'),
      });
      if (isSure) call.removeParticipant(person.userId);
    }));
    return {
      element: h('li', { class: 'person' }, h('div', { class: 'person__line' }, name, states), h('div', { class: 'person__tools' }, mute, ring, remove)),
      update(/** @type {import('./view.js').PersonView} */ next) {
        person = next;
        setText(name, person.name);
        setText(states, person.states);
        mute.hidden = !person.canMute;
        remove.hidden = !person.canRemove;
        ring.hidden = !person.canRing;
        ring.setAttribute('aria-label', text('side.ring', { name: person.name }));
        mute.setAttribute('aria-label', text('side.mute', { name: person.name }));
        remove.setAttribute('aria-label', text('side.remove', { name: person.name }));
      },
    };
  }

  return {
    title: () => text('side.people'), element,
    update(state) {
      const people = peopleOf(state, app.directory.nameOf, isAdmin());
      const here = state.participants.filter((person) => person.state === 'joined').length + 1;
      setText(count, text('side.count', { count: here }));
      keyed(list, people, (person) => person.userId, row);
      recording.update(state, isAdmin());
      tools.hidden = !hasPowers(state, isAdmin());
      add.element.hidden = !canInvite(state, isAdmin());
      add.update();
      lock.input.checked = state.locked;
    },
    close: add.close,
  };
}

/** @param {App} app @param {() => string | null} who @returns {Content} */
function detailsPanel(app, who) {
  const element = h('div', { class: 'stack' });
  let isOwn = true;
  return {
    title: () => (isOwn ? text('side.details') : text('side.detailsOf', { name: app.directory.nameOf(who() ?? '') })),
    element,
    update(state, stats) {
      const userId = who() ?? '';
      isOwn = userId === state.userId;
      const groups = figuresOf(state, stats, userId);
      replace(element, groups.map((group) => h('section', { class: 'stack stack--tight' }, h('h3', {}, group.title),
        h('dl', { class: 'figures' }, group.rows.flatMap((row) => [h('dt', {}, row.name), h('dd', {}, row.value)])))));
    },
  };
}

/** @param {App} app @returns {Content} */
function devicesPanel(app) {
  const devices = deviceSettings(app, { withCamera: true });
  return { title: () => text('side.devices'), element: devices.element, update: () => {}, close: devices.close };
}
