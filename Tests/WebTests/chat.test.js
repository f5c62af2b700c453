// The chat of the SDK against a model of the server that numbers a log, drops sockets, repeats and withholds events.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { ADA, BEN, CY, ChatServer } from './support/chat-server.js';
import { FakeClock, listen, settle } from './support/world.js';
import { readEvent } from '../../web/chat/messages.js';
import { PlexiChat, TYPING_LASTS, chatURL } from '../../web/plexichat-chat.js';

function world() {
  const server = new ChatServer();
  const clock = new FakeClock();
  let made = 0;
  const chat = new PlexiChat({
    url: 'wss://chat.example.org/v1/ws/connect', token: async () => 'T', api: server, makeID: () => `k${(made += 1)}`,
    env: { WebSocket: server.Socket, now: () => clock.now, wallClock: () => clock.now, random: () => 0, setTimeout: clock.setTimeout, clearTimeout: clock.clearTimeout },
  });
  const open = async () => {
    if (chat.state.phase === 'idle') chat.open();
    await settle();
    server.accept();
    await settle();
  };
  const lines = (id) => (chat.state.timelines[id]?.messages ?? []).map((message) => message.text);
  /** What the server has is what the page shows. */
  const agrees = (id) => {
    const shown = chat.state.timelines[id].messages.map(({ id: key, text, reactions, isDeleted, replyCount }) => [key, text, reactions.map((one) => `${one.userId}${one.emoji}`).sort(), isDeleted, replyCount]);
    const real = server.channels.get(id).messages.map((one) => [one.id, one.content, one.reactions.map((each) => `${each.user_id}${each.emoji}`).sort(), one.is_deleted, one.reply_count]);
    assert.deepEqual(shown, real.slice(-shown.length));
  };
  return { server, clock, chat, open, lines, agrees };
}

test('the list comes with the last lines and what is unread, the newest first', async () => {
  const { server, chat, open } = world();
  const [quiet, general] = [server.channel({ name: 'quiet' }), server.channel()];
  const direct = server.channel({ type: 'direct', other: BEN });
  server.say(general, BEN, 'one');
  server.say(direct, BEN, 'hi');
  server.say(direct, BEN, 'there');
  await open();
  const list = chat.state.conversations;
  assert.deepEqual(list.map((one) => [one.id, one.title, one.unread, one.lastMessage?.text ?? null]), [
    [direct, 'Ben Bitdiddle', 2, 'there'], [general, 'general', 1, 'one'], [quiet, 'quiet', 0, null]]);
  assert.equal(list[0].other.id, BEN);
  server.say(quiet, BEN, 'louder');
  await settle();
  assert.deepEqual([chat.state.conversations.find((one) => one.id === quiet).unread, chat.state.conversations.find((one) => one.id === quiet).lastMessage.text], [1, 'louder']);
});

test('a history is read and goes on as it happens; what comes twice is there once', async () => {
  const { server, chat, open, agrees } = world();
  const id = server.channel();
  const first = server.say(id, BEN, 'one');
  await open();
  await chat.show(id);
  const told = listen(chat, 'message');
  const second = server.say(id, BEN, 'two');
  server.react(first, CY, '👍');
  server.rewrite(second, 'two, better');
  for (const event of server.channels.get(id).log) server.socket.say(event);
  await settle();
  agrees(id);
  server.react(first, CY, '👍', false);
  server.erase(first);
  await settle();
  agrees(id);
  assert.deepEqual(told.map((message) => message.text), ['two']);
  assert.equal(chat.state.conversations[0].unread, 2);
});

test('a lost socket is opened again with the place of each conversation, and nothing is missing or twice', async () => {
  const { server, clock, chat, open, agrees, lines } = world();
  const [id, other] = [server.channel(), server.channel({ name: 'other' })];
  const first = server.say(id, BEN, 'one');
  await open();
  await chat.show(id);
  server.say(id, BEN, 'two');
  server.drop();
  await settle();
  assert.equal(chat.state.phase, 'waiting');
  server.say(id, BEN, 'three');
  server.react(first, BEN, '🎉');
  server.say(other, CY, 'elsewhere');
  const asked = server.asked.length;
  await clock.pass(400);
  await open();
  const [resume, all] = server.socket.sent;
  assert.deepEqual(resume.channels, [{ id, epoch: 77, offset: 2 }, { id: other, epoch: 77, offset: 0 }]);
  assert.deepEqual(all.channels, ['*']);
  agrees(id);
  assert.deepEqual(lines(id), ['one', 'two', 'three']);
  assert.deepEqual(server.asked.slice(asked).filter(({ path }) => path.includes('/messages?per_page=50')), [], 'no history is read again');
  assert.equal(chat.state.conversations.find((one) => one.id === other).unread, 1);
});

test('where the log cannot be gone on with, the history is read anew', async () => {
  const { server, clock, chat, open, agrees, lines } = world();
  const id = server.channel();
  server.say(id, BEN, 'one');
  await open();
  await chat.show(id);
  server.drop();
  server.epoch = 78;
  server.channels.get(id).log = [];
  server.say(id, BEN, 'after the restore');
  await clock.pass(400);
  await open();
  agrees(id);
  assert.deepEqual(lines(id), ['one', 'after the restore']);
  server.say(id, BEN, 'and on');
  await settle();
  agrees(id);
});

test('an event that is withheld is asked for once; a hole that stays is passed over', async () => {
  const { server, chat, open, agrees, lines } = world();
  const id = server.channel();
  await open();
  await chat.show(id);
  server.say(id, BEN, 'one');
  server.isMute = true;
  server.say(id, BEN, 'two');
  server.isMute = false;
  server.say(id, BEN, 'three');
  await settle();
  assert.deepEqual(server.socket.sent.at(-1).channels, [{ id, epoch: 77, offset: 1 }]);
  agrees(id);
  assert.deepEqual(lines(id), ['one', 'two', 'three']);
  // What the log no longer has.
  const asks = () => server.socket.sent.filter((one) => one.id === 'gap').length;
  const place = { epoch: 77, type: 'reaction.added', data: { channel_id: id, message_id: server.channels.get(id).messages[0].id, user_id: CY, emoji: '👍' } };
  server.isDeaf = true;
  server.socket.say({ ...place, offset: 9 });
  server.socket.say({ ...place, offset: 9 });
  assert.deepEqual([asks(), chat.state.timelines[id].messages[0].reactions.length], [2, 0], 'asked, and nothing is believed before the answer');
  server.socket.say({ type: 'subscribed', data: { channel_id: id, recovered: true }, epoch: 77, offset: 3 });
  server.socket.say({ ...place, offset: 9 });
  server.socket.say({ ...place, offset: 10 });
  assert.deepEqual([asks(), chat.state.timelines[id].messages[0].reactions.length], [2, 1]);
});

test('what happens while a history is read stands on top of it', async () => {
  const { server, chat, open, agrees } = world();
  const id = server.channel();
  const first = server.say(id, BEN, 'one');
  await open();
  let release;
  server.gate = new Promise((resolve) => { release = resolve; });
  const shown = chat.show(id);
  server.say(id, BEN, 'two');
  server.react(first, BEN, '👍');
  server.react(first, BEN, '👍', false);
  server.rewrite(first, 'one, edited');
  release();
  server.gate = null;
  await shown;
  await settle();
  agrees(id);
});

test('what is written is shown at once, sent in order, and is there once when the answer is lost', async () => {
  const { server, clock, chat, open, agrees, lines } = world();
  const id = server.channel();
  await open();
  await chat.show(id);
  server.isDeaf = true;
  assert.equal(chat.send(id, 'a'), true);
  chat.send(id, 'b');
  await settle();
  assert.deepEqual(chat.state.timelines[id].messages.map((one) => [one.text, one.pending]), [['a', 'sending'], ['b', 'sending']]);
  assert.deepEqual(server.socket.sent.filter((one) => one.type === 'send_message').map((one) => one.content), ['a'], 'one at a time');
  // It arrived, its answer did not.
  server.isMute = true;
  server.say(id, ADA, 'a', { client_id: 'k1' });
  server.isMute = false;
  server.isDeaf = false;
  server.drop();
  await clock.pass(400);
  await open();
  await settle();
  agrees(id);
  assert.deepEqual(lines(id), ['a', 'b']);
  assert.ok(chat.state.timelines[id].messages.every((one) => one.pending === null));
  assert.equal(clock.pending, 1, 'only the heartbeat is left');
});

test('a message that nobody answers is said again, then given to its writer with what failed', async () => {
  const { server, clock, chat, open, lines } = world();
  const id = server.channel();
  await open();
  await chat.show(id);
  // Deaf for messages alone: the heartbeat goes on.
  const { heard } = server;
  server.heard = (socket, said) => (said.type === 'send_message' ? undefined : heard.call(server, socket, said));
  chat.send(id, 'hello');
  await clock.pass(50_000);
  assert.equal(server.socket.sent.filter((one) => one.type === 'send_message').length, 4);
  const [failed] = chat.state.timelines[id].messages;
  assert.deepEqual([failed.pending, failed.problem.code], ['failed', 'timeout']);
  server.heard = heard;
  assert.equal(chat.retry(failed), true);
  await settle();
  assert.deepEqual(lines(id), ['hello']);
  assert.equal(server.channels.get(id).messages[0].client_id, 'k1');
});

test('a refusal is final, too many messages are not', async () => {
  const { server, clock, chat, open } = world();
  const id = server.channel();
  await open();
  await chat.show(id);
  server.isDeaf = true;
  chat.send(id, 'x');
  server.socket.say({ type: 'error', data: { code: 'MESSAGE_TOO_LONG', message: 'm' }, ref: 'send:k1' });
  chat.send(id, 'y');
  server.socket.say({ type: 'error', data: { code: 'RATE_LIMITED', message: 'm', retry_after: 3 }, ref: 'send:k2' });
  await settle();
  assert.deepEqual(chat.state.timelines[id].messages.map((one) => [one.pending, one.problem?.code]), [['failed', 'message_too_long'], ['sending', undefined]]);
  server.isDeaf = false;
  await clock.pass(2_000);
  assert.equal(server.channels.get(id).messages.length, 0);
  await clock.pass(1_500);
  assert.deepEqual(server.channels.get(id).messages.map((one) => one.content), ['y']);
  chat.discard(chat.state.timelines[id].messages.find((one) => one.pending === 'failed'));
  assert.equal(chat.state.timelines[id].messages.length, 1);
});

test('an answer in a thread goes by REST under a name, and counts at its beginning', async () => {
  const { server, chat, open, agrees } = world();
  const id = server.channel();
  const root = server.say(id, BEN, 'root');
  await open();
  await chat.show(id);
  chat.send(id, 'an answer', { threadId: root.id });
  await settle();
  agrees(id);
  assert.deepEqual(server.asked.at(-1), { method: 'POST', path: `/v1/messages/${root.id}/thread`, body: { content: 'an answer', client_id: 'k1' } });
});

test('who types is shown until they stop, send, or are not heard of any more', async () => {
  const { server, clock, chat, open } = world();
  const id = server.channel();
  await open();
  const types = (user_id, is_typing) => server.tell({ type: 'typing', data: { channel_id: id, user_id, is_typing } });
  types(BEN, true);
  types(CY, true);
  types(ADA, true);
  assert.deepEqual(chat.state.typing[id], [BEN, CY]);
  types(CY, false);
  assert.deepEqual(chat.state.typing[id], [BEN]);
  server.say(id, BEN, 'so');
  assert.deepEqual(chat.state.typing[id], []);
  types(CY, true);
  await clock.pass(TYPING_LASTS + 1);
  assert.deepEqual(chat.state.typing[id], []);
  const said = () => server.socket.sent.filter((one) => one.type.startsWith('typing')).map((one) => one.type);
  chat.typing(id);
  chat.typing(id);
  chat.stopTyping(id);
  chat.stopTyping(id);
  assert.deepEqual(said(), ['typing_start', 'typing_stop']);
});

test('what is read is told once, and read elsewhere is read here', async () => {
  const { server, chat, open } = world();
  const id = server.channel();
  server.say(id, BEN, 'one');
  await open();
  await chat.show(id);
  chat.markRead(id);
  chat.markRead(id);
  assert.equal(server.socket.sent.filter((one) => one.type === 'message_read').length, 1);
  assert.equal(chat.state.conversations[0].unread, 0);
  const two = server.say(id, BEN, 'two');
  server.tell({ type: 'receipt', data: { channel_id: id, user_id: ADA, message_id: two.id, status: 'read' } });
  assert.equal(chat.state.conversations[0].unread, 0);
  server.tell({ type: 'receipt', data: { channel_id: id, user_id: BEN, message_id: two.id, status: 'read' } });
  assert.equal(chat.state.reads[id][BEN], two.id);
});

test('older messages come page by page, and join on', async () => {
  const { server, chat, open, agrees } = world();
  const id = server.channel();
  for (let number = 1; number <= 120; number += 1) server.say(id, BEN, `m${number}`);
  await open();
  await chat.show(id);
  assert.equal(chat.state.timelines[id].messages.length, 50);
  await chat.loadOlder(id);
  await chat.loadOlder(id);
  assert.equal(chat.state.timelines[id].hasMore, false);
  await chat.loadOlder(id);
  assert.equal(chat.state.timelines[id].messages.length, 120);
  agrees(id);
});

test('edits, deletions and reactions of one\'s own; another\'s edit in between is told', async () => {
  const { server, chat, open, agrees } = world();
  const id = server.channel();
  server.say(id, ADA, 'mine');
  await open();
  await chat.show(id);
  const mine = () => chat.state.timelines[id].messages[0];
  const stale = mine();
  assert.equal(await chat.edit(mine(), 'mine, better'), null);
  assert.equal((await chat.edit(stale, 'lost')).code, 'edited_since');
  assert.equal(await chat.toggleReaction(mine(), '❤️'), null);
  assert.deepEqual(mine().reactions, [{ userId: ADA, emoji: '❤️' }]);
  assert.equal(await chat.toggleReaction(mine(), '❤️'), null);
  assert.equal(await chat.remove(mine()), null);
  agrees(id);
  assert.equal(chat.state.conversations[0].lastMessage.isDeleted, true);
});

test('a list that cannot be read is read again, and the end of a session ends the chat', async () => {
  const { server, clock, chat, open } = world();
  server.channel();
  server.failing.set('GET /v1/dm', 'network');
  await open();
  assert.deepEqual([chat.state.isListed, chat.state.problem.code], [false, 'network']);
  server.failing.clear();
  await clock.pass(5_000);
  assert.deepEqual([chat.state.isListed, chat.state.problem, chat.state.conversations.length], [true, null, 1]);
  chat.close();
  assert.equal(server.socket.closedWith, 1000);
  await clock.pass(60_000);
  assert.equal(server.sockets.length, 1);
});

test('somebody who is removed sees the conversation go, who comes into one sees it come', async () => {
  const { server, chat, open } = world();
  const id = server.channel();
  await open();
  await chat.show(id);
  server.tell({ type: 'channel.removed', data: { channel_id: id } });
  assert.deepEqual([chat.state.conversations, chat.state.timelines], [[], {}]);
  const fresh = server.channel({ type: 'direct', other: CY });
  server.tell({ type: 'channel.added', data: { channel_id: fresh, name: null } });
  await settle();
  assert.equal(chat.state.conversations.find((one) => one.id === fresh).other.id, CY);
});

test('at random: whatever is dropped, withheld and repeated, in the end the page has what the server has', async () => {
  for (let seed = 1; seed <= 40; seed += 1) {
    let state = seed;
    const pick = (count) => { state = (state * 1_103_515_245 + 12_345) % 2_147_483_648; return Math.floor(state / 65_536) % count; };
    const { server, clock, chat, open, agrees } = world();
    const id = server.channel();
    await open();
    await chat.show(id);
    for (let step = 0; step < 60; step += 1) {
      const { messages, log } = server.channels.get(id);
      const some = messages[pick(Math.max(1, messages.length))];
      switch (pick(9)) {
        case 0: server.say(id, BEN, `b${step}`); break;
        case 1: chat.send(id, `a${step}`); break;
        case 2: if (some && !some.is_deleted) server.rewrite(some, `e${step}`); break;
        case 3: if (some && !some.is_deleted) server.react(some, BEN, '👍', pick(2) === 0); break;
        case 4: if (some && !some.is_deleted && pick(3) === 0) server.erase(some); break;
        case 5: server.isMute = pick(2) === 0; break;
        case 6: if (server.socket.followed) for (const event of log.slice(-pick(5))) server.socket.say(event); break;
        case 7: if (server.socket.followed) server.drop(); break;
        case 8: await clock.pass(400); if (server.isAsked) await open(); break;
      }
      if (pick(3) === 0) await settle();
    }
    server.isMute = false;
    for (let second = 0; second < 60; second += 1) {
      await clock.pass(1_000);
      if (server.isAsked) await open();
    }
    assert.equal(chat.state.phase, 'open', `seed ${seed}`);
    server.say(id, BEN, 'the end');
    await clock.pass(1_000);
    agrees(id);
    assert.ok(chat.state.timelines[id].messages.every((one) => one.pending === null), `seed ${seed}`);
    chat.close();
  }
});

test('what is no message is passed over, and what is of tomorrow keeps its place in the log', () => {
  for (const bad of [null, 7, '', '{', '[]', '"x"', '{"type":7}', 'x'.repeat(2_000_000)]) assert.equal(readEvent(bad), null);
  const read = (value) => readEvent(JSON.stringify(value));
  assert.deepEqual(read({ type: 'subscribed', data: { channel_id: 'c' } }), { kind: 'unknown' });
  assert.deepEqual(read({ type: 'message.created', data: { channel_id: 'c', id: 7 } }), { kind: 'unknown' });
  assert.deepEqual(read({ type: 'poll.opened', data: { channel_id: 'c' }, epoch: 1, offset: 2 }), { kind: 'change', conversationId: 'c', place: { epoch: 1, offset: 2 }, what: { change: 'other' } });
  assert.equal(read({ type: 'error', data: { code: 'NOT_FOUND' }, ref: 'x' }).problem.code, 'not_found');
  assert.equal(chatURL({ protocol: 'https:', host: 'h:1' }), 'wss://h:1/v1/ws/connect');
});
