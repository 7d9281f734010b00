// The newest blocks, and what is in one.

import { get } from "/page/api.js";
import { byId, facts, fill, fillList, h, show } from "/page/dom.js";
import { ago, date, integer, plural, short } from "/page/format.js";
import { nameOf } from "/page/names.js";
import { openTransaction } from "/page/ledger.js";

const SHOWN = 8;
/** How many transactions of a block its dialog lists. */
const LISTED = 200;

/** By hash, so that a block is read once. */
const known = new Map();
let newest = [];

export async function refresh() {
  const { tip } = await get("/status");
  if (!tip) return draw();
  const hashes = [];
  let hash = tip.hash;
  while (hashes.length < SHOWN) {
    if (!known.has(hash)) known.set(hash, summary(await get(`/block/${hash}`)));
    const block = known.get(hash);
    hashes.push(hash);
    if (block.height === 0) break;
    hash = block.previous;
  }
  newest = hashes.map((one) => known.get(one));
  for (const one of known.keys()) if (!hashes.includes(one)) known.delete(one);
  draw();
}

/** A block that an event tells of need not be read. */
export function heard({ time, data }) {
  const { hash, previous, height, miner, transactions } = data;
  known.set(hash, { hash, previous, height, time, miner, count: transactions });
}

function summary(block) {
  return {
    hash: block.header.hash,
    previous: block.header.previous,
    height: block.header.height,
    time: block.header.time,
    miner: block.reward?.miner,
    count: block.transactions?.length ?? 0,
  };
}

export function draw() {
  fill(byId("blocks-count"), newest.length > 0 ? `height ${integer(newest[0].height)}` : "");
  fillList(byId("blocks"), newest, (block) => block.hash, row, [h("p", null, "There is no network yet. The first peer makes the genesis block as soon as the tracker answers.")]);
}

function row(block) {
  const by = block.miner ? ["mined by ", h("b", null, nameOf(block.miner))] : ["the genesis block"];
  const label = `Block ${integer(block.height)}`;
  return h("li", { class: "two" },
    h("button", { class: "link height", type: "button", "aria-label": `Open ${label}`, onclick: () => openBlock(block.hash) }, label),
    h("span", { class: "grow small", title: block.hash }, ...by),
    h("span", { class: "end small quiet" }, block.miner ? `${plural(block.count, "transaction", "transactions")} · ` : "", ago(block.time)),
  );
}

export async function openBlock(hash) {
  const block = await get(`/block/${hash}`);
  const { header, reward, genesis } = block;
  const transactions = block.transactions ?? [];
  const list = h("ul", { class: "list small" }, ...transactions.slice(0, LISTED).map((transaction) =>
    h("li", null,
      h("button", { class: "link mono", type: "button", onclick: () => openTransaction(transaction.id) }, short(transaction.id)),
      h("span", { class: "grow" }, nameOf(transaction.sender), " → ", nameOf(transaction.recipient)),
      h("span", { class: "end" }, integer(transaction.amount))),
  ));
  const more = transactions.length > LISTED ? h("p", { class: "quiet" }, `and ${integer(transactions.length - LISTED)} more`) : null;
  show(`Block ${integer(header.height)}`,
    facts([
      ["Hash", h("span", { class: "mono" }, header.hash)],
      ["Before it", h("span", { class: "mono" }, header.previous)],
      ["Time", date(header.time)],
      ["Mined by", reward ? nameOf(reward.miner) : null],
      ["Reward", reward ? integer(reward.amount) : null],
      ["Note", genesis?.note],
      ["Target", h("span", { class: "mono" }, header.target)],
      ["Nonce", h("span", { class: "mono" }, header.nonce)],
    ]),
    h("h3", null, plural(transactions.length, "transaction", "transactions")),
    transactions.length > 0 ? list : h("p", { class: "quiet" }, "Only the reward: nothing was pending when it was mined."),
    more);
}
