// Conversations: what was sent and received, opened by the peer with the owner's key.

import { get } from "/page/api.js";
import { byId, fill, fillList, h } from "/page/dom.js";
import { date, integer, plural, short, signed } from "/page/format.js";
import { writeTo } from "/page/wallet.js";

const LIMIT = 200;

let entries = [];
let chosen = null;

export async function refresh() {
  const page = await get(`/messages?limit=${LIMIT}`);
  entries = page.messages;
  fill(byId("mail-count"), page.next_cursor ? `the newest ${integer(entries.length)}` : "");
  draw();
}

/** The other side of an entry. */
const other = (entry) => (entry.direction === "sent" ? entry.to : entry.from);
const nameOf = (entry) => (entry.direction === "sent" ? entry.to_name : entry.from_name) ?? short(other(entry));

function draw() {
  const people = new Map();
  // The newest first, so that whoever wrote last comes first.
  for (const entry of entries) {
    if (!people.has(other(entry))) people.set(other(entry), { name: nameOf(entry), count: 0 });
    people.get(other(entry)).count += 1;
  }
  if (!people.has(chosen)) chosen = people.keys().next().value ?? null;
  const button = ([address, { name, count }]) =>
    h("button", { type: "button", class: "small", "aria-pressed": String(address === chosen), title: address, onclick: () => choose(address) }, `${name} (${integer(count)})`);
  fillList(byId("people"), [...people], ([address]) => address, button);
  drawThread(people);
}

function choose(address) {
  chosen = address;
  draw();
}

function drawThread(people) {
  const thread = byId("thread");
  const shown = entries.filter((entry) => other(entry) === chosen).reverse();
  const atEnd = thread.scrollHeight - thread.scrollTop - thread.clientHeight < 40;
  fillList(thread, shown, (entry) => entry.id, bubble, [
    h("p", null, "No messages yet. Pick somebody above, write a line, and press ", h("b", null, "Send"), ": it needs no money."),
  ]);
  const name = people.get(chosen)?.name ?? "";
  const answer = h("button", { class: "link small", type: "button", onclick: () => writeTo(name) }, `Write to ${name}`);
  fill(byId("answer"), /^[a-z0-9-]+$/.test(name) ? answer : null);
  if (atEnd) thread.scrollTop = thread.scrollHeight;
}

const STATUS = {
  queued: "waits for the recipient",
  delivered: "delivered",
  pending: "pending",
  waiting: "is offered again",
  dropped: "dropped",
};

function bubble(entry) {
  const sent = entry.direction === "sent";
  const money = entry.amount > 0 ? h("b", null, signed(entry.amount, sent), entry.text ? " · " : "") : null;
  const text = entry.text ?? (entry.unreadable ? "(the message is not here yet, or does not open)" : "");
  const status = entry.status === "confirmed" ? `confirmed, ${plural(entry.confirmations, "block", "blocks")}` : STATUS[entry.status];
  return h("li", { class: sent ? "bubble sent" : "bubble" }, money, text, h("span", { class: "meta" }, `${date(entry.created)} · ${status}`));
}
