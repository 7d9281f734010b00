// The page of a tracker: puts its parts together, and keeps them fresh by what the tracker tells.

import { forget, sentence, token, unlock } from "/page/api.js";
import { activity, announce, past } from "/page/activity.js";
import { byId, calmly, fill } from "/page/dom.js";
import { follow } from "/page/events.js";
import * as members from "/page/members.js";
import * as told from "/page/told.js";

/** At most one request of a kind in this time, however much happens. */
const PAUSE = 400;
/** What the timeline shows. */
const TIMELINE = "genesis,member";

const failed = (error) => {
  // A token that opens nothing any more is asked for again; everything else heals with the next event.
  if (error.status === 401) lock();
};
const refresh = calmly(PAUSE, members.refresh, failed);
const refreshTold = calmly(PAUSE, told.refresh, failed);
let stop = () => {};

function heard(event) {
  if (event.type === "delivery") {
    refreshTold();
    return;
  }
  refresh();
  byId("activity-empty").hidden = true;
  activity(event);
  announce(event);
}

function everything() {
  refresh();
  if (token()) refreshTold();
}

function listen() {
  stop();
  stop = follow({
    event: heard,
    gap: everything,
    refused: lock,
    state: (state) => {
      byId("connection").dataset.state = state;
      fill(byId("connection"), state === "live" ? "live" : "not reachable");
      if (state === "live") everything();
    },
  });
}

function showOperatorsParts() {
  const open = token() !== null;
  byId("unlock-form").hidden = open;
  byId("lock").hidden = !open;
  byId("told").hidden = !open;
}

function lock() {
  forget();
  showOperatorsParts();
  listen();
}

byId("unlock-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    await unlock(byId("token").value.trim(), "/queue?limit=1");
    fill(byId("unlock-said"));
    byId("token").value = "";
    showOperatorsParts();
    listen();
  } catch (error) {
    fill(byId("unlock-said"), sentence(error));
  }
});
byId("lock").addEventListener("click", lock);

showOperatorsParts();
await members.refresh().catch(() => {});
await past(TIMELINE).catch(() => {});
byId("activity-empty").hidden = byId("activity").children.length > 0;
listen();
// "seen 3 min ago" grows old, and not every sign of life is an event.
setInterval(refresh, 10_000);
