// Numbers, times and hashes for people.

const integers = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

export const integer = (value) => integers.format(value);

/** An amount with its sign: what came in, or what went out. */
export const signed = (value, out) => `${out ? "−" : "+"}${integer(value)}`;

/** A long number in short: 12.5 M. */
export function rough(value) {
  const steps = [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]];
  const [size, letter] = steps.find(([size]) => value >= size) ?? [1, ""];
  const short = value / size;
  return `${short.toFixed(short < 10 && size > 1 ? 1 : 0)}${letter ? ` ${letter}` : ""}`;
}

/** A hash or an address in short. */
export const short = (text) => (text.length > 16 ? `${text.slice(0, 8)}…${text.slice(-6)}` : text);

export const time = (milliseconds) => clock.format(milliseconds);

export const date = (milliseconds) => day.format(milliseconds);

/** How long ago something was. */
export function ago(milliseconds) {
  const seconds = Math.max(0, Math.round((Date.now() - milliseconds) / 1000));
  if (seconds < 5) return "just now";
  if (seconds < 90) return `${seconds} s ago`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min ago`;
  if (seconds < 129600) return `${Math.round(seconds / 3600)} h ago`;
  return `${Math.round(seconds / 86400)} days ago`;
}

export const plural = (count, one, many) => `${integer(count)} ${count === 1 ? one : many}`;
