// What happens, in words: the newest events.

import { get } from "/page/api.js";
import { byId, fill, h, mark } from "/page/dom.js";
import { integer, plural, rough, short, time } from "/page/format.js";
import { nameOf } from "/page/names.js";

const SHOWN = 12;
/** How many events are looked at to begin the list. */
const PAST = 200;

const TRANSACTION = {
  accepted: "waits for a block",
  confirmed: "is confirmed",
  returned: "is pending again",
  replaced: "was replaced",
  evicted: "had to make room",
  expired: "has expired",
  dropped: "cannot be confirmed any more",
};
const MEMBER = { online: "is online", offline: "is offline", left: "said farewell", removed: "was removed" };
const DELIVERY = { queued: "waits for", delivered: "arrived at", dead: "was refused by", discarded: "was given up for" };
const MINING = {
  started: "begins",
  paused: "pauses: another peer says that it has found a block",
  found: "found a block",
  lost_race: "was too slow",
  cancelled: "was cancelled",
  failed: "could not go on",
};
const KINDS = { delivery: "Your transaction", transaction: "A transaction", block: "A block", notice: "News" };

const WORDS = {
  genesis: (data) => `The network exists: ${short(data.network_id)}`,
  transaction: (data) => `${nameOf(data.sender)} → ${nameOf(data.recipient)}${data.amount > 0 ? `, ${integer(data.amount)}` : ""}: ${TRANSACTION[data.status]}`,
  block: (data) => `Block ${integer(data.height)} by ${nameOf(data.miner)}, ${plural(data.transactions, "transaction", "transactions")}${data.active ? "" : ", on another branch"}`,
  reorg: (data) => `Another branch won: ${plural(data.disconnected, "block", "blocks")} replaced, ${plural(data.returned, "transaction", "transactions")} pending again`,
  member: (data) => `${data.name} ${MEMBER[data.state]}`,
  message: (data) => `${nameOf(data.from)} sent you ${data.has_message ? "a message" : ""}${data.has_message && data.amount > 0 ? " and " : ""}${data.amount > 0 ? integer(data.amount) : ""}`,
  delivery: (data) => `${KINDS[data.kind] ?? data.kind}${data.kind === "notice" ? ` of ${nameOf(data.subject)}` : ""} ${DELIVERY[data.status]} ${nameOf(data.destination)}`,
  mining: (data) => `Mining ${MINING[data.status]}${data.attempts > 0 ? ` (${rough(data.attempts)} attempts)` : ""}`,
};

/** An event in words; none for what is of no interest to people. */
export function words(event) {
  if (event.type === "mining" && event.data.status === "progress") return null;
  return WORDS[event.type]?.(event.data) ?? null;
}

/** A row of a list of events. */
export function row(event, text) {
  return h("li", null, h("time", { class: "quiet end", datetime: new Date(event.time).toISOString() }, time(event.time)), h("span", { class: "grow" }, text));
}

/** The newest events of these types (all if none are given), the oldest first. */
export async function newest(count, types = "") {
  // No event has this number yet: the answer says which is the newest.
  const { next } = await get("/events?limit=1&since=9007199254740991");
  const { events } = await get(`/events?limit=${count}&since=${Math.max(0, next - count)}${types && `&type=${types}`}`);
  return events;
}

/** Has a screen reader say what a person waits for; not everything, or it would never be quiet. */
export function announce(event) {
  if (["block", "member", "message", "reorg"].includes(event.type)) fill(byId("announcement"), words(event));
}

/** Begins the list anew with what happened before. */
export async function past(types) {
  const events = await newest(PAST, types);
  fill(byId("activity"));
  for (const event of events) activity(event);
}

/** Puts an event on top of the list. */
export function activity(event) {
  const text = words(event);
  if (text === null) return;
  const list = byId("activity");
  const line = row(event, text);
  list.prepend(line);
  mark(line);
  while (list.children.length > SHOWN) list.lastElementChild.remove();
}
