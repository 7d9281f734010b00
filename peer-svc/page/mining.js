// Mining on command, with the live hash rate.

import { get, post, remove, sentence } from "/page/api.js";
import { byId, fill } from "/page/dom.js";
import { integer, plural, rough, short } from "/page/format.js";
import { nameOf } from "/page/names.js";

let job = null;

/** Takes up a job that was started elsewhere, or before the page was loaded. */
export async function refresh() {
  if (job === null) return;
  show(await get(`/mine/${job.id}`));
}

export function start() {
  byId("mine").addEventListener("click", async () => {
    say("");
    byId("mine").disabled = true;
    try {
      show(await post("/mine"));
    } catch (error) {
      say(sentence(error), true);
    }
    byId("mine").disabled = false;
  });
  byId("mine-cancel").addEventListener("click", async () => {
    try {
      show(await remove(`/mine/${job.id}`));
    } catch (error) {
      say(sentence(error), true);
    }
  });
}

/** A step of mining, as the events tell it. */
export async function heard({ data }) {
  const known = job?.id === data.job;
  if (!known && (data.status === "started" || data.status === "progress")) job = { id: data.job };
  else if (!known) return;
  if (data.status === "progress" && job.expected_attempts !== undefined) {
    show({ ...job, state: "searching", height: data.height, rate: data.rate, attempts: data.attempts });
  } else {
    await refresh().catch(() => {});
  }
}

function show(now) {
  job = now;
  const running = now.state !== "done";
  byId("mine-running").hidden = !running;
  byId("mine-cancel").hidden = !running;
  byId("mine").hidden = running;
  byId("mine-hint").hidden = running;
  fill(byId("mine-rate"), rough(now.rate));
  fill(byId("mine-height"), integer(now.height));
  byId("mine-progress").value = Math.min(1, now.attempts / now.expected_attempts);
  fill(byId("mine-attempts"), `${rough(now.attempts)} attempts; a block takes ${rough(now.expected_attempts)} on average${now.state === "paused" ? "; paused: another peer says that it has found this block" : ""}`);
  if (!running) say(outcome(now), now.outcome === "failed");
}

function outcome(now) {
  switch (now.outcome) {
    case "mined":
      return `Found block ${integer(now.height)} (${short(now.block)}) after ${plural(now.attempts, "attempt", "attempts")}.`;
    case "lost_race":
      return `${now.winner.name ?? nameOf(now.winner.address)} was faster.`;
    case "cancelled":
      return "Cancelled.";
    default:
      return `It could not go on: ${now.reason}`;
  }
}

function say(text, bad = false) {
  byId("mine-said").classList.toggle("bad", bad);
  fill(byId("mine-said"), text);
}
