// Signing with a key at the signer's own computer. The page asks the server what has become of it, and believes nobody
// else: the program's reply is a hint, the server's answer is the truth.
"use strict";

const OPENS_WITHIN = 8000, ASKED_EVERY = 1200, EXTENSION_ANSWERS_WITHIN = 2500;
const POLLS_AFTER = { ok: 4, said: 1, closed: 4, silent: 1 };

document.querySelectorAll("[data-desk]").forEach((desk) => {
  const { document: id, version, act, csrf, program } = desk.dataset;
  const words = JSON.parse(desk.dataset.words), marks = JSON.parse(desk.dataset.marks), of = marks.length;
  const status = desk.querySelector("[data-status]"), buttons = desk.querySelectorAll("button[data-way]");
  desk.querySelector("[data-buttons]").hidden = false;

  const say = (key, kind = "info", gaps = {}) => {
    status.className = `alert alert-${kind} mb-0 mt-2`;
    status.dataset.word = key;
    status.textContent = words[key].replace(/\{(\w+)\}/g, (_, name) => gaps[name] ?? "");
  };
  const rest = (milliseconds) => new Promise((done) => { setTimeout(done, milliseconds); });

  class Told extends Error {
    constructor(key, gaps = {}) { super(key); this.key = key; this.gaps = gaps; }
  }

  const ask = async (method, path, body) => {
    const headers = { "X-CSRF-Token": csrf, "If-Match": `"${version}"`, "Idempotency-Key": crypto.randomUUID() };
    if (body) headers["Content-Type"] = "application/json";
    const answer = await fetch(`/api/v1/documents/${id}/${path}`, { method, headers, body: body && JSON.stringify(body) });
    const told = await answer.json();
    if (!answer.ok) throw new Told("refused", { why: told.detail });
    return told;
  };

  // One operation of the local program: a socket of its own, one text each way. Nothing may be left waiting for ever.
  const call = (operation, text, patience) => new Promise((done, failed) => {
    let opened = false;
    const socket = new WebSocket(`${program}/${operation}`);
    const timers = [
      setTimeout(() => { if (!opened) end(() => failed(new Told("not_running"))); }, OPENS_WITHIN),
      setTimeout(() => end(() => failed(new Told("silent"))), patience),
    ];
    const end = (then) => { timers.forEach(clearTimeout); socket.onclose = null; socket.close(); then(); };
    socket.onopen = () => { opened = true; socket.send(text); };
    socket.onmessage = (event) => end(() => {
      try { done(JSON.parse(event.data)); } catch { failed(new Told("said", { why: "" })); }
    });
    socket.onclose = () => end(() => failed(new Told(opened ? "closed" : "not_running")));
  });
  const good = (reply) => {
    if (Number(reply.Status) === 0) return reply;
    const why = reply.Message || reply.Error;
    throw why ? new Told("said", { why }) : new Told("closed");
  };
  const until = (told) => Math.max(300000, new Date(told.expires_at) - Date.now());

  // Attached PDFs get the organisation's mark first; those that have it are not asked for again when a later one fails.
  const marksFirst = async (word, mark) => {
    while (marks.length) {
      await mark(`attachments/${marks[0]}`, [word, "info", { n: of - marks.length + 1, of }]);
      marks.shift();
    }
  };

  // The program fetches the file, its user places and makes the signature, and it uploads the file to the server.
  const inProgram = async (path, body, waits) => {
    const lent = await ask("POST", path, body);
    say(...waits);
    const request = JSON.stringify({
      FileUploadHandler: lent.upload, SessionId: "", JWTToken: "", FileName: lent.source,
      DocNumber: lent.document_number, IssuedDate: lent.issued_date, MetaData: [],
    });
    let ended = null;
    call(lent.operation, request, until(lent)).then(good).then(() => { ended = new Told("ok"); }, (error) => { ended = error; });
    for (let left = null; ;) {
      await rest(ASKED_EVERY);
      const now = await ask("GET", `loans/${lent.loan}`).catch(() => null); // a line that breaks is asked again
      if (now?.state === "done") return;
      if (now?.state === "refused") throw new Told("refused", { why: now.refusal.sentence });
      if (now?.state === "over") throw new Told("over");
      if (!ended) continue;
      if (!(ended instanceof Told)) throw ended;
      if (ended.key === "not_running") throw ended;
      left ??= POLLS_AFTER[ended.key] ?? 2;
      if (left-- <= 0) throw ended.key === "ok" ? new Told("nothing_came") : ended;
    }
  };
  const byProgram = async () => {
    await marksFirst("in_program_attachment", (which, waits) => inProgram(`${which}/loans`, null, waits));
    await inProgram("loans", { act }, ["in_program"]);
  };

  // The server prepares the file, the token signs its hash, the server finishes it. No other hash is ever asked for.
  const signed = async (what, waits, certificate, sign) => {
    const prepared = await ask("POST", `${what}/prepare`, { certificate });
    say(...waits);
    const signature = await sign(prepared);
    say("finishing");
    await ask("POST", `${what}/finish`, { signing: prepared.signing, signature });
  };
  const byHash = async (certificate, sign) => {
    await marksFirst("pin_attachment", (which, waits) => signed(`${which}/seal`, waits, certificate, sign));
    await signed(act, ["pin"], certificate, sign);
  };
  const byToken = async () => {
    say("calling");
    const info = good(await call("GetCertInfo", "get_cert_info", 120000));
    if (!info.CertInfo?.Base64Data) throw new Told("no_certificate");
    await byHash(info.CertInfo.Base64Data, async (prepared) => {
      const request = JSON.stringify({ HashAlg: "SHA256", HashValue: prepared.hash, Encode: "RSA" });
      return good(await call("SignMsg", request, until(prepared))).Signature;
    });
  };

  // Web eID: messages to the browser extension, which answers in the same window.
  const extension = (action, fields) => new Promise((done, failed) => {
    let heard = false;
    const finish = (then) => { removeEventListener("message", listen); clearTimeout(waiting); then(); };
    const listen = (event) => {
      if (event.source !== window || !String(event.data?.action).startsWith(`${action}-`)) return;
      if (event.data.action === `${action}-ack`) heard = true;
      else if (event.data.action === `${action}-success`) finish(() => done(event.data));
      else if (event.data.action === `${action}-failure`) {
        const cancelled = event.data.error?.code === "ERR_WEBEID_USER_CANCELLED";
        finish(() => failed(cancelled ? new Told("closed") : new Told("said", { why: event.data.error?.message ?? "" })));
      }
    };
    const waiting = setTimeout(() => { if (!heard) finish(() => failed(new Told("no_extension"))); }, EXTENSION_ANSWERS_WITHIN);
    addEventListener("message", listen);
    const options = { userInteractionTimeout: 300000 };
    postMessage({ action, libraryVersion: "2.0.2", ...fields, options }, location.origin);
  });
  const byWebEid = async () => {
    say("calling");
    const { certificate } = await extension("web-eid:get-signing-certificate", {});
    await byHash(certificate, async (prepared) => {
      const asked = { certificate, hash: prepared.hash, hashFunction: prepared.hash_function };
      return (await extension("web-eid:sign", asked)).signature;
    });
  };

  const ways = { program: byProgram, token: byToken, webeid: byWebEid };
  buttons.forEach((button) => button.addEventListener("click", async () => {
    buttons.forEach((one) => { one.disabled = true; });
    say("preparing");
    try {
      await ways[button.dataset.way]();
      say("done", "success");
      location.assign(location.pathname);
    } catch (error) {
      if (error instanceof Told) say(error.key, "warning", error.gaps);
      else say("lost", "danger");
      buttons.forEach((one) => { one.disabled = false; });
    }
  }));
});
