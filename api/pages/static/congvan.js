// Small helps; every page works without them.
"use strict";

// A double click is one act: the button rests once a form is on its way.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches("[data-once]")) return;
  const button = form.querySelector("button:not([type=button]):not([data-send-code])");
  if (!button) return;
  if (button.dataset.busy) button.textContent = button.dataset.busy;
  setTimeout(() => { button.disabled = true; }, 0);
});
addEventListener("pageshow", () => {
  document.querySelectorAll("form[data-once] button").forEach((button) => { button.disabled = false; });
});

// A filter acts when it is chosen.
document.addEventListener("change", (event) => {
  const form = event.target.closest("form[data-auto-submit]");
  if (form) form.submit();
});

// Who picks an office from a list has chosen by that list.
for (const [list, way] of [["chosen", "to-chosen"], ["except", "to-all"]]) {
  document.getElementById(list)?.addEventListener("change", (event) => {
    if (event.target.selectedOptions.length) document.getElementById(way).checked = true;
  });
}

// Lists by keyboard: j and k walk, Enter opens.
document.addEventListener("keydown", (event) => {
  if (event.target.closest("input, textarea, select, button, summary") || event.ctrlKey || event.metaKey || event.altKey) return;
  const rows = [...document.querySelectorAll("table[data-keys] tbody tr")];
  if (!rows.length) return;
  const now = rows.findIndex((row) => row.classList.contains("chosen"));
  if (event.key === "j" || event.key === "k") {
    const next = Math.min(rows.length - 1, Math.max(0, now + (event.key === "j" ? 1 : -1)));
    rows.forEach((row) => row.classList.remove("chosen"));
    rows[next].classList.add("chosen");
    rows[next].scrollIntoView({ block: "nearest" });
  } else if (event.key === "Enter" && now >= 0 && event.target === document.body) {
    rows[now].querySelector("a").click();
  }
});

// The four places on page one: boxes that can be dragged; the numbers in the form are what is sent (millimetres).
const POINTS_PER_MM = 72 / 25.4;
document.querySelectorAll("[data-places]").forEach((form) => {
  const picture = document.querySelector(`.page-picture[data-page="${form.dataset.shown}"]`);
  if (!picture) return;
  const pageWidth = Number(picture.dataset.width) / POINTS_PER_MM;
  const pageHeight = Number(picture.dataset.height) / POINTS_PER_MM;
  for (const row of form.querySelectorAll("[data-place]")) {
    const field = (name) => row.querySelector(`[data-measure="${name}"]`);
    const box = document.createElement("div");
    box.className = "place-box";
    box.dataset.place = row.dataset.place;
    box.textContent = row.dataset.label;
    picture.append(box);
    const draw = () => {
      box.hidden = field("page").value !== String(Number(form.dataset.shown) + 1);
      box.style.left = `${100 * field("left").value / pageWidth}%`;
      box.style.bottom = `${100 * field("bottom").value / pageHeight}%`;
      box.style.width = `${100 * field("width").value / pageWidth}%`;
      box.style.height = `${100 * field("height").value / pageHeight}%`;
    };
    row.addEventListener("input", draw);
    draw();
    box.addEventListener("pointerdown", (down) => {
      down.preventDefault();
      box.setPointerCapture(down.pointerId);
      const left = Number(field("left").value), bottom = Number(field("bottom").value);
      const scale = pageWidth / picture.clientWidth;
      const move = (event) => {
        field("left").value = Math.max(0, left + (event.clientX - down.clientX) * scale).toFixed(1);
        field("bottom").value = Math.max(0, bottom - (event.clientY - down.clientY) * scale).toFixed(1);
        draw();
      };
      box.addEventListener("pointermove", move);
      box.addEventListener("pointerup", () => box.removeEventListener("pointermove", move), { once: true });
    });
  }
});

// Verifying: each file on its own, with the progress of its way; files may be dropped anywhere on the page.
const verifying = document.querySelector("form[data-verify]");
if (verifying) {
  verifying.removeAttribute("data-once");
  verifying.querySelector("[data-drop]").hidden = false;
  const words = verifying.dataset, results = document.getElementById("result"), button = verifying.querySelector("button");

  const begun = (file) => {
    const row = document.createElement("section");
    row.className = "card card-body mb-3";
    const name = document.createElement("p"), state = document.createElement("p"), bar = document.createElement("progress");
    name.className = "fw-bold text-break mb-1";
    name.textContent = file.name;
    state.className = "small mb-1";
    state.textContent = words.sending;
    bar.className = "w-100";
    bar.max = 1;
    bar.value = 0;
    bar.setAttribute("aria-label", file.name);
    row.append(name, state, bar);
    results.append(row);
    return { row, state, bar };
  };
  const failed = ({ state, bar }, why) => {
    bar.remove();
    state.className = "alert alert-danger mb-0";
    state.textContent = why;
  };
  const send = (file) => new Promise((done) => {
    const shown = begun(file);
    if (file.size > Number(words.limitMb) * 1048576) {
      failed(shown, words.tooLarge);
      done();
      return;
    }
    const request = new XMLHttpRequest(), body = new FormData();
    body.append("file", file);
    request.open("POST", verifying.action);
    request.setRequestHeader("HX-Request", "true");
    request.upload.addEventListener("progress", (event) => {
      if (event.lengthComputable) shown.bar.value = event.loaded / event.total;
    });
    request.upload.addEventListener("load", () => {
      shown.bar.removeAttribute("value"); // sent; how long the check takes nobody knows
      shown.state.textContent = words.checking;
    });
    request.addEventListener("load", () => {
      const told = new DOMParser().parseFromString(request.responseText, "text/html").querySelector("[data-checked]");
      if (told) shown.row.replaceWith(told);
      else failed(shown, words.failed);
    });
    request.addEventListener("error", () => failed(shown, words.failed));
    request.addEventListener("loadend", done);
    request.send(body);
  });
  let queue = Promise.resolve();
  const verify = (files) => {
    button.disabled = true;
    for (const file of files) queue = queue.then(() => send(file));
    const mine = queue = queue.then(() => { if (queue === mine) button.disabled = false; });
  };

  verifying.addEventListener("submit", (event) => {
    event.preventDefault();
    results.replaceChildren();
    verify([...verifying.elements.file.files]);
  });
  const holdsFiles = (event) => event.dataTransfer && event.dataTransfer.types.includes("Files");
  document.addEventListener("dragover", (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    document.body.classList.add("dropping");
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) document.body.classList.remove("dropping");
  });
  document.addEventListener("drop", (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    document.body.classList.remove("dropping");
    verify([...event.dataTransfer.files]);
  });
}

// Many documents with one PIN: the results come line by line while they are made.
const batch = document.querySelector("form[data-batch]");
if (batch) {
  let running = false;
  const boxes = () => [...batch.querySelectorAll("input[name=document]")];
  const count = () => {
    const n = boxes().filter((box) => box.checked).length;
    batch.querySelector("[data-count]").textContent = n ? `(${n})` : "";
    batch.querySelector("button:not([data-send-code])").disabled = !n || running;
  };
  const chosen = (event) => {
    if (event.target.matches("[data-all]")) boxes().forEach((box) => { box.checked = event.target.checked && !box.disabled; });
    count();
  };
  batch.addEventListener("change", chosen);
  count();
  const row = (id) => batch.querySelector(`tr[data-document="${CSS.escape(id)}"]`);
  const show = (line, bar, said) => {
    if (line.finished) {
      said.className = `alert alert-${line.failed ? "warning" : "success"}`;
      said.textContent = line.said;
      return;
    }
    bar.value += 1;
    const cell = row(line.document).querySelector("[data-result]");
    cell.textContent = line.said + (line.problem ? ` (${line.problem.code})` : "");
    cell.dataset.status = line.status;
    cell.className = line.problem ? "text-danger" : "text-success";
    if (line.problem) return;
    const box = row(line.document).querySelector("input");
    box.checked = false;
    box.disabled = true;
  };
  batch.addEventListener("submit", async (event) => {
    event.preventDefault();
    const bar = batch.querySelector("progress"), button = batch.querySelector("button:not([data-send-code])"), said = document.createElement("p");
    document.getElementById("batch-said").replaceChildren(said);
    bar.hidden = false;
    bar.max = boxes().filter((box) => box.checked).length;
    bar.value = 0;
    running = true;
    button.disabled = true;
    const body = new URLSearchParams(new FormData(batch));
    try {
      const answer = await fetch(batch.action, { method: "POST", body, headers: { Accept: "application/x-ndjson" } });
      if (!answer.ok) {
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        throw new Error(page.querySelector("[role=alert]")?.textContent.trim() || batch.dataset.failed);
      }
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      for (let kept = ""; ;) {
        const { value, done } = await reader.read();
        if (done) break;
        const lines = (kept + value).split("\n");
        kept = lines.pop();
        lines.forEach((line) => show(JSON.parse(line), bar, said));
      }
      if (!said.textContent) throw new Error(batch.dataset.failed);
    } catch (problem) {
      said.className = "alert alert-danger";
      said.textContent = problem instanceof TypeError ? batch.dataset.failed : problem.message;
    }
    batch.querySelectorAll("input[name=pin], input[name=otp]").forEach((field) => { field.value = ""; });
    running = false;
    count();
  });
}
