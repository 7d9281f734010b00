// Who is who: the names that belong to addresses.

import { get } from "/page/api.js";
import { short } from "/page/format.js";

/** The most pages of members that are read: 10,000 members. */
const PAGES = 10;

let self = null;
let others = [];
let tell = () => {};

/** Calls `listener` when names have changed. */
export const changed = (listener) => {
  tell = listener;
};

export function own(status) {
  const known = self !== null;
  self = { name: status.name, address: status.address };
  if (!known) tell();
}

export const me = () => self;

export const members = () => others;

export async function refresh() {
  const found = [];
  let cursor = "";
  for (let page = 0; page < PAGES; page += 1) {
    const answer = await get(`/peers?limit=1000${cursor}`);
    found.push(...answer.peers);
    if (answer.next_cursor === undefined) break;
    cursor = `&cursor=${encodeURIComponent(answer.next_cursor)}`;
  }
  others = found;
  tell();
}

/** The name of an address, or the address in short. */
export function nameOf(address) {
  if (self?.address === address) return self.name;
  return others.find((member) => member.address === address)?.name ?? short(address);
}
