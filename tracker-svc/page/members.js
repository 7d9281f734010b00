// Who belongs to the network, and what the network is.

import { get } from "/page/api.js";
import { byId, facts, fill, fillList, h } from "/page/dom.js";
import { ago, date, integer, short } from "/page/format.js";
import * as names from "/page/names.js";

const ORDER = { online: 0, suspect: 1, offline: 2, left: 3 };

export async function refresh() {
  await names.refresh();
  drawMembers();
  drawNetwork(await get("/network"));
}

function drawMembers() {
  const members = [...names.members()].sort((a, b) => ORDER[a.state] - ORDER[b.state] || a.name.localeCompare(b.name));
  const online = members.filter((member) => member.state === "online").length;
  fill(byId("members-count"), members.length > 0 ? `${integer(online)} of ${integer(members.length)}` : "");
  fillList(byId("members"), members, (member) => `${member.address} ${member.state}`, row, [
    h("p", null, "Nobody is here yet. Start a peer with ", h("span", { class: "mono break" }, `--tracker ${location.origin}`), "."),
  ]);
}

function row(member) {
  const place = member.registration ? base(member.registration) : null;
  const name = place ? h("a", { href: place, rel: "noreferrer" }, member.name) : member.name;
  return h("li", null,
    h("span", { class: "dot", "data-state": member.state }),
    h("span", { class: "grow" }, h("b", null, name), " ", h("span", { class: "mono quiet wide-only", title: member.address }, short(member.address))),
    h("span", { class: "end small" }, h("span", { class: "quiet" }, `seen ${ago(member.last_seen)}`), " ", member.state),
  );
}

/** Where a peer says that it can be reached. The tracker has checked that it is a host name or an IP address. */
function base({ host, port }) {
  return host.includes(":") ? `http://[${host}]:${port}/` : `http://${host}:${port}/`;
}

function drawNetwork(network) {
  const { parameters } = network;
  document.title = `${parameters.name} · Raclette tracker`;
  fill(byId("name"), parameters.name);
  byId("doubt").hidden = !network.self_preservation;
  const id = network.network_id;
  fill(byId("network"), facts([
    ["Id", id ? h("span", { class: "mono" }, id) : "none yet: the first peer that registers makes the genesis block"],
    ["Begun", network.genesis ? date(network.genesis.time) : null],
    ["A block every", `${integer(parameters.spacing_seconds)} s, on average`],
    ["Reward", integer(parameters.reward)],
    ["Newcomers", network.join_token_required ? "need a join token" : "are welcome"],
    ["Tracker", h("span", { class: "mono" }, network.tracker)],
  ]));
}
