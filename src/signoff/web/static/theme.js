// Before the page is drawn: light or dark, as was chosen here or as the machine prefers.
const chosen = localStorage.getItem("theme");
document.documentElement.dataset.bsTheme = chosen ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
document.documentElement.classList.add("js");
