// What every page does in the browser. No page needs it to be read or sent; it makes them pleasanter.
const script = document.currentScript;

// Another script of ours, under this page's nonce.
function load(address) {
  return new Promise((done, failed) => {
    const element = document.createElement("script");
    Object.assign(element, { src: address, nonce: script.nonce, onload: done, onerror: failed, async: false });
    document.head.append(element);
  });
}

for (const button of document.querySelectorAll("[data-theme-toggle]"))
  button.addEventListener("click", () => {
    const root = document.documentElement;
    root.dataset.bsTheme = root.dataset.bsTheme === "dark" ? "light" : "dark";
    localStorage.setItem("theme", root.dataset.bsTheme);
    document.dispatchEvent(new Event("theme"));
  });

// Charts come after the text: their library is larger than everything else together.
const wantCharts = () => document.querySelector("[data-spec]") && load(script.dataset.charts);
if ("requestIdleCallback" in window) requestIdleCallback(wantCharts);
else setTimeout(wantCharts, 50);

// What is typed into a field with data-draft is there again after an accident: a closed tab, an ended session.
const draftOf = (field) => `draft ${location.pathname} ${field.dataset.draft}`;
function keepDrafts(within) {
  for (const field of within.querySelectorAll("[data-draft]")) {
    const kept = sessionStorage.getItem(draftOf(field));
    if (kept && !field.value) field.value = kept;
  }
}
// The server says on the page that follows which drafts were taken.
for (const { dataset } of document.querySelectorAll("[data-draft-taken]"))
  for (const key of Object.keys(sessionStorage)) if (key.endsWith(dataset.draftTaken)) sessionStorage.removeItem(key);
keepDrafts(document);
document.addEventListener("input", ({ target }) => {
  if (target.dataset?.draft) sessionStorage.setItem(draftOf(target), target.value);
});
// A button that copies the text of another element.
document.addEventListener("click", async ({ target }) => {
  const button = target.closest?.("[data-copy]");
  if (!button) return;
  await navigator.clipboard.writeText(document.querySelector(button.dataset.copy).textContent.trim());
  button.dataset.copied = "yes";
});
