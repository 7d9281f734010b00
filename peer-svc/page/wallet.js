// The owner's money, and sending.

import { get, post, sentence } from "/page/api.js";
import { byId, fill, h } from "/page/dom.js";
import { integer, plural, short } from "/page/format.js";
import * as names from "/page/names.js";

/** The choice that lets one type an address: no name looks like this. */
const OTHER = ":address";

let sent = null;

export async function refresh() {
  const wallet = await get("/wallet");
  fill(byId("balance"), integer(wallet.balance));
  fill(byId("spendable"), integer(wallet.spendable));
  fill(byId("pending-in"), integer(wallet.pending_in));
  fill(byId("pending-out"), integer(wallet.pending_out));
  byId("wallet-empty").hidden = wallet.balance > 0 || wallet.pending_in > 0;
  if (sent && !sent.confirmations) await follow();
}

/** The names one can send to; the choice made stays. */
export function drawRecipients() {
  const select = byId("to");
  const chosen = select.value;
  const options = names.members().map((member) =>
    h("option", { value: member.name }, member.state === "online" ? member.name : `${member.name} (${member.state}: it waits for them)`),
  );
  const nobody = options.length === 0 ? h("option", { value: "", disabled: true, selected: true }, "nobody else is here yet") : null;
  fill(select, nobody, ...options, h("option", { value: OTHER }, "another address…"));
  if ([...select.options].some((option) => option.value === chosen)) select.value = chosen;
  showAddressField();
}

function showAddressField() {
  const chosen = byId("to").selectedOptions[0];
  const other = chosen?.value === OTHER;
  byId("to-address-label").hidden = !other;
  byId("to-address").required = other;
}

/** Fills in whom to write to. */
export function writeTo(name) {
  byId("to").value = name;
  showAddressField();
  byId("message").focus();
}

export function start(changed) {
  drawRecipients();
  byId("to").addEventListener("change", showAddressField);
  byId("send-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    fill(byId("send-said"));
    const chosen = byId("to").value;
    const to = chosen === OTHER ? byId("to-address").value.trim() : chosen;
    const message = byId("message").value;
    const amount = byId("amount").value;
    if (message === "" && amount === "") {
      fill(byId("send-said"), "Write a message, give an amount, or both.");
      return;
    }
    byId("send").disabled = true;
    try {
      const request = { to, ...(message === "" ? {} : { message }), ...(amount === "" ? {} : { amount: Number(amount) }) };
      const answer = await post("/send", request);
      sent = { id: answer.transaction.id, to: answer.recipient_name ?? short(to), delivered: answer.status === "delivered", confirmations: 0 };
      drawSent();
      byId("message").value = "";
      byId("amount").value = "";
      changed();
    } catch (error) {
      fill(byId("send-said"), sentence(error));
    }
    byId("send").disabled = false;
  });
}

/** Looks how far the last transaction has come. */
async function follow() {
  const { messages } = await get("/messages?limit=20");
  const entry = messages.find((message) => message.id === sent.id);
  if (!entry) return;
  sent.delivered ||= entry.status === "delivered" || entry.status === "confirmed";
  sent.dropped = entry.status === "dropped";
  sent.confirmations = entry.confirmations ?? 0;
  drawSent();
}

function drawSent() {
  const step = (text, done) => h("li", { "data-done": done ? "yes" : "no" }, text);
  const confirmed = sent.confirmations > 0;
  const last = sent.dropped ? "dropped: it cannot be confirmed any more" : confirmed ? `confirmed by ${plural(sent.confirmations, "block", "blocks")}` : "confirmed once somebody mines a block";
  fill(byId("sent"), h("ul", { class: "steps", "aria-label": `Your last transaction, to ${sent.to}` },
    step(`sent to ${sent.to}`, true),
    step(sent.delivered ? "delivered" : "waits for delivery", sent.delivered),
    step(last, confirmed)));
}
