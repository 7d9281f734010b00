// Following GET /events with fetch: a browser's EventSource cannot send the owner's token.

import { headers } from "./api.js";

/** Without a byte for this long the connection is taken for dead; the service sends a comment every 15 s. */
const SILENCE = 40_000;
const LONGEST_PAUSE = 10_000;

/**
 * Follows the events until the function that it returns is called. `event` is told each one, `state` how the connection is
 * ("live" or "down"), `gap` that some were missed, and `refused` that the token is none of this service.
 */
export function follow({ event, state, gap, refused }) {
  let last = null;
  let pause = 500;
  let stopped = false;
  let connection = null;

  async function connect() {
    const own = new AbortController();
    connection = own;
    let watch = setTimeout(() => own.abort(), SILENCE);
    try {
      await read(own, (next) => {
        clearTimeout(watch);
        watch = setTimeout(() => own.abort(), SILENCE);
        return next;
      });
    } finally {
      clearTimeout(watch);
    }
  }

  async function read(own, alive) {
    const resume = last === null ? {} : { "Last-Event-ID": last };
    const answer = await fetch("/events", {
      headers: headers({ Accept: "text/event-stream", ...resume }),
      signal: own.signal,
      cache: "no-store",
      redirect: "error",
    });
    if (answer.status === 401) refused();
    if (!answer.ok) throw new Error(`The events were refused with ${answer.status}.`);
    state("live");
    pause = 500;
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    for (;;) {
      const { done, value } = alive(await reader.read());
      if (done) return;
      text += value;
      const parts = text.split("\n\n");
      text = parts.pop();
      for (const part of parts) take(part);
    }
  }

  function take(part) {
    const fields = {};
    for (const line of part.split("\n")) {
      const colon = line.indexOf(":");
      if (colon > 0) fields[line.slice(0, colon)] = line.slice(colon + 1).trimStart();
    }
    if (fields.id !== undefined) last = fields.id;
    if (fields.data === undefined) return;
    const data = JSON.parse(fields.data);
    if (fields.event === "gap") gap(data);
    else event(data);
  }

  (async () => {
    while (!stopped) {
      try {
        await connect();
      } catch (error) {
        // Whatever it was, the next attempt goes on behind the last event.
        console.info("The events are interrupted:", error);
      }
      if (stopped) return;
      state("down");
      await new Promise((resolve) => setTimeout(resolve, pause));
      pause = Math.min(pause * 2, LONGEST_PAUSE);
    }
  })();

  return () => {
    stopped = true;
    connection?.abort();
  };
}
