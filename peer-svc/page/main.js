// The page of a peer: puts its parts together, and keeps them fresh by what the peer tells.

import { forget, get, sentence, token, unlock } from "/page/api.js";
import { byId, calmly, fill } from "/page/dom.js";
import { follow } from "/page/events.js";
import { integer } from "/page/format.js";
import { activity, announce, past } from "/page/activity.js";
import * as blocks from "/page/blocks.js";
import * as ledger from "/page/ledger.js";
import * as mail from "/page/mail.js";
import * as mining from "/page/mining.js";
import * as names from "/page/names.js";
import * as peers from "/page/peers.js";
import * as queue from "/page/queue.js";
import * as wallet from "/page/wallet.js";

/** At most one request of a kind in this time, however much happens. */
const PAUSE = 400;

const failed = (error) => {
  // A token that opens nothing any more is asked for again; everything else heals with the next event.
  if (error.status === 401) lock();
};
const fresh = {
  status: calmly(PAUSE, showStatus, failed),
  peers: calmly(PAUSE, peers.refresh, failed),
  blocks: calmly(PAUSE, blocks.refresh, failed),
  ledger: calmly(PAUSE, ledger.refresh, failed),
};
const owners = {
  wallet: calmly(PAUSE, wallet.refresh, failed),
  mail: calmly(PAUSE, mail.refresh, failed),
  queue: calmly(PAUSE, queue.refresh, failed),
  mining: calmly(PAUSE, mining.refresh, failed),
};
let stop = () => {};

function ask(...which) {
  for (const one of which) (fresh[one] ?? (token() ? owners[one] : null))?.();
}

function everything() {
  ask(...Object.keys(fresh), ...Object.keys(owners));
}

/** What has to be read anew after an event. */
const AFTER = {
  genesis: ["status", "blocks"],
  transaction: ["ledger", "wallet", "mail"],
  block: ["status", "blocks", "ledger", "wallet", "mail"],
  reorg: ["status", "blocks", "ledger", "wallet", "mail"],
  member: ["peers", "queue"],
  message: ["mail", "wallet"],
  delivery: ["queue", "mail", "wallet"],
  mining: [],
};

function heard(event) {
  if (event.type === "block") blocks.heard(event);
  ask(...(AFTER[event.type] ?? []));
  if (event.type === "mining") mining.heard(event);
  activity(event);
  announce(event);
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
      // Whatever happened while nobody listened.
      if (state !== "live") return;
      everything();
      past().catch(failed);
    },
  });
}

async function showStatus() {
  const status = await get("/status");
  names.own(status);
  document.title = `${status.name} · Raclette peer`;
  fill(byId("name"), status.name);
  fill(byId("unlock-name"), status.name);
  fill(byId("address"), status.address);
  const behind = status.sync.target_height - status.sync.height;
  const sync = byId("sync");
  sync.hidden = false;
  fill(sync, behind > 0 ? `block ${integer(status.sync.height)} of ${integer(status.sync.target_height)}` : `block ${integer(status.sync.height)}`);
  sync.dataset.state = behind > 0 ? "down" : "live";
  // It comes from this peer's own configuration.
  if (/^https?:\/\//.test(status.tracker.url)) {
    byId("tracker").href = status.tracker.url;
    byId("tracker").hidden = false;
  }
}

function showOwnersParts() {
  const open = token() !== null;
  byId("unlock").hidden = open;
  byId("lock").hidden = !open;
  for (const part of document.querySelectorAll("[data-owner]")) part.hidden = !open;
}

function lock() {
  forget();
  showOwnersParts();
  listen();
}

byId("unlock-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    await unlock(byId("token").value.trim(), "/wallet");
    fill(byId("unlock-said"));
    byId("token").value = "";
    showOwnersParts();
    listen();
    byId("wallet").scrollIntoView({ block: "nearest" });
  } catch (error) {
    fill(byId("unlock-said"), sentence(error));
  }
});
byId("lock").addEventListener("click", lock);

names.changed(() => {
  peers.draw();
  blocks.draw();
  ledger.draw();
  wallet.drawRecipients();
});
wallet.start(() => ask("wallet", "mail", "ledger", "queue"));
mining.start();
queue.start(() => ask("queue"));
showOwnersParts();
await showStatus().catch(() => {});
listen();
// "3 min ago" grows old.
setInterval(() => ask("blocks", "queue"), 30_000);
