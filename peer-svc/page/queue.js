// What could not be delivered yet.

import { get, post, remove, sentence } from "/page/api.js";
import { byId, fill, fillList, h } from "/page/dom.js";
import { ago, integer, short } from "/page/format.js";

const SHOWN = 20;

let changed = () => {};

export function start(listener) {
  changed = listener;
}

export async function refresh() {
  const { counts, entries } = await get(`/queue?limit=${SHOWN}`);
  const dead = counts.dead > 0 ? `, ${integer(counts.dead)} refused` : "";
  fill(byId("queue-count"), counts.waiting + counts.dead > 0 ? `${integer(counts.waiting)}${dead}` : "");
  fillList(byId("queue"), entries, (entry) => `${entry.id} ${entry.state}`, row, [
    h("p", null, "Everything has arrived. What is meant for somebody who is offline waits here, and is sent as soon as they are back."),
  ]);
}

const KINDS = { delivery: "a transaction of yours", transaction: "a transaction", block: "a block" };

function row(entry) {
  const act = (label, work) => h("button", { class: "small", type: "button", "aria-label": `${label}: ${entry.kind} for ${entry.destination_name ?? entry.destination}`, onclick: async () => {
    try {
      await work();
      fill(byId("queue-said"));
    } catch (error) {
      fill(byId("queue-said"), sentence(error));
    }
    changed();
  } }, label);
  return h("li", { class: "two" },
    h("span", { class: "grow small" },
      KINDS[entry.kind] ?? entry.kind, " for ", h("b", null, entry.destination_name ?? short(entry.destination)),
      h("span", { class: "quiet" }, ` · ${ago(entry.created)}, tried ${integer(entry.attempts)}×`),
      entry.last_error ? h("span", { class: "quiet" }, ` · ${entry.last_error}`) : null),
    entry.state === "dead" ? h("span", { class: "tag bad" }, "refused") : null,
    act("Retry", () => post(`/queue/${entry.id}/retry`)),
    act("Discard", () => remove(`/queue/${entry.id}`)),
  );
}
