// @ts-check
// Calls that are over, the newest first.

import { h, icon, keyed, replace, setData, setText } from '../dom.js';
import { spokenDuration } from '../format.js';
import { emptyNote, face, iconButton, notice, waitingNote } from '../parts.js';
import { historyLine } from '../people.js';
import { problemText } from '../problems.js';
import { text } from '../text.js';

/** @typedef {import('../app.js').App} App */
/** @typedef {import('../../api/answers.js').CallLog} CallLog */

const pageSize = 30;

/** @param {App} app @returns {import('../app.js').Screen} */
export function historyScreen(app) {
  /** @type {CallLog[] | null} */
  let calls = null;
  let total = 0;
  let isOpen = true;
  const list = h('ul', { class: 'rows', role: 'list', aria: { label: text('history.list') } });
  const place = h('div', {}, waitingNote('app.loading'));
  const more = h('button', { class: 'button', type: 'button', hidden: true, on: { click: () => load() } }, text('history.more'));
  const element = h('div', { class: 'stack' }, h('h1', { tabindex: '-1' }, text('history.title')), place, more);

  async function load() {
    more.disabled = true;
    const answer = await app.api.history({ skip: calls?.length ?? 0, limit: pageSize });
    more.disabled = false;
    if (!isOpen) return;
    if (!answer.ok) {
      const again = h('button', { class: 'button', type: 'button', on: { click: () => load() } }, text('app.retry'));
      replace(place, notice('error', problemText(answer.problem), again), calls === null ? null : list);
      return;
    }
    // A call that ended meanwhile moves the pages by one: what came twice is shown once.
    const seen = new Set((calls ?? []).map((call) => call.id));
    calls = [...(calls ?? []), ...answer.value.calls.filter((call) => !seen.has(call.id))];
    total = answer.value.total;
    draw();
  }

  function draw() {
    if (calls === null) return;
    more.hidden = calls.length >= total;
    replace(place, calls.length === 0 ? emptyNote('history', 'history.none.title', 'history.none.text') : list);
    keyed(list, calls, (call) => call.id, row);
  }

  /** @param {CallLog} call */
  function row(call) {
    const name = h('span', { class: 'row__name' });
    const note = h('span', { class: 'row__note' });
    const picture = h('span', {});
    const tools = h('div', { class: 'row__tools' });
    const sign = icon('call-in');
    const element = h('li', { class: 'row' }, picture, h('div', { class: 'row__words' }, name, note), tools);
    let shownName = '';
    return {
      element,
      update() {
        const line = historyLine(call, app.self, app.directory.nameOf, new Date(app.now()));
        if (line.name === shownName) return;
        shownName = line.name;
        setText(name, line.name);
        setData(element, { missed: line.isMissed });
        sign.firstElementChild?.setAttribute('href', `/icons/sprite.svg#${line.icon}`);
        replace(picture, face(line.name));
        const kind = text(line.kind === 'audio' ? 'history.kind.audio' : 'history.kind.video');
        const words = [line.way, kind, line.when].filter((word) => word !== '');
        const duration = line.duration;
        replace(note, sign, words.join(' · '),
          duration === null ? null : [
            h('span', { aria: { hidden: true } }, duration.shown),
            h('span', { class: 'only-read' }, spokenDuration(duration.seconds)),
          ],
          line.quality === null ? null : h('span', { class: 'badge' }, line.quality));
        const { other } = line;
        replace(tools, other === null ? null
          : iconButton(line.kind === 'audio' ? 'call' : 'camera', text('history.again', { name: line.name }), {
            on: { click: () => app.navigate({ name: 'ready', people: [other], kind: line.kind }) },
          }));
      },
    };
  }

  const unwatch = app.store.watch((state) => state.names, draw);
  void load();
  return {
    title: text('history.title'), element,
    close() {
      isOpen = false;
      unwatch();
    },
  };
}
