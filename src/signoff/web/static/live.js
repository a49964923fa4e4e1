// Live pages: told that something changed, fetch the page once more and put in the parts that are another now. A part
// that somebody is in, or has typed into, is left alone. Where no stream can be had the page is asked for now and then.
(() => {
  const POLL = 15000;
  const isTouched = (part) =>
    part.contains(document.activeElement) || [...part.querySelectorAll("textarea, input:not([type=hidden]), select")].some((field) =>
      field.type === "radio" || field.type === "checkbox" ? field.checked !== field.defaultChecked : field.tagName !== "SELECT" && field.value !== field.defaultValue);
  const openOnes = (part) => [...part.querySelectorAll("details")].map((one) => one.open);
  const shapeOf = (part) => part.innerHTML.replace(/csrf_token" value="[^"]*"/g, "").replace(/<time .*?<\/time>/g, "").replace(/ open(="")?/g, "");

  async function refresh() {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (!answer.ok || answer.redirected) return; // signed out: what is typed stays, the next form says so
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const part of document.querySelectorAll("[data-live-part]")) {
      const next = fresh.getElementById(part.id);
      if (!next || isTouched(part) || shapeOf(next) === shapeOf(part)) continue;
      const opened = openOnes(part), put = document.importNode(next, true);
      put.querySelectorAll("details").forEach((one, index) => { if (opened[index] !== undefined) one.open = opened[index]; });
      part.replaceWith(put);
      document.dispatchEvent(new Event("live:swap"));
    }
    const box = document.getElementById("decide"), next = fresh.getElementById("decide"), stale = document.getElementById("stale");
    if (box && next && stale && box.dataset.digest !== next.dataset.digest) stale.hidden = false;
    document.title = fresh.title;
  }

  let busy = false, again = false;
  async function changed() {
    if (busy) return void (again = true);
    busy = true;
    try { await refresh(); } catch { /* the next telling tries again */ }
    busy = false;
    if (again) { again = false; changed(); }
  }

  const live = document.querySelector("[data-live]");
  if (live) {
    let polling;
    const address = live.dataset.live + (live.dataset.liveLast ? `?last=${live.dataset.liveLast}` : "");
    const stream = new EventSource(address);
    stream.addEventListener("changed", changed);
    stream.onopen = () => {
      clearInterval(polling);
      document.body.dataset.live = "yes";
    };
    stream.onerror = () => {
      document.body.dataset.live = "no";
      clearInterval(polling);
      polling = setInterval(changed, POLL);
      if (stream.readyState === EventSource.CLOSED) changed();
    };
    addEventListener("pagehide", () => stream.close());
  }

  // The end of a log that is still being written.
  const log = document.querySelector("[data-tail]");
  async function tail() {
    const frame = log.parentElement, atEnd = frame.scrollTop + frame.clientHeight > frame.scrollHeight - 40;
    const answer = await fetch(`${log.dataset.tail}&offset=${log.dataset.next}`).catch(() => null);
    if (answer?.ok) {
      const html = await answer.text();
      if (html) log.append(...new DOMParser().parseFromString(`<ol>${html}</ol>`, "text/html").querySelectorAll("li"));
      log.dataset.next = answer.headers.get("X-Log-Next");
      while (log.childElementCount > 20000) log.firstElementChild.remove();
      if (html && atEnd) frame.scrollTop = frame.scrollHeight;
      if (answer.headers.get("X-Log-Complete") === "true") return;
    }
    setTimeout(tail, document.hidden ? 5000 : 700);
  }
  if (log) { log.parentElement.scrollTop = log.parentElement.scrollHeight; tail(); }

  // A file that is dropped on a field is read into it.
  for (const field of document.querySelectorAll("[data-drop]")) {
    field.addEventListener("dragover", (event) => event.preventDefault());
    field.addEventListener("drop", async (event) => {
      if (!event.dataTransfer.files.length) return;
      event.preventDefault();
      field.value = await event.dataTransfer.files[0].text();
    });
  }

  document.querySelector(".pipeline .now")?.scrollIntoView({ inline: "center", block: "nearest" });

  // Lists by keyboard: j and k move, Enter opens (a link has it by itself), / goes to the first field.
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select, [contenteditable]")) return;
    const rows = [...document.querySelectorAll("[data-row]")], at = rows.indexOf(document.activeElement);
    if (event.key === "j" && rows.length) rows[Math.min(at + 1, rows.length - 1)].focus();
    else if (event.key === "k" && rows.length) rows[Math.max(at - 1, 0)].focus();
    else if (event.key === "/") document.querySelector("[role=search] input:not([type=hidden])")?.focus();
    else return;
    event.preventDefault();
  });
})();
