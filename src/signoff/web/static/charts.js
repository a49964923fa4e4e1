// Draws every [data-spec] with Vega-Lite, in the page's colours, without eval. Loaded by app.js where there is a chart.
(() => {
  const here = document.currentScript.src.replace(/[^/]*$/, "vendor/");
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  function config() {
    const ink = css("--tblr-secondary") || "#6b7280";
    const grid = css("--tblr-border-color-translucent") || css("--tblr-border-color");
    const axis = { labelColor: ink, titleColor: ink, gridColor: grid, domain: false, tickColor: grid, titleFontWeight: 500, labelFontSize: 11, titleFontSize: 11, tickCount: 5 };
    const legend = { labelColor: ink, titleColor: ink, labelFontSize: 12 };
    return { background: "transparent", font: "Inter Variable, sans-serif", view: { stroke: null }, axis, legend, title: { color: ink } };
  }
  async function draw() {
    const plain = { ast: true, expr: vegaInterpreter, renderer: "svg", actions: false, defaultStyle: false };
    for (const element of document.querySelectorAll("[data-spec]")) {
      try {
        await vegaEmbed(element, element.dataset.spec, { ...plain, config: config(), tooltip: { disableDefaultStyle: true } });
        element.dataset.drawn = "yes";
      } catch (error) {
        element.dataset.drawn = "no";
        element.textContent = "This chart could not be drawn; its numbers are in the table.";
        console.warn(error);
      }
    }
    document.body.dataset.drawn = "yes";
  }
  (async () => {
    for (const name of ["vega.min.js", "vega-lite.min.js", "vega-embed.min.js", "vega-interpreter.js"]) await load(here + name);
    await draw();
    document.addEventListener("theme", draw);
    document.addEventListener("htmx:after:swap", draw);
  })();
})();
