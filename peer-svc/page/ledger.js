// Pending transactions, and one transaction in full.

import { get } from "/page/api.js";
import { byId, facts, fill, fillList, h, show } from "/page/dom.js";
import { date, integer, plural, short } from "/page/format.js";
import { nameOf } from "/page/names.js";

const SHOWN = 10;

let page = { count: 0, transactions: [] };

export async function refresh() {
  page = await get(`/ledger?limit=${SHOWN}`);
  draw();
}

export function draw() {
  const more = page.count > page.transactions.length ? `, ${integer(page.transactions.length)} shown` : "";
  fill(byId("ledger-count"), page.count > 0 ? `${integer(page.count)}${more}` : "");
  fillList(byId("ledger"), page.transactions, (transaction) => transaction.id, row, [
    h("p", null, "Nothing waits for a block. What anybody sends shows up here until it is mined."),
  ]);
}

function row(transaction) {
  const what = [transaction.amount > 0 ? integer(transaction.amount) : null, transaction.message_length > 0 ? "message" : null].filter(Boolean).join(" + ");
  return h("li", null,
    h("button", { class: "link mono", type: "button", "aria-label": `Open transaction ${short(transaction.id)}`, onclick: () => openTransaction(transaction.id) }, short(transaction.id)),
    h("span", { class: "grow small" }, h("b", null, nameOf(transaction.sender)), " → ", h("b", null, nameOf(transaction.recipient))),
    h("span", { class: "end small" }, what || "0"),
  );
}

export async function openTransaction(id) {
  const status = await get(`/tx/${id}`);
  const { transaction } = status;
  const place = status.status === "confirmed" ? `confirmed in block ${integer(status.height)}, ${plural(status.confirmations, "block", "blocks")} deep` : status.status;
  show("Transaction", facts([
    ["Id", h("span", { class: "mono" }, transaction.id)],
    ["State", place],
    ["From", `${nameOf(transaction.sender)} (${transaction.sender})`],
    ["To", `${nameOf(transaction.recipient)} (${transaction.recipient})`],
    ["Amount", integer(transaction.amount)],
    ["Fee", integer(transaction.fee)],
    ["Number", integer(transaction.sequence)],
    ["Made", date(transaction.created)],
    ["Message", transaction.message_length > 0 ? "sealed: only sender and recipient can read it" : "none"],
    ["Signature", h("span", { class: "mono" }, transaction.signature)],
  ]));
}
