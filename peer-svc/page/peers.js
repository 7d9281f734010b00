// The other members, and how it is with them.

import { byId, fill, fillList, h } from "/page/dom.js";
import { ago, integer, short } from "/page/format.js";
import * as names from "/page/names.js";

export const refresh = names.refresh;

const ORDER = { online: 0, suspect: 1, offline: 2, left: 3 };

export function draw() {
  const members = [...names.members()].sort((a, b) => ORDER[a.state] - ORDER[b.state] || a.name.localeCompare(b.name));
  const online = members.filter((member) => member.state === "online").length;
  fill(byId("peers-count"), members.length > 0 ? `${integer(online)} of ${integer(members.length)} online` : "");
  fillList(byId("peers"), members, (member) => `${member.address} ${member.state}`, row, [
    h("p", null, "Nobody else is here yet. Start another peer: it registers with the tracker and shows up by itself."),
  ]);
}

function row(member) {
  const offline = member.state === "online" ? null : h("span", { class: "quiet small" }, `seen ${ago(member.last_seen)}`);
  return h("li", null,
    h("span", { class: "dot", "data-state": member.state }),
    h("span", { class: "grow" }, h("b", null, member.name), " ", h("span", { class: "mono quiet wide-only", title: member.address }, short(member.address))),
    h("span", { class: "end" }, offline, " ", h("span", { class: "small" }, member.state)),
  );
}
