// Who was told what: notices that arrived, and those that wait. For the operator.

import { newest, words } from "/page/activity.js";
import { byId, fillList, h } from "/page/dom.js";
import { time } from "/page/format.js";

const SHOWN = 30;
/** How far back events are looked at. */
const PAST = 300;

export async function refresh() {
  const events = await newest(PAST, "delivery");
  fillList(byId("told"), events.reverse().slice(0, SHOWN), (event) => String(event.id), row, [
    h("p", null, "Nobody had to be told anything lately."),
  ]);
}

function row(event) {
  const waits = event.data.status === "queued";
  return h("li", null,
    h("time", { class: "quiet end", datetime: new Date(event.time).toISOString() }, time(event.time)),
    h("span", { class: "grow" }, words(event)),
    waits ? h("span", { class: "tag" }, "waits") : null,
  );
}
