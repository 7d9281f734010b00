// Calling the service that this page comes from. The owner's token is kept for this tab only, and never stands in a URL.

const KEY = "raclette-token";

/** What went wrong, as the service says it (RFC 9457). */
export class Problem extends Error {
  constructor(status, body) {
    super(body.detail ?? body.title ?? `The service answered ${status}.`);
    this.status = status;
    this.code = body.code;
    this.mend = body.mend;
  }
}

export const token = () => sessionStorage.getItem(KEY);

export const forget = () => sessionStorage.removeItem(KEY);

/** Takes a token if it opens this path of the owner's. */
export async function unlock(candidate, path) {
  const answer = await fetch(path, { headers: { Authorization: `Bearer ${candidate}` }, redirect: "error" });
  if (!answer.ok) throw await problem(answer);
  sessionStorage.setItem(KEY, candidate);
}

/** The headers of a request, with the token if there is one. */
export function headers(more) {
  const held = token();
  return { ...(held ? { Authorization: `Bearer ${held}` } : {}), ...more };
}

async function problem(answer) {
  const body = await answer.json().catch(() => ({}));
  return new Problem(answer.status, body);
}

async function call(method, path, body, more) {
  const answer = await fetch(path, {
    method,
    redirect: "error",
    headers: headers({ ...(body === undefined ? {} : { "Content-Type": "application/json" }), ...more }),
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  if (!answer.ok) throw await problem(answer);
  return answer.status === 204 ? null : answer.json();
}

export const get = (path) => call("GET", path);
export const post = (path, body, more) => call("POST", path, body, more);
export const remove = (path) => call("DELETE", path);

/** A problem in one sentence, with how to mend it. */
export function sentence(error) {
  if (error instanceof Problem) return error.mend ? `${error.message} To mend it: ${error.mend}` : error.message;
  return "The service cannot be reached.";
}
